package tcp

// RFC 9293, section 3.4: "all arithmetic dealing with sequence numbers must be
// performed modulo 2**32".

// diff returns a-b: positive when a lies after b in sequence space.
func diff(a, b uint32) int32 { return int32(a - b) }

// before reports whether a lies before b.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// after reports whether a lies after b.
func after(a, b uint32) bool { return int32(a-b) > 0 }

// farAway is the distance beyond which a number has nothing to do with the
// stream: the largest window there is (RFC 7323, section 2.3: "the maximum
// receive window is 2^30").
const farAway = 1 << 30
