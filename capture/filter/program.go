package filter

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"

	"github.com/wiretell/wiretell/capture"
)

// Program is a filter in classic BPF.
type Program struct {
	raw   []bpf.RawInstruction
	expr  string
	ports []PortRange
}

// PortRange is the ports from First to Last.
type PortRange struct{ First, Last uint16 }

// Compile translates an expression for frames of the given link type: one of
// Ethernet, SLL, SLL2, raw IP, IPv4, IPv6, null and loopback. The error is an
// [*Error] when the expression is not understood. An empty expression selects
// everything.
func Compile(expr string, link capture.LinkType) (*Program, error) {
	layout, err := layoutOf(link)
	if err != nil {
		return nil, err
	}
	tokens, err := scan(expr)
	if err != nil {
		return nil, err
	}
	p := parser{tokens: tokens, layout: layout}
	var c cond = truth(true)
	if p.peek().kind != end {
		if c, _, err = p.expression(qualifiers{}, false); err != nil {
			return nil, err
		}
		if t := p.peek(); t.kind != end {
			return nil, refuse(t, `"and" or "or" must stand before it`)
		}
	}
	var g graph
	begin := g.shorten(g.add(c, accept, reject))
	raw, ok := g.assemble(begin)
	if !ok {
		return nil, &Error{Pos: 1, Token: firstWord(expr), Msg: "the program is longer than the kernel's " + strconv.Itoa(maxProgram) + " instructions"}
	}
	return &Program{raw: raw, expr: expr, ports: p.named}, nil
}

func firstWord(s string) string {
	w, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	return w
}

// Raw returns the instructions, for the kernel or for golang.org/x/net/bpf. The
// caller may change the slice.
func (p *Program) Raw() []bpf.RawInstruction { return slices.Clone(p.raw) }

// Expr returns what the Program was made from: the expression, or "" for bytecode.
func (p *Program) Expr() string { return p.expr }

// Ports returns the ports that the expression names outside "not", in order of
// appearance; nil for bytecode. The caller must not change the slice.
func (p *Program) Ports() []PortRange { return p.ports }

// Match reports whether the Program selects a frame. data is what was captured
// of it, wireLen how long it was on the wire. As in the kernel, a frame in
// which something lies beyond data that the Program must look at is not selected.
func (p *Program) Match(data []byte, wireLen int) bool {
	var a, x uint32
	var memory [16]uint32
	code := p.raw
	for pc := 0; pc < len(code); pc++ {
		in := &code[pc]
		switch in.Op & 7 {
		case classLoad:
			v, ok := fetch(in, data, wireLen, x, &memory)
			if !ok {
				return false
			}
			a = v
		case classLoadX:
			v, ok := fetch(in, data, wireLen, 0, &memory)
			if !ok {
				return false
			}
			x = v
		case classStore:
			memory[in.K&15] = a
		case classStoreX:
			memory[in.K&15] = x
		case classALU:
			v, ok := compute(in, a, x)
			if !ok {
				return false
			}
			a = v
		case classJump:
			if in.Op&0xf0 == jumpAlways {
				pc += int(in.K)
			} else if compare(in, a, x) {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		case classReturn:
			if in.Op&0x18 == returnA {
				return a != 0
			}
			return in.K != 0
		case classMisc:
			if in.Op&0xf8 == miscTXA {
				a = x
			} else {
				x = a
			}
		}
	}
	return false
}

func fetch(in *bpf.RawInstruction, data []byte, wireLen int, x uint32, memory *[16]uint32) (uint32, bool) {
	off := uint64(in.K)
	switch in.Op & 0xe0 {
	case modeImmediate:
		return in.K, true
	case modeMemory:
		return memory[in.K&15], true
	case modeLength:
		return uint32(wireLen), true
	case modeHeader:
		if off >= uint64(len(data)) {
			return 0, false
		}
		return 4 * uint32(data[off]&0xf), true
	case modeIndirect:
		off += uint64(x)
	}
	switch n := uint64(len(data)); in.Op & 0x18 {
	case sizeHalf:
		if off+2 <= n {
			return uint32(binary.BigEndian.Uint16(data[off:])), true
		}
	case sizeByte:
		if off < n {
			return uint32(data[off]), true
		}
	default:
		if off+4 <= n {
			return binary.BigEndian.Uint32(data[off:]), true
		}
	}
	return 0, false
}

func compute(in *bpf.RawInstruction, a, x uint32) (uint32, bool) {
	k := in.K
	if in.Op&fromX != 0 {
		k = x
	}
	switch in.Op & 0xf0 {
	case aluAdd:
		return a + k, true
	case aluSub:
		return a - k, true
	case aluMul:
		return a * k, true
	case aluDiv:
		if k == 0 {
			return 0, false
		}
		return a / k, true
	case aluMod:
		if k == 0 {
			return 0, false
		}
		return a % k, true
	case aluOr:
		return a | k, true
	case aluAnd:
		return a & k, true
	case aluXor:
		return a ^ k, true
	case aluLsh:
		return a << k, true
	case aluRsh:
		return a >> k, true
	}
	return -a, true
}

func compare(in *bpf.RawInstruction, a, x uint32) bool {
	k := in.K
	if in.Op&fromX != 0 {
		k = x
	}
	switch in.Op & 0xf0 {
	case jumpEqual:
		return a == k
	case jumpGreater:
		return a > k
	case jumpGreaterEqual:
		return a >= k
	}
	return a&k != 0
}
