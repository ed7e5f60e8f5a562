package tcp

import "github.com/wiretell/wiretell/capture"

// ICMPError joins an ICMP error to the live connection whose segment it quotes:
// it fills e.Conn. quoted is the flow of that segment and seq its sequence
// number, when the quotation holds one. A connection that is not answered yet
// fails with e.Why, when that names an error.
//
// RFC 5927, section 4.1: "TCP should check that the TCP sequence number
// contained in the payload of the ICMP error message is within the range
// SND.UNA =< SEG.SEQ < SND.NXT." What does not fit changes nothing.
func (t *Table) ICMPError(quoted capture.Flow, seq uint32, hasSeq bool, e *capture.ICMPError) {
	if !hasSeq {
		return
	}
	t.advance(e.At)
	c, from := t.find(t.hash(&quoted), &quoted)
	if c == nil || c.state == stateClosed && !c.turnedAway() {
		return
	}
	if !c.sides[from].inFlight(&c.sides[from.Other()], seq) {
		t.book.TCP.Ignored[e.Direction][capture.IgnoredICMP]++
		return
	}
	e.Conn = c.id
	if c.state == stateClosed {
		return
	}
	if b := t.book.Batch; b != nil {
		e.Hit = hit(c, c.received(t.clock.Sub(c.seen)), b)
	}
	if c.state == stateSynSent && from == capture.Client && e.Why != capture.ReasonNone {
		t.failedBy = e
		t.finish(c, e.Why, true)
		t.failedBy = nil
	}
}

// turnedAway reports whether c was never established, by an ICMP error. Linux
// may send its SYN again nevertheless: an error that comes while connect(2) is
// still at work is only remembered (tcp_v4_err, sock_owned_by_user).
func (c *conn) turnedAway() bool {
	return c.marks&proved == 0 && c.why != capture.ReasonRefused && c.why != capture.ReasonReset
}

// inFlight reports whether a segment of s with number seq was sent and not yet
// acknowledged by o.
func (s *side) inFlight(o *side, seq uint32) bool {
	if s.flags&hasSeq == 0 {
		return false
	}
	first := s.nxt - uint32(s.off)
	if s.has(sawSYN) {
		first-- // the SYN has a number too
	}
	if o.has(hasAck) && after(o.ack, first) {
		first = o.ack
	}
	last := s.end
	if s.has(sawFIN) && !before(s.fin, last) {
		last = s.fin + 1
	}
	return !before(seq, first) && before(seq, last)
}
