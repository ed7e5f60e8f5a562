package main

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// TestPacketLinesAreLimited: of each second as many lines as may be, and how many
// more there were.
func TestPacketLinesAreLimited(t *testing.T) {
	var out bytes.Buffer
	l := packetLines{w: &out}
	const second = 1_000_000_000
	p := capture.Packet{Transport: capture.TCP, Network: capture.IPv4}
	for i := range 250 {
		p.Time = capture.Time(second + i)
		l.packet(&p, capture.FrameTCP)
	}
	p.Time = 2 * second
	l.packet(&p, capture.FrameTCP)
	l.rest()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != linesPerSecond+2 || lines[linesPerSecond] != "... and 150 more in that second" || !strings.HasPrefix(lines[linesPerSecond+1], "00:00:02.000000 tcp ") {
		t.Errorf("%d lines:\n%s", len(lines), out.String())
	}
}

// TestPacketLinesName: an end has a port only where its transport has ports.
func TestPacketLinesName(t *testing.T) {
	flow := capture.Flow{Src: capture.EndpointOf(netip.MustParseAddrPort("10.0.0.1:4000")), Dst: capture.EndpointOf(netip.MustParseAddrPort("10.0.0.2:80"))}
	for _, test := range []struct {
		p    capture.Packet
		want string
	}{
		{capture.Packet{Transport: capture.TCP}, " 10.0.0.1:4000 > 10.0.0.2:80 tcp "},
		{capture.Packet{Transport: capture.ICMP}, " 10.0.0.1 > 10.0.0.2 icmp "},
		{capture.Packet{Transport: capture.UDP, IsFragment: true}, " 10.0.0.1 > 10.0.0.2 udp "},
	} {
		var out bytes.Buffer
		l := packetLines{w: &out}
		p := test.p
		p.Network, p.Flow = capture.IPv4, flow
		l.packet(&p, capture.FrameTCP)
		if !strings.Contains(out.String(), test.want) {
			t.Errorf("%q is not in %q", test.want, out.String())
		}
	}
}
