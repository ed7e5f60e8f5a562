package filter

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

// identifier reads a name, number or address that q qualifies.
func (p *parser) identifier(q qualifiers) (cond, error) {
	t := p.next()
	switch {
	case t.kind == end:
		return nil, refuse(t, "a name, number or address must follow")
	case t.kind == symbol:
		return nil, refuse(t, "a name, number or address must stand here")
	case t.kind == word && reserved(t.text):
		return nil, refuse(t, notKeyword)
	}
	switch q.what {
	case port, portRange:
		return p.port(q, t)
	case protoNumber:
		return p.protoNumber(q, t)
	}
	return p.address(q, t)
}

func (p *parser) protoNumber(q qualifiers, t token) (cond, error) {
	v, isNumber := number(t.text)
	if q.proto == qualEther {
		if name, ok := etherNames[t.text]; ok && !isNumber {
			return p.layout.ether(name), nil
		}
		if !isNumber || v > 0xffff {
			return nil, refuse(t, "no EtherType")
		}
		if v <= 1500 {
			return nil, refuse(t, "LLC is not supported"+elsewhere)
		}
		return p.layout.ether(uint16(v)), nil
	}
	if !isNumber {
		n, ok := protocolNumbers[t.text]
		if !ok {
			return nil, refuse(t, "no protocol that is known by name; give its number")
		}
		v = uint64(n)
	}
	if v > 255 {
		return nil, refuse(t, "a protocol number is at most 255")
	}
	switch q.proto {
	case qualIP:
		return p.layout.overIP(uint8(v)), nil
	case qualIP6:
		return p.layout.overIP6(uint8(v)), nil
	}
	return anyOf{p.layout.overIP(uint8(v)), p.layout.overIP6(uint8(v))}, nil
}

// port reads a port or a range of ports, by number or name.
func (p *parser) port(q qualifiers, t token) (cond, error) {
	var protos []uint8
	switch q.proto {
	case anyProtocol:
		protos = []uint8{protoSCTP, protoTCP, protoUDP}
	case qualTCP:
		protos = []uint8{protoTCP}
	case qualUDP:
		protos = []uint8{protoUDP}
	case qualSCTP:
		protos = []uint8{protoSCTP}
	default:
		return nil, refuse(t, strconv.Quote(q.word)+" has no ports")
	}
	var r PortRange
	if s, ok := services[t.text]; ok && q.what == port {
		r = PortRange{s.port, s.port}
		switch {
		case q.proto == qualTCP && !s.tcp, q.proto == qualUDP && !s.udp:
			return nil, refuse(t, "this service does not use "+q.word+"; give the port's number")
		case q.proto == anyProtocol && !s.udp:
			protos = []uint8{protoTCP}
		case q.proto == anyProtocol && !s.tcp:
			protos = []uint8{protoUDP}
		}
	} else {
		var err error
		if r, err = portsOf(q, t); err != nil {
			return nil, err
		}
	}
	if !p.negated {
		p.named = append(p.named, r)
	}
	return p.layout.ports(protos, q.dir, r.First, r.Last), nil
}

// portsOf reads a number, or two with a hyphen between them.
func portsOf(q qualifiers, t token) (PortRange, error) {
	first, last, isRange := strings.Cut(t.text, "-")
	if !isRange {
		v, err := portNumber(t, first)
		return PortRange{v, v}, err
	}
	if q.what == port {
		return PortRange{}, refuse(t, `no port that is known by name; several ports are written with "portrange"`)
	}
	var r PortRange
	var err error
	if r.First, err = portNumber(t, first); err == nil {
		r.Last, err = portNumber(t, last)
	}
	// libpcap reads these in decimal, whatever they begin with.
	if strings.HasPrefix(first, "0") && first != "0" || strings.HasPrefix(last, "0") && last != "0" {
		return r, refuse(t, "the ends of a range are decimal numbers or names")
	}
	if r.First > r.Last { // so does libpcap
		r.First, r.Last = r.Last, r.First
	}
	return r, err
}

func portNumber(t token, s string) (uint16, error) {
	if v, ok := services[s]; ok {
		return v.port, nil
	}
	v, ok := number(s)
	switch {
	case !ok:
		return 0, refuse(t, "no port that is known by name; give its number")
	case v > 65535:
		return 0, refuse(t, "a port is at most 65535")
	}
	return uint16(v), nil
}

