package defrag

import (
	"time"

	"github.com/wiretell/wiretell/capture"
)

// Bounds of a [Table].
const (
	maxBytes     = 1 << 20
	maxDatagrams = 1024
	maxFragments = 1024 // of one datagram: 64 KiB in fragments of 64 bytes
	// timeout is Linux's for IPv4 (RFC 791 suggests 15 s, RFC 8200 60 s).
	timeout = 30 * time.Second
	// maxDatagram is the largest payload that an IP length field can tell.
	maxDatagram = 65535
)

// Table holds datagrams that are not yet whole.
type Table struct {
	book      *capture.Book
	index     map[key]int32
	datagrams []datagram // slots; free ones are chained from freeSlot
	freeSlot  int32
	// oldest and newest end the list of used slots in order of first sight.
	oldest, newest int32
	arena          arena
	out            []byte // the datagram that the last Add completed
}

// key tells datagrams apart: RFC 791 by source, destination, protocol and
// identification; RFC 8200 without the protocol, which is 0 then.
type key struct {
	src, dst  [16]byte
	id        uint32
	iface     uint16
	network   capture.Network
	protoIPv4 uint8
}

// none is no slot and no block.
const none = -1

// datagram is one slot of the Table.
type datagram struct {
	key        key
	start      capture.Time
	prev, next int32 // by age; next also chains free slots
	blocks     list
	frames     int // in FragmentsLive
	have       int // bytes that are here
	total      int // bytes of the whole, when the last fragment was seen
	hasLast    bool
	// dead says that the datagram was discarded: what still comes of it is
	// invalid, too (RFC 5722, section 4: "any constituent fragments, including
	// those not yet received, MUST be silently discarded").
	dead  bool
	proto uint8 // of the fragment at offset 0
}

// New returns an empty Table that counts in book's ledger.
func New(book *capture.Book) *Table {
	return &Table{
		book: book, index: make(map[key]int32), freeSlot: none, oldest: none, newest: none,
		arena: arena{free: none},
	}
}

// Add takes the fragment p. When it completes its datagram, Add returns true
// and p.Payload, p.PayloadLen and p.Fragment.Proto are those of the whole
// datagram; the memory is the Table's and valid until the next Add. The caller
// then decodes it with wire's DecodeDatagram and counts DatagramsReassembled
// and what it proved to be.
func (t *Table) Add(p *capture.Packet) (done bool) {
	f := &p.Fragment
	n := p.PayloadLen
	end := int(f.Offset) + n
	// RFC 8200, section 4.5: a fragment whose length is no multiple of 8 octets
	// with the M flag set "must be discarded", and so one that would make the
	// datagram longer than 65,535 octets.
	if n == 0 || f.More && n%8 != 0 || end > maxDatagram {
		t.book.Ledger[capture.FragmentsInvalid]++
		return false
	}
	k := key{src: p.Flow.Src.Addr, dst: p.Flow.Dst.Addr, id: f.ID, iface: p.Interface, network: p.Network}
	if p.Network == capture.IPv4 {
		k.protoIPv4 = f.Proto
	}
	i, ok := t.index[k]
	if ok && p.Time.Sub(t.datagrams[i].start) > timeout {
		t.drop(i, capture.FragmentsExpired)
		ok = false
	}
	if !ok {
		if len(t.index) >= maxDatagrams {
			t.drop(t.oldest, capture.FragmentsEvicted)
		}
		i = t.open(k, p.Time)
	}
	d := &t.datagrams[i]
	if d.dead {
		t.book.Ledger[capture.FragmentsInvalid]++
		return false
	}
	d.frames++
	t.book.Ledger[capture.FragmentsLive]++
	if len(p.Payload) < n || !d.fits(end, f.More) {
		t.kill(d)
		return false
	}
	if d.frames > maxFragments || !t.room(i, n) {
		t.drop(i, capture.FragmentsEvicted)
		return false
	}
	switch t.arena.insert(&d.blocks, int(f.Offset), p.Payload[:n]) {
	case overlap:
		t.kill(d)
		return false
	case duplicate:
		return false
	}
	d.have += n
	if f.Offset == 0 {
		d.proto = f.Proto
	}
	if !d.hasLast || d.have < d.total {
		return false
	}
	t.out = t.arena.appendTo(t.out[:0], d.blocks)
	p.Payload, p.PayloadLen, f.Proto = t.out, len(t.out), d.proto
	t.drop(i, capture.FragmentsReassembled)
	return true
}

// fits notes where the datagram ends and reports whether a fragment that ends
// at end agrees with that.
func (d *datagram) fits(end int, more bool) bool {
	if !more {
		if d.hasLast && d.total != end || d.blocks.end > end {
			return false
		}
		d.hasLast, d.total = true, end
		return true
	}
	return !d.hasLast || end <= d.total
}

// room makes room for n bytes of datagram i by giving up older ones. It returns
// false when there is none without giving up i itself.
func (t *Table) room(i int32, n int) bool {
	for !t.arena.has(n) {
		victim := t.oldest
		if victim == i {
			if victim = t.datagrams[i].next; victim == none {
				return false
			}
		}
		t.drop(victim, capture.FragmentsEvicted)
	}
	return true
}

// Tick gives up the datagrams that were begun more than 30 s before now.
func (t *Table) Tick(now capture.Time) {
	for i := t.oldest; i != none; {
		next := t.datagrams[i].next
		if now.Sub(t.datagrams[i].start) > timeout {
			t.drop(i, capture.FragmentsExpired)
		}
		i = next
	}
}

// Flush gives up all datagrams, at the end of a capture.
func (t *Table) Flush() {
	for t.oldest != none {
		t.drop(t.oldest, capture.FragmentsExpired)
	}
}

// open returns a slot for a new datagram.
func (t *Table) open(k key, at capture.Time) int32 {
	i := t.freeSlot
	if i == none {
		i = int32(len(t.datagrams))
		t.datagrams = append(t.datagrams, datagram{})
	} else {
		t.freeSlot = t.datagrams[i].next
	}
	t.datagrams[i] = datagram{key: k, start: at, prev: t.newest, next: none, blocks: emptyList}
	if t.newest == none {
		t.oldest = i
	} else {
		t.datagrams[t.newest].next = i
	}
	t.newest = i
	t.index[k] = i
	return i
}

// kill discards what is held of d and keeps the slot, so that its later
// fragments are known.
func (t *Table) kill(d *datagram) {
	t.move(d, capture.FragmentsInvalid)
	t.arena.release(&d.blocks)
	d.dead = true
}

// drop frees slot i; its fragments go to account.
func (t *Table) drop(i int32, account capture.Entry) {
	d := &t.datagrams[i]
	t.move(d, account)
	t.arena.release(&d.blocks)
	delete(t.index, d.key)
	if d.prev == none {
		t.oldest = d.next
	} else {
		t.datagrams[d.prev].next = d.next
	}
	if d.next == none {
		t.newest = d.prev
	} else {
		t.datagrams[d.next].prev = d.prev
	}
	d.next, t.freeSlot = t.freeSlot, i
}

// move takes d's fragments from FragmentsLive to account.
func (t *Table) move(d *datagram, account capture.Entry) {
	t.book.Ledger[capture.FragmentsLive] -= uint64(d.frames)
	t.book.Ledger[account] += uint64(d.frames)
	d.frames = 0
}
