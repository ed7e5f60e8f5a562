package diagnosis

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

var errPermission error = syscall.EPERM

func states(fs []Finding, id string) (out []string) {
	for _, f := range fs {
		if f.ID == id {
			out = append(out, f.State.String())
		}
	}
	return out
}

// TestStates follows one finding through its life.
func TestStates(t *testing.T) {
	w := newWorld(t)
	both := func(w *world) { w.healthy(); w.hello(8443, capture.RoleServer, "a.example") }
	w.run(1, both)
	since := w.now
	w.run(1, both)
	if got := states(w.findings, "TLS-01"); !slices.Equal(got, []string{"raised"}) {
		t.Fatalf("%v after two windows: numbers alone are no news", got)
	}
	w.run(1, func(w *world) { both(w); w.hello(8443, capture.RoleServer, "b.example") })
	if got := states(w.findings, "TLS-01"); !slices.Equal(got, []string{"raised", "changed"}) {
		t.Fatalf("%v after a new name", got)
	}
	w.run(20, both) // ten minutes
	if got := states(w.findings, "TLS-01"); !slices.Equal(got, []string{"raised", "changed", "holding"}) {
		t.Fatalf("%v after ten minutes", got)
	}
	w.run(1, func(w *world) { w.requests(8443, capture.RoleServer, 5) })
	if _, held := w.held("TLS-01"); !held {
		t.Fatal("cleared after one window, want two")
	}
	w.run(1, func(w *world) { w.requests(8443, capture.RoleServer, 5) })
	last := w.findings[len(w.findings)-1]
	for _, f := range w.findings {
		if f.ID == "TLS-01" {
			last = f
		}
	}
	if last.State != Cleared || last.Since != since || last.At != w.now {
		t.Errorf("%s, since %d, at %d; want cleared, %d, %d", last.State, last.Since, last.At, since, w.now)
	}
	if want := []string{"Did packets arrive? yes", "Could they be read? no: TLS", "Who listens? this pod"}; !slices.Equal(last.Path, want) {
		t.Errorf("path %q", last.Path)
	}
}

// TestWindowsNotTicks: ticks between the ends of windows neither raise nor
// clear what counts windows.
func TestWindowsNotTicks(t *testing.T) {
	w := newWorld(t)
	w.tick(0)
	w.hello(8443, capture.RoleServer, "a.example")
	for range 29 {
		w.tick(time.Second)
	}
	w.holds()
	w.tick(time.Second)
	w.holds("TLS-01")
	for range 59 {
		w.requests(8443, capture.RoleServer, 1)
		w.tick(time.Second)
	}
	if _, held := w.held("TLS-01"); !held {
		t.Error("cleared before two windows had ended")
	}
	w.tick(time.Second)
	if _, held := w.held("TLS-01"); held {
		t.Error("not cleared after two windows")
	}
}

// TestQuiet: windows that prove nothing keep a finding, but not for ever.
func TestQuiet(t *testing.T) {
	w := newWorld(t)
	w.run(1, func(w *world) { w.healthy(); w.hello(8443, capture.RoleServer, "a.example") })
	w.run(20, (*world).healthy)
	if _, held := w.held("TLS-01"); !held {
		t.Error("let go too soon")
	}
	w.run(1, (*world).healthy)
	if _, held := w.held("TLS-01"); held {
		t.Error("not let go after 21 quiet windows")
	}
	w.run(1, func(w *world) { w.healthy(); w.hello(8443, capture.RoleServer, "a.example") })
	if got := states(w.findings, "TLS-01"); !slices.Equal(got[len(got)-2:], []string{"cleared", "raised"}) {
		t.Errorf("%v", got)
	}
}

