package record

import (
	"fmt"
	"strings"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/exporter"
)

// name makes a file's name of when the error was observed, the two ends and what
// failed. It holds letters, digits, dots, hyphens and underscores only.
func name(at capture.Time, flow *capture.Flow, word string) string {
	parts := []string{"wiretell", at.Std().UTC().Format("20060102T150405.000000000Z")}
	if flow != nil {
		parts = append(parts, end(flow.Src), end(flow.Dst))
	}
	return strings.Join(append(parts, tame(word)), "_") + ".pcapng"
}

// end writes an endpoint as tcpdump does, with hyphens for the colons of IPv6.
func end(e capture.Endpoint) string {
	s := strings.ReplaceAll(e.IP().String(), ":", "-")
	if e.Port == 0 {
		return s
	}
	return fmt.Sprintf("%s.%d", s, e.Port)
}

// tame keeps letters and digits, and hyphens for the rest.
func tame(word string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, word[:min(len(word), 40)])
}

// subject returns the conversation that o is about, when it began (0: not
// known), and both for a person.
func subject(o capture.Observation) (flow capture.Flow, start capture.Time, about string) {
	if c := exporter.ConnOf(o); c != nil {
		return c.Flow(capture.Client), c.Start, fmt.Sprintf("connection %d, client %s, server %s", c.ID, c.Client, c.Server)
	}
	switch o := o.(type) {
	case *capture.DNSLookup:
		flow, start = capture.Flow{Src: o.Client, Dst: o.Server}, o.At.Add(-o.Duration)
		about = fmt.Sprintf("DNS look-up, client %s, server %s", o.Client, o.Server)
	case *capture.ICMPError:
		if flow = o.Quoted; o.QuotedTransport == capture.TransportNone {
			flow = capture.Flow{Src: o.From, Dst: o.To}
			return flow, 0, fmt.Sprintf("ICMP from %s to %s", o.From.IP(), o.To.IP())
		}
		if o.QuotedSeen {
			flow, start = o.Conn.Flow(capture.Client), o.Conn.Start
		}
		about = fmt.Sprintf("%s from %s to %s", o.QuotedTransport, flow.Src, flow.Dst)
	}
	return flow, start, about
}

// describe says in a few words what failed; word is exporter.Failure's.
func describe(o capture.Observation, word string) string {
	switch o := o.(type) {
	case *capture.Exchange:
		if o.Status != 0 && exporter.FailedOnWire(o) {
			return fmt.Sprintf("HTTP exchange: status %d, then %s", o.Status, word)
		}
		return "HTTP exchange: " + word
	case *capture.ConnFailed:
		return fmt.Sprintf("connect failed: %s after %d SYNs", o.Why, o.Attempts)
	case *capture.ConnReset:
		return fmt.Sprintf("reset by the %s, phase %s", o.By, o.Phase)
	case *capture.ICMPError:
		return fmt.Sprintf("ICMP type %d code %d from %s: %s", o.Header.Type, o.Header.Code, o.From.IP(), o.Meaning)
	case *capture.DNSLookup:
		return fmt.Sprintf("DNS look-up failed: %s", word)
	case *capture.ParseError:
		return fmt.Sprintf("parse error: %s", word)
	case *capture.TLSAlert:
		return fmt.Sprintf("fatal TLS alert %d from the %s", o.Description, o.From)
	}
	return word
}

// commentOf is the comment of the packet that showed f's latest errors.
func commentOf(f *file) string { return "wiretell: " + strings.Join(f.errors, "; ") }

// commentOfFile is the comment of a whole file.
func commentOfFile(f *file, gone uint64, payload bool) string {
	lines := []string{"wiretell: " + f.about}
	for _, e := range f.errors {
		lines = append(lines, "error: "+e)
	}
	if f.trace != "" {
		lines = append(lines, "trace: "+f.trace)
	}
	if gone > 0 {
		lines = append(lines, fmt.Sprintf("missing: at least %d earlier packets, overwritten before the error or too much for the file", gone))
	}
	if !payload {
		lines = append(lines, "payload: cut behind the headers; --record-payload keeps it")
	}
	return strings.Join(lines, "\n")
}
