package otel

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/otlptranslator"

	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/semconv"
)

// exposed returns what an exporter that sends nothing writes for Prometheus.
func exposed(t *testing.T, cfg Config) (text string, e *Exporter) {
	t.Helper()
	cfg.ServiceName = "shop"
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(e, time.Second) })
	e.Export(fullBatch(), []diagnosis.Finding{finding()})
	var b bytes.Buffer
	if err := e.WriteMetrics(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String(), e
}

// parseExposition reads the text format strictly: each family has its head
// once, before its samples, and no series comes twice.
func parseExposition(t *testing.T, text string) (samples map[string]float64, types map[string]string) {
	t.Helper()
	samples, types = map[string]float64{}, map[string]string{}
	family := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			family, _, _ = strings.Cut(rest, " ")
			if types[family] != "" {
				t.Errorf("the family %s comes twice", family)
			}
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, typ, _ := strings.Cut(rest, " ")
			if name != family {
				t.Errorf("the type of %s follows the help of %s", name, family)
			}
			types[name] = typ
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		series, value := line[:at], line[at+1:]
		name, _, _ := strings.Cut(series, "{")
		base := name
		if types[family] == "histogram" {
			for _, end := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, end)
			}
		}
		if base != family {
			t.Errorf("%s is among the samples of %s", series, family)
		}
		if _, twice := samples[series]; twice {
			t.Errorf("%s comes twice", series)
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		samples[series] = v
	}
	return samples, types
}

func TestPrometheus(t *testing.T) {
	text, e := exposed(t, Config{Exposed: true, Coverage: func() (float64, bool) { return 0.5, true }})
	samples, types := parseExposition(t, text)
	http := `{http_request_method="GET",http_response_status_code="200",network_protocol_version="1.1",server_port="8080",url_scheme="http"`
	for series, want := range map[string]float64{
		`wiretell_packets_total{network_interface_name="eth0",network_io_direction="receive",network_transport="tcp",network_type="ipv4"}`: 70,
		// What the wire made of a name cannot break a line.
		`wiretell_io_bytes_total{network_interface_name="lo\\xFF",network_io_direction="transmit",network_transport="icmp",network_type="ipv6"}`: 700,
		`wiretell_capture_coverage_ratio`:                                                                 0.5,
		`wiretell_tcp_connections_total{wiretell_connection_role="server"}`:                               9,
		`wiretell_capture_lag_seconds`:                                                                    0.5,
		`wiretell_ledger_expected_total{wiretell_ledger_line="frames"}`:                                   77,
		`wiretell_ledger_total{wiretell_ledger_line="frames",wiretell_reason="tcp"}`:                      70,
		`wiretell_diagnosis_active{wiretell_diagnosis_id="TLS-01",wiretell_diagnosis_severity="warning"}`: 1,
		`http_server_request_duration_seconds_bucket` + http + `,le="0.005"}`:                             1,
		`http_server_request_duration_seconds_bucket` + http + `,le="+Inf"}`:                              1,
		`http_server_request_duration_seconds_sum` + http + `}`:                                           0.005,
		`http_server_request_duration_seconds_count` + http + `}`:                                         1,
		`http_server_response_body_size_bytes_sum` + http + `}`:                                           1234,
	} {
		if got, ok := samples[series]; !ok || got != want {
			t.Errorf("%s is %v (%v), want %v", series, got, ok, want)
		}
	}
	for name, want := range map[string]string{"wiretell_packets_total": "counter", "wiretell_tcp_connections_open": "gauge", "http_server_request_duration_seconds": "histogram", "target_info": "gauge"} {
		if types[name] != want {
			t.Errorf("%s is a %q, want a %s", name, types[name], want)
		}
	}
	if !strings.Contains(text, `target_info{service_name="shop",`) {
		t.Errorf("no target_info of the shop")
	}
	if t.Failed() {
		t.Logf("%s", text)
	}
	stop(e, time.Second)
	if err := e.WriteMetrics(context.Background(), new(bytes.Buffer)); err == nil {
		t.Error("no error after the end")
	}
}

// TestPrometheusBuckets: the buckets of a histogram add up and end with the count.
func TestPrometheusBuckets(t *testing.T) {
	text, _ := exposed(t, Config{Exposed: true})
	samples, _ := parseExposition(t, text)
	last, checked := 0.0, 0
	for line := range strings.Lines(text) {
		series, _, _ := strings.Cut(line, "} ")
		if !strings.HasPrefix(series, "wiretell_dns_lookups_seconds_bucket{error_type") {
			continue
		}
		v := samples[series+"}"]
		if v < last {
			t.Errorf("%s falls", series)
		}
		last, checked = v, checked+1
	}
	if last != 1 || checked < 5 {
		t.Errorf("%d buckets end with %v", checked, last)
	}
}

// TestPrometheusNotExposed: what the spine counts is there all the same.
func TestPrometheusNotExposed(t *testing.T) {
	text, _ := exposed(t, Config{})
	if !strings.Contains(text, "wiretell_packets_total{") || strings.Contains(text, "_bucket{") {
		t.Errorf("%s", text)
	}
}

// TestPrometheusNames: no two metrics of the table have one name in Prometheus.
func TestPrometheusNames(t *testing.T) {
	namer := otlptranslator.NewMetricNamer("", otlptranslator.UnderscoreEscapingWithSuffixes)
	kinds := map[semconv.Kind]otlptranslator.MetricType{
		semconv.Counter: otlptranslator.MetricTypeMonotonicCounter, semconv.UpDownCounter: otlptranslator.MetricTypeNonMonotonicCounter,
		semconv.Gauge: otlptranslator.MetricTypeGauge, semconv.Histogram: otlptranslator.MetricTypeHistogram,
	}
	names := map[string]string{}
	for i := range semconv.Metrics {
		row := &semconv.Metrics[i]
		name, err := namer.Build(otlptranslator.Metric{Name: row.Name, Unit: row.Unit, Type: kinds[row.Kind]})
		if err != nil {
			t.Error(err)
		}
		all := []string{name}
		if row.Kind == semconv.Histogram {
			all = append(all, name+"_bucket", name+"_sum", name+"_count")
		}
		for _, n := range all {
			if other, taken := names[n]; taken {
				t.Error(fmt.Errorf("%s and %s are both %s", other, row.Name, n))
			}
			names[n] = row.Name
		}
		labels := map[string]bool{}
		for _, a := range slices.Sorted(slices.Values(row.Attributes)) {
			if l := escapeName(a); labels[l] || l == "le" {
				t.Errorf("%s: the label %s comes twice", row.Name, l)
			} else {
				labels[l] = true
			}
		}
	}
}
