package record

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/observer"
	"github.com/wiretell/wiretell/capture/pcap"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("RECORD_UNTIL_KILLED"); dir != "" {
		writeForEver(dir)
	}
	os.Exit(m.Run())
}

func endpoint(s string) capture.Endpoint { return capture.EndpointOf(netip.MustParseAddrPort(s)) }

const second = int64(time.Second)

// at is a TCP segment of client and server at a time in nanoseconds.
func at(ns int64, client, server string, from capture.Side, flags capture.Flags, seq, ack uint32, payload string) capturetest.Segment {
	c := capture.Conn{Client: endpoint(client), Server: endpoint(server)}
	p := capture.Packet{Time: capture.Time(1e18 + ns), Flow: c.Flow(from), Network: capture.IPv4, Transport: capture.TCP, TTL: 64, Payload: []byte(payload), PayloadLen: len(payload)}
	p.TCP = capture.TCPHeader{Seq: seq, Ack: ack, Flags: flags, Window: 65535}
	return capturetest.Segment{Packet: p}
}

// refused is a connect that is refused.
func refused(ns int64, client string) []capturetest.Segment {
	return []capturetest.Segment{
		at(ns, client, "10.0.0.2:81", capture.Client, capture.SYN, 100, 0, ""),
		at(ns+1000, client, "10.0.0.2:81", capture.Server, capture.RST|capture.ACK, 0, 101, ""),
	}
}

// observe records segments and returns what that came to, and the batch.
func observe(t *testing.T, cfg Config, segments []capturetest.Segment) (capture.Recording, *capture.Batch) {
	t.Helper()
	src := capturetest.NewSource(segments)
	cfg.Source = src
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	kept := new(capture.Batch)
	o := observer.New(observer.Config{
		Recorder: r,
		Empty:    func() *capture.Batch { return kept },
		Offer:    func(*capture.Batch) bool { return true },
	}, src)
	if err := o.Run(); err != nil {
		t.Fatal(err)
	}
	if bad := o.Counters().Ledger.Check(); bad != nil {
		t.Fatal(bad)
	}
	return kept.Snapshot.Recording, kept
}

// frames reads a capture file that must be whole.
func frames(t *testing.T, path string) (list []capture.Frame) {
	t.Helper()
	src, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for {
		var f capture.Frame
		switch err := src.Next(&f); err {
		case nil:
			f.Data = slices.Clone(f.Data)
			list = append(list, f)
		case io.EOF:
			return list
		default:
			t.Fatalf("%s: %v", path, err)
		}
	}
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		list = append(list, e.Name())
	}
	return list
}

func TestFilesOfErrorsOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	var segments []capturetest.Segment
	for i := range 20 { // beside connections with nothing to complain of
		ns := int64(i) * 1e7
		client := fmt.Sprintf("10.0.1.%d:40000", i)
		segments = append(segments,
			at(ns, client, "10.0.0.2:80", capture.Client, capture.SYN, 100, 0, ""),
			at(ns+1000, client, "10.0.0.2:80", capture.Server, capture.SYN|capture.ACK, 300, 101, ""),
			at(ns+2000, client, "10.0.0.2:80", capture.Client, capture.ACK, 101, 301, ""))
		if i%5 == 0 {
			segments = append(segments, refused(ns+3000, fmt.Sprintf("10.0.2.%d:40000", i))...)
		}
	}
	got, b := observe(t, Config{Dir: dir, Wait: true}, segments)
	if got.Files[capture.RecordingWritten] != 4 || got.Missing != 0 || got.Bytes == 0 {
		t.Errorf("%+v", got)
	}
	list := names(t, dir)
	if len(list) != 4 || list[0] != "wiretell_20010909T014640.000004000Z_10.0.2.0.40000_10.0.0.2.81_refused.pcapng" {
		t.Fatalf("%q", list)
	}
	for _, n := range list {
		if len(frames(t, filepath.Join(dir, n))) != 2 {
			t.Errorf("%s has not two packets", n)
		}
	}
	for _, o := range b.Observations {
		if _, failed := o.(*capture.ConnFailed); failed != (b.Recording(o) != "") {
			t.Errorf("%T: recording %q", o, b.Recording(o))
		}
	}
	text, _ := os.ReadFile(filepath.Join(dir, list[0]))
	for _, want := range []string{"client 10.0.2.0:40000, server 10.0.0.2:81", "error: connect failed: refused after 1 SYNs", "payload: cut"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("no %q in the file's comment", want)
		}
	}
	if bytes.Contains(text, []byte("missing:")) {
		t.Error("packets are said to be missing")
	}
}

