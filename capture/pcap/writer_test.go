package pcap

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// ping is an Ethernet frame that dissectors read without complaint.
var ping = []byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x00" +
	"\x45\x00\x00\x1c\x00\x01\x00\x00\x40\x01\xf7\x91\x7f\x00\x00\x01\x7f\x00\x00\x02" +
	"\x08\x00\xf7\xfd\x00\x01\x00\x01")

// recording is what the Writer's tests write.
func recording(t *testing.T) ([]capture.Frame, []byte) {
	var b bytes.Buffer
	w := NewWriter(&b)
	w.Interfaces([]capture.Interface{{Name: "lo"}, {Name: "eth0"}})
	fs := []capture.Frame{
		{Time: 1700000000_123456789, Data: ping, WireLen: len(ping), Link: 1, Interface: 0, Loopback: true},
		{Time: 1700000000_123456790, Data: ping, WireLen: len(ping), Link: 1, Interface: 1, Direction: capture.Receive},
		{Time: 1700000000_123456791, Data: ping[14:], WireLen: len(ping) - 14, Link: 101, Interface: 1, Direction: capture.Transmit},
		{Time: 1700000001_000000000, Data: ping[:20], WireLen: 1500, Link: 1, Interface: 1},
		{Time: 1700000002_000000000, Data: ping, WireLen: len(ping), Link: 1, Interface: 7},
	}
	for i := range fs {
		comment := ""
		if i == 1 {
			comment = "a finding: refused"
		}
		if err := w.Write(&fs[i], comment); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return fs, b.Bytes()
}

func TestWriterRoundTrip(t *testing.T) {
	fs, b := recording(t)
	got, stats, err := read(t, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	// Interfaces are numbered in the order of the file.
	for i, n := range []uint16{0, 1, 2, 1, 3} {
		fs[i].Interface = n
	}
	if text(got) != text(fs) {
		t.Errorf("\n%swant\n%s", text(got), text(fs))
	}
	var names []string
	for _, i := range stats.Interfaces {
		names = append(names, i.Name)
	}
	if strings.Join(names, ",") != "lo,eth0,eth0," {
		t.Errorf("interfaces %q", names)
	}
	if !bytes.Contains(b, []byte("a finding: refused")) {
		t.Error("the comment is lost")
	}
}

func TestWriterOfNothing(t *testing.T) {
	var b bytes.Buffer
	if err := NewWriter(&b).Flush(); err != nil {
		t.Fatal(err)
	}
	if fs, _, err := read(t, &b); err != nil || len(fs) != 0 {
		t.Errorf("%d packets, %v", len(fs), err)
	}
}

// A writer is used again for a file in memory, with a comment of its own.
func TestWriterReset(t *testing.T) {
	fs, first := recording(t)
	w := NewWriter(io.Discard)
	w.Interfaces([]capture.Interface{{Name: "of another file"}})
	if err := errors.Join(w.Write(&fs[0], ""), w.Flush()); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w.Reset(&b)
	w.Interfaces([]capture.Interface{{Name: "lo"}, {Name: "eth0"}})
	w.Comment("why there is a file")
	for i := range fs {
		n := b.Len()
		if err := w.Write(&fs[i], ""); err != nil || b.Len() == n {
			t.Fatalf("%v, %d bytes", err, b.Len()-n) // at once, without Flush
		}
	}
	if !bytes.Contains(b.Bytes(), []byte("why there is a file")) || bytes.Contains(b.Bytes(), []byte("of another file")) {
		t.Errorf("%q", b.Bytes()[:200])
	}
	want, _, _ := read(t, bytes.NewReader(first))
	if got, _, err := read(t, &b); err != nil || text(got) != text(want) {
		t.Errorf("%v\n%swant\n%s", err, text(got), text(want))
	}
}

// The kernel takes a VLAN tag off the frame; the file has it again.
func TestWriterPutsTagBack(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	f := capture.Frame{Data: ping, WireLen: len(ping), Link: 1, Tagged: true, VLAN: 0x2005}
	cut := f
	cut.WireLen = 1500
	if err := errors.Join(w.Write(&f, ""), w.Write(&cut, ""), w.Flush()); err != nil {
		t.Fatal(err)
	}
	fs, _, err := read(t, &b)
	want := string(ping[:12]) + "\x81\x00\x20\x05" + string(ping[12:])
	if err != nil || len(fs) != 2 || string(fs[0].Data) != want || fs[0].WireLen != len(ping)+4 || fs[1].WireLen != 1504 {
		t.Errorf("%v\n%s", err, text(fs))
	}
}

func TestWritersCutLargeFrames(t *testing.T) {
	big := capture.Frame{Data: make([]byte, 500_000), WireLen: 500_000, Link: 1}
	var ng, classic bytes.Buffer
	w, c := NewWriter(&ng), NewClassicWriter(&classic, 1)
	if err := errors.Join(w.Write(&big, ""), w.Flush(), c.Write(&big), c.Flush()); err != nil {
		t.Fatal(err)
	}
	big.Tagged = true
	if err := errors.Join(w.Write(&big, ""), w.Flush()); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*bytes.Buffer{&ng, &classic} {
		fs, _, err := read(t, b)
		if err != nil || len(fs) == 0 {
			t.Fatal(err)
		}
		for _, f := range fs {
			if len(f.Data) != maxWritten || f.WireLen < 500_000 {
				t.Errorf("%d of %d bytes", len(f.Data), f.WireLen)
			}
		}
	}
}

func TestClassicWriter(t *testing.T) {
	var b bytes.Buffer
	w := NewClassicWriter(&b, capture.LinkSLL2)
	fs := []capture.Frame{
		{Time: 1700000000_123456789, Data: []byte("one"), WireLen: 3, Link: capture.LinkSLL2},
		{Time: 1, Data: []byte("two"), WireLen: 99, Link: capture.LinkSLL2},
	}
	for i := range fs {
		if err := w.Write(&fs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(&capture.Frame{Link: 1}); !errors.Is(err, errLink) {
		t.Errorf("a frame of another link type: %v", err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got, _, err := read(t, &b); err != nil || text(got) != text(fs) {
		t.Errorf("%v\n%s", err, text(got))
	}
}

// full fails after n bytes.
type full struct{ n int }

func (f *full) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestWritersReportErrors(t *testing.T) {
	f := capture.Frame{Data: make([]byte, 70_000), WireLen: 70_000, Link: 1}
	w := NewWriter(&full{100_000})
	if err := w.Write(&f, ""); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.Write(&f, "")
	}
	if err := w.Flush(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("Flush: %v", err)
	}
	c := NewClassicWriter(&full{0}, 1)
	if err := c.Flush(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("ClassicWriter.Flush: %v", err)
	}
}

// Wireshark reads what the Writer writes: every fact, and without complaint.
func TestTsharkReadsRecording(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	_, b := recording(t)
	path := filepath.Join(t.TempDir(), "recording.pcapng")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tshark, "-r", path, "-T", "fields", "-E", "separator=|", "-e", "frame.time_epoch", "-e", "frame.len",
		"-e", "frame.cap_len", "-e", "frame.interface_name", "-e", "frame.packet_flags_direction", "-e", "frame.comment", "-e", "icmp.type")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, complaints.String())
	}
	for _, line := range strings.Split(strings.TrimSpace(complaints.String()), "\n") {
		if line != "" && !strings.HasPrefix(line, "Running as user") {
			t.Errorf("tshark says %q", line)
		}
	}
	want := `1700000000.123456789|42|42|lo|||8
1700000000.123456790|42|42|eth0|0x00000001|a finding: refused|8
1700000000.123456791|28|28|eth0|0x00000002||8
1700000001.000000000|1500|20|eth0|||
1700000002.000000000|42|42|unknown|||8
`
	if string(out) != want {
		t.Errorf("tshark reads\n%swant\n%s", out, want)
	}
	if capinfos, err := exec.LookPath("capinfos"); err == nil {
		out, err := exec.Command(capinfos, "-T", "-r", "-c", "-I", path).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "\t5") {
			t.Errorf("capinfos: %v: %s", err, out)
		}
	}
}

// FuzzRead: no panic, bounded memory, packets inside the input, and the same
// frames whole and byte by byte.
func FuzzRead(f *testing.F) {
	f.Add(append(little.header(), little.record(1, 0, 5, 5, []byte("hello"))...))
	f.Add(bytes.Join([][]byte{le.section(), le.iface(1, 0, le.option(optionResol, "\x09")), le.packet(0, 1, "hello", le.option(optionFlags, "\x01\x00\x00\x00"))}, nil))
	f.Add(bytes.Join([][]byte{be.section(), be.iface(1, 9), be.block(blockSimple, uint32(3), "abc"), be.block(5, uint32(0))}, nil))
	f.Add(gz(append(little.header(), little.record(1, 0, 5, 5, []byte("hello"))...)))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := OpenReader(bytes.NewReader(b), "f")
		if err != nil {
			return
		}
		total := 0
		var first capture.Frame
		var stats capture.SourceStats
		var fs []capture.Frame
		for {
			if err = s.Next(&first); err != nil {
				break
			}
			s.Stats(&stats)
			if first.WireLen < len(first.Data) || int(first.Interface) >= len(stats.Interfaces) || stats.Interfaces[first.Interface].Link != first.Link {
				t.Fatalf("%+v of %+v", first, stats)
			}
			total += len(first.Data)
			first.Data = bytes.Clone(first.Data)
			if fs = append(fs, first); len(fs) > 10_000 {
				return // unpacked from gzip
			}
		}
		if b[0] != 0x1f && total > len(b) {
			t.Fatalf("%d bytes of packets from %d bytes", total, len(b))
		}
		small, err2 := OpenReader(&slow{b, rand.New(rand.NewPCG(1, uint64(len(b))))}, "f")
		if err2 != nil {
			t.Fatal(err2)
		}
		for i := range fs {
			var g capture.Frame
			if err := small.Next(&g); err != nil || text([]capture.Frame{g}) != text(fs[i:i+1]) {
				t.Fatalf("packet %d differs when read in pieces: %v", i+1, err)
			}
		}
		var g capture.Frame
		if err2 = small.Next(&g); err2 == nil || err2.Error() != err.Error() {
			t.Fatalf("read in pieces it ends with %v, else with %v", err2, err)
		}
	})
}

