package capture

import (
	"net/netip"
	"testing"
)

func TestOwnFlows(t *testing.T) {
	var own OwnFlows
	peer := netip.MustParseAddrPort("10.0.0.9:4317")
	local := EndpointOf(netip.MustParseAddrPort("10.0.0.1:40000"))
	out := Flow{Src: local, Dst: EndpointOf(peer)}
	if own.Has(TCP, out) {
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
		if got := own.Has(c.tr, c.flow); got != c.want {
			t.Errorf("%s: Has = %v, want %v", c.name, got, c.want)
		}
	}
	own.Remove(f)
	if !own.Has(TCP, out) {
		t.Error("gone after one of two removals")
	}
	own.Remove(f)
	if own.Has(TCP, out) {
		t.Error("still there after the last removal")
	}
	own.Add(OwnFlow{Transport: UDP, LocalPort: 40000, Peer: peer})
	if own.Has(TCP, out) || !own.Has(UDP, out) {
		t.Error("transports mixed up")
	}
	if n := testing.AllocsPerRun(100, func() { own.Has(UDP, out) }); n != 0 {
		t.Errorf("Has allocates %v", n)
	}
}
