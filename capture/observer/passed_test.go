package observer_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/observer"
)

// TestPassedOn: a call that is answered before the request which it is made for
// has the very traceparent of that, or one of its own.
func TestPassedOn(t *testing.T) {
	const in, own = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01"
	const script = `0.000 10.0.0.1:40000 > 10.0.0.2:80 S seq=100
0.001 10.0.0.2:80 > 10.0.0.1:40000 SA seq=300 ack=101
0.002 10.0.0.1:40000 > 10.0.0.2:80 A seq=101 ack=301
0.003 10.0.0.1:40000 > 10.0.0.2:80 PA seq=101 ack=301 "GET /a HTTP/1.1\r\nHost: a\r\ntraceparent: IN\r\n\r\n"
0.010 10.0.0.2:50000 > 10.0.0.3:80 S seq=1100
0.011 10.0.0.3:80 > 10.0.0.2:50000 SA seq=1300 ack=1101
0.012 10.0.0.2:50000 > 10.0.0.3:80 A seq=1101 ack=1301
0.013 10.0.0.2:50000 > 10.0.0.3:80 PA seq=1101 ack=1301 "GET /b HTTP/1.1\r\nHost: b\r\ntraceparent: OUT\r\n\r\n"
0.014 10.0.0.3:80 > 10.0.0.2:50000 PA seq=1301 ack=1198 "HTTP/1.1 204 No Content\r\n\r\n"
0.015 10.0.0.2:80 > 10.0.0.1:40000 PA seq=301 ack=198 "HTTP/1.1 204 No Content\r\n\r\n"
---
`
	for _, tt := range []struct {
		name, in, out string
		want          bool
	}{
		{"as it came", in, in, true},
		{"with other flags", in, in[:53] + "00", true},
		{"the same trace, an id of its own", in, own, false},
		{"another trace", in, "00-0af7651916cd43dd8448eb211c80319c" + in[35:], false},
		{"none that says anything", "junk", "junk", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "script.txt")
			if err := os.WriteFile(file, []byte(strings.NewReplacer("IN", tt.in, "OUT", tt.out).Replace(script)), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := capturetest.ReadScript(file)
			if err != nil {
				t.Fatal(err)
			}
			r := observe(capturetest.NewSource(s.Segments), func(c *observer.Config) { c.Local = []netip.Prefix{netip.MustParsePrefix("10.0.0.2/32")} })
			if len(r.exchanges) != 2 || string(r.exchanges[0].Target) != "/b" {
				t.Fatalf("%d exchanges", len(r.exchanges))
			}
			if got := r.exchanges[0].PassedOn; got != tt.want {
				t.Errorf("passed on %v, want %v", got, tt.want)
			}
			if r.exchanges[1].PassedOn {
				t.Error("the request that was received is said to be passed on")
			}
		})
	}
}