// slow gives a few bytes at a time.
type slow struct {
	b   []byte
	rnd *rand.Rand
}

func (s *slow) Read(p []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 1+s.rnd.IntN(7))], s.b)
	s.b = s.b[n:]
	return n, nil
}

// records returns a file of n packets of 200 bytes.
func records(n int, ng bool) []byte {
	data := make([]byte, 200)
	var b bytes.Buffer
	w, c := NewWriter(&b), NewClassicWriter(&b, 1)
	for i := range n {
		f := capture.Frame{Time: capture.Time(i), Data: data, WireLen: 200, Link: 1, Direction: capture.Receive}
		if ng {
			w.Write(&f, "")
		} else {
			c.Write(&f)
		}
	}
	if ng {
		w.Flush()
	} else {
		c.Flush()
	}
	return b.Bytes()
}

func BenchmarkNext(b *testing.B) {
	for _, format := range []string{"pcap", "pcapng"} {
		b.Run(format, func(b *testing.B) {
			file := records(100_000, format == "pcapng")
			b.ReportAllocs()
			b.SetBytes(200)
			var s capture.Source
			var f capture.Frame
			for i := 0; b.Loop(); i++ {
				if i%100_000 == 0 {
					s, _ = OpenReader(bytes.NewReader(file), "f")
				}
				if err := s.Next(&f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkNextInBuffer leaves out reading the file.
func BenchmarkNextInBuffer(b *testing.B) {
	for _, format := range []string{"pcap", "pcapng"} {
		b.Run(format, func(b *testing.B) {
			file := records(1000, format == "pcapng")
			s, _ := OpenReader(bytes.NewReader(file), "f")
			var f capture.Frame
			s.Next(&f)
			var in *input
			switch s := s.(type) {
			case *pcapReader:
				in = s.input
			case *ngReader:
				in = s.input
			}
			at := in.r
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%900 == 0 {
					in.r = at
				}
				if err := s.Next(&f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	w := NewWriter(io.Discard)
	f := capture.Frame{Data: make([]byte, 200), WireLen: 200, Link: 1, Direction: capture.Receive}
	b.ReportAllocs()
	for b.Loop() {
		w.Write(&f, "")
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	for _, ng := range []bool{false, true} {
		s, err := OpenReader(bytes.NewReader(records(5000, ng)), "f")
		if err != nil {
			t.Fatal(err)
		}
		var f capture.Frame
		if n := testing.AllocsPerRun(4000, func() {
			if err := s.Next(&f); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("pcapng %v: %v allocations per packet", ng, n)
		}
	}
}
