package observer_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
)

// message is a request or a response of an expected file.
type message struct {
	Src, Dst, Sport, Dport string
	Proto, Kind            string
	Method, Host, URI      string
	Status                 string
}

// TestHTTP1AgreesWithTshark compares the HTTP/1 messages of every capture with
// those that tshark saw: in each direction of each connection, in order. Of some
// captures tshark's messages were only counted. Where the two differ,
// testdata/tshark-differences.txt holds the difference and why wiretell is right.
func TestHTTP1AgreesWithTshark(t *testing.T) {
	list := openDifferences(t, "testdata/tshark-differences.txt",
		"Where wiretell's HTTP/1 messages differ from those that tshark lists, and why wiretell is right.",
		"\"-\" is what only tshark lists, \"+\" what only wiretell does.")
	dir := capturetest.Shared(t)
	for _, name := range capturetest.Captures(t) {
		want, ok := expectedOf(t, dir, name)
		if !ok || want.Tshark.Error != nil {
			continue
		}
		r := observe(open(t, filepath.Join(dir, name)), nil)
		if len(want.Tshark.Messages) == 0 {
			list.found(name, compareCounts(want.Tshark.Counts, r.ledger))
			continue
		}
		list.found(name, compare(tsharkMessages(want.Tshark.Messages), wiretellMessages(r.exchanges)))
	}
	list.close()
}

// compareCounts compares numbers of messages. What is nil was not counted.
func compareCounts(want counts, l capture.Ledger) []string {
	var diff []string
	for _, c := range []struct {
		what string
		want *uint64
		got  uint64
	}{
		{"requests", want.Requests, l[capture.RequestsSeen]},
		{"responses", want.Responses, l[capture.ResponsesSeen]},
	} {
		if c.want != nil && *c.want != c.got {
			diff = append(diff, fmt.Sprintf("- %d %s", *c.want, c.what), fmt.Sprintf("+ %d %s", c.got, c.what))
		}
	}
	return diff
}

// tsharkMessages gives the messages of each direction of each connection, in order.
func tsharkMessages(ms []message) map[string][]string {
	out := map[string][]string{}
	for _, m := range ms {
		if m.Proto != "http1" {
			continue
		}
		flow := fmt.Sprintf("%s:%s > %s:%s", unmap(m.Src), m.Sport, unmap(m.Dst), m.Dport)
		switch {
		case m.Kind == "request":
			out[flow] = append(out[flow], fmt.Sprintf("%s %s %s", m.Method, orNone(m.Host), m.URI))
		case m.Kind == "response" && !strings.HasPrefix(m.Status, "1"): // interim ones are counted, not listed
			out[flow] = append(out[flow], m.Status)
		case m.Kind == "response" && m.Status == "101":
			out[flow] = append(out[flow], m.Status)
		}
	}
	return out
}

func wiretellMessages(es []*capture.Exchange) map[string][]string {
	type at struct {
		time capture.Time
		n    int
		text string
	}
	byFlow := map[string][]at{}
	flow := func(a, b capture.Endpoint) string {
		return fmt.Sprintf("%s:%d > %s:%d", a.IP(), a.Port, b.IP(), b.Port)
	}
	for i, e := range es {
		if e.HasRequest {
			f := flow(e.Conn.Client, e.Conn.Server)
			byFlow[f] = append(byFlow[f], at{e.RequestStart, i, fmt.Sprintf("%s %s %s", e.Method, orNone(string(e.Host)), e.Target)})
		}
		if e.Status != 0 {
			f := flow(e.Conn.Server, e.Conn.Client)
			byFlow[f] = append(byFlow[f], at{e.ResponseStart, i, fmt.Sprint(e.Status)})
		}
	}
	out := map[string][]string{}
	for f, list := range byFlow {
		slices.SortStableFunc(list, func(a, b at) int {
			if a.time != b.time {
				return int(max(-1, min(1, a.time-b.time)))
			}
			return a.n - b.n
		})
		for _, m := range list {
			out[f] = append(out[f], m.text)
		}
	}
	return out
}

// unmap gives an IPv4-mapped IPv6 address as IPv4, as wiretell does.
func unmap(addr string) string {
	if a, err := netip.ParseAddr(addr); err == nil {
		return a.Unmap().String()
	}
	return addr
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// compare returns the lines in which two sets of messages differ: "-" only in
// want, "+" only in got, each with its place in its direction.
func compare(want, got map[string][]string) []string {
	var flows []string
	for f := range want {
		flows = append(flows, f)
	}
	for f := range got {
		if _, ok := want[f]; !ok {
			flows = append(flows, f)
		}
	}
	slices.Sort(flows)
	var diff []string
	for _, f := range flows {
		w, g := want[f], got[f]
		if slices.Equal(w, g) {
			continue
		}
		// A common start and end keep the list short.
		start := 0
		for start < len(w) && start < len(g) && w[start] == g[start] {
			start++
		}
		for len(w) > start && len(g) > start && w[len(w)-1] == g[len(g)-1] {
			w, g = w[:len(w)-1], g[:len(g)-1]
		}
		for i, m := range w[start:] {
			diff = append(diff, fmt.Sprintf("- %s #%d %.120q", f, start+i, m))
		}
		for i, m := range g[start:] {
			diff = append(diff, fmt.Sprintf("+ %s #%d %.120q", f, start+i, m))
		}
	}
	return diff
}
