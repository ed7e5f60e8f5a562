package tcp

import (
	"math"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// tick is the table's clock in units of 2^23 ns (8.4 ms). Only differences
// count, and those wrap after 417 days.
type tick uint32

func tickOf(clock capture.Time) tick { return tick(clock >> 23) }

// since returns the time from k to now.
func (k tick) since(now capture.Time) time.Duration {
	return time.Duration(tickOf(now)-k) << 23
}

// pauseUnit is the resolution of conn.pause: 2^4 ticks.
const pauseUnit = 1 << 27

// state is how far a connection has come. The two sides have their own flags;
// this is what both together amount to.
type state uint8

const (
	stateSynSent     state = iota // a SYN was seen
	stateSynReceived              // and an answer to it
	stateEstablished              // both sides' SYNs are acknowledged, or payload was seen
	stateClosing                  // a FIN was seen
	stateClosed                   // ended; remembered for what is sent again
)

// conn is one connection. It lies in the table's slab and is linked by index.
type conn struct {
	id      capture.Conn
	handler capture.Handler    // nil until there is payload
	port    *capture.PortStats // nil until something is counted there
	seen    capture.Time       // table clock at the last packet

	hash       uint32
	index      int32
	prev, next int32  // in the list named by list
	list       uint16 // listNone, listHalfOpen, listClosed, or a slot of the wheel
	attempts   uint8  // SYNs of the client, 255 at most
	answers    uint8  // SYN-ACKs of the server, 255 at most
	spoke      tick   // at the last payload, or the first FIN of a side
	pause      uint16 // how long nobody had spoken when the client last began to, in pauseUnit
	state      state
	why        capture.Reason   // set when the connection is being ended
	lastFrom   capture.Side     // who sent payload, or the RST, last
	holes      uint8            // bit per side that has a hole
	counted    capture.TCPState // as which it is counted open
	marks      marks
	strain     int32 // index of its strain plus one; 0 when it has none

	sides   [2]side
	quality capture.Quality
}

// marks are what is remembered of both sides together.
type marks uint8

const (
	proved         marks = 1 << iota // established by handshake or by payload
	keep                             // remember after the end
	hasRare                          // the table holds a rare record of it
	toldHalfClosed                   // StuckHalfClosed was stated
	toldUnacked                      // StuckUnacknowledged was stated
	bothSYN                          // the server sent a SYN that answers none
	crossed                          // the client sent payload without having seen the server's FIN
	doubled                          // a segment of it was captured twice
)

// sideFlags are what is known of one side.
type sideFlags uint32

const (
	hasSeq       sideFlags = 1 << iota // nxt is known
	softSeq                            // nxt is only what the other side acknowledged
	sawSYN                             // the side's own SYN was seen or is proved by an ACK of it
	hasAck                             // ack is known
	hasScale                           // the window scale is known, or known to be none
	sawFIN                             // fin is known
	finAcked                           // and was acknowledged
	ended                              // Handler.End was called
	timing                             // rttSeq and rttAt are valid
	pendingSYN                         // a SYN with another number was seen; farNext follows it
	retimed                            // rttSeq ends a segment that was sent again with timestamp rttTS
	sackOK                             // the SYN permits selective acknowledgements
	synSeen                            // the SYN itself was captured, so that its options are known
	winZero                            // the window offered is 0
	winFull                            // and the other side has filled the one offered
	probing                            // the last byte sent probes a window of 0
	closedSecond                       // its FIN was sent when it had acknowledged the other one
)

// side is what one end sends, and what it acknowledges of the other's.
type side struct {
	off      uint64       // offset in the stream of nxt
	gapBytes uint64       // bytes never seen
	rttAt    capture.Time // when rttSeq was sent

	nxt  uint32 // next sequence number to be handed on
	end  uint32 // highest sequence number sent, plus one
	ack  uint32 // highest acknowledgement sent
	fin  uint32 // sequence number of the FIN
	hole int32  // index of the hole, valid while the conn's bit is set

	gapAt, gapLen uint32 // the last gap, to tell late bytes from duplicates

	rttSeq         uint32 // acknowledged when the other side's ack reaches it
	rttTS          uint32 // timestamp value of the segment that it ends
	rttMin, rttMax uint32 // in units of rttUnit

	farNext uint32 // sequence number after the last implausible segment or SYN
	packets uint32

	flags   sideFlags
	win     uint16 // window offered, as in the header
	rttID   uint16 // IP identification of the segment that rttSeq ends
	scale   uint8
	dupAcks uint8
	farRun  uint8 // implausible segments in a row that continue each other
}

// both returns what is known of x and of its peer.
func (c *conn) both(x capture.Side) (s, o *side) {
	x &= 1 // so that the compiler knows it
	return &c.sides[x], &c.sides[x^1]
}

func (s *side) has(f sideFlags) bool { return s.flags&f != 0 }

// window is the window that s offers, in bytes. RFC 7323, section 2.2: that of
// a SYN is never scaled; here it is, as it only bounds what is plausible.
func (s *side) window() uint32 { return uint32(s.win) << (s.scale & 15) }

// start sets the first sequence number of the stream.
func (s *side) start(seq uint32) {
	s.nxt, s.end = seq, seq
	s.flags |= hasSeq
}

// isn returns the initial sequence number, when the SYN is known.
func (s *side) isn() uint32 { return s.nxt - uint32(s.off) - 1 }

// acked converts ack, a number of the other side, into an offset of s's stream.
func (s *side) acked(ack uint32) uint64 {
	if !s.has(hasSeq) {
		return 0
	}
	if s.has(sawFIN) && ack == s.fin+1 {
		ack = s.fin
	}
	if n := int64(s.off) + int64(diff(ack, s.nxt)); n > 0 {
		return uint64(n)
	}
	return 0
}

// account is the ledger's account for the end of a connection.
func (c *conn) account() capture.Entry {
	switch c.why {
	case capture.ReasonFIN:
		return capture.ConnsFIN
	case capture.ReasonEvicted:
		return capture.ConnsEvicted
	case capture.ReasonReused:
		return capture.ConnsReused
	case capture.ReasonShutdown:
		return capture.ConnsShutdown
	}
	if c.marks&proved == 0 {
		return capture.ConnsFailed
	}
	if c.why == capture.ReasonReset {
		return capture.ConnsReset
	}
	return capture.ConnsTimedOut
}

// idleAfter is after what silence a response that was sent once, and whose
// acknowledgement was not seen, is held to have arrived: an acknowledgement must
// not be delayed for more than half a second (RFC 9293, section 3.8.6.3), and a
// segment that was lost is sent again within the first retransmission timeout of
// a second (RFC 6298, section 2.1).
const idleAfter = time.Second

// phase tells what the connection is doing, after nobody said anything for that
// long. unanswered says that payload was sent again and is not acknowledged.
func (c *conn) phase(silent time.Duration, unanswered bool) capture.Phase {
	cl, sv := &c.sides[capture.Client], &c.sides[capture.Server]
	switch {
	case c.state < stateEstablished:
		return capture.PhaseHandshake
	case c.state >= stateClosing:
		return capture.PhaseClosing
	case unanswered:
		return capture.PhaseUnacknowledged
	case cl.has(hasSeq) && sv.has(hasAck) && after(cl.end, sv.ack):
		return capture.PhaseRequest
	case sv.has(hasSeq) && cl.has(hasAck) && after(sv.end, cl.ack):
		if c.arrived(silent) && !c.carries() {
			return capture.PhaseIdle
		}
		return capture.PhaseResponse
	case cl.off > 0 && c.lastFrom == capture.Client:
		return capture.PhaseRequest
	case c.carries():
		return capture.PhaseResponse // the server had the last word, and more is to come
	}
	return capture.PhaseIdle
}

// arrived reports whether what the server sent last is held to have arrived,
// although the acknowledgement was not captured.
func (c *conn) arrived(silent time.Duration) bool {
	return silent >= idleAfter && c.lastFrom == capture.Server && c.sides[capture.Server].flags&(timing|retimed) == timing
}

// carries reports whether the protocol above has an exchange that is not over.
func (c *conn) carries() bool {
	number, _ := c.inFlight(math.MaxUint64)
	return number != 0
}

// inFlight returns what the protocol above has in flight when the client has
// received the server's stream up to that offset. A Handler that was told the ends of both
// sides may serve another connection by now.
func (c *conn) inFlight(received uint64) (number uint64, traceParent []byte) {
	carrier, ok := c.handler.(capture.Carrier)
	if !ok || c.sides[capture.Client].has(ended) && c.sides[capture.Server].has(ended) {
		return 0, nil
	}
	return carrier.InFlight(received)
}
