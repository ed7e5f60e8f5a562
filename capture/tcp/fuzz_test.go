package tcp

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// content is the byte at an offset of a side's stream in fuzzed connections.
func content(from capture.Side, off int) byte {
	x := uint32(off)*2654435761 + uint32(from)*97
	return byte(x >> 24)
}

// oracle is a Handler that knows which bytes were captured, and checks what it
// is told against a naive map of the stream.
type oracle struct {
	t       *testing.T
	sent    [2]map[int]bool // captured at least once
	first   [2]map[int]bool // of the first copy, false where the capture cut it
	got     [2]map[int]bool
	gap     [2]map[int]bool // given up
	next    [2]int
	ended   [2]int
	broken  int // captured bytes that were in a gap
	deliver int
	opened  bool
}

func newOracle(t *testing.T) *oracle {
	o := &oracle{t: t}
	for i := range o.sent {
		o.sent[i], o.first[i], o.got[i], o.gap[i] = map[int]bool{}, map[int]bool{}, map[int]bool{}, map[int]bool{}
	}
	return o
}

func (o *oracle) Data(at capture.Mark, from capture.Side, b []byte) {
	if o.ended[from] > 0 || int(at.Offset) != o.next[from] {
		o.t.Fatalf("%v: %d bytes at %d, want offset %d, ended %d", from, len(b), at.Offset, o.next[from], o.ended[from])
	}
	for i, c := range b {
		off := o.next[from] + i
		if !o.sent[from][off] || c != content(from, off) {
			o.t.Fatalf("%v: byte %d is %d, want %d, captured %v", from, off, c, content(from, off), o.sent[from][off])
		}
		o.got[from][off] = true
	}
	o.next[from] += len(b)
	o.deliver += len(b)
}

func (o *oracle) Gap(at capture.Mark, from capture.Side, n int, why capture.Reason) {
	if o.ended[from] > 0 || int(at.Offset) != o.next[from] || n <= 0 {
		o.t.Fatalf("%v: gap of %d at %d, want offset %d, ended %d", from, n, at.Offset, o.next[from], o.ended[from])
	}
	for off := o.next[from]; off < o.next[from]+n; off++ {
		o.gap[from][off] = true
		if o.first[from][off] {
			o.broken++
		}
	}
	o.next[from] += n
}

func (o *oracle) End(_ capture.Mark, from capture.Side, _ capture.Reason) {
	if o.ended[from]++; o.ended[from] > 1 {
		o.t.Fatalf("%v ended twice", from)
	}
}

// note writes down that bytes are captured while the stream stands at next. The
// first copy of a byte counts.
func (o *oracle) note(from capture.Side, off, n, captured, next int) {
	for i := range n {
		if _, ok := o.first[from][off+i]; !ok && off+i >= next {
			o.first[from][off+i] = i < captured
		}
		if i < captured {
			o.sent[from][off+i] = true
		}
	}
}

// FuzzReassembly plays an operation per four bytes of input on one connection:
// a segment near the edge of a stream (early, late, overlapping, cut), an
// acknowledgement, a FIN, time that passes. Whatever the order, the bytes that
// are handed on are those of the stream, no captured byte is reported as a gap
// or not at all unless it came too late or there was no room, the ledger
// balances, and memory stays bounded.
func FuzzReassembly(f *testing.F) {
	f.Add(uint32(0), []byte("\x00\x00\x10\x10\x00\x00\x10\x10"))
	f.Add(uint32(0xffffffe0), []byte("\x00\x20\x10\x10\x00\x00\x20\x10\x40\x10\x00\x00\x41\x00\x08\x04"))
	rng := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		b := make([]byte, 400)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		f.Add(rng.Uint32(), b)
	}
	f.Fuzz(reassemble)
}

// TestRandom plays random operations, as the fuzz target does.
func TestRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 2))
	for range 300 {
		b := make([]byte, 4*rng.IntN(150))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		reassemble(t, rng.Uint32(), b)
	}
}

