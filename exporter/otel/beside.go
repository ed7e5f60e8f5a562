package otel

import "github.com/wiretell/wiretell/capture"

// rememberedSpans is how many span ids of inbound requests are kept.
const rememberedSpans = 4096

// besideSDK finds out whether the application is instrumented itself: an
// outbound request then carries a span id that no inbound request brought.
type besideSDK struct {
	mode    Beside
	proven  bool
	since   capture.Time
	ring    [rememberedSpans][8]byte
	next    int
	inbound map[[8]byte]struct{}
}

func newBesideSDK(mode Beside) *besideSDK {
	return &besideSDK{mode: mode, inbound: make(map[[8]byte]struct{}, rememberedSpans)}
}

func (s *besideSDK) inForce() bool { return s.mode == BesideYes || s.mode == BesideAuto && s.proven }

// see learns from a request with a valid traceparent.
func (s *besideSDK) see(ex *capture.Exchange, sc *spanContext) {
	if s.mode != BesideAuto || s.proven {
		return
	}
	switch ex.Conn.Role {
	case capture.RoleServer:
		if _, ok := s.inbound[sc.spanID]; ok {
			return
		}
		delete(s.inbound, s.ring[s.next])
		s.ring[s.next] = sc.spanID
		s.inbound[sc.spanID] = struct{}{}
		s.next = (s.next + 1) % rememberedSpans
	case capture.RoleClient:
		if _, ok := s.inbound[sc.spanID]; !ok {
			s.proven, s.since = true, ex.RequestStart
		}
	}
}
