package afpacket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
	"github.com/wiretell/wiretell/capture/wire"
)

func TestMain(m *testing.M) {
	if task := os.Getenv(envTask); task != "" {
		os.Exit(runTask(task))
	}
	os.Exit(netnstest.Main(m))
}

// seen is what a test keeps of a frame.
type seen struct {
	capture.Frame
	account capture.Entry
	capture.Packet
	payload []byte
}

// tap reads a Source to its end in a goroutine.
type tap struct {
	*Source
	frames []seen
	read   uint64
	idles  int
	err    error
	done   chan struct{}
	// each, when set, is called for every frame instead of keeping it.
	each func(*capture.Frame)
}

func openIn(t testing.TB, ns *netnstest.NS, c Config) *Source {
	t.Helper()
	var s *Source
	ns.Must(t, func() (err error) {
		s, err = Open(c)
		return err
	})
	t.Cleanup(func() { s.Close() })
	return s
}

func startTap(t testing.TB, s *Source, each func(*capture.Frame)) *tap {
	p := &tap{Source: s, done: make(chan struct{}), each: each}
	go func() {
		defer close(p.done)
		var d wire.Decoder
		var f capture.Frame
		for {
			switch err := s.Next(&f); {
			case errors.Is(err, capture.ErrIdle):
				p.idles++
				continue
			case err != nil:
				p.err = err
				return
			}
			p.read++
			if each != nil {
				each(&f)
				continue
			}
			v := seen{Frame: f}
			v.account = d.Decode(&f, &v.Packet)
			v.payload = slices.Clone(v.Packet.Payload)
			v.Frame.Data = slices.Clone(f.Data)
			p.frames = append(p.frames, v)
		}
	}()
	t.Cleanup(func() {
		s.Close()
		select {
		case <-p.done:
		case <-time.After(5 * time.Second):
			t.Error("Next did not return after Close")
		}
	})
	return p
}

// finish stops the source, waits for the rest, and checks the first line of the
// ledger: what the kernel counted is what was read and what it dropped.
func (p *tap) finish(t testing.TB) (stats capture.SourceStats) {
	t.Helper()
	p.Stop()
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		t.Fatal("Next did not return io.EOF after Stop")
	}
	if p.err != io.EOF {
		t.Fatalf("Next: %v, want io.EOF", p.err)
	}
	p.Stats(&stats)
	var packets, drops uint64
	for _, r := range stats.Rings {
		packets += r.Packets
		drops += r.Drops
	}
	if p.read+drops != packets {
		t.Errorf("read %d + drops %d != packets %d", p.read, drops, packets)
	}
	return stats
}

// echo runs a TCP and a UDP service at addr in ns that send back what they get,
// and returns their addresses.
func echo(t testing.TB, ns *netnstest.NS, addr netip.Addr) (tcp, udp netip.AddrPort) {
	t.Helper()
	var ln net.Listener
	var pc net.PacketConn
	ns.Must(t, func() (err error) {
		if ln, err = net.Listen("tcp", netip.AddrPortFrom(addr, 0).String()); err != nil {
			return err
		}
		pc, err = net.ListenPacket("udp", netip.AddrPortFrom(addr, 0).String())
		return err
	})
	t.Cleanup(func() { ln.Close(); pc.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); c.Close() }()
		}
	}()
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = pc.WriteTo(b[:n], from)
		}
	}()
	return netip.MustParseAddrPort(ln.Addr().String()), netip.MustParseAddrPort(pc.LocalAddr().String())
}

