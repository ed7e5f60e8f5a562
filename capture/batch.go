package capture

// Batch holds observations in capture order together with the memory they need,
// so that making one allocates nothing once the Batch has grown to its usual
// size. One goroutine at a time owns it: the spine fills it, the desk reads it
// and gives it back through [Batch.Reset].
type Batch struct {
	Observations []Observation
	// Snapshot is set on batches that end with one.
	Snapshot    Snapshot
	HasSnapshot bool

	text      []byte
	textBytes int // handed out
	exchanges slab[Exchange]
	opened    slab[ConnOpened]
	failed    slab[ConnFailed]
	reset     slab[ConnReset]
	stuck     slab[ConnStuck]
	closed    slab[ConnClosed]
	icmp      slab[ICMPError]
	lookups   slab[DNSLookup]
	parse     slab[ParseError]
	tlsHello  slab[TLSHello]
	tlsAlert  slab[TLSAlert]
	lost      slab[Lost]
	headers   []Header
	recorded  map[Observation]string
}

// Reset empties b for use again; everything it handed out becomes invalid.
func (b *Batch) Reset() {
	b.Observations = b.Observations[:0]
	b.HasSnapshot = false
	b.text, b.textBytes = b.text[:0], 0
	b.headers = b.headers[:0]
	clear(b.recorded)
	b.exchanges.n, b.opened.n, b.failed.n, b.reset.n, b.stuck.n, b.closed.n = 0, 0, 0, 0, 0, 0
	b.icmp.n, b.lookups.n, b.parse.n, b.tlsHello.n, b.tlsAlert.n, b.lost.n = 0, 0, 0, 0, 0, 0
}

// Text copies p into memory of b.
func (b *Batch) Text(p []byte) []byte {
	if len(p) == 0 {
		return nil
	}
	if cap(b.text)-len(b.text) < len(p) {
		// What was handed out keeps the old memory alive.
		b.text = make([]byte, 0, max(2*cap(b.text), len(p), 4096))
	}
	n := len(b.text)
	b.text = append(b.text, p...)
	b.textBytes += len(p)
	return b.text[n:len(b.text):len(b.text)]
}

// TextBytes is how much text the batch holds.
func (b *Batch) TextBytes() int { return b.textBytes }

// Headers copies hs and their text into memory of b.
func (b *Batch) Headers(hs []Header) []Header {
	if len(hs) == 0 {
		return nil
	}
	n := len(b.headers)
	for _, h := range hs {
		b.headers = append(b.headers, Header{b.Text(h.Name), b.Text(h.Value)})
	}
	return b.headers[n:len(b.headers):len(b.headers)]
}

// Record notes that the packets of o, one of b's observations, are recorded in
// the file of that name.
func (b *Batch) Record(o Observation, file string) {
	if b.recorded == nil {
		b.recorded = make(map[Observation]string)
	}
	b.recorded[o] = file
}

// Recording returns the name of the file that holds the packets of o, "" when
// they are not recorded.
func (b *Batch) Recording(o Observation) string {
	if len(b.recorded) == 0 {
		return ""
	}
	return b.recorded[o]
}

// The methods below append a zero observation of their type and return it to be
// filled in; the pointer is valid until Reset.

// Exchange appends an Exchange.
func (b *Batch) Exchange() *Exchange { return add(b, &b.exchanges) }

// ConnOpened appends a ConnOpened.
func (b *Batch) ConnOpened() *ConnOpened { return add(b, &b.opened) }

// ConnFailed appends a ConnFailed.
func (b *Batch) ConnFailed() *ConnFailed { return add(b, &b.failed) }

// ConnReset appends a ConnReset.
func (b *Batch) ConnReset() *ConnReset { return add(b, &b.reset) }

// ConnStuck appends a ConnStuck.
func (b *Batch) ConnStuck() *ConnStuck { return add(b, &b.stuck) }

// ConnClosed appends a ConnClosed.
func (b *Batch) ConnClosed() *ConnClosed { return add(b, &b.closed) }

// ICMPError appends an ICMPError.
func (b *Batch) ICMPError() *ICMPError { return add(b, &b.icmp) }

// DNSLookup appends a DNSLookup.
func (b *Batch) DNSLookup() *DNSLookup { return add(b, &b.lookups) }

// ParseError appends a ParseError.
func (b *Batch) ParseError() *ParseError { return add(b, &b.parse) }

// TLSHello appends a TLSHello.
func (b *Batch) TLSHello() *TLSHello { return add(b, &b.tlsHello) }

// TLSAlert appends a TLSAlert.
func (b *Batch) TLSAlert() *TLSAlert { return add(b, &b.tlsAlert) }

// Lost appends a Lost.
func (b *Batch) Lost() *Lost { return add(b, &b.lost) }

func add[T any, P interface {
	*T
	Observation
}](b *Batch, s *slab[T]) P {
	p := P(s.next())
	b.Observations = append(b.Observations, p)
	return p
}

// slabChunk is how many values a slab allocates at once.
const slabChunk = 64

// slab hands out pointers to values that do not move.
type slab[T any] struct {
	chunks [][]T
	n      int
}

func (s *slab[T]) next() *T {
	c, i := s.n/slabChunk, s.n%slabChunk
	if c == len(s.chunks) {
		s.chunks = append(s.chunks, make([]T, slabChunk))
	}
	s.n++
	p := &s.chunks[c][i]
	var zero T
	*p = zero
	return p
}

// Book is where the rooms of the spine write down what they learn.
type Book struct {
	Counters
	// Batch takes observations. It is nil when nobody listens: rooms then count
	// and build nothing.
	Batch *Batch
	// Terse says that only what went wrong is wanted: no ConnOpened, no
	// ConnClosed, no whole Exchange, no DNSLookup that went well (but soon after
	// one that failed), and no text in the others that the diagnosis does not
	// read. The diagnosis alone needs no more.
	Terse bool

	exchanges uint64
}

// NumberExchange returns the number of a new exchange.
func (b *Book) NumberExchange() uint64 {
	b.exchanges++
	return b.exchanges
}

// Full returns the Batch when everything is wanted, else nil.
func (b *Book) Full() *Batch {
	if b.Terse {
		return nil
	}
	return b.Batch
}
