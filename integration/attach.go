package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// Sidecar is a wiretell that captures the network of a container. Its methods
// may be called from any goroutine.
type Sidecar struct {
	engine   *engine
	receiver *receiver
	id       string
	stream   client.HijackedResponse // its standard streams; while it is open, wiretell runs
	exit     client.ContainerWaitResult
	ended    chan struct{} // closed when wiretell has ended and all it wrote is read
	over     chan struct{} // closed when it captures no more, which may be before that
	image    string
	records  bool // packets may be wanted
	labels   map[string]string

	stop      sync.Once
	recorded  []byte // the packets, if they were wanted; written by stop
	recordErr error  // why there are none

	mu  sync.Mutex
	log strings.Builder
	err error // why it ended, if it should not have
}

// Option changes how Attach works.
type Option func(*options)

type options struct {
	image       string
	flags       []string
	env         []string
	toOutput    bool
	receiver    string
	test        testing.TB
	recordTo    *string
	nth         int // sidecar of the test
	maxDuration time.Duration
}

// For ends the sidecar with the test; if the test has failed, its log says what
// wiretell saw, and where the packets are: see [RecordTo].
func For(t testing.TB) Option { return func(o *options) { o.test = t } }

// WithFlags adds flags of `wiretell run`, as "--port=8080". docs/usage.md lists
// them.
func WithFlags(flags ...string) Option {
	return func(o *options) { o.flags = append(o.flags, flags...) }
}

// WithEnv sets a variable of wiretell, as OTEL_SERVICE_NAME.
func WithEnv(name, value string) Option {
	return func(o *options) { o.env = append(o.env, name+"="+value) }
}

// WithImage takes this image of wiretell, which is pulled if it is not there,
// in place of one made of the module's source.
func WithImage(name string) Option { return func(o *options) { o.image = name } }

// ThroughOutput takes telemetry from wiretell's standard output, through the
// engine, in place of a receiver on this host. It works wherever containers can
// be started. Attach does so by itself where it can tell that the container
// cannot reach this host.
func ThroughOutput() Option { return func(o *options) { o.toOutput = true } }

// ReceiveAt listens on this address, as "192.0.2.7:0", which the container must
// reach. By default it is the gateway of the container's network.
func ReceiveAt(address string) Option { return func(o *options) { o.receiver = address } }

// attachTimeout bounds what Attach waits for once the container has started.
const attachTimeout = 30 * time.Second

// Attach starts wiretell in the network of c and returns when it captures: it
// sees the first request that is made after that. ctx bounds the start only.
//
// wiretell ends with [Sidecar.Stop], with the test ([For]), when this process
// ends in whatever way, or after an hour, and then is removed. When c ends it
// captures no more.
func Attach(ctx context.Context, c testcontainers.Container, opts ...Option) (*Sidecar, error) {
	o := options{maxDuration: time.Hour}
	for _, f := range opts {
		f(&o)
	}
	s, err := attach(ctx, c, &o)
	if err != nil {
		return nil, fmt.Errorf("attach wiretell: %w", err)
	}
	if o.test != nil {
		n, forget := nthOf(o.test)
		o.nth = n
		o.test.Cleanup(func() {
			defer forget()
			// The test's own context is over by now.
			if err := s.end(context.Background(), o.records() && o.test.Failed()); err != nil {
				o.test.Errorf("wiretell: %v", err)
			}
			if o.test.Failed() {
				o.test.Log(s.Report())
				if o.records() {
					s.keep(&o)
				}
			}
		})
	}
	return s, nil
}

func attach(ctx context.Context, c testcontainers.Container, o *options) (_ *Sidecar, err error) {
	e, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	s := &Sidecar{engine: e, receiver: newReceiver(), ended: make(chan struct{}), over: make(chan struct{}), records: o.records()}
	defer func() {
		if err != nil {
			s.kill()
		}
	}()
	e.sweep(ctx)
	app, err := c.Inspect(ctx)
	if err != nil {
		return nil, fmt.Errorf("inspect the container: %w", err)
	}
	if app.State == nil || !app.State.Running {
		return nil, fmt.Errorf("container %s does not run", strings.TrimPrefix(app.Name, "/"))
	}
	if o.image == "" {
		if o.image, err = Image(ctx); err != nil {
			return nil, err
		}
	} else if err := e.pull(ctx, o.image); err != nil {
		return nil, err
	}
	ln, err := o.listen(ctx, e, app)
	if err != nil {
		return nil, err
	}
	if ln != nil {
		s.receiver.serve(ln)
	}
	if err := s.start(ctx, o, app, ln); err != nil {
		return nil, err
	}
	return s, s.await(ctx, ln)
}

// listen opens the receiver's port, or returns nil if telemetry comes through
// the output.
func (o *options) listen(ctx context.Context, e *engine, app *container.InspectResponse) (net.Listener, error) {
	if o.toOutput {
		return nil, nil
	}
	if o.receiver != "" {
		return net.Listen("tcp", o.receiver)
	}
	ln, err := e.listen(ctx, app)
	if err != nil { // there is another way
		return nil, nil
	}
	return ln, nil
}

