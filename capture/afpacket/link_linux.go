package afpacket

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture"
)

// maxDeadLinks is how many deleted interfaces are remembered, since frames of
// them may still be in a ring.
const maxDeadLinks = 1024

// links knows the interfaces of the network namespace: a NETLINK_ROUTE socket
// (rtnetlink(7)) that is asked once and told of every change thereafter. It
// needs no privilege.
type links struct {
	fd  int
	buf []byte

	byIndex map[uint32]link
	byName  map[string]uint32 // live interfaces
	slots   map[string]uint16 // position in table
	table   []capture.Interface
	dead    int

	ways int  // live interfaces, beside loopback, that are or were up
	left bool // there were such, and the last is gone
}

type link struct {
	name string
	typ  uint16 // ARPHRD
	up   bool
	dead bool
	way  bool // counted in ways
}

func openLinks() (*links, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, socketError("open NETLINK_ROUTE socket", err)
	}
	l := &links{
		fd: fd, buf: make([]byte, 64<<10),
		byIndex: make(map[uint32]link), byName: make(map[string]uint32), slots: make(map[string]uint16),
	}
	// Subscribed first and asked second, so that no change is missed between.
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK})
	if err == nil {
		err = l.ask()
	}
	if err == nil {
		_, err = l.update()
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	return l, nil
}

// ask requests the list of all interfaces.
func (l *links) ask() error {
	var req [unix.NLMSG_HDRLEN + unix.SizeofIfInfomsg]byte
	native.PutUint32(req[0:], uint32(len(req)))
	native.PutUint16(req[4:], unix.RTM_GETLINK)
	native.PutUint16(req[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	return unix.Sendto(l.fd, req[:], 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// update reads what the kernel has to tell and reports whether it was anything.
func (l *links) update() (changed bool, err error) {
	lost := false // messages were, so those still waiting are out of date
	for {
		n, err := unix.Read(l.fd, l.buf) // unlike recvfrom, it allocates nothing
		switch {
		case errors.Is(err, unix.EAGAIN) && !lost:
			return changed, nil
		case errors.Is(err, unix.EAGAIN):
			// All that waited is thrown away: begin again.
			lost, changed = false, true
			l.forget()
			if err := l.ask(); err != nil {
				return changed, err
			}
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOBUFS):
			lost = true
			continue
		case err != nil:
			return changed, err
		}
		if lost {
			continue
		}
		msgs, err := syscall.ParseNetlinkMessage(l.buf[:n])
		if err != nil {
			return changed, err
		}
		for i := range msgs {
			changed = l.message(&msgs[i]) || changed
		}
	}
}

func (l *links) message(m *syscall.NetlinkMessage) bool {
	typ := m.Header.Type
	if typ != unix.RTM_NEWLINK && typ != unix.RTM_DELLINK || len(m.Data) < unix.SizeofIfInfomsg {
		return false
	}
	if m.Data[0] != unix.AF_UNSPEC {
		return false // a bridge tells of its ports, not of interfaces
	}
	index := native.Uint32(m.Data[4:])
	if typ == unix.RTM_DELLINK {
		l.remove(index)
		return true
	}
	attrs, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return false
	}
	for _, a := range attrs {
		if a.Attr.Type == unix.IFLA_IFNAME {
			name := unix.ByteSliceToString(a.Value)
			l.set(index, link{
				name: name,
				typ:  native.Uint16(m.Data[2:]),
				up:   native.Uint32(m.Data[8:])&unix.IFF_UP != 0,
			})
			return true
		}
	}
	return false
}

// set notes that the interface exists, is called so, and is up or down.
func (l *links) set(index uint32, k link) {
	if old, ok := l.byIndex[index]; ok {
		if old.dead {
			l.dead--
		} else if old.name != k.name {
			l.drop(index, old.name)
		}
		k.way = old.way && !old.dead
	}
	// Tunnels that the kernel makes in every namespace are never up.
	if !k.way && k.up && k.typ != arphrdLoopback {
		k.way = true
		l.ways++
		l.left = false
	}
	l.byIndex[index] = k
	l.byName[k.name] = index
	// Many are made under one name and renamed before they are first up: only
	// then they get their place in the table.
	if _, ok := l.slots[k.name]; !ok && !k.up {
		return
	}
	if slot := l.slot(k.name, k.typ); l.table[slot].Name != "" {
		l.table[slot].Up = k.up
	}
}

// drop ends what a name stood for.
func (l *links) drop(index uint32, name string) {
	if l.byName[name] == index {
		delete(l.byName, name)
		if slot, ok := l.slots[name]; ok {
			l.table[slot].Up = false
		}
	}
}

func (l *links) remove(index uint32) {
	k, ok := l.byIndex[index]
	if !ok || k.dead {
		return
	}
	l.drop(index, k.name)
	if k.way {
		l.ways--
		l.left = l.ways == 0
	}
	k.dead, k.way = true, false
	l.byIndex[index] = k
	if l.dead++; l.dead > maxDeadLinks {
		for i, k := range l.byIndex {
			if k.dead {
				delete(l.byIndex, i)
			}
		}
		l.dead = 0
	}
}

func (l *links) forget() {
	for i := range l.byIndex {
		l.remove(i)
	}
}

// slot returns the position in the table of the interface with this name. An
// interface that is deleted and made anew keeps its position. Beyond the bound,
// and for the name "", it is the position of the one entry without a name.
func (l *links) slot(name string, typ uint16) uint16 {
	if len(l.table) >= MaxInterfaces-1 {
		if _, ok := l.slots[name]; !ok {
			name = ""
		}
	}
	if s, ok := l.slots[name]; ok {
		return s
	}
	s := uint16(len(l.table))
	l.slots[name] = s
	l.table = append(l.table, capture.Interface{Name: name, Link: linkType(typ), Loopback: typ == arphrdLoopback})
	return s
}

// knows reports whether the kernel has told of the interface.
func (l *links) knows(index uint32) bool {
	_, ok := l.byIndex[index]
	return ok
}

// find returns the position of the interface that a frame came from.
func (l *links) find(index uint32, hatype uint16) uint16 {
	return l.slot(l.byIndex[index].name, hatype)
}

func (l *links) close() { _ = unix.Close(l.fd) }
