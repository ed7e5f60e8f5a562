package wire_test

import (
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/wire"
)

// Link headers in front of tcp4 or tcp6 that lead to it.
func TestLinkHeaders(t *testing.T) {
	mac := "000000000000 000000000000"
	for _, c := range []struct {
		name   string
		link   capture.LinkType
		header string
		v6     bool
	}{
		{"ethernet", capture.LinkEthernet, mac + "0800", false},
		{"ethernet v6", capture.LinkEthernet, mac + "86dd", true},
		{"vlan", capture.LinkEthernet, mac + "8100 e005 0800", false},
		{"priority tag", capture.LinkEthernet, mac + "8100 2000 86dd", true},
		{"qinq 88a8", capture.LinkEthernet, mac + "88a8 0005 8100 0006 0800", false},
		{"qinq 9100", capture.LinkEthernet, mac + "9100 0005 8100 0006 86dd", true},
		{"qinqinq", capture.LinkEthernet, mac + "8100 0001 8100 0002 8100 0003 0800", false},
		{"pppoe", capture.LinkEthernet, mac + "8864 11 00 0001 002f 0021", false},
		{"pppoe over qinq", capture.LinkEthernet, mac + "8100 0e78 8100 09aa 8864 11 00 0f07 0043 0057", true},
		{"mpls", capture.LinkEthernet, mac + "8847 00010140", false},
		{"mpls, 3 labels", capture.LinkEthernet, mac + "8847 00010040 00020040 00030140", true},
		{"mpls in vlan", capture.LinkEthernet, mac + "8100 0001 8848 00010140", false},
		{"ppp", capture.LinkPPP, "ff03 0021", false},
		{"ppp without address and control", capture.LinkPPP, "0057", true},
		{"ppp, protocol compressed", capture.LinkPPP, "21", false},
		{"ppp mpls", capture.LinkPPP, "ff03 0281 00010140", false},
		{"sll", capture.LinkSLL, "0000 0001 0006 0000000000000000 0800", false},
		{"sll v6", capture.LinkSLL, "0004 0001 0006 0000000000000000 86dd", true},
		{"sll vlan", capture.LinkSLL, "0004 0001 0006 0000000000000000 8100 0005 0800", false},
		{"sll2", capture.LinkSLL2, "0800 0000 00000002 0001 00 06 0000000000000000", false},
		{"sll2 v6", capture.LinkSLL2, "86dd 0000 00000002 0001 04 06 0000000000000000", true},
		{"raw", capture.LinkRaw, "", false},
		{"raw v6", capture.LinkRaw, "", true},
		{"raw, as BSD writes it", 12, "", true},
		{"ipv4", capture.LinkIPv4, "", false},
		{"ipv6", capture.LinkIPv6, "", true},
		{"null", capture.LinkNull, "02000000", false},
		{"null, big-endian", capture.LinkNull, "00000002", false},
		{"null v6 of NetBSD", capture.LinkNull, "18000000", true},
		{"null v6 of FreeBSD", capture.LinkNull, "0000001c", true},
		{"null v6 of Darwin", capture.LinkNull, "1e000000", true},
		{"null v6 of Linux", capture.LinkNull, "0a000000", true},
		{"loop", capture.LinkLoop, "00000002", false},
		{"loop v6", capture.LinkLoop, "00000018", true},
		{"loop, little-endian", capture.LinkLoop, "1e000000", true},
		{"nflog", capture.LinkNFLOG, "02 00 0005  0800 0100 08000300  0500 0a00 00 000000  3100 0900", false},
		{"nflog, big-endian", capture.LinkNFLOG, "0a 00 0005  0008 0001 08000300  0045 0009", true},
		{"nflog of a bridge", capture.LinkNFLOG, "07 00 0005  4500 0900", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ip := tcp4(t)
			want := capture.IPv4
			if c.v6 {
				ip, want = tcp6(t), capture.IPv6
			}
			header := unhex(c.header)
			b := cat(header, ip)
			p, e := decode(c.link, b)
			wantHello(t, &p, e)
			if p.Network != want {
				t.Errorf("network %v", p.Network)
			}
			// Each cut within the headers is told as such, and never panics.
			headers := len(b) - len("hello")
			for n := range b {
				var d wire.Decoder
				e := d.Decode(&capture.Frame{Link: c.link, Data: b[:n:n], WireLen: len(b)}, &p)
				switch {
				case n >= headers && (e != capture.FrameTCP || len(p.Payload) != n-headers || p.PayloadLen != 5):
					t.Errorf("cut to %d bytes: %v, payload %q of %d", n, e, p.Payload, p.PayloadLen)
				case n < headers && e != capture.FrameTruncated:
					t.Errorf("cut to %d bytes: %v", n, e)
				}
			}
		})
	}
}

