package http1

import "github.com/wiretell/wiretell/capture"

// endHead decides how long the body is (RFC 9112, section 6.3).
func (p *Parser) endHead(s *stream, g *segment) {
	m := s.msg
	p.pool.releaseLine(m)
	s.any = true
	if g.from == capture.Client {
		p.endRequestHead(s, g)
	} else {
		p.endResponseHead(s, g)
	}
}

func (p *Parser) endRequestHead(s *stream, g *segment) {
	m, h := s.msg, &s.msg.head
	if m.probe {
		p.port.Probes++
	}
	if m.x == nil {
		p.forgotten()
	} else if !m.x.counted {
		p.push(m.x)
	}
	if h.badField {
		p.parseError(g.from, m.at, capture.ReasonBadHeader)
		s.soft = true
	}
	why := capture.ReasonNone
	switch {
	case h.hasCoding || h.badCoding:
		p.ambiguous(g, m)
		// "If a Transfer-Encoding header field is present in a request and the
		// chunked transfer coding is not the final encoding, the message body
		// length cannot be determined reliably". Section 6.1: the same of
		// HTTP/1.0, "even if a Content-Length is present".
		if !h.chunked || h.badCoding || h.version == 10 {
			why = capture.ReasonBadTransferCoding
			break
		}
		s.state = stateChunkSize
		return
	case h.badLength || h.emptyLength:
		// "If a message is received without Transfer-Encoding and with an
		// invalid Content-Length header field, then the message framing is
		// invalid and the recipient MUST treat it as an unrecoverable error".
		why = capture.ReasonBadLength
	case h.hasLength && h.length > 0:
		s.state, m.remain = stateLength, h.length
		return
	}
	if why == capture.ReasonNone {
		// "If this is a request message and none of the above are true, then
		// the message body length is zero".
		p.finish(s, g.from, g.at, g.offset())
		return
	}
	m.body = -1
	p.refuse(s, g, why)
}

// forgotten counts a request that was evicted while its head was coming.
func (p *Parser) forgotten() {
	l := &p.pool.book.Ledger
	l[capture.RequestsSeen]++
	l[capture.RequestsUnanswered]++
	p.port.Requests[capture.ProtocolHTTP1]++
	p.port.Unanswered++
	p.port.UnansweredBy[capture.ReasonEvicted]++
	p.odd = true
	if p.first != nil {
		p.over++
	} else {
		p.skip++
	}
}

// ambiguous counts a message with both Transfer-Encoding and Content-Length.
// Section 6.1: "A server MAY reject a request that contains both Content-Length
// and Transfer-Encoding or process such a request in accordance with the
// Transfer-Encoding alone".
func (p *Parser) ambiguous(g *segment, m *message) {
	if h := &m.head; h.hasLength || h.badLength || h.emptyLength {
		p.parseError(g.from, m.at, capture.ReasonAmbiguousLength)
	}
}

func (p *Parser) endResponseHead(s *stream, g *segment) {
	m, h := s.msg, &s.msg.head
	l := &p.pool.book.Ledger
	l[capture.ResponsesSeen]++
	if h.badField {
		p.parseError(g.from, m.at, capture.ReasonBadHeader)
	}
	if h.interim {
		l[capture.ResponsesInterim]++
		client := &p.sides[capture.Client]
		switch {
		case p.skip > 0 || p.vague > 0:
		case p.candidates(m.at, 1) == 1:
			p.first.interim++
		case p.first == nil && m.at.Acked > client.next && !client.ended:
			p.holdInterim(m.at)
		}
		s.msg, s.state = nil, stateStart
		p.pool.releaseMessage(m)
		return
	}
	l[capture.ResponsesLive]++
	p.port.Responses[capture.ProtocolHTTP1]++
	if m.x == nil {
		m.x = p.orphan(capture.ReasonEvicted)
	}
	x := m.x
	x.status, x.responseStart, x.responseEnd = h.status, m.at.Time, g.at.Time
	if !x.hasRequest {
		x.version = h.version
	}
	s.soft = h.badField
	switch {
	case h.status == 101:
		// RFC 9110, section 15.2.2: "The server MUST generate an Upgrade header
		// field in the response that indicates which protocol(s) will be in
		// effect after this response".
		p.finish(s, g.from, g.at, g.offset())
		p.upgrade()
	case x.connect && h.status/100 == 2:
		// "Any 2xx (Successful) response to a CONNECT request implies that the
		// connection will become a tunnel immediately after the empty line".
		if !x.hasRequest { // one of several that were forgotten
			p.refuse(s, g, capture.ReasonDesync)
			return
		}
		p.finish(s, g.from, g.at, g.offset())
		p.upgrade()
	case x.connect && !x.hasRequest:
		p.refuse(s, g, capture.ReasonDesync)
	case x.head || h.status == 204 || h.status == 304:
		// "Any response to a HEAD request and any response with a 1xx
		// (Informational), 204 (No Content), or 304 (Not Modified) status code
		// is always terminated by the first empty line after the header fields".
		p.finish(s, g.from, g.at, g.offset())
	case h.hasCoding || h.badCoding:
		p.ambiguous(g, m)
		// "If a Transfer-Encoding header field is present in a response and the
		// chunked transfer coding is not the final encoding, the message body
		// length is determined by reading the connection until it is closed".
		s.state = stateClose
		if h.chunked && !h.badCoding && h.version != 10 {
			s.state = stateChunkSize
		}
	case h.badLength || h.emptyLength:
		p.refuse(s, g, capture.ReasonBadLength)
	case h.hasLength && h.length == 0:
		p.finish(s, g.from, g.at, g.offset())
	case h.hasLength:
		s.state, m.remain, m.bodyAt = stateLength, h.length, g.offset()
	default:
		// "Otherwise, this is a response message without a declared message
		// body length, so the message body length is determined by the number
		// of octets received prior to the server closing the connection".
		s.state = stateClose
	}
}

