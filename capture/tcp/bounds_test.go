package tcp

import (
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// TestEviction: ended connections give way first, then half-open ones, then the
// most silent, and never the busy one.
func TestEviction(t *testing.T) {
	r := newRig(t, Config{MaxConns: 8})
	r.play(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "0"}))
	for i := 1; i <= 3; i++ {
		r.play(fromPort(i, after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "1"})))
	}
	r.tick(3 * time.Second)
	for i := 100; i < 300; i++ { // a flood
		r.play(fromPort(i%50+100, moved(uint32(i), []seg{{from: cl, flags: "S"}})))
		if i%20 == 0 {
			r.play([]seg{{from: cl, flags: "PA", seq: uint32(i/20-5) + 2, ack: 1, data: "x"}})
		}
	}
	l := &r.book.Ledger
	if l[capture.ConnsEvicted] == 0 || r.book.TCP.Open[capture.RoleServer][capture.StateEstablished] != 4 {
		t.Errorf("%d evicted, %v open, want 4 open: a flood of SYNs evicted an established connection", l[capture.ConnsEvicted], r.book.TCP.Open)
	}
	for _, o := range r.observed() {
		if strings.HasPrefix(o, "closed") {
			t.Errorf("%s: the eviction of a SYN is no more than counted", o)
		}
	}
	r.book.Batch.Reset()
	r.tick(3 * time.Second)
	r.play([]seg{{from: cl, flags: "A", seq: 12, ack: 1}})
	// Now established ones: the one that was active stays until the last.
	for i := 500; i < 507; i++ {
		r.play(fromPort(i, after3()))
	}
	if r.table.Len() != 8 {
		t.Errorf("%d connections, want 8", r.table.Len())
	}
	p := r.packet(seg{from: cl, flags: "A", seq: 12, ack: 1}, bases)
	if c, _ := r.table.find(r.table.hash(&p.Flow), &p.Flow); c == nil {
		t.Error("the connection that was active last was evicted")
	}
	r.flush()
}

// TestMemoryIsBounded: connections on which much is going on give way earlier, also
// when it begins as they are there already.
func TestMemoryIsBounded(t *testing.T) {
	for _, test := range []struct {
		name string
		segs []seg // on each connection
		most int   // of them
	}{
		{"SYNs", []seg{{from: cl, flags: "S"}}, 2800},
		{"duplicate acknowledgements", after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "0"}, seg{from: sv, flags: "A", seq: 1, ack: 1}), 820},
		{"payload", after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "0"}), 1000},
		{"holes", after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "0"}, seg{from: cl, flags: "PA", seq: 3, ack: 1, data: "2"}), 900},
	} {
		r := newRig(t, Config{MaxMemory: 1 << 20, HandlerBytes: 700})
		// The first ones are all there before they go on.
		for i := range 1200 {
			r.play(fromPort(i, test.segs[:1]))
		}
		for i := range 3000 {
			segs := test.segs
			if i < 1200 {
				segs = segs[1:]
			}
			r.play(fromPort(i, segs))
			if n := r.table.memory(); n > 1<<20+2000 {
				t.Fatalf("%s: %d bytes taken", test.name, n)
			}
		}
		if n := r.table.Len(); n > test.most || n < test.most/2 {
			t.Errorf("%s: %d connections held, want up to %d", test.name, n, test.most)
		}
		begun := 0
		for _, s := range r.table.slots {
			if s.index != 0 && r.table.at(int32(s.index-1)).handler != nil {
				begun++
			}
		}
		if begun != r.table.begun {
			t.Errorf("%s: %d connections have a Handler, %d counted", test.name, begun, r.table.begun)
		}
		if r.book.Ledger[capture.ConnsEvicted] == 0 {
			t.Errorf("%s: nothing was evicted", test.name)
		}
		r.flush()
		if r.table.memory() != 0 {
			t.Errorf("%s: %d bytes taken at the end", test.name, r.table.memory())
		}
	}
}

