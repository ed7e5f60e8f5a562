package wire

import (
	"encoding/binary"
	"math/bits"

	"github.com/wiretell/wiretell/capture"
)

// bad reports whether the transport checksum of the wire bytes at b is wrong.
// field is the checksum as it stands in the header, in little-endian order.
func (d *Decoder) bad(p *capture.Packet, b []byte, wire int, proto uint8, field uint16) bool {
	if len(b) != wire || p.Direction == capture.Transmit || p.Loopback {
		return false
	}
	head := pseudoHeader(&p.Flow, proto)
	if fold(addWords(add(head, swapped(wire)), b)) == 0xffff {
		return false
	}
	// A sender that leaves the checksum to its network card puts the sum of
	// the pseudo-header there, with the length or (for segmentation) without:
	// a capture on that host sees this.
	return field != fold(add(head, swapped(wire))) && field != fold(head)
}

// pseudoHeader adds up the addresses and the protocol number (RFC 9293, section
// 3.1; RFC 8200, section 8.1). The prefix 0xffff of an IPv4-mapped address is
// zero in one's complement, so that one form serves IPv4 and IPv6.
func pseudoHeader(f *capture.Flow, proto uint8) uint64 {
	return addWords(addWords(uint64(proto)<<8, f.Src.Addr[:]), f.Dst.Addr[:])
}

// swapped returns the length n (32 bits, network order) as little-endian words add it.
func swapped(n int) uint64 { return uint64(bits.ReverseBytes32(uint32(n))) }

// add is one's complement addition.
func add(a, b uint64) uint64 {
	s, c := bits.Add64(a, b, 0)
	return s + c
}

// addWords adds b to sum in one's complement, 8 bytes at a time, as
// little-endian numbers: RFC 1071, section 2(B), the sum does not depend on the
// byte order and section 2(C), nor on the word size.
func addWords(sum uint64, b []byte) uint64 {
	var c uint64
	for len(b) >= 64 {
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[0:8]), c)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[8:16]), c)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[16:24]), c)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[24:32]), c)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[32:40]), c)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[40:48]), c)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[48:56]), c)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[56:64]), c)
		// Folded in here, because no carry flag lives across a loop.
		sum, c = bits.Add64(sum, 0, c)
		b = b[64:]
	}
	for len(b) >= 8 {
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[:8]), c)
		b = b[8:]
	}
	var tail uint64
	for i, x := range b {
		tail |= uint64(x) << (8 * i)
	}
	sum, c = bits.Add64(sum, tail, c)
	return add(sum, c)
}

// fold reduces a one's complement sum to 16 bits.
func fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum)
}
