package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// gate is a writer that takes nothing until it is opened.
type gate struct {
	open chan struct{}
	bytes.Buffer
}

func (g *gate) Write(b []byte) (int, error) {
	<-g.open
	return g.Buffer.Write(b)
}

// TestErrorOutputHoldsNobodyUp: while standard error takes nothing, who writes to
// a detached one goes on, and what was left out is told once there is room.
func TestErrorOutputHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &gate{open: make(chan struct{})}
		o := &errorOutput{w: w, deadline: time.Now().Add(time.Hour)}
		o.detach()
		const lines = 3 * waitingWrites
		for i := range lines {
			fmt.Fprintf(o, "line %d\n", i)
			if i == 0 {
				synctest.Wait() // it is taken, and being written
			}
		}
		close(w.open)
		synctest.Wait() // what waits is written
		io.WriteString(o, "after\n")
		o.close()
		io.WriteString(o, "too late\n")
		told := strings.Split(strings.TrimSuffix(w.String(), "\n"), "\n")
		n := len(told) - 2
		if n < waitingWrites || told[n-1] != fmt.Sprintf("line %d", n-1) || told[n+1] != "after" ||
			told[n] != fmt.Sprintf("... and %d lines left out, as standard error took none", lines-n) {
			t.Errorf("of %d lines %d are told, then: %q", lines, n, told[n:])
		}
	})
}

// TestErrorOutputEnds: the end waits for who reads slowly, past the deadline for
// lastWait only, and says what was left out.
func TestErrorOutputEnds(t *testing.T) {
	for name, tt := range map[string]struct{ left, opens, want time.Duration }{
		"at once":          {time.Minute, 0, 0},
		"in time":          {time.Minute, 59 * time.Second, 59 * time.Second},
		"never":            {time.Minute, -1, time.Minute + lastWait},
		"the time is over": {-time.Hour, lastWait / 2, lastWait / 2},
		"never, over":      {-time.Hour, -1, lastWait},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &gate{open: make(chan struct{})}
				o := &errorOutput{w: w, deadline: time.Now().Add(tt.left)}
				o.detach()
				for range waitingWrites + 10 {
					io.WriteString(o, "line\n")
				}
				if tt.opens >= 0 {
					time.AfterFunc(tt.opens, func() { close(w.open) })
				}
				began := time.Now()
				o.close()
				if took := time.Since(began); took != tt.want {
					t.Errorf("the end took %v, want %v", took, tt.want)
				}
				if tt.opens < 0 {
					close(w.open)
					o.out <- nil // the queue was full to the end
				} else if !strings.HasSuffix(w.String(), "lines left out, as standard error took none\n") {
					t.Errorf("what was left out is not told: %q", w.String()[w.Len()-100:])
				}
			})
		})
	}
}
