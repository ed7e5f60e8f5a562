package otel

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// ownFlowLinger is how long a closed socket stays known as wiretell's own: its
// last packets are still on the way.
const ownFlowLinger = 5 * time.Second

// dialer opens wiretell's own sockets. Each is bound to its local port and
// entered in own before it sends its first packet, look-ups of names included.
type dialer struct {
	own      *capture.OwnFlows
	resolver *net.Resolver
	linger   time.Duration
}

func newDialer(own *capture.OwnFlows) *dialer {
	d := &dialer{own: own, linger: ownFlowLinger}
	d.resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		return d.open(ctx, &net.Dialer{}, network, address)
	}}
	return d
}

// dial connects to address, resolving its name.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return d.open(ctx, &net.Dialer{Resolver: d.resolver}, network, address)
}

func (d *dialer) open(ctx context.Context, nd *net.Dialer, network, address string) (net.Conn, error) {
	if network == "unix" {
		return nd.DialContext(ctx, network, address)
	}
	// One dial may try several addresses, each with a socket of its own.
	var tried flows
	nd.ControlContext = func(_ context.Context, network, address string, c syscall.RawConn) error {
		return prepareSocket(c, network, func(port uint16) {
			peer, err := netip.ParseAddrPort(address)
			if err != nil || d.own == nil {
				return
			}
			f := capture.OwnFlow{Transport: transportOf(network), LocalPort: port, Peer: peer}
			d.own.Add(f)
			tried.add(f)
		})
	}
	conn, err := nd.DialContext(ctx, network, address)
	var used uint16
	if err == nil {
		used = portOf(conn.LocalAddr())
	}
	var kept []capture.OwnFlow
	for _, f := range tried.take() {
		if err == nil && f.LocalPort == used {
			kept = append(kept, f)
		} else {
			d.forget(f)
		}
	}
	if err != nil {
		return nil, err
	}
	return d.wrap(conn, kept), nil
}

// flows collects what the sockets of one dial are; they may be made in parallel.
type flows struct {
	mu  sync.Mutex
	all []capture.OwnFlow
}

func (f *flows) add(o capture.OwnFlow) {
	f.mu.Lock()
	f.all = append(f.all, o)
	f.mu.Unlock()
}

func (f *flows) take() []capture.OwnFlow {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all
}

func transportOf(network string) capture.Transport {
	if len(network) >= 3 && network[:3] == "udp" {
		return capture.UDP
	}
	return capture.TCP
}

func portOf(a net.Addr) uint16 {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return 0
	}
	return ap.Port()
}

// forget takes f out of the set when its last packets have passed.
func (d *dialer) forget(f capture.OwnFlow) {
	time.AfterFunc(d.linger, func() { d.own.Remove(f) })
}

// wrap makes Close forget the flows. The concrete types are kept: the resolver
// tells a datagram socket by its methods.
func (d *dialer) wrap(c net.Conn, fs []capture.OwnFlow) net.Conn {
	if len(fs) == 0 {
		return c
	}
	once := sync.OnceFunc(func() {
		for _, f := range fs {
			d.forget(f)
		}
	})
	switch c := c.(type) {
	case *net.TCPConn:
		return ownTCP{c, once}
	case *net.UDPConn:
		return ownUDP{c, once}
	}
	return c
}

type ownTCP struct {
	*net.TCPConn
	closed func()
}

func (c ownTCP) Close() error {
	err := c.TCPConn.Close()
	c.closed()
	return err
}

type ownUDP struct {
	*net.UDPConn
	closed func()
}

func (c ownUDP) Close() error {
	err := c.UDPConn.Close()
	c.closed()
	return err
}
