package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/capture/observer"
	"github.com/wiretell/wiretell/exporter"
	"github.com/wiretell/wiretell/exporter/otel"
	"github.com/wiretell/wiretell/exporter/text"
)

// queueBatches is how many batches wait for the desk at most. A batch holds
// 512 observations and some: this is a second's worth of heavy traffic.
const queueBatches = 64

// pipeline is the whole way from a source to the exporters.
type pipeline struct {
	flags    *observeFlags
	observer observer.Config
	desk     exporter.Desk
	own      capture.OwnFlows
	live     bool
	exposed  bool // the local endpoint has the metrics
	terse    bool // nobody but the diagnosis listens
	last     capture.Snapshot
	panics   int                                    // parsers that failed
	metrics  func(context.Context, io.Writer) error // nil without an OpenTelemetry exporter
	printing bool                                   // lines of text go to standard output

	// deadline is how long the end may take, from the end of the source on.
	deadline time.Duration
	ending   context.Context // that deadline, once it runs
	stuck    bool            // an exporter did not take what there was in time

	process
}

// exporters makes the exporters that the settings and the OTEL_* variables name.
func (p *pipeline) exporters() error {
	cfg, warnings, err := otel.ConfigFromEnv(p.env.get)
	for i, w := range warnings {
		if slices.Contains(warnings[:i], w) { // of several signals
			continue
		}
		p.say("warning: %s", w)
	}
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	selection, err := p.flags.selector()
	if err != nil {
		return err
	}
	cfg.Select = selection
	wanted := p.flags.exporters
	if len(wanted) == 0 {
		switch {
		case p.flags.jsonPath != "":
		case cfg.Configured:
			wanted = []string{"otlp"}
		default:
			wanted = []string{"text"}
			p.say("no OTEL_* variable names an exporter or endpoint: printing one line per observation; OTEL_EXPORTER_OTLP_ENDPOINT sends them to a Collector")
		}
	}
	p.terse = p.flags.jsonPath == "" && slices.Equal(wanted, []string{"none"})
	otlp := false
	for _, w := range wanted {
		switch w {
		case "none":
		case "text":
			x := text.New(p.stdout)
			x.Redactor = exporter.NewRedactor(exporter.Redaction(p.flags.redact), nil)
			x.Select = selection
			p.desk.Exporters = append(p.desk.Exporters, x)
		case "otlp":
			otlp = true
		case "prometheus":
			if !p.exposed {
				return usagef("--exporter prometheus is the local endpoint's: it needs wiretell run, and --listen")
			}
		default:
			return usagef("--exporter: %q is not one of %s", w, strings.Join(exporterNames, ", "))
		}
	}
	if !otlp && p.flags.jsonPath == "" && !p.exposed {
		return nil
	}
	if !otlp { // the file or the local endpoint alone
		cfg.Traces.Exporter, cfg.Metrics.Exporter, cfg.Logs.Exporter = otel.ExporterNone, otel.ExporterNone, otel.ExporterNone
	}
	cfg.Version = version
	cfg.JSONPath = p.flags.jsonPath
	if cfg.JSONPath == "-" {
		cfg.JSON = p.stdout
	}
	cfg.Redaction = exporter.Redaction(p.flags.redact)
	cfg.UnsafeHeaders = p.flags.unsafeHeaders
	cfg.Routes = p.flags.routes
	cfg.Beside = otel.Beside(p.flags.besideSDK)
	cfg.QueueBytes = p.flags.queueBytes
	if !p.live {
		// A file is in no hurry: the same output each time, nothing dropped, and
		// targets as long as the parser keeps them.
		cfg.Deterministic, cfg.Wait = true, true
		if cfg.AttributeLimit == 0 {
			cfg.AttributeLimit = 8 << 10
		}
	}
	cfg.OwnFlows = &p.own
	cfg.Exposed = p.exposed && !p.terse // in a terse run there is nothing to make histograms of
	cfg.Coverage = p.desk.Coverage
	cfg.ReassemblyBytes = p.flags.reassembly
	x, err := otel.New(cfg)
	var path *fs.PathError
	switch {
	case err == nil:
	case errors.As(err, &path) && path.Path == cfg.JSONPath:
		return failed(fmt.Errorf("--otlp-json %s: %w", path.Path, path.Err), "")
	default:
		return &exitError{code: exitUsage, err: err}
	}
	p.desk.Exporters = append(p.desk.Exporters, x)
	p.metrics = x.WriteMetrics
	return nil
}

