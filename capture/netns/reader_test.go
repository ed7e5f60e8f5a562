package netns

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/procfs"

	"github.com/wiretell/wiretell/capture"
)

func endpoint4(s string) capture.Endpoint { return capture.EndpointOf(netip.MustParseAddrPort(s)) }

func readFixture(t testing.TB, cgroup string) *capture.Kernel {
	t.Helper()
	k := &capture.Kernel{Time: 42}
	r := NewReader(Options{Proc: "testdata/pod", CGroup: "testdata/" + cgroup, NoNetlink: true})
	for range 2 { // what is read twice must not add up
		if err := r.Read(k); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// TestRead reads a pod's tables from files, every field.
func TestRead(t *testing.T) {
	k := readFixture(t, "cgroup2")
	want := &capture.Kernel{
		Time: 42,
		Known: capture.KnownSockets | capture.KnownTCP | capture.KnownTCPExt | capture.KnownDevices | capture.KnownUnix | capture.KnownProcess |
			capture.KnownCPU | capture.KnownMemory | capture.KnownSocketStat | capture.KnownPortRange,
		Listeners: []capture.Listener{
			{Addr: endpoint4("127.0.0.1:6060"), UID: 65532},
			{Addr: endpoint4("0.0.0.0:8080"), Queue: 129},
			{Addr: endpoint4("[::]:9090"), V6: true},
		},
		Established: []capture.SocketPair{
			{Local: endpoint4("10.0.0.5:8080"), Remote: endpoint4("10.0.0.9:40000")},
			{Local: endpoint4("[2001:db8::1]:9090"), Remote: endpoint4("[2001:db8::2]:40000")},
		},
		CloseWait: []capture.PortCount{{Port: 8080, Count: 2}, {Port: 0, Count: 1}, {Port: 9090, Count: 1}},
		Remotes:   []capture.RemoteCount{{Remote: endpoint4("10.0.0.9:443"), Count: 2}},
		TCP: capture.KernelTCP{ActiveOpens: 87, PassiveOpens: 45, AttemptFails: 4, EstabResets: 5, CurrEstab: 2, InSegs: 1<<64 - 1, OutSegs: 16483,
			RetransSegs: 11, InErrs: 12, OutRsts: 13, InCsumErrors: 14},
		TCPExt: capture.KernelTCPExt{ListenOverflows: 1, ListenDrops: 2, PruneCalled: 3, FastRetrans: 4, SlowStartRetrans: 5, Timeouts: 6, LossProbes: 7,
			AbortOnData: 8, AbortOnClose: 9, AbortOnMemory: 10, AbortOnTimeout: 11, SpuriousRTOs: 12, BacklogDrop: 13, ReqQFullCookies: 14, ReqQFullDrop: 15,
			RetransFail: 16, OFOQueue: 17, SynRetrans: 18, RcvQDrop: 19, ZeroWindowDrop: 20},
		UDP:  capture.KernelUDP{InDatagrams: 1073, NoPorts: 66, InErrors: 55, OutDatagrams: 2074, RcvbufErrors: 44, SndbufErrors: 33},
		ICMP: capture.KernelICMP{InMsgs: 112, InErrors: 11, InDestUnreachs: 29, InTimeExcds: 33, OutMsgs: 207, OutDestUnreachs: 46},
		Interfaces: []capture.KernelInterface{
			{Name: "lo", Loopback: true, RxBytes: 3193, RxPackets: 29, TxBytes: 3193, TxPackets: 29},
			{Name: "eth0", RxBytes: 313003507, RxPackets: 19388, RxErrors: 1, RxDropped: 2, TxBytes: 1723901, TxPackets: 16473, TxErrors: 7, TxDropped: 8},
			{Name: "eth0:1", RxBytes: 1, RxPackets: 2, RxErrors: 3, RxDropped: 4, TxBytes: 9, TxPackets: 10, TxErrors: 11, TxDropped: 12},
		},
		UnixListeners: []string{"/run/my app.sock", "@abstract"}, UnixListening: 3,
		Process:  capture.ProcessFacts{UID: 65532, CapPrm: 0x2000, CapBnd: 0xa80425fb, NoNewPrivs: true, Seccomp: 2, UserNamespace: true},
		CGroup:   capture.CGroupFacts{Version: 2, Periods: 500, ThrottledPeriods: 30, ThrottledTime: 1234567000, MemoryCurrent: 50 << 20, MemoryMax: 128 << 20, MemoryHigh: 3, MemoryOOM: 1},
		TimeWait: 9, Orphans: 7, UDPSockets: 3, LocalPorts: [2]uint16{32768, 60999},
	}
	want.Sockets[capture.SocketListen], want.Sockets[capture.SocketEstablished] = 3, 2
	want.Sockets[capture.SocketCloseWait], want.Sockets[capture.SocketTimeWait] = 4, 1
	// A field that is compared as a whole is hard to read when it differs.
	g, w := reflect.ValueOf(*k), reflect.ValueOf(*want)
	for i := range g.NumField() {
		if !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
			t.Errorf("%s:\n got %+v\nwant %+v", g.Type().Field(i).Name, g.Field(i), w.Field(i))
		}
	}
}

// TestCGroupVersion1: the CPU group by its own path, memory at the top, as in a
// container whose cgroup file tells the host's paths.
func TestCGroupVersion1(t *testing.T) {
	k := readFixture(t, "cgroup1")
	if want := (capture.CGroupFacts{Version: 1, Periods: 40, ThrottledPeriods: 4, ThrottledTime: 5_000_000, MemoryCurrent: 1_000_000}); k.CGroup != want {
		t.Errorf("got %+v, want %+v", k.CGroup, want)
	}
	if !k.Has(capture.KnownCPU | capture.KnownMemory) {
		t.Errorf("known %b", k.Known)
	}
}

// TestPartsAreIndependent takes one file after the other away.
func TestPartsAreIndependent(t *testing.T) {
	all := readFixture(t, "cgroup2").Known
	for file, lost := range map[string]capture.KernelPart{
		"net/tcp": 0, "net/tcp6": 0, "net/snmp6": 0, "uid_map": 0,
		"net/snmp": capture.KnownTCP, "net/netstat": capture.KnownTCPExt, "net/dev": capture.KnownDevices, "net/unix": capture.KnownUnix,
		"net/sockstat": capture.KnownSocketStat, "status": capture.KnownProcess, "cgroup": capture.KnownCPU | capture.KnownMemory,
		"../sys/net/ipv4/ip_local_port_range": capture.KnownPortRange,
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("testdata")); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "pod", file)); err != nil {
			t.Fatal(err)
		}
		var k capture.Kernel
		if err := NewReader(Options{Proc: dir + "/pod", CGroup: dir + "/cgroup2", NoNetlink: true}).Read(&k); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if k.Known != all&^lost {
			t.Errorf("without %s known is %b, want %b", file, k.Known, all&^lost)
		}
	}
}

