package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/semconv"
)

// printTelemetry prints a file of OTLP JSON lines for a person.
func printTelemetry(w io.Writer, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var spans, logs []string
	points := make(map[string]string) // cumulative: the last of each series says all
	for line := range bytes.Lines(text) {
		var kind map[string]json.RawMessage
		if err := json.Unmarshal(line, &kind); err != nil {
			return err
		}
		switch {
		case kind["resourceSpans"] != nil:
			td, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(line)
			if err != nil {
				return err
			}
			spans = append(spans, spanLines(td)...)
		case kind["resourceMetrics"] != nil:
			md, err := new(pmetric.JSONUnmarshaler).UnmarshalMetrics(line)
			if err != nil {
				return err
			}
			metricPoints(md, points)
		case kind["resourceLogs"] != nil:
			ld, err := new(plog.JSONUnmarshaler).UnmarshalLogs(line)
			if err != nil {
				return err
			}
			logs = append(logs, logLines(ld)...)
		}
	}
	var metrics []string
	for series, value := range points {
		metrics = append(metrics, series+" "+value)
	}
	slices.Sort(metrics)
	for _, part := range []struct {
		title string
		lines []string
	}{{"SPANS: one for each HTTP exchange", spans}, {"METRICS", metrics}, {"EVENTS AND DIAGNOSIS: log records", logs}} {
		fmt.Fprintf(w, "\n%s\n", part.title)
		for _, l := range part.lines {
			fmt.Fprintf(w, "  %s\n", l)
		}
	}
	return nil
}

func spanLines(td ptrace.Traces) []string {
	var out []string
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				parent := "root"
				if !s.ParentSpanID().IsEmpty() {
					parent = "child of " + s.ParentSpanID().String()
				}
				out = append(out, fmt.Sprintf("%-6s %s  %.2f ms  trace %s, %s", s.Name(), s.Kind(),
					float64(s.EndTimestamp()-s.StartTimestamp())/1e6, s.TraceID(), parent),
					"       "+attributes(s.Attributes(), func(k string) bool {
						return strings.HasPrefix(k, "url.") || strings.HasPrefix(k, "http.response.status") || k == "error.type" || k == "server.port"
					}))
			}
		}
	}
	return out
}

// metricPoints sets what each series of md came to, by its name and attributes.
func metricPoints(md pmetric.Metrics, points map[string]string) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				// The ledger has a part of its own.
				if !strings.HasPrefix(m.Name(), semconv.MetricLedger) && !strings.HasPrefix(m.Name(), "otel.") {
					seriesOf(m, points)
				}
			}
		}
	}
}

func seriesOf(m pmetric.Metric, points map[string]string) {
	set := func(a pcommon.Map, value string) {
		points[fmt.Sprintf("%s{%s}", m.Name(), attributes(a, nil))] = value
	}
	number := func(p pmetric.NumberDataPoint) {
		v := p.DoubleValue()
		if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
			v = float64(p.IntValue())
		}
		if v != 0 {
			set(p.Attributes(), fmt.Sprintf("%g", v))
		}
	}
	switch m.Type() {
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			number(p)
		}
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			number(p)
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			set(p.Attributes(), fmt.Sprintf("count=%d sum=%.6g", p.Count(), p.Sum()))
		}
	}
}

func logLines(ld plog.Logs) []string {
	var out []string
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, l := range sl.LogRecords().All() {
				out = append(out, fmt.Sprintf("%s  %s", l.EventName(), l.Body().AsString()))
				for _, key := range []string{semconv.DiagnosisID, semconv.RemediationSummary, semconv.RemediationCommand, semconv.RemediationManifest} {
					if v, ok := l.Attributes().Get(key); ok {
						for line := range strings.Lines(v.AsString()) {
							out = append(out, fmt.Sprintf("    %s: %s", key, strings.TrimRight(line, "\n")))
						}
					}
				}
			}
		}
	}
	return out
}

// attributes formats the attributes that keep selects; nil selects all.
func attributes(m pcommon.Map, keep func(string) bool) string {
	var out []string
	for k, v := range m.All() {
		if keep == nil || keep(k) {
			out = append(out, k+"="+v.AsString())
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// printLedger prints every line of the ledger with its accounts that are not 0.
func printLedger(w io.Writer, s *capture.Snapshot) {
	fmt.Fprintf(w, "\nLEDGER: what became of every frame, segment, byte, connection and message\n")
	for _, line := range capture.Lines {
		left, right := s.Ledger.Sum(line.Left), s.Ledger.Sum(line.Right)
		sign := "="
		if left != right {
			sign = "DOES NOT EQUAL"
		}
		var parts []string
		for _, e := range line.Right {
			if s.Ledger[e] != 0 {
				parts = append(parts, fmt.Sprintf("%d %s", s.Ledger[e], e))
			}
		}
		if len(parts) == 0 {
			parts = []string{"0"}
		}
		fmt.Fprintf(w, "  %-12s %d %s %s\n", line.Name, left, sign, strings.Join(parts, " + "))
	}
	for _, r := range s.Source.Rings {
		fmt.Fprintf(w, "  ring %-7s %d frames counted by the kernel, %d dropped\n", r.Name, r.Packets, r.Drops)
	}
	if len(s.Ledger.Check()) == 0 {
		fmt.Fprintln(w, "  the ledger balances")
	}
}
