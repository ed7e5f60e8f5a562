package wire_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/wire"
)

// Captures of link types, tags and tunnels that gopacket does not read.
var tsharkCaptures = []string{
	"PcapPlusPlus/Tests/Packet++Test/PacketExamples/GrePackets.pcap",
	"suricata-verify/decode-sll2-01/input.pcap",
	"suricata-verify/http-async/input.pcap", // NULL
	"zeek/erspanI.pcap",
	"zeek/http-qinq-0.pcap",
	"zeek/mixed-vlan-mpls.pcap",
	"zeek/tunnels/6in6.pcap",
}

// TestAgreesWithTshark compares ports, sequence numbers and payload lengths of
// the innermost TCP segment with Wireshark's.
func TestAgreesWithTshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := capturetest.Shared(t)
	compared := 0
	for _, name := range tsharkCaptures {
		out, err := exec.Command(tshark, "-n", "-r", filepath.Join(dir, name), "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
			"-o", "tcp.desegment_tcp_streams:FALSE", "-T", "fields", "-E", "separator=|", "-E", "occurrence=l",
			"-e", "tcp.srcport", "-e", "tcp.dstport", "-e", "tcp.seq_raw", "-e", "tcp.len").Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		var d wire.Decoder
		var p capture.Packet
		frames(t, filepath.Join(dir, name), func(n int, f *capture.Frame) {
			got := "|||"
			if d.Decode(f, &p) == capture.FrameTCP {
				compared++
				got = fmt.Sprintf("%d|%d|%d|%d", p.Flow.Src.Port, p.Flow.Dst.Port, p.TCP.Seq, p.PayloadLen)
			}
			if n > len(lines) || got != lines[n-1] {
				t.Errorf("%s, packet %d: %s, tshark has %s", name, n, got, lines[min(n, len(lines))-1])
			}
		})
	}
	if compared < 60 {
		t.Errorf("only %d segments compared", compared)
	}
	t.Logf("%d segments", compared)
}
