package otel

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestProbe: an empty request tells a receiver that takes it from one that is
// not there, one that refuses, and one of the other protocol.
func TestProbe(t *testing.T) {
	s := &sink{}
	where, _ := serveGRPC(t, s, "127.0.0.1:0")
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			w.Header().Set("Content-Type", "application/x-protobuf")
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(web.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	l.Close()
	// A TLS server that answers what is no record with an alert.
	alert := serve(t, func(c net.Conn) {
		c.Read(make([]byte, 1024))
		c.Write([]byte("\x15\x03\x01\x00\x02\x02\x0a"))
	})
	for _, c := range []struct {
		name, protocol, endpoint, compression string
		failing                               bool
		status, problem                       string
	}{
		{"grpc", ProtocolGRPC, "http://" + where, "gzip", false, "", ""},
		{"http", ProtocolHTTP, web.URL + "/v1/traces", "gzip", false, "", ""},
		{"another path", ProtocolHTTP, web.URL + "/otlp", "", true, "404", ""},
		{"nobody, http", ProtocolHTTP, "http://" + dead + "/v1/traces", "", true, "", "connection refused"},
		{"nobody, grpc", ProtocolGRPC, "http://" + dead, "", true, "UNAVAILABLE", "connection refused"},
		{"grpc to http", ProtocolGRPC, web.URL, "", true, "UNAVAILABLE", "error reading server preface"},
		{"http to grpc", ProtocolHTTP, "http://" + where + "/v1/traces", "", true, "", "gRPC port (4317, grpc)? It sent \"\\x00"},
		{"http to https", ProtocolHTTP, "http://" + alert + "/v1/traces", "", true, "", "was https:// meant?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			to := SignalConfig{Exporter: ExporterOTLP, Protocol: c.protocol, Endpoint: c.endpoint, Compression: c.compression, Timeout: 5 * time.Second}
			all, err := Probe(t.Context(), Config{Traces: to, Logs: SignalConfig{Exporter: ExporterConsole}})
			if err != nil || len(all) != 1 {
				t.Fatalf("%v, %+v", err, all)
			}
			h := all[0]
			if h.Signal != "traces" || h.Protocol != c.protocol || h.Failing != c.failing || h.LastStatus != c.status || !strings.Contains(h.LastError, c.problem) || h.Created != 0 {
				t.Errorf("%+v", h)
			}
		})
	}
	if _, err := Probe(t.Context(), Config{Traces: SignalConfig{Exporter: ExporterOTLP, Endpoint: "nonsense"}}); err == nil {
		t.Error("an endpoint that is no URL is taken")
	}
}

// serve gives each connection to f and closes it, until the test ends.
func serve(t *testing.T, f func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			c.Close()
		}
	}()
	return l.Addr().String()
}
