package peers

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Spans returns all spans that the Collector has written so far, in the order
// of arrival. It ends the test when the output cannot be read.
func (c *Collector) Spans() ptrace.Traces {
	c.t.Helper()
	all := ptrace.NewTraces()
	var decode ptrace.JSONUnmarshaler
	c.eachLine(c.TracesFile, func(line []byte) error {
		td, err := decode.UnmarshalTraces(line)
		if err == nil {
			td.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
		}
		return err
	})
	return all
}

// Logs returns all log records that the Collector has written so far, in the
// order of arrival. It ends the test when the output cannot be read.
func (c *Collector) Logs() plog.Logs {
	c.t.Helper()
	all := plog.NewLogs()
	var decode plog.JSONUnmarshaler
	c.eachLine(c.LogsFile, func(line []byte) error {
		ld, err := decode.UnmarshalLogs(line)
		if err == nil {
			ld.ResourceLogs().MoveAndAppendTo(all.ResourceLogs())
		}
		return err
	})
	return all
}

// Metrics returns all metrics that the Collector has written so far, in the
// order of arrival: a cumulative series comes once per collection. It ends the
// test when the output cannot be read.
func (c *Collector) Metrics() pmetric.Metrics {
	c.t.Helper()
	all := pmetric.NewMetrics()
	var decode pmetric.JSONUnmarshaler
	c.eachLine(c.MetricsFile, func(line []byte) error {
		md, err := decode.UnmarshalMetrics(line)
		if err == nil {
			md.ResourceMetrics().MoveAndAppendTo(all.ResourceMetrics())
		}
		return err
	})
	return all
}

// WaitFor waits until ok returns true and ends the test, with what was waited
// for and the Collector's last words, when that takes longer than limit. The
// Collector writes its outputs ten times a second.
func (c *Collector) WaitFor(limit time.Duration, what string, ok func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			c.t.Fatalf("the Collector has no %s after %s; its log ends:\n%s", what, limit, tail(c.logFrom(0), 10))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// eachLine calls f with every whole line of the file. The last line is left
// for the next time while the Collector is still writing it.
func (c *Collector) eachLine(path string, f func(line []byte) error) {
	c.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.t.Fatalf("read the Collector's output: %v", err)
	}
	for n := 1; ; n++ {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			return
		}
		if err := f(line); err != nil {
			c.t.Fatalf("read the Collector's output: %s:%d: %v", path, n, err)
		}
		b = rest
	}
}
