package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest"
)

// TestSessions plays the sessions of testdata: each line that begins with "$ "
// is a command line, and what follows is what it must print: "1" and "2" are
// standard output and standard error, "=" is an exit code that is not 0. What
// findings say in full is tested where they are made, and left out here. With
// -update the sessions are written anew; read the difference.
func TestSessions(t *testing.T) {
	files, err := filepath.Glob("testdata/*.session")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	for _, file := range files {
		file, err = filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".session"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			capturesIn(t, dir)
			if err := os.CopyFS(dir, os.DirFS("testdata/config")); err != nil {
				t.Fatal(err)
			}
			t.Chdir(dir)
			got := play(t, string(want))
			if *capturetest.Update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("%s", difference(string(want), got))
			}
		})
	}
}

// findingText is what a line says of a finding, and findingBlock a finding of
// the summary or of doctor.
var (
	findingText  = regexp.MustCompile(` body=".*`)
	findingBlock = regexp.MustCompile(`(?m)^(  (?:error|warning|info) [A-Z0-9-]+:).*\n(?:    .*\n)*`)
)

// play runs the commands of a session and returns it with what they print.
func play(t *testing.T, session string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(session) {
		command, is := strings.CutPrefix(strings.TrimRight(line, "\n"), "$ ")
		if !is {
			if strings.HasPrefix(line, "#") || line == "\n" {
				b.WriteString(line)
			}
			continue
		}
		fmt.Fprintf(&b, "$ %s\n", command)
		words, err := split(command)
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		var env []string
		for len(words) > 0 && words[0] != "wiretell" {
			env, words = append(env, words[0]), words[1:]
		}
		if len(words) == 0 {
			t.Fatalf("%s: no wiretell", command)
		}
		stdout, stderr, code := wiretell(env, words[1:]...)
		quote(&b, "1", findingBlock.ReplaceAllString(findingText.ReplaceAllString(stdout, " body=..."), "$1 ...\n"))
		quote(&b, "2", findingBlock.ReplaceAllString(stderr, "$1 ...\n"))
		if code != 0 {
			fmt.Fprintf(&b, "= %d\n", code)
		}
	}
	return b.String()
}

func quote(b *strings.Builder, mark, text string) {
	for line := range strings.Lines(text) {
		end := strings.TrimRight(line, "\n")
		fmt.Fprintln(b, strings.TrimRight(mark+" "+end, " "))
		if end == line {
			fmt.Fprintln(b, mark+"\\ no newline")
		}
	}
}

// split cuts a command line at spaces outside of single quotes.
func split(s string) (words []string, err error) {
	word, started, quoted := "", false, false
	for _, r := range s {
		switch {
		case r == '\'':
			quoted, started = !quoted, true
		case r == ' ' && !quoted:
			if started {
				words = append(words, word)
			}
			word, started = "", false
		default:
			word, started = word+string(r), true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote is not closed")
	}
	if started {
		words = append(words, word)
	}
	return words, nil
}

// difference shows the first line where two texts part, with the command above.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	command := ""
	for i := 0; i < max(len(w), len(g)); i++ {
		a, b := "(end)", "(end)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if strings.HasPrefix(b, "$ ") {
			command = b
		}
		if a != b {
			return fmt.Sprintf("line %d, after %s\nwant: %s\n got: %s", i+1, command, a, b)
		}
	}
	return "no difference"
}
