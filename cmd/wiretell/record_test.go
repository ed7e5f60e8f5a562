package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/pcap"
)

const (
	handshake = `0.0000 10.0.0.1:40000 > 10.0.0.2:80 S seq=100
0.0005 10.0.0.2:80 > 10.0.0.1:40000 SA seq=300 ack=101
0.0010 10.0.0.1:40000 > 10.0.0.2:80 A seq=101 ack=301
`
	getLine = `0.0020 10.0.0.1:40000 > 10.0.0.2:80 PA seq=101 ack=301 "GET /x HTTP/1.1\r\nHost: shop\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n"
`
)

// recorded are errors, by script; raw adds frames that no script can say. kinds
// are the lines that the error must give, and headers those that it must still
// give when the payload is cut.
var recorded = []struct {
	name    string
	script  string
	raw     func() []capturetest.Segment
	kinds   []string
	headers []string
}{
	{name: "refused", script: `0.0000 10.0.0.1:40001 > 10.0.0.2:81 S seq=100
0.0004 10.0.0.2:81 > 10.0.0.1:40001 RA seq=0 ack=101`,
		kinds: []string{"connect_failed refused"}, headers: []string{"connect_failed refused"}},
	{name: "no answer", script: `0.0000 10.0.0.1:40001 > 10.0.0.2:81 S seq=100
1.0000 10.0.0.1:40001 > 10.0.0.2:81 S seq=100
3.0000 10.0.0.1:40001 > 10.0.0.2:81 S seq=100
90.0000 10.0.0.1:40009 > 10.0.0.2:81 A seq=1 ack=1`,
		kinds: []string{"connect_failed timed_out"}, headers: []string{"connect_failed timed_out"}},
	{name: "reset with a request waiting", script: handshake + getLine + `0.0040 10.0.0.2:80 > 10.0.0.1:40000 R seq=301 ack=202`,
		kinds: []string{"reset request", "exchange reset"}, headers: []string{"reset request"}},
	{name: "reset within a response", script: handshake + getLine + `0.0030 10.0.0.2:80 > 10.0.0.1:40000 PA seq=301 ack=202 "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart"
0.0040 10.0.0.2:80 > 10.0.0.1:40000 RA seq=345 ack=202`,
		kinds: []string{"reset response", "exchange reset"}, headers: []string{"reset response"}},
	{name: "reset of an idle connection", script: handshake + `5.0000 10.0.0.2:80 > 10.0.0.1:40000 R seq=301 ack=101`,
		kinds: []string{"reset idle"}, headers: []string{"reset idle"}},
	{name: "ICMP on connect", script: `0.0000 10.0.0.1:40001 > 10.0.0.2:84 S seq=100`,
		raw: func() []capturetest.Segment {
			return []capturetest.Segment{raw(1_000_000, icmpError("10.0.0.9", "10.0.0.1", 3, 13, 0, quotedTCP("10.0.0.1:40001", "10.0.0.2:84", 100, "")))}
		},
		kinds: []string{"icmp_error code=13", "connect_failed admin_prohibited"}, headers: []string{"icmp_error code=13", "connect_failed admin_prohibited"}},
	{name: "ICMP on an open connection", script: handshake + getLine,
		raw: func() []capturetest.Segment {
			return []capturetest.Segment{raw(3_000_000, icmpError("10.0.0.9", "10.0.0.1", 3, 4, 1400, quotedTCP("10.0.0.1:40000", "10.0.0.2:80", 101, "GET /secret")))}
		},
		kinds: []string{"icmp_error code=4"}, headers: []string{"icmp_error code=4"}},
	{name: "closed before the response", script: handshake + getLine + `0.0030 10.0.0.2:80 > 10.0.0.1:40000 FA seq=301 ack=202
0.0040 10.0.0.1:40000 > 10.0.0.2:80 FA seq=202 ack=302
0.0050 10.0.0.2:80 > 10.0.0.1:40000 A seq=302 ack=203`,
		kinds: []string{"exchange closed_before_response"}},
	{name: "response cut by its end", script: handshake + getLine + `0.0030 10.0.0.2:80 > 10.0.0.1:40000 PA seq=301 ack=202 "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"
0.0040 10.0.0.2:80 > 10.0.0.1:40000 FA seq=350 ack=202
0.0050 10.0.0.1:40000 > 10.0.0.2:80 FA seq=202 ack=351
0.0060 10.0.0.2:80 > 10.0.0.1:40000 A seq=351 ack=203`,
		kinds: []string{"exchange response_truncated"}},
	{name: "status 500", script: handshake + getLine + `0.0030 10.0.0.2:80 > 10.0.0.1:40000 PA seq=301 ack=202 "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
0.0050 10.0.0.1:40000 > 10.0.0.2:80 FA seq=202 ack=341
0.0060 10.0.0.2:80 > 10.0.0.1:40000 FA seq=341 ack=203
0.0070 10.0.0.1:40000 > 10.0.0.2:80 A seq=203 ack=342`,
		kinds: []string{"exchange 500"}},
	{name: "DNS: no such name", raw: func() []capturetest.Segment {
		return []capturetest.Segment{raw(0, udp("10.0.0.1:5353", "10.0.0.3:53", dnsMessage(0x0100))), raw(2_000_000, udp("10.0.0.3:53", "10.0.0.1:5353", dnsMessage(0x8183)))}
	}, kinds: []string{"dns_lookup NXDOMAIN"}},
	{name: "UDP port unreachable", raw: func() []capturetest.Segment {
		sent := udp("10.0.0.1:5000", "10.0.0.3:8125", []byte("counter:1|c"))
		return []capturetest.Segment{raw(0, sent), raw(2_000_000, icmpError("10.0.0.3", "10.0.0.1", 3, 3, 0, sent))}
	}, kinds: []string{"icmp_error code=3"}, headers: []string{"icmp_error code=3"}},
	{name: "fatal TLS alert", script: handshake + `0.0020 10.0.0.1:40000 > 10.0.0.2:80 PA seq=101 ack=301 "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03aaaaaaaabbbbbbbbaaaaaaaabbbbbbbb\x00\x00\x02\x13\x01\x01\x00\x00\x00"
0.0030 10.0.0.2:80 > 10.0.0.1:40000 PA seq=301 ack=202 "\x15\x03\x03\x00\x02\x02\x28"
0.0040 10.0.0.2:80 > 10.0.0.1:40000 FA seq=308 ack=202`,
		kinds: []string{"tls_alert"}},
}

