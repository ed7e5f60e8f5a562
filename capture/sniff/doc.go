// Package sniff says what can be said of bytes that no parser reads: which
// protocol they look like, and how sure that is.
//
// # Data flow
//
// [Prefix] knows what may stand before or instead of a protocol that is read: a
// PROXY protocol header and the HTTP/2 preface. [Classify] looks at the first
// bytes that each side of a TCP connection sent, [ClassifyUDP] at one datagram.
// Both walk a table, which is at the top of its file, and take the first row
// that is certain, or else the first that is likely.
//
// # Concurrency
//
// Everything here is a function of its arguments.
//
// # Limitations
//
// Only the beginning of a connection is known by sight, except HTTP/2, whose
// frames are recognised midway too. A protocol inside TLS is not seen. Likely
// means that other bytes could look so by chance or intent: it is good for a
// hint to a person, not for a decision.
package sniff
