package live

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
	"github.com/wiretell/wiretell/integration/dnstest"
)

// resolver is a name server in a namespace until the test ends; see
// [dnstest.Serve].
func resolver(t testing.TB, ns *netnstest.NS, at netip.Addr) {
	t.Helper()
	var c net.PacketConn
	ns.Must(t, func() (err error) {
		c, err = net.ListenPacket("udp", netip.AddrPortFrom(at, 53).String())
		return err
	})
	served := make(chan error, 1)
	go func() { served <- dnstest.Serve(c) }()
	t.Cleanup(func() {
		c.Close()
		if err := <-served; err != nil {
			t.Errorf("resolver: %v", err)
		}
	})
}

// lookUp sends one query, from the namespace, and waits for what comes.
func lookUp(t testing.TB, ns *netnstest.NS, server netip.Addr, id uint16, name string) {
	t.Helper()
	ns.Must(t, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c, err := new(net.Dialer).DialContext(ctx, "udp", netip.AddrPortFrom(server, 53).String())
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Write(dnstest.Query(id, name)); err != nil {
			return err
		}
		_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		_, _ = c.Read(make([]byte, 1500)) // an answer, an ICMP error, or nothing
		return nil
	})
}

// TestLookups makes each failure of DNS for real, over IPv4 and IPv6, and wants
// exactly one event for each that failed, and every look-up in the metric.
func TestLookups(t *testing.T) {
	t.Parallel() // it waits most of the time
	server, client := netnstest.New(t), netnstest.New(t)
	link := netnstest.Connect(t, client, server)
	file := filepath.Join(t.TempDir(), "telemetry.jsonl")
	w := start(t, client, nil, "run", "--otlp-json", file)
	id := uint16(1)
	for _, at := range []netip.Addr{link.B, link.B6} {
		lookUp(t, client, at, id, "closed.example.") // nobody listens: an ICMP error
		resolver(t, server, at)
		for _, name := range []string{"good.example.", "nx.example.", "NX.example.", "fail.example.", "silent.example."} {
			id++
			lookUp(t, client, at, id, name)
		}
		id++
	}
	time.Sleep(5500 * time.Millisecond) // until the silent ones are given up
	w.stop()

	out := readJSON(t, file)
	checkBooks(t, out)
	got := map[string]int{}
	for _, l := range out.logs {
		if l.EventName() == "wiretell.dns.failed" {
			got[text(l, "network.type")+" "+text(l, "dns.question.name")+" "+text(l, "dns.response_code")+" "+text(l, "error.type")]++
			if text(l, "wiretell.connection.role") != "client" || text(l, "server.port") != "53" {
				t.Errorf("event of role %s, port %s", text(l, "wiretell.connection.role"), text(l, "server.port"))
			}
		}
		if l.EventName() == "wiretell.icmp.error" && text(l, "wiretell.icmp.quoted.seen") != "true" {
			t.Errorf("an ICMP error that is tied to nothing: %v", l.Attributes().AsRaw())
		}
	}
	want := map[string]int{}
	for _, network := range []string{"ipv4", "ipv6"} {
		want[network+" closed.example  port_unreachable"] = 1
		want[network+" nx.example NXDOMAIN NXDOMAIN"] = 2
		want[network+" fail.example SERVFAIL SERVFAIL"] = 1
		want[network+" silent.example  timed_out"] = 1
	}
	if !maps.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	counts := map[string]uint64{}
	for _, p := range out.hists["wiretell.dns.lookups"] {
		for _, key := range []string{"dns.response_code", "error.type"} {
			if v, ok := p.Attributes().Get(key); ok {
				counts[v.Str()] += p.Count()
			}
		}
	}
	for outcome, n := range map[string]uint64{"NOERROR": 2, "NXDOMAIN": 4, "SERVFAIL": 2, "timed_out": 2, "port_unreachable": 2} {
		if counts[outcome] != n {
			t.Errorf("%d look-ups ended with %s, want %d", counts[outcome], outcome, n)
		}
	}
	if !diagnosed(out, "NET-DNS-01") {
		t.Error("names do not resolve, and NET-DNS-01 does not hold")
	}
}

// text returns an attribute of l as text, "" when it has none.
func text(l plog.LogRecord, key string) string {
	if v, ok := l.Attributes().Get(key); ok {
		return v.AsString()
	}
	return ""
}
