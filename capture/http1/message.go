package http1

import "github.com/wiretell/wiretell/capture"

// message is one message in progress.
type message struct {
	at        capture.Mark // of its first byte
	last      capture.Time // of its last byte so far
	head      head
	x         *exchange // nil when it is no longer kept
	line      []byte    // of a line that began in an earlier segment
	bodyAt    uint64    // offset of the body
	remain    int64     // body or chunk bytes to come; the chunk-size while it is read
	body      int64     // bytes so far, without framing; -1: cannot be told
	wire      int64     // bytes so far, all in all
	extra     int64     // bytes of trailers
	digits    uint8     // where in a chunk-size, a line end or a trailer line
	extension bool      // in a chunk-ext
	probe     bool      // a health check
	tentative bool      // it is only believed with its first field line
	settled   bool      // the response was accounted for when its exchange was evicted
}

// finish ends the message at hand, which is whole.
func (p *Parser) finish(s *stream, from capture.Side, at capture.Mark, offset uint64) {
	m := s.msg
	s.msg, s.state = nil, stateStart
	if from == capture.Client {
		if s.soft {
			s.between = m.x == nil
			if m.x != nil {
				s.gate = m.x.acked
			}
		}
		p.requestOver(m, capture.ReasonNone)
	} else {
		if m.x != nil {
			m.x.end = offset
			if m.x.hasRequest {
				p.answered = offset
			}
		}
		p.responseOver(m, capture.ReasonNone)
		s.gate = offset
	}
	if s.soft { // its framing is not to be trusted: its sender may still be within it
		s.soft = false
		s.state, s.why = stateDesync, capture.ReasonBadHeader
	}
	p.pool.releaseMessage(m)
}

// requestOver notes that no more of a request comes: it is whole, or why not.
func (p *Parser) requestOver(m *message, why capture.Reason) {
	x := m.x
	if x == nil {
		return
	}
	if !x.counted { // its head never ended
		p.pool.release(x)
		return
	}
	x.requestEnd = max(m.last, x.requestStart)
	x.requestBody, x.requestWire = m.body, m.wire
	x.requestDone = true
	switch {
	case why == capture.ReasonNone:
	case unseen(why):
		x.spoil(why, 0)
	case !x.responseDone:
		x.cut = why == capture.ReasonRequestTruncated
	case x.responseDone && !m.unsized():
		x.fail(why)
	}
	x.settle()
}

// unsized reports whether the end of the message could not be told.
func (m *message) unsized() bool { return m.body < 0 }

// responseOver notes that no more of a response comes, whose head was whole.
func (p *Parser) responseOver(m *message, why capture.Reason) {
	if m.settled || m.x == nil {
		return
	}
	x := m.x
	x.responseEnd = max(m.last, x.responseStart)
	x.responseBody, x.responseWire = m.body, m.wire
	if why != capture.ReasonNone {
		x.fail(why)
		if unseen(why) {
			x.spoil(why, 0)
		}
	}
	p.answer(x)
}

// Gap implements [capture.Handler].
func (p *Parser) Gap(at capture.Mark, from capture.Side, n int, why capture.Reason) {
	s := &p.sides[from]
	if n <= 0 || s.ended {
		return
	}
	p.pool.now = at.Time
	s.next, s.heard = at.Offset+uint64(n), true
	switch s.state {
	case stateDesync, stateUpgraded, stateSwitched:
		s.lostTo = s.next
		p.afterClient(s, from)
		return
	case stateLength, stateChunkData, stateClose:
		// The length covers what is missing, or a part of it.
		m, covered := s.msg, n
		if s.state != stateClose && int64(n) > m.remain {
			covered = int(m.remain)
		}
		if m.x != nil {
			m.x.spoil(why, int64(covered))
		}
		inside := s.state == stateChunkData
		p.passBody(s, from, at, at.Offset+uint64(covered), covered)
		if covered == n {
			p.afterClient(s, from)
			return
		}
		at.Offset += uint64(covered)
		n -= covered
		if inside && m.x != nil {
			m.x.spoil(why, int64(n))
		}
	case stateHead, stateChunkSize, stateChunkExt, stateChunkEnd, stateTrailer:
		if m := s.msg; m.x != nil {
			m.x.spoil(why, int64(n))
		}
	}
	if s.state != stateDesync { // a doubtful message may have ended above
		p.lose(s, from, why, at, n)
	}
	p.afterClient(s, from)
}

// afterClient looks at held responses when more of the client's stream is known.
func (p *Parser) afterClient(s *stream, from capture.Side) {
	if from == capture.Client && p.held != nil {
		p.giveUpTo(s.next)
	}
}

