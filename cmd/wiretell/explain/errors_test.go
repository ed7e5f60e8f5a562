package explain

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/capture/icmp"
	"github.com/wiretell/wiretell/semconv"
)

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	capturetest.Golden(t, "../../../docs/errors.md", b.Bytes())
}

// source is how the place of a rule is named.
var source = regexp.MustCompile(`^RFC \d+, section ([\d.]+|"[A-Z][a-z]+")$`)

// TestEntries: every error has all that is to be said about it, and what it
// names exists.
func TestEntries(t *testing.T) {
	words := 0
	for _, s := range sections() {
		own := map[string]bool{}
		for _, e := range s.entries {
			word := e.words[0]
			words++
			if own[word] || word == "" || word == "invalid" {
				t.Errorf("%s: the word %q", s.title, word)
			}
			own[word] = true
			if e.Text == "" || e.Proof == "" || e.Look == "" || len(e.signals) == 0 {
				t.Errorf("%s: %s lacks something: %+v", s.title, word, e)
			}
			for _, text := range []string{e.Text, e.Proof, e.Look} {
				if strings.HasSuffix(text, ".") || strings.ContainsAny(text, "|\n`") {
					t.Errorf("%s: %s: %q", s.title, word, text)
				}
			}
			for _, one := range strings.Split(e.Source, "; ") {
				if e.Source != "" && !source.MatchString(one) {
					t.Errorf("%s: %s: %q is no source", s.title, word, one)
				}
			}
			for _, id := range e.leaves {
				if _, ok := diagnosis.LeafByID(id); !ok {
					t.Errorf("%s: %s: there is no diagnosis %s", s.title, word, id)
				}
			}
			for _, g := range e.signals {
				checkSignal(t, word, g)
			}
		}
	}
	if words < 190 {
		t.Errorf("only %d errors", words)
	}
}

// checkSignal holds a signal to the tables of names.
func checkSignal(t *testing.T, word string, g signal) {
	t.Helper()
	if g.event == "" && g.metric == "" && g.line == "" {
		t.Errorf("%s: a signal without a name", word)
	}
	if g.event != "" {
		i := slices.IndexFunc(semconv.Events[:], func(e semconv.Event) bool { return e.Name == g.event && !e.Reserved })
		if i < 0 {
			t.Errorf("%s: there is no event %s", word, g.event)
		} else if g.attribute != "" && !slices.Contains(semconv.Events[i].Attributes, g.attribute) {
			t.Errorf("%s: event %s has no %s", word, g.event, g.attribute)
		}
	}
	if g.metric != "" {
		i := slices.IndexFunc(semconv.Metrics[:], func(m semconv.Metric) bool { return m.Name == g.metric && !m.Reserved })
		if i < 0 {
			t.Errorf("%s: there is no metric %s", word, g.metric)
		} else if g.event == "" && g.attribute != "" && !slices.Contains(semconv.Metrics[i].Attributes, g.attribute) {
			t.Errorf("%s: metric %s has no %s", word, g.metric, g.attribute)
		}
	}
}

// TestEveryValue: no value of the tables is left out of the page.
func TestEveryValue(t *testing.T) {
	check := func(word string) {
		t.Helper()
		if text, ok := Error(word); !ok || strings.Contains(text, "%!") {
			t.Errorf("%q is not explained: %s", word, text)
		}
	}
	for r := capture.ReasonNone + 1; r < capture.NumReasons; r++ {
		check(r.String())
	}
	for c := capture.CauseNone + 1; c < capture.NumCauses; c++ {
		check(c.String())
	}
	for p := range capture.NumPhases {
		check(p.String())
	}
	for s := capture.StateNone + 1; s < capture.NumTCPStates; s++ {
		check(s.String())
	}
	for k := range capture.NumStuckKinds {
		check(k.String())
	}
	for i := range capture.NumIgnored {
		check(i.String())
	}
	for r := capture.RCode(1); r < 4096; r++ {
		if !strings.HasPrefix(r.String(), "RCODE") {
			check(r.String())
		}
	}
	for typ := range 256 {
		for code := range 256 {
			for word, n := range map[string]capture.Network{"icmp": capture.IPv4, "icmpv6": capture.IPv6} {
				if m := icmp.Describe(n, uint8(typ), uint8(code)); m.Known && m.Error && code < 20 {
					check(word + " " + strconv.Itoa(typ) + "/" + strconv.Itoa(code))
				}
			}
		}
	}
}

// TestError: what is said of a few in full, and by which names they are found.
func TestError(t *testing.T) {
	for _, tt := range []struct {
		name string
		want []string
	}{
		{"refused", []string{"REFUSED  dns 5  (DNS)", "refused  (How connections fail and end)\n", "refused  (Causes)\n", "RFC 9293, section 3.10.7.1", "event wiretell.tcp.connect_failed by error.type", "NET-SYN-02 "}},
		{"icmp 3/13", []string{"icmp 3/13  Destination Unreachable: Communication Administratively Prohibited", "admin_prohibited for a connect", "NET-SYN-03"}},
		{"ICMP  3/4", []string{"NET-MTU-01"}},
		{"icmpv6 2/0", []string{"Packet Too Big", "RFC 4443, section 3.2"}},
		{"icmp 8/0", []string{"Echo", "nothing: this is no error"}},
		{"icmp 8", []string{"icmp 8/0"}},
		{"nxdomain", []string{"RFC 8020", "NET-DNS-01", "event wiretell.dns.failed by dns.response_code"}},
		{"alert 48", []string{"unknown_ca", "TLS-04", "line tls_alert"}},
		{"icmp", []string{"an ICMP error that quotes what is not in flight", "  icmp 3/3 "}},
		{"503", []string{"5xx", "error.type"}},
		{"close_wait", []string{"NET-CW-01"}},
	} {
		text, ok := Error(tt.name)
		for _, w := range tt.want {
			if !ok || !strings.Contains(text, w) {
				t.Errorf("%s: no %q in\n%s", tt.name, w, text)
			}
		}
	}
	for _, name := range []string{"", "nosuch", "icmp x", "icmp 300/0", "icmp -1/0", "icmp 3/13/5", "icmp 3/13x", "alert 255", "dns 999", "600"} {
		if text, ok := Error(name); ok {
			t.Errorf("%q is explained:\n%s", name, text)
		}
	}
	list := List()
	words, texts := Words()
	for i, w := range words {
		if !strings.Contains(list, "\n  "+w) || texts[i] == "" {
			t.Errorf("%s is not in the list", w)
		}
	}
}
