package sniff

import (
	"bytes"
	"encoding/binary"

	"github.com/wiretell/wiretell/capture"
)

// datagrams are the protocols that [ClassifyUDP] knows.
var datagrams = [...]struct {
	name   string
	reason capture.Reason
	look   func(src, dst uint16, b []byte) Certainty
}{
	{"quic", capture.ReasonQUIC, quic},
	{"mdns", capture.ReasonDNS, mdns},
	{"dns", capture.ReasonDNS, dnsUDP},
	{"stun", capture.ReasonUDP, stun},
	{"dtls", capture.ReasonUDP, dtls},
	{"dhcp", capture.ReasonUDP, dhcp},
	{"ntp", capture.ReasonUDP, ntp},
	{"syslog", capture.ReasonUDP, syslog},
	{"statsd", capture.ReasonUDP, statsd},
}

// ClassifyUDP tells what the payload of one datagram is. It allocates nothing.
func ClassifyUDP(srcPort, dstPort uint16, b []byte) Guess {
	best := Guess{Reason: capture.ReasonUDP}
	for i := range datagrams {
		p := &datagrams[i]
		if c := p.look(srcPort, dstPort, b); c > best.Certainty {
			best.Name, best.Certainty, best.Reason = p.name, c, p.reason
			if c == Certain {
				break
			}
		}
	}
	return best
}

// QUIC versions (RFC 9000, section 15; RFC 9369, section 3).
const (
	quicNegotiation = 0
	quicV1          = 1
	quicV2          = 0x6b3343cf
)

// quic knows long headers (RFC 8999, section 5.1; RFC 9000, section 17.2).
// Short headers can't be told from noise.
func quic(_, _ uint16, b []byte) Certainty {
	// "The most significant bit (0x80) of byte 0 (the first byte) is set to 1
	// for long headers."
	if len(b) < 7 || b[0]&0x80 == 0 {
		return Unknown
	}
	version := binary.BigEndian.Uint32(b[1:])
	// RFC 9000, section 17.2: "In QUIC version 1, this value MUST NOT exceed 20
	// bytes."
	dst := int(b[5])
	if dst > 20 || len(b) < 7+dst {
		return Unknown
	}
	src := int(b[6+dst])
	rest := len(b) - 7 - dst - src
	if src > 20 || rest < 0 {
		return Unknown
	}
	// "The next bit (0x40) of byte 0 is set to 1, unless the packet is a Version
	// Negotiation packet. Packets containing a zero value for this bit are not
	// valid packets in this version and MUST be discarded."
	fixed := b[0]&0x40 != 0
	switch {
	case version == quicNegotiation:
		// Section 17.2.1: a list of 32-bit versions.
		return likelyIf(rest > 0 && rest%4 == 0 && dst+src > 0)
	case !fixed:
		return Unknown
	case version == quicV1 || version == quicV2:
		typ := b[0] >> 4 & 3
		isInitial := version == quicV1 && typ == 0 || version == quicV2 && typ == 1
		// Section 14.1: "A client MUST expand the payload of all UDP datagrams
		// carrying Initial packets to at least the smallest allowed maximum
		// datagram size of 1200 bytes". A server's acknowledgements, and
		// datagrams that the capture cut, are shorter.
		if isInitial && len(b) < 1200 || rest < 16 {
			return Likely
		}
		return Certain
	case version>>8 == 0xff0000, version>>24 == 'Q', version>>24 == 'T', version&0x0f0f0f0f == 0x0a0a0a0a:
		// Drafts of the IETF, Google's own versions, and reserved ones.
		return Likely
	}
	return Unknown
}

const dnsHeader = 12

// dns checks the structure of a message (RFC 1035, section 4.1). It is certain
// when the first question or record is whole.
func dns(b []byte) Certainty {
	if len(b) < dnsHeader {
		return Unknown
	}
	opcode, answer := b[2]>>3&0xf, b[2]&0x80 != 0
	// RFC 6895, section 2.1: the Z bit "must be zero"; opcode 3 and those past 6
	// are not assigned.
	if b[3]&0x40 != 0 || opcode == 3 || opcode > 6 || !answer && b[3]&0xf != 0 {
		return Unknown
	}
	questions, records := binary.BigEndian.Uint16(b[4:]), 0
	for i := 6; i < dnsHeader; i += 2 {
		records += int(binary.BigEndian.Uint16(b[i:]))
	}
	if questions > 32 || records > 512 || questions == 0 && records == 0 || questions == 0 && !answer {
		return Unknown
	}
	at := dnsHeader
	for {
		if at >= len(b) {
			return likelyIf(at > dnsHeader) // cut within the name
		}
		n := int(b[at])
		at++
		if n == 0 {
			break
		}
		// Section 3.1: "The high order two bits of every length octet must be
		// zero"; there is nothing before the first name that a pointer
		// (section 4.1.4) could lead to.
		if n > 63 || at-dnsHeader+n > 255 {
			return Unknown
		}
		at += n
	}
	if len(b) < at+4 {
		return Likely
	}
	// IN, CH, HS, NONE, ANY; multicast DNS uses the highest bit (RFC 6762,
	// section 5.4), and EDNS puts a size into the class of its record.
	class := binary.BigEndian.Uint16(b[at+2:]) & 0x7fff
	typ := binary.BigEndian.Uint16(b[at:])
	return certainIf(typ != 0 && (class == 1 || class == 3 || class == 4 || class == 254 || class == 255))
}

