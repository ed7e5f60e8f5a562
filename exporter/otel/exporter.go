package otel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/exporter"
	"github.com/wiretell/wiretell/semconv"
)

// Exporter turns observations and findings into OpenTelemetry signals and sends
// them. Its Export may be called by one goroutine at a time; the other methods
// by any.
type Exporter struct {
	cfg       Config
	resources *resources
	meters    *meters

	// By kind of batch: the ways out. The lanes are those of the OTLP ones.
	spanWays, eventWays, findingWays, metricWays ways
	lanes                                        []*lane
	closers                                      []io.Closer
	jsonFiles                                    []*jsonFile

	mu       sync.Mutex // guards what follows
	spans    *spanBuilder
	events   *eventBuilder
	facts    facts
	pending  pendingSpans
	frame    *spanFrame
	records  pendingLogs // events of traffic
	findings pendingLogs // what wiretell says of itself
	latest   capture.Time
	closed   bool

	cancel  context.CancelFunc // ends the senders
	senders sync.WaitGroup
	stop    chan struct{} // ends the timer goroutine
	timers  sync.WaitGroup
}

// New returns an Exporter and starts its senders. An error names what of the
// configuration cannot be.
func New(cfg Config) (*Exporter, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("otel exporter: %w", err)
	}
	e := &Exporter{cfg: cfg, resources: newResources(&cfg), stop: make(chan struct{})}
	if err := e.newBuilders(); err != nil {
		return nil, fmt.Errorf("otel exporter: %w", err)
	}
	if err := e.open(); err != nil {
		e.release()
		return nil, fmt.Errorf("otel exporter: %w", err)
	}
	m, err := newMeters(&e.cfg, e.Health, e.queued)
	if err != nil {
		e.release()
		return nil, fmt.Errorf("otel exporter: %w", err)
	}
	e.meters = m
	m.recording = len(e.metricWays) > 0 || cfg.Exposed
	e.frame = newSpanFrame(e.resources)
	e.records.reset(e.resources.traffic, cfg.Version)
	e.findings.reset(e.resources.self, cfg.Version)

	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	for _, l := range e.lanes {
		e.senders.Go(func() {
			defer close(l.done)
			l.run(ctx)
		})
	}
	if !cfg.Deterministic {
		e.timers.Go(e.tick)
	}
	return e, nil
}

func (e *Exporter) newBuilders() error {
	s, ok := newSampler(e.cfg.Sampler)
	if !ok {
		return fmt.Errorf("sampler %q is not known", e.cfg.Sampler.Name)
	}
	b := &spanBuilder{
		ids: newIDSource(e.cfg.Deterministic), sampler: s, beside: newBesideSDK(e.cfg.Beside),
		texts: newTexts(e.cfg.AttributeLimit), redactor: exporter.NewRedactor(e.cfg.Redaction, e.cfg.SensitiveKeys),
		methods: make(map[string]string), unsafe: e.cfg.UnsafeHeaders,
	}
	for _, m := range e.cfg.KnownMethods {
		b.methods[m] = m
	}
	for _, p := range e.cfg.Routes {
		r, err := parseRoute(p)
		if err != nil {
			return err
		}
		b.routes = append(b.routes, r)
	}
	e.spans = b
	e.events = &eventBuilder{spans: b}
	if !e.cfg.Deterministic {
		e.events.now = time.Now
		e.events.limit = newRateLimit(e.cfg.EventsPerSecond)
	}
	return nil
}

// Shares of the queue in sixteenths: spans are many, findings must not be lost.
const (
	shareTraces   = 11
	shareLogs     = 3
	shareMetrics  = 1
	shareFindings = 1
)

