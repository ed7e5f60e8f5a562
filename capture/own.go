package capture

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// OwnFlow is one of wiretell's own sockets: the local port it was bound to
// before it connected, and the peer, which is not valid while it is not known.
type OwnFlow struct {
	Transport Transport
	LocalPort uint16
	Peer      netip.AddrPort
}

// OwnFlows is the set of wiretell's own sockets, so that the spine can leave
// their packets out. Exporters add and remove; the spine reads without a lock.
// The zero value is empty and ready.
type OwnFlows struct {
	mu     sync.Mutex
	set    atomic.Pointer[map[ownKey]int]
	ports  [1 << 16 / 64]atomic.Uint64 // one bit per local port in set: the quick no
	listen atomic.Pointer[Endpoint]    // where wiretell listens, nil when nowhere
}

type ownKey struct {
	transport Transport
	local     uint16
	peer      Endpoint
}

func keyOf(f OwnFlow) ownKey { return ownKey{f.Transport, f.LocalPort, peerOf(EndpointOf(f.Peer))} }

// DockerDNS is the address of Docker's embedded name server, 127.0.0.11. A packet
// to it is captured with the port that the engine redirects it to, and its answer
// with the one that was asked.
var DockerDNS = [16]byte{10: 0xff, 11: 0xff, 12: 127, 15: 11}

func peerOf(e Endpoint) Endpoint {
	if e.Addr == DockerDNS {
		e.Port = 0
	}
	return e
}

// Add puts f into the set; it must happen before the socket sends.
func (o *OwnFlows) Add(f OwnFlow) { o.change(keyOf(f), +1) }

// Remove takes f out again. Packets may still follow a close, so callers delay it.
func (o *OwnFlows) Remove(f OwnFlow) { o.change(keyOf(f), -1) }

func (o *OwnFlows) change(k ownKey, by int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := make(map[ownKey]int)
	if old := o.set.Load(); old != nil {
		for k, n := range *old {
			next[k] = n
		}
	}
	if next[k] += by; next[k] <= 0 {
		delete(next, k)
	}
	o.set.Store(&next)
	used := false
	for other := range next {
		used = used || other.local == k.local
	}
	if l := o.listen.Load(); l != nil && l.Port == k.local {
		used = true
	}
	if word, bit := &o.ports[k.local/64], uint64(1)<<(k.local%64); used {
		word.Or(bit)
	} else {
		word.And(^bit)
	}
}

// Listen says that wiretell itself listens for TCP connections at a, whose address may be
// unspecified. There is one such place; it stays for the life of the process.
func (o *OwnFlows) Listen(a netip.AddrPort) {
	e := EndpointOf(a)
	if a.Addr().IsUnspecified() {
		e.Addr = [16]byte{}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.listen.Store(&e)
	o.ports[e.Port/64].Or(1 << (e.Port % 64))
}

// Has reports whether p, in either direction, is wiretell's own.
func (o *OwnFlows) Has(p *Packet) bool {
	f := &p.Flow
	if !o.port(f.Src.Port) && !o.port(f.Dst.Port) {
		return false
	}
	if p.Transport == TCP && o.listens(p) {
		return true
	}
	set := o.set.Load()
	return set != nil && (holds(*set, p.Transport, f.Src.Port, f.Dst) || holds(*set, p.Transport, f.Dst.Port, f.Src))
}

func holds(set map[ownKey]int, t Transport, local uint16, peer Endpoint) bool {
	if _, ok := set[ownKey{t, local, peerOf(peer)}]; ok {
		return true
	}
	_, ok := set[ownKey{t, local, Endpoint{}}]
	return ok
}

// listens reports whether one end of p is where wiretell listens. The other
// way round, as with an application that asks another pod's wiretell, it is not.
func (o *OwnFlows) listens(p *Packet) bool {
	l := o.listen.Load()
	if l == nil {
		return false
	}
	ours := func(e *Endpoint) bool {
		return e.Port == l.Port && (l.Addr == [16]byte{} || e.Addr == l.Addr)
	}
	return ours(&p.Flow.Dst) && (p.Loopback || p.Direction == Receive) ||
		ours(&p.Flow.Src) && (p.Loopback || p.Direction == Transmit)
}

func (o *OwnFlows) port(p uint16) bool { return o.ports[p/64].Load()&(1<<(p%64)) != 0 }
