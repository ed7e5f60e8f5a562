package afpacket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture"
)

// The offsets are those of the kernel's structs, as package unix has them.
func TestLayout(t *testing.T) {
	var block unix.TpacketHdrV1 // behind version and offset_to_priv, 4 bytes each
	var h unix.Tpacket3Hdr
	var sll unix.RawSockaddrLinklayer
	const at = (unix.SizeofTpacket3Hdr + unix.TPACKET_ALIGNMENT - 1) &^ (unix.TPACKET_ALIGNMENT - 1)
	for name, o := range map[string][2]uintptr{
		"block_status":        {offStatus, 8 + unsafe.Offsetof(block.Block_status)},
		"num_pkts":            {offCount, 8 + unsafe.Offsetof(block.Num_pkts)},
		"offset_to_first_pkt": {offFirst, 8 + unsafe.Offsetof(block.Offset_to_first_pkt)},
		"ts_first_pkt sec":    {offFirstSec, 8 + unsafe.Offsetof(block.Ts_first_pkt)},
		"ts_first_pkt nsec":   {offFirstNsec, 12 + unsafe.Offsetof(block.Ts_first_pkt)},
		"tp_next_offset":      {offNext, unsafe.Offsetof(h.Next_offset)},
		"tp_sec":              {offSec, unsafe.Offsetof(h.Sec)},
		"tp_nsec":             {offNsec, unsafe.Offsetof(h.Nsec)},
		"tp_snaplen":          {offSnap, unsafe.Offsetof(h.Snaplen)},
		"tp_len":              {offLen, unsafe.Offsetof(h.Len)},
		"tp_status":           {offFlags, unsafe.Offsetof(h.Status)},
		"tp_mac":              {offMAC, unsafe.Offsetof(h.Mac)},
		"tp_net":              {offNet, unsafe.Offsetof(h.Net)},
		"tp_vlan_tci":         {offTCI, unsafe.Offsetof(h.Hv1) + unsafe.Offsetof(h.Hv1.Vlan_tci)},
		"sll_protocol":        {offProtocol, at + unsafe.Offsetof(sll.Protocol)},
		"sll_ifindex":         {offIndex, at + unsafe.Offsetof(sll.Ifindex)},
		"sll_hatype":          {offHatype, at + unsafe.Offsetof(sll.Hatype)},
		"sll_pkttype":         {offPkttype, at + unsafe.Offsetof(sll.Pkttype)},
		"both":                {frameHeader, at + unsafe.Sizeof(sll)},
	} {
		if o[0] != o[1] {
			t.Errorf("%s is at %d, not %d", name, o[1], o[0])
		}
	}
}

// rawFrame is a frame as the kernel lays it out in a block.
type rawFrame struct {
	sec, nsec, wire, status uint32
	mac, net, hatype        uint16
	tci                     uint32
	etherType               uint16
	ifindex                 uint32
	pkttype                 byte
	data                    []byte
}

// newRing makes a ring in ordinary memory whose blocks hold the given frames.
func newRing(size int, blocks ...[]rawFrame) *ring {
	r := &ring{mem: make([]byte, size*len(blocks)), blockBytes: size, bytes: size * len(blocks), fd: -1}
	for i, frames := range blocks {
		fill(r.mem[i*size:][:size], frames)
	}
	return r
}

func fill(b []byte, frames []rawFrame) {
	native.PutUint32(b[offCount:], uint32(len(frames)))
	native.PutUint32(b[offFirst:], 48)
	off := 48
	for i, f := range frames {
		if i == 0 {
			native.PutUint32(b[offFirstSec:], f.sec)
			native.PutUint32(b[offFirstNsec:], f.nsec)
		}
		h := b[off:]
		next := (int(f.mac) + len(f.data) + 15) &^ 15
		if i < len(frames)-1 {
			native.PutUint32(h[offNext:], uint32(next))
		}
		native.PutUint32(h[offSec:], f.sec)
		native.PutUint32(h[offNsec:], f.nsec)
		native.PutUint32(h[offSnap:], uint32(len(f.data)))
		native.PutUint32(h[offLen:], f.wire)
		native.PutUint32(h[offFlags:], f.status)
		native.PutUint16(h[offMAC:], f.mac)
		native.PutUint16(h[offNet:], f.net)
		native.PutUint32(h[offTCI:], f.tci)
		binary.BigEndian.PutUint16(h[offProtocol:], f.etherType)
		native.PutUint32(h[offIndex:], f.ifindex)
		native.PutUint16(h[offHatype:], f.hatype)
		h[offPkttype] = f.pkttype
		copy(h[f.mac:], f.data)
		off += next
	}
	storeStatus(b, unix.TP_STATUS_USER)
}

