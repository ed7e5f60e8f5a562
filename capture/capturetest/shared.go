package capturetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Shared returns the folder of third-party captures that lies beside a
// checkout. In a user's clone it is absent: the test then says so and skips; in
// CI that is a failure.
func Shared(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	shared := filepath.Join(filepath.Dir(dir), "shared", "captures")
	if _, err := os.Stat(filepath.Join(shared, "INDEX.tsv")); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the shared captures are missing: %v", err)
		}
		t.Skipf("no shared captures beside this checkout: %v", err)
	}
	return shared
}

// Captures returns the paths, relative to the folder of [Shared], of all captures.
func Captures(t testing.TB) []string {
	t.Helper()
	index, err := os.ReadFile(filepath.Join(Shared(t), "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for line := range strings.Lines(string(index)) {
		if name, _, _ := strings.Cut(line, "\t"); name != "file" && name != "" {
			files = append(files, name)
		}
	}
	return files
}
