package wiretellreceiver

import (
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture"
)

// ownSockets keeps in flows the TCP connections that this process has opened: what a
// Collector sends is its own traffic. Those that it accepted are not: they are
// what others send.
type ownSockets struct {
	flows *capture.OwnFlows
	known map[capture.OwnFlow]time.Time // when each was last there
	next  time.Time                     // the next look is not before
}

const (
	// ownLinger is how long a connection that is gone stays known: its last packets
	// are still on the way.
	ownLinger = 5 * time.Second
	// ownPause is the time between two looks for each file that is open. A look
	// at it takes some microseconds.
	ownPause = 200 * time.Microsecond
)

// look brings flows up to date. Done before the frames of a block are read it
// finds each connection that was begun in the block and is still open, so that
// its first packet is known as well.
func (o *ownSockets) look() {
	begun := time.Now()
	if begun.Before(o.next) {
		return
	}
	if o.known == nil {
		o.known = make(map[capture.OwnFlow]time.Time)
	}
	opened, files := openedHere()
	for _, f := range opened {
		if _, ok := o.known[f]; !ok {
			o.flows.Add(f)
		}
		o.known[f] = begun
	}
	for f, last := range o.known {
		if begun.Sub(last) > ownLinger {
			o.flows.Remove(f)
			delete(o.known, f)
		}
	}
	o.next = begun.Add(time.Duration(files) * ownPause)
}

// openedHere returns the TCP connections that this process has opened or is
// opening, of which the peer cannot be asked for, and how many files it has open.
func openedHere() (all []capture.OwnFlow, files int) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil, 0
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, 0
	}
	listening := make(map[uint16]bool)
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		local, err := unix.Getsockname(fd)
		at := addrPort(local)
		if err != nil || at.Port() == 0 { // no socket, or none of the Internet
			continue
		}
		// Go listens with Multipath TCP where there is any.
		if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || kind != unix.IPPROTO_TCP && kind != unix.IPPROTO_MPTCP {
			continue
		}
		f := capture.OwnFlow{Transport: capture.TCP, LocalPort: at.Port()}
		if peer, err := unix.Getpeername(fd); err == nil {
			f.Peer = addrPort(peer)
		} else if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || on != 0 {
			listening[f.LocalPort] = true
			continue
		}
		all = append(all, f)
	}
	n := 0
	for _, f := range all {
		if !listening[f.LocalPort] { // else it was accepted
			all[n] = f
			n++
		}
	}
	return all[:n], len(names)
}

// addrPort converts a; the zero value stands for what is no address of the Internet.
func addrPort(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}