// TestFollows: what comes after the error is in the file, until the time is
// over, and the next connection between the same ends is not.
func TestFollows(t *testing.T) {
	dir := t.TempDir()
	reset := func(ns int64) []capturetest.Segment {
		x, y := uint32(ns), uint32(ns/2)
		return []capturetest.Segment{
			at(ns, "10.0.0.1:4000", "10.0.0.2:80", capture.Client, capture.SYN, x+100, 0, ""),
			at(ns+1, "10.0.0.1:4000", "10.0.0.2:80", capture.Server, capture.SYN|capture.ACK, y+300, x+101, ""),
			at(ns+2, "10.0.0.1:4000", "10.0.0.2:80", capture.Client, capture.ACK, x+101, y+301, ""),
			at(ns+3, "10.0.0.1:4000", "10.0.0.2:80", capture.Server, capture.RST, y+301, 0, ""),
			at(ns+4, "10.0.0.1:4000", "10.0.0.2:80", capture.Client, capture.ACK, x+101, y+301, ""), // still on its way
		}
	}
	segments := slices.Concat(reset(0), reset(second/2), reset(10*second),
		[]capturetest.Segment{at(20*second, "10.0.0.1:4000", "10.0.0.2:80", capture.Client, capture.ACK, 101, 301, "")})
	got, _ := observe(t, Config{Dir: dir, Wait: true}, segments)
	list := names(t, dir)
	if len(list) != 3 || got.Files[capture.RecordingWritten] != 3 {
		t.Fatalf("%q, %+v", list, got)
	}
	for _, n := range list {
		if f := frames(t, filepath.Join(dir, n)); len(f) != 5 {
			t.Errorf("%s has %d packets, want 5", n, len(f))
		}
	}
}

// TestOverwritten: packets that were overwritten before the error are counted
// and told in the file, and those that are left are the latest.
func TestOverwritten(t *testing.T) {
	dir := t.TempDir()
	segments := []capturetest.Segment{
		at(0, "10.0.0.1:4000", "10.0.0.2:80", capture.Client, capture.SYN, 100, 0, ""),
		at(1, "10.0.0.1:4000", "10.0.0.2:80", capture.Server, capture.SYN|capture.ACK, 300, 101, ""),
		at(2, "10.0.0.1:4000", "10.0.0.2:80", capture.Client, capture.ACK, 101, 301, ""),
	}
	for i := range 30000 { // a megabyte remembers far fewer
		segments = append(segments, at(int64(10+i), "10.0.0.8:4000", "10.0.0.9:80", capture.Client, capture.ACK, 1, 1, ""))
	}
	segments = append(segments, at(second, "10.0.0.1:4000", "10.0.0.2:80", capture.Server, capture.RST, 301, 0, ""))
	got, _ := observe(t, Config{Dir: dir, Wait: true, Memory: MinMemory}, segments)
	list := names(t, dir)
	if len(list) != 1 || got.Missing != 3 {
		t.Fatalf("%q, %+v", list, got)
	}
	path := filepath.Join(dir, list[0])
	if f := frames(t, path); len(f) != 1 {
		t.Errorf("%d packets, want the reset", len(f))
	}
	if text, _ := os.ReadFile(path); !bytes.Contains(text, []byte("missing: at least 3 earlier packets")) {
		t.Error("the file does not tell what is missing")
	}
}

