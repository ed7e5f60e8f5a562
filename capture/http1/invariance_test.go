package http1

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// conversations hold one of everything that frames a message.
func conversations() map[string][]packet {
	all := lossScripts()
	all["until close"] = []packet{
		ask(10, "", ""), reply(10, "", filler(50)), s(filler(20)), fin(capture.Server),
	}
	all["upgrade"] = []packet{
		ask(10, "Connection: Upgrade\r\nUpgrade: websocket\r\n", ""),
		s("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), s("\x81\x05hello"), c("\x81\x85abcdefghi"),
	}
	all["connect"] = []packet{
		c("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"),
		s("HTTP/1.1 200 Connection established\r\n\r\n"), c("\x16\x03\x01GET / HTTP/1.1\r\nHost: x\r\n\r\n"), s("HTTP/1.1 404 x\r\n\r\n"),
	}
	all["lf and folds"] = []packet{
		c("\r\n\nGET /10 HTTP/1.1\nHost: h\nX: a\n b\n\n"), s("HTTP/1.1 210 OK\nContent-Length: 2\n\nok"),
	}
	all["refused"] = []packet{
		c("GET /10 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"), s("HTTP/1.1 400 x\r\nContent-Length: 0\r\n\r\n"),
	}
	all["early answer"] = []packet{
		c("POST /10 HTTP/1.1\r\nHost: h\r\nContent-Length: 400\r\n\r\n" + filler(100)),
		s("HTTP/1.1 413 x\r\nContent-Length: 0\r\n\r\n"), c(filler(300)),
	}
	return all
}

// cut returns the script with every segment cut at the places that at tells.
func cut(script []packet, at func(packet, int) bool) []packet {
	var out []packet
	for _, p := range script {
		from := 0
		for i := 1; i < len(p.data); i++ {
			if at(p, i) {
				out = append(out, packet{from: p.from, data: p.data[from:i]})
				from = i
			}
		}
		p.data = p.data[from:]
		out = append(out, p)
	}
	return out
}

// glue joins neighbouring segments of one side.
func glue(script []packet) []packet {
	var out []packet
	for _, p := range script {
		if n := len(out); n > 0 && out[n-1].from == p.from && out[n-1].end == capture.ReasonNone {
			out[n-1].data += p.data
			out[n-1].end = p.end
			continue
		}
		out = append(out, p)
	}
	return out
}

func TestSegmentationChangesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, script := range conversations() {
		want := strings.Join(newRig(t, Config{}, false).run(script...), "\n")
		check := func(how string, changed []packet) {
			t.Helper()
			if got := strings.Join(newRig(t, Config{}, false).run(changed...), "\n"); got != want {
				t.Errorf("%s, %s:\n%s\nwant:\n%s", name, how, got, want)
			}
		}
		check("single bytes", cut(script, func(packet, int) bool { return true }))
		check("glued", glue(script))
		for i, p := range script { // each segment cut in two at each place
			for j := 1; j < len(p.data); j++ {
				changed := append([]packet(nil), script[:i]...)
				changed = append(changed, packet{from: p.from, data: p.data[:j]}, packet{from: p.from, data: p.data[j:], end: p.end})
				check("cut", append(changed, script[i+1:]...))
			}
		}
		for range 20 {
			check("random cuts", cut(script, func(packet, int) bool { return random.IntN(7) == 0 }))
		}
	}
}

func TestCountersDoNotNeedABatch(t *testing.T) {
	for name, script := range conversations() {
		with, without := newRig(t, Config{}, false), newRig(t, Config{}, false)
		without.book.Batch = nil
		with.run(script...)
		for _, p := range script {
			without.send(p)
		}
		without.end(capture.Client, capture.ReasonFIN)
		without.end(capture.Server, capture.ReasonFIN)
		if with.book.Ledger != without.book.Ledger || *with.port != *without.port {
			t.Errorf("%s: counters differ without a batch", name)
		}
	}
}

// TestJoinedMidstream begins each conversation at each segment: what is found
// must be what is found when the whole is seen.
func TestJoinedMidstream(t *testing.T) {
	for name, script := range conversations() {
		whole := map[string]bool{}
		for _, line := range newRig(t, Config{}, false).run(script...) {
			whole[line] = true
		}
		for i := 1; i < len(script); i++ {
			if name == "lookalike" && strings.HasPrefix(script[i].data, "GET /99") || strings.HasPrefix(script[i].data, "HTTP/1.1 999") {
				continue // no one could tell
			}
			if name == "pipelined" || name == "window of two" || name == "connect" {
				continue // requests before the capture have their responses in it, and a tunnel looks like what it carries
			}
			for _, line := range newRig(t, Config{}, true).run(script[i:]...) {
				if strings.HasPrefix(line, "error") || strings.ContainsAny(line, "!~") && !strings.Contains(line, "GET /99") && !strings.Contains(line, "> 999") {
					continue
				}
				if !whole[line] {
					t.Errorf("%s from %d on: invented %q", name, i, line)
				}
			}
		}
	}
}
