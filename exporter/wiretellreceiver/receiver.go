package wiretellreceiver

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"

	"github.com/wiretell/wiretell/exporter/otel"
)

// module is the path under which a Collector's build knows this one.
const module = "github.com/wiretell/wiretell"

// NewFactory returns the factory of the receiver "wiretell", of traces, metrics and logs.
func NewFactory() receiver.Factory {
	s := &shared{captures: make(map[*Config]*capturing)}
	const stability = component.StabilityLevelDevelopment
	return receiver.NewFactory(component.MustNewType("wiretell"), defaultConfig,
		receiver.WithTraces(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Traces) (receiver.Traces, error) {
			c := s.capture(set, cfg)
			c.traces = sink(new(ptrace.ProtoUnmarshaler).UnmarshalTraces, next.ConsumeTraces)
			return c, nil
		}, stability),
		receiver.WithMetrics(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
			c := s.capture(set, cfg)
			c.metrics = sink(new(pmetric.ProtoUnmarshaler).UnmarshalMetrics, next.ConsumeMetrics)
			return c, nil
		}, stability),
		receiver.WithLogs(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
			c := s.capture(set, cfg)
			c.logs = sink(new(plog.ProtoUnmarshaler).UnmarshalLogs, next.ConsumeLogs)
			return c, nil
		}, stability))
}

// shared has the captures that are not shut down. A Collector gives the parts of
// one receiver the same configuration.
type shared struct {
	mu       sync.Mutex
	captures map[*Config]*capturing
}

// capture returns the capture of cfg, which it makes for the first that asks.
func (s *shared) capture(set receiver.Settings, cfg component.Config) *capturing {
	c := cfg.(*Config)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.captures[c] == nil {
		s.captures[c] = &capturing{cfg: c, log: set.Logger, forget: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.captures, c)
		}}
	}
	return s.captures[c]
}

// sink hands what a batch holds to the next consumer.
func sink[T any](unmarshal func([]byte) (T, error), consume func(context.Context, T) error) otel.Sink {
	return func(ctx context.Context, data []byte) error {
		records, err := unmarshal(data)
		if err == nil {
			err = consume(ctx, records)
			if err == nil || !consumererror.IsPermanent(err) {
				return err
			}
		}
		return fmt.Errorf("%w: %w", otel.ErrRefused, err)
	}
}

// version is wiretell's, in whatever program it is.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == module {
			return m.Version
		}
	}
	return ""
}
