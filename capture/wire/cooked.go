package wire

import (
	"encoding/binary"

	"github.com/wiretell/wiretell/capture"
)

// ARPHRD numbers of Linux (if_arp.h) that change how a cooked frame is read.
const (
	arphrdLoopback = 772
	arphrdNetlink  = 824 // the protocol field is a netlink family
)

// packetOutgoing is PACKET_OUTGOING of Linux (if_packet.h); 0 to 3 are to this
// host, broadcast, multicast, and to another host.
const packetOutgoing = 4

// sll decodes LINKTYPE_LINUX_SLL.
func (d *Decoder) sll(p *capture.Packet, b []byte, wire int) capture.Entry {
	if len(b) < 16 {
		return short(wire, 16, capture.FrameMalformedLink)
	}
	return d.cooked(p, be16(b[0:2]), be16(b[2:4]), be16(b[14:16]), b[16:], wire-16)
}

// sll2 decodes LINKTYPE_LINUX_SLL2.
func (d *Decoder) sll2(p *capture.Packet, b []byte, wire int) capture.Entry {
	if len(b) < 20 {
		return short(wire, 20, capture.FrameMalformedLink)
	}
	return d.cooked(p, uint16(b[10]), be16(b[8:10]), be16(b[0:2]), b[20:], wire-20)
}

func (d *Decoder) cooked(p *capture.Packet, kind, arphrd, t uint16, b []byte, wire int) capture.Entry {
	if p.Direction == capture.DirectionUnknown {
		switch {
		case kind == packetOutgoing:
			p.Direction = capture.Transmit
		case kind < packetOutgoing:
			p.Direction = capture.Receive
		}
	}
	switch arphrd {
	case arphrdLoopback:
		p.Loopback = true
	case arphrdNetlink:
		return capture.FrameNonIP
	}
	if t < etherMin {
		return capture.FrameNonIP // LINUX_SLL_P_802_3 and its like
	}
	return d.etherType(p, t, b, wire, 0)
}

// nflogPayload is NFULA_PAYLOAD (nfnetlink_log.h).
const nflogPayload = 9

// nflog decodes LINKTYPE_NFLOG: family, version, resource id, then attributes
// whose length and type are in the byte order of the machine that captured.
func (d *Decoder) nflog(p *capture.Packet, b []byte, wire int) capture.Entry {
	if len(b) < 4 {
		return short(wire, 4, capture.FrameMalformedLink)
	}
	family, version := b[0], b[1]
	if version != 0 {
		return capture.FrameMalformedLink
	}
	b, wire = b[4:], wire-4
	var order binary.ByteOrder = binary.LittleEndian
	if len(b) >= 4 {
		if n := int(order.Uint16(b)); n < 4 || n > wire || order.Uint16(b[2:])&0x7fff > 0xff {
			order = binary.BigEndian
		}
	}
	for {
		if len(b) < 4 {
			// No payload was logged, or it was cut off.
			return short(wire, 4, capture.FrameMalformedLink)
		}
		n, kind := int(order.Uint16(b)), order.Uint16(b[2:])&0x3fff
		if n < 4 || n > wire {
			return capture.FrameMalformedLink
		}
		if kind == nflogPayload {
			b, wire = b[4:min(n, len(b))], n-4
			break
		}
		n = min((n+3)&^3, wire)
		if n > len(b) {
			return capture.FrameTruncated
		}
		b, wire = b[n:], wire-n
	}
	switch family {
	case 2: // AF_INET
		return d.ipv4(p, b, wire, 0)
	case 10: // AF_INET6
		return d.ipv6(p, b, wire, 0)
	case 0, 5, 7: // AF_UNSPEC, NFPROTO_NETDEV and NFPROTO_BRIDGE: not told
		return d.version(p, b, wire, 0, capture.FrameNonIP)
	}
	return capture.FrameNonIP
}
