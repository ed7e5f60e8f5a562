package otel

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
)

// health returns the entry of one signal over OTLP, checking that it balances.
func health(t *testing.T, e *Exporter, sig signal) diagnosis.ExportHealth {
	t.Helper()
	for _, h := range e.Health(nil) {
		if h.Exporter == "otlp" && h.Signal == sig.String() {
			checkBooks(t, h)
			return h
		}
	}
	t.Fatalf("no health of %s", sig)
	return diagnosis.ExportHealth{}
}

func checkBooks(t *testing.T, h diagnosis.ExportHealth) {
	t.Helper()
	sum := h.Exported + h.Rejected + h.Queued
	for _, n := range h.Dropped {
		sum += n
	}
	if h.Created != sum {
		t.Errorf("books of %s %s do not balance: %+v", h.Exporter, h.Signal, h)
	}
}

// export sends n exchanges with distinct targets.
func export(e *Exporter, n int) {
	var b capture.Batch
	for i := range n {
		ex := exchange(&b, capture.RoleServer)
		ex.Target = b.Text(fmt.Appendf(nil, "/%d", i))
	}
	e.Export(&b, nil)
}

// A receiver that is away costs nothing within the budget.
func TestOutageAndRecovery(t *testing.T) {
	for _, protocol := range []string{ProtocolGRPC, ProtocolHTTP} {
		t.Run(protocol, func(t *testing.T) {
			s := &sink{}
			var cfg Config
			var up func()
			if protocol == ProtocolGRPC {
				where, halt := serveGRPC(t, s, "127.0.0.1:0")
				halt()
				cfg = overGRPC(where)
				up = func() { serveGRPC(t, s, where) }
			} else {
				srv := serveHTTP(t, s)
				address := srv.Listener.Addr().String()
				srv.Close()
				cfg = overHTTP("http://" + address)
				up = func() { serveHTTPAt(t, s, address) }
			}
			cfg.SpanBatch = 100
			e := start(t, cfg)
			export(e, 1000)
			eventually(t, "a failure", func() bool { return health(t, e, traces).Failing })
			h := health(t, e, traces)
			if h.Exported != 0 || h.Queued != 1000 || h.LastError == "" || h.FailingAt == 0 {
				t.Errorf("away: %+v", h)
			}
			up()
			eventually(t, "recovery", func() bool { return health(t, e, traces).Exported == 1000 })
			h = health(t, e, traces)
			if h.Failing || h.Duplicates != 0 || len(h.Dropped) != 0 {
				t.Errorf("back: %+v", h)
			}
			distinct := map[string]bool{}
			for _, g := range s.spans {
				distinct[g.item.SpanID().String()] = true
			}
			if len(distinct) != 1000 || len(s.spans) != 1000 {
				t.Errorf("%d spans arrived, %d of them distinct", len(s.spans), len(distinct))
			}
		})
	}
}

// What does not fit is dropped and counted; findings have room of their own.
func TestQueueIsBounded(t *testing.T) {
	s := &sink{}
	where, halt := serveGRPC(t, s, "127.0.0.1:0")
	halt()
	cfg := overGRPC(where)
	cfg.QueueBytes = 1 << 20
	cfg.SpanBatch = 50
	e := start(t, cfg)
	for range 20 {
		export(e, 500)
	}
	e.Export(nil, []diagnosis.Finding{finding()})
	h := health(t, e, traces)
	if h.Dropped[dropQueueFull] == 0 || h.Queued == 0 || h.Created != 10_000 {
		t.Fatalf("%+v", h)
	}
	for _, l := range e.lanes {
		if l.queued() > l.limit {
			t.Errorf("%d bytes wait in a lane of %d", l.queued(), l.limit)
		}
	}
	serveGRPC(t, s, where)
	eventually(t, "recovery", func() bool { return health(t, e, traces).Queued == 0 && health(t, e, logs).Queued == 0 })
	h = health(t, e, traces)
	if spans, records, _ := s.counts(); uint64(spans) != h.Exported || records != 1 {
		t.Errorf("%d spans and %d records arrived; %+v", spans, records, h)
	}
	if h := health(t, e, logs); h.Exported != 1 || len(h.Dropped) != 0 {
		t.Errorf("findings: %+v", h)
	}
}

