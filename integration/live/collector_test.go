package live

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
	"github.com/wiretell/wiretell/integration/peers"
)

// collected is what a Collector has written so far.
func collected(c *peers.Collector) *output {
	out := newOutput()
	out.addSpans(c.Spans())
	out.addLogs(c.Logs())
	out.addMetrics(c.Metrics())
	return out
}

// exported returns what wiretell says it exported of a signal.
func exported(out *output, signal, outcome string) int {
	return int(out.sum("wiretell.export.records", "wiretell.export.signal", signal, "wiretell.export.outcome", outcome))
}

// withCollector runs a Collector and wiretell in the server's namespace.
func withCollector(t *testing.T, env ...string) (*peers.Collector, *process, *traffic) {
	t.Helper()
	server, client := netnstest.New(t), netnstest.New(t)
	link := netnstest.Connect(t, client, server)
	quietLinks(t, server, client)
	c := peers.StartCollector(t, peers.CollectorOptions{In: server.Do})
	env = append([]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + c.GRPC, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
		"OTEL_SERVICE_NAME=shop", "OTEL_METRIC_EXPORT_INTERVAL=1000",
	}, env...)
	w := start(t, server, env, "run", "--ring-mib", "64", "--diagnosis-window", "2s")
	return c, w, serve(t, server, client, link.B)
}

// TestCollectorGetsAll runs the traffic of [TestEveryExchangeIsOneSpan] against
// a real Collector: what it wrote is what wiretell says it exported.
func TestCollectorGetsAll(t *testing.T) {
	c, w, tr := withCollector(t)
	tr.exchanges(0, 10_000, 50, true)
	time.Sleep(300 * time.Millisecond)
	w.stop()
	c.WaitFor(10*time.Second, "all spans", func() bool { return c.Spans().SpanCount() >= 10_000 })
	out := collected(c)
	checkSpans(t, tr, out, 10_000)
	checkBooks(t, out)
	checkHandedOn(t, out)
	// The export went over lo in the same namespace, and is no traffic.
	if n := out.sum("wiretell.ledger", "wiretell.ledger.line", "frames", "wiretell.reason", "own_export"); n == 0 {
		t.Error("no frame was told to be wiretell's own export")
	}
	for _, s := range out.spans {
		if attr(s, "network.interface.name") == "lo" {
			t.Fatalf("a span of wiretell's own export: %s", attr(s, "url.path"))
		}
	}
}

// checkHandedOn compares what wiretell says it exported with what the Collector
// wrote: all of it. The last metrics were made before they were sent themselves:
// what they say of spans and logs is final, as those were sent before.
func checkHandedOn(t *testing.T, out *output) {
	t.Helper()
	if got := exported(out, "traces", "exported"); got != len(out.spans) {
		t.Errorf("wiretell exported %d spans, the Collector has %d", got, len(out.spans))
	}
	if got := exported(out, "logs", "exported"); got != len(out.logs) {
		t.Errorf("wiretell exported %d log records, the Collector has %d", got, len(out.logs))
	}
	if n := exported(out, "traces", "dropped") + exported(out, "logs", "dropped"); n != 0 {
		t.Errorf("%d records were dropped", n)
	}
}

// TestCollectorAway stops the Collector for 20 s under load: nothing is lost.
func TestCollectorAway(t *testing.T) {
	c, w, tr := withCollector(t)
	tr.exchanges(0, 500, 10, true)
	c.WaitFor(20*time.Second, "the first spans", func() bool { return c.Spans().SpanCount() >= 500 })
	c.Stop()
	id := 500
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); id += 250 {
		tr.exchanges(id, 250, 10, true)
		time.Sleep(500 * time.Millisecond)
	}
	c.Start()
	tr.exchanges(id, 250, 10, true)
	id += 250
	c.WaitFor(40*time.Second, "the spans of the outage", func() bool { return c.Spans().SpanCount() >= id })
	w.stop()
	out := collected(c)
	checkSpans(t, tr, out, id)
	if n := exported(out, "traces", "dropped") + exported(out, "logs", "dropped"); n != 0 {
		t.Errorf("%d records were dropped", n)
	}
	if !diagnosed(out, "EXP-01") {
		t.Error("the outage was not diagnosed (EXP-01)")
	}
}

