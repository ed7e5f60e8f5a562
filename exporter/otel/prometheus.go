package otel

import (
	"context"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// MetricsContentType is the media type of what [Exporter.WriteMetrics] writes.
const MetricsContentType = "text/plain; version=0.0.4; charset=utf-8"

// WriteMetrics collects every metric and writes all in the text format of Prometheus
// (https://prometheus.io/docs/instrumenting/exposition_formats/), under names
// as OpenTelemetry's compatibility specification makes them. They are those that
// go by OTLP, read from the same instruments, so that being asked costs nothing
// while a packet is looked at. The resource of the observed service is
// target_info. Any goroutine may call it; after Shutdown it returns an error.
func (e *Exporter) WriteMetrics(ctx context.Context, w io.Writer) error {
	x := exposition{namer: otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)}
	x.targetInfo(e.resources.traffic)
	var errs []error
	for _, r := range e.meters.readers {
		var rm metricdata.ResourceMetrics
		// A callback that fails leaves its instrument out; the rest is good.
		if err := r.Collect(ctx, &rm); err != nil && len(rm.ScopeMetrics) == 0 {
			errs = append(errs, err)
		}
		for i := range rm.ScopeMetrics {
			for j := range rm.ScopeMetrics[i].Metrics {
				x.metric(&rm.ScopeMetrics[i].Metrics[j])
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err := w.Write(x.b)
	return err
}

// exposition gathers the text.
type exposition struct {
	namer otlptranslator.MetricNamer
	b     []byte
}

func (x *exposition) metric(m *metricdata.Metrics) {
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		typ, kind := "gauge", otlptranslator.MetricType(otlptranslator.MetricTypeNonMonotonicCounter)
		if data.IsMonotonic {
			typ, kind = "counter", otlptranslator.MetricTypeMonotonicCounter
		}
		exposeNumbers(x, x.family(m, typ, kind), data.DataPoints)
	case metricdata.Gauge[int64]:
		exposeNumbers(x, x.family(m, "gauge", otlptranslator.MetricTypeGauge), data.DataPoints)
	case metricdata.Gauge[float64]:
		exposeNumbers(x, x.family(m, "gauge", otlptranslator.MetricTypeGauge), data.DataPoints)
	case metricdata.Histogram[int64]:
		exposeHistogram(x, x.family(m, "histogram", otlptranslator.MetricTypeHistogram), data.DataPoints)
	case metricdata.Histogram[float64]:
		exposeHistogram(x, x.family(m, "histogram", otlptranslator.MetricTypeHistogram), data.DataPoints)
	}
	// No instrument of the table gives anything else.
}

// family writes the lines before the samples of a metric and returns its name.
func (x *exposition) family(m *metricdata.Metrics, typ string, kind otlptranslator.MetricType) string {
	name, err := x.namer.Build(otlptranslator.Metric{Name: m.Name, Unit: m.Unit, Type: kind})
	if err != nil { // no name of the table gives one
		name = escapeName(m.Name)
	}
	x.head(name, m.Description, typ)
	return name
}

func (x *exposition) head(name, help, typ string) {
	x.b = append(x.b, "# HELP "+name+" "...)
	x.b = appendEscapedHelp(x.b, help)
	x.b = append(x.b, "\n# TYPE "+name+" "+typ+"\n"...)
}

// targetInfo writes what is known of the target, as the compatibility specification says.
func (x *exposition) targetInfo(r resource) {
	x.head("target_info", "The resource of the observed service", "gauge")
	labels := make([]attribute.KeyValue, 0, len(r))
	for _, kv := range r {
		labels = append(labels, attribute.String(kv.Key, kv.Value))
	}
	set := attribute.NewSet(labels...)
	x.sample("target_info", &set, "", "1")
}

func exposeNumbers[N int64 | float64](x *exposition, name string, points []metricdata.DataPoint[N]) {
	order(points, func(p *metricdata.DataPoint[N]) *attribute.Set { return &p.Attributes })
	for i := range points {
		x.sample(name, &points[i].Attributes, "", number(points[i].Value))
	}
}

func exposeHistogram[N int64 | float64](x *exposition, name string, points []metricdata.HistogramDataPoint[N]) {
	order(points, func(p *metricdata.HistogramDataPoint[N]) *attribute.Set { return &p.Attributes })
	for i := range points {
		p := &points[i]
		var below uint64
		for j, n := range p.BucketCounts {
			bound := math.Inf(+1)
			if j < len(p.Bounds) {
				bound = p.Bounds[j]
			}
			below += n
			x.sample(name+"_bucket", &p.Attributes, number(bound), strconv.FormatUint(below, 10))
		}
		x.sample(name+"_sum", &p.Attributes, "", number(p.Sum))
		x.sample(name+"_count", &p.Attributes, "", strconv.FormatUint(p.Count, 10))
	}
}

// sample writes one line; le is the bound of a bucket, "" for anything else.
func (x *exposition) sample(name string, set *attribute.Set, le, value string) {
	x.b = append(x.b, name...)
	sep := byte('{')
	label := func(key, value string) {
		x.b = append(append(append(x.b, sep), key...), `="`...)
		x.b = append(appendEscapedLabel(x.b, value), '"')
		sep = ','
	}
	for it := set.Iter(); it.Next(); {
		kv := it.Attribute()
		label(escapeName(string(kv.Key)), kv.Value.String())
	}
	if le != "" {
		label("le", le)
	}
	if sep == ',' {
		x.b = append(x.b, '}')
	}
	x.b = append(append(append(x.b, ' '), value...), '\n')
}

// number formats a value as the format wants it: +Inf has its sign.
func number[N int64 | float64](n N) string {
	f := float64(n)
	switch {
	case math.IsInf(f, +1):
		return "+Inf"
	case f == math.Trunc(f) && math.Abs(f) < 1<<53:
		return strconv.FormatInt(int64(n), 10)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// escapeName makes a label name, [a-zA-Z_][a-zA-Z0-9_]*, of an attribute's. The
// attributes of a metric are those of semconv's table, so none are mixed up by it.
func escapeName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

func appendEscapedHelp(b []byte, s string) []byte {
	return append(b, strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "\uFFFD"))...)
}

func appendEscapedLabel(b []byte, s string) []byte {
	return append(b, strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(strings.ToValidUTF8(s, "\uFFFD"))...)
}
