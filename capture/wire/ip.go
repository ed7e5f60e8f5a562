package wire

import (
	"encoding/binary"

	"github.com/wiretell/wiretell/capture"
)

// Numbers of the IANA registry "Assigned Internet Protocol Numbers".
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoIPv4     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoAH       = 51
	protoICMPv6   = 58
	protoOptions  = 60
	protoMPLS     = 137
)

// ipv4 decodes an IPv4 packet (RFC 791, section 3.1). wire is the length from
// here to the end of the frame on the wire.
func (d *Decoder) ipv4(p *capture.Packet, b []byte, wire, depth int) capture.Entry {
	if len(b) < 20 {
		return short(wire, 20, capture.FrameMalformedIP)
	}
	header := int(b[0]&0x0f) * 4
	if b[0]>>4 != 4 || header < 20 {
		return capture.FrameMalformedIP
	}
	total := int(be16(b[2:4]))
	if total == 0 {
		// Left for the network card to fill in (segmentation offload), or
		// more than 65,535 bytes (BIG TCP): the frame ends the packet.
		total = wire
	}
	if total < header || total > wire {
		return capture.FrameMalformedIP
	}
	if header > len(b) {
		return capture.FrameTruncated
	}
	p.Network = capture.IPv4
	p.TTL, p.ID = b[8], be16(b[4:6])
	putIPv4(&p.Flow.Src.Addr, b[12:16])
	putIPv4(&p.Flow.Dst.Addr, b[16:20])
	proto, frag := b[9], be16(b[6:8])
	b, wire = b[header:min(total, len(b))], total-header
	// MF, or an offset: RFC 791, section 3.2.
	if frag&0x3fff != 0 {
		p.Fragment = capture.Fragment{
			ID: uint32(p.ID), Offset: uint32(frag&0x1fff) * 8, More: frag&0x2000 != 0, Proto: proto,
		}
		return fragment(p, b, wire)
	}
	if proto == protoTCP {
		return d.tcp(p, b, wire)
	}
	return d.transport(p, proto, b, wire, depth)
}

// putIPv4 writes the IPv4-mapped form of a (4 bytes) in two words, so that
// reading it back in words does not wait for the bytes.
func putIPv4(to *[16]byte, a []byte) {
	binary.LittleEndian.PutUint64(to[0:8], 0)
	binary.LittleEndian.PutUint64(to[8:16], uint64(binary.LittleEndian.Uint32(a))<<32|0xffff<<16)
}

// fragment ends decoding at a fragment, p.Fragment of which is set.
func fragment(p *capture.Packet, b []byte, wire int) capture.Entry {
	p.IsFragment = true
	switch proto := p.Fragment.Proto; {
	case proto == protoTCP:
		p.Transport = capture.TCP
	case proto == protoUDP:
		p.Transport = capture.UDP
	case proto == protoICMP && p.Network == capture.IPv4, proto == protoICMPv6 && p.Network == capture.IPv6:
		p.Transport = capture.ICMP
	default:
		p.Transport = capture.TransportOther
	}
	p.Payload, p.PayloadLen = b, wire
	return capture.FragmentsLive
}

// ipv6 decodes an IPv6 packet (RFC 8200, section 3).
func (d *Decoder) ipv6(p *capture.Packet, b []byte, wire, depth int) capture.Entry {
	if len(b) < 40 {
		return short(wire, 40, capture.FrameMalformedIP)
	}
	if b[0]>>4 != 6 {
		return capture.FrameMalformedIP
	}
	n, next := int(be16(b[4:6])), b[6]
	p.Network = capture.IPv6
	p.ID = 0
	p.TTL = b[7]
	copy(p.Flow.Src.Addr[:], b[8:24])
	copy(p.Flow.Dst.Addr[:], b[24:40])
	b, wire = b[40:], wire-40
	jumbo := false
	if n == 0 {
		switch {
		case next == protoHopByHop:
			jumbo = true // there may be a jumbo payload option; see extensions
			n = wire
		case wire > 0xffff:
			// BIG TCP: recent kernels leave the length 0 and write no
			// jumbo payload option. The frame ends the packet.
			n = wire
		}
	}
	if n > wire {
		return capture.FrameMalformedIP
	}
	b, wire = b[:min(n, len(b))], n
	if next == protoTCP {
		return d.tcp(p, b, wire)
	}
	return d.extensions(p, next, b, wire, depth, jumbo)
}

