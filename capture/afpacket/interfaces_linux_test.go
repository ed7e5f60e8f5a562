package afpacket

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// onInterface returns how many frames with this payload came from the interface.
func (p *tap) onInterface(st capture.SourceStats, name, msg string) (n int) {
	for _, v := range p.carrying(msg) {
		if st.Interfaces[v.Frame.Interface].Name == name {
			n++
		}
	}
	return n
}

func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// quietly fails the test when the process burns CPU for a while: a socket with an
// error must not keep the poller awake.
func quietly(t testing.TB, while string) {
	t.Helper()
	begin := cpuTime(t)
	time.Sleep(300 * time.Millisecond)
	if used := cpuTime(t) - begin; used > 100*time.Millisecond {
		t.Errorf("%s: %v of CPU in 300ms", while, used)
	}
}

// An interface that comes later is seen and named, one that goes down and up
// again is seen again, one that is deleted and made anew keeps its entry.
func TestInterfacesComeAndGo(t *testing.T) {
	for name, c := range map[string]Config{
		"any":   {},
		"named": {Interfaces: []string{"eth0", "eth7"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := netnstest.New(t), netnstest.New(t)
			link := netnstest.Connect(t, a, b)
			tcp, _ := echo(t, b, link.B)
			s := openIn(t, a, c)
			p := startTap(t, s, nil)
			exchange(t, a, "tcp", tcp, "at first")

			later := netnstest.ConnectAs(t, a, b, "eth7", 7)
			tcp7, _ := echo(t, b, later.B)
			time.Sleep(150 * time.Millisecond) // a named socket follows when it is told
			exchange(t, a, "tcp", tcp7, "on a later interface")

			a.Down(t, "eth0")
			quietly(t, "eth0 is down")
			exchange(t, a, "tcp", tcp7, "while eth0 is down")
			a.Up(t, "eth0")
			exchange(t, a, "tcp", tcp, "up again")

			a.Delete(t, "eth7")
			quietly(t, "eth7 is deleted")
			exchange(t, a, "tcp", tcp, "after one was deleted")
			again := netnstest.ConnectAs(t, a, b, "eth7", 7)
			tcp7, _ = echo(t, b, again.B)
			time.Sleep(150 * time.Millisecond)
			exchange(t, a, "tcp", tcp7, "on the new one")

			st := p.finish(t)
			for _, want := range []struct{ on, msg string }{
				{"eth0", "at first"}, {"eth7", "on a later interface"}, {"eth7", "while eth0 is down"},
				{"eth0", "up again"}, {"eth0", "after one was deleted"}, {"eth7", "on the new one"},
			} {
				if n := p.onInterface(st, want.on, want.msg); n != 2 {
					t.Errorf("%q was seen %d times on %s, want 2", want.msg, n, want.on)
				}
			}
			count := map[string]int{}
			for _, i := range st.Interfaces {
				count[i.Name]++
			}
			if count["eth7"] != 1 || count["eth0"] != 1 {
				t.Errorf("interfaces %+v, want one entry each", st.Interfaces)
			}
			if missing := len(s.Notes()); missing != len(c.Interfaces)/2 {
				t.Errorf("notes %v", s.Notes())
			}
		})
	}
}

// The loopback survives going down and up.
func TestLoopbackDownUp(t *testing.T) {
	a := netnstest.New(t)
	p := startTap(t, openIn(t, a, Config{}), nil)
	a.Down(t, "lo")
	quietly(t, "lo is down")
	var st capture.SourceStats
	a.Up(t, "lo")
	tcp, _ := echo(t, a, loopback4)
	exchange(t, a, "tcp", tcp, "up again")
	st = p.finish(t)
	if n := p.onInterface(st, "lo", "up again"); n != 2 {
		t.Errorf("seen %d times, want 2", n)
	}
}

