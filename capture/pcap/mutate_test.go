package pcap

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// Every file of the corpus with some of its bytes changed: reading ends with
// io.EOF or with damage at a place inside the file, and the same file gives the
// same packets and the same end twice.
func TestMutatedCorpus(t *testing.T) {
	dir, packets := index(t)
	damaged := 0
	for name := range packets {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(uint64(len(b)), 3))
		for range 1 + len(b)/2000 {
			b[4+rnd.IntN(len(b)-4)] = byte(rnd.Uint32())
		}
		once := func() (int, uint64, error) {
			s, err := OpenReader(bytes.NewReader(b), name)
			if err != nil {
				return 0, 0, err
			}
			return readAll(s)
		}
		n, sum, err := once()
		n2, sum2, err2 := once()
		if n2 != n || sum2 != sum || (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() {
			t.Errorf("%s: %d packets and %v, then %d and %v", name, n, err, n2, err2)
		}
		var d *DamageError
		switch {
		case err == nil:
		case errors.As(err, &d):
			damaged++
			if !d.Compressed && (d.Offset < 0 || d.Offset > int64(len(b))) {
				t.Errorf("%s: %v, and the file has %d bytes", name, err, len(b))
			}
		case !strings.Contains(err.Error(), "gzip"):
			t.Errorf("%s: %v", name, err)
		}
	}
	if damaged < 50 {
		t.Errorf("only %d files were damaged: the test has lost its subject", damaged)
	}
}

// The packets before the damage are those of the whole file.
func TestPacketsBeforeDamage(t *testing.T) {
	dir, packets := index(t)
	for name := range packets {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if len(b) < 2 || b[0] == 0x1f || len(b) > 1<<20 {
			continue
		}
		whole, err := OpenReader(bytes.NewReader(b), name)
		if err != nil {
			t.Fatal(err)
		}
		cut, err := OpenReader(bytes.NewReader(b[:24+(len(b)-24)*2/3]), name)
		if err != nil {
			continue // within the first block
		}
		for n := 1; ; n++ {
			var f, g capture.Frame
			if err := cut.Next(&g); err != nil {
				var d *DamageError
				if err != io.EOF && !errors.As(err, &d) {
					t.Errorf("%s: %v", name, err)
				}
				break
			}
			if err := whole.Next(&f); err != nil || !bytes.Equal(f.Data, g.Data) || f.Time != g.Time || f.WireLen != g.WireLen {
				t.Errorf("%s, packet %d differs in the cut file", name, n)
				break
			}
		}
	}
}
