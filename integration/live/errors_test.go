package live

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// TestConnectionErrors makes errors of connections for real, over IPv4 and IPv6,
// and wants exactly one event for each, tied to the span of the exchange it hit,
// and no other.
func TestConnectionErrors(t *testing.T) {
	server, client := netnstest.New(t), netnstest.New(t)
	link := netnstest.Connect(t, client, server)
	file := filepath.Join(t.TempDir(), "telemetry.jsonl")
	w := start(t, client, nil, "run", "--otlp-json", file)
	for _, at := range []netip.Addr{link.B, link.B6} {
		client.Must(t, func() error { // nobody listens
			c, err := net.DialTimeout("tcp", netip.AddrPortFrom(at, 81).String(), 5*time.Second)
			if err == nil {
				c.Close()
				return fmt.Errorf("connected to a closed port")
			}
			return nil
		})
		var l net.Listener
		server.Must(t, func() (err error) {
			l, err = net.Listen("tcp", netip.AddrPortFrom(at, 80).String())
			return err
		})
		go func() { // reads the request, and resets
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(c).ReadString('\n')
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}()
		client.Must(t, func() error {
			c, err := net.DialTimeout("tcp", l.Addr().String(), 5*time.Second)
			if err != nil {
				return err
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			if _, err := fmt.Fprintf(c, "GET /reset HTTP/1.1\r\nHost: shop\r\n\r\n"); err != nil {
				return err
			}
			if _, err := c.Read(make([]byte, 1)); err == nil {
				return fmt.Errorf("an answer came")
			}
			return nil
		})
		l.Close()
	}
	time.Sleep(300 * time.Millisecond)
	w.stop()

	out := readJSON(t, file)
	checkBooks(t, out)
	spans := map[string]bool{}
	for _, s := range out.spans {
		spans[s.TraceID().String()+s.SpanID().String()] = true
	}
	var got []string
	for _, l := range out.logs {
		name := l.EventName()
		if !strings.HasPrefix(name, "wiretell.tcp.") && !strings.HasPrefix(name, "wiretell.http.") && !strings.HasPrefix(name, "wiretell.icmp.") {
			continue
		}
		tied := spans[l.TraceID().String()+l.SpanID().String()]
		got = append(got, fmt.Sprintf("%s %s %s side=%s phase=%s error=%s cause=%s tied=%v", name, text(l, "network.type"), text(l, "wiretell.connection.role"),
			text(l, "wiretell.tcp.side"), text(l, "wiretell.tcp.phase"), text(l, "error.type"), text(l, "wiretell.cause"), tied))
	}
	var want []string
	for _, family := range []string{"ipv4", "ipv6"} {
		want = append(want,
			"wiretell.tcp.connect_failed "+family+" client side= phase= error=refused cause=refused tied=false",
			"wiretell.tcp.reset "+family+" client side=peer phase=request error= cause= tied=true",
			"wiretell.http.exchange_incomplete "+family+" client side=peer phase= error=reset cause=reset_by_server tied=true")
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("events:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(out.spans) != 2 {
		t.Errorf("%d spans, want 2", len(out.spans))
	}
}
