package defrag

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// accounts are those that fragments may be in.
var accounts = []capture.Entry{
	capture.FragmentsLive, capture.FragmentsReassembled, capture.FragmentsExpired, capture.FragmentsEvicted, capture.FragmentsInvalid,
}

// harness is a Table that checks the ledger after each fragment.
type harness struct {
	t    testing.TB
	book capture.Book
	*Table
	added uint64
}

func newHarness(t testing.TB) *harness {
	h := &harness{t: t}
	h.Table = New(&h.book)
	return h
}

func (h *harness) add(p *capture.Packet) bool {
	h.t.Helper()
	h.added++
	done := h.Add(p)
	h.check()
	return done
}

func (h *harness) check() {
	h.t.Helper()
	if n := h.book.Ledger.Sum(accounts); n != h.added {
		h.t.Fatalf("%d fragments in the ledger, %d were added: %v", n, h.added, h.counts())
	}
	if len(h.index) > maxDatagrams || h.arena.used > maxBlocks || len(h.arena.blocks) > maxBlocks || len(h.datagrams) > maxDatagrams {
		h.t.Fatalf("bounds: %d datagrams in %d slots, %d blocks of %d", len(h.index), len(h.datagrams), h.arena.used, len(h.arena.blocks))
	}
}

// counts returns live, reassembled, expired, evicted, invalid.
func (h *harness) counts() (c [5]uint64) {
	for i, e := range accounts {
		c[i] = h.book.Ledger[e]
	}
	return c
}

// frag returns a fragment of an IPv6 (or, with id below 100, IPv4) datagram.
func frag(id uint32, off int, data []byte, more bool) *capture.Packet {
	p := &capture.Packet{
		Network: capture.IPv6, IsFragment: true, Payload: data, PayloadLen: len(data),
		Fragment: capture.Fragment{ID: id, Offset: uint32(off), More: more, Proto: 17},
	}
	if id < 100 {
		p.Network = capture.IPv4
	}
	return p
}

// data returns n bytes, all different from their neighbours.
func data(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// cut returns the fragments of b, each of size bytes.
func cut(id uint32, b []byte, size int) (fs []*capture.Packet) {
	for off := 0; off < len(b); off += size {
		end := min(off+size, len(b))
		fs = append(fs, frag(id, off, b[off:end], end < len(b)))
	}
	return fs
}

func TestAnyOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{9, 100, 512, 513, 1480, 9000, 65535} {
		for _, size := range []int{8, 24, 256, 512, 1480} {
			if n/size > 512 || n <= size {
				continue
			}
			for order := range 4 {
				want := data(n)
				fs := cut(uint32(order%2*200), want, size)
				switch order {
				case 1:
					for i, j := 0, len(fs)-1; i < j; i, j = i+1, j-1 {
						fs[i], fs[j] = fs[j], fs[i]
					}
				case 2, 3:
					rnd.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
				}
				h := newHarness(t)
				if order == 3 { // and duplicates
					for i := 0; i < 50 && i < len(fs)-1; i++ {
						h.add(clone(fs[i]))
					}
				}
				for i, f := range fs {
					done := h.add(f)
					if done != (i == len(fs)-1) {
						t.Fatalf("%d bytes in %d, order %d: done %v after fragment %d of %d", n, size, order, done, i+1, len(fs))
					}
				}
				last := fs[len(fs)-1]
				if !bytes.Equal(last.Payload, want) || last.PayloadLen != n || last.Fragment.Proto != 17 {
					t.Fatalf("%d bytes in %d, order %d: another datagram came out", n, size, order)
				}
				if c := h.counts(); c != [5]uint64{0, h.added, 0, 0, 0} || h.arena.used != 0 || len(h.index) != 0 {
					t.Fatalf("%d bytes in %d, order %d: %v, %d blocks used", n, size, order, c, h.arena.used)
				}
			}
		}
	}
}

func clone(p *capture.Packet) *capture.Packet { q := *p; return &q }

