package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// linesPerSecond is how many packets --debug prints of a second of the capture.
const linesPerSecond = 100

// packetLines prints a line for each packet, as many as may be; of the others it
// says how many they were. The spine's goroutine calls it.
type packetLines struct {
	w      io.Writer
	second int64
	n      int // printed in that second
	left   int // not printed since
	b      []byte
}

func (l *packetLines) packet(p *capture.Packet, account capture.Entry) {
	if second := int64(p.Time) / int64(time.Second); second != l.second {
		l.rest()
		l.second, l.n = second, 0
	}
	if l.n == linesPerSecond {
		l.left++
		return
	}
	l.n++
	l.b = p.Time.Std().AppendFormat(l.b[:0], "15:04:05.000000")
	way := [...]string{"", " in", " out"}[p.Direction]
	l.b = fmt.Appendf(l.b, " %s%s", account, way)
	if p.Network != capture.NetworkNone {
		l.b = fmt.Appendf(l.b, " %s > %s %s", end(p, p.Flow.Src), end(p, p.Flow.Dst), p.Transport)
	}
	switch p.Transport {
	case capture.TCP:
		l.b = fmt.Appendf(l.b, " %s seq %d ack %d win %d", flagWords(p.TCP.Flags), p.TCP.Seq, p.TCP.Ack, p.TCP.Window)
	case capture.ICMP:
		l.b = fmt.Appendf(l.b, " type %d code %d", p.ICMP.Type, p.ICMP.Code)
	}
	l.b = fmt.Appendf(l.b, " payload %d, %d on the wire\n", p.PayloadLen, p.WireLen)
	l.w.Write(l.b)
}

// end writes one end of p's flow, with a port only where the transport has ports.
func end(p *capture.Packet, e capture.Endpoint) string {
	if p.IsFragment || p.Transport != capture.TCP && p.Transport != capture.UDP {
		return e.IP().String()
	}
	return e.String()
}

// rest says how many packets were not printed.
func (l *packetLines) rest() {
	if l.left > 0 {
		fmt.Fprintf(l.w, "... and %d more in that second\n", l.left)
		l.left = 0
	}
}

// flagWords returns the control bits as tcpdump writes them, in its order.
func flagWords(f capture.Flags) string {
	var b strings.Builder
	for _, w := range []struct {
		bit  capture.Flags
		word byte
	}{{capture.FIN, 'F'}, {capture.SYN, 'S'}, {capture.RST, 'R'}, {capture.PSH, 'P'}, {capture.ACK, '.'}, {capture.URG, 'U'}, {capture.ECE, 'E'}, {capture.CWR, 'W'}} {
		if f.Has(w.bit) {
			b.WriteByte(w.word)
		}
	}
	return "[" + b.String() + "]"
}

// tablesOnSignal prints the tables at each SIGUSR1, at the next snapshot.
func tablesOnSignal(p *job) (cancel func()) {
	p.Desk.Inspected = func(s *capture.Snapshot) { writeTables(p.stderr, s) }
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-asked:
				p.Desk.Inspect()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(asked)
		close(done)
	}
}

// writeTables prints what was counted since the start, by interface, by the
// kernel's rings and by server port.
func writeTables(w io.Writer, s *capture.Snapshot) {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "interface\tdirection\tpackets\tbytes\tcut")
	for i := range s.Interfaces {
		name := "-"
		if i < len(s.Source.Interfaces) && s.Source.Interfaces[i].Name != "" {
			name = printable(s.Source.Interfaces[i].Name)
		}
		for d := range capture.NumDirections {
			var sum capture.Tally
			for tr := range s.Interfaces[i][d] {
				for _, tally := range s.Interfaces[i][d][tr] {
					sum.Packets += tally.Packets
					sum.Bytes += tally.Bytes
				}
			}
			if sum.Packets > 0 {
				fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\n", name, [...]string{"unknown", "receive", "transmit"}[d], sum.Packets, sum.Bytes, s.Truncated[i])
			}
		}
	}
	t.Flush()
	if len(s.Source.Rings) > 0 {
		fmt.Fprintln(t, "\nring\tpackets\tdrops\tfreezes")
		for _, r := range s.Source.Rings {
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\n", printable(r.Name), r.Packets, r.Drops, r.Freezes)
		}
		t.Flush()
	}
	if len(s.Ports) > 0 {
		fmt.Fprintln(t, "\nport\trole\tdata packets\tdata bytes\trequests\tresponses\tTLS hellos\tfiltered\tunparsed")
		for i := range s.Ports {
			portRow(t, &s.Ports[i])
		}
		t.Flush()
	}
	io.WriteString(w, b.String())
}

func portRow(w io.Writer, p *capture.PortStats) {
	port := fmt.Sprintf("%d/%s", p.Port, p.Transport)
	if p.Overflow {
		port = "others/" + p.Transport.String()
	}
	var requests, responses uint64
	for proto := range p.Requests {
		requests += p.Requests[proto]
		responses += p.Responses[proto]
	}
	var unparsed []string
	for r, tally := range p.Unparsed {
		if tally.Packets > 0 {
			unparsed = append(unparsed, fmt.Sprintf("%d %s", tally.Packets, capture.Reason(r)))
		}
	}
	if unparsed == nil {
		unparsed = []string{"-"}
	}
	fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", port, p.Role, p.FromClient.Packets+p.FromServer.Packets, p.FromClient.Bytes+p.FromServer.Bytes,
		requests, responses, p.ClientHellos+p.ServerHellos, p.Filtered.Packets, strings.Join(unparsed, ", "))
}
