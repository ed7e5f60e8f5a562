package tcp

import (
	"slices"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// TestScripts plays segments and compares what the Handler was told, what was
// observed, and chosen accounts of the ledger.
func TestScripts(t *testing.T) {
	type counts map[capture.Entry]uint64
	tests := []struct {
		name     string
		cfg      Config
		script   []seg
		wait     time.Duration // before the end
		noFlush  bool
		calls    []string
		observed []string
		ledger   counts
	}{
		{
			name: "request, response, close",
			script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"},
				seg{from: cl, flags: "FA", seq: 4, ack: 3}, seg{from: sv, flags: "FA", seq: 3, ack: 5}, seg{from: cl, flags: "A", seq: 5, ack: 4}),
			noFlush:  true,
			calls:    []string{`client 0 "get"`, `server 0 "ok"`, "client end fin", "server end fin"},
			observed: []string{"opened 2ms", "closed fin 3/2"},
			ledger:   counts{capture.ConnsOpened: 1, capture.ConnsFIN: 1, capture.SegmentInOrder: 2, capture.SegmentControl: 6},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.cfg)
			r.play(tt.script)
			r.tick(tt.wait)
			if !tt.noFlush {
				r.flush()
			}
			if !slices.Equal(r.calls, tt.calls) {
				t.Errorf("calls:\n%q\nwant\n%q", r.calls, tt.calls)
			}
			if got := r.observed(); !slices.Equal(got, tt.observed) {
				t.Errorf("observed:\n%q\nwant\n%q", got, tt.observed)
			}
			for e, want := range tt.ledger {
				if got := r.book.Ledger[e]; got != want {
					t.Errorf("account %v (%d) is %d, want %d", e, e, got, want)
				}
			}
			r.flush()
		})
	}
}
