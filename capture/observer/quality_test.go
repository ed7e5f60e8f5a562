package observer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
)

// TestQualityAgreesWithTshark compares what happened to segments with what
// tshark's analysis says, as testdata/tshark-tcp.tsv has it: captures with
// losses of their own and some that were reordered and doubled on purpose. Where
// the two differ, testdata/tshark-tcp-differences.txt says why.
func TestQualityAgreesWithTshark(t *testing.T) {
	list := openDifferences(t, "testdata/tshark-tcp-differences.txt",
		"Where wiretell's account of segments differs from tshark's analysis, and why.",
		"\"-\" is tshark's figure, \"+\" wiretell's.")
	dir := capturetest.Shared(t)
	text, err := os.ReadFile("testdata/tshark-tcp.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 7 {
			t.Fatalf("not seven columns: %q", line)
		}
		r := observe(open(t, filepath.Join(dir, f[0])), nil)
		got := segmentFigures(&r.counters.TCP)
		var diff []string
		for i, what := range []string{"sent again", "spurious", "out of order", "duplicate ACKs", "zero windows", "full windows"} {
			if n := fmt.Sprint(got[i]); n != f[i+1] {
				diff = append(diff, fmt.Sprintf("- %s %s", what, f[i+1]), fmt.Sprintf("+ %s %s", what, n))
			}
		}
		list.found(f[0], diff)
	}
	list.close()
}

// segmentFigures adds up the figures of all directions, in the order of the file.
func segmentFigures(c *capture.TCPCounters) (n [6]uint64) {
	for d := range capture.NumDirections {
		for _, k := range c.Retransmits[d] {
			n[0] += k
		}
		n[1] += c.Retransmits[d][capture.RetransmitSpurious]
		n[2] += c.OutOfOrder[d]
		n[3] += c.DuplicateAcks[d]
		n[4] += c.ZeroWindow[d]
		n[5] += c.WindowFull[d]
	}
	return n
}
