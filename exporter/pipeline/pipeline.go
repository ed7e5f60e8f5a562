package pipeline

import (
	"context"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/capture/observer"
	"github.com/wiretell/wiretell/exporter"
	"github.com/wiretell/wiretell/exporter/otel"
)

// queueBatches is how many batches wait for the desk at most. A batch holds
// 512 observations and some: this is a second's worth of heavy traffic.
const queueBatches = 64

// Pipeline is the whole way from a source to the exporters, of the desk. Fill
// it in, then call Run and Shutdown.
type Pipeline struct {
	Observer observer.Config
	Desk     exporter.Desk
	Own      capture.OwnFlows
	// EachBlock is as in afpacket.Config.
	EachBlock func()
	// Live is false of files, which are in no hurry: nothing is dropped.
	Live bool
	// Terse says that nobody but the diagnosis listens.
	Terse bool
	// Deadline is how long the end of a live pipeline may take, from the end of
	// its source on.
	Deadline time.Duration

	// Last are the counters at the end, once Run has returned.
	Last capture.Snapshot
	// Stuck says that the desk was held up past the deadline; then it is still at
	// work and not to be read, and its exporters end when it does.
	Stuck bool

	ending context.Context // the deadline, once it runs
}

// OTel fills in what of the settings and of p concerns the OpenTelemetry exporter.
func (p *Pipeline) OTel(s *Settings, cfg *otel.Config) (err error) {
	if cfg.Select, err = s.Selector(); err != nil {
		return err
	}
	cfg.Redaction = exporter.Redaction(s.Redact)
	cfg.UnsafeHeaders = s.UnsafeHeaders
	cfg.Routes = s.Routes
	cfg.Beside = otel.Beside(s.BesideSDK)
	cfg.QueueBytes = s.QueueBytes
	cfg.OwnFlows = &p.Own
	cfg.Coverage = p.Desk.Coverage
	cfg.ReassemblyBytes = s.Reassembly
	return nil
}

// Twins has the exchanges paired that are seen on both sides of a mesh's proxy,
// unless the settings say not to, or nobody listens.
func (p *Pipeline) Twins(s *Settings) {
	if s.MeshDedup != "off" && !p.Terse {
		p.Desk.Twins = exporter.NewTwins()
	}
}

// Run observes src to its end and returns the findings that hold then: none where
// the desk is stuck. The error is that of [observer.Observer.Run].
func (p *Pipeline) Run(src capture.Source) ([]diagnosis.Finding, error) {
	cfg := p.Observer
	p.Desk.Queue = exporter.NewQueue(queueBatches)
	cfg.Empty = p.Desk.Queue.Empty
	cfg.Offer = p.Desk.Queue.Put
	if p.Live {
		cfg.Offer = p.Desk.Queue.Offer
		cfg.Own = &p.Own // a file may hold the same addresses and ports by chance
		cfg.Last = func(b *capture.Batch) bool {
			return p.Desk.Queue.PutUntil(p.Ending().Done(), b)
		}
	}
	cfg.Terse = p.Terse && cfg.Recorder == nil
	var findings []diagnosis.Finding
	done := make(chan struct{})
	go func() {
		defer close(done)
		findings = p.Desk.Run()
	}()
	o := observer.New(cfg, src)
	err := o.Run()
	p.Desk.Queue.Close()
	o.Counters().CopyTo(&p.Last)
	src.Stats(&p.Last.Source)
	if cfg.Recorder != nil {
		cfg.Recorder.Stats(&p.Last.Recording)
	}
	if !p.Live { // a file's reader waits for whoever takes its output
		<-done
		return findings, err
	}
	select {
	case <-done:
		return findings, err
	case <-p.Ending().Done():
		p.Stuck = true
		go func() { // should the desk come free, nothing of it is left behind
			<-done
			_ = p.Desk.Shutdown(p.ending) // which is over: there is nobody to tell
		}()
		return nil, err
	}
}

// Ending begins the time that the end may take, and returns it.
func (p *Pipeline) Ending() context.Context {
	if p.ending == nil {
		var cancel context.CancelFunc
		p.ending, cancel = context.WithTimeout(context.Background(), p.Deadline)
		context.AfterFunc(p.ending, cancel)
	}
	return p.ending
}

// Report returns what the run came to. Of a run whose desk is stuck, which owns the
// findings, only the counters are known.
func (p *Pipeline) Report() diagnosis.Report {
	if p.Stuck {
		return diagnosis.NewReport(p.Last.Time, diagnosis.Input{Snapshot: &p.Last, Capture: p.Desk.Facts}, nil)
	}
	return p.Desk.Report
}
