package wire_test

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/wire"
)

// accounts are all that Decode may return.
var accounts = []capture.Entry{
	capture.FrameTCP, capture.FrameUDP, capture.FrameICMP, capture.FrameICMPv6, capture.FrameARP, capture.FrameOther,
	capture.FrameNonIP, capture.FrameUnsupportedLink, capture.FrameTruncated, capture.FrameMalformedLink,
	capture.FrameMalformedIP, capture.FrameMalformedTCP, capture.FrameMalformedUDP, capture.FrameMalformedICMP,
	capture.FrameNestedTooDeep, capture.FragmentsLive,
}

// check says what holds for every packet that was decoded.
func check(t *testing.T, f *capture.Frame, p *capture.Packet, e capture.Entry) {
	t.Helper()
	if !slices.Contains(accounts, e) {
		t.Fatalf("account %v", e)
	}
	if len(p.Payload) > p.PayloadLen || p.PayloadLen > p.WireLen {
		t.Fatalf("%d captured of %d bytes of payload in a frame of %d", len(p.Payload), p.PayloadLen, p.WireLen)
	}
	if n := len(p.Payload); n > 0 {
		at := uintptr(unsafe.Pointer(&p.Payload[0])) - uintptr(unsafe.Pointer(&f.Data[0]))
		if at > uintptr(len(f.Data)-n) {
			t.Fatal("payload outside the frame")
		}
	}
	if len(f.Data) == f.WireLen && len(p.Payload) != p.PayloadLen {
		t.Fatalf("%d of %d bytes of payload, and nothing was cut", len(p.Payload), p.PayloadLen)
	}
	if e == capture.FrameTruncated && len(f.Data) >= f.WireLen {
		t.Fatal("truncated, and nothing was cut")
	}
	if p.IsFragment != (e == capture.FragmentsLive) {
		t.Fatalf("%v, and IsFragment is %v", e, p.IsFragment)
	}
	want := capture.TransportNone
	switch e {
	case capture.FrameTCP:
		want = capture.TCP
	case capture.FrameUDP:
		want = capture.UDP
	case capture.FrameICMP, capture.FrameICMPv6:
		want = capture.ICMP
	case capture.FrameOther:
		want = capture.TransportOther
	case capture.FragmentsLive:
		want = p.Transport
	}
	if p.Transport != want || want == capture.TransportNone && p.Payload != nil {
		t.Fatalf("%v, transport %v, payload %q", e, p.Transport, p.Payload)
	}
	if want != capture.TransportNone && p.Network == capture.NetworkNone {
		t.Fatalf("%v without a network", e)
	}
}

func FuzzDecode(f *testing.F) {
	links := []capture.LinkType{0, 1, 9, 101, 108, 113, 228, 229, 239, 276}
	for _, c := range hot(f) {
		f.Add(c.Data, uint8(slices.Index(links, c.Link)), uint16(0), false)
	}
	f.Add(raw6(0, unhex("06 00 c204 00000000")), uint8(7), uint16(3), false)
	f.Add(raw4(47, unhex("b000 6558 12340000 00000001 00000002")), uint8(6), uint16(0), true)
	f.Add(unhex("02 00 0005  0800 0100 08000300  0500 0a00 00 000000  3100 0900"), uint8(8), uint16(40), false)
	f.Fuzz(func(t *testing.T, b []byte, link uint8, cut uint16, hasNet bool) {
		frame := capture.Frame{Link: links[int(link)%len(links)], Data: b, WireLen: len(b) + int(cut)}
		if hasNet {
			frame.HasNet, frame.NetOffset, frame.EtherType = true, cut%64, 0x0800
		}
		var fresh capture.Packet
		d := wire.Decoder{VerifyChecksums: true}
		e := d.Decode(&frame, &fresh)
		check(t, &frame, &fresh, e)
		used := capture.Packet{
			Payload: []byte("old"), PayloadLen: 3, BadChecksum: true, Filtered: true, IsFragment: true, TTL: 1,
			TCP: capture.TCPHeader{SACKs: 4, FastOpen: true}, ICMP: capture.ICMPHeader{Type: 9},
			Fragment: capture.Fragment{ID: 1}, Network: capture.IPv6, Transport: capture.UDP,
		}
		used.Flow.Src.Port = 9
		if e2 := d.Decode(&frame, &used); e2 != e || !same(&used, &fresh) {
			t.Fatalf("a used packet decodes otherwise:\n%v %+v\n%v %+v", e, fresh, e2, used)
		}
		for _, n := range []capture.Network{capture.IPv4, capture.IPv6} {
			wire.DecodeQuoted(n, b)
		}
		if e == capture.FragmentsLive {
			p := fresh
			data, wireLen := p.Payload, p.PayloadLen
			e := d.DecodeDatagram(&p, p.Fragment.Proto, data, wireLen)
			frame.WireLen = len(frame.Data) + wireLen - len(data)
			check(t, &frame, &p, e)
			if e == capture.FragmentsLive {
				t.Fatal("a datagram is a fragment")
			}
		}
	})
}

// same reports whether two packets are equal, payload by place.
func same(a, b *capture.Packet) bool {
	x, y := *a, *b
	if len(x.Payload) != len(y.Payload) || len(x.Payload) > 0 && &x.Payload[0] != &y.Payload[0] {
		return false
	}
	x.Payload, y.Payload = nil, nil
	return slices.Equal([]any{x.Flow, x.TCP, x.ICMP, x.Fragment}, []any{y.Flow, y.TCP, y.ICMP, y.Fragment}) &&
		x.Time == y.Time && x.PayloadLen == y.PayloadLen && x.WireLen == y.WireLen && x.Interface == y.Interface &&
		x.Direction == y.Direction && x.Network == y.Network && x.Transport == y.Transport && x.TTL == y.TTL &&
		x.Loopback == y.Loopback && x.BadChecksum == y.BadChecksum && x.Filtered == y.Filtered && x.IsFragment == y.IsFragment
}

// Every frame of every capture obeys the same rules, whole and cut.
func TestCorpus(t *testing.T) {
	var d = wire.Decoder{VerifyChecksums: true}
	var p capture.Packet
	seen := make(map[capture.Entry]int)
	for _, path := range captures(t) {
		frames(t, path, func(n int, f *capture.Frame) {
			e := d.Decode(f, &p)
			check(t, f, &p, e)
			seen[e]++
			for _, cut := range []int{0, 10, 14, 30, 34, 54, 64, 66, 96, 128} {
				if cut < len(f.Data) {
					g := *f
					g.Data = f.Data[:cut:cut]
					check(t, &g, &p, d.Decode(&g, &p))
				}
			}
		})
	}
	t.Logf("%v", seen)
	for _, e := range accounts {
		if seen[e] == 0 && e != capture.FrameTruncated {
			t.Logf("no frame of the corpus is %v", e)
		}
	}
}
