// Package http1 follows HTTP/1.0 and HTTP/1.1 (RFC 9112) passively: it sees the
// ordered bytes of both sides of a connection, with gaps, and states the
// exchanges that passed, without copying, decoding or even touching their bodies.
//
// # Data flow
//
//	Pool.Open -> Parser.Data, Gap, End -> capture.Exchange, capture.ParseError in Book.Batch,
//	                                      counters in Book.Ledger and the port's PortStats
//
// A head is read line by line in one pass; a line that is split between segments
// is completed in a pooled buffer, so that memory and time stay linear whatever
// the segmentation. A request becomes an exchange when its head is complete,
// waits in its connection's queue (see pairing) and is emitted when both its
// messages have ended.
//
// # Concurrency
//
// A Pool, its Parsers and their Book belong to one goroutine. Nothing here
// starts one, locks, or reads a clock.
//
// # Limitations
//
//   - What is known after a loss is less than what was on the wire: an exchange
//     that the hole touches may be missing or cut, and a client that pipelines
//     is not followed any further after bytes of it were lost.
//     One segment lost never makes a wrong pair (TestLoss). Several losses can
//     when the client pipelines and all that would show it is lost as well, and
//     a body whose segment begins with a whole valid head can then pose as a
//     message.
//   - Of a connection joined midway the first request is taken to be the first
//     that is unanswered: a client that pipelined before the capture began is
//     not told apart.
//   - A request head that never ends is no request, unless it was answered or the
//     rest of it was lost behind the whole request-line.
//   - HTTP/0.9 and versions beyond 1.x are refused, as is "http/1.1" in lower case.
//   - Trailer fields are passed over.
//   - Texts are bounded (see Config); what is longer is cut.
package http1