// TestOwnExport: wiretell's own connections are not recorded, also not with All.
func TestOwnExport(t *testing.T) {
	for _, all := range []bool{false, true} {
		dir := t.TempDir()
		src := capturetest.NewSource(slices.Concat(refused(0, "10.0.0.1:4000"), refused(5000, "10.0.0.1:4001")))
		r, err := New(Config{Dir: dir, Source: src, All: all, Wait: true})
		if err != nil {
			t.Fatal(err)
		}
		var own capture.OwnFlows
		own.Add(capture.OwnFlow{Transport: capture.TCP, LocalPort: 4000, Peer: netip.MustParseAddrPort("10.0.0.2:81")})
		b := new(capture.Batch)
		o := observer.New(observer.Config{Recorder: r, Own: &own, Empty: func() *capture.Batch { return b }, Offer: func(*capture.Batch) bool { return true }}, src)
		if err := o.Run(); err != nil {
			t.Fatal(err)
		}
		list := names(t, dir)
		if len(list) != 1 || len(frames(t, filepath.Join(dir, list[0]))) != 2 || all == strings.Contains(list[0], "4001") {
			t.Errorf("all %v: %q", all, list)
		}
	}
}

// TestRing compares the ring with a list of everything.
func TestRing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	r := newRing(1<<15, 90, true)
	type packet struct {
		time capture.Time
		key  uint64
		data []byte
	}
	var all []packet
	keys := make([]uint64, 300) // more than heads: some are shared
	start := make([]capture.Time, len(keys))
	for i := range keys {
		keys[i] = r.key(capture.TCP, &capture.Flow{Src: endpoint(fmt.Sprintf("10.0.0.1:%d", 1000+i)), Dst: endpoint("10.0.0.2:80")})
	}
	for i := range 20000 {
		k := int(float64(len(keys)) * rnd.Float64() * rnd.Float64())
		size := 200
		if i/5000%2 == 1 { // bytes are the bound, not entries
			size = 800
		}
		data := bytes.Repeat([]byte{byte(i)}, rnd.IntN(size))
		f := capture.Frame{Time: capture.Time(i + 1), Data: data, WireLen: len(data)}
		if start[k] == 0 {
			start[k] = f.Time
		}
		r.add(&f, len(data), keys[k], false)
		all = append(all, packet{f.Time, keys[k], data})
		if i%37 != 0 {
			continue
		}
		list, gone := r.find(keys[k], start[k], 1<<20)
		var want []packet
		for _, p := range all {
			if p.key == keys[k] {
				want = append(want, p)
			}
		}
		missing := len(want) - len(list)
		if missing < 0 || gone > uint64(missing) || (gone > 0) != (missing > 0) {
			t.Fatalf("after %d: %d of %d packets, %d said to be missing", i, len(list), len(want), gone)
		}
		for j, at := range list {
			r.frame(at, &f)
			if p := want[missing+j]; f.Time != p.time || !bytes.Equal(f.Data, p.data) {
				t.Fatalf("after %d: packet %d is another one", i, j)
			}
		}
		// All that fits the memory has to be there: entries or bytes are full.
		held := 0
		for j := uint64(1); j <= r.next && r.holds(r.next-j); j++ {
			held++
		}
		if held < min(i+1, 40) {
			t.Fatalf("after %d: only %d packets are held", i, held)
		}
	}
	if a, b := r.key(capture.TCP, &capture.Flow{Src: endpoint("10.0.0.1:1"), Dst: endpoint("10.0.0.2:2")}),
		r.key(capture.TCP, &capture.Flow{Src: endpoint("10.0.0.2:2"), Dst: endpoint("10.0.0.1:1")}); a != b {
		t.Error("the two directions have different keys")
	}
}

