package dns

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// Config bounds a [Table]. A zero field takes the default.
type Config struct {
	// Timeout is how long an answer is waited for, from the first query on, by
	// packet time. Default 5 s, the timeout of most resolvers.
	Timeout time.Duration
	// MaxLookups bounds the look-ups followed at once; each takes about 400
	// bytes. Default 4,096.
	MaxLookups int
}

// Port is where name servers listen (RFC 1035, section 4.2).
const Port = 53

const (
	// slabSize is how many look-ups are allocated at once.
	slabSize = 64
	// maxAlike bounds the look-ups of one socket with one ID, which lie in one
	// bucket whatever the seed is. Resolvers choose IDs at random (RFC 5452, section 9.2).
	maxAlike = 16
	// maxScan bounds the search for a query by its addresses alone.
	maxScan = 256
	// clockStep is how far a look-up may lie in the future until it counts as a
	// step of the clock: a packet of another queue or a merged file is late by less.
	clockStep = time.Minute
)

// lookup is a query that waits for its answer. Links are indexes into
// Table.lookups, -1 for none.
type lookup struct {
	client, server capture.Endpoint
	id, typ        uint16
	role           capture.Role
	iface          uint16
	attempts       int
	start          capture.Time
	why            capture.Reason // what an ICMP error told
	icmp           capture.ICMPHeader
	bucket         uint32
	chain          int32 // next in the bucket, or next free
	older, newer   int32
	nameLen        uint8
	name           [maxName]byte
}

func (l *lookup) question() []byte { return l.name[:l.nameLen] }

// Table holds the look-ups that wait for an answer.
type Table struct {
	cfg     Config
	book    *capture.Book
	seed    [3]uint64
	buckets []int32
	lookups []lookup // grows up to cfg.MaxLookups and never moves back
	free    int32
	oldest  int32
	newest  int32
	live    int
	msg     message
	text    [maxText]byte
	// failedAt is when the last look-up failed, for terse books.
	failedAt capture.Time
	failed   bool
}

// New returns a Table that writes into book.
func New(cfg Config, book *capture.Book) *Table {
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.MaxLookups == 0 {
		cfg.MaxLookups = 4096
	}
	t := &Table{cfg: cfg, book: book, free: -1, oldest: -1, newest: -1}
	t.seed = [3]uint64{rand.Uint64(), rand.Uint64() | 1, rand.Uint64() | 1}
	t.buckets = make([]int32, 1<<bits.Len(uint(cfg.MaxLookups)))
	for i := range t.buckets {
		t.buckets[i] = -1
	}
	return t
}

// Len returns how many look-ups wait for an answer.
func (t *Table) Len() int { return t.live }

// Datagram takes the UDP datagram p. It returns false, and counts nothing, when
// p is no DNS message that is followed.
func (t *Table) Datagram(p *capture.Packet) bool {
	f := &p.Flow
	asks := f.Dst.Port == Port || f.Dst.Addr == capture.DockerDNS
	answers := f.Src.Port == Port || f.Src.Addr == capture.DockerDNS
	if !asks && !answers || !t.msg.parse(p.Payload) {
		return false
	}
	switch {
	case !t.msg.answer && asks:
		t.query(p)
	case t.msg.answer && answers:
		t.answer(p)
	default:
		return false
	}
	t.book.Ledger[capture.DNSMessages]++
	return true
}

func (t *Table) query(p *capture.Packet) {
	m, l := &t.msg, &t.book.Ledger
	t.Tick(p.Time)
	bucket := t.hash(&p.Flow.Src, m.id)
	if i := t.find(bucket, &p.Flow.Src, m); i >= 0 {
		t.lookups[i].attempts++
		l[capture.DNSRetries]++
		return
	}
	l[capture.LookupsSeen]++
	if i := t.inTheWay(bucket, &p.Flow.Src, m.id); i >= 0 {
		t.remove(i)
		l[capture.LookupsEvicted]++
	}
	i := t.insert(bucket)
	q := &t.lookups[i]
	q.client, q.server, q.id, q.typ = p.Flow.Src, p.Flow.Dst, m.id, m.typ
	q.role, q.iface = capture.RoleOf(p.Direction, capture.Client, p.Loopback), p.Interface
	q.attempts, q.start = 1, p.Time
	q.why, q.icmp = capture.ReasonNone, capture.ICMPHeader{}
	q.nameLen = uint8(m.nameLen)
	copy(q.name[:], m.name[:m.nameLen])
}

