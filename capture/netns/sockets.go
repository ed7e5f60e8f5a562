package netns

import (
	"bytes"
	"encoding/binary"

	"github.com/wiretell/wiretell/capture"
)

// sockets reads /proc/net/tcp and tcp6. The kernel lists listeners first, so
// that a CLOSE_WAIT socket can be laid to its listener in one pass.
func (r *Reader) sockets(k *capture.Kernel) error {
	err := r.lines("net/tcp", func(l []byte) { socketLine(k, l, false) })
	// A kernel without IPv6 has no tcp6, and one file is enough.
	if err6 := r.lines("net/tcp6", func(l []byte) { socketLine(k, l, true) }); err6 == nil {
		err = nil
	}
	if err == nil && !r.opt.NoNetlink {
		backlogs(k) // what cannot be asked stays 0
	}
	return err
}

// socketLine takes one line as in Linux, Documentation/networking/proc_net_tcp.rst:
//
//	0: 0100007F:1F90 00000000:0000 0A 00000000:00000002 ...
//
// number, local address, remote address, state, transmit and receive queue; for
// a listener the receive queue is how many connections wait to be accepted.
func socketLine(k *capture.Kernel, line []byte, v6 bool) {
	_, line = field(line)
	local, line := field(line)
	remote, line := field(line)
	st, line := field(line)
	state, ok := hex(st)
	if !ok || state == 0 || state >= uint64(capture.NumSocketStates) {
		return // the head line
	}
	from, ok := endpoint(local)
	if !ok {
		return
	}
	k.Sockets[state]++
	if to, ok := endpoint(remote); ok && capture.SocketState(state) != capture.SocketListen && !listens(k, from.Port) {
		countRemote(k, to)
	}
	switch capture.SocketState(state) {
	case capture.SocketListen:
		if len(k.Listeners) == capture.MaxKernelListeners {
			return
		}
		queues, line := field(line)
		_, rx, _ := bytes.Cut(queues, []byte(":"))
		n, _ := hex(rx)
		_, line = field(line) // timer
		_, line = field(line) // retransmits
		word, _ := field(line)
		uid, _ := decimal(word)
		k.Listeners = append(k.Listeners, capture.Listener{Addr: from, V6: v6, Queue: uint32(n), UID: uint32(uid)})
	case capture.SocketEstablished:
		if to, ok := endpoint(remote); ok && len(k.Established) < capture.MaxKernelEstablished {
			k.Established = append(k.Established, capture.SocketPair{Local: from, Remote: to})
		}
	case capture.SocketCloseWait:
		countCloseWait(k, from.Port)
	}
}

func listens(k *capture.Kernel, port uint16) bool {
	for i := range k.Listeners {
		if k.Listeners[i].Addr.Port == port {
			return true
		}
	}
	return false
}

func countRemote(k *capture.Kernel, to capture.Endpoint) {
	for i := range k.Remotes {
		if k.Remotes[i].Remote == to {
			k.Remotes[i].Count++
			return
		}
	}
	if len(k.Remotes) < capture.MaxKernelRemotes {
		k.Remotes = append(k.Remotes, capture.RemoteCount{Remote: to, Count: 1})
	}
}

func countCloseWait(k *capture.Kernel, port uint16) {
	if !listens(k, port) {
		port = 0
	}
	for i := range k.CloseWait {
		if k.CloseWait[i].Port == port {
			k.CloseWait[i].Count++
			return
		}
	}
	// As many entries as there are listeners, and one: bounded.
	k.CloseWait = append(k.CloseWait, capture.PortCount{Port: port, Count: 1})
}

// endpoint parses ADDRESS:PORT, where the address is one (IPv4) or four (IPv6)
// 32-bit words in the byte order of this machine.
func endpoint(b []byte) (e capture.Endpoint, ok bool) {
	a, p, ok := bytes.Cut(b, []byte(":"))
	if !ok {
		return e, false
	}
	port, ok := hex(p)
	if !ok || port > 0xffff {
		return e, false
	}
	e.Port = uint16(port)
	at := 0
	switch len(a) {
	case 8:
		e.Addr[10], e.Addr[11] = 0xff, 0xff
		at = 12
	case 32:
	default:
		return e, false
	}
	for ; len(a) > 0; a, at = a[8:], at+4 {
		w, ok := hex(a[:8])
		if !ok {
			return e, false
		}
		binary.NativeEndian.PutUint32(e.Addr[at:], uint32(w))
	}
	return e, true
}