// exchange sends msg to the echo at addr and waits for it to come back.
func exchange(t testing.TB, ns *netnstest.NS, network string, addr netip.AddrPort, msg string) {
	t.Helper()
	ns.Must(t, func() error {
		c, err := net.DialTimeout(network, addr.String(), 5*time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.WriteString(c, msg); err != nil {
			return err
		}
		got := make([]byte, len(msg))
		if _, err := io.ReadFull(c, got); err != nil {
			return err
		}
		if string(got) != msg {
			return fmt.Errorf("echo of %q is %q", msg, got)
		}
		return nil
	})
}

// carrying returns the frames whose payload is msg.
func (p *tap) carrying(msg string) (out []seen) {
	for _, v := range p.frames {
		if string(v.payload) == msg {
			out = append(out, v)
		}
	}
	return out
}

// Each segment and datagram is seen once in each direction, on the right
// interface, and decodes from NetOffset.
func TestBothWays(t *testing.T) {
	a, b := netnstest.New(t), netnstest.New(t)
	link := netnstest.Connect(t, a, b)
	for _, addr := range []netip.Addr{link.B, link.B6} {
		tcp, udp := echo(t, b, addr)
		p := startTap(t, openIn(t, a, Config{}), nil)
		begin := capture.TimeOf(time.Now())
		exchange(t, a, "tcp", tcp, "over tcp")
		exchange(t, a, "udp", udp, "over udp")
		st := p.finish(t)
		for msg, account := range map[string]capture.Entry{"over tcp": capture.FrameTCP, "over udp": capture.FrameUDP} {
			got := p.carrying(msg)
			if len(got) != 2 {
				t.Fatalf("%s: %q was seen %d times, want once each way", addr, msg, len(got))
			}
			for i, want := range []capture.Direction{capture.Transmit, capture.Receive} {
				v := got[i]
				if v.Frame.Direction != want || v.account != account {
					t.Errorf("%s %q %d: direction %d, account %d", addr, msg, i, v.Frame.Direction, v.account)
				}
				if name := st.Interfaces[v.Frame.Interface].Name; name != "eth0" {
					t.Errorf("interface %q, want eth0", name)
				}
				if v.Frame.Link != capture.LinkEthernet || !v.HasNet || v.NetOffset != 14 || v.Frame.Loopback || v.Tagged {
					t.Errorf("frame %+v", v.Frame)
				}
				if v.Frame.WireLen != len(v.Data) {
					t.Errorf("WireLen %d, %d bytes kept", v.Frame.WireLen, len(v.Data))
				}
				if d := v.Frame.Time.Sub(begin); d < 0 || d > time.Minute {
					t.Errorf("time is %v after the start of the test", d)
				}
			}
		}
		// A veth hands segments over without a checksum.
		if v := p.carrying("over tcp"); v[0].Checksum != capture.ChecksumNotReady {
			t.Errorf("checksum of a segment that was sent: %d", v[0].Checksum)
		}
		if p.idles == 0 {
			t.Error("no ErrIdle")
		}
		names := map[string]bool{}
		for _, i := range st.Interfaces {
			names[i.Name] = i.Up
			if i.Loopback != (i.Name == "lo") {
				t.Errorf("interface %+v", i)
			}
		}
		if len(names) != 2 || !names["lo"] || !names["eth0"] {
			t.Errorf("interfaces %+v", st.Interfaces)
		}
	}
}

// What is on the loopback is seen once, by the loopback's socket, though the
// kernel shows it going out and coming in. A namespace's traffic to its own
// address on another interface is there too.
func TestLoopbackOnce(t *testing.T) {
	a, b := netnstest.New(t), netnstest.New(t)
	link := netnstest.Connect(t, a, b)
	for _, c := range []Config{{}, {Interfaces: []string{"lo"}}} {
		for _, addr := range []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback(), link.A} {
			tcp, udp := echo(t, a, addr)
			p := startTap(t, openIn(t, a, c), nil)
			exchange(t, a, "tcp", tcp, "over tcp")
			exchange(t, a, "udp", udp, "over udp")
			st := p.finish(t)
			for _, msg := range []string{"over tcp", "over udp"} {
				got := p.carrying(msg)
				if len(got) != 2 || got[0].Flow != got[1].Flow.Reverse() {
					t.Fatalf("%s: %q was seen %d times, want once each way", addr, msg, len(got))
				}
				for _, v := range got {
					if !v.Frame.Loopback || st.Interfaces[v.Frame.Interface].Name != "lo" || !v.HasNet {
						t.Errorf("frame %+v", v.Frame)
					}
				}
			}
			for _, r := range st.Rings {
				if r.Name == "any" && r.Packets != 0 {
					for _, v := range p.frames {
						if v.Frame.Loopback {
							continue
						}
						r.Packets--
					}
					if r.Packets != 0 {
						t.Errorf("the socket on all interfaces was offered %d frames of lo", r.Packets)
					}
				}
			}
		}
	}
}

// Close wakes a Next that waits, at once.
func TestCloseWakesNext(t *testing.T) {
	s := openIn(t, netnstest.New(t), Config{RetireTimeout: time.Minute})
	got := make(chan error)
	go func() {
		var f capture.Frame
		err := s.Next(&f)
		for errors.Is(err, capture.ErrIdle) {
			err = s.Next(&f)
		}
		got <- err
	}()
	time.Sleep(100 * time.Millisecond) // let it park
	begin := time.Now()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-got:
		if err != io.EOF {
			t.Errorf("Next returned %v, want io.EOF", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Next did not return")
	}
	t.Logf("Next returned after %v", time.Since(begin))
	var f capture.Frame
	if err := s.Next(&f); err != io.EOF {
		t.Errorf("Next again: %v, want io.EOF", err)
	}
	var st capture.SourceStats
	s.Stats(&st)
	if len(st.Rings) != 2 {
		t.Errorf("Stats after the end: %+v", st)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// Without a frame, Next returns ErrIdle with the current time, at once and then
// about every IdleTimeout.
func TestIdle(t *testing.T) {
	s := openIn(t, netnstest.New(t), Config{RetireTimeout: 20 * time.Millisecond, IdleTimeout: 50 * time.Millisecond})
	var f capture.Frame
	begin := time.Now()
	for i := range 5 {
		if err := s.Next(&f); err != capture.ErrIdle {
			t.Fatalf("Next: %v", err)
		}
		if d := time.Since(f.Time.Std()); d < 0 || d > time.Second {
			t.Errorf("idle %d: time is %v ago", i, d)
		}
	}
	if d := time.Since(begin); d < 190*time.Millisecond || d > 2*time.Second {
		t.Errorf("5 times idle took %v, want about 4 times 50ms", d)
	}
}

// A full block wakes Next, long before RetireTimeout.
func TestFullBlockWakes(t *testing.T) {
	a := netnstest.New(t)
	var pc net.PacketConn
	a.Must(t, func() (err error) { pc, err = net.ListenPacket("udp4", "127.0.0.1:0"); return err })
	defer pc.Close()
	s := openIn(t, a, Config{RetireTimeout: 20 * time.Second, BlockBytes: 64 << 10})
	var f capture.Frame
	if err := s.Next(&f); err != capture.ErrIdle {
		t.Fatalf("Next: %v, want ErrIdle first", err)
	}
	go func() {
		time.Sleep(100 * time.Millisecond) // Next waits by now
		_ = a.Do(func() error { return flood(pc.LocalAddr().String(), 600, 200, 0) })
	}()
	begin := time.Now()
	if err := s.Next(&f); err != nil {
		t.Fatalf("Next: %v", err)
	}
	if d := time.Since(begin); d < 50*time.Millisecond || d > 5*time.Second {
		t.Errorf("Next returned after %v", d)
	}
}
