package wire_test

import (
	"fmt"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

func TestTCPHeader(t *testing.T) {
	ip := tcp4(t)
	for _, c := range []struct {
		name string
		b    []byte
		want capture.Entry
	}{
		{"whole", ip, capture.FrameTCP},
		{"data offset 4", set(ip, 32, 0x40), capture.FrameMalformedTCP},
		{"data offset 0", set(ip, 32, 0x00), capture.FrameMalformedTCP},
		{"data offset beyond the segment", set(ip, 32, 0x70), capture.FrameMalformedTCP},
		{"19 bytes", set(ip[:39], 2, 0, 39), capture.FrameMalformedTCP},
	} {
		p, e := decode(capture.LinkIPv4, c.b)
		if e != c.want {
			t.Errorf("%s: %v, want %v", c.name, e, c.want)
		}
		if e != capture.FrameTCP && (p.Transport != capture.TransportNone || p.Payload != nil || p.Network != capture.IPv4) {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
	// All flags, the urgent pointer, nothing else.
	b := set(ip, 33, 0xff, 0x12, 0x34, 0, 0, 0xab, 0xcd)
	p, _ := decode(capture.LinkIPv4, b)
	if p.TCP.Flags != 0xff || p.TCP.Window != 0x1234 || p.TCP.Urgent != 0xabcd {
		t.Errorf("%+v", p.TCP)
	}
}

func TestTCPOptions(t *testing.T) {
	type header = capture.TCPHeader
	for _, c := range []struct {
		name string
		syn  bool
		opts string
		want header
	}{
		{"none", true, "", header{}},
		{"Linux SYN", true, "020405b4 0402 080a 00000001 00000000 01 030307", header{
			HasMSS: true, MSS: 1460, SACKPermitted: true, HasTimestamps: true, TSVal: 1, HasWindowScale: true, WindowScale: 7}},
		{"only valid with SYN", false, "020405b4 0402 01 030307 0000", header{}},
		{"window scale 15 is 14", true, "03030f 00", header{HasWindowScale: true, WindowScale: 14}},
		{"timestamps", false, "0101 080a 00000005 00000006", header{HasTimestamps: true, TSVal: 5, TSEcr: 6}},
		{"timestamps, other order", false, "080a 00000005 00000006 0101", header{HasTimestamps: true, TSVal: 5, TSEcr: 6}},
		{"timestamps and a SACK block", false, "0101 080a 00000005 00000006 0101 050a 00000010 00000020", header{
			HasTimestamps: true, TSVal: 5, TSEcr: 6, SACKs: 1, SACK: [4][2]uint32{{16, 32}}}},
		{"4 SACK blocks", false, "0101 0522 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008", header{
			SACKs: 4, SACK: [4][2]uint32{{1, 2}, {3, 4}, {5, 6}, {7, 8}}}},
		{"fast open, empty cookie", true, "2202 0101", header{FastOpen: true}},
		{"fast open, cookie", true, "220a 0102030405060708 0101", header{FastOpen: true}},
		{"fast open, experiment", true, "fe04 f989", header{FastOpen: true}},
		{"another experiment", true, "fe04 1234", header{}},
		{"end of options hides the rest", true, "00 020405b4 000000", header{}},
		{"unknown option is skipped", true, "1e04 0000 020405b4", header{HasMSS: true, MSS: 1460}},
		{"length 0 stops reading", true, "020405b4 0500 0000", header{HasMSS: true, MSS: 1460}},
		{"length 1 stops reading", true, "0801 0000 020405b4", header{}},
		{"length beyond the header stops reading", true, "020405b4 0824 0000", header{HasMSS: true, MSS: 1460}},
		{"kind without a length", true, "0101 0108", header{}},
		{"MSS of a wrong length", true, "0203 05 00", header{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := unhex(c.opts)
			for len(opts)%4 != 0 {
				opts = append(opts, 0)
			}
			seg := make([]byte, 20)
			seg[12] = byte(20+len(opts)) / 4 << 4
			seg[13] = byte(capture.ACK)
			if c.syn {
				seg[13] = byte(capture.SYN)
			}
			want := c.want
			want.Flags = capture.Flags(seg[13])
			p, e := decode(capture.LinkIPv4, raw4(6, cat(seg, opts, []byte("hello"))))
			if e != capture.FrameTCP || string(p.Payload) != "hello" {
				t.Fatalf("%v, payload %q", e, p.Payload)
			}
			if p.TCP != want {
				t.Errorf("\n got %+v\nwant %+v", p.TCP, want)
			}
		})
	}
}

func TestUDP(t *testing.T) {
	for _, c := range []struct {
		name    string
		v6      bool
		body    []byte
		want    capture.Entry
		payload int
	}{
		{"whole", false, unhex("0035 9c40 000c 0000 64617461"), capture.FrameUDP, 4},
		{"whole v6", true, unhex("0035 9c40 000c 0000 64617461"), capture.FrameUDP, 4},
		{"empty", false, unhex("0035 9c40 0008 0000"), capture.FrameUDP, 0},
		{"length ends before the packet does", false, unhex("0035 9c40 000a 0000 64617461"), capture.FrameUDP, 2},
		{"length 7", false, unhex("0035 9c40 0007 0000 64617461"), capture.FrameMalformedUDP, 0},
		{"length 0", false, unhex("0035 9c40 0000 0000 64617461"), capture.FrameMalformedUDP, 0},
		{"length 0 v6", true, unhex("0035 9c40 0000 0000 64617461"), capture.FrameMalformedUDP, 0},
		{"length beyond the packet", false, unhex("0035 9c40 000d 0000 64617461"), capture.FrameMalformedUDP, 0},
		{"7 bytes", false, unhex("0035 9c40 0007 00"), capture.FrameMalformedUDP, 0},
	} {
		b, link := raw4(17, c.body), capture.LinkIPv4
		if c.v6 {
			b, link = raw6(17, c.body), capture.LinkIPv6
		}
		p, e := decode(link, b)
		if e != c.want || p.PayloadLen != c.payload || len(p.Payload) != c.payload {
			t.Errorf("%s: %v, %d bytes; want %v, %d", c.name, e, p.PayloadLen, c.want, c.payload)
		}
		if e == capture.FrameUDP && (p.Flow.Src.Port != 53 || p.Flow.Dst.Port != 40000 || p.Transport != capture.UDP) {
			t.Errorf("%s: %v > %v", c.name, p.Flow.Src, p.Flow.Dst)
		}
	}
	// RFC 2675, section 4: a jumbo datagram has length 0.
	b := raw6(17, cat(unhex("0035 9c40 0000 0000"), make([]byte, 70_000)))
	b[4], b[5] = 0, 0
	if p, e := decode(capture.LinkIPv6, b); e != capture.FrameUDP || p.PayloadLen != 70_000 {
		t.Errorf("jumbo: %v, %d bytes", e, p.PayloadLen)
	}
}

func TestICMP(t *testing.T) {
	msg := unhex("03 04 0000 000005dc 45000000")
	for _, c := range []struct {
		name string
		v6   bool
		next byte
		body []byte
		want capture.Entry
	}{
		{"v4", false, 1, msg, capture.FrameICMP},
		{"v6", true, 58, msg, capture.FrameICMPv6},
		{"v4, 7 bytes", false, 1, msg[:7], capture.FrameMalformedICMP},
		{"v6, 7 bytes", true, 58, msg[:7], capture.FrameMalformedICMP},
		{"ICMPv6 over IPv4", false, 58, msg, capture.FrameOther},
	} {
		b, link := raw4(c.next, c.body), capture.LinkIPv4
		if c.v6 {
			b, link = raw6(c.next, c.body), capture.LinkIPv6
		}
		p, e := decode(link, b)
		if e != c.want {
			t.Errorf("%s: %v, want %v", c.name, e, c.want)
		}
		if e == capture.FrameICMP || e == capture.FrameICMPv6 {
			want := capture.ICMPHeader{Type: 3, Code: 4, Rest: 1500}
			if p.Transport != capture.ICMP || p.ICMP != want || fmt.Sprintf("%x", p.Payload) != "45000000" || p.PayloadLen != 4 {
				t.Errorf("%s: %+v", c.name, p)
			}
		}
	}
}
