package record

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/wiretell/wiretell/capture"
)

// ring holds the latest packets. Nothing in it is allocated after newRing.
type ring struct {
	entries []entry // a power of two; by index modulo its length
	next    uint64  // index of the next entry
	data    []byte
	end     uint64 // of what was written to data, ever; modulo its length the place
	heads   []head // a power of two
	seed    [2]uint64
	found   []uint64 // of the last call of find
}

// entry is one packet.
type entry struct {
	time    capture.Time
	key     uint64 // of its conversation
	before  uint64 // index of the packet before it of the same head, plus 1
	at      uint64 // of its bytes in ring.data
	wire    int32  // length on the wire
	bytes   uint32 // of it here
	nth     uint32 // of its conversation, from 1, since its head was its alone
	link    capture.LinkType
	iface   uint16
	vlan    uint16
	tagged  bool
	way     capture.Direction
	oneself bool // Frame.Loopback
}

// head is where the packets of a conversation are looked for. Conversations may
// share one.
type head struct {
	key  uint64
	last uint64 // index of the latest packet, plus 1
	n    uint32 // packets of key without others in between
	syn  bool   // the latest was a SYN
}

// newRing returns a ring of so many bytes, of which packets of about the given
// size make the best use. Without random, the same packets share the same heads
// in each run.
func newRing(memory, packet int, random bool) *ring {
	n := 1 << (bits.Len(uint(memory/(packet+80))) - 1) // 56 bytes of entry, 24 of head
	r := &ring{
		entries: make([]entry, n), heads: make([]head, n), data: make([]byte, memory-80*n),
		seed: [2]uint64{0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f},
	}
	if random {
		r.seed = [2]uint64{rand.Uint64(), rand.Uint64() | 1}
	}
	return r
}

// key names a conversation: the same for both of its directions.
func (r *ring) key(t capture.Transport, f *capture.Flow) uint64 {
	return r.side(&f.Src) + r.side(&f.Dst) + uint64(t)*r.seed[1]
}

func (r *ring) side(e *capture.Endpoint) uint64 {
	hi, lo := bits.Mul64(binary.LittleEndian.Uint64(e.Addr[:8])^r.seed[0], r.seed[1])
	h := hi ^ lo
	hi, lo = bits.Mul64(h^binary.LittleEndian.Uint64(e.Addr[8:]), r.seed[1]^uint64(e.Port)<<1)
	h = hi ^ lo
	hi, lo = bits.Mul64(h^uint64(e.Port)^r.seed[0], r.seed[1])
	return hi ^ lo
}

// add keeps the first n bytes of f. syn says that it may begin a conversation.
func (r *ring) add(f *capture.Frame, n int, key uint64, syn bool) {
	n = min(n, len(r.data)/4)
	size := uint64(len(r.data))
	if place := r.end % size; place+uint64(n) > size {
		r.end += size - place // what does not fit begins at the front
	}
	h := &r.heads[key%uint64(len(r.heads))]
	if h.key != key || syn && !h.syn {
		h.key, h.n = key, 0
	}
	h.n++
	h.syn = syn
	e := &r.entries[r.next%uint64(len(r.entries))]
	*e = entry{
		time: f.Time, key: key, before: h.last, at: r.end, wire: int32(min(f.WireLen, 1<<31-1)), bytes: uint32(n), nth: h.n,
		link: f.Link, iface: f.Interface, vlan: f.VLAN, tagged: f.Tagged, way: f.Direction, oneself: f.Loopback,
	}
	copy(r.data[r.end%size:], f.Data[:n])
	r.end += uint64(n)
	r.next++
	h.last = r.next
}

// holds reports whether the entry of that index is still there.
func (r *ring) holds(i uint64) bool {
	if i >= r.next || i+uint64(len(r.entries)) < r.next {
		return false
	}
	return r.entries[i%uint64(len(r.entries))].at+uint64(len(r.data)) >= r.end
}

// find returns the indexes of the packets of a conversation that began with the
// one at start, 0 when that is not known, in order and at most limit bytes of
// them, the latest. gone is how many before them were overwritten, at least. The
// slice is valid until the next call.
func (r *ring) find(key uint64, start capture.Time, limit int) (list []uint64, gone uint64) {
	r.found = r.found[:0]
	began, left := start == 0, 0
	for i := r.heads[key%uint64(len(r.heads))].last; i > 0 && r.holds(i-1); {
		e := &r.entries[(i-1)%uint64(len(r.entries))]
		if e.key == key {
			if start != 0 && began && e.time != start {
				break // of a conversation before this one
			}
			began = began || e.time == start
			if limit -= int(e.bytes); limit < 0 {
				left = int(e.nth)
				began = true
				break
			}
			r.found = append(r.found, i-1)
			gone = uint64(e.nth) - 1
		}
		i = e.before
	}
	slices.Reverse(r.found)
	if began {
		gone = uint64(left)
	} else {
		gone = max(gone, 1)
	}
	return r.found, gone
}

// frame fills f with the packet of that index. Its bytes are valid until add.
func (r *ring) frame(i uint64, f *capture.Frame) {
	e := &r.entries[i%uint64(len(r.entries))]
	at := e.at % uint64(len(r.data))
	*f = capture.Frame{
		Time: e.time, Data: r.data[at : at+uint64(e.bytes)], WireLen: int(e.wire), Link: e.link, Interface: e.iface,
		Direction: e.way, Tagged: e.tagged, VLAN: e.vlan, Loopback: e.oneself,
	}
}
