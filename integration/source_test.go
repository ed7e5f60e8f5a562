package integration

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/wiretell/wiretell"

// source is the repository's Go code as text, for every platform at once.
type source struct {
	files   []*sourceFile
	modules []string // paths of all go.mod files
}

// sourceFile is one parsed .go file.
type sourceFile struct {
	path    string // from the root, with slashes
	dir     string // "." for the root
	test    bool
	imports []string
	lines   int
	ast     *ast.File
	fset    *token.FileSet
	text    []byte
}

// repository returns the path of the repository's root.
func repository(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = up
	}
}

// readSource parses all Go files of root. Folders that the go command skips
// (testdata, and names that begin with a dot or an underscore) and bin are no
// part of it.
func readSource(root fs.FS) (*source, error) {
	s := &source{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != "." && (base == "testdata" || base == "bin" || base[0] == '.' || base[0] == '_') {
				return fs.SkipDir
			}
			return nil
		}
		if base == "go.mod" {
			s.modules = append(s.modules, name)
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		file, err := parseFile(root, name)
		s.files = append(s.files, file)
		return err
	})
	return s, err
}

func parseFile(root fs.FS, name string) (*sourceFile, error) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &sourceFile{
		path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"),
		lines: strings.Count(string(text), "\n"), ast: tree, fset: fset, text: text,
	}
	for _, spec := range tree.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		f.imports = append(f.imports, p)
	}
	return f, nil
}

// top returns the first folder of f's path, or "." for a file in the root.
func (f *sourceFile) top() string {
	first, _, _ := strings.Cut(f.dir, "/")
	return first
}

// isTestHelper tells whether f is compiled into tests only: a test, or one of
// the packages that exist for tests.
func (f *sourceFile) isTestHelper() bool {
	return f.test || f.top() == "integration" || within(f.dir, "capture/capturetest")
}

// within tells whether the slash-separated path p is dir or below it.
func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }
