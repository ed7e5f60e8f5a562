// Package observer is the spine: one goroutine that takes every frame of a
// Source, decides which room gets it, detects what each connection speaks, runs
// the timers by packet time, keeps the ledger, and hands batches of
// observations over.
//
// # Data flow
//
//	Source.Next -> wire -> (defrag) -> tcp -> session -> http1 | tls | opaque
//	                               \-> icmp -> tcp
//	                               \-> udp
//	Book.Batch -> Config.Offer
//
// # Concurrency
//
// [Observer.Run] is the only goroutine that touches capture state. It takes no
// lock and reads no clock: time is a packet's or, when none comes, the one that
// an idle Source tells.
//
// # Limitations
//
// HTTP/2 and QUIC are recognised and counted, not followed. DNS is counted.
package observer
