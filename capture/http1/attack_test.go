package http1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// most runs a script and returns the most memory that was held after any packet.
func most(r *rig, script []packet) (bytes int) {
	for _, p := range script {
		r.send(p)
		_, n := r.pool.Held()
		bytes = max(bytes, n)
	}
	return bytes
}

func TestEndlessHeaderLine(t *testing.T) {
	r := newRig(t, Config{}, false)
	script := []packet{c("GET /a HTTP/1.1\r\nX: ")}
	for range 10_000 {
		script = append(script, c(filler(100)))
	}
	if n := most(r, script); n > 256<<10 {
		t.Errorf("%d bytes held", n)
	}
	if r.port.ParseErrors[capture.ReasonHeaderTooLarge] != 1 {
		t.Errorf("header_too_large counted %d times", r.port.ParseErrors[capture.ReasonHeaderTooLarge])
	}
	// What follows is read all the same, as its framing is known.
	expect(t, r.run(c("\r\nContent-Length: 3\r\n\r\nabc"), s("HTTP/1.1 431 x\r\nContent-Length: 0\r\n\r\n"),
		c("GET /b HTTP/1.1\r\n\r\n"), s(ok)),
		"error client header_too_large", "GET /a 3/1000046 > 431 0/37", "GET /b 0/19 > 200 0/38")
}

func TestEndlessStartLine(t *testing.T) {
	for _, start := range []string{"", "GET ", "GET /"} {
		r := newRig(t, Config{}, false)
		script := []packet{c(start + "a")}
		for range 2000 {
			script = append(script, c(filler(100)))
		}
		if n := most(r, script); n > 256<<10 {
			t.Errorf("%q: %d bytes held", start, n)
		}
		if n := r.port.ParseErrors[capture.ReasonHeaderTooLarge] + r.port.ParseErrors[capture.ReasonBadStartLine]; n != 1 {
			t.Errorf("%q: %d parse errors", start, n)
		}
	}
}

