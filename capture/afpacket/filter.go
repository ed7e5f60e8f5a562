package afpacket

import (
	"errors"
	"fmt"

	"golang.org/x/net/bpf"
)

// Numbers of the kernel's headers that the kernel filter compares.
const (
	arphrdLoopback = 772  // ARPHRD_LOOPBACK, linux/if_arp.h
	packetOutgoing = 4    // PACKET_OUTGOING, linux/if_packet.h
	maxProgram     = 4096 // BPF_MAXINSNS, linux/bpf_common.h
)

// refusal is what a socket's filter turns away before the user's filter, so
// that the kernel neither copies nor counts it.
type refusal uint8

const (
	refuseNothing  refusal = iota
	refuseLoopback         // frames of loopback interfaces: another socket has them
	refuseOutgoing         // frames on their way out: loopback shows them coming in
)

// kernelFilter builds the program of one socket: first the refusal, then the
// user's filter with its results turned into lengths.
func kernelFilter(c *Config, refuse refusal) ([]bpf.RawInstruction, error) {
	var head []bpf.Instruction
	switch refuse {
	case refuseLoopback:
		head = refuseWhen(bpf.ExtLinkLayerType, arphrdLoopback)
	case refuseOutgoing:
		head = refuseWhen(bpf.ExtType, packetOutgoing)
	}
	prog, err := bpf.Assemble(head)
	if err != nil {
		return nil, fmt.Errorf("assemble filter: %w", err)
	}
	body, err := lengths(c.Filter, uint32(c.SnapLen), uint32(c.HeaderBytes))
	if err != nil {
		return nil, err
	}
	prog = append(prog, body...)
	if len(prog) > maxProgram {
		return nil, fmt.Errorf("filter has %d instructions, the kernel takes %d", len(prog), maxProgram)
	}
	return prog, nil
}

// refuseWhen returns 0 for frames whose ext has the value v. Otherwise it falls
// through with A = 0, as the program behind it is entitled to.
func refuseWhen(ext bpf.Extension, v uint32) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadExtension{Num: ext},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipFalse: 1},
		bpf.RetConstant{Val: 0},
		bpf.LoadConstant{Dst: bpf.RegA, Val: 0},
	}
}

// Instruction codes of classic BPF (linux/bpf_common.h).
const (
	opJump   = 0x05 // BPF_JMP | BPF_JA: skip K instructions
	opJEqK   = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	opRetK   = 0x06 // BPF_RET | BPF_K
	opRetA   = 0x16 // BPF_RET | BPF_A
	classRet = 0x06
)

// lengths returns prog with its verdicts turned into lengths: snap for a match,
// header for none. No instruction moves, so that no jump needs mending.
func lengths(prog []bpf.RawInstruction, snap, header uint32) ([]bpf.RawInstruction, error) {
	if len(prog) == 0 {
		return []bpf.RawInstruction{{Op: opRetK, K: snap}}, nil
	}
	out := append([]bpf.RawInstruction(nil), prog...)
	retA := false
	for i := range out {
		switch in := &out[i]; {
		case in.Op == opRetK && in.K == 0:
			in.K = header
		case in.Op == opRetK:
			in.K = snap
		case in.Op == opRetA:
			// The jump's distance is 32 bits wide, so the end is always in reach.
			*in = bpf.RawInstruction{Op: opJump, K: uint32(len(prog) - i - 1)}
			retA = true
		case in.Op&7 == classRet:
			return nil, fmt.Errorf("filter instruction %d returns neither a constant nor A", i)
		}
	}
	if last := prog[len(prog)-1].Op; last != opRetK && last != opRetA {
		return nil, errors.New("filter does not end with a return")
	}
	if retA {
		out = append(out,
			bpf.RawInstruction{Op: opJEqK, K: 0, Jf: 1},
			bpf.RawInstruction{Op: opRetK, K: header},
			bpf.RawInstruction{Op: opRetK, K: snap})
	}
	return out, nil
}
