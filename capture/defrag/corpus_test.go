package defrag_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/defrag"
	"github.com/wiretell/wiretell/capture/pcap"
	"github.com/wiretell/wiretell/capture/wire"
)

// result is what reassembly made of one capture.
type result struct {
	ledger    capture.Ledger
	fragments uint64
	datagrams map[capture.Entry]int
	bad       int // checksums
}

func reassemble(t *testing.T, path string) result {
	s, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var book capture.Book
	table := defrag.New(&book)
	d := wire.Decoder{VerifyChecksums: true}
	r := result{datagrams: make(map[capture.Entry]int)}
	var f capture.Frame
	var p capture.Packet
	for {
		if err := s.Next(&f); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if d.Decode(&f, &p) != capture.FragmentsLive {
			continue
		}
		r.fragments++
		if table.Add(&p) {
			e := d.DecodeDatagram(&p, p.Fragment.Proto, p.Payload, p.PayloadLen)
			r.datagrams[e]++
			if p.BadChecksum {
				r.bad++
			}
		}
	}
	table.Flush()
	r.ledger = book.Ledger
	if n := r.ledger.Sum([]capture.Entry{capture.FragmentsReassembled, capture.FragmentsExpired,
		capture.FragmentsEvicted, capture.FragmentsInvalid}); n != r.fragments || r.ledger[capture.FragmentsLive] != 0 {
		t.Errorf("%s: %d fragments, %d in the ledger", path, r.fragments, n)
	}
	return r
}

// The derived captures were cut into IP fragments in random order from whole
// ones: every fragment must find its datagram, and every datagram must be a TCP
// segment whose checksum proves it.
func TestCorpus(t *testing.T) {
	dir := capturetest.Shared(t)
	b, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	derived, total := 0, uint64(0)
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n")[1:] {
		columns := strings.Split(line, "\t")
		name, features := columns[0], columns[9]
		r := reassemble(t, filepath.Join(dir, name))
		total += r.fragments
		cut := strings.Contains(name, "ipfragrandom") && (strings.Contains(features, "ip4frag") || strings.Contains(features, "ip6frag"))
		if !cut {
			if r.fragments > 0 {
				t.Logf("%s: %d fragments, reassembled %d, expired %d, evicted %d, invalid %d, datagrams %v, bad checksums %d", name, r.fragments,
					r.ledger[capture.FragmentsReassembled], r.ledger[capture.FragmentsExpired], r.ledger[capture.FragmentsEvicted],
					r.ledger[capture.FragmentsInvalid], r.datagrams, r.bad)
			}
			continue
		}
		derived++
		if r.fragments == 0 || r.ledger[capture.FragmentsReassembled] != r.fragments {
			t.Errorf("%s: %d of %d fragments reassembled", name, r.ledger[capture.FragmentsReassembled], r.fragments)
		}
		if len(r.datagrams) != 1 || r.datagrams[capture.FrameTCP] == 0 || r.bad != 0 {
			t.Errorf("%s: datagrams %v, %d bad checksums", name, r.datagrams, r.bad)
		}
	}
	if derived < 5 || total < 15_000 {
		t.Errorf("%d derived captures, %d fragments: the test has lost its subject", derived, total)
	}
}
