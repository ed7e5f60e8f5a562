package capturetest

import (
	"encoding/binary"
	"io"
	"slices"

	"github.com/wiretell/wiretell/capture"
)

// Segment is one frame of a capture in memory: a TCP segment that can be
// changed, or, when Raw is set, a frame that is passed on as it is.
type Segment struct {
	Packet capture.Packet // Payload is owned by the Segment
	Raw    *capture.Frame
}

// Clone returns a deep copy.
func Clone(segments []Segment) []Segment {
	out := slices.Clone(segments)
	for i := range out {
		out[i].Packet.Payload = slices.Clone(out[i].Packet.Payload)
	}
	return out
}

// Source plays segments as a capture.Source.
type Source struct {
	segments []Segment
	next     int
	buf      []byte
}

// NewSource returns a Source of segments, which it does not change.
func NewSource(segments []Segment) *Source { return &Source{segments: segments} }

// Next implements capture.Source.
func (s *Source) Next(f *capture.Frame) error {
	if s.next == len(s.segments) {
		return io.EOF
	}
	seg := &s.segments[s.next]
	s.next++
	if seg.Raw != nil {
		*f = *seg.Raw
		return nil
	}
	s.buf = AppendTCP(s.buf[:0], &seg.Packet)
	*f = capture.Frame{
		Time: seg.Packet.Time, Data: s.buf, WireLen: len(s.buf) + seg.Packet.PayloadLen - len(seg.Packet.Payload),
		Link: capture.LinkRaw, Direction: seg.Packet.Direction, Loopback: seg.Packet.Loopback,
	}
	return nil
}

// Stats implements capture.Source.
func (s *Source) Stats(st *capture.SourceStats) {
	st.Interfaces = append(st.Interfaces[:0], capture.Interface{Link: capture.LinkRaw, Up: true})
	st.Rings = st.Rings[:0]
}

// Close implements capture.Source.
func (s *Source) Close() error { return nil }

// AppendTCP appends p as a raw IP packet. The lengths in its headers are those
// on the wire, so that a cut payload stays cut.
func AppendTCP(b []byte, p *capture.Packet) []byte {
	opts := tcpOptions(&p.TCP)
	total := 20 + len(opts) + p.PayloadLen
	if p.Network == capture.IPv6 {
		h := [40]byte{0: 6 << 4, 6: 6, 7: p.TTL}
		if total < 1<<16 {
			binary.BigEndian.PutUint16(h[4:], uint16(total))
		}
		copy(h[8:], p.Flow.Src.Addr[:])
		copy(h[24:], p.Flow.Dst.Addr[:])
		b = append(b, h[:]...)
	} else {
		h := [20]byte{0: 4<<4 | 5, 6: 0x40, 8: p.TTL, 9: 6}
		binary.BigEndian.PutUint16(h[4:], p.ID)
		if total+20 < 1<<16 {
			binary.BigEndian.PutUint16(h[2:], uint16(total+20))
		}
		copy(h[12:], p.Flow.Src.Addr[12:])
		copy(h[16:], p.Flow.Dst.Addr[12:])
		b = append(b, h[:]...)
	}
	var h [20]byte
	binary.BigEndian.PutUint16(h[0:], p.Flow.Src.Port)
	binary.BigEndian.PutUint16(h[2:], p.Flow.Dst.Port)
	binary.BigEndian.PutUint32(h[4:], p.TCP.Seq)
	binary.BigEndian.PutUint32(h[8:], p.TCP.Ack)
	h[12] = byte((20 + len(opts)) / 4 << 4)
	h[13] = byte(p.TCP.Flags)
	binary.BigEndian.PutUint16(h[14:], p.TCP.Window)
	binary.BigEndian.PutUint16(h[18:], p.TCP.Urgent)
	b = append(b, h[:]...)
	b = append(b, opts...)
	return append(b, p.Payload...)
}

// tcpOptions writes the options that TCPHeader holds (RFC 9293, section 3.2;
// RFC 7323, sections 2.2 and 3.2; RFC 2018, sections 2 and 3).
func tcpOptions(h *capture.TCPHeader) []byte {
	var o []byte
	if h.HasMSS {
		o = append(o, 2, 4, byte(h.MSS>>8), byte(h.MSS))
	}
	if h.HasWindowScale {
		o = append(o, 3, 3, h.WindowScale)
	}
	if h.SACKPermitted {
		o = append(o, 4, 2)
	}
	if h.HasTimestamps {
		o = append(o, 8, 10)
		o = binary.BigEndian.AppendUint32(o, h.TSVal)
		o = binary.BigEndian.AppendUint32(o, h.TSEcr)
	}
	if n := int(h.SACKs); n > 0 && len(o)+2+8*n <= 40 {
		o = append(o, 5, byte(2+8*n))
		for _, s := range h.SACK[:n] {
			o = binary.BigEndian.AppendUint32(o, s[0])
			o = binary.BigEndian.AppendUint32(o, s[1])
		}
	}
	for len(o)%4 != 0 {
		o = append(o, 0)
	}
	return o
}

// Load reads all frames of src and decodes them with decode, which has the
// shape of wire.Decoder.Decode. What is not a whole TCP segment is kept raw.
func Load(src capture.Source, decode func(*capture.Frame, *capture.Packet) capture.Entry) ([]Segment, error) {
	var out []Segment
	var f capture.Frame
	for {
		err := src.Next(&f)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		frame := f
		frame.Data = slices.Clone(f.Data)
		var s Segment
		account := decode(&frame, &s.Packet)
		if account != capture.FrameTCP || s.Packet.IsFragment || s.Packet.Network == capture.NetworkNone {
			s.Raw = &frame
		}
		s.Packet.Payload = slices.Clone(s.Packet.Payload)
		out = append(out, s)
	}
}
