package filter

// load fetches a number out of a packet.
type load struct {
	size uint8  // in bytes: 1, 2 or 4; 0 fetches the length of the packet
	off  uint32 // from the start of the frame, or from the end of the IPv4 header
	// header, when not 0, is one more than the offset of an IPv4 header, from
	// whose end off counts.
	header uint32
	mask   uint32 // 0: all bits
}

// relation compares what was loaded with a constant.
type relation uint8

const (
	equal        relation = iota
	greater               // >
	greaterEqual          // >=
	bits                  // any bit in common
)

// holds applies the relation.
func (r relation) holds(a, k uint32) bool {
	switch r {
	case equal:
		return a == k
	case greater:
		return a > k
	case greaterEqual:
		return a >= k
	}
	return a&k != 0
}

// cond is a tree of conditions.
type cond interface{ cond() }

type (
	// test is a leaf.
	test struct {
		load load
		rel  relation
		k    uint32
	}
	// allOf holds when each of its conditions does, tried in order; anyOf when one does.
	allOf    []cond
	anyOf    []cond
	negation struct{ c cond }
	truth    bool
)

func (test) cond()     {}
func (allOf) cond()    {}
func (anyOf) cond()    {}
func (negation) cond() {}
func (truth) cond()    {}
