package tls

import (
	stdtls "crypto/tls"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// handshake replays a whole TLS connection into the Pool.
func handshake(l *listener, chunks []chunk) {
	l.open()
	for i := range chunks {
		l.h.Data(capture.Mark{}, chunks[i].from, chunks[i].b)
	}
	l.end()
	l.batch.Reset()
}

func realChunks(t testing.TB) []chunk {
	return converse(t, &config{ServerName: "example.com", InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}},
		&config{Certificates: []stdtls.Certificate{certificate()}, NextProtos: []string{"h2"}}).chunks
}

func cutChunks(chunks []chunk, n int) (out []chunk) {
	for _, c := range chunks {
		for b := c.b; len(b) > 0; {
			k := min(n, len(b))
			out = append(out, chunk{c.from, b[:k]})
			b = b[k:]
		}
	}
	return out
}

func TestAllocations(t *testing.T) {
	chunks := realChunks(t)
	for _, c := range [][]chunk{chunks, cutChunks(chunks, 11)} {
		l := newListener()
		handshake(l, c)
		if n := testing.AllocsPerRun(100, func() { handshake(l, c) }); n != 0 {
			t.Errorf("%v allocations for each connection", n)
		}
	}
}

func BenchmarkHandshake(b *testing.B) {
	chunks := realChunks(b)
	l := newListener()
	b.ReportAllocs()
	for b.Loop() {
		handshake(l, chunks)
	}
}

func BenchmarkHandshakeInPieces(b *testing.B) {
	chunks := cutChunks(realChunks(b), 64)
	l := newListener()
	b.ReportAllocs()
	for b.Loop() {
		handshake(l, chunks)
	}
}

func BenchmarkSegmentAfterHellos(b *testing.B) {
	l := newListener()
	l.h = l.pool.OpenMidway(&l.conn, &l.port)
	segment := make([]byte, 1448)
	b.ReportAllocs()
	b.SetBytes(int64(len(segment)))
	for b.Loop() {
		l.h.Data(capture.Mark{}, capture.Client, segment)
	}
}

func BenchmarkDetect(b *testing.B) {
	hello, text := []byte(clientHello("example.com")), []byte("GET / HTTP/1.1\r\n")
	b.ReportAllocs()
	for b.Loop() {
		if Detect(hello) != Yes || Detect(text) != No {
			b.Fatal("wrong")
		}
	}
}

func BenchmarkChain(b *testing.B) {
	segment := make([]byte, 1448)
	for i := range segment {
		segment[i] = byte(i * 7)
	}
	var c Chain
	b.ReportAllocs()
	for b.Loop() {
		c.Feed(segment)
	}
}
