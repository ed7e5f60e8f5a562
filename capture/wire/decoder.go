package wire

import (
	"encoding/binary"

	"github.com/wiretell/wiretell/capture"
)

// Bounds on how far a frame is unwrapped.
const (
	maxDepth      = 4  // IP packets inside the outermost one
	maxTags       = 16 // VLAN tags and MPLS labels
	maxExtensions = 8  // IPv6 extension headers
)

// Decoder decodes frames. The zero value is ready; it belongs to one goroutine.
type Decoder struct {
	// VerifyChecksums asks for Packet.BadChecksum. It costs about 20 ns
	// and 0.06 ns per byte of payload (BenchmarkDecode).
	VerifyChecksums bool

	verify bool // for the packet at hand
}

// Decode decodes f into p, every field of which it sets, and returns the
// ledger account that the frame belongs to: one of FrameTCP, FrameUDP,
// FrameICMP, FrameICMPv6, FrameARP, FrameOther, FrameNonIP,
// FrameUnsupportedLink, FrameTruncated (headers cut by the capture),
// FrameMalformedLink, FrameMalformedIP, FrameMalformedTCP, FrameMalformedUDP,
// FrameMalformedICMP or FrameNestedTooDeep.
//
// For a fragment of an IP datagram it returns FragmentsLive, as a sign and not
// to be counted as such: p.IsFragment and p.Fragment are set, Payload is the
// fragment's data, the ports are 0 and Transport is told by the datagram's
// protocol number. Package defrag takes it from there. An atomic fragment
// (RFC 6946) is decoded as the whole packet that it is.
//
// p.Payload points into f.Data and is valid as long. When the account is not
// one of FrameTCP, FrameUDP, FrameICMP, FrameICMPv6, FrameOther and
// FragmentsLive, there is no payload, Transport is TransportNone, and Network
// and Flow say what was read before decoding ended.
func (d *Decoder) Decode(f *capture.Frame, p *capture.Packet) capture.Entry {
	*p = capture.Packet{}
	p.Time = f.Time
	p.Interface = f.Interface
	p.Direction = f.Direction
	p.Loopback = f.Loopback
	b := f.Data
	wire := max(f.WireLen, len(b))
	p.WireLen = wire
	d.verify = d.VerifyChecksums && f.Checksum == capture.ChecksumUnknown && wire == len(b)
	if f.HasNet {
		n := int(f.NetOffset)
		if n > len(b) {
			return short(wire, n, capture.FrameMalformedLink)
		}
		return d.etherType(p, f.EtherType, b[n:], wire-n, 0)
	}
	if f.Link == capture.LinkEthernet {
		return d.ethernet(p, b, wire, 0)
	}
	return d.link(f.Link, p, b, wire)
}

// DecodeDatagram decodes the transport of a datagram that was reassembled from
// fragments: p is one of them, with Network and Flow addresses set, proto the
// protocol number, payload what follows the IP header (in IPv6: the
// unfragmentable part) and payloadLen its length on the wire. It sets Payload,
// PayloadLen, Transport, ports and transport headers of p, clears IsFragment,
// and returns the account of the decoded datagram as [Decoder.Decode] does. A
// fragment inside the datagram is not reassembled again: FrameNestedTooDeep.
// Checksums are verified as the zero Frame.Checksum asks, so callers set
// Decoder.VerifyChecksums only for sources that vouch for nothing.
func (d *Decoder) DecodeDatagram(p *capture.Packet, proto uint8, payload []byte, payloadLen int) capture.Entry {
	p.IsFragment, p.Fragment = false, capture.Fragment{}
	p.Transport, p.TCP, p.ICMP, p.BadChecksum = capture.TransportNone, capture.TCPHeader{}, capture.ICMPHeader{}, false
	p.Flow.Src.Port, p.Flow.Dst.Port = 0, 0
	p.Payload, p.PayloadLen = nil, 0
	wire := max(payloadLen, len(payload))
	d.verify = d.VerifyChecksums && wire == len(payload)
	var e capture.Entry
	if p.Network == capture.IPv6 {
		e = d.extensions(p, proto, payload, wire, 0, false)
	} else {
		e = d.transport(p, proto, payload, wire, 0)
	}
	if e == capture.FragmentsLive {
		p.IsFragment, p.Fragment = false, capture.Fragment{}
		p.Transport, p.Payload, p.PayloadLen = capture.TransportNone, nil, 0
		return capture.FrameNestedTooDeep
	}
	return e
}

// short says why a header of need bytes is not there: the capture cut it when
// the wire had it, otherwise the sender left it out.
func short(wire, need int, malformed capture.Entry) capture.Entry {
	if wire >= need {
		return capture.FrameTruncated
	}
	return malformed
}

// other ends decoding at a protocol over IP that is not looked into.
func other(p *capture.Packet, b []byte, wire int) capture.Entry {
	p.Transport = capture.TransportOther
	p.Payload, p.PayloadLen = b, wire
	return capture.FrameOther
}

// nonIP ends decoding at a protocol over the link, or, inside a tunnel, at what
// the tunnel carries.
func nonIP(p *capture.Packet, b []byte, wire, depth int) capture.Entry {
	if depth > 0 {
		return other(p, b, wire)
	}
	return capture.FrameNonIP
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
