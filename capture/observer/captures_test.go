package observer_test

import (
	"path/filepath"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/observer"
	"github.com/wiretell/wiretell/capture/pcap"
)

// result is what observing a capture gave.
type result struct {
	exchanges []*capture.Exchange
	ledger    capture.Ledger
	counters  *capture.Counters
	batch     *capture.Batch
	panics    []string
	err       error
}

// observe runs the spine over src into one batch.
func observe(src capture.Source, change func(*observer.Config)) result {
	var r result
	r.batch = new(capture.Batch)
	cfg := observer.Config{
		Empty:    func() *capture.Batch { return r.batch },
		Offer:    func(*capture.Batch) bool { return true },
		Panicked: func(where string) { r.panics = append(r.panics, where) },
	}
	if change != nil {
		change(&cfg)
	}
	o := observer.New(cfg, src)
	r.err = o.Run()
	r.counters = o.Counters()
	r.ledger = r.counters.Ledger
	for _, obs := range r.batch.Observations {
		if e, ok := obs.(*capture.Exchange); ok {
			r.exchanges = append(r.exchanges, e)
		}
	}
	return r
}

// check fails t when the books of r do not balance or a parser failed.
func (r *result) check(t *testing.T) {
	t.Helper()
	for _, i := range r.ledger.Check() {
		t.Error(i.Error())
	}
	for _, e := range []capture.Entry{
		capture.FragmentsLive, capture.SegmentsLive, capture.BytesLive, capture.DeliveredLive,
		capture.ConnsLive, capture.RequestsLive, capture.ResponsesLive, capture.LookupsLive,
	} {
		if r.ledger[e] != 0 {
			t.Errorf("at the end account %s (%d) holds %d", e, e, r.ledger[e])
		}
	}
	for _, p := range r.panics {
		t.Errorf("a parser failed in %s", p)
	}
}

func open(t *testing.T, path string) capture.Source {
	t.Helper()
	src, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

// TestEveryCaptureBalances runs the spine over every capture: no panic, every
// account settled, the same twice.
func TestEveryCaptureBalances(t *testing.T) {
	dir := capturetest.Shared(t)
	for _, name := range capturetest.Captures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := observe(open(t, filepath.Join(dir, name)), nil)
			r.check(t)
			again := observe(open(t, filepath.Join(dir, name)), nil)
			if again.ledger != r.ledger || len(again.batch.Observations) != len(r.batch.Observations) {
				t.Error("a second run came to other results")
			}
			none := observe(open(t, filepath.Join(dir, name)), func(c *observer.Config) { c.Empty, c.Offer = nil, nil })
			// Without anybody listening the same is counted.
			want := r.ledger
			want[capture.ObservationsMade], want[capture.ObservationsHandedOver] = 0, 0
			if none.ledger != want {
				t.Error("without anybody listening the ledger differs")
			}
		})
	}
}
