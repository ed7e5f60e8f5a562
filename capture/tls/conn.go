package tls

import (
	"time"

	"github.com/wiretell/wiretell/capture"
)

// Alerts (RFC 8446, section 6): level and description.
const (
	alertLen     = 2
	alertWarning = 1
	alertFatal   = 2
	// maxAlerts bounds the alerts that one side's stream may report.
	maxAlerts = 4
)

// patience is how long a ClientHello must have waited when the capture ends to
// count as one that is not answered.
const patience = 5 * time.Second

// state is how far a side has come.
type state uint8

const (
	stateStart   state = iota // the first record
	stateHello                // within the messages up to the hello
	stateRecords              // hello read; alerts may still be in the clear
	stateChain                // joined midway: records are being counted
	stateDone                 // nothing more to learn; bytes are only counted
)

// conn is the Handler of one connection.
type conn struct {
	pool   *Pool
	conn   *capture.Conn
	port   *capture.PortStats
	sides  [2]side
	midway bool // to be stated with the next bytes
	told   bool // that the connection was joined midway
	retry  bool // a HelloRetryRequest was seen: TLS 1.3
	v2     bool // a version 2 hello was seen
	// open says that a ClientHello waits for its answer since asked, and that
	// nothing is missing, or could not be read, in whose place that may have been.
	open  bool
	asked capture.Time
	ended uint8
}

// side is one direction of a connection.
type side struct {
	hello   *hello
	left    uint16 // bytes of the record still to come
	typ     uint8  // of the record
	state   state
	alert   bool // the record is an alert in the clear
	cipher  bool // change_cipher_spec was seen
	records uint8
	alerts  uint8
	n       uint8 // bytes in header
	header  [v2Header]byte
}

// Data implements capture.Handler.
func (c *conn) Data(at capture.Mark, from capture.Side, b []byte) {
	c.pool.book.Ledger[capture.DeliveredTLS] += uint64(len(b))
	c.port.Unparsed[capture.ReasonTLS].Add(1, len(b))
	if c.midway {
		c.midway = false
		c.tellMidway(at, from)
	}
	if s := &c.sides[from]; s.state != stateDone {
		c.walk(at, from, s, b)
	}
}

// Gap implements capture.Handler: hellos of which a part is missing are not
// read, and where the next record begins is not known.
func (c *conn) Gap(_ capture.Mark, from capture.Side, _ int, _ capture.Reason) {
	c.open = c.open && from == capture.Client
	c.done(&c.sides[from])
}

// End implements capture.Handler.
func (c *conn) End(at capture.Mark, from capture.Side, why capture.Reason) {
	c.done(&c.sides[from])
	if c.ended++; c.ended < 2 {
		return
	}
	if c.open && !c.conn.OneWay && (why != capture.ReasonShutdown || at.Time.Sub(c.asked) >= patience) {
		c.port.HellosUnanswered++
	}
	p := c.pool
	*c = conn{}
	p.conns = append(p.conns, c)
}

// walk follows the records of a side.
func (c *conn) walk(at capture.Mark, from capture.Side, s *side, b []byte) {
	for len(b) > 0 && s.state != stateDone {
		if s.left > 0 {
			n := min(int(s.left), len(b))
			c.fragment(at, from, s, b[:n])
			s.left -= uint16(n)
			b = b[n:]
			continue
		}
		size := recordHeader
		if s.state == stateStart && (s.n > 0 && s.header[0]&0x80 != 0 || s.n == 0 && b[0]&0x80 != 0) {
			size = v2Header
		}
		n := copy(s.header[s.n:size], b)
		s.n += uint8(n)
		b = b[n:]
		if int(s.n) < size {
			return
		}
		s.n = 0
		if size == v2Header {
			c.helloV2(at, from, s)
		} else {
			c.record(at, from, s)
		}
	}
}

// record begins the record whose header is whole.
func (c *conn) record(at capture.Mark, from capture.Side, s *side) {
	typ, n, ok := recordOf(s.header[:])
	if !ok {
		c.refuse(at, from, s)
		return
	}
	s.typ, s.left = typ, uint16(n)
	s.records++
	// An encrypted alert is longer: it has at least an authentication code.
	s.alert = typ == typeAlert && n == alertLen
	switch s.state {
	case stateStart:
		switch {
		case typ == typeHandshake && n <= maxPlaintext:
			if s.hello = c.pool.hello(); s.hello == nil {
				c.port.ParseErrors[capture.ReasonEvicted]++
				c.done(s)
				return
			}
			s.state = stateHello
		case s.alert:
			// RFC 6066, section 3: a server that does not know the name may send a
			// warning and go on with its hello.
		default:
			s.state = stateChain
		}
	case stateHello:
		// RFC 8446, section 5.1: "Handshake messages MUST NOT be interleaved
		// with other record types." A server may send change_cipher_spec after
		// a HelloRetryRequest (appendix D.4).
		if typ == typeApplicationData || typ != typeHandshake && s.hello.started() || n > maxPlaintext {
			c.fault(at, from, s, capture.ReasonBadHello)
		}
	case stateRecords:
		// What follows is encrypted: in TLS 1.3 it is sent as application data,
		// before that the first handshake record after change_cipher_spec is.
		if typ == typeApplicationData || typ == typeHandshake && s.cipher && !c.retry {
			c.done(s)
		}
	case stateChain:
		if s.records >= chainRecords {
			c.done(s)
			c.tellMidway(at, from)
		}
	}
	s.cipher = s.cipher || typ == typeChangeCipherSpec
}

// fragment takes a piece of a record's content.
func (c *conn) fragment(at capture.Mark, from capture.Side, s *side, b []byte) {
	switch {
	case s.state == stateHello && s.typ == typeHandshake:
		c.handshake(at, from, s, b)
	case s.alert:
		n := copy(s.header[s.n:alertLen], b)
		if s.n += uint8(n); s.n == alertLen {
			s.n = 0
			c.tellAlert(at, from, s)
		}
	}
}

// handshake takes the next bytes of the handshake messages, up to the hello.
func (c *conn) handshake(at capture.Mark, from capture.Side, s *side, b []byte) {
	h := s.hello
	for len(b) > 0 {
		n, p := h.feed(b)
		b = b[n:]
		switch p {
		case hungry:
			return
		case complete:
			if h.retry {
				// RFC 8446, section 4.1.4: a HelloRetryRequest asks for another
				// ClientHello; the ServerHello proper comes later.
				c.retry = true
				h.begin()
				continue
			}
			c.tellHello(at, from, s)
			return
		case foreign:
			// RFC 5246, section 7.4.1.1: a HelloRequest "MAY be sent by the
			// server at any time"; it is empty.
			if h.typ == msgHelloRequest && h.size == 0 && from == capture.Server {
				h.begin()
				continue
			}
			// Another message, or an encrypted one: the hello came before.
			c.forget(s)
			s.state = stateChain
			return
		case tooLong:
			c.fault(at, from, s, capture.ReasonHeaderTooLarge)
			return
		case broken:
			c.fault(at, from, s, capture.ReasonBadHello)
			return
		}
	}
}
