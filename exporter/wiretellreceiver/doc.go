// Package wiretellreceiver is wiretell as a receiver of an OpenTelemetry
// Collector: it captures the network namespace that the Collector runs in. Its
// name is that of the Collector's own components; docs/collector.md says how to
// build it in.
//
// # Data flow
//
//	Config -> exporter/pipeline -> exporter/otel -> sinks -> the Collector's next consumers
//
// # Concurrency
//
// One capture serves the receiver's traces, metrics and logs. It begins with
// the first that is started, and ends with the first that is shut down: what
// is then still to be said can be said to all of them, as a Collector shuts
// receivers down before what they feed.
//
// # Limitations
//
// The Collector keeps the privilege to capture for as long as it lives: other
// components may need privileges, and these are of the whole process. Records
// are encoded and decoded once on the way, which is what keeps their queue
// within a bound of bytes.
package wiretellreceiver
