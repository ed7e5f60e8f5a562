package observer

import (
	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/tls"
)

// Bounds of what a session holds back while it cannot tell the protocol. A
// request line with a method that nobody knows takes longest to tell.
const (
	maxHeld   = 16 << 10
	maxPieces = 1024
	keepHeld  = 1 << 10 // memory kept when a session is used again
)

// session is the Handler of one connection until its protocol is known, and the
// one that passes on to the protocol's own Handler afterwards.
type session struct {
	o       *Observer
	conn    *capture.Conn
	port    *capture.PortStats
	handler capture.Handler // nil until the protocol is known
	opaque  opaque          // the Handler of what nobody reads
	ended   uint8           // sides that ended
	// searching: the beginning of a message was missed, so that every segment
	// is looked at afresh instead of the first ones together.
	searching bool
	chains    [2]tls.Chain // while searching
	// probing: what one side sent first is unknown; what probe's side sends
	// first may still tell, as an error message of a server does.
	probing bool
	probe   capture.Side
	held    []byte
	pieces  []piece
	proxied int // bytes of PROXY protocol header still to pass over
}

// piece is a Data call that is held back.
type piece struct {
	at   capture.Mark
	from capture.Side
	n    int
}

// open makes the session of a connection that has its first payload.
func (o *Observer) open(c *capture.Conn, port *capture.PortStats) capture.Handler {
	var s *session
	if n := len(o.free); n > 0 {
		s, o.free = o.free[n-1], o.free[:n-1]
	} else {
		s = &session{o: o}
	}
	s.conn, s.port = c, port
	s.searching = c.Midstream
	return s
}

// Data implements capture.Handler.
func (s *session) Data(at capture.Mark, from capture.Side, b []byte) {
	s.o.running = s
	switch {
	case s.handler != nil:
		if s.probing && from == s.probe {
			s.probeFirst(b)
		}
		s.handler.Data(at, from, b)
	case s.searching:
		s.search(at, from, b)
	default:
		s.detect(at, from, b)
	}
	s.o.running = nil
}

// Gap implements capture.Handler.
func (s *session) Gap(at capture.Mark, from capture.Side, n int, why capture.Reason) {
	s.o.running = s
	if s.handler == nil {
		// What was held cannot be completed any more.
		s.giveUp(capture.DeliveredUndetected, capture.ReasonUndetected)
		s.searching = true
		return
	}
	s.handler.Gap(at, from, n, why)
	s.o.running = nil
}

// End implements capture.Handler.
func (s *session) End(at capture.Mark, from capture.Side, why capture.Reason) {
	s.o.running = s
	if s.handler != nil {
		s.handler.End(at, from, why)
	}
	s.o.running = nil
	if s.ended++; s.ended < 2 {
		return
	}
	s.giveUp(capture.DeliveredUndetected, capture.ReasonUndetected)
	held, pieces := s.held[:0], s.pieces[:0]
	if cap(held) > keepHeld {
		held, pieces = nil, nil
	}
	*s = session{o: s.o, held: held, pieces: pieces}
	s.o.free = append(s.o.free, s)
}

// detect looks at the first bytes of a connection.
func (s *session) detect(at capture.Mark, from capture.Side, b []byte) {
	if s.proxied > 0 { // within a PROXY protocol header
		n := min(s.proxied, len(b))
		s.proxied -= n
		s.o.book.Ledger[capture.DeliveredProxyHeader] += uint64(n)
		at.Offset += uint64(n)
		if b = b[n:]; len(b) == 0 {
			return
		}
	}
	if len(s.held) == 0 { // the usual case: all in one segment
		v, skip := s.o.protocolOf(b, from)
		switch v {
		case needMore:
			s.hold(at, from, b)
		case isProxied:
			s.proxied = skip
			s.detect(at, from, b)
		default:
			s.decide(v, from)
			s.handler.Data(at, from, b)
		}
		return
	}
	s.hold(at, from, b)
	if len(s.held) > maxHeld || len(s.pieces) > maxPieces {
		s.decide(isUnknown, from)
		s.replay()
		return
	}
	switch v, skip := s.o.protocolOf(s.side(from), from); v {
	case needMore:
	case isProxied:
		s.skipHeld(skip)
	default:
		s.decide(v, from)
		s.replay()
	}
}

// decide begins the Handler of what a side's first bytes say.
func (s *session) decide(v verdict, from capture.Side) {
	s.begin(v)
	s.probing, s.probe = v == isUnknown, from.Other()
}

