package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest"
)

// TestEveryCapture reads every shared capture: exit code 0, or 1 for one that is
// damaged, and then it says where. 70 would say that the books do not balance or
// that a parser failed.
func TestEveryCapture(t *testing.T) {
	dir := capturetest.Shared(t)
	damaged, files := 0, capturetest.Captures(t)
	for _, name := range files {
		_, stderr, code := wiretell(nil, "read", "--exporter", "text", filepath.Join(dir, name))
		switch {
		case code == exitOK:
		case code == exitFailed && strings.Contains(stderr, "wiretell: "+filepath.Join(dir, name)):
			damaged++
		default:
			t.Errorf("%s: exit code %d: %s", name, code, stderr)
		}
		if !strings.Contains(stderr, " read, ") && code == exitOK {
			t.Errorf("%s: nothing is said at the end: %s", name, stderr)
		}
	}
	t.Logf("%d captures, %d damaged", len(files), damaged)
	if damaged > len(files)/100 || len(files) < 100 {
		t.Errorf("%d of %d captures are damaged", damaged, len(files))
	}
}

// TestOneWayFilter: a filter that selects one half of connections is told to do
// so, and neither the server nor a loss is blamed.
func TestOneWayFilter(t *testing.T) {
	made := t.TempDir()
	capturesIn(t, made)
	for filter, want := range map[string]string{
		"dst port 8080": "Only the client's packets are visible on port 8080",
		"src port 8080": "Only the server's packets are visible on port 8080",
		"port 8080":     "",
	} {
		_, stderr, code := wiretell(nil, "read", "--exporter", "none", "--filter", filter, filepath.Join(made, "shop.pcap"))
		if code != exitOK || strings.Contains(stderr, "DIR-01: "+want) != (want != "") {
			t.Errorf("%s: exit code %d: %s", filter, code, stderr)
		}
		for _, never := range []string{"DIR-02", "DIR-04", "DIR-05", "QUAL-07", "NET-"} {
			if strings.Contains(stderr, never) {
				t.Errorf("%s: %s: %s", filter, never, stderr)
			}
		}
	}
}

// TestDeterminism: the same file gives the same bytes.
func TestDeterminism(t *testing.T) {
	dir := capturetest.Shared(t)
	made := t.TempDir()
	capturesIn(t, made)
	sample := []string{filepath.Join(made, "header.pcap"), filepath.Join(made, "cut.pcap")}
	captures := capturetest.Captures(t)
	for i := 0; i < len(captures); i += max(1, len(captures)/60) {
		sample = append(sample, filepath.Join(dir, captures[i]))
	}
	read := 0
	for _, file := range sample {
		if st, err := os.Stat(file); err != nil || st.Size() > 4<<20 {
			continue
		}
		read++
		for _, args := range [][]string{{"--exporter", "text"}, {"--otlp-json", "-"}, {"--exporter", "text", "--verify-checksums", "--redact", "all"}} {
			args = append(append([]string{"read"}, args...), file)
			out1, err1, code1 := wiretell(nil, args...)
			out2, err2, code2 := wiretell(nil, args...)
			if out1 != out2 || err1 != err2 || code1 != code2 {
				t.Errorf("%q differs from one time to the next: %s", args, difference(out1+err1, out2+err2))
			}
			if code1 == exitOK && args[1] == "--otlp-json" && out1 == "" {
				t.Errorf("%q writes nothing", args)
			}
		}
	}
	if read < 40 {
		t.Errorf("only %d captures were read", read)
	}
}
