package otel

import (
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/exporter/selector"
	"github.com/wiretell/wiretell/semconv"
)

// What is not selected becomes neither span nor record, is counted, and feeds
// the metrics as before. Findings are not asked about.
func TestSelect(t *testing.T) {
	for _, tt := range []struct {
		expr                         string
		spans, unspanned, sampledOut uint64
		events, unrecorded           uint64
	}{
		{`true`, 4, 0, 1, 4, 0},
		{`false`, 0, 5, 0, 0, 4},
		{`http.status >= 500`, 1, 3, 1, 0, 4},
		{`kind == "tcp" or kind == "icmp"`, 0, 5, 0, 3, 1},
		{`error == "closed_before_response"`, 1, 4, 0, 1, 3},
	} {
		s := &sink{}
		where, _ := serveGRPC(t, s, "127.0.0.1:0")
		cfg := overGRPC(where)
		sel, err := selector.Compile(tt.expr)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Select = sel
		e := start(t, cfg)
		var b capture.Batch
		exchange(&b, capture.RoleServer)
		exchange(&b, capture.RoleServer)
		exchange(&b, capture.RoleServer).Status = 503
		out := exchange(&b, capture.RoleServer) // sampled out where it is selected
		out.Status, out.TraceParent = 503, []byte(parentText[:len(parentText)-1]+"0")
		cut := exchange(&b, capture.RoleServer)
		cut.Status, cut.Error, cut.ResponseStart, cut.ResponseEnd = 0, capture.ReasonClosedBeforeResponse, 0, 0
		b.Observations = append(b.Observations,
			&capture.ConnFailed{Conn: conn(2, capture.RoleClient), At: epoch, Why: capture.ReasonRefused, Attempts: 1},
			&capture.ConnReset{Conn: conn(3, capture.RoleServer), At: epoch},
			&capture.ICMPError{At: epoch, From: endpointOf("10.0.0.3:0"), Header: capture.ICMPHeader{Type: 3, Code: 1}})
		e.Export(&b, []diagnosis.Finding{finding()})
		if err := stop(e, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		h := health(t, e, traces)
		if h.Created != tt.spans || h.Exported != tt.spans || h.NotSelected != tt.unspanned || h.SampledOut != tt.sampledOut || uint64(len(s.spans)) != tt.spans {
			t.Errorf("%s: traces %+v, %d arrived", tt.expr, h, len(s.spans))
		}
		if h.Created+h.SampledOut+h.NotSelected != 5 {
			t.Errorf("%s: 5 exchanges are not %d created + %d sampled out + %d not selected", tt.expr, h.Created, h.SampledOut, h.NotSelected)
		}
		h = health(t, e, logs)
		if h.Created != tt.events+1 || h.Exported != h.Created || h.NotSelected != tt.unrecorded || uint64(len(s.logs)) != tt.events+1 {
			t.Errorf("%s: logs %+v, %d arrived", tt.expr, h, len(s.logs))
		}
		m, ok := s.metric(semconv.MetricHTTPServerRequestDuration)
		var n uint64
		if ok {
			for _, p := range m.item.Histogram().DataPoints().All() {
				n += p.Count()
			}
		}
		if n != 5 {
			t.Errorf("%s: the metrics count %d of 5 exchanges", tt.expr, n)
		}
		m, ok = s.metric(semconv.MetricExportRecords)
		if !ok {
			t.Fatal("no metric of records")
		}
		var unselected float64
		for _, p := range m.item.Sum().DataPoints().All() {
			if v, _ := p.Attributes().Get(semconv.ExportOutcome); v.Str() == outcomeUnselected {
				unselected += float64(p.IntValue())
			}
		}
		if unselected != float64(tt.unspanned+tt.unrecorded) {
			t.Errorf("%s: the metric counts %v not selected, want %d", tt.expr, unselected, tt.unspanned+tt.unrecorded)
		}
	}
}
