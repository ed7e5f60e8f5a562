package observer_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
)

// wireUDP returns a raw IP packet with a UDP datagram.
func wireUDP(t *testing.T, src, dst string, payload []byte) []byte {
	t.Helper()
	from, to := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	udp := &layers.UDP{SrcPort: layers.UDPPort(from.Port()), DstPort: layers.UDPPort(to.Port())}
	return serialize(t, from.Addr(), to.Addr(), layers.IPProtocolUDP, udp, gopacket.Payload(payload))
}

// wireUnreachable returns an ICMP error from a host that quotes packet.
func wireUnreachable(t *testing.T, from, to string, code uint8, packet []byte) []byte {
	t.Helper()
	src, dst := netip.MustParseAddr(from), netip.MustParseAddr(to)
	if src.Is6() {
		return serialize(t, src, dst, layers.IPProtocolICMPv6,
			&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(1, code)}, gopacket.Payload(append(make([]byte, 4), packet...)))
	}
	return serialize(t, src, dst, layers.IPProtocolICMPv4, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, code)}, gopacket.Payload(packet))
}

func serialize(t *testing.T, src, dst netip.Addr, proto layers.IPProtocol, rest ...gopacket.SerializableLayer) []byte {
	t.Helper()
	var ip gopacket.NetworkLayer = &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
	if src.Is6() {
		ip = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: proto, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
	}
	for _, l := range rest {
		if c, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			if err := c.SetNetworkLayerForChecksum(ip); err != nil {
				t.Fatal(err)
			}
		}
	}
	b := gopacket.NewSerializeBuffer()
	all := append([]gopacket.SerializableLayer{ip.(gopacket.SerializableLayer)}, rest...)
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b.Bytes())
}

// frames plays packets, each the given time after the one before it.
func frames(after time.Duration, packets ...[]byte) capture.Source {
	var segments []capturetest.Segment
	at := capture.Time(1_700_000_000e9)
	for _, p := range packets {
		segments = append(segments, capturetest.Segment{Raw: &capture.Frame{Time: at, Data: p, WireLen: len(p), Link: capture.LinkRaw}})
		at = at.Add(after)
	}
	return capturetest.NewSource(segments)
}

