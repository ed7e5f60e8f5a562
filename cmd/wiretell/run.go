package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/afpacket"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/capture/netns"
	"github.com/wiretell/wiretell/exporter/endpoint"
	"github.com/wiretell/wiretell/exporter/otel"
)

type runFlags struct {
	observeFlags
	interfaces []string
	ringMiB    int
	snapLen    int
	duration   time.Duration
	deadline   time.Duration
	window     time.Duration
	whenDenied string
	listen     string
	termLog    string
	untilEOF   bool
}

func newRun(proc process) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Capture live in this network namespace; needs CAP_NET_RAW",
		Long: `run captures the network namespace it is started in until it is told to stop
(SIGTERM, SIGINT, --duration), and exports what it learns while it goes.

It needs CAP_NET_RAW and nothing else, and drops it once its sockets are open.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSettings(cmd, proc, func() error { return f.run(proc) })
		},
	}
	f.add(cmd.Flags())
	fl := cmd.Flags()
	f.addCapture(fl)
	fl.DurationVar(&f.duration, "duration", 0, "stop after this time; 0 runs until told to stop")
	fl.DurationVar(&f.deadline, "shutdown-timeout", 9*time.Second, "how long the end may take")
	fl.DurationVar(&f.window, "diagnosis-window", 30*time.Second, "how much traffic the diagnosis weighs at a time")
	fl.BoolVar(&f.untilEOF, "until-eof", false, "stop too when standard input ends, as it does when who started wiretell is gone")
	fl.StringVar(&f.whenDenied, "when-denied", "exit", "what to do without the permission to capture, by `mode`: exit, or stay and publish the diagnosis")
	fl.StringVar(&f.termLog, "termination-log", defaultTerminationLog, "write the conclusion to this `file` at the end, as Kubernetes shows it; the default only where it exists")
	addSettings(cmd)
	completeWords(cmd)
	return cmd
}

// addCapture adds the settings of a live capture that run and doctor share.
func (f *runFlags) addCapture(fl *pflag.FlagSet) {
	fl.StringSliceVar(&f.interfaces, "interface", nil, "capture on these `interfaces` only; by default on all, those that come later too")
	fl.IntVar(&f.ringMiB, "ring-mib", afpacket.DefaultRingBytes>>20, "memory of the capture rings in `MiB`; it is not charged to the container's limit")
	fl.IntVar(&f.snapLen, "snaplen", 262144, "most `bytes` kept of a frame")
	addListen(fl, &f.listen)
}

// check reports settings that cannot be meant.
func (f *runFlags) check() error {
	switch {
	case !slices.Contains(deniedModes, f.whenDenied):
		return usagef("--when-denied: %q is not one of %s", f.whenDenied, strings.Join(deniedModes, ", "))
	case checkListen(f.listen) != nil:
		return checkListen(f.listen)
	case f.window < time.Second:
		return usagef("--diagnosis-window must be at least 1s")
	case f.duration < 0:
		return usagef("--duration must not be negative")
	case f.deadline < 0:
		return usagef("--shutdown-timeout must not be negative")
	case f.ringMiB < 1 || f.ringMiB > afpacket.MaxRingBytes>>20:
		return usagef("--ring-mib must be from 1 to %d", afpacket.MaxRingBytes>>20)
	case f.snapLen < afpacket.DefaultHeaderBytes || int64(f.snapLen) > math.MaxInt32:
		return usagef("--snaplen must be from %d to %d", afpacket.DefaultHeaderBytes, math.MaxInt32)
	case len(f.interfaces) > afpacket.MaxInterfaces:
		return usagef("--interface: more than %d are named", afpacket.MaxInterfaces)
	}
	for i, name := range f.interfaces {
		if name == "" || len(name) > 15 || strings.ContainsAny(name, "/ \t\n") {
			return usagef("--interface: %q is no interface name", name)
		}
		if slices.Contains(f.interfaces[:i], name) {
			return usagef("--interface: %s is named twice", name)
		}
	}
	return nil
}

func (f *runFlags) run(proc process) (err error) {
	p := &pipeline{flags: &f.observeFlags, process: proc, live: true, deadline: f.deadline}
	defer func() { f.lastWords(p, err) }()
	if err := f.check(); err != nil {
		return err
	}
	// The sockets come before the exporters: what they say of the permission is
	// the first thing to publish. A low port may need a capability, too.
	p.exposed = f.listen != listenOff
	local, listenErr := listen(f.listen)
	facts := &p.desk.Facts
	if local != nil {
		defer local.Close()
		at := local.Addr().(*net.TCPAddr).AddrPort()
		p.own.Listen(at)
		facts.OwnPorts = []uint16{at.Port()}
	}
	facts.Endpoint, facts.EndpointErr = f.listen, listenErr
	src, err := f.open(p)
	if err != nil {
		return err
	}
	if src != nil {
		defer src.Close()
	}
	if err := p.exporters(); err != nil {
		return err
	}
	if local != nil {
		p.desk.Watched = true
		answering := endpoint.Serve(local, endpoint.Config{
			Status: p.desk.Status, Metrics: p.metrics, MetricsType: otel.MetricsContentType,
			// A client that misbehaves is no news to whoever reads wiretell's output.
			Server: &http.Server{ErrorLog: log.New(io.Discard, "", 0)},
		})
		defer answering.Close()
		p.say("answering at http://%s (/healthz /readyz /diagnosis /metrics)", local.Addr())
	}
	if listenErr != nil {
		p.say("warning: --listen %s: %v; nobody can ask this wiretell", f.listen, listenErr)
	}
	f.diagnose(p)
	p.desk.Found = p.found
	defer tablesOnSignal(p)()
	if src == nil {
		return f.denied(p, facts.Err)
	}
	if err := p.record(src); err != nil {
		return err
	}
	return f.capture(p, src)
}

// open opens the capture and gives up the privileges for it; what it learns goes into the
// desk's facts. Without an error src is nil when the capture could not be
// opened: Facts.Err says why.
func (f *runFlags) open(p *pipeline) (src *afpacket.Source, err error) {
	cfg, prog, err := f.observerConfig(capture.LinkEthernet)
	if err != nil {
		return nil, err
	}
	cfg.SnapshotEvery = time.Second
	p.observer = cfg
	ring := afpacket.Config{Interfaces: f.interfaces, RingBytes: f.ringMiB << 20, SnapLen: f.snapLen}
	facts := &p.desk.Facts
	facts.Live, facts.Interfaces, facts.RingAsked, facts.Snaplen = true, f.interfaces, f.ringMiB<<20, f.snapLen
	facts.Own, facts.Selection = &p.own, f.selection
	if prog != nil {
		ring.Filter = prog.Raw()
		facts.FilterExpr, facts.FilterPorts = prog.Expr(), filterPorts(prog)
	}
	src, facts.Err = afpacket.Open(ring)
	if ring.Filter != nil && errors.Is(facts.Err, afpacket.ErrFilter) {
		// The spine filters what the kernel does not.
		ring.Filter, facts.FilterErr = nil, facts.Err
		src, facts.Err = afpacket.Open(ring)
	}
	if facts.Err != nil {
		return nil, nil
	}
	if err := afpacket.DropPrivileges(); err != nil {
		src.Close()
		return nil, failed(fmt.Errorf("drop privileges: %w", err), "")
	}
	facts.RingGot = src.RingBytes()
	for _, n := range src.Notes() {
		p.say("%s", n)
		if n.Kind == afpacket.NoteInterfaceMissing {
			facts.Missing = append(facts.Missing, n.Interface)
		}
	}
	return src, nil
}

// diagnose sets the desk up for a live capture.
func (f *runFlags) diagnose(p *pipeline) {
	p.desk.Tree = diagnosis.New(diagnosis.Config{Window: f.window})
	p.desk.Kernel = netns.NewReader(netns.Options{}).Read
	p.desk.KernelEvery = min(f.window, 10*time.Second)
}

// capture runs until a signal, the end of --duration, or a failure.
func (f *runFlags) capture(p *pipeline, src stopper) error {
	stop := f.stopOn(p, src.Stop)
	defer stop()
	p.stdout.catchPipe(func() {
		p.say("nobody reads standard output any more: stopping")
		src.Stop()
	})
	p.say("capturing%s", onInterfaces(f.interfaces))
	_, err := p.run(src)
	p.shutdown() // what an outage cost is told, and is no failure of the capture
	bad := p.conclude()
	if errors.Is(err, afpacket.ErrLeft) {
		return &exitError{code: exitLost, err: err, hint: "restart wiretell, so that it joins the application's new network namespace; a restart policy does that"}
	}
	if err != nil {
		return failed(fmt.Errorf("the capture ended: %w", err), "")
	}
	return bad
}

// stopper is a Source that can be told to end.
type stopper interface {
	capture.Source
	// Stop makes Next return what is waiting and then io.EOF.
	Stop()
}

// stopOn calls stop at the first signal, when the duration is over, or when
// standard input ends, if that is asked for; a second signal ends the process
// at once.
func (f *runFlags) stopOn(p *pipeline, stop func()) (cancel func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	done := make(chan struct{})
	var end <-chan time.Time
	if f.duration > 0 {
		timer := time.NewTimer(f.duration)
		end = timer.C
	}
	var eof chan struct{}
	if f.untilEOF {
		eof = make(chan struct{})
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // an input that fails has ended too
			close(eof)
		}()
	}
	go func() {
		select {
		case s := <-signals:
			p.say("%v: stopping", s)
		case <-eof:
			p.say("standard input ended: stopping")
		case <-end:
		case <-done:
			return
		}
		stop()
		select {
		case <-signals:
			os.Exit(exitFailed)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}

// found prints findings for a person as they change, unless they are printed
// as text to the same place.
func (p *pipeline) found(findings []diagnosis.Finding) {
	if p.flags.quiet || p.printing && p.stdout.isFile(p.stderr) {
		return
	}
	for i := range findings {
		if fd := &findings[i]; fd.State != diagnosis.Holding {
			fmt.Fprint(p.stderr, describe(fd, fd.State == diagnosis.Raised))
		}
	}
}

// describe formats a finding as a short block for a person, with or without its
// remedy: what only changed or cleared needs none again.
func describe(f *diagnosis.Finding, remedy bool) string {
	var b strings.Builder
	state := ""
	if f.State != diagnosis.Raised {
		state = " " + f.State.String()
	}
	fmt.Fprintf(&b, "[%s] %s%s: %s\n", f.Severity, f.ID, state, f.Body)
	if !remedy {
		return b.String()
	}
	for _, part := range []struct{ before, text string }{{"", f.Remedy.Summary}, {"$ ", f.Remedy.Command}, {"", f.Remedy.Manifest}} {
		for line := range strings.Lines(part.text) {
			fmt.Fprintf(&b, "    %s%s\n", part.before, strings.TrimRight(line, "\n"))
		}
	}
	return b.String()
}

func onInterfaces(names []string) string {
	if len(names) == 0 {
		return " on all interfaces"
	}
	return " on " + strings.Join(names, ", ")
}

// denied handles a capture that could not be opened: the diagnosis is published
// and, as was asked for, the program ends or stays.
func (f *runFlags) denied(p *pipeline, openErr error) error {
	code := exitFailed
	if errors.Is(openErr, afpacket.ErrNotPermitted) {
		code = exitNotAllow
	}
	blind := &blindSource{every: time.Second, end: make(chan struct{})}
	if f.whenDenied == "stay" {
		stop := f.stopOn(p, blind.Stop)
		defer stop()
		p.stdout.catchPipe(blind.Stop)
		p.say("nothing can be captured (%v); staying to publish the diagnosis", openErr)
	} else {
		p.desk.Found = nil // they are all told below, whatever --quiet says
		blind.Stop()
	}
	findings, err := p.run(blind)
	p.shutdown()
	if f.whenDenied == "stay" {
		return errors.Join(err, p.conclude())
	}
	var b strings.Builder
	for i := range findings {
		findings[i].State = diagnosis.Raised
		b.WriteString(describe(&findings[i], true))
	}
	fmt.Fprint(p.stderr, b.String())
	return &exitError{code: code, err: openErr}
}

// blindSource has no frame, only the time: it keeps the diagnosis going where
// nothing can be captured.
type blindSource struct {
	every time.Duration
	told  bool
	once  sync.Once
	end   chan struct{}
}

func (s *blindSource) Next(f *capture.Frame) error {
	f.Time = capture.TimeOf(time.Now())
	if !s.told { // the time, before anything else
		s.told = true
		return capture.ErrIdle
	}
	select {
	case <-s.end:
		return io.EOF
	case <-time.After(s.every):
		return capture.ErrIdle
	}
}

func (s *blindSource) Stats(st *capture.SourceStats) {
	st.Interfaces, st.Rings = st.Interfaces[:0], st.Rings[:0]
}

func (s *blindSource) Stop()        { s.once.Do(func() { close(s.end) }) }
func (s *blindSource) Close() error { s.Stop(); return nil }
