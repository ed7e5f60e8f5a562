package netnstest

import (
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// NS is a network namespace. Its loopback is up.
type NS struct {
	// Links makes and changes interfaces in the namespace.
	Links *netlink.Handle
	mu    sync.RWMutex // a Do may begin while the test ends
	fd    netns.NsHandle
}

// New makes a network namespace that lasts as long as the test.
func New(t testing.TB) *NS {
	t.Helper()
	require(t)
	n := &NS{fd: -1}
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		n.fd, err = netns.Get()
		return err
	})
	if err != nil {
		t.Fatalf("new network namespace: %v", err)
	}
	t.Cleanup(func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		_ = n.fd.Close()
	})
	if n.Links, err = netlink.NewHandleAt(n.fd, unix.NETLINK_ROUTE); err != nil {
		t.Fatalf("netlink: %v", err)
	}
	t.Cleanup(n.Links.Close)
	n.Up(t, "lo")
	return n
}

// Do runs f on a thread that is in the namespace and returns its error. The
// thread ends with f.
func (n *NS) Do(f func() error) error {
	return onThread(func() error {
		n.mu.RLock()
		err := netns.Set(n.fd)
		n.mu.RUnlock()
		if err != nil {
			return fmt.Errorf("setns: %w", err)
		}
		return f()
	})
}

// Must is Do that fails the test on an error.
func (n *NS) Must(t testing.TB, f func() error) {
	t.Helper()
	if err := n.Do(f); err != nil {
		t.Fatal(err)
	}
}

// onThread runs f on a thread of its own. As the goroutine ends while locked to
// it, the thread ends too, and with it what f did to it.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := fmt.Errorf("the function called runtime.Goexit or panicked")
		defer func() { done <- err }()
		err = f()
	}()
	return <-done
}

// Link returns the interface with this name; the test fails when there is none.
func (n *NS) Link(t testing.TB, name string) netlink.Link {
	t.Helper()
	l, err := n.Links.LinkByName(name)
	if err != nil {
		t.Fatalf("interface %s: %v", name, err)
	}
	return l
}

// Up sets an interface up.
func (n *NS) Up(t testing.TB, name string) {
	t.Helper()
	if err := n.Links.LinkSetUp(n.Link(t, name)); err != nil {
		t.Fatalf("set %s up: %v", name, err)
	}
}

// Down sets an interface down.
func (n *NS) Down(t testing.TB, name string) {
	t.Helper()
	if err := n.Links.LinkSetDown(n.Link(t, name)); err != nil {
		t.Fatalf("set %s down: %v", name, err)
	}
}

// Delete deletes an interface; the other end of a veth pair goes with it.
func (n *NS) Delete(t testing.TB, name string) {
	t.Helper()
	if err := n.Links.LinkDel(n.Link(t, name)); err != nil {
		t.Fatalf("delete %s: %v", name, err)
	}
}

// Pair is a veth pair between two namespaces, with an address of each family at
// each end, in networks that only the pair has.
type Pair struct {
	Name   string // of the interface at both ends
	A, B   netip.Addr
	A6, B6 netip.Addr
}

// Connect puts a veth pair called eth0 between a and b and sets it up.
func Connect(t testing.TB, a, b *NS) Pair {
	t.Helper()
	return ConnectAs(t, a, b, "eth0", 0)
}

// ConnectAs is Connect with the name of the interface and the number of the
// network (0 to 255), for a second pair between the same namespaces.
func ConnectAs(t testing.TB, a, b *NS, name string, network uint8) Pair {
	t.Helper()
	p := Pair{
		Name: name,
		A:    netip.AddrFrom4([4]byte{10, 71, network, 1}),
		B:    netip.AddrFrom4([4]byte{10, 71, network, 2}),
		A6:   netip.AddrFrom16([16]byte{0xfd, 0x71, 7: network, 15: 1}),
		B6:   netip.AddrFrom16([16]byte{0xfd, 0x71, 7: network, 15: 2}),
	}
	veth := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: name, MTU: 1500, TxQLen: 1000, NumTxQueues: 1, NumRxQueues: 1},
		PeerName:  name, PeerNamespace: netlink.NsFd(b.fd),
	}
	if err := a.Links.LinkAdd(veth); err != nil {
		t.Fatalf("add veth pair %s: %v", name, err)
	}
	for _, end := range []struct {
		ns    *NS
		addrs [2]netip.Addr
	}{{a, [2]netip.Addr{p.A, p.A6}}, {b, [2]netip.Addr{p.B, p.B6}}} {
		for i, addr := range end.addrs {
			bits := []string{"/24", "/64"}[i]
			na, err := netlink.ParseAddr(addr.String() + bits)
			if err != nil {
				t.Fatal(err)
			}
			na.Flags = unix.IFA_F_NODAD // usable at once
			if err := end.ns.Links.AddrAdd(end.ns.Link(t, name), na); err != nil {
				t.Fatalf("add %s to %s: %v", addr, name, err)
			}
		}
		end.ns.Up(t, name)
	}
	a.awaitCarrier(t, name)
	b.awaitCarrier(t, name)
	return p
}

// awaitCarrier waits until an interface that is up can send: the kernel may take
// up to a second for it (net/core/link_watch.c), and drops frames until then.
func (n *NS) awaitCarrier(t testing.TB, name string) {
	t.Helper()
	for range 500 {
		if n.Link(t, name).Attrs().OperState == netlink.OperUp {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s has no carrier after 5 seconds", name)
}
