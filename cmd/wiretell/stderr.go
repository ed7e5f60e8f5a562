package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

// errorOutput is standard error. Any goroutine may write to it.
type errorOutput struct {
	w io.Writer
	// deadline is until when a detached one may hold up the end.
	deadline time.Time

	mu     sync.Mutex
	out    chan []byte // nil until it is detached; a nil slice is the last
	ended  chan struct{}
	untold int // lines left out since, as nobody took them
}

const (
	// waitingWrites is how many writes wait for a detached standard error at most.
	waitingWrites = 1024
	// lastWait is how long the end waits beyond the deadline: what is said when all
	// the time is spent takes its moment, too.
	lastWait = time.Second
)

// detach makes writing hold nobody up: a goroutine writes, and what that has no
// room for is left out, which is told as soon as it can be.
func (o *errorOutput) detach() {
	o.out, o.ended = make(chan []byte, waitingWrites), make(chan struct{})
	go func() {
		defer close(o.ended)
		for b := <-o.out; b != nil; b = <-o.out {
			_, _ = o.w.Write(b) // an error could be told nowhere
		}
	}()
}

func (o *errorOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.out == nil {
		return o.w.Write(b)
	}
	if note := o.note(); note != nil && o.put(note) {
		o.untold = 0
	}
	if o.untold > 0 || !o.put(bytes.Clone(b)) {
		o.untold += bytes.Count(b, []byte("\n"))
	}
	return len(b), nil
}

// put hands b over unless there is no room.
func (o *errorOutput) put(b []byte) bool {
	select {
	case o.out <- b:
		return true
	default:
		return false
	}
}

// note says how much was left out, nil when nothing was.
func (o *errorOutput) note() []byte {
	if o.untold == 0 {
		return nil
	}
	return fmt.Appendf(nil, "... and %d lines left out, as standard error took none\n", o.untold)
}

// close waits until all is written, of a detached one no longer than lastWait
// beyond the deadline; what comes then is left out.
func (o *errorOutput) close() {
	if o.out == nil {
		return
	}
	late := time.After(max(0, time.Until(o.deadline)) + lastWait)
	o.mu.Lock()
	defer o.mu.Unlock()
	last := [][]byte{nil}
	if note := o.note(); note != nil {
		last = [][]byte{note, nil}
	}
	for _, b := range last {
		select {
		case o.out <- b:
		case <-late:
			return
		}
	}
	select {
	case <-o.ended:
	case <-late:
	}
}
