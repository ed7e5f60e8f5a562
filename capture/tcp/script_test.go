package tcp

import (
	"slices"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// repeat returns n times the same segment.
func repeat(n int, s seg) []seg { return slices.Repeat([]seg{s}, n) }

// moved returns the script with all numbers moved on by n.
func moved(n uint32, script []seg) []seg {
	script = slices.Clone(script)
	for i := range script {
		script[i].seq += n
		script[i].ack += n
	}
	return script
}

// fromPort returns the script with the client's port moved on by n.
func fromPort(n int, script []seg) []seg {
	script = slices.Clone(script)
	for i := range script {
		opt := script[i].opt
		script[i].opt = func(p *capture.Packet) {
			if opt != nil {
				opt(p)
			}
			if p.Flow.Dst.Port == serverAddr.Port() {
				p.Flow.Src.Port += uint16(n)
			} else {
				p.Flow.Dst.Port += uint16(n)
			}
		}
	}
	return script
}

func TestScripts(t *testing.T) {
	for _, tt := range scripts {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.cfg)
			r.play(tt.script)
			r.tick(tt.wait)
			if tt.flush {
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
