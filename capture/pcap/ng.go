package pcap

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/wiretell/wiretell/capture"
)

// Block types of pcapng
// (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html, section 4).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6
)

// Option codes.
const (
	optionEnd     = 0
	optionComment = 1
	optionName    = 2 // if_name
	optionFlags   = 2 // epb_flags, pack_flags
	optionResol   = 9 // if_tsresol
	optionOffset  = 14
)

const (
	orderMagic    = 0x1a2b3c4d
	maxInterfaces = 4096
	maxName       = 256 // bytes kept of an interface's name, which each of its signals has
)

// ngReader reads pcapng.
type ngReader struct {
	*input
	big     bool
	section []ngInterface       // of the current section, by the id in the file
	all     []capture.Interface // of the file, by Frame.Interface
	last    capture.Time
	used    int
	failed  error // kept when the place of the damage is no longer in the buffer
}

// ngInterface is what reading a packet of an interface needs.
type ngInterface struct {
	index    uint16 // in ngReader.all
	link     capture.LinkType
	loopback bool
	snap     uint32
	// Nanoseconds are ticks*mul/div, or with binary ticks*1e9>>shift.
	mul, div uint64
	shift    uint8
	binary   bool
	offset   capture.Time
}

func newNGReader(in *input) (*ngReader, error) {
	r := &ngReader{input: in}
	b, err := in.peek(12)
	if err != nil {
		return nil, in.end(err, len(b), 12, "the section header")
	}
	return r, nil
}

