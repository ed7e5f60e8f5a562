package wiretellreceiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/wiretell/wiretell/capture/afpacket"
	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// requester makes this program another process: one that makes so many requests
// of a URL, or, of 0, one that must fail.
const requester = "WIRETELL_TEST_REQUESTER"

func TestMain(m *testing.M) {
	if url := os.Getenv(requester); url != "" {
		n, url, _ := strings.Cut(url, " ")
		if err := request(http.DefaultClient, url, n); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(netnstest.Main(m))
}

func request(client *http.Client, url, times string) error {
	n, err := strconv.Atoi(times)
	if err != nil {
		return err
	}
	if n == 0 {
		if r, err := client.Get(url); err == nil {
			r.Body.Close()
			return errors.New("a server that is closed answers")
		}
	}
	for i := range n {
		r, err := client.Get(fmt.Sprintf("%s/%d", url, i))
		if err != nil {
			return err
		}
		r.Body.Close()
	}
	return nil
}

// collector is the part of a Collector that a receiver meets: consumers of its
// three signals, and a host for each of its parts.
type collector struct {
	traces  consumertest.TracesSink
	metrics consumertest.MetricsSink
	logs    consumertest.LogsSink
	// refuse, when set, is asked of each batch of spans: an error refuses it.
	refuse func() error

	log *zap.Logger // nil logs nothing
	// fatal, when set, takes fatal errors, and waits until they are read.
	fatal chan error

	telemetry *componenttest.Telemetry // of the Collector itself

	parts []component.Component
	mu    sync.Mutex
	told  []*componentstatus.Event
}

// ConsumeTraces takes spans unless they are refused.
func (c *collector) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	if c.refuse != nil {
		if err := c.refuse(); err != nil {
			return err
		}
	}
	return c.traces.ConsumeTraces(ctx, td)
}

func (c *collector) Capabilities() consumer.Capabilities { return c.traces.Capabilities() }

// host is what one part is told to report to.
type host struct{ *collector }

func (host) GetExtensions() map[component.ID]component.Component { return nil }

func (h host) Report(e *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = append(h.told, e)
	if h.fatal != nil && e.Status() == componentstatus.StatusFatalError {
		h.fatal <- e.Err()
	}
}

// create makes the three parts of a receiver from one configuration.
func (c *collector) create(t *testing.T, cfg *Config) {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	f := NewFactory()
	c.telemetry = componenttest.NewTelemetry()
	t.Cleanup(func() { _ = c.telemetry.Shutdown(context.Background()) }) // it is nobody's but this test's
	set := receiver.Settings{ID: component.NewID(f.Type()), TelemetrySettings: c.telemetry.NewTelemetrySettings()}
	if c.log != nil {
		set.Logger = c.log
	}
	traces, err := f.CreateTraces(t.Context(), set, cfg, c)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := f.CreateMetrics(t.Context(), set, cfg, &c.metrics)
	if err != nil {
		t.Fatal(err)
	}
	logs, err := f.CreateLogs(t.Context(), set, cfg, &c.logs)
	if err != nil {
		t.Fatal(err)
	}
	c.parts = []component.Component{metrics, traces, logs}
}

// start starts them as a Collector does, one after the other up to an error.
func (c *collector) start(t *testing.T) error {
	t.Helper()
	for _, p := range c.parts {
		if err := p.Start(t.Context(), host{c}); err != nil {
			return err
		}
	}
	return nil
}

// shutdown ends them, also what was never started.
func (c *collector) shutdown(t *testing.T) {
	t.Helper()
	for _, p := range c.parts {
		if err := p.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// sum adds up the latest points of a metric whose attributes have all pairs.
func (c *collector) sum(name string, pairs ...string) (sum float64) {
	latest := make(map[string]float64)
	for _, md := range c.metrics.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					if m.Name() != name {
						continue
					}
					switch m.Type() {
					case pmetric.MetricTypeHistogram:
						for _, p := range m.Histogram().DataPoints().All() {
							latest[fmt.Sprint(p.Attributes().AsRaw())] = float64(p.Count())
						}
					case pmetric.MetricTypeSum:
					points:
						for _, p := range m.Sum().DataPoints().All() {
							for i := 0; i < len(pairs); i += 2 {
								if attribute(p.Attributes(), pairs[i]) != pairs[i+1] {
									continue points
								}
							}
							latest[fmt.Sprint(p.Attributes().AsRaw())] = float64(p.IntValue())
						}
					}
				}
			}
		}
	}
	for _, v := range latest {
		sum += v
	}
	return sum
}

