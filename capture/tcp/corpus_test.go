package tcp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/pcap"
	"github.com/wiretell/wiretell/capture/tcp"
	"github.com/wiretell/wiretell/capture/wire"
)

// stream is what a Handler was told of one connection.
type stream struct {
	conn   capture.Conn
	bytes  [2][]byte
	offset [2]uint64
	gaps   [2]int
	gapped [2]uint64
	ends   [2]int
	bad    string
}

func (s *stream) Data(at capture.Mark, from capture.Side, b []byte) {
	if at.Offset != s.offset[from] || len(b) == 0 || s.ends[from] > 0 {
		s.bad = fmt.Sprintf("%v: %d bytes at %d, expected at %d, ends %d", from, len(b), at.Offset, s.offset[from], s.ends[from])
	}
	s.offset[from] += uint64(len(b))
	s.bytes[from] = append(s.bytes[from], b...)
}

func (s *stream) Gap(at capture.Mark, from capture.Side, n int, why capture.Reason) {
	if at.Offset != s.offset[from] || n <= 0 || s.ends[from] > 0 {
		s.bad = fmt.Sprintf("%v: gap of %d at %d, expected at %d, ends %d", from, n, at.Offset, s.offset[from], s.ends[from])
	}
	s.offset[from] += uint64(n)
	s.gaps[from]++
	s.gapped[from] += uint64(n)
}

func (s *stream) End(_ capture.Mark, from capture.Side, _ capture.Reason) { s.ends[from]++ }

// replay gives all TCP packets of a source to a new table, with change applied
// to them, and checks what must hold for any capture.
func replay(t *testing.T, packets []capture.Packet) ([]*stream, *capture.Book) {
	t.Helper()
	book := &capture.Book{Batch: new(capture.Batch)}
	book.Ports = capture.NewPortTable(256)
	var all []*stream
	table := tcp.New(tcp.Config{}, book, func(c *capture.Conn, _ *capture.Quality, _ *capture.PortStats) capture.Handler {
		s := &stream{conn: *c}
		all = append(all, s)
		return s
	})
	check := func(when any) {
		for _, i := range book.Ledger.Check() {
			if slices.Contains([]string{"segments", "bytes", "connections"}, i.Line) {
				t.Fatalf("after %v: %v", when, i)
			}
		}
	}
	var last capture.Time
	for i := range packets {
		book.Ledger[capture.FrameTCP]++
		table.Tick(packets[i].Time)
		table.Segment(&packets[i])
		last = packets[i].Time
		check(i)
	}
	table.Flush(last)
	check("Flush")
	if l := &book.Ledger; l[capture.SegmentsLive]+l[capture.BytesLive]+l[capture.ConnsLive] != 0 || table.Len() != 0 || table.Buffered() != 0 {
		t.Errorf("something is live after Flush: %d segments, %d bytes, %d connections, %d held", l[capture.SegmentsLive], l[capture.BytesLive], l[capture.ConnsLive], table.Len())
	}
	for _, s := range all {
		if s.bad != "" || s.ends != [2]int{1, 1} {
			t.Errorf("connection %d %v: %s, ends %v", s.conn.ID, s.conn.Client, s.bad, s.ends)
		}
	}
	return all, book
}

// load reads the TCP packets of a capture that are no fragments.
func load(t *testing.T, path string) []capture.Packet {
	t.Helper()
	src, err := pcap.Open(path)
	if err != nil {
		return nil
	}
	defer src.Close()
	var packets []capture.Packet
	var f capture.Frame
	var d wire.Decoder
	for {
		if err := src.Next(&f); errors.Is(err, capture.ErrIdle) {
			continue
		} else if err != nil {
			if err != io.EOF {
				t.Logf("%s: %v", path, err)
			}
			return packets
		}
		var p capture.Packet
		if d.Decode(&f, &p) != capture.FrameTCP || p.IsFragment {
			continue
		}
		p.Payload = bytes.Clone(p.Payload)
		packets = append(packets, p)
	}
}

// TestCorpus plays every shared capture: nothing panics, the ledger balances
// after every packet, and every Handler is told a stream without contradiction
// and two ends.
func TestCorpus(t *testing.T) {
	dir := capturetest.Shared(t)
	var total capture.Ledger
	for _, name := range capturetest.Captures(t) {
		packets := load(t, filepath.Join(dir, name))
		_, book := replay(t, packets)
		if t.Failed() {
			t.Fatalf("in %s", name)
		}
		for i, n := range book.Ledger {
			total[i] += n
		}
	}
	for e := capture.SegmentControl; e <= capture.Gaps; e++ {
		t.Logf("%3d %-14v %d", e, e, total[e])
	}
	for e := capture.ConnsOpened; e <= capture.ConnsLive; e++ {
		t.Logf("%3d %-14v %d", e, e, total[e])
	}
	if total[capture.SegmentInOrder] < 10000 {
		t.Errorf("only %d segments were in order: the corpus was not read", total[capture.SegmentInOrder])
	}
}

// byteMap reassembles naively: the first captured copy of every byte by its
// sequence number after the SYN, for each direction whose SYN was captured and
// whose ports are used once.
func byteMap(packets []capture.Packet) map[capture.Flow][]byte {
	isn := map[capture.Flow]uint32{}
	again := map[capture.Flow]bool{}
	for i := range packets {
		if p := &packets[i]; p.TCP.Flags.Has(capture.SYN) {
			if n, ok := isn[p.Flow]; ok && n != p.TCP.Seq {
				again[p.Flow], again[p.Flow.Reverse()] = true, true
			}
			isn[p.Flow] = p.TCP.Seq
		}
	}
	seen := map[capture.Flow]map[uint32]byte{}
	for i := range packets {
		p := &packets[i]
		first, ok := isn[p.Flow]
		if !ok || again[p.Flow] || p.BadChecksum {
			continue
		}
		m := seen[p.Flow]
		if m == nil {
			m = map[uint32]byte{}
			seen[p.Flow] = m
		}
		for j, b := range p.Payload {
			off := p.TCP.Seq + uint32(j) - first - 1
			if _, ok := m[off]; !ok {
				m[off] = b
			}
		}
	}
	out := map[capture.Flow][]byte{}
	for f, m := range seen {
		b := make([]byte, 0, len(m))
		for off := uint32(0); ; off++ {
			c, ok := m[off]
			if !ok {
				break
			}
			b = append(b, c)
		}
		out[f] = b
	}
	return out
}

// TestReordered compares the content of captures whose packets were shuffled,
// cut, reversed, duplicated and overlapped with that of a naive byte map.
func TestReordered(t *testing.T) {
	dir := capturetest.Shared(t)
	tested := 0
	for _, name := range capturetest.Captures(t) {
		if !strings.HasPrefix(name, "derived/") || strings.Contains(name, "ipfrag") {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			packets := load(t, filepath.Join(dir, name))
			want := byteMap(packets)
			all, _ := replay(t, packets)
			for _, s := range all {
				for from := capture.Client; from <= capture.Server; from++ {
					w, ok := want[s.conn.Flow(from)]
					if !ok {
						continue
					}
					tested++
					if s.gaps[from] > 0 || !bytes.Equal(s.bytes[from], w) {
						t.Errorf("%v %v: %d bytes and %d gaps (%d bytes), want %d bytes", s.conn.Client, from, len(s.bytes[from]), s.gaps[from], s.gapped[from], len(w))
					}
				}
			}
		})
	}
	if tested < 100 {
		t.Errorf("only %d streams were compared", tested)
	}
}
