package capture

import "slices"

// Tally counts packets and their bytes.
type Tally struct {
	Packets, Bytes uint64
}

// Add counts n packets with b bytes.
func (t *Tally) Add(n, b int) { t.Packets += uint64(n); t.Bytes += uint64(b) }

// InterfaceTraffic counts frames of one interface.
type InterfaceTraffic [NumDirections][NumTransports][NumNetworks]Tally

// PortKey names what is counted apart: a server port, how it is reached and by
// which transport.
type PortKey struct {
	Port      uint16
	Transport Transport
	Role      Role
}

// PortStats counts what happened on one server port. It is owned by the spine;
// others get copies.
type PortStats struct {
	PortKey
	Overflow bool // this entry stands for all ports beyond the bound; Port is 0

	FromClient, FromServer Tally // TCP payload or UDP datagrams, packets that carry any; copies of segments left out
	Filtered               Tally // packets that the user's filter left out
	// FilteredHTTP counts packets that the filter left out and that begin as HTTP
	// does, of the one in 16 that is looked at.
	FilteredHTTP uint64
	// FilteredWithin counts packets that the filter left out of connections that it
	// selects packets of, by the side that sent them, of the one in 16 with payload
	// that is looked at.
	FilteredWithin        [2]uint64
	Conns, Failed, Resets uint64
	// OneWay counts the connections of Conns that have ended without a single
	// packet of one side, by the side that was captured.
	OneWay              [2]uint64
	Requests, Responses [NumProtocols]uint64
	// Answered and Unanswered count ended requests; Orphans responses without one.
	Answered, Unanswered, Orphans uint64
	UnansweredBy                  [NumReasons]uint64
	// Probes counts requests by the kubelet and load balancers, told by User-Agent.
	Probes uint64
	// Unparsed counts packets with payload that became no message, by reason,
	// each packet once.
	Unparsed [NumReasons]Tally
	// ParseErrors counts refused messages by reason.
	ParseErrors [NumReasons]uint64
	// ClientHellos and ServerHellos count TLS handshakes begun and answered,
	// HellosUnanswered those that came to nothing while all that the server sent
	// was captured.
	ClientHellos, ServerHellos uint64
	HellosUnanswered           uint64
	Gaps, GapBytes             uint64
	// ProxyHeaders counts connections that begin with a PROXY protocol header,
	// which is passed over.
	ProxyHeaders uint64
	// Looks is what the last connection that no parser reads looks like, a
	// constant in lower case, "" when unknown; LooksCertain says that nothing else
	// begins so.
	Looks        string
	LooksCertain bool
}

// PortTable finds the PortStats of a port. It is bounded: beyond MaxPorts one
// overflow entry per transport and role takes the rest.
type PortTable struct {
	byKey map[PortKey]*PortStats
	all   []*PortStats
	limit int
}

// NewPortTable returns a table of at most limit ports.
func NewPortTable(limit int) *PortTable {
	return &PortTable{byKey: make(map[PortKey]*PortStats), limit: limit}
}

// Get returns the entry for k, making it when it is new. The pointer stays
// valid as long as the table.
func (t *PortTable) Get(k PortKey) *PortStats {
	if p, ok := t.byKey[k]; ok {
		return p
	}
	p := &PortStats{PortKey: k}
	if len(t.all) >= t.limit {
		k.Port = 0
		if o, ok := t.byKey[k]; ok {
			return o
		}
		p.PortKey, p.Overflow = k, true
	}
	t.byKey[k] = p
	t.all = append(t.all, p)
	return p
}

// Copy appends a copy of every entry to dst in order of first sight.
func (t *PortTable) Copy(dst []PortStats) []PortStats {
	dst = slices.Grow(dst, len(t.all))
	for _, p := range t.all {
		dst = append(dst, *p)
	}
	return dst
}

// RetransmitKind tells why a segment was sent again.
type RetransmitKind uint8

const (
	RetransmitSYN RetransmitKind = iota
	RetransmitFast
	RetransmitTimeout
	RetransmitSpurious
	NumRetransmitKinds
)

// String returns "syn", "fast", "timeout" or "spurious".
func (k RetransmitKind) String() string {
	return [...]string{"syn", "fast", "timeout", "spurious"}[k]
}

// Proof tells how a retransmission proved needless.
type Proof uint8

const (
	// ProofDSACK: the receiver reported a duplicate (RFC 2883).
	ProofDSACK Proof = iota
	// ProofTimestamps: the receiver acknowledged what was sent first (RFC 3522).
	ProofTimestamps
	NumProofs
)

// String returns "dsack" or "timestamps".
func (p Proof) String() string { return [...]string{"dsack", "timestamps"}[p] }

// Phase is what a connection was doing when something happened to it.
type Phase uint8

const (
	PhaseHandshake      Phase = iota
	PhaseIdle                 // established, nothing outstanding
	PhaseRequest              // the client's bytes were the last, or are not acknowledged
	PhaseResponse             // the server's bytes were the last, or are not acknowledged
	PhaseClosing              // after a FIN
	PhaseUnacknowledged       // after payload that was sent again and never acknowledged
	NumPhases
)