// TestDamagedFiles: a file that holds something else is as good as none.
func TestDamagedFiles(t *testing.T) {
	all := readFixture(t, "cgroup2").Known
	for file, lost := range map[string]capture.KernelPart{
		"net/snmp": capture.KnownTCP, "net/netstat": capture.KnownTCPExt, "net/sockstat": capture.KnownSocketStat,
		"status": capture.KnownProcess, "../sys/net/ipv4/ip_local_port_range": capture.KnownPortRange,
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("testdata")); err != nil {
			t.Fatal(err)
		}
		for _, content := range []string{"", "Tcp: \nTcp:\n\n", "60999\t32768\n", strings.Repeat("x", 3*maxLine), "TcpExt: A B\nTcpExt: -1 99999999999999999999\nCapPrm: zz\n"} {
			if err := os.WriteFile(filepath.Join(dir, "pod", file), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			var k capture.Kernel
			if err := NewReader(Options{Proc: dir + "/pod", CGroup: dir + "/cgroup2", NoNetlink: true}).Read(&k); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			if k.Known != all&^lost {
				t.Errorf("with %s as %.20q known is %b, want %b", file, content, k.Known, all&^lost)
			}
		}
	}
}

func TestNothingToRead(t *testing.T) {
	var k capture.Kernel
	err := NewReader(Options{Proc: t.TempDir(), CGroup: t.TempDir(), NoNetlink: true}).Read(&k)
	if err == nil || !strings.Contains(err.Error(), "net/tcp") || k.Known != 0 {
		t.Errorf("known %b, error %v", k.Known, err)
	}
}

