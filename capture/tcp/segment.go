package tcp

import (
	"github.com/wiretell/wiretell/capture"
)

// Segment follows one decoded TCP packet. p and its payload are only used
// during the call. After a panic of a Handler came out of it, [Table.Abandon]
// is called; the segment itself is done with.
func (t *Table) Segment(p *capture.Packet) {
	t.advance(p.Time)
	led := &t.book.Ledger
	n := p.PayloadLen
	led[capture.BytesSeen] += uint64(n)
	if t.grew || t.strains.grew {
		t.hold(p)
		t.relieve()
		t.placing = false
	}
	if p.BadChecksum {
		led[capture.SegmentBadChecksum]++
		led[capture.BytesBadChecksum] += uint64(n)
		return
	}
	// Packets come in trains: the connection is often that of the last one.
	c, from, same := t.recent, capture.Client, false
	if c != nil {
		from, same = c.sender(&p.Flow)
	}
	if !same {
		h := t.hash(&p.Flow)
		if c, from = t.find(h, &p.Flow); c == nil {
			t.first(p, h)
			return
		}
		t.recent = c
	}
	s, o := c.both(from)
	// The usual case: the next bytes, or nothing but an acknowledgement of what
	// was seen, on a connection without holes.
	if c.state != stateEstablished || c.holes != 0 || p.TCP.Flags&^capture.PSH != capture.ACK ||
		p.TCP.Seq != s.nxt || len(p.Payload) != n || uint32(o.nxt-p.TCP.Ack) > farAway || !s.has(hasAck) || !s.has(hasSeq) {
		t.unusual(c, from, p, c.hash)
		return
	}
	c.seen = t.clock
	s.packets++
	t.acknowledge(c, from, p)
	if n == 0 {
		led[capture.SegmentControl]++
		return
	}
	s.flags &^= softSeq
	t.countData(c, from, n)
	t.measureData(c, from, p, s.nxt, uint32(n))
	mark := capture.Mark{Time: p.Time, Offset: s.off, Acked: o.acked(p.TCP.Ack)}
	s.nxt += uint32(n)
	s.off += uint64(n)
	led[capture.SegmentInOrder]++
	t.deliver(c, from, mark, p.Payload)
}

// unusual follows a segment of a known connection that may be anything:
//
//  1. it is checked that the segment can belong to the connection;
//  2. SYN, RST and ACK are looked at, and the FIN is noted;
//  3. the payload is put in order;
//  4. what that settles is done: gaps, held pieces, ends.
func (t *Table) unusual(c *conn, from capture.Side, p *capture.Packet, h uint32) {
	f := p.TCP.Flags
	t.cur = c
	switch {
	case f.Has(capture.RST):
		t.reset(c, from, p)
		return
	case f.Has(capture.SYN):
		t.synAgain(c, from, p, h)
		return
	case c.state == stateClosed:
		t.afterEnd(c, from, p)
		return
	}
	if !t.plausible(c, from, p.TCP.Seq, uint32(p.PayloadLen)) {
		t.ignore(p)
		return
	}
	t.accept(c, from, p, p.TCP.Seq)
}

// accept follows a segment that belongs to c. seq is the number of its first
// byte of payload.
func (t *Table) accept(c *conn, from capture.Side, p *capture.Packet, seq uint32) {
	s := &c.sides[from]
	t.quiet = t.clock.Sub(c.seen)
	c.seen = t.clock
	t.counted(c, from)
	n := uint32(p.PayloadLen)
	if c.holes != 0 {
		for side := capture.Client; side <= capture.Server; side++ {
			if h := t.holeOf(c, side); h != nil {
				h.packets++
			}
		}
	}
	if !s.has(hasSeq) {
		s.start(seq)
		if n == 0 {
			s.flags |= softSeq // a number without payload may be anything
		}
	}
	if p.TCP.Flags.Has(capture.ACK) {
		t.acknowledge(c, from, p)
	}
	if c.state < stateEstablished {
		t.progress(c, from, p)
	}
	if c.list == listHalfOpen {
		t.append(c, listHalfOpen) // keeps the list in order
	}
	if p.TCP.Flags.Has(capture.FIN) {
		switch again := s.has(sawFIN) && seq == s.fin; {
		case n > 0:
		case again && t.copied(c, from, p, seq+1):
			t.book.TCP.Ignored[p.Direction][capture.IgnoredCopy]++
		case again:
			t.countResent(c, from, p, t.kind(c, from, seq, seq+1))
		}
		t.remember(c, from, p, seq+n+1)
		t.noteFIN(c, from, seq+n)
		if n == 0 && s.has(sawFIN) && s.fin == seq && after(seq, s.end) {
			s.end = seq // what goes before the FIN was sent, though not captured
		}
	}
	if n == 0 {
		t.book.Ledger[capture.SegmentControl]++
		t.probed(c, from, p)
	} else {
		t.data(c, from, p, seq)
	}
	if c.state != stateEstablished || c.counted != capture.StateEstablished {
		t.countOpen(c)
	}
	t.settle(c)
}

