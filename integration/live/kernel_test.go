package live

import (
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
	"github.com/wiretell/wiretell/capture/netns"
)

// lossyPath connects two namespaces through a third one that loses two packets
// of a hundred from when lose is called. So the loss is where neither the capture nor the kernel of
// either end can see it: what is dropped by an end's own nftables is counted by
// one of them alone, as a packet socket sees what leaves after all hooks but the
// device's own, and what arrives before any.
func lossyPath(t *testing.T, a, b *netnstest.NS) (atA, atB netip.Addr, lose func()) {
	t.Helper()
	needNFT(t)
	router, left, right := routed(t, a, b)
	quietLinks(t, a, b, router)
	for _, end := range []struct {
		ns   *netnstest.NS
		link string
	}{{a, left.Name}, {b, right.Name}} {
		// The kernel counts segments as they go on the wire, a packet socket the
		// frames before they are cut into segments: make them the same.
		if err := end.ns.Links.LinkSetGSOMaxSegs(end.ns.Link(t, end.link), 1); err != nil {
			t.Fatalf("gso_max_segs: %v", err)
		}
	}
	lose = func() {
		loadNFT(t, router, `table ip loss {
	chain forward {
		type filter hook forward priority 0;
		numgen random mod 100 < 2 drop
	}
}`)
	}
	return left.A, right.B, lose
}

// kernelOf reads what the kernel of a namespace counted.
func kernelOf(t *testing.T, ns *netnstest.NS) *capture.Kernel {
	t.Helper()
	var k capture.Kernel
	r := netns.NewReader(netns.Options{Proc: "/proc/thread-self"})
	ns.Must(t, func() error { return r.Read(&k) })
	return &k
}

// aborts opens n connections from one namespace to the other and resets them
// from both ends in turn.
func aborts(t *testing.T, from, to *netnstest.NS, at netip.Addr, n int) {
	t.Helper()
	var l net.Listener
	to.Must(t, func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(at, 0).String())
		return err
	})
	defer l.Close()
	for i := range n {
		var c net.Conn
		from.Must(t, func() (err error) { c, err = net.DialTimeout("tcp", l.Addr().String(), 20*time.Second); return err })
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		ends := [2]*net.TCPConn{c.(*net.TCPConn), s.(*net.TCPConn)}
		ends[i%2].SetLinger(0)
		ends[i%2].Close()
		other := ends[1-i%2]
		other.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := other.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the end that was reset: %v", err)
		}
		other.Close()
	}
}

// refusals tries a port on which nobody listens n times.
func refusals(t *testing.T, from *netnstest.NS, at netip.Addr, n int) {
	t.Helper()
	for range n {
		err := from.Do(func() error {
			c, err := net.DialTimeout("tcp", netip.AddrPortFrom(at, 9).String(), 20*time.Second)
			if err == nil {
				c.Close()
			}
			return err
		})
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial of a closed port: %v", err)
		}
	}
}

// TestLossAgreesWithTheKernel makes HTTP exchanges both ways over a path that
// loses 2 % of the packets, resets connections, has others refused, and compares
// what wiretell counted with what the kernel of the namespace did.
func TestLossAgreesWithTheKernel(t *testing.T) {
	a, b := netnstest.New(t), netnstest.New(t)
	atA, atB, lose := lossyPath(t, a, b)
	file := filepath.Join(t.TempDir(), "telemetry.jsonl")
	w := start(t, a, nil, "run", "--otlp-json", file, "--ring-mib", "64")
	before := kernelOf(t, a)

	// These are not lost: where a reset is, the kernel sends another one for a
	// connection that is over, which is none to wiretell.
	aborts(t, a, b, atB, 6)
	aborts(t, b, a, atA, 6)
	refusals(t, a, atB, 5)
	refusals(t, b, atA, 5)
	lose()
	in, out := serve(t, a, b, atA), serve(t, b, a, atB)
	var wg sync.WaitGroup
	for _, tr := range []*traffic{in, out} {
		wg.Go(func() { tr.exchanges(0, 300, 8, true) })
		wg.Go(func() { tr.exchanges(300, 100, 8, false) })
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	// The last FINs may be sent again: wait until all is quiet.
	k := kernelOf(t, a)
	for quiet, tries := 0, 0; quiet < 6 && tries < 60; tries++ {
		time.Sleep(500 * time.Millisecond)
		last := k
		if k = kernelOf(t, a); k.TCP.OutSegs == last.TCP.OutSegs && k.TCP.RetransSegs == last.TCP.RetransSegs {
			quiet++
		} else {
			quiet = 0
		}
	}
	w.stop()
	o := readJSON(t, file)
	checkBooks(t, o)

	sent := func(kind string) int64 {
		return o.sum("wiretell.tcp.retransmits", "network.io.direction", "transmit", "wiretell.tcp.retransmit.kind", kind)
	}
	fails := int64(0)
	for _, why := range []string{"refused", "reset", "timed_out", "host_unreachable", "net_unreachable", "admin_prohibited"} {
		fails += o.sum("wiretell.tcp.connections", "error.type", why, "wiretell.connection.role", "client")
	}
	x, y := &k.TCPExt, &before.TCPExt
	for _, c := range []struct {
		what   string
		got    int64
		kernel uint64
	}{
		{"retransmits (RetransSegs)", o.sum("wiretell.tcp.retransmits", "network.io.direction", "transmit"), k.TCP.RetransSegs - before.TCP.RetransSegs},
		{"SYN retransmits (TCPSynRetrans)", sent("syn"), x.SynRetrans - y.SynRetrans},
		{"resets sent (OutRsts)", o.sum("wiretell.tcp.resets", "network.io.direction", "transmit"), k.TCP.OutRsts - before.TCP.OutRsts},
		{"failed connects (AttemptFails)", fails, k.TCP.AttemptFails - before.TCP.AttemptFails},
	} {
		t.Logf("%s: %d, the kernel %d", c.what, c.got, c.kernel)
		if c.got == 0 || c.got != int64(c.kernel) {
			t.Errorf("%s: %d, the kernel counted %d", c.what, c.got, c.kernel)
		}
	}
	// Why a segment was sent again the kernel knows, and wiretell concludes: it may
	// take a loss probe for a part of the recovery, or the other way round.
	if fast, kernel := sent("fast"), int64(x.FastRetrans-y.FastRetrans); fast > kernel*11/10 || fast < kernel*8/10 {
		t.Errorf("fast retransmits (TCPFastRetrans): %d, the kernel counted %d", fast, kernel)
	}
	t.Logf("fast %d timeout %d spurious %d needless %d; kernel: TCPFastRetrans %d TCPSlowStartRetrans %d TCPTimeouts %d TCPLossProbes %d TCPSpuriousRTOs %d", sent("fast"), sent("timeout"), sent("spurious"),
		o.sum("wiretell.tcp.retransmits.needless", "network.io.direction", "transmit"),
		x.FastRetrans-y.FastRetrans, x.SlowStartRetrans-y.SlowStartRetrans, x.Timeouts-y.Timeouts, x.LossProbes-y.LossProbes, x.SpuriousRTOs-y.SpuriousRTOs)
}
