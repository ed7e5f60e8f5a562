package prometheus

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/otlptranslator"

	"github.com/wiretell/wiretell/semconv"
)

// Promoted are the resource attributes that prometheus.yml makes labels of.
// The dashboards and rules use the first two.
var Promoted = []string{
	semconv.TelemetryDistroName, semconv.ObservedServiceName,
	"k8s.cluster.name", "k8s.namespace.name", "k8s.pod.name", "k8s.node.name", "k8s.container.name",
}

var (
	literal  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	selector = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	ours     = regexp.MustCompile(`\b(?:wiretell|http_server|http_client|otel_sdk)_[a-zA-Z0-9_]+`)
)

// Check returns what an expression names that wiretell does not emit: metrics,
// and labels that its metrics do not have.
func Check(expr string) (problems []string) {
	expr = literal.ReplaceAllString(expr, `""`)
	var known []string // labels of the metrics of the expression
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		labels, ok := labelsOf(m[1])
		if !ok {
			problems = append(problems, fmt.Sprintf("there is no metric %s", m[1]))
			continue
		}
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(labels, l[1]) {
				problems = append(problems, fmt.Sprintf("%s has no label %s", m[1], l[1]))
			}
		}
		known = append(known, labels...)
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(g[1], ",") {
			if label = strings.TrimSpace(label); label != "" && !slices.Contains(known, label) {
				problems = append(problems, fmt.Sprintf("no metric of the expression has a label %s", label))
			}
		}
	}
	// What is left is a metric without a selector, which the above passed over.
	rest := grouping.ReplaceAllString(selector.ReplaceAllString(expr, ""), "")
	for _, name := range ours.FindAllString(rest, -1) {
		problems = append(problems, fmt.Sprintf("%s: give a metric a selector, if an empty one", name))
	}
	return problems
}

// As prometheus.yml says.
var namer = otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)

var kinds = [...]otlptranslator.MetricType{
	semconv.Counter: otlptranslator.MetricTypeMonotonicCounter, semconv.UpDownCounter: otlptranslator.MetricTypeNonMonotonicCounter,
	semconv.Gauge: otlptranslator.MetricTypeGauge, semconv.Histogram: otlptranslator.MetricTypeHistogram,
}

// labelsOf returns the labels of a metric under its name in Prometheus.
func labelsOf(name string) ([]string, bool) {
	for i := range semconv.Metrics {
		m := &semconv.Metrics[i]
		if m.Reserved {
			continue
		}
		base, err := namer.Build(otlptranslator.Metric{Name: m.Name, Unit: m.Unit, Type: kinds[m.Kind]})
		if err != nil {
			continue
		}
		labels := []string{"job", "instance"}
		names := []string{base}
		if m.Kind == semconv.Histogram {
			labels = append(labels, "le")
			names = []string{base + "_bucket", base + "_sum", base + "_count"}
		}
		if !slices.Contains(names, name) {
			continue
		}
		for _, a := range slices.Concat(m.Attributes, Promoted) {
			labels = append(labels, strings.ReplaceAll(a, ".", "_"))
		}
		return labels, true
	}
	return nil, false
}
