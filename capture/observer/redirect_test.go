package observer

import (
	"net/netip"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

func at(s string) capture.Endpoint { return capture.EndpointOf(netip.MustParseAddrPort(s)) }

var lo = capture.Frame{Direction: capture.Receive}

func segment(src, dst string, f capture.Flags, seq, ack uint32) *capture.Packet {
	p := &capture.Packet{Flow: capture.Flow{Src: at(src), Dst: at(dst)}, Loopback: true}
	p.TCP.Flags, p.TCP.Seq, p.TCP.Ack = f, seq, ack
	return p
}

// TestRedirects tells answers of redirected connections from all others.
func TestRedirects(t *testing.T) {
	const client, proxy, called = "10.0.0.1:40000", "127.0.0.1:15001", "10.0.0.9:80"
	for _, c := range []struct {
		name   string
		syn    *capture.Packet
		back   []*capture.Packet
		last   string // the source of the last of them, as restored
		noLoop bool
	}{
		{"SYN-ACK", segment(client, proxy, capture.SYN, 7, 0), []*capture.Packet{segment(called, client, capture.SYN|capture.ACK, 1, 8)}, proxy, false},
		{"refused", segment(client, proxy, capture.SYN, 7, 0), []*capture.Packet{segment(called, client, capture.RST|capture.ACK, 0, 8)}, proxy, false},
		{"IPv6", segment("[fd00::1]:40000", "[::1]:15001", capture.SYN, 7, 0), []*capture.Packet{segment("[fd00::9]:80", "[fd00::1]:40000", capture.SYN|capture.ACK, 1, 8)}, "[::1]:15001", false},
		{"later", segment(client, proxy, capture.SYN, 7, 0), []*capture.Packet{segment(called, client, capture.SYN|capture.ACK, 1, 8), segment(called, client, capture.ACK, 2, 9)}, proxy, false},
		{"answers another SYN", segment(client, proxy, capture.SYN, 7, 0), []*capture.Packet{segment(called, client, capture.SYN|capture.ACK, 1, 9)}, called, false},
		{"no answer to a SYN", segment(client, proxy, capture.SYN, 7, 0), []*capture.Packet{segment(called, client, capture.ACK, 1, 8)}, called, false},
		{"another server", segment(client, proxy, capture.SYN, 7, 0), []*capture.Packet{segment(called, client, capture.SYN|capture.ACK, 1, 8), segment("10.0.0.8:80", client, capture.ACK, 2, 9)}, "10.0.0.8:80", false},
		{"loopback's own", segment("127.0.0.1:40000", proxy, capture.SYN, 7, 0), []*capture.Packet{segment(called, "127.0.0.1:40000", capture.SYN|capture.ACK, 1, 8)}, called, false},
		{"on the wire", segment(client, proxy, capture.SYN, 7, 0), []*capture.Packet{segment(called, client, capture.SYN|capture.ACK, 1, 8)}, called, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r redirects
			r.restore(&lo, c.syn)
			for _, p := range c.back {
				if c.noLoop {
					p.Loopback = false
				}
				r.restore(&lo, p)
			}
			if got := c.back[len(c.back)-1].Flow.Src; got != at(c.last) {
				t.Errorf("the source is %v, want %s", got, c.last)
			}
		})
	}
}

// TestRedirectsAreBounded makes more connections than are remembered: the
// oldest are forgotten.
func TestRedirectsAreBounded(t *testing.T) {
	var forgotten uint64
	r := redirects{forgotten: &forgotten}
	client := func(i int) capture.Endpoint {
		e := at("10.0.0.1:0")
		e.Addr[12], e.Port = byte(i>>16), uint16(i)
		return e
	}
	for i := range maxRedirects + 10 {
		p := segment("10.0.0.1:1", "127.0.0.1:15001", capture.SYN, 7, 0)
		p.Flow.Src = client(i)
		r.restore(&lo, p)
		r.restore(&lo, p) // sent again
		if i < 4 {
			back := segment("10.0.0.9:80", "10.0.0.1:1", capture.SYN|capture.ACK, 1, 8)
			back.Flow.Dst = client(i)
			r.restore(&lo, back)
			if i == 0 { // over before its place is taken
				back.Flow.Src, back.TCP.Flags = at("10.0.0.9:80"), capture.FIN|capture.ACK
				r.restore(&lo, back)
			}
		}
	}
	if forgotten != 3 {
		t.Errorf("%d are counted as forgotten, want the 3 that were answered and not over", forgotten)
	}
	if len(r.by) != maxRedirects || len(r.ring) != maxRedirects {
		t.Errorf("%d and %d are remembered, want %d", len(r.by), len(r.ring), maxRedirects)
	}
	if _, ok := r.by[client(9)]; ok {
		t.Error("one of the oldest is remembered")
	}
	if _, ok := r.by[client(10)]; !ok {
		t.Error("one that there is room for is forgotten")
	}
}
