package observer_test

import (
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
)

// TestPreludeIsAccountedFor checks which bytes in front of a protocol are booked
// as a proxy's, however they are cut: none of what only looked like it.
func TestPreludeIsAccountedFor(t *testing.T) {
	for name, want := range map[string]uint64{
		"proxy_protocol":  40,
		"socks4a":         17 + 8,
		"socks5":          4 + 12 + 11 + 2 + 2 + 10,
		"socks_lookalike": 0,
	} {
		s, err := capturetest.ReadScript("testdata/scripts/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{1, 2, 3, 5, 7, 11, 1000} {
			r := observe(capturetest.NewSource(capturetest.Cut(s.Segments, size)), nil)
			r.check(t)
			if got := r.ledger[capture.DeliveredProxyHeader]; got != want {
				t.Errorf("%s, cut into %d bytes: %d bytes of prelude, want %d", name, size, got, want)
			}
		}
	}
}
