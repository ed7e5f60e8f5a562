package http1

import (
	"bytes"
	"unsafe"

	"github.com/wiretell/wiretell/capture"
)

// span is a part of an exchange's text.
type span struct{ at, n uint32 }

// headerSpan is an allow-listed field: its name is the Config's own string.
type headerSpan struct {
	name  []byte
	value span
}

// exchange is a request and its response while they are being seen. It is taken
// from the Pool when a request's head is complete (or a response comes that
// belongs to none) and given back when it is emitted.
type exchange struct {
	next         *exchange // in the queue of its Parser, or in the Pool's free list
	older, newer *exchange // in the Pool's list by age
	parser       *Parser

	text                                       []byte
	method, target, host, agent, parent, state span
	headers                                    []headerSpan // the request's, then the response's
	requestHeaders                             int          // how many of them are the request's

	number    uint64
	announced int64 // size of the body of the message that was cut, 0 when it is not known

	start uint64 // offset of the request's first byte in the client's stream
	acked uint64 // how much of the server's stream the client had then acknowledged
	// Of a held response, acked is its own offset and start what it acknowledges,
	// and end is the offset behind it.
	end uint64

	requestStart, requestEnd, responseStart, responseEnd capture.Time
	failed                                               capture.Time // when err was known
	requestBody, responseBody                            int64
	requestWire, responseWire                            int64
	lost                                                 int64
	begin                                                capture.Quality // of the connection, when the request began

	status  uint16
	interim uint16
	version uint8

	err, incomplete capture.Reason
	cause           capture.Cause // of err

	held         bool // a response whose request may still come
	counted      bool // the request's head was whole
	hasRequest   bool // a request was seen; otherwise a response alone
	head         bool // the method is HEAD
	connect      bool // the method is CONNECT
	opened       bool // it is the connection's first
	hasParent    bool // a traceparent was there
	requestDone  bool // no more of the request will come
	responseDone bool // no more of the response will come
	cut          bool // the connection ended within the request
}

// exchangeSize is what an open exchange costs beside its text.
const exchangeSize = int(unsafe.Sizeof(exchange{}))

// keep copies at most limit bytes of p into the exchange's text.
func (x *exchange) keep(pool *Pool, p []byte, limit int) span {
	p = p[:min(len(p), limit)]
	before := cap(x.text)
	s := span{uint32(len(x.text)), uint32(len(p))}
	x.text = append(x.text, p...)
	pool.text += cap(x.text) - before
	return s
}

// extend appends p to the list in s, behind a comma. What would make the list
// longer than limit is left out, whole.
func (x *exchange) extend(pool *Pool, s span, p []byte, limit int) span {
	switch {
	case len(p) == 0:
		return s
	case s.n == 0:
		return x.keep(pool, p, limit)
	case int(s.n)+1+len(p) > limit:
		return s
	}
	before := cap(x.text)
	if int(s.at+s.n) != len(x.text) { // other text came in between
		at := uint32(len(x.text))
		x.text = append(x.text, x.bytes(s)...)
		s.at = at
	}
	x.text = append(append(x.text, ','), p...)
	s.n += uint32(1 + len(p))
	pool.text += cap(x.text) - before
	return s
}

func (x *exchange) bytes(s span) []byte { return x.text[s.at : s.at+s.n] }

// spoil notes that a part of the exchange was not seen, the first cause first.
func (x *exchange) spoil(why capture.Reason, lost int64) {
	if x.incomplete == capture.ReasonNone {
		x.incomplete = why
	}
	x.lost += lost
}

// fail notes why there is no whole response, the first cause first.
func (x *exchange) fail(why capture.Reason) {
	if x.err == capture.ReasonNone {
		x.err, x.failed = why, x.parser.pool.now
		x.cause = x.parser.cause(x, why)
	}
}

// unseen reports whether why is a word of [capture.Exchange]'s Incomplete: the
// fault lies with what wiretell could see, not with the peers.
func unseen(why capture.Reason) bool {
	switch why {
	case capture.ReasonGap, capture.ReasonTruncated, capture.ReasonJoinedMidstream, capture.ReasonEvicted, capture.ReasonPending:
		return true
	}
	return false
}

