package wire_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/wire"
)

// set returns a copy of b with bytes from at replaced.
func set(b []byte, at int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], with)
	return b
}

func TestIPv4Lengths(t *testing.T) {
	ip := tcp4(t)
	options := cat(set(ip[:20], 0, 0x46), []byte{1, 1, 1, 0}, ip[20:])
	options[3] += 4
	for _, c := range []struct {
		name string
		b    []byte
		want capture.Entry
	}{
		{"whole", ip, capture.FrameTCP},
		{"options", options, capture.FrameTCP},
		{"total length 0: segmentation offload", set(ip, 2, 0, 0), capture.FrameTCP},
		{"total length shorter than the header", set(ip, 2, 0, 19), capture.FrameMalformedIP},
		{"total length beyond the frame", set(ip, 2, 1, 0), capture.FrameMalformedIP},
		{"header length 4 words", set(ip, 0, 0x44), capture.FrameMalformedIP},
		{"header longer than the packet", set(ip[:24], 0, 0x4f, 0, 0, 24), capture.FrameMalformedIP},
		{"version 5", set(ip, 0, 0x55), capture.FrameMalformedIP},
		{"19 bytes", ip[:19], capture.FrameMalformedIP},
	} {
		p, e := decode(capture.LinkIPv4, c.b)
		if e != c.want {
			t.Errorf("%s: %v, want %v", c.name, e, c.want)
		} else if e == capture.FrameTCP {
			wantHello(t, &p, e)
		} else if p.Payload != nil || p.Transport != capture.TransportNone {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

// A BIG TCP packet over IPv4 has total length 0 and more than 64 KiB.
func TestIPv4BigTCP(t *testing.T) {
	b := cat(set(tcp4(t), 2, 0, 0), make([]byte, 200_000))
	p, e := decode(capture.LinkIPv4, b)
	if e != capture.FrameTCP || p.PayloadLen != 200_005 || len(p.Payload) != 200_005 {
		t.Errorf("%v, %d bytes of payload", e, p.PayloadLen)
	}
}

func TestIPv4Fragments(t *testing.T) {
	ip := tcp4(t)
	for _, c := range []struct {
		name  string
		field uint16
		want  capture.Fragment
		whole bool
	}{
		{"don't fragment", 0x4000, capture.Fragment{}, true},
		{"reserved bit", 0x8000, capture.Fragment{}, true},
		{"first", 0x2000, capture.Fragment{ID: 7, More: true, Proto: 6}, false},
		{"middle", 0x2003, capture.Fragment{ID: 7, Offset: 24, More: true, Proto: 6}, false},
		{"last", 0x1fff, capture.Fragment{ID: 7, Offset: 65528, Proto: 6}, false},
	} {
		b := set(ip, 6, byte(c.field>>8), byte(c.field))
		p, e := decode(capture.LinkIPv4, b)
		if c.whole {
			wantHello(t, &p, e)
			continue
		}
		if e != capture.FragmentsLive || !p.IsFragment || p.Fragment != c.want {
			t.Errorf("%s: %v, %v, %+v", c.name, e, p.IsFragment, p.Fragment)
		}
		if !bytes.Equal(p.Payload, ip[20:]) || p.PayloadLen != len(ip)-20 || p.Transport != capture.TCP || p.Flow.Src.Port != 0 {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

// Bodies of IPv6 packets that lead to the segment.
func TestIPv6Extensions(t *testing.T) {
	seg := tcp6(t)[40:]
	pad8 := "0104 00000000" // PadN
	hdr := func(h string) []byte { return cat(unhex(h), seg) }
	for _, c := range []struct {
		name string
		next byte
		body []byte
		want capture.Entry
	}{
		{"none", 6, seg, capture.FrameTCP},
		{"hop-by-hop", 0, hdr("06 00" + pad8), capture.FrameTCP},
		{"destination options", 60, hdr("06 00" + pad8), capture.FrameTCP},
		{"destination options of 16 bytes", 60, hdr("06 01 010c 000000000000000000000000"), capture.FrameTCP},
		{"routing", 43, hdr("06 00 04 00 00000000"), capture.FrameTCP},
		{"authentication", 51, hdr("06 04 0000 00000001 00000001 000000000000000000000000"), capture.FrameTCP},
		{"atomic fragment", 44, hdr("06 00 0000 00000009"), capture.FrameTCP},
		{"hop-by-hop, routing, atomic fragment, options", 0,
			hdr("2b 00" + pad8 + "2c 00 04 00 00000000" + "3c 00 0000 00000001" + "06 00" + pad8), capture.FrameTCP},
		{"8 headers", 60, hdr(repeat("3c 00"+pad8, 7) + "06 00" + pad8), capture.FrameTCP},
		{"9 headers", 60, hdr(repeat("3c 00"+pad8, 8) + "06 00" + pad8), capture.FrameNestedTooDeep},
		{"hop-by-hop not first", 60, hdr("00 00" + pad8 + "06 00" + pad8), capture.FrameMalformedIP},
		{"options beyond the packet", 60, hdr("06 ff" + pad8), capture.FrameMalformedIP},
		{"broken hop-by-hop options", 0, hdr("06 00 0109 00000000"), capture.FrameMalformedIP},
		{"an extension header of 4 bytes", 60, unhex("06 00 0000"), capture.FrameMalformedIP},
		{"jumbo option beside a payload length", 0, hdr("06 00 c204 00010000"), capture.FrameMalformedIP},
		{"esp", 50, hdr("00000001 00000001"), capture.FrameOther},
		{"no next header", 59, nil, capture.FrameOther},
		{"sctp", 132, seg, capture.FrameOther},
		{"ICMPv4 in IPv6", 1, seg, capture.FrameOther},
		{"mobility", 135, seg, capture.FrameOther},
	} {
		p, e := decode(capture.LinkIPv6, raw6(c.next, c.body))
		if e != c.want {
			t.Errorf("%s: %v, want %v", c.name, e, c.want)
			continue
		}
		switch e {
		case capture.FrameTCP:
			t.Run(c.name, func(t *testing.T) { wantHello(t, &p, e) })
		case capture.FrameOther:
			if p.Transport != capture.TransportOther || p.PayloadLen != len(c.body) {
				t.Errorf("%s: %v, %d bytes", c.name, p.Transport, p.PayloadLen)
			}
		}
	}
}

func TestIPv6Fragment(t *testing.T) {
	for _, c := range []struct {
		header string
		want   capture.Fragment
	}{
		{"11 00 0001 01020304", capture.Fragment{ID: 0x01020304, More: true, Proto: 17}},
		{"11 00 0591 01020304", capture.Fragment{ID: 0x01020304, Offset: 0x0590, More: true, Proto: 17}},
		{"11 00 fff8 01020304", capture.Fragment{ID: 0x01020304, Offset: 65528, Proto: 17}},
		{"11 00 000e 01020304", capture.Fragment{ID: 0x01020304, Offset: 8, Proto: 17}}, // reserved bits
	} {
		p, e := decode(capture.LinkIPv6, raw6(44, cat(unhex(c.header), []byte("data"))))
		if e != capture.FragmentsLive || !p.IsFragment || p.Fragment != c.want {
			t.Errorf("%s: %v, %+v", c.header, e, p.Fragment)
		}
		if string(p.Payload) != "data" || p.PayloadLen != 4 || p.Transport != capture.UDP || p.Flow.Src.Port != 0 {
			t.Errorf("%s: %+v", c.header, p)
		}
	}
}

// RFC 2675, section 2 and 3, and what Linux does without the option.
func TestIPv6Jumbo(t *testing.T) {
	seg := tcp6(t)[40:]
	data := make([]byte, 100_000)
	length := func(b []byte, n uint32) []byte {
		b = bytes.Clone(b)
		b[4], b[5] = 0, 0
		if b[6] == 0 && b[42] == 0xc2 {
			binary.BigEndian.PutUint32(b[44:], n)
		}
		return b
	}
	length1 := func(b []byte, n uint32) []byte {
		b = length(b, 0)
		binary.BigEndian.PutUint32(b[46:], n)
		return b
	}
	jumbo := raw6(0, cat(unhex("06 00 c204 00000000"), seg, data))
	padded := cat(jumbo, make([]byte, 6))
	n := uint32(len(jumbo) - 40)
	for _, c := range []struct {
		name    string
		b       []byte
		want    capture.Entry
		payload int
	}{
		{"option", length(jumbo, n), capture.FrameTCP, 100_005},
		{"option, trailer after it", length(padded, n), capture.FrameTCP, 100_005},
		{"option beyond the frame", length(jumbo, n+1), capture.FrameMalformedIP, 0},
		{"option of 65,535", length(jumbo, 65535), capture.FrameMalformedIP, 0},
		{"option of 0", length(jumbo, 0), capture.FrameMalformedIP, 0},
		{"BIG TCP without the option", length(raw6(6, cat(seg, data)), 0), capture.FrameTCP, 100_005},
		{"option after Pad1", length1(raw6(0, cat(unhex("06 01 00 00 c204 00000000 0104 00000000"), seg, data)), n+8), capture.FrameTCP, 100_005},
		{"option of another length", length(raw6(0, cat(unhex("06 00 c203 000000 00"), seg, data)), 0), capture.FrameMalformedIP, 0},
		{"length 0 with hop-by-hop but no option", length(raw6(0, cat(unhex("06 00 0104 00000000"), seg)), 0), capture.FrameMalformedIP, 0},
		{"length 0 and padding", cat(raw6(59, nil), make([]byte, 6)), capture.FrameOther, 0},
	} {
		p, e := decode(capture.LinkIPv6, c.b)
		if e != c.want || p.PayloadLen != c.payload {
			t.Errorf("%s: %v, %d bytes; want %v, %d", c.name, e, p.PayloadLen, c.want, c.payload)
		}
	}
}

func TestTunnels(t *testing.T) {
	v4, v6 := tcp4(t), tcp6(t)
	mac := "000000000000 000000000000"
	gre := func(header string, inner []byte) []byte { return raw4(47, cat(unhex(header), inner)) }
	for _, c := range []struct {
		name string
		b    []byte
	}{
		{"4in4", raw4(4, v4)},
		{"6in4", raw4(41, v6)},
		{"4in6", raw6(4, v4)},
		{"6in6", raw6(41, v6)},
		{"4in6 after options", raw6(60, cat(unhex("04 00 0104 00000000"), v4))},
		{"4 deep", raw4(4, raw4(4, raw4(4, raw4(4, v4))))},
		{"gre", gre("0000 0800", v4)},
		{"gre v6", gre("0000 86dd", v6)},
		{"gre over v6", raw6(47, cat(unhex("0000 0800"), v4))},
		{"gre with checksum", gre("8000 0800 12340000", v4)},
		{"gre with key", gre("2000 0800 00000001", v4)},
		{"gre with sequence", gre("1000 0800 00000001", v4)},
		{"gre with all three", gre("b000 86dd 12340000 00000001 00000002", v6)},
		{"gre ethernet", gre("2000 6558 00000001"+mac+"0800", v4)},
		{"gre ethernet vlan", gre("0000 6558"+mac+"8100 0005 86dd", v6)},
		{"gre mpls", gre("0000 8847 00010140", v4)},
		{"gre erspan II", gre("1000 88be 00000001 1005000000000000"+mac+"0800", v4)},
		{"gre erspan I", gre("0000 88be"+mac+"0800", v4)},
		{"pptp", gre("3081 880b 00320001 00000001 00000001 ff03 0021", v4)},
		{"mpls in ip", raw4(137, cat(unhex("00010140"), v6))},
		{"authentication header", raw4(51, cat(unhex("06 04 0000 00000001 00000001 000000000000000000000000"), v4[20:]))},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, e := decode(capture.LinkRaw, c.b)
			wantHello(t, &p, e)
		})
	}
	for _, c := range []struct {
		name string
		b    []byte
		want capture.Entry
	}{
		{"5 deep", raw4(4, raw4(4, raw4(4, raw4(4, raw4(4, v4))))), capture.FrameNestedTooDeep},
		{"5 deep by gre", gre("0000 0800", raw4(4, raw4(4, raw4(4, gre("0000 0800", v4))))), capture.FrameNestedTooDeep},
		{"gre of another version", gre("0002 0800", v4), capture.FrameOther},
		{"gre with routing", gre("4000 0800 00000000 00000000", v4), capture.FrameOther},
		{"gre of an unknown protocol", gre("0000 1234", v4), capture.FrameOther},
		{"gre keepalive", gre("0000 0800", nil), capture.FrameOther},
		{"pptp acknowledgement", gre("2081 880b 00000001 00000001", nil), capture.FrameOther},
		{"gre ethernet arp", gre("0000 6558"+mac+"0806", make([]byte, 28)), capture.FrameOther},
		{"gre ethernet llc", gre("0000 6558"+mac+"0026", make([]byte, 38)), capture.FrameOther},
		{"gre ppp lcp", gre("3001 880b 00040001 00000001 c0210101", nil), capture.FrameOther},
		{"short gre", raw4(47, []byte{0}), capture.FrameMalformedIP},
		{"gre without its key", gre("2000 0800", nil), capture.FrameMalformedIP},
		{"4in4 of nonsense", raw4(4, v6), capture.FrameMalformedIP},
		{"empty 4in4", raw4(4, nil), capture.FrameMalformedIP},
		{"mpls in ip of a pseudowire", raw4(137, cat(unhex("00010140 00000000"), v4)), capture.FrameOther},
		{"mpls in ip, too deep", raw4(4, raw4(4, raw4(4, raw4(4, raw4(137, cat(unhex("00010140"), v4)))))), capture.FrameNestedTooDeep},
		{"short erspan", gre("1000 88be 00000001 1005", nil), capture.FrameMalformedIP},
		{"short authentication header", raw4(51, []byte{6, 4, 0, 0}), capture.FrameMalformedIP},
		{"authentication header in another", raw4(51, cat(unhex("33 01 0000 00000001 00000001"), v4)), capture.FrameOther},
		{"a fragment inside", raw4(4, set(v4, 6, 0x20, 0)), capture.FragmentsLive},
	} {
		p, e := decode(capture.LinkRaw, c.b)
		if e != c.want {
			t.Errorf("%s: %v, want %v", c.name, e, c.want)
		}
		if e == capture.FrameOther && (p.Network != capture.IPv4 || p.Flow.Dst.IP().String() != "10.0.0.2" || p.Transport != capture.TransportOther) {
			t.Errorf("%s: the outer packet is lost: %+v", c.name, p)
		}
	}
}

// Datagrams that were made whole from fragments.
func TestDecodeDatagram(t *testing.T) {
	var d wire.Decoder
	seg4, seg6 := tcp4(t)[20:], tcp6(t)[40:]
	first4 := func() capture.Packet {
		p, _ := decode(capture.LinkIPv4, set(tcp4(t), 6, 0x20, 0))
		return p
	}
	first6 := func() capture.Packet {
		p, _ := decode(capture.LinkIPv6, raw6(44, cat(unhex("06 00 0001 00000009"), seg6)))
		return p
	}
	p := first4()
	e := d.DecodeDatagram(&p, 6, seg4, len(seg4))
	wantHello(t, &p, e)
	p = first6()
	e = d.DecodeDatagram(&p, 6, seg6, len(seg6))
	wantHello(t, &p, e)
	p = first6()
	options := cat(unhex("06 00 0104 00000000"), seg6)
	e = d.DecodeDatagram(&p, 60, options, len(options))
	wantHello(t, &p, e)
	p = first4()
	e = d.DecodeDatagram(&p, 4, tcp4(t), len(tcp4(t)))
	wantHello(t, &p, e)

	p = first4()
	if e := d.DecodeDatagram(&p, 6, seg4[:10], 10); e != capture.FrameMalformedTCP || p.IsFragment || p.Payload != nil {
		t.Errorf("a datagram too short for TCP: %v, %+v", e, p)
	}
	p = first4()
	if e := d.DecodeDatagram(&p, 6, seg4[:10], len(seg4)); e != capture.FrameTruncated {
		t.Errorf("a datagram that was cut: %v", e)
	}
	p = first4()
	inside := set(tcp4(t), 6, 0x20, 0)
	if e := d.DecodeDatagram(&p, 4, inside, len(inside)); e != capture.FrameNestedTooDeep || p.IsFragment || p.Payload != nil {
		t.Errorf("a fragment inside a datagram: %v, %+v", e, p)
	}
}
