package pcap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/wiretell/wiretell/capture"
)

// classicFile builds a pcap file.
type classicFile struct {
	order   binary.AppendByteOrder
	magic   uint32
	minor   uint16
	snaplen uint32
	network uint32
}

func (c classicFile) header() []byte {
	b := c.order.AppendUint32(nil, c.magic)
	b = c.order.AppendUint16(b, 2)
	b = c.order.AppendUint16(b, c.minor)
	b = c.order.AppendUint64(b, 0)
	b = c.order.AppendUint32(b, c.snaplen)
	return c.order.AppendUint32(b, c.network)
}

func (c classicFile) record(sec, frac, captured, length uint32, data []byte) []byte {
	var b []byte
	for _, v := range []uint32{sec, frac, captured, length} {
		b = c.order.AppendUint32(b, v)
	}
	if c.magic == 0xa1b2cd34 {
		b = append(b, make([]byte, 8)...)
	}
	return append(b, data...)
}

var little = classicFile{order: binary.LittleEndian, magic: 0xa1b2c3d4, minor: 4, snaplen: 65535, network: 1}

// ngFile builds pcapng blocks.
type ngFile struct{ order binary.AppendByteOrder }

func (g ngFile) block(kind uint32, parts ...any) []byte {
	var body []byte
	for _, p := range parts {
		switch p := p.(type) {
		case uint16:
			body = g.order.AppendUint16(body, p)
		case uint32:
			body = g.order.AppendUint32(body, p)
		case uint64:
			body = g.order.AppendUint64(body, p)
		case []byte:
			body = append(body, p...)
		case string:
			body = append(body, p...)
		default:
			panic(fmt.Sprintf("%T", p))
		}
	}
	body = pad(body)
	n := uint32(len(body) + 12)
	b := g.order.AppendUint32(nil, kind)
	b = g.order.AppendUint32(b, n)
	b = append(b, body...)
	return g.order.AppendUint32(b, n)
}

func (g ngFile) section() []byte {
	return g.block(blockSection, uint32(orderMagic), uint16(1), uint16(0), uint64(math.MaxUint64))
}

func (g ngFile) option(code uint16, v string) []byte {
	b := g.order.AppendUint16(nil, code)
	b = g.order.AppendUint16(b, uint16(len(v)))
	return pad(append(b, v...))
}

func (g ngFile) iface(link uint16, snap uint32, options ...[]byte) []byte {
	return g.block(blockInterface, link, uint16(0), snap, bytes.Join(options, nil))
}

func (g ngFile) packet(id uint32, ticks uint64, data string, options ...[]byte) []byte {
	return g.block(blockEnhanced, id, uint32(ticks>>32), uint32(ticks), uint32(len(data)), uint32(len(data)),
		pad([]byte(data)), bytes.Join(options, nil))
}

var le, be = ngFile{binary.LittleEndian}, ngFile{binary.BigEndian}

// read returns copies of all frames.
func read(t testing.TB, r io.Reader) (fs []capture.Frame, stats capture.SourceStats, err error) {
	t.Helper()
	s, err := OpenReader(r, "f")
	if err != nil {
		return nil, stats, err
	}
	defer s.Close()
	for {
		var f capture.Frame
		if err := s.Next(&f); err != nil {
			s.Stats(&stats)
			if err == io.EOF {
				err = nil
			} else if again := s.Next(&f); again == nil || again.Error() != err.Error() {
				t.Errorf("after %v came %v", err, again)
			}
			return fs, stats, err
		}
		f.Data = bytes.Clone(f.Data)
		fs = append(fs, f)
	}
}

// text prints frames, one a line.
func text(fs []capture.Frame) string {
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&b, "%d %d/%d link=%d if=%d dir=%d lo=%v %s\n", f.Time, len(f.Data), f.WireLen, f.Link, f.Interface, f.Direction, f.Loopback, f.Data)
	}
	return b.String()
}

