package otel

import (
	"bytes"
	"testing"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/wiretell/wiretell/capture"
)

// The encoder writes what the code generated from the protocol writes of the
// same spans, byte for byte. (pdata writes fields in the reverse order.)
func TestEncodingEqualsGenerated(t *testing.T) {
	e := start(t, Config{ServiceName: "shop", Resource: []KeyValue{{"k8s.pod.name", "shop-1"}, {"empty", ""}}, Routes: []string{"/users/{id}"}})
	var batch capture.Batch
	plain := exchange(&batch, capture.RoleServer)
	child := exchange(&batch, capture.RoleClient)
	child.TraceParent, child.TraceState = []byte(parentText), []byte("a=1,b=2")
	child.Status = 404
	failed := exchange(&batch, capture.RoleBoth)
	failed.Status, failed.Error = 0, capture.ReasonReset
	failed.ResponseStart, failed.ResponseEnd, failed.ResponseBody = 0, 0, -1
	failed.Incomplete, failed.LostBytes = capture.ReasonGap, 1<<40
	headers := exchange(&batch, capture.RoleServer)
	headers.RequestHeaders = []capture.Header{{Name: []byte("X-A"), Value: []byte("1")}, {Name: []byte("x-a"), Value: []byte("")}, {Name: []byte("X-B"), Value: bytes.Repeat([]byte("y"), 500)}}
	headers.Interim = 3
	old := exchange(&batch, capture.RoleServer)
	old.RequestStart, old.RequestEnd, old.ResponseStart, old.ResponseEnd = 1, 1, 1, capture.TimeOf(time.Unix(0, 1))

	var p pendingSpans
	for _, ex := range []*capture.Exchange{plain, child, failed, headers, old} {
		var f facts
		e.spans.examine(&f, ex)
		p.add(e.spans, &f)
	}
	ours, n := p.take(newSpanFrame(e.resources))
	if n != 5 {
		t.Fatalf("%d spans", n)
	}
	var req coltrace.ExportTraceServiceRequest
	if err := proto.Unmarshal(ours, &req); err != nil {
		t.Fatal(err)
	}
	if spans := req.ResourceSpans[0].ScopeSpans[0].Spans; len(spans) != 5 || len(spans[0].Attributes) < 20 {
		t.Fatalf("%d spans were read", len(spans))
	}
	theirs, err := proto.MarshalOptions{Deterministic: true}.Marshal(&req)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ours, theirs) {
		t.Errorf("encodings differ: %d bytes, generated code %d\n%x\n%x", len(ours), len(theirs), ours, theirs)
	}
	// Nothing was skipped as unknown.
	if u := req.ProtoReflect().GetUnknown(); len(u) > 0 {
		t.Errorf("unknown fields %x", u)
	}
}
