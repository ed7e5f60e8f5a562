package http1

import (
	"bytes"
	"testing"
)

// TestHasControl: each octet at each place among eight at a time and behind them,
// beside those whose neighbours its arithmetic could take for another.
func TestHasControl(t *testing.T) {
	for _, fill := range []byte{'a', ' ', '\t', '~', 0x80, 0xff} {
		for n := 1; n <= 19; n++ {
			for at := range n {
				for c := range 256 {
					b := bytes.Repeat([]byte{fill}, n)
					b[at] = byte(c)
					// RFC 5234, appendix B.1: CTL = %x00-1F / %x7F
					want := (c <= 0x1f || c == 0x7f) && c != '\t'
					if got := hasControl(b); got != want {
						t.Fatalf("%q: %v, want %v", b, got, want)
					}
				}
			}
		}
	}
	if hasControl(nil) {
		t.Error("nothing holds a control character")
	}
}