func TestClassic(t *testing.T) {
	for _, c := range []struct {
		name string
		file classicFile
		unit int64
		link capture.LinkType
	}{
		{"little, micro", little, 1000, 1},
		{"big, micro", classicFile{binary.BigEndian, 0xa1b2c3d4, 4, 65535, 113}, 1000, 113},
		{"little, nano", classicFile{binary.LittleEndian, 0xa1b23c4d, 4, 0, 276}, 1, 276},
		{"big, nano", classicFile{binary.BigEndian, 0xa1b23c4d, 4, 65535, 101}, 1, 101},
		{"Kuznetsov's", classicFile{binary.LittleEndian, 0xa1b2cd34, 4, 65535, 1}, 1000, 1},
		{"frame check sequence announced", classicFile{binary.LittleEndian, 0xa1b2c3d4, 4, 65535, 0x24000001}, 1000, 1},
		{"version 2.3", classicFile{binary.BigEndian, 0xa1b2c3d4, 3, 65535, 1}, 1000, 1},
	} {
		b := bytes.Join([][]byte{c.file.header(),
			c.file.record(1700000000, 999999, 5, 5, []byte("hello")),
			c.file.record(4294967295, 1, 3, 1500, []byte("cut")),
			c.file.record(0, 0, 0, 0, nil),
			c.file.record(1, 2, 4, 2, []byte("more")), // length on the wire less than captured
		}, nil)
		want := fmt.Sprintf("%d 5/5 link=%d if=0 dir=0 lo=false hello\n%d 3/1500 link=%[2]d if=0 dir=0 lo=false cut\n"+
			"0 0/0 link=%[2]d if=0 dir=0 lo=false \n%[4]d 4/4 link=%[2]d if=0 dir=0 lo=false more\n",
			1700000000e9+999999*c.unit, c.link, 4294967295e9+c.unit, 1e9+2*c.unit)
		for _, r := range []io.Reader{bytes.NewReader(b), iotest.OneByteReader(bytes.NewReader(b)), gzipped(b)} {
			fs, stats, err := read(t, r)
			if err != nil || text(fs) != want {
				t.Errorf("%s: %v\n%swant\n%s", c.name, err, text(fs), want)
			}
			if len(stats.Interfaces) != 1 || stats.Interfaces[0].Link != c.link {
				t.Errorf("%s: %+v", c.name, stats)
			}
		}
	}
}

func gzipped(b []byte) io.Reader {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return &z
}

func TestNG(t *testing.T) {
	for _, g := range []ngFile{le, be} {
		flags := func(v uint32) []byte { return g.option(optionFlags, string(g.order.AppendUint32(nil, v))) }
		end := g.option(optionEnd, "")
		b := bytes.Join([][]byte{
			g.section(),
			g.iface(1, 0, g.option(optionName, "eth0"), g.option(optionResol, "\x09"), end),
			g.iface(113, 4, g.option(optionName, "lo"), end), // microseconds
			g.iface(276, 0, g.option(optionResol, "\x8a"), g.option(optionOffset, string(g.order.AppendUint64(nil, 100))), end),
			g.iface(101, 0, g.option(optionResol, "\x00")),
			g.iface(101, 0, g.option(optionResol, "\x0c")),
			g.block(5, uint32(0), uint64(0)), // statistics
			g.block(0xbad, "custom"),
			g.packet(0, 1700000000_123456789, "one", flags(1), end),
			g.packet(1, 1700000000_123456, "two", g.option(optionComment, "said"), flags(2), end),
			g.packet(2, 1024+512, "three", flags(0)),
			g.packet(3, 7, "four"),
			g.packet(4, 7_000_000_000_123, "five", g.option(99, "x")),
			g.block(blockPacket, uint16(1), uint16(9), uint32(0), uint32(5), uint32(3), uint32(60), "old"),
			g.block(blockSimple, uint32(6), "simple"),
			g.section(),
			g.iface(1, 2, g.option(optionName, "eth0"), end),
			g.iface(1, 0, g.option(optionName, "eth1"), end),
			g.block(blockSimple, uint32(1500), "sn"),
			g.packet(1, 1, "last"),
		}, nil)
		want := "1700000000123456789 3/3 link=1 if=0 dir=1 lo=false one\n" +
			"1700000000123456000 3/3 link=113 if=1 dir=2 lo=true two\n" +
			"101500000000 5/5 link=276 if=2 dir=0 lo=false three\n" +
			"7000000000 4/4 link=101 if=3 dir=0 lo=false four\n" +
			"7000000000 4/4 link=101 if=4 dir=0 lo=false five\n" +
			"5000 3/60 link=113 if=1 dir=0 lo=true old\n" +
			"5000 6/6 link=1 if=0 dir=0 lo=false simple\n" +
			"5000 2/1500 link=1 if=0 dir=0 lo=false sn\n" +
			"1000 4/4 link=1 if=5 dir=0 lo=false last\n"
		for _, r := range []io.Reader{bytes.NewReader(b), iotest.OneByteReader(bytes.NewReader(b)), gzipped(b)} {
			fs, stats, err := read(t, r)
			if err != nil || text(fs) != want {
				t.Errorf("%v\n%swant\n%s", err, text(fs), want)
			}
			names := fmt.Sprint(stats.Interfaces)
			if names != "[{eth0 1 false false} {lo 113 true false} { 276 false false} { 101 false false} { 101 false false} {eth1 1 false false}]" {
				t.Errorf("interfaces %s", names)
			}
		}
	}
	// The second section may have the other byte order.
	fs, _, err := read(t, bytes.NewReader(bytes.Join([][]byte{
		le.section(), le.iface(1, 0), le.packet(0, 1, "le"), be.section(), be.iface(1, 0), be.packet(0, 1, "be")}, nil)))
	if err != nil || len(fs) != 2 || string(fs[1].Data) != "be" {
		t.Errorf("%v\n%s", err, text(fs))
	}
}

