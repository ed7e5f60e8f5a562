package wire_test

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/pcap"
	"github.com/wiretell/wiretell/capture/wire"
)

// captures returns the paths of the shared captures.
func captures(t testing.TB) []string {
	dir := capturetest.Shared(t)
	var paths []string
	for _, name := range capturetest.Captures(t) {
		paths = append(paths, filepath.Join(dir, name))
	}
	return paths
}

// frames calls do with each frame of a capture.
func frames(t testing.TB, path string, do func(n int, f *capture.Frame)) {
	s, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var f capture.Frame
	for n := 1; ; n++ {
		if err := s.Next(&f); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		do(n, &f)
	}
}

// decodersOf maps link types to gopacket's decoders.
var decodersOf = map[capture.LinkType]gopacket.Decoder{
	capture.LinkEthernet: layers.LayerTypeEthernet,
	capture.LinkSLL:      layers.LayerTypeLinuxSLL,
	capture.LinkIPv4:     layers.LayerTypeIPv4,
	capture.LinkIPv6:     layers.LayerTypeIPv6,
	capture.LinkNull:     layers.LayerTypeLoopback,
	capture.LinkPPP:      layers.LayerTypePPP,
}

// decoderOf returns gopacket's decoder for f.
func decoderOf(f *capture.Frame) gopacket.Decoder {
	if f.Link == capture.LinkRaw && len(f.Data) > 0 {
		if f.Data[0]>>4 == 6 {
			return layers.LayerTypeIPv6
		}
		return layers.LayerTypeIPv4
	}
	return decodersOf[f.Link]
}

// view is what both decoders tell of a packet.
type view struct {
	src, dst  netip.AddrPort
	transport capture.Transport
	seq, ack  uint32
	flags     capture.Flags
	window    uint16
	payload   string
}

// gopacketView returns what gopacket says, up to the first transport layer, and
// whether it got there without an error.
func gopacketView(data []byte, dec gopacket.Decoder, cut bool) (v view, ok bool) {
	pkt := gopacket.NewPacket(data, dec, gopacket.DecodeOptions{NoCopy: true})
	var src, dst netip.Addr
	for _, l := range pkt.Layers() {
		switch l := l.(type) {
		case *layers.IPv4:
			if len(l.SrcIP) == 0 {
				return v, false // it failed
			}
			src, dst = netip.AddrFrom4([4]byte(l.SrcIP.To4())), netip.AddrFrom4([4]byte(l.DstIP.To4()))
		case *layers.IPv6:
			if len(l.SrcIP) == 0 {
				return v, false // it failed
			}
			src, dst = netip.AddrFrom16([16]byte(l.SrcIP)).Unmap(), netip.AddrFrom16([16]byte(l.DstIP)).Unmap()
		case *layers.TCP:
			if len(l.Contents) < 20 {
				return v, false // it failed
			}
			v.transport = capture.TCP
			v.src = netip.AddrPortFrom(src, uint16(l.SrcPort))
			v.dst = netip.AddrPortFrom(dst, uint16(l.DstPort))
			v.seq, v.ack, v.window = l.Seq, l.Ack, l.Window
			v.flags = capture.Flags(l.Contents[13])
			v.payload = string(l.Payload)
			return v, src.IsValid() && (cut || !pkt.Metadata().Truncated)
		case *layers.UDP:
			if len(l.Contents) < 8 {
				return v, false // it failed
			}
			v.transport = capture.UDP
			v.src = netip.AddrPortFrom(src, uint16(l.SrcPort))
			v.dst = netip.AddrPortFrom(dst, uint16(l.DstPort))
			v.payload = string(l.Payload)
			return v, src.IsValid() && (cut || !pkt.Metadata().Truncated)
		case *layers.ICMPv4, *layers.ICMPv6, *gopacket.Fragment, *gopacket.DecodeFailure:
			return v, false
		}
	}
	return v, false
}

func wireView(p *capture.Packet) view {
	v := view{
		src: p.Flow.Src.AddrPort(), dst: p.Flow.Dst.AddrPort(), transport: p.Transport,
		seq: p.TCP.Seq, ack: p.TCP.Ack, flags: p.TCP.Flags, window: p.TCP.Window,
		payload: string(p.Payload),
	}
	return v
}

// gopacketErrs lists the packets that gopacket reads otherwise, and why the
// difference is wanted.
var gopacketErrs = map[string]string{
	"arkime/arkime_synthetic.pcap 818":       "a UDP length of 12 bytes more than the IP packet has: no receiver takes it",
	"tcpdump/bigtcp-ipv4-geneve-ipv4.pcap 1": "gopacket cuts a BIG TCP packet (IPv4 total length 0) to 64 KiB",
	"tcpdump/bigtcp-ipv4-geneve-ipv6.pcap 1": "gopacket cuts a BIG TCP packet (IPv4 total length 0) to 64 KiB",
	"tcpdump/heapoverflow-tcp_print.pcap 1":  "the capture cut the TCP options, of which gopacket does not tell",
}

func TestAgreesWithGopacket(t *testing.T) {
	var d wire.Decoder
	var p capture.Packet
	same, differ, excepted := 0, 0, 0
	dir := capturetest.Shared(t) + string(filepath.Separator)
	for _, path := range captures(t) {
		frames(t, path, func(n int, f *capture.Frame) {
			dec := decoderOf(f)
			if dec == nil {
				return
			}
			want, ok := gopacketView(f.Data, dec, f.WireLen > len(f.Data))
			if !ok {
				return
			}
			e := d.Decode(f, &p)
			got := wireView(&p)
			if got == want && (e == capture.FrameTCP || e == capture.FrameUDP) {
				same++
				return
			}
			if gopacketErrs[fmt.Sprint(strings.TrimPrefix(path, dir), " ", n)] != "" {
				excepted++
				return
			}
			differ++
			if differ <= 40 {
				t.Errorf("%s, packet %d (%v, link %d, %d of %d bytes):\n got %s\nwant %s", path, n, e, f.Link, len(f.Data), f.WireLen, show(got), show(want))
			}
		})
	}
	t.Logf("%d packets are the same, %d differ", same, differ)
	if excepted != len(gopacketErrs) {
		t.Errorf("%d exceptions met, the table has %d", excepted, len(gopacketErrs))
	}
	if same < 48_000 {
		t.Errorf("only %d packets compared: the comparison has lost its subject", same)
	}
}

func show(v view) string {
	var b bytes.Buffer
	b.WriteString(v.src.String() + " > " + v.dst.String() + " " + v.transport.String())
	return b.String() + " " + string(rune('0'+int(v.flags)%10)) + " payload " + quote(v.payload)
}

func quote(s string) string {
	if len(s) > 24 {
		s = s[:24]
	}
	return string(bytes.ToValidUTF8([]byte(s), []byte{'.'}))
}
