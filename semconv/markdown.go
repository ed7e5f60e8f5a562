package semconv

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes docs/signals.md: every table of this package. It returns
// the first error of w.
func WriteMarkdown(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, `# Signals

Every name that wiretell emits. This page is generated from the tables in package semconv
by `+"`wiretell semconv`"+`; do not edit it.

Names of the OpenTelemetry semantic conventions are those of %s.
"Traffic" goes under the resource of the service whose traffic was observed, "self" under
`+"`service.name=wiretell`"+`. A name marked *reserved* is taken and not emitted yet.

`, SchemaURL)
	writeMetrics(b)
	writeEvents(b)
	writeAttributes(b)
	return b.Flush()
}

func writeMetrics(b *bufio.Writer) {
	b.WriteString("## Metrics\n\n| name | kind | unit | stability | resource | meaning | attributes |\n|---|---|---|---|---|---|---|\n")
	for _, m := range Metrics {
		fmt.Fprintf(b, "| `%s`%s | %s | `%s` | %s | %s | %s | %s |\n",
			m.Name, reserved(m.Reserved), m.Kind, m.Unit, m.Stability, m.Origin, m.Description, list(m.Attributes))
	}
	b.WriteString("\nHistogram bounds:\n\n| name | bounds |\n|---|---|\n")
	for _, m := range Metrics {
		if m.Kind == Histogram {
			fmt.Fprintf(b, "| `%s` | %s |\n", m.Name, strings.Trim(strings.ReplaceAll(fmt.Sprint(m.Buckets), " ", ", "), "[]"))
		}
	}
}

func writeEvents(b *bufio.Writer) {
	b.WriteString("\n## Events\n\nLog records with an event name, and the same name as attribute `" + EventAttribute + "`.\n\n" +
		"| name | severity | resource | meaning | attributes |\n|---|---|---|---|---|\n")
	for _, e := range Events {
		severity := "its own"
		if e.Severity != 0 {
			severity = e.Severity.String()
		}
		fmt.Fprintf(b, "| `%s`%s | %s | %s | %s | %s |\n", e.Name, reserved(e.Reserved), severity, e.Origin, e.Description, list(e.Attributes))
	}
}

func writeAttributes(b *bufio.Writer) {
	b.WriteString("\n## Attributes\n\n| name | type | stability | meaning |\n|---|---|---|---|\n")
	for _, a := range Attributes {
		name := a.Name
		if a.Prefix {
			name += ".<key>"
		}
		fmt.Fprintf(b, "| `%s`%s | %s | %s | %s |\n", name, reserved(a.Reserved), a.Type, a.Stability, a.Description)
	}
}

func reserved(r bool) string {
	if r {
		return " *(reserved)*"
	}
	return ""
}

func list(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "`, `") + "`"
}
