package bench

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// BenchmarkStart reports how long `wiretell run` takes from the start of the
// process until it captures.
func BenchmarkStart(b *testing.B) {
	wiretell := wiretellBinary(b)
	ns := netnstest.New(b)
	var sum time.Duration
	for range b.N {
		cmd := exec.Command(wiretell, "run", "--exporter", "none")
		stderr, err := cmd.StderrPipe()
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		ns.Must(b, cmd.Start)
		said, buf := "", make([]byte, 4096)
		for !strings.Contains(said, "wiretell: capturing") {
			n, err := stderr.Read(buf)
			if err != nil {
				b.Fatalf("it does not capture: %v\n%s", err, said)
			}
			said += string(buf[:n])
		}
		sum += time.Since(start)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(sum.Seconds()*1000/float64(b.N), "capturing-ms")
}