// probeFirst looks at the first bytes of the second side to speak on a
// connection that the first did not tell the protocol of.
func (s *session) probeFirst(b []byte) {
	s.probing = false
	if v, _ := s.o.protocolOf(b, s.probe); v == isHTTP1 || v == isTLS {
		s.begin(v)
	}
}

// side returns all that is held of one side.
func (s *session) side(from capture.Side) []byte {
	off, only := 0, true
	for _, p := range s.pieces {
		only = only && p.from == from
	}
	if only {
		return s.held
	}
	var b []byte
	for _, p := range s.pieces {
		if p.from == from {
			b = append(b, s.held[off:off+p.n]...)
		}
		off += p.n
	}
	return b
}

func (s *session) hold(at capture.Mark, from capture.Side, b []byte) {
	n := len(b)
	s.held = append(s.held, b...)
	s.pieces = append(s.pieces, piece{at, from, n})
	s.o.book.Ledger[capture.DeliveredLive] += uint64(n)
}

// skipHeld passes over the n bytes of a PROXY protocol header, with which what
// is held begins, and looks at the rest anew.
func (s *session) skipHeld(n int) {
	held, pieces := s.held, s.pieces
	s.held, s.pieces = nil, nil
	s.proxied = n
	for _, p := range pieces {
		s.o.book.Ledger[capture.DeliveredLive] -= uint64(p.n)
		s.Data(p.at, p.from, held[:p.n])
		held = held[p.n:]
	}
}

// search looks whether a segment of a connection that was joined midway, or of
// which the beginning is missing, begins a message.
func (s *session) search(at capture.Mark, from capture.Side, b []byte) {
	switch v, _ := s.o.protocolOf(b, from); v {
	case isHTTP1, isTLS, isHTTP2:
		s.begin(v)
		s.handler.Data(at, from, b)
		return
	}
	if s.chains[from].Feed(b) {
		s.handler = s.o.tls.OpenMidway(s.conn, s.port)
		s.handler.Data(at, from, b)
		return
	}
	s.o.book.Ledger[capture.DeliveredUnknown] += uint64(len(b))
	s.port.Unparsed[capture.ReasonJoinedMidstream].Add(1, len(b))
}

// begin chooses the Handler.
func (s *session) begin(v verdict) {
	switch v {
	case isHTTP1:
		s.handler = s.o.http1.Open(s.conn, s.port)
	case isTLS:
		s.handler = s.o.tls.Open(s.conn, s.port)
	case isHTTP2:
		s.opaque = opaque{s.o, s.port, capture.DeliveredHTTP2, capture.ReasonHTTP2}
		s.handler = &s.opaque
	default:
		s.opaque = opaque{s.o, s.port, capture.DeliveredUnknown, capture.ReasonUnknownProtocol}
		s.handler = &s.opaque
	}
}

// replay passes what was held on to the Handler.
func (s *session) replay() {
	off := 0
	for _, p := range s.pieces {
		s.o.book.Ledger[capture.DeliveredLive] -= uint64(p.n)
		s.handler.Data(p.at, p.from, s.held[off:off+p.n])
		off += p.n
	}
	s.held, s.pieces = s.held[:0], s.pieces[:0]
}

// giveUp books what was held as unreadable.
func (s *session) giveUp(account capture.Entry, why capture.Reason) {
	l := &s.o.book.Ledger
	for _, p := range s.pieces {
		l[capture.DeliveredLive] -= uint64(p.n)
		l[account] += uint64(p.n)
		s.port.Unparsed[why].Add(1, p.n)
	}
	s.held, s.pieces = s.held[:0], s.pieces[:0]
}

// quarantine replaces a Handler that failed by one that only counts.
func (s *session) quarantine() {
	if s.port == nil {
		return
	}
	s.giveUp(capture.DeliveredInternal, capture.ReasonInternal)
	s.opaque = opaque{s.o, s.port, capture.DeliveredInternal, capture.ReasonInternal}
	s.handler = &s.opaque
}

// opaque counts the bytes of a connection that nobody reads.
type opaque struct {
	o       *Observer
	port    *capture.PortStats
	account capture.Entry
	why     capture.Reason
}

func (q *opaque) Data(_ capture.Mark, _ capture.Side, b []byte) {
	q.o.book.Ledger[q.account] += uint64(len(b))
	q.port.Unparsed[q.why].Add(1, len(b))
}

func (q *opaque) Gap(capture.Mark, capture.Side, int, capture.Reason) {}
func (q *opaque) End(capture.Mark, capture.Side, capture.Reason)      {}
