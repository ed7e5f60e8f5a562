package diagnosis

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// TestInformation: what happens to healthy applications, too, is told as
// information, and what does not as a warning.
func TestInformation(t *testing.T) {
	cut := func(cause capture.Cause, n int) func(*world) {
		return func(w *world) {
			for range n {
				w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Cause: cause, Status: 200, Error: capture.ReasonResponseTruncated})
			}
		}
	}
	reset := func(by capture.Side, n int) func(*world) {
		return func(w *world) {
			for range n {
				w.tree.Observe(&capture.ConnReset{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, By: by, Phase: capture.PhaseResponse})
			}
		}
	}
	refused := func(server string, role capture.Role, opened uint64) func(*world) {
		return func(w *world) {
			w.fail(server, role, capture.ReasonRefused, 1, 3)
			w.port(endpoint(server).Port, capture.TCP, capture.RoleBoth).Conns += opened
		}
	}
	vanish := func(role capture.Role, side capture.Side) func(*world) {
		return func(w *world) {
			for range 2 {
				w.tree.Observe(&capture.ConnStuck{Conn: capture.Conn{Client: endpoint("10.0.0.9:40000"), Server: endpoint("10.0.0.1:8080"), Role: role}, Side: side,
					Kind: capture.StuckStalled, Cause: capture.CauseRetransmissionTimeout, Waited: 6 * time.Second, Attempts: 4})
			}
		}
	}
	closed := func(w *world) {
		w.snap.TCP.ZeroWindow[capture.Receive]++
		w.snap.TCP.ZeroWindowTime[capture.Receive] += 65e8
	}
	for _, tt := range []struct {
		id, what string
		each     func(*world) // in each window, beside 50 requests that are answered
		want     Severity
		says     string
	}{
		{"DIR-06", "clients leave streams", cut(capture.CauseClosedByClient, 9), Info, "9 responses and 0 requests on port 8080 (inbound) were cut before their end (9 by the client itself; 0 by a reset)."},
		{"DIR-06", "clients reset streams", cut(capture.CauseResetByClient, 9), Info, ""},
		{"DIR-06", "the server cuts", cut(capture.CauseClosedByServer, 9), Warning, ""},
		{"DIR-06", "the server cuts, and clients more", func(w *world) { cut(capture.CauseResetByServer, 3)(w); cut(capture.CauseClosedByClient, 30)(w) }, Warning, ""},
		{"DIR-06", "the server cuts three of a thousand", func(w *world) { w.requests(8080, capture.RoleServer, 1000); cut(capture.CauseClosedByServer, 3)(w) }, Info, ""},
		{"NET-RST-01", "clients cancel", func(w *world) { reset(capture.Client, 20)(w); reset(capture.Server, 1)(w) }, Info, ""},
		{"NET-RST-01", "the server resets", reset(capture.Server, 5), Warning, ""},
		{"NET-RST-01", "both reset", func(w *world) { reset(capture.Client, 20)(w); reset(capture.Server, 5)(w) }, Warning, ""},
		{"NET-SYN-02", "localhost is ::1 and 127.0.0.1", refused("[::1]:80", capture.RoleBoth, 3), Info, "::1 port 80 refused 3 connects: no listener; 3 others over loopback succeeded."},
		{"NET-SYN-02", "more is refused over loopback than succeeds", refused("[::1]:80", capture.RoleBoth, 2), Warning, "2 others over loopback succeeded"},
		{"NET-SYN-02", "another host refuses", refused("10.9.9.9:80", capture.RoleClient, 30), Warning, "no listener."},
		{"QUAL-06", "padding is cut", func(w *world) { w.snap.Truncated[eth0] += 9 }, Info, "9 frames on eth0 were cut by the capture (0 bytes of TCP payload are gone)."},
		{"QUAL-06", "payload is cut", func(w *world) { w.snap.Truncated[eth0] += 9; w.snap.Ledger[capture.BytesCut] += 900 }, Warning, "(900 bytes of TCP payload are gone)."},
		{"NET-STALL-01", "clients vanish", vanish(capture.RoleServer, capture.Server), Info, "2 connections on port 8080 (inbound) stalled: the client 10.0.0.9 did not acknowledge 0 bytes that were sent again 4 times in 6 s."},
		{"NET-STALL-01", "a server that is called vanishes", vanish(capture.RoleClient, capture.Client), Warning, "the server 10.0.0.1 did not"},
		{"NET-STALL-01", "a server here does not hear its clients", vanish(capture.RoleServer, capture.Client), Warning, "the server 10.0.0.1 did not"},
		{"NET-ZWIN-01", "clients read slowly", closed, Info, "The peers"},
		{"NET-ZWIN-01", "what is called reads slowly", func(w *world) { w.requests(9000, capture.RoleClient, 90); closed(w) }, Warning, "The peers"},
	} {
		w := newWorld(t)
		w.run(3, func(w *world) { w.healthy(); tt.each(w) })
		f, held := w.held(tt.id)
		if !held || f.Severity != tt.want || !strings.Contains(f.Body, tt.says) {
			t.Errorf("%s, %s: %v %s %q, want %s with %q", tt.id, tt.what, held, f.Severity, f.Body, tt.want, tt.says)
		}
		for _, f := range w.tree.Final(w.now, w.input()) {
			if f.ID == tt.id && f.Severity != tt.want {
				t.Errorf("%s, %s: %s at the end, want %s", tt.id, tt.what, f.Severity, tt.want)
			}
		}
	}
}

