package observer_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/exporter/text"
)

// scripts reads every script of testdata.
func scripts(t *testing.T) []*capturetest.Script {
	t.Helper()
	paths, err := filepath.Glob("testdata/scripts/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	var out []*capturetest.Script
	for _, p := range paths {
		s, err := capturetest.ReadScript(p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

// TestScripts observes every script and compares what is printed with the
// script's second part.
func TestScripts(t *testing.T) {
	for _, s := range scripts(t) {
		t.Run(filepath.Base(s.Name), func(t *testing.T) {
			r := observe(capturetest.NewSource(s.Segments), nil)
			r.check(t)
			var out bytes.Buffer
			text.New(&out).Export(r.batch, nil)
			if *capturetest.Update {
				if err := s.Update(out.String()); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got := out.String(); got != s.Want {
				t.Errorf("got\n%s\nwant\n%s", got, s.Want)
			}
		})
	}
}

// TestScriptsKeepTheirMeaning runs the changes that must not matter over every
// script, and each single loss: it may cost facts, and must not invent any.
func TestScriptsKeepTheirMeaning(t *testing.T) {
	for _, s := range scripts(t) {
		if strings.Contains(s.Name, "redirected") {
			continue // what is changed are the addresses and numbers that tell of it
		}
		t.Run(filepath.Base(s.Name), func(t *testing.T) {
			// Where a script is about the order of packets, changing it is changing it.
			if !strings.Contains(s.Name, "early") && !strings.Contains(s.Name, "overlap") {
				base := sameMeaning(t, s.Segments)
				// Bytes that only their past tells from a message deceive
				// whoever joins after it.
				if !strings.Contains(s.Comment, "ambiguous midway") {
					midway(t, s.Segments, base)
				}
			}
			loss(t, s.Segments)
		})
	}
}
