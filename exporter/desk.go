package exporter

import (
	"context"
	"errors"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
)

// Desk takes the batches of the spine, lets the diagnosis weigh them, and hands
// both to every exporter. Its goroutine is the one that calls [Desk.Run].
type Desk struct {
	Queue     *Queue
	Tree      *diagnosis.Tree
	Exporters []Exporter
	// Kernel reads what the kernel says of this network namespace; nil for files.
	Kernel func(*capture.Kernel) error
	// Facts are what is known of the capture itself.
	Facts diagnosis.CaptureFacts
	// KernelEvery is the packet time between two readings of the kernel.
	KernelEvery time.Duration
	// Found is told of findings whose state changed; nil ignores them.
	Found func([]diagnosis.Finding)
	// Snapshot is told of each snapshot; nil ignores them.
	Snapshot func(*capture.Snapshot)

	// Summary is what the run came to, once Run has returned.
	Summary diagnosis.Summary

	kernel     capture.Kernel
	hasKernel  bool
	nextKernel capture.Time
	health     []diagnosis.ExportHealth
	empty      capture.Batch
}

// Run works until the queue is closed, and returns the findings that hold at the end.
func (d *Desk) Run() []diagnosis.Finding {
	var final []diagnosis.Finding
	for b := range d.Queue.Batches() {
		for _, o := range b.Observations {
			d.Tree.Observe(o)
		}
		var findings []diagnosis.Finding
		if b.HasSnapshot {
			if d.Snapshot != nil {
				d.Snapshot(&b.Snapshot)
			}
			in := d.input(&b.Snapshot)
			if b.Snapshot.Final {
				final = d.Tree.Final(b.Snapshot.Time, in)
				findings = diagnosis.Unsaid(final)
				d.Summary = diagnosis.Summarize(in, final)
			} else {
				findings = d.Tree.Tick(b.Snapshot.Time, in)
			}
			if d.Found != nil && len(findings) > 0 && !b.Snapshot.Final {
				d.Found(findings)
			}
		}
		for _, x := range d.Exporters {
			x.Export(b, findings)
		}
		d.Queue.Release(b)
	}
	return final
}

// input gathers the evidence for one walk of the tree.
func (d *Desk) input(s *capture.Snapshot) diagnosis.Input {
	in := diagnosis.Input{Snapshot: s, Capture: d.Facts}
	if d.Kernel != nil {
		if s.Time >= d.nextKernel || s.Final {
			d.nextKernel = s.Time.Add(d.KernelEvery)
			d.hasKernel = d.Kernel(&d.kernel) == nil
		}
		if d.hasKernel {
			in.Kernel = &d.kernel
		}
	}
	d.health = d.health[:0]
	for _, x := range d.Exporters {
		d.health = x.Health(d.health)
	}
	in.Exports = d.health
	return in
}

// Publish hands findings to every exporter outside of Run: before the capture
// began, or when it could not begin.
func (d *Desk) Publish(findings []diagnosis.Finding) {
	d.empty.Reset()
	for _, x := range d.Exporters {
		x.Export(&d.empty, findings)
	}
}

// Shutdown ends every exporter; ctx bounds the time for all of them.
func (d *Desk) Shutdown(ctx context.Context) error {
	errs := make(chan error, len(d.Exporters))
	for _, x := range d.Exporters {
		go func() { errs <- x.Shutdown(ctx) }()
	}
	var all []error
	for range d.Exporters {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// Health returns what every exporter says of itself.
func (d *Desk) Health() []diagnosis.ExportHealth {
	var h []diagnosis.ExportHealth
	for _, x := range d.Exporters {
		h = x.Health(h)
	}
	return h
}
