package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }

// read reads the namespace of the calling thread.
func read(t *testing.T, ns *netnstest.NS) *capture.Kernel {
	t.Helper()
	k := new(capture.Kernel)
	ns.Must(t, func() error { return NewReader(Options{Proc: "/proc/thread-self"}).Read(k) })
	return k
}

// TestLive lets things happen in two namespaces and finds each of them in the
// tables of the one that serves.
func TestLive(t *testing.T) {
	server, client := netnstest.New(t), netnstest.New(t)
	link := netnstest.Connect(t, server, client)
	addr4, addr6 := link.A, link.A6
	var public, local net.Listener
	server.Must(t, func() (err error) {
		if public, err = listen(netip.AddrPortFrom(netip.IPv6Unspecified(), 8080)); err != nil {
			return err
		}
		local, err = listen(netip.MustParseAddrPort("127.0.0.1:6060"))
		return err
	})
	defer public.Close()
	defer local.Close()

	before := read(t, server)
	if !before.Has(capture.KnownSockets | capture.KnownTCP | capture.KnownTCPExt | capture.KnownDevices | capture.KnownLinks | capture.KnownUnix | capture.KnownProcess | capture.KnownSocketStat | capture.KnownPortRange) {
		t.Errorf("known %b", before.Known)
	}
	checkListeners(t, before)
	checkInterfaces(t, before, addr4, addr6)

	// Five connections come in; two of their clients close, and the server does not.
	var conns []net.Conn
	client.Must(t, func() error {
		for i := range 5 {
			to := netip.AddrPortFrom(addr4, 8080)
			if i > 2 {
				to = netip.AddrPortFrom(addr6, 8080)
			}
			c, err := dial(to)
			if err != nil {
				return err
			}
			conns = append(conns, c)
		}
		return nil
	})
	accepted := make([]net.Conn, 3) // two stay in the accept queue
	for i := range accepted {
		c, err := public.Accept()
		if err != nil {
			t.Fatal(err)
		}
		accepted[i] = c
	}
	conns[0].Close()
	conns[3].Close()
	// Somebody tries a port on which nobody listens, three times.
	client.Must(t, func() error {
		for range 3 {
			if _, err := dial(netip.AddrPortFrom(addr4, 81)); !errors.Is(err, syscall.ECONNREFUSED) {
				return fmt.Errorf("dial of a closed port: %v", err)
			}
		}
		return nil
	})

	k := read(t, server)
	for deadline := time.Now().Add(5 * time.Second); k.Sockets[capture.SocketCloseWait] < 2 && time.Now().Before(deadline); k = read(t, server) {
		time.Sleep(10 * time.Millisecond)
	}
	if k.Sockets[capture.SocketEstablished] != 3 || k.Sockets[capture.SocketCloseWait] != 2 || k.Sockets[capture.SocketListen] != 2 {
		t.Errorf("sockets by state %v", k.Sockets)
	}
	if want := []capture.PortCount{{Port: 8080, Count: 2}}; !slices.Equal(k.CloseWait, want) {
		t.Errorf("CLOSE_WAIT %v, want %v", k.CloseWait, want)
	}
	if len(k.Established) != 3 || k.Established[0].Local.Port != 8080 {
		t.Errorf("established %v", k.Established)
	}
	for _, l := range k.Listeners {
		if l.Addr.Port == 8080 && l.Queue != 2 {
			t.Errorf("%d connections in the accept queue, want 2", l.Queue)
		}
	}
	if n := k.TCP.PassiveOpens - before.TCP.PassiveOpens; n != 5 {
		t.Errorf("%d passive opens, want 5", n)
	}
	if n := k.TCP.OutRsts - before.TCP.OutRsts; n != 3 {
		t.Errorf("%d resets sent, want 3", n)
	}
	// 5 × (SYN, ACK), 2 × FIN, 3 × SYN.
	if n := k.TCP.InSegs - before.TCP.InSegs; n < 15 || n > 30 {
		t.Errorf("%d segments in, want at least 15", n)
	}
	eth := k.Interface("eth0")
	if n := eth.RxPackets - before.Interface("eth0").RxPackets; n < 15 {
		t.Errorf("%d packets received on eth0, want at least 15", n)
	}
	other := read(t, client)
	if other.TCP.AttemptFails != 3 || other.TCP.ActiveOpens != 8 || len(other.Listeners) != 0 {
		t.Errorf("the client's namespace: %+v, %v", other.TCP, other.Listeners)
	}
	for _, c := range slices.Concat(conns, accepted) {
		c.Close()
	}
}

