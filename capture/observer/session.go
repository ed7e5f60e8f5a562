package observer

import (
	"bytes"
	"unsafe"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/http1"
	"github.com/wiretell/wiretell/capture/sniff"
	"github.com/wiretell/wiretell/capture/tls"
)

// Bounds of what a session holds back while it cannot tell the protocol. A
// request line with a method that nobody knows takes longest to tell.
const (
	maxHeld   = 16 << 10
	maxPieces = 1024
	// maxAllHeld bounds the memory of what all sessions together hold back. Beyond
	// it a connection that begins with less than can be told is not read.
	maxAllHeld = 4 << 20
)

// session is the Handler of one connection until its protocol is known, and the
// one that passes on to the protocol's own Handler afterwards.
type session struct {
	o       *Observer
	conn    *capture.Conn
	quality *capture.Quality
	port    *capture.PortStats
	handler capture.Handler // nil until the protocol is known
	opaque  opaque          // the Handler of what nobody reads
	ends    [2]end
	// searching: the beginning of a message was missed, so that every segment
	// is looked at afresh instead of the first ones together.
	searching bool
	chains    [2]tls.Chain // while searching
	// probing: what one side sent first is unknown; what probe's side sends
	// first may still tell, as an error message of a server does.
	probing  bool
	probe    capture.Side
	unknown  uint64 // where in its stream the side that spoke first began
	unknownN int    // and how many bytes it has sent
	// negotiating: a SOCKS negotiation may have begun, which both sides are
	// needed to tell.
	negotiating bool
	settings    bool // the server has begun HTTP/2, and the client has said nothing
	held        []byte
	pieces      []piece
	prelude     [2]int // bytes of a proxy's prelude still to pass over, by side
}

// end is what is known of the end of a side.
type end struct {
	ended, told bool // told: the Handler knows
	at          capture.Mark
	why         capture.Reason
}

// piece is a Data call that is held back.
type piece struct {
	at   capture.Mark
	from capture.Side
	n    int
}

// open makes the session of a connection that has its first payload.
func (o *Observer) open(c *capture.Conn, q *capture.Quality, port *capture.PortStats) capture.Handler {
	var s *session
	if n := len(o.free); n > 0 {
		s, o.free = o.free[n-1], o.free[:n-1]
	} else {
		s = &session{o: o}
	}
	s.conn, s.quality, s.port = c, q, port
	s.searching = c.Midstream
	return s
}

// Data implements capture.Handler.
func (s *session) Data(at capture.Mark, from capture.Side, b []byte) {
	s.o.running = s
	if s.prelude[from] > 0 {
		n := min(s.prelude[from], len(b))
		s.prelude[from] -= n
		s.o.book.Ledger[capture.DeliveredProxyHeader] += uint64(n)
		at.Offset += uint64(n)
		if b = b[n:]; len(b) == 0 {
			s.o.running = nil
			return
		}
	}
	switch {
	case s.handler != nil:
		if s.probing {
			s.probeFirst(at, from, b)
		} else {
			s.handler.Data(at, from, b)
		}
	case s.searching:
		s.search(at, from, b)
	default:
		s.detect(at, from, b)
	}
	s.o.running = nil
}

// Gap implements capture.Handler.
func (s *session) Gap(at capture.Mark, from capture.Side, n int, why capture.Reason) {
	if k := min(s.prelude[from], n); k > 0 {
		s.prelude[from] -= k
		at.Offset += uint64(k)
		if n -= k; n == 0 {
			return
		}
	}
	s.o.running = s
	if s.handler == nil {
		// What was held cannot be completed any more.
		s.giveUp(capture.DeliveredUndetected, capture.ReasonUndetected)
		s.searching = true
		s.o.running = nil
		return
	}
	s.stopProbing()
	s.handler.Gap(at, from, n, why)
	s.o.running = nil
}

// End implements capture.Handler.
func (s *session) End(at capture.Mark, from capture.Side, why capture.Reason) {
	s.o.running = s
	s.ends[from] = end{ended: true, at: at, why: why}
	if s.handler != nil {
		if from == s.probe {
			s.stopProbing()
		}
		s.tellEnds()
	}
	s.o.running = nil
	if !s.ends[from.Other()].ended {
		return
	}
	if s.handler == nil && s.settings { // as when a port is only probed
		s.begin(isHTTP2)
		s.replay()
	}
	s.giveUp(capture.DeliveredUndetected, capture.ReasonUndetected)
	*s = session{o: s.o}
	s.o.free = append(s.o.free, s)
}

