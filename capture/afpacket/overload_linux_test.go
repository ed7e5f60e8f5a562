package afpacket

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// A reader that is far too slow loses frames, and the books stay exact: finish
// checks that frames read and drops are the packets that the kernel counted.
func TestOverload(t *testing.T) {
	a, b := netnstest.New(t), netnstest.New(t)
	link := netnstest.Connect(t, a, b)
	tcp, udp := echo(t, b, link.B)
	var seen atomic.Int64
	after := 0
	p := startTap(t, openIn(t, a, Config{RingBytes: 512 << 10, BlockBytes: 64 << 10}), func(f *capture.Frame) {
		if n := seen.Add(1); n%200 == 0 && n < 10000 {
			time.Sleep(10 * time.Millisecond)
		}
		if len(f.Data) > 0 && f.EtherType == unix.ETH_P_IP && f.Data[23] == unix.IPPROTO_TCP {
			after++
		}
	})
	a.Must(t, func() error { return flood(udp.String(), 60000, 200, 0) })
	// The flood and its echoes are over when the reader, who is late, sees
	// nothing more.
	for last, tries := int64(-1), 0; seen.Load() != last && tries < 40; tries++ {
		last = seen.Load()
		time.Sleep(500 * time.Millisecond)
	}
	exchange(t, a, "tcp", tcp, "after the flood")
	st := p.finish(t)
	r := st.Rings[0]
	t.Logf("read %d, %+v", p.read, r)
	if r.Drops == 0 || r.Freezes == 0 {
		t.Error("nothing was dropped: this was no overload")
	}
	if r.Packets < 60000 {
		t.Errorf("the kernel counted %d packets, 60000 were sent", r.Packets)
	}
	if after < 8 { // handshake, data and echo, their acknowledgements, FINs
		t.Errorf("%d segments were seen after the flood", after)
	}
}

// A reader that stands still, as under SIGSTOP, goes on where it stopped: the
// frames that found room in the ring, then those that come later.
func TestPause(t *testing.T) {
	a, b := netnstest.New(t), netnstest.New(t)
	link := netnstest.Connect(t, a, b)
	tcp, udp := echo(t, b, link.B)
	s := openIn(t, a, Config{RingBytes: 1 << 20})
	a.Must(t, func() error { return flood(udp.String(), 20000, 200, 0) })
	time.Sleep(500 * time.Millisecond) // all echoes are back
	p := startTap(t, s, nil)
	time.Sleep(500 * time.Millisecond)
	exchange(t, a, "tcp", tcp, "after the pause")
	st := p.finish(t)
	if st.Rings[0].Drops == 0 || p.read < 1000 {
		t.Errorf("%d drops, %d read", st.Rings[0].Drops, p.read)
	}
	if n := len(p.carrying("after the pause")); n != 2 {
		t.Errorf("the exchange after the pause was seen %d times, want 2", n)
	}
}

// Stats may be called at any time: reading the kernel's counters resets them,
// and the sums are not disturbed.
func TestStatsOften(t *testing.T) {
	a, b := netnstest.New(t), netnstest.New(t)
	link := netnstest.Connect(t, a, b)
	_, udp := echo(t, b, link.B)
	s := openIn(t, a, Config{})
	go a.Do(func() error { return flood(udp.String(), 20000, 100, 40000) })
	var f capture.Frame
	var st capture.SourceStats
	var read, last uint64
	begin := time.Now()
	for time.Since(begin) < 1500*time.Millisecond {
		switch err := s.Next(&f); {
		case errors.Is(err, capture.ErrIdle):
		case err != nil:
			t.Fatal(err)
		default:
			if read++; read%100 != 0 {
				continue
			}
		}
		s.Stats(&st)
		if sum := st.Rings[0].Packets; sum < last || sum < read+st.Rings[0].Drops {
			t.Fatalf("packets %d after %d, read %d, drops %d", sum, last, read, st.Rings[0].Drops)
		}
		last = st.Rings[0].Packets
	}
	if n := testing.AllocsPerRun(10, func() { s.Stats(&st) }); n > 4 {
		t.Errorf("Stats allocates %v times", n)
	}
	s.Stop()
	for err := error(nil); err != io.EOF; {
		if err = s.Next(&f); err == nil {
			read++
		}
	}
	s.Stats(&st)
	if r := st.Rings[0]; read < 20000 || r.Packets != read+r.Drops {
		t.Errorf("read %d, rings %+v", read, st.Rings)
	}
}

// The whole way from the kernel to the frame allocates nothing. The traffic comes
// from another process, as everything that this one allocates is counted.
func TestNextAllocatesNothing(t *testing.T) {
	a := netnstest.New(t)
	var sink net.PacketConn
	a.Must(t, func() (err error) { sink, err = net.ListenPacket("udp4", "127.0.0.1:0"); return err })
	defer sink.Close()
	s := openIn(t, a, Config{RetireTimeout: 10 * time.Millisecond})
	sender := task("flood", sink.LocalAddr().String(), "20000", "100", "20000")
	a.Must(t, sender.Start)
	var f capture.Frame
	frames, idles := 0, 0
	perRun := testing.AllocsPerRun(1, func() {
		for range 8000 {
			switch err := s.Next(&f); err {
			case nil:
				frames++
			case capture.ErrIdle:
				idles++
			default:
				t.Fatal(err)
			}
		}
	})
	if err := sender.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%v allocations over 8000 calls; in all %d frames, %d times idle", perRun, frames, idles)
	if frames < 10000 || idles < 10 {
		t.Errorf("%d frames, %d times idle", frames, idles)
	}
	if perRun > 20 { // the runtime's own, now and then
		t.Errorf("%v allocations over 8000 calls", perRun)
	}
}
