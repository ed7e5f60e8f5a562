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
	"go.opentelemetry.io/collector/receiver/receiverhelper"

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
			c, err := s.capture(set, cfg)
			if err != nil {
				return nil, err
			}
			c.traces = sink(new(ptrace.ProtoUnmarshaler).UnmarshalTraces, next.ConsumeTraces,
				operation[ptrace.Traces]{c.report.StartTracesOp, ptrace.Traces.SpanCount, c.report.EndTracesOp})
			return c, nil
		}, stability),
		receiver.WithMetrics(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
			c, err := s.capture(set, cfg)
			if err != nil {
				return nil, err
			}
			c.metrics = sink(new(pmetric.ProtoUnmarshaler).UnmarshalMetrics, next.ConsumeMetrics,
				operation[pmetric.Metrics]{c.report.StartMetricsOp, pmetric.Metrics.DataPointCount, c.report.EndMetricsOp})
			return c, nil
		}, stability),
		receiver.WithLogs(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
			c, err := s.capture(set, cfg)
			if err != nil {
				return nil, err
			}
			c.logs = sink(new(plog.ProtoUnmarshaler).UnmarshalLogs, next.ConsumeLogs,
				operation[plog.Logs]{c.report.StartLogsOp, plog.Logs.LogRecordCount, c.report.EndLogsOp})
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
func (s *shared) capture(set receiver.Settings, cfg component.Config) (*capturing, error) {
	c := cfg.(*Config)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.captures[c] == nil {
		report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{ReceiverID: set.ID, ReceiverCreateSettings: set})
		if err != nil {
			return nil, err
		}
		s.captures[c] = &capturing{cfg: c, log: set.Logger, report: report, forget: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.captures, c)
		}}
	}
	return s.captures[c], nil
}

// operation is how a Collector hears of records that a receiver hands on.
type operation[T any] struct {
	start func(context.Context) context.Context
	count func(T) int
	end   func(ctx context.Context, format string, count int, err error)
}

// sink hands what a batch holds to the next consumer.
func sink[T any](unmarshal func([]byte) (T, error), consume func(context.Context, T) error, op operation[T]) otel.Sink {
	return func(ctx context.Context, data []byte) error {
		records, err := unmarshal(data)
		if err == nil {
			n := op.count(records) // before they are another's
			ctx := op.start(ctx)
			err = consume(ctx, records)
			op.end(ctx, "protobuf", n, err)
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