// InFlight implements capture.Carrier.
func (s *session) InFlight(acked uint64) (number uint64, traceParent []byte) {
	if c, ok := s.handler.(capture.Carrier); ok {
		return c.InFlight(acked)
	}
	return 0, nil
}

// tellEnds tells the Handler of the sides that have ended.
func (s *session) tellEnds() {
	for from := range s.ends {
		if e := &s.ends[from]; e.ended && !e.told {
			e.told = true
			s.handler.End(e.at, capture.Side(from), e.why)
		}
	}
}

// detect looks at the first bytes of a connection.
func (s *session) detect(at capture.Mark, from capture.Side, b []byte) {
	if len(s.held) == 0 { // the usual case: all in one segment
		v, skip := s.o.protocolOf(b, from)
		switch v {
		case isSettings:
			s.settings = true
			s.hold(at, from, b)
		case needMore:
			s.hold(at, from, b)
		case isProxied:
			s.port.ProxyHeaders++
			s.prelude[from] = skip
			s.Data(at, from, b)
		case isNegotiation:
			s.negotiating = true
			s.hold(at, from, b)
		default:
			s.decide(v, from, b)
			s.tellEnds()
			s.Data(at, from, b)
		}
		return
	}
	s.hold(at, from, b)
	if s.handler != nil { // there was no room
		return
	}
	if len(s.held) > maxHeld || len(s.pieces) > maxPieces {
		s.decide(isUnknown, from, s.side(from))
		s.again()
		return
	}
	if s.negotiating {
		s.negotiate(from)
		return
	}
	switch v, skip := s.o.protocolOf(s.side(from), from); v {
	case isSettings:
		s.settings = true
	case needMore:
	case isProxied:
		s.port.ProxyHeaders++
		s.prelude[from] = skip
		s.again()
	case isNegotiation:
		s.negotiating = true
		s.negotiate(from)
	default:
		s.decide(v, from, s.side(from))
		s.again()
	}
}

// decide begins the Handler of what a side's first bytes b say.
func (s *session) decide(v verdict, from capture.Side, b []byte) {
	s.begin(v)
	s.probing, s.probe = v == isUnknown, from.Other()
	if v == isUnknown {
		s.guess(from, b)
	}
}

// guess notes what bytes that no parser reads look like, from the first of one
// side alone.
func (s *session) guess(from capture.Side, b []byte) {
	var first [2][]byte
	first[from] = b
	if g := sniff.Classify(first[capture.Client], first[capture.Server]); g.Certainty > sniff.Unknown || s.port.Looks == "" {
		s.port.Looks, s.port.LooksCertain = g.Name, g.Certainty == sniff.Certain
	}
}

// probeFirst looks at the first bytes of the second side to speak on a
// connection that the first did not tell the protocol of.
func (s *session) probeFirst(at capture.Mark, from capture.Side, b []byte) {
	if from != s.probe {
		if s.unknownN == 0 {
			s.unknown = at.Offset
		}
		s.unknownN += len(b)
		s.handler.Data(at, from, b)
		return
	}
	s.hold(at, from, b)
	if !s.probing { // there was no room
		return
	}
	switch v, _ := s.o.protocolOf(s.held, from); {
	case v == isHTTP1 || v == isTLS || v == isHTTP2:
		s.begin(v)
		if s.unknownN > 0 { // what it missed was there, but is not its protocol
			s.handler.Gap(capture.Mark{Time: at.Time, Offset: s.unknown}, from.Other(), s.unknownN, capture.ReasonUnknownProtocol)
		}
		s.ends[from.Other()].told = false
	case v == needMore && len(s.held) <= maxHeld && len(s.pieces) <= maxPieces:
		return
	default:
		s.guess(from, s.held)
	}
	s.stopProbing()
}