// TestUsualPathMTU: the one error that teaches the MTU of a path is information,
// in a file too.
func TestUsualPathMTU(t *testing.T) {
	for n, want := range map[int]Severity{1: Info, 2: Info, 3: Warning} {
		w := newWorld(t)
		w.tick(0)
		w.healthy()
		w.icmp(n, capture.IPv4, 3, 4, "10.0.0.254", "10.9.9.9:443", capture.TCP)
		final := w.tree.Final(w.now.Add(2*time.Second), w.input())
		if i := slices.IndexFunc(final, func(f Finding) bool { return f.ID == "NET-MTU-01" }); i < 0 || final[i].Severity != want {
			t.Errorf("%d errors: %v, want %s", n, final, want)
		}
	}
}

// TestRefusedHere: who asks for the listener of this namespace itself is not
// sent to the cluster.
func TestRefusedHere(t *testing.T) {
	for server, want := range map[string]string{
		"127.0.0.1:81": "ss -ltn 'sport = :81'",
		"10.0.0.1:81":  "ss -ltn 'sport = :81'",
		"10.9.9.9:81":  "kubectl get pods -o wide | grep -F 10.9.9.9; kubectl get endpointslices -A | grep -F 10.9.9.9; ss -ltn 'sport = :81'   # on 10.9.9.9",
	} {
		role := capture.RoleBoth
		if server == "10.9.9.9:81" {
			role = capture.RoleClient
		}
		w := newWorld(t)
		w.run(1, func(w *world) { w.healthy(); w.fail(server, role, capture.ReasonRefused, 1, 3) })
		if f, _ := w.held("NET-SYN-02"); f.Remedy.Command != want {
			t.Errorf("%s: %q, want %q", server, f.Remedy.Command, want)
		}
	}
}

// TestEndsAfterItsApplication: a sidecar that outlives its application does not
// say that nobody listens on what was served until then.
func TestEndsAfterItsApplication(t *testing.T) {
	w := newWorld(t)
	w.run(3, (*world).healthy)
	w.listen()
	w.fail("10.0.0.1:8080", capture.RoleServer, capture.ReasonRefused, 1, 9)
	for _, f := range w.tree.Final(w.now.Add(time.Second), w.input()) {
		if f.Severity > Info {
			t.Errorf("%s %s", f.ID, f.Body)
		}
	}
}

