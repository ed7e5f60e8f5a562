// Package stack tests the examples of the Collector, Prometheus, Jaeger and
// Grafana as they lie in examples, with the real programs: from a request in a
// network namespace to a span that Jaeger's API finds, a metric that
// Prometheus' API has, and a diagnosis in the log output; every expression of
// the dashboards and alerts; and spans of wiretell among those of an SDK.
package stack