// inTheWay returns the look-up that a new one takes the place of, -1 when there
// is room.
func (t *Table) inTheWay(bucket uint32, client *capture.Endpoint, id uint16) int32 {
	if t.live >= t.cfg.MaxLookups {
		return t.oldest
	}
	n, last := 0, int32(-1) // the last in a bucket is the oldest
	for i := t.buckets[bucket]; i >= 0; i = t.lookups[i].chain {
		if q := &t.lookups[i]; q.id == id && q.client == *client {
			n, last = n+1, i
		}
	}
	if n < maxAlike {
		return -1
	}
	return last
}

func (t *Table) answer(p *capture.Packet) {
	m, l := &t.msg, &t.book.Ledger
	t.Tick(p.Time)
	i := t.find(t.hash(&p.Flow.Dst, m.id), &p.Flow.Dst, m)
	if i < 0 {
		l[capture.DNSUnmatched]++
		return
	}
	rcode := capture.RCode(m.rcode)
	if rcode == capture.RCodeNoError {
		l[capture.LookupsAnswered]++
	} else {
		l[capture.LookupsFailed]++
	}
	if o := t.state(&t.lookups[i], p.Time, rcode != capture.RCodeNoError); o != nil {
		o.Answered, o.RCode, o.Truncated = true, rcode, m.truncated
		o.NoData = rcode == capture.RCodeNoError && !m.truncated && (m.records == 0 || m.whole && !m.match)
	}
	t.remove(i)
}

// Unreachable takes the ICMP error e that quotes a UDP datagram with the given
// payload, of which any part may be missing. It reports whether that is a query
// that is followed and was really sent (RFC 5927, section 4, asks for as much of
// TCP): then a closed port ends the look-up at once, as the client is told, and
// any other error is why, should no answer come.
func (t *Table) Unreachable(payload []byte, e *capture.ICMPError) bool {
	i := t.quoted(payload, e)
	if i < 0 {
		return false
	}
	q := &t.lookups[i]
	if e.Why != capture.ReasonNone {
		q.why, q.icmp = e.Why, e.Header
	}
	if e.Why == capture.ReasonPortUnreachable {
		t.unanswered(i, e.At)
	}
	return true
}

// quoted finds the query that e quotes.
func (t *Table) quoted(payload []byte, e *capture.ICMPError) int32 {
	f := &e.Quoted
	if len(payload) >= 2 {
		id := binary.BigEndian.Uint16(payload)
		for i := t.buckets[t.hash(&f.Src, id)]; i >= 0; i = t.lookups[i].chain {
			if q := &t.lookups[i]; q.id == id && q.client == f.Src && q.server == f.Dst {
				return i
			}
		}
		return -1
	}
	// RFC 792 asks for 8 bytes of the datagram only: the ports.
	for i, n := t.newest, 0; i >= 0 && n < maxScan; i, n = t.lookups[i].older, n+1 {
		if q := &t.lookups[i]; q.client == f.Src && q.server == f.Dst {
			return i
		}
	}
	return -1
}

// Tick gives up what waited too long at the given time.
func (t *Table) Tick(now capture.Time) {
	for t.oldest >= 0 {
		q := &t.lookups[t.oldest]
		age := now.Sub(q.start)
		if age < -clockStep {
			t.rebase(now)
			return
		}
		if age < t.cfg.Timeout {
			return
		}
		t.unanswered(t.oldest, q.start.Add(t.cfg.Timeout))
	}
}

// rebase lets what lies in the future, as the clock stepped back, begin now.
func (t *Table) rebase(now capture.Time) {
	for i := t.oldest; i >= 0; i = t.lookups[i].newer {
		t.lookups[i].start = min(t.lookups[i].start, now)
	}
}

// Flush ends all look-ups: the capture is over.
func (t *Table) Flush(now capture.Time) {
	t.Tick(now)
	for t.oldest >= 0 {
		t.remove(t.oldest)
		t.book.Ledger[capture.LookupsShutdown]++
	}
}

