package afpacket

import (
	"testing"

	"golang.org/x/net/bpf"
)

// vm runs a program without kernel extensions.
func vm(t *testing.T, raw []bpf.RawInstruction, packet []byte) int {
	t.Helper()
	prog, ok := bpf.Disassemble(raw)
	if !ok {
		t.Fatalf("not classic BPF: %v", raw)
	}
	m, err := bpf.NewVM(prog)
	if err != nil {
		t.Fatalf("%v: %v", prog, err)
	}
	n, err := m.Run(packet)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The verdicts of a filter become lengths, whatever way it returns them.
func TestLengths(t *testing.T) {
	const snap, header = 1 << 18, 96
	load := bpf.LoadAbsolute{Off: 0, Size: 1}
	isSeven := bpf.JumpIf{Cond: bpf.JumpEqual, Val: 7, SkipFalse: 1}
	for name, prog := range map[string][]bpf.Instruction{
		"constants":       {load, isSeven, bpf.RetConstant{Val: 65535}, bpf.RetConstant{Val: 0}},
		"constant 1":      {load, isSeven, bpf.RetConstant{Val: 1}, bpf.RetConstant{Val: 0}},
		"A at the end":    {load, isSeven, bpf.Jump{Skip: 1}, bpf.LoadConstant{Val: 0}, bpf.RetA{}},
		"A in the middle": {load, bpf.JumpIf{Cond: bpf.JumpEqual, Val: 7, SkipTrue: 2}, bpf.LoadConstant{Val: 0}, bpf.RetA{}, bpf.RetConstant{Val: 9}},
		"two times A":     {load, isSeven, bpf.RetA{}, bpf.LoadConstant{Val: 0}, bpf.RetA{}},
	} {
		raw, err := bpf.Assemble(prog)
		if err != nil {
			t.Fatal(err)
		}
		before := append([]bpf.RawInstruction(nil), raw...)
		got, err := lengths(raw, snap, header)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, in := range []struct{ b, want int }{{7, snap}, {8, header}, {0, header}} {
			if n := vm(t, got, []byte{byte(in.b)}); n != min(in.want, 1<<31-1) {
				t.Errorf("%s: frame %d is kept to %d, want %d", name, in.b, n, in.want)
			}
		}
		for i := range raw {
			if raw[i] != before[i] {
				t.Errorf("%s: the caller's program was changed", name)
			}
		}
	}
	if got, err := lengths(nil, snap, header); err != nil || vm(t, got, []byte{1}) != snap {
		t.Errorf("no filter: %v, %v", got, err)
	}
}

func TestLengthsRefuses(t *testing.T) {
	for name, raw := range map[string][]bpf.RawInstruction{
		"ret X":  {{Op: 0x0e}},
		"no end": {{Op: 0x06, K: 1}, {Op: 0x00, K: 1}},
	} {
		if _, err := lengths(raw, 100, 10); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The refusal in front leaves the user's program as it was, with A = 0.
func TestKernelFilter(t *testing.T) {
	user, err := bpf.Assemble([]bpf.Instruction{bpf.RetA{}}) // matches when A is not 0
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Filter: user}
	c.setDefaults()
	for _, refuse := range []refusal{refuseNothing, refuseLoopback, refuseOutgoing} {
		prog, err := kernelFilter(&c, refuse)
		if err != nil {
			t.Fatal(err)
		}
		if refuse != refuseNothing {
			// x/net's machine has no interface type or packet type: put the
			// frame's first byte in its place.
			kind, err := bpf.Assemble([]bpf.Instruction{bpf.LoadAbsolute{Off: 0, Size: 1}})
			if err != nil {
				t.Fatal(err)
			}
			prog[0] = kind[0]
			prog[1].K &= 0xff
			if n := vm(t, prog, []byte{byte(prog[1].K)}); n != 0 {
				t.Errorf("refusal %d: kept to %d, want 0", refuse, n)
			}
		}
		if n := vm(t, prog, []byte{200}); n != DefaultHeaderBytes {
			t.Errorf("refusal %d: kept to %d, want %d", refuse, n, DefaultHeaderBytes)
		}
	}
	c.Filter = tooLong()
	if _, err := kernelFilter(&c, refuseLoopback); err == nil {
		t.Error("a program that is too long is taken")
	}
}

// tooLong is a program that the kernel takes alone, but not with a refusal
// in front.
func tooLong() []bpf.RawInstruction {
	p := make([]bpf.RawInstruction, maxProgram) // each loads the constant 0
	p[len(p)-1] = bpf.RawInstruction{Op: opRetK, K: 1}
	return p
}
