package observer_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/observer"
)

// TestResetHits: a reset hits the exchange in flight: one that waits, or the last
// one while its response is not acknowledged.
func TestResetHits(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	const begin = `0.0000 10.0.0.1:40000 > 10.0.0.2:80 S seq=100
0.0005 10.0.0.2:80 > 10.0.0.1:40000 SA seq=300 ack=101
0.0010 10.0.0.1:40000 > 10.0.0.2:80 A seq=101 ack=301
0.0020 10.0.0.1:40000 > 10.0.0.2:80 PA seq=101 ack=301 "GET /a HTTP/1.1\r\nHost: a\r\ntraceparent: ` + parent + `\r\n\r\n"
0.0030 10.0.0.2:80 > 10.0.0.1:40000 A seq=301 ack=198
0.0040 10.0.0.2:80 > 10.0.0.1:40000 PA seq=301 ack=198 "HTTP/1.1 204 No Content\r\n\r\n"
`
	for _, tt := range []struct {
		name, rest string
		want       int // which exchange, from 1
	}{
		{"the response is not acknowledged", "0.0050 10.0.0.1:40000 > 10.0.0.2:80 R seq=198\n", 1},
		{"it is not wholly acknowledged", "0.0050 10.0.0.1:40000 > 10.0.0.2:80 A seq=198 ack=320\n0.0060 10.0.0.1:40000 > 10.0.0.2:80 R seq=198\n", 1},
		{"nor is the FIN behind it", "0.0050 10.0.0.2:80 > 10.0.0.1:40000 FA seq=328 ack=198\n0.0060 10.0.0.1:40000 > 10.0.0.2:80 R seq=198\n", 1},
		{"it is acknowledged", "0.0050 10.0.0.1:40000 > 10.0.0.2:80 A seq=198 ack=328\n0.0060 10.0.0.1:40000 > 10.0.0.2:80 R seq=198\n", 0},
		{"it was for long enough", "5.0000 10.0.0.1:40000 > 10.0.0.2:80 R seq=198\n", 0},
		{"the next request waits", "0.0050 10.0.0.1:40000 > 10.0.0.2:80 PA seq=198 ack=301 \"GET /b HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n\"\n0.0060 10.0.0.2:80 > 10.0.0.1:40000 R seq=328 ack=198\n", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "script.txt")
			if err := os.WriteFile(file, []byte(begin+tt.rest+"---\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := capturetest.ReadScript(file)
			if err != nil {
				t.Fatal(err)
			}
			r := observe(capturetest.NewSource(s.Segments), nil)
			r.check(t)
			resets := of[*capture.ConnReset](r)
			if len(resets) != 1 || len(r.exchanges) < tt.want {
				t.Fatalf("%d resets, %d exchanges", len(resets), len(r.exchanges))
			}
			want, wantParent := uint64(0), ""
			if tt.want > 0 {
				want, wantParent = r.exchanges[tt.want-1].Number, string(r.exchanges[tt.want-1].TraceParent)
			}
			if got := resets[0].Hit; got.Number != want || string(got.TraceParent) != wantParent {
				t.Errorf("it hits exchange %d (%q), want %d (%q)", got.Number, got.TraceParent, want, wantParent)
			}
		})
	}
}

// TestTerseStatesRedirects: of connections that were opened a terse Book states
// those that were redirected, which the diagnosis names.
func TestTerseStatesRedirects(t *testing.T) {
	s, err := capturetest.ReadScript("testdata/scripts/redirected.txt")
	if err != nil {
		t.Fatal(err)
	}
	r := observe(capturetest.NewSource(s.Segments), func(c *observer.Config) { c.Terse = true })
	opened := of[*capture.ConnOpened](r)
	if len(opened) != 1 || opened[0].Called.String() != "10.0.0.9:80" {
		t.Errorf("opened: %v", opened)
	}
	s, err = capturetest.ReadScript("testdata/scripts/reset_in_flight.txt")
	if err != nil {
		t.Fatal(err)
	}
	r = observe(capturetest.NewSource(s.Segments), func(c *observer.Config) { c.Terse = true })
	if opened := of[*capture.ConnOpened](r); len(opened) != 0 {
		t.Errorf("opened, and not redirected: %v", opened)
	}
}
