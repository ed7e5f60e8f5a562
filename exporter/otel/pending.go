package otel

import (
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/wiretell/wiretell/semconv"
)

// pendingSpans gathers encoded spans until there are enough for a batch.
type pendingSpans struct {
	encoded []byte // fields of ScopeSpans
	n       int
}

func (p *pendingSpans) add(b *spanBuilder, f *facts) {
	p.encoded = b.build(p.encoded, f)
	p.n++
}

// take returns what was gathered as one batch, and begins the next.
func (p *pendingSpans) take(frame *spanFrame) (spanBatch, int) {
	b, n := spanBatch(frame.around(p.encoded)), p.n
	p.encoded, p.n = p.encoded[:0], 0
	return b, n
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
