package tls

import "github.com/wiretell/wiretell/capture"

// tellHello states the hello that s has read, and goes on to its other records.
func (c *conn) tellHello(at capture.Mark, from capture.Side, s *side) {
	h := s.hello
	if h.typ == msgClientHello {
		c.port.ClientHellos++
		c.open, c.asked = c.sides[capture.Server].state != stateDone, at.Time
	} else {
		c.port.ServerHellos++
		c.open = false
	}
	if b := c.pool.book.Batch; b != nil {
		t := b.TLSHello()
		t.Conn, t.At, t.From = *c.conn, at.Time, from
		t.Version, t.ECH = h.version, h.ech
		t.SNI, t.ALPN = b.Text(h.sni[:h.sniLen]), b.Text(h.alpn[:h.alpnLen])
		t.Retry = c.retry
	}
	c.forget(s)
	s.state = stateRecords
}

// helloV2 reads a version 2 hello, of which the header is enough: it has no
// extensions. The rest is passed over.
func (c *conn) helloV2(at capture.Mark, from capture.Side, s *side) {
	version, n, ok := v2Hello(s.header[:])
	if !ok {
		c.refuse(at, from, s)
		return
	}
	c.v2 = true
	c.port.ClientHellos++
	c.open, c.asked = c.sides[capture.Server].state != stateDone, at.Time
	if b := c.pool.book.Batch; b != nil {
		t := b.TLSHello()
		t.Conn, t.At, t.From, t.Version = *c.conn, at.Time, from, version
	}
	s.state, s.left = stateRecords, uint16(n-v2Header)
}

// tellMidway states, once, that the connection was joined past its hellos.
func (c *conn) tellMidway(at capture.Mark, from capture.Side) {
	if c.told {
		return
	}
	c.told = true
	if b := c.pool.book.Batch; b != nil {
		t := b.TLSHello()
		t.Conn, t.At, t.From, t.Midstream = *c.conn, at.Time, from, true
	}
}

// tellAlert states the alert that lies in s.header.
func (c *conn) tellAlert(at capture.Mark, from capture.Side, s *side) {
	level, description := s.header[0], s.header[1]
	if level != alertWarning && level != alertFatal || s.state == stateChain {
		return
	}
	if b := c.pool.book.Batch; b != nil {
		t := b.TLSAlert()
		t.Conn, t.At, t.From = *c.conn, at.Time, from
		t.Level, t.Description = level, description
	}
	if s.alerts++; s.alerts == maxAlerts {
		c.done(s)
	}
}

// refuse deals with bytes that are no record where one must begin.
func (c *conn) refuse(at capture.Mark, from capture.Side, s *side) {
	c.open = c.open && from == capture.Client
	switch {
	case c.v2, // the rest may be version 2, which is not followed
		s.state == stateChain, s.state == stateStart && c.conn.Midstream: // there was no proof yet
		c.done(s)
	case s.state == stateHello && s.hello.started():
		c.fault(at, from, s, capture.ReasonBadHello)
	default:
		// A server that answers a ClientHello in the clear, or a side that
		// leaves TLS again.
		c.fault(at, from, s, capture.ReasonSwitchedProtocol)
	}
}

// fault states that s broke the rules; it is not read any more.
func (c *conn) fault(at capture.Mark, from capture.Side, s *side, why capture.Reason) {
	c.open = c.open && from == capture.Client
	c.port.ParseErrors[why]++
	if b := c.pool.book.Batch; b != nil {
		e := b.ParseError()
		e.Conn, e.At, e.From = *c.conn, at.Time, from
		e.Protocol, e.Why, e.Offset = capture.ProtocolTLS, why, at.Offset
	}
	c.done(s)
}

// done ends the reading of s.
func (c *conn) done(s *side) {
	c.forget(s)
	s.state = stateDone
}

// forget gives the parser of s back.
func (c *conn) forget(s *side) {
	if s.hello != nil {
		c.pool.release(s.hello)
		s.hello = nil
	}
}