// open makes the ways out that the configuration names.
func (e *Exporter) open() error {
	d := newDialer(e.cfg.OwnFlows)
	conns := make(map[string]*grpc.ClientConn)
	for _, s := range []struct {
		signal signal
		cfg    *SignalConfig
		ways   []*ways
		shares []int
	}{
		{traces, &e.cfg.Traces, []*ways{&e.spanWays}, []int{shareTraces}},
		{logs, &e.cfg.Logs, []*ways{&e.eventWays, &e.findingWays}, []int{shareLogs, shareFindings}},
		{metrics, &e.cfg.Metrics, []*ways{&e.metricWays}, []int{shareMetrics}},
	} {
		if s.cfg.Exporter == ExporterOTLP {
			snd, where, err := e.connect(s.signal, s.cfg, d, conns)
			if err != nil {
				return fmt.Errorf("%s: %w", s.signal, err)
			}
			for i, ws := range s.ways {
				e.addLane(ws, newBooks(ExporterOTLP, s.signal.String(), where.display, s.cfg.Protocol), s.cfg, snd, s.shares[i])
			}
		}
		if s.cfg.Exporter == ExporterSink {
			for i, ws := range s.ways {
				e.addLane(ws, newBooks(ExporterSink, s.signal.String(), "", sinkProtocol), s.cfg, newSinkSender(s.cfg.Sink), s.shares[i])
			}
		}
		for _, w := range s.ways {
			if s.cfg.Exporter == ExporterConsole {
				if err := e.addJSON(w, s.signal, "console", "-"); err != nil {
					return err
				}
			}
			if e.cfg.JSONPath != "" || e.cfg.JSON != nil {
				if err := e.addJSON(w, s.signal, "otlp-json", e.cfg.JSONPath); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (e *Exporter) addLane(ws *ways, b *books, cfg *SignalConfig, snd sender, share int) {
	l := newLane(b, snd, e.cfg.QueueBytes*share/16, &e.cfg, cfg.Timeout)
	l.keepLast = ws == &e.metricWays
	w := &way{books: b, lane: l}
	if cfg.Compression != "" {
		w.gzip = &gzipper{}
	}
	e.lanes = append(e.lanes, l)
	*ws = append(*ws, w)
}

// addJSON adds a file; signals that name the same one share it.
func (e *Exporter) addJSON(ws *ways, sig signal, name, path string) error {
	for _, other := range slices.Concat(e.spanWays, e.eventWays, e.findingWays, e.metricWays) {
		if other.json != nil && other.books.h.Endpoint == path {
			*ws = append(*ws, &way{books: newBooks(name, sig.String(), path, ""), json: other.json})
			return nil
		}
	}
	f, err := openJSON(path, e.cfg.JSON)
	if err != nil {
		return err
	}
	e.jsonFiles = append(e.jsonFiles, f)
	*ws = append(*ws, &way{books: newBooks(name, sig.String(), path, ""), json: f})
	return nil
}

// connect makes the sender for a signal. Signals that go to the same place over
// gRPC share a connection.
func (e *Exporter) connect(sig signal, s *SignalConfig, d *dialer, conns map[string]*grpc.ClientConn) (sender, endpoint, error) {
	where, err := s.resolve()
	if err != nil {
		return nil, where, err
	}
	userAgent := "wiretell/" + e.cfg.Version
	if s.Protocol == ProtocolHTTP {
		h, err := newHTTPSender(sig, s, where, d, userAgent)
		if err != nil {
			return nil, where, err
		}
		e.closers = append(e.closers, h)
		return h, where, nil
	}
	key := fmt.Sprint(where, s.Compression, s.CAFile, s.CertFile, s.KeyFile)
	conn := conns[key]
	if conn == nil {
		if conn, err = dialGRPC(s, where, d, userAgent); err != nil {
			return nil, where, err
		}
		conns[key] = conn
		e.closers = append(e.closers, conn)
	}
	return newGRPCSender(sig, conn, s.Headers), where, nil
}

// Export implements exporter.Exporter: it builds, and at most hands full
// batches to the lanes.
func (e *Exporter) Export(b *capture.Batch, findings []diagnosis.Finding) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	if b != nil {
		e.exportBatch(b)
	}
	for i := range findings {
		e.meters.finding(&findings[i])
		if len(e.findingWays) > 0 {
			e.findingWays.create(1)
			e.findings.bytes += e.events.finding(e.findings.records.AppendEmpty(), &findings[i])
		}
	}
	e.sweep(false)
	// Findings are few, and somebody waits for them.
	e.flushFindings()
}

func (e *Exporter) exportBatch(b *capture.Batch) {
	if b.HasSnapshot {
		e.meters.snapshot(&b.Snapshot)
		e.spans.interfaces = append(e.spans.interfaces[:0], b.Snapshot.Source.Interfaces...)
		safeInterfaces(e.spans.interfaces)
		e.latest = max(e.latest, b.Snapshot.Time)
	}
	for _, o := range b.Observations {
		e.events.recording = b.Recording(o)
		e.observation(o)
	}
	e.events.recording = ""
}

func (e *Exporter) exchange(ex *capture.Exchange) {
	f := &e.facts
	e.spans.examine(f, ex)
	f.recording = e.events.recording
	e.latest = max(e.latest, f.end)
	e.meters.exchange(f)
	selected := e.cfg.Select == nil || e.cfg.Select.Exchange(ex)
	switch {
	case !selected:
		e.spanWays.notSelected(1)
	case !f.sampled:
		e.spanWays.sampledOut(1)
	case len(e.spanWays) > 0:
		e.spanWays.create(1)
		e.pending.add(e.spans, f)
		if e.pending.n >= e.cfg.SpanBatch || len(e.pending.encoded) >= maxBatchBytes {
			e.flushSpans()
		}
	}
	event := exchangeEvent(ex)
	switch {
	case event == nil:
	case !selected:
		e.eventWays.notSelected(1)
	case e.admit(event, &ex.Conn, f.end):
		e.added(e.events.exchange(e.records.records.AppendEmpty(), event, f))
	}
}

// admit enters an event in the books and reports whether it is to be built.
func (e *Exporter) admit(event *semconv.Event, c *capture.Conn, at capture.Time) bool {
	_, peer := local(c)
	return e.admitPeer(event, peer, at)
}

func (e *Exporter) admitPeer(event *semconv.Event, peer capture.Endpoint, at capture.Time) bool {
	e.latest = max(e.latest, at)
	if len(e.eventWays) == 0 {
		return false
	}
	if e.events.limit != nil && !e.events.limit.allow(event, peer, at) {
		e.eventWays.leaveOut(1, dropRateLimited)
		return false
	}
	e.eventWays.create(1)
	return true
}

// added notes the size of an event that was built.
func (e *Exporter) added(bytes int) {
	e.records.bytes += bytes
	if e.records.records.Len() >= e.cfg.LogBatch || e.records.bytes >= maxBatchBytes {
		e.flushEvents()
	}
}

// selects reports whether the user wants a record of o, and counts it when not.
func (e *Exporter) selects(o capture.Observation) bool {
	if e.cfg.Select == nil || e.cfg.Select.Observation(o) {
		return true
	}
	e.eventWays.notSelected(1)
	return false
}

func (e *Exporter) observation(o capture.Observation) {
	switch o := o.(type) {
	case *capture.Exchange:
		e.exchange(o)
	case *capture.ConnOpened:
		e.meters.opened(o)
	case *capture.ConnClosed:
		e.meters.connClosed(o)
	case *capture.ConnFailed:
		if e.selects(o) && e.admit(&eventConnectFailed, &o.Conn, o.At) {
			e.added(e.events.connFailed(e.records.records.AppendEmpty(), o))
		}
	case *capture.ConnReset:
		if e.selects(o) && e.admit(&eventReset, &o.Conn, o.At) {
			e.added(e.events.connReset(e.records.records.AppendEmpty(), o))
		}
	case *capture.ConnStuck:
		if event := &eventsStuck[o.Kind]; e.selects(o) && e.admit(event, &o.Conn, o.At) {
			e.added(e.events.connStuck(e.records.records.AppendEmpty(), event, o))
		}
	case *capture.ICMPError:
		if e.selects(o) && e.admitPeer(&eventICMP, o.From, o.At) {
			e.added(e.events.icmp(e.records.records.AppendEmpty(), o))
		}
	case *capture.DNSLookup:
		e.meters.lookup(o)
		if c := dnsConn(o); o.Failed() && e.selects(o) && e.admit(&eventDNSFailed, &c, o.At) {
			e.added(e.events.dnsFailed(e.records.records.AppendEmpty(), o))
		}
	case *capture.ParseError:
		if e.selects(o) && e.admit(&eventParseError, &o.Conn, o.At) {
			e.added(e.events.parseError(e.records.records.AppendEmpty(), o))
		}
	case *capture.Lost:
		e.latest = max(e.latest, o.At)
		if len(e.findingWays) > 0 {
			e.findingWays.create(1)
			e.findings.bytes += e.events.lost(e.findings.records.AppendEmpty(), o)
		}
	}
}

// sweep writes what the rate limit left out.
func (e *Exporter) sweep(final bool) {
	if e.events.limit == nil {
		return
	}
	for _, s := range e.events.limit.sweep(e.latest, final) {
		e.eventWays.create(1)
		e.added(e.events.suppressed(e.records.records.AppendEmpty(), s))
	}
}

func (e *Exporter) flushSpans() {
	if e.pending.n > 0 {
		b, n := e.pending.take(e.frame)
		e.spanWays.send(b, n)
	}
}

func (e *Exporter) flushEvents() {
	if n := e.records.records.Len(); n > 0 {
		full := logBatch{e.records.logs}
		e.records.reset(e.resources.traffic, e.cfg.Version)
		e.eventWays.send(full, n)
	}
}

func (e *Exporter) flushFindings() {
	if n := e.findings.records.Len(); n > 0 {
		full := logBatch{e.findings.logs}
		e.findings.reset(e.resources.self, e.cfg.Version)
		e.findingWays.send(full, n)
	}
}

// tick sends what has waited long enough and collects metrics.
func (e *Exporter) tick() {
	spans, logs, collect := e.spanWays.every(e.cfg.SpanDelay), e.eventWays.every(e.cfg.LogDelay), e.metricWays.every(e.cfg.MetricInterval)
	for {
		select {
		case <-e.stop:
			return
		case <-spans:
			e.mu.Lock()
			e.flushSpans()
			e.mu.Unlock()
		case <-logs:
			e.mu.Lock()
			e.flushEvents()
			e.mu.Unlock()
		case <-collect:
			e.collect()
		}
	}
}

// collect reads all metrics and hands them on.
func (e *Exporter) collect() {
	if len(e.metricWays) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.cfg.MetricTimeout)
	defer cancel()
	for _, b := range e.meters.collect(ctx, e.resources) {
		e.metricWays.create(b.points)
		e.metricWays.send(b.metricBatch, b.points)
	}
}

// Health implements exporter.Exporter: one entry per exporter and signal.
func (e *Exporter) Health(dst []diagnosis.ExportHealth) []diagnosis.ExportHealth {
	first := len(dst)
	for _, w := range slices.Concat(e.spanWays, e.eventWays, e.findingWays, e.metricWays) {
		h := w.books.health()
		switch h.Signal {
		case metrics.String():
			h.Overflow = e.meters.folds.Load()
		case traces.String():
			h.BesideSDK = e.spans.beside.word()
		}
		i := slices.IndexFunc(dst[first:], func(o diagnosis.ExportHealth) bool {
			return o.Exporter == h.Exporter && o.Signal == h.Signal
		})
		if i < 0 {
			dst = append(dst, h)
		} else {
			dst[first+i] = merge(dst[first+i], h)
		}
	}
	return dst
}

// queued returns the encoded bytes that wait, by signal.
func (e *Exporter) queued() map[string]int {
	n := make(map[string]int)
	for _, l := range e.lanes {
		n[l.books.h.Signal] += l.queued()
	}
	return n
}

// Shutdown implements exporter.Exporter. When ctx ends before all was sent, it
// returns an error that says how much was dropped.
func (e *Exporter) Shutdown(ctx context.Context) error {
	// An Export that waits for room gives up when the deadline comes.
	defer context.AfterFunc(ctx, func() {
		for _, l := range e.lanes {
			l.stopWaiting()
		}
	})()
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	e.sweep(true)
	e.flushSpans()
	e.flushEvents()
	e.flushFindings()
	e.mu.Unlock()

	close(e.stop)
	e.timers.Wait()

	// Metrics go last, and are made when all else was sent or time is short, so
	// that what they say of spans and log records is the end of it.
	settled := make(chan struct{})
	for _, l := range e.lanes {
		if !l.keepLast {
			l.drain()
		}
	}
	go func() {
		for _, l := range e.lanes {
			if !l.keepLast {
				<-l.done
			}
		}
		close(settled)
	}()
	select {
	case <-settled:
	case <-halfway(ctx):
	}
	e.collect()
	done := make(chan struct{})
	for _, l := range e.lanes {
		l.drain()
	}
	go func() {
		e.senders.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	e.cancel()
	<-done
	for _, l := range e.lanes {
		l.discard()
	}
	return errors.Join(e.dropped(), e.meters.shutdown(), e.release())
}

// halfway is done when half the time of ctx is over, or never when ctx has no end.
func halfway(ctx context.Context) <-chan time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	return time.After(time.Until(deadline) / 2)
}

// dropped says how much the end of the process cost.
func (e *Exporter) dropped() error {
	var n uint64
	for _, h := range e.Health(nil) {
		n += h.Dropped[dropShutdown]
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("otel exporter: %d records could not be sent before the deadline", n)
}

// release closes connections and files.
func (e *Exporter) release() error {
	var errs []error
	for _, c := range e.closers {
		errs = append(errs, c.Close())
	}
	for _, f := range e.jsonFiles {
		errs = append(errs, f.close())
	}
	e.closers, e.jsonFiles = nil, nil
	return errors.Join(errs...)
}
