package exporter

import (
	"sync"

	"github.com/wiretell/wiretell/capture"
)

// Queue carries batches from the spine to the desk. It is the only channel of
// the house, bounded, and gives used batches back for use again.
type Queue struct {
	ch   chan *capture.Batch
	free sync.Pool
}

// NewQueue returns a queue of at most n batches.
func NewQueue(n int) *Queue { return &Queue{ch: make(chan *capture.Batch, n)} }

// Empty returns an empty batch.
func (q *Queue) Empty() *capture.Batch {
	if b, ok := q.free.Get().(*capture.Batch); ok {
		return b
	}
	return new(capture.Batch)
}

// Offer hands b over unless the queue is full; it never waits.
func (q *Queue) Offer(b *capture.Batch) bool {
	select {
	case q.ch <- b:
		return true
	default:
		return false
	}
}

// Put hands b over and waits for room: for files, where nothing may be lost and
// nobody is held up.
func (q *Queue) Put(b *capture.Batch) bool {
	q.ch <- b
	return true
}

// PutUntil is Put that gives up, and returns false, when done is closed.
func (q *Queue) PutUntil(done <-chan struct{}, b *capture.Batch) bool {
	select {
	case q.ch <- b:
		return true
	case <-done:
		return false
	}
}

// Close says that no batch follows. Only the side that offers may call it.
func (q *Queue) Close() { close(q.ch) }

// Batches is what was handed over, in order.
func (q *Queue) Batches() <-chan *capture.Batch { return q.ch }

// Release gives b back after use.
func (q *Queue) Release(b *capture.Batch) {
	b.Reset()
	q.free.Put(b)
}
