package otel

import (
	"cmp"
	"slices"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/semconv"
)

const (
	// suppressionWindow is how long suppressed events are gathered before one
	// record tells how many they were.
	suppressionWindow = 10 * time.Second
	// maxLimited bounds the kinds and peers told apart; those beyond share one.
	maxLimited = 4096
)

// rateLimit lets a bounded number of events through per second, event and
// peer, by packet time. The desk goroutine owns it.
type rateLimit struct {
	perSecond int
	windows   map[limitKey]*limitWindow
	sweepAt   capture.Time
}

type limitKey struct {
	event *semconv.Event
	peer  [16]byte
}

type limitWindow struct {
	second     capture.Time // start of the current second
	passed     int
	suppressed uint64
	since      capture.Time // of the first suppressed one
}

// suppression is what one record tells.
type suppression struct {
	event  *semconv.Event
	peer   [16]byte
	count  uint64
	at     capture.Time
	window time.Duration
}

func newRateLimit(perSecond int) *rateLimit {
	return &rateLimit{perSecond: perSecond, windows: make(map[limitKey]*limitWindow)}
}

// allow reports whether an event at the given time may pass.
func (l *rateLimit) allow(event *semconv.Event, peer capture.Endpoint, at capture.Time) bool {
	k := limitKey{event, peer.Addr}
	w := l.windows[k]
	if w == nil {
		if len(l.windows) >= maxLimited {
			k.peer = [16]byte{}
			w = l.windows[k]
		}
		if w == nil {
			w = &limitWindow{second: at}
			l.windows[k] = w
		}
	}
	// A clock that steps back begins a new second, too.
	if d := at.Sub(w.second); d >= time.Second || d < 0 {
		w.second, w.passed = at, 0
	}
	if w.passed < l.perSecond {
		w.passed++
		return true
	}
	if w.suppressed == 0 {
		w.since = at
	}
	w.suppressed++
	return false
}

// sweep returns what was suppressed in windows that are over, all of them when
// final is set, in a stable order.
func (l *rateLimit) sweep(now capture.Time, final bool) []suppression {
	if !final && now < l.sweepAt {
		return nil
	}
	l.sweepAt = now.Add(suppressionWindow / 10)
	var out []suppression
	for k, w := range l.windows {
		age := now.Sub(w.since)
		switch {
		case w.suppressed > 0 && (final || age >= suppressionWindow):
			out = append(out, suppression{k.event, k.peer, w.suppressed, now, max(age, 0)})
			w.suppressed = 0
		case w.suppressed == 0 && now.Sub(w.second) >= suppressionWindow:
			delete(l.windows, k)
		}
	}
	slices.SortFunc(out, func(a, b suppression) int {
		return cmp.Or(cmp.Compare(a.event.Name, b.event.Name), slices.Compare(a.peer[:], b.peer[:]))
	})
	return out
}
