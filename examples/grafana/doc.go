// Package grafana makes the dashboards that lie beside it as JSON: overview,
// errors, diagnosis and self. One source for all of them keeps their layout
// alike, and the texts of the diagnosis those of package diagnosis.
//
// After a change run
//
//	go test ./examples/grafana -update
//
// The tests hold every expression to the names of package semconv, and those of
// integration/stack run each of them in a real Prometheus.
package grafana
