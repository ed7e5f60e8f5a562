package otel

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// item is one encoded batch.
type item struct {
	data    []byte
	records int
	made    time.Time
}

// lane is a queue of encoded batches with senders of its own, so that a flood
// of one signal cannot push another out. It is bounded in bytes, including what
// is being sent.
type lane struct {
	books    *books
	sender   sender
	limit    int
	maxAge   time.Duration
	timeout  time.Duration
	backoff  backoff
	keepLast bool // when full, the oldest goes: cumulative metrics
	wait     bool // when full, put waits

	mu       sync.Mutex
	waiting  []item
	bytes    int // of waiting batches and of those being sent
	draining bool
	wake     chan struct{} // closed and made anew when something changes

	done chan struct{} // closed when run has ended
}

// backoff is how long to wait between attempts: exponential with jitter.
type backoff struct{ first, most time.Duration }

// delay returns the wait before attempt n, counted from 1: between half and all
// of the exponential step, so that many senders do not come back at once.
func (b backoff) delay(n int) time.Duration {
	d := b.first
	for ; n > 1 && d < b.most; n-- {
		d *= 2
	}
	d = min(d, b.most)
	return d/2 + rand.N(d/2+1)
}

func newLane(b *books, s sender, limit int, cfg *Config, timeout time.Duration) *lane {
	return &lane{
		books: b, sender: s, limit: limit, maxAge: cfg.MaxAge, timeout: timeout,
		backoff: cfg.backoff, wait: cfg.Wait,
		wake: make(chan struct{}), done: make(chan struct{}),
	}
}

// put queues a batch whose records are in the books already. It blocks only when
// the configuration says that it may, and not for longer than a batch is tried.
func (l *lane) put(data []byte, records int) {
	if len(data) > maxMessageBytes {
		l.books.drop(records, dropTooLarge)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.keepLast && l.bytes+len(data) > l.limit && len(l.waiting) > 0 {
		l.books.drop(l.waiting[0].records, dropQueueFull)
		l.bytes -= len(l.waiting[0].data)
		l.waiting = l.waiting[1:]
	}
	for l.wait && l.bytes > 0 && l.bytes+len(data) > l.limit {
		wake := l.wake
		l.mu.Unlock()
		<-wake
		l.mu.Lock()
	}
	if l.bytes+len(data) > l.limit {
		l.books.drop(records, dropQueueFull)
		return
	}
	l.bytes += len(data)
	l.waiting = append(l.waiting, item{data, records, time.Now()})
	l.signal()
}

// signal wakes everybody who waits; l.mu is held.
func (l *lane) signal() {
	close(l.wake)
	l.wake = make(chan struct{})
}

// stopWaiting makes put drop from now on what finds no room.
func (l *lane) stopWaiting() {
	l.mu.Lock()
	l.wait = false
	l.signal()
	l.mu.Unlock()
}

// queued returns how many encoded bytes wait or are being sent.
func (l *lane) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// drain tells the senders that nothing more comes: they end when the lane is empty.
func (l *lane) drain() {
	l.mu.Lock()
	l.draining = true
	l.signal()
	l.mu.Unlock()
}

// run sends batches until the lane is drained and empty, or ctx ends.
func (l *lane) run(ctx context.Context) {
	for {
		l.mu.Lock()
		if len(l.waiting) == 0 {
			done, wake := l.draining, l.wake
			l.mu.Unlock()
			if done {
				return
			}
			select {
			case <-wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		it := l.waiting[0]
		l.waiting[0] = item{}
		l.waiting = l.waiting[1:]
		l.mu.Unlock()

		l.deliver(ctx, &it)

		l.mu.Lock()
		l.bytes -= len(it.data)
		l.signal()
		l.mu.Unlock()
	}
}

// discard drops everything that still waits; the senders have ended.
func (l *lane) discard() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, it := range l.waiting {
		l.books.drop(it.records, dropShutdown)
		l.bytes -= len(it.data)
	}
	l.waiting = nil
}

// deliver tries it until it is settled.
func (l *lane) deliver(ctx context.Context, it *item) {
	ambiguous := false
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil {
			l.books.drop(it.records, dropShutdown)
			return
		}
		if ambiguous {
			l.books.duplicate(it.records)
		}
		try, cancel := context.WithTimeout(ctx, l.timeout)
		r := l.sender.send(try, it.data)
		cancel()
		if r.skew != 0 || r.verdict == delivered {
			l.books.tells(r.skew)
		}
		switch r.verdict {
		case delivered:
			l.books.deliver(it.records, r.rejected)
			if r.problem != "" {
				l.books.warn(r.problem)
			}
			return
		case refused:
			l.books.fail(capture.TimeOf(time.Now()), r.status, r.problem)
			l.books.reject(it.records)
			return
		}
		// An attempt that our own shutdown cut short is no failure of the receiver.
		if ctx.Err() == nil {
			l.books.fail(capture.TimeOf(time.Now()), r.status, r.problem)
		}
		ambiguous = r.mayHaveArrived
		wait := max(l.backoff.delay(attempt), jittered(r.after))
		if time.Since(it.made)+wait > l.maxAge {
			l.books.drop(it.records, dropExhausted)
			return
		}
		l.pause(ctx, wait)
	}
}

// jittered adds up to a tenth to what the receiver asked for, never less.
func jittered(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d + rand.N(d/10+1)
}

// pause waits for d, or until ctx ends, or until draining begins: then the
// remaining time is worth one more attempt at once.
func (l *lane) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		l.mu.Lock()
		before, wake := l.draining, l.wake
		l.mu.Unlock()
		select {
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		case <-wake:
		}
		l.mu.Lock()
		now := l.draining
		l.mu.Unlock()
		if now && !before {
			return
		}
	}
}
