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
	"github.com/wiretell/wiretell/exporter"
	"github.com/wiretell/wiretell/exporter/otel"
	"github.com/wiretell/wiretell/exporter/pipeline"
	"github.com/wiretell/wiretell/exporter/text"
)

// job is a pipeline, and what a person is told of it.
type job struct {
	pipeline.Pipeline
	flags    *observeFlags
	exposed  bool                                   // the local endpoint has the metrics
	panics   int                                    // parsers that failed
	metrics  func(context.Context, io.Writer) error // nil without an OpenTelemetry exporter
	printing bool                                   // lines of text go to standard output

	process
}

// exporters makes the exporters that the settings and the OTEL_* variables name.
func (p *job) exporters() error {
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
	if err := p.OTel(&p.flags.Settings, &cfg); err != nil {
		return err
	}
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
	p.Terse = p.flags.jsonPath == "" && slices.Equal(wanted, []string{"none"})
	otlp := false
	for _, w := range wanted {
		switch w {
		case "none":
		case "text":
			p.printing = true
			x := text.New(p.stdout)
			x.Redactor = exporter.NewRedactor(exporter.Redaction(p.flags.Redact), nil)
			x.Select = cfg.Select
			p.Desk.Exporters = append(p.Desk.Exporters, x)
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
	if !p.Live {
		// A file is in no hurry: the same output each time, nothing dropped, and
		// targets as long as the parser keeps them.
		cfg.Deterministic, cfg.Wait = true, true
		if cfg.AttributeLimit == 0 {
			cfg.AttributeLimit = 8 << 10
		}
	}
	cfg.Exposed = p.exposed && !p.Terse // in a terse run there is nothing to make histograms of
	x, err := otel.New(cfg)
	var path *fs.PathError
	switch {
	case err == nil:
	case errors.As(err, &path) && path.Path == cfg.JSONPath:
		return failed(fmt.Errorf("--otlp-json %s: %w", path.Path, path.Err), "")
	default:
		return &exitError{code: exitUsage, err: err}
	}
	p.Desk.Exporters = append(p.Desk.Exporters, x)
	p.metrics = x.WriteMetrics
	return nil
}

// run observes src to its end and returns the findings that hold then.
func (p *job) run(src capture.Source) ([]diagnosis.Finding, error) {
	p.Observer.Panicked = p.panicked
	p.Twins(&p.flags.Settings)
	if !p.flags.debug {
		return p.Run(src)
	}
	lines := packetLines{w: p.stderr}
	p.Observer.Packet = lines.packet
	defer lines.rest()
	return p.Run(src)
}

// panicked tells of the first parser that failed: more would only repeat it, and
// the ledger counts them.
func (p *job) panicked(where string) {
	if p.panics++; p.panics == 1 {
		fmt.Fprintf(p.stderr, "wiretell: internal error: a parser failed in %s; its connection is put aside; please report this\n", where)
	}
}

// shutdown ends the exporters within the deadline, says what was lost, and
// reports whether anything was.
func (p *job) shutdown() (anyLost bool) {
	if p.Stuck {
		p.say("the output took nothing for %v: what it was to say last is lost", p.Deadline)
		return true
	}
	err := p.Desk.Shutdown(p.Ending())
	for _, h := range p.Desk.Health() {
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

// conclude prints what a person should know at the end, always when nothing
// useful was seen. It returns an error when the books do not balance.
func (p *job) conclude() error {
	if p.flags.debug {
		writeTables(p.stderr, &p.Last)
	}
	if p.Stuck { // the desk owns its findings, and is not to be had
		fmt.Fprint(p.stderr, p.Report().Text)
		return failed(errors.New("the output was blocked to the end"), "")
	}
	p.tellRecording()
	if s := p.Report(); !p.flags.quiet || !s.Useful {
		fmt.Fprint(p.stderr, s.Text)
	}
	var errs []error
	for _, i := range p.Last.Ledger.Check() {
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

// sayAnyhow is say for who may not be held up by a blocked standard error.
func (p *job) sayAnyhow(format string, args ...any) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		p.say(format, args...)
	}()
	select {
	case <-said:
	case <-time.After(time.Second):
	}
}

// say prints a line for a person, unless --quiet is set.
func (p *job) say(format string, args ...any) {
	if p.flags.quiet {
		return
	}
	fmt.Fprintf(p.stderr, "wiretell: "+format+"\n", args...)
}
