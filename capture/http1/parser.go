package http1

import (
	"bytes"
	"math"
	"unsafe"

	"github.com/wiretell/wiretell/capture"
)

// Parser follows both sides of one connection. It implements
// [capture.Handler]. Make one with [Pool.Open].
type Parser struct {
	pool *Pool
	conn *capture.Conn
	// quality is nil when nobody measures it; later says that it is not the first
	// exchange's any more.
	quality *capture.Quality
	later   bool
	port    *capture.PortStats

	sides [2]stream
	pairing
}

// ParserBytes is what a Parser takes with a message in progress, beside what the
// Pool bounds.
const ParserBytes = int(unsafe.Sizeof(Parser{}) + unsafe.Sizeof(message{}))

// state is what the next byte of a side is.
type state uint8

const (
	stateStart     state = iota // the first of a message, or an empty line before it
	stateHead                   // in a start line or a field line
	stateLength                 // in a body whose length is known
	stateClose                  // in a body that the end of the stream ends
	stateChunkSize              // in a chunk-size
	stateChunkExt               // behind a chunk-size, up to the line end
	stateChunkData              // in chunk-data
	stateChunkEnd               // in the line end after chunk-data
	stateTrailer                // in the trailer section
	stateDesync                 // nobody knows: look for a message at the start of a segment
	stateUpgraded               // another protocol, by 101 or CONNECT
	stateSwitched               // another protocol, without a word
)

// stream is one side's bytes.
type stream struct {
	state     state
	why       capture.Reason // of stateDesync and stateSwitched; or why the side ended
	unread    capture.Reason // why what came before the end was not read, if so
	soft      bool           // stateDesync follows the message at hand, as its framing is in doubt
	tentative bool           // the next message is only believed with its first field line
	joining   bool           // no message was found since the connection was joined midway
	any       bool           // a message was found
	heard     bool           // Data was called
	ended     bool
	next      uint64 // offset behind the last byte handed over
	lostTo    uint64 // offset behind the last byte that is missing or was not read as a message
	acked     uint64 // Mark.Acked of the last segment
	between   bool   // in stateDesync: the hole begins between messages
	gate      uint64 // in stateDesync: see pairing
	msg       *message
}

// segment is what one call of Data works on.
type segment struct {
	at     capture.Mark
	from   capture.Side
	b      []byte
	i      int  // how much of b has been dealt with
	parsed bool // some of it belongs to a message
	unread int  // how much of it does not
	why    capture.Reason
}

func (g *segment) rest() []byte   { return g.b[g.i:] }
func (g *segment) offset() uint64 { return g.at.Offset + uint64(g.i) }

// Data implements [capture.Handler].
func (p *Parser) Data(at capture.Mark, from capture.Side, b []byte) {
	s := &p.sides[from&1] // &1 so that the compiler knows it
	p.pool.now = at.Time
	// Filled in place: a literal would be made elsewhere and copied.
	var g segment
	g.at.Time, g.at.Offset, g.at.Acked = at.Time, at.Offset, at.Acked
	g.from, g.b = from, b
	for g.i < len(b) {
		switch s.state {
		case stateStart:
			p.start(s, &g)
		case stateHead:
			p.readHead(s, &g)
		case stateLength, stateChunkData, stateClose:
			p.skipBody(s, &g)
		case stateChunkSize, stateChunkExt, stateChunkEnd:
			p.readChunk(s, &g)
		case stateTrailer:
			p.readTrailer(s, &g)
		case stateDesync:
			p.resync(s, &g)
		case stateUpgraded:
			p.upgraded(s, &g)
		case stateSwitched:
			p.unread(&g, capture.DeliveredUnknown, s.why)
		}
	}
	s.next, s.acked, s.heard = at.Offset+uint64(len(b)), at.Acked, true
	p.afterClient(s, from)
	if g.unread > 0 {
		packets := 1
		if g.parsed {
			packets = 0
		}
		p.port.Unparsed[g.why].Add(packets, g.unread)
	}
	if p.pool.text > p.pool.cfg.MaxText { // fields add to exchanges that are there
		p.pool.relieve()
	}
}

// took accounts for n bytes that belong to a message.
func (p *Parser) took(g *segment, n int, e capture.Entry) {
	p.pool.book.Ledger[e] += uint64(n)
	g.i += n
	g.parsed = true
}

// unread accounts for the rest of the segment, which belongs to none.
func (p *Parser) unread(g *segment, e capture.Entry, why capture.Reason) {
	n := len(g.b) - g.i
	p.pool.book.Ledger[e] += uint64(n)
	g.i = len(g.b)
	g.unread += n
	g.why = why
}

// start begins a message.
func (p *Parser) start(s *stream, g *segment) {
	b := g.rest()
	n := 0
	for n < len(b) && (b[n] == '\r' || b[n] == '\n') {
		n++
	}
	if n > 0 {
		p.took(g, n, capture.DeliveredHTTP1Head)
		return
	}
	if why := p.refuseStart(s, g.from, b); why != capture.ReasonNone {
		p.refuse(s, g, why)
		return
	}
	m := p.pool.message()
	m.at.Time, m.at.Offset, m.at.Acked = g.at.Time, g.offset(), g.at.Acked
	m.tentative, s.tentative = s.tentative, false
	s.msg, s.state = m, stateHead
	p.readHead(s, g)
}

