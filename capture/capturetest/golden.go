package capturetest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// Update is the flag -update: tests write what they generate.
var Update = flag.Bool("update", false, "write the files that this package's tests generate; read the difference")

// Golden compares the file with what is generated for it, and fails t where they
// differ. With -update it writes the file.
func Golden(t testing.TB, file string, generated []byte) {
	t.Helper()
	if *Update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, generated, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(text, generated) {
		return
	}
	have, want := bytes.SplitAfter(text, []byte("\n")), bytes.SplitAfter(generated, []byte("\n"))
	n := 0
	for n < len(have) && n < len(want) && bytes.Equal(have[n], want[n]) {
		n++
	}
	t.Errorf("%s is not what is generated from line %d on; go test -update writes it anew.\n got: %.300q\nwant: %.300q", file, n+1, at(have, n), at(want, n))
}

// at returns the line with the index n; nil behind the end.
func at(lines [][]byte, n int) []byte {
	if n < len(lines) {
		return lines[n]
	}
	return nil
}
