//go:build race

package observer_test

// keepEvery is of how many captures one is taken. The detector makes these tests
// ten times as long, and one goroutine has no race in any capture that it has
// not in the others.
const keepEvery = 8
