package http1

import (
	"math"

	"github.com/wiretell/wiretell/capture"
)

// pairing tells which request a response answers. A wrong pair is worse than
// none, so every rule below drops where it cannot tell.
//
// # Without loss
//
// RFC 9112, section 9.3.2: "a server MUST send the corresponding responses in
// the same order that the requests were received". So requests wait in a queue
// and a final response answers its head. Two facts about positions hold besides,
// and are checked always. With S the offset of the response's first byte in the
// server's stream and A the acknowledgement its segment carries, and with the
// request's first byte at offset R, sent when the client had acknowledged K:
//
//	R < A  the server had at least begun to receive what it answers
//	K <= S the client had not received what was not yet an answer
//
// A 408 on an idle connection that crosses a new request fails the first and
// is an orphan. An early final response (413) to a request whose body is still
// coming passes both; so does one to a request whose head is still coming, when
// its request-line was read.
//
// # Bytes of the server are missing, or could not be read
//
// What was being answered, or would have been answered next, ends there. Of the
// further requests that were sent before the hole (only a pipelining client has
// such) nobody knows how many were answered inside it. So when a response is
// found again, at offset S, its candidates are all requests from the head of the
// queue on that satisfy the two facts: one candidate is certain; with several
// the response is an orphan, and the head leaves the queue, as it was answered
// either inside the hole or by this response. The number of candidates cannot
// grow with what follows: a response answers exactly one request, so the next
// response has as many candidates, beginning one later. That number less one is
// vague, and it falls to 0 when the second fact leaves one candidate alone.
//
// A client that was never seen to pipeline sends a request only after the
// response before it, so a request that acknowledges more than the one before
// it while the server's side is unread takes all older ones out of the queue.
//
// A response is taken up again only at the start of a segment, with a whole
// valid start line and field line, and only if a request waits that it can
// answer; after bytes that were there but could not be read, only if that
// request was sent after the client had received some of them. Thus a body
// cannot pose as a message.
//
// # Bytes of the client are missing, or could not be read
//
// The hole holds an unknown number of requests, whose responses come before
// those of later requests. A client that does not pipeline sends a request only
// after it has received the responses to all before it: then K of that request
// lies behind the first byte of the response to the last request in (or cut by)
// the hole, and every response at S >= K answers it or a later one. So a request
// is taken up again only if its K is greater than the gate, an offset at or
// before which the response to the first thing in the hole begins: the end of the
// response to the last request before it when the hole begins between messages
// (orphans do not move it), or K of the request whose body the hole cut. A client
// that was seen to pipeline, also by what looks like a request that fails this,
// is not taken up again at all: it may have several requests in the hole and one
// behind it, and nothing on the wire tells how many.
//
// # Late requests
//
// The two sides' bytes do not come in the order in which they were sent: a
// request behind a hole is held back until the hole is given up, and a capture
// may see a response before its request. So a response that acknowledges more
// of the client's stream than has been handed over (A > what came) and finds no
// request is held. A request that comes later takes the first held response
// that the two facts allow: its K excludes the responses to lost requests before
// it. When the client's bytes up to A have come, or at the bound, a held response
// is an orphan after all; a request that comes later still and might have been
// its request is dropped.
//
// A response that belongs to no known request is framed as if it did not answer
// HEAD. When a request comes that acknowledges a place inside its body, that was
// wrong, and its message ends there.
//
// # Bounds
//
// Requests that are forgotten at a bound still have responses to come. Those
// forgotten at the front are counted in skip, those beyond MaxPending in over;
// their responses are orphans. While over is not 0 no request joins the queue.
// A hole in the server's stream then makes the pairing impossible for good.
type pairing struct {
	first, last *exchange
	queued      int
	skip, over  uint32
	odd         bool // one of skip or over was HEAD or CONNECT: its response has no telling end
	pipelined   bool // the client was seen to send a request before the response to the one before
	vague       int
	answered    uint64 // offset behind the last response that was paired
	lastNumber  uint64 // of the exchange that it ended, and its traceparent
	lastParent  []byte

	held          *exchange // responses whose request may still come, the first sent first
	passed, reach uint64    // offset and acknowledgement of the last response that was held in vain
	holding       int
}

// maxHeld bounds the responses of one connection that wait for their request.
const maxHeld = 16

