// Package text prints one stable line per observation and finding: for people,
// for golden files and for debugging.
//
// # Data flow
//
//	Batch, Findings -> Exporter.Export -> io.Writer
//
// # Concurrency
//
// One goroutine calls an Exporter.
//
// # Limitations
//
// Metrics are not printed. A line tells an observation in part: what only a span
// or a metric can carry (headers, versions, round-trip extremes) is left to them.
package text