func checkListeners(t *testing.T, k *capture.Kernel) {
	t.Helper()
	if len(k.Listeners) != 2 {
		t.Fatalf("listeners %+v", k.Listeners)
	}
	for _, l := range k.Listeners {
		switch l.Addr.Port {
		case 6060:
			if !l.Loopback() || l.V6 {
				t.Errorf("%+v", l)
			}
		case 8080:
			if l.Loopback() || !l.V6 {
				t.Errorf("%+v", l)
			}
		default:
			t.Errorf("port %d", l.Addr.Port)
		}
		if l.Backlog == 0 || l.Queue != 0 {
			t.Errorf("port %d: queue %d, backlog %d", l.Addr.Port, l.Queue, l.Backlog)
		}
	}
}

func checkInterfaces(t *testing.T, k *capture.Kernel, want ...netip.Addr) {
	t.Helper()
	lo, eth := k.Interface("lo"), k.Interface("eth0")
	if lo == nil || eth == nil || !lo.Up || !lo.Loopback || !eth.Up || eth.Loopback || eth.MTU == 0 || eth.Index == 0 {
		t.Fatalf("interfaces %+v", k.Interfaces)
	}
	var addrs []netip.Addr
	for _, p := range slices.Concat(lo.Addrs, eth.Addrs) {
		addrs = append(addrs, p.Addr())
	}
	for _, a := range append(want, netip.MustParseAddr("127.0.0.1")) {
		if !slices.Contains(addrs, a) {
			t.Errorf("%s is not among the local addresses %v", a, addrs)
		}
	}
}

// TestAcceptOverflow fills an accept queue.
func TestAcceptOverflow(t *testing.T) {
	ns := netnstest.New(t)
	fd := -1
	ns.Must(t, func() (err error) {
		if fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0); err != nil {
			return err
		}
		if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: 9000, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			return err
		}
		return syscall.Listen(fd, 1)
	})
	defer syscall.Close(fd)
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	ns.Must(t, func() error {
		for range 4 {
			d := net.Dialer{Timeout: 200 * time.Millisecond}
			if c, err := d.Dial("tcp4", "127.0.0.1:9000"); err == nil {
				conns = append(conns, c)
			}
		}
		return nil
	})
	k := read(t, ns)
	if len(k.Listeners) != 1 || k.Listeners[0].Backlog != 1 || k.Listeners[0].Queue < 1 {
		t.Errorf("listeners %+v, want a backlog of 1 that is full", k.Listeners)
	}
	if k.TCPExt.ListenOverflows == 0 || k.TCPExt.ListenDrops == 0 {
		t.Errorf("%+v: no overflow was counted", k.TCPExt)
	}
	if k.TCPExt.SynRetrans == 0 && len(conns) == 4 {
		t.Error("every connect succeeded")
	}
}

// TestInterfaceDown: what is down is told, and what is gone is not listed.
func TestInterfaceDown(t *testing.T) {
	a, b := netnstest.New(t), netnstest.New(t)
	netnstest.Connect(t, a, b)
	a.Down(t, "eth0")
	if d := read(t, a).Interface("eth0"); d == nil || d.Up {
		t.Errorf("%+v, want an interface that is down", d)
	}
	a.Delete(t, "eth0")
	if d := read(t, a).Interface("eth0"); d != nil {
		t.Errorf("%+v, want none", d)
	}
}

// TestProcess reads this process's own permissions.
func TestProcess(t *testing.T) {
	var k capture.Kernel
	if err := NewReader(Options{}).Read(&k); err != nil {
		t.Fatal(err)
	}
	if k.Process.UID != uint32(os.Geteuid()) {
		t.Errorf("uid %d, want %d", k.Process.UID, os.Geteuid())
	}
	if netRaw := k.Process.CapEff>>capture.CapNetRaw&1 == 1; netRaw != (k.Process.CapPrm>>capture.CapNetRaw&1 == 1) {
		t.Errorf("effective %x, permitted %x", k.Process.CapEff, k.Process.CapPrm)
	}
	if k.LocalPorts[0] == 0 || k.LocalPorts[0] > k.LocalPorts[1] {
		t.Errorf("local ports %v", k.LocalPorts)
	}
}

func listen(a netip.AddrPort) (net.Listener, error) { return net.Listen("tcp", a.String()) }

func dial(a netip.AddrPort) (net.Conn, error) {
	return net.DialTimeout("tcp", a.String(), 2*time.Second)
}

// A veth pair joins and cuts segments by default, and says so when asked.
func TestOffloads(t *testing.T) {
	a, b := netnstest.New(t), netnstest.New(t)
	netnstest.Connect(t, a, b)
	a.Must(t, func() error {
		on, err := Offloads("eth0")
		if err != nil {
			return err
		}
		for _, want := range []string{"gso", "tso"} {
			if !slices.Contains(on, want) {
				t.Errorf("%s is not among %q", want, on)
			}
		}
		if _, err := Offloads("nosuch0"); err == nil {
			t.Error("an interface that does not exist has offloads")
		}
		return nil
	})
}
