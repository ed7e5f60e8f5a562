package stack

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
	"github.com/wiretell/wiretell/integration/peers"
)

// stack is three namespaces: a client, a pod that wiretell observes, and the
// backends, where the Collector, Jaeger and Prometheus run as in the examples.
type stack struct {
	pod, client, backends *netnstest.NS
	// What pod and client have on the link between them.
	podAddr, clientAddr netip.Addr
	collector           netip.AddrPort // OTLP/gRPC
	logs                string         // file of log records
	jaeger              *peers.Jaeger
	prometheus          *peers.Prometheus
}

func newStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{pod: netnstest.New(t), client: netnstest.New(t), backends: netnstest.New(t)}
	link := netnstest.Connect(t, s.client, s.pod)
	s.clientAddr, s.podAddr = link.A, link.B
	way := netnstest.ConnectAs(t, s.pod, s.backends, "eth1", 1)
	s.collector = netip.AddrPortFrom(way.B, 4317)

	s.jaeger = peers.StartJaeger(t, peers.JaegerOptions{In: s.backends.Do, OTLP: 14317, Query: 16686})
	s.prometheus = peers.StartPrometheus(t, peers.PrometheusOptions{
		In: s.backends.Do, Config: "../../examples/prometheus/prometheus.yml", Port: 9090,
		Args: []string{"--web.enable-otlp-receiver", "--enable-feature=created-timestamp-zero-ingestion"},
	})
	config, err := filepath.Abs("../../examples/collector/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := peers.BuildCollector(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	s.logs = filepath.Join(t.TempDir(), "logs.jsonl")
	http := netip.AddrPortFrom(way.B, 4318)
	peers.StartProcess(t, peers.ProcessOptions{
		Binary: binary, Args: []string{"--config", "file:" + config}, In: s.backends.Do,
		Env: []string{
			"OTLP_GRPC_LISTEN=" + s.collector.String(), "OTLP_HTTP_LISTEN=" + http.String(),
			"JAEGER_ENDPOINT=127.0.0.1:14317", "PROMETHEUS_ENDPOINT=" + s.prometheus.URL + "/api/v1/otlp", "LOGS_FILE=" + s.logs,
		},
		Ready: "http://" + http.String() + "/",
	})
	return s
}

// observe runs wiretell in the pod as the service shop.
func (s *stack) observe(t *testing.T) {
	t.Helper()
	w := peers.StartProcess(t, peers.ProcessOptions{
		Binary: os.Getenv(envBinary), In: s.pod.Do,
		Args: []string{"run", "--diagnosis-window", "2s", "--stream-timeout", "2s"},
		Env: []string{
			"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + s.collector.String(), "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
			"OTEL_SERVICE_NAME=shop", "OTEL_METRIC_EXPORT_INTERVAL=1000",
		},
		Ready: "http://127.0.0.1:19464/readyz",
	})
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(w.LogFile)
			t.Logf("wiretell said:\n%s", log)
		}
	})
}

// within waits until f has no more to say and fails the test with what it says
// when that takes too long.
func within(t *testing.T, limit time.Duration, f func() []string) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		missing := f()
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("after %s:\n%s", limit, strings.Join(missing, "\n"))
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// linger0 makes a close a reset.
func linger0(_, _ string, c syscall.RawConn) (err error) {
	if e := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	}); e != nil {
		return e
	}
	return err
}
