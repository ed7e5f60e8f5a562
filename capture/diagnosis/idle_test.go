package diagnosis

import (
	"slices"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// TestBriefCapture: what did not come in less than half a second proves nothing;
// what did come is told.
func TestBriefCapture(t *testing.T) {
	for _, tt := range []struct {
		what  string
		cause func(*world)
		after capture.Time
		want  string
	}{
		{"nothing, at once", nothing, 0, "NONE-11"},
		{"nothing, in half a second", nothing, second / 2, "NONE-01"},
		{"nobody else is here", func(w *world) { w.listen() }, second / 1000, "NONE-11"},
		{"ARP alone", func(w *world) { w.frames(eth0, capture.FrameARP, 6) }, second/2 - 1, "NONE-11"},
		{"requests", func(w *world) { w.requests(8080, capture.RoleServer, 5) }, second / 4, "OK-00"},
	} {
		w := newWorld(t)
		w.tick(0)
		tt.cause(w)
		final := w.tree.Final(w.now+tt.after, w.input())
		if len(final) != 1 || final[0].ID != tt.want {
			t.Errorf("%s: at the end hold %v, want %s", tt.what, final, tt.want)
		}
	}
}

// TestIdleForgetsEachSilence: when a long silence is forgotten, the short ones
// since are not.
func TestIdleForgetsEachSilence(t *testing.T) {
	w := newWorld(t)
	w.run(5, (*world).healthy)
	w.run(24, nothing)
	const often = 60
	for range often {
		w.run(1, (*world).healthy)
		w.run(2, nothing)
	}
	if got := states(w.findings, "NONE-01"); slices.Contains(got[1:], "raised") {
		t.Errorf("one long silence, then %d short ones: %q", often, got)
	}
	w.run(4, nothing) // 6 with the last two: more than twice as many, two times
	if _, held := w.held("NONE-01"); !held {
		t.Error("the long silence is remembered for ever")
	}
}

// TestIdleDoesNotFlap: traffic that comes now and then is told to be idle when it
// first pauses, and not each time.
func TestIdleDoesNotFlap(t *testing.T) {
	for _, every := range []int{3, 5, 25} {
		w := newWorld(t)
		w.run(10*every, func(w *world) {
			if n := int((w.now - 1_700_000_000*second) / (30 * second)); n%every == 0 {
				w.healthy()
			}
		})
		raised := 0
		for _, s := range states(w.findings, "NONE-01") {
			if s == "raised" {
				raised++
			}
		}
		if raised != 1 {
			t.Errorf("a request in every window of %d: raised %d times, want once", every, raised)
		}
		// What is usual is forgotten in steady traffic: 20 windows after the one that
		// ends a silence the next is told soon.
		w.run(1+20, (*world).healthy)
		w.run(1, nothing)
		if _, held := w.held("NONE-01"); held {
			t.Errorf("every %d: raised after one window", every)
		}
		w.run(1, nothing)
		if _, held := w.held("NONE-01"); !held {
			t.Errorf("every %d: not raised after two windows without a packet", every)
		}
	}
}
