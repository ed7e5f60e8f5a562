// Package exporter is the way out: what the spine made crosses the one [Queue]
// to the desk goroutine, which hands it to every [Exporter].
//
// # Data flow
//
//	spine -> Queue -> Desk -> diagnosis.Tree
//	                       -> Exporter, Exporter, ...
//
// # Concurrency
//
// [Desk.Run] is the desk goroutine. The Queue is the only channel between it and
// the spine. What an Exporter starts is its own.
//
// # Limitations
//
// An Exporter that blocks holds up the desk: a live spine then loses batches,
// counts them, and says so ([capture.Lost]).
package exporter