// unanswered ends a look-up without an answer.
func (t *Table) unanswered(i int32, at capture.Time) {
	q := &t.lookups[i]
	if q.why == capture.ReasonNone {
		t.book.Ledger[capture.LookupsTimedOut]++
	} else {
		t.book.Ledger[capture.LookupsUnreachable]++
	}
	if o := t.state(q, at, true); o != nil {
		o.Why = capture.ReasonTimedOut
		if q.why != capture.ReasonNone {
			o.Why, o.ICMP, o.HasICMP = q.why, q.icmp, true
		}
	}
	t.remove(i)
}

// state begins the observation of a look-up that ended at the given time; nil
// when nobody wants it. A terse book wants what failed, and what was answered
// soon after: a resolver tries a name with each suffix of its search path, and
// only the last failure counts.
func (t *Table) state(q *lookup, at capture.Time, failed bool) *capture.DNSLookup {
	if failed {
		t.failed, t.failedAt = true, at
	}
	b := t.book.Batch
	if b == nil || t.book.Terse && (!t.failed || at.Sub(t.failedAt) > t.cfg.Timeout) {
		return nil
	}
	o := b.DNSLookup()
	o.At, o.Client, o.Server, o.Role, o.Interface = at, q.client, q.server, q.role, q.iface
	if o.Server.Addr == capture.DockerDNS {
		o.Server.Port = Port // as it was asked
	}
	o.Name = b.Text(appendName(t.text[:0], q.question()))
	o.Type = capture.DNSType(q.typ)
	o.Duration, o.Attempts = max(at.Sub(q.start), 0), q.attempts
	return o
}

func (t *Table) hash(e *capture.Endpoint, id uint16) uint32 {
	a := binary.LittleEndian.Uint64(e.Addr[:8])
	b := binary.LittleEndian.Uint64(e.Addr[8:])
	hi, lo := bits.Mul64(b^t.seed[0], a^t.seed[1]^uint64(e.Port)<<47)
	hi, lo = bits.Mul64(hi^lo^uint64(id)<<24, t.seed[2])
	return uint32(hi^lo) & uint32(len(t.buckets)-1)
}

// find returns the look-up of a client that m asks for again, or answers; -1
// when there is none. An answer without a question, or whose question was cut,
// is told by its id alone.
func (t *Table) find(bucket uint32, client *capture.Endpoint, m *message) int32 {
	for i := t.buckets[bucket]; i >= 0; i = t.lookups[i].chain {
		q := &t.lookups[i]
		if q.id == m.id && q.client == *client &&
			(!m.hasQuestion || q.typ == m.typ && bytes.Equal(q.question(), m.name[:m.nameLen])) {
			return i
		}
	}
	return -1
}

// insert takes a free look-up and makes it the newest.
func (t *Table) insert(bucket uint32) int32 {
	if t.free < 0 {
		n := len(t.lookups)
		more := min(slabSize, t.cfg.MaxLookups-n)
		t.lookups = append(t.lookups, make([]lookup, more)...)
		for i := n + more - 1; i >= n; i-- {
			t.lookups[i].chain = t.free
			t.free = int32(i)
		}
	}
	i := t.free
	q := &t.lookups[i]
	t.free = q.chain
	q.bucket, q.chain = bucket, t.buckets[bucket]
	t.buckets[bucket] = i
	q.older, q.newer = t.newest, -1
	if t.newest >= 0 {
		t.lookups[t.newest].newer = i
	} else {
		t.oldest = i
	}
	t.newest = i
	t.live++
	t.book.Ledger[capture.LookupsLive]++
	return i
}

// remove takes a look-up out; its account is the caller's to name.
func (t *Table) remove(i int32) {
	q := &t.lookups[i]
	at := &t.buckets[q.bucket]
	for *at != i {
		at = &t.lookups[*at].chain
	}
	*at = q.chain
	if q.older >= 0 {
		t.lookups[q.older].newer = q.newer
	} else {
		t.oldest = q.newer
	}
	if q.newer >= 0 {
		t.lookups[q.newer].older = q.older
	} else {
		t.newest = q.older
	}
	q.chain, t.free = t.free, i
	t.live--
	t.book.Ledger[capture.LookupsLive]--
}
