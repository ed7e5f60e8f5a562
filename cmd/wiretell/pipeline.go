package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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
	stdout   io.Writer
	stderr   io.Writer
	live     bool
	last     capture.Snapshot
	internal int
}

// exporters makes the exporters that the settings and the OTEL_* variables name.
func (p *pipeline) exporters(getenv func(string) string) error {
	cfg, warnings, err := otel.ConfigFromEnv(getenv)
	for _, w := range warnings {
		p.say("warning: %s", w)
	}
	if err != nil {
		return &exitError{code: exitUsage, err: err}
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
	otlp := false
	for _, w := range wanted {
		switch w {
		case "none":
		case "text":
			x := text.New(p.stdout)
			x.Redactor = exporter.NewRedactor(exporter.Redaction(p.flags.redact), nil)
			p.desk.Exporters = append(p.desk.Exporters, x)
		case "otlp":
			otlp = true
		default:
			return usagef("--exporter: %q is not one of text, otlp, none", w)
		}
	}
	if !otlp && p.flags.jsonPath == "" {
		return nil
	}
	if !otlp { // the file alone
		cfg.Traces.Exporter, cfg.Metrics.Exporter, cfg.Logs.Exporter = otel.ExporterNone, otel.ExporterNone, otel.ExporterNone
	}
	cfg.Version = version
	cfg.JSONPath = p.flags.jsonPath
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
	x, err := otel.New(cfg)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	p.desk.Exporters = append(p.desk.Exporters, x)
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
	}
	cfg.Panicked = func(where string) { p.say("internal error: a parser failed in %s; its connection is put aside", where) }
	cfg.Terse = len(p.desk.Exporters) == 0 // the diagnosis alone listens
	var findings []diagnosis.Finding
	done := make(chan struct{})
	snapshot := p.desk.Snapshot
	p.desk.Snapshot = func(s *capture.Snapshot) {
		if s.Final {
			p.last = copySnapshot(s)
		}
		if snapshot != nil {
			snapshot(s)
		}
	}
	go func() {
		defer close(done)
		findings = p.desk.Run()
	}()
	o := observer.New(cfg, src)
	err := o.Run()
	p.desk.Queue.Close()
	<-done
	return findings, err
}

// shutdown ends the exporters within the deadline and says what was lost.
func (p *pipeline) shutdown(deadline time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := p.desk.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		p.say("export: %v", err)
	}
	for _, h := range p.desk.Health() {
		var lost []string
		for why, n := range h.Dropped {
			if n > 0 {
				lost = append(lost, fmt.Sprintf("%d %s", n, why))
			}
		}
		if h.Rejected > 0 {
			lost = append(lost, fmt.Sprintf("%d rejected", h.Rejected))
		}
		if len(lost) > 0 {
			p.say("%s %s: %d of %d records exported, lost: %s", h.Exporter, h.Signal, h.Exported, h.Created, strings.Join(lost, ", "))
		}
	}
}

// conclude prints what a person should know at the end: always when nothing
// useful was seen.
func (p *pipeline) conclude() {
	if s := &p.desk.Summary; !p.flags.quiet || !s.Useful {
		fmt.Fprint(p.stderr, s.Text)
	}
	for _, i := range p.last.Ledger.Check() {
		fmt.Fprintf(p.stderr, "wiretell: %s; please report this\n", i.Error())
	}
}

// say prints a line for a person, unless --quiet is set.
func (p *pipeline) say(format string, args ...any) {
	if p.flags.quiet {
		return
	}
	fmt.Fprintf(p.stderr, "wiretell: "+format+"\n", args...)
}

// copySnapshot copies what a batch will use again.
func copySnapshot(s *capture.Snapshot) capture.Snapshot {
	c := *s
	c.Interfaces = append([]capture.InterfaceTraffic(nil), s.Interfaces...)
	c.Truncated = append([]uint64(nil), s.Truncated...)
	c.Ports = append([]capture.PortStats(nil), s.Ports...)
	c.ICMP = append([]capture.ICMPCount(nil), s.ICMP...)
	c.Source.Interfaces = append([]capture.Interface(nil), s.Source.Interfaces...)
	c.Source.Rings = append([]capture.Ring(nil), s.Source.Rings...)
	return c
}

// environ is the environment as a function, for tests to replace.
func environ(name string) string { return os.Getenv(name) }
