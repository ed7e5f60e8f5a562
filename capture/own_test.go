package capture

import (
	"net/netip"
	"testing"
)

func TestOwnFlows(t *testing.T) {
	var own OwnFlows
	var p Packet
	has := func(t Transport, f Flow) bool {
		p.Transport, p.Flow = t, f
		return own.Has(&p)
	}
	peer := netip.MustParseAddrPort("10.0.0.9:4317")
	local := EndpointOf(netip.MustParseAddrPort("10.0.0.1:40000"))
	out := Flow{Src: local, Dst: EndpointOf(peer)}
	if has(TCP, out) {
		t.Fatal("the zero value has a flow")
	}
	f := OwnFlow{Transport: TCP, LocalPort: 40000, Peer: peer}
	own.Add(f)
	own.Add(f)
	other := out
	other.Dst.Port = 80
	for _, c := range []struct {
		name string
		tr   Transport
		flow Flow
		want bool
	}{
		{"out", TCP, out, true},
		{"in", TCP, out.Reverse(), true},
		{"other transport", UDP, out, false},
		{"same local port, other peer", TCP, other, false},
	} {
		if got := has(c.tr, c.flow); got != c.want {
			t.Errorf("%s: Has = %v, want %v", c.name, got, c.want)
		}
	}
	own.Remove(f)
	if !has(TCP, out) {
		t.Error("gone after one of two removals")
	}
	own.Remove(f)
	if has(TCP, out) {
		t.Error("still there after the last removal")
	}
	own.Add(OwnFlow{Transport: UDP, LocalPort: 40000, Peer: peer})
	if has(TCP, out) || !has(UDP, out) {
		t.Error("transports mixed up")
	}
	unknown := OwnFlow{Transport: TCP, LocalPort: 40000}
	own.Add(unknown)
	if !has(TCP, out) || !has(TCP, other.Reverse()) || has(UDP, other) {
		t.Error("a socket whose peer is not known is known by its port")
	}
	own.Remove(unknown)
	if has(TCP, out) {
		t.Error("a socket whose peer is not known is still there")
	}
	if n := testing.AllocsPerRun(100, func() { has(UDP, out) }); n != 0 {
		t.Errorf("Has allocates %v", n)
	}
}

// What others say to the place where wiretell listens is own; what an
// application says to the same port elsewhere is not.
func TestOwnListener(t *testing.T) {
	at := func(s string) Endpoint { return EndpointOf(netip.MustParseAddrPort(s)) }
	for _, c := range []struct {
		name, listen, src, dst string
		way                    Direction
		loopback, want         bool
	}{
		{"loopback, there", "127.0.0.1:19464", "127.0.0.1:40000", "127.0.0.1:19464", Receive, true, true},
		{"loopback, back", "127.0.0.1:19464", "127.0.0.1:19464", "127.0.0.1:40000", Receive, true, true},
		{"another loopback address", "127.0.0.1:19464", "127.0.0.1:40000", "127.0.0.2:19464", Receive, true, false},
		{"another port", "127.0.0.1:19464", "127.0.0.1:40000", "127.0.0.1:8080", Receive, true, false},
		{"any address, in", ":19464", "10.0.0.9:40000", "10.0.0.1:19464", Receive, false, true},
		{"any address, out", ":19464", "10.0.0.1:19464", "10.0.0.9:40000", Transmit, false, true},
		{"any address, IPv6", ":19464", "[fd00::9]:40000", "[fd00::1]:19464", Receive, false, true},
		{"another pod's", ":19464", "10.0.0.1:40000", "10.0.0.9:19464", Transmit, false, false},
		{"another pod's answer", ":19464", "10.0.0.9:19464", "10.0.0.1:40000", Receive, false, false},
	} {
		var own OwnFlows
		listen := c.listen
		if listen[0] == ':' {
			listen = "[::]" + listen
		}
		own.Listen(netip.MustParseAddrPort(listen))
		p := &Packet{Transport: TCP, Flow: Flow{Src: at(c.src), Dst: at(c.dst)}, Direction: c.way, Loopback: c.loopback}
		if got := own.Has(p); got != c.want {
			t.Errorf("%s: Has = %v, want %v", c.name, got, c.want)
		}
		p.Transport = UDP
		if own.Has(p) {
			t.Errorf("%s: UDP is taken for own", c.name)
		}
		// An own client socket of the same port comes and goes.
		f := OwnFlow{Transport: TCP, LocalPort: 19464, Peer: netip.MustParseAddrPort("10.9.9.9:4317")}
		own.Add(f)
		own.Remove(f)
		p.Transport = TCP
		if got := own.Has(p); got != c.want {
			t.Errorf("%s, after another flow: Has = %v, want %v", c.name, got, c.want)
		}
	}
}

// TestOwnLookup: Docker's name server answers from another port than the one
// that the query is captured with.
func TestOwnLookup(t *testing.T) {
	var own OwnFlows
	own.Add(OwnFlow{Transport: UDP, LocalPort: 40000, Peer: netip.MustParseAddrPort("127.0.0.11:53")})
	local := EndpointOf(netip.MustParseAddrPort("127.0.0.1:40000"))
	query := Packet{Transport: UDP, Flow: Flow{Src: local, Dst: EndpointOf(netip.MustParseAddrPort("127.0.0.11:41234"))}}
	answer := Packet{Transport: UDP, Flow: Flow{Src: EndpointOf(netip.MustParseAddrPort("127.0.0.11:53")), Dst: local}}
	if !own.Has(&query) || !own.Has(&answer) {
		t.Errorf("wiretell's own look-up: query %t, answer %t", own.Has(&query), own.Has(&answer))
	}
	query.Flow.Src.Port, answer.Flow.Dst.Port = 40001, 40001
	if own.Has(&query) || own.Has(&answer) {
		t.Error("another's look-up is taken for wiretell's own")
	}
	own.Remove(OwnFlow{Transport: UDP, LocalPort: 40000, Peer: netip.MustParseAddrPort("127.0.0.11:53")})
}