// Sequences of fragments of one datagram that do not become one.
func TestRules(t *testing.T) {
	d := data(64)
	long := func(off int, more bool) *capture.Packet { return frag(200, off, d[:8], more) }
	cutOff := frag(200, 8, d[8:12], true)
	cutOff.PayloadLen = 8
	for _, c := range []struct {
		name string
		fs   []*capture.Packet
		want [5]uint64
	}{
		{"a hole", []*capture.Packet{frag(200, 0, d[:8], true), frag(200, 16, d[16:24], false)}, [5]uint64{2, 0, 0, 0, 0}},
		{"no last", []*capture.Packet{frag(200, 0, d[:8], true), frag(200, 8, d[8:16], true)}, [5]uint64{2, 0, 0, 0, 0}},
		{"duplicates", []*capture.Packet{frag(200, 8, d[8:24], true), frag(200, 8, d[8:24], true), frag(200, 8, d[8:16], true)}, [5]uint64{3, 0, 0, 0, 0}},
		{"duplicate of two", []*capture.Packet{frag(200, 8, d[8:16], true), frag(200, 16, d[16:24], true), frag(200, 8, d[8:24], true)}, [5]uint64{3, 0, 0, 0, 0}},
		// RFC 5722, section 4; RFC 8200, section 4.5.
		{"overlap at the end", []*capture.Packet{frag(200, 0, d[:16], true), frag(200, 8, d[8:24], false)}, [5]uint64{0, 0, 0, 0, 2}},
		{"overlap at the start", []*capture.Packet{frag(200, 8, d[8:24], false), frag(200, 0, d[:16], true)}, [5]uint64{0, 0, 0, 0, 2}},
		{"overlap all around", []*capture.Packet{frag(200, 8, d[8:16], true), frag(200, 0, d[:24], true)}, [5]uint64{0, 0, 0, 0, 2}},
		{"overlap over a hole", []*capture.Packet{frag(200, 0, d[:8], true), frag(200, 16, d[16:24], true), frag(200, 0, d[:24], true)}, [5]uint64{0, 0, 0, 0, 3}},
		{"what comes after an overlap", []*capture.Packet{
			frag(200, 0, d[:16], true), frag(200, 8, d[8:24], true), frag(200, 24, d[24:32], false), frag(200, 0, d[:24], true)}, [5]uint64{0, 0, 0, 0, 4}},
		{"overlap in IPv4", []*capture.Packet{frag(1, 0, d[:16], true), frag(1, 8, d[8:24], false)}, [5]uint64{0, 0, 0, 0, 2}},
		{"two ends", []*capture.Packet{frag(200, 8, d[8:16], false), frag(200, 16, d[16:24], false)}, [5]uint64{0, 0, 0, 0, 2}},
		{"an end before the data", []*capture.Packet{frag(200, 16, d[16:24], true), frag(200, 8, d[8:16], false)}, [5]uint64{0, 0, 0, 0, 2}},
		{"data after the end", []*capture.Packet{frag(200, 8, d[8:16], false), frag(200, 16, d[16:24], true)}, [5]uint64{0, 0, 0, 0, 2}},
		// One bad fragment does not spoil its datagram.
		{"empty", []*capture.Packet{frag(200, 0, d[:8], true), frag(200, 8, nil, true)}, [5]uint64{1, 0, 0, 0, 1}},
		{"no multiple of 8", []*capture.Packet{frag(200, 0, d[:8], true), frag(200, 8, d[8:13], true)}, [5]uint64{1, 0, 0, 0, 1}},
		{"beyond 65,535", []*capture.Packet{long(0, true), long(65528, false)}, [5]uint64{1, 0, 0, 0, 1}},
		{"cut by the capture", []*capture.Packet{frag(200, 0, d[:8], true), cutOff, frag(200, 16, d[16:24], false)}, [5]uint64{0, 0, 0, 0, 3}},
	} {
		h := newHarness(t)
		for i, f := range c.fs {
			if h.add(clone(f)) {
				t.Errorf("%s: fragment %d completed a datagram", c.name, i+1)
			}
		}
		if got := h.counts(); got != c.want {
			t.Errorf("%s: %v, want %v (live, reassembled, expired, evicted, invalid)", c.name, got, c.want)
		}
		h.Flush()
		h.check()
		if h.book.Ledger[capture.FragmentsLive] != 0 || h.arena.used != 0 || len(h.index) != 0 {
			t.Errorf("%s: something is left after Flush", c.name)
		}
	}
}

