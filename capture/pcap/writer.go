package pcap

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/wiretell/wiretell/capture"
)

// maxWritten is the most of a frame that is written: readers refuse more
// (libpcap's MAXIMUM_SNAPLEN, Wireshark's WTAP_MAX_PACKET_SIZE_STANDARD).
const maxWritten = 262144

// Writer writes pcapng: nanosecond timestamps, little-endian, one section.
// Errors of the underlying writer are kept and returned by every later call.
type Writer struct {
	w       io.Writer
	buf     *bufio.Writer // w, where that is worth buffering
	comment string
	names   []capture.Interface
	ids     []written
	block   []byte
	begun   bool
}

// written is an interface that is described in the file; its index there is
// its id. Frames of one interface may have different link types.
type written struct {
	iface uint16
	link  capture.LinkType
}

// NewWriter returns a Writer to w. The caller ends with Flush. What is written
// to a [bytes.Buffer] is there at once, block by block.
func NewWriter(w io.Writer) *Writer {
	if _, memory := w.(*bytes.Buffer); memory {
		return &Writer{w: w}
	}
	b := bufio.NewWriterSize(w, 64<<10)
	return &Writer{w: b, buf: b}
}

// Reset makes w write a new file to to, with the memory of the one before.
func (w *Writer) Reset(to *bytes.Buffer) {
	*w = Writer{w: to, names: w.names[:0], ids: w.ids[:0], block: w.block}
}

// Comment sets the comment of the whole file (at most 65,535 bytes of it). It
// matters before the first frame.
func (w *Writer) Comment(text string) { w.comment = text }

// Interfaces tells the names that Frame.Interface stands for, as
// SourceStats.Interfaces has them. It matters before the first frame of an
// interface; a frame of one that was not told is written without a name. The
// slice is not kept.
func (w *Writer) Interfaces(list []capture.Interface) {
	w.names = append(w.names[:0], list...)
}

