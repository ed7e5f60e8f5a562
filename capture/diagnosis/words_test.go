package diagnosis

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// TestSentencesInflect reads every sentence with ones for all numbers.
func TestSentencesInflect(t *testing.T) {
	plurals := regexp.MustCompile(`\b1 (?:[A-Za-z/-]+ )?([a-z]+s)\b`)
	verbs := []string{"was", "is", "has", "does", "breaks", "listens", "throttles", "holds", "waits", "rejects", "says", "redirects", "cuts"}
	one := func(name string) (string, bool) {
		if name == "way" {
			return "received", true
		}
		return "1", true
	}
	for _, l := range Leaves() {
		body := expand(l.Body, one)
		for _, m := range plurals.FindAllStringSubmatch(body, -1) {
			if !slices.Contains(verbs, m[1]) && !slices.ContainsFunc(verbs, func(v string) bool { return strings.HasSuffix(m[0], " "+v) }) {
				t.Errorf("%s: %q in: %s", l.ID, m[0], body)
			}
		}
		if m := regexp.MustCompile(`\b1 (are|were|have) `).FindString(body); m != "" && !strings.Contains(body, "on port "+m) {
			t.Errorf("%s: %q in: %s", l.ID, m, body)
		}
	}
	w := newWorld(t)
	w.snap.Ledger[capture.FramesRead], w.snap.Ledger[capture.RequestsSeen], w.snap.Ledger[capture.FrameUDP], w.snap.Ledger[capture.ConnsReset] = 1, 1, 1, 2
	if got, want := seenLine(w.input()), "1 packet read, 1 request, 0 responses, 2 connections reset, 1 UDP datagram"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestOnlyLoopbackInWords: that another interface was there is only said when
// it was.
func TestOnlyLoopbackInWords(t *testing.T) {
	for _, lost := range []bool{false, true} {
		w := newWorld(t)
		if lost {
			w.tick(0)
		}
		w.kernel.Interface("eth0").Up = false
		w.run(1, nothing)
		f, _ := w.held("ENV-03")
		want := "This network namespace has only lo up; down: eth0."
		if lost {
			want = "This network namespace has only lo up; the interface that was up earlier in this run is gone; down: eth0."
		}
		if f.Body != want {
			t.Errorf("lost %v: %q", lost, f.Body)
		}
	}
}