// lose gives up what a side has at hand and what comes next: n bytes from
// at.Offset on are missing (or, with n 0, cannot be read), for the reason why.
func (p *Parser) lose(s *stream, from capture.Side, why capture.Reason, at capture.Mark, n int) {
	m, st := s.msg, s.state
	s.msg, s.state, s.why = nil, stateDesync, why
	s.soft, s.joining = false, false
	s.lostTo = at.Offset + uint64(max(n, 1))
	if from == capture.Client {
		s.between = true
		if m != nil {
			if st == stateHead && unseen(why) {
				p.cutRequest(m)
			}
			if m.x != nil && m.x.counted {
				s.between, s.gate = false, m.x.acked
			}
			p.requestOver(m, why)
			p.pool.releaseMessage(m)
		}
		return
	}
	s.gate = 0
	if n == 0 {
		s.gate = at.Offset + 1
	}
	switch {
	case m == nil:
		p.loseNext(at, n, why)
	case st == stateHead && m.head.interim:
		p.pool.releaseMessage(m)
		p.loseNext(m.at, n, why)
	case st == stateHead && (!m.head.started || m.x == nil):
		mark := m.at
		p.pool.releaseMessage(m)
		p.loseNext(mark, n, why)
	case st == stateHead && m.x.status == 0 && unseen(why):
		p.cutResponse(m)
		if m.x.hasRequest {
			p.answered = max(p.answered, at.Offset)
		}
		p.responseOver(m, why)
		p.pool.releaseMessage(m)
	case st == stateHead && m.x.status == 0:
		if m.x.hasRequest {
			p.unanswered(m.x, why)
		} else {
			p.discard(m.x)
		}
		p.pool.releaseMessage(m)
	default:
		if m.x != nil && m.x.hasRequest {
			p.answered = max(p.answered, at.Offset)
		}
		p.responseOver(m, why)
		p.pool.releaseMessage(m)
	}
	p.vague = 0
	if p.skip > 0 || p.over > 0 || why == capture.ReasonSwitchedProtocol {
		p.skip, p.over, p.odd = 0, 0, false
		s.gate = never
		for p.first != nil {
			p.unanswered(p.pop(), unreadWord(s))
		}
	}
}

// cutRequest counts a request whose head was lost behind its first line.
func (p *Parser) cutRequest(m *message) {
	if !m.head.started || m.tentative || m.x == nil || m.x.counted {
		return
	}
	m.body = -1
	m.x.requestHeaders = len(m.x.headers)
	p.push(m.x)
}

// cutResponse counts a response whose head was lost behind its first line.
func (p *Parser) cutResponse(m *message) {
	l := &p.pool.book.Ledger
	l[capture.ResponsesSeen]++
	l[capture.ResponsesLive]++
	p.port.Responses[capture.ProtocolHTTP1]++
	m.body = -1
	x := m.x
	x.status, x.responseStart = m.head.status, m.at.Time
	if !x.hasRequest {
		x.version = m.head.version
	}
}

// loseNext gives up the request whose response was to come next, as its
// beginning is missing or cannot be read.
func (p *Parser) loseNext(at capture.Mark, n int, why capture.Reason) {
	switch x := p.first; {
	case x == nil || p.skip > 0:
	case n > 0 && x.acked < at.Offset+uint64(n), n == 0 && x.answers(at):
		p.answered = max(p.answered, at.Offset)
		p.unanswered(p.pop(), why)
	}
}

// resync looks for a message at the start of a segment (see pairing).
func (p *Parser) resync(s *stream, g *segment) {
	if g.i == 0 {
		var ok, open bool
		if g.from == capture.Client {
			ok, open = p.findRequest(s, g)
		} else {
			ok, open = p.findResponse(s, g)
		}
		if ok {
			s.state = stateStart
			s.tentative = open && g.from == capture.Client
			s.joining, s.soft = false, false
			return
		}
	}
	why := s.why
	if !unseen(why) {
		why = capture.ReasonDesync
	}
	p.unread(g, capture.DeliveredDesync, why)
	s.lostTo = g.offset()
}

func (p *Parser) findRequest(s *stream, g *segment) (ok, open bool) {
	if s.joining {
		return headAt(g.b, capture.Client, false)
	}
	gate := s.gate
	if s.between {
		gate = p.answered
	}
	if p.pipelined {
		return false, false
	}
	ok, open = headAt(g.b, capture.Client, true)
	if ok && g.at.Acked <= gate {
		// It looks like a request sent before the response to what the hole took.
		p.pipelined = true
		return false, false
	}
	return ok, open
}

