package otel

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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
	"google.golang.org/grpc/metadata"

	_ "google.golang.org/grpc/encoding/gzip" // as receivers have it
)

// sink is what a receiver got, and how it answers.
type sink struct {
	mu      sync.Mutex
	spans   []got[ptrace.Span]
	logs    []got[plog.LogRecord]
	metrics []got[pmetric.Metric]
	headers []map[string][]string
	calls   int

	// answer, when set, is asked before anything is taken: an error refuses
	// the call, rejected is stated as a partial success.
	answer func(call int) (rejected int64, err error)
	// http, when set, may answer itself and then returns true.
	http func(call int, w http.ResponseWriter) bool
}

// got is one record with its resource and scope.
type got[T any] struct {
	item     T
	resource pcommon.Map
	scope    pcommon.InstrumentationScope
	schema   string
}

func (s *sink) call() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	return s.calls
}

func (s *sink) ask(call int) (int64, error) {
	if s.answer == nil {
		return 0, nil
	}
	return s.answer(call)
}

func (s *sink) note(md map[string][]string) {
	s.mu.Lock()
	s.headers = append(s.headers, md)
	s.mu.Unlock()
}

func (s *sink) takeTraces(td ptrace.Traces) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, sp := range ss.Spans().All() {
				s.spans = append(s.spans, got[ptrace.Span]{sp, rs.Resource().Attributes(), ss.Scope(), ss.SchemaUrl()})
			}
		}
	}
}

func (s *sink) takeLogs(ld plog.Logs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				s.logs = append(s.logs, got[plog.LogRecord]{lr, rl.Resource().Attributes(), sl.Scope(), sl.SchemaUrl()})
			}
		}
	}
}

func (s *sink) takeMetrics(md pmetric.Metrics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				s.metrics = append(s.metrics, got[pmetric.Metric]{m, rm.Resource().Attributes(), sm.Scope(), sm.SchemaUrl()})
			}
		}
	}
}

// metric returns the last state of the named metric that arrived.
func (s *sink) metric(name string) (got[pmetric.Metric], bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.metrics) - 1; i >= 0; i-- {
		if s.metrics[i].item.Name() == name {
			return s.metrics[i], true
		}
	}
	return got[pmetric.Metric]{}, false
}

func (s *sink) counts() (spans, logs, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.spans), len(s.logs), s.calls
}

type traceServer struct {
	ptraceotlp.UnimplementedGRPCServer
	*sink
}

func (s *traceServer) Export(ctx context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	s.note(md)
	rejected, err := s.ask(s.call())
	resp := ptraceotlp.NewExportResponse()
	if err != nil {
		return resp, err
	}
	s.takeTraces(r.Traces())
	resp.PartialSuccess().SetRejectedSpans(rejected)
	return resp, nil
}

type logServer struct {
	plogotlp.UnimplementedGRPCServer
	*sink
}

func (s *logServer) Export(_ context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	rejected, err := s.ask(s.call())
	resp := plogotlp.NewExportResponse()
	if err != nil {
		return resp, err
	}
	s.takeLogs(r.Logs())
	resp.PartialSuccess().SetRejectedLogRecords(rejected)
	return resp, nil
}

type metricServer struct {
	pmetricotlp.UnimplementedGRPCServer
	*sink
}

func (s *metricServer) Export(_ context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	s.takeMetrics(r.Metrics())
	return pmetricotlp.NewExportResponse(), nil
}

// serveGRPC starts an OTLP/gRPC receiver at address, "127.0.0.1:0" for any, and
// returns where it is and how to stop it at once.
func serveGRPC(t testing.TB, s *sink, address string, opts ...grpc.ServerOption) (where string, stop func()) {
	t.Helper()
	var l net.Listener
	var err error
	for range 50 {
		if l, err = net.Listen("tcp", address); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l.Addr().String(), serveListener(t, s, l, opts...)
}

// serveOn starts an OTLP/gRPC receiver on l and returns its address.
func serveOn(t testing.TB, s *sink, l net.Listener) string {
	serveListener(t, s, l)
	return l.Addr().String()
}

func serveListener(t testing.TB, s *sink, l net.Listener, opts ...grpc.ServerOption) (stop func()) {
	srv := grpc.NewServer(opts...)
	ptraceotlp.RegisterGRPCServer(srv, &traceServer{sink: s})
	plogotlp.RegisterGRPCServer(srv, &logServer{sink: s})
	pmetricotlp.RegisterGRPCServer(srv, &metricServer{sink: s})
	var done sync.WaitGroup
	done.Go(func() { _ = srv.Serve(l) })
	once := sync.OnceFunc(func() {
		srv.Stop()
		done.Wait()
	})
	t.Cleanup(once)
	return once
}

// serveHTTP starts an OTLP/HTTP receiver.
func serveHTTP(t testing.TB, s *sink) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(s.handler())
	t.Cleanup(srv.Close)
	return srv
}

