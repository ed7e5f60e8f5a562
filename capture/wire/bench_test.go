package wire_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/wire"
)

var timestamps = []layers.TCPOption{
	{OptionType: layers.TCPOptionKindNop}, {OptionType: layers.TCPOptionKindNop},
	{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: []byte{0, 0, 0, 1, 0, 0, 0, 2}},
}

// hot returns the frames of the benchmarks and of the allocation test.
func hot(t testing.TB) map[string]capture.Frame {
	ethHead4 := append(make([]byte, 12), 0x08, 0x00)
	ethHead6 := append(make([]byte, 12), 0x86, 0xdd)
	sll2 := unhex("0800 0000 00000002 0001 00 06 0000000000000000")
	f := func(link capture.LinkType, parts ...[]byte) capture.Frame {
		b := cat(parts...)
		return capture.Frame{Link: link, Data: b, WireLen: len(b)}
	}
	live := f(capture.LinkEthernet, ethHead4, tcp4(t, timestamps...))
	live.HasNet, live.NetOffset, live.EtherType = true, 14, 0x0800
	live.Direction, live.Checksum = capture.Receive, capture.ChecksumValid
	return map[string]capture.Frame{
		"eth-tcp4": f(capture.LinkEthernet, ethHead4, tcp4(t, timestamps...)),
		"eth-tcp6": f(capture.LinkEthernet, ethHead6, tcp6(t, timestamps...)),
		"sll2":     f(capture.LinkSLL2, sll2, tcp4(t, timestamps...)),
		"live":     live,
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, f := range hot(b) {
		b.Run(name, func(b *testing.B) {
			var d wire.Decoder
			var p capture.Packet
			b.ReportAllocs()
			for b.Loop() {
				if d.Decode(&f, &p) != capture.FrameTCP {
					b.Fatal("not TCP")
				}
			}
		})
	}
	for _, n := range []int{100, 1448, 65000} {
		seg := transportOf(b)[:20]
		data := cat(append(make([]byte, 12), 0x08, 0x00), raw4(6, cat(seg, bytes.Repeat([]byte{'x'}, n))))
		f := capture.Frame{Link: capture.LinkEthernet, Data: data, WireLen: len(data)}
		b.Run(fmt.Sprintf("checksum-%d", n), func(b *testing.B) {
			d := wire.Decoder{VerifyChecksums: true}
			var p capture.Packet
			b.ReportAllocs()
			for b.Loop() {
				d.Decode(&f, &p)
			}
		})
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	for name, f := range hot(t) {
		d := wire.Decoder{VerifyChecksums: true}
		var p capture.Packet
		if n := testing.AllocsPerRun(100, func() { d.Decode(&f, &p) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
