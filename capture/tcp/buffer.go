package tcp

import "math/bits"

// bufferPool hands out buffers of sizes that are powers of two and uses them
// again. What it allocated, in use or not, stays within limit.
type bufferPool struct {
	limit     int
	inUse     int // capacity of what is handed out
	allocated int // and of what is kept for use again
	free      [numSizes][][]byte
}

const (
	minSize  = 8  // 256 bytes
	numSizes = 17 // to 16 MiB
)

// class returns which size n bytes need.
func class(n int) int { return max(bits.Len(uint(n-1)), minSize) - minSize }

// fits reports whether get would find room for n bytes.
func (p *bufferPool) fits(n int) bool {
	if n == 0 {
		return true
	}
	k := class(n)
	return k < numSizes && p.inUse+1<<(k+minSize) <= p.limit
}

// get returns a copy of b, or false when the limit does not allow it. Nothing
// is nil.
func (p *bufferPool) get(b []byte) ([]byte, bool) {
	if len(b) == 0 {
		return nil, true
	}
	if !p.fits(len(b)) {
		return nil, false
	}
	k := class(len(b))
	size := 1 << (k + minSize)
	var buf []byte
	if f := p.free[k]; len(f) > 0 {
		buf = f[len(f)-1]
		p.free[k] = f[:len(f)-1]
	} else {
		for i := numSizes - 1; i >= 0 && p.allocated+size > p.limit; i-- {
			p.drop(i, size)
		}
		buf = make([]byte, size)
		p.allocated += size
	}
	p.inUse += size
	return append(buf[:0], b...), true
}

// drop leaves free buffers of a class to the garbage collector until size fits.
func (p *bufferPool) drop(k, size int) {
	f := p.free[k]
	for len(f) > 0 && p.allocated+size > p.limit {
		p.allocated -= cap(f[len(f)-1])
		f[len(f)-1] = nil
		f = f[:len(f)-1]
	}
	p.free[k] = f
}

// put takes a buffer of get back. Its bytes stay as they are until the next get.
func (p *bufferPool) put(b []byte) {
	if b == nil {
		return
	}
	p.inUse -= cap(b)
	k := class(cap(b))
	p.free[k] = append(p.free[k], b)
}
