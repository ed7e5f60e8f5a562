package tcp

import (
	"time"

	"github.com/wiretell/wiretell/capture"
)

// reset follows a RST. One that is not acceptable changes nothing but a
// counter. What it carries (RFC 9293, section 3.5.3: "diagnostic data") is not
// part of the stream.
func (t *Table) reset(c *conn, from capture.Side, p *capture.Packet) {
	if c.state == stateClosed {
		t.afterEnd(c, from, p)
		return
	}
	exact, within := t.acceptable(c, from, p)
	if !within {
		t.ignore(p)
		return
	}
	led := &t.book.Ledger
	if p.PayloadLen > 0 {
		led[capture.SegmentOutOfRange]++
		led[capture.BytesOutOfRange] += uint64(p.PayloadLen)
	} else {
		led[capture.SegmentControl]++
	}
	if !exact {
		t.doubt(c, from, p)
		return
	}
	t.endReset(c, from, p, t.clock.Sub(c.seen))
}

// endReset ends c by the RST p, before which it was silent for that long.
func (t *Table) endReset(c *conn, from capture.Side, p *capture.Packet, silent time.Duration) {
	if r := t.rareIf(c); r != nil {
		r.rst.at = 0 // an earlier one was right, or does not matter any more
	}
	t.counted(c, from)
	c.enough(from, p)
	phase, received := c.phase(silent, t.unanswered(c)), c.received(silent)
	c.id.Race = t.race(c, from, p)
	c.lastFrom = from
	c.id.EndedBy = capture.EndedBySide(from)
	t.book.TCP.Resets[p.Direction][phase]++
	if c.state < stateEstablished {
		why := capture.ReasonReset
		if c.state == stateSynSent && from == capture.Server {
			why = capture.ReasonRefused
		}
		t.finish(c, why, true)
		return
	}
	t.countPort(c).Resets++
	if c.sides[0].has(ended) && c.sides[1].has(ended) {
		t.finish(c, capture.ReasonFIN, true)
		return
	}
	if b := t.book.Batch; b != nil {
		e := b.ConnReset()
		e.Conn, e.At, e.By, e.Phase = c.id, p.Time, from, phase
		e.Age = max(p.Time.Sub(c.id.Start), 0)
		if c.id.Race {
			e.Idle = c.idle()
		}
		for side := range c.sides {
			e.Unacknowledged[side] = c.outstanding(capture.Side(side))
		}
		e.Hit = hit(c, received, b)
	}
	t.finish(c, capture.ReasonReset, true)
}

// enough takes what a client acknowledges as it resets: one that has what it wanted,
// as a load balancer's check of health, often does so with the response in the same
// breath, and then nothing is in flight. A RST that answers a segment has no ACK
// (RFC 9293, section 3.5.2).
func (c *conn) enough(from capture.Side, p *capture.Packet) {
	s, o := c.both(from)
	if from != capture.Client || !p.TCP.Flags.Has(capture.ACK) || !s.has(hasAck) || !o.has(hasSeq) {
		return
	}
	last := o.end
	if o.has(sawFIN) {
		last = o.fin + 1
	}
	if after(p.TCP.Ack, s.ack) && !after(p.TCP.Ack, last) {
		s.ack = p.TCP.Ack
	}
}

// acceptable reports whether a RST belongs to the connection: exact when it is
// sure to end it, within when its number is at least in the window.
func (t *Table) acceptable(c *conn, from capture.Side, p *capture.Packet) (exact, within bool) {
	s, o := c.both(from)
	seq, ack := p.TCP.Seq, p.TCP.Ack
	if !s.has(hasSeq) {
		// RFC 9293, section 3.5.3: "In the SYN-SENT state (a RST received in
		// response to an initial SYN), the RST is acceptable if the ACK field
		// acknowledges the SYN."
		exact = p.TCP.Flags.Has(capture.ACK) && o.has(hasSeq) && after(ack, o.nxt-uint32(o.off)-1) && !after(ack, o.end)
		return exact, exact
	}
	// RFC 5961, section 3.2: a RST resets the connection only when its number "exactly
	// matches the next expected sequence number", which is from what the other side
	// acknowledged to the end of what s sent.
	first := s.nxt
	if o.has(hasAck) && before(o.ack, first) {
		first = o.ack
	}
	last := s.end
	if before(last, s.nxt) {
		last = s.nxt
	}
	if o.has(hasAck) && after(o.ack, last) {
		last = o.ack
	}
	window := last + max(o.window(), 1)
	switch {
	case s.has(softSeq): // what it sent is not known
		last = window
	case s.has(sawFIN) && last == s.fin:
		last++
	}
	if before(seq, first) {
		return false, false
	}
	return !after(seq, last), !after(seq, window)
}

// doubtTime is how long a RST in doubt waits for somebody to speak.
const doubtTime = 3 * time.Second

// pendingRST is a RST in doubt: its number is in the window, but beyond what its
// sender is known to have sent. It is forged (RFC 5961, section 3.2), or follows
// payload that was not captured. A host that does not take it answers at once
// ("MUST send an acknowledgment (challenge ACK)"), and one that did not send it
// goes on. So it is believed when neither side says anything more.
type pendingRST struct {
	at       capture.Time // by the table's clock; 0 when there is none
	time     capture.Time
	heard    [2]uint32 // segments of both sides until then
	seq, ack uint32
	flags    capture.Flags
	way      capture.Direction
	from     capture.Side
}