// What tells datagrams apart.
func TestKey(t *testing.T) {
	d := data(16)
	change := map[string]func(p *capture.Packet){
		"source":      func(p *capture.Packet) { p.Flow.Src.Addr[15] = 1 },
		"destination": func(p *capture.Packet) { p.Flow.Dst.Addr[15] = 1 },
		"id":          func(p *capture.Packet) { p.Fragment.ID++ },
		"interface":   func(p *capture.Packet) { p.Interface = 1 },
		"network":     func(p *capture.Packet) { p.Network = capture.IPv6 },
		"IPv4 proto":  func(p *capture.Packet) { p.Fragment.Proto = 6 },
	}
	for name, do := range change {
		h := newHarness(t)
		h.add(frag(1, 0, d[:8], true))
		other := frag(1, 8, d[8:], false)
		do(other)
		if h.add(other) {
			t.Errorf("%s: fragments of two datagrams were joined", name)
		}
	}
	// RFC 8200, section 4.5: the protocol is that of the first fragment.
	h := newHarness(t)
	last := frag(200, 8, d[8:], false)
	last.Fragment.Proto = 99
	h.add(last)
	first := frag(200, 0, d[:8], true)
	if !h.add(first) || first.Fragment.Proto != 17 {
		t.Errorf("IPv6 fragments with different next headers: proto %d", first.Fragment.Proto)
	}
}

func TestExpiry(t *testing.T) {
	d := data(16)
	at := func(p *capture.Packet, s time.Duration) *capture.Packet { p.Time = capture.Time(s); return p }
	h := newHarness(t)
	h.add(at(frag(1, 0, d[:8], true), 0))
	h.add(at(frag(2, 0, d[:8], true), 10*time.Second))
	h.Tick(capture.Time(30 * time.Second))
	if c := h.counts(); c != [5]uint64{2, 0, 0, 0, 0} {
		t.Errorf("at 30 s: %v", c)
	}
	h.Tick(capture.Time(31 * time.Second))
	if c := h.counts(); c != [5]uint64{1, 0, 1, 0, 0} {
		t.Errorf("at 31 s: %v", c)
	}
	// A later datagram with the same id does not join what is too old, even
	// when no Tick came between.
	if h.add(at(frag(2, 8, d[8:], false), 41*time.Second)) {
		t.Error("an expired datagram was completed")
	}
	if !h.add(at(frag(2, 0, d[:8], true), 42*time.Second)) {
		t.Error("the new datagram was not completed")
	}
	if c := h.counts(); c != [5]uint64{0, 2, 2, 0, 0} {
		t.Errorf("at the end: %v", c)
	}
	// A clock that runs backwards expires nothing.
	h.add(at(frag(3, 0, d[:8], true), time.Hour))
	h.Tick(0)
	if c := h.counts(); c[0] != 1 {
		t.Errorf("after the clock went back: %v", c)
	}
}

