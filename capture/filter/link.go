package filter

import (
	"fmt"

	"github.com/wiretell/wiretell/capture"
)

// layout knows where things are in a frame of a link type. The two offsets move
// when "vlan" is read.
type layout struct {
	link      capture.LinkType
	etherType uint32 // offset of the EtherType, where the link type has one
	network   uint32 // offset of the network header
}

func layoutOf(link capture.LinkType) (layout, error) {
	l := layout{link: link}
	switch link {
	case capture.LinkEthernet:
		l.etherType, l.network = 12, 14
	case capture.LinkSLL:
		l.etherType, l.network = 14, 16
	case capture.LinkSLL2:
		l.etherType, l.network = 0, 20
	case capture.LinkNull, capture.LinkLoop:
		l.network = 4
	case capture.LinkRaw, capture.LinkIPv4, capture.LinkIPv6:
	default:
		return l, fmt.Errorf("filter: link type %d is not supported", link)
	}
	return l, nil
}

// Address families in a null or loopback header: IPv4's is 2 everywhere; that
// of IPv6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS.
var families6 = [...]uint32{10, 24, 28, 30}

// ether is the condition that the frame carries EtherType t.
func (l *layout) ether(t uint16) cond {
	switch l.link {
	case capture.LinkEthernet, capture.LinkSLL, capture.LinkSLL2:
		return test{load{size: 2, off: l.etherType}, equal, uint32(t)}
	case capture.LinkRaw:
		version := load{size: 1, off: 0, mask: 0xf0}
		switch t {
		case etherIP:
			return test{version, equal, 0x40}
		case etherIP6:
			return test{version, equal, 0x60}
		}
	case capture.LinkIPv4:
		return truth(t == etherIP)
	case capture.LinkIPv6:
		return truth(t == etherIP6)
	case capture.LinkNull, capture.LinkLoop:
		switch t {
		case etherIP:
			return l.family(2)
		case etherIP6:
			return l.family(families6[:]...)
		}
	}
	return truth(false)
}

func (l *layout) family(numbers ...uint32) cond {
	var c anyOf
	for _, n := range numbers {
		c = append(c, test{load{size: 4}, equal, n})
		if l.link == capture.LinkNull { // the byte order is the capturing host's
			c = append(c, test{load{size: 4}, equal, n << 24})
		}
	}
	return c
}

// field loads size bytes at off in the network header.
func (l *layout) field(off uint32, size uint8) load {
	return load{size: size, off: l.network + off}
}

// proto4 is the condition that an IPv4 header names protocol p.
func (l *layout) proto4(p uint8) cond { return test{l.field(9, 1), equal, uint32(p)} }

// overIP is the condition that the frame is IPv4 with protocol p.
func (l *layout) overIP(p uint8) cond { return allOf{l.ether(etherIP), l.proto4(p)} }

// overIP6 is the condition that the frame is IPv6 with protocol p, directly or
// behind a fragment header.
func (l *layout) overIP6(p uint8) cond {
	return allOf{l.ether(etherIP6), anyOf{
		test{l.field(6, 1), equal, uint32(p)},
		allOf{test{l.field(6, 1), equal, protoFragment}, test{l.field(40, 1), equal, uint32(p)}},
	}}
}

// vlan is the condition that the frame has a VLAN tag, with this identifier
// when it is not negative. Everything written later is meant behind the tag.
func (l *layout) vlan(id int) cond {
	c := allOf{anyOf{l.ether(etherVLAN), l.ether(etherAD), l.ether(etherQinQ)}}
	if id >= 0 {
		tci := l.field(0, 2)
		tci.mask = 0x0fff
		c = append(c, test{tci, equal, uint32(id)})
	}
	l.etherType += 4
	l.network += 4
	return c
}

// direction is which end an address or port must be at.
type direction uint8

const (
	srcOrDst direction = iota
	src
	dst
	srcAndDst
)

// ends applies one condition per end as the direction says.
func (d direction) ends(at func(end int) cond) cond {
	switch d {
	case src:
		return at(0)
	case dst:
		return at(1)
	case srcAndDst:
		return allOf{at(0), at(1)}
	}
	return anyOf{at(0), at(1)}
}

// masked compares a loaded word with k under mask.
func masked(l load, mask, k uint32) cond {
	if mask == 0 {
		return truth(true)
	}
	if mask != 0xffffffff {
		l.mask = mask
	}
	return test{l, equal, k}
}

// address4 is the condition of an IPv4 address in a header of EtherType t; the
// offsets are those of the two ends.
func (l *layout) address4(t uint16, offsets [2]uint32, d direction, addr, mask uint32) cond {
	return allOf{l.ether(t), d.ends(func(end int) cond { return masked(l.field(offsets[end], 4), mask, addr) })}
}

// address6 is the condition of an IPv6 address.
func (l *layout) address6(d direction, addr, mask [4]uint32) cond {
	return allOf{l.ether(etherIP6), d.ends(func(end int) cond {
		var c allOf
		for i := range addr {
			c = append(c, masked(l.field(8+16*uint32(end)+4*uint32(i), 4), mask[i], addr[i]))
		}
		return c
	})}
}

// ports is the condition of a port between lo and hi, over each of protos.
func (l *layout) ports(protos []uint8, d direction, lo, hi uint16) cond {
	within := func(at load) cond {
		if lo == hi {
			return test{at, equal, uint32(lo)}
		}
		return allOf{test{at, greaterEqual, uint32(lo)}, negation{test{at, greater, uint32(hi)}}}
	}
	var over6, over4 anyOf
	for _, p := range protos {
		over6 = append(over6, test{l.field(6, 1), equal, uint32(p)})
		over4 = append(over4, l.proto4(p))
	}
	return anyOf{
		allOf{l.ether(etherIP6), over6, d.ends(func(end int) cond {
			return within(l.field(40+2*uint32(end), 2))
		})},
		allOf{l.ether(etherIP), over4,
			// A later fragment has no ports.
			negation{test{l.field(6, 2), bits, 0x1fff}},
			d.ends(func(end int) cond {
				return within(load{size: 2, off: l.network + 2*uint32(end), header: l.network + 1})
			})},
	}
}
