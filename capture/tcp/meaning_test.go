package tcp

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// conversation is a connection with n exchanges of random sizes, as packets.
func conversation(r *rig, rng *rand.Rand, n int, isn [2]uint32) ([]*capture.Packet, [2][]byte) {
	var packets []*capture.Packet
	var streams [2][]byte
	add := func(s seg) { packets = append(packets, r.packet(s, isn)) }
	for _, s := range handshake {
		add(s)
	}
	at := func(from capture.Side) uint32 { return uint32(len(streams[from])) + 1 }
	for range n {
		for from := cl; from <= sv; from++ {
			for range 1 + rng.IntN(3) {
				b := make([]byte, 1+rng.IntN(600))
				for i := range b {
					b[i] = byte(rng.Uint32())
				}
				add(seg{from: from, flags: "PA", seq: at(from), ack: at(from.Other()), data: string(b), after: time.Duration(10+rng.IntN(90)) * time.Microsecond})
				streams[from] = append(streams[from], b...)
			}
			add(seg{from: from.Other(), flags: "A", seq: at(from.Other()), ack: at(from), after: 20 * time.Microsecond})
		}
	}
	add(seg{from: cl, flags: "FA", seq: at(cl), ack: at(sv)})
	add(seg{from: sv, flags: "FA", seq: at(sv), ack: at(cl) + 1})
	add(seg{from: cl, flags: "A", seq: at(cl) + 1, ack: at(sv) + 1})
	return packets, streams
}

// clone copies a packet with another range of its payload.
func clone(p *capture.Packet, from, to int) *capture.Packet {
	q := *p
	q.Payload, q.PayloadLen = p.Payload[from:to], to-from
	q.TCP.Seq += uint32(from)
	if to < len(p.Payload) {
		q.TCP.Flags &^= capture.FIN | capture.PSH
	}
	return &q
}

// TestSameMeaning: whatever is done to a conversation on its way that does not
// change its meaning, the same bytes come out, without a gap.
func TestSameMeaning(t *testing.T) {
	changes := []struct {
		name   string
		change func(*rand.Rand, []*capture.Packet) []*capture.Packet
	}{
		{"as it is", func(_ *rand.Rand, in []*capture.Packet) []*capture.Packet { return in }},
		{"cut into pieces", func(rng *rand.Rand, in []*capture.Packet) (out []*capture.Packet) {
			for _, p := range in {
				i := 0
				for len(p.Payload)-i > 1 {
					n := 1 + rng.IntN(min(90, len(p.Payload)-i-1))
					out = append(out, clone(p, i, i+n))
					i += n
				}
				out = append(out, clone(p, i, len(p.Payload)))
			}
			return out
		}},
		{"glued", func(_ *rand.Rand, in []*capture.Packet) (out []*capture.Packet) {
			for _, p := range in {
				if n := len(out); n > 0 && len(p.Payload) > 0 && len(out[n-1].Payload) > 0 && out[n-1].Flow == p.Flow {
					q := clone(out[n-1], 0, len(out[n-1].Payload))
					q.Payload = append(bytes.Clone(q.Payload), p.Payload...)
					q.PayloadLen = len(q.Payload)
					out[n-1] = q
					continue
				}
				out = append(out, p)
			}
			return out
		}},
		{"neighbours swapped", func(rng *rand.Rand, in []*capture.Packet) []*capture.Packet {
			for i := 3; i+1 < len(in); i += 2 {
				if rng.IntN(2) == 0 {
					in[i], in[i+1] = in[i+1], in[i]
				}
			}
			return in
		}},
		{"shuffled by four", func(rng *rand.Rand, in []*capture.Packet) []*capture.Packet {
			for i := 0; i+4 <= len(in); i += 4 {
				rng.Shuffle(4, func(a, b int) { in[i+a], in[i+b] = in[i+b], in[i+a] })
			}
			return in
		}},
		{"duplicated", func(_ *rand.Rand, in []*capture.Packet) (out []*capture.Packet) {
			for _, p := range in {
				out = append(out, p, p)
			}
			return out
		}},
		{"sent again later", func(_ *rand.Rand, in []*capture.Packet) (out []*capture.Packet) {
			for i, p := range in {
				out = append(out, p)
				if i >= 6 {
					out = append(out, in[i-3])
				}
			}
			return out
		}},
		{"overlapping", func(rng *rand.Rand, in []*capture.Packet) (out []*capture.Packet) {
			for i, p := range in {
				for j := i - 1; j >= 0 && len(p.Payload) > 0; j-- {
					if q := in[j]; q.Flow == p.Flow && len(q.Payload) > 0 {
						n := rng.IntN(len(q.Payload))
						r := clone(p, 0, len(p.Payload))
						r.Payload = append(bytes.Clone(q.Payload[n:]), p.Payload...)
						r.PayloadLen = len(r.Payload)
						r.TCP.Seq = q.TCP.Seq + uint32(n)
						p = r
						break
					}
				}
				out = append(out, p)
			}
			return out
		}},
	}
	isns := [][2]uint32{{1000, 77000}, {1<<32 - 1, 1<<32 - 2}, {1<<32 - 700, 1<<32 - 1500}, {1<<31 - 100, 1<<31 - 900}}
	for _, tt := range changes {
		t.Run(tt.name, func(t *testing.T) {
			var first *rig // of the same seed, with other sequence numbers
			for i := range uint64(40) {
				seed := i / 4
				rng := rand.New(rand.NewPCG(seed, 7))
				r := newRig(t, Config{})
				packets, want := conversation(r, rng, 5, isns[i%4])
				times := make([]capture.Time, len(packets))
				for i, p := range packets {
					times[i] = p.Time
				}
				packets = tt.change(rng, packets)
				for i, p := range packets {
					q := *p
					q.Time = times[min(i, len(times)-1)] // time goes on as it did
					r.feed(&q)
				}
				r.flush()
				for from := cl; from <= sv; from++ {
					if !bytes.Equal(r.bytes[from], want[from]) {
						t.Errorf("seed %d: %v: %d bytes, want %d", seed, from, len(r.bytes[from]), len(want[from]))
					}
				}
				if i%4 == 0 {
					first = r
				} else if r.book.Ledger != first.book.Ledger || r.book.TCP != first.book.TCP || !slices.Equal(r.calls, first.calls) || !slices.Equal(r.observed(), first.observed()) {
					t.Errorf("seed %d: other sequence numbers make a difference:\n%v\n%v", seed, r.observed(), first.observed())
				}
				if l := &r.book.Ledger; l[capture.Gaps] != 0 || l[capture.BytesLate] != 0 || l[capture.ConnsFIN] != 1 || l[capture.ConnsOpened]+l[capture.ConnsMidstream] != 1 {
					t.Errorf("seed %d: %d gaps, %d late, %d closed by FIN, %d opened, %d midstream", seed, l[capture.Gaps], l[capture.BytesLate], l[capture.ConnsFIN], l[capture.ConnsOpened], l[capture.ConnsMidstream])
				}
			}
		})
	}
}

