package http1

import "github.com/wiretell/wiretell/capture"

// Pool makes parsers and owns what they share: open exchanges, messages in
// progress and the buffers of split lines, all of which are used again and
// bounded together. One goroutine at a time may use a Pool and its parsers.
type Pool struct {
	cfg  Config
	book *capture.Book

	request, response allowList
	known             knownLines

	parsers   []*Parser
	messages  []*message
	buffers   [][]byte
	exchanges *exchange // free, linked by next

	oldest, newest *exchange    // open, by age
	open           int          // how many are open
	text           int          // capacity of the texts of open exchanges
	buffered       int          // capacity of the buffers in use
	now            capture.Time // of the last call of any parser
	headers        []capture.Header
}

// NewPool returns a Pool whose parsers write into book.
func NewPool(cfg Config, book *capture.Book) *Pool {
	cfg = cfg.withDefaults()
	return &Pool{
		cfg:      cfg,
		book:     book,
		request:  newAllowList(cfg.RequestHeaders),
		response: newAllowList(cfg.ResponseHeaders),
	}
}

// Open returns a Parser for the connection c, whose quality is measured in q
// (nil when it is not) and whose server port is counted in port. All must stay
// valid until End was called for both sides; then the Parser goes back to the
// Pool by itself.
func (pool *Pool) Open(c *capture.Conn, q *capture.Quality, port *capture.PortStats) *Parser {
	var p *Parser
	if n := len(pool.parsers); n > 0 {
		p, pool.parsers = pool.parsers[n-1], pool.parsers[:n-1]
	} else {
		p = new(Parser)
	}
	p.pool, p.conn, p.quality, p.port = pool, c, q, port
	if c.Midstream {
		for i := range p.sides {
			p.sides[i].state = stateDesync
			p.sides[i].why = capture.ReasonJoinedMidstream
			p.sides[i].joining = true
		}
	}
	return p
}

// Held returns how many exchanges are open and how many bytes they, their texts
// and the buffers of split lines take.
func (pool *Pool) Held() (exchanges, bytes int) {
	return pool.open, pool.open*exchangeSize + pool.text + pool.buffered
}

// exchange returns a fresh open exchange of p, ending the oldest one where a
// bound is reached.
func (pool *Pool) exchange(p *Parser) *exchange {
	for pool.open > 0 && (pool.open >= pool.cfg.MaxExchanges || pool.text > pool.cfg.MaxText) {
		pool.oldest.parser.evict(pool.oldest)
	}
	x := pool.exchanges
	if x == nil {
		x = new(exchange)
	} else {
		pool.exchanges = x.next
	}
	text, headers := x.text[:0], x.headers[:0]
	*x = exchange{}
	x.text, x.headers, x.parser, x.older = text, headers, p, pool.newest
	x.number = pool.book.NumberExchange()
	if pool.newest != nil {
		pool.newest.newer = x
	} else {
		pool.oldest = x
	}
	pool.newest = x
	pool.open++
	pool.text += cap(x.text)
	return x
}

// relieve ends the oldest exchanges until the texts are within their bound.
func (pool *Pool) relieve() {
	for pool.open > 0 && pool.text > pool.cfg.MaxText {
		pool.oldest.parser.evict(pool.oldest)
	}
}

// keptText is the capacity of text that an exchange keeps while it is not used.
const keptText = 1024

func (pool *Pool) release(x *exchange) {
	if x.older != nil {
		x.older.newer = x.newer
	} else {
		pool.oldest = x.newer
	}
	if x.newer != nil {
		x.newer.older = x.older
	} else {
		pool.newest = x.older
	}
	pool.open--
	pool.text -= cap(x.text)
	if cap(x.text) > keptText {
		x.text = nil
	}
	x.parser, x.older, x.newer = nil, nil, nil
	x.next = pool.exchanges
	pool.exchanges = x
}

func (pool *Pool) message() *message {
	n := len(pool.messages)
	if n == 0 {
		return new(message)
	}
	m := pool.messages[n-1]
	pool.messages = pool.messages[:n-1]
	return m
}

func (pool *Pool) releaseMessage(m *message) {
	pool.releaseLine(m)
	*m = message{}
	pool.messages = append(pool.messages, m)
}

const (
	firstBuffer = 512     // capacity of a line buffer at first
	keptBuffer  = 4 << 10 // the most of one that is kept for use again
)

// appendLine adds b to the unfinished line of m; it reports false when the
// bound of all buffers together is reached.
func (pool *Pool) appendLine(m *message, b []byte) bool {
	if m.line == nil {
		if pool.buffered+firstBuffer > pool.cfg.MaxBuffered {
			return false
		}
		if n := len(pool.buffers); n > 0 {
			m.line, pool.buffers = pool.buffers[n-1], pool.buffers[:n-1]
		} else {
			m.line = make([]byte, 0, firstBuffer)
		}
		pool.buffered += cap(m.line)
	}
	if need := len(m.line) + len(b); need > cap(m.line) {
		grown := max(2*cap(m.line), need)
		if pool.buffered+grown-cap(m.line) > pool.cfg.MaxBuffered {
			return false
		}
		pool.buffered += grown - cap(m.line)
		m.line = append(make([]byte, 0, grown), m.line...)
	}
	m.line = append(m.line, b...)
	return true
}

func (pool *Pool) releaseLine(m *message) {
	if m.line == nil {
		return
	}
	pool.buffered -= cap(m.line)
	if cap(m.line) <= keptBuffer && len(pool.buffers) < 64 {
		pool.buffers = append(pool.buffers, m.line[:0])
	}
	m.line = nil
}

// allowList holds the names of kept fields by their first letter.
type allowList struct {
	first [256]bool
	names []allowed
}

type allowed struct {
	name string
	text []byte // the same, as observations want it
}

func newAllowList(names []string) (l allowList) {
	for _, n := range names {
		if n == "" {
			continue
		}
		l.first[n[0]|0x20] = true
		l.names = append(l.names, allowed{n, []byte(n)})
	}
	return l
}

// firstLookedAt returns the first of the fields that are looked at in requests, or
// in responses: those after it are, too.
func (pool *Pool) firstLookedAt(request bool) fieldID {
	list := &pool.response
	if request {
		list = &pool.request
	}
	switch {
	case pool.book.Full() == nil:
		return fieldContentLength
	case len(list.names) == 0:
		return fieldHost
	}
	return fieldOther
}

// find returns the list's own spelling of name, or nil.
func (l *allowList) find(name []byte) []byte {
	if !l.first[name[0]|0x20] {
		return nil
	}
	for i := range l.names {
		if equalFold(name, l.names[i].name) {
			return l.names[i].text
		}
	}
	return nil
}
