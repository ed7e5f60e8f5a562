package capture

import "net/netip"

// Bounds of the lists in a [Kernel]. What is beyond them is counted, not listed.
const (
	MaxKernelListeners   = 256
	MaxKernelEstablished = 256
	MaxKernelUnix        = 32
	MaxKernelRemotes     = 64
)

// KernelPart names what a [Kernel] holds; a part is only meaningful when it is known.
type KernelPart uint16

const (
	KnownSockets    KernelPart = 1 << iota // Listeners, Sockets, Established, CloseWait, Remotes
	KnownTCP                               // TCP, UDP, ICMP and IP counters of /proc/net/snmp
	KnownTCPExt                            // TCPExt counters of /proc/net/netstat
	KnownDevices                           // packet and byte counters of Interfaces
	KnownLinks                             // state, MTU and addresses of Interfaces
	KnownUnix                              // UnixListeners
	KnownProcess                           // Process
	KnownCPU                               // CGroup, CPU part
	KnownMemory                            // CGroup, memory part
	KnownSocketStat                        // TimeWait, Orphans, UDPSockets
	KnownPortRange                         // LocalPorts
)

// Kernel is what the kernel itself says of one network namespace, without any
// privilege: a copy of its tables at one instant. Counters are cumulative since
// the namespace (or, for CGroup, the control group) was made.
type Kernel struct {
	Time  Time
	Known KernelPart

	// Listeners are the TCP sockets in state LISTEN, at most MaxKernelListeners.
	Listeners []Listener
	// Sockets counts TCP sockets by state.
	Sockets [NumSocketStates]uint32
	// Established lists connections in state ESTABLISHED, at most
	// MaxKernelEstablished; Sockets has how many there are.
	Established []SocketPair
	// CloseWait counts sockets in CLOSE_WAIT by listening port, 0 for sockets
	// that belong to no listener (the application is the client).
	CloseWait []PortCount
	// Remotes counts, by the remote end, the sockets in any state that belong to
	// no listener and so hold an ephemeral port: at most MaxKernelRemotes ends,
	// those that the table names first.
	Remotes []RemoteCount

	TCP    KernelTCP
	TCPExt KernelTCPExt
	UDP    KernelUDP
	ICMP   KernelICMP

	Interfaces []KernelInterface

	// UnixListeners are paths (abstract ones begin with "@") of listening stream
	// sockets, at most MaxKernelUnix; UnixListening counts them all.
	UnixListeners []string
	UnixListening uint32

	Process ProcessFacts
	CGroup  CGroupFacts

	TimeWait, Orphans, UDPSockets uint32    // sockets
	LocalPorts                    [2]uint16 // first and last ephemeral port
}

// Has reports whether all of parts are known. A nil Kernel knows nothing.
func (k *Kernel) Has(parts KernelPart) bool { return k != nil && k.Known&parts == parts }

// SocketState is the state of a TCP socket, numbered as in /proc/net/tcp
// (include/net/tcp_states.h).
type SocketState uint8

const (
	SocketEstablished SocketState = iota + 1
	SocketSynSent
	SocketSynRecv
	SocketFinWait1
	SocketFinWait2
	SocketTimeWait
	SocketClose
	SocketCloseWait
	SocketLastAck
	SocketListen
	SocketClosing
	SocketNewSynRecv
	NumSocketStates
)

// Listener is a TCP socket in state LISTEN.
type Listener struct {
	Addr Endpoint // unspecified when it listens on every address
	// V6 says that the socket is of family AF_INET6; bound to the unspecified
	// address it usually takes IPv4 as well.
	V6 bool
	// Queue is how many connections wait to be accepted, Backlog how many may
	// before the kernel refuses more. /proc/net/tcp does not tell the backlog;
	// it is 0 when not known.
	Queue, Backlog uint32
	// UID is the user that made the socket.
	UID uint32
}

// Loopback reports whether only this network namespace can reach l.
func (l *Listener) Loopback() bool { return l.Addr.IP().IsLoopback() }

// SocketPair is a connected socket, as the kernel names its two ends.
type SocketPair struct{ Local, Remote Endpoint }

// PortCount counts something by port.
type PortCount struct {
	Port  uint16
	Count uint32
}

// RemoteCount counts sockets by their remote end.
type RemoteCount struct {
	Remote Endpoint
	Count  uint32
}