// String returns "handshake", "idle", "request", "response", "closing" or
// "unacknowledged".
func (p Phase) String() string {
	return [...]string{"handshake", "idle", "request", "response", "closing", "unacknowledged"}[p]
}

// TCPCounters count what connections suffer, by the direction of the segment.
type TCPCounters struct {
	Retransmits   [NumDirections][NumRetransmitKinds]uint64
	Resets        [NumDirections][NumPhases]uint64
	OutOfOrder    [NumDirections]uint64
	DuplicateAcks [NumDirections]uint64
	// Needless counts retransmissions that proved so afterwards; they are in
	// Retransmits too.
	Needless [NumDirections][NumProofs]uint64
	// ZeroWindow counts by the segment that closed a window, WindowFull by the
	// one that filled it. The times, in nanoseconds, are of those that are over.
	ZeroWindow, ZeroWindowTime [NumDirections]uint64
	WindowFull, WindowFullTime [NumDirections]uint64
	// Connections by role and outcome (ReasonNone: established).
	Connections [NumRoles][NumReasons]uint64
	// Open connections by role and the state of the local side (of the server's,
	// where that is not known or both are local).
	Open [NumRoles][NumTCPStates]uint64
	// Stuck counts connections that waited for what did not come.
	Stuck [NumRoles][NumStuckKinds]uint64
	// Ignored counts what did not fit its connection, or is in it already.
	Ignored [NumDirections][NumIgnored]uint64
}

// ICMPKey is what ICMP messages are counted by.
type ICMPKey struct {
	Network    Network
	Type, Code uint8
	Direction  Direction
	Quoted     Transport // TransportNone when nothing (readable) is quoted
}

// maxICMPKeys bounds the table of ICMP counters; a flood of odd types and codes
// is counted under type and code 255.
const maxICMPKeys = 512

// Counters is all that the spine counts. Fields are plain words: the spine owns
// them and hands copies over (see [Snapshot]).
type Counters struct {
	Ledger     Ledger
	TCP        TCPCounters
	Interfaces []InterfaceTraffic // by Frame.Interface
	Truncated  []uint64           // frames cut by the capture, by Frame.Interface
	Ports      *PortTable
	icmp       map[ICMPKey]uint64
	// LagMax is the greatest age, in nanoseconds, of a frame when it was read
	// since the last snapshot (live sources).
	LagMax int64
	// ClockSteps counts packets whose time lies before the one before them by
	// more than a second.
	ClockSteps uint64
	// RedirectsForgotten counts redirected connections that were let go at a bound:
	// what comes back on them is taken for another connection's.
	RedirectsForgotten uint64
	// FilteredTagged counts frames with a VLAN tag that the user's filter left out.
	FilteredTagged uint64
}

// ICMP counts one message.
func (c *Counters) ICMP(k ICMPKey) {
	if c.icmp == nil {
		c.icmp = make(map[ICMPKey]uint64)
	}
	if _, ok := c.icmp[k]; !ok && len(c.icmp) >= maxICMPKeys {
		k.Type, k.Code = 255, 255
	}
	c.icmp[k]++
}

// ICMPCount is one row of the ICMP counters.
type ICMPCount struct {
	ICMPKey
	Count uint64
}

// Snapshot is a copy of the spine's counters at one instant. All figures are
// cumulative since the start.
type Snapshot struct {
	Time       Time
	Ledger     Ledger
	TCP        TCPCounters
	Interfaces []InterfaceTraffic
	Truncated  []uint64
	Ports      []PortStats
	ICMP       []ICMPCount
	LagMax     int64
	ClockSteps uint64
	// FilteredTagged is that of Counters.
	FilteredTagged uint64
	Source         SourceStats
	Recording      Recording
	// RedirectsForgotten is that of Counters.
	RedirectsForgotten uint64
	// Twins is filled in by the desk.
	Twins Twins
	// Final says that the capture has ended: no later snapshot follows.
	Final bool
}

// CopyTo copies c into s, reusing its slices, and leaves s.Source alone.
func (c *Counters) CopyTo(s *Snapshot) {
	s.Ledger, s.TCP = c.Ledger, c.TCP
	s.Interfaces = append(s.Interfaces[:0], c.Interfaces...)
	s.Truncated = append(s.Truncated[:0], c.Truncated...)
	s.Ports = c.Ports.Copy(s.Ports[:0])
	s.ICMP = s.ICMP[:0]
	for k, n := range c.icmp {
		s.ICMP = append(s.ICMP, ICMPCount{k, n})
	}
	slices.SortFunc(s.ICMP, func(a, b ICMPCount) int { return a.order() - b.order() })
	s.LagMax, s.ClockSteps, s.FilteredTagged = c.LagMax, c.ClockSteps, c.FilteredTagged
	s.RedirectsForgotten = c.RedirectsForgotten
	c.LagMax = 0
}

func (k ICMPKey) order() int {
	return int(k.Network)<<28 | int(k.Type)<<20 | int(k.Code)<<12 | int(k.Direction)<<8 | int(k.Quoted)
}
