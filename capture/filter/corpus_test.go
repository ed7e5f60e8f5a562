package filter

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket/pcapgo"

	"github.com/wiretell/wiretell/capture"
)

// The addresses and ports that both the corpus and the expressions use.
var (
	addresses4 = []string{"10.0.0.1", "10.0.0.2", "10.1.2.3", "10.200.0.9", "192.168.1.1", "172.16.5.4", "0.0.0.10", "127.0.0.1"}
	addresses6 = []string{"::1", "fe80::1", "fe80::2", "2001:db8::1", "2001:db8:1::2", "2001:db8:ffff::1"}
	somePorts  = []uint16{22, 53, 80, 81, 443, 514, 7999, 8000, 8080, 8500, 9000, 9001, 65535}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// transport makes the beginning of a TCP, UDP, SCTP or other header.
func transport(r *rand.Rand) []byte {
	b := make([]byte, pick(r, []int{0, 3, 4, 8, 20, 32}))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	if len(b) >= 4 {
		binary.BigEndian.PutUint16(b, pick(r, somePorts))
		binary.BigEndian.PutUint16(b[2:], pick(r, somePorts))
	}
	return b
}

var someProtos = []uint8{1, 6, 6, 6, 17, 17, 132, 2, 47, 50, 51, 58, 89, 103, 112, 9, 255}

func ipv4(r *rand.Rand) []byte {
	words := pick(r, []int{5, 5, 5, 6, 10, 15})
	b := make([]byte, 4*words)
	b[0] = 0x40 | byte(words)
	b[9] = pick(r, someProtos)
	switch r.IntN(6) {
	case 0:
		binary.BigEndian.PutUint16(b[6:], 0x2000) // first fragment
	case 1:
		binary.BigEndian.PutUint16(b[6:], uint16(1+r.IntN(0x1fff)))
	case 2:
		binary.BigEndian.PutUint16(b[6:], 0x4000)
	}
	from, to := netip.MustParseAddr(pick(r, addresses4)).As4(), netip.MustParseAddr(pick(r, addresses4)).As4()
	copy(b[12:], from[:])
	copy(b[16:], to[:])
	return append(b, transport(r)...)
}

func ipv6(r *rand.Rand) []byte {
	b := make([]byte, 40)
	b[0] = 0x60
	b[6] = pick(r, someProtos)
	from, to := netip.MustParseAddr(pick(r, addresses6)).As16(), netip.MustParseAddr(pick(r, addresses6)).As16()
	copy(b[8:], from[:])
	copy(b[24:], to[:])
	if r.IntN(4) == 0 { // a fragment header
		next := b[6]
		b[6] = protoFragment
		b = append(b, next, 0, 0, byte(r.IntN(3)), 0, 0, 0, 1)
	}
	return append(b, transport(r)...)
}

func arp(r *rand.Rand) []byte {
	b := make([]byte, 28)
	copy(b, "\x00\x01\x08\x00\x06\x04\x00\x01")
	from, to := netip.MustParseAddr(pick(r, addresses4)).As4(), netip.MustParseAddr(pick(r, addresses4)).As4()
	copy(b[14:], from[:])
	copy(b[24:], to[:])
	return b
}

// frame makes one frame of the link type; sometimes one that is cut or odd.
func frame(r *rand.Rand, link capture.LinkType) []byte {
	var t uint16
	var body []byte
	switch r.IntN(12) {
	case 0:
		t, body = etherARP, arp(r)
	case 1:
		t, body = etherRARP, arp(r)
	case 2, 3, 4, 5:
		t, body = etherIP6, ipv6(r)
	case 6:
		t, body = 0x88cc, transport(r)
	default:
		t, body = etherIP, ipv4(r)
	}
	b := header(r, link, t, body)
	if r.IntN(3) == 0 {
		for range r.IntN(100) {
			b = append(b, byte(r.Uint32()))
		}
	}
	if r.IntN(6) == 0 {
		b = b[:r.IntN(len(b)+1)]
	}
	return b
}

func header(r *rand.Rand, link capture.LinkType, t uint16, body []byte) []byte {
	var b []byte
	be16 := binary.BigEndian.AppendUint16
	switch link {
	case capture.LinkEthernet:
		b = append(b, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02"...)
		for range max(0, r.IntN(6)-3) {
			b = be16(b, pick(r, []uint16{etherVLAN, etherVLAN, etherAD, etherQinQ}))
			b = be16(b, uint16(r.IntN(8))<<13|pick(r, []uint16{1, 100, 200, 4095}))
		}
		b = be16(b, t)
	case capture.LinkSLL:
		b = append(b, make([]byte, 14)...)
		b = be16(b, t)
	case capture.LinkSLL2:
		b = be16(b, t)
		b = append(b, make([]byte, 18)...)
	case capture.LinkNull, capture.LinkLoop:
		family := map[uint16]byte{etherIP: 2, etherIP6: 10}[t]
		if b = []byte{family, 0, 0, 0}; link == capture.LinkLoop {
			b = []byte{0, 0, 0, family}
		}
	}
	return append(b, body...)
}

// corpus is n frames of a link type, and every beginning of a few.
func corpus(link capture.LinkType, n int) [][]byte {
	r := rand.New(rand.NewPCG(uint64(link), 7))
	var out [][]byte
	for range n {
		out = append(out, frame(r, link))
	}
	for _, body := range [][]byte{ipv4(r), ipv6(r), arp(r)} {
		t := map[byte]uint16{4: etherIP, 6: etherIP6, 0: etherARP}[body[0]>>4]
		whole := header(r, link, t, body)
		for i := range whole {
			out = append(out, whole[:i])
		}
	}
	return out
}

// sharedFrames reads the first frames of third-party captures, by link type.
func sharedFrames(t testing.TB, link capture.LinkType, perFile, total int) [][]byte {
	root := filepath.Join("..", "..", "..", "shared", "captures")
	if _, err := os.Stat(root); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		return nil
	}
	var out [][]byte
	files, _ := filepath.Glob(filepath.Join(root, "*", "*.pcap"))
	deeper, _ := filepath.Glob(filepath.Join(root, "*", "*", "*.pcap"))
	for _, path := range append(files, deeper...) {
		out = append(out, firstFrames(path, link, perFile)...)
		if len(out) >= total {
			break
		}
	}
	return out
}

func firstFrames(path string, link capture.LinkType, n int) (out [][]byte) {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil || capture.LinkType(r.LinkType()) != link {
		return nil
	}
	for range n {
		b, _, err := r.ReadPacketData()
		if err != nil {
			break
		}
		out = append(out, b)
	}
	return out
}
