package record

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/pcap"
)

func fill(t *testing.T, s *store, name string, n int) {
	t.Helper()
	b := s.buffer()
	w := pcap.NewWriter(b)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	b.Write(make([]byte, n-b.Len()))
	if !s.put(name, b, true) {
		t.Fatal("not taken")
	}
}

func named(i int) string { return name(capture.Time(int64(i)*second), nil, "all") }

func TestBounds(t *testing.T) {
	tests := []struct {
		name   string
		bounds bounds
		want   []int
	}{
		{"none", bounds{}, []int{0, 1, 2, 3, 4}},
		{"files", bounds{files: 2}, []int{3, 4}},
		{"bytes", bounds{bytes: 3500}, []int{2, 3, 4}},
		{"age", bounds{age: time.Nanosecond}, []int{4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			// What somebody else put there, also under names like ours.
			foreign := []string{"notes.txt", named(7), "wiretell_mine.pcapng"}
			for _, n := range foreign {
				if err := os.WriteFile(filepath.Join(dir, n), []byte("mine"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			tt.bounds.queue = 1 << 20
			// Half of them in an earlier run.
			for _, part := range [][]int{{0, 1, 2}, {3, 4}} {
				s, err := openStore(dir, tt.bounds)
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range part {
					fill(t, s, named(i), 1000)
				}
				s.close(0)
				var r capture.Recording
				if s.stats(&r); int(r.Files[capture.RecordingWritten]) != len(part) {
					t.Errorf("%+v", r)
				}
				if part[0] == 3 && tt.want[0] > 0 && r.Files[capture.RecordingDeleted] == 0 {
					t.Errorf("no deletion is counted: %+v", r)
				}
			}
			want := slices.Clone(foreign)
			for _, i := range tt.want {
				want = append(want, named(i))
			}
			slices.Sort(want)
			if got := names(t, dir); !slices.Equal(got, want) {
				t.Errorf("%q\nwant %q", got, want)
			}
		})
	}
}

// TestSameNameAgain: reading the same capture again replaces its files.
func TestSameNameAgain(t *testing.T) {
	dir := t.TempDir()
	s, err := openStore(dir, bounds{files: 2, queue: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		fill(t, s, named(1), 1000)
		fill(t, s, named(2), 1000)
	}
	s.close(0)
	var r capture.Recording
	if s.stats(&r); r.Files[capture.RecordingDeleted] != 0 || len(names(t, dir)) != 2 {
		t.Errorf("%+v, %q", r, names(t, dir))
	}
}

func TestDirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	s, err := openStore(dir, bounds{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(dir, bounds{}); err == nil || !strings.Contains(err.Error(), "another wiretell") {
		t.Errorf("error %v", err)
	}
	s.close(0)
	if s, err = openStore(dir, bounds{}); err != nil {
		t.Fatal(err)
	}
	s.close(0)
	if _, err := openStore("/proc/nothing", bounds{}); err == nil {
		t.Error("a directory that cannot be made is taken")
	}
}

// TestDiskFails: a directory that takes nothing costs the files, which is
// counted, and nothing else.
func TestDiskFails(t *testing.T) {
	dir := t.TempDir()
	s, err := openStore(dir, bounds{queue: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	fill(t, s, named(1), 1000)
	s.close(0)
	var r capture.Recording
	if s.stats(&r); r.Files[capture.RecordingFailed] != 1 || r.Files[capture.RecordingWritten] != 0 || r.LastError != "no such file or directory" {
		t.Errorf("%+v", r)
	}
}

// TestQueueFull: whoever may not wait is told that a file was not taken.
func TestQueueFull(t *testing.T) {
	s := &store{bounds: bounds{queue: 1000}, wake: make(chan struct{}, 1)} // nobody writes
	s.pool.New = func() any { return new(bytes.Buffer) }
	taken := 0
	for range 5 {
		b := s.buffer()
		b.Write(make([]byte, 400))
		if s.put("x", b, false) {
			taken++
		}
	}
	if taken != 2 || s.waiting != 800 {
		t.Errorf("%d taken, %d bytes wait", taken, s.waiting)
	}
}

// writeForEver writes large recordings until the process is killed.
func writeForEver(dir string) {
	s, err := openStore(dir, bounds{queue: 8 << 20, files: 50})
	if err != nil {
		panic(err)
	}
	data := make([]byte, 60000)
	for i := 0; ; i++ {
		b := s.buffer()
		w := pcap.NewWriter(b)
		for j := range 30 {
			f := capture.Frame{Time: capture.Time(j), Data: data, WireLen: len(data), Link: capture.LinkRaw}
			_ = w.Write(&f, "")
		}
		s.put(named(i), b, true)
		if i == 5 {
			fmt.Println("writing")
		}
	}
}

// TestKilled: whatever moment a process is killed at, no file with its name is
// half; what was half goes at the next start.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	halves := 0
	for range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "RECORD_UNTIL_KILLED="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // any moment
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		for _, n := range names(t, dir) {
			if strings.HasSuffix(n, temporary) {
				halves++
				continue
			}
			if len(frames(t, filepath.Join(dir, n))) != 30 {
				t.Errorf("%s is not whole", n)
			}
		}
	}
	t.Logf("%d files were half written", halves)
	s, err := openStore(dir, bounds{})
	if err != nil {
		t.Fatal(err)
	}
	s.close(0)
	for _, n := range names(t, dir) {
		if strings.HasSuffix(n, temporary) {
			t.Errorf("%s is left", n)
		}
	}
}
