package tcp

import (
	"time"

	"github.com/wiretell/wiretell/capture"
)

const (
	// reorderWindow is within what time a segment that fills a hole is held to be
	// out of order, and not sent again, when nothing else tells.
	reorderWindow = 3 * time.Millisecond
	// leastRTO is the silence beyond a round trip that tells a retransmission
	// timeout. RFC 6298, section 2.4 has a second at least, Linux 200 ms.
	leastRTO = 180 * time.Millisecond
)

// episode is why a side is sending again.
type episode uint8

const (
	episodeNone episode = iota
	episodeFast         // fast recovery (RFC 6582, RFC 6675)
	episodeLoss         // after a timeout: slow start goes over all that is outstanding (RFC 5681, section 3.1)
)

// again follows a segment of which some was sent before, or that lies before
// what was: it is a probe, out of order, sent again, or a copy.
func (t *Table) again(c *conn, from capture.Side, p *capture.Packet, seq, n uint32) (copied bool) {
	s, o := c.both(from)
	end := seq + n
	switch {
	case p.TCP.Flags.Has(capture.SYN): // counted as such
		return false
	case n == 1 && end == s.end && o.has(hasAck) && !before(o.ack, end):
		return false // a keep-alive probe, RFC 9293, section 3.8.4
	case n == 1 && o.has(winZero) && seq == o.ack:
		return false // the probe of a window of 0 once more
	case s.has(probing) && seq+1 == s.end:
		s.flags &^= probing
		s.end = end // what the probe began
		s.time(end, p)
		return false
	case t.outOfOrder(c, from, p, seq):
		t.book.TCP.OutOfOrder[p.Direction]++
		t.strains.of(c)[from].outOfOrder++
	case !after(end, s.end) && t.copied(c, from, p, end):
		t.book.TCP.Ignored[p.Direction][capture.IgnoredCopy]++
		t.remember(c, from, p, end)
		return true
	default:
		kind := t.kind(c, from, seq, end)
		t.countResent(c, from, p, kind)
		if kind != capture.RetransmitSpurious {
			s.retime(end, p)
		}
	}
	t.remember(c, from, p, end)
	if after(end, s.end) {
		s.end = end
	}
	return false
}

// copied reports whether p, which ends before end, is a segment that was captured
// before. It is if it has the print of the one whose time is taken; on a connection
// with such a one, that of any that was captured since. Where those do not go back
// far enough any segment is that comes again at once, without anybody having
// missed it.
func (t *Table) copied(c *conn, from capture.Side, p *capture.Packet, end uint32) bool {
	s := &c.sides[from]
	if s.rttAt == 0 || s.rttSeq != end {
		if c.marks&doubled == 0 {
			return false
		}
		yes, known := t.echoes.has(c, from, p, end)
		if known || t.quiet >= plainCopyWindow {
			return yes
		}
		st := t.strains.find(c)
		return st == nil || st[from].episode == episodeNone && !(st[from.Other()].hasSACK && after(st[from.Other()].sacked, end))
	}
	was := print{s.rttSeq, s.rttTS, s.rttID}
	if printOf(p, end) != was || !was.fresh(p.Time.Sub(s.rttAt)) {
		return false
	}
	t.double(c, p.Time)
	return true
}

// outOfOrder reports whether the segment, whose first byte has number seq, was
// sent before others that were captured before it, and not again. It must fill
// a hole. Then its timestamp may tell when it was sent; else whether there was
// time to send it again: not before the side could hear of the hole.
func (t *Table) outOfOrder(c *conn, from capture.Side, p *capture.Packet, seq uint32) bool {
	s, o := c.both(from)
	h := t.holeOf(c, from)
	if h == nil || before(seq, s.nxt) {
		return false
	}
	elapsed := t.clock.Sub(h.since)
	for i := h.head; i >= 0; i = t.pieces.all[i].next {
		later := &t.pieces.all[i]
		if !after(later.end(), seq) {
			continue
		}
		if !after(later.seq, seq) {
			return false // it was captured before
		}
		if later.hasTS && p.TCP.HasTimestamps && later.ts != p.TCP.TSVal {
			return before(p.TCP.TSVal, later.ts)
		}
		elapsed = p.Time.Sub(later.time)
		break
	}
	if rtts := c.quality.RTTs[from.Other()]; rtts > 0 && elapsed < time.Duration(o.rttMin)*rttUnit {
		return true
	}
	return elapsed < reorderWindow && !t.evidence(c, from, seq)
}

