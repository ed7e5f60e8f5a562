package observer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest"
)

// counts are numbers of messages.
type counts struct {
	Requests  *uint64 `json:"http1_requests"`
	Responses *uint64 `json:"http1_responses"`
}

// expected is what other tools say of a capture.
type expected struct {
	Path       string
	ThirdParty []struct {
		Oracle string
		Test   string
	} `json:"third_party"`
	ThirdPartyRequests []thirdPartyRequest `json:"third_party_requests"`
	Tshark             struct {
		Messages []message
		Counts   counts
		Error    *string
		SNI      []string
		ALPN     []string
	}
}

// expectedOf reads what other tools say of the capture; ok is false when there
// is nothing.
func expectedOf(t *testing.T, dir, name string) (e expected, ok bool) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "expected", name+".json"))
	if errors.Is(err, os.ErrNotExist) {
		return e, false
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return e, true
}

// differences is a list, kept in a file, of the captures about which wiretell
// and another tool differ: how, and the reason why wiretell is right.
type differences struct {
	t       *testing.T
	path    string
	title   []string
	known   map[string]*difference
	now     map[string]*difference
	visited int
}

// difference is an entry of a list.
type difference struct {
	reason string
	lines  []string
}

// maxDifferenceLines bounds an entry of a list; the lines beyond it are
// summed up.
const maxDifferenceLines = 16

// openDifferences reads the list at path.
func openDifferences(t *testing.T, path string, title ...string) *differences {
	t.Helper()
	l := &differences{t: t, path: path, title: title, known: map[string]*difference{}, now: map[string]*difference{}}
	text, err := os.ReadFile(path)
	if err != nil && !(*capturetest.Update && errors.Is(err, os.ErrNotExist)) {
		t.Fatal(err)
	}
	var d *difference
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "== "):
			d = &difference{}
			l.known[line[3:]] = d
		case d == nil || line == "":
		case strings.HasPrefix(line, "- ") || strings.HasPrefix(line, "+ "):
			d.lines = append(d.lines, line)
		default:
			d.reason = strings.TrimSpace(d.reason + " " + line)
		}
	}
	return l
}

// found takes down that the capture called name differs by lines, or, when there
// are none, that it agrees.
func (l *differences) found(name string, lines []string) {
	l.visited++
	if len(lines) == 0 {
		return
	}
	if n := len(lines); n > maxDifferenceLines {
		sum := fnv.New64a()
		for _, line := range lines {
			fmt.Fprintln(sum, line)
		}
		minus := 0
		for _, line := range lines {
			if line[0] == '-' {
				minus++
			}
		}
		lines = append(slices.Clone(lines[:maxDifferenceLines-1]),
			fmt.Sprintf("%c ... and so on: %d lines with -, %d with +, sum %016x", lines[n-1][0], minus, n-minus, sum.Sum64()))
	}
	l.now[name] = &difference{lines: lines}
}

// close compares what was found with the list, or writes it.
func (l *differences) close() {
	l.t.Helper()
	if *capturetest.Update {
		l.write()
		return
	}
	for name, d := range l.now {
		k := l.known[name]
		switch {
		case k == nil:
			l.t.Errorf("%s differs and the list does not say why:\n%s", name, strings.Join(d.lines, "\n"))
		case k.reason == "" || strings.HasPrefix(k.reason, "?"):
			l.t.Errorf("%s: the list gives no reason", name)
		case !slices.Equal(k.lines, d.lines):
			l.t.Errorf("%s differs in another way than the list says:\n%s", name, strings.Join(d.lines, "\n"))
		}
	}
	for name := range l.known {
		if l.now[name] == nil {
			l.t.Errorf("%s: listed as different, but it agrees now: take it out of the list", name)
		}
	}
	if l.visited == 0 {
		l.t.Error("nothing was compared")
	}
	l.t.Logf("%d captures compared, %d differ", l.visited, len(l.now))
}

// write writes the list anew and keeps the reasons.
func (l *differences) write() {
	var b strings.Builder
	for _, line := range l.title {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintln(&b, "Written by go test -update, which keeps the reasons.")
	var names []string
	for n := range l.now {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		reason := "? no reason yet"
		if k := l.known[n]; k != nil && k.reason != "" {
			reason = k.reason
		}
		fmt.Fprintf(&b, "\n== %s\n%s\n%s\n", n, reason, strings.Join(l.now[n].lines, "\n"))
	}
	if err := os.WriteFile(l.path, []byte(b.String()), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// compareMultisets returns the lines of what only want and only got hold.
func compareMultisets(want, got []string) []string {
	n := map[string]int{}
	for _, w := range want {
		n[w]++
	}
	for _, g := range got {
		n[g]--
	}
	var diff []string
	for m, k := range n {
		for ; k > 0; k-- {
			diff = append(diff, fmt.Sprintf("- %.160q", m))
		}
		for ; k < 0; k++ {
			diff = append(diff, fmt.Sprintf("+ %.160q", m))
		}
	}
	slices.Sort(diff)
	return diff
}