// Each field of a frame comes from the right place of the kernel's headers.
func TestFrame(t *testing.T) {
	data := []byte("0123456789abcdefghij")
	base := rawFrame{
		sec: 1700000000, nsec: 123456789, wire: 20, mac: 82, net: 96, hatype: unix.ARPHRD_ETHER,
		etherType: unix.ETH_P_IP, ifindex: 7, data: data,
	}
	want := capture.Frame{
		Time: 1700000000_123456789, Data: data, WireLen: 20, Link: capture.LinkEthernet,
		Direction: capture.Receive, HasNet: true, NetOffset: 14, EtherType: unix.ETH_P_IP,
	}
	for _, c := range []struct {
		name string
		raw  func(*rawFrame)
		want func(*capture.Frame)
	}{
		{"plain", func(*rawFrame) {}, func(*capture.Frame) {}},
		{"outgoing", func(r *rawFrame) { r.pkttype = unix.PACKET_OUTGOING }, func(f *capture.Frame) { f.Direction = capture.Transmit }},
		{"to another host", func(r *rawFrame) { r.pkttype = unix.PACKET_OTHERHOST }, func(*capture.Frame) {}},
		{"cut", func(r *rawFrame) { r.wire = 9000 }, func(f *capture.Frame) { f.WireLen = 9000 }},
		{"checksum valid", func(r *rawFrame) { r.status = unix.TP_STATUS_CSUM_VALID }, func(f *capture.Frame) { f.Checksum = capture.ChecksumValid }},
		{"checksum missing", func(r *rawFrame) { r.status = unix.TP_STATUS_CSUMNOTREADY }, func(f *capture.Frame) { f.Checksum = capture.ChecksumNotReady }},
		{"tag taken off", func(r *rawFrame) { r.status, r.tci = unix.TP_STATUS_VLAN_VALID|unix.TP_STATUS_VLAN_TPID_VALID, 0x2003 },
			func(f *capture.Frame) { f.Tagged, f.VLAN = true, 0x2003 }},
		{"priority tag", func(r *rawFrame) { r.status = unix.TP_STATUS_VLAN_VALID }, func(f *capture.Frame) { f.Tagged = true }},
		{"TCI that is not valid", func(r *rawFrame) { r.tci = 0x2003 }, func(*capture.Frame) {}},
		{"tag left in", func(r *rawFrame) { r.etherType = unix.ETH_P_8021Q }, func(f *capture.Frame) { f.HasNet, f.NetOffset, f.EtherType = false, 0, 0 }},
		{"network header was cut off", func(r *rawFrame) { r.data = data[:10] },
			func(f *capture.Frame) { f.Data, f.HasNet, f.NetOffset, f.EtherType = data[:10], false, 0, 0 }},
		{"loopback", func(r *rawFrame) { r.hatype = arphrdLoopback }, func(f *capture.Frame) { f.Loopback = true }},
		{"no link header", func(r *rawFrame) { r.hatype, r.net = unix.ARPHRD_NONE, 82 },
			func(f *capture.Frame) { f.Link, f.NetOffset = capture.LinkRaw, 0 }},
	} {
		raw, want := base, want
		c.raw(&raw)
		c.want(&want)
		r := newRing(4096, []rawFrame{raw})
		r.take(r.ready())
		var f capture.Frame
		index, hatype := r.frame(&f)
		if got := fmt.Sprintf("%+v", f); got != fmt.Sprintf("%+v", want) {
			t.Errorf("%s:\n got %s\nwant %+v", c.name, got, want)
		}
		if index != 7 || hatype != raw.hatype || cap(f.Data) != len(f.Data) {
			t.Errorf("%s: index %d, hatype %d, capacity %d", c.name, index, hatype, cap(f.Data))
		}
	}
}

// newSource is a Source over rings in memory.
func newSource(rings ...*ring) *Source {
	l := &links{fd: -1, byIndex: map[uint32]link{}, byName: map[string]uint32{}, slots: map[string]uint16{}}
	l.set(1, link{name: "lo", typ: arphrdLoopback, up: true})
	l.set(7, link{name: "eth0", typ: unix.ARPHRD_ETHER, up: true})
	return &Source{sockets: &sockets{rings: rings, links: l}}
}

func numbered(sec uint32, ifindex uint32, n ...byte) []rawFrame {
	var out []rawFrame
	for _, v := range n {
		out = append(out, rawFrame{sec: sec, wire: 1, mac: 82, net: 96, ifindex: ifindex, data: []byte{v}})
	}
	return out
}

