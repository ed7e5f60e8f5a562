package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// TestPacketLinesAreLimited: of each second as many lines as may be, and how many
// more there were.
func TestPacketLinesAreLimited(t *testing.T) {
	var out bytes.Buffer
	l := newPacketLines(&out, true)
	const second = 1_000_000_000
	p := capture.Packet{Transport: capture.TCP, Network: capture.IPv4}
	for i := range 250 {
		p.Time = capture.Time(second + i)
		l.packet(&p, capture.FrameTCP)
	}
	p.Time = 2 * second
	l.packet(&p, capture.FrameTCP)
	l.close(nil)
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
		l := newPacketLines(&out, true)
		p := test.p
		p.Network, p.Flow = capture.IPv4, flow
		l.packet(&p, capture.FrameTCP)
		l.close(nil)
		if !strings.Contains(out.String(), test.want) {
			t.Errorf("%q is not in %q", test.want, out.String())
		}
	}
}

// gate is a writer that takes nothing until it is opened.
type gate struct {
	open chan struct{}
	bytes.Buffer
}

func (g *gate) Write(b []byte) (int, error) {
	<-g.open
	return g.Buffer.Write(b)
}

// TestPacketLinesHoldNobodyUp: while standard error is blocked packets go on, and
// what was left out is told once it is not.
func TestPacketLinesHoldNobodyUp(t *testing.T) {
	out := &gate{open: make(chan struct{})}
	l := newPacketLines(out, false)
	p := capture.Packet{Transport: capture.TCP, Network: capture.IPv4}
	const packets = 3 * waitingLines
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range packets { // 50 in a second: below the limit
			p.Time = capture.Time(i) * 20_000_000
			l.packet(&p, capture.FrameTCP)
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the packets wait for the writer")
	}
	ended := make(chan struct{})
	close(ended)
	other := &gate{open: out.open}
	blocked := newPacketLines(other, false)
	blocked.packet(&p, capture.FrameTCP)
	blocked.close(ended) // does not wait for ever
	close(out.open)
	for len(l.out) > 0 {
		time.Sleep(time.Millisecond)
	}
	l.close(nil)
	<-blocked.ended
	told, left := 0, 0
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, " tcp ") {
			told++
			continue
		}
		n := 0
		if _, err := fmt.Sscanf(line, "... and %d lines left out, as standard error took none\n", &n); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		left += n
	}
	if told < waitingLines || told+left != packets {
		t.Errorf("%d packets are told and %d lines left out, want %d", told, left, packets)
	}
	if strings.Count(other.String(), "\n") != 1 {
		t.Errorf("of one packet is told: %q", other.String())
	}
}

// TestSignalWithBlockedError: a signal ends the capture also while standard error
// is blocked.
func TestSignalWithBlockedError(t *testing.T) {
	out := &gate{open: make(chan struct{})}
	defer close(out.open)
	stopped := make(chan struct{})
	_, cancel := new(runFlags).stopOn(&job{flags: new(observeFlags), process: process{stderr: out}}, func() { close(stopped) })
	defer cancel()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-stopped:
	case <-time.After(10 * time.Second):
		t.Fatal("the signal ends nothing")
	}
}
