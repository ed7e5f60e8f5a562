package diagnosis

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest"
)

// TestMarkdown compares docs/diagnosis.md with the leaves; go test -update writes it.
func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	capturetest.Golden(t, "../../docs/diagnosis.md", b.Bytes())
	for _, l := range Leaves() {
		if !strings.Contains(b.String(), "\n### "+l.ID+"\n") {
			t.Errorf("%s is not in the page", l.ID)
		}
		if !strings.Contains(b.String(), strings.ReplaceAll(l.ID, "-", "")+`["`+l.ID) {
			t.Errorf("%s is not in the drawing", l.ID)
		}
	}
	if i := strings.Index(b.String(), "{{"); i >= 0 {
		t.Errorf("a template got into the page: %q", b.String()[i:i+40])
	}
}

// TestLeavesAreWhole checks that every leaf says all that is asked of it.
func TestLeavesAreWhole(t *testing.T) {
	id := regexp.MustCompile(`^[A-Z0-9]+(-[A-Z]+)?-\d\d$`)
	name := regexp.MustCompile(`^[a-z][a-z_0-9]*$`)
	placeholder := regexp.MustCompile(`\{\{([^}]*)\}\}`)
	seen := map[string]bool{}
	for _, l := range Leaves() {
		if !id.MatchString(l.ID) || seen[l.ID] {
			t.Errorf("%s: id is malformed or used twice", l.ID)
		}
		seen[l.ID] = true
		for what, text := range map[string]string{"title": l.Title, "condition": l.Condition, "meaning": l.Meaning, "guard": l.Guard, "body": l.Body, "remedy": l.Remedy.Summary} {
			if text == "" {
				t.Errorf("%s has no %s", l.ID, what)
			}
		}
		if len(l.Path) == 0 || len(l.Evidence) == 0 || l.check == nil || l.Clear < 1 || !l.Live && !l.File {
			t.Errorf("%s lacks a path, evidence, a check, a pace or a place", l.ID)
		}
		if l.Severity > Info && l.Remedy.Command == "" && l.Remedy.Manifest == "" {
			t.Errorf("%s: a remedy of nothing that can be pasted", l.ID)
		}
		known := map[string]bool{"port": true, "direction": true, "interface": true, "peer": true, "remote": true, "run": true}
		for _, k := range l.Evidence {
			if !name.MatchString(k.Name) || k.Description == "" || known[k.Name] {
				t.Errorf("%s: evidence %q is malformed, twice, or not described", l.ID, k.Name)
			}
			known[k.Name] = true
		}
		for _, text := range []string{l.Body, l.Remedy.Summary, l.Remedy.Command, l.Remedy.Manifest} {
			if strings.Count(text, "[[") != strings.Count(text, "]]") {
				t.Errorf("%s: brackets do not match: %q", l.ID, text)
			}
			for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
				p := parsePlaceholder(m[1])
				if !known[p.name] {
					t.Errorf("%s: %q is no evidence", l.ID, p.name)
				}
				if (p.one == "") != (p.many == "") || p.one != "" && p.one == p.many || p.alone && p.one == "" {
					t.Errorf("%s: %q lacks a form", l.ID, m[1])
				}
			}
		}
	}
}

func TestExplain(t *testing.T) {
	text, ok := Explain("tls-01")
	if !ok {
		t.Fatal("TLS-01 is not explained")
	}
	for _, want := range []string{"TLS-01  A port is encrypted", "Who listens? this pod", "raised after 1 window, cleared after 2 without it; live and in files", "server_names", "openssl s_client -connect localhost:PORT"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if _, ok := Explain("TLS-99"); ok {
		t.Error("a leaf that does not exist is explained")
	}
	for _, l := range Leaves() {
		if text, _ := Explain(l.ID); strings.Contains(text, "{{") || strings.Contains(text, "[[") {
			t.Errorf("%s: a template was not filled:\n%s", l.ID, text)
		}
	}
}
