package tls

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

func TestDetect(t *testing.T) {
	hello := clientHello("example.com")
	data := "\x17\x03\x03\x00\x04abcd"
	for _, tt := range []struct {
		name, in string
		want     Verdict
	}{
		{"nothing", "", More},
		{"client hello", hello, Yes},
		{"its first nine bytes", hello[:9], Yes},
		{"its first eight", hello[:8], More},
		{"its first", hello[:1], More},
		{"server hello", "\x16\x03\x03\x00\x7a\x02\x00\x00\x76", Yes},
		{"SSL 3.0", "\x16\x03\x00\x00\x7a\x01\x00\x00\x76", Yes},
		{"record version 1.3", "\x16\x03\x04\x00\x7a\x01\x00\x00\x76", Yes},
		{"record version 4.0", "\x16\x04\x00", No},
		{"record version 3.5", "\x16\x03\x05", No},
		{"message of 17 MB", "\x16\x03\x01\x00\x7a\x01\xff", More}, // no hello, but a chain may follow
		{"message of 17 MB, no chain", "\x16\x03\x01\x00\x04\x01\xff\x00\x00xxxxx", No},
		{"hello of 10 bytes", "\x16\x03\x01\x00\x7a\x01\x00\x00\x0a" + strings.Repeat("x", 200), No},
		{"record beyond 2^14", "\x16\x03\x01\x41\x00\x01", More}, // it could be ciphertext
		{"record beyond 2^14+2048", "\x16\x03\x01\x48\x01\x01", No},
		{"empty record", "\x16\x03\x01\x00\x00\x16\x03\x01", No},
		{"hello in records of one byte", "\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x01\x00", Yes},
		{"alert", "\x15\x03\x01\x00\x02\x02\x28", Yes},
		{"half an alert", "\x15\x03\x01\x00\x02\x02", More},
		{"alert of level 3, alone", "\x15\x03\x01\x00\x02\x03\x28", More}, // a chain may follow
		{"one record of data", data, More},
		{"two records of data", data + data, More},
		{"and a third's header", data + data + data[:5], Yes},
		{"and something else", data + data + "HELLO", No},
		{"version 2", "\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10", Yes},
		{"version 2, bad length", "\x80\x2f\x01\x03\x01\x00\x15\x00\x00\x00\x10", No},
		{"version 2, half", "\x80\x2e\x01\x03\x01\x00", More},
		{"HTTP/1", "GET / HTTP/1.1\r\n", No},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", No},
		{"SSH", "SSH-2.0-OpenSSH_9.6\r\n", No},
		{"DNS", "\x00\x1d\x12\x34\x01\x00", No},
		{"DTLS", "\x16\xfe\xfd\x00\x00", No},
		{"zeros", strings.Repeat("\x00", 50), No},
		{"0xff", strings.Repeat("\xff", 50), No},
	} {
		if got := Detect([]byte(tt.in)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestHelloFrom(t *testing.T) {
	for _, tt := range []struct {
		in    string
		from  capture.Side
		known bool
	}{
		{clientHello("example.com"), capture.Client, true},
		{"\x16\x03\x03\x00\x7a\x02\x00\x00\x76", capture.Server, true},
		{"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10", capture.Client, true},
		{"\x17\x03\x03\x00\x04abcd", 0, false},
		{"", 0, false},
		{"\x16\x03", 0, false},
	} {
		if from, known := HelloFrom([]byte(tt.in)); from != tt.from || known != tt.known {
			t.Errorf("%q: %v, %v", tt.in, from, known)
		}
	}
}

// chained returns n records of random content, and where each begins.
func chained(r *rand.Rand, n int) (stream []byte, starts []int) {
	for range n {
		size := 1 + r.IntN(2000)
		starts = append(starts, len(stream))
		stream = append(stream, typeApplicationData, 3, 3, byte(size>>8), byte(size))
		for range size {
			stream = append(stream, byte(r.Uint32()))
		}
	}
	return stream, starts
}

func TestChain(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		stream, starts := chained(r, 6)
		// Joined anywhere; segments of one size, a record's start begins a segment.
		var c Chain
		cut := 1 + r.IntN(1500)
		found := -1
		from := r.IntN(starts[2])
		begin := 2
		for i, s := range starts {
			if s >= from {
				begin = i
				break
			}
		}
		feed := func(b []byte, base int) {
			for off := 0; off < len(b); off += cut {
				end := min(off+cut, len(b))
				if c.Feed(b[off:end]) && found < 0 {
					found = base + end
				}
			}
		}
		feed(stream[from:starts[begin]], from)
		feed(stream[starts[begin]:], starts[begin])
		if found < 0 {
			t.Fatalf("joined at %d of %v, cut %d: not found", from, starts, cut)
		}
		if want := starts[begin+2] + recordHeader; found < want {
			t.Fatalf("joined at %d of %v, cut %d: found at %d, before three headers were seen", from, starts, cut, found)
		}
	}
	// Random bytes and text are no chain.
	var c Chain
	noise := make([]byte, 1460)
	for range 20000 {
		for i := 0; i < len(noise); i += 4 {
			v := r.Uint32()
			noise[i], noise[i+1], noise[i+2], noise[i+3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
		}
		if c.Feed(noise) {
			t.Fatal("random bytes were believed")
		}
	}
	c.Reset()
	if c.Feed(bytes.Repeat([]byte("HTTP/1.1 200 OK\r\n"), 100)) {
		t.Fatal("text was believed")
	}
}

// FuzzDetect: what is said of a prefix is not taken back, and agrees with what
// the Handler then finds.
func FuzzDetect(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 600 {
			b = b[:600]
		}
		before := More
		for n := range len(b) + 1 {
			v := Detect(b[:n])
			if before != More && v != before {
				t.Fatalf("%s of %d bytes became %s with %d", before, n-1, v, n)
			}
			before = v
		}
		HelloFrom(b)
	})
}

// FuzzHandler: no panic, books that balance, and the same said however the
// bytes are cut into segments.
func FuzzHandler(f *testing.F) {
	for i, s := range seeds() {
		f.Add([]byte(s), uint16(i*3), uint64(i))
	}
	f.Fuzz(func(t *testing.T, b []byte, client uint16, seed uint64) {
		n := min(int(client), len(b))
		chunks := []chunk{{capture.Client, b[:n]}, {capture.Server, b[n:]}}
		whole := hear(t, chunks, 0)
		want := strings.Join(whole.lines(), "\n")
		r := rand.New(rand.NewPCG(seed, 1))
		for _, cut := range []int{1, 2, 1 + r.IntN(40)} {
			l := hear(t, chunks, cut)
			if got := strings.Join(l.lines(), "\n"); got != want {
				t.Fatalf("cut %d said\n%s\nwhole said\n%s", cut, got, want)
			}
			if l.port.ClientHellos != whole.port.ClientHellos || l.port.ParseErrors != whole.port.ParseErrors {
				t.Fatalf("cut %d counted otherwise", cut)
			}
		}
		for _, o := range whole.batch.Observations {
			if h, ok := o.(*capture.TLSHello); ok {
				if len(h.SNI) > maxName || len(h.ALPN) > maxALPN || !printable(h.SNI) || strings.ContainsAny(string(h.ALPN), "\x00\n\r ") {
					t.Fatalf("sni %q alpn %q", h.SNI, h.ALPN)
				}
			}
		}
	})
}

func seeds() []string {
	hello := clientHello("example.com")
	return []string{
		hello, split(hello, 3), split(hello, 60),
		helloWith("\x00\x10\x00\x0e\x00\x0c\x02h2\x08http/1.1"),
		helloWith("\x00\x2b\x00\x07\x06\x5a\x5a\x03\x04\x03\x03" + "\xfe\x0d\x00\x01x"),
		"\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + strings.Repeat("r", 32) + "\x00\xc0\x2f\x00",
		"\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + retryRandom + "\x00\x13\x01\x00" + "\x14\x03\x03\x00\x01\x01",
		"\x15\x03\x01\x00\x02\x02\x28",
		strings.Repeat("\x17\x03\x03\x00\x04abcd", 4),
		"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + strings.Repeat("s", 37),
		"HTTP/1.1 400 Bad Request\r\n",
	}
}
