package tcp

import (
	"github.com/wiretell/wiretell/capture"
)

// data puts the payload of p, whose first byte has number seq, into from's
// stream:
//
//  1. while there is no room to store an early segment, the oldest hole is
//     given up as a gap;
//  2. what lies before the next byte was seen before, or its place was given up;
//  3. what lies beyond a hole is stored, around the pieces that are there;
//  4. what begins at the next byte, up to the first early piece, is handed on
//     in place, as the last step.
//
// So of two copies of a byte the one that was captured first wins.
func (t *Table) data(c *conn, from capture.Side, p *capture.Packet, seq uint32) {
	s, led := &c.sides[from], &t.book.Ledger
	n := uint32(p.PayloadLen)
	s.rebase(seq, n)
	if over := s.beyondFIN(seq, n); over > 0 {
		led[capture.BytesOutOfRange] += uint64(over)
		if n -= over; n == 0 {
			t.countData(c, from, p.PayloadLen)
			led[capture.SegmentOutOfRange]++
			return
		}
	}
	t.sentAgain(c, from, p, seq, n)
	if sv := &c.sides[capture.Server]; from == capture.Client && sv.has(sawFIN) && !after(p.TCP.Ack, sv.fin) {
		c.marks |= crossed
	}
	if copied := t.measureData(c, from, p, seq, n); !copied {
		t.countData(c, from, p.PayloadLen)
	}
	t.placing, t.unplaced = true, int(n)
	for after(seq, s.nxt) && !t.room(c, from, n) {
		t.giveUp(c, from, seq)
	}
	t.placing = false

	a := arrival{seq: seq, end: seq + n, payload: p.Payload[:min(len(p.Payload), int(n))], mark: capture.Mark{Time: p.Time},
		ts: p.TCP.TSVal, hasTS: p.TCP.HasTimestamps}
	if p.TCP.Flags.Has(capture.ACK) && s.has(hasAck) {
		ack := p.TCP.Ack
		if after(ack, s.ack) {
			ack = s.ack // it was not believed
		}
		a.mark.Acked = c.sides[from.Other()].acked(ack)
	}
	at := seq
	if old := diff(s.nxt, seq); old > 0 {
		k := min(uint32(old), n)
		if s.givenUp(seq) {
			a.late = k
		}
		at += k
	}
	if at == s.nxt {
		a.inPlace = a.cutOut(at, t.untilHeld(c, from, a.end))
	}
	t.store(c, from, &a, at+a.inPlace.wire)
	a.account(led)
	if a.inPlace.wire == 0 {
		return
	}
	a.mark.Offset = s.off
	s.nxt += a.inPlace.wire
	s.off += uint64(a.inPlace.wire)
	t.handOver(c, from, a.mark, a.inPlace.data, a.inPlace.wire)
}

// arrival is a segment with payload on its way into the stream.
type arrival struct {
	seq, end uint32 // on the wire
	payload  []byte // what was captured of it
	mark     capture.Mark
	ts       uint32 // timestamp value, when hasTS
	hasTS    bool
	inPlace  part
	late     uint32 // bytes whose place was given up as a gap
	held     uint32 // bytes on the wire that were stored
	heldData int    // captured bytes that were stored
	refused  uint32 // bytes for which there was no room
}

// part is a range of an arrival.
type part struct {
	wire uint32 // bytes on the wire
	data []byte // the captured ones, at the beginning
}

// cutOut returns the part between two sequence numbers.
func (a *arrival) cutOut(from, to uint32) part {
	n := uint32(len(a.payload))
	return part{wire: to - from, data: a.payload[min(from-a.seq, n):min(to-a.seq, n)]}
}

