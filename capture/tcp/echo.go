package tcp

import (
	"time"

	"github.com/wiretell/wiretell/capture"
)

const (
	// copyWindow is within what time a segment that has the identification of one
	// before is held to be the same, captured at another place: longer than any
	// way between the two, shorter than a time-out.
	copyWindow = 100 * time.Millisecond
	// plainCopyWindow is that of a segment without an identification.
	plainCopyWindow = 3 * time.Millisecond
)

// print is what a segment shares with its copies, captured at another port of a
// mirror or at the other end of a bridge, and not with one that is sent again: a
// sender gives that another IP identification, and another timestamp once its
// clock has ticked.
type print struct {
	end uint32 // number after its last
	ts  uint32 // timestamp value, 0 without
	id  uint16 // IP identification, 0 without
}

func printOf(p *capture.Packet, end uint32) print { return print{end, p.TCP.TSVal, p.ID} }

// fresh reports whether a segment with the same print is its copy after that time.
func (m *print) fresh(d time.Duration) bool {
	return d < plainCopyWindow || m.id != 0 && d < copyWindow
}

// echoes are the last segments of connections that are captured twice.
type echoes struct {
	n   int // so far
	all [512]echo
}

// echo is one of them; or that a connection is known from here on.
type echo struct {
	at    capture.Time
	conn  int32 // index
	print print
	from  capture.Side
	first bool
}

// remember notes a segment of from, which ends before end: its copy may come.
func (t *Table) remember(c *conn, from capture.Side, p *capture.Packet, end uint32) {
	if c.marks&doubled == 0 {
		return
	}
	t.echoes.put(echo{at: p.Time, conn: c.index, from: from, print: printOf(p, end)})
}

// double notes that c is captured twice.
func (t *Table) double(c *conn, at capture.Time) {
	if c.marks&doubled != 0 {
		return
	}
	c.marks |= doubled
	if t.echoes == nil {
		t.echoes = new(echoes)
	}
	t.echoes.put(echo{at: at, conn: c.index, first: true})
}

func (e *echoes) put(one echo) {
	e.all[e.n%len(e.all)] = one
	e.n++
}

// has reports whether a segment was captured before; known is false when e does
// not go back far enough to tell.
func (e *echoes) has(c *conn, from capture.Side, p *capture.Packet, end uint32) (yes, known bool) {
	m := printOf(p, end)
	for i := 1; i <= min(e.n, len(e.all)); i++ {
		x := &e.all[(e.n-i)%len(e.all)]
		d := p.Time.Sub(x.at)
		switch {
		case d >= copyWindow:
			return false, true
		case x.conn != c.index:
		case x.first:
			return false, false
		case x.from == from && x.print == m:
			return m.fresh(d), true
		}
	}
	return false, false
}
