package bench

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// wiretellBinary builds wiretell for one run of the benchmarks.
func wiretellBinary(b *testing.B) string {
	b.Helper()
	if path := os.Getenv("WIRETELL_BINARY"); path != "" {
		return path
	}
	path := filepath.Join(b.TempDir(), "wiretell")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "github.com/wiretell/wiretell/cmd/wiretell")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build wiretell: %v\n%s", err, out)
	}
	return path
}

// cpu runs a command and returns its CPU time, user and system.
func cpu(b *testing.B, name string, args ...string) (time.Duration, string) {
	b.Helper()
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = nil, &out
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out.String())
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), out.String()
}

// BenchmarkRead reads a capture of a million packets with wiretell, without an
// exporter, and with tcpdump, in turn, and reports the CPU seconds of each for a
// million packets, and their ratio.
func BenchmarkRead(b *testing.B) {
	wiretell := wiretellBinary(b)
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		b.Skip("tcpdump is not installed: nothing to compare with")
	}
	for _, c := range traffics {
		b.Run(c.name, func(b *testing.B) {
			path, packets, exchanges := write(b, c.name, 1_000_000, c.fill)
			out, _ := exec.Command(wiretell, "read", "--exporter", "none", path).CombinedOutput()
			if want := fmt.Sprintf("%d requests", exchanges); !strings.Contains(string(out), want) {
				b.Fatalf("wiretell does not tell of %s:\n%s", want, out)
			}
			var ours, theirs time.Duration
			b.ResetTimer()
			for range b.N {
				t, _ := cpu(b, wiretell, "read", "--quiet", "--exporter", "none", path)
				ours += t
				t, _ = cpu(b, tcpdump, "-r", path, "-w", "/dev/null")
				theirs += t
			}
			b.StopTimer()
			scale := 1e6 / float64(packets) / float64(b.N)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ours.Seconds()*scale, "wiretell-cpu-s/Mpkt")
			b.ReportMetric(theirs.Seconds()*scale, "tcpdump-cpu-s/Mpkt")
			b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
		})
	}
}
