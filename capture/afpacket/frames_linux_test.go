package afpacket

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

var loopback4 = netip.MustParseAddr("127.0.0.1")

// inject sends a whole frame out of an interface.
func inject(t testing.TB, ns *netnstest.NS, ifname string, frames ...[]byte) {
	t.Helper()
	index := ns.Link(t, ifname).Attrs().Index
	ns.Must(t, func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for _, f := range frames {
			if err := unix.Sendto(fd, f, 0, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
				return err
			}
		}
		return nil
	})
}

// udpFrame is an Ethernet frame with the given tags (TPID and TCI) and an IPv4
// UDP datagram with payload msg.
func udpFrame(msg string, tags ...uint32) []byte {
	f := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	for _, t := range tags {
		f = binary.BigEndian.AppendUint32(f, t)
	}
	f = binary.BigEndian.AppendUint16(f, unix.ETH_P_IP)
	f = append(f, 0x45, 0)
	f = binary.BigEndian.AppendUint16(f, uint16(28+len(msg)))
	f = append(f, 0, 0, 0, 0, 64, unix.IPPROTO_UDP, 0, 0, 10, 71, 0, 1, 10, 71, 0, 2)
	f = binary.BigEndian.AppendUint16(f, 4000)
	f = binary.BigEndian.AppendUint16(f, 5000)
	f = binary.BigEndian.AppendUint16(f, uint16(8+len(msg)))
	return append(append(f, 0, 0), msg...)
}

// A tag that the kernel took off is in Frame.VLAN; one that is left in the frame
// is found by its decoder.
func TestVLAN(t *testing.T) {
	a, b := netnstest.New(t), netnstest.New(t)
	netnstest.Connect(t, a, b)
	in, out := startTap(t, openIn(t, a, Config{}), nil), startTap(t, openIn(t, b, Config{}), nil)
	inject(t, b, "eth0",
		udpFrame("no tag"),
		udpFrame("one tag", 0x8100_0000|3<<13|42),
		udpFrame("service tag", 0x88a8_0000|43),
		udpFrame("two tags", 0x88a8_0000|44, 0x8100_0000|45))
	in.finish(t)
	out.finish(t)
	for _, want := range []struct {
		msg    string
		tagged bool
		tci    uint16
		hasNet bool
	}{
		{"no tag", false, 0, true},
		{"one tag", true, 3<<13 | 42, true},
		{"service tag", true, 43, true},
		{"two tags", true, 44, false},
	} {
		got := in.carrying(want.msg)
		if len(got) != 1 {
			t.Errorf("%s: received %d times, want 1", want.msg, len(got))
			continue
		}
		if v := got[0].Frame; v.Tagged != want.tagged || v.VLAN != want.tci || v.HasNet != want.hasNet || v.Direction != capture.Receive {
			t.Errorf("%s: %+v", want.msg, v)
		}
		// The sender's own tap decodes them too, whatever the kernel left in.
		if got := out.carrying(want.msg); len(got) != 1 || got[0].account != capture.FrameUDP || got[0].Frame.Direction != capture.Transmit {
			t.Errorf("%s: sent frames %+v", want.msg, got)
		}
	}
}

// Super-frames of BIG TCP (RFC 2675 jumbograms that never leave the host)
// arrive whole, and what does not fit into a block is cut and says so.
func TestBigTCP(t *testing.T) {
	for _, c := range []Config{{}, {BlockBytes: 64 << 10}} {
		a, b := netnstest.New(t), netnstest.New(t)
		link := netnstest.Connect(t, a, b)
		for _, ns := range []*netnstest.NS{a, b} {
			l := ns.Link(t, "eth0")
			if err := ns.Links.LinkSetGSOMaxSize(l, 200000); err != nil {
				t.Fatal(err)
			}
			if err := ns.Links.LinkSetGROMaxSize(l, 200000); err != nil {
				t.Fatal(err)
			}
		}
		const total = 64 << 20
		largest, cut, wrong := 0, 0, 0
		p := startTap(t, openIn(t, a, c), func(f *capture.Frame) {
			largest = max(largest, f.WireLen)
			if f.WireLen > len(f.Data) {
				cut++
				if len(f.Data) < c.BlockBytes-1024 {
					wrong++
				}
			}
		})
		sendBulk(t, a, b, link.B6, total)
		st := p.finish(t)
		t.Logf("block %d: largest frame %d bytes, %d of %d cut, rings %+v", cmp.Or(c.BlockBytes, DefaultBlockBytes), largest, cut, p.read, st.Rings)
		if largest < 100<<10 {
			t.Errorf("largest frame %d bytes: no BIG TCP was seen", largest)
		}
		if c.BlockBytes == 0 && cut > 0 {
			t.Errorf("%d frames were cut", cut)
		}
		if c.BlockBytes != 0 && (cut == 0 || wrong > 0) {
			t.Errorf("%d frames were cut, %d to less than a block", cut, wrong)
		}
	}
}

