package otel

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture"
)

// cpuTime is what the process used so far, user and system, in nanoseconds:
// unlike the clock, it is not stretched by what else the machine does.
func cpuTime(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkSpan is what an exchange costs the desk as a span: facts, redaction,
// encoding and its share of the batch.
func BenchmarkSpan(b *testing.B) {
	for _, c := range []struct {
		name string
		role capture.Role
	}{{"server", capture.RoleServer}, {"client", capture.RoleClient}} {
		b.Run(c.name, func(b *testing.B) {
			e := start(b, Config{})
			var batch capture.Batch
			ex := exchange(&batch, c.role)
			ex.TraceParent = batch.Text([]byte(parentText))
			frame := newSpanFrame(e.resources)
			var p pendingSpans
			var f facts
			size := 0
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				e.spans.examine(&f, ex)
				p.add(e.spans, &f)
				if p.n == 512 {
					data, _ := p.take(frame)
					size = len(data)
				}
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(size)/512, "B/span")
		})
	}
}

// BenchmarkExchangeMetrics is what the histograms cost beside it.
func BenchmarkExchangeMetrics(b *testing.B) {
	e := start(b, Config{})
	e.meters.recording = true
	var batch capture.Batch
	ex := exchange(&batch, capture.RoleServer)
	var f facts
	e.spans.examine(&f, ex)
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		e.meters.exchange(&f)
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// A span in steady state allocates its URL's strings and nothing else.
func TestSpanAllocations(t *testing.T) {
	e := start(t, Config{})
	var batch capture.Batch
	ex := exchange(&batch, capture.RoleServer)
	ex.TraceParent = batch.Text([]byte(parentText))
	var p pendingSpans
	var f facts
	p.encoded = make([]byte, 0, 4<<20)
	allocs := testing.AllocsPerRun(1000, func() {
		e.spans.examine(&f, ex)
		p.add(e.spans, &f)
		e.meters.exchange(&f)
	})
	if allocs > 2 {
		t.Errorf("%.1f allocations per span, want at most 2", allocs)
	}
}
