package icmp

import (
	"bytes"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

func message(n capture.Network, typ, code uint8, rest uint32, payload []byte) *capture.Packet {
	return &capture.Packet{
		Network: n, Transport: capture.ICMP, ICMP: capture.ICMPHeader{Type: typ, Code: code, Rest: rest},
		Payload: payload, PayloadLen: len(payload),
	}
}

func TestParse(t *testing.T) {
	const v4, v6 = capture.IPv4, capture.IPv6
	b := bytes.Repeat([]byte("0123456789abcdef"), 20) // 320 bytes
	for _, c := range []struct {
		name   string
		p      *capture.Packet
		quoted int // -1: no error message
		mtu    int
	}{
		{"unreachable", message(v4, 3, 3, 0, b[:28]), 28, 0},
		{"fragmentation needed", message(v4, 3, 4, 1400, b[:28]), 28, 1400},
		{"fragmentation needed before RFC 1191", message(v4, 3, 4, 0, b[:28]), 28, 0},
		{"fragmentation needed with extensions", message(v4, 3, 4, 32<<16|1400, b), 128, 1400},
		{"the code of another type is no MTU", message(v4, 11, 4, 1400, b[:28]), 28, 0},
		{"source quench", message(v4, 4, 0, 0, b[:28]), 28, 0},
		{"redirect: the gateway is no length", message(v4, 5, 1, 0x0a300001, b), 320, 0},
		{"time exceeded", message(v4, 11, 0, 0, b[:28]), 28, 0},
		{"time exceeded with MPLS extensions", message(v4, 11, 0, 32<<16, b), 128, 0},
		{"parameter problem: the pointer is no length", message(v4, 12, 0, 40<<24, b), 320, 0},
		{"a length of less than 128 bytes", message(v4, 11, 0, 31<<16, b), 320, 0},
		{"a length beyond the message", message(v4, 11, 0, 81<<16, b), 320, 0},
		{"v6 unreachable", message(v6, 1, 4, 0, b[:48]), 48, 0},
		{"v6 unreachable with extensions", message(v6, 1, 4, 16<<24, b), 128, 0},
		{"v6 time exceeded with extensions", message(v6, 3, 0, 17<<24, b), 136, 0},
		{"v6 packet too big", message(v6, 2, 0, 1280, b[:48]), 48, 1280},
		{"v6 packet too big: the MTU is no length", message(v6, 2, 0, 16<<24, b), 320, 16 << 24},
		{"v6 parameter problem", message(v6, 4, 1, 16<<24, b), 320, 0},
		{"nothing is quoted", message(v4, 3, 1, 0, nil), 0, 0},
		{"echo", message(v4, 8, 0, 0, b), -1, 0},
		{"v6 echo", message(v6, 128, 0, 0, b), -1, 0},
		{"v6 neighbour solicitation", message(v6, 135, 0, 0, b), -1, 0},
		{"v4's error type in v6", message(v6, 11, 0, 0, b), -1, 0},
		{"no ICMP", &capture.Packet{Network: v4, Transport: capture.UDP, ICMP: capture.ICMPHeader{Type: 3}}, -1, 0},
	} {
		q, ok := Parse(c.p)
		if ok != (c.quoted >= 0) || len(q.Packet) != max(c.quoted, 0) || q.NextHopMTU != c.mtu {
			t.Errorf("%s: %v, %d bytes, MTU %d", c.name, ok, len(q.Packet), q.NextHopMTU)
		}
		if ok != Describe(c.p.Network, c.p.ICMP.Type, c.p.ICMP.Code).Error && c.p.Transport == capture.ICMP {
			t.Errorf("%s: Describe and Parse disagree", c.name)
		}
	}
	// The capture cut the message: the length still counts.
	p := message(v4, 11, 0, 32<<16, b[:60])
	p.PayloadLen = 320
	if q, ok := Parse(p); !ok || len(q.Packet) != 60 {
		t.Errorf("cut: %v, %d bytes", ok, len(q.Packet))
	}
	p.Payload = b[:200]
	if q, _ := Parse(p); len(q.Packet) != 128 {
		t.Errorf("cut in the extensions: %d bytes", len(q.Packet))
	}
}

func FuzzParse(f *testing.F) {
	f.Add(false, uint8(3), uint8(4), uint32(32<<16|1400), make([]byte, 200), uint16(0))
	f.Add(true, uint8(3), uint8(0), uint32(17<<24), make([]byte, 100), uint16(100))
	f.Fuzz(func(t *testing.T, v6 bool, typ, code uint8, rest uint32, payload []byte, cut uint16) {
		n := capture.IPv4
		if v6 {
			n = capture.IPv6
		}
		p := message(n, typ, code, rest, payload)
		p.PayloadLen += int(cut)
		q, ok := Parse(p)
		if ok != Describe(n, typ, code).Error || len(q.Packet) > len(payload) || !ok && q.Packet != nil {
			t.Fatalf("%v, %d of %d bytes", ok, len(q.Packet), len(payload))
		}
		if ok && len(q.Packet) < min(len(payload), 128) {
			t.Fatalf("%d of %d bytes quoted", len(q.Packet), len(payload))
		}
	})
}
