package tls

import "github.com/wiretell/wiretell/capture"

// Config sets bounds.
type Config struct {
	// MaxHellos is how many sides may be within a hello at once: each takes
	// about 1.6 KiB. Beyond it hellos are not read but
	// counted in PortStats.ParseErrors under capture.ReasonEvicted.
	// 0 means 4096.
	MaxHellos int
}

// Pool makes the Handlers of TLS connections and uses their memory again.
type Pool struct {
	cfg    Config
	book   *capture.Book
	conns  []*conn  // free
	hellos []*hello // free
	inUse  int      // hellos
}

// NewPool returns a Pool that writes into book.
func NewPool(cfg Config, book *capture.Book) *Pool {
	if cfg.MaxHellos == 0 {
		cfg.MaxHellos = 4096
	}
	return &Pool{cfg: cfg, book: book}
}

// Open returns the Handler of connection c, from its first bytes on. c and port
// must stay valid until End was called for both sides; then the Handler belongs
// to the Pool again.
func (p *Pool) Open(c *capture.Conn, port *capture.PortStats) capture.Handler {
	return p.open(c, port)
}

// OpenMidway returns the Handler of a connection in which TLS was found past
// the hellos, by [Chain]. It counts, and says so once.
func (p *Pool) OpenMidway(c *capture.Conn, port *capture.PortStats) capture.Handler {
	h := p.open(c, port)
	h.midway = true
	h.sides[0].state, h.sides[1].state = stateDone, stateDone
	return h
}

func (p *Pool) open(c *capture.Conn, port *capture.PortStats) *conn {
	var h *conn
	if n := len(p.conns); n > 0 {
		h, p.conns = p.conns[n-1], p.conns[:n-1]
	} else {
		h = new(conn)
	}
	*h = conn{pool: p, conn: c, port: port}
	return h
}

// hello returns a parser, nil at the bound.
func (p *Pool) hello() *hello {
	if p.inUse >= p.cfg.MaxHellos {
		return nil
	}
	p.inUse++
	var h *hello
	if n := len(p.hellos); n > 0 {
		h, p.hellos = p.hellos[n-1], p.hellos[:n-1]
	} else {
		h = new(hello)
	}
	h.begin()
	return h
}

func (p *Pool) release(h *hello) {
	p.inUse--
	p.hellos = append(p.hellos, h)
}
