package filter

import (
	"golang.org/x/net/bpf"
)

// Instruction codes (bpf(4); linux/bpf_common.h).
const (
	classLoad   = 0x00
	classLoadX  = 0x01
	classStore  = 0x02
	classStoreX = 0x03
	classALU    = 0x04
	classJump   = 0x05
	classReturn = 0x06
	classMisc   = 0x07

	sizeWord = 0x00
	sizeHalf = 0x08
	sizeByte = 0x10

	modeImmediate = 0x00
	modeAbsolute  = 0x20
	modeIndirect  = 0x40
	modeMemory    = 0x60
	modeLength    = 0x80
	modeHeader    = 0xa0 // 4*([k]&0xf)

	fromX = 0x08 // operand is X, not k

	aluAdd = 0x00
	aluSub = 0x10
	aluMul = 0x20
	aluDiv = 0x30
	aluOr  = 0x40
	aluAnd = 0x50
	aluLsh = 0x60
	aluRsh = 0x70
	aluNeg = 0x80
	aluMod = 0x90
	aluXor = 0xa0

	jumpAlways       = 0x00
	jumpEqual        = 0x10
	jumpGreater      = 0x20
	jumpGreaterEqual = 0x30
	jumpSet          = 0x40

	returnA = 0x10
	miscTXA = 0x80
)

const (
	// maxProgram is the kernel's bound (BPF_MAXINSNS).
	maxProgram = 4096
	// acceptLength is what tcpdump returns for a packet that is selected.
	acceptLength = 262144
)

var jumps = [...]uint16{equal: jumpEqual, greater: jumpGreater, greaterEqual: jumpGreaterEqual, bits: jumpSet}

// registers are what A and X hold: the loads that filled them.
type registers struct {
	a, x     load
	hasA     bool
	hasX     bool
	anything bool // some branch leads here
}

// meet keeps what holds on both ways.
func (r registers) meet(s registers) registers {
	if !r.anything {
		return s
	}
	r.hasA = r.hasA && s.hasA && r.a == s.a
	r.hasX = r.hasX && s.hasX && r.x == s.x
	return r
}

// instruction is one whose jumps are still nodes.
type instruction struct {
	bpf.RawInstruction
	onTrue, onFalse int // valid for conditional jumps
	always          int // valid for jumpAlways
}

const nowhere = -3

// assemble lays the graph out, first decision first. ok is false when the
// program is longer than the kernel takes.
func (g *graph) assemble(begin int) (raw []bpf.RawInstruction, ok bool) {
	if begin < 0 {
		return []bpf.RawInstruction{verdict(begin)}, true
	}
	entry := make([]registers, len(g.nodes))
	entry[begin].anything = true
	var code []instruction
	start := make([]int, len(g.nodes)) // by node: index into code
	for i := len(g.nodes) - 1; i >= 0; i-- {
		if !entry[i].anything {
			continue // nothing leads here
		}
		n, r := g.nodes[i], entry[i]
		start[i] = len(code)
		code = n.test.load.emit(code, &r)
		code = append(code, instruction{
			RawInstruction: bpf.RawInstruction{Op: classJump | jumps[n.test.rel], K: n.test.k},
			onTrue:         n.onTrue, onFalse: n.onFalse, always: nowhere,
		})
		for _, next := range [...]int{n.onTrue, n.onFalse} {
			if next >= 0 {
				entry[next] = entry[next].meet(r)
			}
		}
	}
	if len(code) > maxProgram {
		return nil, false
	}
	return link(code, start)
}

// emit appends what brings l into A, as far as r does not have it already.
func (l load) emit(code []instruction, r *registers) []instruction {
	put := func(op uint16, k uint32) {
		code = append(code, instruction{bpf.RawInstruction{Op: op, K: k}, nowhere, nowhere, nowhere})
	}
	plain := l
	plain.mask = 0
	if r.hasA && r.a == l {
		return code
	}
	if !r.hasA || r.a != plain {
		size := map[uint8]uint16{1: sizeByte, 2: sizeHalf, 4: sizeWord}[l.size]
		switch {
		case l.size == 0:
			put(classLoad|sizeWord|modeLength, 0)
		case l.header != 0:
			if header := (load{header: l.header}); !r.hasX || r.x != header {
				put(classLoadX|sizeByte|modeHeader, l.header-1)
				r.x, r.hasX = header, true
			}
			put(classLoad|size|modeIndirect, l.off)
		default:
			put(classLoad|size|modeAbsolute, l.off)
		}
	}
	if l.mask != 0 {
		put(classALU|aluAnd, l.mask)
	}
	r.a, r.hasA = l, true
	return code
}

func verdict(at int) bpf.RawInstruction {
	if at == accept {
		return bpf.RawInstruction{Op: classReturn, K: acceptLength}
	}
	return bpf.RawInstruction{Op: classReturn}
}

// link turns nodes into distances. A conditional jump reaches 255 instructions
// ahead; for one that must go further an unconditional jump is put behind it.
func link(code []instruction, start []int) ([]bpf.RawInstruction, bool) {
	for {
		n := len(code)
		place := func(at int) int {
			switch {
			case at == accept:
				return n
			case at == reject:
				return n + 1
			case at < near: // it is, whatever is moved
				return 0
			}
			return start[at]
		}
		far := -1
		for i, c := range code {
			if c.onTrue != nowhere && place(c.onTrue)-i-1 > 255 || c.onFalse != nowhere && place(c.onFalse)-i-1 > 255 {
				far = i
				break
			}
		}
		if far < 0 {
			return resolve(code, place), n+2 <= maxProgram
		}
		code = relay(code, start, far)
		if len(code) > maxProgram {
			return nil, false
		}
	}
}

// relay puts an unconditional jump for each branch of the conditional one at i
// behind it, and moves what follows.
func relay(code []instruction, start []int, i int) []instruction {
	c := code[i]
	hop := func(target int) instruction {
		return instruction{bpf.RawInstruction{Op: classJump | jumpAlways}, nowhere, nowhere, target}
	}
	hops := []instruction{hop(c.onTrue), hop(c.onFalse)}
	c.onTrue, c.onFalse = near-1, near-2
	out := append(append(append([]instruction(nil), code[:i]...), c), hops...)
	out = append(out, code[i+1:]...)
	for j := range start {
		if start[j] > i {
			start[j] += len(hops)
		}
	}
	return out
}

// near-1 is the instruction behind the jump, near-2 the one after that.
const near = -10

func resolve(code []instruction, place func(int) int) []bpf.RawInstruction {
	out := make([]bpf.RawInstruction, 0, len(code)+2)
	distance := func(i, at int) int {
		if at < near {
			return near - at - 1
		}
		return place(at) - i - 1
	}
	for i, c := range code {
		switch {
		case c.always != nowhere:
			c.K = uint32(distance(i, c.always))
		case c.onTrue != nowhere:
			c.Jt, c.Jf = uint8(distance(i, c.onTrue)), uint8(distance(i, c.onFalse))
		}
		out = append(out, c.RawInstruction)
	}
	return append(out, verdict(accept), verdict(reject))
}