func (r *ngReader) u16(b []byte) uint16 {
	if r.big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (r *ngReader) u32(b []byte) uint32 {
	if r.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// Next implements capture.Source.
func (r *ngReader) Next(f *capture.Frame) error {
	if r.failed != nil {
		return r.failed
	}
	r.use(r.used)
	r.used = 0
	for {
		b, err := r.peek(12)
		if err != nil {
			return r.end(err, len(b), 12, "a block")
		}
		kind := r.u32(b)
		if kind == blockSection { // reads the same in both byte orders
			switch {
			case binary.LittleEndian.Uint32(b[8:]) == orderMagic:
				r.big = false
			case binary.BigEndian.Uint32(b[8:]) == orderMagic:
				r.big = true
			default:
				return r.damaged("a section header with byte-order magic % x", b[8:12])
			}
		}
		total := r.u32(b[4:8])
		if total < 12 || total%4 != 0 {
			return r.damaged("a block of %d bytes", total)
		}
		switch kind {
		case blockEnhanced, blockPacket, blockSimple, blockInterface, blockSection:
		default:
			off := r.off
			if err := r.skip(int64(total)); err != nil {
				have := r.off - off
				r.off = off
				r.failed = r.end(err, int(have), int64(total), "a block")
				return r.failed
			}
			continue
		}
		if total > maxBlock {
			return r.damaged("a block of %d bytes (more than %d is not believed)", total, maxBlock)
		}
		n := int(total)
		if b, err = r.peek(n); err != nil {
			return r.end(err, len(b), int64(n), "a block")
		}
		if tail := r.u32(b[n-4:]); tail != total {
			return r.damaged("a block says %d bytes at its start and %d at its end", total, tail)
		}
		body := b[8 : n-4 : n-4]
		switch kind {
		case blockEnhanced, blockPacket, blockSimple:
			if err := r.packet(f, kind, body); err != nil {
				return err
			}
			r.used = n
			return nil
		case blockInterface:
			err = r.describe(body)
		case blockSection:
			err = r.begin(body)
		}
		if err != nil {
			return err
		}
		r.use(n)
	}
}

// begin starts a section: interface ids count from 0 again.
func (r *ngReader) begin(b []byte) error {
	if len(b) < 16 {
		return r.damaged("a section header of %d bytes", len(b)+12)
	}
	if major := r.u16(b[4:]); major != 1 {
		return r.damaged("pcapng version %d.%d is not known", major, r.u16(b[6:]))
	}
	r.section = r.section[:0]
	return nil
}

// describe reads an Interface Description Block.
func (r *ngReader) describe(b []byte) error {
	if len(b) < 8 {
		return r.damaged("an interface description of %d bytes", len(b)+12)
	}
	if len(r.section) == maxInterfaces {
		return r.damaged("more than %d interfaces", maxInterfaces)
	}
	i := ngInterface{link: capture.LinkType(r.u16(b)), snap: r.u32(b[4:]), mul: 1000, div: 1}
	name := ""
	for code, v, rest := r.option(b[8:]); code != optionEnd; code, v, rest = r.option(rest) {
		switch {
		case code == optionName:
			name = string(v[:min(len(v), maxName)])
		case code == optionResol && len(v) >= 1:
			if err := i.resolution(v[0]); err != nil {
				return r.damaged("%v", err)
			}
		case code == optionOffset && len(v) >= 8:
			// A 64-bit number of seconds.
			hi, lo := r.u32(v), r.u32(v[4:])
			if !r.big {
				hi, lo = lo, hi
			}
			i.offset = capture.Time(uint64(hi)<<32|uint64(lo)) * 1e9
		}
	}
	i.loopback = name == "lo" || name == "lo0"
	// A file of several sections describes the same interface again.
	at := len(r.all)
	for j := range r.all {
		if name != "" && r.all[j].Name == name && r.all[j].Link == i.link {
			at = j
			break
		}
	}
	if at == len(r.all) {
		if at == maxInterfaces {
			return r.damaged("more than %d interfaces", maxInterfaces)
		}
		r.all = append(r.all, capture.Interface{Name: name, Link: i.link, Loopback: i.loopback})
	}
	i.index = uint16(at)
	r.section = append(r.section, i)
	return nil
}

// resolution sets the conversion for if_tsresol (section 4.2): "If the Most
// Significant Bit is equal to zero, the remaining bits indicate the resolution
// of the timestamp as a negative power of 10 [...]. If the Most Significant Bit
// is equal to one, [...] as a negative power of 2".
func (i *ngInterface) resolution(v uint8) error {
	n := v & 0x7f
	i.binary = v&0x80 != 0
	if i.binary {
		if n > 63 {
			return fmt.Errorf("timestamps in units of 2^-%d s", n)
		}
		i.shift = n
		return nil
	}
	i.mul, i.div = 1, 1
	for ; n < 9; n++ {
		i.mul *= 10
	}
	for ; n > 9; n-- {
		if i.div > math.MaxInt64/10 {
			return fmt.Errorf("timestamps in units of 10^-%d s", v)
		}
		i.div *= 10
	}
	return nil
}

func (i *ngInterface) time(ticks uint64) capture.Time {
	if i.binary {
		hi, lo := bits.Mul64(ticks, 1e9)
		return capture.Time(hi<<(64-i.shift)|lo>>i.shift) + i.offset
	}
	if i.div != 1 {
		return capture.Time(ticks/i.div) + i.offset
	}
	return capture.Time(ticks*i.mul) + i.offset
}

// option returns the first option of b and what follows it; optionEnd at the
// end, which a broken option is, too.
func (r *ngReader) option(b []byte) (code uint16, v, rest []byte) {
	if len(b) < 4 {
		return optionEnd, nil, nil
	}
	code, n := r.u16(b), int(r.u16(b[2:]))
	if n > len(b)-4 {
		return optionEnd, nil, nil
	}
	return code, b[4 : 4+n], b[min(4+(n+3)&^3, len(b)):]
}

// packet reads a packet block of the given kind.
func (r *ngReader) packet(f *capture.Frame, kind uint32, b []byte) error {
	if kind == blockSimple {
		return r.simple(f, b)
	}
	if len(b) < 20 {
		return r.damaged("a packet block of %d bytes", len(b)+12)
	}
	id := r.u32(b[0:4])
	if kind == blockPacket {
		id = uint32(r.u16(b[0:2])) // then a 16-bit count of drops
	}
	if int64(id) >= int64(len(r.section)) {
		return r.damaged("a packet of interface %d, of which %d are described", id, len(r.section))
	}
	i := &r.section[id]
	ticks := uint64(r.u32(b[4:8]))<<32 | uint64(r.u32(b[8:12]))
	captured, length := r.u32(b[12:16]), r.u32(b[16:20])
	b = b[20:]
	if int64(captured) > int64(len(b)) {
		return r.damaged("a packet of %d bytes in a block that has room for %d", captured, len(b))
	}
	n := int(captured)
	r.last = i.time(ticks)
	*f = capture.Frame{
		Time:      r.last,
		Data:      b[:n:n],
		WireLen:   int(min(max(length, captured), math.MaxInt32)),
		Link:      i.link,
		Interface: i.index,
		Loopback:  i.loopback,
	}
	if rest := (n + 3) &^ 3; rest < len(b) {
		f.Direction = r.direction(b[rest:])
	}
	return nil
}

// direction reads the flags option (section 4.3.1): bits 0-1 are "00 =
// information not available, 01 = inbound, 10 = outbound".
func (r *ngReader) direction(opts []byte) capture.Direction {
	for code, v, rest := r.option(opts); code != optionEnd; code, v, rest = r.option(rest) {
		if code == optionFlags && len(v) >= 4 {
			switch r.u32(v) & 3 {
			case 1:
				return capture.Receive
			case 2:
				return capture.Transmit
			}
			break
		}
	}
	return capture.DirectionUnknown
}

// simple reads a Simple Packet Block (section 4.4), which belongs to the first
// interface of its section.
func (r *ngReader) simple(f *capture.Frame, b []byte) error {
	if len(b) < 4 {
		return r.damaged("a simple packet block of %d bytes", len(b)+12)
	}
	if len(r.section) == 0 {
		return r.damaged("a packet before any interface is described")
	}
	i := &r.section[0]
	length := r.u32(b)
	b = b[4:]
	captured := length
	if i.snap != 0 {
		captured = min(captured, i.snap)
	}
	if int64(captured) > int64(len(b)) {
		return r.damaged("a packet of %d bytes in a block that has room for %d", captured, len(b))
	}
	*f = capture.Frame{
		Time:      r.last,
		Data:      b[:captured:captured],
		WireLen:   int(min(length, math.MaxInt32)),
		Link:      i.link,
		Interface: i.index,
		Loopback:  i.loopback,
	}
	return nil
}

// Stats implements capture.Source.
func (r *ngReader) Stats(s *capture.SourceStats) {
	s.Interfaces = append(s.Interfaces[:0], r.all...)
	s.Rings = s.Rings[:0]
}