func TestPermissionSuppressesWhatIsBelow(t *testing.T) {
	w := newWorld(t)
	w.run(2, func(w *world) { w.hello(8443, capture.RoleServer, "a.example"); w.kernel.TCPExt.ListenOverflows++ })
	w.holds("TLS-01", "NET-SYN-06")
	denied(syscall.EPERM, false, false)(w)
	w.run(1, func(w *world) { w.device("eth0", 1000); w.kernel.TCP.InSegs += 500; w.kernel.TCPExt.ListenOverflows++ })
	w.holds("PERM-01", "NET-SYN-06") // what the kernel says holds even when blind
	failing("", "connection refused", "grpc")(w)
	w.tick(time.Second)
	w.holds("PERM-01", "NET-SYN-06", "EXP-01")
}

// TestPermissionSuppressesTheEnvironment: where capture is forbidden, what is
// wrong with the interfaces explains nothing; where it ended it may.
func TestPermissionSuppressesTheEnvironment(t *testing.T) {
	for _, tt := range []struct {
		err  syscall.Errno
		want []string
	}{
		{syscall.EPERM, []string{"PERM-01"}},
		{syscall.EAFNOSUPPORT, []string{"PERM-04"}},
		{syscall.ENETDOWN, []string{"PERM-06", "ENV-01", "ENV-03", "ENV-06"}},
	} {
		w := newWorld(t)
		denied(tt.err, false, false)(w)
		w.kernel.Interface("eth0").Up = false
		w.facts.Interfaces, w.facts.Missing = []string{"net1"}, []string{"net1"}
		w.kernel.Sockets[capture.SocketEstablished] = 1
		w.kernel.Established = []capture.SocketPair{{Local: endpoint("10.0.0.1:8080"), Remote: endpoint("10.0.0.2:5000")}}
		w.run(2, nothing)
		w.holds(tt.want...)
	}
}

// TestFinalSaysNothingTwice: what was published in the second before the end is
// only said again when it has changed.
func TestFinalSaysNothingTwice(t *testing.T) {
	for _, tt := range []struct {
		after  capture.Time
		change bool
		want   []string
	}{
		{0, false, nil}, {second - 1, false, nil}, {second, false, []string{"PERM-02 holding"}}, {0, true, []string{"PERM-02 holding"}},
	} {
		w := newWorld(t)
		denied(syscall.EPERM, true, false)(w)
		w.tick(0)
		w.holds("PERM-02")
		if tt.change {
			w.kernel.Process.NoNewPrivs = true
		}
		final := w.tree.Final(w.now+tt.after, w.input())
		if len(final) != 1 || final[0].State != Holding {
			t.Errorf("at the end %v hold", final)
		}
		var got []string
		for _, f := range Unsaid(final) {
			got = append(got, f.ID+" "+f.State.String())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%+v: said %q", tt, got)
		}
	}
}

func TestCaveats(t *testing.T) {
	w := newWorld(t)
	drop := func(w *world) {
		w.healthy()
		w.unanswered(8080, capture.ReasonTimedOut, 5)
		w.snap.Source.Rings[1].Drops += 100
		w.snap.Source.Rings[1].Packets += 100
	}
	w.run(1, func(w *world) { w.healthy(); w.unanswered(8080, capture.ReasonTimedOut, 5) })
	if f, _ := w.held("DIR-02"); len(f.Caveats) != 0 {
		t.Errorf("caveats %v without a quality finding", f.Caveats)
	}
	w.run(1, drop)
	f, _ := w.held("DIR-02")
	if !slices.Equal(f.Caveats, []string{"QUAL-01"}) || f.State != Changed {
		t.Errorf("%s with caveats %v, want changed with QUAL-01", f.State, f.Caveats)
	}
	if q, _ := w.held("QUAL-01"); len(q.Caveats) != 0 || q.Severity != Error {
		t.Errorf("QUAL-01: caveats %v, severity %s; want none, error as a third was lost", q.Caveats, q.Severity)
	}
	// What the kernel itself counts does not rest on captured packets.
	w.run(1, func(w *world) { drop(w); w.kernel.TCPExt.ListenOverflows++ })
	if f, held := w.held("NET-SYN-06"); !held || len(f.Caveats) != 0 {
		t.Errorf("NET-SYN-06: held %v, caveats %v", held, f.Caveats)
	}
	w.run(3, func(w *world) { w.healthy(); w.unanswered(8080, capture.ReasonTimedOut, 5) })
	if f, _ := w.held("DIR-02"); len(f.Caveats) != 0 {
		t.Errorf("caveats %v after the drops have ended", f.Caveats)
	}
}

