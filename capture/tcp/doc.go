// Package tcp follows TCP connections from their segments: it finds the
// connection of a segment, puts the payload of both sides in order, and states
// what the segments prove about the connection itself (handshake, resets,
// retransmissions, round-trip times, losses).
//
// # Data flow
//
//	Packet -> Table.Segment -> capture.Handler (bytes, gaps, ends, in order)
//	                        -> capture.Book    (ledger, counters, observations)
//
// A segment that continues its side's stream goes to the Handler as the slice
// of the packet, without a copy. Only what arrives early is stored, within the
// bounds of [Config]. What the other side acknowledged and was never seen is a
// gap: it will not be sent again.
//
// Files: table.go finds a connection, segment.go decides what a segment is,
// handshake.go begins connections and close.go ends them, state.go tells the
// state of each side, reassembly.go orders bytes, hole.go and buffer.go hold the
// early ones, quality.go measures, retransmit.go and window.go tell what delayed
// it, strain.go keeps that, echo.go knows copies, stuck.go tells who waits in
// vain, timer.go is the clock, icmp.go joins ICMP errors.
//
// # Concurrency
//
// A [Table] belongs to one goroutine. It starts none, takes no lock and reads
// no clock: time is that of the packets and of [Table.Tick].
//
// # Limitations
//
// Where bytes overlap, the copy that was captured first wins; hosts differ, so
// that an attacker who sends both may show a host other bytes. Sequence numbers
// that jump by 4 GiB while nothing is captured give a gap that is too short.
// PAWS (RFC 7323, section 5) is not applied. What a connection did before its
// first captured packet is not known; who is its client is then inferred, and payload
// of its first flight that was captured out of order is late.
package tcp