// TestClosedAreBounded: no more than MaxClosed ended connections are remembered,
// and those for ClosedTimeout.
func TestClosedAreBounded(t *testing.T) {
	r := newRig(t, Config{MaxClosed: 5})
	for i := range 20 {
		r.play(fromPort(i, after3(seg{from: cl, flags: "FA", seq: 1, ack: 1}, seg{from: sv, flags: "FA", seq: 1, ack: 2}, seg{from: cl, flags: "A", seq: 2, ack: 2})))
	}
	if r.table.Len() != 5 {
		t.Errorf("%d remembered, want 5", r.table.Len())
	}
	r.tick(7 * time.Second)
	if r.table.Len() != 0 {
		t.Errorf("%d remembered after 7 s, want 0", r.table.Len())
	}
}

// TestClock: a capture's clock that runs backwards or leaps ends nothing and
// makes no negative duration.
func TestClock(t *testing.T) {
	r := newRig(t, Config{})
	r.play(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "a"}))
	r.now += capture.Time(10 * 365 * 24 * time.Hour)
	r.table.Tick(r.now)
	r.play([]seg{{from: sv, flags: "PA", seq: 1, ack: 2, data: "b"}})
	r.now -= capture.Time(20 * 365 * 24 * time.Hour)
	r.table.Tick(r.now)
	r.play([]seg{{from: cl, flags: "A", seq: 2, ack: 2}, {from: sv, flags: "PA", seq: 2, ack: 2, data: "c"}, {from: cl, flags: "A", seq: 2, ack: 3, after: -time.Second / 2}})
	if r.book.Ledger[capture.ConnsLive] != 1 {
		t.Errorf("%d connections live, want 1", r.book.Ledger[capture.ConnsLive])
	}
	r.flush()
	c := r.closed()
	if c.RTTMin != 0 || c.RTTMax > time.Second || c.RTTMean < 0 {
		t.Errorf("round trip %v %v %v", c.RTTMin, c.RTTMean, c.RTTMax)
	}
	for _, o := range r.book.Batch.Observations {
		if o, ok := o.(*capture.ConnOpened); ok && (o.Handshake < 0 || o.ServerTime < 0) {
			t.Errorf("handshake %v %v", o.Handshake, o.ServerTime)
		}
	}
}

// TestClockBackAtStart: the handshake's packets are stamped backwards.
func TestClockBackAtStart(t *testing.T) {
	r := newRig(t, Config{})
	r.play([]seg{{from: cl, flags: "S"}, {from: sv, flags: "SA", ack: 1, after: -5 * time.Second}, {from: cl, flags: "R", seq: 1, after: -5 * time.Second}})
	f := r.book.Batch.Observations[0].(*capture.ConnFailed)
	if f.Elapsed != 0 {
		t.Errorf("elapsed %v, want 0", f.Elapsed)
	}
}

// TestClockOfTwoQueues: packets that alternate between two times, as those of two
// queues do, move the clock once. What comes again of a connection that ended a
// moment ago is known as such.
func TestClockOfTwoQueues(t *testing.T) {
	r := newRig(t, Config{})
	r.play(after3(seg{from: sv, flags: "PA", seq: 1, ack: 1, data: "hello"}, seg{from: sv, flags: "FA", seq: 6, ack: 1}, seg{from: cl, flags: "FA", seq: 1, ack: 7}, seg{from: sv, flags: "A", seq: 7, ack: 2}))
	for range 20 {
		r.play([]seg{{from: sv, flags: "PA", seq: 1, ack: 1, data: "hello", after: -30 * time.Second}})
		r.tick(30 * time.Second)
	}
	if n := r.book.Ledger[capture.SegmentDuplicate]; n != 20 || r.book.Ledger[capture.ConnsMidstream] != 0 {
		t.Errorf("%d duplicates and %d connections joined midway, want 20 and none", n, r.book.Ledger[capture.ConnsMidstream])
	}
	r.flush()
}