// TestOneSideIsACaveat: a connect without answer says little where the answers of
// other connections are hidden as well.
func TestOneSideIsACaveat(t *testing.T) {
	w := newWorld(t)
	w.run(2, func(w *world) {
		w.unanswered(8080, capture.ReasonShutdown, 9).OneWay[capture.Client] += 9
		for range 5 {
			w.tree.Observe(&capture.ConnFailed{Conn: capture.Conn{Server: endpoint("10.0.0.9:5432"), Role: capture.RoleClient}, Why: capture.ReasonTimedOut, Attempts: 3})
		}
	})
	if f, held := w.held("NET-SYN-01"); !held || !slices.Equal(f.Caveats, []string{"DIR-01"}) {
		t.Errorf("NET-SYN-01: held %v, caveats %v, want DIR-01", held, f.Caveats)
	}
	if f, held := w.held("DIR-01"); !held || len(f.Caveats) != 0 {
		t.Errorf("DIR-01: held %v, caveats %v, want none", held, f.Caveats)
	}
}

// TestFinalKeepsWhatHolds: what held in the last window is told at the end even
// where it is little over the whole run; that the pod was idle lately is not.
func TestFinalKeepsWhatHolds(t *testing.T) {
	w := newWorld(t)
	w.run(10, func(w *world) { w.requests(8080, capture.RoleServer, 5000) })
	w.run(1, func(w *world) {
		w.requests(8080, capture.RoleServer, 100)
		w.unanswered(8080, capture.ReasonTimedOut, 9)
	})
	w.run(2, nothing)
	w.holds("DIR-02", "NONE-01")
	var got []string
	for _, f := range w.tree.Final(w.now+second, w.input()) {
		got = append(got, f.ID+" "+f.State.String())
	}
	if want := []string{"DIR-02 holding"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCountersThatBeginAnew: a table that was reset is no growth.
func TestCountersThatBeginAnew(t *testing.T) {
	w := newWorld(t)
	w.kernel.TCP.InSegs, w.kernel.TCPExt.ListenOverflows = 1<<40, 1<<40
	w.run(2, (*world).healthy)
	w.kernel.TCP.InSegs, w.kernel.TCPExt.ListenOverflows = 0, 0
	w.run(2, (*world).healthy)
	w.holds("OK-00")
}

func TestCoverage(t *testing.T) {
	w := newWorld(t)
	w.kernel.TCP.InSegs = 5000 // before the capture
	w.tick(0)
	if _, ok := w.tree.Coverage(w.input()); ok {
		t.Error("a coverage of nothing")
	}
	w.requests(8080, capture.RoleServer, 100)
	w.kernel.TCP.InSegs += 50
	if share, ok := w.tree.Coverage(w.input()); !ok || share != 0.8 {
		t.Errorf("coverage %v, %v; want 0.8", share, ok)
	}
}

// TestBounds floods the tree with peers, ports and names.
func TestBounds(t *testing.T) {
	w := newWorld(t)
	w.run(3, func(w *world) {
		w.healthy()
		for i := range 20_000 {
			a := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
			c := capture.Conn{Server: capture.EndpointOf(netip.AddrPortFrom(a, uint16(i))), Role: capture.RoleClient}
			w.tree.Observe(&capture.ConnFailed{Conn: c, Why: capture.ReasonTimedOut, Attempts: 3})
			w.tree.Observe(&capture.TLSHello{Conn: c, From: capture.Client, SNI: []byte(fmt.Sprintf("n%d.example", i))})
			c.Server.Port = 443
			w.tree.Observe(&capture.TLSHello{Conn: c, From: capture.Client, SNI: []byte(strings.Repeat(fmt.Sprint(i), 500)), ALPN: []byte(fmt.Sprint("p", i))})
		}
	})
	o := w.tree.seen
	if len(o.ports) > maxSeenPorts || len(o.failures.order) > maxFailures || len(o.failures.byKey) > maxFailures {
		t.Errorf("%d ports, %d failures", len(o.ports), len(o.failures.order))
	}
	for _, p := range o.ports {
		if len(p.names) > maxNames || len(p.alpn) > maxNames {
			t.Errorf("%d names, %d protocols", len(p.names), len(p.alpn))
		}
		for _, n := range p.names {
			if len(n) > maxNameBytes {
				t.Errorf("a name of %d bytes", len(n))
			}
		}
	}
	for i := range w.tree.entries {
		if n := len(w.tree.entries[i]); n > 64 {
			t.Errorf("%s has %d subjects", w.tree.leaves[i].ID, n)
		}
	}
	f, _ := w.held("CARD-01")
	for _, name := range []string{"beyond", "unlisted"} {
		if !slices.ContainsFunc(f.Evidence, func(e Evidence) bool { return e.Key == name }) {
			t.Errorf("%s is not told: %s", name, f.Body)
		}
	}
	// The flood over, its peers are forgotten.
	w.run(25, (*world).healthy)
	if len(o.failures.order) != 0 || len(o.failures.byKey) != 0 {
		t.Errorf("%d failures are remembered for ever", len(o.failures.order))
	}
}

// TestNamesAreClean: bytes of the wire do not reach a terminal as they are.
func TestNamesAreClean(t *testing.T) {
	w := newWorld(t)
	w.run(1, func(w *world) { w.healthy(); w.hello(8443, capture.RoleServer, "a\x1b[31m\nb\xff\x00") })
	f, _ := w.held("TLS-01")
	if strings.ContainsAny(f.Body, "\x1b\n\x00") || strings.Contains(f.Body, "\xff") || !strings.Contains(f.Body, "a?[31m?b??") {
		t.Errorf("%q", f.Body)
	}
}

// TestDeterministic runs the same world twice.
func TestDeterministic(t *testing.T) {
	run := func() ([]Finding, Summary) {
		w := newWorld(t)
		w.exports = []ExportHealth{{Exporter: "otlp", Signal: "traces", Dropped: map[string]uint64{}}}
		w.run(5, func(w *world) {
			w.healthy()
			for i := range 40 {
				w.hello(uint16(9000+i), capture.RoleServer, fmt.Sprintf("n%d.example", i%7))
				w.fail(fmt.Sprintf("10.2.0.%d:5432", i), capture.RoleClient, capture.ReasonTimedOut, 3, 2)
				w.exports[0].Dropped[fmt.Sprintf("reason_%d", i%9)]++
			}
		})
		final := w.tree.Final(w.now, w.input())
		return append(w.findings, final...), Summarize(w.input(), final)
	}
	a, sa := run()
	b, sb := run()
	if !reflect.DeepEqual(a, b) || sa != sb {
		t.Error("two runs of the same differ")
	}
	if len(a) < 80 {
		t.Errorf("only %d findings", len(a))
	}
}

func TestSummary(t *testing.T) {
	w := newWorld(t)
	w.run(3, nothing)
	w.facts.RoutingNotes = []string{"signals go to standard output"}
	s := Summarize(w.input(), w.tree.Final(w.now, w.input()))
	want := `wiretell: no HTTP request or response was seen. 0 packets read, 0 requests, 0 responses.
  warning NONE-01: No packet crossed in 90 s; the interfaces' own counters agree (0), so the capture itself works.
    remedy: Send a test request, and check that the Service has this pod among its endpoints.
      $ kubectl exec POD -- wget -qO- http://localhost:PORT/; kubectl get endpointslices -l kubernetes.io/service-name=SERVICE
  note: signals go to standard output
`
	if s.Text != want || s.Useful || s.Worst != Warning {
		t.Errorf("useful %v, worst %s:\n%s", s.Useful, s.Worst, s.Text)
	}

	w = newWorld(t)
	w.file("empty.pcap")
	s = Summarize(w.input(), w.tree.Final(w.now, w.input()))
	if !strings.Contains(s.Text, "warning NONE-01: No packet crossed: the capture file empty.pcap holds none.\n") || s.Useful {
		t.Errorf("%s", s.Text)
	}

	w = newWorld(t)
	w.run(2, (*world).healthy)
	s = Summarize(w.input(), w.tree.Final(w.now, w.input()))
	if want := "wiretell: 400 packets read, 100 requests, 100 responses.\n  info OK-00: Healthy: 100 requests and 100 responses on port 8080, 0 drops, coverage 100 %.\n"; s.Text != want || !s.Useful || s.Worst != Info {
		t.Errorf("%s", s.Text)
	}

	w = newWorld(t)
	denied(syscall.EPERM, false, false)(w)
	s = Summarize(w.input(), w.tree.Final(w.now, w.input()))
	for _, want := range []string{"no HTTP request or response was seen. Nothing was captured.\n", "error PERM-01: ", "      |     add: [NET_RAW]\n"} {
		if !strings.Contains(s.Text, want) {
			t.Errorf("%q is missing in:\n%s", want, s.Text)
		}
	}
	if s.Worst != Error {
		t.Errorf("worst %s", s.Worst)
	}
}

// TestUnexplained: whatever the counters are, an empty result is not passed over.
func TestUnexplained(t *testing.T) {
	w := newWorld(t)
	w.file("odd.pcap")
	w.snap.Ledger[capture.FramesRead] = 1
	w.snap.Ledger[capture.FrameDuplicate] = 1
	for _, test := range []struct {
		final bool
		want  string
	}{{true, "No leaf of the tree explains why"}, {false, "No finding says why yet"}} {
		w.snap.Final = test.final
		s := Summarize(w.input(), w.tree.Final(w.now, w.input()))
		if s.Useful || !strings.Contains(s.Text, test.want) {
			t.Errorf("final %t: %s", test.final, s.Text)
		}
	}
}

func TestBeforeTheFirstSnapshot(t *testing.T) {
	tree := New(Config{})
	for i := range 5 {
		if out := tree.Tick(capture.Time(i)*31*second, Input{Capture: CaptureFacts{Live: true}}); len(out) != 0 {
			t.Errorf("%s: %s", out[0].ID, out[0].Body)
		}
	}
}

func TestTickAllocations(t *testing.T) {
	w := busy(t, 100)
	in := w.input()
	w.tree.Tick(w.now, in)
	now := w.now
	// Between the ends of windows only what is true at once is looked at.
	n := testing.AllocsPerRun(100, func() { now += second / 1000; w.tree.Tick(now, in) })
	if n > 30 {
		t.Errorf("%.0f allocations for a tick within a window", n)
	}
}

// busy returns a world with n ports, each with something to say.
func busy(t testing.TB, n int) *world {
	w := newWorld(t)
	w.tick(0)
	w.churn(n)
	w.tick(30 * time.Second)
	return w
}

func (w *world) churn(n int) {
	w.healthy()
	for i := range n {
		port := uint16(9000 + i)
		switch i % 4 {
		case 0:
			w.hello(port, capture.RoleServer, "a.example")
		case 1:
			w.unanswered(port, capture.ReasonTimedOut, 5)
		case 2:
			w.unparsed(port, capture.TCP, capture.RoleClient, capture.ReasonUnknownProtocol, 20)
		default:
			w.requests(port, capture.RoleServer, 20)
		}
	}
}

// BenchmarkTick evaluates a whole window over 100 ports of which three quarters
// have a finding.
func BenchmarkTick(b *testing.B) {
	w := busy(b, 100)
	in := w.input()
	b.ReportAllocs()
	for b.Loop() {
		w.churn(100)
		w.now = w.now.Add(30 * time.Second)
		w.tree.Tick(w.now, in)
	}
}

// BenchmarkTickWithinWindow is what is paid between the ends of windows.
func BenchmarkTickWithinWindow(b *testing.B) {
	w := busy(b, 100)
	in := w.input()
	b.ReportAllocs()
	for b.Loop() {
		w.now++
		w.tree.windowStart = w.now
		w.tree.Tick(w.now, in)
	}
}