// account puts every byte of a, and the segment itself, into one account each.
// What is handed on in place is counted as delivered when that is done.
func (a *arrival) account(led *capture.Ledger) {
	n := a.end - a.seq
	fresh := a.inPlace.wire + a.held + a.refused
	led[capture.BytesLate] += uint64(a.late)
	led[capture.BytesRefused] += uint64(a.refused)
	led[capture.BytesDuplicate] += uint64(n - fresh - a.late)
	led[capture.BytesLive] += uint64(a.heldData)
	led[capture.BytesCut] += uint64(a.inPlace.wire+a.held) - uint64(len(a.inPlace.data)+a.heldData)
	var e capture.Entry
	switch {
	case fresh == 0 && a.late > 0:
		e = capture.SegmentLate
	case fresh == 0:
		e = capture.SegmentDuplicate
	case fresh == a.refused:
		e = capture.SegmentRefused
	case len(a.inPlace.data)+a.heldData == 0:
		e = capture.SegmentCut
	case len(a.inPlace.data) == 0:
		e = capture.SegmentsLive // the piece that counts moves it on
	case fresh < n:
		e = capture.SegmentOverlap
	default:
		e = capture.SegmentInOrder
	}
	led[e]++
}

// rebase moves the beginning of a stream whose SYN was not seen down to the
// first payload, which may have been captured after its acknowledgement. A
// single byte is a keep-alive probe and no beginning; what has ended has none.
func (s *side) rebase(seq, n uint32) {
	if !s.has(softSeq) {
		return
	}
	if d := diff(s.nxt, seq); s.off == 0 && d > 0 && d < 1<<20 && n > 1 && !s.has(ended) {
		s.nxt, s.end = seq, seq
	}
	s.flags &^= softSeq
}

// beyondFIN returns how many of n bytes from seq lie after the FIN, where
// nothing can be.
func (s *side) beyondFIN(seq, n uint32) uint32 {
	if !s.has(sawFIN) || !after(seq+n, s.fin) {
		return 0
	}
	return min(n, seq+n-s.fin)
}

// givenUp reports whether the byte before nxt with number seq was never seen:
// its place was skipped, or lies before where the stream was joined.
func (s *side) givenUp(seq uint32) bool {
	if uint64(s.nxt-seq) > s.off {
		return !s.has(sawSYN) && s.nxt-seq > 1
	}
	return s.gapLen > 0 && seq-s.gapAt < s.gapLen
}

// handOver hands bytes on that were seen, and the cut that follows them.
// Ledger and stream position are done.
func (t *Table) handOver(c *conn, from capture.Side, mark capture.Mark, b []byte, wire uint32) {
	if len(b) > 0 {
		t.deliver(c, from, mark, b)
	}
	if cut := int(wire) - len(b); cut > 0 && c.handler != nil {
		mark.Offset += uint64(len(b))
		c.handler.Gap(mark, from, cut, capture.ReasonTruncated)
	}
}

// skip gives up the bytes before to: they are a gap.
func (t *Table) skip(c *conn, from capture.Side, to uint32) {
	s, led := &c.sides[from], &t.book.Ledger
	n := to - s.nxt
	if n == 0 {
		return
	}
	mark := capture.Mark{Time: t.last, Offset: s.off}
	led[capture.Gaps]++
	led[capture.GapBytes] += uint64(n)
	port := t.countPort(c)
	port.Gaps++
	port.GapBytes += uint64(n)
	s.gapBytes += uint64(n)
	if s.gapLen > 0 && s.gapAt+s.gapLen == s.nxt {
		s.gapLen += n
	} else {
		s.gapAt, s.gapLen = s.nxt, n
	}
	s.nxt = to
	s.off += uint64(n)
	if after(to, s.end) {
		s.end = to
	}
	s.flags &^= timing | softSeq
	if c.handler != nil {
		t.cur = c
		c.handler.Gap(mark, from, int(n), capture.ReasonGap)
	}
}

// giveUp gives up the first hole before limit, and hands on what follows it.
func (t *Table) giveUp(c *conn, from capture.Side, limit uint32) {
	to := limit
	if h := t.holeOf(c, from); h != nil && h.head >= 0 {
		if first := t.pieces.all[h.head].seq; before(first, limit) {
			to = first
		}
	}
	t.skip(c, from, to)
	t.handOn(c, from)
}

