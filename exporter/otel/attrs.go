package otel

import "go.opentelemetry.io/collector/pdata/pcommon"

// attrs puts attributes and keeps an estimate of their encoded size.
type attrs struct {
	pcommon.Map
	bytes int
}

func (a *attrs) str(k, v string) {
	if v != "" {
		a.PutStr(k, v)
		a.bytes += len(k) + len(v) + 10
	}
}

func (a *attrs) int(k string, v int64) {
	a.PutInt(k, v)
	a.bytes += len(k) + 12
}

func (a *attrs) bool(k string, v bool) {
	a.PutBool(k, v)
	a.bytes += len(k) + 4
}

func (a *attrs) double(k string, v float64) {
	a.PutDouble(k, v)
	a.bytes += len(k) + 16
}

func (a *attrs) strs(k string, vs []string) {
	if len(vs) == 0 {
		return
	}
	s := a.PutEmptySlice(k)
	s.EnsureCapacity(len(vs))
	for _, v := range vs {
		s.AppendEmpty().SetStr(safe(v, false))
		a.bytes += len(v) + 8
	}
	a.bytes += len(k) + 10
}
