package wire

import (
	"encoding/binary"

	"github.com/wiretell/wiretell/capture"
)

// transport decodes what an IP packet carries by its protocol number; b is the
// captured part of its wire bytes.
func (d *Decoder) transport(p *capture.Packet, proto uint8, b []byte, wire, depth int) capture.Entry {
	switch proto {
	case protoTCP:
		return d.tcp(p, b, wire)
	case protoUDP:
		return d.udp(p, b, wire)
	case protoICMP:
		if p.Network == capture.IPv4 {
			return d.icmp(p, b, wire, capture.FrameICMP)
		}
	case protoICMPv6:
		if p.Network == capture.IPv6 {
			return d.icmp(p, b, wire, capture.FrameICMPv6)
		}
	case protoIPv4, protoIPv6:
		return d.encapsulated(p, proto, b, wire, depth)
	case protoGRE:
		return d.gre(p, b, wire, depth)
	case protoMPLS: // RFC 4023
		return d.mplsInIP(p, b, wire, depth)
	case protoAH: // over IPv4; RFC 4302, section 2
		if len(b) < 8 {
			return short(wire, 8, capture.FrameMalformedIP)
		}
		n := int(b[1])*4 + 8
		if n > len(b) {
			return short(wire, n, capture.FrameMalformedIP)
		}
		if b[0] == protoAH {
			break // one is enough
		}
		return d.transport(p, b[0], b[n:], wire-n, depth)
	}
	return other(p, b, wire)
}

func (d *Decoder) mplsInIP(p *capture.Packet, b []byte, wire, depth int) capture.Entry {
	outer := *p
	if !inner(p, depth) {
		return capture.FrameNestedTooDeep
	}
	e := d.mpls(p, b, wire, depth+1)
	if e == capture.FrameOther && p.Network == capture.NetworkNone {
		*p = outer
		return other(p, b, wire)
	}
	return e
}

// tcp decodes a TCP segment (RFC 9293, section 3.1).
func (d *Decoder) tcp(p *capture.Packet, b []byte, wire int) capture.Entry {
	if len(b) < 20 {
		return short(wire, 20, capture.FrameMalformedTCP)
	}
	header := int(b[12]>>4) * 4
	if header < 20 || header > wire {
		return capture.FrameMalformedTCP
	}
	if header > len(b) {
		return capture.FrameTruncated
	}
	p.Transport = capture.TCP
	p.Flow.Src.Port = be16(b[0:2])
	p.Flow.Dst.Port = be16(b[2:4])
	p.TCP.Seq = be32(b[4:8])
	p.TCP.Ack = be32(b[8:12])
	p.TCP.Flags = capture.Flags(b[13])
	p.TCP.Window = be16(b[14:16])
	p.TCP.Urgent = be16(b[18:20])
	if header > 20 {
		opts := b[20:header]
		// RFC 7323, appendix A: NOP NOP and a timestamp, as nearly every
		// segment has.
		if len(opts) == 12 && be32(opts) == 0x0101080a {
			p.TCP.HasTimestamps = true
			p.TCP.TSVal, p.TCP.TSEcr = be32(opts[4:8]), be32(opts[8:12])
		} else {
			tcpOptions(&p.TCP, opts)
		}
	}
	p.Payload, p.PayloadLen = b[header:], wire-header
	if d.verify {
		p.BadChecksum = d.bad(p, b, wire, protoTCP, binary.LittleEndian.Uint16(b[16:18]))
	}
	return capture.FrameTCP
}

// Numbers of the IANA registry "TCP Option Kind Numbers".
const (
	optEnd           = 0
	optNOP           = 1
	optMSS           = 2
	optWindowScale   = 3
	optSACKPermitted = 4
	optSACK          = 5
	optTimestamps    = 8
	optFastOpen      = 34
	optExperiment    = 254
)

// tcpOptions reads TCP options. It stops at the first that is broken: what
// follows cannot be told.
func tcpOptions(t *capture.TCPHeader, b []byte) {
	syn := t.Flags.Has(capture.SYN)
	for len(b) > 0 {
		if b[0] == optNOP {
			b = b[1:]
			continue
		}
		if b[0] == optEnd || len(b) < 2 {
			return
		}
		n := int(b[1])
		if n < 2 || n > len(b) {
			return
		}
		o := b[:n]
		b = b[n:]
		switch o[0] {
		case optMSS:
			if n == 4 && syn {
				t.HasMSS, t.MSS = true, be16(o[2:])
			}
		case optWindowScale:
			// RFC 7323, section 2.2: the option in a segment without SYN "MUST
			// be ignored"; section 2.3: with a count greater than 14 a TCP
			// "MUST use 14 instead".
			if n == 3 && syn {
				t.HasWindowScale, t.WindowScale = true, min(o[2], 14)
			}
		case optSACKPermitted:
			t.SACKPermitted = t.SACKPermitted || n == 2 && syn
		case optSACK:
			t.SACKs = 0
			for s := o[2:]; len(s) >= 8 && int(t.SACKs) < len(t.SACK); s = s[8:] {
				t.SACK[t.SACKs] = [2]uint32{be32(s), be32(s[4:])}
				t.SACKs++
			}
		case optTimestamps:
			if n == 10 {
				t.HasTimestamps, t.TSVal, t.TSEcr = true, be32(o[2:]), be32(o[6:])
			}
		case optFastOpen:
			t.FastOpen = true
		case optExperiment:
			// RFC 7413, appendix A: the experiment identifier.
			t.FastOpen = t.FastOpen || n >= 4 && be16(o[2:]) == 0xf989
		}
	}
}

// udp decodes a UDP datagram (RFC 768).
func (d *Decoder) udp(p *capture.Packet, b []byte, wire int) capture.Entry {
	if len(b) < 8 {
		return short(wire, 8, capture.FrameMalformedUDP)
	}
	n := int(be16(b[4:6]))
	if n == 0 && wire > 0xffff {
		n = wire // too long for the field: RFC 2675, section 4, and tunnels of BIG TCP over IPv4
	}
	if n < 8 || n > wire {
		return capture.FrameMalformedUDP
	}
	b = b[:min(n, len(b))]
	p.Transport = capture.UDP
	p.Flow.Src.Port = be16(b[0:2])
	p.Flow.Dst.Port = be16(b[2:4])
	p.Payload, p.PayloadLen = b[8:], n-8
	if d.verify {
		sum := binary.LittleEndian.Uint16(b[6:8])
		// RFC 768: "An all zero transmitted checksum value means that the
		// transmitter generated no checksum".
		p.BadChecksum = sum != 0 && d.bad(p, b, n, protoUDP, sum)
	}
	return capture.FrameUDP
}

// icmp decodes an ICMP (RFC 792) or ICMPv6 (RFC 4443) message.
func (d *Decoder) icmp(p *capture.Packet, b []byte, wire int, e capture.Entry) capture.Entry {
	if len(b) < 8 {
		return short(wire, 8, capture.FrameMalformedICMP)
	}
	p.Transport = capture.ICMP
	p.ICMP = capture.ICMPHeader{Type: b[0], Code: b[1], Rest: be32(b[4:8])}
	p.Payload, p.PayloadLen = b[8:], wire-8
	if d.verify {
		sum := binary.LittleEndian.Uint16(b[2:4])
		if e == capture.FrameICMPv6 {
			p.BadChecksum = d.bad(p, b, wire, protoICMPv6, sum)
		} else {
			p.BadChecksum = len(b) == wire && fold(addWords(0, b)) != 0xffff
		}
	}
	return e
}
