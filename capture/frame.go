package capture

import "errors"

// LinkType is a number of the LINKTYPE registry that capture files use
// (https://www.tcpdump.org/linktypes.html).
type LinkType uint16

// The link types that package wire reads.
const (
	LinkNull     LinkType = 0   // BSD loopback: 4 bytes of address family, host order
	LinkEthernet LinkType = 1   // IEEE 802.3
	LinkPPP      LinkType = 9   // PPP, RFC 1662, with or without HDLC address and control
	LinkRaw      LinkType = 101 // IPv4 or IPv6, told by the version nibble
	LinkLoop     LinkType = 108 // OpenBSD loopback: as LinkNull, network order
	LinkSLL      LinkType = 113 // Linux cooked capture v1
	LinkIPv4     LinkType = 228 // raw IPv4
	LinkIPv6     LinkType = 229 // raw IPv6
	LinkNFLOG    LinkType = 239 // Linux netfilter log
	LinkSLL2     LinkType = 276 // Linux cooked capture v2
)

// Direction is the way of a packet as seen from this network namespace.
type Direction uint8

// Directions; the words are network.io.direction's. Unknown is what a capture
// file without addresses given as local has.
const (
	DirectionUnknown Direction = iota
	Receive
	Transmit
	NumDirections
)

// Checksum is what the capture mechanism vouches for about the transport checksum.
type Checksum uint8

const (
	// ChecksumUnknown: nobody verified it (files).
	ChecksumUnknown Checksum = iota
	// ChecksumValid: the kernel verified it (TP_STATUS_CSUM_VALID).
	ChecksumValid
	// ChecksumNotReady: to be filled in by hardware later, so the field holds
	// no checksum (TP_STATUS_CSUMNOTREADY).
	ChecksumNotReady
)

// Frame is what a [Source] saw: the bytes of one frame and what the capture
// mechanism knows beside them.
type Frame struct {
	Time Time
	// Data begins with the link-layer header of type Link. It belongs to the
	// Source and is valid until the next call of its Next.
	Data []byte
	// WireLen is how many bytes the frame had on the wire; more than len(Data)
	// means that the capture cut it.
	WireLen int
	Link    LinkType
	// Interface indexes SourceStats.Interfaces.
	Interface uint16
	Direction Direction
	Checksum  Checksum
	// NetOffset, when not 0, is the offset in Data of the network header, which
	// then has type EtherType, and the link header need not be read (a live
	// source knows both; zero-length link headers use HasNet).
	NetOffset uint16
	EtherType uint16
	HasNet    bool // NetOffset and EtherType are set
	// Tagged says that the kernel took a VLAN tag with this TCI off the frame.
	Tagged bool
	VLAN   uint16
	// Loopback says that the frame was seen on a loopback interface, where both
	// ends of a connection are local.
	Loopback bool
}

// ErrIdle is returned by [Source.Next] when no frame is waiting: the moment to
// hand over what was gathered and to run timers. It is no failure.
var ErrIdle = errors.New("capture: no frame waiting")

// Source yields frames in the order in which they were captured. One goroutine
// at a time may use it.
type Source interface {
	// Next fills f with the next frame. At the end it returns [io.EOF]; with
	// [ErrIdle] it sets only f.Time, to the source's current time. Any other
	// error ends the source; the frames before it were good.
	Next(f *Frame) error
	// Stats fills s with cumulative figures, reusing its slices.
	Stats(s *SourceStats)
	// Close releases the source. It may be called from another goroutine to
	// make a waiting Next return io.EOF.
	Close() error
}

// SourceStats is what a [Source] knows about itself.
type SourceStats struct {
	// Interfaces is indexed by Frame.Interface; entries are only ever added.
	Interfaces []Interface
	// Rings has one entry per kernel ring; empty for files.
	Rings []Ring
}

// Interface names a place where frames were captured.
type Interface struct {
	Name     string // "" when a file does not tell
	Link     LinkType
	Loopback bool
	Up       bool
}

// Ring holds the kernel's own cumulative counters of one capture ring
// (PACKET_STATISTICS, summed over the readings, as reading resets them).
type Ring struct {
	Name    string // the interface, or "any" for a ring that serves several
	Packets uint64 // tp_packets: frames offered to the ring, drops included
	Drops   uint64 // tp_drops: frames for which there was no room
	Freezes uint64 // tp_freeze_q_cnt: how often the ring stood full
	Bytes   int    // size of the ring in memory
}
