// Package icmp is the registry of ICMP and ICMPv6: what a type and code mean,
// what they do to a connection, and which bytes of a message quote the packet
// that caused it.
//
// # Data flow
//
//	capture.ICMPHeader -> Describe -> Meaning
//	capture.Packet (ICMP) -> Parse -> quoted bytes, next-hop MTU -> wire.DecodeQuoted
//
// # Concurrency
//
// The tables are read only: any goroutine may use them.
//
// # Limitations
//
// Extensions (RFC 4884) are cut off the quoted packet and not read. Whether a
// quoted packet belongs to a live connection is for others to say: anyone may
// send an ICMP error.
package icmp
