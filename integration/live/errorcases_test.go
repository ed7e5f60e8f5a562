package live

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ask and serve make a whole exchange, at either end.
func (e *end) ask()   { e.say(e.get()); e.hear(answer) }
func (e *end) serve() { e.hear(e.get()); e.say(answer) }

// cut is a response of which less came than it announced.
const cut = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this"

// answered is a server that answers one request and closes after the client.
func answered(e *end) { e.serve(); e.ended() }

// unrouted are addresses that the router has a route to only in part.
func unrouted(which byte) func(*errorPath) [2]netip.Addr {
	return func(*errorPath) [2]netip.Addr {
		return [2]netip.Addr{netip.AddrFrom4([4]byte{10, 99, which, 1}), netip.AddrFrom16([16]byte{0xfd, 0x99, 7: which, 15: 1})}
	}
}

var errorCases = []errorCase{
	// Connects that fail.
	{name: "refused",
		client: []string{"tcp.connect_failed error=refused cause=refused attempts=1 client"},
		server: []string{"tcp.connect_failed error=refused cause=refused attempts=1 server"},
	},
	{name: "dropped", rules: "tcp dport PORT drop",
		client: []string{"tcp.connect_failed error=timed_out cause=no_answer attempts=2 client"},
	},
	{name: "answer-dropped", rules: "tcp sport PORT drop", listens: true,
		client: []string{"tcp.connect_failed error=timed_out cause=no_answer attempts=2 client"},
		server: []string{"tcp.connect_failed error=timed_out cause=syn_ack_unanswered attempts=2 server"},
	},
	{name: "rejected-by-reset", rules: "tcp dport PORT reject with tcp reset",
		client: []string{"tcp.connect_failed error=refused cause=refused attempts=1 client"},
	},
	{name: "port-unreachable", rules: "tcp dport PORT reject with icmpx type port-unreachable", icmp: [2]string{"3/3", "1/4"},
		client: rejected("port_unreachable"),
	},
	{name: "host-unreachable", rules: "tcp dport PORT reject with icmpx type host-unreachable", icmp: [2]string{"3/1", "1/3"},
		client: rejected("host_unreachable"),
	},
	{name: "admin-prohibited", rules: "tcp dport PORT reject with icmpx type admin-prohibited", icmp: [2]string{"3/13", "1/1"},
		client: rejected("admin_prohibited"),
	},
	{name: "net-unreachable", target: unrouted(1), icmp: [2]string{"3/0", "1/0"},
		client: rejected("net_unreachable"),
	},
	{name: "ttl-exceeded", hops: 1, icmp: [2]string{"11/0", "3/0"},
		client: rejected("ttl_exceeded"),
	},
	{name: "backlog-full", listens: true, full: true,
		client: []string{"tcp.connect_failed error=timed_out cause=no_answer attempts=2 client"},
		server: []string{"tcp.connect_failed error=timed_out cause=no_answer attempts=2 server"},
	},

	// ICMP errors on connections that live.
	{name: "icmp-in-request",
		rules: "tcp dport PORT tcp flags & psh == psh limit rate 1/hour burst 1 packets reject with icmpx type host-unreachable",
		call:  (*end).ask, serve: answered, icmp: [2]string{"3/1", "1/3"},
		client: []string{"icmp.error error=host_unreachable receive icmp=ICMP in=GET/icmp-in-request client"},
	},
	{name: "icmp-forged", call: (*end).ask, serve: func(e *end) {
		e.hear(e.get())
		e.forge()
		e.say(answer)
		e.ended()
	}, icmp: [2]string{"3/3", "1/4"},
		client: []string{"icmp.error error=port_unreachable receive icmp=ICMP"},
		server: []string{"icmp.error error=port_unreachable transmit icmp=ICMP"},
	},
	{name: "packet-too-big", target: func(p *errorPath) [2]netip.Addr { return p.narrow }, icmp: [2]string{"3/4", "2/0"},
		call: func(e *end) { e.say(e.post(3000)); e.hear(answer) }, serve: func(e *end) {
			e.hear(e.post(3000))
			e.say(answer)
			e.ended()
		},
		client: []string{"icmp.error receive mtu=1280 icmp=ICMP in=POST/packet-too-big client"},
	},

	// Resets.
	{name: "reset-in-request",
		call:  func(e *end) { e.say(e.post(1000)[:500]); e.ended() },
		serve: func(e *end) { e.hear(e.post(1000)[:500]); e.reset() },
		client: []string{
			"tcp.reset peer phase=request in=POST/reset-in-request client",
			"http.exchange_incomplete peer error=reset cause=reset_by_server body=431/1000 in=POST/reset-in-request client"},
		server: []string{
			"tcp.reset local phase=request in=POST/reset-in-request server",
			"http.exchange_incomplete local error=reset cause=reset_by_server body=431/1000 in=POST/reset-in-request server"},
	},
	{name: "reset-instead-of-response",
		call:  func(e *end) { e.say(e.get()); e.ended() },
		serve: func(e *end) { e.hear(e.get()); e.reset() },
		client: []string{
			"tcp.reset peer phase=request in=GET/reset-instead-of-response client",
			"http.exchange_incomplete peer error=reset cause=reset_by_server in=GET/reset-instead-of-response client"},
		server: []string{
			"tcp.reset local phase=request in=GET/reset-instead-of-response server",
			"http.exchange_incomplete local error=reset cause=reset_by_server in=GET/reset-instead-of-response server"},
	},
	{name: "reset-in-response",
		call:  func(e *end) { e.say(e.get()); e.hear(cut); e.sync <- struct{}{}; e.ended() },
		serve: func(e *end) { e.hear(e.get()); e.say(cut); <-e.sync; e.reset() },
		client: []string{
			"tcp.reset peer phase=response in=GET/reset-in-response client",
			"http.unexpected_eof peer error=reset cause=reset_by_server body=9/1000 in=GET/reset-in-response client"},
		server: []string{
			"tcp.reset local phase=response in=GET/reset-in-response server",
			"http.unexpected_eof local error=reset cause=reset_by_server body=9/1000 in=GET/reset-in-response server"},
	},
	{name: "client-resets-in-response",
		call:  func(e *end) { e.say(e.get()); e.hear(cut); e.reset() },
		serve: func(e *end) { e.hear(e.get()); e.say(cut); e.ended() },
		client: []string{
			"tcp.reset local phase=response in=GET/client-resets-in-response client",
			"http.unexpected_eof local error=reset cause=reset_by_client body=9/1000 in=GET/client-resets-in-response client"},
		server: []string{
			"tcp.reset peer phase=response in=GET/client-resets-in-response server",
			"http.unexpected_eof peer error=reset cause=reset_by_client body=9/1000 in=GET/client-resets-in-response server"},
	},
	{name: "client-resets-in-request",
		call:  func(e *end) { e.say(e.post(1000)[:500]); <-e.sync; e.reset() },
		serve: func(e *end) { e.hear(e.post(1000)[:500]); e.sync <- struct{}{}; e.ended() },
		client: []string{
			"tcp.reset local phase=request in=POST/client-resets-in-request client",
			"http.exchange_incomplete local error=reset cause=reset_by_client body=423/1000 in=POST/client-resets-in-request client"},
		server: []string{
			"tcp.reset peer phase=request in=POST/client-resets-in-request server",
			"http.exchange_incomplete peer error=reset cause=reset_by_client body=423/1000 in=POST/client-resets-in-request server"},
	},
	{name: "reset-idle",
		call:   func(e *end) { e.ask(); e.sync <- struct{}{}; e.ended() },
		serve:  func(e *end) { e.serve(); <-e.sync; e.reset() },
		client: []string{"tcp.reset peer phase=idle client"},
		server: []string{"tcp.reset local phase=idle server"},
	},
	{name: "reset-after-fin",
		call:   func(e *end) { e.ask(); e.check(e.CloseWrite()); e.keep() },
		serve:  func(e *end) { e.serve(); e.ended(); e.reset() },
		client: []string{"tcp.reset peer phase=closing client"},
		server: []string{"tcp.reset local phase=closing server"},
	},
	{name: "reset-forged",
		call: (*end).ask,
		serve: func(e *end) {
			e.hear(e.get())
			e.forgeReset(1 << 30) // far outside of the window
			e.forgeReset(100)     // within, and not the next
			e.say(answer)
			e.ended()
		},
	},
	{name: "reset-by-router", // in the server's name, with the right number
		rules: "tcp dport PORT tcp flags & psh == psh reject with tcp reset",
		call:  func(e *end) { e.say(e.get()); e.ended() },
		serve: (*end).keep,
		client: []string{
			"tcp.reset peer phase=request in=GET/reset-by-router client",
			"http.exchange_incomplete peer error=reset cause=reset_by_server in=GET/reset-by-router client"},
	},
	{name: "keep-alive-race", // the server's end has gone without a word
		call:  func(e *end) { e.ask(); <-e.sync; time.Sleep(1500 * time.Millisecond); e.say(e.get()); e.ended() },
		serve: func(e *end) { e.serve(); e.vanish(); e.sync <- struct{}{} },
		client: []string{
			"tcp.reset peer phase=request cause=keep_alive_race in=GET/keep-alive-race client",
			"http.exchange_incomplete peer error=reset cause=keep_alive_race in=GET/keep-alive-race client"},
		server: []string{
			"tcp.reset local phase=request cause=keep_alive_race in=GET/keep-alive-race server",
			"http.exchange_incomplete local error=reset cause=keep_alive_race in=GET/keep-alive-race server"},
	},
	{name: "keep-alive-crossing", // the server's FIN and the request cross
		rules: "tcp sport PORT tcp flags & fin == fin drop",
		call:  func(e *end) { e.ask(); <-e.sync; time.Sleep(1500 * time.Millisecond); e.say(e.get()); e.ended() },
		serve: func(e *end) { e.serve(); e.check(e.Close()); e.sync <- struct{}{} },
		client: []string{
			"tcp.reset peer phase=request cause=keep_alive_race in=GET/keep-alive-crossing client",
			"http.exchange_incomplete peer error=reset cause=keep_alive_race in=GET/keep-alive-crossing client"},
		server: []string{
			"tcp.reset local phase=closing cause=keep_alive_race in=GET/keep-alive-crossing server",
			"http.exchange_incomplete local error=reset cause=keep_alive_race in=GET/keep-alive-crossing server"},
	},

	// Ends that are not whole.
	{name: "server-closes-alone",
		call:   func(e *end) { e.ask(); e.ended(); e.keep() },
		serve:  func(e *end) { e.serve(); e.check(e.CloseWrite()); e.keep() },
		client: []string{"tcp.half_closed local phase=closing close_wait client"},
		server: []string{"tcp.half_closed peer phase=closing close_wait server"},
	},
	{name: "client-closes-alone",
		call:   func(e *end) { e.ask(); e.check(e.CloseWrite()); e.keep() },
		serve:  func(e *end) { e.serve(); e.ended(); e.keep() },
		client: []string{"tcp.half_closed peer phase=closing close_wait client"},
		server: []string{"tcp.half_closed local phase=closing close_wait server"},
	},
	{name: "fin-unacknowledged",
		rules:  "tcp dport PORT tcp flags & fin == fin drop",
		call:   func(e *end) { e.ask(); e.check(e.CloseWrite()); e.keep() },
		serve:  func(e *end) { e.serve(); e.keep() },
		client: []string{"tcp.close_unacknowledged local phase=closing fin_wait_1 client"},
	},
	{name: "last-ack",
		rules:  "tcp dport PORT tcp flags & fin == fin drop",
		call:   func(e *end) { e.ask(); e.ended(); e.check(e.CloseWrite()); e.keep() },
		serve:  func(e *end) { e.serve(); e.check(e.CloseWrite()); e.keep() },
		client: []string{"tcp.close_unacknowledged local phase=closing last_ack client"},
		server: []string{"tcp.half_closed peer phase=closing close_wait server"},
	},

	// No progress.
	{name: "window-closed",
		call: func(e *end) { e.say(e.post(4 << 20)); e.hear(answer) },
		serve: func(e *end) {
			e.check(e.SetReadBuffer(1 << 16))
			time.Sleep(14 * time.Second)
			e.hear(e.post(4 << 20))
			e.say(answer)
			e.ended()
		},
		client: []string{"tcp.stalled local phase=request established cause=zero_window attempts=some in=POST/window-closed client"},
		server: []string{"tcp.stalled peer phase=request established cause=zero_window attempts=some in=POST/window-closed server"},
	},
	{name: "request-lost",
		rules: "tcp dport PORT tcp flags & psh == psh drop",
		call:  func(e *end) { e.say(e.get()); time.Sleep(14 * time.Second); e.reset() },
		serve: (*end).ended,
		client: []string{
			"tcp.stalled local phase=unacknowledged established cause=retransmission_timeout attempts=some in=GET/request-lost client",
			"tcp.reset local phase=unacknowledged in=GET/request-lost client",
			"http.exchange_incomplete local error=reset cause=reset_by_client in=GET/request-lost client"},
		server: []string{"tcp.reset peer phase=idle server"},
	},
	{name: "response-lost",
		rules: "tcp sport PORT tcp flags & psh == psh drop",
		call:  func(e *end) { e.say(e.get()); <-e.sync },
		serve: func(e *end) { e.serve(); time.Sleep(14 * time.Second); e.reset(); e.sync <- struct{}{} },
		client: []string{
			"tcp.reset peer phase=request in=GET/response-lost client",
			"http.exchange_incomplete peer error=reset cause=reset_by_server in=GET/response-lost client"},
		server: []string{
			"tcp.stalled local phase=unacknowledged established cause=retransmission_timeout attempts=some in=GET/response-lost server",
			"tcp.reset local phase=unacknowledged in=GET/response-lost server"},
	},
	{name: "server-silent",
		call:  func(e *end) { e.say(e.get()); e.keep() },
		serve: func(e *end) { e.hear(e.get()); e.keep() },
		client: []string{
			"tcp.stream_timeout peer phase=request established cause=no_response in=GET/server-silent client",
			"http.exchange_incomplete error=timed_out cause=server_silent in=GET/server-silent client"},
		server: []string{
			"tcp.stream_timeout local phase=request established cause=no_response in=GET/server-silent server",
			"http.exchange_incomplete error=timed_out cause=server_silent in=GET/server-silent server"},
	},

	// Messages that are cut.
	{name: "response-cut",
		call:   func(e *end) { e.say(e.get()); e.hear(cut); e.ended() },
		serve:  func(e *end) { e.hear(e.get()); e.say(cut) },
		client: []string{"http.unexpected_eof peer error=response_truncated cause=closed_by_server body=9/1000 in=GET/response-cut client"},
		server: []string{"http.unexpected_eof local error=response_truncated cause=closed_by_server body=9/1000 in=GET/response-cut server"},
	},
	{name: "request-cut",
		call:   func(e *end) { e.say(e.post(1000)[:len(e.post(0))+200]); e.check(e.CloseWrite()); e.ended() },
		serve:  (*end).ended,
		client: []string{"http.unexpected_eof local error=request_truncated cause=closed_by_client body=197/1000 in=POST/request-cut client"},
		server: []string{"http.unexpected_eof peer error=request_truncated cause=closed_by_client body=197/1000 in=POST/request-cut server"},
	},
	{name: "closed-instead-of-response",
		call:   func(e *end) { e.say(e.get()); e.ended() },
		serve:  func(e *end) { e.hear(e.get()) },
		client: []string{"http.exchange_incomplete peer error=closed_before_response cause=closed_by_server in=GET/closed-instead-of-response client"},
		server: []string{"http.exchange_incomplete local error=closed_before_response cause=closed_by_server in=GET/closed-instead-of-response server"},
	},
}

