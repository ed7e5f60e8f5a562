package capture

// Network is the network-layer protocol of a packet.
type Network uint8

const (
	NetworkNone Network = iota
	IPv4
	IPv6
	NumNetworks
)

// String returns the conventions' network.type: "ipv4", "ipv6" or "".
func (n Network) String() string { return [...]string{"", "ipv4", "ipv6"}[n] }

// Transport is the transport-layer protocol of a packet, as far as wiretell
// tells them apart.
type Transport uint8

const (
	TransportNone Transport = iota // not IP, or not readable
	TCP
	UDP
	ICMP // ICMPv4 over IPv4, ICMPv6 over IPv6
	TransportOther
	NumTransports
)

// String returns "none", "tcp", "udp", "icmp" or "other".
func (t Transport) String() string { return [...]string{"none", "tcp", "udp", "icmp", "other"}[t] }

// Flags are the control bits of a TCP header in the order of the wire (RFC 9293, section 3.1).
type Flags uint8

const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Has reports whether all of want are set.
func (f Flags) Has(want Flags) bool { return f&want == want }

// TCPHeader is a decoded TCP header (RFC 9293, section 3.1; options RFC 7323 and 2018).
type TCPHeader struct {
	Seq, Ack uint32
	Flags    Flags
	Window   uint16 // unscaled
	Urgent   uint16

	HasMSS, HasWindowScale, HasTimestamps, SACKPermitted, FastOpen bool

	MSS         uint16
	WindowScale uint8
	SACKs       uint8        // how many of SACK are set
	TSVal       uint32       // timestamp value
	TSEcr       uint32       // timestamp echo reply
	SACK        [4][2]uint32 // left and right edges
}

// ICMPHeader is the fixed part of an ICMP or ICMPv6 message (RFC 792, RFC 4443).
type ICMPHeader struct {
	Type, Code uint8
	// Rest is the second 32-bit word: next-hop MTU, gateway, identifier and
	// sequence, pointer, ..., as Type says.
	Rest uint32
}

// Fragment describes a packet that is part of a larger datagram (RFC 791,
// section 3.2; RFC 8200, section 4.5).
type Fragment struct {
	ID     uint32
	Offset uint32 // in bytes
	More   bool
	Proto  uint8 // protocol number of the datagram
}

// Packet is one decoded packet. The caller owns it and uses it again for the
// next one; Payload points into the Frame it was decoded from.
type Packet struct {
	Time Time
	Flow Flow // ports are 0 where the transport has none
	// Payload is the captured part of what follows the transport header: TCP
	// and UDP data, or for ICMP what follows the 8 bytes of header (the quoted
	// packet). For a fragment it is the fragment's data. Ethernet padding is
	// not part of it.
	Payload []byte
	// PayloadLen is how long Payload was on the wire, from the lengths that the
	// headers tell; more than len(Payload) means that the capture cut it.
	PayloadLen int
	// WireLen is the length of the whole frame on the wire.
	WireLen   int
	Interface uint16
	Direction Direction
	Network   Network
	Transport Transport
	TTL       uint8 // or hop limit
	Loopback  bool
	ID        uint16 // identification (RFC 791, section 3.1); 0 of IPv6
	// BadChecksum says that the transport checksum is wrong and was not left to
	// hardware; it is only verified where nothing was cut and Frame.Checksum
	// is ChecksumUnknown on a packet that was received or has no direction.
	BadChecksum bool
	// Filtered says that the user's filter does not select the packet: it is
	// counted, and its payload is not looked at.
	Filtered   bool
	IsFragment bool

	TCP      TCPHeader
	ICMP     ICMPHeader
	Fragment Fragment
}
