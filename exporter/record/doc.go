// Package record writes the packets of connections that had an error into
// capture files, one a connection, and in another mode all packets into files
// that follow each other.
//
// A [Recorder] belongs to the spine. It copies what it may keep of each packet
// into a ring of fixed size. When an error is observed, the packets of its
// connection are taken out of the ring at once, on the same goroutine: between
// the packet that showed the error and the look into the ring there is no other
// packet, so that load can only overwrite what is old, and how much of the
// connection that was is known. The ring chains packets of one connection, newest
// first: a scan would cost a walk over all of it for each of the many errors of
// a bad minute.
//
// A file is made in memory and handed over whole, so that a store, on its own
// goroutine, writes it under another name and then renames it: no file that
// bears its name is half. The store keeps the directory within its bounds and
// deletes nothing that wiretell did not write. The capture never waits for it
// (the reading of a capture file does).
//
// Unless payload is asked for, a packet is cut behind its transport header
// before it is copied, what an ICMP error quotes likewise: memory and files hold
// no payload then. The length on the wire is kept.
package record