// tlsRecords is the first of the four content types of TLS records (RFC 8446,
// section 5.1), which no server begins HTTP with.
const tlsRecords = 20

// refuseStart looks at the first bytes of a message, so that a stream without
// line ends is not gathered in vain.
func (p *Parser) refuseStart(s *stream, from capture.Side, b []byte) capture.Reason {
	if from == capture.Server && !s.any && len(b) > 1 && b[0] >= tlsRecords && b[0] < tlsRecords+4 && b[1] == 3 {
		return capture.ReasonTLS // an alert, or a hello
	}
	if !tokenTable[b[0]] {
		if s.any && (b[0] < ' ' || b[0] >= 0x7f) {
			return capture.ReasonSwitchedProtocol
		}
		return capture.ReasonBadStartLine
	}
	if from == capture.Server {
		const want = "http/"
		if n := min(len(b), len(want)); string(b[:n]) != "HTTP/" && !equalFold(b[:n], want[:n]) {
			return capture.ReasonBadStartLine
		}
	}
	return capture.ReasonNone
}

// readHead reads lines up to the empty one that ends the head.
func (p *Parser) readHead(s *stream, g *segment) {
	m := s.msg
	if m.plain() && p.readFields(s, g) {
		return
	}
	b := g.rest()
	i := bytes.IndexByte(b, '\n')
	n := i + 1
	if i < 0 {
		n = len(b)
	}
	m.wire += int64(n)
	m.last = g.at.Time
	m.head.size += n
	p.took(g, n, capture.DeliveredHTTP1Head)
	if m.head.size > p.pool.cfg.MaxHead && !m.head.large {
		p.tooLarge(s, g, b[:n])
		if s.state != stateHead {
			return
		}
	}
	if i < 0 {
		p.splitLine(s, g, b)
		return
	}
	line := b[:i]
	if m.head.long {
		m.head.long = false
		return
	}
	if m.line != nil {
		if !p.pool.appendLine(m, line) {
			p.refuseRead(s, g, n, capture.ReasonEvicted)
			return
		}
		line = m.line
	}
	// RFC 9112, section 2.2: "a recipient MAY recognize a single LF as a line
	// terminator and ignore any preceding CR".
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	switch {
	case m.tentative && m.head.started && !strictField(line):
		p.refuseRead(s, g, n, capture.ReasonBadStartLine)
		return
	case !m.head.started:
		if why := p.startLine(s, g, line); why != capture.ReasonNone {
			p.refuseRead(s, g, n, why)
			return
		}
		if m.plain() {
			p.readFields(s, g)
			return
		}
	case len(line) == 0:
		p.endHead(s, g)
		return
	default:
		m.tentative = false
		m.field(p.pool, line, g.from == capture.Client)
		if m.head.fields > p.pool.cfg.MaxFields && !m.head.large {
			p.tooLarge(s, g, line)
		}
	}
	if m.line != nil {
		p.pool.releaseLine(m)
	}
}

// plain reports whether field lines come next and are read as they are.
func (m *message) plain() bool {
	h := &m.head
	return h.started && m.line == nil && !h.long && !h.large && !m.tentative
}

// readFields is readHead for field lines that lie whole in the segment, which is
// the usual. It reports false when there is none.
func (p *Parser) readFields(s *stream, g *segment) bool {
	m, b, request := s.msg, g.rest(), g.from == capture.Client
	b = b[:min(len(b), p.pool.cfg.MaxHead-m.head.size)]
	h, looked := &m.head, p.pool.firstLookedAt(request)
	rest, ended := b, false
	for h.fields < p.pool.cfg.MaxFields {
		l := p.pool.known.read(rest)
		if l == nil {
			break
		}
		line := rest
		rest = rest[l.size:]
		if l.name > 0 {
			h.fields++
			if h.last = l.id; l.id >= looked {
				m.value(p.pool, l.id, line[:l.name], line[l.from:l.to], request)
			}
			continue
		}
		if l.to == 0 {
			ended = true
			break
		}
		m.field(p.pool, line[:l.to], request)
	}
	n := len(b) - len(rest)
	if n == 0 {
		return false
	}
	m.wire += int64(n)
	m.last = g.at.Time
	m.head.size += n
	p.took(g, n, capture.DeliveredHTTP1Head)
	if ended {
		p.endHead(s, g)
	}
	return true
}

