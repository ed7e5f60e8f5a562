package stack

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
	"github.com/wiretell/wiretell/integration/peers"
)

// trouble makes traffic with every sort of failure that the dashboards show,
// again and again until the context ends.
type trouble struct {
	s   *stack
	web netip.AddrPort // a server in the pod
	pay netip.AddrPort // a server that the pod calls
}

func newTrouble(t *testing.T, s *stack) *trouble {
	t.Helper()
	tr := &trouble{s: s, web: netip.AddrPortFrom(s.podAddr, 8080), pay: netip.AddrPortFrom(s.clientAddr, 9090)}
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	mux.HandleFunc("/half", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	serve(t, s.pod, tr.web, mux)
	serve(t, s.client, tr.pay, mux)
	// A listener that never accepts: its queue is full after one connection.
	var fd int
	s.client.Must(t, func() (err error) {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if err = unix.Bind(fd, &unix.SockaddrInet4{Port: 9999, Addr: s.clientAddr.As4()}); err != nil {
			return err
		}
		return unix.Listen(fd, 0)
	})
	t.Cleanup(func() { unix.Close(fd) })
	nameServer(t, s.client, netip.AddrPortFrom(s.clientAddr, 53))
	serveBytes(t, s.pod, netip.AddrPortFrom(s.podAddr, 7777))
	return tr
}

// run makes trouble until ctx ends.
func (tr *trouble) run(ctx context.Context) {
	in, out := peers.ClientIn(tr.s.client.Do), peers.ClientIn(tr.s.pod.Do)
	go tr.fillBacklog(ctx)
	for id := uint16(1); ctx.Err() == nil; id++ {
		for _, path := range []string{"/ok", "/ok", "/missing", "/broken", "/half"} {
			get(in, fmt.Sprintf("http://%s%s", tr.web, path))
			get(out, fmt.Sprintf("http://%s%s", tr.pay, path))
		}
		tr.reset()
		tr.say(tr.s.client, "tcp", netip.AddrPortFrom(tr.s.podAddr, 7777), []byte("\x00\x01\x02 no protocol that is known, and long enough to tell\n"))
		tr.say(tr.s.pod, "tcp", netip.AddrPortFrom(tr.s.clientAddr, 4), nil)           // refused
		tr.say(tr.s.pod, "udp", netip.AddrPortFrom(tr.s.clientAddr, 4), []byte("any")) // port unreachable
		tr.tooBig()
		for _, name := range []string{"good.example.", "nx.example.", "broken.example."} {
			tr.lookUp(id, name)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func get(c *http.Client, url string) {
	if response, err := c.Get(url); err == nil { // some are meant to fail
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
}

// reset sends a request and resets the connection before the answer.
func (tr *trouble) reset() {
	tr.s.client.Do(func() error {
		d := net.Dialer{Timeout: 2 * time.Second, Control: linger0}
		c, err := d.Dial("tcp", tr.web.String())
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = io.WriteString(c, "POST /ok HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000\r\n\r\nhalf of it")
		time.Sleep(20 * time.Millisecond)
		return err
	})
}

// say sends bytes over a connection and closes it.
func (tr *trouble) say(from *netnstest.NS, network string, to netip.AddrPort, b []byte) {
	from.Do(func() error {
		c, err := (&net.Dialer{Timeout: time.Second}).Dial(network, to.String())
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(100 * time.Millisecond))
		_, err = c.Write(b)
		c.Read(make([]byte, 100))
		return err
	})
}

// fillBacklog connects to the listener that never accepts: SYNs are sent again.
func (tr *trouble) fillBacklog(ctx context.Context) {
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for ctx.Err() == nil {
		tr.s.pod.Do(func() error {
			c, err := (&net.Dialer{Timeout: 4 * time.Second}).DialContext(ctx, "tcp", netip.AddrPortFrom(tr.s.clientAddr, 9999).String())
			if err == nil {
				held = append(held, c)
			}
			return err
		})
	}
}

// tooBig sends the pod an ICMP error: fragmentation needed, next-hop MTU 1400.
func (tr *trouble) tooBig() {
	message := make([]byte, 8+20+8)
	message[0], message[1] = 3, 4
	binary.BigEndian.PutUint16(message[6:], 1400)
	quoted := message[8:]
	quoted[0], quoted[8], quoted[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(quoted[2:], 1500)
	copy(quoted[12:], tr.s.podAddr.AsSlice())
	copy(quoted[16:], tr.s.clientAddr.AsSlice())
	binary.BigEndian.PutUint16(quoted[20:], 8080)
	binary.BigEndian.PutUint16(quoted[22:], 50000)
	var sum uint32
	for i := 0; i < len(message); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(message[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(message[2:], ^uint16(sum+sum>>16))
	tr.s.client.Do(func() error {
		c, err := net.Dial("ip4:icmp", tr.s.podAddr.String())
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write(message)
		return err
	})
}

// lookUp asks the name server from the pod.
func (tr *trouble) lookUp(id uint16, name string) {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	if packed, err := m.Pack(); err == nil {
		tr.say(tr.s.pod, "udp", netip.AddrPortFrom(tr.s.clientAddr, 53), packed)
	}
}

// nameServer answers good.example, fails at broken.example and knows no other name.
func nameServer(t *testing.T, in *netnstest.NS, at netip.AddrPort) {
	t.Helper()
	var c net.PacketConn
	in.Must(t, func() (err error) {
		c, err = net.ListenPacket("udp", at.String())
		return err
	})
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			answer := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true}, Questions: m.Questions}
			switch m.Questions[0].Name.String() {
			case "good.example.":
			case "broken.example.":
				answer.RCode = dnsmessage.RCodeServerFailure
			default:
				answer.RCode = dnsmessage.RCodeNameError
			}
			if packed, err := answer.Pack(); err == nil {
				c.WriteTo(packed, from)
			}
		}
	}()
}

// serveBytes reads what comes and answers with nothing.
func serveBytes(t *testing.T, in *netnstest.NS, at netip.AddrPort) {
	t.Helper()
	var l net.Listener
	in.Must(t, func() (err error) {
		l, err = net.Listen("tcp", at.String())
		return err
	})
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(io.Discard, c)
				c.Close()
			}()
		}
	}()
}
