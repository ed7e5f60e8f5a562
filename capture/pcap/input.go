package pcap

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

const (
	bufferSize = 256 << 10 // fits a second-level cache
	// maxPacket bounds the captured length of one packet.
	maxPacket = 16 << 20
	// maxBlock is maxPacket with a pcapng block's header and options around it.
	maxBlock = maxPacket + 1<<20
)

// DamageError says where a capture file is broken. The packets before it were good.
type DamageError struct {
	// Offset counts bytes from the start of the file (of what it unpacks to,
	// when it is compressed) to the record or block that cannot be read.
	Offset int64
	What   string
	// Compressed says that Offset counts unpacked bytes.
	Compressed bool
}

// Error describes the damage.
func (e *DamageError) Error() string {
	if e.Compressed {
		return fmt.Sprintf("file damaged at byte %d (unpacked): %s", e.Offset, e.What)
	}
	return fmt.Sprintf("file damaged at byte %d: %s", e.Offset, e.What)
}

// input reads ahead into one buffer and hands out slices of it.
type input struct {
	src        io.Reader
	closer     io.Closer
	name       string
	compressed bool
	closed     atomic.Bool

	buf  []byte
	r, w int   // buf[r:w] is read and not yet used
	off  int64 // of buf[r] in the stream
	err  error // of src, met after buf[:w]
}

// peek returns the next n bytes without using them up; they are valid until the
// next call. It returns fewer only together with src's error.
func (in *input) peek(n int) ([]byte, error) {
	if in.w-in.r >= n {
		return in.buf[in.r : in.r+n], nil
	}
	return in.fill(n)
}

func (in *input) fill(n int) ([]byte, error) {
	for in.w-in.r < n {
		if in.err != nil {
			return in.buf[in.r:in.w], in.err
		}
		if in.r > 0 {
			in.w = copy(in.buf, in.buf[in.r:in.w])
			in.r = 0
		}
		if in.w == len(in.buf) {
			// Grown as bytes really come, so that a length that lies costs
			// no memory.
			bigger := make([]byte, max(2*len(in.buf), bufferSize))
			copy(bigger, in.buf)
			in.buf = bigger
		}
		for range 100 { // as bufio: a reader that gives nothing for ever is broken
			var k int
			k, in.err = in.src.Read(in.buf[in.w:])
			in.w += k
			if k > 0 || in.err != nil {
				break
			}
			in.err = io.ErrNoProgress
		}
		if in.err == io.ErrNoProgress && in.w-in.r >= n {
			in.err = nil
		}
	}
	return in.buf[in.r : in.r+n], nil
}

// use consumes n bytes that peek has returned.
func (in *input) use(n int) {
	in.r += n
	in.off += int64(n)
}

// skip consumes n bytes that need not be in the buffer.
func (in *input) skip(n int64) error {
	for n > 0 {
		b, err := in.peek(int(min(n, bufferSize)))
		in.use(len(b))
		n -= int64(len(b))
		if err != nil {
			return err
		}
	}
	return nil
}

// end is the error for a stream that ended, by err, where have of need bytes
// of something were left; io.EOF when it ended where it may.
func (in *input) end(err error, have int, need int64, of string) error {
	switch {
	case in.closed.Load():
		return io.EOF
	case err == io.EOF && have == 0:
		return io.EOF
	case err == io.EOF:
		return in.damaged("ends within %s, after %d of %d bytes", of, have, need)
	case errors.Is(err, io.ErrUnexpectedEOF) && in.compressed:
		return in.damaged("compressed data ends early")
	case in.compressed:
		return in.damaged("%v", err)
	}
	return fmt.Errorf("read %s: %w", in.name, err)
}

func (in *input) damaged(format string, args ...any) error {
	return fmt.Errorf("%s: %w", in.name,
		&DamageError{Offset: in.off, What: fmt.Sprintf(format, args...), Compressed: in.compressed})
}

// Close ends a waiting Next with io.EOF.
func (in *input) Close() error {
	if in.closed.Swap(true) || in.closer == nil {
		return nil
	}
	return in.closer.Close()
}
