package tls

// Chain finds TLS in a stream that was joined in the middle. It keeps no bytes:
// it reads a record's header where one can be, passes over the record by its
// length, over as many segments as it takes, and looks for the next header
// there. The zero value is ready; use one for each side.
//
// The first segment seen often begins within a record. So a chain that breaks
// is begun anew at the start of the next segment, where senders that write one
// record at a time put its header.
type Chain struct {
	header  [recordHeader]byte
	n       uint8  // bytes of header that are there
	records uint8  // headers that followed each other
	broken  bool   // until the next segment
	left    uint16 // bytes of the record still to come
}

// Feed takes the next segment of a side and reports whether three records have
// followed each other. It costs one step for each record in b.
func (c *Chain) Feed(b []byte) bool {
	begun := !c.broken && (c.records > 0 || c.n > 0)
	if c.broken {
		*c = Chain{}
	}
	if !c.walk(b) {
		*c = Chain{}
		c.broken = !begun || !c.walk(b)
	}
	return c.records >= chainRecords
}

// walk reports whether b goes on in the chain.
func (c *Chain) walk(b []byte) bool {
	for len(b) > 0 && c.records < chainRecords {
		skip := min(int(c.left), len(b))
		b, c.left = b[skip:], c.left-uint16(skip)
		take := copy(c.header[c.n:], b)
		b, c.n = b[take:], c.n+uint8(take)
		if c.n < recordHeader {
			return plausible(c.header[:c.n])
		}
		_, n, ok := recordOf(c.header[:])
		if !ok {
			return false
		}
		c.n, c.left = 0, uint16(n)
		c.records++
	}
	return true
}

// Reset makes c ready for another stream, or for the same one after a gap.
func (c *Chain) Reset() { *c = Chain{} }
