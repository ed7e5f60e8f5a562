package defrag

// blockSize is how many bytes of a fragment one block holds.
const blockSize = 512

const maxBlocks = maxBytes / blockSize

// block holds bytes of one datagram that follow each other.
type block struct {
	data [blockSize]byte
	off  int32 // of data in the datagram
	n    int32 // how much of data is used
	next int32 // by offset; also chains free blocks
}

// arena is the memory of all datagrams: at most maxBlocks blocks, allocated
// when first needed and kept.
type arena struct {
	blocks []block
	free   int32
	used   int
}

// list is the blocks of one datagram in order of their offset.
type list struct {
	first, last int32
	end         int // offset after the last byte
}

var emptyList = list{first: none, last: none}

// outcome is what insert found.
type outcome uint8

const (
	inserted  outcome = iota
	duplicate         // all of it was there
	overlap           // some of it was there
)

// has reports whether there is room for n bytes.
func (a *arena) has(n int) bool { return a.used+(n+blockSize-1)/blockSize <= maxBlocks }

// insert puts b at offset off into l. The caller has asked has.
func (a *arena) insert(l *list, off int, b []byte) outcome {
	end := off + len(b)
	before := int32(none)
	if l.first != none && off >= l.end {
		before = l.last // in order: nothing to search
	} else {
		i := l.first
		for i != none && a.end(i) <= off {
			before, i = i, a.blocks[i].next
		}
		if i != none && int(a.blocks[i].off) < end {
			return a.covers(i, off, end)
		}
	}
	// What follows on is put into the same block while there is room.
	if before != none && a.end(before) == off {
		k := &a.blocks[before]
		n := copy(k.data[k.n:], b)
		k.n += int32(n)
		b, off = b[n:], off+n
	}
	for len(b) > 0 {
		i := a.take()
		k := &a.blocks[i]
		n := copy(k.data[:], b)
		k.off, k.n = int32(off), int32(n)
		if before == none {
			k.next, l.first = l.first, i
		} else {
			k.next, a.blocks[before].next = a.blocks[before].next, i
		}
		if k.next == none {
			l.last = i
		}
		before = i
		b, off = b[n:], off+n
	}
	l.end = max(l.end, end)
	return inserted
}

// covers tells whether the bytes from off to end are all in block i and those
// that follow it without a hole.
func (a *arena) covers(i int32, off, end int) outcome {
	if off < int(a.blocks[i].off) {
		return overlap
	}
	for at := a.end(i); at < end; at = a.end(i) {
		i = a.blocks[i].next
		if i == none || int(a.blocks[i].off) != at {
			return overlap
		}
	}
	return duplicate
}

func (a *arena) end(i int32) int { return int(a.blocks[i].off + a.blocks[i].n) }

func (a *arena) take() int32 {
	a.used++
	if a.free == none {
		a.blocks = append(a.blocks, block{})
		return int32(len(a.blocks) - 1)
	}
	i := a.free
	a.free = a.blocks[i].next
	return i
}

// release frees all blocks of l.
func (a *arena) release(l *list) {
	for i := l.first; i != none; {
		next := a.blocks[i].next
		a.blocks[i].next, a.free = a.free, i
		a.used--
		i = next
	}
	*l = emptyList
}

// appendTo appends the bytes of l to b.
func (a *arena) appendTo(b []byte, l list) []byte {
	for i := l.first; i != none; i = a.blocks[i].next {
		b = append(b, a.blocks[i].data[:a.blocks[i].n]...)
	}
	return b
}