// never is a gate that nothing passes.
const never = math.MaxUint64

// answers tells whether a response at the given place can answer x.
func (x *exchange) answers(at capture.Mark) bool {
	return x.acked <= at.Offset && x.start < at.Acked
}

// push counts a request and lets it wait for its response.
func (p *Parser) push(x *exchange) {
	l := &p.pool.book.Ledger
	l[capture.RequestsSeen]++
	l[capture.RequestsLive]++
	p.port.Requests[capture.ProtocolHTTP1]++
	x.counted = true
	server := &p.sides[capture.Server]
	p.watchPipelining(server, x)
	if p.claim(server, x) {
		return
	}
	switch {
	case server.ended && (server.why != capture.ReasonFIN || p.sides[capture.Client].ended):
		p.unanswered(x, p.endWord(server.why))
		return
	case server.state == stateUpgraded || server.state == stateSwitched,
		server.state == stateDesync && server.gate == never:
		p.unanswered(x, unreadWord(server))
		return
	case p.over > 0 || p.queued >= p.pool.cfg.MaxPending:
		p.over++
		p.odd = p.odd || x.head || x.connect
		x.spoil(capture.ReasonPending, 0)
		p.unanswered(x, capture.ReasonPending)
		return
	}
	if p.last != nil {
		p.last.next = x
	} else {
		p.first = x
	}
	p.last = x
	p.queued++
}

// watchPipelining learns from a new request what it says about the older ones.
func (p *Parser) watchPipelining(server *stream, x *exchange) {
	if x.acked < p.answered {
		p.pipelined = true
	}
	if m := server.msg; m != nil && server.state == stateLength && !p.pipelined &&
		m.x != nil && !m.x.hasRequest && !m.x.held && unseen(m.x.incomplete) && x.acked >= m.bodyAt && x.acked <= server.next {
		p.bodiless(server, m, x.acked)
	}
	busy := server.msg != nil && server.msg.x != nil && server.msg.x.hasRequest
	switch {
	case p.first == nil && !busy:
	case server.state == stateDesync && !p.pipelined && p.last != nil && x.acked > p.last.acked:
		for p.first != nil {
			p.unanswered(p.pop(), unreadWord(server))
		}
	case x.acked <= server.next:
		p.pipelined = true
	}
}

// bodiless ends a response whose body was assumed in error: the message after
// it begins at the given offset of the server's stream.
func (p *Parser) bodiless(server *stream, m *message, offset uint64) {
	if offset != server.next || m.body > 0 {
		p.mistaken(server)
		return
	}
	p.endBodiless(server, m)
}

func (p *Parser) endBodiless(server *stream, m *message) {
	server.msg, server.state = nil, stateStart
	p.responseOver(m, capture.ReasonNone)
	p.pool.releaseMessage(m)
}

// unreadWord is why a request's response is not known when its side is unread.
func unreadWord(s *stream) capture.Reason {
	switch {
	case s.state == stateUpgraded:
		return capture.ReasonUpgraded
	case unseen(s.why), s.state == stateSwitched:
		return s.why
	}
	return capture.ReasonDesync
}

func (p *Parser) pop() *exchange {
	x := p.first
	p.first, x.next = x.next, nil
	if p.first == nil {
		p.last = nil
	}
	p.queued--
	return x
}

// match returns the exchange that a final response beginning at the given place
// belongs to: the request that it answers, or a new one without a request.
func (p *Parser) match(at capture.Mark) *exchange {
	client := &p.sides[capture.Client]
	if p.first == nil && p.over > 0 {
		p.skip, p.over = p.skip+p.over, 0
	}
	if p.skip > 0 {
		p.skip--
		x := p.orphan(capture.ReasonNone)
		x.spoil(capture.ReasonEvicted, 0)
		x.connect = p.odd // its framing is in doubt
		p.odd = p.odd && p.skip > 0
		return x
	}
	if m := client.msg; p.first == nil && m != nil && client.state == stateHead && m.x != nil && !m.x.counted && m.at.Offset < at.Acked {
		p.push(m.x)
	}
	n := p.candidates(at, p.vague+1)
	if n > 0 && p.vague > 0 && (client.state == stateDesync || at.Acked > client.next) {
		n = p.vague + 1 // it may answer one that was not seen
	}
	switch {
	case n == 0:
		x := p.orphan(p.orphanWord(client, at))
		switch {
		case p.first == nil && at.Acked > client.next && !client.ended:
			p.hold(x, at)
		case p.conn.Midstream && !client.heard:
			// Its request may come yet, late or sent again, as the first bytes of
			// the client.
			p.passed, p.reach = max(p.passed, at.Offset), max(p.reach, at.Acked+1)
		}
		return x
	case n == 1:
		p.vague = 0
		return p.pop()
	}
	p.vague = n - 1
	p.unanswered(p.pop(), capture.ReasonGap)
	return p.orphan(capture.ReasonGap)
}

