package tcp

import (
	"github.com/wiretell/wiretell/capture"
)

// hole is what a side has while bytes before the next ones to be handed on are
// missing: the early pieces, in order and without overlap, and since when.
type hole struct {
	head, tail int32 // pieces; -1 when there are none
	count      int   // pieces
	bytes      int   // bytes in them
	since      capture.Time
	acked      bool         // the other side acknowledged missing bytes
	ackedAt    capture.Time // since when
	packets    int          // packets of the connection since then
}

// piece is an early segment or a part of one.
type piece struct {
	next int32
	seq  uint32
	cut  uint32 // bytes after data that the capture cut
	// counts says that the piece stands for its segment in the ledger; of a
	// segment in several pieces one does.
	counts bool
	time   capture.Time
	ts     uint32 // the segment's timestamp value, when hasTS
	hasTS  bool
	acked  uint64
	data   []byte
}

func (p *piece) end() uint32 { return p.seq + uint32(len(p.data)) + p.cut }

// holeOf returns from's hole, nil when it has none. It is valid until the next
// hole is opened.
func (t *Table) holeOf(c *conn, from capture.Side) *hole {
	if c.holes&(1<<from) == 0 {
		return nil
	}
	return &t.holes.all[c.sides[from].hole]
}

// openHole returns from's hole, noting it when it is new.
func (t *Table) openHole(c *conn, from capture.Side) *hole {
	if h := t.holeOf(c, from); h != nil {
		return h
	}
	i := t.holes.take()
	t.grew = true
	c.sides[from].hole = i
	c.holes |= 1 << from
	h := &t.holes.all[i]
	*h = hole{head: -1, tail: -1, since: t.clock}
	if c.list >= listWheel {
		t.schedule(c)
	}
	return h
}

// closeHole forgets from's hole, which holds no pieces.
func (t *Table) closeHole(c *conn, from capture.Side) {
	if c.holes&(1<<from) == 0 {
		return
	}
	t.holes.give(c.sides[from].hole)
	c.holes &^= 1 << from
}

// room reports whether an early segment of n bytes may be stored.
func (t *Table) room(c *conn, from capture.Side, n uint32) bool {
	if int(n) > t.cfg.MaxBufferedPerSide || !t.pool.fits(int(n)) || t.tooManyPieces() {
		return false
	}
	h := t.holeOf(c, from)
	return h == nil || h.count < t.cfg.MaxSegmentsPerSide && h.bytes+int(n) <= t.cfg.MaxBufferedPerSide
}

// tooManyPieces reports whether no piece may be added. Those whose bytes the
// capture cut take no buffer, so that the pool alone does not bound them.
func (t *Table) tooManyPieces() bool {
	return len(t.pieces.all)-len(t.pieces.free) >= t.cfg.MaxBuffered>>minSize
}

// untilHeld returns the first sequence number of from's pieces, at most end.
func (t *Table) untilHeld(c *conn, from capture.Side, end uint32) uint32 {
	if h := t.holeOf(c, from); h != nil && h.head >= 0 {
		if first := t.pieces.all[h.head].seq; before(first, end) {
			return first
		}
	}
	return end
}

// store stores what of a lies at and after the number at and is in no piece
// yet.
func (t *Table) store(c *conn, from capture.Side, a *arrival, at uint32) {
	if at == a.end {
		return
	}
	h := t.openHole(c, from)
	prev, next := int32(-1), h.head
	if h.tail >= 0 && !before(at, t.pieces.all[h.tail].end()) {
		prev, next = h.tail, -1
	}
	counts := len(a.inPlace.data) == 0
	for before(at, a.end) {
		if next >= 0 {
			p := &t.pieces.all[next]
			if !after(p.end(), at) {
				prev, next = next, p.next
				continue
			}
			if !after(p.seq, at) { // held already
				at = p.end()
				continue
			}
		}
		to := a.end
		if next >= 0 && before(t.pieces.all[next].seq, to) {
			to = t.pieces.all[next].seq
		}
		fresh := a.cutOut(at, to)
		i := t.keep(h, at, fresh, a)
		if i < 0 {
			a.refused += fresh.wire
		} else {
			if len(fresh.data) > 0 {
				t.pieces.all[i].counts, counts = counts, false
			}
			t.link(h, i, prev, next)
			prev = i
			a.held += fresh.wire
			a.heldData += len(fresh.data)
		}
		at = to
	}
}

// keep copies a part into a new piece; -1 when there is no room.
func (t *Table) keep(h *hole, seq uint32, f part, a *arrival) int32 {
	if t.tooManyPieces() || h.count >= t.cfg.MaxSegmentsPerSide || h.bytes+len(f.data) > t.cfg.MaxBufferedPerSide {
		return -1
	}
	data, ok := t.pool.get(f.data)
	if !ok {
		return -1
	}
	i := t.pieces.take()
	t.grew = true
	t.pieces.all[i] = piece{next: -1, seq: seq, cut: f.wire - uint32(len(f.data)), time: a.mark.Time, acked: a.mark.Acked, data: data,
		ts: a.ts, hasTS: a.hasTS}
	h.count++
	h.bytes += len(data)
	return i
}

// link puts piece i between prev and next.
func (t *Table) link(h *hole, i, prev, next int32) {
	t.pieces.all[i].next = next
	if prev >= 0 {
		t.pieces.all[prev].next = i
	} else {
		h.head = i
	}
	if next < 0 {
		h.tail = i
	}
}

// pop takes the first piece out of h. Its data is valid until something is
// stored again.
func (t *Table) pop(h *hole) piece {
	i := h.head
	p := t.pieces.all[i]
	if h.head = p.next; h.head < 0 {
		h.tail = -1
	}
	h.count--
	h.bytes -= len(p.data)
	t.pool.put(p.data)
	t.pieces.give(i)
	return p
}

// holeSlab hands out holes by index and takes them back.
type holeSlab struct {
	all  []hole
	free []int32
}

func (s *holeSlab) take() int32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	s.all = append(s.all, hole{})
	return int32(len(s.all) - 1)
}

func (s *holeSlab) give(i int32) { s.free = append(s.free, i) }

// pieceSlab hands out pieces by index and takes them back.
type pieceSlab struct {
	all  []piece
	free []int32
}

func (s *pieceSlab) take() int32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	s.all = append(s.all, piece{})
	return int32(len(s.all) - 1)
}

func (s *pieceSlab) give(i int32) {
	s.all[i].data = nil
	s.free = append(s.free, i)
}