// rejected is what a client tells of a connect that an ICMP error ended.
func rejected(why string) []string {
	return []string{
		"icmp.error error=" + why + " receive icmp=ICMP client",
		"tcp.connect_failed error=" + why + " cause=rejected from=ROUTER attempts=1 icmp=ICMP client",
	}
}

// socketOptions has a client give up after its second SYN, and sets the hops.
func (c *errorCase) socketOptions(network, _ string, raw syscall.RawConn) (err error) {
	set := func(fd uintptr, level, option, value int) {
		if err == nil {
			err = unix.SetsockoptInt(int(fd), level, option, value)
		}
	}
	if e := raw.Control(func(fd uintptr) {
		set(fd, unix.IPPROTO_TCP, unix.TCP_SYNCNT, 1)
		switch {
		case c.hops == 0:
		case strings.HasSuffix(network, "6"):
			set(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, c.hops)
		default:
			set(fd, unix.IPPROTO_IP, unix.IP_TTL, c.hops)
		}
	}); e != nil {
		return e
	}
	return err
}

// fill makes the listener's backlog as small as can be, and full.
func (p *errorPath) fill(c *errorCase, l *net.TCPListener, at netip.AddrPort) {
	raw, err := l.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), 0) })
	}
	var conn net.Conn
	if err == nil {
		conn, err = p.dial(c, at)
	}
	if err != nil {
		p.t.Errorf("%s: %v", c.name, err)
		return
	}
	p.atEnd.Lock()
	p.kept = append(p.kept, conn)
	p.atEnd.Unlock()
}

