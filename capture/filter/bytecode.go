package filter

import (
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
)

// ParseBytecode reads what "tcpdump -ddd" prints: the number of instructions,
// then code, jt, jf and k of each in decimal, one instruction a line; commas
// may stand for the ends of lines. The program is checked as the kernel checks
// it: known instructions, jumps within, an end on every path. Loads by the
// kernel's extensions, such as a VLAN tag's, are refused, since they mean
// nothing for a file. The error is an [*Error].
func ParseBytecode(text string) (*Program, error) {
	lines := fields(text)
	if len(lines) == 0 {
		return nil, &Error{1, "", "a number of instructions must stand first"}
	}
	count, err := strconv.Atoi(strings.TrimSpace(lines[0].text))
	switch {
	case err != nil || len(strings.Fields(lines[0].text)) != 1:
		return nil, refuse(lines[0], "a number of instructions must stand first")
	case count < 1 || count > maxProgram:
		return nil, refuse(lines[0], "a program has 1 to "+strconv.Itoa(maxProgram)+" instructions")
	case count != len(lines)-1:
		return nil, refuse(lines[0], "this many instructions were announced, but there are "+strconv.Itoa(len(lines)-1))
	}
	raw := make([]bpf.RawInstruction, 0, count)
	for i, l := range lines[1:] {
		in, err := parseInstruction(l)
		if err != nil {
			return nil, err
		}
		if msg := validate(in, i, count); msg != "" {
			return nil, refuse(l, msg)
		}
		raw = append(raw, in)
	}
	// Jumps lead forward and stay within, so a return at the end ends every path.
	if raw[count-1].Op&7 != classReturn {
		return nil, refuse(lines[count], "the last instruction must return")
	}
	return &Program{raw: raw}, nil
}

// fields cuts text into its lines, without those that are blank.
func fields(text string) []token {
	var out []token
	for begin := 0; begin <= len(text); {
		n := strings.IndexAny(text[begin:], "\n,")
		if n < 0 {
			n = len(text) - begin
		}
		line := text[begin : begin+n]
		if trimmed := strings.TrimSpace(line); trimmed != "" {
			out = append(out, token{word, trimmed, begin + strings.Index(line, trimmed)})
		}
		begin += n + 1
	}
	return out
}

func parseInstruction(l token) (bpf.RawInstruction, error) {
	parts := strings.Fields(l.text)
	if len(parts) != 4 {
		return bpf.RawInstruction{}, refuse(l, "an instruction has four numbers: code, jt, jf and k")
	}
	var v [4]uint64
	for i, size := range [4]int{16, 8, 8, 32} {
		var err error
		if v[i], err = strconv.ParseUint(parts[i], 10, size); err != nil {
			return bpf.RawInstruction{}, refuse(l, strconv.Quote(parts[i])+" is no number of "+strconv.Itoa(size)+" bits")
		}
	}
	return bpf.RawInstruction{Op: uint16(v[0]), Jt: uint8(v[1]), Jf: uint8(v[2]), K: uint32(v[3])}, nil
}

// extension is where the kernel's extensions begin (SKF_AD_OFF), and below it
// the offsets from its own headers (SKF_NET_OFF, SKF_LL_OFF).
const extension = 0xffe00000

// validate returns what is wrong with the instruction at place i of n, "" when
// nothing is.
func validate(in bpf.RawInstruction, i, n int) string {
	if _, unknown := in.Disassemble().(bpf.RawInstruction); unknown {
		return "no instruction of classic BPF"
	}
	left := uint32(n - i - 1)
	switch in.Op & 7 {
	case classLoad, classLoadX:
		mode := in.Op & 0xe0
		if (mode == modeAbsolute || mode == modeIndirect || mode == modeHeader) && in.K >= extension {
			return `extensions of the kernel are not supported; compile with "tcpdump -y EN10MB -ddd"`
		}
	case classALU:
		op := in.Op & 0xf0
		switch {
		case (op == aluDiv || op == aluMod) && in.Op&fromX == 0 && in.K == 0:
			return "division by zero"
		case (op == aluLsh || op == aluRsh) && in.Op&fromX == 0 && in.K > 31:
			return "a shift by more than 31"
		}
	case classJump:
		if in.Op&0xf0 == jumpAlways {
			if in.K >= left {
				return "the jump leads out of the program"
			}
		} else if uint32(in.Jt) >= left || uint32(in.Jf) >= left {
			return "the jump leads out of the program"
		}
	}
	return ""
}