func dnsMessage(t *testing.T, m dnsmessage.Message) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func question(id uint16, name string) dnsmessage.Message {
	return dnsmessage.Message{Header: dnsmessage.Header{ID: id}, Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
}

// of returns the observations of r that are of one type.
func of[T capture.Observation](r result) (out []T) {
	for _, o := range r.batch.Observations {
		if o, ok := o.(T); ok {
			out = append(out, o)
		}
	}
	return out
}

// TestUnreachableDatagrams: an ICMP error about a UDP datagram tells which flow
// was hit, when that datagram was really sent.
func TestUnreachableDatagrams(t *testing.T) {
	for _, net := range []struct{ name, client, server, other string }{
		{"v4", "10.0.0.1", "10.0.0.2", "10.0.0.3"},
		{"v6", "fd00::1", "fd00::2", "fd00::3"},
	} {
		at := func(addr string, port uint16) string {
			return netip.AddrPortFrom(netip.MustParseAddr(addr), port).String()
		}
		stat := wireUDP(t, at(net.client, 40000), at(net.server, 8125), []byte("a:1|c"))
		back := wireUDP(t, at(net.server, 8125), at(net.client, 40000), []byte("b:1|c"))
		query := wireUDP(t, at(net.client, 40001), at(net.server, 53), dnsMessage(t, question(7, "app.example.")))
		code := uint8(3)
		if net.name == "v6" {
			code = 4
		}
		for _, c := range []struct {
			name    string
			after   time.Duration
			packets [][]byte
			quoted  []byte
			seen    bool
			server  uint16
			failed  capture.Reason
		}{
			{"a datagram", time.Second, [][]byte{stat}, stat, true, 8125, 0},
			{"the answer to one", time.Second, [][]byte{stat, back}, back, true, 8125, 0},
			{"an answer that was not sent", time.Second, [][]byte{stat}, back, false, 0, 0},
			{"nothing that was sent", time.Second, [][]byte{stat}, wireUDP(t, at(net.client, 40000), at(net.other, 8125), []byte("a:1|c")), false, 0, 0},
			{"one sent long ago", 61 * time.Second, [][]byte{stat}, stat, false, 0, 0},
			{"a query", time.Second, [][]byte{query}, query, true, 53, capture.ReasonPortUnreachable},
			{"a query that was not sent", time.Second, [][]byte{query}, wireUDP(t, at(net.client, 40001), at(net.server, 53), dnsMessage(t, question(8, "app.example."))), true, 53, 0},
		} {
			t.Run(net.name+"/"+c.name, func(t *testing.T) {
				r := observe(frames(c.after, append(c.packets, wireUnreachable(t, net.server, net.client, code, c.quoted))...), nil)
				r.check(t)
				es := of[*capture.ICMPError](r)
				if len(es) != 1 || es[0].Why != capture.ReasonPortUnreachable {
					t.Fatalf("ICMP errors %v", es)
				}
				if e := es[0]; e.QuotedSeen != c.seen || e.Conn.Server.Port != c.server || e.Conn.ID != 0 || c.seen && e.Conn.Client.IP().String() != net.client {
					t.Errorf("seen %v, client %s, server %s", e.QuotedSeen, e.Conn.Client, e.Conn.Server)
				}
				ls := of[*capture.DNSLookup](r)
				if c.failed == 0 {
					if len(ls) != 0 {
						t.Errorf("a look-up failed: %+v", ls[0])
					}
					return
				}
				if len(ls) != 1 || ls[0].Why != c.failed || ls[0].Duration != c.after || string(ls[0].Name) != "app.example" || !ls[0].HasICMP {
					t.Errorf("look-ups %+v", ls)
				}
			})
		}
	}
}

// TestDNSIsParsed: what is followed is not unparsed; what looks like DNS and
// cannot be read is, under its own reason.
func TestDNSIsParsed(t *testing.T) {
	q := dnsMessage(t, question(7, "app.example."))
	notify := slices.Clone(q)
	notify[2] = 4 << 3
	r := observe(frames(time.Second, wireUDP(t, "10.0.0.1:4000", "10.0.0.2:53", q), wireUDP(t, "10.0.0.1:4000", "10.0.0.2:53", notify),
		wireUDP(t, "10.0.0.1:5353", "224.0.0.251:5353", q), wireUDP(t, "127.0.0.1:4000", "127.0.0.11:41234", q),
		wireUDP(t, "127.0.0.1:4000", "127.0.0.11:41234", notify)), nil)
	r.check(t)
	if n := r.ledger[capture.DNSMessages]; n != 2 || r.ledger[capture.LookupsSeen] != 2 || r.ledger[capture.LookupsShutdown] != 2 {
		t.Errorf("%d messages, %d look-ups", n, r.ledger[capture.LookupsSeen])
	}
	got := map[string]uint64{}
	for _, p := range r.counters.Ports.Copy(nil) {
		for why, tally := range p.Unparsed {
			if tally.Packets > 0 {
				got[fmt.Sprintf("%d %s", p.Port, capture.Reason(why))] += tally.Packets
			}
		}
	}
	for _, l := range of[*capture.DNSLookup](r) {
		if l.Server.Port != 53 {
			t.Errorf("a look-up at %s", l.Server)
		}
	}
	if want := "map[53 dns:2 5353 dns:1]"; fmt.Sprint(got) != want {
		t.Errorf("unparsed %v, want %s", got, want)
	}
}

// TestRecentFlowsAreBounded: a flood of flows forgets the oldest, and allocates
// nothing.
func TestRecentFlowsAreBounded(t *testing.T) {
	var packets [][]byte
	first := wireUDP(t, "10.0.0.1:1000", "10.0.0.2:9", []byte("x"))
	packets = append(packets, first)
	for i := range 20000 {
		packets = append(packets, wireUDP(t, fmt.Sprintf("10.1.%d.%d:1000", i>>8, i&255), "10.0.0.2:9", []byte("x")))
	}
	last := packets[len(packets)-1]
	packets = append(packets, wireUnreachable(t, "10.0.0.2", "10.0.0.1", 3, first), wireUnreachable(t, "10.0.0.2", "10.1.78.31", 3, last))
	r := observe(frames(time.Microsecond, packets...), nil)
	es := of[*capture.ICMPError](r)
	if len(es) != 2 || es[0].QuotedSeen || !es[1].QuotedSeen {
		t.Errorf("the oldest of 20,001 flows is remembered, or the latest is not: %+v", es)
	}
}

// dnsCaptures are the shared captures in which tshark finds DNS over UDP.
var dnsCaptures = []string{
	"PcapPlusPlus/Tests/Packet++Test/PacketExamples/GrePackets.pcap",
	"PcapPlusPlus/Tests/Pcap++Test/PcapExamples/raw_ip.pcap",
	"PcapPlusPlus/Tests/Pcap++Test/PcapExamples/sll.pcap",
	"arkime/arkime_synthetic.pcap",
	"arkime/gre-sample.pcap",
	"arkime/gtp-iphone.pcap",
	"ipfixprobe/functional/inputs/mixed.pcap",
	"suricata-verify/decode-teredo-01/input.pcap",
	"suricata-verify/ethernet-eve/test.pcap",
	"suricata-verify/http-protocol-inspect-v2/http.pcap",
	"tcpdump/LINKTYPE_RAW_ipv6.pcap",
	"zeek/erspan.pcap",
	"zeek/raw_packets.pcap",
	"zeek/tunnels/gre-over-udp-4754.pcap",
	"zeek/tunnels/vxlan-triple-v2.pcap",
	"zeek/wikipedia.pcap",
}

// TestDNSAgreesWithTshark compares the queries and the response codes of every
// capture that holds DNS with those that tshark sees. Where the two differ,
// testdata/dns-differences.txt holds the difference and why wiretell is right.
func TestDNSAgreesWithTshark(t *testing.T) {
	dir := capturetest.Shared(t)
	list := openDifferences(t, "testdata/dns-differences.txt",
		"Where wiretell's DNS messages over UDP differ from those that tshark lists, and why wiretell is right.",
		"\"-\" is what only tshark counts, \"+\" what only wiretell does.")
	for _, name := range dnsCaptures {
		want := tsharkDNS(t, filepath.Join(dir, name))
		r := observe(open(t, filepath.Join(dir, name)), nil)
		l := &r.ledger
		got := map[string]uint64{}
		put := func(what string, n uint64) {
			if n > 0 {
				got[what] += n
			}
		}
		put("query", l[capture.LookupsSeen]+l[capture.DNSRetries])
		put("unmatched answer", l[capture.DNSUnmatched])
		for _, o := range of[*capture.DNSLookup](r) {
			if o.Answered {
				put(o.RCode.String(), 1)
			}
		}
		var diff []string
		for what, n := range want {
			if got[what] != n {
				diff = append(diff, fmt.Sprintf("- %s %d", what, n))
			}
		}
		for what, n := range got {
			if want[what] != n {
				diff = append(diff, fmt.Sprintf("+ %s %d", what, n))
			}
		}
		slices.Sort(diff)
		list.found(name, diff)
	}
	list.close()
}

// tsharkDNS counts queries, and answers by response code. What ICMP errors quote
// is left out.
func tsharkDNS(t *testing.T, path string) map[string]uint64 {
	t.Helper()
	cmd := exec.Command("tshark", "-r", path, "-Y", "udp && dns && !mdns && !icmp && !icmpv6", "-T", "fields", "-E", "occurrence=l", "-e", "dns.flags.response", "-e", "dns.flags.rcode")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, stderr.String())
	}
	n := map[string]uint64{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		switch f := strings.Fields(lines.Text()); {
		case len(f) == 0:
		case f[0] == "0" || f[0] == "False":
			n["query"]++
		case len(f) == 2:
			var code int
			fmt.Sscan(f[1], &code)
			n[capture.RCode(code).String()]++
		}
	}
	return n
}