// extensions walks the chain of IPv6 extension headers (RFC 8200, section 4).
// jumbo says that the payload length was 0 and a jumbo payload option may tell it.
func (d *Decoder) extensions(p *capture.Packet, next uint8, b []byte, wire, depth int, jumbo bool) capture.Entry {
	for i := 0; ; i++ {
		switch next {
		case protoHopByHop, protoRouting, protoFragment, protoOptions, protoAH:
		default:
			return d.transport(p, next, b, wire, depth)
		}
		if i == maxExtensions {
			return capture.FrameNestedTooDeep
		}
		if len(b) < 8 {
			return short(wire, 8, capture.FrameMalformedIP)
		}
		n := int(b[1])*8 + 8
		switch next {
		case protoFragment:
			n = 8
			off := be16(b[2:4])
			// RFC 6946, section 4: a host that receives an atomic fragment
			// "MUST process it in isolation from any other packets".
			if off&0xfff9 != 0 {
				p.Fragment = capture.Fragment{
					ID: be32(b[4:8]), Offset: uint32(off &^ 7), More: off&1 != 0, Proto: b[0],
				}
				return fragment(p, b[8:], wire-8)
			}
		case protoAH:
			n = int(b[1])*4 + 8 // RFC 4302, section 2.2: in 32-bit words, minus 2
		}
		if n > wire {
			return capture.FrameMalformedIP
		}
		if n > len(b) {
			return capture.FrameTruncated
		}
		switch next {
		case protoHopByHop:
			// RFC 8200, section 4.1: it "is restricted to appear immediately
			// after an IPv6 header only".
			if i != 0 {
				return capture.FrameMalformedIP
			}
			size, ok := jumboLength(b[2:n])
			switch {
			case !ok || size != 0 && (!jumbo || size <= 0xffff || int64(size) > int64(wire)):
				// RFC 2675, section 3: an option beside a payload length that
				// is not 0, or with less than 65,536, is an error.
				return capture.FrameMalformedIP
			case size != 0:
				wire = int(size)
				b = b[:min(wire, len(b))]
			case jumbo && wire <= 0xffff:
				// RFC 2675, section 3: payload length 0 and a hop-by-hop header
				// but no jumbo payload option.
				return capture.FrameMalformedIP
			}
		case protoRouting:
			// The checksum covers the final destination, which is not in the
			// IPv6 header while segments are left (RFC 8200, section 8.1).
			d.verify = d.verify && b[3] == 0
		case protoOptions:
			d.verify = d.verify && !hasHomeAddress(b[2:n])
		}
		next, b, wire = b[0], b[n:], wire-n
	}
}

// jumboLength returns the value of the jumbo payload option (RFC 2675,
// section 2), 0 when there is none; ok is false when the options are broken.
func jumboLength(opts []byte) (size uint32, ok bool) {
	for len(opts) > 0 {
		if opts[0] == 0 { // Pad1
			opts = opts[1:]
			continue
		}
		if len(opts) < 2 || int(opts[1])+2 > len(opts) {
			return 0, false
		}
		n := int(opts[1]) + 2
		if opts[0] == 0xc2 {
			if n != 6 {
				return 0, false
			}
			size = be32(opts[2:6])
			if size == 0 {
				return 0, false
			}
		}
		opts = opts[n:]
	}
	return size, true
}

// hasHomeAddress reports whether there is a Home Address option (RFC 6275,
// section 6.3), which stands in for the source address in the checksum.
func hasHomeAddress(opts []byte) bool {
	for len(opts) > 0 {
		if opts[0] == 0 {
			opts = opts[1:]
			continue
		}
		if len(opts) < 2 || int(opts[1])+2 > len(opts) {
			return true // not to be read: nothing can be verified
		}
		if opts[0] == 0xc9 {
			return true
		}
		opts = opts[int(opts[1])+2:]
	}
	return false
}
