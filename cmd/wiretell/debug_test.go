package main

import (
	"bytes"
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
