package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wiretell/wiretell/capture"
)

// Summary is what a run ends with.
type Summary struct {
	// Text is a block for a person: what was seen, and each finding with
	// its remedy, the worst first. It ends with a newline.
	Text string
	// Worst is the severity of the worst finding; Info when there is none.
	Worst Severity
	// Useful says whether at least one HTTP message was read. When it was not,
	// Text says so and why.
	Useful bool
}

// Summarize makes the block from the findings that hold (see [Tree.Final]).
// There is no success over an empty capture: a run that saw no HTTP message
// says so first, with the reason.
func Summarize(in Input, findings []Finding) Summary {
	s := Summary{Useful: Useful(in)}
	var b strings.Builder
	if s.Useful {
		fmt.Fprintf(&b, "wiretell: %s.\n", seenLine(in))
	} else {
		fmt.Fprintf(&b, "wiretell: no HTTP request or response was seen. %s.\n", capitalize(seenLine(in)))
	}
	ordered := worstFirst(findings)
	switch {
	case s.Useful || slices.ContainsFunc(ordered, explains):
	case in.Snapshot != nil && !in.Snapshot.Final:
		// While it goes on, most leaves are silent until a window is over.
		b.WriteString("  No finding says why yet: most weigh a whole window of traffic (--diagnosis-window) first.\n")
	default:
		b.WriteString("  No leaf of the tree explains why: see the ledger for what became of every packet.\n")
	}
	for i := range ordered {
		s.Worst = max(s.Worst, ordered[i].Severity)
		ordered[i].write(&b)
	}
	for _, note := range in.Capture.RoutingNotes {
		fmt.Fprintf(&b, "  note: %s\n", note)
	}
	s.Text = b.String()
	return s
}

// worstFirst returns the findings that hold in a new slice.
func worstFirst(findings []Finding) []Finding {
	ordered := slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return f.State == Cleared })
	slices.SortStableFunc(ordered, func(x, y Finding) int { return int(y.Severity) - int(x.Severity) })
	return ordered
}

// explains reports whether f can be why nothing was read.
func explains(f Finding) bool {
	leaf, _ := LeafByID(f.ID)
	return f.Severity > Info || leaf.Class == Unparsed
}

// write adds f as it is read on a terminal.
func (f *Finding) write(b *strings.Builder) {
	fmt.Fprintf(b, "  %s %s: %s", f.Severity, f.ID, f.Body)
	if f.Confidence != Certain {
		fmt.Fprintf(b, " (%s)", f.Confidence)
	}
	b.WriteByte('\n')
	if len(f.Caveats) > 0 {
		fmt.Fprintf(b, "    but mind %s: the capture is not whole\n", strings.Join(f.Caveats, ", "))
	}
	if f.Severity == Info {
		return
	}
	if f.Remedy.Summary != "" {
		fmt.Fprintf(b, "    remedy: %s\n", f.Remedy.Summary)
	}
	if f.Remedy.Command != "" {
		fmt.Fprintf(b, "      $ %s\n", f.Remedy.Command)
	}
	for line := range strings.Lines(f.Remedy.Manifest) {
		fmt.Fprintf(b, "      | %s\n", strings.TrimSuffix(line, "\n"))
	}
}

// seenLine says in one line what was read.
func seenLine(in Input) string {
	s := in.Snapshot
	if s == nil {
		return "nothing was captured"
	}
	l := &s.Ledger
	var failed uint64
	for i := range s.Ports {
		failed += s.Ports[i].Failed
	}
	var out []string
	for i, part := range []struct {
		n          uint64
		what, rest string
	}{
		{l[capture.FramesRead], "packet", " read"}, {l[capture.RequestsSeen], "request", ""}, {l[capture.ResponsesSeen], "response", ""},
		{failed, "failed connect", ""}, {l[capture.ConnsReset], "connection", " reset"}, {l[capture.FrameICMP] + l[capture.FrameICMPv6], "ICMP message", ""},
		{l[capture.FrameUDP], "UDP datagram", ""}, {l[capture.FrameFiltered], "packet", " left out by the filter"}, {l[capture.FrameOwnExport], "packet", " of wiretell's own"},
	} {
		if i < 3 || part.n > 0 {
			out = append(out, fmt.Sprintf("%d %s%s%s", part.n, part.what, plural(int(part.n)), part.rest))
		}
	}
	return strings.Join(out, ", ")
}

func capitalize(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