// sendBulk sends n bytes over TCP from a to an address of b.
func sendBulk(t testing.TB, a, b *netnstest.NS, addr netip.Addr, n int) {
	t.Helper()
	var ln net.Listener
	b.Must(t, func() (err error) {
		ln, err = net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
		return err
	})
	defer ln.Close()
	got := make(chan int64, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			got <- -1
			return
		}
		defer c.Close()
		m, _ := io.Copy(io.Discard, c)
		got <- m
	}()
	a.Must(t, func() error {
		c, err := net.DialTimeout("tcp", ln.Addr().String(), 5*time.Second)
		if err != nil {
			return err
		}
		chunk := bytes.Repeat([]byte("x"), 1<<20)
		for left := n; left > 0; left -= len(chunk) {
			if _, err := c.Write(chunk[:min(left, len(chunk))]); err != nil {
				return err
			}
		}
		return c.Close()
	})
	if m := <-got; m != int64(n) {
		t.Fatalf("%d of %d bytes arrived", m, n)
	}
}

// Frames that the filter does not match are cut to their headers, and counted.
func TestFilterCuts(t *testing.T) {
	a, b := netnstest.New(t), netnstest.New(t)
	link := netnstest.Connect(t, a, b)
	tcp, udp := echo(t, b, link.B)
	// IPv4 UDP over Ethernet. The second form ends in "ret A".
	load := []bpf.Instruction{bpf.LoadAbsolute{Off: 23, Size: 1}}
	constant := append(load, bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipFalse: 1}, bpf.RetConstant{Val: 1}, bpf.RetConstant{Val: 0})
	inA := append(load, bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipTrue: 1}, bpf.LoadConstant{Val: 0}, bpf.RetA{})
	msg := fmt.Sprintf("%0300d", 7)
	for name, prog := range map[string][]bpf.Instruction{"constant": constant, "A": inA} {
		raw, err := bpf.Assemble(prog)
		if err != nil {
			t.Fatal(err)
		}
		s := openIn(t, a, Config{Filter: raw, HeaderBytes: 80})
		for _, r := range s.rings {
			if on, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_LOCK_FILTER); on != 1 || err != nil {
				t.Errorf("the filter on %s can be changed: %d, %v", r.name, on, err)
			}
		}
		p := startTap(t, s, nil)
		exchange(t, a, "tcp", tcp, msg)
		exchange(t, a, "udp", udp, msg)
		p.finish(t)
		whole, cut := 0, 0
		for _, v := range p.frames {
			switch {
			case v.account == capture.FrameUDP && v.Frame.WireLen == len(v.Data) && string(v.payload) == msg:
				whole++
			case v.account == capture.FrameTCP && v.PayloadLen == len(msg):
				cut++
				if len(v.Data) != 80 || v.Frame.WireLen < 300 {
					t.Errorf("%s: %d bytes kept of %d, want 80", name, len(v.Data), v.Frame.WireLen)
				}
			}
		}
		if whole != 2 || cut != 2 {
			t.Errorf("%s: %d datagrams whole and %d segments cut, want 2 and 2", name, whole, cut)
		}
	}
}

// A tun interface has no link header.
func TestTun(t *testing.T) {
	a := netnstest.New(t)
	tun := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "tun0"}, Mode: netlink.TUNTAP_MODE_TUN, Flags: netlink.TUNTAP_NO_PI, Queues: 1}
	err := a.Do(func() error { return netlink.LinkAdd(tun) })
	if (errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist)) && os.Getenv("CI") == "" {
		t.Skipf("/dev/net/tun: %v", err)
	}
	if err != nil {
		t.Fatalf("add tun0: %v", err)
	}
	defer tun.Fds[0].Close()
	a.Up(t, "tun0")
	p := startTap(t, openIn(t, a, Config{}), nil)
	if _, err := tun.Fds[0].Write(udpFrame("through the tunnel")[14:]); err != nil {
		t.Fatal(err)
	}
	st := p.finish(t)
	got := p.carrying("through the tunnel")
	if len(got) != 1 {
		t.Fatalf("seen %d times, want 1", len(got))
	}
	v := got[0].Frame
	if v.Link != capture.LinkRaw || v.NetOffset != 0 || !v.HasNet || v.EtherType != unix.ETH_P_IP || st.Interfaces[v.Interface].Name != "tun0" {
		t.Errorf("frame %+v on %+v", v, st.Interfaces)
	}
}
