package otel

import (
	"maps"
	"sync"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
)

// Why records were dropped.
const (
	dropQueueFull   = "queue_full"        // no room within the budget
	dropTooLarge    = "too_large"         // beyond what a receiver takes
	dropExhausted   = "retry_exhausted"   // tried until too old
	dropShutdown    = "shutdown_deadline" // the process had to end
	dropRateLimited = "rate_limited"      // events beyond the limit
	dropWriteFailed = "write_failed"      // the file could not be written
	dropRejected    = "rejected"          // by the receiver; counted apart
)

// books are the accounts of one signal on one way out:
//
//	created = exported + rejected + the sum of dropped + queued
//
// Beside them stands what was never created: sampled out, or not selected.
// They are kept by every step as it happens, so that they can be checked.
type books struct {
	mu sync.Mutex
	h  diagnosis.ExportHealth
}

func newBooks(exporter, signal, endpoint, protocol string) *books {
	return &books{h: diagnosis.ExportHealth{
		Exporter: exporter, Signal: signal, Endpoint: endpoint, Protocol: protocol,
		Dropped: make(map[string]uint64),
	}}
}

// create enters n records; they are queued until another method says otherwise.
func (b *books) create(n int) {
	b.mu.Lock()
	b.h.Created += uint64(n)
	b.h.Queued += uint64(n)
	b.mu.Unlock()
}

func (b *books) sampledOut(n int) {
	b.mu.Lock()
	b.h.SampledOut += uint64(n)
	b.mu.Unlock()
}

// notSelected enters n that were never created.
func (b *books) notSelected(n int) {
	b.mu.Lock()
	b.h.NotSelected += uint64(n)
	b.mu.Unlock()
}

func (b *books) drop(n int, why string) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	b.h.Queued -= uint64(n)
	b.h.Dropped[why] += uint64(n)
	b.mu.Unlock()
}

// deliver settles a batch of n records of which the receiver refused some.
func (b *books) deliver(n, rejected int) {
	rejected = min(max(rejected, 0), n)
	b.mu.Lock()
	b.h.Queued -= uint64(n)
	b.h.Exported += uint64(n - rejected)
	b.h.Rejected += uint64(rejected)
	b.h.Failing = false
	b.mu.Unlock()
}

// reject settles a batch that the receiver refused for good.
func (b *books) reject(n int) {
	b.mu.Lock()
	b.h.Queued -= uint64(n)
	b.h.Rejected += uint64(n)
	b.mu.Unlock()
}

// fail notes a failed attempt.
func (b *books) fail(at capture.Time, status, problem string) {
	b.mu.Lock()
	b.h.Failing, b.h.FailingAt = true, at
	b.h.LastStatus, b.h.LastError = status, problem
	b.mu.Unlock()
}

// warn notes what a receiver said of a batch that it took.
func (b *books) warn(problem string) {
	b.mu.Lock()
	b.h.LastError = problem
	b.mu.Unlock()
}

// tells notes what the receiver's clock said.
func (b *books) tells(skew time.Duration) {
	b.mu.Lock()
	b.h.ClockSkew = skew
	b.mu.Unlock()
}

// duplicate notes that n records are sent again though they may have arrived.
func (b *books) duplicate(n int) {
	b.mu.Lock()
	b.h.Duplicates += uint64(n)
	b.mu.Unlock()
}

func (b *books) health() diagnosis.ExportHealth {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.h
	h.Dropped = maps.Clone(b.h.Dropped)
	return h
}

// merge adds the figures of o, of the same signal on another lane, to h.
func merge(h, o diagnosis.ExportHealth) diagnosis.ExportHealth {
	h.Created += o.Created
	h.Exported += o.Exported
	h.SampledOut += o.SampledOut
	h.NotSelected += o.NotSelected
	h.Rejected += o.Rejected
	h.Queued += o.Queued
	h.Duplicates += o.Duplicates
	for why, n := range o.Dropped {
		h.Dropped[why] += n
	}
	if o.FailingAt > h.FailingAt {
		h.FailingAt, h.LastError, h.LastStatus = o.FailingAt, o.LastError, o.LastStatus
	}
	h.Failing = h.Failing || o.Failing
	if o.ClockSkew.Abs() > h.ClockSkew.Abs() {
		h.ClockSkew = o.ClockSkew
	}
	return h
}
