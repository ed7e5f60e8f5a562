// Package otel turns observations and findings into OpenTelemetry signals and
// takes them out of the process: spans, log records and metrics, over OTLP
// (gRPC or HTTP), as OTLP JSON lines, or to a sink within the process.
//
// # Data flow
//
//	capture.Batch -> facts -> span bytes, log records as pdata -> batch -> lane -> sender
//	              \> histograms, latest snapshot -> sdk/metric -> pdata -> batch -> the same way
//
// A record is encoded, and its batch compressed when asked, once. What waits to be sent is
// bytes, bounded per lane: spans, events, metrics and findings have a lane each,
// so that a flood of one cannot push out another. Every record is in the books
// from the moment it is made, and ends in exactly one of exported, rejected,
// dropped with a reason, or queued.
//
// Secrets are hidden before a span exists (redact.go), so no queue, retry or
// dump holds them. Bodies never come here: [capture.Exchange] has no field for
// them.
//
// # Concurrency
//
// Export belongs to the desk goroutine and never waits for the network. One
// goroutine sends what has waited long enough and collects metrics, one per lane
// sends. All of them end with Shutdown. With Config.Deterministic there is no
// timer goroutine: the output depends on what is exported alone.
//
// # Limitations
//
// Metrics are cumulative, so a lost batch of them loses nothing that the next
// does not tell again; delta temporality is not offered. Of the samplers only
// those without a remote controller are there. Writing OTLP JSON lines is
// synchronous.
//
// Forwarded, X-Forwarded-For, X-Forwarded-Host and X-Forwarded-Proto are not
// read, as anybody can send them: client.address is the peer that connected,
// server.address and url.scheme are those of the request itself.
package otel
