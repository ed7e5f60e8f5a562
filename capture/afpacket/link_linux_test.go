package afpacket

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

func newLinks() *links {
	return &links{fd: -1, byIndex: map[uint32]link{}, byName: map[string]uint32{}, slots: map[string]uint16{}}
}

// linkMessage is an RTM_NEWLINK or RTM_DELLINK message, rtnetlink(7).
func linkMessage(typ uint16, family byte, index uint32, hatype uint16, up bool, name string) *syscall.NetlinkMessage {
	data := make([]byte, unix.SizeofIfInfomsg)
	data[0] = family
	native.PutUint16(data[2:], hatype)
	native.PutUint32(data[4:], index)
	if up {
		native.PutUint32(data[8:], unix.IFF_UP|unix.IFF_RUNNING)
	}
	attr := make([]byte, 4, 24)
	native.PutUint16(attr, uint16(4+len(name)+1))
	native.PutUint16(attr[2:], unix.IFLA_IFNAME)
	attr = append(append(attr, name...), 0)
	for len(attr)%4 != 0 {
		attr = append(attr, 0)
	}
	return &syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: typ}, Data: append(data, attr...)}
}

func (l *links) String() string {
	var b strings.Builder
	for _, i := range l.table {
		fmt.Fprintf(&b, "%s up=%t;", i.Name, i.Up)
	}
	return b.String()
}

// What the kernel tells becomes the table that Stats shows.
func TestLinkMessages(t *testing.T) {
	const eth = unix.ARPHRD_ETHER
	l := newLinks()
	for _, step := range []struct {
		m       *syscall.NetlinkMessage
		changed bool
		want    string
	}{
		{linkMessage(unix.RTM_NEWLINK, 0, 1, arphrdLoopback, true, "lo"), true, "lo up=true;"},
		// The container runtime makes it under another name and renames it.
		{linkMessage(unix.RTM_NEWLINK, 0, 5, eth, false, "tmp123"), true, "lo up=true;"},
		{linkMessage(unix.RTM_NEWLINK, 0, 5, eth, false, "eth0"), true, "lo up=true;"},
		{linkMessage(unix.RTM_NEWLINK, 0, 5, eth, true, "eth0"), true, "lo up=true;eth0 up=true;"},
		{linkMessage(unix.RTM_NEWLINK, 0, 5, eth, false, "eth0"), true, "lo up=true;eth0 up=false;"},
		// A port leaves its bridge: the interface stays.
		{linkMessage(unix.RTM_DELLINK, unix.AF_BRIDGE, 5, eth, true, "eth0"), false, "lo up=true;eth0 up=false;"},
		{linkMessage(unix.RTM_NEWLINK, 0, 5, eth, true, "eth0"), true, "lo up=true;eth0 up=true;"},
		{linkMessage(unix.RTM_DELLINK, 0, 5, eth, true, "eth0"), true, "lo up=true;eth0 up=false;"},
		{linkMessage(unix.RTM_NEWLINK, 0, 9, eth, true, "eth0"), true, "lo up=true;eth0 up=true;"},
		{linkMessage(unix.RTM_NEWLINK, 0, 9, eth, true, "net1"), true, "lo up=true;eth0 up=false;net1 up=true;"},
		{linkMessage(unix.RTM_DELLINK, 0, 5, eth, true, "eth0"), true, "lo up=true;eth0 up=false;net1 up=true;"},
		{&syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.RTM_NEWLINK}, Data: []byte{0, 0}}, false, "lo up=true;eth0 up=false;net1 up=true;"},
		{&syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.NLMSG_DONE}}, false, "lo up=true;eth0 up=false;net1 up=true;"},
	} {
		if got := l.message(step.m); got != step.changed || l.String() != step.want {
			t.Errorf("message %+v: changed %t, table %s, want %t, %s", step.m, got, l, step.changed, step.want)
		}
	}
	if l.byName["net1"] != 9 || len(l.byName) != 2 {
		t.Errorf("names %v", l.byName)
	}
	// A frame of the deleted interface may still be in the ring.
	if got := l.find(5, eth); l.table[got].Name != "eth0" {
		t.Errorf("a frame of interface 5 is from %q", l.table[got].Name)
	}
	if got := l.find(77, eth); l.table[got].Name != "" {
		t.Errorf("a frame of an unknown interface is from %q", l.table[got].Name)
	}
	if !l.table[0].Loopback || l.table[1].Loopback || l.table[1].Link != capture.LinkEthernet {
		t.Errorf("table %+v", l.table)
	}
}

