package afpacket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// setNetRaw takes CAP_NET_RAW out of every set that is not named.
func setNetRaw(t *testing.T, bounding, permitted, effective bool) {
	t.Helper()
	if !bounding {
		if err := cap.DropBound(cap.NET_RAW); err != nil {
			t.Fatal(err)
		}
	}
	set := cap.GetProc()
	for flag, on := range map[cap.Flag]bool{cap.Permitted: permitted, cap.Effective: effective, cap.Inheritable: false} {
		if err := set.SetFlag(flag, on, cap.NET_RAW); err != nil {
			t.Fatal(err)
		}
	}
	if err := set.SetProc(); err != nil {
		t.Fatal(err)
	}
}

// denyPacketSockets makes socket(AF_PACKET) fail by a seccomp filter.
func denyPacketSockets(t *testing.T, errno syscall.Errno) {
	t.Helper()
	prog, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 4}, // seccomp_data.nr, in host order
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SYS_SOCKET, SkipFalse: 3},
		bpf.LoadAbsolute{Off: 16, Size: 4}, // the low half of args[0]
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_PACKET, SkipFalse: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW},
	})
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]unix.SockFilter, len(prog))
	for i, in := range prog {
		raw[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(raw)), Filter: &raw[0]}
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if e != 0 {
		t.Fatal(e)
	}
}

// Each way in which a packet socket can be refused is told from the others.
func TestPermission(t *testing.T) {
	foreign := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
	}
	for _, c := range []struct {
		name    string
		attr    *syscall.SysProcAttr
		prepare func(t *testing.T)
		check   func(e *PermissionError) bool
	}{
		{"not granted", nil, func(t *testing.T) { setNetRaw(t, false, false, false) },
			func(e *PermissionError) bool { return !e.Bounding && !e.Permitted && !e.Effective && e.Seccomp == 0 }},
		{"granted but not effective", nil, func(t *testing.T) { setNetRaw(t, true, false, false) },
			func(e *PermissionError) bool { return e.Bounding && !e.Permitted && !e.Effective }},
		{"refused by seccomp", nil, func(t *testing.T) { denyPacketSockets(t, unix.EPERM) },
			func(e *PermissionError) bool { return e.Effective && e.Permitted && e.Seccomp == 2 && e.NoNewPrivs }},
		{"network of another user namespace", foreign, func(t *testing.T) {},
			func(e *PermissionError) bool { return e.Effective && e.UserNamespace && e.Seccomp == 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			netnstest.Child(t, c.attr, func(t *testing.T) {
				c.prepare(t)
				_, err := Open(Config{})
				var e *PermissionError
				if !errors.Is(err, ErrNotPermitted) || !errors.As(err, &e) {
					t.Fatalf("Open: %v", err)
				}
				if !errors.Is(err, os.ErrPermission) || !c.check(e) || e.Unknown || e.UID != os.Geteuid() {
					t.Errorf("%v: %+v", err, e.Permission)
				}
				t.Log(err)
			})
		})
	}
	t.Run("no packet sockets", func(t *testing.T) {
		netnstest.Child(t, nil, func(t *testing.T) {
			denyPacketSockets(t, unix.EAFNOSUPPORT)
			if _, err := Open(Config{}); !errors.Is(err, ErrUnsupported) || errors.Is(err, ErrNotPermitted) {
				t.Errorf("Open: %v", err)
			}
		})
	})
}

// statusOfThreads returns the distinct values that a line of status has in the
// threads of this process.
func statusOfThreads(t *testing.T, key string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(files) < 2 {
		t.Fatalf("threads: %v, %v", files, err)
	}
	values := map[string]bool{}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if k, v, _ := strings.Cut(line, ":"); k == key {
				values[strings.TrimSpace(v)] = true
			}
		}
	}
	var out []string
	for v := range values {
		out = append(out, v)
	}
	return out
}

