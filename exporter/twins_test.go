package exporter_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/observer"
	"github.com/wiretell/wiretell/exporter"
	"github.com/wiretell/wiretell/exporter/text"
)

// leg is a connection with one exchange, of a pod whose address is 10.0.0.1.
type leg struct {
	client, server string
	back           string // where answers come from; "" is server
	from, to       int    // milliseconds at which request and response pass
	request        string // its first line, and fields
	status         string // "" for an answer that is a reset
}

// Ways of an exchange through a pod.
func (l leg) lines(n int) (out []string) {
	back := l.back
	if back == "" {
		back = l.server
	}
	seq, ack := 1000*n, 1000*n+500
	request := l.request + "\\r\\nHost: shop.example\\r\\n\\r\\n"
	size := len(strings.NewReplacer(`\r`, "r", `\n`, "n").Replace(request))
	add := func(us int, src, dst, flags string, seq, ack int, payload string) {
		out = append(out, fmt.Sprintf("%.6f %s > %s %s seq=%d ack=%d %s", float64(us)/1e6, src, dst, flags, seq, ack, payload))
	}
	at := 1000 * l.from
	add(at-300, l.client, l.server, "S", seq, 0, "")
	add(at-200, back, l.client, "SA", ack, seq+1, "")
	add(at-100, l.client, l.server, "A", seq+1, ack+1, "")
	add(at, l.client, l.server, "PA", seq+1, ack+1, `"`+request+`"`)
	if l.status == "" {
		add(1000*l.to, back, l.client, "RA", ack+1, seq+1+size, "")
		return out
	}
	add(1000*l.to, back, l.client, "PA", ack+1, seq+1+size, `"HTTP/1.1 `+l.status+` X\r\nContent-Length: 0\r\n\r\n"`)
	return out
}

// Ends of connections by what they are.
func wire(n, from, to int, status string) leg {
	return leg{fmt.Sprintf("10.0.0.7:%d", 40000+n), "10.0.0.1:8080", "", from, to, "GET /a HTTP/1.1", status}
}
func app(n, from, to int, status string) leg {
	return leg{fmt.Sprintf("127.0.0.6:%d", 50000+n), "10.0.0.1:8080", "", from, to, "GET /a HTTP/1.1", status}
}
func call(n, from, to int, status string) leg {
	return leg{fmt.Sprintf("10.0.0.1:%d", 41000+n), "127.0.0.1:15001", "10.0.0.9:80", from, to, "GET /a HTTP/1.1", status}
}
func called(n, from, to int, status string) leg {
	return leg{fmt.Sprintf("10.0.0.1:%d", 51000+n), "10.0.0.9:80", "", from, to, "GET /a HTTP/1.1", status}
}
func (l leg) with(field string) leg { l.request += "\\r\\n" + field; return l }

// observeLegs runs legs through the spine into one batch.
func observeLegs(t *testing.T, legs []leg) *capture.Batch {
	t.Helper()
	var lines []string
	for i, l := range legs {
		lines = append(lines, l.lines(i+1)...)
	}
	slices.SortStableFunc(lines, func(a, b string) int {
		var x, y float64
		fmt.Sscan(a, &x)
		fmt.Sscan(b, &y)
		return int((x - y) * 1e6)
	})
	path := filepath.Join(t.TempDir(), "script.txt")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n---\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := capturetest.ReadScript(path)
	if err != nil {
		t.Fatal(err)
	}
	b := new(capture.Batch)
	o := observer.New(observer.Config{
		Local: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("127.0.0.0/8")},
		Empty: func() *capture.Batch { return b }, Offer: func(*capture.Batch) bool { return true },
	}, capturetest.NewSource(s.Segments))
	if err := o.Run(); err != nil {
		t.Fatal(err)
	}
	for _, i := range o.Counters().Ledger.Check() {
		t.Error(i.Error())
	}
	return b
}

var words = regexp.MustCompile(`client=(\S+) server=(\S+).*? status=(\d+).*?(?: (mesh=.*))?$|client=(\S+) server=(\S+).*? error=(\w+).*?(?: (mesh=.*))?$`)

