package tcp

import (
	"time"

	"github.com/wiretell/wiretell/capture"
)

// Config bounds a [Table] and sets its timeouts. A zero field takes the default.
type Config struct {
	// MaxConns bounds the connections held, those that just ended included.
	// Beyond it the oldest ended one gives way, then the oldest half-open, then
	// the one that was silent longest. Default 65,536.
	MaxConns int
	// MaxMemory bounds the bytes that the connections held take, about, with what
	// is noted of them and HandlerBytes; connections give way as beyond MaxConns.
	// Default 384 for each of MaxConns, so that 24 MiB hold 65,536 that only began,
	// and fewer of those on which more is going on; 1 MiB at least.
	MaxMemory int
	// HandlerBytes is what the Handler of one connection takes, about.
	HandlerBytes int
	// MaxClosed bounds how many ended connections are remembered, so that what
	// is sent again after the end does not look like a new one. Default 4,096.
	MaxClosed int
	// MaxBuffered bounds the memory for early segments of all connections, in
	// bytes. Default 8 MiB.
	MaxBuffered int
	// MaxBufferedPerSide bounds the early bytes of one side. Default 256 KiB.
	MaxBufferedPerSide int
	// MaxSegmentsPerSide bounds the early segments of one side. Default 128.
	MaxSegmentsPerSide int

	// ReorderPackets is after how many further packets of its connection a hole
	// that the other side acknowledged is a gap. Until then its bytes may still
	// come, as captures do not always keep the order of two directions or two
	// interfaces. Half as many do once ReorderTime has passed as well. Default 8.
	ReorderPackets int
	// ReorderTime: see ReorderPackets. Default 100 ms.
	ReorderTime time.Duration
	// GapTimeout is how long a hole may stay open, acknowledged or not, before
	// it is a gap. Default 10 s.
	GapTimeout time.Duration
	// HandshakeTimeout is how long after the last SYN an unfinished handshake
	// has failed. The default, 40 s, is more than Linux waits between its sixth
	// and its seventh SYN (32 s; RFC 6298, section 5.5 doubles each time from 1 s).
	HandshakeTimeout time.Duration
	// IdleTimeout is after what silence an established connection is given up.
	// Default 15 min.
	IdleTimeout time.Duration
	// ClosingTimeout is the same after the FINs of both sides. Default 60 s.
	ClosingTimeout time.Duration
	// StuckAfter is for how long a side that has not closed may say nothing after
	// the other closed, a FIN may lack its acknowledgement, and what is sent again
	// may go without one, until that is stated; the last for half as long. Default 10 s.
	StuckAfter time.Duration
	// ClosedTimeout is how long an ended connection is remembered. Default 5 s.
	ClosedTimeout time.Duration

	// IsServerPort, when set, tells whether something is known to listen there.
	// It helps to tell the sides of a connection whose SYN was not seen.
	IsServerPort func(capture.Endpoint) bool
	// Called, when set, returns where a connection was meant to go that was
	// redirected, with port 0 of others.
	Called func(*capture.Conn) capture.Endpoint
	// Sniff, when set, looks at the first payload of a connection whose SYN was
	// not seen, and tells whether a client sent it, if that is known.
	Sniff func(b []byte) (fromClient, known bool)
}

func (c *Config) setDefaults() {
	setDefault(&c.MaxConns, 65536)
	setDefault(&c.MaxMemory, max(384*c.MaxConns, 1<<20))
	setDefault(&c.MaxClosed, min(4096, max(1, c.MaxConns/2)))
	setDefault(&c.MaxBuffered, 8<<20)
	setDefault(&c.MaxBufferedPerSide, 256<<10)
	setDefault(&c.MaxSegmentsPerSide, 128)
	setDefault(&c.ReorderPackets, 8)
	setDefault(&c.ReorderTime, 100*time.Millisecond)
	setDefault(&c.GapTimeout, 10*time.Second)
	setDefault(&c.HandshakeTimeout, 40*time.Second)
	setDefault(&c.IdleTimeout, 15*time.Minute)
	setDefault(&c.ClosingTimeout, time.Minute)
	setDefault(&c.StuckAfter, 10*time.Second)
	setDefault(&c.ClosedTimeout, 5*time.Second)
}

func setDefault[T int | time.Duration](p *T, v T) {
	if *p <= 0 {
		*p = v
	}
}
