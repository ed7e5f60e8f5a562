//go:build race

package observer_test

// The detector makes these tests ten times as long, and one goroutine has no
// race in any capture that it has not in the others.
func init() { keepEvery = 8 }
