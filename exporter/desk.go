package exporter

import (
	"context"
	"errors"
	"sync/atomic"
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
	// Twins pairs exchanges that are seen on both sides of a mesh's proxy; nil
	// leaves them alone.
	Twins *Twins
	// Found is told of findings whose state changed; nil ignores them.
	Found func([]diagnosis.Finding)

	// Watched says that somebody asks for [Desk.Status].
	Watched bool
	// Inspected is called with the counters at the next snapshot after
	// [Desk.Inspect]; it keeps nothing of them. nil ignores it.
	Inspected func(*capture.Snapshot)

	// Report is what the run came to, once Run has returned.
	Report diagnosis.Report

	kernel     capture.Kernel
	hasKernel  bool
	nextKernel capture.Time
	fresh      bool // the kernel was read with the snapshot at hand
	coverage   atomic.Pointer[float64]
	status     atomic.Pointer[Status]
	inspect    atomic.Bool
	mute       atomic.Pointer[error] // see Mute
	health     []diagnosis.ExportHealth
}

// Look notes what the kernel says before the capture is opened.
func (d *Desk) Look() {
	if k := new(capture.Kernel); d.Kernel(k) == nil {
		d.Facts.Before = k
	}
}

// Run works until the queue is closed, and returns the findings that hold at the end.
func (d *Desk) Run() []diagnosis.Finding {
	var final []diagnosis.Finding
	for b := range d.Queue.Batches() {
		if d.Twins != nil {
			d.Twins.Pair(b)
			b.Snapshot.Twins = d.Twins.Count
		}
		for _, o := range b.Observations {
			d.Tree.Observe(o)
		}
		var findings []diagnosis.Finding
		if b.HasSnapshot {
			in := d.input(&b.Snapshot)
			if b.Snapshot.Final {
				final = d.Tree.Final(b.Snapshot.Time, in)
				findings = diagnosis.Unsaid(final)
				d.Report = diagnosis.NewReport(b.Snapshot.Time, in, final)
				d.publish(d.Report)
			} else {
				findings = d.Tree.Tick(b.Snapshot.Time, in)
				if d.Watched {
					d.publish(diagnosis.NewReport(b.Snapshot.Time, in, d.Tree.Holding(b.Snapshot.Time)))
				}
			}
			if d.Inspected != nil && d.inspect.Swap(false) {
				d.Inspected(&b.Snapshot)
			}
			// Counters of different times would tell of a gap that there is not.
			if share, ok := d.Tree.Coverage(in); ok && d.fresh {
				d.coverage.Store(&share)
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
	// Of a run whose last batch was not taken.
	if d.Twins != nil && d.Twins.Waiting() > 0 {
		var b capture.Batch
		d.Twins.Rest(&b)
		for _, x := range d.Exporters {
			x.Export(&b, nil)
		}
	}
	return final
}

// Mute notes why the local endpoint answers no more. It may be called at any time,
// by any goroutine.
func (d *Desk) Mute(why error) { d.mute.Store(&why) }

// input gathers the evidence for one walk of the tree.
func (d *Desk) input(s *capture.Snapshot) diagnosis.Input {
	in := diagnosis.Input{Snapshot: s, Capture: d.Facts}
	if why := d.mute.Load(); why != nil {
		in.Capture.EndpointErr = *why
	}
	d.fresh = false
	if d.Kernel != nil {
		if s.Time >= d.nextKernel || s.Final {
			d.nextKernel = s.Time.Add(d.KernelEvery)
			d.kernel.Time = s.Time
			d.hasKernel = d.Kernel(&d.kernel) == nil
			d.fresh = d.hasKernel
			if d.fresh && d.Twins != nil {
				d.Twins.Know(&d.kernel)
			}
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

// Status is what the desk knew when it last looked.
type Status struct {
	diagnosis.Report
	// Looked is when that was, by the clock of this machine.
	Looked time.Time
	// Err is why nothing is captured; nil when it is.
	Err error
}

func (d *Desk) publish(r diagnosis.Report) {
	if d.Watched {
		d.status.Store(&Status{Report: r, Looked: time.Now(), Err: d.Facts.Err})
	}
}

// Status returns the latest status, nil before the first; it is not to be
// changed. Any goroutine may call it. Watched must be set.
func (d *Desk) Status() *Status { return d.status.Load() }

// Inspect asks for a call of Inspected. Any goroutine may call it.
func (d *Desk) Inspect() { d.inspect.Store(true) }

// Coverage returns the share of what the kernel says arrived that was captured,
// as of the last reading of the kernel; ok is false while that cannot be told.
// Any goroutine may call it.
func (d *Desk) Coverage() (share float64, ok bool) {
	if c := d.coverage.Load(); c != nil {
		return *c, true
	}
	return 0, false
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