// A file is read no faster than its spans can be sent.
func TestWaitForRoom(t *testing.T) {
	s := &sink{answer: func(int) (int64, error) { time.Sleep(time.Millisecond); return 0, nil }}
	where, _ := serveGRPC(t, s, "127.0.0.1:0")
	cfg := onlyTraces(overGRPC(where))
	cfg.QueueBytes, cfg.SpanBatch, cfg.Wait, cfg.Deterministic = 256<<10, 50, true, true
	e := start(t, cfg)
	for range 10 {
		export(e, 500)
	}
	if err := stop(e, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if h := health(t, e, traces); h.Exported != 5000 || len(h.Dropped) != 0 {
		t.Errorf("%+v", h)
	}
}

// An Export that waits for a dead receiver ends with the deadline.
func TestWaitEndsAtShutdown(t *testing.T) {
	where, halt := serveGRPC(t, &sink{}, "127.0.0.1:0")
	halt()
	cfg := onlyTraces(overGRPC(where))
	cfg.QueueBytes, cfg.SpanBatch, cfg.Wait, cfg.Deterministic = 256<<10, 50, true, true
	e := start(t, cfg)
	done := make(chan struct{})
	go func() {
		defer close(done)
		export(e, 2000)
	}()
	eventually(t, "a full queue", func() bool { return e.lanes[0].queued() > 100<<10 })
	if err := stop(e, 200*time.Millisecond); err == nil {
		t.Error("nothing was dropped")
	}
	<-done
	if h := health(t, e, traces); h.Created != 2000 || h.Queued != 0 || h.Dropped[dropQueueFull] == 0 || h.Dropped[dropShutdown] == 0 {
		t.Errorf("%+v", h)
	}
}

func TestShutdownWithDeadReceiver(t *testing.T) {
	where, halt := serveGRPC(t, &sink{}, "127.0.0.1:0")
	halt()
	e := start(t, overGRPC(where))
	export(e, 700)
	began := time.Now()
	err := stop(e, 300*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "could not be sent before the deadline") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	h := health(t, e, traces)
	if h.Dropped[dropShutdown] != 700 || h.Queued != 0 {
		t.Errorf("%+v", h)
	}
	export(e, 1) // after the end: nothing happens
	if h := health(t, e, traces); h.Created != 700 {
		t.Errorf("created %d after the end", h.Created)
	}
}

func TestShutdownSendsTheRest(t *testing.T) {
	s := &sink{}
	where, _ := serveGRPC(t, s, "127.0.0.1:0")
	cfg := overGRPC(where)
	cfg.SpanDelay = time.Hour
	e := start(t, cfg)
	export(e, 700)
	if err := stop(e, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if spans, _, _ := s.counts(); spans != 700 {
		t.Errorf("%d spans arrived", spans)
	}
	if h := health(t, e, metrics); h.Exported == 0 || h.Queued != 0 {
		t.Errorf("metrics at the end: %+v", h)
	}
}

// onlyTraces keeps the other signals out of a test that counts calls.
func onlyTraces(c Config) Config {
	c.Metrics.Exporter, c.Logs.Exporter = ExporterNone, ExporterNone
	return c
}

func TestPartialSuccess(t *testing.T) {
	for _, protocol := range []string{ProtocolGRPC, ProtocolHTTP} {
		s := &sink{answer: func(int) (int64, error) { return 3, nil }}
		cfg := overHTTP(serveHTTP(t, s).URL)
		if protocol == ProtocolGRPC {
			where, _ := serveGRPC(t, s, "127.0.0.1:0")
			cfg = overGRPC(where)
		}
		e := start(t, onlyTraces(cfg))
		export(e, 10)
		eventually(t, "an answer", func() bool { return health(t, e, traces).Queued == 0 })
		if h := health(t, e, traces); h.Exported != 7 || h.Rejected != 3 || !strings.Contains(h.LastError, "partial success: 3") {
			t.Errorf("%s: %+v", protocol, h)
		}
	}
}

func TestGRPCStatus(t *testing.T) {
	info := func(c codes.Code, d time.Duration) error {
		st, err := status.New(c, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(d)})
		if err != nil {
			t.Fatal(err)
		}
		return st.Err()
	}
	for _, c := range []struct {
		name      string
		err       error
		calls     int // until it is settled
		exported  uint64
		duplicate uint64
		wait      time.Duration
	}{
		{"UNAVAILABLE", status.Error(codes.Unavailable, "x"), 2, 10, 10, 0},
		{"ABORTED", status.Error(codes.Aborted, "x"), 2, 10, 10, 0},
		{"RESOURCE_EXHAUSTED", status.Error(codes.ResourceExhausted, "x"), 1, 0, 0, 0},
		{"RESOURCE_EXHAUSTED", info(codes.ResourceExhausted, 400*time.Millisecond), 2, 10, 0, 400 * time.Millisecond},
		{"UNAVAILABLE", info(codes.Unavailable, 400*time.Millisecond), 2, 10, 0, 400 * time.Millisecond},
		{"INVALID_ARGUMENT", status.Error(codes.InvalidArgument, "x"), 1, 0, 0, 0},
		{"UNAUTHENTICATED", status.Error(codes.Unauthenticated, "x"), 1, 0, 0, 0},
		{"UNIMPLEMENTED", status.Error(codes.Unimplemented, "x"), 1, 0, 0, 0},
		{"INTERNAL", status.Error(codes.Internal, "x"), 1, 0, 0, 0},
	} {
		s := &sink{answer: func(call int) (int64, error) {
			if call == 1 {
				return 0, c.err
			}
			return 0, nil
		}}
		where, _ := serveGRPC(t, s, "127.0.0.1:0")
		e := start(t, onlyTraces(overGRPC(where)))
		began := time.Now()
		export(e, 10)
		eventually(t, c.name+" settled", func() bool { return health(t, e, traces).Queued == 0 })
		h := health(t, e, traces)
		_, _, calls := s.counts()
		if calls != c.calls || h.Exported != c.exported || h.Rejected != 10-c.exported || h.LastStatus != c.name || h.Duplicates != c.duplicate {
			t.Errorf("%s: %d calls, %+v", c.name, calls, h)
		}
		if took := time.Since(began); took < c.wait {
			t.Errorf("%s: retried after %s, asked for %s", c.name, took, c.wait)
		}
	}
}

func TestHTTPStatus(t *testing.T) {
	for _, c := range []struct {
		status     int
		retryAfter string
		calls      int
		exported   uint64
		wait       time.Duration
	}{
		{429, "1", 2, 10, time.Second},
		{503, "1", 2, 10, time.Second},
		{503, "", 2, 10, 0},
		{502, "", 2, 10, 0},
		{504, "", 2, 10, 0},
		{400, "", 1, 0, 0},
		{401, "", 1, 0, 0},
		{404, "", 1, 0, 0},
		{413, "", 1, 0, 0},
		{500, "", 1, 0, 0},
		{307, "", 1, 0, 0}, // redirects are not followed
	} {
		s := &sink{http: func(call int, w http.ResponseWriter) bool {
			if call > 1 {
				return false
			}
			if c.retryAfter != "" {
				w.Header().Set("Retry-After", c.retryAfter)
			}
			w.Header().Set("Location", "/v1/traces")
			w.WriteHeader(c.status)
			return true
		}}
		e := start(t, onlyTraces(overHTTP(serveHTTP(t, s).URL)))
		began := time.Now()
		export(e, 10)
		eventually(t, fmt.Sprint(c.status, " settled"), func() bool { return health(t, e, traces).Queued == 0 })
		h := health(t, e, traces)
		_, _, calls := s.counts()
		if calls != c.calls || h.Exported != c.exported || h.Rejected != 10-c.exported || h.LastStatus != fmt.Sprint(c.status) {
			t.Errorf("%d: %d calls, %+v", c.status, calls, h)
		}
		if took := time.Since(began); took < c.wait {
			t.Errorf("%d: retried after %s, asked for %s", c.status, took, c.wait)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-3": 0, "soon": 0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second,
		"Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(v, now); got != want {
			t.Errorf("Retry-After %q: %s, want %s", v, got, want)
		}
	}
}

// A batch that is refused too long is given up.
func TestAgeLimit(t *testing.T) {
	s := &sink{answer: func(int) (int64, error) { return 0, status.Error(codes.Unavailable, "busy") }}
	where, _ := serveGRPC(t, s, "127.0.0.1:0")
	cfg := onlyTraces(overGRPC(where))
	cfg.MaxAge = 100 * time.Millisecond
	e := start(t, cfg)
	export(e, 10)
	eventually(t, "giving up", func() bool { return health(t, e, traces).Queued == 0 })
	if h := health(t, e, traces); h.Dropped[dropExhausted] != 10 {
		t.Errorf("%+v", h)
	}
}

// A receiver that takes a batch and does not answer gets it again: the bound of
// duplicates says so.
func TestLostAcknowledgement(t *testing.T) {
	var slow atomic.Bool
	slow.Store(true)
	s := &sink{}
	s.answer = func(int) (int64, error) {
		if slow.Swap(false) {
			time.Sleep(400 * time.Millisecond)
		}
		return 0, nil
	}
	where, _ := serveGRPC(t, s, "127.0.0.1:0")
	cfg := onlyTraces(overGRPC(where))
	cfg.Traces.Timeout = 150 * time.Millisecond
	e := start(t, cfg)
	export(e, 10)
	eventually(t, "the second attempt", func() bool { return health(t, e, traces).Queued == 0 })
	eventually(t, "the first one", func() bool { spans, _, _ := s.counts(); return spans == 20 })
	if h := health(t, e, traces); h.Exported != 10 || h.Duplicates != 10 {
		t.Errorf("%+v", h)
	}
}

func TestWrongProtocol(t *testing.T) {
	where, _ := serveGRPC(t, &sink{}, "127.0.0.1:0")
	web := serveHTTP(t, &sink{})
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{overHTTP("http://" + where), "gRPC port"},
		{overGRPC(web.Listener.Addr().String()), "HTTP port"},
	} {
		e := start(t, onlyTraces(c.cfg))
		export(e, 1)
		eventually(t, c.want, func() bool { return strings.Contains(health(t, e, traces).LastError, c.want) })
		if h := health(t, e, traces); h.Queued != 1 {
			t.Errorf("%+v", h)
		}
	}
}

