package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
)

// receiver takes OTLP, over gRPC or as JSON lines, and keeps it. Its methods
// may be called from any goroutine.
type receiver struct {
	mu      sync.Mutex
	kept    telemetry
	changed chan struct{} // closed and made anew with each delivery
	server  *grpc.Server
}

func newReceiver() *receiver { return &receiver{changed: make(chan struct{})} }

// snapshot returns what there is, and a channel that is closed when there is
// more.
func (r *receiver) snapshot() (*Telemetry, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept.snapshot(), r.changed
}

func (r *receiver) add(f func(*telemetry)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.kept)
	close(r.changed)
	r.changed = make(chan struct{})
}

// serve starts the OTLP/gRPC server on ln, which it takes over.
func (r *receiver) serve(ln net.Listener) {
	r.server = grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	ptraceotlp.RegisterGRPCServer(r.server, &traceService{r: r})
	pmetricotlp.RegisterGRPCServer(r.server, &metricService{r: r})
	plogotlp.RegisterGRPCServer(r.server, &logService{r: r})
	go func() { _ = r.server.Serve(ln) }() // ends with close
}

func (r *receiver) close() {
	if r.server != nil {
		r.server.Stop()
	}
}

type traceService struct {
	ptraceotlp.UnimplementedGRPCServer
	r *receiver
}

func (s *traceService) Export(_ context.Context, req ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	s.r.add(func(t *telemetry) { t.addTraces(req.Traces()) })
	return ptraceotlp.NewExportResponse(), nil
}

type metricService struct {
	pmetricotlp.UnimplementedGRPCServer
	r *receiver
}

func (s *metricService) Export(_ context.Context, req pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	s.r.add(func(t *telemetry) { t.addMetrics(req.Metrics()) })
	return pmetricotlp.NewExportResponse(), nil
}

type logService struct {
	plogotlp.UnimplementedGRPCServer
	r *receiver
}

func (s *logService) Export(_ context.Context, req plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	s.r.add(func(t *telemetry) { t.addLogs(req.Logs()) })
	return plogotlp.NewExportResponse(), nil
}

// line takes an OTLP JSON line, as --otlp-json writes them.
func (r *receiver) line(b []byte) error {
	switch {
	case len(bytes.TrimSpace(b)) == 0:
		return nil
	case bytes.Contains(b[:min(len(b), 64)], []byte(`"resourceSpans"`)):
		td, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(b)
		if err != nil {
			return fmt.Errorf("a line with spans: %w", err)
		}
		r.add(func(t *telemetry) { t.addTraces(td) })
	case bytes.Contains(b[:min(len(b), 64)], []byte(`"resourceMetrics"`)):
		md, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(b)
		if err != nil {
			return fmt.Errorf("a line with metrics: %w", err)
		}
		r.add(func(t *telemetry) { t.addMetrics(md) })
	case bytes.Contains(b[:min(len(b), 64)], []byte(`"resourceLogs"`)):
		ld, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(b)
		if err != nil {
			return fmt.Errorf("a line with log records: %w", err)
		}
		r.add(func(t *telemetry) { t.addLogs(ld) })
	default:
		return fmt.Errorf("a line that is no OTLP: %.80q", b)
	}
	return nil
}

// lines calls f with each line that is written to it, without the newline.
type lines struct {
	rest []byte
	f    func([]byte)
}

var _ io.Writer = (*lines)(nil)

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			l.rest = append(l.rest, p...)
			return n, nil
		}
		line := p[:i]
		if len(l.rest) > 0 {
			line = append(l.rest, line...)
		}
		l.f(line)
		l.rest, p = l.rest[:0], p[i+1:]
	}
}
