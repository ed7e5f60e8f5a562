package tcp

import "github.com/wiretell/wiretell/capture"

// pressure follows the window that from offers now, when that is 0, was 0, or
// was full.
func (t *Table) pressure(c *conn, from capture.Side, p *capture.Packet) {
	s, o := c.both(from)
	if s.has(winFull) && after(s.ack+uint32(p.TCP.Window)<<(s.scale&15), o.end) {
		s.flags &^= winFull
		f := &t.strains.of(c)[from].filled
		t.book.TCP.WindowFullTime[f.way] += uint64(f.end(p.Time))
	}
	switch zero := p.TCP.Window == 0; {
	case zero == s.has(winZero):
	case !zero:
		s.flags &^= winZero
		z := &t.strains.of(c)[from].closed
		t.book.TCP.ZeroWindowTime[z.way] += uint64(z.end(p.Time))
	case p.TCP.Flags&(capture.SYN|capture.FIN) == 0:
		// Who sends a SYN or FIN need not offer a window yet, or any more.
		s.flags |= winZero
		z := &t.strains.of(c)[from].closed
		z.since, z.way = p.Time, p.Direction
		z.n++
		t.book.TCP.ZeroWindow[p.Direction]++
	}
}

// fill follows a segment of n new bytes that reaches the end of the window that
// the other side of from offers. What a window means is only known when both
// SYNs were captured: they tell its scale (RFC 7323, section 2.2).
func (t *Table) fill(c *conn, from capture.Side, p *capture.Packet, n uint32) {
	s, o := c.both(from)
	switch {
	case c.state < stateEstablished || !o.has(hasAck) || !s.has(synSeen) || !o.has(synSeen):
	case o.win == 0:
		// RFC 9293, section 3.8.6.1: "The sending TCP peer must regularly transmit
		// at least one octet of new data (if available) ... to the receiving TCP
		// peer even if the send window is zero".
		if n == 1 {
			s.flags |= probing
		}
	case s.end-o.ack > o.window():
		// It was opened further, and that was not captured.
	case !o.has(winFull):
		o.flags |= winFull
		f := &t.strains.of(c)[from.Other()].filled
		f.since, f.way = p.Time, p.Direction
		f.n++
		t.book.TCP.WindowFull[p.Direction]++
	}
}

// endStalls ends what still lasts when c ends.
func (t *Table) endStalls(c *conn) {
	for i := range c.sides {
		s := &c.sides[i]
		if s.has(winFull) {
			f := &t.strains.of(c)[i].filled
			t.book.TCP.WindowFullTime[f.way] += uint64(f.end(t.last))
		}
		if s.has(winZero) {
			z := &t.strains.of(c)[i].closed
			t.book.TCP.ZeroWindowTime[z.way] += uint64(z.end(t.last))
		}
		s.flags &^= winFull | winZero
	}
}
