package capture

import (
	"net/netip"
	"reflect"
	"testing"
)

func kernelSample() *Kernel {
	k := &Kernel{
		Time: 7, Known: KnownSockets | KnownLinks,
		Listeners:     []Listener{{Addr: EndpointOf(netip.MustParseAddrPort("127.0.0.1:6060"))}, {Addr: EndpointOf(netip.MustParseAddrPort("[::]:8080")), V6: true}},
		Established:   []SocketPair{{Local: Endpoint{Port: 1}, Remote: Endpoint{Port: 2}}},
		CloseWait:     []PortCount{{Port: 8080, Count: 3}},
		UnixListeners: []string{"/run/a"},
		Interfaces: []KernelInterface{
			{Name: "lo", Loopback: true, Addrs: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}},
			{Name: "eth0", Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/24"), netip.MustParsePrefix("fd00::5/64")}},
		},
	}
	k.TCP.InSegs = 99
	return k
}

// TestKernelCopy: a copy equals its original and does not follow it.
func TestKernelCopy(t *testing.T) {
	k := kernelSample()
	dst := &Kernel{Listeners: make([]Listener, 9), Interfaces: make([]KernelInterface, 5), UnixListeners: []string{"x", "y"}, Orphans: 4}
	k.CopyTo(dst)
	if !reflect.DeepEqual(k, dst) {
		t.Fatalf("got %+v, want %+v", dst, k)
	}
	k.Listeners[0].Addr.Port, k.Established[0].Local.Port, k.CloseWait[0].Count, k.UnixListeners[0] = 1, 9, 1, "changed"
	k.Interfaces[1].Name = "changed"
	k.Interfaces[1].Addrs[0] = netip.MustParsePrefix("10.9.9.9/32")
	if !reflect.DeepEqual(dst, kernelSample()) {
		t.Errorf("the copy changed with its original: %+v", dst)
	}
	dst.Reset()
	if dst.Has(KnownSockets) || len(dst.Listeners)+len(dst.Interfaces)+len(dst.UnixListeners)+len(dst.CloseWait)+len(dst.Established) != 0 || dst.TCP.InSegs != 0 || cap(dst.Listeners) < 9 {
		t.Errorf("after Reset: %+v", dst)
	}
}

func TestKernelQuestions(t *testing.T) {
	k := kernelSample()
	if !k.Has(KnownSockets|KnownLinks) || k.Has(KnownSockets|KnownTCP) || (*Kernel)(nil).Has(KnownTCP) {
		t.Error("Has")
	}
	if !k.Listeners[0].Loopback() || k.Listeners[1].Loopback() {
		t.Error("Loopback")
	}
	if d := k.Interface("eth0"); d != &k.Interfaces[1] || k.Interface("eth1") != nil || (*Kernel)(nil).Interface("lo") != nil {
		t.Error("Interface")
	}
	if SocketCloseWait != 8 || SocketListen != 10 {
		t.Error("states are not numbered as in the kernel")
	}
}