// emit writes x into the batch, when anyone listens, and gives it back.
func (x *exchange) emit() {
	p := x.parser
	book := p.pool.book
	if b := book.Batch; b != nil && (!book.Terse || x.err != capture.ReasonNone || x.incomplete != capture.ReasonNone) {
		x.write(b.Exchange(), b)
	}
	p.pool.release(x)
}

func (x *exchange) write(e *capture.Exchange, b *capture.Batch) {
	e.Conn = *x.parser.conn
	e.Number = x.number
	e.Protocol = capture.ProtocolHTTP1
	e.Version = x.version
	e.HasRequest = x.hasRequest
	text := b.Text(x.text)
	part := func(s span) []byte {
		if s.n == 0 {
			return nil
		}
		return text[s.at : s.at+s.n : s.at+s.n]
	}
	e.Method, e.Target, e.Host = part(x.method), part(x.target), part(x.host)
	e.UserAgent, e.TraceParent, e.TraceState = part(x.agent), part(x.parent), part(x.state)
	if len(x.headers) > 0 {
		hs := x.parser.pool.headers[:0]
		for _, h := range x.headers {
			hs = append(hs, capture.Header{Name: h.name, Value: x.bytes(h.value)})
		}
		x.parser.pool.headers = hs
		e.RequestHeaders = b.Headers(hs[:x.requestHeaders])
		e.ResponseHeaders = b.Headers(hs[x.requestHeaders:])
	}
	e.Status, e.Interim = int(x.status), int(x.interim)
	e.RequestStart, e.RequestEnd, e.ResponseStart, e.ResponseEnd = x.requestStart, x.requestEnd, x.responseStart, x.responseEnd
	e.Ended = max(x.failed, x.requestEnd, x.responseEnd)
	e.RequestBody, e.ResponseBody = x.requestBody, x.responseBody
	e.RequestWire, e.ResponseWire = x.requestWire, x.responseWire
	e.Error, e.Incomplete, e.LostBytes = x.err, x.incomplete, x.lost
	e.Cause, e.Announced = x.cause, x.announced
	if e.Cause == capture.CauseNone && unseen(x.incomplete) {
		e.Cause = causeUnseen(x.incomplete)
	}
	e.PassedOn = x.parent.n > 0 && e.Conn.Calling() && x.passedOn()
	if q := x.parser.quality; q != nil && x.hasRequest {
		e.Path = q.Since(&x.begin, e.Conn.Role)
		if x.opened {
			e.Path.Connect = q.Connect()
		}
	}
}

// received reports whether x is a request to this network namespace, or to the
// application beside a mesh's proxy.
func (x *exchange) received() bool {
	c := x.parser.conn
	return c.Role == capture.RoleServer || c.Client.Passthrough()
}

// mostBetween is how many exchanges may begin between a request and the call that
// passes its traceparent on.
const mostBetween = 64

// passedOn reports whether x has the trace and parent id of a request that was
// received shortly before it and is not over.
func (x *exchange) passedOn() bool {
	ids := traceIDs(x.bytes(x.parent))
	if ids == nil {
		return false
	}
	y := x.older
	for range mostBetween {
		if y == nil {
			return false
		}
		if y.received() && y.parent.n > 0 && bytes.Equal(ids, traceIDs(y.bytes(y.parent))) {
			return true
		}
		y = y.older
	}
	return false
}

// traceIDs returns the trace-id and the parent-id of a traceparent (W3C Trace
// Context, section 3.2.2), between a version of two digits and the flags.
func traceIDs(parent []byte) []byte {
	const first, last = len("00"), len("00-") + 32 + len("-") + 16
	if len(parent) < last {
		return nil
	}
	return parent[first:last]
}

// measure notes how the connection of x, whose request begins, did so far.
func (p *Parser) measure(x *exchange) {
	if p.quality != nil && p.pool.book.Batch != nil {
		x.begin, x.opened = *p.quality, !p.later
		p.later = true
	}
}