func reassemble(t *testing.T, isn uint32, ops []byte) {
	if len(ops) > 2000 {
		return
	}
	r := newRig(t, Config{MaxBuffered: 16 << 10, MaxBufferedPerSide: 4 << 10, MaxSegmentsPerSide: 16})
	o := newOracle(t)
	r.table.open = func(*capture.Conn, *capture.Quality, *capture.PortStats) capture.Handler { o.opened = true; return o }
	isns := [2]uint32{isn, ^isn * 7}
	for _, s := range handshake {
		r.feed(r.packet(s, isns))
	}
	fin := [2]int{1 << 30, 1 << 30}
	for ; len(ops) >= 4; ops = ops[4:] {
		from := capture.Side(ops[0] & 1)
		c := r.table.lone()
		if c == nil {
			break
		}
		off := int(c.sides[from].off) + int(int8(ops[1]))*8 + int(ops[0]>>4)
		off = max(off, 0)
		s := seg{from: from, flags: "A", seq: uint32(off) + 1, after: time.Duration(ops[2]%4) * time.Millisecond}
		// What the other side sent, as far as from acknowledges it.
		s.ack = uint32(max(0, int(c.sides[from.Other()].off)+int(int8(ops[3]))/2)) + 1
		s.ack = max(s.ack, c.sides[from].ack-isns[from.Other()])
		n := int(ops[2])
		switch ops[0] >> 1 & 7 {
		case 0, 1, 2, 3, 4: // payload
			n = min(n, fin[from]-off)
			if n <= 0 {
				continue
			}
			if ops[0]>>1&7 == 4 {
				s.cut = n * int(ops[3]&3) / 4
			}
			b := make([]byte, n)
			for i := range b {
				b[i] = content(from, off+i)
			}
			s.data = string(b)
			o.note(from, off, n, n-s.cut, int(c.sides[from].off))
		case 5: // acknowledgement alone
			s.seq = uint32(c.sides[from].off) + 1
		case 6:
			if fin[from] == 1<<30 && off >= int(c.sides[from].end-isns[from]-1) {
				fin[from] = off
				s.flags = "FA"
			}
		case 7:
			r.tick(time.Duration(n) * 50 * time.Millisecond)
			continue
		}
		r.feed(r.packet(s, isns))
		if o.deliver != int(r.book.Ledger[capture.BytesDelivered]) {
			t.Fatalf("%d bytes handed on, ledger says %d", o.deliver, r.book.Ledger[capture.BytesDelivered])
		}
	}
	r.flush()
	o.balance(&r.book.Ledger)
}

// balance checks, when all is over, that each byte that was not late is handed
// on, in a gap, or counted as refused. A Handler is opened by the first captured
// payload; where none was, what the capture cut is in the ledger alone.
func (o *oracle) balance(led *capture.Ledger) {
	var untold [2]int // bytes of which no Handler heard: cut by the capture, captured
	for from := range o.first {
		for off, captured := range o.first[from] {
			switch {
			case o.got[from][off] || o.gap[from][off]:
			case captured:
				untold[1]++
			default:
				untold[0]++
			}
		}
	}
	refused, cut := int(led[capture.BytesRefused]), int(led[capture.BytesCut])
	if o.broken+untold[1] > refused {
		o.t.Errorf("%d captured bytes are in gaps and %d nowhere, %d were refused", o.broken, untold[1], refused)
	}
	all := untold[0] + untold[1]
	if !o.opened {
		if all < cut || all > cut+refused {
			o.t.Errorf("%d bytes were captured or cut and no Handler opened, ledger says %d cut and %d refused", all, cut, refused)
		}
		return
	}
	if all+o.broken > refused {
		o.t.Errorf("%d bytes are neither handed on nor in a gap, %d captured ones are in gaps, %d were refused", all, o.broken, refused)
	}
	if told, want := o.next[0]+o.next[1], int(led.Sum([]capture.Entry{capture.BytesDelivered, capture.BytesCut, capture.GapBytes})); told != want {
		o.t.Errorf("the Handler was told of %d bytes, ledger says %d delivered, cut or in gaps", told, want)
	}
}

