package observer

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/wiretell/wiretell/capture"
)

const (
	// flowSets and flowWays bound the UDP flows that are remembered: 4,096.
	flowSets = 1024
	flowWays = 4
	// flowAge is how long after a datagram an ICMP error about it may come. A
	// fragment that is waited for takes up to 60 s (RFC 1122, section 3.3.2).
	flowAge = time.Minute
)

// recentFlow is a UDP conversation. Its client sent the first datagram seen.
type recentFlow struct {
	client, server capture.Endpoint
	last           [2]capture.Time // by sender, of its latest datagram
	start          capture.Time
	iface          uint16
	role           capture.Role
}

// recentFlows remembers which UDP datagrams were on their way lately, so that an
// ICMP error about one can be told from an invention: anyone may send an error
// (RFC 5927). A set that is full gives up what was silent longest.
type recentFlows struct {
	seed [3]uint64
	sets [][flowWays]recentFlow
}

func newRecentFlows() *recentFlows {
	return &recentFlows{
		seed: [3]uint64{rand.Uint64(), rand.Uint64() | 1, rand.Uint64() | 1},
		sets: make([][flowWays]recentFlow, flowSets),
	}
}

// note remembers that p was sent.
func (r *recentFlows) note(p *capture.Packet) {
	set := r.set(&p.Flow)
	place := &set[0]
	for i := range set {
		f := &set[i]
		if from, ok := f.sender(&p.Flow); ok {
			f.last[from] = p.Time
			return
		}
		if f.latest() < place.latest() {
			place = f
		}
	}
	*place = recentFlow{
		client: p.Flow.Src, server: p.Flow.Dst, start: p.Time, iface: p.Interface,
		role: capture.RoleOf(p.Direction, capture.Client, p.Loopback),
	}
	place.last[capture.Client] = p.Time
}

// find reports whether a datagram of flow was sent within flowAge before now,
// and puts the two ends into c.
func (r *recentFlows) find(flow *capture.Flow, now capture.Time, c *capture.Conn) bool {
	set := r.set(flow)
	for i := range set {
		f := &set[i]
		if from, ok := f.sender(flow); ok {
			if f.last[from] == 0 || now.Sub(f.last[from]) > flowAge {
				return false
			}
			*c = capture.Conn{Client: f.client, Server: f.server, Start: f.start, Interface: f.iface, Role: f.role}
			return true
		}
	}
	return false
}

// sender returns which side of f sends flow; ok is false when none does.
func (f *recentFlow) sender(flow *capture.Flow) (from capture.Side, ok bool) {
	switch {
	case f.start == 0:
	case f.client == flow.Src && f.server == flow.Dst:
		return capture.Client, true
	case f.server == flow.Src && f.client == flow.Dst:
		return capture.Server, true
	}
	return capture.Client, false
}

func (f *recentFlow) latest() capture.Time { return max(f.last[0], f.last[1]) }

// set is the same for both directions of a flow.
func (r *recentFlows) set(f *capture.Flow) *[flowWays]recentFlow {
	a, b := &f.Src, &f.Dst
	if c := bytes.Compare(a.Addr[:], b.Addr[:]); c > 0 || c == 0 && a.Port > b.Port {
		a, b = b, a
	}
	h := r.seed[0]
	for _, e := range [...]*capture.Endpoint{a, b} {
		hi, lo := bits.Mul64(binary.LittleEndian.Uint64(e.Addr[:8])^r.seed[1], h^binary.LittleEndian.Uint64(e.Addr[8:]))
		hi, lo = bits.Mul64(hi^lo^uint64(e.Port)<<20, r.seed[2])
		h = hi ^ lo
	}
	return &r.sets[h%flowSets]
}
