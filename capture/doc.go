// Package capture is wiretell's vocabulary: the words that every room of the
// house shares and none owns. A [Source] yields [Frame]s, package wire decodes
// a Frame into a [Packet], package tcp orders the payload of Packets and hands
// it to a [Handler], and what is learnt on the way is written into a [Book]:
// counters into its [Ledger], facts into its [Batch].
//
// # Data flow
//
//	Source -> Frame -> Packet -> Handler -> Book{Ledger, Batch}
//
// # Concurrency
//
// Nothing here starts a goroutine or takes a lock, except [OwnFlows], which is
// the one value that the exporters' goroutines and the spine share. All other
// values belong to the goroutine that made them; a Batch changes hands whole.
//
// # Limitations
//
// The package imports the standard library only, knows no clock, no socket and
// no telemetry name. Time is always the packet's (see [Time]).
package capture