func TestManyHeaders(t *testing.T) {
	r := newRig(t, Config{RequestHeaders: []string{"x"}}, false)
	r.send(c("GET /a HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 50_000) + "Content-Length: 1\r\n\r\nZ"))
	got := r.run(s(ok), c("GET /b HTTP/1.1\r\n\r\n"), s(ok))
	expect(t, got, "error client header_too_large", "GET /a 1/300039 > 200 0/38", "GET /b 0/19 > 200 0/38")
	for _, o := range r.book.Batch.Observations {
		if e, ok := o.(*capture.Exchange); ok && len(e.RequestHeaders) > maxHeadersKept {
			t.Errorf("%d headers kept", len(e.RequestHeaders))
		}
	}
}

func TestFramingFieldBeyondTheBound(t *testing.T) {
	// A Content-Length too long to be read must not be taken for none.
	r := newRig(t, Config{MaxHead: 1024}, false)
	script := []packet{c("POST /a HTTP/1.1\r\nContent-Length: ")}
	for range 30 {
		script = append(script, c(strings.Repeat("0", 100)))
	}
	script = append(script, c("40\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n...."), s(ok))
	for _, line := range r.run(script...) {
		if strings.Contains(line, "smuggled") {
			t.Error(line)
		}
	}
}

func TestChunkExtensionBomb(t *testing.T) {
	r := newRig(t, Config{}, false)
	r.send(c("GET /a HTTP/1.1\r\n\r\n"))
	script := []packet{s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")}
	for range 5000 {
		script = append(script, s("1;"+filler(1000)+"\r\nz\r\n"))
	}
	if n := most(r, script); n > 4<<10 {
		t.Errorf("%d bytes held", n)
	}
	expect(t, r.run(s("0\r\n\r\n")), "GET /a 0/19 > 200 5000/5035052")
}

func TestEndlessTrailers(t *testing.T) {
	r := newRig(t, Config{}, false)
	r.send(c("GET /a HTTP/1.1\r\n\r\n"))
	script := []packet{s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")}
	for range 5000 {
		script = append(script, s("Trailer: x\r\n"))
	}
	if n := most(r, script); n > 4<<10 {
		t.Errorf("%d bytes held", n)
	}
	// Too large by one segment's measure or not, the message ends where it ends.
	expect(t, r.run(s(strings.Repeat("T: x\r\n", 2000)), s("\r\n")), "error server header_too_large", "GET /a 0/19 > 200 0/72052")
}

func TestPipelineOf10000(t *testing.T) {
	r := newRig(t, Config{}, false)
	var script []packet
	for i := range 10_000 {
		script = append(script, c(fmt.Sprintf("GET /%d HTTP/1.1\r\n\r\n", i)))
	}
	if n := most(r, script); n > 128<<10 {
		t.Errorf("%d bytes held", n)
	}
	if got := r.port.UnansweredBy[capture.ReasonPending]; got != 9_900 {
		t.Errorf("%d requests beyond the bound, want 9900", got)
	}
	for i := range 10_000 {
		r.send(s(fmt.Sprintf("HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n", 200+i%300)))
	}
	r.send(c("GET /0 HTTP/1.1\r\n\r\n")) // and afterwards all is well again
	r.send(s("HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n"))
	paired := 0
	for _, line := range r.run() {
		if n, whole := number(line); whole {
			paired++
			if status(line) != 200+n%300 {
				t.Errorf("mispaired %q", line)
			}
		}
	}
	if paired != 101 {
		t.Errorf("%d exchanges, want 101", paired)
	}
	if got := r.port.Orphans; got != 9_900 {
		t.Errorf("%d orphans, want 9900", got)
	}
}

func TestEvictionAcrossConnections(t *testing.T) {
	r := newRig(t, Config{MaxExchanges: 50}, false)
	// A thousand connections with a request each that is never answered.
	var others []*Parser
	for i := range 1000 {
		p := r.pool.Open(&capture.Conn{ID: uint64(i + 2)}, nil, r.port)
		b := []byte("GET /silent HTTP/1.1\r\n\r\n")
		r.handed += uint64(len(b))
		p.Data(capture.Mark{}, capture.Client, b)
		r.balance()
		others = append(others, p)
		if n, _ := r.pool.Held(); n > 50 {
			t.Fatalf("%d exchanges open", n)
		}
		if i%100 == 0 { // good traffic goes on
			r.send(c("GET /good HTTP/1.1\r\n\r\n"))
			r.send(s(ok))
		}
	}
	if got := r.port.UnansweredBy[capture.ReasonEvicted]; got != 950 {
		t.Errorf("%d evicted, want 950", got)
	}
	// A late response to an evicted request is not paired with a later one.
	p, next := others[0], uint64(24)
	data := func(from capture.Side, at capture.Mark, b string) {
		r.handed += uint64(len(b))
		p.Data(at, from, []byte(b))
		r.balance()
	}
	data(capture.Client, capture.Mark{Offset: next}, "GET /second HTTP/1.1\r\n\r\n")
	data(capture.Server, capture.Mark{Acked: next + 24}, "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n")
	data(capture.Server, capture.Mark{Offset: 37, Acked: next + 24}, "HTTP/1.1 202 x\r\nContent-Length: 0\r\n\r\n")
	for _, p := range others {
		p.End(capture.Mark{}, capture.Client, capture.ReasonFIN)
		p.End(capture.Mark{}, capture.Server, capture.ReasonFIN)
		r.balance()
	}
	good, second := 0, ""
	for _, line := range r.run() {
		if strings.HasPrefix(line, "GET /good 0/22 > 200") {
			good++
		}
		if strings.HasPrefix(line, "GET /second") {
			second = line
		}
	}
	if good != 10 || second != "GET /second 0/24 > 202 0/37" {
		t.Errorf("%d good exchanges, second %q", good, second)
	}
}

func TestBufferBudget(t *testing.T) {
	r := newRig(t, Config{MaxBuffered: 64 << 10}, false)
	var others []*Parser
	for i := range 300 { // slow heads
		p := r.pool.Open(&capture.Conn{ID: uint64(i + 2)}, nil, r.port)
		b := []byte("GET /slow HTTP/1.1\r\nX: " + filler(4000*(i%2))) // a long line, and a short one
		r.handed += uint64(len(b))
		p.Data(capture.Mark{}, capture.Client, b)
		r.balance()
		others = append(others, p)
	}
	if r.pool.buffered > 64<<10 {
		t.Errorf("%d bytes buffered", r.pool.buffered)
	}
	if r.port.ParseErrors[capture.ReasonEvicted] == 0 {
		t.Error("nothing was refused")
	}
	for _, p := range others {
		p.End(capture.Mark{}, capture.Server, capture.ReasonTimedOut)
		p.End(capture.Mark{}, capture.Client, capture.ReasonTimedOut)
		r.balance()
	}
	r.run(c("GET /a HTTP/1.1\r\n\r\n"), s(ok))
}

// TestTextBudget has requests that are there grow, on many connections at once.
func TestTextBudget(t *testing.T) {
	const bound = 256 << 10
	r := newRig(t, Config{MaxText: bound}, false)
	data := func(p *Parser, at int, b string) {
		r.handed += uint64(len(b))
		p.Data(capture.Mark{Offset: uint64(at)}, capture.Client, []byte(b))
		r.balance()
		if r.pool.text > bound {
			t.Fatalf("%d bytes of text held", r.pool.text)
		}
	}
	const line = "GET /a HTTP/1.1\r\n"
	var others []*Parser
	for i := range 500 {
		others = append(others, r.pool.Open(&capture.Conn{ID: uint64(i + 2)}, nil, r.port))
		data(others[i], 0, line)
	}
	agent := "User-Agent: " + filler(240) + "\r\n"
	fields := strings.Repeat(agent, 20) + "Host: " + filler(250) + "\r\ntracestate: a=" + filler(400) + "\r\n" +
		agent + "tracestate: b=" + filler(80) + "\r\n" + "traceparent: " + filler(120) + "\r\n"
	for _, p := range others {
		data(p, len(line), fields)
	}
	if r.port.UnansweredBy[capture.ReasonEvicted] != 0 {
		t.Error("a request counts whose head never ended")
	}
	for i, p := range others {
		data(p, len(line)+len(fields), "\r\n")
		first := capture.Side(i % 2)
		p.End(capture.Mark{}, first, capture.ReasonReset)
		p.End(capture.Mark{}, first.Other(), capture.ReasonReset)
		r.balance()
	}
	if r.port.UnansweredBy[capture.ReasonEvicted] == 0 || r.pool.text != 0 {
		t.Errorf("%d requests were evicted, %d bytes of text are left", r.port.UnansweredBy[capture.ReasonEvicted], r.pool.text)
	}
	r.run(c("GET /a HTTP/1.1\r\n\r\n"), s(ok))
}

// TestFirstAgentHolds: a field that comes again and again takes no memory.
func TestFirstAgentHolds(t *testing.T) {
	r := newRig(t, Config{}, false)
	r.send(c("GET /a HTTP/1.1\r\nUser-Agent: one\r\n" + strings.Repeat("User-Agent: "+filler(200)+"\r\n", 200)))
	if r.pool.text > keptText {
		t.Errorf("%d bytes of text held", r.pool.text)
	}
	r.run(c("\r\n"), s(ok))
	for _, o := range r.book.Batch.Observations {
		if e, ok := o.(*capture.Exchange); ok && string(e.UserAgent) != "one" {
			t.Errorf("User-Agent %q", e.UserAgent)
		}
	}
}

func TestBodyLookalike(t *testing.T) {
	inner := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nGET /inner HTTP/1.1\r\nHost: x\r\n\r\n"
	body := []packet{}
	n := 0
	for range 20 {
		body = append(body, s(inner))
		n += len(inner)
	}
	script := append([]packet{ask(10, "", ""), reply(10, fmt.Sprintf("Content-Length: %d\r\n", n), "")}, body...)
	up := []packet{ask(11, fmt.Sprintf("Content-Length: %d\r\n", n), "")}
	for range 20 {
		up = append(up, c(inner))
	}
	script = append(append(script, up...), reply(11, "Content-Length: 0\r\n", ""))
	got := newRig(t, Config{}, false).run(script...)
	if len(got) != 2 {
		t.Errorf("%d observations: %v", len(got), got)
	}
	// The same without a length, and with each of its packets lost: no more than two, ever.
	for lost := range script {
		holed := append([]packet(nil), script...)
		holed[lost].lost = true
		for _, line := range newRig(t, Config{}, false).run(holed...) {
			if strings.Contains(line, "inner") || strings.HasPrefix(line, "GET") && status(line) == 200 {
				t.Errorf("packet %d lost: invented %q", lost, line)
			}
		}
	}
}

func TestUnparsedPackets(t *testing.T) {
	r := newRig(t, Config{}, false)
	r.run(
		c("GET /a HTTP/1.1\r\nUpgrade: x\r\n\r\n"), s("HTTP/1.1 101 x\r\n\r\n"+"tail"),
		c("12345"), s("123"))
	if got, want := r.port.Unparsed[capture.ReasonUpgraded], (capture.Tally{Packets: 2, Bytes: 12}); got != want {
		t.Errorf("upgraded %+v, want %+v", got, want)
	}
	r = newRig(t, Config{}, false)
	r.run(
		c("GET /a HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"), s("HTTP/1.1 101 x\r\n\r\n"),
		c(http2Preface+"settings"), s("settings"))
	if got, want := r.port.Unparsed[capture.ReasonHTTP2], (capture.Tally{Packets: 2, Bytes: 40}); got != want || r.port.Unparsed[capture.ReasonUpgraded] != (capture.Tally{}) {
		t.Errorf("HTTP/2 %+v, want %+v", got, want)
	}
	r = newRig(t, Config{}, false)
	r.run(c("nonsense\r\n"), c("more nonsense"), c("and more"))
	if got, want := r.port.Unparsed[capture.ReasonBadStartLine], (capture.Tally{Packets: 1, Bytes: 10}); got != want {
		t.Errorf("bad_start_line %+v, want %+v", got, want)
	}
	if got, want := r.port.Unparsed[capture.ReasonDesync], (capture.Tally{Packets: 2, Bytes: 21}); got != want {
		t.Errorf("desync %+v, want %+v", got, want)
	}
}
