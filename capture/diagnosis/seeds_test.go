package diagnosis

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// holds fails unless exactly the given leaves hold.
func (w *world) holds(want ...string) {
	w.t.Helper()
	slices.Sort(want)
	if got := ids(w.holding); !slices.Equal(got, want) {
		w.t.Errorf("holding %v, want %v", got, want)
	}
}

// never fails if one of the given leaves was ever published.
func (w *world) never(unwanted ...string) {
	w.t.Helper()
	for _, f := range w.findings {
		if slices.Contains(unwanted, f.ID) {
			w.t.Errorf("%s was %s: %s", f.ID, f.State, f.Body)
			return
		}
	}
}

// The tests below are cases in which a tree that judges by totals, or by the
// first cause that fits, goes wrong.

func TestHealthChecksDoNotHideTLS(t *testing.T) {
	w := newWorld(t)
	w.listen("[::]:8080", "[::]:8443")
	w.run(6, func(w *world) {
		w.requests(8080, capture.RoleServer, 30).Probes += 30
		w.hello(8443, capture.RoleServer, "shop.example")
	})
	w.holds("TLS-01")
	w.never("NONE-06")
}

func TestNothingIsNotTheFiltersFault(t *testing.T) {
	for _, filter := range []string{"", "tcp port 8080"} {
		idle := newWorld(t)
		idle.facts.FilterExpr = filter
		idle.run(10, nothing)
		idle.holds("NONE-01")
		idle.never("FILT-01")

		blind := newWorld(t)
		blind.facts.FilterExpr = filter
		blind.run(10, func(w *world) { w.device("eth0", 500); w.kernel.TCP.InSegs += 250 })
		blind.holds("NONE-02")
		blind.never("FILT-01", "NONE-01")
	}
}

// TestLoopbackIsNotIdle: a pod whose only traffic is on lo is alive.
func TestLoopbackIsNotIdle(t *testing.T) {
	w := newWorld(t)
	w.run(4, func(w *world) { w.frames(lo, capture.FrameTCP, 20); w.snap.Ledger[capture.BytesSeen] += 10 })
	w.never("NONE-01", "NONE-02")
}

func (w *world) dns(n uint64) {
	w.unparsed(53, capture.UDP, capture.RoleClient, capture.ReasonDNS, n)
}

func TestDNSIsNotUnparsedTCP(t *testing.T) {
	w := newWorld(t)
	w.run(6, func(w *world) { w.healthy(); w.dns(200) })
	w.holds("OK-00")
}

func TestFilterThatLeavesOutAllHTTPWhileDNSFlows(t *testing.T) {
	w := newWorld(t)
	w.facts.FilterExpr = "port 53"
	w.run(6, func(w *world) {
		w.dns(20)
		w.frames(eth0, capture.FrameFiltered, 90)
		w.port(8080, capture.TCP, capture.RoleServer).Filtered.Add(60, 6000)
		w.port(5432, capture.TCP, capture.RoleClient).Filtered.Add(30, 3000)
	})
	w.holds("FILT-01")
	f, _ := w.held("FILT-01")
	if want := "The filter (port 53) matches none of 90 TCP packets; most are on port 8080, 5432."; f.Body != want {
		t.Errorf("body %q, want %q", f.Body, want)
	}
	if want := "wiretell run --port 8080"; f.Remedy.Command != want {
		t.Errorf("command %q, want %q", f.Remedy.Command, want)
	}
}

func TestFilterOnTheServicesPort(t *testing.T) {
	w := newWorld(t)
	w.facts.FilterPorts = []uint16{80}
	w.run(6, func(w *world) {
		w.frames(eth0, capture.FrameFiltered, 90)
		w.port(8080, capture.TCP, capture.RoleServer).Filtered.Add(90, 9000)
	})
	w.holds("FILT-01", "FILT-02")
	f, _ := w.held("FILT-02")
	if !strings.Contains(f.Body, "Nothing listens on 80 here; listening: 8080.") || !strings.HasPrefix(f.Remedy.Command, "wiretell run --port 8080") {
		t.Errorf("%q, %q", f.Body, f.Remedy.Command)
	}
}

// TestFilterBesideAMesh: the port to filter for is the application's, not the
// proxy's, which packets never carry.
func TestFilterBesideAMesh(t *testing.T) {
	for _, tt := range []struct{ app, unused, redirected string }{
		{"[::]:9090", "wiretell run --port 9090; kubectl", "ss -ltn; wiretell run --port 9090"},
		{"127.0.0.1:9090", "wiretell run --port 9090; kubectl", "ss -ltn; wiretell run --port 9090"},
		{"[::]:4191", "kubectl", "ss -ltn"}, // the proxy is all there is
	} {
		w := newWorld(t)
		w.listen("0.0.0.0:4140", "0.0.0.0:4143", tt.app)
		w.facts.FilterPorts = []uint16{80, 4143}
		w.run(6, (*world).healthy)
		unused, _ := w.held("FILT-02")
		redirected, _ := w.held("FILT-04")
		if !strings.HasPrefix(unused.Remedy.Command, tt.unused) || redirected.Remedy.Command != tt.redirected {
			t.Errorf("the application at %s: %q, %q", tt.app, unused.Remedy.Command, redirected.Remedy.Command)
		}
	}
}

