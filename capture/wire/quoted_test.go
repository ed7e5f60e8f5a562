package wire_test

import (
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/wire"
)

func TestDecodeQuoted(t *testing.T) {
	v4, v6 := tcp4(t), tcp6(t)
	seg := v6[40:]
	options := cat(set(v4[:20], 0, 0x46), []byte{1, 1, 1, 0}, v4[20:])
	for _, c := range []struct {
		name       string
		n          capture.Network
		b          []byte
		transport  capture.Transport
		ports, seq bool
	}{
		{"whole", capture.IPv4, v4, capture.TCP, true, true},
		{"8 bytes of TCP", capture.IPv4, v4[:28], capture.TCP, true, true},
		{"7 bytes of TCP", capture.IPv4, v4[:27], capture.TCP, true, false},
		{"4 bytes of TCP", capture.IPv4, v4[:24], capture.TCP, true, false},
		{"3 bytes of TCP", capture.IPv4, v4[:23], capture.TCP, false, false},
		{"the IP header alone", capture.IPv4, v4[:20], capture.TCP, false, false},
		{"IP options", capture.IPv4, options, capture.TCP, true, true},
		{"IP options cut", capture.IPv4, options[:22], capture.TCP, false, false},
		{"total length changed by a router", capture.IPv4, set(v4[:28], 2, 0xff, 0xff), capture.TCP, true, true},
		{"first fragment", capture.IPv4, set(v4, 6, 0x20, 0), capture.TCP, true, true},
		{"later fragment", capture.IPv4, set(v4, 6, 0x20, 1), capture.TCP, false, false},
		{"UDP", capture.IPv4, raw4(17, unhex("9c40 0050 0008 0000")), capture.UDP, true, false},
		{"ICMP", capture.IPv4, raw4(1, make([]byte, 8)), capture.ICMP, false, false},
		{"ICMPv6 in IPv4", capture.IPv4, raw4(58, make([]byte, 8)), capture.TransportOther, false, false},
		{"another protocol", capture.IPv4, raw4(132, make([]byte, 8)), capture.TransportOther, false, false},
		{"v6", capture.IPv6, v6, capture.TCP, true, true},
		{"v6, 8 bytes of TCP", capture.IPv6, v6[:48], capture.TCP, true, true},
		{"v6, extension headers", capture.IPv6, raw6(0, cat(unhex("3c 00 0104 00000000 06 00 0104 00000000"), seg)), capture.TCP, true, true},
		{"v6, authentication", capture.IPv6, raw6(51, cat(unhex("06 01 0000 00000001 00000001"), seg)), capture.TCP, true, true},
		{"v6, first fragment", capture.IPv6, raw6(44, cat(unhex("06 00 0001 00000001"), seg)), capture.TCP, true, true},
		{"v6, later fragment", capture.IPv6, raw6(44, cat(unhex("06 00 0009 00000001"), seg)), capture.TCP, false, false},
		{"v6, cut in an extension header", capture.IPv6, raw6(60, []byte{6}), capture.TransportOther, false, false},
		{"v6, 9 extension headers", capture.IPv6, raw6(60, cat(unhex(repeat("3c 00 0104 00000000", 8)+"06 00 0104 00000000"), seg)), capture.TransportOther, false, false},
		{"v6, ICMPv6", capture.IPv6, raw6(58, make([]byte, 8)), capture.ICMP, false, false},
	} {
		q, ok := wire.DecodeQuoted(c.n, c.b)
		if !ok || q.Network != c.n || q.Transport != c.transport || q.HasPorts != c.ports || q.HasSeq != c.seq {
			t.Errorf("%s: %v, %+v", c.name, ok, q)
			continue
		}
		want := map[capture.Network][2]string{
			capture.IPv4: {"10.0.0.1", "10.0.0.2"}, capture.IPv6: {"2001:db8::1", "2001:db8::2"}}[c.n]
		if got := [2]string{q.Flow.Src.IP().String(), q.Flow.Dst.IP().String()}; got != want {
			t.Errorf("%s: %v", c.name, got)
		}
		if c.ports != (q.Flow.Src.Port == 40000 && q.Flow.Dst.Port == 80) {
			t.Errorf("%s: ports %d, %d", c.name, q.Flow.Src.Port, q.Flow.Dst.Port)
		}
		if c.seq != (q.Seq == 1000) {
			t.Errorf("%s: seq %d", c.name, q.Seq)
		}
	}
	for _, b := range [][]byte{nil, v4[:19], v6, set(v4, 0, 0x44)} {
		if q, ok := wire.DecodeQuoted(capture.IPv4, b); ok {
			t.Errorf("% x: %+v", b[:min(len(b), 8)], q)
		}
	}
	for _, b := range [][]byte{nil, v6[:39], v4} {
		if q, ok := wire.DecodeQuoted(capture.IPv6, b); ok {
			t.Errorf("% x: %+v", b[:min(len(b), 8)], q)
		}
	}
	if _, ok := wire.DecodeQuoted(capture.NetworkNone, v4); ok {
		t.Error("no network")
	}
}