// candidates counts the requests, from the head of the queue on and at most
// limit, that a response at the given place can answer.
func (p *Parser) candidates(at capture.Mark, limit int) int {
	n := 0
	for x := p.first; x != nil && n < limit && x.answers(at); x = x.next {
		n++
	}
	return n
}

// orphanWord tells why a response finds no request.
func (p *Parser) orphanWord(client *stream, at capture.Mark) capture.Reason {
	switch {
	case client.ended && client.unread != capture.ReasonNone:
		return client.unread
	case !client.ended && (client.state == stateDesync || client.state == stateSwitched):
		return client.why
	case at.Acked > client.next:
		return capture.ReasonGap
	}
	return capture.ReasonUnsolicited
}

// orphan returns a new exchange for a response without a request.
func (p *Parser) orphan(why capture.Reason) *exchange {
	x := p.pool.exchange(p)
	x.requestDone = true
	x.requestBody = -1
	if unseen(why) {
		x.spoil(why, 0)
	} else {
		x.fail(why)
	}
	return x
}

// hold lets a response wait for a request that is late.
func (p *Parser) hold(x *exchange, at capture.Mark) {
	if p.holding == maxHeld {
		p.giveUp(p.held)
	}
	x.held, x.acked, x.start = true, at.Offset, at.Acked
	last := &p.held
	for *last != nil {
		last = &(*last).next
	}
	*last = x
	p.holding++
}

// holdInterim is hold for an interim response.
func (p *Parser) holdInterim(at capture.Mark) {
	x := p.orphan(capture.ReasonNone)
	x.interim, x.responseDone = 1, true
	p.hold(x, at)
}

// interimOnly reports whether a held response is an interim one.
func (x *exchange) interimOnly() bool { return x.interim > 0 && x.status == 0 }

// unhold takes x from the held responses.
func (p *Parser) unhold(x *exchange) {
	link := &p.held
	for *link != x {
		link = &(*link).next
	}
	*link = x.next
	x.next, x.held = nil, false
	p.holding--
}

// discard drops a response whose head never ended.
func (p *Parser) discard(x *exchange) {
	if x.held {
		p.unhold(x)
	}
	p.pool.release(x)
}

// giveUp makes a held response an orphan.
func (p *Parser) giveUp(x *exchange) {
	p.unhold(x)
	if x.interimOnly() {
		p.pool.release(x)
		return
	}
	p.passed, p.reach = max(p.passed, x.acked), max(p.reach, x.start)
	if x.responseDone {
		x.responseDone = false
		p.answer(x)
	}
}

// giveUpTo makes orphans of the held responses whose requests would have come
// by now, as the client's bytes are known up to the given offset.
func (p *Parser) giveUpTo(offset uint64) {
	for p.held != nil && p.held.start <= offset {
		p.giveUp(p.held)
	}
}

// claim gives the late request x the held response that answers it, and
// reports whether the request's wait is over before it began.
func (p *Parser) claim(server *stream, x *exchange) bool {
	if server.state != stateDesync && server.lostTo > x.acked && (p.held == nil || p.held.acked != x.acked) {
		p.unanswered(x, capture.ReasonGap)
		return true
	}
	for r := p.held; r != nil && p.first == nil; {
		if x.acked > r.acked || x.start >= r.start {
			r = r.next
			continue
		}
		for p.held != r {
			p.giveUp(p.held)
		}
		p.unhold(r)
		if !r.interimOnly() {
			p.join(server, x, r)
			return true
		}
		x.interim += r.interim
		p.pool.release(r)
		r = p.held
	}
	if p.reach > 0 && x.acked <= p.passed && x.start < p.reach {
		p.unanswered(x, capture.ReasonGap)
		return true
	}
	return false
}

