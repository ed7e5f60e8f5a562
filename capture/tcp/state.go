package tcp

import (
	"math"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// counted counts a packet of a side.
func (t *Table) counted(c *conn, from capture.Side) {
	c.sides[from].packets++
	if c.id.OneWay && c.sides[from.Other()].packets > 0 {
		c.id.OneWay = false
	}
}

// stateOf returns the state of a side, as far as packets prove it.
func (c *conn) stateOf(x capture.Side) capture.TCPState {
	s, o := c.both(x)
	if c.why == capture.ReasonReset || c.why == capture.ReasonRefused {
		return capture.StateClosed
	}
	if c.state < stateEstablished {
		switch {
		case !s.has(sawSYN):
			return capture.StateNone
		case s.has(hasAck):
			return capture.StateSynReceived
		}
		return capture.StateSynSent
	}
	// What x received is known by its acknowledgement alone.
	received := o.has(sawFIN) && s.has(hasAck) && after(s.ack, o.fin)
	acked := c.finAcked(x)
	switch {
	case !s.has(sawFIN) && received:
		return capture.StateCloseWait
	case !s.has(sawFIN):
		return capture.StateEstablished
	case s.has(closedSecond) && acked:
		return capture.StateClosed
	case s.has(closedSecond):
		return capture.StateLastAck
	case received && acked:
		return capture.StateTimeWait
	case received:
		return capture.StateClosing
	case acked:
		return capture.StateFinWait2
	}
	return capture.StateFinWait1
}

// finAcked reports whether the other side acknowledged x's FIN.
func (c *conn) finAcked(x capture.Side) bool {
	s, o := c.both(x)
	return s.has(sawFIN) && o.has(hasAck) && after(o.ack, s.fin)
}

// countOpen counts c under the state of its local side. Where that has said
// nothing yet, it is that of the other side.
func (t *Table) countOpen(c *conn) {
	local := capture.Server
	if c.id.Role == capture.RoleClient {
		local = capture.Client
	}
	now := c.stateOf(local)
	if now == capture.StateNone {
		now = c.stateOf(local.Other())
	}
	if now == c.counted || c.state == stateClosed || c.why != capture.ReasonNone {
		return
	}
	open := &t.book.TCP.Open[c.id.Role]
	if c.counted != capture.StateNone {
		open[c.counted]--
	}
	if c.counted = now; now != capture.StateNone {
		open[now]++
	}
}

// countClosed ends the counting of c.
func (t *Table) countClosed(c *conn) {
	if c.counted != capture.StateNone {
		t.book.TCP.Open[c.id.Role][c.counted]--
		c.counted = capture.StateNone
	}
}

// turn notes that from speaks after the other side had spoken last.
func (c *conn) turn(from capture.Side, now capture.Time) {
	c.lastFrom = from
	if from == capture.Client && !c.sides[capture.Server].has(sawFIN) {
		c.rest(now)
	}
}

// rest notes how long nobody had spoken.
func (c *conn) rest(now capture.Time) {
	c.pause = uint16(min(c.spoke.since(now)/pauseUnit, 1<<16-1))
}

// idle is how long nobody had spoken when the client last began to,
// or when the server had closed.
func (c *conn) idle() time.Duration { return time.Duration(c.pause) * pauseUnit }

// outstanding is how many bytes of x's payload are not acknowledged.
func (c *conn) outstanding(x capture.Side) uint64 {
	s, o := c.both(x)
	if !s.has(hasSeq) || !o.has(hasAck) || s.has(softSeq) || !after(s.end, o.ack) {
		return 0
	}
	return uint64(s.end - o.ack)
}

// acknowledged returns how many bytes of x that were handed on are acknowledged.
func (c *conn) acknowledged(x capture.Side) uint64 {
	s, o := c.both(x)
	if waiting := uint64(s.nxt - o.ack); after(s.nxt, o.ack) {
		return s.off - min(s.off, waiting)
	}
	return s.off
}

// race reports whether a RST of from answers a request that met the end of a
// connection kept alive: the server had spoken before, acknowledges nothing of
// what the client sent since, and nobody had said anything for a while, or the
// server had closed when the client did not yet know. What crosses its end at
// once, or comes long after it from a client that does not look at what it keeps,
// may be a goodbye (as TLS has) unless it is known for a request. RFC 9112,
// section 9.5: "A client, server, or proxy MAY close the transport connection at
// any time."
func (t *Table) race(c *conn, from capture.Side, p *capture.Packet) bool {
	cl, sv := &c.sides[capture.Client], &c.sides[capture.Server]
	if from != capture.Server || c.state < stateEstablished || c.lastFrom != capture.Client ||
		sv.off == 0 || !sv.has(hasAck) || cl.has(softSeq) || !after(cl.end, sv.ack) {
		return false
	}
	if p.TCP.Flags.Has(capture.ACK) && diff(p.TCP.Ack, sv.ack) > 0 {
		return false // the request arrived
	}
	if c.marks&crossed == 0 && sv.has(sawFIN) && !c.carries() {
		return false
	}
	return c.idle() >= idleAfter || c.marks&crossed != 0 && c.carries()
}

// whyFailed tells why c was never established.
func (c *conn) whyFailed(byICMP bool) capture.Cause {
	switch {
	case byICMP:
		return capture.CauseRejected
	case c.why == capture.ReasonRefused:
		return capture.CauseRefused
	case c.why == capture.ReasonReset && c.lastFrom == capture.Client:
		return capture.CauseAbandonedByClient
	case c.why == capture.ReasonReset:
		return capture.CauseAbandonedByServer
	case c.state == stateSynSent:
		return capture.CauseNoAnswer
	case c.marks&bothSYN != 0 && c.answers == 0:
		return capture.CauseSimultaneousFailed
	case c.answers > 1:
		return capture.CauseSYNACKUnanswered
	}
	return capture.CauseUnfinished
}

// endMark is the Mark with which a side ends.
func (c *conn) endMark(from capture.Side, at capture.Time) capture.Mark {
	s := &c.sides[from]
	m := capture.Mark{Time: at, Offset: s.off}
	if s.has(hasAck) {
		m.Acked = c.sides[from.Other()].acked(s.ack)
	}
	return m
}

// received returns up to which offset of the server's stream the client has, as
// far as is known, what was sent, after nobody said anything for that long.
func (c *conn) received(silent time.Duration) uint64 {
	cl, sv := &c.sides[capture.Client], &c.sides[capture.Server]
	if !cl.has(hasAck) || c.arrived(silent) {
		return math.MaxUint64
	}
	return sv.acked(cl.ack)
}

// hit returns the exchange in flight on c, whose client has received the server's
// stream up to that offset. Its text is kept in b.
func hit(c *conn, received uint64, b *capture.Batch) (h capture.Hit) {
	var parent []byte
	h.Number, parent = c.inFlight(received)
	h.TraceParent = b.Text(parent)
	return h
}

// ignored tells what a segment was that did not fit.
func ignored(p *capture.Packet) capture.Ignored {
	switch f := p.TCP.Flags; {
	case f.Has(capture.RST):
		return capture.IgnoredReset
	case f.Has(capture.SYN):
		return capture.IgnoredSYN
	case f.Has(capture.FIN):
		return capture.IgnoredFIN
	case p.PayloadLen > 0:
		return capture.IgnoredData
	}
	return capture.IgnoredACK
}