// TestOutboundFilter: a filter for calls out names a port of others.
func TestOutboundFilter(t *testing.T) {
	w := newWorld(t)
	w.facts.FilterPorts = []uint16{9200}
	w.run(6, func(w *world) { w.requests(9200, capture.RoleClient, 40) })
	w.never("FILT-02", "FILT-01")
}

func TestRequestsWithoutResponses(t *testing.T) {
	w := newWorld(t)
	w.run(4, func(w *world) { w.unanswered(8080, capture.ReasonTimedOut, 10) })
	w.holds("DIR-02")
	f, _ := w.held("DIR-02")
	if want := "The server on port 8080 (inbound) sent nothing in answer to 10 of 10 requests (0 closed, 0 reset, 10 timed out, 0 given up by the client)."; f.Body != want {
		t.Errorf("%q", f.Body)
	}
}

func TestOnlyTLS(t *testing.T) {
	w := newWorld(t)
	w.listen("[::]:8443")
	w.run(6, func(w *world) { w.hello(8443, capture.RoleServer, "shop.example") })
	w.holds("TLS-01")
	s := Summarize(w.input(), w.tree.Final(w.now, w.input()))
	if s.Useful || !strings.HasPrefix(s.Text, "wiretell: no HTTP request or response was seen.") || !strings.Contains(s.Text, "warning TLS-01: Port 8443 (inbound) is TLS 1.3 for shop.example") {
		t.Errorf("useful %v:\n%s", s.Useful, s.Text)
	}
}

// Two causes at once are two findings.
func TestTwoLeavesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.run(4, func(w *world) {
		w.healthy()
		w.unanswered(8080, capture.ReasonReset, 5)
		w.hello(8443, capture.RoleServer, "a.example")
		w.hello(9443, capture.RoleServer, "b.example")
		w.unparsed(6379, capture.TCP, capture.RoleClient, capture.ReasonUnknownProtocol, 40)
		w.fail("10.9.9.9:5432", capture.RoleClient, capture.ReasonRefused, 1, 5)
	})
	w.holds("DIR-02", "NET-SYN-02", "PROTO-03", "TLS-01")
	if n := len(w.holding); n != 5 {
		t.Errorf("%d findings hold, want 5 (TLS on two ports)", n)
	}
}

// The tests below are causes that look alike and must stay silent.

func TestAnHourOfHealth(t *testing.T) {
	w := newWorld(t)
	w.run(120, (*world).healthy)
	w.holds("OK-00")
	for _, f := range w.findings {
		if f.ID != "OK-00" || f.State == Changed || f.State == Cleared {
			t.Errorf("%s was %s: %s", f.ID, f.State, f.Body)
		}
	}
	if n := len(w.findings); n != 6 { // raised, then five heartbeats in an hour
		t.Errorf("%d records in an hour of health, want 6", n)
	}
}

func TestAnHourOfSilence(t *testing.T) {
	w := newWorld(t)
	w.run(120, nothing)
	w.holds("NONE-01")
	if n := len(w.findings); n != 6 {
		t.Errorf("%d records in an hour of silence, want 6", n)
	}
}

// TestSparseTraffic: a TLS call and a request every five minutes must not
// raise and clear all the time.
func TestSparseTraffic(t *testing.T) {
	w := newWorld(t)
	i := 0
	w.run(120, func(w *world) {
		w.frames(eth0, capture.FrameARP, 2)
		w.frames(eth0, capture.FrameUDP, 2)
		if i%10 == 0 {
			w.requests(8080, capture.RoleServer, 1)
			w.hello(443, capture.RoleClient, "api.example")
		}
		i++
	})
	w.holds("OK-00", "TLS-02")
	for _, f := range w.findings {
		if f.State == Cleared || f.ID != "OK-00" && f.ID != "TLS-02" {
			t.Errorf("%s was %s: %s", f.ID, f.State, f.Body)
		}
	}
}

func TestOneBadWindowIsNoFinding(t *testing.T) {
	w := newWorld(t)
	w.run(5, (*world).healthy)
	w.run(1, func(w *world) { w.requests(8080, capture.RoleServer, 900); w.kernel.TCP.InSegs += 200 }) // the two figures were read apart
	w.run(1, func(w *world) { w.requests(8080, capture.RoleServer, 1000); w.kernel.TCP.InSegs -= 200 })
	w.run(1, func(w *world) { w.snap.LagMax = 2e9; w.healthy() })
	w.snap.LagMax = 0
	w.run(1, nothing)
	w.run(5, (*world).healthy)
	w.never("QUAL-05", "QUAL-04", "NONE-01")
}