// TestLongLine: a line beyond the buffer is cut, and the next is read whole.
func TestLongLine(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("a\n"+strings.Repeat("b", 2*maxLine+7)+"\nc\nd"), 0o644); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := NewReader(Options{}).fileLines(name, func(l []byte) { got = append(got, fmt.Sprintf("%d%c", len(l), l[0])) }); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprint([]string{"1a", fmt.Sprintf("%db", maxLine), "1c", "1d"}); fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// manySockets writes a table of n sockets as of a busy host and returns its folder.
func manySockets(t testing.TB, n int) string {
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/net", 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(dir + "/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "%-149s\n", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode")
	for i := range n {
		state := "01"
		switch {
		case i < 300:
			state = "0A"
		case i%10 == 0:
			state = "08"
		}
		fmt.Fprintf(w, "%-149s\n", fmt.Sprintf("%4d: 0500000A:%04X %08X:%04X %s 00000000:00000000 00:00000000 00000000     0        0 %d 1 00000000a967b866 20 4 30 10 -1", i, 8000+i%300, 0x0100000A+i<<8, 1024+i%60000, state, i))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestBounds: 50,000 sockets are counted, not listed, and cost next to no memory.
func TestBounds(t *testing.T) {
	dir := manySockets(t, 50_000)
	r := NewReader(Options{Proc: dir, NoNetlink: true})
	var k capture.Kernel
	read := func() {
		k.Reset()
		if err := r.sockets(&k); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if len(k.Listeners) != capture.MaxKernelListeners || k.Sockets[capture.SocketListen] != 300 {
		t.Errorf("%d listeners listed, %d counted", len(k.Listeners), k.Sockets[capture.SocketListen])
	}
	if len(k.Established) != capture.MaxKernelEstablished || k.Sockets[capture.SocketEstablished] != 44_730 || k.Sockets[capture.SocketCloseWait] != 4_970 {
		t.Errorf("%d listed, %v counted", len(k.Established), k.Sockets)
	}
	if len(k.CloseWait) > capture.MaxKernelListeners+1 {
		t.Errorf("%d ports with CLOSE_WAIT", len(k.CloseWait))
	}
	if n := testing.AllocsPerRun(3, read); n > 20 {
		t.Errorf("%.0f allocations for 50,000 lines", n)
	}
}

// TestOracle compares with prometheus/procfs over the fixture and the live system.
func TestOracle(t *testing.T) {
	for _, root := range []string{"testdata/pod", "/proc/self"} {
		var k capture.Kernel
		if err := NewReader(Options{Proc: root, NoNetlink: true}).Read(&k); err != nil {
			t.Fatal(err)
		}
		fs, err := procfs.NewFS(root)
		if err != nil {
			t.Fatal(err)
		}
		if root != "testdata/pod" { // its tcp holds lines that procfs refuses
			//lint:ignore SA1019 the library's reading is what ours is compared with
			sockets, err := fs.NetTCP()
			if err != nil {
				t.Fatal(err)
			}
			listening := 0
			for _, s := range sockets {
				if s.St == uint64(capture.SocketListen) {
					listening++
				}
			}
			v4 := 0
			for _, l := range k.Listeners {
				if !l.V6 {
					v4++
				}
			}
			if v4 != listening {
				t.Errorf("%s: %d listeners, procfs says %d", root, v4, listening)
			}
			stat, err := fs.NetSockstat()
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range stat.Protocols {
				if p.Protocol == "TCP" && p.Orphan != nil && uint32(*p.Orphan) != k.Orphans {
					t.Errorf("%s: %d orphans, procfs says %d", root, k.Orphans, *p.Orphan)
				}
			}
			dev, err := fs.NetDev()
			if err != nil {
				t.Fatal(err)
			}
			if len(dev) != len(k.Interfaces) {
				t.Errorf("%s: %d interfaces, procfs says %d", root, len(k.Interfaces), len(dev))
			}
			for _, i := range k.Interfaces {
				if d, ok := dev[i.Name]; !ok || d.RxErrors != i.RxErrors || d.TxDropped != i.TxDropped {
					t.Errorf("%s: %s is %+v, procfs says %+v", root, i.Name, i, d)
				}
			}
		}
		unix, err := fs.NetUNIX()
		if err != nil {
			t.Fatal(err)
		}
		listening := uint32(0)
		for _, u := range unix.Rows {
			if u.Flags&(1<<16) != 0 {
				listening++
			}
		}
		if listening != k.UnixListening {
			t.Errorf("%s: %d unix listeners, procfs says %d", root, k.UnixListening, listening)
		}
	}
}

func FuzzLines(f *testing.F) {
	for _, name := range []string{"tcp", "tcp6", "dev", "unix", "snmp", "netstat", "sockstat"} {
		b, err := os.ReadFile("testdata/pod/net/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(Options{NoNetlink: true})
		r.open = func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
		var k, again capture.Kernel
		r.Read(&k)
		r.Read(&again)
		if len(k.Listeners) > capture.MaxKernelListeners || len(k.Established) > capture.MaxKernelEstablished || len(k.UnixListeners) > capture.MaxKernelUnix || len(k.CloseWait) > capture.MaxKernelListeners+1 {
			t.Error("a bound was passed")
		}
		if !reflect.DeepEqual(k, again) {
			t.Error("two readings of the same differ")
		}
	})
}

func BenchmarkSockets50k(b *testing.B) {
	dir := manySockets(b, 50_000)
	r := NewReader(Options{Proc: dir, NoNetlink: true})
	var k capture.Kernel
	b.ReportAllocs()
	for b.Loop() {
		k.Reset()
		if err := r.sockets(&k); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkProcfs50k is the library on the same table, for comparison.
func BenchmarkProcfs50k(b *testing.B) {
	fs, err := procfs.NewFS(manySockets(b, 50_000))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		//lint:ignore SA1019 the library's reading is what ours is compared with
		if _, err := fs.NetTCP(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	r := NewReader(Options{})
	var k capture.Kernel
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Read(&k); err != nil {
			b.Fatal(err)
		}
	}
}