// vanish ends the socket without a packet, as a host that restarts does.
func (e *end) vanish() {
	raw, err := e.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, 1) })
	}
	e.check(err)
	e.check(e.Close())
}

// forge sends the client an ICMP error, port unreachable, about a segment of its
// connection that it never sent.
func (e *end) forge() {
	client := e.RemoteAddr().(*net.TCPAddr).AddrPort()
	from, to := client.Addr().AsSlice(), e.at.Addr().AsSlice()
	var quoted []byte
	network, message := "ip4:icmp", []byte{3, 3, 0, 0, 0, 0, 0, 0}
	if e.v6 {
		network, message[0], message[1] = "ip6:ipv6-icmp", 1, 4
		quoted = append([]byte{0x60, 0, 0, 0, 0, 20, unix.IPPROTO_TCP, 64}, append(from, to...)...)
	} else {
		quoted = append([]byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, unix.IPPROTO_TCP, 0, 0}, append(from, to...)...)
	}
	quoted = binary.BigEndian.AppendUint16(quoted, client.Port())
	quoted = binary.BigEndian.AppendUint16(quoted, e.at.Port())
	quoted = append(quoted, 0xde, 0xad, 0xbe, 0xef) // the number
	quoted = append(quoted, make([]byte, 12)...)
	message = append(message, quoted...)
	if !e.v6 { // of IPv6 the kernel does it
		binary.BigEndian.PutUint16(message[2:], checksum(message))
	}
	e.raw(network, message)
}

