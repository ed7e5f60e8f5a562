package afpacket

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture"
)

// Layout of a block: struct tpacket_block_desc with struct tpacket_hdr_v1, then
// frames (linux/if_packet.h). Numbers are in host order unless said otherwise.
const (
	offStatus    = 8  // block_status
	offCount     = 12 // num_pkts
	offFirst     = 16 // offset_to_first_pkt
	offFirstSec  = 32 // ts_first_pkt
	offFirstNsec = 36
)

// Layout of a frame in a block: struct tpacket3_hdr, then struct sockaddr_ll at
// the next multiple of TPACKET_ALIGNMENT, then the frame at tp_mac.
const (
	offNext     = 0  // tp_next_offset
	offSec      = 4  // tp_sec
	offNsec     = 8  // tp_nsec
	offSnap     = 12 // tp_snaplen
	offLen      = 16 // tp_len
	offFlags    = 20 // tp_status
	offMAC      = 24 // tp_mac, 16 bits
	offNet      = 26 // tp_net, 16 bits
	offTCI      = 32 // hv1.tp_vlan_tci
	offProtocol = 50 // sll_protocol, 16 bits, network order
	offIndex    = 52 // sll_ifindex
	offHatype   = 56 // sll_hatype, 16 bits
	offPkttype  = 58 // sll_pkttype, 8 bits
	frameHeader = 68 // both structs
)

// ring is one TPACKET_V3 ring and the walk through it.
type ring struct {
	name       string // what Stats calls it
	mem        []byte // all blocks
	blockBytes int
	bytes      int // length of mem, also after it was released

	head  int    // the block that the kernel hands over next
	block []byte // the block being walked, nil when there is none
	off   uint32 // of the next frame in block
	left  uint32 // frames of block not yet read
	taken uint64 // frames of all blocks so far

	packets, drops, freezes uint64 // PACKET_STATISTICS, summed

	fd int
	// want is the name of the interface to be on, "" for all; bound the index
	// of the one the socket is bound to, 0 for none or all.
	want  string
	bound int
}

var native = binary.NativeEndian

// ready returns the block that the kernel has handed over, nil if there is none.
func (r *ring) ready() []byte {
	b := r.mem[r.head*r.blockBytes:][:r.blockBytes]
	if loadStatus(b)&unix.TP_STATUS_USER == 0 {
		return nil
	}
	return b
}

// firstTime returns the time of the first frame of a block that is ready.
func firstTime(block []byte) capture.Time {
	return stamp(native.Uint32(block[offFirstSec:]), native.Uint32(block[offFirstNsec:]))
}

func stamp(sec, nsec uint32) capture.Time {
	return capture.Time(sec)*1e9 + capture.Time(nsec)
}

// take begins to walk a block that is ready.
func (r *ring) take(block []byte) {
	r.block = block
	r.left = native.Uint32(block[offCount:])
	r.off = native.Uint32(block[offFirst:])
	r.taken += uint64(r.left)
}

// giveBack returns the block to the kernel. No frame of it may be used any more.
func (r *ring) giveBack() {
	if r.block == nil {
		return
	}
	storeStatus(r.block, unix.TP_STATUS_KERNEL)
	r.block, r.left = nil, 0
	if r.head++; r.head*r.blockBytes == len(r.mem) {
		r.head = 0
	}
}

// frame fills f with the next frame of the block and returns the index and the
// ARPHRD type of its interface. Only f.Interface is left to the caller.
func (r *ring) frame(f *capture.Frame) (ifindex uint32, hatype uint16) {
	h := r.block[r.off:]
	_ = h[frameHeader-1]
	r.off += native.Uint32(h[offNext:])
	r.left--

	flags := native.Uint32(h[offFlags:])
	mac, net := native.Uint16(h[offMAC:]), native.Uint16(h[offNet:])
	end := uint32(mac) + native.Uint32(h[offSnap:])
	ifindex, hatype = native.Uint32(h[offIndex:]), native.Uint16(h[offHatype:])
	etherType := binary.BigEndian.Uint16(h[offProtocol:])

	// Emptied and filled in place: a literal with values would be made elsewhere
	// and copied.
	*f = capture.Frame{}
	f.Time = stamp(native.Uint32(h[offSec:]), native.Uint32(h[offNsec:]))
	f.Data = h[mac:end:end]
	f.WireLen = int(native.Uint32(h[offLen:]))
	f.Link = linkType(hatype)
	f.Direction = capture.Receive
	f.Loopback = hatype == arphrdLoopback
	if h[offPkttype] == packetOutgoing {
		f.Direction = capture.Transmit
	}
	switch {
	case flags&unix.TP_STATUS_CSUMNOTREADY != 0:
		f.Checksum = capture.ChecksumNotReady
	case flags&unix.TP_STATUS_CSUM_VALID != 0:
		f.Checksum = capture.ChecksumValid
	}
	if flags&unix.TP_STATUS_VLAN_VALID != 0 {
		f.Tagged, f.VLAN = true, uint16(native.Uint32(h[offTCI:]))
	}
	// When a tag is left in the frame (QinQ, or a frame that was sent with its
	// tag), kernels differ on whether tp_net is before or behind it, while the
	// Ethernet header always tells. The same when tp_net lies in what was cut.
	if !isTag(etherType) && net >= mac && uint32(net) <= end {
		f.HasNet, f.NetOffset, f.EtherType = true, net-mac, etherType
	}
	return ifindex, hatype
}

// isTag tells the EtherTypes of VLAN tags: IEEE 802.1Q, 802.1ad and the 0x9100
// that was used before it.
func isTag(etherType uint16) bool {
	return etherType == unix.ETH_P_8021Q || etherType == unix.ETH_P_8021AD || etherType == 0x9100
}

// linkType tells what a frame begins with. Interfaces that are not like
// Ethernet (tun, tunnels, PPP) deliver the packet without a link header, or with
// one whose end Frame.NetOffset tells.
func linkType(hatype uint16) capture.LinkType {
	if hatype == unix.ARPHRD_ETHER || hatype == arphrdLoopback {
		return capture.LinkEthernet
	}
	return capture.LinkRaw
}

// readStatistics adds what the kernel counted since the last reading, which
// resets its counters. tp_packets includes tp_drops.
func (r *ring) readStatistics() {
	st, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return // only on a closed socket: the sums stay what they are
	}
	r.packets += uint64(st.Packets)
	r.drops += uint64(st.Drops)
	r.freezes += uint64(st.Freeze_q_cnt)
}

// settled reports whether every frame that the kernel put into the ring was read.
func (r *ring) settled() bool { return r.taken-uint64(r.left)+r.drops == r.packets }