// serveHTTPAt starts an OTLP/HTTP receiver at the given address.
func serveHTTPAt(t testing.TB, s *sink, address string) {
	t.Helper()
	var l net.Listener
	var err error
	for range 50 {
		if l, err = net.Listen("tcp", address); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: s.handler()}}
	srv.Start()
	t.Cleanup(srv.Close)
}

// serveGzip starts an OTLP/HTTP receiver that takes nothing but gzip.
func serveGzip(t testing.TB, s *sink) string {
	t.Helper()
	plain := s.handler()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		zr, err := gzip.NewReader(r.Body)
		if err != nil || r.Header.Get("Content-Encoding") != "gzip" {
			http.Error(w, "not gzip", http.StatusBadRequest)
			return
		}
		r.Body = zr
		plain.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func (s *sink) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s.note(r.Header)
		call := s.call()
		if s.http != nil && s.http(call, w) {
			return
		}
		rejected, err := s.ask(call)
		if err != nil {
			http.Error(w, "refused", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		var answer []byte
		switch r.URL.Path {
		case "/v1/traces":
			req, resp := ptraceotlp.NewExportRequest(), ptraceotlp.NewExportResponse()
			if req.UnmarshalProto(body) != nil {
				http.Error(w, "not protobuf", http.StatusBadRequest)
				return
			}
			s.takeTraces(req.Traces())
			resp.PartialSuccess().SetRejectedSpans(rejected)
			answer, _ = resp.MarshalProto()
		case "/v1/logs":
			req, resp := plogotlp.NewExportRequest(), plogotlp.NewExportResponse()
			if req.UnmarshalProto(body) != nil {
				http.Error(w, "not protobuf", http.StatusBadRequest)
				return
			}
			s.takeLogs(req.Logs())
			resp.PartialSuccess().SetRejectedLogRecords(rejected)
			answer, _ = resp.MarshalProto()
		case "/v1/metrics":
			req := pmetricotlp.NewExportRequest()
			if req.UnmarshalProto(body) != nil {
				http.Error(w, "not protobuf", http.StatusBadRequest)
				return
			}
			s.takeMetrics(req.Metrics())
			answer, _ = pmetricotlp.NewExportResponse().MarshalProto()
		default:
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(answer)
	})
}

// overGRPC returns a configuration that sends everything to where.
func overGRPC(where string) Config {
	s := SignalConfig{Exporter: ExporterOTLP, Protocol: ProtocolGRPC, Endpoint: "http://" + where, Timeout: 5 * time.Second}
	return Config{Traces: s, Metrics: s, Logs: s, ServiceName: "shop", Version: "v0.0.0-test", SpanDelay: 20 * time.Millisecond, LogDelay: 20 * time.Millisecond, backoff: backoff{5 * time.Millisecond, 50 * time.Millisecond}}
}

// overHTTP returns a configuration that sends everything to a URL.
func overHTTP(base string) Config {
	s := func(path string) SignalConfig {
		return SignalConfig{Exporter: ExporterOTLP, Protocol: ProtocolHTTP, Endpoint: base + path, Timeout: 5 * time.Second}
	}
	return Config{Traces: s("/v1/traces"), Metrics: s("/v1/metrics"), Logs: s("/v1/logs"), ServiceName: "shop", Version: "v0.0.0-test",
		SpanDelay: 20 * time.Millisecond, LogDelay: 20 * time.Millisecond, backoff: backoff{5 * time.Millisecond, 50 * time.Millisecond}}
}

// start makes an Exporter and shuts it down at the end of the test.
func start(t testing.TB, cfg Config) *Exporter {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(e, 100*time.Millisecond) })
	return e
}

func stop(e *Exporter, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return e.Shutdown(ctx)
}

// eventually waits until ok holds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never came: %s", what)
}