// exchangesOf prints the exchanges of b: client, server, status or error, and
// what the mesh makes of them.
func exchangesOf(t *testing.T, b *capture.Batch) (out []string) {
	t.Helper()
	var buf bytes.Buffer
	text.New(&buf).Export(b, nil)
	for line := range strings.Lines(buf.String()) {
		if strings.Contains(line, " exchange ") {
			m := words.FindStringSubmatch(strings.TrimSpace(line))
			if m == nil {
				t.Fatalf("no exchange: %s", line)
			}
			out = append(out, strings.TrimSpace(strings.Join(slices.DeleteFunc(m[1:], func(s string) bool { return s == "" }), " ")))
		}
	}
	return out
}

// TestTwins sends what passes a pod with a mesh's proxy through the spine.
func TestTwins(t *testing.T) {
	const trace1, trace2 = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "traceparent: 00-1bf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	const trace1proxy = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-00000000000000aa-01"
	w, a := "10.0.0.7:4000%d 10.0.0.1:8080 %s", "127.0.0.6:5000%d 10.0.0.1:8080 %s"
	c, d := "10.0.0.1:4100%d 127.0.0.1:15001 %s", "10.0.0.1:5100%d 10.0.0.9:80 %s"
	is := func(format string, n int, status, mesh string) string {
		return strings.TrimSpace(fmt.Sprintf(format, n, status) + " " + mesh)
	}
	const inApp, onWire = "mesh=application inner=true outer_conn=%d", "mesh=wire inner=true outer_conn=%d"
	for _, k := range []struct {
		name  string
		legs  []leg
		want  []string
		count capture.Twins
	}{
		{"inbound", []leg{wire(1, 10, 50, "200"), app(1, 20, 40, "200")},
			[]string{is(a, 1, "200", fmt.Sprintf(inApp, 1)), is(w, 1, "200", "mesh=wire")}, capture.Twins{Linked: 1}},
		{"outbound", []leg{call(1, 10, 50, "200"), called(1, 20, 40, "200")},
			[]string{is(d, 1, "200", fmt.Sprintf(onWire, 1)), is(c, 1, "200", "mesh=application")}, capture.Twins{Linked: 1}},
		{"both in turn", []leg{wire(1, 10, 90, "200"), app(1, 20, 80, "200"), call(2, 30, 60, "200"), called(2, 40, 50, "200")},
			[]string{is(d, 2, "200", fmt.Sprintf(onWire, 3)), is(c, 2, "200", "mesh=application"), is(a, 1, "200", fmt.Sprintf(inApp, 1)), is(w, 1, "200", "mesh=wire")}, capture.Twins{Linked: 2}},
		{"retry", []leg{call(1, 10, 90, "200"), called(1, 20, 30, "503"), called(2, 40, 80, "200")},
			[]string{is(d, 1, "503", fmt.Sprintf(onWire, 1)), is(d, 2, "200", fmt.Sprintf(onWire, 1)), is(c, 1, "200", "mesh=application")}, capture.Twins{Linked: 2}},
		{"retry after a reset", []leg{call(1, 10, 90, "200"), called(1, 20, 30, ""), called(2, 40, 80, "200")},
			[]string{is(d, 1, "reset", fmt.Sprintf(onWire, 1)), is(d, 2, "200", fmt.Sprintf(onWire, 1)), is(c, 1, "200", "mesh=application")}, capture.Twins{Linked: 2}},
		{"the proxy answers for who did not", []leg{wire(1, 10, 90, "503"), app(1, 20, 30, "")},
			[]string{is(a, 1, "reset", fmt.Sprintf(inApp, 1)), is(w, 1, "503", "mesh=wire")}, capture.Twins{Linked: 1}},
		{"the proxy answers by itself", []leg{wire(1, 10, 90, "503")}, []string{is(w, 1, "503", "")}, capture.Twins{}},
		{"encrypted on the wire", []leg{app(1, 20, 40, "200"), app(2, 50, 60, "200")},
			[]string{is(a, 1, "200", "mesh=application"), is(a, 2, "200", "mesh=application")}, capture.Twins{}},
		{"encrypted on the wire, outbound", []leg{call(1, 20, 40, "200")}, []string{is(c, 1, "200", "mesh=application")}, capture.Twins{}},
		{"no nesting", []leg{wire(1, 10, 50, "200"), app(1, 5, 40, "200")},
			[]string{is(w, 1, "200", ""), is(a, 1, "200", "mesh=application")}, capture.Twins{}},
		{"another target", []leg{wire(1, 10, 50, "200"), {"127.0.0.6:50001", "10.0.0.1:8080", "", 20, 40, "GET /b HTTP/1.1", "200"}},
			[]string{is(w, 1, "200", ""), is(a, 1, "200", "mesh=application")}, capture.Twins{}},
		{"another status", []leg{wire(1, 10, 50, "200"), app(1, 20, 40, "201")},
			[]string{is(w, 1, "200", ""), is(a, 1, "201", "mesh=application")}, capture.Twins{}},
		{"no mesh", []leg{wire(1, 10, 50, "200"), {"10.0.0.1:50001", "10.0.0.1:8080", "", 20, 40, "GET /a HTTP/1.1", "200"}, called(2, 20, 30, "200")},
			[]string{is(d, 2, "200", ""), "10.0.0.1:50001 10.0.0.1:8080 200", is(w, 1, "200", "")}, capture.Twins{}},
		{"one in the other", []leg{wire(1, 10, 90, "200"), wire(2, 30, 60, "200"), app(1, 20, 80, "200"), app(2, 40, 50, "200")},
			[]string{is(a, 2, "200", fmt.Sprintf(inApp, 3)), is(w, 2, "200", "mesh=wire"), is(a, 1, "200", fmt.Sprintf(inApp, 1)), is(w, 1, "200", "mesh=wire")}, capture.Twins{Linked: 2}},
		{"crossed", []leg{wire(1, 10, 80, "200"), wire(2, 12, 90, "200"), app(1, 20, 60, "200"), app(2, 30, 70, "200")},
			[]string{is(a, 1, "200", "mesh=application inner=true"), is(w, 1, "200", "mesh=wire"), is(a, 2, "200", fmt.Sprintf(inApp, 2)), is(w, 2, "200", "mesh=wire")}, capture.Twins{Linked: 1, Ambiguous: 1}},
		{"crossed, with traces", []leg{wire(1, 10, 80, "200").with(trace2), wire(2, 12, 90, "200").with(trace1), app(1, 20, 60, "200").with(trace1proxy), app(2, 30, 70, "200").with(trace2)},
			[]string{is(a, 2, "200", "mesh"), is(w, 1, "200", "mesh=wire"), is(a, 1, "200", "mesh"), is(w, 2, "200", "mesh=wire")}, capture.Twins{Linked: 2}},
	} {
		t.Run(k.name, func(t *testing.T) {
			b := observeLegs(t, k.legs)
			tw := exporter.NewTwins()
			total := len(b.Observations)
			tw.Pair(b)
			if tw.Waiting() != 0 || len(b.Observations) != total {
				t.Errorf("%d observations of %d at the end, %d wait", len(b.Observations), total, tw.Waiting())
			}
			got := exchangesOf(t, b)
			if strings.HasSuffix(k.name, "traces") { // the order and the ids say enough
				for i := range got {
					got[i] = strings.Replace(got[i], "mesh=application inner=true outer_conn=", "mesh ", 1)
				}
				k.want = []string{is(a, 2, "200", "mesh 1"), k.want[1], is(a, 1, "200", "mesh 2"), k.want[3]}
			}
			if !slices.Equal(got, k.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(k.want, "\n\t"))
			}
			if tw.Count != k.count {
				t.Errorf("counted %+v, want %+v", tw.Count, k.count)
			}
		})
	}
}

