package diagnosis

import "github.com/wiretell/wiretell/capture"

type exportKey struct{ exporter, signal, endpoint string }

// exportBook remembers the exporters' figures at the beginning of the window.
type exportBook struct {
	base  map[exportKey]exportCounts
	since map[exportKey]capture.Time // when failing began
}

type exportCounts struct {
	created, exported, rejected, dropped, folded, sampledOut, notSelected uint64
}

// exportView is one exporter and signal as the checks see it.
type exportView struct {
	ExportHealth
	exportCounts         // over the span
	failing      float64 // seconds, 0 when it does not
}

// spans returns how many spans were made in the span of time.
func (e *exportView) spans() uint64 {
	if e.Signal != "traces" {
		return 0
	}
	return e.created
}

func keyOf(h *ExportHealth) exportKey { return exportKey{h.Exporter, h.Signal, h.Endpoint} }

func countsOf(h *ExportHealth) exportCounts {
	c := exportCounts{created: h.Created, exported: h.Exported, rejected: h.Rejected, folded: h.Overflow, sampledOut: h.SampledOut, notSelected: h.NotSelected}
	for _, n := range h.Dropped {
		c.dropped += n
	}
	return c
}

func (b *exportBook) view(now capture.Time, health []ExportHealth, final bool) []exportView {
	views := make([]exportView, 0, len(health))
	for i := range health {
		h := &health[i]
		k := keyOf(h)
		v := exportView{ExportHealth: *h}
		was := exportCounts{}
		if !final {
			was = b.base[k]
		}
		c := countsOf(h)
		v.exportCounts = exportCounts{
			less(c.created, was.created), less(c.exported, was.exported), less(c.rejected, was.rejected), less(c.dropped, was.dropped),
			less(c.folded, was.folded), less(c.sampledOut, was.sampledOut), less(c.notSelected, was.notSelected),
		}
		if !h.Failing {
			delete(b.since, k)
		} else {
			since, ok := b.since[k]
			if !ok {
				since = now
				// The exporter may know better when it began.
				if h.FailingAt > 0 && h.FailingAt < now {
					since = h.FailingAt
				}
				b.since[k] = since
			}
			v.failing = now.Sub(since).Seconds()
		}
		views = append(views, v)
	}
	return views
}

func (b *exportBook) endWindow(health []ExportHealth) {
	if b.base == nil {
		b.base = make(map[exportKey]exportCounts, len(health))
	}
	for i := range health {
		b.base[keyOf(&health[i])] = countsOf(&health[i])
	}
}
