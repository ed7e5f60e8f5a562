package http1

import (
	"testing"

	"golang.org/x/sys/unix"
)

// measureCPU reports CPU time per operation beside the wall time, which means
// little on a machine with neighbours. It is to be deferred before the loop.
func measureCPU(b *testing.B) func() {
	before := cpuTime()
	return func() { b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op") }
}

func cpuTime() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return t.Nano()
}
