package tcp

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"time"
	"unsafe"

	"github.com/wiretell/wiretell/capture"
)

// Open is called when the first captured payload of a connection is handed on:
// never for a SYN flood, nor where all payload came late or was cut by the
// capture, which is in the ledger alone. It returns who follows the connection;
// nil is not allowed. c stays as it is until End was called for both sides, and so
// long q is kept up to date; port stays valid.
type Open func(c *capture.Conn, q *capture.Quality, port *capture.PortStats) capture.Handler

// Table holds the connections. It belongs to one goroutine.
type Table struct {
	cfg  Config
	book *capture.Book
	open Open

	// Open addressing with linear probing. The tag is the whole hash, so that
	// probing, growing and deleting touch no connection.
	slots []slot
	mask  uint32
	used  int  // connections in the table, ended ones included
	begun int  // of them, those that have a Handler
	grew  bool // what is counted in memory grew without a connection being made
	seed  [3]uint64

	slab   []*[slabSize]conn
	free   []int32 // indices of the slab not in use
	lists  [numLists]list
	filled [wheelSlots / 64]uint64 // bit per slot of the wheel that holds something

	clock   capture.Time // never runs backwards, never far ahead at once
	last    capture.Time // time that the clock went by: of the latest packet or tick, late ones aside
	second  int64        // the wheel has been worked up to here
	started bool

	nextID uint64
	recent *conn // the one found last, nil when it is gone
	cur    *conn // being worked on, for Abandon
	// placing says that the segment at hand is in no account yet, unplaced how
	// many bytes it carries, while a Handler is called that might panic.
	placing  bool
	unplaced int
	lastPort *capture.PortStats
	failedBy *capture.ICMPError // while a connection fails by it

	doubted [64]doubted   // by ID of the connection
	echoes  *echoes       // nil before a segment was captured twice
	quiet   time.Duration // silence of the connection before the segment at hand

	holes    holeSlab
	pieces   pieceSlab
	strains  strainSlab
	pool     bufferPool
	freeRare []*rare
	rare     map[int32]*rare // by index of the connection
}

// slot is one place of the hash table. index is that of the connection plus
// one; 0 is empty.
type slot struct {
	tag, index uint32
}

// slabSize is how many connections are allocated at once.
const slabSize = 64

// New returns a Table that writes into book and hands payload to what open
// returns.
func New(cfg Config, book *capture.Book, open Open) *Table {
	cfg.setDefaults()
	t := &Table{cfg: cfg, book: book, open: open}
	t.seed = [3]uint64{rand.Uint64(), rand.Uint64() | 1, rand.Uint64() | 1}
	t.rare = make(map[int32]*rare)
	t.resize(1024)
	t.pool.limit = cfg.MaxBuffered
	for i := range t.lists {
		t.lists[i] = list{-1, -1, 0}
	}
	return t
}

// Len returns how many connections are held, those that just ended included.
func (t *Table) Len() int { return t.used }

// Buffered returns the memory in use for early segments, in bytes.
func (t *Table) Buffered() int { return t.pool.inUse }

// What is counted of each thing: its size, and its place in the table, which is
// a third full at least, or in a map.
const (
	connBytes = int(unsafe.Sizeof(conn{})) + 3*int(unsafe.Sizeof(slot{}))
	rareBytes = int(unsafe.Sizeof(rare{})) + 32
)

// memory is how many bytes the connections held take, about. What they buffer
// has a bound of its own.
func (t *Table) memory() int {
	return t.used*connBytes + t.begun*t.cfg.HandlerBytes + len(t.rare)*rareBytes +
		(len(t.strains.all)-len(t.strains.free))*int(unsafe.Sizeof(strain{})) +
		(len(t.holes.all)-len(t.holes.free))*int(unsafe.Sizeof(hole{})) +
		(len(t.pieces.all)-len(t.pieces.free))*int(unsafe.Sizeof(piece{}))
}

// full reports whether the connections held take more than they may.
func (t *Table) full() bool { return t.memory() >= t.cfg.MaxMemory && t.used > 0 }

// relieve lets connections give way when those that are there took more. It is
// called where nobody works on one.
func (t *Table) relieve() {
	t.grew, t.strains.grew = false, false
	for t.full() {
		t.evict()
	}
}

// forgetHandler lets go of c's Handler.
func (t *Table) forgetHandler(c *conn) {
	if c.handler != nil {
		c.handler = nil
		t.begun--
	}
}

// hash is the same for both directions of a flow.
func (t *Table) hash(f *capture.Flow) uint32 {
	h := t.hashEndpoint(&f.Src) + t.hashEndpoint(&f.Dst)
	hi, lo := bits.Mul64(h, t.seed[2])
	return uint32(hi ^ lo)
}