func TestPacketAllocatesNothing(t *testing.T) {
	r, err := New(Config{Dir: t.TempDir(), Source: capturetest.NewSource(nil)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Finish()
	s := at(0, "10.0.0.1:4000", "10.0.0.2:80", capture.Client, capture.ACK, 1, 1, "payload")
	data := capturetest.AppendTCP(nil, &s.Packet)
	f := capture.Frame{Time: 1e18, Data: data, WireLen: len(data), Link: capture.LinkRaw}
	p := s.Packet
	p.Payload = data[40:]
	var b capture.Batch
	if n := testing.AllocsPerRun(50000, func() {
		r.Packet(&f, &p)
		r.Observed(&b, 0)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func BenchmarkPacket(b *testing.B) {
	r, err := New(Config{Dir: b.TempDir(), Source: capturetest.NewSource(nil)})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Finish()
	s := at(0, "10.0.0.1:4000", "10.0.0.2:80", capture.Client, capture.ACK, 1, 1, strings.Repeat("x", 1400))
	data := capturetest.AppendTCP(nil, &s.Packet)
	f := capture.Frame{Time: 1e18, Data: data, WireLen: len(data), Link: capture.LinkRaw}
	p := s.Packet
	p.Payload = data[40:]
	var batch capture.Batch
	for i := range b.N {
		p.Flow.Src.Port = uint16(i)
		r.Packet(&f, &p)
		r.Observed(&batch, 0)
	}
}

// TestRateLimit: live, a storm of errors becomes a bounded number of files, and
// the rest is counted; the reading of a file records all.
func TestRateLimit(t *testing.T) {
	for _, wait := range []bool{false, true} {
		var segments []capturetest.Segment
		for i := range 500 {
			segments = append(segments, refused(int64(i)*1e6, fmt.Sprintf("10.0.%d.%d:40000", 1+i/200, 1+i%200))...)
		}
		got, _ := observe(t, Config{Dir: t.TempDir(), Wait: wait}, segments)
		n := got.Files
		if total := n[capture.RecordingWritten] + n[capture.RecordingLimited] + n[capture.RecordingQueueFull]; total != 500 {
			t.Errorf("wait %v: %d accounted for: %+v", wait, total, got)
		}
		if wait && n[capture.RecordingWritten] != 500 || !wait && (n[capture.RecordingLimited] < 390 || n[capture.RecordingLimited] > 400) {
			t.Errorf("wait %v: %+v", wait, got)
		}
	}
}

// TestAll: all packets, in files that follow each other, and none twice.
func TestAll(t *testing.T) {
	dir := t.TempDir()
	var segments []capturetest.Segment
	for i := range 300 {
		segments = append(segments, refused(int64(i)*second, fmt.Sprintf("10.0.1.%d:%d", 1+i%200, 40000+i))...)
	}
	got, b := observe(t, Config{Dir: dir, All: true, Wait: true}, segments)
	list := names(t, dir)
	if len(list) != 5 || got.Files[capture.RecordingWritten] != 5 {
		t.Fatalf("%q: %+v", list, got)
	}
	var last capture.Time
	n := 0
	for _, name := range list {
		for _, f := range frames(t, filepath.Join(dir, name)) {
			if f.Time < last {
				t.Fatal("out of order")
			}
			last = f.Time
			n++
		}
	}
	if n != len(segments) {
		t.Errorf("%d packets, want %d", n, len(segments))
	}
	for _, o := range b.Observations {
		if _, failed := o.(*capture.ConnFailed); failed && !slices.Contains(list, b.Recording(o)) {
			t.Errorf("recording %q", b.Recording(o))
		}
	}
	text, _ := os.ReadFile(filepath.Join(dir, list[0]))
	if c := bytes.Count(text, []byte("connect failed: refused")); c != 60 {
		t.Errorf("%d packets have a comment, want 60", c)
	}
}

// TestLarge: a file ends at a quarter of the memory.
func TestLarge(t *testing.T) {
	dir := t.TempDir()
	segments := []capturetest.Segment{
		at(0, "10.0.0.1:4000", "10.0.0.2:80", capture.Client, capture.SYN, 100, 0, ""),
		at(1, "10.0.0.1:4000", "10.0.0.2:80", capture.Server, capture.SYN|capture.ACK, 300, 101, ""),
		at(2, "10.0.0.1:4000", "10.0.0.2:80", capture.Client, capture.ACK, 101, 301, ""),
		at(3, "10.0.0.1:4000", "10.0.0.2:80", capture.Server, capture.RST, 301, 0, ""),
	}
	for i := range 10000 {
		segments = append(segments, at(int64(10+i), "10.0.0.1:4000", "10.0.0.2:80", capture.Client, capture.ACK, 101, 301, "more"))
	}
	got, _ := observe(t, Config{Dir: dir, Wait: true, Memory: MinMemory}, segments)
	list := names(t, dir)
	if len(list) != 1 || got.Ended != 1 {
		t.Fatalf("%q: %+v", list, got)
	}
	if got.Bytes < MinMemory/4 || got.Bytes > MinMemory/4+1000 {
		t.Errorf("%d bytes", got.Bytes)
	}
}
