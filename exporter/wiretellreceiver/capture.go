package wiretellreceiver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/afpacket"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/exporter/otel"
	"github.com/wiretell/wiretell/exporter/pipeline"
)

// capturing is the component behind a receiver's traces, metrics and logs.
type capturing struct {
	cfg    *Config
	log    *zap.Logger
	report *receiverhelper.ObsReport
	forget func()

	traces, metrics, logs otel.Sink // nil in no pipeline

	mu      sync.Mutex
	hosts   []component.Host // of the parts that were started
	status  *componentstatus.Event
	started bool
	failed  error         // why it could not start
	stop    func()        // ends the capture; nil when there is none
	done    chan struct{} // closed when all has ended
}

// Start implements component.Component: the first call opens the capture.
func (c *capturing) Start(_ context.Context, host component.Host) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hosts = append(c.hosts, host)
	if !c.started {
		c.started = true
		c.failed = c.start()
	} else if c.status != nil {
		componentstatus.ReportStatus(host, c.status)
	}
	return c.failed
}

// start opens the capture and lets it run; c.mu is held.
func (c *capturing) start() error {
	p := new(pipeline.Pipeline)
	p.EachBlock = (&ownSockets{flows: &p.Own}).look
	opened, err := p.Open(&c.cfg.Settings, &c.cfg.Live)
	if err != nil {
		return err
	}
	blind := pipeline.NewBlind()
	src, stop := capture.Source(blind), blind.Stop
	if opened != nil {
		src, stop = opened, opened.Stop
	}
	if err := c.equip(p, opened); err != nil {
		err = errors.Join(err, src.Close())
		_ = src.Next(new(capture.Frame)) // which releases what it may still have handed out
		return err
	}
	if opened == nil && c.cfg.WhenDenied != pipeline.Stay {
		return denied(p, blind)
	}
	if denial := p.Desk.Facts.Err; denial != nil {
		c.log.Error("nothing can be captured; staying to publish the diagnosis", zap.Error(denial))
		c.tell(componentstatus.NewPermanentErrorEvent(denial), c.hosts)
	} else {
		c.log.Info("capturing", zap.Strings("interfaces", c.cfg.Interfaces))
	}
	c.stop, c.done = stop, make(chan struct{})
	go func() {
		defer close(c.done)
		defer src.Close()
		_, err := p.Run(src)
		c.ended(p, err)
	}()
	return nil
}

// equip gives p what it needs beside its source, which is nil when the capture
// could not be opened.
func (c *capturing) equip(p *pipeline.Pipeline, src *afpacket.Source) error {
	if src != nil {
		for _, n := range src.Notes() {
			c.log.Info(n.String())
		}
		r, err := c.cfg.Recorder(src, false)
		if err != nil {
			return fmt.Errorf("record %s: %w", c.cfg.Record.Dir, err)
		}
		if r != nil {
			p.Observer.Recorder = r
		}
	}
	var once sync.Once
	p.Observer.Panicked = func(where string) {
		once.Do(func() {
			c.log.Error("a parser failed; its connection is put aside; please report this", zap.String("in", where))
		})
	}
	p.Desk.Found = c.found
	p.Twins(&c.cfg.Settings)
	cfg := otel.DefaultConfig()
	if err := p.OTel(&c.cfg.Settings, &cfg); err != nil {
		return err
	}
	cfg.Version = version()
	cfg.ServiceName, cfg.MetricInterval = c.cfg.ServiceName, c.cfg.Interval
	for _, k := range slices.Sorted(maps.Keys(c.cfg.Resource)) {
		cfg.Resource = append(cfg.Resource, otel.KeyValue{Key: k, Value: c.cfg.Resource[k]})
	}
	for signal, s := range map[*otel.SignalConfig]otel.Sink{&cfg.Traces: c.traces, &cfg.Metrics: c.metrics, &cfg.Logs: c.logs} {
		if s != nil {
			signal.Exporter, signal.Sink = otel.ExporterSink, s
		}
	}
	x, err := otel.New(cfg)
	if err != nil {
		return err
	}
	p.Desk.Exporters = append(p.Desk.Exporters, x)
	return nil
}

// denied publishes why nothing can be captured, and returns it with what mends it.
func denied(p *pipeline.Pipeline, blind *pipeline.Blind) error {
	blind.Stop()
	_, _ = p.Run(blind) // a blind source has no error
	if !p.Stuck {
		_ = p.Desk.Shutdown(p.Ending()) // what could not be published is in the error
	}
	return fmt.Errorf("%w\n%s", p.Desk.Facts.Err, strings.TrimRight(p.Report().Text, "\n"))
}

// ended concludes a capture that ended with err.
func (c *capturing) ended(p *pipeline.Pipeline, err error) {
	if err != nil {
		c.log.Error("the capture ended", zap.Error(err))
		c.mu.Lock()
		first, hosts := c.hosts[0], c.hosts
		if errors.Is(err, afpacket.ErrLeft) {
			hosts = hosts[1:]
		}
		c.tell(componentstatus.NewPermanentErrorEvent(err), hosts)
		c.mu.Unlock()
		if errors.Is(err, afpacket.ErrLeft) {
			// Only a new process gets into the application's new namespace. A Collector
			// takes one fatal error and then ends: it would wait for ever to take a second.
			componentstatus.ReportStatus(first, componentstatus.NewFatalErrorEvent(err))
		}
	}
	if p.Stuck {
		c.log.Warn("the next consumer took nothing: what was to be said last is lost", zap.Duration("waited", p.Deadline))
		return
	}
	if err := p.Desk.Shutdown(p.Ending()); err != nil {
		c.log.Warn("not every record was taken", zap.Error(err))
	}
	for _, line := range p.Last.Ledger.Check() {
		c.log.Error("the books do not balance; please report this", zap.Error(line))
	}
	c.log.Info("captured", zap.String("seen", p.Report().Seen))
}

// found logs what the diagnosis found, or found gone.
func (c *capturing) found(findings []diagnosis.Finding) {
	for i := range findings {
		f := &findings[i]
		log := c.log.Info
		switch {
		case f.State == diagnosis.Holding:
			continue
		case f.State == diagnosis.Raised && f.Severity > diagnosis.Info:
			log = c.log.Warn // an error would bring a stack along
		}
		log(f.Body, zap.String("diagnosis", f.ID), zap.Stringer("severity", f.Severity), zap.Stringer("state", f.State), zap.String("remedy", f.Remedy.Summary), zap.String("command", f.Remedy.Command))
	}
}

// tell gives the status of the parts that have hosts, and of those that are yet to
// be started; c.mu is held.
func (c *capturing) tell(e *componentstatus.Event, hosts []component.Host) {
	c.status = e
	for _, h := range hosts {
		componentstatus.ReportStatus(h, e)
	}
}

// Shutdown implements component.Component: the first call ends the capture, hands
// on what there is, and waits for that.
func (c *capturing) Shutdown(ctx context.Context) error {
	c.forget()
	c.mu.Lock()
	stop, done := c.stop, c.done
	c.mu.Unlock()
	if stop == nil {
		return nil
	}
	stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wiretell: the capture did not end in time: %w", ctx.Err())
	}
}
