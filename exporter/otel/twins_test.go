package otel

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/semconv"
)

// toProxy is the application's connection to Istio's proxy.
func toProxy() capture.Conn {
	return capture.Conn{ID: 7, Role: capture.RoleBoth, Start: epoch, Client: endpointOf("10.0.0.2:41000"), Server: endpointOf("127.0.0.1:15001")}
}

// TestTwinSpans: a call that the application's mesh redirects is a CLIENT's, to
// whom its Host field names; the one inside links to it, and is not to be
// counted from spans.
func TestTwinSpans(t *testing.T) {
	for _, parent := range []string{"", parentText} {
		for _, deterministic := range []bool{false, true} {
			where, _ := serveGRPC(t, &sink{}, "127.0.0.1:0")
			cfg := overGRPC(where)
			cfg.Deterministic, cfg.Beside = deterministic, BesideNo // a parent that did not come in is an SDK's
			e := start(t, cfg)
			var b capture.Batch
			outer, inner := exchange(&b, capture.RoleBoth), exchange(&b, capture.RoleClient)
			outer.Conn, outer.Mesh, outer.TraceParent = toProxy(), capture.MeshApplication, []byte(parent)
			inner.Mesh, inner.Inner, inner.Outer = capture.MeshWire, true, outer
			o, i := build(t, e, outer), build(t, e, inner)
			if o.Kind() != ptrace.SpanKindClient || o.Links().Len() != 0 {
				t.Errorf("the outer span has kind %v and %d links", o.Kind(), o.Links().Len())
			}
			checkAttrs(t, "outer", o.Attributes(), map[string]any{
				semconv.ServerAddress: "shop.example", semconv.ServerPort: int64(8080), semconv.MeshRole: "application",
				semconv.URLFull: "http://shop.example:8080/users/42?color=blue&token=REDACTED", semconv.NetworkPeerPort: int64(15001), semconv.NetworkLocalAddress: "10.0.0.2",
			})
			checkAttrs(t, "inner", i.Attributes(), map[string]any{semconv.MeshRole: "wire", semconv.SpanMetricsSkip: true})
			if parent == "" {
				checkAttrs(t, "outer", o.Attributes(), map[string]any{semconv.SpanMetricsSkip: nil})
			}
			if i.Links().Len() != 1 {
				t.Fatalf("the inner span has %d links", i.Links().Len())
			}
			if l := i.Links().At(0); l.TraceID() != o.TraceID() || l.SpanID() != o.SpanID() || l.Flags() != flagHasIsRemote|flagSampled {
				t.Errorf("it links to %v %v, flags %#x, want %v %v", l.TraceID(), l.SpanID(), l.Flags(), o.TraceID(), o.SpanID())
			}
			if err := stop(e, 10*time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestTwinsAreCountedOnce: of two that are one the metrics of HTTP have the
// outer one, and the call to a proxy is a client's.
func TestTwinsAreCountedOnce(t *testing.T) {
	s := &sink{}
	where, _ := serveGRPC(t, s, "127.0.0.1:0")
	e := start(t, overGRPC(where))
	var b capture.Batch
	inner, outer := exchange(&b, capture.RoleBoth), exchange(&b, capture.RoleServer)
	inner.Inner, inner.ResponseEnd = true, epoch.Add(3*time.Millisecond)
	inner.Outer = outer
	unclear := exchange(&b, capture.RoleBoth)
	unclear.Inner = true
	call, called := exchange(&b, capture.RoleBoth), exchange(&b, capture.RoleClient)
	call.Conn, called.Inner, called.Outer = toProxy(), true, call
	e.Export(&b, nil)
	eventually(t, "the spans", func() bool { return health(t, e, traces).Exported == 5 })
	if err := stop(e, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{semconv.MetricHTTPServerRequestDuration, semconv.MetricHTTPServerRequestBodySize, semconv.MetricHTTPClientRequestDuration, semconv.MetricHTTPClientResponseBodySize} {
		n := uint64(0)
		m, ok := s.metric(name)
		if !ok {
			t.Fatalf("%s never came", name)
		}
		for _, c := range counts(m.item) {
			n += c
		}
		if n != 1 {
			t.Errorf("%s counts %d, want 1", name, n)
		}
	}
}