// counted returns a counter of the Collector's own metrics.
func (c *collector) counted(t *testing.T, name string) (sum int64) {
	t.Helper()
	m, err := c.telemetry.GetMetric(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
		sum += p.Value
	}
	return sum
}

// attribute returns the text of an attribute, "" of one that is missing.
func attribute(m pcommon.Map, key string) string {
	if v, ok := m.Get(key); ok {
		return v.AsString()
	}
	return ""
}

// records returns the log records of an event.
func (c *collector) records(event string) (out []plog.LogRecord) {
	for _, ld := range c.logs.AllLogs() {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, l := range sl.LogRecords().All() {
					if l.EventName() == event {
						out = append(out, l)
					}
				}
			}
		}
	}
	return out
}

// serve is a server on loopback.
func serve(t testing.TB) *httptest.Server {
	t.Helper()
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		t.Fatal(err)
	}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }))
}

// call has another process make n requests over loopback, and one that nobody
// answers.
func call(t *testing.T, n int) {
	t.Helper()
	server := serve(t)
	for _, times := range []int{n, 0} {
		if err := netnstest.Command(fmt.Sprintf("%s=%d %s", requester, times, server.URL)).Run(); err != nil {
			t.Fatal(err)
		}
		server.Close()
	}
	time.Sleep(settle)
}

// settle is when frames were surely read: the ring's blocks are handed over every
// 100 ms.
const settle = 300 * time.Millisecond

func config() *Config {
	c := defaultConfig().(*Config)
	c.ServiceName, c.Window = "shop", time.Second
	return c
}

// TestSignals: each request is a span, counted by the metrics; errors and the
// diagnosis are log records; one capture serves all, and can be begun again.
func TestSignals(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for range 2 {
		const n = 50
		c := new(collector)
		c.create(t, config())
		if err := c.start(t); err != nil {
			t.Fatal(err)
		}
		call(t, n)
		c.shutdown(t)
		paths := make(map[string]int)
		for _, td := range c.traces.AllTraces() {
			for _, rs := range td.ResourceSpans().All() {
				if name := attribute(rs.Resource().Attributes(), "service.name"); name != "shop" {
					t.Errorf("spans of the service %q", name)
				}
				for _, ss := range rs.ScopeSpans().All() {
					for _, s := range ss.Spans().All() {
						paths[attribute(s.Attributes(), "url.path")]++
					}
				}
			}
		}
		for i := range n {
			if got := paths[fmt.Sprintf("/%d", i)]; got != 1 {
				t.Errorf("%d spans of request %d", got, i)
			}
		}
		if c.traces.SpanCount() != n {
			t.Errorf("%d spans of %d requests", c.traces.SpanCount(), n)
		}
		if got := c.sum("http.server.request.duration"); got != n {
			t.Errorf("the metrics count %v requests, want %d", got, n)
		}
		if got := len(c.records("wiretell.tcp.connect_failed")); got != 1 {
			t.Errorf("%d records of the connection that was refused, want 1", got)
		}
		if len(c.records("wiretell.diagnosis")) == 0 {
			t.Error("no diagnosis among the log records")
		}
		exported := c.sum("wiretell.export.records", "wiretell.export.signal", "traces", "wiretell.export.outcome", "exported")
		if imbalance := c.sum("wiretell.ledger.imbalance"); exported != n || imbalance != 0 {
			t.Errorf("%v spans are said to be exported, the books are out by %v", exported, imbalance)
		}
		for name, want := range map[string]int{
			"otelcol_receiver_accepted_spans":         n,
			"otelcol_receiver_accepted_metric_points": c.metrics.DataPointCount(),
			"otelcol_receiver_accepted_log_records":   c.logs.LogRecordCount(),
			"otelcol_receiver_refused_spans":          0,
		} {
			if got := c.counted(t, name); got != int64(want) {
				t.Errorf("%s is %d, want %d", name, got, want)
			}
		}
		if len(c.told) != 0 {
			t.Errorf("told %v of a capture that went well", c.told[0].Err())
		}
	}
}

