package live

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

func itoa(n int) string { return strconv.Itoa(n) }
func atoi(s string) int { n, _ := strconv.Atoi(s); return n }

// TestEveryExchangeIsOneSpan makes 10,000 exchanges over 50 connections that
// are kept alive, and as many with a connection each, and wants every one as
// exactly one span with the truth in it.
func TestEveryExchangeIsOneSpan(t *testing.T) {
	for _, c := range []struct {
		name      string
		keepAlive bool
	}{{"keep-alive", true}, {"connection per request", false}} {
		t.Run(c.name, func(t *testing.T) {
			server, client := netnstest.New(t), netnstest.New(t)
			link := netnstest.Connect(t, client, server)
			quietLinks(t, server, client)
			file := filepath.Join(t.TempDir(), "telemetry.jsonl")
			before := linkPackets(t, server, link.Name)
			w := start(t, server, nil, "run", "--otlp-json", file, "--ring-mib", "64")
			tr := serve(t, server, client, link.B)
			tr.exchanges(0, 10_000, 50, c.keepAlive)
			time.Sleep(300 * time.Millisecond) // the last FINs
			w.stop()
			after := linkPackets(t, server, link.Name)
			out := readJSON(t, file)
			checkSpans(t, tr, out, 10_000)
			checkBooks(t, out)
			if n := out.sum("wiretell.capture.drops"); n != 0 {
				t.Errorf("the kernel dropped %d frames", n)
			}
			// What the interface carried is what was read.
			if got, want := out.sum("wiretell.packets", "network.interface.name", link.Name), int64(after-before); got != want {
				t.Errorf("%d packets counted, the interface's own counters grew by %d", got, want)
			}
		})
	}
}

// quietLinks keeps the kernel from sending what no test asked for (neighbour
// and multicast discovery), so that counters can be compared exactly.
func quietLinks(t *testing.T, spaces ...*netnstest.NS) {
	t.Helper()
	for _, ns := range spaces {
		ns.Must(t, func() error { return writeSysctl("net/ipv6/conf/all/disable_ipv6", "1") })
	}
	time.Sleep(200 * time.Millisecond)
}

// linkPackets returns how many packets the interface has received and sent.
func linkPackets(t *testing.T, ns *netnstest.NS, name string) uint64 {
	t.Helper()
	s := ns.Link(t, name).Attrs().Statistics
	return s.RxPackets + s.TxPackets
}

// checkSpans compares spans with what client and server know.
func checkSpans(t *testing.T, tr *traffic, out *output, want int) {
	t.Helper()
	seen := map[int]int{}
	bad := 0
	wrong := func(format string, args ...any) {
		if bad++; bad <= 10 {
			t.Errorf(format, args...)
		}
	}
	for _, s := range out.spans {
		path, _ := s.Attributes().Get("url.path")
		id := atoi(path.AsString()[1:])
		seen[id]++
		e := tr.done[id]
		if e == nil {
			wrong("span for %s, which nobody served", path.AsString())
			continue
		}
		if got := attr(s, "http.request.method"); got != e.method {
			wrong("exchange %d: method %s, want %s", id, got, e.method)
		}
		if got := atoi(attr(s, "http.response.status_code")); got != e.status {
			wrong("exchange %d: status %d, want %d", id, got, e.status)
		}
		if got := atoi(attr(s, "http.request.body.size")); got != e.requestBody {
			wrong("exchange %d: request body %d, want %d", id, got, e.requestBody)
		}
		if got := atoi(attr(s, "http.response.body.size")); got != e.respBody {
			wrong("exchange %d: response body %d, want %d", id, got, e.respBody)
		}
		if s.Kind() != ptrace.SpanKindServer {
			wrong("exchange %d: kind %v", id, s.Kind())
		}
		if begin, end := s.StartTimestamp().AsTime(), s.EndTimestamp().AsTime(); begin.After(e.entered) || end.Before(e.answered) {
			wrong("exchange %d: the span, %v to %v, does not contain the server's %v to %v", id, begin, end, e.entered.UTC(), e.answered.UTC())
		}
	}
	for id := range want {
		if seen[id] != 1 {
			wrong("exchange %d became %d spans", id, seen[id])
		}
	}
	if bad > 0 {
		t.Errorf("%d mistakes in %d spans", bad, len(out.spans))
	}
}

func attr(s ptrace.Span, key string) string {
	v, ok := s.Attributes().Get(key)
	if !ok {
		return ""
	}
	return v.AsString()
}

// checkBooks wants a balanced ledger that agrees with the kernel's counters.
func checkBooks(t *testing.T, out *output) {
	t.Helper()
	if len(out.metrics["wiretell.ledger"]) == 0 {
		t.Fatal("no ledger was exported")
	}
	if n := out.sum("wiretell.ledger.imbalance"); n != 0 {
		t.Errorf("the ledger is out of balance by %d", n)
	}
	read := out.sum("wiretell.ledger.expected", "wiretell.ledger.line", "frames")
	kernel, drops := out.sum("wiretell.capture.packets"), out.sum("wiretell.capture.drops")
	if read == 0 || kernel != read+drops {
		t.Errorf("the kernel counted %d frames, %d were read and %d dropped", kernel, read, drops)
	}
}
