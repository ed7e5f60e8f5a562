package live

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
	"github.com/wiretell/wiretell/integration/peers"
)

// inCollector puts the receiver in the place of OTLP.
const inCollector = `receivers:
  wiretell: {ring_mib: 64, diagnosis_window: 2s, collection_interval: 1s, service_name: shop}
service:
  pipelines:
    traces: {receivers: [wiretell]}
    metrics: {receivers: [wiretell]}
    logs: {receivers: [wiretell]}
`

// TestReceiver runs the traffic of [TestEveryExchangeIsOneSpan] against a
// Collector that wiretell is in: what it wrote is every exchange, and what
// wiretell says it handed on.
func TestReceiver(t *testing.T) {
	server, client := netnstest.New(t), netnstest.New(t)
	link := netnstest.Connect(t, client, server)
	quietLinks(t, server, client)
	c := peers.StartCollector(t, peers.CollectorOptions{In: server.Do, Binary: os.Getenv(envCollector), Config: inCollector})
	tr := serve(t, server, client, link.B)
	tr.exchanges(0, 10_000, 50, true)
	client.Must(t, func() error { // nobody listens there
		if c, err := net.DialTimeout("tcp", netip.AddrPortFrom(link.B, 1).String(), 5*time.Second); err == nil {
			c.Close()
			return errors.New("a port where nobody listens was reached")
		}
		return nil
	})
	c.WaitFor(40*time.Second, "all spans", func() bool { return c.Spans().SpanCount() >= 10_000 })
	c.Stop()
	out := collected(c)
	checkSpans(t, tr, out, 10_000)
	checkBooks(t, out)
	checkHandedOn(t, out)
	if n := out.sum("wiretell.capture.drops"); n != 0 {
		t.Errorf("the kernel dropped %d frames", n)
	}
	if got := eventLines(out); len(got) != 1 || !strings.Contains(got[0], "tcp.connect_failed") {
		t.Errorf("the events are %q, want that of the connection that was refused", got)
	}
	if len(out.logs) < 2 {
		t.Error("no diagnosis is among the log records")
	}
}
