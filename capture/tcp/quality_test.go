package tcp

import (
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// closed returns the only ConnClosed.
func (r *rig) closed() *capture.ConnClosed {
	r.t.Helper()
	var found *capture.ConnClosed
	for _, o := range r.book.Batch.Observations {
		if c, ok := o.(*capture.ConnClosed); ok {
			if found != nil {
				r.t.Fatal("more than one ConnClosed")
			}
			found = c
		}
	}
	if found == nil {
		r.t.Fatal("no ConnClosed")
	}
	return found
}

// TestRoundTrip: the server is local here, so that what it sends and gets
// acknowledged crosses the network: SYN-ACK 20 ms, response 30 ms.
func TestRoundTrip(t *testing.T) {
	script := []seg{{from: cl, flags: "S"}, {from: sv, flags: "SA", ack: 1, after: ms(1)}, {from: cl, flags: "A", seq: 1, ack: 1, after: ms(20)},
		{from: cl, flags: "PA", seq: 1, ack: 1, data: "get", after: ms(5)},
		{from: sv, flags: "A", seq: 1, ack: 4, after: ms(2)},
		{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok", after: ms(7)},
		{from: cl, flags: "A", seq: 4, ack: 3, after: ms(30)}}
	for _, tt := range []struct {
		name             string
		change           func(*capture.Packet)
		least, mean, max time.Duration
	}{
		{"server local", nil, ms(20), ms(25), ms(30)},
		{"client local", func(p *capture.Packet) { p.Direction ^= capture.Receive ^ capture.Transmit }, ms(1), 1500 * time.Microsecond, ms(2)},
		{"nobody known to be local: the longer way", func(p *capture.Packet) { p.Direction = capture.DirectionUnknown }, ms(20), ms(25), ms(30)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{})
			for _, s := range script {
				s.opt = tt.change
				r.feed(r.packet(s, bases))
			}
			opened := r.book.Batch.Observations[0].(*capture.ConnOpened)
			if opened.Handshake != ms(21) || opened.ServerTime != ms(1) || opened.ClientTime != ms(20) {
				t.Errorf("handshake %v = %v + %v, want 21ms = 1ms + 20ms", opened.Handshake, opened.ServerTime, opened.ClientTime)
			}
			r.flush()
			if c := r.closed(); c.RTTMin != tt.least || c.RTTMean != tt.mean || c.RTTMax != tt.max {
				t.Errorf("round trip %v %v %v, want %v %v %v", c.RTTMin, c.RTTMean, c.RTTMax, tt.least, tt.mean, tt.max)
			}
		})
	}
}

// TestKarn: RFC 6298, section 3: "RTT samples MUST NOT be made using segments
// that were retransmitted (and thus for which it is ambiguous whether the reply
// was for the first instance of the packet or a later instance)".
func TestKarn(t *testing.T) {
	r := newRig(t, Config{})
	r.play([]seg{{from: cl, flags: "S"},
		{from: cl, flags: "S", after: time.Second},
		{from: sv, flags: "SA", ack: 1},
		{from: cl, flags: "A", seq: 1, ack: 1, after: ms(3)},
		{from: sv, flags: "PA", seq: 1, ack: 1, data: "ok"},
		{from: sv, flags: "PA", seq: 1, ack: 1, data: "ok", after: ms(200)},
		{from: cl, flags: "A", seq: 1, ack: 3}})
	c := r.table.lone()
	if n := c.quality.RTTs[cl]; n != 0 {
		t.Errorf("%d samples from a SYN sent twice", n)
	}
	r.flush()
	if got := r.closed(); got.RTTMax != ms(3) || got.Retransmits != [2]uint64{1, 1} {
		t.Errorf("longest %v, retransmits %v; want 3ms of the SYN-ACK alone, and 1, 1", got.RTTMax, got.Retransmits)
	}
	if got := r.book.TCP.Retransmits[capture.Receive][capture.RetransmitSYN]; got != 1 {
		t.Errorf("%d SYNs sent again, want 1", got)
	}
}

// TestWindowScale: RFC 7323, section 2.2: "both sides MUST send Window Scale
// options in their <SYN> segments to enable window scaling in either
// direction".
func TestWindowScale(t *testing.T) {
	scaled := func(p *capture.Packet) { p.TCP.HasWindowScale, p.TCP.WindowScale = true, 9 }
	for _, both := range []bool{true, false} {
		r := newRig(t, Config{})
		script := after3(seg{from: cl, flags: "A", seq: 1, ack: 1, win: 1000})
		script[0].opt = scaled
		if both {
			script[1].opt = scaled
		}
		r.play(script)
		want := uint32(1000)
		if both {
			want <<= 9
		}
		if got := r.table.lone().sides[cl].window(); got != want {
			t.Errorf("both %v: window %d, want %d", both, got, want)
		}
	}
}