// Frames that end at the link layer.
func TestLinkAccounts(t *testing.T) {
	mac := "000000000000 000000000000"
	for _, c := range []struct {
		name   string
		link   capture.LinkType
		header string
		want   capture.Entry
	}{
		{"arp", capture.LinkEthernet, mac + "0806 0001", capture.FrameARP},
		{"arp, tagged", capture.LinkEthernet, mac + "8100 0005 0806 0001", capture.FrameARP},
		{"arp, cooked", capture.LinkSLL, "0000 0001 0006 0000000000000000 0806", capture.FrameARP},
		{"802.3", capture.LinkEthernet, mac + "0026 424203", capture.FrameNonIP},
		{"802.3, cooked", capture.LinkSLL, "0000 0001 0006 0000000000000000 0004 424203", capture.FrameNonIP},
		{"lldp", capture.LinkEthernet, mac + "88cc 0207", capture.FrameNonIP},
		{"pppoe discovery", capture.LinkEthernet, mac + "8863 11 09 0000 0000", capture.FrameNonIP},
		{"ppp lcp", capture.LinkPPP, "ff03 c021 0101", capture.FrameNonIP},
		{"mpls pseudowire", capture.LinkEthernet, mac + "8847 00010140 00000000", capture.FrameNonIP},
		{"netlink", capture.LinkSLL, "0004 0338 0000 0000000000000000 0000 1234", capture.FrameNonIP},
		{"null, AppleTalk", capture.LinkNull, "10000000 00", capture.FrameNonIP},
		{"nflog of another family", capture.LinkNFLOG, "0c 00 0005 0500 0900 00", capture.FrameNonIP},
		{"802.11", 105, "0800", capture.FrameUnsupportedLink},
		{"nothing", capture.LinkEthernet, "", capture.FrameMalformedLink},
		{"short ethernet", capture.LinkEthernet, mac + "08", capture.FrameMalformedLink},
		{"short tag", capture.LinkEthernet, mac + "8100 00", capture.FrameMalformedLink},
		{"short sll", capture.LinkSLL, "0000", capture.FrameMalformedLink},
		{"short sll2", capture.LinkSLL2, "0000", capture.FrameMalformedLink},
		{"short null", capture.LinkNull, "0200", capture.FrameMalformedLink},
		{"short pppoe", capture.LinkEthernet, mac + "8864 1100", capture.FrameMalformedLink},
		{"pppoe longer than its frame", capture.LinkEthernet, mac + "8864 11 00 0001 0030 0021 45", capture.FrameMalformedLink},
		{"short mpls", capture.LinkEthernet, mac + "8847 0001", capture.FrameMalformedLink},
		{"short ppp", capture.LinkPPP, "ff03 00", capture.FrameMalformedLink},
		{"nflog of another version", capture.LinkNFLOG, "02 01 0005", capture.FrameMalformedLink},
		{"nflog without a payload", capture.LinkNFLOG, "02 00 0005 0800 0100 08000300", capture.FrameMalformedLink},
		{"nflog, length 0", capture.LinkNFLOG, "02 00 0005 0000 0000", capture.FrameMalformedLink},
		{"raw of no version", capture.LinkRaw, "00", capture.FrameMalformedIP},
		{"ipv6 in 0x0800", capture.LinkEthernet, mac + "0800" + "60" + mac + mac, capture.FrameMalformedIP},
		{"17 tags", capture.LinkEthernet, mac + repeat("8100 0001", 17) + "0800", capture.FrameNestedTooDeep},
		{"17 labels", capture.LinkEthernet, mac + "8847" + repeat("00010040", 17), capture.FrameNestedTooDeep},
	} {
		p, e := decode(c.link, unhex(c.header))
		if e != c.want {
			t.Errorf("%s: %v, want %v", c.name, e, c.want)
		}
		if p.Transport != capture.TransportNone || p.Payload != nil || p.PayloadLen != 0 || p.IsFragment || p.TTL == 99 {
			t.Errorf("%s: something is left of the packet before: %+v", c.name, p)
		}
	}
}

