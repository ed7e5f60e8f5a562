package filter

import (
	"slices"
	"strconv"

	"github.com/wiretell/wiretell/capture"
)

// addressing is what kind of thing an identifier names.
type addressing uint8

const (
	unsaid addressing = iota // a host
	host
	network
	port
	portRange
	protoNumber
)

// qualifiers stand in front of an identifier, and are repeated for one that
// stands alone after them.
type qualifiers struct {
	given bool // false: an identifier alone means nothing here
	word  string
	proto qualifier
	dir   direction
	what  addressing
}

const notKeyword = "a name, number or address must stand here; a name that is also a keyword is written with a backslash"

// maxDepth bounds the nesting of parentheses and "not".
const maxDepth = 256

// parser turns tokens into a cond by libpcap's grammar.
type parser struct {
	tokens []token
	at     int
	layout layout
	depth  int
	// negated says that an odd number of "not" apply here.
	negated bool
	named   []PortRange
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

// accept takes the next token when it is one of these.
func (p *parser) accept(texts ...string) (token, bool) {
	t := p.peek()
	if t.kind == escape || t.kind == end || !slices.Contains(texts, t.text) {
		return t, false
	}
	return p.next(), true
}

func refuse(t token, msg string) error { return &Error{t.pos + 1, t.text, msg} }

// expression reads terms joined by "and" and "or", which have the same
// precedence and group from the left.
func (p *parser) expression(q qualifiers, idsOnly bool) (cond, qualifiers, error) {
	c, q, err := p.term(q, idsOnly)
	for err == nil {
		op, ok := p.accept("and", "&&", "or", "||")
		if !ok {
			break
		}
		var right cond
		if right, q, err = p.term(q, idsOnly); op.text == "and" || op.text == "&&" {
			c = allOf{c, right}
		} else {
			c = anyOf{c, right}
		}
	}
	return c, q, err
}

// term reads one primitive, with "not" and parentheses. idsOnly says that
// qualifiers came before the parenthesis: only identifiers may stand in it.
func (p *parser) term(q qualifiers, idsOnly bool) (cond, qualifiers, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, q, refuse(p.peek(), "nested too deep")
	}
	defer func() { p.depth-- }()
	if _, ok := p.accept("not", "!"); ok {
		p.negated = !p.negated
		c, q, err := p.term(q, idsOnly)
		p.negated = !p.negated
		return negation{c}, q, err
	}
	if _, ok := p.accept("("); ok {
		c, _, err := p.expression(q, idsOnly)
		if err != nil {
			return nil, q, err
		}
		if t, ok := p.accept(")"); !ok {
			return nil, q, refuse(t, "a closing parenthesis is missing")
		}
		return c, q, nil
	}
	t := p.peek()
	switch {
	case t.kind == end:
		return nil, q, refuse(t, "a condition must follow")
	case t.kind == symbol:
		return nil, q, refuse(t, "a condition must stand here")
	case t.kind == word && unsupported[t.text]:
		return nil, q, refuse(t, "not supported"+elsewhere)
	case t.kind == word && reserved(t.text) && idsOnly:
		return nil, q, refuse(t, "a name, number or address must stand here")
	case t.kind == word && reserved(t.text):
		return p.primitive()
	case t.kind == word && p.isRelation():
		return p.relation()
	case !q.given:
		return nil, q, refuse(t, `no qualifier says what this is: write "host", "net" or "port" before it`)
	}
	c, err := p.identifier(q)
	return c, q, err
}

// isRelation reports whether a number and a relation come next.
func (p *parser) isRelation() bool {
	if _, isNumber := number(p.peek().text); !isNumber {
		return false
	}
	t := p.tokens[p.at+1]
	return t.kind == symbol && slices.Contains(relations, t.text)
}

var relations = []string{"<", "<=", ">", ">=", "=", "==", "!="}

// primitive reads one that begins with a keyword.
func (p *parser) primitive() (cond, qualifiers, error) {
	t := p.peek()
	switch t.text {
	case "len", "length":
		return p.relation()
	case "greater", "less":
		p.next()
		n, err := p.number32()
		long := test{load{}, greater, n}
		if t.text == "greater" {
			return test{load{}, greaterEqual, n}, qualifiers{}, err
		}
		return negation{long}, qualifiers{}, err
	case "vlan":
		return p.vlan()
	}
	q := qualifiers{given: true, word: t.text}
	proto, isProto := protocols[t.text]
	switch {
	case t.text == "ether":
		p.next()
		q.proto = qualEther
		if n := p.peek(); n.text != "proto" {
			return nil, q, refuse(t, "link-layer addresses are not supported"+elsewhere)
		}
	case isProto:
		p.next()
		q.proto = proto.qual
		if n := p.peek(); n.kind != word || !slices.Contains([]string{"src", "dst", "host", "net", "port", "portrange", "proto"}, n.text) {
			if n.kind == word && unsupported[n.text] {
				return nil, q, refuse(n, "not supported"+elsewhere)
			}
			return p.layout.protocol(proto), qualifiers{}, nil
		}
	}
	return p.qualified(q)
}

