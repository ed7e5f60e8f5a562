package integration

import (
	"fmt"
	"go/ast"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const maxFileLines = 600

var (
	goFolders = []string{"capture", "cmd", "examples", "exporter", "integration", "semconv"}
	headings  = []string{"# Data flow", "# Concurrency", "# Limitations"}
)

// TestRules holds all Go code of the repository to its rules.
func TestRules(t *testing.T) {
	s, err := readSource(os.DirFS(repository(t)))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.files) < 100 {
		t.Fatalf("only %d Go files: is this the repository?", len(s.files))
	}
	report(t, checkRules(s))
}

// TestRulesFail shows each complaint on a small tree made for it.
func TestRulesFail(t *testing.T) {
	good := map[string]string{
		"go.mod":                 "module " + module,
		"capture/tcp/doc.go":     "// Package tcp follows.\n//\n// # Data flow\n//\n// # Concurrency\n//\n// # Limitations\npackage tcp\n",
		"capture/tcp/a_test.go":  "package tcp\n\nimport (\"os\"; \"testing\")\n\nfunc TestA(t *testing.T) { if os.Getenv(\"CI\") != \"\" { t.Fatal() }; t.Skip() }\n",
		"exporter/doc.go":        "// Package exporter is the way out.\npackage exporter\n",
		"capture/afpacket/a.go":  "// Package afpacket reads.\n//\n// # Data flow\n//\n// # Concurrency\n//\n// # Limitations\npackage afpacket\n\nimport _ \"unsafe\"\n",
		"testdata/x.go":          "package broken(",
		"exporter/size_test.go":  "package exporter\n\nimport _ \"unsafe\"\n",
		"exporter/size.go":       "package exporter\n\nimport \"unsafe\"\n\nconst size = unsafe.Sizeof(0)\n",
		"exporter/bench_test.go": "package exporter\n\nimport \"testing\"\n\nfunc BenchmarkA(b *testing.B) { b.Skip(\"no tcpdump\") }\n",
	}
	tests := []struct{ name, file, text, want string }{
		{"another folder", "pkg/a.go", "// Package pkg is lost.\npackage pkg\n", "pkg/a.go: Go code belongs into one of capture, cmd, examples, exporter, integration, semconv"},
		{"the root", "a.go", "// Package a is lost.\npackage a\n", "a.go: Go code belongs into one of capture, cmd, examples, exporter, integration, semconv"},
		{"a second module", "exporter/go.mod", "module other", "exporter/go.mod: the repository is one module"},
		{"a long file", "exporter/a.go", "package exporter\n" + strings.Repeat("\n", 600), "exporter/a.go: 601 lines, the cap is 600"},
		{"no comment", "exporter/doc.go", "package exporter\n", "exporter: no package comment that begins with \"Package exporter\""},
		{"no heading", "capture/tcp/doc.go", "// Package tcp follows.\n//\n// # Data flow\n//\n// # Limitations\npackage tcp\n", "capture/tcp: the package comment lacks \"# Concurrency\""},
		{"init", "exporter/a.go", "package exporter\n\nfunc init() {}\n", "exporter/a.go:3: an init function"},
		{"unsafe", "exporter/a.go", "package exporter\n\nimport \"unsafe\"\n\nvar p unsafe.Pointer\n", "exporter/a.go: unsafe outside capture/afpacket"},
		{"unsafe for linkname", "exporter/a.go", "package exporter\n\nimport _ \"unsafe\"\n", "exporter/a.go: unsafe outside capture/afpacket"},
		{"a silent skip", "exporter/a_test.go", "package exporter\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { t.Skipf(\"no\") }\n", "exporter/a_test.go:5: a skip that CI would not notice: fail instead when CI is set"},
		{"a skip in short mode", "exporter/a_test.go", "package exporter\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { if testing.Short() { t.Skip() } }\n", "exporter/a_test.go:5: a skip that CI would not notice: fail instead when CI is set"},
		{"exit", "exporter/a.go", "package exporter\n\nimport \"os\"\n\nfunc f() { os.Exit(1) }\n", "exporter/a.go:5: os.Exit outside cmd"},
		{"log", "exporter/a.go", "package exporter\n\nimport _ \"log/slog\"\n", "exporter/a.go: imports log/slog outside cmd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range good {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			s, err := readSource(root)
			if err != nil {
				t.Fatal(err)
			}
			if got := checkRules(s); len(got) != 0 {
				t.Fatalf("the good tree has complaints: %q", got)
			}
			root[tt.file] = &fstest.MapFile{Data: []byte(tt.text)}
			if s, err = readSource(root); err != nil {
				t.Fatal(err)
			}
			if got := checkRules(s); !slices.Contains(got, tt.want) {
				t.Errorf("complaints = %q, want %q", got, tt.want)
			}
		})
	}
}