// TestCollectorAwayBeyondTheBudget gives wiretell a queue that cannot hold the
// outage: what is lost is counted, diagnosed, and memory stays bounded.
func TestCollectorAwayBeyondTheBudget(t *testing.T) {
	c, w, tr := withCollector(t, "WIRETELL_QUEUE_BYTES=262144")
	tr.exchanges(0, 200, 10, true)
	c.WaitFor(20*time.Second, "the first spans", func() bool { return c.Spans().SpanCount() >= 200 })
	c.Stop()
	id := 200
	var peak int64
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); id += 1000 {
		tr.exchanges(id, 1000, 20, true)
		peak = max(peak, w.rss())
	}
	c.Start()
	over := id
	c.WaitFor(40*time.Second, "a span after the outage", func() bool {
		tr.exchanges(id, 10, 1, true)
		id += 10
		return hasSpanFrom(c.Spans(), over)
	})
	time.Sleep(3 * time.Second) // a window of the diagnosis, a collection of metrics
	w.stop()
	out := collected(c)
	dropped, sent := exported(out, "traces", "dropped"), exported(out, "traces", "exported")
	if dropped == 0 {
		t.Error("no span was dropped: the outage did not exceed the budget")
	}
	if len(out.spans) != sent || sent+dropped != id {
		t.Errorf("%d exchanges: %d exported, %d dropped, and the Collector has %d", id, sent, dropped, len(out.spans))
	}
	for _, leaf := range []string{"EXP-01", "EXP-05"} {
		if !diagnosed(out, leaf) {
			t.Errorf("no finding %s", leaf)
		}
	}
	if limit := int64(56 << 20); peak > limit {
		t.Errorf("%d MiB of memory during the outage, the bound is %d", peak>>20, limit>>20)
	}
	t.Logf("%d exchanges, %d dropped, peak RssAnon %d MiB", id, dropped, peak>>20)
}

// diagnosed reports whether the finding was published as a log record.
func diagnosed(out *output, id string) bool {
	for _, l := range out.logs {
		if v, ok := l.Attributes().Get("wiretell.diagnosis.id"); ok && v.AsString() == id {
			return true
		}
	}
	return false
}

// hasSpanFrom reports whether there is a span of the exchange with the given
// number or of a later one.
func hasSpanFrom(td ptrace.Traces, first int) bool {
	out := newOutput()
	out.addSpans(td)
	for _, s := range out.spans {
		if n, err := strconv.Atoi(strings.TrimPrefix(attr(s, "url.path"), "/")); err == nil && n >= first {
			return true
		}
	}
	return false
}

// TestCollectorTiesErrors has a request hit by a reset and one by an ICMP error:
// what a Collector wrote has both as log records of the trace and the span.
func TestCollectorTiesErrors(t *testing.T) {
	needNFT(t)
	server, client := netnstest.New(t), netnstest.New(t)
	link := netnstest.Connect(t, client, server)
	c := peers.StartCollector(t, peers.CollectorOptions{In: server.Do})
	w := start(t, server, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + c.GRPC, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, "run")
	// The client's host turns the first of the response away; what is sent again passes.
	loadNFT(t, client, `table inet errors {
	chain input {
		type filter hook input priority 0
		tcp sport 9002 tcp flags & psh == psh limit rate 1/hour burst 1 packets reject with icmpx type admin-prohibited
	}
}`)
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	came := make(chan struct{})
	call := func(path string, port uint16, read, serve func(*end)) {
		p := &errorPath{t: t, client: client, server: server}
		at := netip.AddrPortFrom(link.B, port)
		l := p.listen(at)
		defer l.Close()
		server := &end{p: p, name: path, at: at}
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn, err := l.Accept()
			if err != nil {
				server.check(err)
				return
			}
			server.run(conn.(*net.TCPConn), serve)
		}()
		conn, err := p.dial(&errorCase{}, at)
		if err != nil {
			t.Fatal(err)
		}
		(&end{p: p, name: path, at: at}).run(conn, func(e *end) {
			e.say(traced(path, trace))
			read(e)
		})
		<-done
	}
	call("reset", 9001, (*end).ended, func(e *end) { e.hear(traced("reset", trace)); e.reset() })
	call("icmp", 9002, func(e *end) { e.hear(answer[:20]); close(came); e.hear(answer[20:]) }, func(e *end) {
		e.hear(traced("icmp", trace))
		e.say(answer[:20])
		<-came
		e.say(answer[20:])
		e.ended()
	})
	c.WaitFor(20*time.Second, "both spans and their records", func() bool {
		return c.Spans().SpanCount() >= 2 && len(eventLines(collected(c))) >= 3
	})
	w.stop()
	out := collected(c)
	hit := map[string][]string{} // by path
	for _, s := range out.spans {
		if s.TraceID().String() != trace {
			t.Errorf("the span of %s is in trace %s", attr(s, "url.path"), s.TraceID())
		}
		for _, l := range out.logs {
			if l.TraceID() == s.TraceID() && l.SpanID() == s.SpanID() {
				hit[attr(s, "url.path")] = append(hit[attr(s, "url.path")], l.EventName())
			}
		}
	}
	for path, want := range map[string][]string{
		"/reset": {"wiretell.http.exchange_incomplete", "wiretell.tcp.reset"},
		"/icmp":  {"wiretell.icmp.error"},
	} {
		slices.Sort(hit[path])
		if !slices.Equal(hit[path], want) {
			t.Errorf("the span of %s has the records %q, want %q", path, hit[path], want)
		}
	}
	if lines := eventLines(out); len(lines) != 3 || len(out.spans) != 2 {
		t.Errorf("%d spans, and the events\n%s", len(out.spans), strings.Join(lines, "\n"))
	}
}

// traced is a request that a client's SDK has put into a trace.
func traced(path, trace string) string {
	return "GET /" + path + " HTTP/1.1\r\nHost: shop\r\ntraceparent: 00-" + trace + "-00f067aa0ba902b7-01\r\n\r\n"
}