// protocol is the condition of a protocol word alone.
func (l *layout) protocol(w protocol) cond {
	switch {
	case w.ether != 0:
		return l.ether(w.ether)
	case w.ip && w.ip6:
		return anyOf{l.overIP(w.number), l.overIP6(w.number)}
	case w.ip:
		return l.overIP(w.number)
	}
	return l.overIP6(w.number)
}

// qualified reads what follows a protocol word: direction, kind, identifier.
func (p *parser) qualified(q qualifiers) (cond, qualifiers, error) {
	if t, ok := p.accept("src", "dst"); ok {
		q.dir = src
		if t.text == "dst" {
			q.dir = dst
		}
		other := map[string]string{"src": "dst", "dst": "src"}[t.text]
		if op := p.peek(); op.kind != end && p.tokens[p.at+1].text == other && p.tokens[p.at+1].kind == word {
			switch op.text {
			case "or", "||":
				q.dir = srcOrDst
				p.at += 2
			case "and", "&&":
				q.dir = srcAndDst
				p.at += 2
			}
		}
	} else if t, ok := p.accept("proto"); ok {
		q.what = protoNumber
		if q.proto > qualIP6 && q.proto != qualEther {
			return nil, q, refuse(t, strconv.Quote(q.word)+" does not carry another protocol")
		}
		c, err := p.identifiers(q)
		return c, q, err
	}
	if t, ok := p.accept("host", "net", "port", "portrange"); ok {
		q.what = map[string]addressing{"host": host, "net": network, "port": port, "portrange": portRange}[t.text]
	}
	if t := p.peek(); t.kind == word && reserved(t.text) && t.text != "not" {
		if unsupported[t.text] {
			return nil, q, refuse(t, "not supported"+elsewhere)
		}
		return nil, q, refuse(t, notKeyword)
	}
	c, err := p.identifiers(q)
	return c, q, err
}

// identifiers reads one identifier or several in parentheses.
func (p *parser) identifiers(q qualifiers) (cond, error) {
	if t := p.peek(); t.kind == symbol && (t.text == "(" || t.text == "!") || t.kind == word && t.text == "not" {
		c, _, err := p.term(q, true)
		return c, err
	}
	return p.identifier(q)
}

func (p *parser) vlan() (cond, qualifiers, error) {
	t := p.next()
	if p.layout.link != capture.LinkEthernet {
		return nil, qualifiers{}, refuse(t, "frames of this link type have no VLAN tags")
	}
	id := -1
	if n := p.peek(); n.kind == word && !p.isRelation() {
		if v, ok := number(n.text); ok {
			if p.next(); v > 4095 {
				return nil, qualifiers{}, refuse(n, "a VLAN identifier is at most 4095")
			}
			id = int(v)
		}
	}
	return p.layout.vlan(id), qualifiers{}, nil
}

// relation reads a comparison of the packet's length with a number.
func (p *parser) relation() (cond, qualifiers, error) {
	left, op := p.next(), p.peek()
	if op.kind != symbol || !slices.Contains(relations, op.text) {
		return nil, qualifiers{}, refuse(op, "a relation such as <= must follow; arithmetic is not supported"+elsewhere)
	}
	p.next()
	var n uint32
	if left.text == "len" || left.text == "length" {
		var err error
		if n, err = p.number32(); err != nil {
			return nil, qualifiers{}, err
		}
	} else {
		v, _ := number(left.text)
		if v > 0xffffffff {
			return nil, qualifiers{}, refuse(left, "the number does not fit into 32 bits")
		}
		if t, ok := p.accept("len", "length"); !ok {
			return nil, qualifiers{}, refuse(t, `only "len" can be compared`+elsewhere)
		}
		n = uint32(v)
		op.text = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "==": "=", "!=": "!="}[op.text]
	}
	is := func(r relation) cond { return test{load{}, r, n} }
	switch op.text {
	case ">":
		return is(greater), qualifiers{}, nil
	case ">=":
		return is(greaterEqual), qualifiers{}, nil
	case "<":
		return negation{is(greaterEqual)}, qualifiers{}, nil
	case "<=":
		return negation{is(greater)}, qualifiers{}, nil
	case "!=":
		return negation{is(equal)}, qualifiers{}, nil
	}
	return is(equal), qualifiers{}, nil
}

func (p *parser) number32() (uint32, error) {
	t := p.next()
	v, ok := number(t.text)
	switch {
	case !ok || t.kind != word:
		return 0, refuse(t, "a number must stand here")
	case v > 0xffffffff:
		return 0, refuse(t, "the number does not fit into 32 bits")
	}
	return uint32(v), nil
}

// number reads a number as C does: 10, 0xa or 012.
func number(s string) (uint64, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' || len(s) > 2 && s[0] == '0' && (s[1] == 'b' || s[1] == 'B' || s[1] == 'o' || s[1] == 'O') {
		return 0, false
	}
	for _, c := range s {
		if c == '_' {
			return 0, false
		}
	}
	v, err := strconv.ParseUint(s, 0, 64)
	return v, err == nil
}