// TestPressure: what the next consumer does not take for a while arrives later,
// and what it refuses for good is counted.
func TestPressure(t *testing.T) {
	const n = 20
	busy := errors.New("data refused due to high memory usage")
	for _, tt := range []struct {
		name     string
		err      error
		spans    int
		rejected float64
	}{{"for a while", busy, n, 0}, {"for good", consumererror.NewPermanent(errors.New("no such tenant")), 0, n}} {
		t.Run(tt.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			var asked atomic.Int64
			var taken atomic.Bool
			c := &collector{refuse: func() error {
				if asked.Add(1); taken.Load() {
					return nil
				}
				return tt.err
			}}
			c.create(t, config())
			if err := c.start(t); err != nil {
				t.Fatal(err)
			}
			call(t, n)
			for deadline := time.Now().Add(20 * time.Second); asked.Load() == 0 && time.Now().Before(deadline); {
				time.Sleep(20 * time.Millisecond)
			}
			taken.Store(true)
			c.shutdown(t)
			if got := c.traces.SpanCount(); got != tt.spans {
				t.Errorf("%d spans arrived, want %d", got, tt.spans)
			}
			if accepted, refused := c.counted(t, "otelcol_receiver_accepted_spans"), c.counted(t, "otelcol_receiver_refused_spans"); accepted != int64(tt.spans) || refused < n {
				t.Errorf("the Collector counts %d spans as accepted and %d as refused, want %d and at least %d", accepted, refused, tt.spans, n)
			}
			if got := c.sum("wiretell.export.records", "wiretell.export.signal", "traces", "wiretell.reason", "rejected"); got != tt.rejected {
				t.Errorf("%v spans are said to be rejected, want %v", got, tt.rejected)
			}
		})
	}
}

// TestStuck: a consumer that never comes back holds up the end no longer than
// the deadline.
func TestStuck(t *testing.T) {
	let := make(chan struct{})
	defer close(let)
	c := &collector{refuse: func() error { <-let; return nil }}
	cfg := config()
	cfg.Deadline = time.Second
	c.create(t, cfg)
	if err := c.start(t); err != nil {
		t.Fatal(err)
	}
	call(t, 1)
	begun := time.Now()
	c.shutdown(t)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the end took %v", took)
	}
	if c.sum("wiretell.frames") == 0 && len(c.metrics.AllMetrics()) == 0 {
		t.Error("a signal that was taken did not get its last batch")
	}
}

// TestStuckDesk: who is held up by a log that takes nothing does not hold up the
// end; and once it takes something again, nothing of the capture is left.
func TestStuckDesk(t *testing.T) {
	before := goleak.IgnoreCurrent()
	defer func() {
		for range 20 { // more patience than goleak has
			if goleak.Find(before) == nil {
				return
			}
		}
		goleak.VerifyNone(t, before)
	}()
	held, let := make(chan struct{}), make(chan struct{})
	var once sync.Once
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(io.Discard), zap.InfoLevel)
	c := &collector{log: zap.New(zapcore.RegisterHooks(core, func(e zapcore.Entry) error {
		if strings.HasPrefix(e.Message, "Interface nosuch0 ") {
			once.Do(func() { close(held) })
			<-let
		}
		return nil
	}))}
	cfg := config()
	cfg.Deadline, cfg.Interfaces = time.Second, []string{"lo", "nosuch0"}
	c.create(t, cfg)
	if err := c.start(t); err != nil {
		t.Fatal(err)
	}
	select {
	case <-held:
	case <-time.After(20 * time.Second):
		t.Fatal("the missing interface is not logged")
	}
	begun := time.Now()
	c.shutdown(t)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the end took %v", took)
	}
	close(let)
}

