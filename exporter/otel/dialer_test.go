package otel

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// Every socket is known before its first packet, and forgotten after its last.
func TestOwnFlows(t *testing.T) {
	own := &capture.OwnFlows{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := newDialer(own)
	d.linger = 20 * time.Millisecond
	c, err := d.dial(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	f := capture.Flow{Src: endpointOf(c.LocalAddr().String()), Dst: endpointOf(c.RemoteAddr().String())}
	if !own.Has(&capture.Packet{Transport: capture.TCP, Flow: f}) || !own.Has(&capture.Packet{Transport: capture.TCP, Flow: f.Reverse()}) || own.Has(&capture.Packet{Transport: capture.UDP, Flow: f}) {
		t.Error("the connection is not known as own")
	}
	if _, ok := c.(interface{ SetNoDelay(bool) error }); !ok {
		t.Errorf("%T hides the methods of a TCP connection", c)
	}
	c.Close()
	if !own.Has(&capture.Packet{Transport: capture.TCP, Flow: f}) {
		t.Error("forgotten while its last packets are on the way")
	}
	eventually(t, "forgetting", func() bool { return !own.Has(&capture.Packet{Transport: capture.TCP, Flow: f}) })

	// A dial that fails leaves nothing behind either.
	l.Close()
	if _, err := d.dial(context.Background(), "tcp", l.Addr().String()); err == nil {
		t.Fatal("dialled a closed port")
	}
	eventually(t, "forgetting a failed dial", func() bool { return !own.Has(&capture.Packet{Transport: capture.TCP, Flow: f}) })
}

// The flow stands in the set when the SYN goes out: the listener asks at accept.
func TestOwnFlowBeforeSYN(t *testing.T) {
	own := &capture.OwnFlows{}
	s := &sink{}
	known := make(chan bool, 100)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := serveOn(t, s, watched{l, func(c net.Conn) {
		known <- own.Has(&capture.Packet{Transport: capture.TCP, Flow: capture.Flow{Src: endpointOf(c.RemoteAddr().String()), Dst: endpointOf(c.LocalAddr().String())}})
	}})
	cfg := onlyTraces(overGRPC(srv))
	cfg.OwnFlows = own
	e := start(t, cfg)
	export(e, 1)
	eventually(t, "the span", func() bool { return health(t, e, traces).Exported == 1 })
	if !<-known {
		t.Error("the connection was accepted before it was known")
	}
}

type watched struct {
	net.Listener
	see func(net.Conn)
}

func (w watched) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err == nil {
		w.see(c)
	}
	return c, err
}

// Look-ups of names go through known sockets too.
func TestOwnLookups(t *testing.T) {
	own := &capture.OwnFlows{}
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan bool, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			asked <- own.Has(&capture.Packet{Transport: capture.UDP, Flow: capture.Flow{Src: endpointOf(from.String()), Dst: endpointOf(server.LocalAddr().String())}})
			buf[2] |= 0x80 // an answer
			buf[3] = 3     // NXDOMAIN
			_, _ = server.WriteTo(buf[:n], from)
		}
	}()
	d := newDialer(own)
	dial := d.resolver.Dial
	d.resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, server.LocalAddr().String())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := d.dial(ctx, "tcp", "no-such-host.invalid:4317"); err == nil {
		t.Error("dialled a name that does not exist")
	}
	server.Close()
	<-done
	if len(asked) == 0 {
		t.Fatal("the server was never asked")
	}
	for range len(asked) {
		if !<-asked {
			t.Error("a query came from a socket that was not known")
		}
	}
}

func TestTransportOfAndPort(t *testing.T) {
	if transportOf("udp4") != capture.UDP || transportOf("tcp6") != capture.TCP {
		t.Error("transport")
	}
	if portOf(net.TCPAddrFromAddrPort(netip.MustParseAddrPort("[::1]:7"))) != 7 || portOf(&net.UnixAddr{Name: "/x"}) != 0 {
		t.Error("port")
	}
}

func TestUnixSocket(t *testing.T) {
	path := t.TempDir() + "/c.sock"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{}
	serveOn(t, s, l)
	cfg := overGRPC("")
	cfg.Traces.Endpoint = "unix://" + path
	e := start(t, onlyTraces(cfg))
	export(e, 3)
	eventually(t, "the spans", func() bool { return health(t, e, traces).Exported == 3 })
}
