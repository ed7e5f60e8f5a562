// Package stack tests the examples of compose, the Collector, Prometheus and
// Grafana as they lie in examples: the compose file runs with the programs that
// it names, each alone in an image that is made here. From a request in a
// container to a span that Jaeger's API finds, a metric that Prometheus' API has,
// and a diagnosis in the log output; every expression of the dashboards and
// alerts; and spans of wiretell among those of an SDK. Only Grafana itself
// cannot be had as a Go module.
package stack
