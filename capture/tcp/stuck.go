package tcp

import (
	"time"

	"github.com/wiretell/wiretell/capture"
)

// rare is what is kept of few connections only: those that send the same again
// and again, those that carried payload in a SYN, and those with a RST in doubt.
type rare struct {
	since    capture.Time // table clock when the first was sent again
	ack      uint32       // what was acknowledged then
	again    int          // segments sent again since
	from     capture.Side
	probes   bool // they were probes of a closed window
	told     bool
	synData  int // bytes in the client's SYN
	synTaken int // how many of them the SYN-ACK acknowledged
	rst      pendingRST
}

// rareIf returns the record of c, nil when there is none.
func (t *Table) rareIf(c *conn) *rare {
	if c.marks&hasRare == 0 {
		return nil
	}
	return t.rare[c.index]
}

// rareOf returns the record of c, made when there is none.
func (t *Table) rareOf(c *conn) *rare {
	r := t.rareIf(c)
	if r == nil {
		if n := len(t.freeRare); n > 0 {
			r, t.freeRare = t.freeRare[n-1], t.freeRare[:n-1]
			*r = rare{}
		} else {
			r = new(rare)
		}
		t.rare[c.index] = r
		t.grew = true
		c.marks |= hasRare
	}
	return r
}

func (t *Table) forgetRare(c *conn) {
	if r := t.rareIf(c); r != nil {
		t.freeRare = append(t.freeRare, r)
		delete(t.rare, c.index)
		c.marks &^= hasRare
	}
}

// resentAfter is how long at least a sender waits until it sends payload again
// because no acknowledgement came; Linux waits 200 ms.
const resentAfter = 10 * time.Millisecond

// sentAgain looks at payload of which from may have sent the same before.
func (t *Table) sentAgain(c *conn, from capture.Side, p *capture.Packet, seq, n uint32) {
	s, o := c.both(from)
	switch {
	case !before(seq, s.end) || !o.has(hasAck) || !after(seq+n, o.ack):
		return // it is new, or was acknowledged
	case s.has(timing) && !after(seq+n, s.rttSeq) && p.Time.Sub(s.rttAt) < resentAfter:
		return // the same packet, captured twice
	case t.copied(c, from, p, seq+n):
		return // so is this
	case c.id.OneWay || t.holeOf(c, from) != nil && !before(seq, s.nxt):
		return // whether it was there before is not known
	}
	t.tried(c, from, o.win == 0)
}

// probed looks at a segment without payload. RFC 9293, section 3.8.6.1, has a
// sender probe a window that is closed; Linux does so with a number that was
// acknowledged before.
func (t *Table) probed(c *conn, from capture.Side, p *capture.Packet) {
	s, o := c.both(from)
	if o.win == 0 && o.has(hasAck) && !c.id.OneWay && c.state == stateEstablished && p.TCP.Seq == s.nxt-1 &&
		p.TCP.Flags&(capture.SYN|capture.FIN|capture.RST) == 0 {
		t.tried(c, from, true)
	}
}

// tried notes that from tried once more, and states the stall when that has
// gone on for too long. Any new acknowledgement ends it.
func (t *Table) tried(c *conn, from capture.Side, closed bool) {
	o := &c.sides[from.Other()]
	r := t.rareOf(c)
	if r.again == 0 || r.from != from || r.ack != o.ack {
		r.since, r.ack, r.from, r.again, r.told = t.clock, o.ack, from, 0, false
	}
	r.again++
	r.probes = closed
	if waited := t.clock.Sub(r.since); !r.told && waited >= t.cfg.StuckAfter/2 {
		r.told = true
		if e := t.stuck(c, capture.StuckStalled, from, waited); e != nil {
			e.Cause, e.Attempts, e.Bytes = capture.CauseRetransmissionTimeout, r.again, c.outstanding(from)
			e.Acked = c.acknowledged(from)
			if closed {
				e.Cause = capture.CauseZeroWindow
			}
		}
	}
}

// unanswered reports whether what was sent again is not acknowledged still.
func (t *Table) unanswered(c *conn) bool {
	r := t.rareIf(c)
	return r != nil && r.again > 0 && !r.probes && c.sides[r.from.Other()].ack == r.ack && c.outstanding(r.from) > 0
}

// stuck counts that c waits, and states it when anyone listens.
func (t *Table) stuck(c *conn, kind capture.StuckKind, side capture.Side, waited time.Duration) *capture.ConnStuck {
	t.book.TCP.Stuck[c.id.Role][kind]++
	b := t.book.Batch
	if b == nil {
		return nil
	}
	silent := t.clock.Sub(c.seen)
	phase, h := c.phase(silent, t.unanswered(c)), hit(c, c.received(silent), b)
	e := b.ConnStuck()
	e.Conn, e.At, e.Kind, e.Side, e.Waited = c.id, t.last, kind, side, max(waited, 0)
	e.State, e.Phase, e.Hit = c.stateOf(side), phase, h
	return e
}

// told reports whether all was stated that can be of a connection that closes.
func (c *conn) told() bool {
	return c.marks&(toldHalfClosed|toldUnacked) == toldHalfClosed|toldUnacked
}

// overdue states what a connection that closes waits for, when it has done so
// for too long. Of a connection that is seen in one direction nothing is proved.
func (t *Table) overdue(c *conn) {
	waited := c.spoke.since(t.clock)
	if c.state != stateClosing || c.id.OneWay || waited < t.cfg.StuckAfter {
		return
	}
	for x := capture.Client; x <= capture.Server; x++ {
		s, o := c.both(x)
		switch {
		case !s.has(sawFIN) || s.nxt != s.fin:
		case !c.finAcked(x) && c.marks&toldUnacked == 0:
			c.marks |= toldUnacked
			if e := t.stuck(c, capture.StuckUnacknowledged, x, waited); e != nil {
				e.Bytes = c.outstanding(x)
			}
		case c.finAcked(x) && !o.has(sawFIN) && c.marks&toldHalfClosed == 0:
			c.marks |= toldHalfClosed
			if e := t.stuck(c, capture.StuckHalfClosed, x.Other(), waited); e != nil {
				e.Unanswered = x == capture.Client && c.lastFrom == capture.Client && c.carries()
			}
		}
	}
}

// holeExpired states that bytes up to the number to did not come in time, when
// they were never acknowledged: others were missed by the capture alone.
func (t *Table) holeExpired(c *conn, from capture.Side, to uint32) {
	h := t.holeOf(c, from)
	if h == nil || h.acked || c.id.OneWay || t.clock.Sub(h.since) < t.cfg.GapTimeout {
		return
	}
	if e := t.stuck(c, capture.StuckStream, from, t.clock.Sub(h.since)); e != nil {
		e.Cause, e.Bytes, e.Held = capture.CauseHole, uint64(to-c.sides[from].nxt), uint64(h.bytes)
	}
}

// expired states what was outstanding when a connection is given up because
// both sides were silent for too long.
func (t *Table) expired(c *conn) {
	if c.state != stateEstablished || c.id.OneWay {
		return
	}
	silent := t.clock.Sub(c.seen)
	for x := capture.Client; x <= capture.Server; x++ {
		if n := c.outstanding(x); n > 0 && !c.sides[x].has(timing) {
			if e := t.stuck(c, capture.StuckStream, x, silent); e != nil {
				e.Cause, e.Bytes = capture.CauseRetransmissionTimeout, n
			}
			return
		}
	}
	if c.lastFrom == capture.Client && c.carries() {
		if e := t.stuck(c, capture.StuckStream, capture.Server, silent); e != nil {
			e.Cause = capture.CauseNoResponse
		}
	}
}
