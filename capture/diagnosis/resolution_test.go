package diagnosis

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// TestResolutions counts what came to nothing at the end of a run.
func TestResolutions(t *testing.T) {
	type step struct {
		after  capture.Time
		client string
		name   string
		rcode  capture.RCode
	}
	const a, b = "10.0.0.8", "10.0.0.9"
	var restless []step // both candidates, twice a second
	for i := range capture.Time(20) {
		restless = append(restless, step{i * second / 2, a, "x.y.z", 3}, step{i*second/2 + 1, a, "x.y", 3})
	}
	for _, c := range []struct {
		name  string
		steps []step
		want  int64
	}{
		{"A and AAAA of one name", []step{{0, a, "x.y", 3}, {1, a, "x.y", 3}}, 1},
		{"the last candidate answers", []step{{0, a, "x.y.z", 3}, {second, a, "x.y", 0}}, 0},
		{"an answer too late", []step{{0, a, "x.y", 2}, {7 * second, a, "x.y", 0}}, 1},
		{"an answer just in time", []step{{0, a, "x.y", 2}, {6 * second, a, "x.y", 0}}, 0},
		{"a failure after an answer", []step{{0, a, "x.y", 0}, {second, a, "x.y", noAnswer}}, 1},
		{"again and again", []step{{0, a, "x.y", 3}, {10 * second, a, "x.y", 3}, {20 * second, a, "x.y", 3}}, 3},
		{"without a pause: those after 6 s are known to be in vain", restless, 8},
		{"without a pause, until one succeeds", append(slices.Clone(restless), step{10 * second, a, "x.y", 0}, step{11 * second, a, "x.y.z", 3}, step{11*second + 1, a, "x.y", 0}), 8},
		{"another client's answer", []step{{0, a, "x.y", 3}, {1, b, "x.y", 0}}, 1},
		{"another name's answer", []step{{0, a, "x.y", 3}, {1, a, "xx.y", 0}}, 1},
		{"a clock that steps back", []step{{10 * second, a, "x.y", 3}, {0, a, "x.y", 3}}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.file("x.pcap") // in which one is enough
			w.tick(0)
			w.healthy()
			for _, s := range c.steps {
				w.lookup(s.after, s.client, s.name, s.rcode)
			}
			w.now = w.now.Add(time.Minute)
			var got int64
			for _, f := range w.tree.Final(w.now, w.input()) {
				for _, e := range f.Evidence {
					if f.ID == "NET-DNS-01" && e.Key == "failed" {
						got = e.Value.(int64)
					}
				}
			}
			if got != c.want {
				t.Errorf("%d failed, want %d", got, c.want)
			}
		})
	}
}

// TestResolutionsAreBounded: a flood of names takes no more room, and is said.
func TestResolutionsAreBounded(t *testing.T) {
	w := newWorld(t)
	w.tick(0)
	for i := range maxResolutions + 7 {
		w.lookup(0, "10.0.0.9", fmt.Sprintf("n%d.example", i), capture.RCodeNXDomain)
	}
	if n := len(w.tree.seen.names.order); n != maxResolutions || len(w.tree.seen.names.byKey) != n {
		t.Errorf("%d names are remembered", n)
	}
	if w.tree.seen.beyond != 7 {
		t.Errorf("%d beyond, want 7", w.tree.seen.beyond)
	}
	w.run(w.tree.cfg.Quiet+2, (*world).healthy)
	if n := len(w.tree.seen.names.order); n != 0 || len(w.tree.seen.names.byKey) != 0 {
		t.Errorf("%d names are not forgotten", n)
	}
}