func TestRareFailuresAreNoFinding(t *testing.T) {
	w := newWorld(t)
	w.run(8, func(w *world) {
		w.requests(8080, capture.RoleServer, 5000)
		w.unanswered(8080, capture.ReasonReset, 2)                                                 // 0.04 %
		w.port(8080, capture.TCP, capture.RoleServer).ParseErrors[capture.ReasonBadStartLine] += 4 // 0.04 %
		w.snap.Source.Rings[1].Drops++                                                             // 0.005 %
		w.snap.Source.Rings[1].Packets++
		w.snap.Ledger[capture.Gaps]++
		w.fail("10.9.9.9:5432", capture.RoleClient, capture.ReasonRefused, 1, 1)
		w.unparsed(8080, capture.TCP, capture.RoleServer, capture.ReasonUnknownProtocol, 2)
	})
	w.holds() // nor is it healthy: requests were reset
	// Many rare failures of a long run are rare, too. That a peer refused is told
	// at the end, however often.
	for _, f := range w.tree.Final(w.now+second, w.input()) {
		if f.ID != "NET-SYN-02" {
			t.Errorf("%s holds at the end: %s", f.ID, f.Body)
		}
	}
}

// TestScanner: somebody tries many ports once.
func TestScanner(t *testing.T) {
	w := newWorld(t)
	w.run(4, func(w *world) {
		w.healthy()
		for port := range uint16(300) {
			w.tree.Observe(&capture.ConnFailed{Conn: capture.Conn{
				Client: endpoint("10.0.0.66:40000"),
				Server: capture.EndpointOf(netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), 20000+port)), Role: capture.RoleServer}, Why: capture.ReasonRefused, Attempts: 1})
		}
	})
	w.never("NET-SYN-04", "NET-SYN-05")
}

func TestFirstMinute(t *testing.T) {
	w := newWorld(t)
	w.tick(0)
	w.healthy()
	p := w.port(8080, capture.TCP, capture.RoleServer)
	p.Orphans += 5
	p.Responses[capture.ProtocolHTTP1] += 5
	w.tick(30 * time.Second)
	w.run(4, (*world).healthy)
	w.never("DIR-05")
}

func TestRequestsInFlightAtTheEnd(t *testing.T) {
	w := newWorld(t)
	w.run(1, (*world).healthy)
	w.unanswered(8080, capture.ReasonShutdown, 5)
	for _, f := range w.tree.Final(w.now+second, w.input()) {
		if f.ID != "OK-00" {
			t.Errorf("%s holds: %s", f.ID, f.Body)
		}
	}
}

func TestCollectorRollout(t *testing.T) {
	w := newWorld(t)
	w.exports = []ExportHealth{{Exporter: "otlp", Signal: "logs", Endpoint: "c:4317", Protocol: "grpc"}}
	w.tick(0)
	w.healthy()
	for i := range 12 {
		w.exports[0].Failing = i == 5 || i == 6 || i == 9
		w.exports[0].FailingAt = w.now
		w.exports[0].LastError = "dial tcp: connect: connection refused"
		w.tick(4 * time.Second)
	}
	w.never("EXP-01")
	w.exports[0].Failing, w.exports[0].FailingAt = true, w.now
	for range 4 {
		w.tick(4 * time.Second)
	}
	if f, ok := w.held("EXP-01"); !ok || !strings.Contains(f.Body, "c:4317") {
		t.Errorf("not raised after 16 s: %v", ids(w.holding))
	}
}

// TestFilteredFramesAreCutOnPurpose: what the filter rejects is cut to its headers.
func TestFilteredFramesAreCutOnPurpose(t *testing.T) {
	w := newWorld(t)
	w.facts.FilterPorts = []uint16{8080}
	w.run(4, func(w *world) {
		w.healthy()
		w.frames(eth0, capture.FrameFiltered, 50)
		w.snap.Truncated[eth0] += 50
	})
	w.holds("OK-00")
}

// TestLostNamespace: the interface goes away while wiretell runs.
func TestLostNamespace(t *testing.T) {
	w := newWorld(t)
	w.run(3, (*world).healthy)
	w.kernel.Interfaces = w.kernel.Interfaces[:1]
	w.run(1, nothing)
	f, ok := w.held("ENV-03")
	if !ok || f.Severity != Error {
		t.Fatalf("held %v, severity %s", ok, f.Severity)
	}
	evidenceIs(t, &f, map[string]any{"lost": true})
}

// TestUnprovedPermission: without /proc/self/status the usual cause is likely.
func TestUnprovedPermission(t *testing.T) {
	w := newWorld(t)
	w.facts.Err = fmt.Errorf("open ring: %w", errPermission)
	w.kernel = nil
	w.tick(0)
	w.holds("PERM-01")
	if f, _ := w.held("PERM-01"); f.Confidence != Likely {
		t.Errorf("confidence %s, want likely", f.Confidence)
	}
}