// Every cut of a file yields the packets before it and says where it is cut.
func TestCutFiles(t *testing.T) {
	classic := bytes.Join([][]byte{little.header(), little.record(1, 0, 5, 5, []byte("hello")), little.record(2, 0, 3, 3, []byte("abc"))}, nil)
	ng := bytes.Join([][]byte{le.section(), le.iface(1, 0), le.packet(0, 1, "hello"), le.block(0xbad, "custom"), le.packet(0, 2, "abc")}, nil)
	for _, c := range []struct {
		name string
		b    []byte
		ends []int64 // where records begin
		at   []int   // packets before each
	}{
		{"pcap", classic, []int64{24, 45, 64}, []int{0, 1, 2}},
		{"pcapng", ng, []int64{0, 28, 48, 88, 108, 144}, []int{0, 0, 0, 1, 1, 2}},
	} {
		for n := 4; n <= len(c.b); n++ {
			i := 0
			for i+1 < len(c.ends) && int64(n) >= c.ends[i+1] {
				i++
			}
			fs, _, err := read(t, bytes.NewReader(c.b[:n]))
			var d *DamageError
			switch {
			case int64(n) == c.ends[i]:
				if err != nil || len(fs) != c.at[i] {
					t.Errorf("%s, %d bytes: %d packets, %v", c.name, n, len(fs), err)
				}
			case !errors.As(err, &d) || len(fs) != c.at[i] || d.Offset != c.ends[i] && n >= 24:
				t.Errorf("%s, %d bytes: %d packets, %v; want %d and damage at %d", c.name, n, len(fs), err, c.at[i], c.ends[i])
			}
		}
	}
}

