// Package defrag makes IP datagrams whole from their fragments (RFC 791,
// section 3.2; RFC 815; RFC 8200, section 4.5).
//
// # Data flow
//
//	capture.Packet with IsFragment -> Table.Add -> the whole datagram's payload -> package wire
//
// Overlapping fragments discard their datagram, in IPv6 as RFC 5722 demands and
// in IPv4 as Linux does since 4.19, so that nobody can show wiretell other bytes
// than the receiver took. A fragment that brings nothing new is a duplicate and
// does no harm. Every fragment is in exactly one of the ledger's accounts
// FragmentsLive, FragmentsReassembled, FragmentsExpired, FragmentsEvicted and
// FragmentsInvalid at any time.
//
// # Concurrency
//
// A Table belongs to one goroutine. Time is the packets'.
//
// # Limitations
//
// 1 MiB of data, 1,024 datagrams, 1,024 fragments for each and 30 seconds are the
// bounds; beyond them the oldest datagram is given up. A fragment of which the
// capture cut bytes makes its datagram invalid.
package defrag
