package tcp

import (
	"time"

	"github.com/wiretell/wiretell/capture"
)

// rttUnit is the resolution at which a connection's extremes are kept.
const rttUnit = 100 * time.Nanosecond

// reorderWindow is within what time a segment that fills a hole is held to be
// out of order, and not sent again.
const reorderWindow = 3 * time.Millisecond

// acknowledge follows the acknowledgement and the window of a segment that
// belongs to c.
func (t *Table) acknowledge(c *conn, from capture.Side, p *capture.Packet) {
	s, o := &c.sides[from], &c.sides[from.Other()]
	ack := p.TCP.Ack
	if !o.has(hasSeq) {
		// Whatever o sent before, it goes on here.
		o.start(ack)
		o.flags |= softSeq
	}
	if c.state < stateEstablished && o.has(pendingSYN) && ack == o.farNext && o.off == 0 {
		// Of several answers to the SYN this is the one that the client took.
		o.start(ack)
		o.flags &^= pendingSYN
	}
	d := diff(ack, o.nxt)
	if d > 0 && !t.mayAcknowledge(c, s, o, ack) || d < -farAway {
		return
	}
	switch {
	case !s.has(hasAck) || after(ack, s.ack):
		s.ack = ack
		s.flags |= hasAck
		s.dupAcks = 0
		if o.has(timing) && !before(ack, o.rttSeq) {
			o.sample(p.Time.Sub(o.rttAt))
		}
	case ack == s.ack:
		// RFC 5681, section 2: a duplicate acknowledgement is one where data is
		// outstanding, the segment carries none, SYN and FIN are off, and
		// acknowledgement number and window are those of the last one.
		if p.PayloadLen == 0 && p.TCP.Flags&(capture.SYN|capture.FIN) == 0 && after(o.end, ack) &&
			p.TCP.Window == s.win && c.state >= stateEstablished {
			t.book.TCP.DuplicateAcks[p.Direction]++
			if s.dupAcks < 255 {
				s.dupAcks++
			}
		}
	case c.holes != 0 && p.PayloadLen > 0 && p.TCP.Seq == s.nxt:
		// Acknowledgements of new data never go back: the higher one was not s's.
		if h := t.holeOf(c, from.Other()); h != nil && h.head < 0 {
			s.ack, h.acked = ack, false
		}
	}
	t.offer(s, p)
	if d > 0 && !(o.has(sawFIN) && o.nxt == o.fin) && after(s.ack, o.nxt) {
		t.openHole(c, from.Other())
	}
}

// mayAcknowledge reports whether s can have been sent what it acknowledges
// although that was not captured.
func (t *Table) mayAcknowledge(c *conn, s, o *side, ack uint32) bool {
	base := o.end
	if s.has(hasAck) && after(s.ack, base) {
		base = s.ack
	}
	limit := reach(s)
	if c.state < stateEstablished {
		limit = 1<<16 - 1 // nothing but the first flight can be missing
	}
	return diff(ack, base) <= limit
}

// offer follows the window that s offers.
func (t *Table) offer(s *side, p *capture.Packet) {
	if p.TCP.Window == 0 && s.win != 0 {
		t.book.TCP.ZeroWindow[p.Direction]++
	}
	s.win = p.TCP.Window
}

// sample notes a round-trip time from the segments of s.
func (s *side) sample(d time.Duration) {
	s.flags &^= timing
	d = max(d, 0)
	u := uint32(min(d/rttUnit, 1<<32-1))
	if s.rttN == 0 || u < s.rttMin {
		s.rttMin = u
	}
	s.rttMax = max(s.rttMax, u)
	s.rttSum += uint64(d)
	s.rttN++
}

// time begins to measure how long the acknowledgement of what is before end
// takes.
func (s *side) time(end uint32, at capture.Time) {
	s.rttSeq, s.rttAt = end, at
	s.flags |= timing
}

// measureData learns from a segment with payload what it tells of the path.
func (t *Table) measureData(c *conn, from capture.Side, p *capture.Packet, seq, n uint32) {
	s, o := &c.sides[from], &c.sides[from.Other()]
	end := seq + n
	if !before(seq, s.end) { // new
		if !s.has(timing) {
			s.time(end, p.Time)
		}
		s.end = end
		return
	}
	if seq == s.nxt-1 && n == 1 {
		return // a keep-alive probe, RFC 9293, section 3.8.4
	}
	h := t.holeOf(c, from)
	if h != nil && !before(seq, s.nxt) && o.dupAcks < 3 && t.clock.Sub(h.since) < reorderWindow {
		t.book.TCP.OutOfOrder[p.Direction]++
	} else {
		// Karn's algorithm (RFC 6298, section 3): "RTT samples MUST NOT be made
		// using segments that were retransmitted".
		s.flags &^= timing
		s.retrans++
		kind := capture.RetransmitTimeout
		switch {
		case o.has(hasAck) && !after(end, o.ack):
			kind = capture.RetransmitSpurious // it was acknowledged before
		case o.dupAcks >= 3: // RFC 5681, section 3.2
			kind = capture.RetransmitFast
		}
		t.book.TCP.Retransmits[p.Direction][kind]++
	}
	if after(end, s.end) {
		s.end = end
	}
}

// rtt returns the figures of the side that faces the network: the local one's
// segments cross it and come back acknowledged. Where nobody is local, or both
// are, it is the side whose acknowledgements take longer.
func (c *conn) rtt() (least, mean, most time.Duration) {
	cl, sv := &c.sides[capture.Client], &c.sides[capture.Server]
	s := cl
	switch {
	case c.id.Role == capture.RoleServer:
		s = sv
	case c.id.Role == capture.RoleClient:
	case cl.rttN == 0 || sv.rttN > 0 && sv.rttMin > cl.rttMin:
		s = sv
	}
	if s.rttN == 0 {
		return 0, 0, 0
	}
	return time.Duration(s.rttMin) * rttUnit, time.Duration(s.rttSum / uint64(s.rttN)), time.Duration(s.rttMax) * rttUnit
}
