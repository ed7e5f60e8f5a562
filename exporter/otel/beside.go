package otel

import (
	"sync/atomic"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
)

// rememberedSpans is how many span ids of inbound requests are kept.
const rememberedSpans = 4096

// besideSDK finds out whether the application is instrumented itself: an
// outbound request then carries a span id that no inbound request brought, neither
// one that is over nor one that waits for the outbound one to be answered. A
// mesh's proxy that traces gives requests span ids, too: of what is seen on both
// of its sides only the application's counts.
type besideSDK struct {
	mode    Beside
	proven  atomic.Bool
	ring    [rememberedSpans][8]byte
	next    int
	inbound map[[8]byte]struct{}
}

func newBesideSDK(mode Beside) *besideSDK {
	return &besideSDK{mode: mode, inbound: make(map[[8]byte]struct{}, rememberedSpans)}
}

func (s *besideSDK) inForce() bool {
	return s.mode == BesideYes || s.mode == BesideAuto && s.proven.Load()
}

// word returns what [diagnosis.ExportHealth] says of it; any goroutine may call it.
func (s *besideSDK) word() string {
	switch {
	case s.mode == BesideNo:
		return diagnosis.BesideSDKNo
	case s.mode == BesideYes:
		return diagnosis.BesideSDKYes
	case s.proven.Load():
		return diagnosis.BesideSDKProved
	}
	return diagnosis.BesideSDKAuto
}

// see learns from a request with a valid traceparent.
func (s *besideSDK) see(ex *capture.Exchange, sc *spanContext) {
	if s.mode != BesideAuto || s.proven.Load() {
		return
	}
	switch calling := ex.Conn.Calling(); {
	case calling && ex.Mesh == capture.MeshWire: // the proxy's, which may trace by itself
	case ex.Conn.Role == capture.RoleServer, ex.Mesh == capture.MeshApplication && !calling:
		if _, ok := s.inbound[sc.spanID]; ok {
			return
		}
		delete(s.inbound, s.ring[s.next])
		s.ring[s.next] = sc.spanID
		s.inbound[sc.spanID] = struct{}{}
		s.next = (s.next + 1) % rememberedSpans
	case calling:
		if _, ok := s.inbound[sc.spanID]; !ok && !ex.PassedOn {
			s.proven.Store(true)
		}
	}
}
