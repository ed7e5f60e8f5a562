package semconv

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest"
)

const docs = "../docs/signals.md"

func TestDocsAreGenerated(t *testing.T) {
	var want bytes.Buffer
	if err := WriteMarkdown(&want); err != nil {
		t.Fatal(err)
	}
	capturetest.Golden(t, docs, want.Bytes())
}

// constants returns name and value of every string constant that a file declares.
func constants(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			lit, ok := v.Values[0].(*ast.BasicLit)
			if !ok {
				continue
			}
			word, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			found[v.Names[0].Name] = word
		}
	}
	return found
}

// Every constant has its row, and every row its constant.
func TestConstantsAndTablesAgree(t *testing.T) {
	values := []string{ServiceNameWiretell, ServiceNameUnknown, MethodOther, SpanNameHTTP, ComponentTypeBatching}
	for _, c := range []struct {
		file  string
		names []string
	}{
		{"metric.go", names(Metrics[:], func(m Metric) string { return m.Name })},
		{"event.go", names(Events[:], func(e Event) string { return e.Name })},
		{"attribute.go", names(Attributes[:], func(a Attribute) string { return a.Name })},
	} {
		consts := constants(t, c.file)
		if len(consts) < 5 {
			t.Fatalf("%s: only %d constants found", c.file, len(consts))
		}
		var spelt []string
		for name, value := range consts {
			if slices.Contains(values, value) && c.file == "attribute.go" {
				continue
			}
			spelt = append(spelt, value)
			if !slices.Contains(c.names, value) {
				t.Errorf("%s: constant %s = %q has no row", c.file, name, value)
			}
		}
		for _, n := range c.names {
			if !slices.Contains(spelt, n) {
				t.Errorf("%s: row %q has no constant", c.file, n)
			}
		}
	}
}

func names[T any](rows []T, name func(T) string) []string {
	var out []string
	for _, r := range rows {
		out = append(out, name(r))
	}
	return out
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$`)

func TestNamesAreUniqueAndWellFormed(t *testing.T) {
	for table, all := range map[string][]string{
		"metrics":    names(Metrics[:], func(m Metric) string { return m.Name }),
		"events":     names(Events[:], func(e Event) string { return e.Name }),
		"attributes": names(Attributes[:], func(a Attribute) string { return a.Name }),
	} {
		seen := map[string]bool{}
		for _, n := range all {
			if seen[n] {
				t.Errorf("%s: %q stands twice", table, n)
			}
			seen[n] = true
			if !nameForm.MatchString(n) {
				t.Errorf("%s: %q is no dotted lower-case name", table, n)
			}
		}
	}
}

// ucum holds the units of the conventions that wiretell uses; braces are
// annotations (UCUM, section 2.1).
var ucum = regexp.MustCompile(`^(1|s|By|\{[a-z_]+\})$`)

func TestMetricsAreWhole(t *testing.T) {
	for _, m := range Metrics {
		if !ucum.MatchString(m.Unit) {
			t.Errorf("%s: unit %q", m.Name, m.Unit)
		}
		if !strings.HasSuffix(m.Description, ".") {
			t.Errorf("%s: description %q is no sentence", m.Name, m.Description)
		}
		if (m.Kind == Histogram) != (len(m.Buckets) > 0) {
			t.Errorf("%s: kind %s with %d bounds", m.Name, m.Kind, len(m.Buckets))
		}
		if !slices.IsSorted(m.Buckets) {
			t.Errorf("%s: bounds are not sorted", m.Name)
		}
		if m.Unit == "s" && !m.Float {
			t.Errorf("%s: seconds must be float", m.Name)
		}
		checkAttributes(t, m.Name, m.Attributes, m.Reserved)
	}
	for _, e := range Events {
		if !strings.HasSuffix(e.Description, ".") {
			t.Errorf("%s: description %q is no sentence", e.Name, e.Description)
		}
		if !slices.Contains(e.Attributes, EventAttribute) {
			t.Errorf("%s: lacks %s", e.Name, EventAttribute)
		}
		checkAttributes(t, e.Name, e.Attributes, e.Reserved)
	}
	for _, a := range Attributes {
		if !strings.HasSuffix(a.Description, ".") {
			t.Errorf("%s: description %q is no sentence", a.Name, a.Description)
		}
	}
}

func checkAttributes(t *testing.T, owner string, attrs []string, ownerReserved bool) {
	t.Helper()
	seen := map[string]bool{}
	for _, name := range attrs {
		if seen[name] {
			t.Errorf("%s: attribute %s stands twice", owner, name)
		}
		seen[name] = true
		i := slices.IndexFunc(Attributes[:], func(a Attribute) bool { return a.Name == name })
		if i < 0 {
			t.Errorf("%s: attribute %q is not in the table", owner, name)
		} else if Attributes[i].Reserved && !ownerReserved {
			t.Errorf("%s is emitted but its attribute %q is reserved", owner, name)
		}
	}
}

// WriteMarkdown must report a writer that fails.
func TestWriteMarkdownFails(t *testing.T) {
	if err := WriteMarkdown(failing{}); err == nil {
		t.Error("no error from a writer that fails")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }
