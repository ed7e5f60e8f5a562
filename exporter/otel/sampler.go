package otel

import "encoding/binary"

// sampler decides before a span is built whether it is exported
// (https://opentelemetry.io/docs/specs/otel/trace/sdk/#built-in-samplers).
type sampler struct {
	parentBased bool
	root        rule
	bound       uint64 // traceidratio: sampled when the id's 63 bits are below
}

type rule uint8

const (
	always rule = iota
	never
	byRatio
)

var samplers = map[string]sampler{
	"always_on":                {root: always},
	"always_off":               {root: never},
	"traceidratio":             {root: byRatio},
	"parentbased_always_on":    {root: always, parentBased: true},
	"parentbased_always_off":   {root: never, parentBased: true},
	"parentbased_traceidratio": {root: byRatio, parentBased: true},
}

func isSampler(name string) bool { _, ok := samplers[name]; return ok }

func newSampler(c SamplerConfig) (sampler, bool) {
	s, ok := samplers[c.Name]
	if s.root == byRatio && c.Ratio >= 1 {
		s.root = always
	}
	s.bound = uint64(c.Ratio * (1 << 63))
	return s, ok
}

// sample decides for a span of the given trace; parent is the span context on
// the wire, or nil.
func (s *sampler) sample(traceID [16]byte, parent *spanContext) bool {
	if parent != nil && s.parentBased {
		return parent.flags&flagSampled != 0
	}
	switch s.root {
	case always:
		return true
	case never:
		return false
	}
	// The same bits as the OpenTelemetry SDKs for Go and Java take, so that all
	// parts of a trace agree.
	return binary.BigEndian.Uint64(traceID[8:])>>1 < s.bound
}
