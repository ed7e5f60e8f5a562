package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// TestRunRecords: the packets of a live error are in a file, whose name the line
// has; it tells the same error when it is read.
func TestRunRecords(t *testing.T) {
	ns := netnstest.New(t)
	dir := filepath.Join(t.TempDir(), "recordings")
	cmd, stdout, _ := command(t, "run", "--record", dir)
	stderr := new(transcript)
	cmd.Stderr = stderr
	startIn(t, ns, cmd)
	stderr.await(t, "wiretell: capturing on all interfaces\n")
	ns.Must(t, func() error {
		if c, err := net.DialTimeout("tcp", "127.0.0.1:9", 5*time.Second); err == nil {
			return errors.Join(errors.New("somebody listens"), c.Close())
		}
		return nil
	})
	// The file is whole a second of packet time after the error.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if list, _ := filepath.Glob(filepath.Join(dir, "*_127.0.0.1.9_refused.pcapng")); len(list) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no file; said %s", stderr)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	exitCode(t, cmd.Wait(), exitOK)
	if !strings.Contains(stderr.String(), "wiretell: recorded 1 file (") {
		t.Errorf("not told: %s", stderr)
	}
	m := recordingOf.FindStringSubmatch(stdout.String())
	if m == nil {
		t.Fatalf("no file is named:\n%s", stdout)
	}
	again, _, code := wiretell(nil, "read", "--exporter", "text", filepath.Join(dir, m[1]))
	if code != exitOK || strings.Count(again, " connect_failed ") != 1 || !strings.Contains(again, "server=127.0.0.1:9") || !strings.Contains(again, "error=refused attempts=1") {
		t.Errorf("code %d:\n%s", code, again)
	}
	if n := packetsIn(t, filepath.Join(dir, m[1])); n != 2 {
		t.Errorf("%d packets, want 2", n)
	}
}

// TestRunRecordsNowhere: a directory that cannot be used is told before anything
// else is begun, with what helps.
func TestRunRecordsNowhere(t *testing.T) {
	ns := netnstest.New(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dir, hint string }{
		{file, "name a directory"}, {filepath.Join(file, "below"), "name a directory"}, {"/proc/wiretell", ""},
	} {
		cmd, stdout, stderr := command(t, "run", "--exporter", "none", "--record", c.dir)
		startIn(t, ns, cmd)
		exitCode(t, cmd.Wait(), exitFailed)
		if !strings.HasPrefix(stderr.String(), "wiretell: --record "+c.dir+": ") || strings.Contains(stderr.String(), "hint: ") != (c.hint != "") || !strings.Contains(stderr.String(), c.hint) {
			t.Errorf("%s: %s%s", c.dir, stdout, stderr)
		}
	}
}