// join makes one exchange of a request and the response r that came before it.
func (p *Parser) join(server *stream, x, r *exchange) {
	x.status, x.interim = r.status, x.interim+r.interim
	x.responseStart, x.responseEnd = r.responseStart, r.responseEnd
	x.responseBody, x.responseWire = r.responseBody, r.responseWire
	x.lost += r.lost
	if r.err != capture.ReasonNone && r.err != capture.ReasonUnsolicited {
		x.fail(r.err)
		x.failed = min(x.failed, r.failed)
	}
	for _, h := range r.headers {
		x.headers = append(x.headers, headerSpan{h.name, x.keep(p.pool, r.bytes(h.value), maxHeaderValue)})
	}
	done := r.responseDone
	if m := server.msg; m != nil && m.x == r {
		m.x = x
	}
	end := r.end
	bodied := r.responseBody > 0
	p.pool.release(r)
	if done {
		p.answered = max(p.answered, end)
		p.answer(x)
	}
	switch m := server.msg; {
	case !x.head:
	case done && bodied:
		p.mistaken(server)
	case !done && m != nil && m.x == x && server.state != stateHead:
		p.bodiless(server, m, server.next)
	}
}

// mistaken gives up the server's place, as a body was skipped that is none.
func (p *Parser) mistaken(server *stream) {
	p.lose(server, capture.Server, capture.ReasonGap, capture.Mark{Offset: server.next}, 1)
}

// unanswered ends the wait of a counted request.
func (p *Parser) unanswered(x *exchange, why capture.Reason) {
	l := &p.pool.book.Ledger
	l[capture.RequestsLive]--
	l[capture.RequestsUnanswered]++
	if x.cut && why == capture.ReasonClosedBeforeResponse {
		why = capture.ReasonRequestTruncated
	}
	p.port.Unanswered++
	p.port.UnansweredBy[why]++
	x.fail(why)
	if unseen(why) {
		x.spoil(why, 0)
	}
	x.responseDone = true
	x.settle()
}

// settle emits x when neither side has more of it.
func (x *exchange) settle() {
	if x.requestDone && x.responseDone {
		x.emit()
	}
}

// answer accounts for a response whose head was whole, at its end.
func (p *Parser) answer(x *exchange) {
	if x.held { // not yet
		x.responseDone = true
		return
	}
	l := &p.pool.book.Ledger
	l[capture.ResponsesLive]--
	if x.hasRequest {
		l[capture.ResponsesPaired]++
		l[capture.RequestsLive]--
		l[capture.RequestsAnswered]++
		p.port.Answered++
		p.lastNumber, p.lastParent = x.number, append(p.lastParent[:0], x.bytes(x.parent)...)
	} else {
		l[capture.ResponsesOrphan]++
		p.port.Orphans++
	}
	x.responseDone = true
	x.settle()
}

// evict ends x, the oldest exchange of all, to make room.
func (p *Parser) evict(x *exchange) {
	client, server := &p.sides[capture.Client], &p.sides[capture.Server]
	x.spoil(capture.ReasonEvicted, 0)
	if m := client.msg; m != nil && m.x == x {
		m.x = nil
		x.requestDone = true
		if !x.counted {
			p.pool.release(x)
			return
		}
		x.requestBody, x.requestWire = m.body, m.wire
	}
	switch m := server.msg; {
	case x.held && x.responseDone:
		p.giveUp(x)
	case x.responseDone:
		x.settle()
	case m != nil && m.x == x:
		m.x = nil
		x.fail(capture.ReasonEvicted)
		if x.held {
			p.giveUp(x)
		}
		switch {
		case x.status != 0:
			x.responseBody, x.responseWire = m.body, m.wire
			m.settled = true
			p.answer(x)
		case x.hasRequest:
			p.unanswered(x, capture.ReasonEvicted)
		default:
			p.pool.release(x)
		}
	default: // it waits, and nothing of its connection is older: it is the head
		p.pop()
		p.skip++
		p.odd = p.odd || x.head || x.connect
		p.unanswered(x, capture.ReasonEvicted)
	}
}