func TestDamage(t *testing.T) {
	start := bytes.Join([][]byte{le.section(), le.iface(1, 0), le.packet(0, 1, "good")}, nil)
	ng := func(b []byte) []byte { return bytes.Join([][]byte{start, b}, nil) }
	broken := func(b []byte, at int, v uint32) []byte {
		b = bytes.Clone(b)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	pkt := le.packet(0, 2, "data")
	classic := func(b []byte) []byte {
		return bytes.Join([][]byte{little.header(), little.record(1, 0, 4, 4, []byte("good")), b}, nil)
	}
	huge := little.record(1, 0, maxPacket+1, maxPacket+1, nil)
	for _, c := range []struct {
		name    string
		b       []byte
		packets int
		want    string
	}{
		{"record of more than 16 MiB", classic(huge), 1, "f: file damaged at byte 44: a packet of 16777217 bytes (more than 16777216 is not believed)"},
		{"record that lies", classic(little.record(1, 0, maxPacket, maxPacket, []byte("short"))), 1, "f: file damaged at byte 44: ends within a packet, after 21 of 16777232 bytes"},
		{"header cut", classic([]byte("123")), 1, "f: file damaged at byte 44: ends within a packet's header, after 3 of 16 bytes"},
		{"block length 0", ng(broken(pkt, 4, 0)), 1, "f: file damaged at byte 84: a block of 0 bytes"},
		{"block length 8", ng(broken(pkt, 4, 8)), 1, "f: file damaged at byte 84: a block of 8 bytes"},
		{"block length odd", ng(broken(pkt, 4, 37)), 1, "f: file damaged at byte 84: a block of 37 bytes"},
		{"block length huge", ng(broken(pkt, 4, 0xfffffffc)), 1, "f: file damaged at byte 84: a block of 4294967292 bytes (more than 17825792 is not believed)"},
		{"unknown block, length huge", ng(broken(le.block(0xbad, "abcd"), 4, 0xfffffffc)), 1, "f: file damaged at byte 84: ends within a block, after 16 of 4294967292 bytes"},
		{"block lengths differ", ng(broken(pkt, len(pkt)-4, 40)), 1, "f: file damaged at byte 84: a block says 36 bytes at its start and 40 at its end"},
		{"captured length beyond the block", ng(broken(pkt, 20, 5)), 1, "f: file damaged at byte 84: a packet of 5 bytes in a block that has room for 4"},
		{"captured length negative", ng(broken(pkt, 20, 0xffffffff)), 1, "f: file damaged at byte 84: a packet of 4294967295 bytes in a block that has room for 4"},
		{"no such interface", ng(broken(pkt, 8, 1)), 1, "f: file damaged at byte 84: a packet of interface 1, of which 1 are described"},
		{"interface ids begin anew", ng(bytes.Join([][]byte{le.section(), pkt}, nil)), 1, "f: file damaged at byte 112: a packet of interface 0, of which 0 are described"},
		{"simple packet without an interface", ng(bytes.Join([][]byte{le.section(), le.block(blockSimple, uint32(1), "x")}, nil)), 1, "f: file damaged at byte 112: a packet before any interface is described"},
		{"simple packet beyond its block", ng(le.block(blockSimple, uint32(99), "x")), 1, "f: file damaged at byte 84: a packet of 99 bytes in a block that has room for 4"},
		{"simple packet without a length", ng(le.block(blockSimple)), 1, "f: file damaged at byte 84: a simple packet block of 12 bytes"},
		{"packet block too short", ng(le.block(blockEnhanced, uint32(0))), 1, "f: file damaged at byte 84: a packet block of 16 bytes"},
		{"interface description too short", ng(le.block(blockInterface, uint32(1))), 1, "f: file damaged at byte 84: an interface description of 16 bytes"},
		{"section header too short", ng(le.block(blockSection, uint32(orderMagic))), 1, "f: file damaged at byte 84: a section header of 16 bytes"},
		{"byte order", ng(le.block(blockSection, uint32(7), uint64(0), uint64(0))), 1, "f: file damaged at byte 84: a section header with byte-order magic 07 00 00 00"},
		{"next version", ng(le.block(blockSection, uint32(orderMagic), uint16(2), uint16(0), uint64(0))), 1, "f: file damaged at byte 84: pcapng version 2.0 is not known"},
		{"resolution of 10^-99", ng(le.iface(1, 0, le.option(optionResol, "\x63"))), 1, "f: file damaged at byte 84: timestamps in units of 10^-99 s"},
		{"resolution of 2^-64", ng(le.iface(1, 0, le.option(optionResol, "\xc0"))), 1, "f: file damaged at byte 84: timestamps in units of 2^-64 s"},
		{"too many interfaces", ng(bytes.Repeat(le.iface(1, 0), 5000)), 1, "f: file damaged at byte 81984: more than 4096 interfaces"},
		{"pcap version 3", set(little.header(), 4, 3), 0, "f: file damaged at byte 0: pcap version 3.4 is not known"},
		{"empty", nil, 0, "f: empty, not a capture file"},
		{"an ELF file", []byte("\x7fELF\x02\x01"), 0, "f: neither pcap nor pcapng: begins with 7f 45 4c 46"},
		{"three bytes", []byte("abc"), 0, "f: neither pcap nor pcapng: begins with 61 62 63"},
		{"snoop", []byte("snoop\x00\x00\x00"), 0, "f: a Solaris snoop file; convert it with editcap"},
		{"zstd", []byte("\x28\xb5\x2f\xfd...."), 0, "f: compressed with zstd; unpack it first"},
		{"gzip of nothing", gz(nil), 0, "f: empty, not a capture file"},
		{"gzip of something else", gz([]byte("hello")), 0, "f: neither pcap nor pcapng: begins with 68 65 6c 6c"},
		{"gzip header alone", []byte("\x1f\x8b\x08\x00"), 0, "f: gzip: unexpected EOF"},
		{"gzip of a damaged file", gz(ng([]byte("123"))), 1, "f: file damaged at byte 84 (unpacked): ends within a block, after 3 of 12 bytes"},
	} {
		fs, _, err := read(t, bytes.NewReader(c.b))
		if err == nil || err.Error() != c.want || len(fs) != c.packets {
			t.Errorf("%s: %d packets, then\n\t%v; want %d, then\n\t%s", c.name, len(fs), err, c.packets, c.want)
		}
	}
	if _, _, err := read(t, bytes.NewReader(gz(start)[:40])); err == nil || !strings.Contains(err.Error(), "compressed data ends early") {
		t.Errorf("gzip, cut: %v", err)
	}
	bad := gz(start)
	bad[len(bad)-5] ^= 1
	if fs, _, err := read(t, bytes.NewReader(bad)); err == nil || len(fs) > 1 || !strings.Contains(err.Error(), "gzip: invalid checksum") {
		t.Errorf("gzip checksum: %d packets, %v", len(fs), err)
	}
}

func set(b []byte, at int, v byte) []byte {
	b[at] = v
	return b
}

func gz(b []byte) []byte {
	z, _ := io.ReadAll(gzipped(b))
	return z
}

// A broken disk is no damaged file.
func TestReadError(t *testing.T) {
	b := bytes.Join([][]byte{little.header(), little.record(1, 0, 4, 4, []byte("good")), {1, 2, 3}}, nil)
	fs, _, err := read(t, io.MultiReader(bytes.NewReader(b), iotest.ErrReader(os.ErrPermission)))
	if !errors.Is(err, os.ErrPermission) || len(fs) != 1 {
		t.Errorf("%d packets, %v", len(fs), err)
	}
	var d *DamageError
	if errors.As(err, &d) {
		t.Errorf("%v is told as damage", err)
	}
	if _, err := OpenReader(iotest.ErrReader(os.ErrPermission), "f"); !errors.Is(err, os.ErrPermission) {
		t.Error(err)
	}
	if _, err := Open("/no/such/file"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// Packets beyond the snapshot length, as other tools write them, are read.
func TestLargePackets(t *testing.T) {
	for _, n := range []uint32{65536, 262144, 300_000, 2 << 20, maxPacket} {
		data := bytes.Repeat([]byte{'x'}, int(n))
		b := bytes.Join([][]byte{little.header(), little.record(1, 0, n, n, data), little.record(2, 0, 4, 4, []byte("next"))}, nil)
		fs, _, err := read(t, bytes.NewReader(b))
		if err != nil || len(fs) != 2 || len(fs[0].Data) != int(n) || string(fs[1].Data) != "next" {
			t.Errorf("%d bytes: %d packets, %v", n, len(fs), err)
		}
	}
}

// A length that lies costs no memory: the buffer grows with what is read.
func TestLyingLengthCostsNoMemory(t *testing.T) {
	b := append(little.header(), little.record(1, 0, maxPacket, maxPacket, make([]byte, 100))...)
	s, err := OpenReader(bytes.NewReader(b), "f")
	if err != nil {
		t.Fatal(err)
	}
	var f capture.Frame
	if s.Next(&f) == nil {
		t.Fatal("read")
	}
	if n := len(s.(*pcapReader).buf); n > bufferSize {
		t.Errorf("a buffer of %d bytes", n)
	}
}

// Close ends a waiting Next.
func TestCloseWhileWaiting(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	w.Write(little.header())
	s, err := OpenReader(interruptible(r), "pipe")
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan error)
	go func() {
		var f capture.Frame
		end <- s.Next(&f)
	}()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-end; err != io.EOF {
		t.Errorf("Next returned %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// TestLongInterfaceName: what a file says of a name may be 64 KiB, 4,096 times.
func TestLongInterfaceName(t *testing.T) {
	g := ngFile{order: binary.LittleEndian}
	name := strings.Repeat("n", 60000)
	file := slices.Concat(g.section(), g.iface(1, 0, g.option(optionName, name)), g.packet(0, 1, "x"))
	src, err := OpenReader(bytes.NewReader(file), "f")
	if err != nil {
		t.Fatal(err)
	}
	var f capture.Frame
	if err := src.Next(&f); err != nil {
		t.Fatal(err)
	}
	var stats capture.SourceStats
	src.Stats(&stats)
	if got := stats.Interfaces[0].Name; got != name[:maxName] {
		t.Errorf("a name of %d bytes is kept", len(got))
	}
}
