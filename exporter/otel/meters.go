package otel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/semconv"
)

// meters holds every instrument of semconv's table. What the spine counts is
// read at collection from a copy of its latest snapshot; histograms are
// recorded as exchanges and connections end.
type meters struct {
	cfg    *Config
	health func([]diagnosis.ExportHealth) []diagnosis.ExportHealth
	queued func() map[string]int // encoded bytes by signal
	// recording is false when nobody wants metrics.
	recording bool

	// One provider per resource.
	providers [2]*sdkmetric.MeterProvider
	readers   [2]*sdkmetric.ManualReader

	ints   map[string]metric.Int64Observable
	floats map[string]metric.Float64Observable

	durations  [2]metric.Float64Histogram // by server, client
	requests   [2]metric.Int64Histogram
	responses  [2]metric.Int64Histogram
	handshake  metric.Float64Histogram
	rtt        metric.Float64Histogram
	connection metric.Float64Histogram
	lookups    metric.Float64Histogram
	series     [2]optionCache // of HTTP, by server, client
	options    optionCache    // of connections
	folds      atomic.Uint64  // recordings and data points in folded series

	mu     sync.Mutex // guards what the callbacks read
	snap   capture.Snapshot
	have   bool
	start  capture.Time // of the first thing seen
	latest capture.Time
	active activeFindings
	// wasOpen has the states in which connections were ever seen open, so that a
	// series that was begun says 0 again.
	wasOpen [capture.NumRoles][capture.NumTCPStates]bool
}

func newMeters(cfg *Config, health func([]diagnosis.ExportHealth) []diagnosis.ExportHealth, queued func() map[string]int) (*meters, error) {
	m := &meters{
		cfg: cfg, health: health, queued: queued, active: make(activeFindings),
		ints: make(map[string]metric.Int64Observable), floats: make(map[string]metric.Float64Observable),
	}
	for _, c := range []*optionCache{&m.series[0], &m.series[1], &m.options} {
		*c = newOptionCache(cfg.CardinalityLimit, &m.folds)
	}
	var all [2][]metric.Observable
	var api [2]metric.Meter
	for i := range m.providers {
		m.readers[i] = sdkmetric.NewManualReader()
		m.providers[i] = sdkmetric.NewMeterProvider(
			sdkmetric.WithReader(m.readers[i]),
			sdkmetric.WithCardinalityLimit(cfg.CardinalityLimit),
			sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter),
		)
		api[i] = m.providers[i].Meter(semconv.Scope)
	}
	for i := range semconv.Metrics {
		row := &semconv.Metrics[i]
		if row.Kind == semconv.Histogram || row.Reserved {
			continue
		}
		o, err := m.observable(api[row.Origin], row)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", row.Name, err)
		}
		all[row.Origin] = append(all[row.Origin], o)
	}
	for i, callback := range []metric.Callback{m.observeTraffic, m.observeSelf} {
		if _, err := api[i].RegisterCallback(callback, all[i]...); err != nil {
			return nil, err
		}
	}
	return m, m.newHistograms(api[semconv.Traffic])
}

func (m *meters) observable(api metric.Meter, row *semconv.Metric) (metric.Observable, error) {
	unit, about := metric.WithUnit(row.Unit), metric.WithDescription(row.Description)
	if row.Float && row.Kind == semconv.Counter {
		o, err := api.Float64ObservableCounter(row.Name, unit, about)
		m.floats[row.Name] = o
		return o, err
	}
	if row.Float {
		o, err := api.Float64ObservableGauge(row.Name, unit, about)
		m.floats[row.Name] = o
		return o, err
	}
	var o metric.Int64Observable
	var err error
	switch row.Kind {
	case semconv.Counter:
		o, err = api.Int64ObservableCounter(row.Name, unit, about)
	case semconv.UpDownCounter:
		o, err = api.Int64ObservableUpDownCounter(row.Name, unit, about)
	default:
		o, err = api.Int64ObservableGauge(row.Name, unit, about)
	}
	m.ints[row.Name] = o
	return o, err
}

