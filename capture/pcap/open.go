package pcap

import (
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/wiretell/wiretell/capture"
)

// Open opens the capture file at path, "-" being standard input, and reads its
// header. The format (pcap or pcapng, also compressed with gzip) is told by
// its first bytes. The caller closes the source.
func Open(path string) (capture.Source, error) {
	if path == "-" {
		return open(interruptible(os.Stdin), "standard input")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return open(f, path)
}

func open(f *os.File, name string) (capture.Source, error) {
	s, err := OpenReader(f, name)
	if err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// OpenReader reads a capture file from r, which name names in errors. Closing
// the source closes r when it is an io.Closer.
func OpenReader(r io.Reader, name string) (capture.Source, error) {
	in := &input{src: r, name: name}
	in.closer, _ = r.(io.Closer)
	head, err := in.peek(4)
	if len(head) >= 2 && head[0] == 0x1f && head[1] == 0x8b { // RFC 1952, section 2.3.1
		z, err := gzip.NewReader(&rest{in: in})
		if err != nil {
			return nil, fmt.Errorf("%s: gzip: %w", name, err)
		}
		in = &input{src: z, closer: in.closer, name: name, compressed: true}
		head, err = in.peek(4)
		if err != nil {
			return nil, notCapture(in, head, err)
		}
	} else if err != nil {
		return nil, notCapture(in, head, err)
	}
	if binary.BigEndian.Uint32(head) == blockSection {
		return newNGReader(in)
	}
	for _, m := range magics {
		if order := m.order(head); order != nil {
			return newPcapReader(in, m, order)
		}
	}
	return nil, notCapture(in, head, nil)
}

func notCapture(in *input, head []byte, err error) error {
	switch {
	case err != nil && err != io.EOF:
		return fmt.Errorf("read %s: %w", in.name, err)
	case len(head) == 0:
		return fmt.Errorf("%s: empty, not a capture file", in.name)
	case string(head) == "snoo":
		return fmt.Errorf("%s: a Solaris snoop file; convert it with editcap", in.name)
	case string(head) == "\x28\xb5\x2f\xfd":
		return fmt.Errorf("%s: compressed with zstd; unpack it first", in.name)
	}
	return fmt.Errorf("%s: neither pcap nor pcapng: begins with % x", in.name, head)
}

// rest reads what an input has buffered, and then its source.
type rest struct{ in *input }

func (r *rest) Read(p []byte) (int, error) {
	b := r.in.buf[r.in.r:r.in.w]
	if len(b) == 0 {
		if r.in.err != nil {
			return 0, r.in.err
		}
		return r.in.src.Read(p)
	}
	n := copy(p, b)
	r.in.use(n)
	return n, nil
}
