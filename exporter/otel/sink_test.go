package otel

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/wiretell/wiretell/capture/diagnosis"
)

// into returns a configuration whose three sinks first ask answer, then take.
func into(s *sink, answer func() error) Config {
	take := func(unmarshal func([]byte) error) SignalConfig {
		return SignalConfig{Exporter: ExporterSink, Sink: func(_ context.Context, data []byte) error {
			if err := answer(); err != nil {
				return err
			}
			return unmarshal(data)
		}}
	}
	return Config{
		Traces: take(func(data []byte) error {
			td, err := new(ptrace.ProtoUnmarshaler).UnmarshalTraces(data)
			if err == nil {
				s.takeTraces(td)
			}
			return err
		}),
		Metrics: take(func(data []byte) error {
			md, err := new(pmetric.ProtoUnmarshaler).UnmarshalMetrics(data)
			if err == nil {
				s.takeMetrics(md)
			}
			return err
		}),
		Logs: take(func(data []byte) error {
			ld, err := new(plog.ProtoUnmarshaler).UnmarshalLogs(data)
			if err == nil {
				s.takeLogs(ld)
			}
			return err
		}),
		ServiceName: "shop", SpanBatch: 100, SpanDelay: 20 * time.Millisecond, LogDelay: 20 * time.Millisecond,
		backoff: backoff{5 * time.Millisecond, 50 * time.Millisecond},
	}
}

func sinkHealth(t *testing.T, e *Exporter, sig signal) diagnosis.ExportHealth {
	t.Helper()
	for _, h := range e.Health(nil) {
		if h.Exporter == ExporterSink && h.Signal == sig.String() {
			checkBooks(t, h)
			return h
		}
	}
	t.Fatalf("no health of %s", sig)
	return diagnosis.ExportHealth{}
}

// What a sink does not take for a while waits, and then arrives once.
func TestSinkPressure(t *testing.T) {
	var full atomic.Bool
	full.Store(true)
	s := &sink{}
	e := start(t, into(s, func() error {
		if full.Load() {
			return errors.New("data refused due to high memory usage")
		}
		return nil
	}))
	export(e, 1000)
	e.Export(nil, []diagnosis.Finding{finding()})
	for _, sig := range []signal{traces, logs} {
		eventually(t, "a failure", func() bool { return sinkHealth(t, e, sig).Failing })
		if h := sinkHealth(t, e, sig); h.Exported != 0 || h.Queued != h.Created || h.LastStatus != "ResourceExhausted" || h.LastError == "" {
			t.Errorf("while it is full: %+v", h)
		}
	}
	full.Store(false)
	if err := stop(e, 10*time.Second); err != nil {
		t.Error(err)
	}
	paths := make(map[string]bool)
	for _, sp := range s.spans {
		v, _ := sp.item.Attributes().Get("url.path")
		paths[v.AsString()] = true
	}
	if spans, records, _ := s.counts(); spans != 1000 || len(paths) != 1000 || records != 1 {
		t.Errorf("%d spans of %d exchanges and %d log records arrived, want 1000, 1000 and 1", spans, len(paths), records)
	}
	if _, ok := s.metric("http.server.request.duration"); !ok {
		t.Error("no histogram arrived")
	}
	for _, sig := range []signal{traces, logs, metrics} {
		if h := sinkHealth(t, e, sig); h.Exported != h.Created || h.Created == 0 || h.Failing {
			t.Errorf("%s at the end: %+v", sig, h)
		}
	}
}

// What a sink refuses for good is not tried again, and counted.
func TestSinkRefuses(t *testing.T) {
	var calls atomic.Int64
	e := start(t, onlyTraces(into(&sink{}, func() error {
		calls.Add(1)
		return fmt.Errorf("%w: no such tenant", ErrRefused)
	})))
	export(e, 100)
	eventually(t, "the refusal", func() bool { return sinkHealth(t, e, traces).Rejected == 100 })
	if h := sinkHealth(t, e, traces); h.Queued != 0 || h.LastStatus != "InvalidArgument" || calls.Load() != 1 {
		t.Errorf("after %d calls: %+v", calls.Load(), h)
	}
}

// A sink that does not return holds up the end no longer than the deadline.
func TestSinkStuck(t *testing.T) {
	let := make(chan struct{})
	defer close(let)
	e := start(t, onlyTraces(into(&sink{}, func() error { <-let; return nil })))
	export(e, 100)
	begun := time.Now()
	if err := stop(e, 200*time.Millisecond); err == nil {
		t.Error("nothing is said to be lost")
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the end took %v", took)
	}
	if h := sinkHealth(t, e, traces); h.Dropped[dropShutdown] != 100 {
		t.Errorf("at the end: %+v", h)
	}
}

func TestSinkMissing(t *testing.T) {
	if _, err := New(Config{Traces: SignalConfig{Exporter: ExporterSink}}); err == nil {
		t.Error("a sink that is not given is taken")
	}
}
