package diagnosis_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/diagnosis"
)

// exchangeScript is a connection on which a request is answered by head and
// then ended by a segment of the server's.
func exchangeScript(head, end string) string {
	const client, server = "10.0.0.1:40000", "10.0.0.2:80"
	next := 301 + len(head)
	return fmt.Sprintf(`0.000 %[1]s > %[2]s S seq=100
0.001 %[2]s > %[1]s SA seq=300 ack=101
0.002 %[1]s > %[2]s A seq=101 ack=301
0.003 %[1]s > %[2]s PA seq=101 ack=301 "GET /a HTTP/1.1\r\nHost: shop\r\n\r\n"
0.004 %[2]s > %[1]s PA seq=301 ack=132 %[3]q
0.005 %[1]s > %[2]s A seq=132 ack=%[4]d
0.006 %[2]s > %[1]s %[5]s seq=%[4]d ack=132
0.007 %[1]s > %[2]s FA seq=132 ack=%[6]d
`, client, server, head, next, end, next+1)
}

// TestCutOnTheWire follows how connections end from the packets to the leaves:
// a message that is cut is told, whatever cut it, and nothing is healthy then.
func TestCutOnTheWire(t *testing.T) {
	const whole = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
	const cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"
	const untilClose = "HTTP/1.1 200 OK\r\n\r\nabc"
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
	for _, tt := range []struct {
		name, head, end string
		want            []string
	}{
		{"whole, closed", whole, "FA", []string{"OK-00"}},
		{"whole, reset", whole, "RA", []string{"OK-00"}},
		{"until close, closed", untilClose, "FA", []string{"OK-00"}},
		{"until close, reset", untilClose, "RA", []string{"DIR-06"}},
		{"cut by a close", cut, "FA", []string{"DIR-06"}},
		{"cut by a reset", cut, "RA", []string{"DIR-06"}},
		{"chunks cut by a close", chunked, "FA", []string{"DIR-06"}},
		{"chunks cut by a reset", chunked, "RA", []string{"DIR-06"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "script.txt")
			if err := os.WriteFile(path, []byte(exchangeScript(tt.head, tt.end)), 0o644); err != nil {
				t.Fatal(err)
			}
			script, err := capturetest.ReadScript(path)
			if err != nil {
				t.Fatal(err)
			}
			in, findings := diagnoseSource("script", capturetest.NewSource(script.Segments))
			var ids []string
			for _, f := range findings {
				ids = append(ids, f.ID)
				if f.ID == "DIR-06" && strings.Contains(tt.end, "R") != strings.Contains(f.Body, "(1 by a reset)") {
					t.Errorf("who cut it is not told rightly: %s", f.Body)
				}
			}
			if !slices.Equal(ids, tt.want) {
				t.Errorf("%v, want %v\n%s", ids, tt.want, diagnosis.Summarize(in, findings).Text)
			}
		})
	}
}
