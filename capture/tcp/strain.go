package tcp

import (
	"time"

	"github.com/wiretell/wiretell/capture"
)

// strain is what a connection has suffered. Few connections have one: it is
// made when something is first to be noted, and there is never more than one
// for each connection that the table holds.
type strain [2]sideStrain

// sideStrain is what the segments of one side suffered, and what the window
// that it offers did.
type sideStrain struct {
	// closed is while the side offers a window of 0; filled while the other
	// side has sent as much as the window takes.
	closed, filled stall

	resent                [capture.NumRetransmitKinds]uint32
	unproved              uint32 // of them, those that may yet prove needless
	needless              uint32
	outOfOrder, duplicate uint32 // segments before their turn; duplicate acknowledgements

	sacked uint32 // highest sequence number that the side reported, plus one; see hasSACK
	until  uint32 // the episode lasts until the other side acknowledges this
	// A segment that was sent again and is not known yet to have arrived
	// ends at again, when sentThen was the highest number sent, plus one. What
	// begins before overtaken was sent before one that arrived.
	again, sentThen, overtaken uint32
	hasAgain, hasOvertaken     bool
	hasSACK                    bool
	episode                    episode
	way                        capture.Direction // of the side's segments
}

// stall is a time in which a window lets nothing through, and those before.
type stall struct {
	since capture.Time // of the one that lasts
	total time.Duration
	n     uint32
	way   capture.Direction // of the segment that began it
}

// end ends a stall and returns how long it lasted.
func (s *stall) end(now capture.Time) time.Duration {
	d := max(now.Sub(s.since), 0)
	s.total += d
	return d
}

// strainSlab hands out strains by index and takes them back.
type strainSlab struct {
	all  []strain
	free []int32
	grew bool // as Table.grew
}

// of returns c's strain, making it when c has none. It is valid until the next
// one is made.
func (s *strainSlab) of(c *conn) *strain {
	if c.strain == 0 {
		if n := len(s.free); n > 0 {
			c.strain, s.free = s.free[n-1], s.free[:n-1]
			s.all[c.strain-1] = strain{}
		} else {
			s.all = append(s.all, strain{})
			c.strain = int32(len(s.all))
		}
		s.grew = true
	}
	return &s.all[c.strain-1]
}

// find returns c's strain, nil when it has none.
func (s *strainSlab) find(c *conn) *strain {
	if c.strain == 0 {
		return nil
	}
	return &s.all[c.strain-1]
}

func (s *strainSlab) give(c *conn) {
	if c.strain != 0 {
		s.free = append(s.free, c.strain)
		c.strain = 0
	}
}

// describe writes down what c suffered.
func (c *conn) describe(from *strainSlab, e *capture.ConnClosed) {
	e.RTTMin, e.RTTMean, e.RTTMax = c.rtt()
	st := from.find(c)
	if st == nil {
		return
	}
	for i := range st {
		s := &st[i]
		for k, n := range s.resent {
			e.RetransmitKinds[i][k] = uint64(n)
			e.Retransmits[i] += uint64(n)
		}
		e.Needless[i] = uint64(s.needless)
		e.OutOfOrder[i], e.DuplicateAcks[i] = uint64(s.outOfOrder), uint64(s.duplicate)
		e.ZeroWindow[i] = capture.Stalls{Count: uint64(s.closed.n), Time: s.closed.total}
		e.WindowFull[i] = capture.Stalls{Count: uint64(s.filled.n), Time: s.filled.total}
	}
}
