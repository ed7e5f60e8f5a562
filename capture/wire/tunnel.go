package wire

import "github.com/wiretell/wiretell/capture"

// inner makes p ready for a packet inside the one decoded so far, or says that
// it is too deep.
func inner(p *capture.Packet, depth int) bool {
	if depth >= maxDepth {
		return false
	}
	p.Network, p.Flow, p.TTL = capture.NetworkNone, capture.Flow{}, 0
	return true
}

// encapsulated decodes the IP packet that IP carries (RFC 2003, RFC 4213, RFC 2473).
func (d *Decoder) encapsulated(p *capture.Packet, proto uint8, b []byte, wire, depth int) capture.Entry {
	if !inner(p, depth) {
		return capture.FrameNestedTooDeep
	}
	if proto == protoIPv4 {
		return d.ipv4(p, b, wire, depth+1)
	}
	return d.ipv6(p, b, wire, depth+1)
}

// Flags of the first 16 bits of a GRE header (RFC 2784, RFC 2890, RFC 2637).
const (
	greChecksum = 0x8000
	greRouting  = 0x4000
	greKey      = 0x2000
	greSequence = 0x1000
	greAck      = 0x0080 // version 1
	greVersion  = 0x0007
)

// gre decodes what a GRE header carries.
func (d *Decoder) gre(p *capture.Packet, b []byte, wire, depth int) capture.Entry {
	if len(b) < 4 {
		return short(wire, 4, capture.FrameMalformedIP)
	}
	flags, t := be16(b[0:2]), be16(b[2:4])
	n := 4
	switch flags & greVersion {
	case 0:
		// RFC 2784, section 2.3: "If any of these bits [bits 1-5] are
		// non-zero, then a receiver MUST discard" unless it implements RFC 1701.
		if flags&greRouting != 0 {
			return other(p, b, wire)
		}
		if flags&greChecksum != 0 {
			n += 4
		}
	case 1:
		if flags&greAck != 0 {
			n += 4
		}
	default:
		return other(p, b, wire)
	}
	if flags&greKey != 0 {
		n += 4
	}
	if flags&greSequence != 0 {
		n += 4
	}
	if n > len(b) {
		return short(wire, n, capture.FrameMalformedIP)
	}
	switch t {
	case etherERSPAN:
		// The header of type II is 8 bytes; type I has none and no sequence
		// number (draft-foschiano-erspan-03, section 4).
		if t = etherTEB; flags&greSequence != 0 {
			n += 8
		}
		if n > len(b) {
			return short(wire, n, capture.FrameMalformedIP)
		}
	case etherIPv4, etherIPv6, etherTEB, etherVLAN, etherQinQ, etherMPLS, etherMPLSUp, etherPPP:
	default:
		return other(p, b, wire)
	}
	if n == wire {
		return other(p, b, wire) // nothing inside: a keepalive or an acknowledgement
	}
	outer := *p
	if !inner(p, depth) {
		return capture.FrameNestedTooDeep
	}
	var e capture.Entry
	if t == etherTEB {
		e = d.ethernet(p, b[n:], wire-n, depth+1)
	} else {
		e = d.etherType(p, t, b[n:], wire-n, depth+1)
	}
	if e == capture.FrameOther && p.Network == capture.NetworkNone {
		// What is inside is no IP: the packet is the outer one.
		*p = outer
		return other(p, b, wire)
	}
	return e
}
