package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/exporter"
)

// serve starts a server of what status holds.
func serve(t *testing.T, status *atomic.Pointer[exporter.Status]) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := Serve(l, Config{Status: status.Load, MetricsType: "text/plain; version=0.0.4", Metrics: func(_ context.Context, w io.Writer) error {
		if status.Load() == nil {
			io.WriteString(w, "half")
			return errors.New("no metrics yet")
		}
		_, err := io.WriteString(w, "up 1\n")
		return err
	}})
	t.Cleanup(func() { s.Close() })
	return "http://" + l.Addr().String()
}

// ask returns the answer to a request.
func ask(t *testing.T, method, url, accept string) (code int, media, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(b)
}

func statusOf(looked time.Time, err error) *exporter.Status {
	f := diagnosis.Finding{
		ID: "TLS-01", Title: "Inbound TLS", Severity: diagnosis.Warning, Confidence: diagnosis.Certain, Body: "Port 8443 is TLS.",
		Subject: diagnosis.Subject{Port: 8443, Direction: capture.Receive}, Path: []string{"Is it encrypted? yes"},
		Evidence: []diagnosis.Evidence{{Key: "hellos", Value: int64(7)}}, Remedy: diagnosis.Remedy{Command: "kubectl get svc"}, Since: 1e9,
	}
	info := f
	info.ID, info.Severity = "SELF-01", diagnosis.Info
	return &exporter.Status{Report: diagnosis.NewReport(2e9, diagnosis.Input{}, []diagnosis.Finding{info, f}), Looked: looked, Err: err}
}

func TestAnswers(t *testing.T) {
	now := time.Now()
	denied := errors.New("operation not permitted")
	const text, asJSON = "text/plain; charset=utf-8", "application/json"
	for _, c := range []struct {
		name, method, path, accept string
		status                     *exporter.Status
		code                       int
		media, body                string
	}{
		{"starting is alive", "GET", "/healthz", "", nil, 200, text, "ok\n"},
		{"alive", "GET", "/healthz", "", statusOf(now, nil), 200, text, "ok\n"},
		{"alive though denied", "GET", "/healthz", "", statusOf(now, denied), 200, text, "ok\n"},
		{"stuck", "GET", "/healthz", "", statusOf(now.Add(-time.Minute), nil), 503, text, "not healthy: no sign of life for 1m"},
		{"starting is not ready", "GET", "/readyz", "", nil, 503, text, "not ready: starting\n"},
		{"ready", "GET", "/readyz", "", statusOf(now, nil), 200, text, "ok\n"},
		{"denied is not ready", "GET", "/readyz", "", statusOf(now, denied), 503, text, "not ready: nothing is captured: operation not permitted\n"},
		{"text by default", "GET", "/diagnosis", "", statusOf(now, nil), 200, text, "  warning TLS-01: Port 8443 is TLS.\n      $ kubectl get svc\n  info SELF-01"},
		{"text for a browser", "GET", "/diagnosis", "text/html,application/json;q=0.9,*/*;q=0.8", statusOf(now, nil), 200, text, "warning TLS-01"},
		{"JSON by Accept", "GET", "/diagnosis", "application/json", statusOf(now, nil), 200, asJSON, `"id": "TLS-01"`},
		{"JSON by format", "GET", "/diagnosis?format=json", "text/plain", statusOf(now, nil), 200, asJSON, `"severity": "warning"`},
		{"text by format", "GET", "/diagnosis?format=text", "application/json", statusOf(now, nil), 200, text, "warning TLS-01"},
		{"another format", "GET", "/diagnosis?format=yaml", "", statusOf(now, nil), 400, text, "format: want json or text\n"},
		{"no diagnosis yet", "GET", "/diagnosis", "", nil, 503, text, "nothing is known yet"},
		{"metrics", "GET", "/metrics", "", statusOf(now, nil), 200, "text/plain; version=0.0.4", "up 1\n"},
		{"failed metrics", "GET", "/metrics", "", nil, 503, text, "no metrics yet\n"},
		{"index", "GET", "/", "", nil, 200, text, "/healthz /readyz /diagnosis"},
		{"elsewhere", "GET", "/debug/pprof/", "", nil, 404, text, ""},
		{"POST", "POST", "/healthz", "", nil, 405, text, ""},
		{"HEAD", "HEAD", "/healthz", "", nil, 200, text, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var status atomic.Pointer[exporter.Status]
			status.Store(c.status)
			code, media, body := ask(t, c.method, serve(t, &status)+c.path, c.accept)
			if code != c.code || media != c.media || !strings.Contains(body, c.body) {
				t.Errorf("%d %s %q, want %d %s %q", code, media, body, c.code, c.media, c.body)
			}
			if c.name == "failed metrics" && strings.Contains(body, "half") {
				t.Error("half of the metrics were sent")
			}
		})
	}
}

