package sniff

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
)

// long makes a QUIC long header with connection identifiers of 8 bytes, in a
// datagram of size bytes.
func long(first byte, version string, size int) string {
	s := string([]byte{first}) + version + "\x08abcdefgh\x08ijklmnop"
	return s + strings.Repeat("\xa5", max(0, size-len(s)))
}

var datagramExamples = []struct {
	name     string
	src, dst uint16
	in       string
	want     Certainty
}{
	{"quic", 50000, 443, long(0xc3, "\x00\x00\x00\x01", 1200), Certain},
	{"quic", 50000, 4433, long(0xd3, "\x6b\x33\x43\xcf", 1252), Certain},
	{"quic", 50000, 443, long(0xc3, "\x00\x00\x00\x01", 300), Likely},
	{"quic", 443, 50000, long(0xe3, "\x00\x00\x00\x01", 300), Certain}, // handshake
	{"quic", 443, 50000, long(0xf3, "\x00\x00\x00\x01", 120), Certain}, // retry
	{"quic", 443, 50000, long(0xd3, "\x00\x00\x00\x00", 31), Likely},   // two versions
	{"quic", 50000, 443, long(0xc3, "\xff\x00\x00\x1d", 1200), Likely}, // draft 29
	{"quic", 50000, 443, long(0xc3, "\x1a\x2a\x3a\x4a", 1200), Likely}, // reserved
	{"", 50000, 443, long(0x83, "\x00\x00\x00\x01", 1200), Unknown},    // no fixed bit
	{"", 50000, 443, long(0x43, "\x00\x00\x00\x01", 1200), Unknown},    // short header
	{"", 50000, 443, long(0xc3, "\x00\x00\x00\x02", 1200), Unknown},
	{"", 50000, 443, "\xc3\x00\x00\x00\x01\x15" + strings.Repeat("x", 1200), Unknown}, // identifier of 21 bytes
	{"dns", 50000, 53, query, Certain},
	{"dns", 53, 50000, answer, Certain},
	{"dns", 50000, 5300, query, Certain},
	{"dns", 50000, 53, query[:18], Likely},
	{"", 50000, 5300, query[:18], Unknown},
	{"mdns", 5353, 5353, "\x00\x00" + query[2:], Certain},
	{"mdns", 5353, 5353, "\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00\x04host\x05local\x00\x00\x01\x80\x01\x00\x00\x00\x78\x00\x04\xc0\x00\x02\x01", Certain},
	{"stun", 50000, 3478, "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl", Certain},
	{"dtls", 50000, 443, "\x16\xfe\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x01", Certain},
	{"dhcp", 68, 67, "\x01\x01\x06\x00" + strings.Repeat("\x00", 232) + "\x63\x82\x53\x63\x35\x01\x01\xff", Certain},
	{"dhcp", 546, 547, "\x01abc\x00\x08\x00\x02\x00\x00", Likely},
	{"ntp", 123, 123, "\x23\x02\x06\xe8" + strings.Repeat("\x01", 44), Certain},
	{"", 1234, 1235, "\x23\x02\x06\xe8" + strings.Repeat("\x01", 44), Unknown},
	{"syslog", 50000, 514, "<34>1 2003-10-11T22:14:15.003Z host su - ID47 - failed", Certain},
	{"syslog", 50000, 514, "<13>Oct 11 22:14:15 host su: failed", Likely},
	{"statsd", 50000, 8125, "requests.count:1|c|#env:prod\nlatency:12|ms", Likely},
	{"", 50000, 8125, "requests.count:x|c", Unknown},
	{"", 50000, 9999, "hello", Unknown},
	{"", 50000, 9999, "", Unknown},
}

func TestClassifyUDP(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range datagramExamples {
		seen[e.name] = true
		g := ClassifyUDP(e.src, e.dst, []byte(e.in))
		if g.Name != e.name || g.Certainty != e.want {
			t.Errorf("%s %d>%d %.40q: %s %s, want %s", e.name, e.src, e.dst, e.in, g.Name, g.Certainty, e.want)
		}
		want := map[string]capture.Reason{"quic": capture.ReasonQUIC, "dns": capture.ReasonDNS, "mdns": capture.ReasonDNS}[e.name]
		if want == capture.ReasonNone {
			want = capture.ReasonUDP
		}
		if g.Reason != want {
			t.Errorf("%s: reason %s, want %s", e.name, g.Reason, want)
		}
	}
	for _, p := range datagrams {
		if !seen[p.name] {
			t.Errorf("%s has no example", p.name)
		}
	}
}

// TestCaptures counts what the datagrams of third-party captures are taken for.
// The QUIC ones are as many as tshark (4.0.17) finds by -Y quic.header_form==1.
func TestCaptures(t *testing.T) {
	root := capturetest.Shared(t)
	for _, tt := range []struct {
		file, name string
		want       int
	}{
		{"zeek/quic/curl-8.1.2-dev-http3-www-google-de.pcap", "quic", 9},
		{"zeek/quic/quicv2-http3-443.pcap", "quic", 6},
		{"zeek/quic/interop/quic-go_quic-go/handshake.pcap", "quic", 5},
		{"arkime/quicietf.pcap", "quic", 1},
	} {
		t.Run(filepath.Base(tt.file), func(t *testing.T) {
			counts, first := countDatagrams(t, filepath.Join(root, filepath.FromSlash(tt.file)))
			if first.Name != tt.name || counts[tt.name] != tt.want {
				t.Errorf("%v, the first is %s", counts, first.Name)
			}
		})
	}
}

func countDatagrams(t *testing.T, path string) (counts map[string]int, first Guess) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	counts = map[string]int{}
	for p := range gopacket.NewPacketSource(r, r.LinkType()).Packets() {
		udp, ok := p.TransportLayer().(*layers.UDP)
		if !ok {
			continue
		}
		g := ClassifyUDP(uint16(udp.SrcPort), uint16(udp.DstPort), udp.Payload)
		if len(counts) == 0 {
			first = g
		}
		counts[g.Name]++
	}
	return counts, first
}

func TestAllocations(t *testing.T) {
	var in [][]byte
	for _, e := range datagramExamples {
		in = append(in, []byte(e.in))
	}
	client, server := []byte(examples[0].client), []byte(mysqlGreeting)
	if n := testing.AllocsPerRun(50, func() {
		for i, e := range datagramExamples {
			ClassifyUDP(e.src, e.dst, in[i])
		}
		Prefix(client)
		Classify(nil, server)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkClassifyUDP(b *testing.B) {
	for _, e := range []struct{ name, in string }{
		{"dns", query}, {"quic", long(0xc3, "\x00\x00\x00\x01", 1200)}, {"unknown", strings.Repeat("\x77", 1200)},
	} {
		b.Run(e.name, func(b *testing.B) {
			in := []byte(e.in)
			b.ReportAllocs()
			for b.Loop() {
				ClassifyUDP(50000, 4000, in)
			}
		})
	}
}

func BenchmarkPrefix(b *testing.B) {
	get, h2 := []byte("GET / HTTP/1.1\r\n"), []byte(preface)
	b.ReportAllocs()
	for b.Loop() {
		Prefix(get)
		Prefix(h2)
	}
}
