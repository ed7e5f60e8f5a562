package wire

import (
	"encoding/binary"

	"github.com/wiretell/wiretell/capture"
)

// Numbers of the IEEE 802 EtherType registry, in hexadecimal as there.
const (
	etherIPv4     = 0x0800
	etherARP      = 0x0806
	etherTEB      = 0x6558 // transparent Ethernet bridging, RFC 1701
	etherVLAN     = 0x8100 // IEEE 802.1Q
	etherQinQ     = 0x88a8 // IEEE 802.1ad
	etherQinQ9100 = 0x9100 // before the standard
	etherQinQ9200 = 0x9200
	etherIPv6     = 0x86dd
	etherMPLS     = 0x8847
	etherMPLSUp   = 0x8848 // upstream-assigned label
	etherPPPoE    = 0x8864 // session stage, RFC 2516
	etherPPP      = 0x880b
	etherERSPAN   = 0x88be // mirrored Ethernet, types I and II
	etherMin      = 0x0600 // below it is an IEEE 802.3 length
)

// link decodes frames of the link types other than Ethernet.
func (d *Decoder) link(l capture.LinkType, p *capture.Packet, b []byte, wire int) capture.Entry {
	switch l {
	case capture.LinkSLL:
		return d.sll(p, b, wire)
	case capture.LinkSLL2:
		return d.sll2(p, b, wire)
	case capture.LinkRaw, 12, 14: // LINKTYPE_RAW, and DLT_RAW as some systems write it
		return d.version(p, b, wire, 0, capture.FrameMalformedIP)
	case capture.LinkIPv4:
		return d.ipv4(p, b, wire, 0)
	case capture.LinkIPv6:
		return d.ipv6(p, b, wire, 0)
	case capture.LinkNull, capture.LinkLoop:
		return d.null(p, b, wire)
	case capture.LinkPPP:
		return d.ppp(p, b, wire, 0)
	case capture.LinkNFLOG:
		return d.nflog(p, b, wire)
	}
	return capture.FrameUnsupportedLink
}

func (d *Decoder) ethernet(p *capture.Packet, b []byte, wire, depth int) capture.Entry {
	if len(b) < 14 {
		return short(wire, 14, capture.FrameMalformedLink)
	}
	t := be16(b[12:14])
	if t == etherIPv4 {
		return d.ipv4(p, b[14:], wire-14, depth)
	}
	return d.etherType(p, t, b[14:], wire-14, depth)
}

// etherType decodes what follows an EtherType.
func (d *Decoder) etherType(p *capture.Packet, t uint16, b []byte, wire, depth int) capture.Entry {
	for range maxTags {
		switch t {
		case etherIPv4:
			return d.ipv4(p, b, wire, depth)
		case etherIPv6:
			return d.ipv6(p, b, wire, depth)
		case etherARP:
			if depth > 0 {
				return other(p, b, wire)
			}
			return capture.FrameARP
		case etherVLAN, etherQinQ, etherQinQ9100, etherQinQ9200:
			if len(b) < 4 {
				return short(wire, 4, capture.FrameMalformedLink)
			}
			t, b, wire = be16(b[2:4]), b[4:], wire-4
		case etherPPPoE:
			return d.pppoe(p, b, wire, depth)
		case etherMPLS, etherMPLSUp:
			return d.mpls(p, b, wire, depth)
		case etherPPP:
			return d.ppp(p, b, wire, depth)
		default:
			return nonIP(p, b, wire, depth)
		}
	}
	return capture.FrameNestedTooDeep
}

// version decodes an IP packet by its version nibble; anything else has the
// account unknown.
func (d *Decoder) version(p *capture.Packet, b []byte, wire, depth int, unknown capture.Entry) capture.Entry {
	if len(b) == 0 {
		return short(wire, 1, unknown)
	}
	switch b[0] >> 4 {
	case 4:
		return d.ipv4(p, b, wire, depth)
	case 6:
		return d.ipv6(p, b, wire, depth)
	}
	if unknown == capture.FrameNonIP {
		return nonIP(p, b, wire, depth)
	}
	return unknown
}

// mpls skips the label stack (RFC 3032, section 2.1). What follows is not named;
// as routers do, it is told by its first nibble.
func (d *Decoder) mpls(p *capture.Packet, b []byte, wire, depth int) capture.Entry {
	for range maxTags {
		if len(b) < 4 {
			return short(wire, 4, capture.FrameMalformedLink)
		}
		bottom := b[2]&1 != 0
		b, wire = b[4:], wire-4
		if bottom {
			return d.version(p, b, wire, depth, capture.FrameNonIP)
		}
	}
	return capture.FrameNestedTooDeep
}

// pppoe decodes a PPPoE session frame (RFC 2516, section 4).
func (d *Decoder) pppoe(p *capture.Packet, b []byte, wire, depth int) capture.Entry {
	if len(b) < 6 {
		return short(wire, 6, capture.FrameMalformedLink)
	}
	// The LENGTH field does not count the header; Ethernet padding may follow.
	n := int(be16(b[4:6]))
	b, wire = b[6:], wire-6
	if n > wire {
		return capture.FrameMalformedLink
	}
	return d.ppp(p, b[:min(n, len(b))], n, depth)
}

// ppp decodes a PPP packet from its protocol field, which is one byte when it
// was compressed (RFC 1661, section 6.5: the first byte of a whole field is even).
func (d *Decoder) ppp(p *capture.Packet, b []byte, wire, depth int) capture.Entry {
	// RFC 1662, section 3.1: the address 0xff and control 0x03, unless they
	// were compressed away.
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
		b, wire = b[2:], wire-2
	}
	if len(b) < 2 {
		return short(wire, 2, capture.FrameMalformedLink)
	}
	proto, n := be16(b[:2]), 2
	if b[0]&1 != 0 {
		proto, n = uint16(b[0]), 1
	}
	switch proto {
	case 0x0021: // RFC 1332
		return d.ipv4(p, b[n:], wire-n, depth)
	case 0x0057: // RFC 5072
		return d.ipv6(p, b[n:], wire-n, depth)
	case 0x0281, 0x0283: // RFC 3032, section 4
		return d.mpls(p, b[n:], wire-n, depth)
	}
	return nonIP(p, b, wire, depth)
}

// null decodes the BSD loopback header: an address family in the byte order of
// the machine that captured (LINKTYPE_NULL) or of the network (LINKTYPE_LOOP).
func (d *Decoder) null(p *capture.Packet, b []byte, wire int) capture.Entry {
	if len(b) < 4 {
		return short(wire, 4, capture.FrameMalformedLink)
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = be32(b)
	}
	switch family {
	case 2: // AF_INET everywhere
		return d.ipv4(p, b[4:], wire-4, 0)
	case 10, 24, 28, 30: // AF_INET6: Linux; NetBSD, OpenBSD; FreeBSD; Darwin
		return d.ipv6(p, b[4:], wire-4, 0)
	}
	return capture.FrameNonIP
}
