package peers

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const collectorVersion = "0.162.0"

const (
	startTimeout = 60 * time.Second // a loaded machine, a cold page cache
	stopTimeout  = 20 * time.Second // longer than the file exporter needs to flush
)

// BuildCollector returns the path of the Collector's binary, which it builds
// once (see [CacheDir]), telling logf. It knows the otlp receiver; the batch and
// memory_limiter processors; the file, debug, otlp_grpc and otlp_http
// exporters; and configuration from env:, file: and yaml:.
//
// It is for a TestMain that goes on in a network namespace with no way out.
func BuildCollector(logf func(format string, args ...any)) (string, error) {
	return program{name: "otelcol", version: collectorVersion}.buildPinned("collector", logf)
}

const module = "github.com/wiretell/wiretell"

// BuildWiretellCollector is [BuildCollector] for the Collector of
// examples/collector/builder.yaml, with the wiretell of this checkout in it.
func BuildWiretellCollector(logf func(format string, args ...any)) (string, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("find the folder of %s: %w", module, err)
	}
	return program{name: "otelcol-wiretell", version: collectorVersion, local: strings.TrimSpace(string(dir))}.buildPinned("otelcol-wiretell", logf)
}

// CollectorBinary is [BuildCollector] for a test, which it ends on an error.
func CollectorBinary(t testing.TB) string {
	t.Helper()
	path, err := BuildCollector(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// CollectorOptions says how [StartCollector] runs a Collector. The zero value
// is a Collector on loopback of the test's own network namespace.
type CollectorOptions struct {
	// In runs f on a thread of the network namespace to run in, where loopback
	// must be up: [Namespace] of a path, or the method Do of a netnstest.NS. The
	// thread may end when f returns, which is when the Collector has ended. The
	// default is the test's own namespace.
	In func(f func() error) error
	// Host is the address to listen on. The default is 127.0.0.1.
	Host string
	// GRPCPort and HTTPPort are the OTLP ports; 0 is one that is free.
	GRPCPort, HTTPPort int
	// Dir takes the configuration, the log and the outputs. The default is a
	// temporary folder of the test.
	Dir string
	// Binary is the program; the default is what [BuildCollector] builds.
	Binary string
	// Config is YAML that is merged over the Collector's configuration, for
	// example a batch processor and pipelines that use it.
	Config string
	// Command, if set, may change the command before each start, for example
	// to put another program in front of it.
	Command func(*exec.Cmd)
}

// Collector is an OpenTelemetry Collector process that writes what it receives
// over OTLP to one file of JSON lines per signal. Its methods are for one
// goroutine.
type Collector struct {
	// GRPC is host:port of OTLP/gRPC, without TLS.
	GRPC string
	// HTTP is the base URL of OTLP/HTTP, to which clients append /v1/traces.
	HTTP string
	// TracesFile, MetricsFile and LogsFile are the outputs. They grow over
	// restarts. A file is missing until the Collector first started.
	TracesFile, MetricsFile, LogsFile string
	// LogFile is the Collector's own log.
	LogFile string

	t       testing.TB
	binary  string
	config  []string // values of --config, in order
	options CollectorOptions
	cmd     *exec.Cmd
	exited  <-chan struct{} // closed after the process was waited for
	ready   time.Time       // when it said so
}

// StartCollector starts a Collector and returns when it accepts OTLP. It ends
// the test when that fails, and stops the Collector when the test ends.
func StartCollector(t testing.TB, o CollectorOptions) *Collector {
	t.Helper()
	if o.Host == "" {
		o.Host = "127.0.0.1"
	}
	if o.In == nil {
		o.In = onThread
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Binary == "" {
		o.Binary = CollectorBinary(t)
	}
	c := &Collector{
		TracesFile:  filepath.Join(o.Dir, "traces.jsonl"),
		MetricsFile: filepath.Join(o.Dir, "metrics.jsonl"),
		LogsFile:    filepath.Join(o.Dir, "logs.jsonl"),
		LogFile:     filepath.Join(o.Dir, "collector.log"),
		t:           t,
		binary:      o.Binary,
		options:     o,
	}
	t.Cleanup(c.Stop)
	// A port that was free may be taken before the Collector has it.
	for try := 1; ; try++ {
		err := c.configure()
		if err == nil {
			err = c.start()
		}
		if err == nil {
			return c
		}
		if try == 3 || !strings.Contains(err.Error(), "address already in use") || (o.GRPCPort != 0 && o.HTTPPort != 0) {
			t.Fatal(err)
		}
	}
}

// configure chooses the ports and writes the configuration.
func (c *Collector) configure() error {
	o := c.options
	err := o.In(func() error { return freePorts(o.Host, &o.GRPCPort, &o.HTTPPort) })
	if err != nil {
		return fmt.Errorf("choose the Collector's ports: %w", err)
	}
	c.GRPC = net.JoinHostPort(o.Host, strconv.Itoa(o.GRPCPort))
	httpEndpoint := net.JoinHostPort(o.Host, strconv.Itoa(o.HTTPPort))
	c.HTTP = "http://" + httpEndpoint
	base := filepath.Join(o.Dir, "collector.yaml")
	c.config = []string{"file:" + base}
	text := fmt.Sprintf(collectorConfig, c.GRPC, httpEndpoint, c.TracesFile, c.MetricsFile, c.LogsFile)
	if err := os.WriteFile(base, []byte(text), 0o644); err != nil {
		return fmt.Errorf("configure the Collector: %w", err)
	}
	if o.Config == "" {
		return nil
	}
	over := filepath.Join(o.Dir, "collector-over.yaml")
	if err := os.WriteFile(over, []byte(o.Config), 0o644); err != nil {
		return fmt.Errorf("configure the Collector: %w", err)
	}
	c.config = append(c.config, "file:"+over)
	return nil
}

// collectorConfig is the base configuration. Its own metrics endpoint is off:
// it would need a third port.
const collectorConfig = `receivers:
  otlp:
    protocols:
      grpc:
        endpoint: %q
      http:
        endpoint: %q
exporters:
  file/traces:
    path: %q
    append: true
    flush_interval: 100ms
  file/metrics:
    path: %q
    append: true
    flush_interval: 100ms
  file/logs:
    path: %q
    append: true
    flush_interval: 100ms
service:
  telemetry:
    metrics:
      level: none
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [file/traces]
    metrics:
      receivers: [otlp]
      exporters: [file/metrics]
    logs:
      receivers: [otlp]
      exporters: [file/logs]
`

// freePorts replaces each port that is 0 by one that is free on host. It holds
// all of them before it lets go of any, so that they differ.
func freePorts(host string, ports ...*int) error {
	for _, port := range ports {
		if *port != 0 {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return err
		}
		defer l.Close()
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return nil
}

// Start starts the Collector again after [Collector.Stop], on the same ports
// and with the same outputs, and returns when it accepts OTLP.
func (c *Collector) Start() {
	c.t.Helper()
	if err := c.start(); err != nil {
		c.t.Fatal(err)
	}
}

// Restart is Stop and Start.
func (c *Collector) Restart() {
	c.t.Helper()
	c.Stop()
	c.Start()
}

func (c *Collector) start() error {
	if c.cmd != nil {
		return errors.New("start the Collector: it runs already")
	}
	log, err := os.OpenFile(c.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("start the Collector: %w", err)
	}
	defer log.Close()
	before, err := log.Stat()
	if err != nil {
		return fmt.Errorf("start the Collector: %w", err)
	}
	cmd := exec.Command(c.binary)
	for _, config := range c.config {
		cmd.Args = append(cmd.Args, "--config", config)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if c.options.Command != nil {
		c.options.Command(cmd)
	}
	exited, err := startIn(c.options.In, cmd)
	if err != nil {
		return fmt.Errorf("start the Collector: %w", err)
	}
	c.cmd, c.exited = cmd, exited
	return c.awaitReady(before.Size())
}

// awaitReady returns when the Collector's log says, after offset, that it is
// ready: a word that needs no access to its network namespace.
func (c *Collector) awaitReady(offset int64) error {
	deadline := time.Now().Add(startTimeout)
	for {
		log := c.logFrom(offset)
		if strings.Contains(log, "Everything is ready.") {
			c.ready = time.Now()
			return nil
		}
		select {
		case <-c.exited:
			state := c.cmd.ProcessState
			c.cmd = nil
			return fmt.Errorf("start the Collector: %s:\n%s", state, tail(c.logFrom(offset), 20))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("start the Collector: not ready after %s:\n%s", startTimeout, tail(log, 20))
		}
	}
}

func (c *Collector) logFrom(offset int64) string {
	b, err := os.ReadFile(c.LogFile)
	if err != nil || int64(len(b)) < offset {
		return ""
	}
	return string(b[offset:])
}

// Stop ends the Collector with SIGTERM, upon which it writes all that it has
// accepted to its outputs. It does nothing when the Collector does not run.
func (c *Collector) Stop() {
	c.t.Helper()
	if c.cmd == nil {
		return
	}
	cmd := c.cmd
	c.cmd = nil
	// The Collector says that it is ready just before it asks for SIGTERM.
	time.Sleep(time.Until(c.ready.Add(200 * time.Millisecond)))
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-c.exited:
		if !cmd.ProcessState.Success() {
			c.t.Errorf("stop the Collector: %s:\n%s", cmd.ProcessState, tail(c.logFrom(0), 20))
		}
	case <-time.After(stopTimeout):
		_ = cmd.Process.Kill()
		<-c.exited
		c.t.Errorf("stop the Collector: killed, as it did not end within %s:\n%s", stopTimeout, tail(c.logFrom(0), 20))
	}
}