// TestTwinsOfLinkerd: its proxy calls from the pod's own address, which is only
// taken for it when it is known to be there.
func TestTwinsOfLinkerd(t *testing.T) {
	legs := []leg{wire(1, 10, 50, "200"), {"10.0.0.1:50001", "10.0.0.1:8080", "", 20, 40, "GET /a HTTP/1.1", "200"}}
	for _, c := range []struct {
		ports []uint16
		want  string
	}{
		{[]uint16{4140, 4143}, "10.0.0.1:50001 10.0.0.1:8080 200 mesh=application inner=true outer_conn=1"},
		{[]uint16{4143, 8080}, "10.0.0.1:50001 10.0.0.1:8080 200"},
	} {
		k := capture.Kernel{Known: capture.KnownSockets}
		for _, p := range c.ports {
			k.Listeners = append(k.Listeners, capture.Listener{Addr: capture.Endpoint{Port: p}})
		}
		tw := exporter.NewTwins()
		tw.Know(&k)
		b := observeLegs(t, legs)
		tw.Pair(b)
		if got := exchangesOf(t, b); got[0] != c.want {
			t.Errorf("ports %v: %q, want %q", c.ports, got[0], c.want)
		}
	}
}

// inner adds the n-th exchange of a proxy with its application to b.
func inner(b *capture.Batch, n int, end capture.Time) *capture.Exchange {
	ex := b.Exchange()
	ex.Conn = capture.Conn{ID: uint64(n), Role: capture.RoleBoth, Client: capture.EndpointOf(netip.MustParseAddrPort("127.0.0.6:5000")), Server: capture.EndpointOf(netip.MustParseAddrPort("10.0.0.1:8080"))}
	ex.HasRequest, ex.Status, ex.Number = true, 200, uint64(n)
	ex.Method, ex.Target = b.Text([]byte("GET")), b.Text(fmt.Appendf(nil, "/%d", n))
	ex.RequestStart, ex.ResponseEnd, ex.Ended = end.Add(-time.Millisecond), end, end
	return ex
}

