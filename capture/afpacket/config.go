package afpacket

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/net/bpf"
)

// Defaults of [Config], and bounds.
const (
	DefaultRingBytes     = 8 << 20
	DefaultBlockBytes    = 1 << 20
	DefaultRetireTimeout = 100 * time.Millisecond
	DefaultIdleTimeout   = time.Second
	DefaultLeftTimeout   = 5 * time.Second
	// DefaultSnapLen keeps every frame whole that fits into a block.
	DefaultSnapLen = 1 << 20
	// DefaultHeaderBytes is room for Ethernet, two VLAN tags, an IPv6 header
	// with some extension headers, and a TCP header with all its options.
	DefaultHeaderBytes = 192

	// MinBlockBytes is the smallest block that a ring is given. It holds a frame
	// of the largest size without GRO and GSO many times over.
	MinBlockBytes = 64 << 10
	// MaxRingBytes is what the kernel can address (PACKET_RX_RING refuses
	// 4 GiB and more).
	MaxRingBytes = 4<<30 - 1
	// MaxInterfaces bounds Config.Interfaces and how many interfaces the source
	// tells apart. Frames of any beyond it are reported under one last entry
	// without a name.
	MaxInterfaces = 256
)

// Config says what to capture and with how much memory. The zero value captures
// whole frames on all interfaces with the defaults.
type Config struct {
	// Interfaces are names; empty means all, those that come later included. A
	// name that does not exist (yet) is no error: it is noted, and captured as
	// soon as it appears.
	Interfaces []string
	// RingBytes is the memory of all rings together (default DefaultRingBytes).
	// The kernel does not charge it to the container's memory limit.
	RingBytes int
	// BlockBytes is a power of two, at least MinBlockBytes (default
	// DefaultBlockBytes). It bounds the length of a frame.
	BlockBytes int
	// RetireTimeout is how long the kernel may keep a block that is not full
	// (default DefaultRetireTimeout; whole milliseconds).
	RetireTimeout time.Duration
	// IdleTimeout is after how long without a frame Next returns capture.ErrIdle
	// again (default DefaultIdleTimeout, or RetireTimeout if that is longer).
	// Each such return wakes the process, which is what an idle capture costs.
	IdleTimeout time.Duration
	// LeftTimeout is how long the namespace may be without any interface beside
	// loopback, after there was one, until Next returns ErrLeft (default
	// DefaultLeftTimeout): interfaces are also deleted to be made anew.
	LeftTimeout time.Duration
	// SnapLen is how many bytes of a frame are kept (default DefaultSnapLen).
	SnapLen int
	// Filter, when not empty, is a classic BPF program that returns 0 for a
	// frame that does not match and anything else for one that does. It sees
	// the frame from its link header on, without the VLAN tag that the kernel
	// took off, and may use any Linux extension.
	//
	// A frame that does not match is not refused but cut to HeaderBytes, so
	// that it can be counted: a socket filter's result is how many bytes of the
	// frame to keep. Every "ret 0" of the program becomes "ret HeaderBytes" and
	// every other constant "ret SnapLen"; a "ret A" becomes a jump to code that
	// decides between the two.
	Filter []bpf.RawInstruction
	// HeaderBytes is how many bytes are kept of a frame that Filter does not
	// match (default DefaultHeaderBytes).
	HeaderBytes int
	// EachBlock, when set, is called by Next before it returns the first frame of
	// a block: what it finds out is known of every frame that it concerns.
	EachBlock func()
}

func (c *Config) setDefaults() {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&c.RingBytes, DefaultRingBytes)
	set(&c.BlockBytes, DefaultBlockBytes)
	set(&c.SnapLen, DefaultSnapLen)
	set(&c.HeaderBytes, DefaultHeaderBytes)
	if c.RetireTimeout == 0 {
		c.RetireTimeout = DefaultRetireTimeout
	}
	if c.LeftTimeout == 0 {
		c.LeftTimeout = DefaultLeftTimeout
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = max(DefaultIdleTimeout, c.RetireTimeout)
	}
}

// check reports what is wrong with c after setDefaults.
func (c *Config) check() error {
	switch {
	case c.BlockBytes < MinBlockBytes || c.BlockBytes&(c.BlockBytes-1) != 0 || c.BlockBytes > 1<<30:
		return fmt.Errorf("block size %d is not a power of two of at least %d", c.BlockBytes, MinBlockBytes)
	case c.RingBytes < MinBlockBytes || int64(c.RingBytes) > MaxRingBytes:
		return fmt.Errorf("ring size %d is not between %d and %d", c.RingBytes, MinBlockBytes, int64(MaxRingBytes))
	case c.RetireTimeout < time.Millisecond || c.RetireTimeout > time.Minute:
		return fmt.Errorf("retire timeout %v is not between 1ms and 1m", c.RetireTimeout)
	case c.IdleTimeout < c.RetireTimeout:
		return fmt.Errorf("idle timeout %v is less than the retire timeout %v", c.IdleTimeout, c.RetireTimeout)
	case c.LeftTimeout < 0:
		return fmt.Errorf("left timeout %v is negative", c.LeftTimeout)
	case c.SnapLen < 1 || int64(c.SnapLen) > 1<<31-1:
		return fmt.Errorf("snapshot length %d is not positive", c.SnapLen)
	case c.HeaderBytes < 1 || c.HeaderBytes > c.SnapLen:
		return fmt.Errorf("header length %d is not between 1 and the snapshot length %d", c.HeaderBytes, c.SnapLen)
	case len(c.Interfaces) > MaxInterfaces:
		return fmt.Errorf("%d interfaces are more than %d", len(c.Interfaces), MaxInterfaces)
	}
	seen := make(map[string]bool)
	for _, name := range c.Interfaces {
		if name == "" || len(name) > 15 {
			return fmt.Errorf("%q is no interface name: 1 to 15 bytes", name)
		}
		if seen[name] {
			return fmt.Errorf("interface %s is named twice", name)
		}
		seen[name] = true
	}
	if len(c.Filter) > 0 {
		if _, ok := bpf.Disassemble(c.Filter); !ok {
			return errors.New("filter holds an instruction that is not classic BPF")
		}
	}
	return nil
}
