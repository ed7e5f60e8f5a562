package icmp_test

import (
	"io"
	"path/filepath"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/icmp"
	"github.com/wiretell/wiretell/capture/pcap"
	"github.com/wiretell/wiretell/capture/wire"
)

// Every ICMP error of the shared captures is known to the registry, and what it
// quotes can be read.
func TestCorpus(t *testing.T) {
	dir := capturetest.Shared(t)
	errors, quoted, seqs := 0, 0, 0
	for _, name := range capturetest.Captures(t) {
		s, err := pcap.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		var d wire.Decoder
		var f capture.Frame
		var p capture.Packet
		for n := 1; ; n++ {
			if err := s.Next(&f); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if e := d.Decode(&f, &p); e != capture.FrameICMP && e != capture.FrameICMPv6 {
				continue
			}
			quote, ok := icmp.Parse(&p)
			if !ok {
				continue
			}
			errors++
			q, ok := wire.DecodeQuoted(p.Network, quote.Packet)
			if !ok {
				t.Logf("%s, packet %d (%s): %d bytes are quoted and cannot be read", name, n, icmp.Describe(p.Network, p.ICMP.Type, p.ICMP.Code).Name, len(quote.Packet))
				continue
			}
			quoted++
			// The error goes to the sender of what it quotes, unless a
			// translator or a tunnel is in between.
			if q.Flow.Src.Addr != p.Flow.Dst.Addr {
				t.Logf("%s, packet %d: to %v, quoting a packet of %v", name, n, p.Flow.Dst.IP(), q.Flow.Src.IP())
			}
			if q.HasSeq {
				seqs++
			}
		}
		s.Close()
	}
	t.Logf("%d errors, %d with a readable quote, %d with a TCP sequence number", errors, quoted, seqs)
	if errors < 60 || quoted*10 < errors*8 || seqs == 0 {
		t.Errorf("%d errors, %d with a readable quote, %d with a TCP sequence number", errors, quoted, seqs)
	}
}
