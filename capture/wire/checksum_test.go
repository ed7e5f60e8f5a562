package wire_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/wire"
)

// slowSum is RFC 1071, section 4.1, as it stands there.
func slowSum(b []byte) uint32 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) > 0 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return sum
}

// udpPacket returns an IPv4 or IPv6 packet with a UDP datagram whose checksum is right.
func udpPacket(data []byte, v6 bool) (packet []byte, checksumAt int) {
	n := len(data) + 8
	dgram := cat([]byte{0, 53, 1, 0, byte(n >> 8), byte(n), 0, 0}, data)
	b, at, pseudo := raw4(17, dgram), 20, cat(src4, dst4)
	if v6 {
		b, at, pseudo = raw6(17, dgram), 40, cat(src6, dst6)
	}
	pseudo = cat(pseudo, []byte{0, 17, byte(n >> 8), byte(n)})
	sum := ^uint16(slowSum(cat(pseudo, dgram)))
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(b[at+6:], sum)
	return b, at + 6
}

// Every length and every kind of content has the sum of the plain algorithm.
func TestChecksumEqualsRFC1071(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	d := wire.Decoder{VerifyChecksums: true}
	var p capture.Packet
	for n := range 400 {
		for _, fill := range []string{"random", "ones", "zeros"} {
			data := make([]byte, n)
			for i := range data {
				switch fill {
				case "random":
					data[i] = byte(rnd.Uint32())
				case "ones":
					data[i] = 0xff
				}
			}
			for _, v6 := range []bool{false, true} {
				link := capture.LinkIPv4
				if v6 {
					link = capture.LinkIPv6
				}
				b, at := udpPacket(data, v6)
				f := capture.Frame{Link: link, Data: b, WireLen: len(b)}
				if e := d.Decode(&f, &p); e != capture.FrameUDP || p.BadChecksum {
					t.Fatalf("%d bytes of %s, v6 %v: %v, bad %v", n, fill, v6, e, p.BadChecksum)
				}
				bit := rnd.IntN(8 * (len(b) - at + 6))
				i := at - 6 + bit/8
				if i >= at-2 && i < at {
					continue // the length field
				}
				b[i] ^= 1 << (bit % 8)
				d.Decode(&f, &p)
				none := b[at] == 0 && b[at+1] == 0
				if p.BadChecksum == none {
					t.Fatalf("%d bytes of %s, v6 %v: bit %d flipped, bad %v", n, fill, v6, bit, p.BadChecksum)
				}
			}
		}
	}
}

func TestBadChecksum(t *testing.T) {
	good := tcp4(t)
	bad := set(good, 36, good[36]^0x55)
	// What a host with offload leaves: the sum of the pseudo-header.
	n := len(good) - 20
	partial := uint16(slowSum(cat(src4, dst4, []byte{0, 6, byte(n >> 8), byte(n)})))
	noLength := uint16(slowSum(cat(src4, dst4, []byte{0, 6, 0, 0})))
	icmp := build(t, ip4(layers.IPProtocolICMPv4), &layers.ICMPv4{TypeCode: 0x0800, Id: 1, Seq: 2}, gopacket.Payload("ping"))
	ip := ip6(layers.IPProtocolICMPv6)
	icmp6 := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(128, 0)}
	icmp6.SetNetworkLayerForChecksum(ip)
	ping6 := build(t, ip, icmp6, gopacket.Payload("\x00\x01\x00\x02ping"))
	routed := raw6(43, cat(unhex("06 02 00 01 00000000 20010db8000000000000000000000003"), set(tcp6(t)[40:], 20, 'j')))
	home := raw6(60, cat(unhex("06 02 c910 20010db8000000000000000000000003 0100"), set(tcp6(t)[40:], 20, 'j')))
	padded := raw6(60, cat(unhex("06 00 00 01 03 000000"), tcp6(t)[40:]))
	wrong := set(padded, 48+20, 'j')
	unreadable := raw6(60, cat(unhex("06 00 01 09 00000000"), set(tcp6(t)[40:], 20, 'j')))
	for _, c := range []struct {
		name string
		f    capture.Frame
		want bool
	}{
		{"destination options", capture.Frame{Data: padded}, false},
		{"destination options, bad", capture.Frame{Data: wrong}, true},
		{"destination options that cannot be read", capture.Frame{Data: unreadable}, false},
		{"good", capture.Frame{Data: good}, false},
		{"bad", capture.Frame{Data: bad}, true},
		{"bad, received", capture.Frame{Data: bad, Direction: capture.Receive}, true},
		{"bad, sent: hardware fills it in", capture.Frame{Data: bad, Direction: capture.Transmit}, false},
		{"bad, on loopback: nobody fills it in", capture.Frame{Data: bad, Loopback: true}, false},
		{"bad, the kernel says it is good", capture.Frame{Data: bad, Checksum: capture.ChecksumValid}, false},
		{"bad, the kernel says it is not ready", capture.Frame{Data: bad, Checksum: capture.ChecksumNotReady}, false},
		{"bad, cut", capture.Frame{Data: bad[:len(bad)-1], WireLen: len(bad)}, false},
		{"partial", capture.Frame{Data: set(good, 36, byte(partial>>8), byte(partial))}, false},
		{"partial without length", capture.Frame{Data: set(good, 36, byte(noLength>>8), byte(noLength))}, false},
		{"zero", capture.Frame{Data: set(good, 36, 0, 0)}, true},
		{"icmp", capture.Frame{Data: icmp}, false},
		{"icmp, bad", capture.Frame{Data: set(icmp, 30, 'P')}, true},
		{"icmpv6", capture.Frame{Data: ping6}, false},
		{"icmpv6, bad", capture.Frame{Data: set(ping6, 50, 'P')}, true},
		{"udp without a checksum", capture.Frame{Data: raw4(17, unhex("0035 9c40 000c 0000 64617461"))}, false},
		{"udp, bad", capture.Frame{Data: raw4(17, unhex("0035 9c40 000c 1234 64617461"))}, true},
		{"segments left: the final destination is not known", capture.Frame{Data: routed}, false},
		{"home address in place of the source", capture.Frame{Data: home}, false},
		{"trailer after the packet", capture.Frame{Data: cat(good, make([]byte, 7))}, false},
	} {
		f := c.f
		f.Link = capture.LinkRaw
		f.WireLen = max(f.WireLen, len(f.Data))
		d := wire.Decoder{VerifyChecksums: true}
		var p capture.Packet
		d.Decode(&f, &p)
		if p.BadChecksum != c.want {
			t.Errorf("%s: bad %v", c.name, p.BadChecksum)
		}
		d.VerifyChecksums = false
		if d.Decode(&f, &p); p.BadChecksum {
			t.Errorf("%s: verified without being asked to", c.name)
		}
	}
	if bytes.Equal(good, bad) {
		t.Fatal("the cases do not differ")
	}
}
