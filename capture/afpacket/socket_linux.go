package afpacket

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// quietProtocol is an EtherType below 0x0600 that no frame and no kernel code
// has: a socket bound to it receives nothing more.
const quietProtocol = 0x00ff

// frameSize divides every block size. With TPACKET_V3 frames are as long as they
// are; the kernel merely checks that the numbers of the request agree.
const frameSize = 2048

// openRing opens a socket, gives it its filter and its ring, and leaves it
// bound to nothing: bind is the last step, lest frames come in before the
// filter is there.
func openRing(name string, refuse refusal, ignoreOutgoing bool, bytes int, c *Config) (*ring, []Note, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, socketError("open packet socket", err)
	}
	r := &ring{name: name, fd: fd}
	notes, err := r.setUp(refuse, ignoreOutgoing, bytes, c)
	if err != nil {
		r.close()
		return nil, nil, fmt.Errorf("ring on %s: %w", name, err)
	}
	return r, notes, nil
}

func (r *ring) setUp(refuse refusal, ignoreOutgoing bool, bytes int, c *Config) ([]Note, error) {
	var notes []Note
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return nil, fmt.Errorf("set TPACKET_V3: %w: %w", ErrUnsupported, err)
	}
	if ignoreOutgoing {
		if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
			refuse = refuseOutgoing
			notes = append(notes, Note{Kind: NoteOutgoingFiltered, Interface: r.name, Err: err})
		}
	}
	prog, err := kernelFilter(c, refuse)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFilter, err)
	}
	if err := attach(r.fd, prog); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFilter, err)
	}
	block, blocks, refused, err := fit(bytes, c.BlockBytes, func(block, blocks int) error {
		return r.allocate(block, blocks, int(c.RetireTimeout.Milliseconds()))
	})
	if err != nil {
		return nil, fmt.Errorf("allocate: %w", err)
	}
	r.blockBytes, r.bytes = block, block*blocks
	if refused != nil {
		notes = append(notes, Note{Kind: NoteRingReduced, Interface: r.name, Asked: bytes, Got: block * blocks, Err: refused})
	}
	return notes, nil
}

// attach sets the socket's filter and locks it.
func attach(fd int, prog []bpf.RawInstruction) error {
	raw := make([]unix.SockFilter, len(prog))
	for i, in := range prog {
		raw[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(raw)), Filter: &raw[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &fprog); err != nil {
		return fmt.Errorf("attach filter of %d instructions: %w", len(raw), err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1); err != nil {
		return fmt.Errorf("lock filter: %w", err)
	}
	return nil
}

// fit finds the largest ring of at most bytes that try grants, halving as long
// as memory is refused, down to one block of MinBlockBytes. A ring has at least
// four blocks where the smallest block allows it, so that the kernel can fill
// one while another is read. refused is what the first refusal said.
func fit(bytes, block int, try func(block, blocks int) error) (_, blocks int, refused, err error) {
	for {
		for block > MinBlockBytes && bytes/block < 4 {
			block /= 2
		}
		blocks = max(bytes/block, 1)
		err = try(block, blocks)
		if err == nil {
			return block, blocks, refused, nil
		}
		if refused == nil {
			refused = err
		}
		// EINVAL stands for sizes that the kernel cannot express.
		memory := errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EAGAIN)
		if !memory || block*blocks <= MinBlockBytes {
			return 0, 0, refused, err
		}
		bytes = block * blocks / 2
	}
}

// allocate asks the kernel for a ring and maps it.
func (r *ring) allocate(block, blocks, retire int) error {
	req := unix.TpacketReq3{
		Block_size:     uint32(block),
		Block_nr:       uint32(blocks),
		Frame_size:     frameSize,
		Frame_nr:       uint32(block / frameSize * blocks),
		Retire_blk_tov: uint32(retire),
	}
	if err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return fmt.Errorf("PACKET_RX_RING: %w", err)
	}
	mem, err := unix.Mmap(r.fd, 0, block*blocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		// Without this the kernel would keep the ring until the socket closes.
		_ = unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq3{})
		return fmt.Errorf("mmap: %w", err)
	}
	r.mem = mem
	return nil
}

// bind begins to capture on the interface with this index, 0 for all. It needs
// no capability. An interface that is down is no error: the socket wakes with it.
func (r *ring) bind(ifindex int) error {
	if err := r.bindProtocol(ifindex, unix.ETH_P_ALL); err != nil {
		return fmt.Errorf("bind to %s: %w", r.name, err)
	}
	r.bound = ifindex
	return nil
}

// quiet ends the capture: when it returns, no more frames come into the ring.
func (r *ring) quiet() { _ = r.bindProtocol(r.bound, quietProtocol) }

func (r *ring) bindProtocol(ifindex int, protocol uint16) error {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], protocol) // sll_protocol is in network order
	return unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: native.Uint16(b[:]), Ifindex: ifindex})
}

// close unmaps the ring and closes the socket.
func (r *ring) close() {
	if r.mem != nil {
		_ = unix.Munmap(r.mem)
		r.mem, r.block, r.left = nil, nil, 0
	}
	_ = unix.Close(r.fd)
}

// socketError says why a socket was not to be had.
func socketError(op string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return &PermissionError{Permission: CurrentPermission(), Op: op, Err: err}
	case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EPROTONOSUPPORT),
		errors.Is(err, unix.ESOCKTNOSUPPORT), errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%s: %w: %w", op, ErrUnsupported, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}
