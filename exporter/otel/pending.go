package otel

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/wiretell/wiretell/semconv"
)

// pendingSpans gathers spans until there are enough for a batch.
type pendingSpans struct {
	traces ptrace.Traces
	spans  ptrace.SpanSlice
	bytes  int
}

func (p *pendingSpans) reset(r *resources, size int) {
	p.traces = ptrace.NewTraces()
	rs := p.traces.ResourceSpans().AppendEmpty()
	r.traffic.put(rs.Resource().Attributes())
	rs.SetSchemaUrl(semconv.SchemaURL)
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName(semconv.Scope)
	ss.Scope().SetVersion(r.version)
	ss.SetSchemaUrl(semconv.SchemaURL)
	p.spans = ss.Spans()
	p.spans.EnsureCapacity(min(size, 512))
	p.bytes = 0
}

// pendingLogs gathers log records of one resource.
type pendingLogs struct {
	logs    plog.Logs
	records plog.LogRecordSlice
	bytes   int
}

func (p *pendingLogs) reset(res resource, version string) {
	p.logs = plog.NewLogs()
	rl := p.logs.ResourceLogs().AppendEmpty()
	res.put(rl.Resource().Attributes())
	rl.SetSchemaUrl(semconv.SchemaURL)
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName(semconv.Scope)
	sl.Scope().SetVersion(version)
	sl.SetSchemaUrl(semconv.SchemaURL)
	p.records = sl.LogRecords()
	p.bytes = 0
}