// address reads an address or a network.
func (p *parser) address(q qualifiers, t token) (cond, error) {
	if t.kind == word && strings.ContainsRune(t.text, ':') {
		return p.address6(q, t)
	}
	addr, bitsGiven, err := address4(q, t)
	if err != nil {
		return nil, err
	}
	switch q.proto {
	case anyProtocol, qualIP, qualARP, qualRARP:
	default:
		return nil, refuse(t, strconv.Quote(q.word)+" has no IPv4 addresses")
	}
	mask := ^uint32(0) << (32 - bitsGiven)
	isMasked := false
	if slash, ok := p.accept("/"); ok {
		isMasked = true
		n := p.next()
		v, ok := number(n.text)
		if !ok || v > 32 {
			return nil, refuse(n, "a prefix length is a number up to 32")
		}
		if !strings.Contains(t.text, ".") {
			return nil, refuse(slash, "write the network with dots, as 10.0.0.0/8")
		}
		mask = uint32(^uint64(0) << (32 - v))
	} else if _, ok := p.accept("mask"); ok {
		isMasked = true
		n := p.next()
		m, _, err := address4(qualifiers{what: host}, n)
		if err != nil || !strings.Contains(n.text, ".") || !strings.Contains(t.text, ".") {
			return nil, refuse(n, "a mask is written as 255.255.0.0, and the network before it with dots")
		}
		mask = m
	}
	if isMasked && q.what != network {
		return nil, refuse(t, `a mask is for networks: write "net"`)
	}
	if addr&^mask != 0 {
		return nil, refuse(t, "bits are set that are outside the mask")
	}
	return p.layout.host4(q, addr, mask), nil
}

// host4 is the condition of an IPv4 address in the headers that q allows.
func (l *layout) host4(q qualifiers, addr, mask uint32) cond {
	ip := l.address4(etherIP, [2]uint32{12, 16}, q.dir, addr, mask)
	arp := l.address4(etherARP, [2]uint32{14, 24}, q.dir, addr, mask)
	rarp := l.address4(etherRARP, [2]uint32{14, 24}, q.dir, addr, mask)
	switch q.proto {
	case qualIP:
		return ip
	case qualARP:
		return arp
	case qualRARP:
		return rarp
	}
	return anyOf{ip, arp, rarp}
}

// address4 reads an IPv4 address of which trailing parts may be missing, and
// how many bits were given. A number alone is a whole address, except for a
// network, where it is the first parts: "net 10" is 10.0.0.0/8.
func address4(q qualifiers, t token) (addr uint32, bitsGiven int, err error) {
	if t.kind != word {
		return 0, 0, refuse(t, "no address")
	}
	if v, ok := number(t.text); ok {
		if v > 0xffffffff {
			return 0, 0, refuse(t, "the number does not fit into 32 bits")
		}
		bitsGiven = 32
		if addr = uint32(v); q.what == network {
			for addr != 0 && addr>>24 == 0 {
				addr, bitsGiven = addr<<8, bitsGiven-8
			}
		}
		return addr, bitsGiven, nil
	}
	for _, c := range t.text {
		if c != '.' && (c < '0' || c > '9') {
			return 0, 0, refuse(t, "names are not looked up; give the address")
		}
	}
	parts := strings.Split(t.text, ".")
	for _, part := range parts {
		v, err := strconv.ParseUint(part, 10, 8)
		if err != nil || len(parts) > 4 {
			return 0, 0, refuse(t, "no IPv4 address")
		}
		addr, bitsGiven = addr<<8|uint32(v), bitsGiven+8
	}
	return addr << (32 - bitsGiven), bitsGiven, nil
}

func (p *parser) address6(q qualifiers, t token) (cond, error) {
	a, err := netip.ParseAddr(t.text)
	if err != nil {
		if strings.Count(t.text, ":") == 5 {
			return nil, refuse(t, "link-layer addresses are not supported"+elsewhere)
		}
		return nil, refuse(t, "no IPv6 address")
	}
	if q.proto != anyProtocol && q.proto != qualIP6 {
		return nil, refuse(t, strconv.Quote(q.word)+" has no IPv6 addresses")
	}
	length := 128
	if _, ok := p.accept("/"); ok {
		n := p.next()
		v, ok := number(n.text)
		if !ok || v > 128 {
			return nil, refuse(n, "a prefix length is a number up to 128")
		}
		if length = int(v); q.what != network && length != 128 {
			return nil, refuse(t, `a mask is for networks: write "net"`)
		}
	}
	prefix, _ := a.Prefix(length)
	if prefix.Addr() != a {
		return nil, refuse(t, "bits are set that are outside the mask")
	}
	var addr, mask [4]uint32
	raw := a.As16()
	for i := range addr {
		addr[i] = binary.BigEndian.Uint32(raw[4*i:])
		mask[i] = uint32(^uint64(0) << (32 - min(max(length-32*i, 0), 32)))
	}
	return p.layout.address6(q.dir, addr, mask), nil
}