func (t *Table) hashEndpoint(e *capture.Endpoint) uint64 {
	a := binary.LittleEndian.Uint64(e.Addr[:8])
	b := binary.LittleEndian.Uint64(e.Addr[8:])
	hi, lo := bits.Mul64(b^t.seed[0], a^t.seed[1]^uint64(e.Port)<<47)
	return hi ^ lo
}

func sameEndpoint(a, b *capture.Endpoint) bool {
	return a.Port == b.Port &&
		binary.LittleEndian.Uint64(a.Addr[8:]) == binary.LittleEndian.Uint64(b.Addr[8:]) &&
		binary.LittleEndian.Uint64(a.Addr[:8]) == binary.LittleEndian.Uint64(b.Addr[:8])
}

// find returns the connection of f and the side that sends f, or nil.
func (t *Table) find(h uint32, f *capture.Flow) (*conn, capture.Side) {
	for i := h & t.mask; ; i = (i + 1) & t.mask {
		s := t.slots[i]
		if s.index == 0 {
			return nil, capture.Client
		}
		if s.tag != h {
			continue
		}
		c := t.at(int32(s.index - 1))
		if from, ok := c.sender(f); ok {
			return c, from
		}
	}
}

// Followed returns the counters of the connection that f belongs to and the side
// that sends f, nil where it is not followed.
func (t *Table) Followed(f *capture.Flow) (*capture.PortStats, capture.Side) {
	c, from := t.find(t.hash(f), f)
	if c == nil {
		return nil, from
	}
	return t.countPort(c), from
}

// sender returns which side of c sends f; ok is false when none does.
func (c *conn) sender(f *capture.Flow) (from capture.Side, ok bool) {
	if sameEndpoint(&c.id.Client, &f.Src) && sameEndpoint(&c.id.Server, &f.Dst) {
		return capture.Client, true
	}
	return capture.Server, sameEndpoint(&c.id.Server, &f.Src) && sameEndpoint(&c.id.Client, &f.Dst)
}

func (t *Table) at(i int32) *conn { return &t.slab[uint32(i)/slabSize][uint32(i)%slabSize] }

// insert makes a connection for hash h, making room when the table is full.
func (t *Table) insert(h uint32) *conn {
	for t.used >= t.cfg.MaxConns || t.full() {
		t.evict()
	}
	if t.used+t.used/2 >= len(t.slots) {
		t.resize(2 * len(t.slots))
	}
	if len(t.free) == 0 {
		base := int32(len(t.slab) * slabSize)
		t.slab = append(t.slab, new([slabSize]conn))
		for i := int32(slabSize) - 1; i >= 0; i-- {
			t.free = append(t.free, base+i)
		}
	}
	i := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	c := t.at(i)
	*c = conn{}
	c.index, c.hash, c.prev, c.next = i, h, -1, -1
	t.place(h, uint32(i)+1)
	t.used++
	return c
}

func (t *Table) place(h, index uint32) {
	i := h & t.mask
	for t.slots[i].index != 0 {
		i = (i + 1) & t.mask
	}
	t.slots[i] = slot{h, index}
}

func (t *Table) resize(n int) {
	old := t.slots
	t.slots, t.mask = make([]slot, n), uint32(n-1)
	for _, s := range old {
		if s.index != 0 {
			t.place(s.tag, s.index)
		}
	}
}

// remove takes c out of the table and gives its memory back.
func (t *Table) remove(c *conn) {
	i := c.hash & t.mask
	for t.slots[i].index != uint32(c.index)+1 {
		i = (i + 1) & t.mask
	}
	// Close the hole in the probe sequences (Knuth, volume 3, section 6.4,
	// algorithm R): move back whatever may not be found any more.
	for j := i; ; {
		j = (j + 1) & t.mask
		s := t.slots[j]
		if s.index == 0 {
			break
		}
		if (j-s.tag)&t.mask >= (j-i)&t.mask {
			t.slots[i] = s
			i = j
		}
	}
	t.slots[i] = slot{}
	t.unlink(c)
	t.strains.give(c)
	t.forgetRare(c)
	t.forgetHandler(c)
	c.port = nil
	if t.recent == c {
		t.recent = nil
	}
	t.free = append(t.free, c.index)
	t.used--
}

// countPort gives c its PortStats.
func (t *Table) countPort(c *conn) *capture.PortStats {
	if c.port == nil {
		k := capture.PortKey{Port: c.id.Server.Port, Transport: capture.TCP, Role: c.id.Role}
		if t.lastPort == nil || t.lastPort.PortKey != k {
			t.lastPort = t.book.Ports.Get(k)
		}
		c.port = t.lastPort
	}
	return c.port
}
