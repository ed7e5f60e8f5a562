package explain

import (
	"fmt"
	"io"
	"strings"

	"github.com/wiretell/wiretell/capture/diagnosis"
)

// List returns one line for each error, grouped.
func List() string {
	var b strings.Builder
	for i, s := range sections() {
		if i > 0 {
			b.WriteString("\n")
		}
		s.list(&b)
	}
	return b.String()
}

func (s *section) list(b *strings.Builder) {
	fmt.Fprintf(b, "%s\n", s.title)
	for _, e := range s.entries {
		fmt.Fprintf(b, "  %-28s %s\n", e.words[0], e.Text)
	}
}

// Error returns all that is to be said about an error, for a terminal; name is
// its word in any case of letters, as "reset", "NXDOMAIN", "icmp 3/13" or
// "alert 40"; "icmp" alone lists those of ICMP. A word that means several things
// gets all of them. ok is false when there is no such error.
func Error(name string) (text string, ok bool) {
	var b strings.Builder
	for i, f := range find(name) {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s  %s\n  %s\n", strings.Join(f.words, "  "), "("+f.title+")", f.Text)
		fmt.Fprintf(&b, "\nProved by\n  %s\n", f.Proof)
		if f.Source != "" {
			fmt.Fprintf(&b, "  %s\n", f.Source)
		}
		b.WriteString("\nTold as\n")
		for _, s := range f.signals {
			fmt.Fprintf(&b, "  %s\n", s.text(func(name string) string { return name }))
		}
		if len(f.leaves) > 0 {
			b.WriteString("\nDiagnoses\n")
			for _, id := range f.leaves {
				l, _ := diagnosis.LeafByID(id)
				fmt.Fprintf(&b, "  %-11s %s\n", id, l.Title)
			}
		}
		fmt.Fprintf(&b, "\nLook at\n  %s\n", f.Look)
	}
	for _, s := range sections() {
		if s.word != "" && strings.EqualFold(s.word, name) {
			if b.Len() > 0 {
				b.WriteString("\n")
			}
			s.list(&b)
		}
	}
	return b.String(), b.Len() > 0
}

// Words returns the names that [Error] knows with what they mean, each once.
func Words() (words, texts []string) {
	seen := map[string]bool{}
	for _, s := range sections() {
		for _, e := range s.entries {
			if w := e.words[0]; !seen[w] {
				seen[w] = true
				words, texts = append(words, w), append(texts, e.Text)
			}
		}
	}
	return words, texts
}

// text says where an error is told; quote marks names.
func (s signal) text(quote func(string) string) string {
	var parts []string
	switch {
	case s.event != "" && s.attribute != "":
		parts = append(parts, "event "+quote(s.event)+" by "+quote(s.attribute))
	case s.event != "":
		parts = append(parts, "event "+quote(s.event))
	}
	switch {
	case s.metric != "" && s.event == "" && s.attribute != "":
		parts = append(parts, "metric "+quote(s.metric)+" by "+quote(s.attribute))
	case s.metric != "":
		parts = append(parts, "metric "+quote(s.metric))
	}
	if s.line != "" {
		parts = append(parts, "line "+quote(s.line))
	}
	return strings.Join(parts, ", ")
}

// WriteMarkdown writes docs/errors.md.
func WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Errors

<!-- Generated: go test ./cmd/wiretell/explain -update. Do not edit. -->

Every error that wiretell tells: what it means, how it is proved on the wire, which signal carries it, and what to do.
` + "`wiretell explain ERROR`" + ` prints what this page says of one, as ` + "`wiretell explain reset`" + ` or ` + "`wiretell explain icmp 3/13`" + `;
` + "`wiretell explain errors`" + ` lists them. Events and metrics are described in [signals.md](signals.md), diagnoses in
[diagnosis.md](diagnosis.md). What ` + "`error.type`" + ` says of an exchange stands on its span, too.

`)
	all := sections()
	for _, s := range all {
		fmt.Fprintf(&b, "- [%s](#%s)\n", s.title, strings.ReplaceAll(strings.ToLower(s.title), " ", "-"))
	}
	code := func(name string) string { return "`" + name + "`" }
	for _, s := range all {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| error | meaning | proved by | told as | look at |\n|---|---|---|---|---|\n", s.title, s.intro)
		for _, e := range s.entries {
			name := code(e.words[0])
			for _, w := range e.words[1:] {
				name += "<br>" + w
			}
			proof := e.Proof
			if e.Source != "" {
				proof += " (" + e.Source + ")"
			}
			var told []string
			for _, g := range e.signals {
				told = append(told, g.text(code))
			}
			look := e.Look
			for i, id := range e.leaves {
				sep := ", "
				if i == 0 {
					sep = ". Diagnoses: "
				}
				look += fmt.Sprintf("%s[%s](diagnosis.md#%s)", sep, id, strings.ToLower(id))
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", name, e.Text, proof, strings.Join(told, "<br>"), look)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