// Frames come in order, over the end of the ring, the ring whose block is older
// first; a block goes back to the kernel with the call after its last frame.
func TestWalk(t *testing.T) {
	a := newRing(4096, numbered(10, 7, 1, 2, 3), numbered(30, 7, 6), nil)
	b := newRing(4096, numbered(20, 1, 4, 5))
	storeStatus(a.mem[2*4096:], unix.TP_STATUS_KERNEL)
	s := newSource(a, b)
	var f capture.Frame
	var got, on []byte
	next := func() {
		t.Helper()
		if err := s.Next(&f); err != nil {
			t.Fatalf("Next: %v after %v", err, got)
		}
		got, on = append(got, f.Data[0]), append(on, byte(f.Interface))
	}
	for range 3 {
		next()
	}
	if loadStatus(a.mem) != unix.TP_STATUS_USER {
		t.Error("the block went back while its last frame was in use")
	}
	next()
	if loadStatus(a.mem) != unix.TP_STATUS_KERNEL {
		t.Error("the block was kept")
	}
	next()
	next()
	if err := s.Next(&f); err != capture.ErrIdle || f.Time == 0 {
		t.Fatalf("Next at the end: %v", err)
	}
	fill(a.mem[2*4096:], numbered(40, 7, 7))
	fill(a.mem, numbered(50, 7, 8))
	fill(b.mem, numbered(60, 1, 9))
	for range 3 {
		next()
	}
	if want := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("frames %v, want %v", got, want)
	}
	if want := []byte{1, 1, 1, 0, 0, 1, 1, 1, 0}; !slices.Equal(on, want) {
		t.Errorf("interfaces %v, want %v", on, want)
	}
	if a.taken != 6 || b.taken != 3 {
		t.Errorf("taken %d and %d", a.taken, b.taken)
	}
}

// fit asks for as much as there is, in blocks as large as may be.
func TestFit(t *testing.T) {
	const k = 1 << 10
	for _, c := range []struct {
		bytes, block, have   int // have: what the kernel grants at most
		errno                error
		wantBlock, wantCount int
		tries                int
	}{
		{8192 * k, 256 * k, 8192 * k, unix.ENOMEM, 256 * k, 32, 1},
		{8192 * k, 256 * k, 8191 * k, unix.ENOMEM, 256 * k, 16, 2},
		{8192 * k, 256 * k, 1024 * k, unix.EINVAL, 256 * k, 4, 4},
		{8192 * k, 256 * k, 512 * k, unix.ENOMEM, 128 * k, 4, 5},
		{8192 * k, 256 * k, 64 * k, unix.ENOMEM, 64 * k, 1, 8},
		{8192 * k, 256 * k, 63 * k, unix.ENOMEM, 0, 0, 8},
		{8192 * k, 256 * k, 0, unix.EPERM, 0, 0, 1},
		{100 * k, 256 * k, 8192 * k, nil, 64 * k, 1, 1},
	} {
		tries := 0
		block, count, refused, err := fit(c.bytes, c.block, func(block, blocks int) error {
			if tries++; block*blocks > c.have {
				return fmt.Errorf("refused: %w", c.errno)
			}
			return nil
		})
		if block != c.wantBlock || count != c.wantCount || tries != c.tries {
			t.Errorf("%+v: %d blocks of %d after %d tries", c, count, block, tries)
		}
		if (err != nil) != (c.wantCount == 0) || err != nil && !errors.Is(err, c.errno) {
			t.Errorf("%+v: error %v", c, err)
		}
		if (refused != nil) != (c.tries > 1 || err != nil) {
			t.Errorf("%+v: refused %v", c, refused)
		}
	}
}

// BenchmarkWalk measures the program's part: frames of 200 bytes out of blocks
// that are ready, in memory.
func BenchmarkWalk(b *testing.B) {
	const perBlock = 800
	one := rawFrame{sec: 1, wire: 200, mac: 82, net: 96, hatype: unix.ARPHRD_ETHER, etherType: unix.ETH_P_IP, ifindex: 7, data: make([]byte, 200)}
	block := slices.Repeat([]rawFrame{one}, perBlock)
	r := newRing(256<<10, block, block, block, block)
	s := newSource(r, newRing(4096, nil))
	storeStatus(s.rings[1].mem, unix.TP_STATUS_KERNEL)
	var f capture.Frame
	bytes := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Next(&f); err != nil {
			b.Fatal(err)
		}
		bytes += len(f.Data)
		if r.left == 0 { // the kernel's part: the block is full again
			storeStatus(r.mem[(r.head+1)%4*r.blockBytes:], unix.TP_STATUS_USER)
		}
	}
	if bytes == 0 {
		b.Fatal("no frames")
	}
}