// plausible reports whether a segment can belong to from's stream. What was
// sent before is; what lies ahead must lie within what the receiver's window
// allows, reckoned generously, since the window that the sender went by may not
// have been captured.
func (t *Table) plausible(c *conn, from capture.Side, seq, n uint32) bool {
	s, o := c.both(from)
	if !s.has(hasSeq) {
		return true
	}
	if diff(seq, s.nxt) <= 0 {
		return diff(s.nxt, seq) < farAway
	}
	base := s.nxt
	if o.has(hasAck) && after(o.ack, base) {
		base = o.ack
	}
	limit := reach(o)
	if o.packets == 0 {
		limit = oneSidedReach
	}
	if diff(seq, base) <= limit {
		s.farRun = 0
		return true
	}
	// When the capture lost so much that the stream itself moved away, its
	// segments continue each other; what was forged hardly does.
	if n > 0 && s.farRun > 0 && seq == s.farNext {
		s.farRun++
	} else {
		s.farRun = 1
	}
	s.farNext = seq + n
	s.flags &^= pendingSYN
	if s.farRun <= maxFarRun {
		return false
	}
	s.farRun = 0
	t.placing, t.unplaced = true, int(n)
	for before(s.nxt, seq) {
		t.giveUp(c, from, seq)
	}
	t.placing = false
	return true
}

// maxFarRun is how many implausible segments that continue each other are
// ignored before the next one is believed.
const maxFarRun = 3

// oneSidedReach is how far a stream may jump of which the other direction is
// not captured.
const oneSidedReach = 16 << 20

// reach is how far ahead of what o acknowledged its peer may be.
func reach(o *side) int32 {
	return int32(min(max(2*uint64(o.window()), 1<<20), farAway))
}

// ignore counts a segment whose numbers do not fit.
func (t *Table) ignore(p *capture.Packet) {
	t.book.TCP.Ignored[p.Direction][ignored(p)]++
	t.book.Ledger[capture.SegmentOutOfRange]++
	t.book.Ledger[capture.BytesOutOfRange] += uint64(p.PayloadLen)
}

// afterEnd counts a segment of a connection that has ended.
func (t *Table) afterEnd(c *conn, from capture.Side, p *capture.Packet) {
	led, s, n := &t.book.Ledger, &c.sides[from], uint32(p.PayloadLen)
	switch {
	case n == 0:
		led[capture.SegmentControl]++
	case c.why == capture.ReasonReset && from == c.lastFrom && p.TCP.Seq == s.nxt:
		// Who had reset the connection would send no more: the RST was not its
		// own, and the connection lives.
		t.revive(c, p)
	case s.has(hasSeq) && !after(p.TCP.Seq+n, s.nxt) && diff(s.nxt, p.TCP.Seq) < farAway:
		led[capture.SegmentDuplicate]++
		led[capture.BytesDuplicate] += uint64(n)
	default:
		led[capture.SegmentNoState]++
		led[capture.BytesNoState] += uint64(n)
	}
}

// countData counts a packet with payload on its port.
func (t *Table) countData(c *conn, from capture.Side, n int) {
	port := t.countPort(c)
	if from == capture.Client {
		port.FromClient.Add(1, n)
	} else {
		port.FromServer.Add(1, n)
	}
}

// deliver hands b on. The caller has done all its own accounting.
func (t *Table) deliver(c *conn, from capture.Side, mark capture.Mark, b []byte) {
	t.book.Ledger[capture.BytesDelivered] += uint64(len(b))
	t.cur = c
	if c.lastFrom != from {
		c.turn(from, t.clock)
	}
	c.spoke = tickOf(t.clock)
	if c.handler == nil {
		t.begin(c, from, mark)
	}
	c.handler.Data(mark, from, b)
}

// begin has a Handler opened for c, whose first payload is at hand, and tells
// it what went before: bytes that were missed, a side that has ended.
func (t *Table) begin(c *conn, from capture.Side, mark capture.Mark) {
	c.handler = t.open(&c.id, &c.quality, t.countPort(c))
	t.begun++
	t.grew = true
	for side := capture.Client; side <= capture.Server; side++ {
		s := &c.sides[side]
		missed := s.off
		if side == from {
			missed = mark.Offset
		}
		if missed > 0 {
			why := capture.ReasonGap
			if s.gapBytes == 0 {
				why = capture.ReasonTruncated
			}
			c.handler.Gap(capture.Mark{Time: mark.Time}, side, int(missed), why)
		}
		if s.has(ended) {
			c.handler.End(c.endMark(side, mark.Time), side, capture.ReasonFIN)
		}
	}
}

// hold notes that p is in no account yet.
func (t *Table) hold(p *capture.Packet) { t.placing, t.unplaced = true, p.PayloadLen }

// Abandon replaces the Handler that panicked by h, or keeps it when h is nil,
// and completes what the panic interrupted. It is to be called after every
// recovered panic that came out of [Table.Segment], [Table.Tick],
// [Table.Flush], [Table.ICMPError] or Abandon itself.
func (t *Table) Abandon(h capture.Handler) {
	if t.placing {
		t.placing = false
		t.book.Ledger[capture.BytesRefused] += uint64(t.unplaced)
		if t.unplaced > 0 {
			t.book.Ledger[capture.SegmentRefused]++
		} else {
			t.book.Ledger[capture.SegmentControl]++
		}
	}
	c := t.cur
	if c == nil {
		return
	}
	if h != nil {
		c.handler = h
	}
	if c.why != capture.ReasonNone {
		t.finish(c, c.why, c.marks&keep != 0)
		return
	}
	t.settle(c)
}
