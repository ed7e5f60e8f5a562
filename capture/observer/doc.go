// Package observer is the spine: one goroutine that takes every frame of a
// Source, decides which room gets it, detects what each connection speaks, runs
// the timers by packet time, keeps the ledger, and hands batches of
// observations over.
//
// # Data flow
//
//	Source.Next -> wire -> (defrag) -> tcp -> session -> http1 | tls | opaque
//	                               \-> icmp -> tcp | dns
//	                               \-> udp -> dns
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
// HTTP/2 and QUIC are recognised and counted, not followed. DNS is followed
// over UDP only. A PROXY protocol header and a SOCKS negotiation are passed
// over; what a connection carries after HTTP's CONNECT, or TLS that is agreed on
// within another protocol (STARTTLS), is counted and not looked into. A server's
// reply that is captured before the client's SOCKS greeting hides the
// negotiation.
package observer