func (m *meters) newHistograms(api metric.Meter) error {
	var errs []error
	float := func(name string) metric.Float64Histogram {
		row := lookupMetric(name)
		h, err := api.Float64Histogram(name, metric.WithUnit(row.Unit), metric.WithDescription(row.Description), metric.WithExplicitBucketBoundaries(row.Buckets...))
		errs = append(errs, err)
		return h
	}
	integer := func(name string) metric.Int64Histogram {
		row := lookupMetric(name)
		h, err := api.Int64Histogram(name, metric.WithUnit(row.Unit), metric.WithDescription(row.Description), metric.WithExplicitBucketBoundaries(row.Buckets...))
		errs = append(errs, err)
		return h
	}
	m.durations = [2]metric.Float64Histogram{float(semconv.MetricHTTPServerRequestDuration), float(semconv.MetricHTTPClientRequestDuration)}
	m.requests = [2]metric.Int64Histogram{integer(semconv.MetricHTTPServerRequestBodySize), integer(semconv.MetricHTTPClientRequestBodySize)}
	m.responses = [2]metric.Int64Histogram{integer(semconv.MetricHTTPServerResponseBodySize), integer(semconv.MetricHTTPClientResponseBodySize)}
	m.handshake = float(semconv.MetricTCPHandshakeDuration)
	m.rtt = float(semconv.MetricTCPRTT)
	m.connection = float(semconv.MetricTCPConnectionDuration)
	m.lookups = float(semconv.MetricDNSLookups)
	return errors.Join(errs...)
}

// lookupMetric returns the table's row; the names are constants of the same package.
func lookupMetric(name string) *semconv.Metric {
	for i := range semconv.Metrics {
		if semconv.Metrics[i].Name == name {
			return &semconv.Metrics[i]
		}
	}
	panic("otel: no metric " + name)
}

// snapshot takes a copy of s.
func (m *meters) snapshot(s *capture.Snapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	copySnapshot(&m.snap, s)
	m.have = true
	m.see(s.Time)
}

// see widens the time that the metrics cover; m.mu is held.
func (m *meters) see(t capture.Time) {
	if t == 0 {
		return
	}
	if m.start == 0 || t < m.start {
		m.start = t
	}
	m.latest = max(m.latest, t)
}

func (m *meters) finding(f *diagnosis.Finding) {
	m.mu.Lock()
	m.active.see(f)
	m.mu.Unlock()
}

// copySnapshot copies src into dst, reusing dst's slices.
func copySnapshot(dst, src *capture.Snapshot) {
	old := *dst
	*dst = *src
	dst.Interfaces = append(old.Interfaces[:0], src.Interfaces...)
	dst.Truncated = append(old.Truncated[:0], src.Truncated...)
	dst.Ports = append(old.Ports[:0], src.Ports...)
	dst.ICMP = append(old.ICMP[:0], src.ICMP...)
	dst.Source.Interfaces = append(old.Source.Interfaces[:0], src.Source.Interfaces...)
	safeInterfaces(dst.Source.Interfaces)
	dst.Source.Rings = append(old.Source.Rings[:0], src.Source.Rings...)
}

// collect reads every instrument and returns what is to be sent, in batches of
// bounded size.
func (m *meters) collect(ctx context.Context, r *resources) []metricsOut {
	c := converter{version: r.version}
	var out []metricsOut
	for i, res := range []resource{r.traffic, r.self} {
		var rm metricdata.ResourceMetrics
		// A callback that fails leaves its instrument out; the rest is good.
		_ = m.readers[i].Collect(ctx, &rm)
		if m.cfg.Deterministic {
			m.mu.Lock()
			// Without a packet there is no time; the SDK's clock must not stand in.
			c.start, c.now = m.start, max(m.latest, 1)
			m.mu.Unlock()
		}
		out = append(out, c.convert(&rm, res)...)
	}
	return out
}

func (m *meters) shutdown() error {
	var errs []error
	for _, p := range m.providers {
		errs = append(errs, p.Shutdown(context.Background()))
	}
	return errors.Join(errs...)
}