// KernelTCP holds Tcp of /proc/net/snmp (RFC 4022), IPv4 and IPv6 together.
type KernelTCP struct {
	ActiveOpens, PassiveOpens, AttemptFails, EstabResets uint64
	CurrEstab                                            uint64 // a gauge
	InSegs, OutSegs, RetransSegs, InErrs, OutRsts        uint64
	InCsumErrors                                         uint64
}

// KernelTCPExt holds what is used of TcpExt in /proc/net/netstat
// (Linux, Documentation/networking/snmp_counter.rst).
type KernelTCPExt struct {
	ListenOverflows, ListenDrops               uint64
	SynRetrans, Timeouts, SpuriousRTOs         uint64
	FastRetrans, SlowStartRetrans, LossProbes  uint64
	BacklogDrop, ReqQFullDrop, ReqQFullCookies uint64
	RcvQDrop, ZeroWindowDrop, PruneCalled      uint64
	AbortOnData, AbortOnClose, AbortOnMemory   uint64
	AbortOnTimeout, RetransFail, OFOQueue      uint64
}

// KernelUDP holds Udp of /proc/net/snmp and Udp6 of /proc/net/snmp6, summed.
type KernelUDP struct {
	InDatagrams, NoPorts, InErrors, OutDatagrams, RcvbufErrors, SndbufErrors uint64
}

// KernelICMP holds Icmp of /proc/net/snmp and Icmp6 of /proc/net/snmp6, summed.
type KernelICMP struct {
	InMsgs, InErrors, InDestUnreachs, InTimeExcds, OutMsgs, OutDestUnreachs uint64
}

// KernelInterface is one network interface.
type KernelInterface struct {
	Name     string
	Index    int // 0 when not known
	Up       bool
	Loopback bool
	MTU      int
	Addrs    []netip.Prefix // addresses with the length of their subnet
	RxPackets, RxBytes, RxErrors, RxDropped,
	TxPackets, TxBytes, TxErrors, TxDropped uint64
}

// ProcessFacts is what /proc/self/status says of wiretell itself.
type ProcessFacts struct {
	UID                    uint32 // effective
	CapEff, CapPrm, CapBnd uint64 // bit n is capability n of linux/capability.h
	NoNewPrivs             bool
	Seccomp                uint8 // 0 none, 1 strict, 2 filter
	UserNamespace          bool  // the uid map is not the identity of the first namespace
}

// CapNetRaw is the number of CAP_NET_RAW in linux/capability.h.
const CapNetRaw = 13

// CGroupFacts is what the control group that wiretell runs in has used.
type CGroupFacts struct {
	Version int // 1 or 2
	// Periods in which the group ran, how many of them it was held back in, and
	// for how long in total, in nanoseconds.
	Periods, ThrottledPeriods, ThrottledTime uint64
	MemoryCurrent                            uint64 // bytes
	MemoryMax                                uint64 // bytes, 0 when there is no limit
	MemoryHigh, MemoryOOM                    uint64 // events (version 2)
}

// Interface returns the interface of that name, nil when there is none.
func (k *Kernel) Interface(name string) *KernelInterface {
	if k == nil {
		return nil
	}
	for i := range k.Interfaces {
		if k.Interfaces[i].Name == name {
			return &k.Interfaces[i]
		}
	}
	return nil
}

// CopyTo copies k into dst, reusing its slices; the two share no memory that
// changes afterwards.
func (k *Kernel) CopyTo(dst *Kernel) {
	old := *dst
	*dst = *k
	dst.Listeners = append(old.Listeners[:0], k.Listeners...)
	dst.Established = append(old.Established[:0], k.Established...)
	dst.CloseWait = append(old.CloseWait[:0], k.CloseWait...)
	dst.Remotes = append(old.Remotes[:0], k.Remotes...)
	dst.UnixListeners = append(old.UnixListeners[:0], k.UnixListeners...)
	dst.Interfaces = append(old.Interfaces[:0], k.Interfaces...)
	for i := range dst.Interfaces {
		// The addresses were in memory of k: copy them, too.
		dst.Interfaces[i].Addrs = append([]netip.Prefix(nil), k.Interfaces[i].Addrs...)
	}
}

// Reset empties k, keeping the memory of its slices.
func (k *Kernel) Reset() {
	old := *k
	*k = Kernel{
		Listeners:     old.Listeners[:0],
		Established:   old.Established[:0],
		CloseWait:     old.CloseWait[:0],
		Remotes:       old.Remotes[:0],
		UnixListeners: old.UnixListeners[:0],
		Interfaces:    old.Interfaces[:0],
	}
}