// TestOneWay: connections of which one side was not captured are counted by the
// other.
func TestOneWay(t *testing.T) {
	r := newRig(t, Config{})
	r.play([]seg{{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, {from: cl, flags: "PA", seq: 4, ack: 9, data: "get"}})
	r.play(fromPort(1, []seg{{from: sv, flags: "PA", seq: 1, ack: 4, data: "HTTP"}}))
	r.play(fromPort(2, []seg{{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, {from: sv, flags: "A", seq: 1, ack: 4}}))
	r.flush()
	p := r.book.Ports.Copy(nil)[0]
	if p.OneWay != [2]uint64{1, 1} || p.Conns != 3 {
		t.Errorf("%d of %d connections have one side", p.OneWay, p.Conns)
	}
}

// TestMuchLost: what a side acknowledges with its next bytes was sent, however
// much of it the capture lost.
func TestMuchLost(t *testing.T) {
	const far = 5 << 20
	r := newRig(t, Config{})
	r.play(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: cl, flags: "PA", seq: 4, ack: 1 + far, data: "get"},
		seg{from: sv, flags: "PA", seq: 1 + far, ack: 7, data: "ok"}, seg{from: cl, flags: "A", seq: 7, ack: 3 + far}))
	r.flush()
	if string(r.bytes[sv]) != "ok" || r.book.Ledger[capture.GapBytes] != far {
		t.Errorf("of the server %q came behind %d lost bytes", r.bytes[sv], r.book.Ledger[capture.GapBytes])
	}
}

// TestHalfOpenOrder: an attempt that made progress does not keep others from
// failing in time.
func TestHalfOpenOrder(t *testing.T) {
	r := newRig(t, Config{})
	r.play([]seg{{from: cl, flags: "S"}})
	r.tick(20 * time.Second)
	r.play(fromPort(1, []seg{{from: cl, flags: "S"}}))
	r.tick(10 * time.Second)
	r.play([]seg{{from: sv, flags: "A", seq: 1, ack: 1}})
	r.tick(32 * time.Second)
	if n := r.book.Ledger[capture.ConnsFailed]; n != 1 {
		t.Errorf("%d failed after 42 s of silence, want 1", n)
	}
	r.tick(9 * time.Second)
	if n := r.book.Ledger[capture.ConnsFailed]; n != 2 {
		t.Errorf("%d failed, want both", n)
	}
}

// TestIdleForLong: a silence longer than the wheel is round expires when it is
// due and not before.
func TestIdleForLong(t *testing.T) {
	r := newRig(t, Config{IdleTimeout: 3000 * time.Second})
	r.play(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "a"}))
	r.tick(2999 * time.Second)
	if r.book.Ledger[capture.ConnsLive] != 1 {
		t.Fatal("expired early")
	}
	r.tick(3 * time.Second)
	if r.book.Ledger[capture.ConnsTimedOut] != 1 {
		t.Error("did not expire")
	}
}

// TestHoarding is an attack: 1,000 connections, each with one byte missing and
// much after it. Memory stays bounded, nothing is refused, and what is given up
// is a counted gap.
func TestHoarding(t *testing.T) {
	r := newRig(t, Config{MaxBuffered: 1 << 20})
	chunk := strings.Repeat("x", 1400)
	for i := range 1000 {
		r.play(fromPort(i%500, moved(uint32(i/500)<<24, handshake)))
		for j := range 8 {
			for _, s := range fromPort(i%500, moved(uint32(i/500)<<24, []seg{{from: cl, flags: "A", seq: 2 + uint32(j*1400), ack: 1, data: chunk}})) {
				r.feed(r.packet(s, bases))
			}
		}
		if i == 400 {
			r.calls = nil
		}
	}
	l := &r.book.Ledger
	if l[capture.BytesRefused] != 0 || l[capture.BytesDelivered]+l[capture.BytesLive] != l[capture.BytesSeen] {
		t.Errorf("%d refused, %d delivered, %d live of %d", l[capture.BytesRefused], l[capture.BytesDelivered], l[capture.BytesLive], l[capture.BytesSeen])
	}
	r.flush()
	if l[capture.GapBytes] != 1000 {
		t.Errorf("%d bytes in gaps, want 1000", l[capture.GapBytes])
	}
}

