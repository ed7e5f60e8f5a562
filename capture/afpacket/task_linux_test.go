package afpacket

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// envTask makes the test binary a helper process that does one thing (see
// runTask) instead of running tests: for what another process has to do.
const envTask = "AFPACKET_TEST_TASK"

func task(name string, args ...string) *exec.Cmd {
	env := []string{envTask + "=" + name}
	for i, a := range args {
		env = append(env, fmt.Sprintf("AFPACKET_TEST_ARG%d=%s", i, a))
	}
	return netnstest.Command(env...)
}

func runTask(name string) int {
	arg := func(i int) string { return os.Getenv(fmt.Sprintf("AFPACKET_TEST_ARG%d", i)) }
	var err error
	switch name {
	case "veth":
		err = makeVeth(arg(0))
	case "flood":
		var n, size, rate int
		if n, err = strconv.Atoi(arg(1)); err == nil {
			size, err = strconv.Atoi(arg(2))
		}
		if err == nil {
			rate, err = strconv.Atoi(arg(3))
		}
		if err == nil {
			err = flood(arg(0), n, size, rate)
		}
	default:
		err = fmt.Errorf("no such task: %q", name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "task", name+":", err)
		return 1
	}
	return 0
}

// makeVeth makes a veth pair in this namespace, half a second from now, sets it
// up, and sends a frame out of its second end when there was time to follow.
func makeVeth(name string) error {
	time.Sleep(500 * time.Millisecond)
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "peer"}); err != nil {
		return err
	}
	for _, n := range []string{name, name + "peer"} {
		l, err := netlink.LinkByName(n)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(l); err != nil {
			return err
		}
	}
	time.Sleep(500 * time.Millisecond)
	peer, err := net.InterfaceByName(name + "peer")
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, udpFrame("on a new interface"), 0, &unix.SockaddrLinklayer{Ifindex: peer.Index})
}

// flood sends n UDP datagrams of size bytes to addr, rate of them per second (0:
// as fast as it goes).
func flood(addr string, n, size, rate int) error {
	c, err := net.Dial("udp4", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	const batch = 64
	msgs := make([]ipv4.Message, batch)
	for i := range msgs {
		msgs[i].Buffers = [][]byte{make([]byte, size)}
	}
	pc := ipv4.NewPacketConn(c.(*net.UDPConn))
	begin := time.Now()
	for sent := 0; sent < n; {
		if rate > 0 {
			if ahead := time.Duration(sent)*time.Second/time.Duration(rate) - time.Since(begin); ahead > time.Millisecond {
				time.Sleep(ahead)
			}
		}
		m, err := pc.WriteBatch(msgs[:min(batch, n-sent)], 0)
		if err != nil {
			return err
		}
		sent += m
	}
	return nil
}
