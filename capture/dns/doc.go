// Package dns follows DNS over UDP (RFC 1035) by what passes: it joins queries
// and answers, and says which look-ups failed, and how.
//
// # Data flow
//
//	capture.Packet (UDP) -> Table.Datagram -> message -> capture.DNSLookup
//	capture.ICMPError that quotes UDP -> Table.Unreachable -> capture.DNSLookup
//
// A query is followed when it goes to port 53, or to any port of 127.0.0.11:
// there Docker's embedded resolver answers, from another port than it was asked
// at. An answer belongs to a query of the same client address, client port and
// id, and of the same question where it repeats one; the server's address and
// port are not compared. A datagram that is no such message is left to others.
//
// Each look-up ends in one account of the ledger's line "lookups", each message
// in one of its line "dns".
//
// # Concurrency
//
// A [Table] belongs to one goroutine. Time is the packets'.
//
// # Limitations
//
// DNS over TCP, TLS, HTTPS and QUIC, multicast DNS (RFC 6762), LLMNR, and
// messages other than queries are not followed. A resolver that tries again from
// another port, or with another id, makes another look-up. An answer is trusted
// as its client would: by address, port, id and question. 4,096 look-ups are
// followed at once; beyond, the oldest is given up and counted.
package dns
