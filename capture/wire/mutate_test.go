package wire_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/wire"
)

// The whole corpus with 2 % of its bytes changed, four times: nothing panics,
// every frame has an account, and decoding does not change the frame.
func TestMutatedCorpus(t *testing.T) {
	d := wire.Decoder{VerifyChecksums: true}
	var p capture.Packet
	seen := make(map[capture.Entry]int)
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		for _, path := range captures(t) {
			frames(t, path, func(n int, f *capture.Frame) {
				g := *f
				g.Data = bytes.Clone(f.Data)
				for range 1 + len(g.Data)/50 {
					if len(g.Data) > 0 {
						// Headers are where it matters.
						g.Data[rnd.IntN(min(len(g.Data), 100))] = byte(rnd.Uint32())
					}
				}
				before := bytes.Clone(g.Data)
				e := d.Decode(&g, &p)
				check(t, &g, &p, e)
				seen[e]++
				if !bytes.Equal(before, g.Data) {
					t.Fatalf("%s, packet %d: decoding changed the frame", path, n)
				}
			})
		}
	}
	for _, e := range accounts {
		if seen[e] == 0 && e != capture.FrameUnsupportedLink {
			t.Errorf("no mutated frame is %v", e)
		}
	}
}
