package selector

import (
	"fmt"
	"io"
	"strings"
)

// example selects all that went wrong.
const example = `http.status >= 400 or error != "" or kind == "icmp" or kind == "tcp"`

// Explain returns the fields and the language for a terminal.
func Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, `--select EXPRESSION exports only the exchanges and events that the expression
selects, as spans, log records and lines. Metrics count all, and a diagnosis is
always exported.

The expression is a condition of the OpenTelemetry Transformation Language (OTTL):
  ==  !=  <  <=  >  >=        field and value
  and  or  not  ( )           join conditions
  IsMatch(field, "pattern")   a regular expression finds something in the text

Example:
  %s

Fields:
`, example)
	for i := range fields {
		f := &fields[i]
		fmt.Fprintf(&b, "  %-16s %-8s %s\n  %-25s as %s\n", f.Name, f.Type, strings.ReplaceAll(f.Description, "`", ""), "", f.Example)
	}
	return b.String()
}

// WriteMarkdown writes the table of fields of docs/selecting.md.
func WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| field | type | what it is | as |\n|---|---|---|---|\n")
	for i := range fields {
		f := &fields[i]
		fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` |\n", f.Name, f.Type, strings.ReplaceAll(f.Description, "|", `\|`), strings.ReplaceAll(f.Example, "|", `\|`))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