// handOn hands on the pieces that are early no more.
func (t *Table) handOn(c *conn, from capture.Side) {
	s, led := &c.sides[from], &t.book.Ledger
	for {
		h := t.holeOf(c, from)
		if h == nil || h.head < 0 || t.pieces.all[h.head].seq != s.nxt {
			return
		}
		p := t.pop(h)
		h.acked, h.since = false, t.clock
		led[capture.BytesLive] -= uint64(len(p.data))
		if p.counts {
			led[capture.SegmentsLive]--
			led[capture.SegmentDelayed]++
		}
		mark := capture.Mark{Time: p.time, Offset: s.off, Acked: p.acked}
		wire := p.end() - p.seq
		s.nxt += wire
		s.off += uint64(wire)
		t.handOver(c, from, mark, p.data, wire)
	}
}

// settle does what a packet or the time decided: pieces are handed on, holes
// become gaps, FINs that were reached end their side, and two of them the
// connection.
func (t *Table) settle(c *conn) {
	if c.holes == 0 && c.state < stateClosing {
		return // nothing is held, and nobody has sent a FIN
	}
	for from := capture.Client; from <= capture.Server; from++ {
		if c.holes&(1<<from) != 0 {
			t.handOn(c, from)
			for {
				to, due := t.gapDue(c, from)
				if !due {
					break
				}
				t.holeExpired(c, from, to)
				t.giveUp(c, from, to)
			}
		}
		t.reachFIN(c, from)
	}
	cl, sv := &c.sides[capture.Client], &c.sides[capture.Server]
	if cl.has(ended) && sv.has(ended) && after(cl.ack, sv.fin) && after(sv.ack, cl.fin) {
		t.finish(c, capture.ReasonFIN, true)
	}
}

// gapDue reports whether from's first hole is to be given up now, and up to
// where. A hole that is none any more is closed.
func (t *Table) gapDue(c *conn, from capture.Side) (to uint32, due bool) {
	s, o, h := &c.sides[from], &c.sides[from.Other()], t.holeOf(c, from)
	bounded := true
	switch {
	case h.head >= 0:
		to = t.pieces.all[h.head].seq
	case s.has(sawFIN) && after(s.fin, s.nxt):
		to = s.fin
	default:
		bounded = false
	}
	acked := o.has(hasAck) && after(o.ack, s.nxt) && !(s.has(sawFIN) && s.nxt == s.fin)
	if !bounded && !acked {
		t.closeHole(c, from)
		return 0, false
	}
	if t.clock.Sub(h.since) >= t.cfg.GapTimeout {
		if !bounded {
			to = o.ack
		}
		return to, true
	}
	if !acked {
		return 0, false
	}
	if !h.acked {
		h.acked, h.ackedAt, h.packets = true, t.clock, 0
	}
	if !bounded || before(o.ack, to) {
		to = o.ack
	}
	n := t.cfg.ReorderPackets
	return to, h.packets >= n || h.packets >= n/2 && t.clock.Sub(h.ackedAt) >= t.cfg.ReorderTime
}

// noteFIN notes that from's stream ends at seq.
func (t *Table) noteFIN(c *conn, from capture.Side, seq uint32) {
	s := &c.sides[from]
	if s.has(sawFIN) || c.state < stateEstablished || before(seq, s.nxt) {
		return
	}
	if h := t.holeOf(c, from); h != nil && h.tail >= 0 && after(t.pieces.all[h.tail].end(), seq) {
		return // bytes after it were seen
	}
	if from == capture.Server && c.lastFrom == capture.Server {
		c.rest(t.clock)
	}
	s.fin = seq
	s.flags |= sawFIN
	if o := &c.sides[from.Other()]; o.has(sawFIN) {
		if after(s.ack, o.fin) {
			s.flags |= closedSecond
		}
	} else {
		c.id.EndedBy = capture.EndedBySide(from)
	}
	c.state, c.spoke = stateClosing, tickOf(t.clock)
	if seq != s.nxt {
		t.openHole(c, from)
	}
	t.schedule(c)
}

// reachFIN ends from's side when all before its FIN was handed on.
func (t *Table) reachFIN(c *conn, from capture.Side) {
	s := &c.sides[from]
	if !s.has(sawFIN) || s.has(ended) || s.nxt != s.fin {
		return
	}
	s.flags |= ended
	if c.handler != nil {
		t.cur = c
		c.handler.End(c.endMark(from, t.last), from, capture.ReasonFIN)
	}
}