// run observes src to its end and returns the findings that hold then.
func (p *pipeline) run(src capture.Source) ([]diagnosis.Finding, error) {
	cfg := p.observer
	p.desk.Queue = exporter.NewQueue(queueBatches)
	cfg.Empty = p.desk.Queue.Empty
	cfg.Offer = p.desk.Queue.Put
	if p.live {
		cfg.Offer = p.desk.Queue.Offer
		cfg.Own = &p.own // a file may hold the same addresses and ports by chance
		cfg.Last = func(b *capture.Batch) bool {
			p.end()
			return p.desk.Queue.PutUntil(p.ending.Done(), b)
		}
	}
	cfg.Panicked = p.panicked
	cfg.Terse = p.terse && cfg.Recorder == nil
	var lines packetLines
	if p.flags.debug {
		lines.w = p.stderr
		cfg.Packet = lines.packet
	}
	if p.flags.meshDedup != "off" && !p.terse {
		p.desk.Twins = exporter.NewTwins()
	}
	var findings []diagnosis.Finding
	done := make(chan struct{})
	go func() {
		defer close(done)
		findings = p.desk.Run()
	}()
	o := observer.New(cfg, src)
	err := o.Run()
	lines.rest()
	p.desk.Queue.Close()
	o.Counters().CopyTo(&p.last)
	src.Stats(&p.last.Source)
	if cfg.Recorder != nil {
		cfg.Recorder.Stats(&p.last.Recording)
	}
	if !p.live { // a file's reader waits for whoever takes its output
		<-done
		return findings, err
	}
	p.end()
	select {
	case <-done:
		return findings, err
	case <-p.ending.Done():
		p.stuck = true
		return nil, err
	}
}

// end begins the time that the end may take.
func (p *pipeline) end() {
	if p.ending == nil {
		var cancel context.CancelFunc
		p.ending, cancel = context.WithTimeout(context.Background(), p.deadline)
		context.AfterFunc(p.ending, cancel)
	}
}

// panicked tells of the first parser that failed: more would only repeat it, and
// the ledger counts them.
func (p *pipeline) panicked(where string) {
	if p.panics++; p.panics == 1 {
		fmt.Fprintf(p.stderr, "wiretell: internal error: a parser failed in %s; its connection is put aside; please report this\n", where)
	}
}

// shutdown ends the exporters within the deadline, says what was lost, and
// reports whether anything was.
func (p *pipeline) shutdown() (anyLost bool) {
	if p.stuck {
		p.say("the output took nothing for %v: what it was to say last is lost", p.deadline)
		return true
	}
	p.end()
	err := p.desk.Shutdown(p.ending)
	for _, h := range p.desk.Health() {
		if lost := lossOf(&h); lost != "" {
			anyLost = true
			p.say("%s", lost)
		}
	}
	if err != nil && !anyLost {
		anyLost = true
		p.say("export: %v", err)
	}
	return anyLost
}

// lossOf says what an exporter lost of a signal, "" when nothing.
func lossOf(h *diagnosis.ExportHealth) string {
	var lost []string
	for _, why := range slices.Sorted(maps.Keys(h.Dropped)) {
		if n := h.Dropped[why]; n > 0 {
			lost = append(lost, fmt.Sprintf("%d %s", n, why))
		}
	}
	if h.Rejected > 0 {
		lost = append(lost, fmt.Sprintf("%d rejected", h.Rejected))
	}
	if len(lost) == 0 {
		return ""
	}
	to, why := "", ""
	if h.Endpoint != "" && h.Endpoint != "-" {
		to = " to " + h.Endpoint
	}
	if h.LastError != "" {
		why = " (" + h.LastError + ")"
	}
	return fmt.Sprintf("%s %s: %d of %d records exported%s, lost: %s%s", h.Exporter, h.Signal, h.Exported, h.Created, to, strings.Join(lost, ", "), why)
}

// report returns what the run came to. Of a run whose desk is stuck, which owns the
// findings, only the counters are known.
func (p *pipeline) report() diagnosis.Report {
	if p.stuck {
		return diagnosis.NewReport(p.last.Time, diagnosis.Input{Snapshot: &p.last, Capture: p.desk.Facts}, nil)
	}
	return p.desk.Report
}

// conclude prints what a person should know at the end, always when nothing
// useful was seen. It returns an error when the books do not balance.
func (p *pipeline) conclude() error {
	if p.flags.debug {
		writeTables(p.stderr, &p.last)
	}
	if p.stuck { // the desk owns its findings, and is not to be had
		fmt.Fprint(p.stderr, p.report().Text)
		return failed(errors.New("the output was blocked to the end"), "")
	}
	p.tellRecording()
	if s := p.report(); !p.flags.quiet || !s.Useful {
		fmt.Fprint(p.stderr, s.Text)
	}
	var errs []error
	for _, i := range p.last.Ledger.Check() {
		errs = append(errs, i)
	}
	if p.panics > 0 {
		errs = append(errs, fmt.Errorf("parsers failed %d times", p.panics))
	}
	if err := errors.Join(errs...); err != nil {
		return &exitError{code: exitInternal, err: err, hint: "please report this, with the capture if it may be shown"}
	}
	return nil
}

// say prints a line for a person, unless --quiet is set.
func (p *pipeline) say(format string, args ...any) {
	if p.flags.quiet {
		return
	}
	fmt.Fprintf(p.stderr, "wiretell: "+format+"\n", args...)
}
