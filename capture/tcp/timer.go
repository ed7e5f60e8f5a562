package tcp

import (
	"math/bits"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// Half-open and ended connections stand in lists in order of their deadlines.
// All others stand in a wheel of one slot per second. A packet only notes the
// time in its connection; where a slot comes due, each connection in it is
// ended or moved to the slot where it will really be due. So a packet touches
// no list, and a tick only what may have expired.
const (
	listNone = iota
	listHalfOpen
	listClosed
	listWheel // first slot

	wheelSlots = 1024
	numLists   = listWheel + wheelSlots
)

// list is a doubly linked list of connections by index; -1 ends it.
type list struct {
	head, tail int32
	n          int
}

// append puts c at the end of list l, taking it out of any other.
func (t *Table) append(c *conn, l uint16) {
	t.unlink(c)
	q := &t.lists[l]
	c.list, c.prev, c.next = l, q.tail, -1
	if q.tail >= 0 {
		t.at(q.tail).next = c.index
	} else {
		q.head = c.index
	}
	q.tail = c.index
	q.n++
	if l >= listWheel {
		t.filled[(l-listWheel)/64] |= 1 << ((l - listWheel) % 64)
	}
}

func (t *Table) unlink(c *conn) {
	if c.list == listNone {
		return
	}
	q := &t.lists[c.list]
	if c.prev >= 0 {
		t.at(c.prev).next = c.next
	} else {
		q.head = c.next
	}
	if c.next >= 0 {
		t.at(c.next).prev = c.prev
	} else {
		q.tail = c.prev
	}
	q.n--
	if q.n == 0 && c.list >= listWheel {
		t.filled[(c.list-listWheel)/64] &^= 1 << ((c.list - listWheel) % 64)
	}
	c.list, c.prev, c.next = listNone, -1, -1
}

// maxStep is the most that one packet or tick may move the table's clock. A
// capture whose clock jumps by years then expires nothing that a minute of
// silence would not, and a true silence that is longer only expires later.
const maxStep = capture.Time(time.Minute)

// advance moves the clock to now. A packet that is older than those before it by
// no more than maxStep is only late, as those of another interface or queue are:
// the clock waits until their time is reached again. Otherwise packets that
// alternate between two times would move it by the difference each time. What is
// older still says that the capture's clock was set.
func (t *Table) advance(now capture.Time) {
	d := now - t.last
	if d == 0 {
		return
	}
	if uint64(d) > uint64(maxStep) {
		if d < 0 && d >= -maxStep && t.started {
			return
		}
		d = t.step(d)
	}
	t.last = now
	t.clock += d
}

// step says how much of a step that is negative or large is believed.
func (t *Table) step(d capture.Time) capture.Time {
	if !t.started {
		t.started = true
		if t.last == 0 && t.clock == 0 {
			return 0
		}
	}
	if d > 0 {
		return maxStep
	}
	return 0 // who reads the packets counts steps back (Counters.ClockSteps)
}

// Tick tells the table the time of the capture, so that what waited too long
// ends although no packet comes: holes, half-open connections, silent ones. It
// costs next to nothing when nothing is due. After a panic of a Handler came
// out of it, [Table.Abandon] is called and then Tick again.
func (t *Table) Tick(now capture.Time) {
	t.advance(now)
	second := int64(t.clock) / int64(time.Second)
	if second == t.second {
		return
	}
	for t.second < second {
		t.turn(uint16(t.second % wheelSlots))
		t.second++
	}
	t.expire(listHalfOpen, t.cfg.HandshakeTimeout)
	t.expire(listClosed, t.cfg.ClosedTimeout)
}

// expire works down the head of a list that is in order of deadlines.
func (t *Table) expire(l uint16, timeout time.Duration) {
	for t.lists[l].head >= 0 {
		c := t.at(t.lists[l].head)
		if t.clock.Sub(c.seen) < timeout {
			return
		}
		if l == listClosed {
			t.remove(c)
			continue
		}
		t.finish(c, capture.ReasonTimedOut, false)
	}
}

// turn works through one slot of the wheel.
func (t *Table) turn(slot uint16) {
	l := listWheel + slot
	for n := t.lists[l].n; n > 0 && t.lists[l].head >= 0; n-- {
		c := t.at(t.lists[l].head)
		if c.holes != 0 {
			t.cur = c
			t.schedule(c)
			t.settle(c)
			if c.state == stateClosed || c.list == listNone {
				continue
			}
		}
		if r := t.rareIf(c); r != nil && r.rst.at != 0 && t.clock.Sub(r.rst.at) >= doubtTime && t.settleRST(c) {
			continue
		}
		t.overdue(c)
		if t.clock.Sub(c.seen) >= t.silence(c) {
			why := capture.ReasonTimedOut
			if c.sides[0].has(ended) && c.sides[1].has(ended) {
				why = capture.ReasonFIN
			} else {
				t.expired(c)
			}
			t.finish(c, why, false)
			continue
		}
		t.schedule(c)
	}
}

// silence is how long c may say nothing.
func (t *Table) silence(c *conn) time.Duration {
	// A side that has not closed may go on for as long as it likes (RFC 9293,
	// section 3.6); an application that forgets to close is told by that.
	if c.sides[0].has(sawFIN) && c.sides[1].has(sawFIN) || c.state == stateClosing && c.id.OneWay {
		return t.cfg.ClosingTimeout
	}
	return t.cfg.IdleTimeout
}

// schedule puts c where the wheel will meet it when its next deadline is over.
func (t *Table) schedule(c *conn) {
	due := c.seen.Add(t.silence(c))
	if c.state == stateClosing && !c.told() {
		due = min(due, t.clock.Add(t.cfg.StuckAfter-c.spoke.since(t.clock)))
	}
	if r := t.rareIf(c); r != nil && r.rst.at != 0 {
		due = min(due, r.rst.at.Add(doubtTime))
	}
	for side := range c.sides {
		if c.holes&(1<<side) != 0 {
			h := &t.holes.all[c.sides[side].hole]
			due = min(due, h.since.Add(t.cfg.GapTimeout))
		}
	}
	at := int64(due) / int64(time.Second) // worked on when that second is over
	at = min(max(at, t.second+1), t.second+wheelSlots-1)
	t.append(c, listWheel+uint16(at%wheelSlots))
}

// evict makes room for one connection.
func (t *Table) evict() {
	switch {
	case t.lists[listClosed].head >= 0:
		t.remove(t.at(t.lists[listClosed].head))
	case t.lists[listHalfOpen].head >= 0:
		t.finish(t.at(t.lists[listHalfOpen].head), capture.ReasonEvicted, false)
	default:
		t.finish(t.mostSilent(), capture.ReasonEvicted, false)
	}
}

// maxProbes bounds what one eviction may do.
const maxProbes = 64

// mostSilent returns the connection that comes due first. Where those met on
// the way were active meanwhile, they are moved to where they belong; after
// maxProbes of them the one that was silent longest is taken.
func (t *Table) mostSilent() *conn {
	var best *conn
	for range maxProbes {
		c := t.firstDue()
		if c == nil {
			break
		}
		was := c.list
		t.schedule(c)
		if best == nil || c.seen < best.seen {
			best = c
		}
		if c.list == was {
			return c
		}
	}
	return best
}

// firstDue returns the head of the first slot of the wheel that holds something.
func (t *Table) firstDue() *conn {
	start := uint16(t.second % wheelSlots)
	word := start / 64
	w := t.filled[word] &^ (1<<(start%64) - 1)
	for range len(t.filled) + 1 {
		if w != 0 {
			slot := word*64 + uint16(bits.TrailingZeros64(w))
			return t.at(t.lists[listWheel+slot].head)
		}
		word = (word + 1) % uint16(len(t.filled))
		w = t.filled[word]
	}
	return nil
}

// Flush ends every connection, as the capture has ended at now: what was held
// is handed on after its gaps, and every live account goes to its final one.
// Attempts to connect that had no answer for a second (the first
// retransmission timeout, RFC 6298, section 2.1) have failed. After a panic of
// a Handler came out of it, [Table.Abandon] is called and then Flush again.
func (t *Table) Flush(now capture.Time) {
	t.advance(now)
	for t.lists[listHalfOpen].head >= 0 {
		c := t.at(t.lists[listHalfOpen].head)
		why := capture.ReasonShutdown
		if t.last.Sub(c.id.Start) >= time.Second {
			why = capture.ReasonTimedOut
		}
		t.finish(c, why, false)
	}
	for c := t.firstDue(); c != nil; c = t.firstDue() {
		why := capture.ReasonShutdown
		if c.sides[0].has(ended) && c.sides[1].has(ended) {
			why = capture.ReasonFIN
		}
		t.finish(c, why, false)
	}
	for t.lists[listClosed].head >= 0 {
		t.remove(t.at(t.lists[listClosed].head))
	}
}
