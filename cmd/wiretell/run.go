package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/afpacket"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/exporter/endpoint"
	"github.com/wiretell/wiretell/exporter/otel"
	"github.com/wiretell/wiretell/exporter/pipeline"
)

type runFlags struct {
	observeFlags
	pipeline.Live
	duration time.Duration
	listen   string
	termLog  string
	untilEOF bool
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
			return withSettings(cmd, proc, f.check, func() error { return f.run(proc) })
		},
	}
	f.add(cmd.Flags())
	fl := cmd.Flags()
	f.addLive(fl)
	fl.DurationVar(&f.duration, "duration", 0, "stop after this time; 0 runs until told to stop")
	fl.DurationVar(&f.Deadline, "shutdown-timeout", f.Deadline, "how long the end may take at most")
	fl.DurationVar(&f.Window, "diagnosis-window", f.Window, "how much traffic the diagnosis weighs at a time")
	fl.BoolVar(&f.untilEOF, "until-eof", false, "stop too when standard input ends, as it does when who started wiretell is gone")
	fl.StringVar(&f.WhenDenied, "when-denied", f.WhenDenied, "what to do without the permission to capture, by `mode`: exit, or stay and publish the diagnosis")
	fl.StringVar(&f.termLog, "termination-log", defaultTerminationLog, "write the conclusion to this `file` at the end, as Kubernetes shows it; the default only where it exists")
	addSettings(cmd)
	completeWords(cmd)
	return cmd
}

// addLive adds the settings of a live capture that run and doctor share.
func (f *runFlags) addLive(fl *pflag.FlagSet) {
	f.Live = pipeline.DefaultLive()
	fl.StringSliceVar(&f.Interfaces, "interface", nil, "capture on these `interfaces` only; by default on all, those that come later too")
	fl.IntVar(&f.RingMiB, "ring-mib", f.RingMiB, "memory of the capture rings in `MiB`; it is not charged to the container's limit")
	fl.IntVar(&f.SnapLen, "snaplen", f.SnapLen, "most `bytes` kept of a frame")
	addListen(fl, &f.listen)
}

// check reports settings that cannot be meant.
func (f *runFlags) check() error {
	switch {
	case checkListen(f.listen) != nil:
		return checkListen(f.listen)
	case f.duration < 0:
		return usagef("--duration must not be negative")
	}
	if err := f.CheckLive(&f.Live); err != nil {
		return err
	}
	return f.observeFlags.check()
}

func (f *runFlags) run(proc process) (err error) {
	p := &job{flags: &f.observeFlags, process: proc}
	defer func() { f.lastWords(p, err) }()
	if err := f.check(); err != nil {
		return err
	}
	p.stderr.detach()
	defer func() { p.stderr.deadline, _ = p.Ending().Deadline() }()
	// The sockets come before the exporters: what they say of the permission is
	// the first thing to publish. A low port may need a capability, too.
	p.exposed = f.listen != listenOff
	local, listenErr := listen(f.listen)
	facts := &p.Desk.Facts
	if local != nil {
		defer local.Close()
		at := local.Addr().(*net.TCPAddr).AddrPort()
		p.Own.Listen(at)
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
	if src != nil {
		if err := p.record(src); err != nil {
			return err
		}
	}
	if local != nil {
		p.Desk.Watched = true
		answering := endpoint.Serve(local, endpoint.Config{
			Status: p.Desk.Status, Metrics: p.metrics, MetricsType: otel.MetricsContentType,
			// A client that misbehaves is no news to whoever reads wiretell's output.
			Server: &http.Server{ErrorLog: log.New(io.Discard, "", 0)},
			Failed: func(err error) {
				p.Desk.Mute(err)
				p.say("warning: nobody is answered at %s any more: %v", local.Addr(), err)
			},
		})
		defer answering.Close()
		p.say("answering at http://%s (/healthz /readyz /diagnosis /metrics)", local.Addr())
	}
	if listenErr != nil {
		p.say("warning: --listen %s: %v; nobody can ask this wiretell", f.listen, listenErr)
	}
	p.Desk.Found = p.found
	defer tablesOnSignal(p)()
	if src == nil {
		return f.denied(p, facts.Err)
	}
	return f.capture(p, src)
}

// open opens the capture and gives up the privileges for it. Without an error
// src is nil when the capture could not be opened: the facts say why.
func (f *runFlags) open(p *job) (src *afpacket.Source, err error) {
	src, err = p.Open(&f.Settings, &f.Live)
	if src == nil || err != nil {
		return nil, err
	}
	if err := afpacket.DropPrivileges(); err != nil {
		src.Close()
		return nil, failed(fmt.Errorf("drop privileges: %w", err), "")
	}
	for _, n := range src.Notes() {
		p.say("%s", n)
	}
	return src, nil
}

// capture runs until a signal, the end of --duration, or a failure.
func (f *runFlags) capture(p *job, src stopper) error {
	told, stop := f.stopOn(p, src.Stop)
	defer stop()
	p.stdout.catchPipe(func() {
		p.say("nobody reads standard output any more: stopping")
		src.Stop()
	})
	p.say("capturing%s", onInterfaces(f.Interfaces))
	_, err := p.run(src)
	p.shutdown() // what an outage cost is told, and is no failure of the capture
	bad := p.conclude()
	if errors.Is(err, afpacket.ErrLeft) {
		if f.untilEOF { // who started it may want the recordings, which go with a container
			p.say("%v: waiting for the end of standard input", err)
			<-told
		}
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

// sameSignal is how long a signal counts for the one before it: timeout(1) sends its
// signal to the process and to its group, which is one request to end, not two.
const sameSignal = 250 * time.Millisecond

// stopOn calls stop, and closes told, at the first signal, when the duration is
// over, or when standard input ends, if that is asked for; a signal after that ends
// the process at once.
func (f *runFlags) stopOn(p *job, stop func()) (told <-chan struct{}, cancel func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	stopped, done := make(chan struct{}), make(chan struct{})
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
		first := time.Now()
		close(stopped)
		stop()
		for {
			select {
			case <-signals:
				if time.Since(first) > sameSignal {
					os.Exit(exitFailed)
				}
			case <-done:
				return
			}
		}
	}()
	return stopped, func() {
		signal.Stop(signals)
		close(done)
	}
}

// found prints findings for a person as they change, unless they are printed
// as text to the same place.
func (p *job) found(findings []diagnosis.Finding) {
	if p.flags.quiet || p.printing && p.stdout.isFile(p.stderr.w) {
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
func (f *runFlags) denied(p *job, openErr error) error {
	code := exitFailed
	if errors.Is(openErr, afpacket.ErrNotPermitted) {
		code = exitNotAllow
	}
	blind := pipeline.NewBlind()
	if f.WhenDenied == pipeline.Stay {
		_, stop := f.stopOn(p, blind.Stop)
		defer stop()
		p.stdout.catchPipe(blind.Stop)
		p.say("nothing can be captured (%v); staying to publish the diagnosis", openErr)
	} else {
		p.Desk.Found = nil // they are all told below, whatever --quiet says
		blind.Stop()
	}
	findings, err := p.run(blind)
	p.shutdown()
	if f.WhenDenied == pipeline.Stay {
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
