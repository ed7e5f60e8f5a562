package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// exitCode waits for a process that command made.
func exitCode(t *testing.T, err error, code int) {
	t.Helper()
	type coder interface{ ExitCode() int }
	got := 0
	if e, ok := err.(coder); ok {
		got = e.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != code {
		t.Errorf("exit code %d, want %d", got, code)
	}
}

// transcript is what a process writes while it runs.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// await waits for text.
func (s *transcript) await(t *testing.T, text string) {
	t.Helper()
	for range 1000 {
		if strings.Contains(s.String(), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%q was not written within 10 s: %s", text, s)
}

func TestStandardInput(t *testing.T) {
	dir := t.TempDir()
	capturesIn(t, dir)
	want, _, _ := wiretell(nil, "read", "--quiet", filepath.Join(dir, "shop.pcap"))
	for _, name := range []string{"shop.pcap", "shop.pcapng", "shop.pcap.gz"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		cmd, stdout, stderr := command(t, "read", "--quiet", "-")
		cmd.Stdin = bytes.NewReader(b) // through a pipe
		exitCode(t, cmd.Run(), exitOK)
		if stdout.String() != want || stderr.Len() > 0 {
			t.Errorf("%s: %s%s", name, stdout, stderr)
		}
		cmd, stdout, _ = command(t, "read", "--quiet", "-")
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdin = f // a file
		exitCode(t, cmd.Run(), exitOK)
		if stdout.String() != want {
			t.Errorf("%s: %s", name, stdout)
		}
		f.Close()
	}
	cmd, _, stderr := command(t, "read", "-")
	exitCode(t, cmd.Run(), exitFailed)
	if !strings.Contains(stderr.String(), "wiretell: standard input: empty, not a capture file\n") {
		t.Errorf("stderr: %s", stderr)
	}
}

// TestPipeCloses: "wiretell ... | head" ends without a word, by SIGPIPE.
func TestPipeCloses(t *testing.T) {
	dir := t.TempDir()
	capturesIn(t, dir)
	shop := filepath.Join(dir, "shop.pcap")
	for _, args := range [][]string{
		{"read", "--quiet", shop}, {"read", "--quiet", "--otlp-json", "-", shop}, {"explain"}, {"semconv"}, {"read", "--help"}, {"completion", "bash"},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		cmd, _, stderr := command(t, args...)
		cmd.Stdout = w
		err = cmd.Run()
		w.Close()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if st := cmd.ProcessState.Sys().(syscall.WaitStatus); !st.Signaled() || st.Signal() != syscall.SIGPIPE || stderr.Len() > 0 {
			t.Errorf("%q: %v, stderr: %s", args, err, stderr)
		}
	}
}

// TestOutputFull: what standard output does not take is a failure of every command.
func TestOutputFull(t *testing.T) {
	dir := t.TempDir()
	capturesIn(t, dir)
	shop := filepath.Join(dir, "shop.pcap")
	for _, args := range [][]string{
		{"read", "--quiet", shop}, {"read", "--otlp-json", "-", shop}, {"explain"}, {"explain", "TLS-01"}, {"semconv"}, {"version"},
		{"--version"}, {"read", "--help"}, {"read", "--print-config"}, {"completion", "bash"},
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		cmd, _, stderr := command(t, args...)
		cmd.Stdout = full
		err = cmd.Run()
		full.Close()
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			exitCode(t, err, exitFailed)
			if args[0] == "read" && strings.HasPrefix(args[1], "--quiet") {
				if !strings.Contains(stderr.String(), "wiretell: not every record was exported\n") {
					t.Errorf("stderr: %s", stderr)
				}
			} else if !strings.Contains(stderr.String(), "no space left on device") {
				t.Errorf("stderr: %s", stderr)
			}
		})
	}
}

// TestReadStops: at a signal what was read is exported. Of a pipe nothing was
// missed; of a file something was.
func TestReadStops(t *testing.T) {
	dir := t.TempDir()
	capturesIn(t, dir)
	b, err := os.ReadFile(filepath.Join(dir, "shop.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file string
		code int
		sig  syscall.Signal
	}{"standard input": {"-", exitOK, syscall.SIGINT}, "file": {fifo, exitFailed, syscall.SIGTERM}} {
		t.Run(name, func(t *testing.T) {
			cmd, stdout, _ := command(t, "read", c.file)
			stderr := new(transcript)
			cmd.Stderr = stderr
			var in io.WriteCloser
			if c.file == "-" {
				if in, err = cmd.StdinPipe(); err != nil {
					t.Fatal(err)
				}
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if c.file != "-" {
				if in, err = os.OpenFile(fifo, os.O_WRONLY, 0); err != nil {
					t.Fatal(err)
				}
			}
			defer in.Close()
			if _, err := in.Write(b); err != nil {
				t.Fatal(err)
			}
			stderr.await(t, "no OTEL_* variable")
			time.Sleep(100 * time.Millisecond) // it reads what is there
			if err := cmd.Process.Signal(c.sig); err != nil {
				t.Fatal(err)
			}
			exitCode(t, cmd.Wait(), c.code)
			if n := strings.Count(stdout.String(), " exchange "); n != 2 {
				t.Errorf("%d of 2 exchanges were exported:\n%s", n, stdout)
			}
			if !strings.Contains(stderr.String(), ": stopping\n") || !strings.Contains(stderr.String(), "12 packets read, 2 requests") {
				t.Errorf("stderr: %s", stderr)
			}
			if told := strings.Contains(stderr.String(), "stopped before the end"); told != (c.code != 0) {
				t.Errorf("stderr: %s", stderr)
			}
		})
	}
}
