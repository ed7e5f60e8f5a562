package otel

import "go.opentelemetry.io/otel/trace"

// Trace flags (W3C Trace Context, section 3.2.2.5) and the bits that OTLP adds
// to them in a span's flags (opentelemetry/proto/trace/v1/trace.proto, SpanFlags).
const (
	flagSampled          = 0x01
	flagHasIsRemote      = 0x100
	flagIsRemote         = 0x200
	traceParentLen       = 55
	maxTraceStateLen     = 512
	traceParentVersionFF = 0xff
)

// spanContext is what a traceparent says.
type spanContext struct {
	traceID [16]byte
	spanID  [8]byte
	flags   byte
}

// parseTraceParent reads a traceparent field (W3C Trace Context, section 3.2).
// It takes any version but ff, as section 4.3 asks.
func parseTraceParent(b []byte) (sc spanContext, ok bool) {
	if len(b) < traceParentLen || b[2] != '-' || b[35] != '-' || b[52] != '-' {
		return sc, false
	}
	var version, flags [1]byte
	if !hex(version[:], b[:2]) || !hex(sc.traceID[:], b[3:35]) || !hex(sc.spanID[:], b[36:52]) || !hex(flags[:], b[53:55]) {
		return sc, false
	}
	// "Version ff is invalid." (section 3.2.2.1)
	if version[0] == traceParentVersionFF {
		return sc, false
	}
	if version[0] == 0 {
		if len(b) != traceParentLen {
			return sc, false
		}
	} else if len(b) > traceParentLen && b[traceParentLen] != '-' {
		return sc, false
	}
	// "All bytes as zero is considered an invalid value." (sections 3.2.2.3 and 3.2.2.4)
	if sc.traceID == ([16]byte{}) || sc.spanID == ([8]byte{}) {
		return sc, false
	}
	sc.flags = flags[0]
	if version[0] != 0 {
		// Only what this version defines is understood of a later one.
		sc.flags &= flagSampled
	}
	return sc, true
}

// hex decodes lower-case hexadecimal digits: "HEXDIGLC" is all the grammar allows.
func hex(dst, src []byte) bool {
	for i := range dst {
		hi, lo := hexDigit[src[2*i]], hexDigit[src[2*i+1]]
		if hi|lo > 15 {
			return false
		}
		dst[i] = hi<<4 | lo
	}
	return true
}

var hexDigit = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range "0123456789abcdef" {
		t[c] = byte(i)
	}
	return t
}()

// traceState returns b when it is a valid tracestate, else "": a parser that
// fails MUST discard the tracestate (W3C Trace Context, section 4.3).
func traceState(b []byte) string {
	if len(b) == 0 || len(b) > maxTraceStateLen {
		return ""
	}
	s := string(b)
	if _, err := trace.ParseTraceState(s); err != nil {
		return ""
	}
	return s
}