// TestStartFails: where recordings cannot be written a Collector does not start,
// and nothing is left open.
func TestStartFails(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	before := 0
	for i := range 6 {
		c, cfg := new(collector), config()
		cfg.Record.Dir = "/proc/nowhere"
		c.create(t, cfg)
		if err := c.start(t); err == nil || !strings.Contains(err.Error(), cfg.Record.Dir) {
			t.Fatalf("Start: %v", err)
		}
		c.shutdown(t)
		if i == 0 { // what the runtime opens for itself is there
			before = open()
		}
	}
	if after := open(); after > before {
		t.Errorf("%d files are open, %d were after the first time", after, before)
	}
}

// TestLeft: when the namespace has lost its last interface a Collector is told to
// end, once: one that ends does not take another error.
func TestLeft(t *testing.T) {
	ns, peer := netnstest.New(t), netnstest.New(t)
	netnstest.Connect(t, ns, peer)
	c := &collector{fatal: make(chan error)}
	c.create(t, config())
	ns.Must(t, func() error { return c.start(t) })
	ns.Delete(t, "eth0")
	select {
	case err := <-c.fatal:
		if !errors.Is(err, afpacket.ErrLeft) {
			t.Errorf("told %v", err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("not told")
	}
	down := make(chan struct{})
	go func() {
		defer close(down)
		c.shutdown(t)
	}()
	select {
	case <-down:
	case <-time.After(30 * time.Second):
		t.Fatal("the end waits for a second error to be taken")
	}
	if len(c.told) != 3 {
		t.Errorf("%d of 3 parts were told", len(c.told))
	}
}

// foreign is root in a user namespace that does not own the network.
var foreign = &syscall.SysProcAttr{
	Cloneflags:  syscall.CLONE_NEWUSER,
	UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
	GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
}

// TestDenied: without the permission a Collector does not start, and is told why
// and what to do; the diagnosis is published.
func TestDenied(t *testing.T) {
	netnstest.Child(t, foreign, func(t *testing.T) {
		c := new(collector)
		c.create(t, config())
		err := c.start(t)
		if !errors.Is(err, os.ErrPermission) {
			t.Fatalf("Start: %v", err)
		}
		for _, want := range []string{"PERM-", "remedy: ", "CAP_NET_RAW"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("no %q in\n%v", want, err)
			}
		}
		if again := c.parts[1].Start(t.Context(), host{c}); again != err {
			t.Errorf("another part: %v", again)
		}
		c.shutdown(t)
		if !c.diagnosed("PERM-") {
			t.Error("the diagnosis was not published")
		}
	})
}

// TestStay: with when_denied: stay the Collector goes on, each part is said to
// fail, and the diagnosis is published.
func TestStay(t *testing.T) {
	netnstest.Child(t, foreign, func(t *testing.T) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		c := new(collector)
		cfg := config()
		cfg.WhenDenied = "stay"
		c.create(t, cfg)
		if err := c.start(t); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); !c.diagnosed("PERM-") && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		if !c.diagnosed("PERM-") {
			t.Error("the diagnosis was not published")
		}
		c.shutdown(t)
		if len(c.told) != 3 {
			t.Fatalf("%d of 3 parts were told", len(c.told))
		}
		for _, e := range c.told {
			if e.Status() != componentstatus.StatusPermanentError || !errors.Is(e.Err(), os.ErrPermission) {
				t.Errorf("told %v: %v", e.Status(), e.Err())
			}
		}
	})
}

func (c *collector) diagnosed(id string) bool {
	for _, l := range c.records("wiretell.diagnosis") {
		if strings.HasPrefix(attribute(l.Attributes(), "wiretell.diagnosis.id"), id) {
			return true
		}
	}
	return false
}
