package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/afpacket"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/capture/netns"
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
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Capture live in this network namespace; needs CAP_NET_RAW",
		Long: `run captures the network namespace it is started in until it is told to stop
(SIGTERM, SIGINT, --duration), and exports what it learns while it goes.

It needs CAP_NET_RAW and nothing else, and drops it once its sockets are open.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSettings(cmd, func() error { return f.run(cmd) })
		},
	}
	f.add(cmd.Flags())
	fl := cmd.Flags()
	fl.StringSliceVar(&f.interfaces, "interface", nil, "capture on these `interfaces` only; by default on all, those that come later too")
	fl.IntVar(&f.ringMiB, "ring-mib", afpacket.DefaultRingBytes>>20, "memory of the capture rings in `MiB`; it is not charged to the container's limit")
	fl.IntVar(&f.snapLen, "snaplen", 262144, "most `bytes` kept of a frame")
	fl.DurationVar(&f.duration, "duration", 0, "stop after this time; 0 runs until told to stop")
	fl.DurationVar(&f.deadline, "shutdown-timeout", 10*time.Second, "how long to wait for exporters when stopping")
	fl.DurationVar(&f.window, "diagnosis-window", 30*time.Second, "how much traffic the diagnosis weighs at a time")
	fl.StringVar(&f.whenDenied, "when-denied", "exit", "without the permission to capture: `exit`, or stay and publish the diagnosis")
	addSettings(cmd)
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command) error {
	if f.whenDenied != "exit" && f.whenDenied != "stay" {
		return usagef("--when-denied: %q is neither exit nor stay", f.whenDenied)
	}
	if f.ringMiB < 1 || f.ringMiB > afpacket.MaxRingBytes>>20 {
		return usagef("--ring-mib must be from 1 to %d", afpacket.MaxRingBytes>>20)
	}
	if f.window < time.Second {
		return usagef("--diagnosis-window must be at least 1s")
	}
	p := &pipeline{flags: &f.observeFlags, stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), live: true}
	cfg, prog, err := f.observerConfig(capture.LinkEthernet)
	if err != nil {
		return err
	}
	cfg.SnapshotEvery = time.Second
	p.observer = cfg
	ring := afpacket.Config{Interfaces: f.interfaces, RingBytes: f.ringMiB << 20, SnapLen: f.snapLen}
	facts := diagnosis.CaptureFacts{Live: true, Interfaces: f.interfaces, RingAsked: f.ringMiB << 20, Snaplen: f.snapLen}
	if prog != nil {
		ring.Filter = prog.Raw()
		facts.FilterExpr, facts.FilterPorts = prog.Expr(), filterPorts(prog)
	}
	// The sockets come before the exporters: what they say of the permission is
	// the first thing to publish.
	src, openErr := afpacket.Open(ring)
	if openErr == nil {
		defer src.Close()
		if err := afpacket.DropPrivileges(); err != nil {
			return failed(fmt.Errorf("drop privileges: %w", err), "")
		}
		facts.RingGot = src.RingBytes()
		for _, n := range src.Notes() {
			p.say("%s", n)
			if n.Kind == afpacket.NoteInterfaceMissing {
				facts.Missing = append(facts.Missing, n.Interface)
			}
		}
	}
	facts.Err = openErr
	if err := p.exporters(environ); err != nil {
		return err
	}
	p.desk.Facts = facts
	p.desk.Tree = diagnosis.New(diagnosis.Config{Window: f.window})
	p.desk.Kernel = netns.NewReader(netns.Options{}).Read
	p.desk.KernelEvery = min(f.window, 10*time.Second)
	p.desk.Found = p.found
	if openErr != nil {
		return f.denied(cmd.Context(), p, openErr)
	}
	return f.capture(p, src)
}

// capture runs until a signal, the end of --duration, or a failure.
func (f *runFlags) capture(p *pipeline, src stopper) error {
	stop := f.stopOn(p, src.Stop)
	defer stop()
	p.say("capturing%s", onInterfaces(f.interfaces))
	_, err := p.run(src)
	p.shutdown(f.deadline)
	p.conclude()
	if err != nil {
		return &exitError{code: exitInternal, err: err}
	}
	return nil
}

// stopper is a Source that can be told to end.
type stopper interface {
	capture.Source
	// Stop makes Next return what is waiting and then io.EOF.
	Stop()
}

// stopOn calls stop at the first signal or when the duration is over; a second
// signal ends the process at once.
func (f *runFlags) stopOn(p *pipeline, stop func()) (cancel func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	done := make(chan struct{})
	var end <-chan time.Time
	if f.duration > 0 {
		timer := time.NewTimer(f.duration)
		end = timer.C
	}
	go func() {
		select {
		case s := <-signals:
			p.say("%v: stopping", s)
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

// found prints findings for a person as they change.
func (p *pipeline) found(findings []diagnosis.Finding) {
	if p.flags.quiet {
		return
	}
	for i := range findings {
		if fd := &findings[i]; fd.State != diagnosis.Holding {
			fmt.Fprint(p.stderr, describe(fd))
		}
	}
}

// describe formats a finding as a short block for a person.
func describe(f *diagnosis.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s] %s %s: %s\n", f.Severity, f.ID, f.State, f.Body)
	if f.State == diagnosis.Cleared {
		return b.String()
	}
	for _, part := range []string{f.Remedy.Summary, f.Remedy.Command, f.Remedy.Manifest} {
		for line := range strings.Lines(part) {
			fmt.Fprintf(&b, "    %s\n", strings.TrimRight(line, "\n"))
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
func (f *runFlags) denied(ctx context.Context, p *pipeline, openErr error) error {
	code := exitFailed
	if errors.Is(openErr, afpacket.ErrNotPermitted) {
		code = exitNotAllow
	}
	blind := &blindSource{every: time.Second, end: make(chan struct{})}
	if f.whenDenied == "stay" {
		stop := f.stopOn(p, blind.Stop)
		defer stop()
		p.say("nothing can be captured (%v); staying to publish the diagnosis", openErr)
	} else {
		blind.Stop()
	}
	findings, err := p.run(blind)
	p.shutdown(f.deadline)
	if f.whenDenied == "stay" {
		p.conclude()
		return err
	}
	var b strings.Builder
	for i := range findings {
		b.WriteString(describe(&findings[i]))
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