func dnsUDP(src, dst uint16, b []byte) Certainty {
	c := dns(b)
	if c == Likely && src != 53 && dst != 53 {
		return Unknown
	}
	return c
}

func mdns(src, dst uint16, b []byte) Certainty {
	if src != 5353 && dst != 5353 {
		return Unknown
	}
	return dns(b)
}

// stun: RFC 8489, section 5: "The most significant 2 bits of every STUN message
// MUST be zeroes", and the "magic cookie field MUST contain the fixed value
// 0x2112A442".
func stun(_, _ uint16, b []byte) Certainty {
	return certainIf(len(b) >= 20 && b[0]&0xc0 == 0 && binary.BigEndian.Uint32(b[4:]) == 0x2112a442 &&
		b[3]&3 == 0 && int(binary.BigEndian.Uint16(b[2:])) <= len(b)-20)
}

// dtls: RFC 6347, section 4.1: a record has type, version, epoch, sequence
// number and length.
func dtls(_, _ uint16, b []byte) Certainty {
	return certainIf(len(b) >= 13 && b[0] >= 20 && b[0] <= 25 && b[1] == 0xfe && (b[2] == 0xff || b[2] == 0xfd) &&
		binary.BigEndian.Uint16(b[11:]) > 0 && binary.BigEndian.Uint16(b[11:]) <= 1<<14+2048)
}

// dhcp: RFC 2131, section 3: the options begin with the magic cookie 99, 130,
// 83, 99. DHCPv6 (RFC 8415, section 8) is known by its ports.
func dhcp(src, dst uint16, b []byte) Certainty {
	if len(b) >= 240 && (b[0] == 1 || b[0] == 2) && b[2] <= 16 && string(b[236:240]) == "\x63\x82\x53\x63" {
		return Certain
	}
	return likelyIf(len(b) > 4 && (src == 546 || src == 547) && (dst == 546 || dst == 547) && b[0] >= 1 && b[0] <= 13)
}

// ntp: RFC 5905, section 7.3: version 1 to 4, mode 1 to 5, 48 bytes and more.
func ntp(src, dst uint16, b []byte) Certainty {
	if src != 123 && dst != 123 || len(b) < 48 {
		return Unknown
	}
	version, mode := b[0]>>3&7, b[0]&7
	return certainIf(version >= 1 && version <= 4 && mode >= 1 && mode <= 5 && b[1] <= 16)
}

// syslog: RFC 5424, section 6: "<" priority ">" version and space; RFC 3164 has
// no version.
func syslog(src, dst uint16, b []byte) Certainty {
	end := bytes.IndexByte(b[:min(len(b), 5)], '>')
	if len(b) < 5 || b[0] != '<' || end < 2 || !digits(b[1:end]) {
		return Unknown
	}
	if has(b[end+1:], "1 ") {
		return Certain
	}
	return likelyIf(dst == 514 || src == 514 || end+1 < len(b) && isText(b[end+1:min(len(b), end+16)]))
}

// statsd: name, colon, value, bar, type (statsd documentation, "Metric Types").
func statsd(_, _ uint16, b []byte) Certainty {
	line := b
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		line = b[:i]
	}
	colon, bar := bytes.IndexByte(line, ':'), bytes.IndexByte(line, '|')
	if colon < 1 || bar < colon+2 || bar+1 >= len(line) || !isText(line) {
		return Unknown
	}
	value := line[colon+1 : bar]
	return likelyIf((value[0] == '-' || value[0] == '+' || value[0] == '.' || value[0] >= '0' && value[0] <= '9') &&
		has(line[bar+1:], "c", "g", "ms", "s", "h", "d"))
}
