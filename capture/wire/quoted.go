package wire

import "github.com/wiretell/wiretell/capture"

// Quoted is what an ICMP error tells of the packet that caused it.
type Quoted struct {
	// Flow is the direction of the packet that is quoted; its ports are 0
	// when HasPorts is false.
	Flow      capture.Flow
	Network   capture.Network
	Transport capture.Transport
	HasPorts  bool
	// Seq is TCP's sequence number; it is known when HasSeq is true.
	Seq    uint32
	HasSeq bool
	// Data is what is quoted of a UDP datagram behind its header, in the memory
	// that was decoded.
	Data []byte
}

// DecodeQuoted decodes the packet of network n that an ICMP error quotes. b may
// end anywhere: RFC 792 asks for 8 bytes after the IP header, RFC 1812 and RFC
// 4443 for more, and captures cut. Lengths and checksums in it are not looked
// at, as routers change them on the way. It returns false when not even the
// addresses can be read.
func DecodeQuoted(n capture.Network, b []byte) (q Quoted, ok bool) {
	var proto uint8
	first := true // of the fragments, the one that has the transport header
	switch n {
	case capture.IPv4:
		if len(b) < 20 || b[0]>>4 != 4 || b[0]&0x0f < 5 {
			return q, false
		}
		putIPv4(&q.Flow.Src.Addr, b[12:16])
		putIPv4(&q.Flow.Dst.Addr, b[16:20])
		proto = b[9]
		first = be16(b[6:8])&0x1fff == 0
		b = b[min(int(b[0]&0x0f)*4, len(b)):]
	case capture.IPv6:
		if len(b) < 40 || b[0]>>4 != 6 {
			return q, false
		}
		q.Flow.Src.Addr = [16]byte(b[8:24])
		q.Flow.Dst.Addr = [16]byte(b[24:40])
		proto, b, first = quotedExtensions(b[6], b[40:])
	default:
		return q, false
	}
	q.Network = n
	switch {
	case proto == protoTCP:
		q.Transport = capture.TCP
	case proto == protoUDP:
		q.Transport = capture.UDP
	case proto == protoICMP && n == capture.IPv4, proto == protoICMPv6 && n == capture.IPv6:
		q.Transport = capture.ICMP
	default:
		q.Transport = capture.TransportOther
	}
	if !first || q.Transport != capture.TCP && q.Transport != capture.UDP {
		return q, true
	}
	if len(b) >= 4 {
		q.HasPorts = true
		q.Flow.Src.Port, q.Flow.Dst.Port = be16(b[0:2]), be16(b[2:4])
	}
	if len(b) >= 8 && q.Transport == capture.TCP {
		q.HasSeq, q.Seq = true, be32(b[4:8])
	}
	if len(b) > 8 && q.Transport == capture.UDP {
		q.Data = b[8:]
	}
	return q, true
}

// quotedExtensions skips IPv6 extension headers as far as they are quoted.
// first is false in a fragment that is not the datagram's first.
func quotedExtensions(next uint8, b []byte) (proto uint8, rest []byte, first bool) {
	for range maxExtensions {
		switch next {
		case protoHopByHop, protoRouting, protoFragment, protoOptions, protoAH:
		default:
			return next, b, true
		}
		if len(b) < 8 {
			return next, nil, true
		}
		n := int(b[1])*8 + 8
		switch next {
		case protoFragment:
			n = 8
			if be16(b[2:4])&^7 != 0 {
				return b[0], nil, false
			}
		case protoAH:
			n = int(b[1])*4 + 8
		}
		next, b = b[0], b[min(n, len(b)):]
	}
	return next, nil, true
}
