// Package capturetest is what tests share: packets written as text, captures in
// memory, changes to a capture that must not change its meaning, and files that
// tests generate.
//
// # Data flow
//
//	text -> Script -> []Segment -> change -> Source
//	file -> Source -> []Segment -> change -> Source
//
// # Concurrency
//
// Nothing is shared but the flag -update; use every value from one goroutine.
//
// # Limitations
//
// Serialised packets are raw IPv4 or IPv6 without options and carry no checksum.
package capturetest
