package live

import (
	"bufio"
	"bytes"
	"encoding/json"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// process is a running wiretell.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	ended  chan error
	mu     sync.Mutex
	stderr bytes.Buffer
}

// start runs wiretell in ns and returns when it captures.
func start(t testing.TB, ns *netnstest.NS, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan error, 1)}
	p.cmd = exec.Command(os.Getenv(envBinary), args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout = os.Stderr
	pipe, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	// The process starts in the namespace of the thread that starts it.
	ns.Must(t, p.cmd.Start)
	ready := make(chan struct{})
	go func() {
		said := false
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			p.mu.Lock()
			p.stderr.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
			if !said && strings.Contains(lines.Text(), "capturing") {
				said = true
				close(ready)
			}
		}
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() { p.cmd.Process.Kill() })
	select {
	case <-ready:
	case err := <-p.ended:
		t.Fatalf("wiretell ended: %v\n%s", err, p.said())
	case <-time.After(20 * time.Second):
		t.Fatalf("wiretell does not capture\n%s", p.said())
	}
	return p
}

// said returns what wiretell wrote to standard error so far.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// stop ends wiretell in order and fails the test when it ends otherwise.
func (p *process) stop() {
	p.t.Helper()
	begun := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		if err != nil {
			p.t.Fatalf("wiretell ended: %v\n%s", err, p.said())
		}
	case <-time.After(20 * time.Second):
		p.t.Fatalf("wiretell does not stop\n%s", p.said())
	}
	p.t.Logf("wiretell stopped within %v; it used %v of CPU", time.Since(begun).Round(time.Millisecond),
		p.cmd.ProcessState.UserTime()+p.cmd.ProcessState.SystemTime())
}

// rss returns the resident memory that is not the ring, in bytes.
func (p *process) rss() int64 {
	p.t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", itoa(p.cmd.Process.Pid), "status"))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "RssAnon:" {
			return int64(atoi(f[1])) << 10
		}
	}
	p.t.Fatal("no RssAnon")
	return 0
}

// output is what wiretell exported.
type output struct {
	spans   []ptrace.Span
	logs    []plog.LogRecord
	metrics map[string][]pmetric.NumberDataPoint // the last collection's sums and gauges, by name
	hists   map[string][]pmetric.HistogramDataPoint
}

func newOutput() *output {
	return &output{metrics: map[string][]pmetric.NumberDataPoint{}, hists: map[string][]pmetric.HistogramDataPoint{}}
}

// readJSON reads a file of OTLP JSON lines.
func readJSON(t testing.TB, path string) *output {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return parseJSON(t, text)
}

// parseJSON reads OTLP JSON lines.
func parseJSON(t testing.TB, text []byte) *output {
	t.Helper()
	out := newOutput()
	for line := range bytes.Lines(text) {
		var kind map[string]json.RawMessage
		if err := json.Unmarshal(line, &kind); err != nil {
			t.Fatalf("not JSON: %v: %.200s", err, line)
		}
		switch {
		case kind["resourceSpans"] != nil:
			td, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(line)
			if err != nil {
				t.Fatal(err)
			}
			out.addSpans(td)
		case kind["resourceMetrics"] != nil:
			md, err := new(pmetric.JSONUnmarshaler).UnmarshalMetrics(line)
			if err != nil {
				t.Fatal(err)
			}
			out.addMetrics(md)
		case kind["resourceLogs"] != nil:
			ld, err := new(plog.JSONUnmarshaler).UnmarshalLogs(line)
			if err != nil {
				t.Fatal(err)
			}
			out.addLogs(ld)
		default:
			t.Fatalf("unknown line: %.200s", line)
		}
	}
	return out
}

func (o *output) addSpans(td ptrace.Traces) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				o.spans = append(o.spans, s)
			}
		}
	}
}

func (o *output) addLogs(ld plog.Logs) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, l := range sl.LogRecords().All() {
				o.logs = append(o.logs, l)
			}
		}
	}
}

// addMetrics keeps the latest point of each series.
func (o *output) addMetrics(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				switch m.Type() {
				case pmetric.MetricTypeSum:
					keepLatest(o.metrics, m.Name(), m.Sum().DataPoints().All())
				case pmetric.MetricTypeGauge:
					keepLatest(o.metrics, m.Name(), m.Gauge().DataPoints().All())
				case pmetric.MetricTypeHistogram:
					keepLatest(o.hists, m.Name(), m.Histogram().DataPoints().All())
				}
			}
		}
	}
}

// point is a data point of any kind.
type point interface {
	Attributes() pcommon.Map
	Timestamp() pcommon.Timestamp
}

// keepLatest puts points into series by name, the latest of each set of attributes.
func keepLatest[P point](series map[string][]P, name string, points iter.Seq2[int, P]) {
next:
	for _, p := range points {
		for i, old := range series[name] {
			if old.Attributes().Equal(p.Attributes()) {
				if p.Timestamp() >= old.Timestamp() {
					series[name][i] = p
				}
				continue next
			}
		}
		series[name] = append(series[name], p)
	}
}

// sum adds up the points of a metric whose attributes hold the given pairs.
func (o *output) sum(name string, pairs ...string) int64 {
	var n int64
next:
	for _, p := range o.metrics[name] {
		for i := 0; i+1 < len(pairs); i += 2 {
			if v, ok := p.Attributes().Get(pairs[i]); !ok || v.AsString() != pairs[i+1] {
				continue next
			}
		}
		if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
			n += p.IntValue()
		} else {
			n += int64(p.DoubleValue())
		}
	}
	return n
}