// stopProbing passes on what was held of the second side to speak.
func (s *session) stopProbing() {
	if s.probing {
		s.probing = false
		s.replay()
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

// hold holds a Data call back. Where there is no room for it the connection is
// not read: what is held of it goes to the Handler that only counts.
func (s *session) hold(at capture.Mark, from capture.Side, b []byte) {
	n := len(b)
	s.o.heldBack -= s.memory()
	s.held = append(s.held, b...)
	s.pieces = append(s.pieces, piece{at, from, n})
	s.o.heldBack += s.memory()
	s.o.book.Ledger[capture.DeliveredLive] += uint64(n)
	if s.o.heldBack <= maxAllHeld {
		return
	}
	s.opaque = opaque{s.o, s.port, capture.DeliveredUndetected, capture.ReasonEvicted}
	s.handler, s.probing, s.negotiating = &s.opaque, false, false
	s.replay()
}

// memory is how much s takes to hold back what it does.
func (s *session) memory() int { return cap(s.held) + cap(s.pieces)*int(unsafe.Sizeof(piece{})) }

// takeHeld returns what is held back, of which nothing is then.
func (s *session) takeHeld() (held []byte, pieces []piece) {
	held, pieces = s.held, s.pieces
	s.o.heldBack -= s.memory()
	s.held, s.pieces = nil, nil
	for _, p := range pieces {
		s.o.book.Ledger[capture.DeliveredLive] -= uint64(p.n)
	}
	return held, pieces
}

// negotiate looks whether what is held is the negotiation of a SOCKS proxy.
func (s *session) negotiate(from capture.Side) {
	switch v, client, server := sniff.Negotiation(s.side(capture.Client), s.side(capture.Server)); v {
	case sniff.More:
	case sniff.SOCKS:
		s.negotiating = false
		s.prelude = [2]int{client, server}
		s.again()
	default:
		s.negotiating = false
		s.decide(isUnknown, from, s.side(from))
		s.again()
	}
}

// again looks anew at what is held, as more is known of it.
func (s *session) again() {
	if s.handler != nil && !s.probing {
		s.replay()
		return
	}
	held, pieces := s.takeHeld()
	for _, p := range pieces {
		s.Data(p.at, p.from, held[:p.n])
		held = held[p.n:]
	}
	if s.handler != nil {
		if s.ends[s.probe].ended {
			s.stopProbing()
		}
		s.tellEnds()
	}
}

// search looks whether a segment of a connection that was joined midway, or of
// which the beginning is missing, begins a message.
func (s *session) search(at capture.Mark, from capture.Side, b []byte) {
	v, _ := s.o.protocolOf(b, from)
	if v == isHTTP1 && from == capture.Client {
		// What was missed may have been the beginning of the method.
		if method, _, _ := bytes.Cut(b, []byte(" ")); !http1.KnownMethod(method) {
			v = isUnknown
		}
	}
	switch v {
	case isHTTP1, isTLS, isHTTP2:
		s.begin(v)
		s.tellEnds()
		s.handler.Data(at, from, b)
		return
	}
	if sniff.HTTP2Frames(b) {
		s.begin(isHTTP2)
		s.tellEnds()
		s.handler.Data(at, from, b)
		return
	}
	if s.chains[from].Feed(b) {
		s.handler = s.o.tls.OpenMidway(s.conn, s.port)
		s.tellEnds()
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
		s.handler = s.o.http1.Open(s.conn, s.quality, s.port)
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
	held, pieces := s.takeHeld()
	for _, p := range pieces {
		s.handler.Data(p.at, p.from, held[:p.n])
		held = held[p.n:]
	}
	s.tellEnds()
}

// giveUp books what was held as unreadable.
func (s *session) giveUp(account capture.Entry, why capture.Reason) {
	_, pieces := s.takeHeld()
	for _, p := range pieces {
		s.o.book.Ledger[account] += uint64(p.n)
		s.port.Unparsed[why].Add(1, p.n)
	}
}

// quarantine replaces a Handler that failed by one that only counts.
func (s *session) quarantine() {
	if s.port == nil {
		return
	}
	s.giveUp(capture.DeliveredInternal, capture.ReasonInternal)
	s.opaque = opaque{s.o, s.port, capture.DeliveredInternal, capture.ReasonInternal}
	s.handler, s.probing = &s.opaque, false
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