// TestResetPhase: what was outstanding when a connection was reset.
func TestResetPhase(t *testing.T) {
	request := seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}
	response := seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"}
	acked := seg{from: cl, flags: "A", seq: 4, ack: 3}
	reset := func(from capture.Side, d time.Duration) seg {
		if from == cl {
			return seg{from: cl, flags: "R", seq: 4, after: d}
		}
		return seg{from: sv, flags: "R", seq: 3, after: d}
	}
	slow := func(s seg, d time.Duration) seg { s.after = d; return s }
	for _, tt := range []struct {
		name   string
		script []seg
		want   capture.Phase
	}{
		{"a request nobody acknowledged", []seg{request, {from: sv, flags: "R", seq: 1, after: 5 * time.Second}}, capture.PhaseRequest},
		{"a request acknowledged", []seg{request, {from: sv, flags: "A", seq: 1, ack: 4}, {from: sv, flags: "R", seq: 1, after: 5 * time.Second}}, capture.PhaseRequest},
		{"within a response", []seg{request, response, reset(sv, ms(100))}, capture.PhaseResponse},
		{"within a response, by the client", []seg{request, response, reset(cl, ms(100))}, capture.PhaseResponse},
		{"idle", []seg{request, response, acked, reset(sv, 5*time.Second)}, capture.PhaseIdle},
		{"idle, by the client", []seg{request, response, acked, reset(cl, 5*time.Second)}, capture.PhaseIdle},
		{"idle, the acknowledgement not captured", []seg{request, response, reset(sv, 5*time.Second)}, capture.PhaseIdle},
		{"idle, the acknowledgement not captured, by the client", []seg{request, response, reset(cl, 5*time.Second)}, capture.PhaseIdle},
		{"a response that is sent again and again", []seg{request, response, slow(response, time.Second), slow(response, 2*time.Second), reset(sv, 4*time.Second)}, capture.PhaseUnacknowledged},
		{"the next request on an idle connection", []seg{request, response, acked, {from: cl, flags: "PA", seq: 4, ack: 3, data: "get", after: 5 * time.Second}, reset(sv, ms(1))}, capture.PhaseRequest},
		{"the next request, the acknowledgement not captured", []seg{request, response, {from: cl, flags: "PA", seq: 4, ack: 1, data: "get", after: 5 * time.Second}, reset(sv, 2*time.Second)}, capture.PhaseRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{})
			r.play(handshake)
			r.play(tt.script)
			for _, o := range r.book.Batch.Observations {
				if reset, ok := o.(*capture.ConnReset); ok {
					if reset.Phase != tt.want {
						t.Errorf("phase %v, want %v", reset.Phase, tt.want)
					}
					return
				}
			}
			t.Errorf("no ConnReset: %q", r.observed())
		})
	}
}

// TestSamples: what is a round trip of the network, and what is not.
func TestSamples(t *testing.T) {
	response := seg{from: sv, flags: "PA", seq: 1, ack: 1, data: "ok"}
	for _, tt := range []struct {
		name   string
		script []seg
		want   []time.Duration // beside the handshake's 20 ms
	}{
		{"acknowledged at once", []seg{response, seg{from: cl, flags: "A", seq: 1, ack: 3}.in(ms(22))}, []time.Duration{ms(22)}},
		{"acknowledged with the next request", []seg{response, seg{from: cl, flags: "PA", seq: 1, ack: 3, data: "get"}.in(ms(22))}, nil},
		{"one segment, acknowledged late", []seg{response, seg{from: cl, flags: "A", seq: 1, ack: 3}.in(ms(60))}, nil},
		{"two segments, acknowledged late", []seg{response, {from: sv, flags: "PA", seq: 3, ack: 1, data: "ok"}, seg{from: cl, flags: "A", seq: 1, ack: 5}.in(ms(60))},
			[]time.Duration{ms(61)}},
		{"shorter than all before", []seg{response, seg{from: cl, flags: "A", seq: 1, ack: 3}.in(ms(3))}, []time.Duration{ms(3)}},
		{"what is acknowledged already is sent again meanwhile", []seg{response, seg{from: cl, flags: "A", seq: 1, ack: 3}.in(ms(22)), {from: sv, flags: "PA", seq: 3, ack: 1, data: "ok"},
			response, seg{from: cl, flags: "A", seq: 1, ack: 5}.in(ms(21))}, []time.Duration{ms(22), ms(22)}},
		{"sent again, nobody knows which is acknowledged", []seg{response, response.in(ms(300)), seg{from: cl, flags: "A", seq: 1, ack: 3}.in(ms(22))}, nil},
		{"sent again with timestamps", []seg{response.stamped(1, 7), response.stamped(300, 7).in(ms(300)),
			seg{from: cl, flags: "A", seq: 1, ack: 3}.stamped(8, 300).in(ms(22))}, []time.Duration{ms(22)}},
		{"sent again with timestamps, acknowledged with the next request", []seg{response.stamped(1, 7), response.stamped(300, 7).in(ms(300)),
			seg{from: cl, flags: "PA", seq: 1, ack: 3, data: "get"}.stamped(8, 300).in(ms(22))}, nil},
		{"sent again with timestamps, in vain", []seg{response.stamped(1, 7), response.stamped(300, 7).in(ms(300)),
			seg{from: cl, flags: "A", seq: 1, ack: 3}.stamped(8, 1).in(ms(22))}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{})
			r.play(open(nil))
			r.play(tt.script)
			sum := ms(20)
			for _, d := range tt.want {
				sum += d
			}
			q := &r.table.lone().quality
			if q.RTTs[sv] != uint32(1+len(tt.want)) || q.RTTSum[sv] != uint64(sum) {
				t.Errorf("%d samples that sum up to %v, want %d and %v", q.RTTs[sv], time.Duration(q.RTTSum[sv]), 1+len(tt.want), sum)
			}
			if q.Connect() != ms(21) {
				t.Errorf("handshake %v, want 21ms", q.Connect())
			}
			r.flush()
		})
	}
}
