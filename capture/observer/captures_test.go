package observer_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/observer"
	"github.com/wiretell/wiretell/capture/pcap"
)

var update = flag.Bool("update", false, "write the expected results of this package's tests again")

// result is what observing a capture gave.
type result struct {
	exchanges []*capture.Exchange
	ledger    capture.Ledger
	counters  *capture.Counters
	batch     *capture.Batch
	panics    []string
	err       error
}

// observe runs the spine over src into one batch.
func observe(src capture.Source, change func(*observer.Config)) result {
	var r result
	r.batch = new(capture.Batch)
	cfg := observer.Config{
		Empty:    func() *capture.Batch { return r.batch },
		Offer:    func(*capture.Batch) bool { return true },
		Panicked: func(where string) { r.panics = append(r.panics, where) },
	}
	if change != nil {
		change(&cfg)
	}
	o := observer.New(cfg, src)
	r.err = o.Run()
	r.counters = o.Counters()
	r.ledger = r.counters.Ledger
	for _, obs := range r.batch.Observations {
		if e, ok := obs.(*capture.Exchange); ok {
			r.exchanges = append(r.exchanges, e)
		}
	}
	return r
}

// check fails t when the books of r do not balance or a parser failed.
func (r *result) check(t *testing.T) {
	t.Helper()
	for _, i := range r.ledger.Check() {
		t.Error(i.Error())
	}
	for _, e := range []capture.Entry{
		capture.FragmentsLive, capture.SegmentsLive, capture.BytesLive, capture.DeliveredLive,
		capture.ConnsLive, capture.RequestsLive, capture.ResponsesLive,
	} {
		if r.ledger[e] != 0 {
			t.Errorf("at the end account %s (%d) holds %d", e, e, r.ledger[e])
		}
	}
	for _, p := range r.panics {
		t.Errorf("a parser failed in %s", p)
	}
}

func open(t *testing.T, path string) capture.Source {
	t.Helper()
	src, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

// TestEveryCaptureBalances runs the spine over every capture: no panic, every
// account settled, the same twice.
func TestEveryCaptureBalances(t *testing.T) {
	dir := capturetest.Shared(t)
	for _, name := range capturetest.Captures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := observe(open(t, filepath.Join(dir, name)), nil)
			r.check(t)
			again := observe(open(t, filepath.Join(dir, name)), nil)
			if again.ledger != r.ledger || len(again.batch.Observations) != len(r.batch.Observations) {
				t.Error("a second run came to other results")
			}
			none := observe(open(t, filepath.Join(dir, name)), func(c *observer.Config) { c.Empty, c.Offer = nil, nil })
			// Without anybody listening the same is counted.
			want := r.ledger
			want[capture.ObservationsMade], want[capture.ObservationsHandedOver] = 0, 0
			if none.ledger != want {
				t.Error("without anybody listening the ledger differs")
			}
		})
	}
}

// message is a request or a response of an expected file.
type message struct {
	Src, Dst, Sport, Dport string
	Proto, Kind            string
	Method, Host, URI      string
	Status                 string
}

type expected struct {
	Tshark struct {
		Messages []message
		Error    *string
	}
}

// TestHTTP1AgreesWithTshark compares the HTTP/1 messages of every capture with
// those that tshark saw. Where the two differ, testdata/tshark-differences.txt
// holds the difference and why wiretell is right.
func TestHTTP1AgreesWithTshark(t *testing.T) {
	const list = "testdata/tshark-differences.txt"
	dir := capturetest.Shared(t)
	known, err := readDifferences(list)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*difference{}
	for _, name := range capturetest.Captures(t) {
		text, err := os.ReadFile(filepath.Join(dir, "expected", name+".json"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var want expected
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want.Tshark.Error != nil {
			continue
		}
		r := observe(open(t, filepath.Join(dir, name)), nil)
		diff := compare(tsharkMessages(want.Tshark.Messages), wiretellMessages(r.exchanges))
		if len(diff) > 0 {
			found[name] = &difference{lines: diff}
		}
	}
	if *update {
		if err := writeDifferences(list, found, known); err != nil {
			t.Fatal(err)
		}
		return
	}
	for name, d := range found {
		k := known[name]
		switch {
		case k == nil:
			t.Errorf("%s differs and the list does not say why:\n%s", name, strings.Join(d.lines, "\n"))
		case k.reason == "" || strings.HasPrefix(k.reason, "?"):
			t.Errorf("%s: the list gives no reason", name)
		case !slices.Equal(k.lines, d.lines):
			t.Errorf("%s differs in another way than the list says:\n%s", name, strings.Join(d.lines, "\n"))
		}
	}
	for name := range known {
		if found[name] == nil {
			t.Errorf("%s: listed as different, but it agrees now: take it out of the list", name)
		}
	}
}

// tsharkMessages gives the messages of each direction of each connection, in order.
func tsharkMessages(ms []message) map[string][]string {
	out := map[string][]string{}
	for _, m := range ms {
		if m.Proto != "http1" {
			continue
		}
		flow := fmt.Sprintf("%s:%s > %s:%s", m.Src, m.Sport, m.Dst, m.Dport)
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

// difference is an entry of the list of differences.
type difference struct {
	reason string
	lines  []string
}

func readDifferences(path string) (map[string]*difference, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return map[string]*difference{}, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string]*difference{}
	var d *difference
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "== "):
			d = &difference{}
			out[line[3:]] = d
		case d == nil || line == "":
		case strings.HasPrefix(line, "- ") || strings.HasPrefix(line, "+ "):
			d.lines = append(d.lines, line)
		default:
			d.reason = strings.TrimSpace(d.reason + " " + line)
		}
	}
	return out, nil
}

func writeDifferences(path string, found, known map[string]*difference) error {
	var b strings.Builder
	b.WriteString("Where wiretell's HTTP/1 messages differ from those that tshark lists, and why wiretell is right.\n" +
		"\"-\" is what only tshark lists, \"+\" what only wiretell does. Written by go test -update, which keeps the reasons.\n")
	var names []string
	for n := range found {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		reason := "? no reason yet"
		if k := known[n]; k != nil && k.reason != "" {
			reason = k.reason
		}
		fmt.Fprintf(&b, "\n== %s\n%s\n%s\n", n, reason, strings.Join(found[n].lines, "\n"))
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