func TestCompression(t *testing.T) {
	for _, protocol := range []string{ProtocolGRPC, ProtocolHTTP} {
		s := &sink{}
		var cfg Config
		if protocol == ProtocolGRPC {
			where, _ := serveGRPC(t, s, "127.0.0.1:0")
			cfg = overGRPC(where)
		} else {
			cfg = overHTTP(serveGzip(t, s))
		}
		cfg.Traces.Compression = "gzip"
		e := start(t, onlyTraces(cfg))
		export(e, 1000)
		eventually(t, protocol, func() bool { return health(t, e, traces).Exported == 1000 })
		if spans, _, _ := s.counts(); spans != 1000 {
			t.Errorf("%s: %d spans", protocol, spans)
		}
	}
}

func TestHeaders(t *testing.T) {
	for _, protocol := range []string{ProtocolGRPC, ProtocolHTTP} {
		s := &sink{}
		var cfg Config
		if protocol == ProtocolGRPC {
			where, _ := serveGRPC(t, s, "127.0.0.1:0")
			cfg = overGRPC(where)
		} else {
			cfg = overHTTP(serveHTTP(t, s).URL)
		}
		cfg.Traces.Headers = map[string]Secret{"authorization": "Bearer x.y"}
		e := start(t, onlyTraces(cfg))
		export(e, 1)
		eventually(t, protocol, func() bool { return health(t, e, traces).Exported == 1 })
		h := http.Header{}
		for k, v := range s.headers[0] {
			h[http.CanonicalHeaderKey(k)] = v
		}
		if got := h.Get("Authorization"); got != "Bearer x.y" {
			t.Errorf("%s: authorization %q", protocol, got)
		}
		if got := h.Get("User-Agent"); !strings.HasPrefix(got, "wiretell/v0.0.0-test") {
			t.Errorf("%s: user agent %q", protocol, got)
		}
	}
}

