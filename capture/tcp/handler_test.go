package tcp

import (
	"slices"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// faulty is a Handler that panics at its nth call.
type faulty struct {
	follower
	n int
}

func (f *faulty) count() {
	if f.n--; f.n == 0 {
		panic("fault")
	}
}

func (f *faulty) Data(at capture.Mark, from capture.Side, b []byte) {
	f.count()
	f.follower.Data(at, from, b)
}

func (f *faulty) Gap(at capture.Mark, from capture.Side, n int, why capture.Reason) {
	f.count()
	f.follower.Gap(at, from, n, why)
}

func (f *faulty) End(at capture.Mark, from capture.Side, why capture.Reason) {
	f.count()
	f.follower.End(at, from, why)
}

// TestAbandon has a Handler panic at each of its calls in turn. The one that
// replaces it gets what follows, and the books balance all the same.
func TestAbandon(t *testing.T) {
	script := after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "a"},
		seg{from: cl, flags: "A", seq: 3, ack: 1, data: "c"},
		seg{from: cl, flags: "A", seq: 4, ack: 1, data: "de", cut: 1},
		seg{from: cl, flags: "A", seq: 2, ack: 1, data: "b"},
		seg{from: sv, flags: "PA", seq: 1, ack: 6, data: "ok"},
		seg{from: sv, flags: "A", seq: 9, ack: 6, data: "z"},
		seg{from: cl, flags: "FA", seq: 6, ack: 3},
		seg{from: sv, flags: "R", seq: 3, ack: 7})
	whole := []string{`client 0 "a"`, `client 1 "b"`, `client 2 "c"`, `client 3 "d"`, "client 4 gap 1 truncated_frame", `server 0 "ok"`, "client end fin", "server 2 gap 6 gap", `server 8 "z"`, "server end reset"}
	for n := 0; n <= len(whole); n++ {
		r := newRig(t, Config{})
		bad := &faulty{follower: follower{r: r}, n: n}
		r.table.open = func(*capture.Conn, *capture.Quality, *capture.PortStats) capture.Handler { return bad }
		panics := 0
		for _, s := range script {
			p := r.packet(s, bases)
			func() {
				defer func() {
					if recover() != nil {
						panics++
						r.calls = append(r.calls, "fault")
						r.table.Abandon(&anything{r})
					}
				}()
				r.book.Ledger[capture.FrameTCP]++
				r.table.Segment(p)
			}()
			r.check()
		}
		want := slices.Clone(whole)
		if n > 0 {
			want[n-1] = "fault"
			if n == 4 { // the cut after bytes that were not taken is not told
				want = slices.Delete(want, 4, 5)
			}
			if panics != 1 {
				t.Errorf("call %d: %d panics", n, panics)
			}
		}
		if !slices.Equal(r.calls, want) {
			t.Errorf("fault at call %d:\n%q\nwant\n%q", n, r.calls, want)
		}
		r.flush()
	}
}

// anything writes down what it is told and expects nothing.
type anything struct{ r *rig }

func (a *anything) Data(at capture.Mark, from capture.Side, b []byte) {
	f := follower{r: a.r}
	f.offset[from] = at.Offset
	f.Data(at, from, b)
}

func (a *anything) Gap(at capture.Mark, from capture.Side, n int, why capture.Reason) {
	f := follower{r: a.r}
	f.offset[from] = at.Offset
	f.Gap(at, from, n, why)
}

func (a *anything) End(at capture.Mark, from capture.Side, why capture.Reason) {
	f := follower{r: a.r}
	f.End(at, from, why)
}

// TestMark: every Data call says when its bytes were captured and what the
// segment that carried them acknowledged.
func TestMark(t *testing.T) {
	r := newRig(t, Config{})
	var marks []capture.Mark
	r.table.open = func(*capture.Conn, *capture.Quality, *capture.PortStats) capture.Handler { return &marker{&marks} }
	start := r.now
	r.play(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"},
		seg{from: sv, flags: "PA", seq: 3, ack: 4, data: "BC"},
		seg{from: cl, flags: "PA", seq: 4, ack: 1, data: "get"},
		seg{from: sv, flags: "PA", seq: 1, ack: 7, data: "AA"},
		seg{from: cl, flags: "FPA", seq: 7, ack: 5, data: "get"}, seg{from: sv, flags: "PA", seq: 5, ack: 11, data: "D"}))
	at := func(ms int, off, acked uint64) capture.Mark {
		return capture.Mark{Time: start + capture.Time(ms)*1e6, Offset: off, Acked: acked}
	}
	// The fifth comes of the early segment and keeps its time and ACK; the last
	// acknowledges a FIN, which is no byte.
	want := []capture.Mark{at(4, 0, 0), at(6, 3, 0), at(7, 0, 6), at(5, 2, 3), at(8, 6, 4), at(9, 4, 9)}
	if !slices.Equal(marks, want) {
		t.Errorf("marks\n%v\nwant\n%v", marks, want)
	}
}

