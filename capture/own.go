package capture

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// OwnFlow is one of wiretell's own sockets: the local port it was bound to
// before it connected, and the peer.
type OwnFlow struct {
	Transport Transport
	LocalPort uint16
	Peer      netip.AddrPort
}

// OwnFlows is the set of wiretell's own sockets, so that the spine can leave
// their packets out. Exporters add and remove; the spine reads without a lock.
// The zero value is empty and ready.
type OwnFlows struct {
	mu    sync.Mutex
	set   atomic.Pointer[map[ownKey]int]
	ports [1 << 16 / 64]atomic.Uint64 // one bit per local port in set: the quick no
}

type ownKey struct {
	transport Transport
	local     uint16
	peer      Endpoint
}

func keyOf(f OwnFlow) ownKey { return ownKey{f.Transport, f.LocalPort, EndpointOf(f.Peer)} }

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
	if word, bit := &o.ports[k.local/64], uint64(1)<<(k.local%64); used {
		word.Or(bit)
	} else {
		word.And(^bit)
	}
}

// Has reports whether a packet of flow f, either direction, is wiretell's own.
func (o *OwnFlows) Has(t Transport, f Flow) bool {
	if !o.port(f.Src.Port) && !o.port(f.Dst.Port) {
		return false
	}
	set := o.set.Load()
	_, out := (*set)[ownKey{t, f.Src.Port, f.Dst}]
	if out {
		return true
	}
	_, in := (*set)[ownKey{t, f.Dst.Port, f.Src}]
	return in
}

func (o *OwnFlows) port(p uint16) bool { return o.ports[p/64].Load()&(1<<(p%64)) != 0 }