// TestOneLost leaves each packet out in turn: every other byte is handed on, at
// its place, and the missing ones are one gap of their size.
func TestOneLost(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	all, want := conversation(newRig(t, Config{}), rng, 8, bases)
	for lost := range all {
		r := newRig(t, Config{})
		o := &placed{}
		r.table.open = func(*capture.Conn, *capture.Quality, *capture.PortStats) capture.Handler { return o }
		for i, p := range all {
			if i != lost {
				r.feed(p)
			}
		}
		r.flush()
		gone := all[lost]
		from := cl
		if gone.Flow.Src != capture.EndpointOf(clientAddr) {
			from = sv
		}
		for side := cl; side <= sv; side++ {
			for off, b := range o.bytes[side] {
				if want[side][off] != b {
					t.Fatalf("lost packet %d: %v: wrong byte at %d", lost, side, off)
				}
			}
			missing := len(want[side]) - len(o.bytes[side])
			expect := 0
			if side == from {
				expect = len(gone.Payload)
			}
			if missing != expect {
				t.Errorf("lost packet %d: %v: %d bytes missing, want %d", lost, side, missing, expect)
			}
		}
		if got := r.book.Ledger[capture.GapBytes]; got != uint64(len(gone.Payload)) {
			t.Errorf("lost packet %d of %d bytes: gaps of %d", lost, len(gone.Payload), got)
		}
	}
}

// placed keeps bytes by their offset.
type placed struct{ bytes [2]map[uint64]byte }

func (p *placed) Data(at capture.Mark, from capture.Side, b []byte) {
	if p.bytes[from] == nil {
		p.bytes[from] = map[uint64]byte{}
	}
	for i, c := range b {
		p.bytes[from][at.Offset+uint64(i)] = c
	}
}
func (p *placed) Gap(capture.Mark, capture.Side, int, capture.Reason) {}
func (p *placed) End(capture.Mark, capture.Side, capture.Reason)      {}
