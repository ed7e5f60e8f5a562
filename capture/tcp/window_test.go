package tcp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// TestWindows: windows that were closed or full, for how long, and by whom; and
// that what goes on meanwhile is nothing else. The client offers 8 bytes.
func TestWindows(t *testing.T) {
	scaled := func(p *capture.Packet) { p.TCP.HasWindowScale, p.TCP.WindowScale = true, 2 }
	data := func(seq uint32, b string) seg { return seg{from: sv, flags: "A", seq: seq, ack: 1, data: b} }
	ack := func(n uint32, win int) seg { return seg{from: cl, flags: "A", seq: 1, ack: n, win: win} }
	eight := strings.Repeat("x", 8)
	for _, tt := range []struct {
		name   string
		opt    func(*capture.Packet) // of both SYNs
		script []seg
		want   []string
	}{
		{"zero window", nil, []seg{ack(1, -1), ack(1, -1), ack(1, 8).in(ms(40)), ack(1, -1), ack(1, 8).in(time.Second)},
			[]string{"client zero window 2", "client zero window for 1.041s"}},
		{"zero window to the end", nil, []seg{ack(1, -1), ack(1, -1).in(time.Second)},
			[]string{"client zero window 1", "client zero window for 1s"}},
		{"a FIN without a window", nil, []seg{{from: cl, flags: "FA", seq: 1, ack: 1, win: -1}}, nil},
		{"window full", nil, []seg{ack(1, 8), data(1, eight), ack(9, 8).in(ms(20))},
			[]string{"server window full 1", "server window full for 20ms"}},
		{"window full, twice", nil, []seg{ack(1, 8), data(1, eight), ack(9, 8).in(ms(20)), data(9, eight), ack(17, 8).in(ms(30))},
			[]string{"server window full 2", "server window full for 50ms"}},
		{"all but full", nil, []seg{ack(1, 8), data(1, eight[1:]), ack(8, 8)}, nil},
		{"full, then closed", nil, []seg{ack(1, 8), data(1, eight), ack(9, -1), ack(9, 8).in(ms(20))},
			[]string{"client zero window 1", "server window full 1", "client zero window for 20ms", "server window full for 21ms"}},
		{"scaled", scaled, []seg{ack(1, 2), data(1, eight), ack(9, 8)},
			[]string{"server window full 1", "server window full for 1ms"}},
		{"scaled: not full", scaled, []seg{ack(1, 8), data(1, eight), ack(9, 8)}, nil},
		{"probes of a byte, in vain", nil, []seg{ack(1, 8), data(1, eight), ack(9, -1), data(9, "x").in(ms(200)), ack(9, -1), data(9, "x").in(ms(400)), ack(9, -1),
			ack(9, 8), data(9, eight[1:])},
			[]string{"client zero window 1", "server window full 1", "client zero window for 603ms", "server window full for 604ms"}},
		{"probes without a byte", nil, []seg{ack(1, -1), {from: sv, flags: "A", seq: 0, ack: 1, after: ms(200)}, ack(1, -1), ack(1, 8)},
			[]string{"client zero window 1", "client zero window for 202ms"}},
		{"an older acknowledgement that comes late", nil, []seg{data(1, eight), data(9, eight), ack(17, 8), ack(9, -1), ack(17, 8).in(ms(40))}, nil},
		{"an older acknowledgement does not open it either", nil, []seg{data(1, eight), data(9, eight), ack(17, -1), ack(9, 8), ack(17, 8).in(ms(40))},
			[]string{"client zero window 1", "client zero window for 41ms"}},
		{"an older segment that comes late", nil, []seg{{from: cl, flags: "A", seq: 5, ack: 1, data: "late"}, {from: cl, flags: "A", seq: 1, ack: 1, data: "soon", win: -1}, {from: cl, flags: "A", seq: 9, ack: 1}}, []string{"client out of order 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{})
			r.play(open(tt.opt))
			r.play(tt.script)
			r.flush()
			got := r.suffered()
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q\nwant\n%q", got, tt.want)
			}
			c, tcp := r.closed(), &r.book.TCP
			want := [2]capture.Stalls{{Count: tcp.ZeroWindow[capture.Receive], Time: time.Duration(tcp.ZeroWindowTime[capture.Receive])}}
			if c.ZeroWindow != want {
				t.Errorf("the connection's zero windows %v, want %v", c.ZeroWindow, want)
			}
			want = [2]capture.Stalls{{Count: tcp.WindowFull[capture.Transmit], Time: time.Duration(tcp.WindowFullTime[capture.Transmit])}}
			if c.WindowFull != want {
				t.Errorf("the connection's full windows %v, want %v", c.WindowFull, want)
			}
		})
	}
}

// TestWindowNotKnown: nobody knows the window's scale who has not seen both
// SYNs, and whether it is full; that it is 0 needs no scale.
func TestWindowNotKnown(t *testing.T) {
	for _, skip := range []int{1, 2, 3} {
		r := newRig(t, Config{})
		r.play(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "x", win: 8},
			seg{from: sv, flags: "A", seq: 1, ack: 2, data: "12345678"},
			seg{from: sv, flags: "A", seq: 9, ack: 2, data: strings.Repeat("x", 8<<midstreamScale-8)},
			seg{from: cl, flags: "A", seq: 2, ack: 9, win: -1}, seg{from: cl, flags: "A", seq: 2, ack: 9, win: 8, after: ms(5)})[skip:])
		if got, want := r.suffered(), []string{"client zero window 1", "client zero window for 5ms"}; !slices.Equal(got, want) {
			t.Errorf("without the first %d segments: %q, want %q", skip, got, want)
		}
		r.flush()
	}
}