var start = capture.TimeOf(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC))

// TestTwinsWait: what waits comes with a later batch, whole though its batch is
// used again, and not later than a second after its end; at the end, all comes.
func TestTwinsWait(t *testing.T) {
	tw := exporter.NewTwins()
	var b capture.Batch
	snapshot := func(at time.Duration, final bool) []capture.Observation {
		b.HasSnapshot, b.Snapshot.Time, b.Snapshot.Final = true, start.Add(at), final
		tw.Pair(&b)
		return b.Observations
	}
	one := inner(&b, 1, start)
	one.RequestHeaders = b.Headers([]capture.Header{{Name: []byte("x-a"), Value: []byte("value")}})
	b.Record(one, "one.pcapng")
	if got := snapshot(0, false); len(got) != 0 || tw.Waiting() != 1 {
		t.Fatalf("%d at once, %d wait", len(got), tw.Waiting())
	}
	b.Reset()
	inner(&b, 2, start.Add(900*time.Millisecond))
	if got := snapshot(950*time.Millisecond, false); len(got) != 0 {
		t.Fatalf("%d before their time", len(got))
	}
	b.Reset()
	got := snapshot(1100*time.Millisecond, false)
	if len(got) != 1 {
		t.Fatalf("%d after a second, want the first", len(got))
	}
	ex := got[0].(*capture.Exchange)
	if string(ex.Target) != "/1" || ex.Number != 1 || string(ex.RequestHeaders[0].Value) != "value" || ex.Inner || ex.Outer != nil {
		t.Errorf("it is %+v", ex)
	}
	if name := b.Recording(ex); name != "one.pcapng" {
		t.Errorf("its recording is %q", name)
	}
	b.Reset()
	if got := snapshot(1200*time.Millisecond, true); len(got) != 1 || tw.Waiting() != 0 {
		t.Errorf("%d at the end, %d wait", len(got), tw.Waiting())
	}
	b.Reset()
	b.HasSnapshot = false
	inner(&b, 3, start)
	tw.Pair(&b)
	var rest capture.Batch
	if tw.Rest(&rest); len(rest.Observations) != 1 {
		t.Errorf("%d are the rest, want 1", len(rest.Observations))
	}
}