// TestEndedFirst: requests that wait when the capture ends are told at the end
// alone, and where nothing more exact can be said.
func TestEndedFirst(t *testing.T) {
	for _, tt := range []struct {
		what  string
		cause func(*world)
		want  string
	}{
		{"requests of one side", func(w *world) { w.unanswered(80, capture.ReasonShutdown, 2).OneWay[capture.Client] += 2 }, "2 requests on port 80 (inbound) still waited for a response when the capture ended; not one packet of the server's was captured."},
		{"a request that was acknowledged", func(w *world) { w.unanswered(80, capture.ReasonShutdown, 1) }, "1 request on port 80 (inbound) still waited for a response when the capture ended."},
		{"one was answered", func(w *world) { w.unanswered(8080, capture.ReasonShutdown, 2); w.requests(8080, capture.RoleServer, 1) }, ""},
		{"one was not answered in time", func(w *world) {
			w.unanswered(80, capture.ReasonShutdown, 2)
			w.unanswered(80, capture.ReasonTimedOut, 1)
		}, ""},
		{"one side is hidden", func(w *world) { w.unanswered(80, capture.ReasonShutdown, 6).OneWay[capture.Client] += 6 }, ""},
		{"one side is hidden, and acknowledged", func(w *world) {
			p := w.unanswered(80, capture.ReasonShutdown, 1)
			p.OneWay[capture.Client]++
			p.Gaps++
		}, ""},
	} {
		w := newWorld(t)
		w.run(3, tt.cause)
		if f, held := w.held("DIR-09"); held {
			t.Errorf("%s: raised before the end: %s", tt.what, f.Body)
		}
		w = newWorld(t)
		w.tick(0)
		tt.cause(w)
		final := w.tree.Final(w.now.Add(time.Second), w.input())
		i := slices.IndexFunc(final, func(f Finding) bool { return f.ID == "DIR-09" })
		if got := i >= 0; got != (tt.want != "") || got && final[i].Body != tt.want {
			t.Errorf("%s: %v, want %q", tt.what, final, tt.want)
		}
		if hidden := slices.ContainsFunc(final, func(f Finding) bool { return f.ID == "DIR-01" }); hidden != strings.Contains(tt.what, "hidden") {
			t.Errorf("%s: DIR-01 %v", tt.what, hidden)
		}
	}
}

// TestCommandsFitTheSource: what is looked at is called again as it was.
func TestCommandsFitTheSource(t *testing.T) {
	for _, live := range []bool{true, false} {
		w := newWorld(t)
		want := "wiretell run --filter 'not port 9000'"
		if !live {
			w.file("x.pcap")
			want = "wiretell read FILE --filter 'not port 9000'"
		}
		w.tick(0)
		w.unparsed(9000, capture.TCP, capture.RoleUnknown, capture.ReasonUnknownProtocol, 20)
		final := w.tree.Final(w.now.Add(time.Second), w.input())
		i := slices.IndexFunc(final, func(f Finding) bool { return f.ID == "PROTO-03" })
		if i < 0 || final[i].Remedy.Command != want {
			t.Errorf("live %v: %v, want %q", live, final, want)
		}
	}
}

// TestLongRun: what would be too little in a window is no finding of a run that
// lasted for many.
func TestLongRun(t *testing.T) {
	for _, tt := range []struct {
		id    string
		cause func(*world)
	}{
		{"DIR-06", func(w *world) {
			w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Status: 200, Error: capture.ReasonResponseTruncated})
		}},
		{"NET-DNS-01", func(w *world) { w.lookup(0, "10.0.0.9", "typo.example", capture.RCodeNXDomain) }},
		{"NET-SYN-02", func(w *world) { w.fail("10.9.9.9:80", capture.RoleClient, capture.ReasonRefused, 1, 1) }},
	} {
		for windows, want := range map[int]bool{0: true, 4: false} {
			w := newWorld(t)
			w.tick(0)
			w.healthy()
			tt.cause(w)
			w.run(windows, (*world).healthy)
			final := w.tree.Final(w.now.Add(10*time.Second), w.input())
			if got := slices.ContainsFunc(final, func(f Finding) bool { return f.ID == tt.id }); got != want {
				t.Errorf("%s once, in a run of %d windows and 10 s: found %v, want %v", tt.id, windows, got, want)
			}
		}
	}
}

// TestInformationIsNoCaveat: packets that are seen twice leave nothing out.
func TestInformationIsNoCaveat(t *testing.T) {
	for id, cause := range map[string]func(*world){
		"QUAL-13": func(w *world) { w.snap.TCP.Ignored[capture.Receive][capture.IgnoredCopy] += 50 },
		"QUAL-07": func(w *world) { w.snap.Ledger[capture.Gaps] += 9; w.snap.Ledger[capture.GapBytes] += 90000 },
	} {
		w := newWorld(t)
		w.run(4, func(w *world) { w.healthy(); w.hello(8443, capture.RoleServer, "shop.example"); cause(w) })
		f, _ := w.held("TLS-01")
		if _, held := w.held(id); !held || slices.Contains(f.Caveats, id) != (id == "QUAL-07") {
			t.Errorf("%s holds: %v; caveats of TLS-01: %q", id, held, f.Caveats)
		}
	}
}