func checkRules(s *source) (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for _, name := range s.modules {
		if name != "go.mod" {
			say("%s: the repository is one module", name)
		}
	}
	for _, f := range s.files {
		if !slices.Contains(goFolders, f.top()) {
			say("%s: Go code belongs into one of %s", f.path, strings.Join(goFolders, ", "))
		}
		if f.lines > maxFileLines && !ast.IsGenerated(f.ast) {
			say("%s: %d lines, the cap is %d", f.path, f.lines, maxFileLines)
		}
		if !f.isTestHelper() {
			checkProduct(f, say)
		}
		checkFunctions(f, say)
	}
	checkComments(s, say)
	return problems
}

// checkProduct looks at what the binary is made of.
func checkProduct(f *sourceFile, say func(string, ...any)) {
	if f.dir != "capture/afpacket" && isUnsafe(f) {
		say("%s: unsafe outside capture/afpacket", f.path)
	}
	if f.top() == "cmd" || f.top() == "examples" {
		return
	}
	for _, p := range []string{"log", "log/slog", "flag"} {
		if slices.Contains(f.imports, p) {
			say("%s: imports %s outside cmd", f.path, p)
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Exit" {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" {
				say("%s:%d: os.Exit outside cmd", f.path, f.line(n))
			}
		}
		return true
	})
}

// isUnsafe tells whether f uses package unsafe for more than a type's size.
func isUnsafe(f *sourceFile) (found bool) {
	for _, spec := range f.ast.Imports {
		found = found || spec.Path.Value == `"unsafe"` && spec.Name != nil
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if ok && x.Name == "unsafe" && !slices.Contains([]string{"Sizeof", "Alignof", "Offsetof"}, sel.Sel.Name) {
			found = true
		}
		return true
	})
	return found
}

// checkFunctions finds init functions, and skips in a function that does not
// look at CI, or at -short: only `make race` gives that, beside a whole run
// without. A benchmark may skip: CI runs none.
func checkFunctions(f *sourceFile, say func(string, ...any)) {
	for _, decl := range f.ast.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if fn.Name.Name == "init" && fn.Recv == nil {
			say("%s:%d: an init function", f.path, f.line(fn))
		}
		if !f.isTestHelper() || isBenchmark(fn) {
			continue
		}
		text := string(f.text[f.fset.Position(fn.Pos()).Offset:f.fset.Position(fn.End()).Offset])
		if strings.Contains(text, `Getenv("CI")`) {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				say("%s:%d: a skip that CI would not notice: fail instead when CI is set", f.path, f.line(n))
			}
			return true
		})
	}
}

// isBenchmark tells whether fn has a parameter of type *testing.B.
func isBenchmark(fn *ast.FuncDecl) bool {
	return slices.ContainsFunc(fn.Type.Params.List, func(p *ast.Field) bool {
		star, ok := p.Type.(*ast.StarExpr)
		if !ok {
			return false
		}
		sel, ok := star.X.(*ast.SelectorExpr)
		return ok && sel.Sel.Name == "B"
	})
}

// checkComments wants a package comment in Go's form from every package, and
// the three headings from every room under capture.
func checkComments(s *source, say func(string, ...any)) {
	names, comments := map[string]string{}, map[string]string{}
	for _, f := range s.files {
		if f.test {
			continue
		}
		names[f.dir] = f.ast.Name.Name
		if f.ast.Doc != nil {
			comments[f.dir] += f.ast.Doc.Text()
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(names)) {
		comment, opening := comments[dir], "Package "+names[dir]
		if names[dir] == "main" {
			opening = "Command "
		}
		if !strings.HasPrefix(comment, opening) {
			say("%s: no package comment that begins with %q", dir, opening)
			continue
		}
		if !within(dir, "capture") {
			continue
		}
		for _, heading := range headings {
			if !strings.Contains(comment, heading+"\n") {
				say("%s: the package comment lacks %q", dir, heading)
			}
		}
	}
}

func (f *sourceFile) line(n ast.Node) int { return f.fset.Position(n.Pos()).Line }