// TestTwinsBounds: at a bound the oldest makes room, in order, and is counted.
func TestTwinsBounds(t *testing.T) {
	for _, c := range []struct {
		name   string
		target int // bytes
		most   int
	}{{"exchanges", 1, 4096}, {"bytes", 4096, 1024}} {
		t.Run(c.name, func(t *testing.T) {
			tw := exporter.NewTwins()
			next := 1
			for i := 0; i < 5000; i += 500 {
				var b capture.Batch
				for n := range 500 {
					ex := inner(&b, i+n+1, start)
					ex.Target = append(bytes.Repeat([]byte("x"), c.target), ex.Target...)
				}
				tw.Pair(&b)
				for _, o := range b.Observations {
					if got := o.(*capture.Exchange).Number; got != uint64(next) {
						t.Fatalf("number %d came, want %d", got, next)
					}
					next++
				}
			}
			if n := tw.Waiting(); n > c.most || n < c.most*9/10 || tw.Count.Evicted != uint64(5000-n) {
				t.Errorf("%d wait, %d evicted", n, tw.Count.Evicted)
			}
		})
	}
}

// TestTwinsOutOfOrder: what was captured on loopback may come after what encloses
// it, in another batch; at the bound, too, nothing comes twice or is lost.
func TestTwinsOutOfOrder(t *testing.T) {
	tw := exporter.NewTwins()
	outer := func(b *capture.Batch, n int) {
		ex := inner(b, n, start.Add(time.Millisecond))
		ex.RequestStart = start.Add(-2 * time.Millisecond)
		ex.Conn.Role, ex.Conn.Client = capture.RoleServer, capture.EndpointOf(netip.MustParseAddrPort("10.0.0.7:4000"))
	}
	tw.Know(&capture.Kernel{Known: capture.KnownSockets, Listeners: []capture.Listener{{Addr: capture.Endpoint{Port: 15001}}, {Addr: capture.Endpoint{Port: 15006}}}})
	const n = 6000
	seen := map[uint64]int{}
	linked := uint64(0)
	for i := 1; i <= n; i += 500 {
		for _, make := range []func(*capture.Batch, int){outer, func(b *capture.Batch, n int) { inner(b, n, start) }} {
			var b capture.Batch
			for k := range 500 {
				make(&b, i+k)
			}
			b.HasSnapshot, b.Snapshot.Time, b.Snapshot.Final = true, start, i+500 > n && len(seen) > 0
			tw.Pair(&b)
			for _, o := range b.Observations {
				ex := o.(*capture.Exchange)
				seen[ex.Number]++
				if ex.Outer != nil {
					linked++
					if ex.Outer.Number != ex.Number || ex.Outer.Mesh != capture.MeshWire {
						t.Fatalf("%d links to %d", ex.Number, ex.Outer.Number)
					}
				}
			}
		}
	}
	for i := uint64(1); i <= n; i++ {
		if seen[i] != 2 {
			t.Fatalf("exchange %d came %d times, want 2", i, seen[i])
		}
	}
	if tw.Waiting() != 0 || linked != tw.Count.Linked || linked < n*9/10 {
		t.Errorf("%d are linked, %+v, %d wait", linked, tw.Count, tw.Waiting())
	}
}

// TestTwinsCostNothing: without a mesh nothing is copied.
func TestTwinsCostNothing(t *testing.T) {
	var b capture.Batch
	for n, role := range []capture.Role{capture.RoleServer, capture.RoleClient, capture.RoleBoth, capture.RoleUnknown} {
		ex := inner(&b, n, start)
		ex.Conn.Role = role
		ex.Conn.Client = capture.EndpointOf(netip.MustParseAddrPort("10.0.0.7:5000"))
	}
	b.ConnOpened()
	b.HasSnapshot = true
	tw := exporter.NewTwins()
	if n := testing.AllocsPerRun(100, func() { tw.Pair(&b) }); n != 0 || len(b.Observations) != 5 {
		t.Errorf("%v allocations, %d observations", n, len(b.Observations))
	}
}