// forgeReset sends the client a RST of its connection whose number is by so much
// beyond what the server has sent.
func (e *end) forgeReset(beyond uint32) {
	const sendQueue = 2 // TCP_SEND_QUEUE
	seq := 0
	raw, err := e.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			for _, option := range [][2]int{{unix.TCP_REPAIR, unix.TCP_REPAIR_ON}, {unix.TCP_REPAIR_QUEUE, sendQueue}} {
				e.check(unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, option[0], option[1]))
			}
			seq, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUEUE_SEQ)
			e.check(unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, unix.TCP_REPAIR_OFF_NO_WP))
		})
	}
	e.check(err)
	client := e.RemoteAddr().(*net.TCPAddr).AddrPort()
	segment := make([]byte, 20)
	binary.BigEndian.PutUint16(segment, e.at.Port())
	binary.BigEndian.PutUint16(segment[2:], client.Port())
	binary.BigEndian.PutUint32(segment[4:], uint32(seq)+beyond)
	segment[12], segment[13] = 5<<4, 4 // five words, RST
	pseudo := slices.Concat(e.at.Addr().AsSlice(), client.Addr().AsSlice(), []byte{0, unix.IPPROTO_TCP, 0, byte(len(segment))}, segment)
	binary.BigEndian.PutUint16(segment[16:], checksum(pseudo))
	network := "ip4:tcp"
	if e.v6 {
		network = "ip6:tcp"
	}
	e.raw(network, segment)
}

// raw sends the client a packet from the server's address.
func (e *end) raw(network string, packet []byte) {
	e.check(e.p.server.Do(func() error {
		c, err := net.ListenPacket(network, e.at.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		if n, err := c.WriteTo(packet, &net.IPAddr{IP: e.RemoteAddr().(*net.TCPAddr).IP}); n != len(packet) {
			return fmt.Errorf("forged packet: %w", err)
		}
		return nil
	}))
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