func (p *Parser) findResponse(s *stream, g *segment) (ok, open bool) {
	if s.gate == never {
		return false, false
	}
	client := &p.sides[capture.Client]
	if n := p.candidates(g.at, p.queued); n > 0 {
		last := p.first
		for range n - 1 {
			last = last.next
		}
		exact := last.acked == g.at.Offset && (n == 1 || !p.pipelined)
		known := client.state != stateDesync && g.at.Acked <= client.next
		if last.acked < s.gate || !exact && !known {
			return false, false
		}
		ok, open = headAt(g.b, capture.Server, exact)
		if !ok {
			return false, false
		}
		for ; n > 1 && !p.pipelined; n-- {
			p.unanswered(p.pop(), unreadWord(s))
		}
		p.vague = n - 1
		return true, open
	}
	// No request is known. Where the client's side is unread as well, or late,
	// its requests are, and a response to one of them is believed when the client
	// has sent something since the segment before.
	unread := client.state == stateDesync || g.at.Acked > client.next
	if p.first != nil || !unread || s.heard && g.at.Acked <= s.acked {
		return false, false
	}
	return headAt(g.b, capture.Server, false)
}

// endClient ends the requests.
func (p *Parser) endClient(s *stream, at capture.Mark, why capture.Reason) {
	for p.held != nil {
		p.giveUp(p.held)
	}
	p.endRequest(s, at, why)
	// Requests that came when the server had closed: what became of them the
	// client's end tells.
	for p.sides[capture.Server].ended && p.first != nil {
		p.unanswered(p.pop(), p.endWord(why))
	}
}

// endRequest ends the request at hand.
func (p *Parser) endRequest(s *stream, at capture.Mark, why capture.Reason) {
	m := s.msg
	if m == nil {
		return
	}
	if s.state != stateHead && m.excused() && m.wire == int64(m.head.size) {
		p.requestOver(m, capture.ReasonNone)
		return
	}
	if m.x != nil {
		m.x.announced = announced(s)
	}
	if s.state == stateHead && why != capture.ReasonShutdown && why != capture.ReasonEvicted {
		p.parseError(capture.Client, at, capture.ReasonRequestTruncated)
	}
	if why == capture.ReasonEvicted {
		p.requestOver(m, why)
	} else {
		p.requestOver(m, capture.ReasonRequestTruncated)
	}
}

// announced returns how large the body at hand was to be, 0 when nobody said.
func announced(s *stream) int64 {
	if s.state != stateLength || s.msg.body < 0 {
		return 0
	}
	return s.msg.body + s.msg.remain
}

// endServer ends the responses: the one at hand, and those that never came.
func (p *Parser) endServer(s *stream, at capture.Mark, why capture.Reason) {
	if m := s.msg; m != nil {
		cut := p.endWord(why)
		if why == capture.ReasonFIN || why == capture.ReasonClosed {
			cut = capture.ReasonResponseTruncated
		}
		switch {
		case s.state == stateClose && cut == capture.ReasonResponseTruncated:
			// RFC 9112, section 8: "A message body that uses the chunked transfer
			// coding is incomplete if the zero-sized chunk [...] has not been
			// received. [...] A response that has neither chunked transfer coding
			// nor Content-Length is terminated by closure of the connection and,
			// if the header section was received intact, is considered complete".
			p.responseOver(m, capture.ReasonNone)
		case s.state == stateHead && m.x != nil && m.x.hasRequest:
			p.unanswered(m.x, cut)
		case s.state == stateHead && m.x != nil:
			p.discard(m.x)
		case s.state == stateHead && !m.head.interim && p.first != nil && p.skip == 0 && p.first.answers(m.at):
			p.unanswered(p.pop(), cut)
		case s.state != stateHead:
			if m.x != nil {
				m.x.announced = announced(s)
			}
			p.responseOver(m, cut)
		}
	}
	word := p.endWord(why)
	if s.state == stateDesync && p.first != nil && unseen(s.why) && s.why != capture.ReasonJoinedMidstream {
		word = s.why
	}
	for p.first != nil {
		p.unanswered(p.pop(), word)
	}
}

// endWord is the word of error.type for a request that waits when its
// connection ends.
func (p *Parser) endWord(why capture.Reason) capture.Reason {
	switch why {
	case capture.ReasonFIN, capture.ReasonClosed, capture.ReasonNone:
		return capture.ReasonClosedBeforeResponse
	}
	return why
}
