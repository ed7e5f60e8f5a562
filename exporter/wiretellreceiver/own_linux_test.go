package wiretellreceiver

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture"
)

// TestOwn: what the process sends over connections of its own is left out from
// their first packet on, and counted; what others send it is told.
func TestOwn(t *testing.T) {
	server := serve(t)
	defer server.Close()
	c := new(collector)
	c.create(t, config())
	if err := c.start(t); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: new(http.Transport)}
	if err := request(client, server.URL, "30"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(settle)
	client.CloseIdleConnections()
	const n = 20
	call(t, n)
	c.shutdown(t)
	if got := c.traces.SpanCount(); got != n {
		t.Errorf("%d spans, want those of the %d requests of another process", got, n)
	}
	if got := len(c.records("wiretell.http.exchange_incomplete")); got != 0 {
		t.Errorf("%d exchanges are told in part", got)
	}
	if got := c.sum("wiretell.ledger", "wiretell.ledger.line", "frames", "wiretell.reason", "own_export"); got < 2*30 {
		t.Errorf("%v frames are counted as the process' own", got)
	}
	if got := c.sum("wiretell.ledger.imbalance"); got != 0 {
		t.Errorf("the books are out by %v", got)
	}
}

// TestOpenedHere: connections that this process has opened are found, also those
// that nobody answers yet; those that it accepted are not, nor what listens.
func TestOpenedHere(t *testing.T) {
	serve(t).Close() // loopback is up
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	opened, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()

	// A queue that is full lets nobody in.
	socket := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	port := func(fd int) uint16 {
		a, err := unix.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		return addrPort(a).Port()
	}
	full := socket()
	at := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Bind(full, at); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(full, 0); err != nil {
		t.Fatal(err)
	}
	at.Port = int(port(full))
	first, second := socket(), socket()
	for _, fd := range []int{first, second} {
		if err := unix.Connect(fd, at); err != unix.EINPROGRESS && err != nil {
			t.Fatal(err)
		}
	}

	got, _ := openedHere()
	slices.SortFunc(got, func(a, b capture.OwnFlow) int { return a.Peer.Compare(b.Peer) })
	want := []capture.OwnFlow{
		{Transport: capture.TCP, LocalPort: port(second)},
		{Transport: capture.TCP, LocalPort: netip.MustParseAddrPort(opened.LocalAddr().String()).Port(), Peer: netip.MustParseAddrPort(l.Addr().String())},
		{Transport: capture.TCP, LocalPort: port(first), Peer: netip.AddrPortFrom(netip.AddrFrom4(at.Addr), uint16(at.Port))},
	}
	slices.SortFunc(want, func(a, b capture.OwnFlow) int { return a.Peer.Compare(b.Peer) })
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// BenchmarkLook has 100 connections, whose other ends wait to be accepted.
func BenchmarkLook(b *testing.B) {
	serve(b).Close() // loopback is up
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for range 100 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
	}
	o := &ownSockets{flows: new(capture.OwnFlows)}
	b.ReportAllocs()
	for b.Loop() {
		o.next = time.Time{}
		o.look()
	}
}