// A renamed interface is reported under its new name, and the old one is down.
func TestRenamed(t *testing.T) {
	a, b := netnstest.New(t), netnstest.New(t)
	link := netnstest.Connect(t, a, b)
	tcp, _ := echo(t, b, link.B)
	p := startTap(t, openIn(t, a, Config{}), nil)
	exchange(t, a, "tcp", tcp, "before")
	time.Sleep(250 * time.Millisecond) // the block is read under the old name
	a.Down(t, "eth0")
	if err := a.Links.LinkSetName(a.Link(t, "eth0"), "net1"); err != nil {
		t.Fatal(err)
	}
	a.Up(t, "net1")
	exchange(t, a, "tcp", tcp, "after")
	st := p.finish(t)
	if p.onInterface(st, "eth0", "before") != 2 || p.onInterface(st, "net1", "after") != 2 {
		t.Errorf("interfaces %+v", st.Interfaces)
	}
	for _, i := range st.Interfaces {
		if i.Up != (i.Name != "eth0") {
			t.Errorf("interface %+v", i)
		}
	}
}

// With a name given, other interfaces are not captured.
func TestNamedOnly(t *testing.T) {
	a, b := netnstest.New(t), netnstest.New(t)
	link0, link1 := netnstest.Connect(t, a, b), netnstest.ConnectAs(t, a, b, "eth1", 1)
	tcp0, _ := echo(t, b, link0.B)
	tcp1, _ := echo(t, b, link1.B)
	p := startTap(t, openIn(t, a, Config{Interfaces: []string{"eth1"}}), nil)
	exchange(t, a, "tcp", tcp0, "on eth0")
	exchange(t, a, "tcp", tcp1, "on eth1")
	st := p.finish(t)
	if n := len(p.carrying("on eth0")); n != 0 {
		t.Errorf("eth0 was captured %d times", n)
	}
	if n := p.onInterface(st, "eth1", "on eth1"); n != 2 {
		t.Errorf("eth1 was captured %d times, want 2", n)
	}
	if len(st.Rings) != 1 || st.Rings[0].Name != "eth1" || st.Rings[0].Bytes != DefaultRingBytes {
		t.Errorf("rings %+v", st.Rings)
	}
}

// A namespace whose last way out is deleted, as that of a container that was
// restarted, is left; one whose interface goes down, is made anew in time, or
// never was, is not.
func TestLeft(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, ns, peer *netnstest.NS)
		want error
	}{
		{"deleted", func(t *testing.T, ns, peer *netnstest.NS) { ns.Delete(t, "eth0") }, ErrLeft},
		{"peer deleted", func(t *testing.T, ns, peer *netnstest.NS) { peer.Delete(t, "eth0") }, ErrLeft},
		{"down, then deleted", func(t *testing.T, ns, peer *netnstest.NS) { ns.Down(t, "eth0"); ns.Delete(t, "eth0") }, ErrLeft},
		{"down", func(t *testing.T, ns, peer *netnstest.NS) { ns.Down(t, "eth0") }, nil},
		{"made anew", func(t *testing.T, ns, peer *netnstest.NS) { ns.Delete(t, "eth0"); netnstest.Connect(t, ns, peer) }, nil},
		{"one of two", func(t *testing.T, ns, peer *netnstest.NS) {
			netnstest.ConnectAs(t, ns, peer, "eth7", 7)
			ns.Delete(t, "eth0")
		}, nil},
		{"never", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ns, peer := netnstest.New(t), netnstest.New(t)
			if c.do != nil {
				netnstest.Connect(t, ns, peer)
			}
			s := openIn(t, ns, Config{LeftTimeout: 400 * time.Millisecond, IdleTimeout: 100 * time.Millisecond, RetireTimeout: 20 * time.Millisecond})
			defer s.Close()
			var f capture.Frame
			var err error
			next := func(until time.Time) {
				for (err == nil || err == capture.ErrIdle) && time.Now().Before(until) {
					err = s.Next(&f)
				}
			}
			next(time.Now().Add(300 * time.Millisecond))
			if err != nil && err != capture.ErrIdle {
				t.Fatalf("at first: %v", err)
			}
			if c.do != nil {
				c.do(t, ns, peer)
			}
			wait := 1500 * time.Millisecond
			if c.want != nil {
				wait = 20 * time.Second
			}
			next(time.Now().Add(wait))
			if err == capture.ErrIdle {
				err = nil
			}
			if err != c.want {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}
