package wire_test

import (
	"encoding/hex"
	"net"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/wire"
)

// The endpoints of all packets that the tests build.
var (
	src4, dst4 = net.IPv4(10, 0, 0, 1).To4(), net.IPv4(10, 0, 0, 2).To4()
	src6, dst6 = net.ParseIP("2001:db8::1"), net.ParseIP("2001:db8::2")
)

// build serializes layers with right lengths and checksums.
func build(t testing.TB, ls ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ls...); err != nil {
		t.Fatal(err)
	}
	return append([]byte(nil), buf.Bytes()...)
}

func ip4(proto layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, TTL: 64, Id: 7, Protocol: proto, SrcIP: src4, DstIP: dst4}
}

func ip6(proto layers.IPProtocol) *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 63, NextHeader: proto, SrcIP: src6, DstIP: dst6}
}

// segment returns a TCP segment from port 40000 to 80 with payload "hello".
func segment(over gopacket.NetworkLayer, opts ...layers.TCPOption) []gopacket.SerializableLayer {
	s := &layers.TCP{SrcPort: 40000, DstPort: 80, Seq: 1000, Ack: 2000, ACK: true, PSH: true, Window: 512, Options: opts}
	s.SetNetworkLayerForChecksum(over)
	return []gopacket.SerializableLayer{s, gopacket.Payload("hello")}
}

// tcp4 and tcp6 return that segment in an IP packet.
func tcp4(t testing.TB, opts ...layers.TCPOption) []byte {
	ip := ip4(layers.IPProtocolTCP)
	return build(t, append([]gopacket.SerializableLayer{ip}, segment(ip, opts...)...)...)
}

func tcp6(t testing.TB, opts ...layers.TCPOption) []byte {
	ip := ip6(layers.IPProtocolTCP)
	return build(t, append([]gopacket.SerializableLayer{ip}, segment(ip, opts...)...)...)
}

// raw6 returns an IPv6 packet with the given next header and body.
func raw6(next byte, body []byte) []byte {
	b := make([]byte, 40, 40+len(body))
	b[0], b[6], b[7] = 0x60, next, 63
	b[4], b[5] = byte(len(body)>>8), byte(len(body))
	copy(b[8:], src6)
	copy(b[24:], dst6)
	return append(b, body...)
}

// raw4 returns an IPv4 packet with the given protocol and body.
func raw4(proto byte, body []byte) []byte {
	b := make([]byte, 20, 20+len(body))
	n := 20 + len(body)
	b[0], b[2], b[3], b[5], b[8], b[9] = 0x45, byte(n>>8), byte(n), 7, 64, proto
	copy(b[12:], src4)
	copy(b[16:], dst4)
	return append(b, body...)
}

// transportOf returns the TCP segment of tcp4.
func transportOf(t testing.TB) []byte { return tcp4(t)[20:] }

// unhex decodes hexadecimal with blanks.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// cat concatenates.
func cat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// decode decodes one whole frame.
func decode(link capture.LinkType, b []byte) (capture.Packet, capture.Entry) {
	var d wire.Decoder
	p := capture.Packet{TTL: 99, ID: 9, IsFragment: true, BadChecksum: true, Payload: []byte("old")}
	e := d.Decode(&capture.Frame{Link: link, Data: b, WireLen: len(b)}, &p)
	return p, e
}

// wantHello checks that p is the segment of tcp4 or tcp6.
func wantHello(t *testing.T, p *capture.Packet, e capture.Entry) {
	t.Helper()
	if e != capture.FrameTCP || p.Transport != capture.TCP {
		t.Fatalf("account %v, transport %v; want tcp", e, p.Transport)
	}
	flow := p.Flow.Src.String() + " " + p.Flow.Dst.String()
	switch p.Network {
	case capture.IPv4:
		if flow != "10.0.0.1:40000 10.0.0.2:80" || p.TTL != 64 || p.ID != 7 {
			t.Errorf("flow %s, ttl %d, identification %d", flow, p.TTL, p.ID)
		}
	case capture.IPv6:
		if flow != "[2001:db8::1]:40000 [2001:db8::2]:80" || p.TTL != 63 || p.ID != 0 {
			t.Errorf("flow %s, hop limit %d, identification %d", flow, p.TTL, p.ID)
		}
	default:
		t.Errorf("no network")
	}
	if p.TCP.Seq != 1000 || p.TCP.Ack != 2000 || p.TCP.Flags != capture.ACK|capture.PSH || p.TCP.Window != 512 {
		t.Errorf("header %+v", p.TCP)
	}
	if string(p.Payload) != "hello" || p.PayloadLen != 5 {
		t.Errorf("payload %q, %d bytes on the wire", p.Payload, p.PayloadLen)
	}
	if p.IsFragment || p.BadChecksum {
		t.Errorf("fragment %v, bad checksum %v", p.IsFragment, p.BadChecksum)
	}
}