// TestJSON: every part of a finding is there, under its word.
func TestJSON(t *testing.T) {
	var status atomic.Pointer[exporter.Status]
	status.Store(statusOf(time.Now(), nil))
	_, _, body := ask(t, "GET", serve(t, &status)+"/diagnosis?format=json", "")
	var got struct {
		Time, Severity, Seen string
		Useful               *bool
		Findings             []struct {
			ID, Title, Severity, Confidence, Since, Body string
			Subject                                      struct {
				Port      int
				Direction string
			}
			Path     []string
			Evidence map[string]any
			Remedy   struct{ Command string }
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	f := got.Findings[0]
	if got.Time != "1970-01-01T00:00:02Z" || got.Severity != "warning" || got.Useful == nil || *got.Useful || got.Seen != "nothing was captured" || len(got.Findings) != 2 ||
		f.ID != "TLS-01" || f.Confidence != "certain" || f.Since != "1970-01-01T00:00:01Z" || f.Subject.Port != 8443 || f.Subject.Direction != "receive" ||
		len(f.Path) != 1 || f.Evidence["hellos"] != 7.0 || f.Remedy.Command != "kubectl get svc" {
		t.Errorf("%s", body)
	}
}

// TestHostileClients: connections that say nothing, and those that never end
// their header, take the room for a bounded time; the others wait and are
// answered. A header beyond the bound is refused.
func TestHostileClients(t *testing.T) {
	var status atomic.Pointer[exporter.Status]
	status.Store(statusOf(time.Now(), nil))
	url := serve(t, &status)
	addr := strings.TrimPrefix(url, "http://")
	for i := range 3 * maxConnections {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 0 {
			fmt.Fprintf(c, "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		}
	}
	if code, _, body := ask(t, "GET", url+"/healthz", ""); code != 200 {
		t.Errorf("%d %s", code, body)
	}

	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", strings.Repeat("a", 4*maxHeaderBytes))
	b := make([]byte, 64)
	n, _ := io.ReadAtLeast(c, b, 12)
	if got := string(b[:n]); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("a long header is answered with %q", got)
	}

	// One connection serves one request.
	c, err = net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	all, err := io.ReadAll(c)
	if n := strings.Count(string(all), "HTTP/1.1 200"); n != 1 || !strings.Contains(string(all), "Connection: close") {
		t.Errorf("%d answers, %v: %q", n, err, all)
	}
}

// TestNamesOfOthers: whoever comes over loopback asks for localhost or an address,
// or is refused.
func TestNamesOfOthers(t *testing.T) {
	var status atomic.Pointer[exporter.Status]
	status.Store(statusOf(time.Now(), nil))
	url := serve(t, &status)
	for host, want := range map[string]int{
		"": 200, "127.0.0.1": 200, "127.0.0.1:19464": 200, "localhost:19464": 200, "LocalHost": 200, "[::1]:19464": 200, "[::1]": 200, "10.0.0.1": 200,
		"evil.example": 421, "evil.example:19464": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example:80": 421, "[evil.example]": 421,
	} {
		for _, path := range []string{"/diagnosis", "/metrics", "/healthz", "/"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if host != "" { // Go's client writes the address then
				r.Host = host
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("Host %q, %s: %d, want %d", host, path, resp.StatusCode, want)
			}
		}
	}
}

// broken is a listener that takes no connection.
type broken struct{ net.Listener }

func (broken) Accept() (net.Conn, error) { return nil, errors.New("no more") }

// TestFailed: that nobody is answered any more is told, unless it was meant.
func TestFailed(t *testing.T) {
	for _, breaks := range []bool{true, false} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if breaks {
			l = broken{l}
		}
		failed := make(chan error, 1)
		s := Serve(l, Config{Status: func() *exporter.Status { return nil }, Failed: func(err error) { failed <- err }})
		if !breaks {
			s.Close()
			select {
			case err := <-failed:
				t.Errorf("closed, and told: %v", err)
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		select {
		case err := <-failed:
			if err.Error() != "no more" {
				t.Errorf("%v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("not told")
		}
		s.Close()
	}
}