// upgrade turns both sides over to another protocol.
func (p *Parser) upgrade() {
	for i := range p.sides {
		s := &p.sides[i]
		if s.ended {
			continue
		}
		if m := s.msg; m != nil {
			s.msg = nil
			p.requestOver(m, capture.ReasonNone)
			p.pool.releaseMessage(m)
		}
		s.state, s.why = stateUpgraded, capture.ReasonUpgraded
	}
	for p.first != nil {
		p.unanswered(p.pop(), capture.ReasonUpgraded)
	}
}

// http2Preface is what a client begins HTTP/2 with, after an upgrade to it too
// (RFC 9113, section 3.4; RFC 7540, section 3.2).
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// upgraded accounts for bytes after an upgrade. Where they are HTTP/2 there are
// requests in them all the same, which another parser would have to read.
func (p *Parser) upgraded(s *stream, g *segment) {
	b := g.rest()
	if g.from == capture.Client && s.why == capture.ReasonUpgraded && len(b) >= len(http2Preface) && string(b[:len(http2Preface)]) == http2Preface {
		for i := range p.sides {
			if t := &p.sides[i]; t.state == stateUpgraded {
				t.why = capture.ReasonHTTP2
			}
		}
	}
	e := capture.DeliveredUpgraded
	if s.why == capture.ReasonHTTP2 {
		e = capture.DeliveredHTTP2
	}
	p.unread(g, e, s.why)
}

// skipBody passes over body bytes without looking at them.
func (p *Parser) skipBody(s *stream, g *segment) {
	m := s.msg
	if m.body == 0 && s.state == stateLength {
		if p.noBody(m, g) {
			p.endBodiless(s, m)
			return
		}
		if p.withheld(m, g) {
			p.finish(s, g.from, g.at, g.offset())
			return
		}
	}
	n := len(g.b) - g.i
	if s.state != stateClose && int64(n) > m.remain {
		n = int(m.remain)
	}
	p.took(g, n, capture.DeliveredHTTP1Body)
	m.last = g.at.Time
	p.passBody(s, g.from, g.at, g.offset(), n)
}

// noBody reports whether a response whose request is not known answered HEAD
// after all: where its body should begin another response does, and the client
// has sent something since.
func (p *Parser) noBody(m *message, g *segment) bool {
	if g.from == capture.Client || m.x == nil || m.x.hasRequest || !unseen(m.x.incomplete) || g.i > 0 || g.at.Acked <= m.at.Acked {
		return false
	}
	ok, _ := headAt(g.b, capture.Server, false)
	return ok
}

// withheld reports whether the client does not send the body that it announced
// with "Expect: 100-continue" (RFC 9110, section 10.1.1), since it has a final
// response already: where the body should begin another request does.
func (p *Parser) withheld(m *message, g *segment) bool {
	if !m.excused() || g.i > 0 || g.at.Acked < m.x.end {
		return false
	}
	ok, _ := headAt(g.b, capture.Client, false)
	return ok
}

// excused reports whether the client need not send the body that it announced.
func (m *message) excused() bool {
	return m.head.expects && m.x != nil && m.x.responseDone && m.x.interim == 0
}

// passBody advances n body bytes, seen or not.
func (p *Parser) passBody(s *stream, from capture.Side, at capture.Mark, offset uint64, n int) {
	m := s.msg
	m.body += int64(n)
	m.wire += int64(n)
	if s.state == stateClose {
		return
	}
	if m.remain -= int64(n); m.remain > 0 {
		return
	}
	if s.state == stateChunkData {
		s.state = stateChunkEnd
		return
	}
	p.finish(s, from, at, offset)
}