// TestCutPieces: early segments of which the capture kept only headers are
// bounded as well.
func TestCutPieces(t *testing.T) {
	r := newRig(t, Config{MaxBuffered: 4 << minSize})
	for i := range 20 {
		r.play(fromPort(i, after3(seg{from: cl, flags: "A", seq: 2, ack: 1, data: "b", cut: 1}, seg{from: cl, flags: "A", seq: 4, ack: 1, data: "d", cut: 1})))
		if n := len(r.table.pieces.all); n > 4 {
			t.Fatalf("%d pieces, bound 4", n)
		}
	}
	if l := &r.book.Ledger; l[capture.BytesCut] != 40 || l[capture.SegmentCut] != 40 || l[capture.Gaps] == 0 {
		t.Errorf("%d bytes and %d segments cut, %d gaps", l[capture.BytesCut], l[capture.SegmentCut], l[capture.Gaps])
	}
	r.flush()
}

// TestTable inserts and removes at random places and finds the same
// connections as a map.
func TestTable(t *testing.T) {
	r := newRig(t, Config{MaxConns: 3000})
	want := map[capture.Flow]uint64{}
	p := r.packet(seg{from: cl, flags: "S"}, bases)
	x := uint32(1)
	for i := range 20000 {
		x = x*1664525 + 1013904223
		f := p.Flow
		f.Src.Port = uint16(x >> 20)
		h := r.table.hash(&f)
		if h != r.table.hash(&capture.Flow{Src: f.Dst, Dst: f.Src}) {
			t.Fatal("the hash differs by direction")
		}
		c, side := r.table.find(h, &f)
		if (c != nil) != (want[f] != 0) || c != nil && (c.id.ID != want[f] || side != cl) {
			t.Fatalf("step %d: found %v, want connection %d", i, c, want[f])
		}
		if c != nil {
			r.table.remove(c)
			delete(want, f)
			continue
		}
		if len(want) == 3000 {
			continue
		}
		c = r.table.insert(h)
		c.id = capture.Conn{ID: uint64(i + 1), Client: f.Src, Server: f.Dst}
		want[f] = c.id.ID
	}
	if len(want) < 1000 || r.table.Len() != len(want) {
		t.Errorf("%d in the table, %d wanted", r.table.Len(), len(want))
	}
}

func TestBufferPool(t *testing.T) {
	p := bufferPool{limit: 4096}
	if b, ok := p.get(nil); b != nil || !ok {
		t.Error("an empty buffer is nil and costs nothing")
	}
	var held [][]byte
	for range 16 {
		b, ok := p.get([]byte("abc"))
		if !ok || string(b) != "abc" {
			t.Fatalf("got %q, %v", b, ok)
		}
		held = append(held, b)
	}
	if _, ok := p.get([]byte("d")); ok {
		t.Error("a buffer beyond the limit")
	}
	for _, b := range held {
		p.put(b)
	}
	// Another size has to displace what is kept.
	b, ok := p.get(make([]byte, 3000))
	if !ok || p.allocated > 4096 {
		t.Errorf("%v, %d allocated", ok, p.allocated)
	}
	p.put(b)
	if p.inUse != 0 {
		t.Errorf("%d in use", p.inUse)
	}
	if _, ok := p.get(make([]byte, 5000)); ok {
		t.Error("a buffer larger than the limit")
	}
	p.limit = 1 << 30
	if _, ok := p.get(make([]byte, 17<<20)); ok {
		t.Error("a buffer larger than the largest size")
	}
}

// TestRecentForgotten: a segment right after its connection was forgotten is of
// no connection, also where the one before it was of that connection.
func TestRecentForgotten(t *testing.T) {
	r := newRig(t, Config{ClosedTimeout: time.Second})
	r.play(after3(seg{from: cl, flags: "R", seq: 1}))
	r.tick(5 * time.Second)
	if n := r.table.Len(); n != 0 {
		t.Fatalf("%d connections are remembered", n)
	}
	r.play(handshake)
	led := &r.book.Ledger
	if led[capture.ConnsOpened] != 2 || r.table.Len() != 1 || led[capture.SegmentControl] != 7 {
		t.Errorf("%d opened, %d in the table, %d segments without payload", led[capture.ConnsOpened], r.table.Len(), led[capture.SegmentControl])
	}
}
