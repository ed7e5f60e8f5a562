package tls

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/google/gopacket/tcpassembly"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
)

// captures holds what tshark (4.0.17) reads in third-party captures:
//
//	tshark -Y 'tls.handshake.type==1 || tls.handshake.type==2 || tls.alert_message' \
//	  -T fields -e tls.handshake.version -e tls.handshake.extensions.supported_version \
//	  -e tls.handshake.extensions_server_name -e tls.handshake.extensions_alpn_str ...
//
// Where it differs the line says why.
var captures = []struct {
	file string
	want []string
}{
	{"zeek/tls/chrome-1250-tls-x25519-kyber.pcap", []string{
		"client hello 0304 sni=lh3.google.com alpn=h2,http/1.1 ech", "server hello 0304 sni= alpn="}},
	{"zeek/tls/client-certificate.pcap", []string{
		"client hello 0304 sni=certauth.idrix.fr alpn=h2,http/1.1", "server hello 0303 sni= alpn=http/1.1"}},
	{"zeek/tls/certificate-request-failed.pcap", []string{
		"client hello 0304 sni= alpn=", "server alert 2 40", "server hello 0303 sni= alpn="}},
	{"zeek/tls/heartbleed-encrypted.pcap", []string{ // tshark's later alerts are encrypted
		"client hello 0303 sni=www.lilawelt.net alpn=", "server hello 0303 sni= alpn="}},
	{"zeek/tls/certificate-with-sct.pcap", []string{
		"client hello 0303 sni=www.lilawelt.net alpn=", "server hello 0303 sni= alpn="}},
	{"zeek/tls/cert-no-cn.pcap", []string{"client hello 0303 sni= alpn=", "server hello 0301 sni= alpn="}},
	{"PcapPlusPlus/Tests/Packet++Test/PacketExamples/tls1_3.pcap", []string{ // 0x7f1c is a draft of 1.3
		"client hello 0304 sni=dogfish alpn=", "client hello 0304 sni=www.google.com alpn=h2,http/1.1",
		"server hello 0304 sni= alpn=", "server hello 0304 sni= alpn="}},
	{"PcapPlusPlus/Tests/Packet++Test/PacketExamples/tls_grease.pcap", []string{
		"client hello 0304 sni=secure.adnxs.com alpn=h2,http/1.1"}},
	{"arkime/tls13.pcap", []string{
		"client hello 0304 sni=blog.cloudflare.com alpn=h2,http/1.1", "server hello 0304 sni= alpn="}},
	{"arkime/https3-301-get.pcap", []string{
		"client hello 0301 sni=www.github.com alpn=", "server hello 0301 sni= alpn="}},
	{"suricata-verify/tls-duplicate-hello/input.pcap", []string{ // the second hello is not told: once per side
		"client hello 0304 sni=localhost alpn=", "server hello 0304 sni= alpn="}},
}

func TestCaptures(t *testing.T) {
	root := capturetest.Shared(t)
	for _, tt := range captures {
		t.Run(filepath.Base(tt.file), func(t *testing.T) {
			l := newListener()
			readCapture(t, filepath.Join(root, filepath.FromSlash(tt.file)), l)
			got := l.lines()
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("\n got %q\nwant %q", got, tt.want)
			}
			if l.pool.inUse != 0 {
				t.Errorf("%d hello parsers in use", l.pool.inUse)
			}
		})
	}
}

// readCapture hands the TLS connections of a file to l.
func readCapture(t *testing.T, path string, l *listener) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	factory := &streams{l: l, conns: make(map[[2]gopacket.Flow]*stream)}
	assembler := tcpassembly.NewAssembler(tcpassembly.NewStreamPool(factory))
	for p := range gopacket.NewPacketSource(r, r.LinkType()).Packets() {
		if tcp, ok := p.TransportLayer().(*layers.TCP); ok {
			assembler.AssembleWithTimestamp(p.NetworkLayer().NetworkFlow(), tcp, p.Metadata().Timestamp)
		}
	}
	assembler.FlushAll()
}

// streams makes a stream for each direction; two of them share a Handler.
type streams struct {
	l     *listener
	conns map[[2]gopacket.Flow]*stream
}

type stream struct {
	l     *listener
	h     capture.Handler
	from  capture.Side
	other *stream
	seen  bool
}

func (s *streams) New(network, transport gopacket.Flow) tcpassembly.Stream {
	n := &stream{l: s.l}
	if o := s.conns[[2]gopacket.Flow{network.Reverse(), transport.Reverse()}]; o != nil && o.other == nil {
		n.other, o.other = o, n
		n.from = o.from.Other()
		n.h = o.h
	} else {
		s.conns[[2]gopacket.Flow{network, transport}] = n
		n.h = s.l.pool.Open(&s.l.conn, &s.l.port)
	}
	return n
}

func (s *stream) Reassembled(rs []tcpassembly.Reassembly) {
	for _, r := range rs {
		if len(r.Bytes) == 0 {
			continue
		}
		if r.Skip > 0 {
			s.h.Gap(capture.Mark{}, s.from, r.Skip, capture.ReasonGap)
		}
		if !s.seen && Detect(r.Bytes) == No && (s.other == nil || !s.other.seen) {
			continue
		}
		s.seen = true
		s.h.Data(capture.Mark{}, s.from, r.Bytes)
	}
}

func (s *stream) ReassemblyComplete() {
	if s.h.End(capture.Mark{}, s.from, capture.ReasonFIN); s.other == nil {
		s.h.End(capture.Mark{}, s.from.Other(), capture.ReasonFIN)
	}
}
