package pcap

import (
	"encoding/binary"
	"math"

	"github.com/wiretell/wiretell/capture"
)

// magic is one of the file types that begin with a pcap file header
// (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html).
type magic struct {
	word   uint32
	unit   capture.Time // nanoseconds in the fraction's unit
	header int          // bytes in front of each packet
}

var magics = [...]magic{
	{0xa1b2c3d4, 1000, 16},
	{0xa1b23c4d, 1, 16},
	{0xa1b2cd34, 1000, 24}, // as patched by Alexey Kuznetsov: 8 bytes more of interface and direction
}

// order returns the byte order in which head is m, or nil.
func (m magic) order(head []byte) binary.ByteOrder {
	switch m.word {
	case binary.LittleEndian.Uint32(head):
		return binary.LittleEndian
	case binary.BigEndian.Uint32(head):
		return binary.BigEndian
	}
	return nil
}

// pcapReader reads the classic format.
type pcapReader struct {
	*input
	big    bool
	unit   capture.Time
	header int
	iface  capture.Interface
	used   int // bytes of the record that the last Next returned
}

func newPcapReader(in *input, m magic, order binary.ByteOrder) (*pcapReader, error) {
	b, err := in.peek(24)
	if err != nil {
		return nil, in.end(err, len(b), 24, "the file header")
	}
	if major := order.Uint16(b[4:]); major != 2 {
		return nil, in.damaged("pcap version %d.%d is not known", major, order.Uint16(b[6:]))
	}
	// The upper bits tell the length of a frame check sequence.
	link := order.Uint32(b[20:]) & 0x03ffffff
	if link > math.MaxUint16 {
		link = math.MaxUint16 // none that is assigned
	}
	in.use(24)
	return &pcapReader{
		input: in, big: order == binary.BigEndian, unit: m.unit, header: m.header,
		iface: capture.Interface{Link: capture.LinkType(link)},
	}, nil
}

// Next implements capture.Source.
func (r *pcapReader) Next(f *capture.Frame) error {
	r.use(r.used)
	r.used = 0
	b := r.buf[r.r:r.w]
	if len(b) < r.header {
		var err error
		if b, err = r.fill(r.header); err != nil {
			return r.end(err, len(b), int64(r.header), "a packet's header")
		}
	}
	h := b[:16]
	var sec, frac, captured, length uint32
	if r.big {
		sec, frac = binary.BigEndian.Uint32(h[0:4]), binary.BigEndian.Uint32(h[4:8])
		captured, length = binary.BigEndian.Uint32(h[8:12]), binary.BigEndian.Uint32(h[12:16])
	} else {
		sec, frac = binary.LittleEndian.Uint32(h[0:4]), binary.LittleEndian.Uint32(h[4:8])
		captured, length = binary.LittleEndian.Uint32(h[8:12]), binary.LittleEndian.Uint32(h[12:16])
	}
	if captured > maxPacket {
		return r.damaged("a packet of %d bytes (more than %d is not believed)", captured, maxPacket)
	}
	n := r.header + int(captured)
	if len(b) < n {
		var err error
		if b, err = r.fill(n); err != nil {
			return r.end(err, len(b), int64(n), "a packet")
		}
	}
	r.used = n
	*f = capture.Frame{} // in two steps, so that no copy is made
	f.Time = capture.Time(sec)*1e9 + capture.Time(frac)*r.unit
	f.Data = b[r.header:n:n]
	f.WireLen = int(min(max(length, captured), math.MaxInt32))
	f.Link = r.iface.Link
	return nil
}

// Stats implements capture.Source.
func (r *pcapReader) Stats(s *capture.SourceStats) {
	s.Interfaces = append(s.Interfaces[:0], r.iface)
	s.Rings = s.Rings[:0]
}
