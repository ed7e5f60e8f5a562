package afpacket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// sink opens a UDP socket that nobody reads: datagrams to it end there.
func sink(b *testing.B, ns *netnstest.NS, addr netip.Addr) string {
	b.Helper()
	var pc net.PacketConn
	ns.Must(b, func() (err error) {
		pc, err = net.ListenPacket("udp4", netip.AddrPortFrom(addr, 0).String())
		return err
	})
	b.Cleanup(func() { pc.Close() })
	return pc.LocalAddr().String()
}

// direct puts the one socket of s itself into Go's poller, in place of the epoll
// instance: the alternative that ADR 0002 weighs.
func direct(b *testing.B, s *Source) {
	b.Helper()
	fd, err := unix.Dup(s.rings[0].fd)
	if err != nil {
		b.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "packet socket")
	raw, err := f.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	s.epoll.Close()
	s.epoll, s.raw = f, raw
}

// BenchmarkNext measures the reader's CPU per frame, user and system, while
// another process sends b.N datagrams of 158 bytes (200 on the wire) over a veth
// pair. "tcpdump" is tcpdump -w /dev/null over the same traffic.
func BenchmarkNext(b *testing.B) {
	for _, rate := range []int{0, 100_000, 5_000} {
		speed := "flat out"
		if rate > 0 {
			speed = strconv.Itoa(rate/1000) + "k per s"
		}
		for _, how := range []string{"all", "one interface", "one socket in the poller"} {
			b.Run(speed+"/"+how, func(b *testing.B) { benchmarkNext(b, rate, how) })
		}
		b.Run(speed+"/tcpdump", func(b *testing.B) { benchmarkTcpdump(b, rate) })
	}
}

func benchmarkNext(b *testing.B, rate int, how string) {
	x, y := netnstest.New(b), netnstest.New(b)
	link := netnstest.Connect(b, x, y)
	to := sink(b, y, link.B)
	c := Config{Interfaces: []string{"eth0"}}
	if how == "all" {
		c = Config{RingBytes: 2 * DefaultRingBytes} // as much for the socket at work
	}
	s := openIn(b, x, c)
	if how == "one socket in the poller" {
		direct(b, s)
	}
	sender := task("flood", to, strconv.Itoa(b.N), "158", strconv.Itoa(rate))
	x.Must(b, sender.Start)
	var f capture.Frame
	b.ReportAllocs()
	b.ResetTimer()
	begin := cpuTime(b)
	frames, idles := 0, 0
	var st capture.SourceStats
	for frames+int(s.rings[0].drops) < b.N {
		switch err := s.Next(&f); {
		case err == nil:
			frames++
		case !errors.Is(err, capture.ErrIdle):
			b.Fatal(err)
		default:
			if idles++; idles%16 == 0 {
				s.Stats(&st)
			}
		}
	}
	used := cpuTime(b) - begin
	b.StopTimer()
	if err := sender.Wait(); err != nil {
		b.Fatal(err)
	}
	s.Stats(&st)
	b.ReportMetric(float64(used.Nanoseconds())/float64(frames), "cpu-ns/frame")
	b.ReportMetric(float64(st.Rings[0].Drops)/float64(b.N)*100, "%drops")
	b.ReportMetric(0, "ns/op")
}

func benchmarkTcpdump(b *testing.B, rate int) {
	x, y := netnstest.New(b), netnstest.New(b)
	link := netnstest.Connect(b, x, y)
	to := sink(b, y, link.B)
	cmd := exec.Command("tcpdump", "-i", "eth0", "-B", "8192", "-w", "/dev/null")
	if cmd.Err != nil {
		b.Skip(cmd.Err)
	}
	x.Must(b, cmd.Start)
	time.Sleep(300 * time.Millisecond)
	sender := task("flood", to, strconv.Itoa(b.N), "158", strconv.Itoa(rate))
	x.Must(b, sender.Run)
	time.Sleep(300 * time.Millisecond)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		b.Fatal(err)
	}
	_ = cmd.Wait()
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/frame")
	b.ReportMetric(0, "ns/op")
}

// oneSocket captures everything with one socket on all interfaces whose filter
// drops what goes out of the loopback: the other alternative of ADR 0002.
func oneSocket(b *testing.B, ns *netnstest.NS) *Source {
	b.Helper()
	prog, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: packetOutgoing, SkipTrue: 3},
		bpf.LoadExtension{Num: bpf.ExtLinkLayerType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: arphrdLoopback, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: DefaultSnapLen},
	})
	if err != nil {
		b.Fatal(err)
	}
	s := openIn(b, ns, Config{Interfaces: []string{"nothere"}})
	ns.Must(b, func() error {
		r := &ring{name: "any"}
		if r.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			return err
		}
		return errors.Join(
			unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3),
			attach(r.fd, prog),
			r.allocate(DefaultBlockBytes, 16, 100),
			func() error { r.blockBytes, r.bytes = DefaultBlockBytes, 16*DefaultBlockBytes; return nil }(),
			r.bind(0),
			unix.EpollCtl(int(s.epoll.Fd()), unix.EPOLL_CTL_ADD, r.fd, &unix.EpollEvent{Events: unix.EPOLLIN}),
			func() error { s.rings = append(s.rings, r); return nil }(),
		)
	})
	return s
}

// BenchmarkTax measures what capturing costs the application that sends: CPU of
// the sending thread per datagram of 200 bytes. On the loopback it does the
// receiving too.
func BenchmarkTax(b *testing.B) {
	for _, where := range []string{"lo", "eth0"} {
		for _, how := range []string{"nothing", "one socket", "two sockets", "socket per interface"} {
			b.Run(fmt.Sprintf("%s/%s", where, how), func(b *testing.B) {
				x, y := netnstest.New(b), netnstest.New(b)
				link := netnstest.Connect(b, x, y)
				to := sink(b, x, loopback4)
				if where == "eth0" {
					to = sink(b, y, link.B)
				}
				switch how {
				case "one socket":
					startTap(b, oneSocket(b, x), func(*capture.Frame) {})
				case "two sockets":
					startTap(b, openIn(b, x, Config{}), func(*capture.Frame) {})
				case "socket per interface":
					startTap(b, openIn(b, x, Config{Interfaces: []string{"lo", "eth0"}}), func(*capture.Frame) {})
				}
				var used time.Duration
				x.Must(b, func() error {
					runtime.LockOSThread()
					before := threadTime(b)
					err := flood(to, b.N, 200, 0)
					used = threadTime(b) - before
					return err
				})
				b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "sender-cpu-ns/datagram")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func threadTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
