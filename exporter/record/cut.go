package record

import (
	"github.com/wiretell/wiretell/capture"
)

// etherARP is the EtherType of ARP, which has no payload (RFC 826).
const etherARP = 0x0806

// headers returns how many bytes of f are headers, p being f decoded: up to the
// payload of TCP or UDP, in an ICMP message up to that of the packet it quotes.
// Of what nobody could
// read only the link header is one.
func headers(f *capture.Frame, p *capture.Packet) int {
	if p.Payload == nil {
		n, kind := 0, uint16(0)
		switch {
		case f.HasNet:
			n, kind = int(f.NetOffset), f.EtherType
		case f.Link == capture.LinkEthernet && len(f.Data) >= 14:
			n, kind = 14, uint16(f.Data[12])<<8|uint16(f.Data[13])
		}
		if kind == etherARP {
			n += 28
		}
		return min(n, len(f.Data))
	}
	// Payload is a part of f.Data, and both end in the same memory.
	n := min(cap(f.Data)-cap(p.Payload), len(f.Data))
	b := p.Payload
	switch {
	case p.IsFragment:
		if p.Fragment.Offset == 0 {
			n += transportHeader(p.Fragment.Proto, b)
		}
	case p.Transport == capture.ICMP:
		n += quotedHeaders(p.Network, b)
	}
	return min(n, len(f.Data))
}

// transportHeader returns the length of the header that b begins with. Proto is
// a number of the registry of IP protocols.
func transportHeader(proto uint8, b []byte) int {
	switch {
	case proto == 6 && len(b) > 12: // RFC 9293, section 3.1: data offset, in words
		return min(max(int(b[12]>>4)*4, 20), len(b))
	case proto == 6 || proto == 17 || proto == 1 || proto == 58:
		return min(8, len(b))
	}
	return 0
}

// quotedHeaders returns how many bytes of a quoted packet are headers (RFC 792;
// RFC 4443, section 3). Extension headers of IPv6 count as payload. An ICMP
// message that quotes nothing, as an echo, has none.
func quotedHeaders(network capture.Network, b []byte) int {
	n, proto := 0, uint8(0)
	switch {
	case network == capture.IPv4 && len(b) >= 20 && b[0]>>4 == 4:
		n, proto = min(max(int(b[0]&0x0f)*4, 20), len(b)), b[9]
		if b[6]&0x1f != 0 || b[7] != 0 { // not the first fragment
			return n
		}
	case network == capture.IPv6 && len(b) >= 40 && b[0]>>4 == 6:
		n, proto = 40, b[6]
	default:
		return 0
	}
	return n + transportHeader(proto, b[n:])
}