// With the file capability cap_net_raw=p the capability is permitted and not
// effective: Open raises it, and has lowered it when it returns.
func TestRaisesPermitted(t *testing.T) {
	netnstest.Child(t, nil, func(t *testing.T) {
		setNetRaw(t, true, true, false)
		s, err := Open(Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for _, v := range statusOfThreads(t, "CapEff") {
			var bits uint64
			if _, err := fmt.Sscanf(v, "%x", &bits); err != nil || bits&(1<<unix.CAP_NET_RAW) != 0 {
				t.Errorf("CapEff %s, %v: CAP_NET_RAW is still effective", v, err)
			}
		}
	})
}

// After DropPrivileges no thread has a capability, none can come back, and the
// source goes on, on interfaces too that appear only then.
func TestDropPrivileges(t *testing.T) {
	netnstest.Child(t, netnstest.Isolated(), func(t *testing.T) {
		ns := netnstest.New(t)
		var s, named *Source
		later := task("veth", "late0")
		ns.Must(t, func() (err error) {
			if s, err = Open(Config{RetireTimeout: 20 * time.Millisecond}); err != nil {
				return err
			}
			// A socket may be bound without the capability.
			if named, err = Open(Config{Interfaces: []string{"late0"}, RetireTimeout: 20 * time.Millisecond}); err != nil {
				return err
			}
			return later.Start()
		})
		var threads sync.WaitGroup
		block := make(chan struct{})
		defer threads.Wait()
		defer close(block)
		for range 4 { // threads that are there and wait
			threads.Go(func() { _ = ns.Do(func() error { <-block; return nil }) })
		}
		var ln net.PacketConn
		ns.Must(t, func() (err error) { ln, err = net.ListenPacket("udp", "127.0.0.1:0"); return err })

		if err := DropPrivileges(); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{
			"CapEff": strings.Repeat("0", 16), "CapPrm": strings.Repeat("0", 16), "CapInh": strings.Repeat("0", 16),
			"CapBnd": strings.Repeat("0", 16), "CapAmb": strings.Repeat("0", 16), "NoNewPrivs": "1",
		} {
			if got := statusOfThreads(t, key); len(got) != 1 || got[0] != want {
				t.Errorf("%s is %v in the threads, want %s", key, got, want)
			}
		}
		if d, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); d != 0 || err != nil {
			t.Errorf("dumpable %d, %v", d, err)
		}
		if _, err := Open(Config{}); !errors.Is(err, ErrNotPermitted) {
			t.Errorf("Open again: %v", err)
		}

		if _, err := ln.WriteTo([]byte("still here"), ln.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		var f capture.Frame
		var st capture.SourceStats
		on, onNamed := map[string]int{}, 0
		for begin := time.Now(); time.Since(begin) < 2500*time.Millisecond; {
			switch err := s.Next(&f); {
			case errors.Is(err, capture.ErrIdle):
			case err != nil:
				t.Fatal(err)
			default:
				s.Stats(&st)
				on[st.Interfaces[f.Interface].Name]++
			}
			switch err := named.Next(&f); {
			case errors.Is(err, capture.ErrIdle):
			case err != nil:
				t.Fatal(err)
			case strings.HasSuffix(string(f.Data), "on a new interface"):
				onNamed++
			}
		}
		if err := later.Wait(); err != nil {
			t.Fatal(err)
		}
		if onNamed != 1 {
			t.Errorf("the socket for late0 saw the frame %d times, want once", onNamed)
		}
		if on["lo"] != 1 || on["late0"] == 0 || on["late0peer"] == 0 || on[""] != 0 {
			t.Errorf("frames by interface: %v, want 1 on lo and some on late0 and late0peer", on)
		}
	})
}

// A ring that does not fit is halved until it does, and the source says so.
func TestRingRefused(t *testing.T) {
	netnstest.Child(t, nil, func(t *testing.T) {
		var size int
		b, err := os.ReadFile("/proc/self/statm")
		if err == nil {
			_, err = fmt.Sscan(string(b), &size)
		}
		if err != nil {
			t.Fatal(err)
		}
		// Room for one of the rings or less: Go's heap may take 64 MiB of it.
		limit := uint64(size*os.Getpagesize() + 150<<20)
		if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Config{RingBytes: 320 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.RingBytes() >= 320<<20 || s.RingBytes() < 2*MinBlockBytes || len(s.Notes()) == 0 {
			t.Errorf("%d bytes, notes %v", s.RingBytes(), s.Notes())
		}
		for _, n := range s.Notes() {
			if n.Kind != NoteRingReduced || n.Asked != 160<<20 || n.Got >= n.Asked || !errors.Is(n.Err, unix.ENOMEM) {
				t.Errorf("note %+v", n)
			}
			t.Log(n)
		}
	})
}
