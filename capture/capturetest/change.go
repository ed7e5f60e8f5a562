package capturetest

import (
	"slices"

	"github.com/wiretell/wiretell/capture"
)

// The changes below keep the meaning of a capture: the same exchanges must come
// out. Each returns new segments and leaves its argument alone.

// Shift moves the sequence numbers of both sides of every connection, so that
// each side's wraps through zero within its first bytes (RFC 9293, section 3.4).
func Shift(in []Segment) []Segment {
	out := Clone(in)
	base := map[capture.Flow]uint32{}
	delta := func(f capture.Flow) (uint32, bool) {
		b, ok := base[f]
		return -b - 3, ok // the side's first number becomes -3
	}
	for i := range out {
		s := &out[i]
		if s.Raw != nil {
			continue
		}
		p := &s.Packet
		if _, ok := base[p.Flow]; !ok {
			base[p.Flow] = p.TCP.Seq
		}
		if p.TCP.Flags.Has(capture.ACK) {
			if _, ok := base[p.Flow.Reverse()]; !ok { // joined midway: the other side is first seen by its acknowledgement
				base[p.Flow.Reverse()] = p.TCP.Ack
			}
		}
		d, _ := delta(p.Flow)
		p.TCP.Seq += d
		if d, ok := delta(p.Flow.Reverse()); ok && p.TCP.Flags.Has(capture.ACK) {
			p.TCP.Ack += d
			for j := range p.TCP.SACK {
				p.TCP.SACK[j][0] += d
				p.TCP.SACK[j][1] += d
			}
		}
	}
	return out
}

// Cut splits every payload into pieces of n bytes.
func Cut(in []Segment, n int) []Segment {
	var out []Segment
	for _, s := range Clone(in) {
		p := s.Packet
		if s.Raw != nil || len(p.Payload) <= n || p.PayloadLen != len(p.Payload) || p.TCP.Flags&(capture.SYN|capture.RST|capture.URG) != 0 {
			out = append(out, s)
			continue
		}
		for off := 0; off < len(p.Payload); off += n {
			end := min(off+n, len(p.Payload))
			c := s
			c.Packet.Payload = p.Payload[off:end]
			c.Packet.PayloadLen = end - off
			c.Packet.TCP.Seq += uint32(off)
			if end < len(p.Payload) {
				c.Packet.TCP.Flags &^= capture.FIN | capture.PSH
			}
			out = append(out, c)
		}
	}
	return out
}

// Glue joins a segment with its successor when both are of one flow and follow
// each other without a hole, as receive offload does.
func Glue(in []Segment) []Segment {
	var out []Segment
	for _, s := range Clone(in) {
		if n := len(out); n > 0 && joins(&out[n-1], &s) {
			last := &out[n-1].Packet
			last.Payload = append(last.Payload, s.Packet.Payload...)
			last.PayloadLen = len(last.Payload)
			last.Time = s.Packet.Time
			last.TCP.Ack, last.TCP.Window = s.Packet.TCP.Ack, s.Packet.TCP.Window
			last.TCP.Flags |= s.Packet.TCP.Flags
			continue
		}
		out = append(out, s)
	}
	return out
}

func joins(a, b *Segment) bool {
	const odd = capture.SYN | capture.FIN | capture.RST | capture.URG
	p, q := &a.Packet, &b.Packet
	return a.Raw == nil && b.Raw == nil && p.Flow == q.Flow && (p.TCP.Flags|q.TCP.Flags)&odd == 0 &&
		len(p.Payload) > 0 && len(q.Payload) > 0 && len(p.Payload) == p.PayloadLen && len(q.Payload) == q.PayloadLen &&
		p.TCP.Seq+uint32(len(p.Payload)) == q.TCP.Seq && p.TCP.Ack == q.TCP.Ack && len(p.Payload)+len(q.Payload) < 60000
}

// Swap exchanges neighbours of one flow that both carry payload, as packets
// overtake each other. Times stay where they are.
func Swap(in []Segment) []Segment {
	out := Clone(in)
	const odd = capture.SYN | capture.FIN | capture.RST
	for i := 0; i+1 < len(out); i++ {
		a, b := &out[i], &out[i+1]
		if a.Raw != nil || b.Raw != nil || a.Packet.Flow != b.Packet.Flow || len(a.Packet.Payload) == 0 || len(b.Packet.Payload) == 0 ||
			(a.Packet.TCP.Flags|b.Packet.TCP.Flags)&odd != 0 || first(out[:i], a.Packet.Flow) {
			continue
		}
		a.Packet.Time, b.Packet.Time = b.Packet.Time, a.Packet.Time
		out[i], out[i+1] = out[i+1], out[i]
		i++
	}
	return out
}

// first reports whether no segment of f is among seen: a swap of a connection's
// first two segments would begin it at another place.
func first(seen []Segment, f capture.Flow) bool {
	return !slices.ContainsFunc(seen, func(s Segment) bool { return s.Raw == nil && s.Packet.Flow == f })
}

// Duplicate repeats every segment at once, as a capture on two interfaces does.
func Duplicate(in []Segment) []Segment {
	var out []Segment
	for _, s := range Clone(in) {
		out = append(out, s)
		if s.Raw == nil {
			out = append(out, s)
		}
	}
	return out
}

// ToIPv6 gives every IPv4 endpoint an IPv6 address.
func ToIPv6(in []Segment) []Segment {
	out := Clone(in)
	for i := range out {
		if p := &out[i].Packet; out[i].Raw == nil && p.Network == capture.IPv4 {
			p.Network = capture.IPv6
			for _, e := range []*capture.Endpoint{&p.Flow.Src, &p.Flow.Dst} {
				copy(e.Addr[:12], "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00")
			}
		}
	}
	return out
}
