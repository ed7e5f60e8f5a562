package otel

import (
	"testing"
	"testing/synctest"
	"time"
)

// Where nothing goes nobody is woken: an idle wiretell without a Collector would
// be, each second.
func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if (ways{}).every(time.Second) != nil {
			t.Error("nothing is to be sent, and yet there is a tick for it")
		}
		at := time.Now()
		due := ways{&way{}}.every(time.Second)
		for n := range 3 {
			<-due
			if got, want := time.Since(at), time.Duration(n+1)*time.Second; got != want {
				t.Errorf("tick %d came after %v, want %v", n+1, got, want)
			}
		}
	})
}