func TestBounds(t *testing.T) {
	t.Run("datagrams", func(t *testing.T) {
		h := newHarness(t)
		for id := range uint32(5000) {
			h.add(frag(id+1000, 0, data(8), true))
		}
		if c := h.counts(); c != [5]uint64{maxDatagrams, 0, 0, 5000 - maxDatagrams, 0} {
			t.Errorf("%v", c)
		}
		if !h.add(frag(5999, 8, data(8), false)) {
			t.Error("the newest datagram was given up")
		}
	})
	t.Run("bytes", func(t *testing.T) {
		h := newHarness(t)
		for id := range uint32(100) {
			for off := 0; off < 40*1480; off += 1480 {
				h.add(frag(id+1000, off, data(1480), true))
			}
		}
		c := h.counts()
		if c[0]+c[3] != 4000 || c[0] < 600 || c[0] > maxBytes/1480 {
			t.Errorf("%v", c)
		}
	})
	t.Run("fragments", func(t *testing.T) {
		h := newHarness(t)
		for off := 0; off < 8*2*(maxFragments+1); off += 16 {
			h.add(frag(200, off, data(8), true))
		}
		if c := h.counts(); c != [5]uint64{0, 0, 0, maxFragments + 1, 0} {
			t.Errorf("%v", c)
		}
	})
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	h := newHarness(t)
	fs := cut(200, data(9000), 1480)
	once := func() {
		for _, f := range fs {
			p := *f
			h.Add(&p)
		}
	}
	if n := testing.AllocsPerRun(100, once); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzTable compares with a plain model: a byte map per datagram.
func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 0, 8, 1, 0, 1, 8, 0})
	f.Add([]byte{0, 1, 16, 1, 0, 0, 16, 1, 0, 3, 5, 0})
	f.Add([]byte{1, 2, 8, 0, 1, 0, 8, 1, 1, 1, 8, 1, 1, 0, 24, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		script = script[:min(len(script), 400)]
		h := newHarness(t)
		type model struct {
			bytes map[int]byte
			dead  bool
			total int
			end   int
			n     int
		}
		var ms [4]*model
		for len(script) >= 4 {
			id, off, n, more := int(script[0]%4), int(script[1]%32)*8, int(script[2]), script[3]&1 != 0
			fill := script[3]
			script = script[4:]
			p := frag(uint32(id)*100, off, bytes.Repeat([]byte{fill}, n), more)
			done := h.add(p)
			if n == 0 || more && n%8 != 0 {
				if done {
					t.Fatal("an invalid fragment completed a datagram")
				}
				continue
			}
			m := ms[id]
			if m == nil {
				m = &model{bytes: map[int]byte{}, total: -1}
				ms[id] = m
			}
			if m.n++; m.n > maxFragments {
				return
			}
			there := 0
			for i := off; i < off+n; i++ {
				if _, ok := m.bytes[i]; ok {
					there++
				}
			}
			switch {
			case m.dead:
			case !more && (m.total >= 0 && m.total != off+n || m.end > off+n), more && m.total >= 0 && off+n > m.total:
				m.dead = true
			default:
				if !more {
					m.total = off + n
				}
				if there == n {
					break
				}
				if there > 0 {
					m.dead = true
					break
				}
				for i := off; i < off+n; i++ {
					m.bytes[i] = fill
				}
				m.end = max(m.end, off+n)
			}
			whole := !m.dead && there == 0 && len(m.bytes) == m.total
			if done != whole {
				t.Fatalf("done %v, the model says %v", done, whole)
			}
			if whole {
				for i, b := range p.Payload {
					if m.bytes[i] != b {
						t.Fatalf("byte %d is %d, the model has %d", i, b, m.bytes[i])
					}
				}
				if len(p.Payload) != m.total {
					t.Fatalf("%d bytes, the model has %d", len(p.Payload), m.total)
				}
				ms[id] = nil
			}
		}
		h.Flush()
		h.check()
		if h.arena.used != 0 || h.book.Ledger[capture.FragmentsLive] != 0 {
			t.Fatal("something is left after Flush")
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	var book capture.Book
	t := New(&book)
	fs := cut(200, data(9000), 1480)
	b.ReportAllocs()
	b.SetBytes(9000)
	for b.Loop() {
		for _, f := range fs {
			p := *f
			t.Add(&p)
		}
	}
}

// BenchmarkFlood is what an attacker's fragment costs that never completes.
func BenchmarkFlood(b *testing.B) {
	var book capture.Book
	t := New(&book)
	d := data(8)
	b.ReportAllocs()
	var i uint32
	for b.Loop() {
		t.Add(frag(i/256+1000, int(i*37%256)*16, d, true))
		i++
	}
}