type marker struct{ marks *[]capture.Mark }

func (m *marker) Data(at capture.Mark, _ capture.Side, _ []byte)      { *m.marks = append(*m.marks, at) }
func (m *marker) Gap(capture.Mark, capture.Side, int, capture.Reason) {}
func (m *marker) End(capture.Mark, capture.Side, capture.Reason)      {}

// TestInPlace: payload in order is handed on as the packet's own slice.
func TestInPlace(t *testing.T) {
	r := newRig(t, Config{})
	var got []byte
	r.table.open = func(*capture.Conn, *capture.Quality, *capture.PortStats) capture.Handler { return &keeper{&got} }
	r.play(handshake)
	p := r.packet(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, bases)
	r.feed(p)
	if len(got) != 3 || &got[0] != &p.Payload[0] {
		t.Error("payload was copied")
	}
}

type keeper struct{ b *[]byte }

func (k *keeper) Data(_ capture.Mark, _ capture.Side, b []byte)       { *k.b = b }
func (k *keeper) Gap(capture.Mark, capture.Side, int, capture.Reason) {}
func (k *keeper) End(capture.Mark, capture.Side, capture.Reason)      {}

// TestWhoIsClient infers the sides of a connection joined midway.
func TestWhoIsClient(t *testing.T) {
	sniff := func(b []byte) (bool, bool) {
		switch b[0] {
		case 'G':
			return true, true
		case 'H':
			return false, true
		}
		return false, false
	}
	listens := func(port uint16) func(capture.Endpoint) bool {
		return func(e capture.Endpoint) bool { return e.Port == port }
	}
	for _, tt := range []struct {
		name     string
		cfg      Config
		src, dst uint16
		data     string
		want     capture.Side // who sent it
	}{
		{"a system port is the server's", Config{}, 80, 8080, "x", sv},
		{"a system port is the server's, as receiver", Config{}, 8080, 80, "x", cl},
		{"a user port before a dynamic one", Config{}, 40000, 8080, "x", cl},
		{"the lower of two dynamic ones", Config{}, 40000, 50000, "x", sv},
		{"listening port known", Config{IsServerPort: listens(50000)}, 80, 50000, "x", cl},
		{"both listen", Config{IsServerPort: func(capture.Endpoint) bool { return true }}, 80, 50000, "x", sv},
		{"a request", Config{Sniff: sniff, IsServerPort: listens(40000)}, 40000, 50000, "GET", cl},
		{"a response", Config{Sniff: sniff}, 50000, 80, "HTTP", sv},
		{"neither", Config{Sniff: sniff}, 50000, 80, "x", cl},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.cfg)
			p := r.packet(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: tt.data}, bases)
			p.Flow.Src.Port, p.Flow.Dst.Port = tt.src, tt.dst
			r.feed(p)
			c, from := r.table.find(r.table.hash(&p.Flow), &p.Flow)
			if from != tt.want || !c.id.Midstream {
				t.Errorf("sent by the %v, want the %v; midstream %v", from, tt.want, c.id.Midstream)
			}
			// The client's packet was received here: the server is local.
			want := capture.RoleServer
			if tt.want == sv {
				want = capture.RoleClient
			}
			if c.id.Role != want {
				t.Errorf("role %v, want %v", c.id.Role, want)
			}
			r.flush()
		})
	}
}

// TestCounters: what is counted per role and port: a segment that is captured
// twice once, one that is sent again twice.
func TestCounters(t *testing.T) {
	r := newRig(t, Config{})
	r.play(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"},
		seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "answer"},
		seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "answer"},
		seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "answer"}.in(ms(300))))
	r.play(fromPort(1, []seg{{from: cl, flags: "S"}, {from: sv, flags: "RA", ack: 1}}))
	r.play(fromPort(2, after3(seg{from: sv, flags: "R", seq: 1})))
	k := capture.PortKey{Port: 80, Transport: capture.TCP, Role: capture.RoleServer}
	s := r.book.Ports.Get(k)
	if s.Conns != 2 || s.Failed != 1 || s.Resets != 1 || s.FromClient != (capture.Tally{Packets: 1, Bytes: 3}) || s.FromServer != (capture.Tally{Packets: 2, Bytes: 12}) {
		t.Errorf("port: %+v", *s)
	}
	c := &r.book.TCP
	if c.Connections[capture.RoleServer][capture.ReasonNone] != 2 || c.Connections[capture.RoleServer][capture.ReasonRefused] != 1 {
		t.Errorf("connections: %v", c.Connections)
	}
	if c.Open[capture.RoleServer][capture.StateEstablished] != 1 {
		t.Errorf("%d open, want 1", c.Open[capture.RoleServer])
	}
	if c.Resets[capture.Transmit][capture.PhaseHandshake] != 1 || c.Resets[capture.Transmit][capture.PhaseIdle] != 1 {
		t.Errorf("resets: %v", c.Resets)
	}
	r.flush()
}