// TestRecordedErrors reads a capture of each error with --record, and the file
// that it writes again: it tells the same error. tshark has no complaint.
func TestRecordedErrors(t *testing.T) {
	for _, payload := range []bool{true, false} {
		var all bytes.Buffer // a pcapng file may have several sections
		packets := 0
		for _, tt := range recorded {
			t.Run(fmt.Sprintf("%s/payload %v", tt.name, payload), func(t *testing.T) {
				dir := t.TempDir()
				in, once, twice := filepath.Join(dir, "in.pcapng"), filepath.Join(dir, "once"), filepath.Join(dir, "twice")
				writeFrames(t, in, tt.script, tt.raw)
				args, want := []string{"--exporter", "text"}, tt.headers
				if payload {
					args, want = append(args, "--record-payload"), tt.kinds
				}
				first := readRecorded(t, in, once, args...)
				if len(first) != 1 {
					t.Fatalf("%d files, want 1: %q", len(first), first)
				}
				for file, lines := range first {
					text := private(t, filepath.Join(once, file))
					all.Write(text)
					packets += packetsIn(t, filepath.Join(once, file))
					got := slices.Concat(slices.Collect(maps.Values(readRecorded(t, filepath.Join(once, file), twice, args...)))...)
					if payload && !slices.Equal(got, lines) {
						t.Errorf("read again:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
					}
					for _, kind := range want {
						what, word, _ := strings.Cut(kind, " ")
						is := func(l string) bool { return strings.HasPrefix(l, what) && strings.Contains(l, word) }
						i, j := slices.IndexFunc(lines, is), slices.IndexFunc(got, is)
						if i < 0 || j < 0 || lines[i] != got[j] {
							t.Errorf("no %q in both of\n%s\n%s", kind, strings.Join(lines, "\n"), strings.Join(got, "\n"))
						}
					}
					for _, secret := range []string{"GET /", "HTTP/1.1", "counter", "example"} {
						if !payload && bytes.Contains(text, []byte(secret)) {
							t.Errorf("%q is in a file without payload", secret)
						}
					}
				}
			})
		}
		tsharkReads(t, all.Bytes(), packets)
	}
}

var (
	recordingOf = regexp.MustCompile(` recording=(\S+)`)
	varies      = regexp.MustCompile(` (conn=\d+|recording=\S+)`)
	byTime      = regexp.MustCompile(` (elapsed|waited|age)=\S+`)
)

// readRecorded reads a capture with --record, and returns the lines of what was
// recorded by file, without what tells one run from the other.
func readRecorded(t *testing.T, in, dir string, args ...string) map[string][]string {
	t.Helper()
	stdout, stderr, code := wiretell(nil, append([]string{"read", "--record", dir}, append(args, in)...)...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	out := map[string][]string{}
	for line := range strings.Lines(stdout) {
		m := recordingOf.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		line = varies.ReplaceAllString(strings.TrimSuffix(line, "\n"), "")
		at, rest, _ := strings.Cut(line, " ")
		if strings.Contains(rest, "error=timed_out") { // when, tells the end of the capture
			rest = byTime.ReplaceAllString(rest, "")
		} else {
			rest += " at=" + at
		}
		out[m[1]] = append(out[m[1]], rest)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != len(out) {
		t.Errorf("%d files in %v, %d on the lines:\n%s", len(list), list, len(out), stdout)
	}
	return out
}

// private returns a file that nobody else may read.
func private(t *testing.T, path string) []byte {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("%s has mode %v", path, info.Mode())
	}
	if dir, _ := os.Stat(filepath.Dir(path)); filepath.Base(filepath.Dir(path)) == "once" && dir.Mode().Perm() != 0o700 {
		t.Errorf("its directory has mode %v", dir.Mode())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// packetsIn counts the packets of a capture file that must be whole.
func packetsIn(t *testing.T, path string) (n int) {
	t.Helper()
	src, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var f capture.Frame
	for {
		switch err := src.Next(&f); err {
		case nil:
			n++
		case io.EOF:
			return n
		default:
			t.Fatal(err)
		}
	}
}

// tsharkReads fails unless tshark sees so many packets in a capture file and says
// nothing else.
func tsharkReads(t *testing.T, file []byte, packets int) {
	t.Helper()
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Error("no tshark")
		}
		return
	}
	path := filepath.Join(t.TempDir(), "all.pcapng")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(tshark, "-r", path)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	said := strings.ReplaceAll(stderr.String(), "Running as user \"root\" and group \"root\". This could be dangerous.\n", "")
	if n := bytes.Count(out, []byte("\n")); err != nil || said != "" || n != packets {
		t.Errorf("tshark: %v, %d packets, want %d\n%s", err, n, packets, said)
	}
}

// writeFrames writes a script's packets and more into a pcapng file.
func writeFrames(t *testing.T, path, script string, more func() []capturetest.Segment) {
	t.Helper()
	var segments []capturetest.Segment
	if script != "" {
		text := filepath.Join(t.TempDir(), "script")
		if err := os.WriteFile(text, []byte(script+"\n---\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := capturetest.ReadScript(text)
		if err != nil {
			t.Fatal(err)
		}
		segments = s.Segments
	}
	if more != nil {
		segments = append(segments, more()...)
	}
	var b bytes.Buffer
	w := pcap.NewWriter(&b)
	src := capturetest.NewSource(segments)
	var f capture.Frame
	for range segments {
		if err := src.Next(&f); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(&f, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// raw is a packet of IPv4 so many nanoseconds after the script's epoch.
func raw(after int64, packet []byte) capturetest.Segment {
	const epoch = 1767323040e9 // 2026-01-02T03:04:00Z
	return capturetest.Segment{Raw: &capture.Frame{Time: capture.Time(epoch + after), Data: packet, WireLen: len(packet), Link: capture.LinkRaw}}
}

func ipv4(proto byte, src, dst netip.Addr, payload []byte) []byte {
	h := [20]byte{0: 0x45, 8: 64, 9: proto}
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
	s, d := src.As4(), dst.As4()
	copy(h[12:], s[:])
	copy(h[16:], d[:])
	return append(h[:], payload...)
}

func udp(src, dst string, payload []byte) []byte {
	s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	var h [8]byte
	binary.BigEndian.PutUint16(h[0:], s.Port())
	binary.BigEndian.PutUint16(h[2:], d.Port())
	binary.BigEndian.PutUint16(h[4:], uint16(8+len(payload)))
	return ipv4(17, s.Addr(), d.Addr(), append(h[:], payload...))
}

// dnsMessage is a question for www.example, type A (RFC 1035, section 4).
func dnsMessage(flags uint16) []byte {
	b := []byte{0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(b[2:], flags)
	return append(b, "\x03www\x07example\x00\x00\x01\x00\x01"...)
}

func quotedTCP(src, dst string, seq uint32, payload string) []byte {
	p := capture.Packet{Network: capture.IPv4, TTL: 64, Payload: []byte(payload), PayloadLen: len(payload), Flow: capture.Flow{
		Src: capture.EndpointOf(netip.MustParseAddrPort(src)), Dst: capture.EndpointOf(netip.MustParseAddrPort(dst))}}
	p.TCP.Seq, p.TCP.Flags = seq, capture.SYN
	return capturetest.AppendTCP(nil, &p)
}

// icmpError is an ICMP error about a packet (RFC 792; RFC 1191 for the MTU).
func icmpError(from, to string, typ, code byte, mtu uint16, quoted []byte) []byte {
	b := append([]byte{typ, code, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}, quoted...)
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i]) << 8
		if i+1 < len(b) {
			sum += uint32(b[i+1])
		}
	}
	sum = sum>>16 + sum&0xffff
	sum += sum >> 16
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum))
	return ipv4(1, netip.MustParseAddr(from), netip.MustParseAddr(to), b)
}

// TestRecordMistakes: settings that cannot be meant, and directories that cannot be used.
func TestRecordMistakes(t *testing.T) {
	dir := t.TempDir()
	capturesIn(t, dir)
	file := filepath.Join(dir, "shop.pcapng")
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--record-all"}, exitUsage, "--record-all and --record-payload need --record"},
		{[]string{"--record", dir, "--record-memory", "100"}, exitUsage, "--record-memory must be from 1048576"},
		{[]string{"--record", dir, "--record-files", "0"}, exitUsage, "--record-files must be greater than 0"},
		{[]string{"--record", dir, "--record-bytes", "1000"}, exitUsage, "--record-bytes must be at least"},
		{[]string{"--record", dir, "--record-age", "-1s"}, exitUsage, "--record-age must not be negative"},
		{[]string{"--record", dir, "--record-follow", "-1s"}, exitUsage, "--record-follow must not be negative"},
		{[]string{"--record", filepath.Join(dir, "empty.pcap")}, exitFailed, "--record " + filepath.Join(dir, "empty.pcap") + ": not a directory"},
		{[]string{"--record", "/proc/1/nothing"}, exitFailed, "--record /proc/1/nothing: no such file or directory"},
	}
	for _, tt := range tests {
		stdout, stderr, code := wiretell(nil, append(append([]string{"read"}, tt.args...), file)...)
		if code != tt.code || !strings.Contains(stderr, tt.want) || stdout != "" {
			t.Errorf("%q: code %d, %q, %s", tt.args, code, stdout, stderr)
		}
	}
}

// TestRecordSelects: only what is selected has a file; a status that is the
// client's fault counts when it was asked for, and without an exporter too.
func TestRecordSelects(t *testing.T) {
	in := filepath.Join(t.TempDir(), "in.pcapng")
	writeFrames(t, in, handshake+getLine+`0.0030 10.0.0.2:80 > 10.0.0.1:40000 PA seq=301 ack=202 "HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n"
0.0050 10.0.0.1:40000 > 10.0.0.2:80 FA seq=202 ack=341`, nil)
	for _, tt := range []struct {
		selection string
		want      int
	}{{"", 0}, {`http.status == 404`, 1}, {`http.status == 200`, 0}, {`kind == "icmp"`, 0}} {
		out := t.TempDir()
		if _, stderr, code := wiretell(nil, "read", "--exporter", "none", "--record", out, "--select", tt.selection, in); code != exitOK {
			t.Fatalf("%s: %s", tt.selection, stderr)
		}
		list, err := os.ReadDir(out)
		if err != nil || len(list) != tt.want {
			t.Fatalf("%s: %v, want %d", tt.selection, list, tt.want)
		}
		if len(list) == 1 {
			text := private(t, filepath.Join(out, list[0].Name()))
			if !bytes.Contains(text, []byte("trace: 4bf92f3577b34da6a3ce929d0e0e4736")) || !strings.HasSuffix(list[0].Name(), "_404.pcapng") {
				t.Errorf("%s has no trace id, or another name: %q", list[0].Name(), text[:200])
			}
		}
	}
}
