package otel

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/semconv"
)

// roundTrip exports b over gRPC and over HTTP and returns what arrived.
func roundTrip(t *testing.T, change func(*Config), fill func(*capture.Batch)) map[string]*sink {
	t.Helper()
	sinks := map[string]*sink{ProtocolGRPC: {}, ProtocolHTTP: {}}
	where, _ := serveGRPC(t, sinks[ProtocolGRPC], "127.0.0.1:0")
	for _, cfg := range []Config{overGRPC(where), overHTTP(serveHTTP(t, sinks[ProtocolHTTP]).URL)} {
		if change != nil {
			change(&cfg)
		}
		e := start(t, cfg)
		var b capture.Batch
		fill(&b)
		e.Export(&b, nil)
		b.Reset()
		if err := stop(e, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	return sinks
}

func TestSpanArrives(t *testing.T) {
	sinks := roundTrip(t, nil, func(b *capture.Batch) {
		exchange(b, capture.RoleServer).TraceParent = b.Text([]byte(parentText))
	})
	for protocol, s := range sinks {
		if len(s.spans) != 1 {
			t.Fatalf("%s: %d spans", protocol, len(s.spans))
		}
		g := s.spans[0]
		if g.item.Name() != "GET" || g.item.Kind() != ptrace.SpanKindServer {
			t.Errorf("%s: span %q of kind %s", protocol, g.item.Name(), g.item.Kind())
		}
		if got := g.item.TraceID().String(); got != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("%s: trace id %s", protocol, got)
		}
		if got, _ := g.resource.Get(semconv.ServiceName); got.Str() != "shop" {
			t.Errorf("%s: service %q", protocol, got.Str())
		}
	}
}
