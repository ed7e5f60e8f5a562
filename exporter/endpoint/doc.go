// Package endpoint answers, on a port of wiretell's own, what wiretell knows: for
// probes, for a person with curl, and for Prometheus. It works while the
// Collector is away.
//
//	/healthz    200 while wiretell works, else 503
//	/readyz     200 while it captures, else 503 and why not
//	/diagnosis  every finding that holds, as text or JSON
//	/metrics    every metric, in the text format of Prometheus
//
// # Data flow
//
//	exporter.Desk.Status, otel.Exporter.WriteMetrics -> Server -> HTTP/1.1
//
// # Concurrency
//
// A [Server] has goroutines of its own and takes nothing from the capture but
// copies: a slow client holds up nobody.
//
// # Limitations
//
// It is plain HTTP without authentication, meant for the loopback interface:
// what it tells names peers, ports and hosts. Connections, their time and the
// size of a request are bounded; each connection serves one request.
package endpoint