// splitLine keeps the beginning of a line whose end is in a later segment.
func (p *Parser) splitLine(s *stream, g *segment, b []byte) {
	m := s.msg
	switch {
	case m.head.long:
	case len(m.line)+len(b) > p.pool.cfg.MaxHead:
		// Only a head already called too large comes here, with its start line
		// read. What the name says is lost unless it frames the message.
		if n := tokenLen(m.line); n > 0 {
			if id := fieldOf(m.line[:n]); id == fieldContentLength || id == fieldTransferEncoding {
				m.head.badField = true
			}
		}
		m.head.long = true
		p.pool.releaseLine(m)
	case !p.pool.appendLine(m, b):
		p.refuseRead(s, g, len(b), capture.ReasonEvicted)
	case !m.head.started && len(m.line) > maxMethod && tokenLen(m.line) > maxMethod:
		p.refuseRead(s, g, len(b), capture.ReasonBadStartLine)
	}
}

// tooLarge notes that the head is beyond the bound. From here on only what
// frames the message is read; a start line that is too large ends the reading.
func (p *Parser) tooLarge(s *stream, g *segment, b []byte) {
	if !s.msg.head.started {
		p.refuseRead(s, g, len(b), capture.ReasonHeaderTooLarge)
		return
	}
	s.msg.head.large = true
	p.parseError(g.from, g.at, capture.ReasonHeaderTooLarge)
}

// startLine reads the first line of a message.
func (p *Parser) startLine(s *stream, g *segment, line []byte) capture.Reason {
	m := s.msg
	m.head.started = true
	if g.from == capture.Server {
		status, version, why := parseStatusLine(line)
		if why != capture.ReasonNone {
			return why
		}
		m.head.status, m.head.version = uint16(status), version
		// RFC 9110, section 15.2: 1xx are interim, but 101 is the last word of
		// HTTP/1 on the connection.
		m.head.interim = status < 200 && status != 101
		if !m.head.interim {
			m.x = p.match(m.at)
		}
		return capture.ReasonNone
	}
	method, target, version, why := parseRequestLine(line)
	if why != capture.ReasonNone {
		return why
	}
	m.head.version = version
	x := p.pool.exchange(p)
	m.x = x
	x.hasRequest, x.version = true, version
	x.requestStart, x.requestEnd = m.at.Time, g.at.Time
	x.start, x.acked = m.at.Offset, m.at.Acked
	x.responseBody = -1
	x.head, x.connect = string(method) == "HEAD", string(method) == "CONNECT"
	p.measure(x)
	if p.pool.book.Full() != nil {
		x.method = x.keep(p.pool, method, maxMethod)
		x.target = x.keep(p.pool, target, p.pool.cfg.MaxTarget)
		if a := authority(target); a != nil {
			x.host = x.keep(p.pool, a, maxHost)
		}
	}
	return capture.ReasonNone
}

// parseError counts and states that a message broke the rules.
func (p *Parser) parseError(from capture.Side, at capture.Mark, why capture.Reason) {
	p.port.ParseErrors[why]++
	if b := p.pool.book.Batch; b != nil {
		e := b.ParseError()
		e.Conn, e.At, e.From, e.Protocol, e.Why, e.Offset = *p.conn, at.Time, from, capture.ProtocolHTTP1, why, at.Offset
		number, parent := p.InFlight(math.MaxUint64)
		e.Hit = capture.Hit{Number: number, TraceParent: b.Text(parent)}
	}
}

// refuse gives up the message that begins here, or the one at hand, and skips
// the rest of the segment.
func (p *Parser) refuse(s *stream, g *segment, why capture.Reason) {
	p.parseError(g.from, capture.Mark{Time: g.at.Time, Offset: g.offset()}, why)
	p.lose(s, g.from, why, capture.Mark{Time: g.at.Time, Offset: g.offset(), Acked: g.at.Acked}, 0)
	entry := capture.DeliveredDesync
	if why == capture.ReasonSwitchedProtocol {
		s.state = stateSwitched
		entry = capture.DeliveredUnknown
	}
	if g.i < len(g.b) {
		p.unread(g, entry, why)
	}
}

// refuseRead is refuse for the line of n bytes that has just been read: they
// belong to no message after all.
func (p *Parser) refuseRead(s *stream, g *segment, n int, why capture.Reason) {
	p.pool.book.Ledger[capture.DeliveredHTTP1Head] -= uint64(n)
	g.i -= n
	if g.i == 0 {
		g.parsed = false
	}
	p.refuse(s, g, why)
}

// End implements [capture.Handler].
func (p *Parser) End(at capture.Mark, from capture.Side, why capture.Reason) {
	s := &p.sides[from]
	if s.ended {
		return
	}
	s.ended = true
	p.pool.now = at.Time
	s.acked = max(s.acked, at.Acked)
	if from == capture.Client {
		p.endClient(s, at, why)
	} else {
		p.endServer(s, at, why)
	}
	if s.msg != nil {
		p.pool.releaseMessage(s.msg)
		s.msg = nil
	}
	if s.state == stateDesync || s.state == stateSwitched {
		s.unread = s.why
	}
	s.state, s.why = stateDesync, why
	if p.sides[capture.Client].ended && p.sides[capture.Server].ended {
		pool := p.pool
		parent := p.lastParent[:0] // its memory
		*p = Parser{}
		p.lastParent = parent
		pool.parsers = append(pool.parsers, p)
	}
}
