// Package semconv is the one place that spells the names of wiretell's
// telemetry: every metric, attribute, event and resource attribute, with its
// unit, kind, stability and meaning. No other package writes such a name as a
// literal.
//
// # Data flow
//
// The tables [Metrics], [Events] and [Attributes] are read by the exporters,
// which build instruments and records from them, and by [WriteMarkdown], which
// writes docs/signals.md.
//
// # Concurrency
//
// Everything here is constant after start-up; any goroutine may read it.
//
// # Limitations
//
// A row whose Reserved is set names what a later release will emit: the name is
// taken, nothing carries it yet. Names that the OpenTelemetry conventions define
// are used as the conventions of [SchemaURL] define them.
package semconv