// doubt keeps a RST that is in doubt, the first of several.
func (t *Table) doubt(c *conn, from capture.Side, p *capture.Packet) {
	if t.hasPendingRST(c) {
		return
	}
	d := &t.rareOf(c).rst
	*d = pendingRST{at: max(t.clock, 1), time: p.Time, seq: p.TCP.Seq, ack: p.TCP.Ack, flags: p.TCP.Flags, way: p.Direction, from: from}
	for side := range c.sides {
		d.heard[side] = c.sides[side].packets
	}
	if c.list >= listWheel {
		t.schedule(c)
	}
}

func (t *Table) hasPendingRST(c *conn) bool {
	r := t.rareIf(c)
	return r != nil && r.rst.at != 0
}

// settleRST believes the RST of c that is in doubt, which ends c, or drops it. It
// reports whether c has ended.
func (t *Table) settleRST(c *conn) bool {
	if !t.hasPendingRST(c) {
		return false
	}
	r := t.rareIf(c)
	d := r.rst
	s, o := c.both(d.from)
	// The other side may acknowledge what was not captured.
	reached := o.has(hasAck) && o.ack == d.seq
	if s.packets != d.heard[d.from] || o.packets != d.heard[d.from.Other()] && !reached {
		r.rst.at = 0
		t.book.TCP.Ignored[d.way][capture.IgnoredReset]++
		return false
	}
	p := capture.Packet{Time: d.time, Direction: d.way}
	p.TCP.Seq, p.TCP.Ack, p.TCP.Flags = d.seq, d.ack, d.flags
	t.endReset(c, d.from, &p, max(d.at.Sub(c.seen), 0))
	return true
}

// finish ends c: what was held is handed on after its gaps, both sides end, and
// what is known of the connection is stated. With remember it is remembered for a
// while. When a Handler panics within, finish goes on where it was as it is
// called again.
func (t *Table) finish(c *conn, why capture.Reason, remember bool) {
	t.cur = c
	if c.why == capture.ReasonNone && t.settleRST(c) {
		return
	}
	if c.why == capture.ReasonNone {
		c.why = why
		if remember {
			c.marks |= keep
		}
	}
	for from := capture.Client; from <= capture.Server; from++ {
		t.drain(c, from)
		t.reachFIN(c, from)
		s := &c.sides[from]
		if s.has(ended) {
			continue
		}
		s.flags |= ended
		if c.handler != nil {
			c.handler.End(c.endMark(from, t.last), from, c.why)
		}
	}
	t.state(c)
	t.forgetHandler(c)
	t.cur = nil
	if c.marks&keep == 0 {
		t.remove(c)
		return
	}
	c.state = stateClosed
	c.seen = t.clock
	t.append(c, listClosed)
	if t.lists[listClosed].n > t.cfg.MaxClosed {
		t.remove(t.at(t.lists[listClosed].head))
	}
}

// drain hands on what is held of from, and gives up what is missing.
func (t *Table) drain(c *conn, from capture.Side) {
	s, o := c.both(from)
	for h := t.holeOf(c, from); h != nil && h.head >= 0; h = t.holeOf(c, from) {
		if s.has(ended) {
			p := t.pop(h)
			t.book.Ledger[capture.BytesLive] -= uint64(len(p.data))
			t.book.Ledger[capture.BytesOutOfRange] += uint64(len(p.data))
			if p.counts {
				t.book.Ledger[capture.SegmentsLive]--
				t.book.Ledger[capture.SegmentOutOfRange]++
			}
			continue
		}
		t.giveUp(c, from, t.pieces.all[h.head].seq)
	}
	t.closeHole(c, from)
	if s.has(ended) || !s.has(hasSeq) {
		return
	}
	switch {
	case s.has(sawFIN):
		t.skip(c, from, s.fin)
	case o.has(hasAck) && diff(o.ack, s.nxt) > 1:
		// An acknowledgement of one more is that of a FIN that was not captured.
		t.skip(c, from, o.ack)
	}
}

// state writes down how c ended.
func (t *Table) state(c *conn) {
	led, b := &t.book.Ledger, t.book.Batch
	account := c.account()
	led[capture.ConnsLive]--
	led[account]++
	t.endStalls(c)
	t.countClosed(c)
	if account == capture.ConnsFailed {
		t.book.TCP.Connections[c.id.Role][c.why]++
		t.countPort(c).Failed++
		if b != nil {
			e := b.ConnFailed()
			e.Conn, e.At, e.Why, e.Attempts = c.id, t.last, c.why, int(c.attempts)
			e.Elapsed = max(t.last.Sub(c.id.Start), 0)
			e.Cause, e.Answers, e.SYNData = c.whyFailed(t.failedBy != nil), int(c.answers), 0
			if r := t.rareIf(c); r != nil {
				e.SYNData = r.synData
			}
			if t.failedBy != nil {
				e.ICMP, e.HasICMP, e.From = t.failedBy.Header, true, t.failedBy.From
			}
		}
		return
	}
	if c.id.OneWay && c.marks&proved != 0 {
		t.countPort(c).OneWay[sideIf(c.sides[capture.Client].packets > 0)]++
	}
	// A flood of SYNs that is evicted is counted, and no more.
	if b = t.book.Full(); b == nil || c.marks&proved == 0 && c.handler == nil && c.why == capture.ReasonEvicted {
		return
	}
	e := b.ConnClosed()
	e.Conn, e.At, e.Why, e.Established = c.id, t.last, c.why, c.marks&proved != 0
	for i := range c.sides {
		s := &c.sides[i]
		e.Bytes[i] = s.off - s.gapBytes
		e.Packets[i], e.GapBytes[i] = uint64(s.packets), s.gapBytes
	}
	c.describe(&t.strains, e)
	e.States = [2]capture.TCPState{c.stateOf(capture.Client), c.stateOf(capture.Server)}
}
