package icmp

import "github.com/wiretell/wiretell/capture"

// Quote is what an error message holds beside its type and code.
type Quote struct {
	// Packet begins with the IP header of the packet that caused the error, as
	// far as it was quoted and captured. It is part of the message's payload.
	Packet []byte
	// NextHopMTU is the largest packet in bytes that the next link carries;
	// 0 when the message does not tell.
	NextHopMTU int
}

// Parse returns what the error message p holds; ok is false when p is no error
// message and so quotes nothing.
func Parse(p *capture.Packet) (q Quote, ok bool) {
	if p.Transport != capture.ICMP || !isError(p.Network, p.ICMP.Type) {
		return q, false
	}
	q.Packet = p.Payload[:min(quotedLen(p), len(p.Payload))]
	switch {
	case p.Network == capture.IPv4 && p.ICMP.Type == 3 && p.ICMP.Code == 4:
		// RFC 1191, section 4: the low-order 16 bits of the second word.
		q.NextHopMTU = int(p.ICMP.Rest & 0xffff)
	case p.Network == capture.IPv6 && p.ICMP.Type == 2:
		q.NextHopMTU = int(p.ICMP.Rest) // RFC 4443, section 3.2
	}
	return q, true
}

// quotedLen returns how many bytes of the payload are the quoted packet; the
// rest are extensions (RFC 4884, section 3).
func quotedLen(p *capture.Packet) int {
	n := 0
	if p.Network == capture.IPv4 {
		switch p.ICMP.Type {
		case 3, 11, 12: // section 4.1 to 4.3: in 32-bit words, the second byte
			n = int(p.ICMP.Rest>>16&0xff) * 4
		}
	} else {
		switch p.ICMP.Type {
		case 1, 3: // section 4.4 and 4.5: in 64-bit words, the first byte
			n = int(p.ICMP.Rest>>24) * 8
		}
	}
	// Section 4: when extensions follow, the original datagram "MUST contain
	// at least 128 octets". A length below that is something that old senders
	// left in the unused field.
	if n < 128 {
		return p.PayloadLen
	}
	return n
}
