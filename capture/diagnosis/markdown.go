package diagnosis

import (
	"fmt"
	"io"
	"strings"
)

// Explain returns all that is to be said about a leaf, for a terminal; ok is
// false when there is no leaf of that id.
func Explain(id string) (text string, ok bool) {
	l, ok := LeafByID(id)
	if !ok {
		return "", false
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n%s, %s, %s\n\n%s\n\n", l.ID, l.Title, l.Class, l.Severity, l.Confidence, l.Meaning)
	b.WriteString("How it is reached\n")
	for _, s := range l.Path {
		fmt.Fprintf(&b, "  %s %s\n", s.Question, s.Answer)
	}
	fmt.Fprintf(&b, "\nHolds when\n  %s\n  %s\n", l.Condition, l.pace())
	for _, t := range l.Thresholds {
		fmt.Fprintf(&b, "  threshold %s\n", t)
	}
	b.WriteString("\nRests on\n")
	for _, k := range l.Evidence {
		fmt.Fprintf(&b, "  %-22s %s\n", k.Name, k.Description)
	}
	fmt.Fprintf(&b, "\nNot to be mistaken\n  %s\n\nRemedy\n  %s\n", l.Guard, Plain(l.Remedy.Summary))
	if l.Remedy.Command != "" {
		fmt.Fprintf(&b, "    $ %s\n", Plain(l.Remedy.Command))
	}
	for line := range strings.Lines(l.Remedy.Manifest) {
		fmt.Fprintf(&b, "    | %s\n", strings.TrimSuffix(Plain(line), "\n"))
	}
	if l.Remedy.URL != "" {
		fmt.Fprintf(&b, "  %s\n", l.Remedy.URL)
	}
	return b.String(), true
}

// String formats t for documentation.
func (t Threshold) String() string {
	if t.Value == t.AtEnd {
		return fmt.Sprintf("%s: %g %s", t.Name, t.Value, t.Unit)
	}
	return fmt.Sprintf("%s: %g %s (over a whole run: %g)", t.Name, t.Value, t.Unit, t.AtEnd)
}

// pace says how fast the leaf is raised and cleared, and where it applies.
func (l *Leaf) pace() string {
	raise := "at once"
	if l.Raise > 0 {
		raise = fmt.Sprintf("after %d window%s", l.Raise, plural(l.Raise))
	}
	where := "live and in files"
	switch {
	case !l.File:
		where = "live"
	case !l.Live:
		where = "in files"
	}
	return fmt.Sprintf("raised %s, cleared after %d without it; %s", raise, l.Clear, where)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// Plain turns a template of a [Leaf] into text for a reader without evidence:
// placeholders become CAPITALS.
func Plain(text string) string {
	var b strings.Builder
	text = strings.NewReplacer("[[", "", "]]", "").Replace(text)
	for {
		before, rest, found := strings.Cut(text, "{{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		var name string
		name, text, _ = strings.Cut(rest, "}}")
		switch p := parsePlaceholder(name); {
		case p.name == "run":
			b.WriteString(runLive)
		case !p.truth:
			b.WriteString(p.inflect(strings.ToUpper(p.name)))
		}
	}
}

// WriteMarkdown writes docs/diagnosis.md: the tree and every leaf.
func WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Diagnosis

<!-- Generated from the leaves of capture/diagnosis: go test ./capture/diagnosis -run TestMarkdown -update. Do not edit. -->

wiretell asks itself, while it runs and at the end, why nothing, little, or the wrong thing was seen.
Each conclusion is a leaf of one tree. A finding is published as the log record ` + "`wiretell.diagnosis`" + ` when it is
raised, changed or cleared, and again every ten minutes while it holds. ` + "`wiretell explain ID`" + ` prints what this page says of a leaf.

- Leaves are evaluated by server port and direction, never by totals alone, and several may hold at once.
- A window is 30 s. A window that proves nothing either way changes nothing.
- The thresholds over a whole run are those of a capture file and of a live run that is shorter than a window; at its end a longer one must reach both.
- Where wiretell may not capture, leaves that need packets are silent.
- While a leaf of the quality class holds that is more than information, its id stands as a caveat on every finding that rests on counted packets.

`)
	leaves := Leaves()
	writeTree(&b, leaves)
	for c := range NumClasses {
		fmt.Fprintf(&b, "\n## %s\n\n| id | title | severity | confidence |\n|---|---|---|---|\n", c)
		for i := range leaves {
			if l := &leaves[i]; l.Class == c {
				fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", l.ID, strings.ToLower(l.ID), l.Title, l.Severity, l.Confidence)
			}
		}
		for i := range leaves {
			if l := &leaves[i]; l.Class == c {
				l.markdown(&b)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (l *Leaf) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n**%s** (%s, %s). %s\n\n> %s\n\n", l.ID, l.Title, l.Severity, l.Confidence, l.Meaning, Plain(l.Body))
	b.WriteString("Path: ")
	for i, s := range l.Path {
		if i > 0 {
			b.WriteString(" → ")
		}
		fmt.Fprintf(b, "%s *%s*", s.Question, s.Answer)
	}
	fmt.Fprintf(b, "\n\nHolds when %s (%s).\n\n", l.Condition, l.pace())
	for _, t := range l.Thresholds {
		fmt.Fprintf(b, "- threshold %s\n", t)
	}
	for _, k := range l.Evidence {
		fmt.Fprintf(b, "- `%s`: %s\n", k.Name, k.Description)
	}
	fmt.Fprintf(b, "\nNot to be mistaken: %s\n\nRemedy: %s\n", l.Guard, Plain(l.Remedy.Summary))
	if l.Remedy.Command != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", Plain(l.Remedy.Command))
	}
	if l.Remedy.Manifest != "" {
		fmt.Fprintf(b, "\n```yaml\n%s```\n", Plain(l.Remedy.Manifest))
	}
	if l.Remedy.URL != "" {
		fmt.Fprintf(b, "\n<%s>\n", l.Remedy.URL)
	}
}

// writeTree draws the questions and leaves as a mermaid flowchart.
func writeTree(b *strings.Builder, leaves []Leaf) {
	b.WriteString("```mermaid\nflowchart LR\n")
	nodes := map[string]string{}
	name := func(path, label string) string {
		n, ok := nodes[path]
		if !ok {
			n = fmt.Sprintf("q%d", len(nodes))
			nodes[path] = n
			fmt.Fprintf(b, "  %s{%q}\n", n, label)
		}
		return n
	}
	drawn := map[string]bool{}
	for i := range leaves {
		l := &leaves[i]
		path := ""
		for j, s := range l.Path {
			from := name(path+s.Question, s.Question)
			path += s.Question + s.Answer
			to := ""
			if j+1 < len(l.Path) {
				to = name(path+l.Path[j+1].Question, l.Path[j+1].Question)
			} else {
				to = fmt.Sprintf("%s[%q]", strings.ReplaceAll(l.ID, "-", ""), l.ID+" "+l.Title)
			}
			edge := fmt.Sprintf("  %s -->|%q| %s\n", from, s.Answer, to)
			if !drawn[edge] {
				drawn[edge] = true
				b.WriteString(edge)
			}
		}
	}
	b.WriteString("```\n")
}