// Write writes f and, unless it is empty, comment (at most 65,535 bytes of it).
// A VLAN tag that the kernel took off an Ethernet frame is put back. Of a frame
// longer than 262,144 bytes only these are written.
func (w *Writer) Write(f *capture.Frame, comment string) error {
	if err := w.begin(); err != nil {
		return err
	}
	id, err := w.id(f.Interface, f.Link)
	if err != nil {
		return err
	}
	head, rest := f.Data, []byte(nil)
	var tag [4]byte
	added := 0
	if f.Tagged && f.Link == capture.LinkEthernet && len(f.Data) >= 12 {
		head, rest = f.Data[:12], f.Data[12:]
		binary.BigEndian.PutUint16(tag[0:], 0x8100)
		binary.BigEndian.PutUint16(tag[2:], f.VLAN)
		added = 4
	}
	rest = rest[:min(len(rest), maxWritten-16)]
	head = head[:min(len(head), maxWritten)]
	n := len(head) + added + len(rest)

	b := w.start(blockEnhanced)
	b = binary.LittleEndian.AppendUint32(b, id)
	b = binary.LittleEndian.AppendUint32(b, uint32(uint64(f.Time)>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(f.Time))
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = binary.LittleEndian.AppendUint32(b, uint32(min(max(f.WireLen+added, n), math.MaxInt32)))
	b = append(b, head...)
	b = append(b, tag[:added]...)
	b = append(b, rest...)
	b = pad(b)
	options := false
	if comment != "" {
		b = option(b, optionComment, comment[:min(len(comment), math.MaxUint16)])
		options = true
	}
	if f.Direction == capture.Receive || f.Direction == capture.Transmit {
		flags := binary.LittleEndian.AppendUint32(nil, uint32(f.Direction)) // 1 inbound, 2 outbound
		b = option(b, optionFlags, string(flags))
		options = true
	}
	if options {
		b = option(b, optionEnd, "")
	}
	return w.finish(b)
}

// Flush writes out what is buffered, and the file's header if no frame was written.
func (w *Writer) Flush() error {
	if err := w.begin(); err != nil || w.buf == nil {
		return err
	}
	return w.buf.Flush()
}

func (w *Writer) begin() error {
	if w.begun {
		return nil
	}
	w.begun = true
	b := w.start(blockSection)
	b = binary.LittleEndian.AppendUint32(b, orderMagic)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint64(b, math.MaxUint64) // section length: not told
	b = option(b, 4, "wiretell")                            // shb_userappl
	if w.comment != "" {
		b = option(b, optionComment, w.comment[:min(len(w.comment), math.MaxUint16)])
	}
	b = option(b, optionEnd, "")
	return w.finish(b)
}

// id returns the interface's id in the file, describing it at first.
func (w *Writer) id(iface uint16, link capture.LinkType) (uint32, error) {
	key := written{iface, link}
	for i := range w.ids {
		if w.ids[i] == key {
			return uint32(i), nil
		}
	}
	b := w.start(blockInterface)
	b = binary.LittleEndian.AppendUint16(b, uint16(link))
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint32(b, maxWritten)
	if int(iface) < len(w.names) && w.names[iface].Name != "" {
		b = option(b, optionName, w.names[iface].Name)
	}
	b = option(b, optionResol, "\x09")
	b = option(b, optionEnd, "")
	if err := w.finish(b); err != nil {
		return 0, err
	}
	w.ids = append(w.ids, key)
	return uint32(len(w.ids) - 1), nil
}

// start begins a block in w.block; finish fills in its length and writes it.
func (w *Writer) start(kind uint32) []byte {
	b := binary.LittleEndian.AppendUint32(w.block[:0], kind)
	return append(b, 0, 0, 0, 0)
}

func (w *Writer) finish(b []byte) error {
	n := uint32(len(b) + 4)
	binary.LittleEndian.PutUint32(b[4:], n)
	w.block = binary.LittleEndian.AppendUint32(b, n)
	_, err := w.w.Write(w.block)
	return err
}

func option(b []byte, code uint16, v string) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(v)))
	return pad(append(b, v...))
}

func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// ClassicWriter writes pcap with nanosecond timestamps, little-endian.
type ClassicWriter struct {
	w    *bufio.Writer
	link capture.LinkType
}

// errLink is returned for a frame that a pcap file cannot hold.
var errLink = errors.New("pcap: all frames of a file have one link type")

// NewClassicWriter returns a writer of frames of one link type to w. The
// caller ends with Flush, which also tells whether the header could be written.
func NewClassicWriter(w io.Writer, link capture.LinkType) *ClassicWriter {
	c := &ClassicWriter{w: bufio.NewWriterSize(w, 64<<10), link: link}
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = binary.LittleEndian.AppendUint64(b, 0) // time zone and accuracy
	b = binary.LittleEndian.AppendUint32(b, maxWritten)
	b = binary.LittleEndian.AppendUint32(b, uint32(link))
	c.w.Write(b) // fits the buffer
	return c
}

// Write writes f.
func (c *ClassicWriter) Write(f *capture.Frame) error {
	if f.Link != c.link {
		return fmt.Errorf("%w: %d, not %d", errLink, c.link, f.Link)
	}
	data := f.Data[:min(len(f.Data), maxWritten)]
	var h [16]byte
	binary.LittleEndian.PutUint32(h[0:], uint32(f.Time/1e9))
	binary.LittleEndian.PutUint32(h[4:], uint32(f.Time%1e9))
	binary.LittleEndian.PutUint32(h[8:], uint32(len(data)))
	binary.LittleEndian.PutUint32(h[12:], uint32(max(f.WireLen, len(data))))
	c.w.Write(h[:]) // an error stays in the bufio.Writer
	_, err := c.w.Write(data)
	return err
}

// Flush writes out what is buffered.
func (c *ClassicWriter) Flush() error { return c.w.Flush() }
