package live

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// proxyMark is on what the proxy sends, so that it is not redirected to itself.
const proxyMark = 1337

// meshPod is a pod with a mesh's proxy: what comes for port 8080 is redirected
// to 15006 and handed on from 127.0.0.6, what is sent to port 80 of another pod
// to 15001.
type meshPod struct {
	t           *testing.T
	pod, others *netnstest.NS
	link        netnstest.Pair // A is the pod's
}

func newMeshPod(t *testing.T) *meshPod {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("needs nft")
		}
		t.Skip("needs nft")
	}
	m := &meshPod{t: t, pod: netnstest.New(t), others: netnstest.New(t)}
	m.link = netnstest.Connect(t, m.pod, m.others)
	m.pod.Must(t, func() error {
		nft := exec.Command("nft", "-f", "-")
		nft.Stdin = strings.NewReader(fmt.Sprintf(`table ip mesh {
			chain inbound { type nat hook prerouting priority -100; tcp dport 8080 redirect to :15006; }
			chain outbound { type nat hook output priority -100; meta mark != %d ip daddr %v tcp dport 80 redirect to :15001; }
		}`, proxyMark, m.link.B))
		if out, err := nft.CombinedOutput(); err != nil {
			return fmt.Errorf("nft: %w: %s", err, out)
		}
		return nil
	})
	m.serve(m.pod, "0.0.0.0:15006", m.proxy("127.0.0.6", m.link.A.String()+":8080"))
	m.serve(m.pod, "0.0.0.0:15001", m.proxy("", m.link.B.String()+":80"))
	return m
}

func (m *meshPod) serve(ns *netnstest.NS, addr string, h http.Handler) {
	m.t.Helper()
	var l net.Listener
	ns.Must(m.t, func() (err error) {
		l, err = net.Listen("tcp4", addr)
		return err
	})
	s := &http.Server{Handler: h}
	go s.Serve(l)
	m.t.Cleanup(func() { s.Close() })
}

// client calls from ns, from the address given; mark is put on its packets.
func (m *meshPod) client(ns *netnstest.NS, from string, mark int) *http.Transport {
	d := net.Dialer{Timeout: 5 * time.Second}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	if mark != 0 {
		d.Control = func(_, _ string, c syscall.RawConn) (err error) {
			c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_MARK, mark) })
			return err
		}
	}
	tr := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, network, addr string) (c net.Conn, err error) {
		err = ns.Do(func() error {
			c, err = d.DialContext(ctx, "tcp4", addr)
			return err
		})
		return c, err
	}}
	m.t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// retrying asks once more when the answer is 503, as proxies do.
type retrying struct{ http.RoundTripper }

func (r retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.RoundTripper.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		return resp, err
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return r.RoundTripper.RoundTrip(req)
}

func (m *meshPod) proxy(from, to string) http.Handler {
	return &httputil.ReverseProxy{
		Transport: retrying{m.client(m.pod, from, proxyMark)},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: to})
			r.Out.Host = r.In.Host
		},
	}
}

func ask(t *testing.T, tr http.RoundTripper, url, host string) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("%s: %s", url, resp.Status)
	}
}

// TestMesh: in a pod with a mesh's proxy each exchange is two spans, of which
// the inner one links to the outer one, and is counted once. The proxy asks
// again once.
func TestMesh(t *testing.T) {
	const rounds = 40
	m := newMeshPod(t)
	calls := m.client(m.pod, "", 0)
	failed := false
	m.serve(m.others, m.link.B.String()+":80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/called/7" && !failed {
			failed = true
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	m.serve(m.pod, m.link.A.String()+":8080", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ask(t, calls, "http://"+m.link.B.String()+"/called/"+strings.TrimPrefix(r.URL.Path, "/asked/"), "stock.example")
		w.Write([]byte("done"))
	}))
	file := filepath.Join(t.TempDir(), "telemetry.jsonl")
	w := start(t, m.pod, nil, "run", "--otlp-json", file)
	time.Sleep(1500 * time.Millisecond) // the kernel's listeners are read with the first snapshot
	from := m.client(m.others, "", 0)
	for i := range rounds {
		ask(t, from, fmt.Sprintf("http://%v:8080/asked/%d", m.link.A, i), "shop.example")
	}
	time.Sleep(300 * time.Millisecond) // the last acknowledgements
	w.stop()
	out := readJSON(t, file)
	checkBooks(t, out)

	byID := map[string]ptrace.Span{}
	kinds := map[string]int{}
	for _, s := range out.spans {
		byID[s.SpanID().String()] = s
		kinds[s.Kind().String()+" "+attr(s, "wiretell.mesh.role")+" "+attr(s, "span.metrics.skip")]++
	}
	for kind, want := range map[string]int{
		"Server wire ": rounds, "Server application true": rounds, "Client application ": rounds, "Client wire true": rounds + 1,
	} {
		if kinds[kind] != want {
			t.Errorf("%d spans are %q, want %d; all: %v", kinds[kind], kind, want, kinds)
		}
	}
	for _, s := range out.spans {
		if attr(s, "span.metrics.skip") != "true" {
			if s.Kind() == ptrace.SpanKindClient && attr(s, "server.address") != "stock.example" {
				t.Errorf("a call went to %q", attr(s, "server.address"))
			}
			continue
		}
		if s.Links().Len() != 1 {
			t.Errorf("%s%s has %d links", attr(s, "url.path"), attr(s, "url.full"), s.Links().Len())
			continue
		}
		outer, ok := byID[s.Links().At(0).SpanID().String()]
		if !ok || attr(outer, "url.path") != attr(s, "url.path") || attr(outer, "url.full") != attr(s, "url.full") ||
			outer.StartTimestamp() > s.StartTimestamp() || outer.EndTimestamp() < s.EndTimestamp() {
			t.Errorf("%s%s links to a span that does not enclose it", attr(s, "url.path"), attr(s, "url.full"))
		}
	}
	for _, name := range []string{"http.server.request.duration", "http.client.request.duration"} {
		if n := count(out.hists[name]); n != rounds {
			t.Errorf("%s counts %d, want %d", name, n, rounds)
		}
	}
	if n := out.sum("wiretell.mesh.twins", "wiretell.reason", "linked"); n != 2*rounds+1 {
		t.Errorf("%d twins are linked, want %d", n, 2*rounds+1)
	}
	if n := out.sum("wiretell.requests"); n != 4*rounds+1 {
		t.Errorf("%d requests on the wire, want %d", n, 4*rounds+1)
	}
	found := false
	for _, l := range out.logs {
		id, _ := l.Attributes().Get("wiretell.diagnosis.id")
		found = found || id.AsString() == "MESH-02"
	}
	if !found {
		t.Errorf("MESH-02 was not raised\n%s", w.said())
	}
}

func count(points []pmetric.HistogramDataPoint) (n uint64) {
	for _, p := range points {
		n += p.Count()
	}
	return n
}