// evidence reports whether the other side of from has said that what begins at
// seq is missing: by three duplicate acknowledgements (RFC 5681, section 3.2)
// or by a selective one of what follows (RFC 6675, section 5).
func (t *Table) evidence(c *conn, from capture.Side, seq uint32) bool {
	if c.sides[from.Other()].dupAcks >= 3 {
		return true
	}
	st := t.strains.find(c)
	return st != nil && st[from.Other()].hasSACK && after(st[from.Other()].sacked, seq)
}

// overtake reports whether what begins at seq was sent before a segment that was
// sent again and that ack, the highest of the other side's, tells to have arrived:
// what RACK takes for lost without any word of what follows (RFC 8985, section 6.2).
func (s *sideStrain) overtake(ack, seq uint32) bool {
	if s.hasAgain && !before(ack, s.again) {
		s.overtaken, s.hasOvertaken, s.hasAgain = s.sentThen, true, false
	}
	return s.hasOvertaken && after(s.overtaken, seq)
}

// kind tells why the segment from seq to end is sent again.
func (t *Table) kind(c *conn, from capture.Side, seq, end uint32) capture.RetransmitKind {
	o := &c.sides[from.Other()]
	if o.has(hasAck) && !after(end, o.ack) {
		return capture.RetransmitSpurious // it was acknowledged before
	}
	e := &t.strains.of(c)[from]
	overtaken := e.overtake(o.ack, seq)
	if !e.hasAgain {
		e.hasAgain, e.again, e.sentThen = true, end, c.sides[from].end
	}
	if e.episode != episodeNone && !before(o.ack, e.until) {
		e.episode = episodeNone
	}
	silent := leastRTO
	if c.quality.RTTs[from.Other()] > 0 {
		silent += time.Duration(o.rttMin) * rttUnit
	}
	switch {
	case e.episode == episodeLoss:
		return capture.RetransmitTimeout
	case t.quiet < silent && (e.episode == episodeFast || overtaken || t.evidence(c, from, seq)):
		if e.episode == episodeNone {
			e.episode, e.until = episodeFast, c.sides[from].end
		}
		return capture.RetransmitFast
	case o.has(hasAck) && seq == o.ack && before(end, c.sides[from].end):
		// A loss probe (RFC 8985, section 7) sends the last segment again instead,
		// and is no such episode.
		e.episode, e.until = episodeLoss, c.sides[from].end
	}
	return capture.RetransmitTimeout
}

// countResent counts a segment of from that was sent again.
func (t *Table) countResent(c *conn, from capture.Side, p *capture.Packet, kind capture.RetransmitKind) {
	t.book.TCP.Retransmits[p.Direction][kind]++
	c.quality.Resent++
	c.quality.ResentBytes += uint64(p.PayloadLen)
	s := &t.strains.of(c)[from]
	s.resent[kind]++
	s.way = p.Direction
	if kind == capture.RetransmitFast || kind == capture.RetransmitTimeout {
		s.unproved++
	}
}

// needless notes the proof that a segment of from need not have been sent again.
func (t *Table) needless(c *conn, from capture.Side, proof capture.Proof) {
	if st := t.strains.find(c); st != nil && st[from].unproved > 0 {
		st[from].unproved--
		st[from].needless++
		t.book.TCP.Needless[st[from].way][proof]++
	}
}

// selective follows the selective acknowledgements of from (RFC 2018).
func (t *Table) selective(c *conn, from capture.Side, p *capture.Packet) {
	o, ack := &c.sides[from.Other()], p.TCP.Ack
	blocks := p.TCP.SACK[:min(int(p.TCP.SACKs), len(p.TCP.SACK))]
	// RFC 2883, section 4: the first block tells of a duplicate when it lies
	// before what is acknowledged, or within the second.
	if b := blocks[0]; before(b[0], b[1]) && (!after(b[1], ack) ||
		len(blocks) > 1 && !before(b[0], blocks[1][0]) && !after(b[1], blocks[1][1])) {
		t.needless(c, from.Other(), capture.ProofDSACK)
		blocks = blocks[1:]
	}
	for _, b := range blocks {
		if !before(b[0], b[1]) || !after(b[0], ack) || after(b[1], o.end) {
			continue // it tells of nothing that was sent and is outstanding
		}
		s := &t.strains.of(c)[from]
		if !s.hasSACK || after(b[1], s.sacked) || !after(s.sacked, ack) {
			s.hasSACK, s.sacked = true, b[1]
		}
	}
}