// Both the table and what is remembered of deleted interfaces are bounded.
func TestLinksBounded(t *testing.T) {
	l := newLinks()
	for i := range uint32(5000) {
		l.set(i, link{name: fmt.Sprint("veth", i), typ: unix.ARPHRD_ETHER, up: true})
		l.remove(i)
	}
	if len(l.table) != MaxInterfaces || len(l.byIndex) > maxDeadLinks+1 || len(l.byName) != 0 {
		t.Errorf("%d entries, %d indices, %d names", len(l.table), len(l.byIndex), len(l.byName))
	}
	if last := l.table[l.find(4999, unix.ARPHRD_ETHER)]; last.Name != "" || last.Up {
		t.Errorf("beyond the bound: %+v", last)
	}
	if first := l.table[l.find(0, unix.ARPHRD_ETHER)]; first.Name != "" {
		t.Errorf("forgotten: %+v", first)
	}
}

// When messages are lost the whole list is asked for again.
func TestLinksOverrun(t *testing.T) {
	ns, other := netnstest.New(t), netnstest.New(t)
	netnstest.Connect(t, ns, other)
	var l *links
	ns.Must(t, func() (err error) { l, err = openLinks(); return err })
	defer l.close()
	if err := unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1); err != nil {
		t.Fatal(err)
	}
	for range 20 { // more than the receive buffer holds
		ns.Down(t, "lo")
		ns.Up(t, "lo")
	}
	ns.Delete(t, "eth0")
	if _, err := l.update(); err != nil {
		t.Fatal(err)
	}
	up := map[string]bool{}
	for _, i := range l.table {
		up[i.Name] = i.Up
	}
	if len(l.table) != 2 || !up["lo"] || up["eth0"] || l.byName["lo"] != 1 || len(l.byName) != 1 {
		t.Errorf("table %+v, names %v", l.table, l.byName)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

func mappedRings(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(maps), "socket:[")
}

// A source gives back its files and its memory when it was read to its end; one
// that nobody reads does so when it is collected; one that fails to open, too.
func TestReleases(t *testing.T) {
	ns := netnstest.New(t)
	var f capture.Frame
	collect := func(done func() bool) {
		for begin := time.Now(); !done() && time.Since(begin) < 5*time.Second; {
			runtime.GC()
			time.Sleep(10 * time.Millisecond)
		}
	}
	collect(func() bool { return mappedRings(t) == 0 }) // what other tests left
	files, rings := openFiles(t), mappedRings(t)
	for range 3 {
		s := openIn(t, ns, Config{})
		if mappedRings(t) != rings+2 {
			t.Fatalf("%d rings are mapped, there were %d", mappedRings(t), rings)
		}
		s.Close()
		for s.Next(&f) == capture.ErrIdle {
		}
	}
	if n, m := openFiles(t), mappedRings(t); n > files || m != rings {
		t.Errorf("read to the end: %d files and %d rings, there were %d and %d", n, m, files, rings)
	}
	if err := ns.Do(func() error { _, err := Open(Config{RingBytes: 1 << 20, Filter: tooLong()}); return err }); err == nil {
		t.Error("a filter that is too long is taken")
	}
	if n, m := openFiles(t), mappedRings(t); n > files || m != rings {
		t.Errorf("failed to open: %d files and %d rings, there were %d and %d", n, m, files, rings)
	}
	ns.Must(t, func() error { _, err := Open(Config{}); return err })
	collect(func() bool { return mappedRings(t) == rings && openFiles(t) <= files })
	if n, m := openFiles(t), mappedRings(t); n > files || m != rings {
		t.Errorf("collected: %d files and %d rings, there were %d and %d", n, m, files, rings)
	}
}
