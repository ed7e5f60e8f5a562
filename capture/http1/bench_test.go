package http1

import (
	"bytes"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

const benchRequest = "GET /api/v1/items/1234?page=2 HTTP/1.1\r\n" +
	"Host: shop.example.com:8080\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n" +
	"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n" +
	"Connection: keep-alive\r\n\r\n"

const benchResponse = "HTTP/1.1 200 OK\r\n" +
	"Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n" +
	"Content-Type: application/json; charset=utf-8\r\n" +
	"Server: nginx/1.25\r\n" +
	"Content-Length: 12\r\n" +
	"Connection: keep-alive\r\n\r\n" + "{\"ok\":true}\n"

// loop repeats one request and response on one keep-alive connection.
type loop struct {
	book           *capture.Book
	pool           *Pool
	p              *Parser
	conn           capture.Conn
	port           capture.PortStats
	client, server uint64
	now            capture.Time
}

func newLoop(batch bool) *loop {
	l := &loop{book: new(capture.Book)}
	if batch {
		l.book.Batch = new(capture.Batch)
	}
	l.pool = NewPool(Config{}, l.book)
	l.p = l.pool.Open(&l.conn, nil, &l.port)
	return l
}

func (l *loop) exchange(request, response []byte) {
	l.now += 1000
	l.p.Data(capture.Mark{Time: l.now, Offset: l.client, Acked: l.server}, capture.Client, request)
	l.client += uint64(len(request))
	l.p.Data(capture.Mark{Time: l.now + 500, Offset: l.server, Acked: l.client}, capture.Server, response)
	l.server += uint64(len(response))
	if b := l.book.Batch; b != nil && len(b.Observations) >= 512 {
		b.Reset()
	}
}

func (l *loop) connection(request, response []byte) {
	l.client, l.server = 0, 0
	l.p = l.pool.Open(&l.conn, nil, &l.port)
	l.exchange(request, response)
	l.p.End(capture.Mark{Time: l.now}, capture.Client, capture.ReasonFIN)
	l.p.End(capture.Mark{Time: l.now}, capture.Server, capture.ReasonFIN)
}

func BenchmarkExchange(b *testing.B) {
	for _, batch := range []bool{false, true} {
		name := "count"
		if batch {
			name = "observe"
		}
		req, resp := []byte(benchRequest), []byte(benchResponse)
		b.Run(name+"/keepalive", func(b *testing.B) {
			l := newLoop(batch)
			b.ReportAllocs()
			defer measureCPU(b)()
			for b.Loop() {
				l.exchange(req, resp)
			}
		})
		b.Run(name+"/connection", func(b *testing.B) {
			l := newLoop(batch)
			b.ReportAllocs()
			defer measureCPU(b)()
			for b.Loop() {
				l.connection(req, resp)
			}
		})
		b.Run(name+"/small", func(b *testing.B) {
			l := newLoop(batch)
			req := []byte("GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: wrk\r\n\r\n")
			resp := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
			b.ReportAllocs()
			defer measureCPU(b)()
			for b.Loop() {
				l.exchange(req, resp)
			}
		})
	}
}

func BenchmarkRequestHead(b *testing.B) {
	l := newLoop(false)
	req := []byte(benchRequest)
	resp := []byte("HTTP/1.1 204 \r\n\r\n")
	b.SetBytes(int64(len(req)))
	b.ReportAllocs()
	defer measureCPU(b)()
	for b.Loop() {
		l.exchange(req, resp)
	}
}

func BenchmarkChunked(b *testing.B) {
	l := newLoop(true)
	req := []byte(benchRequest)
	var resp bytes.Buffer
	resp.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	for range 16 {
		resp.WriteString("400\r\n")
		resp.Write(make([]byte, 1024))
		resp.WriteString("\r\n")
	}
	resp.WriteString("0\r\n\r\n")
	b.SetBytes(int64(resp.Len()))
	b.ReportAllocs()
	defer measureCPU(b)()
	for b.Loop() {
		l.exchange(req, resp.Bytes())
	}
}

func BenchmarkBody(b *testing.B) {
	l := newLoop(true)
	l.exchange([]byte(benchRequest), []byte("HTTP/1.1 200 OK\r\nContent-Length: 4611686018427387904\r\n\r\n"))
	segment := make([]byte, 1448)
	b.SetBytes(int64(len(segment)))
	b.ReportAllocs()
	defer measureCPU(b)()
	for b.Loop() {
		l.p.Data(capture.Mark{Offset: l.server}, capture.Server, segment)
		l.server += uint64(len(segment))
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	req, resp := []byte(benchRequest), []byte(benchResponse)
	half := len(req) / 2
	for _, batch := range []bool{false, true} {
		l := newLoop(batch)
		for name, f := range map[string]func(){
			"keep-alive": func() { l.exchange(req, resp) },
			"connection": func() { l.connection(req, resp) },
			"split head": func() {
				l.client, l.server = 0, 0
				l.p = l.pool.Open(&l.conn, nil, &l.port)
				l.p.Data(capture.Mark{}, capture.Client, req[:half])
				l.p.Data(capture.Mark{Offset: uint64(half)}, capture.Client, req[half:])
				l.p.Data(capture.Mark{Acked: uint64(len(req))}, capture.Server, resp)
				l.p.End(capture.Mark{}, capture.Client, capture.ReasonFIN)
				l.p.End(capture.Mark{}, capture.Server, capture.ReasonFIN)
				if b := l.book.Batch; b != nil && len(b.Observations) >= 512 {
					b.Reset()
				}
			},
		} {
			l.p = l.pool.Open(&l.conn, nil, &l.port)
			l.client, l.server = 0, 0
			for range 2000 {
				f()
			}
			if n := testing.AllocsPerRun(2000, f); n != 0 {
				t.Errorf("%s (batch %v): %v allocations per run", name, batch, n)
			}
		}
		if l.book.Ledger[capture.RequestsAnswered] == 0 {
			t.Error("nothing was answered")
		}
	}
}
