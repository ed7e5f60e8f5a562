package live

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// await waits until wiretell has said all of want on one line.
func (p *process) await(t *testing.T, want ...string) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
	lines:
		for line := range strings.Lines(p.said()) {
			for _, w := range want {
				if !strings.Contains(line, w) {
					continue lines
				}
			}
			return
		}
	}
	t.Errorf("wiretell did not say %q:\n%s", want, p.said())
}

// pod is a network namespace with wiretell in it, and a peer that it is
// connected to by two links.
type pod struct {
	ns, peer *netnstest.NS
	link     netnstest.Pair
	p        *process
}

// listen listens in ns; port 0 takes any.
func listen(t *testing.T, ns *netnstest.NS, at netip.Addr, port uint16) net.Listener {
	t.Helper()
	var l net.Listener
	ns.Must(t, func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(at, port).String())
		return err
	})
	t.Cleanup(func() { l.Close() })
	return l
}

// connect opens n connections to l and returns both ends of each.
func connect(t *testing.T, from *netnstest.NS, l net.Listener, n int) (dialled, accepted []net.Conn) {
	t.Helper()
	for range n {
		var c net.Conn
		from.Must(t, func() (err error) { c, err = net.DialTimeout("tcp", l.Addr().String(), 20*time.Second); return err })
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		dialled, accepted = append(dialled, c), append(accepted, s)
	}
	t.Cleanup(func() { closeAll(dialled); closeAll(accepted) })
	return dialled, accepted
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		c.Close()
	}
}

// datagrams sends n from ns.
func datagrams(t *testing.T, ns *netnstest.NS, to netip.AddrPort, n int) {
	t.Helper()
	ns.Must(t, func() error {
		// Not connected, so that it is not told of errors and sends all.
		c, err := net.ListenUDP("udp4", nil)
		if err != nil {
			return err
		}
		defer c.Close()
		for range n {
			if _, err := c.WriteToUDPAddrPort([]byte("x"), to); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestFindingsOfTheKernel brings causes about that only the kernel's tables or
// ICMP tell of: each is found, and is let go when it is over.
func TestFindingsOfTheKernel(t *testing.T) {
	t.Parallel() // it waits most of the time
	w := &pod{ns: netnstest.New(t), peer: netnstest.New(t)}
	w.link = netnstest.Connect(t, w.ns, w.peer)
	netnstest.ConnectAs(t, w.ns, w.peer, "net1", 1)
	app := listen(t, w.ns, w.link.A, 0)
	port := app.Addr().(*net.TCPAddr).Port
	old, _ := connect(t, w.peer, app, 2)
	w.p = start(t, w.ns, nil, "run", "--exporter", "none", "--diagnosis-window", "1s")

	t.Run("connections that are older", func(t *testing.T) {
		w.p.await(t, "ENV-06:", "2 connections existed before the capture", fmt.Sprintf("%s:%d - %s", w.link.A, port, old[0].LocalAddr()))
	})
	t.Run("an interface goes down", func(t *testing.T) {
		w.ns.Down(t, "net1")
		w.p.await(t, "ENV-02:", "Interface net1", "is down; still up: eth0")
		w.ns.Up(t, "net1")
		w.p.await(t, "ENV-02 cleared:")
	})
	t.Run("sockets that are not closed", func(t *testing.T) {
		dialled, accepted := connect(t, w.peer, app, 6)
		closeAll(dialled)
		w.p.await(t, "NET-CW-01:", fmt.Sprintf("on port %d does not close 6 sockets that the peer has closed", port))
		closeAll(accepted)
		w.p.await(t, "NET-CW-01 cleared:")
	})
	t.Run("ephemeral ports used up", func(t *testing.T) {
		ports := func(span string) {
			w.ns.Must(t, func() error { return writeSysctl("net/ipv4/ip_local_port_range", span) })
		}
		ports("40000 40019")
		there := listen(t, w.peer, w.link.B, 0)
		dialled, accepted := connect(t, w.ns, there, 15)
		closeAll(dialled) // who closes first keeps the port in TIME_WAIT
		closeAll(accepted)
		w.p.await(t, "NET-TW-01:", fmt.Sprintf("15 of 20 ephemeral ports (75 %%) are taken by connections to %s port %d", w.link.B, there.Addr().(*net.TCPAddr).Port))
		ports("32768 60999")
		w.p.await(t, "NET-TW-01 cleared:")
	})
	t.Run("a mesh's proxy", func(t *testing.T) {
		in, out := listen(t, w.ns, w.link.A, 15006), listen(t, w.ns, w.link.A, 15001)
		w.p.await(t, "MESH-01:", "The proxy of istio is in this pod (listening on 15001, 15006)")
		in.Close()
		out.Close()
		w.p.await(t, "MESH-01 cleared:")
	})
	t.Run("a closed UDP port", func(t *testing.T) {
		datagrams(t, w.ns, netip.AddrPortFrom(w.link.B, 9999), 4)
		w.p.await(t, "NET-ICMP-02:", fmt.Sprintf("UDP port 9999 of %s is closed", w.link.B))
		w.p.await(t, "NET-ICMP-02 cleared:")
	})
	t.Run("no neighbour", func(t *testing.T) {
		datagrams(t, w.ns, netip.MustParseAddrPort("10.71.0.77:9"), 1)
		w.p.await(t, "NET-ARP-01:", "No neighbour on this link answers for 10.71.0.77")
		w.p.await(t, "NET-ARP-01 cleared:")
	})
	t.Run("handshakes that are not finished", func(t *testing.T) {
		hping, err := exec.LookPath("hping3")
		if err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal("hping3 is not installed")
			}
			t.Skip("hping3 is not installed")
		}
		w.ns.Must(t, func() error { return writeSysctl("net/ipv4/tcp_synack_retries", "2") })
		// Nobody has the address that the SYNs come from, and nobody says so.
		mac := w.peer.Link(t, "eth0").Attrs().HardwareAddr
		if err := w.ns.Links.NeighAdd(&netlink.Neigh{LinkIndex: w.ns.Link(t, "eth0").Attrs().Index, State: netlink.NUD_PERMANENT, IP: net.IPv4(10, 71, 0, 99), HardwareAddr: mac}); err != nil {
			t.Fatal(err)
		}
		w.peer.Must(t, func() error {
			out, err := exec.Command(hping, "-S", "-a", "10.71.0.99", "-p", itoa(port), "-c", "20", "-i", "u1000", "-q", w.link.A.String()).CombinedOutput()
			if err != nil && !strings.Contains(string(out), "20 packets transmitted") {
				return fmt.Errorf("hping3: %v\n%s", err, out)
			}
			return nil
		})
		w.p.await(t, "NET-SYN-07:", " handshakes are not finished by the client")
		w.p.await(t, "NET-SYN-07 cleared:")
	})
	t.Run("the older connections end", func(t *testing.T) {
		closeAll(old)
		w.p.await(t, "ENV-06 cleared:")
	})
	w.p.stop()
	for line := range strings.Lines(w.p.said()) {
		if strings.Contains(line, "(not known)") || strings.Contains(line, "{{") {
			t.Errorf("a sentence lacks something: %s", line)
		}
	}
}