// start creates and starts the container, its streams in hand from before its
// first breath.
func (s *Sidecar) start(ctx context.Context, o *options, app *container.InspectResponse, ln net.Listener) error {
	name := strings.TrimPrefix(app.Name, "/")
	s.image = o.image
	s.labels = testcontainers.GenericLabels() // so that Ryuk knows it, where there is one
	s.labels[label] = app.ID
	cmd := append([]string{"run", "--until-eof", "--duration=" + o.maxDuration.String()}, o.recordFlags()...)
	var volumes map[string]struct{}
	if o.records() {
		volumes = map[string]struct{}{recordings: {}}
	}
	env := []string{
		"OTEL_SERVICE_NAME=" + name,
		"OTEL_TRACES_SAMPLER=always_on", // a test wants all of them
		"OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_BLRP_SCHEDULE_DELAY=100", "OTEL_METRIC_EXPORT_INTERVAL=500",
		"WIRETELL_BESIDE_SDK=no", // kinds of spans tell the direction
		"WIRETELL_LISTEN=off",    // the ports are the application's
	}
	if ln != nil {
		env = append(env, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+ln.Addr().String())
	} else {
		cmd = append(cmd, "--otlp-json=-")
	}
	created, err := s.engine.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config: &container.Config{
			Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
			Image:       o.image, Cmd: append(cmd, o.flags...), Env: append(env, o.env...), Labels: s.labels, Volumes: volumes,
			OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true,
		},
		HostConfig: &container.HostConfig{
			NetworkMode: container.NetworkMode("container:" + app.ID), AutoRemove: true, ReadonlyRootfs: true,
			CapDrop: []string{"ALL"}, CapAdd: []string{"NET_RAW"},
			// The streams are read here; no log need be kept besides.
			LogConfig: container.LogConfig{Type: "none"},
		},
	})
	if err != nil {
		return fmt.Errorf("create its container: %w", err)
	}
	s.id = created.ID
	attached, err := s.engine.ContainerAttach(ctx, s.id, client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
	if err != nil {
		return fmt.Errorf("attach to its container: %w", err)
	}
	s.stream = attached.HijackedResponse
	// Not ctx: that ends with the start.
	s.exit = s.engine.ContainerWait(context.WithoutCancel(ctx), s.id, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	go s.read()
	if _, err := s.engine.ContainerStart(ctx, s.id, client.ContainerStartOptions{}); err != nil {
		return fmt.Errorf("start its container: %w", err)
	}
	return nil
}

// read takes what wiretell writes until it ends.
func (s *Sidecar) read() {
	defer close(s.ended)
	defer s.noMore()
	out := &lines{f: func(b []byte) {
		if err := s.receiver.line(b); err != nil {
			s.fail(err)
		}
	}}
	diagnostics := &lines{f: s.note}
	if _, err := stdcopy.StdCopy(out, diagnostics, s.stream.Reader); err != nil {
		s.fail(fmt.Errorf("read what it says: %w", err))
	}
	// A line that the end cut off.
	for _, l := range []*lines{out, diagnostics} {
		if len(l.rest) > 0 {
			_, _ = l.Write([]byte("\n"))
		}
	}
	select {
	case r := <-s.exit.Result:
		if r.StatusCode != 0 {
			s.fail(fmt.Errorf("it ended with exit code %d", r.StatusCode))
		}
	case err := <-s.exit.Error:
		s.fail(fmt.Errorf("learn its exit code: %w", err))
	case <-time.After(attachTimeout):
		s.fail(errors.New("its container did not end"))
	}
}

// noMore notes that nothing more will be captured; only read's goroutine calls it.
func (s *Sidecar) noMore() {
	select {
	case <-s.over:
	default:
		close(s.over)
	}
}

// note keeps a line of wiretell's standard error.
func (s *Sidecar) note(line []byte) {
	s.mu.Lock()
	s.log.Write(line)
	s.log.WriteByte('\n')
	s.mu.Unlock()
	if bytes.HasSuffix(line, []byte(": waiting for the end of standard input")) {
		s.noMore() // its network is gone
	}
	s.receiver.add(func(*telemetry) {}) // who waits looks again
}

func (s *Sidecar) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = errors.Join(s.err, err)
}

// await waits until wiretell captures and its telemetry arrives.
func (s *Sidecar) await(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithTimeout(ctx, attachTimeout)
	defer cancel()
	for {
		told, changed := s.receiver.snapshot()
		capturing := strings.Contains(s.Log(), "wiretell: capturing")
		if capturing && len(told.Metrics) > 0 {
			return nil
		}
		select {
		case <-changed:
		case <-s.over:
			return fmt.Errorf("%w\n%s", errors.Join(errors.New("it ended at once"), s.Err()), s.Log())
		case <-ctx.Done():
			if capturing && ln != nil {
				return fmt.Errorf("it captures, but does not reach this process at %s (a firewall?); ThroughOutput needs no such way: %w\n%s", ln.Addr(), ctx.Err(), s.Log())
			}
			return fmt.Errorf("it does not capture: %w\n%s", ctx.Err(), s.Log())
		}
	}
}