// TestSkew: how far the receiver's clock is ahead, by its Date.
func TestSkew(t *testing.T) {
	sent := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	got := sent.Add(3 * time.Second)
	for _, tt := range []struct {
		date, age string
		want      time.Duration
	}{
		{"Fri, 02 Jan 2026 03:04:06 GMT", "", 0},
		{"Fri, 02 Jan 2026 03:04:05 GMT", "", 0},
		{"Fri, 02 Jan 2026 03:04:18 GMT", "", 10500 * time.Millisecond},
		{"Fri, 02 Jan 2026 03:03:05 GMT", "", -59500 * time.Millisecond},
		{"Fri, 02 Jan 2026 03:03:05 GMT", "60", 0}, // a cache's
		{"yesterday", "", 0},
		{"", "", 0},
	} {
		h := http.Header{}
		h.Set("Date", tt.date)
		if tt.age != "" {
			h.Set("Age", tt.age)
		}
		if d := skewOf(h, sent, got); d != tt.want {
			t.Errorf("Date %q, Age %q: %v, want %v", tt.date, tt.age, d, tt.want)
		}
	}
}

// TestSkewIsTold: what a response says of the time reaches Health, and an
// attempt without an answer does not take it back.
func TestSkewIsTold(t *testing.T) {
	var b books
	l := &lane{books: &b, timeout: time.Second, maxAge: time.Nanosecond, sender: &skewed{}}
	for i, want := range []time.Duration{time.Minute, time.Minute, 0} {
		l.deliver(t.Context(), &item{records: 0, made: time.Now()})
		if got := b.health().ClockSkew; got != want {
			t.Errorf("after attempt %d the skew is %v, want %v", i, got, want)
		}
	}
}

// skewed answers with a skew, then not at all, then without one.
type skewed struct{ n int }

func (s *skewed) send(context.Context, []byte) result {
	s.n++
	switch s.n {
	case 1:
		return result{verdict: delivered, skew: time.Minute}
	case 2:
		return result{verdict: tryAgain}
	}
	return result{verdict: delivered}
}

func (s *skewed) Close() error { return nil }
