package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture/diagnosis"
)

// foreign are the flags that a remedy's sentence names of other programs.
var foreign = []string{"--net-raw"} // runsc's

var (
	flagWord = regexp.MustCompile(`(?:^|[\s"'\[,(])(--[a-z][a-z0-9-]*)`)
	// invocation is wiretell with what it is given, up to the end of a command.
	invocation = regexp.MustCompile(`\bwiretell((?: +(?:'[^']*'|"[^"]*"|[^\s;|&)#'"]+))*)`)
	shellWord  = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
	filledIn   = regexp.MustCompile(`\{\{[^}]*\}\}`) // where it is said
	without    = regexp.MustCompile(`# without (--[a-z-]+)`)
	// container is a run command behind an image, or an args line of a manifest.
	container = regexp.MustCompile(`(?m)(?:\bIMAGE +|^\s*(?:- )?args: *\[?)((?:run|read)\b[^;|&#\n\]]*)`)
)

// TestRemediesCanBePasted: every flag that a remedy names is one that its
// command has, and every value is one that it takes.
func TestRemediesCanBePasted(t *testing.T) {
	root := newRoot(process{})
	checked := 0
	known := func(command, flag string) bool {
		for _, c := range root.Commands() {
			if (command == "" || c.Name() == command) && c.Flags().Lookup(strings.TrimPrefix(flag, "--")) != nil {
				return true
			}
		}
		return false
	}
	for _, l := range diagnosis.Leaves() {
		for _, m := range flagWord.FindAllStringSubmatch(l.Remedy.Summary+"\n"+l.Body+"\n"+l.Meaning+"\n"+l.Guard, -1) {
			if !known("", m[1]) && !slices.Contains(foreign, m[1]) {
				t.Errorf("%s: no command has %s", l.ID, m[1])
			}
		}
		for _, m := range without.FindAllStringSubmatch(l.Remedy.Command, -1) {
			if !known("", m[1]) {
				t.Errorf("%s: no command has %s", l.ID, m[1])
			}
		}
		var lines []string
		text := l.Remedy.Command + "\n" + l.Remedy.Manifest
		for _, m := range invocation.FindAllStringSubmatch(text, -1) {
			lines = append(lines, m[1])
		}
		for _, m := range container.FindAllStringSubmatch(text, -1) {
			lines = append(lines, strings.NewReplacer(",", " ", `"`, "").Replace(m[1]))
		}
		for _, line := range lines {
			words := shellWord.FindAllString(filledIn.ReplaceAllString(line, "8080"), -1)
			for i := range words {
				words[i] = strings.Trim(words[i], `'"`)
			}
			command, rest, err := root.Find(words)
			if command == root || err != nil {
				if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "--") }) {
					t.Errorf("%s: %q names no command", l.ID, line)
				}
				continue // "command -v wiretell", or a container's name
			}
			checked++
			if err := command.ParseFlags(rest); err != nil {
				t.Errorf("%s: wiretell%s: %v", l.ID, line, err)
				continue
			}
			if err := command.ValidateArgs(command.Flags().Args()); err != nil {
				t.Errorf("%s: wiretell%s: %v", l.ID, line, err)
			}
			if command.Name() == "explain" {
				for _, id := range command.Flags().Args() {
					if _, ok := diagnosis.LeafByID(id); !ok && id != selectTopic {
						t.Errorf("%s: wiretell%s: there is no such leaf", l.ID, line)
					}
				}
			}
		}
	}
	if checked < 15 {
		t.Errorf("only %d command lines were found", checked)
	}
}
