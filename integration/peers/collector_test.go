package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// TestCollectorBinary asks the program itself what it is made of. `make peers`
// runs it alone, for its build.
func TestCollectorBinary(t *testing.T) {
	out, err := exec.Command(CollectorBinary(t), "components").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"version: " + collectorVersion, "name: otlp", "name: file", "name: debug", "name: batch", "name: memory_limiter", "name: otlp_http"} {
		if !strings.Contains(string(out), want+"\n") {
			t.Errorf("`otelcol components` lacks %q:\n%s", want, out)
		}
	}
}

// builtWithWiretell builds the Collector of the example once for all tests.
var builtWithWiretell = sync.OnceValues(func() (string, error) {
	return BuildWiretellCollector(func(format string, args ...any) { fmt.Printf(format+"\n", args...) })
})

func wiretellCollector(t *testing.T) string {
	t.Helper()
	binary, err := builtWithWiretell()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// TestCollectorBinaryWithWiretell builds the Collector of the example, which
// takes the example's configuration and says what is wrong with another.
func TestCollectorBinaryWithWiretell(t *testing.T) {
	binary := wiretellCollector(t)
	validate := func(more ...string) (string, error) {
		cmd := exec.Command(binary, append([]string{"validate", "--config", "../../examples/collector/wiretell.yaml"}, more...)...)
		cmd.Env = append(os.Environ(), "SERVICE_NAME=shop", "POD_NAME=shop-1", "POD_NAMESPACE=default", "COLLECTOR=collector:4317")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := validate(); err != nil {
		t.Errorf("the example: %v\n%s", err, out)
	}
	want := `receivers::wiretell: redact: "most" is not one of sensitive, all, off`
	if out, err := validate("--config", "yaml:receivers::wiretell::redact: most"); err == nil || !strings.Contains(out, want) {
		t.Errorf("%v, and no %q in\n%s", err, want, out)
	}
}

// TestCollector sends one span, one log record and one metric and finds them,
// whole, in the outputs; then again after a restart, on the same ports.
func TestCollector(t *testing.T) {
	c := StartCollector(t, CollectorOptions{})
	grpcBefore, httpBefore := c.GRPC, c.HTTP
	send(t, c.GRPC, "first")
	c.WaitFor(10*time.Second, "first signals", func() bool { return counts(c) == [3]int{1, 1, 1} })

	span := c.Spans().ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	if span.Name() != "first" || span.TraceID() != (pcommon.TraceID{1, 2}) || span.StartTimestamp() != 1_700_000_000_123_456_789 {
		t.Errorf("span = %q, trace %s, start %d", span.Name(), span.TraceID(), span.StartTimestamp())
	}
	record := c.Logs().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	if record.EventName() != "first" || record.Body().Str() != "a body" {
		t.Errorf("record = event %q, body %q", record.EventName(), record.Body().Str())
	}
	metric := c.Metrics().ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
	if metric.Name() != "first" || metric.Sum().DataPoints().At(0).IntValue() != 7 {
		t.Errorf("metric = %q, %d", metric.Name(), metric.Sum().DataPoints().At(0).IntValue())
	}

	c.Restart()
	if c.GRPC != grpcBefore || c.HTTP != httpBefore {
		t.Errorf("after a restart the endpoints are %s and %s, before %s and %s", c.GRPC, c.HTTP, grpcBefore, httpBefore)
	}
	send(t, c.GRPC, "second")
	c.Stop() // writes what it accepted: no wait is needed
	if got := counts(c); got != [3]int{2, 2, 2} {
		t.Errorf("spans, records and points after a restart = %v, want two each", got)
	}
	if name := c.Spans().ResourceSpans().At(1).ScopeSpans().At(0).Spans().At(0).Name(); name != "second" {
		t.Errorf("the span sent after the restart is %q", name)
	}
}

// TestCollectorConfig merges a batch processor in: the configuration is the
// test's own, and a hook sees the command.
func TestCollectorConfig(t *testing.T) {
	hooked := 0
	c := StartCollector(t, CollectorOptions{
		Config: "processors: {batch: {timeout: 50ms}}\nservice: {pipelines: {traces: {processors: [batch]}}}\n",
		Command: func(cmd *exec.Cmd) {
			hooked++
			cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
		},
	})
	send(t, c.GRPC, "a")
	send(t, c.GRPC, "b")
	c.WaitFor(10*time.Second, "two batched spans", func() bool { return c.Spans().SpanCount() == 2 })
	if hooked != 1 {
		t.Errorf("the command hook ran %d times, want 1", hooked)
	}
}

// TestCollectorBadConfig: the Collector's own words reach the error, and the
// Collector can be started no more than once at a time.
func TestCollectorBadConfig(t *testing.T) {
	c := StartCollector(t, CollectorOptions{})
	if err := c.start(); err == nil || !strings.Contains(err.Error(), "runs already") {
		t.Errorf("a second start = %v", err)
	}
	c.Stop()
	c.config = append(c.config, "yaml:receivers::otlp::nonsense: 1")
	if err := c.start(); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("start with a bad configuration = %v", err)
	}
}

// send exports one span, one log record and one metric of the given name.
func send(t *testing.T, endpoint, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	traces := ptrace.NewTraces()
	span := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName(name)
	span.SetTraceID(pcommon.TraceID{1, 2})
	span.SetSpanID(pcommon.SpanID{3})
	span.SetStartTimestamp(1_700_000_000_123_456_789)
	if _, err := ptraceotlp.NewGRPCClient(conn).Export(ctx, ptraceotlp.NewExportRequestFromTraces(traces)); err != nil {
		t.Fatal(err)
	}

	logs := plog.NewLogs()
	record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetEventName(name)
	record.Body().SetStr("a body")
	if _, err := plogotlp.NewGRPCClient(conn).Export(ctx, plogotlp.NewExportRequestFromLogs(logs)); err != nil {
		t.Fatal(err)
	}

	metrics := pmetric.NewMetrics()
	metric := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	metric.SetName(name)
	sum := metric.SetEmptySum()
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	sum.DataPoints().AppendEmpty().SetIntValue(7)
	if _, err := pmetricotlp.NewGRPCClient(conn).Export(ctx, pmetricotlp.NewExportRequestFromMetrics(metrics)); err != nil {
		t.Fatal(err)
	}
}

// counts returns how many spans, log records and metric points were written.
func counts(c *Collector) [3]int {
	return [3]int{c.Spans().SpanCount(), c.Logs().LogRecordCount(), c.Metrics().DataPointCount()}
}
