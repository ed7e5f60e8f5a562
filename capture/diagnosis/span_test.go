package diagnosis

import (
	"reflect"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// each calls f with every counter of v, which may be nested arrays and structs.
func each(v reflect.Value, f func(reflect.Value)) {
	switch v.Kind() {
	case reflect.Uint64:
		f(v)
	case reflect.Array:
		for i := range v.Len() {
			each(v.Index(i), f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			each(v.Field(i), f)
		}
	}
}

// TestSubtract: the difference of two entries is taken of every counter, those
// added later as well.
func TestSubtract(t *testing.T) {
	var now, then capture.PortStats
	n := uint64(0)
	each(reflect.ValueOf(&now).Elem(), func(v reflect.Value) { n++; v.SetUint(1000 + 3*n) })
	words := n
	n = 0
	each(reflect.ValueOf(&then).Elem(), func(v reflect.Value) { n++; v.SetUint(1000 + n) })
	ports := spanPorts(nil, []capture.PortStats{now}, []capture.PortStats{then})
	n = 0
	each(reflect.ValueOf(&ports[0].PortStats).Elem(), func(v reflect.Value) {
		if n++; v.Uint() != 2*n {
			t.Errorf("counter %d is %d, want %d", n, v.Uint(), 2*n)
		}
	})
	if words < 100 || ports[0].total.Conns != now.Conns {
		t.Errorf("%d counters; total %d, want %d", words, ports[0].total.Conns, now.Conns)
	}
	// A port that was not there before counts whole.
	other := then
	other.Port = 99
	if p := spanPorts(nil, []capture.PortStats{now}, []capture.PortStats{other}); p[0].Conns != now.Conns {
		t.Errorf("%d, want %d", p[0].Conns, now.Conns)
	}
}

// TestCopySnapshot: a copy does not follow what it was copied from.
func TestCopySnapshot(t *testing.T) {
	w := newWorld(t)
	w.healthy()
	var c capture.Snapshot
	copySnapshot(&c, w.snap)
	ports, rings, in := c.Ports[0], c.Source.Rings[1], c.Interfaces[eth0]
	w.healthy()
	w.snap.Truncated[eth0]++
	w.snap.Source.Rings[1].Drops++
	if c.Ports[0] != ports || c.Source.Rings[1] != rings || c.Interfaces[eth0] != in || c.Truncated[eth0] != 0 || c.Ledger == w.snap.Ledger {
		t.Error("the copy changed with its original")
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		protocol, status, message string
		want                      trouble
	}{
		{"grpc", "", "dial tcp 10.0.0.7:4317: connect: connection refused", cannotReach},
		{"grpc", "Unavailable", "name resolver error: produced zero addresses", cannotReach},
		{"grpc", "DeadlineExceeded", "context deadline exceeded", cannotReach},
		{"http/protobuf", "", "dial tcp: lookup collector: no such host", cannotReach},
		{"http/protobuf", "500", "internal server error", cannotReach},
		{"grpc", "Unavailable", `connection error: desc = "error reading server preface: EOF"`, wrongProtocol},
		{"grpc", "Unavailable", `connection error: desc = "error reading server preface: http2: frame too large, note that the frame header looked like an HTTP/1.1 header"`, wrongProtocol},
		{"grpc", "Unknown", `unexpected HTTP status code received from server: 404 (Not Found); transport: received unexpected content-type "text/plain"`, wrongProtocol},
		{"http/protobuf", "", `the endpoint does not speak HTTP/1.1; is it OTLP's gRPC port (4317, grpc)? It sent "\x00\x00\x06\x04"`, wrongProtocol},
		{"http/protobuf", "", `malformed HTTP response "\x00\x00\x06\x04\x00"`, wrongProtocol},
		{"http/protobuf", "", `malformed HTTP status code "x"`, wrongProtocol},
		{"http/protobuf", "", "error reading server preface", cannotReach}, // not an error of HTTP
		{"http/protobuf", "401", "", refusedBySink},
		{"grpc", "PermissionDenied", "", refusedBySink},
		{"grpc", "12", "", refusedBySink},
		{"grpc", "RESOURCE_EXHAUSTED", "", throttledBySink},
		{"http/protobuf", "503", "", throttledBySink},
	} {
		h := ExportHealth{Protocol: c.protocol, LastStatus: c.status, LastError: c.message, Failing: true}
		if got := classify(&h); got != c.want {
			t.Errorf("%s %s %q: %d, want %d", c.protocol, c.status, c.message, got, c.want)
		}
		if h.Failing = false; classify(&h) != noTrouble {
			t.Errorf("%q: trouble though it works", c.message)
		}
	}
}

func TestExpand(t *testing.T) {
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"a": "1", "n": "3", "empty": "", "yes": "true", "no": "false"}[name]
		return v, ok
	}
	for in, want := range map[string]string{
		"":                           "",
		"plain [x] {y}":              "plain [x] {y}",
		"{{a}}":                      "1",
		"n {{a}} m {{a}}.":           "n 1 m 1.",
		"x[[ and {{a}}]] y":          "x and 1 y",
		"x[[ and {{b}}]] y {{a}}":    "x y 1",
		"x[[ and {{empty}}]] y{{a}}": "x y1",
		"{{b}} y":                    "(not known) y",
		"[[{{b}}]][[{{a}}]]":         "1",

		"{{a connect|connects}}, {{n connect|connects}}":  "1 connect, 3 connects",
		"{{a look-up|look-ups}} {{a: was|were}} lost":     "1 look-up was lost",
		"{{n look-up|look-ups}} {{n: was|were}} lost":     "3 look-ups were lost",
		"{{n IP fragment|IP fragments}}":                  "3 IP fragments",
		"x[[, {{b gap|gaps}}]]":                           "x",
		"{{b gap|gaps}}":                                  "(not known) gaps",
		"x[[{{yes?}}: so]][[{{no?}}: not so]][[{{b?}}!]]": "x: so",
	} {
		if got := expand(in, lookup); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestRound(t *testing.T) {
	for in, want := range map[float64]float64{0: 0, 1.0 / 3: 0.333, 12.3456: 12.3, 123.9: 124, 99999.4: 99999, 0.000123456: 0.000123, -250.4: -250} {
		if got := round(in); got != want {
			t.Errorf("%v: %v, want %v", in, got, want)
		}
	}
}
