//go:build !race

package observer_test

const keepEvery = 1
