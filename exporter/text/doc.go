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
// Metrics are not printed as they change; [WriteSnapshot] prints the counters once.
package text