// lone returns the only connection of a table, nil when there is none that lives.
func (t *Table) lone() *conn {
	for _, s := range t.slots {
		if s.index != 0 {
			if c := t.at(int32(s.index - 1)); c.state != stateClosed {
				return c
			}
		}
	}
	return nil
}

// panicker is a Handler that panics now and then.
type panicker struct {
	rng *rand.Rand
	n   int
}

func (p *panicker) maybe() {
	if p.rng != nil && p.rng.IntN(4) == 0 {
		panic("on purpose")
	}
	p.n++
}
func (p *panicker) Data(capture.Mark, capture.Side, []byte)             { p.maybe() }
func (p *panicker) Gap(capture.Mark, capture.Side, int, capture.Reason) { p.maybe() }
func (p *panicker) End(capture.Mark, capture.Side, capture.Reason)      { p.maybe() }

// FuzzSegment gives a table any segments at all, eight bytes of input each,
// with Handlers that panic. Nothing else may, and the ledger balances after
// every step.
func FuzzSegment(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 8 {
		b := make([]byte, 2000)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		f.Add(uint64(1), b)
		f.Add(uint64(2), b)
		f.Add(uint64(0), b)
	}
	flags := []string{"S", "SA", "A", "A", "A", "PA", "FA", "R", "RA", "", "SF", "SFRPA", "F", "P", "A", "A"}
	f.Fuzz(func(t *testing.T, seed uint64, ops []byte) {
		if len(ops) > 8000 {
			return
		}
		r := newRig(t, Config{MaxConns: 4, MaxClosed: 2, MaxBuffered: 8 << 10, MaxBufferedPerSide: 2 << 10, MaxSegmentsPerSide: 8})
		var src *rand.Rand
		if seed != 0 {
			src = rand.New(rand.NewPCG(seed, 5))
		}
		r.table.open = func(*capture.Conn, *capture.Quality, *capture.PortStats) capture.Handler { return &panicker{rng: src} }
		panics := func(f func()) (did bool) {
			defer func() { did = recover() != nil }()
			f()
			return
		}
		try := func(again bool, step func()) {
			for panics(step) {
				var h capture.Handler = &panicker{}
				if seed&1 == 0 {
					h = nil // the one there goes on, and may panic again
				}
				for panics(func() { r.table.Abandon(h) }) {
				}
				if !again {
					break
				}
			}
			r.check()
		}
		payload := make([]byte, 256)
		for ; len(ops) >= 8; ops = ops[8:] {
			if ops[0] == 255 {
				r.now += capture.Time(ops[1]) * 1e8
				try(true, func() { r.table.Tick(r.now) })
				continue
			}
			s := seg{from: capture.Side(ops[0] & 1), flags: flags[ops[0]>>1&15], seq: uint32(ops[1])*16 + uint32(ops[2]&3), ack: uint32(ops[3]) * 16}
			if ops[2]&64 != 0 {
				s.seq += uint32(ops[4]) << 24
			}
			if ops[2]&128 != 0 {
				s.data = string(payload[:ops[5]])
				s.cut = len(s.data) * int(ops[6]&3) / 4
			}
			p := r.packet(s, bases)
			p.Flow.Src.Port += uint16(ops[7] & 3)
			p.Flow.Dst.Port += uint16(ops[7] & 3)
			if ops[6] > 250 {
				e := &capture.ICMPError{At: p.Time, Why: capture.ReasonHostUnreachable}
				try(false, func() { r.table.ICMPError(p.Flow, p.TCP.Seq, ops[6] > 251, e) })
			}
			r.book.Ledger[capture.FrameTCP]++
			try(false, func() { r.table.Segment(p) })
			if n := r.table.Len(); n > 4 {
				t.Fatalf("%d connections, bound 4", n)
			}
		}
		try(true, func() { r.table.Flush(r.now) })
		r.flush()
	})
}
