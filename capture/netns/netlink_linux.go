package netns

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture"
)

// links asks rtnetlink for the state, MTU and addresses of every interface.
func (r *Reader) links(k *capture.Kernel) error {
	if r.opt.NoNetlink {
		return errNotAsked
	}
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		a := l.Attrs()
		d := device(k, []byte(a.Name))
		d.Index, d.MTU = a.Index, a.MTU
		d.Up = a.Flags&net.FlagUp != 0
		d.Loopback = a.Flags&net.FlagLoopback != 0
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		if !ok {
			continue
		}
		ones, _ := a.Mask.Size()
		for i := range k.Interfaces {
			if d := &k.Interfaces[i]; d.Index == a.LinkIndex {
				d.Addrs = append(d.Addrs, netip.PrefixFrom(ip.Unmap(), ones))
			}
		}
	}
	return nil
}

// backlogs asks sock_diag for the listeners only, and fills in their backlog
// (linux/inet_diag.h: for a listener idiag_wqueue is the greatest length of
// its accept queue).
func backlogs(k *capture.Kernel) {
	for _, family := range [...]uint8{unix.AF_INET, unix.AF_INET6} {
		req := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
		var b [56]byte // struct inet_diag_req_v2
		b[0], b[1] = family, unix.IPPROTO_TCP
		binary.NativeEndian.PutUint32(b[4:], 1<<capture.SocketListen)
		req.AddRawData(b[:])
		messages, err := req.Execute(unix.NETLINK_INET_DIAG, 0)
		if err != nil {
			continue
		}
		for _, m := range messages {
			if len(m) >= 72 { // struct inet_diag_msg
				setBacklog(k, m)
			}
		}
	}
}

func setBacklog(k *capture.Kernel, m []byte) {
	e := capture.Endpoint{Port: binary.BigEndian.Uint16(m[4:])}
	if m[0] == unix.AF_INET {
		e = capture.EndpointOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte(m[8:12])), e.Port))
	} else {
		copy(e.Addr[:], m[8:24])
	}
	for i := range k.Listeners {
		if l := &k.Listeners[i]; l.Addr == e && l.V6 == (m[0] == unix.AF_INET6) {
			l.Backlog = binary.NativeEndian.Uint32(m[60:])
		}
	}
}