func repeat(s string, n int) (out string) {
	for range n {
		out += s
	}
	return out
}

func TestCookedDirection(t *testing.T) {
	var d wire.Decoder
	var p capture.Packet
	for _, c := range []struct {
		kind string
		want capture.Direction
	}{
		{"00", capture.Receive}, {"01", capture.Receive}, {"02", capture.Receive}, {"03", capture.Receive},
		{"04", capture.Transmit}, {"05", capture.DirectionUnknown},
	} {
		sll := cat(unhex("00"+c.kind+"0001 0006 0000000000000000 0800"), tcp4(t))
		sll2 := cat(unhex("0800 0000 00000002 0001"+c.kind+"06 0000000000000000"), tcp4(t))
		d.Decode(&capture.Frame{Link: capture.LinkSLL, Data: sll, WireLen: len(sll)}, &p)
		if p.Direction != c.want {
			t.Errorf("sll, type %s: direction %d, want %d", c.kind, p.Direction, c.want)
		}
		d.Decode(&capture.Frame{Link: capture.LinkSLL2, Data: sll2, WireLen: len(sll2)}, &p)
		if p.Direction != c.want {
			t.Errorf("sll2, type %s: direction %d, want %d", c.kind, p.Direction, c.want)
		}
		// What the source knows goes first.
		d.Decode(&capture.Frame{Link: capture.LinkSLL2, Data: sll2, WireLen: len(sll2), Direction: capture.Transmit}, &p)
		if p.Direction != capture.Transmit {
			t.Errorf("sll2, type %s: the source's direction is lost", c.kind)
		}
	}
	lo := cat(unhex("0000 0304 0006 0000000000000000 0800"), tcp4(t))
	if p, _ := decode(capture.LinkSLL, lo); !p.Loopback {
		t.Error("a cooked frame of a loopback interface is not marked")
	}
}

// A live source gives the offset and type of the network header.
func TestHasNet(t *testing.T) {
	var d wire.Decoder
	var p capture.Packet
	head := unhex("000000000000 000000000000 0800")
	for _, c := range []struct {
		name string
		f    capture.Frame
		body []byte
	}{
		{"ethernet", capture.Frame{NetOffset: 14, EtherType: 0x0800}, cat(head, tcp4(t))},
		{"tun, no link header", capture.Frame{NetOffset: 0, EtherType: 0x86dd}, tcp6(t)},
		{"an inner tag stays in the frame", capture.Frame{NetOffset: 14, EtherType: 0x8100, Tagged: true, VLAN: 5},
			cat(head, unhex("0006 0800"), tcp4(t))},
		{"the link type does not matter", capture.Frame{Link: 999, NetOffset: 14, EtherType: 0x0800}, cat(head, tcp4(t))},
	} {
		f := c.f
		f.HasNet, f.Data, f.WireLen = true, c.body, len(c.body)
		f.Time, f.Interface, f.Loopback, f.Direction = 123, 7, true, capture.Receive
		e := d.Decode(&f, &p)
		t.Run(c.name, func(t *testing.T) { wantHello(t, &p, e) })
		if p.Time != 123 || p.Interface != 7 || !p.Loopback || p.Direction != capture.Receive || p.WireLen != len(c.body) {
			t.Errorf("%s: frame facts are lost: %+v", c.name, p)
		}
	}
	f := capture.Frame{HasNet: true, NetOffset: 20, EtherType: 0x0800, Data: make([]byte, 10), WireLen: 60}
	if e := d.Decode(&f, &p); e != capture.FrameTruncated {
		t.Errorf("cut before the network header: %v", e)
	}
	f.WireLen = 10
	if e := d.Decode(&f, &p); e != capture.FrameMalformedLink {
		t.Errorf("no network header at all: %v", e)
	}
}

// Ethernet pads to 60 bytes; padding is not payload.
func TestPadding(t *testing.T) {
	for _, ip := range [][]byte{tcp4(t), tcp6(t)} {
		et := byte(0x08)
		lo := byte(0x00)
		if ip[0]>>4 == 6 {
			et, lo = 0x86, 0xdd
		}
		b := cat(make([]byte, 12), []byte{et, lo}, ip, make([]byte, 20))
		p, e := decode(capture.LinkEthernet, b)
		wantHello(t, &p, e)
	}
}