// Log returns what wiretell wrote on standard error.
func (s *Sidecar) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Err returns why wiretell has ended or telemetry was lost on the way here, or
// nil.
func (s *Sidecar) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Stop ends the capture. When it returns, wiretell has told everything that was
// on the wire before, and its container is gone. The telemetry stays readable.
func (s *Sidecar) Stop(ctx context.Context) error { return s.end(ctx, s.records) }

// end is Stop, which fetches the recordings if they may be wanted.
func (s *Sidecar) end(ctx context.Context, wanted bool) error {
	s.stop.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, attachTimeout)
		defer cancel()
		var fetch func(context.Context) ([]byte, error)
		if wanted {
			fetch, s.recordErr = s.hold(ctx)
		}
		// The end of standard input is wiretell's sign to stop.
		if err := s.stream.CloseWrite(); err != nil {
			s.stream.Close()
		}
		select {
		case <-s.ended:
		case <-ctx.Done():
			s.fail(fmt.Errorf("it did not stop: %w", ctx.Err()))
		}
		if fetch != nil {
			s.recorded, s.recordErr = fetch(ctx)
		}
		s.kill()
	})
	return s.Err()
}

// kill removes whatever is there.
func (s *Sidecar) kill() {
	if s.stream.Conn != nil {
		s.stream.Close()
	}
	if s.id != "" {
		select {
		case <-s.ended: // and so removed by the engine
		default:
			_, _ = s.engine.ContainerRemove(context.Background(), s.id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		}
	}
	s.receiver.close()
	_ = s.engine.Close()
}

// Telemetry returns all that wiretell told until now. After [Sidecar.Stop] that
// is all there was.
func (s *Sidecar) Telemetry() *Telemetry {
	t, _ := s.receiver.snapshot()
	return t
}

// Exchanges returns the HTTP exchanges told until now, in order of their
// beginning.
func (s *Sidecar) Exchanges() []Exchange { return s.Telemetry().Exchanges() }

// Spans returns the spans told until now.
func (s *Sidecar) Spans() []Span { return s.Telemetry().Spans }

// Metrics returns the latest value of each series.
func (s *Sidecar) Metrics() []Metric { return s.Telemetry().Metrics }

// Events returns the events told until now, without the diagnoses.
func (s *Sidecar) Events() []Event { return s.Telemetry().Events }

// Findings returns the diagnoses in their latest state, those that are cleared
// too.
func (s *Sidecar) Findings() []Finding { return s.Telemetry().Findings }

// WaitFor waits until all checks hold, over what was told until then. The error
// says which do not hold when ctx is over or wiretell has ended.
func (s *Sidecar) WaitFor(ctx context.Context, checks ...Check) error {
	for {
		t, changed := s.receiver.snapshot()
		err := t.Holds(checks...)
		if err == nil {
			return nil
		}
		select {
		case <-changed:
			continue
		case <-s.over:
			if t, _ := s.receiver.snapshot(); t.Holds(checks...) == nil {
				return nil
			}
			return errors.Join(err, errors.New("nothing more is captured"), s.Err())
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// Expect stops the sidecar, so that nothing is still under way, and fails the
// test for each check that does not hold.
func (s *Sidecar) Expect(t testing.TB, checks ...Check) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("wiretell: %v\n%s", err, s.Log())
	}
	told := s.Telemetry()
	for _, c := range checks {
		if err := c.Holds(told); err != nil {
			t.Error(err)
		}
	}
}

// Report returns what wiretell saw as text for people.
func (s *Sidecar) Report() string {
	t := s.Telemetry()
	var b strings.Builder
	section := func(title string, n int, line func(i int) string) {
		if n > 0 {
			fmt.Fprintf(&b, "%s:\n", title)
		}
		for i := range min(n, 100) {
			fmt.Fprintf(&b, "  %s\n", line(i))
		}
		if n > 100 {
			fmt.Fprintf(&b, "  and %d more\n", n-100)
		}
	}
	exchanges := t.Exchanges()
	findings := slices.DeleteFunc(t.Findings, func(f Finding) bool { return f.State == "cleared" })
	b.WriteString("what wiretell saw\n")
	section("exchanges", len(exchanges), func(i int) string { return exchanges[i].String() })
	section("events", len(t.Events), func(i int) string { return t.Events[i].String() })
	section("findings", len(findings), func(i int) string { return findings[i].String() })
	if log := strings.Split(strings.TrimSpace(s.Log()), "\n"); log[0] != "" {
		section("standard error", len(log), func(i int) string { return log[i] })
	}
	return b.String()
}
