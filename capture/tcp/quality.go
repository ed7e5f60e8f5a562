package tcp

import (
	"time"

	"github.com/wiretell/wiretell/capture"
)

// rttUnit is the resolution at which a connection's extremes are kept.
const rttUnit = 100 * time.Nanosecond

// ackDelay is how much longer than the shortest round trip the acknowledgement
// of a single segment may take to be held to have come at once. RFC 9293,
// section 3.8.6.3: it may wait for half a second; in Linux for 40 ms or more.
const ackDelay = 35 * time.Millisecond

// acknowledge follows the acknowledgement and the window of a segment that
// belongs to c.
func (t *Table) acknowledge(c *conn, from capture.Side, p *capture.Packet) {
	s, o := c.both(from)
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
	if d > 0 && !t.mayAcknowledge(c, s, o, p) || d < -farAway {
		return
	}
	stale := false // came late: what it says of the window no longer holds
	switch {
	case !s.has(hasAck) || after(ack, s.ack):
		s.ack = ack
		s.flags |= hasAck
		s.dupAcks = 0
		if o.has(timing) && !before(ack, o.rttSeq) {
			if p.PayloadLen > 0 && !o.has(retimed) {
				o.flags &^= timing // see sample
			} else {
				t.sample(c, from.Other(), p)
			}
		}
	case ack == s.ack:
		stale = before(p.TCP.Seq, s.end)
		// RFC 5681, section 2: a duplicate acknowledgement is one where data is
		// outstanding, the segment carries none, SYN and FIN are off, and
		// acknowledgement number and window are those of the last one. What
		// answers the probe of a window of 0 is none.
		if p.PayloadLen == 0 && p.TCP.Flags&(capture.SYN|capture.FIN) == 0 && after(o.end, ack) &&
			p.TCP.Window == s.win && s.win != 0 && c.state >= stateEstablished && c.marks&doubled == 0 {
			t.book.TCP.DuplicateAcks[p.Direction]++
			t.strains.of(c)[from].duplicate++
			if s.dupAcks < 255 {
				s.dupAcks++
			}
		}
	case c.holes != 0 && p.PayloadLen > 0 && p.TCP.Seq == s.nxt:
		// Acknowledgements of new data never go back: the higher one was not s's.
		h := t.holeOf(c, from.Other())
		if stale = h == nil || h.head >= 0; !stale {
			s.ack, h.acked = ack, false
		}
	default:
		stale = true
	}
	if p.TCP.SACKs > 0 {
		t.selective(c, from, p)
	}
	// RFC 9293, section 3.10.7.4, tells by SND.WL1 and SND.WL2 that "old segments"
	// do not update the window; s.end and s.ack stand for those.
	if !stale {
		if p.TCP.Window == 0 || s.flags&(winZero|winFull) != 0 {
			t.pressure(c, from, p)
		}
		s.win = p.TCP.Window
	}
	if d > 0 && !(o.has(sawFIN) && o.nxt == o.fin) && after(s.ack, o.nxt) {
		t.openHole(c, from.Other())
	}
}

// mayAcknowledge reports whether s can have been sent what it acknowledges with p
// although that was not captured.
func (t *Table) mayAcknowledge(c *conn, s, o *side, p *capture.Packet) bool {
	base := o.end
	if s.has(hasAck) && after(s.ack, base) {
		base = s.ack
	}
	limit := reach(s)
	switch {
	case c.state < stateEstablished:
		limit = 1<<16 - 1 // nothing but the first flight can be missing
	case p.PayloadLen > 0 && p.TCP.Seq == s.nxt:
		limit = max(limit, oneSidedReach) // the next bytes of s are hardly forged: the capture lost that much
	}
	return diff(p.TCP.Ack, base) <= limit
}

// time begins to measure how long the acknowledgement of what is before end
// takes.
func (s *side) time(end uint32, p *capture.Packet) {
	s.note(end, p)
	s.flags = s.flags&^retimed | timing
}

// note remembers the segment that ends before end.
func (s *side) note(end uint32, p *capture.Packet) {
	s.rttSeq, s.rttAt, s.rttTS, s.rttID = end, p.Time, p.TCP.TSVal, p.ID
}

// retime does the same for a segment that is sent again. Karn's algorithm (RFC
// 6298, section 3): "RTT samples MUST NOT be made using segments that were
// retransmitted", but for timestamps, which tell what is acknowledged (RFC
// 7323, section 4.1).
func (s *side) retime(end uint32, p *capture.Packet) {
	s.flags &^= timing | retimed
	s.note(end, p)
	if p.TCP.HasTimestamps {
		s.flags |= timing | retimed
	}
}

// sample notes how long a segment of from took to be acknowledged, by p. Only
// what the receiver's host acknowledged at once tells of the network: not what
// was acknowledged together with the application's answer, nor what may have
// waited for a second segment.
func (t *Table) sample(c *conn, from capture.Side, p *capture.Packet) {
	s, q := &c.sides[from], &c.quality
	again := s.has(retimed)
	s.flags &^= timing | retimed
	if again && (!p.TCP.HasTimestamps || p.TCP.TSEcr != s.rttTS) {
		// RFC 3522, section 3.2: what is acknowledged is the segment as it was
		// first sent. Where there are selective acknowledgements they will tell.
		if o := &c.sides[from.Other()]; p.TCP.HasTimestamps && before(p.TCP.TSEcr, s.rttTS) && o.has(synSeen) && !o.has(sackOK) {
			t.needless(c, from, capture.ProofTimestamps)
		}
		return
	}
	if p.PayloadLen > 0 {
		return
	}
	d := max(p.Time.Sub(s.rttAt), 0)
	u := uint32(min(d/rttUnit, 1<<32-1))
	switch {
	case q.RTTs[from] == 0 || u < s.rttMin:
		s.rttMin = u
	case p.TCP.Ack == s.rttSeq && d > time.Duration(s.rttMin)*rttUnit+ackDelay:
		return
	}
	s.rttMax = max(s.rttMax, u)
	q.RTTSum[from] += uint64(d)
	q.RTTs[from]++
}

// measureData learns from a segment with payload what it tells of the path, and
// reports whether it is a copy of one before.
func (t *Table) measureData(c *conn, from capture.Side, p *capture.Packet, seq, n uint32) (copied bool) {
	s, o := c.both(from)
	if before(seq, s.end) {
		return t.again(c, from, p, seq, n)
	}
	s.end = seq + n
	if c.marks&doubled != 0 {
		t.remember(c, from, p, s.end)
	}
	if !s.has(timing) {
		s.time(s.end, p)
	}
	if s.end-o.ack >= o.window() {
		t.fill(c, from, p, n)
	}
	return false
}

// rtt returns the figures of the side that faces the network.
func (c *conn) rtt() (least, mean, most time.Duration) {
	side := c.quality.Facing(c.id.Role)
	s, n := &c.sides[side], c.quality.RTTs[side]
	if n == 0 {
		return 0, 0, 0
	}
	return time.Duration(s.rttMin) * rttUnit, time.Duration(c.quality.RTTSum[side] / uint64(n)), time.Duration(s.rttMax) * rttUnit
}
