package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/afpacket"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/capture/netns"
	"github.com/wiretell/wiretell/exporter/otel"
	"github.com/wiretell/wiretell/exporter/pipeline"
)

// probeTimeout is how long doctor waits for the Collector's answer, and for a
// run's.
const probeTimeout = 5 * time.Second

type doctorFlags struct {
	runFlags
	captureFor time.Duration
	format     string
	local      []string
}

var doctorFormats = []string{"text", "json"}

func newDoctor(proc process) *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor [FILE...]",
		Short: "Check once what a run would meet here: permission, interfaces, Collector, traffic",
		Long: `doctor checks once, before or beside a run, what wiretell meets in this network
namespace: the permission, interfaces and offloads, who listens, the ring, and
whether the Collector that the OTEL_* variables name answers by the protocol
that they name. Then it captures for a moment and walks the diagnosis.

It takes the settings of run, exports nothing (settings of that are checked, and
not listed here), and ends with 0 when nothing worse than information was found,
with 10 for warnings, with 11 for errors.

"wiretell doctor FILE" walks the diagnosis over capture files.`,
		RunE: func(cmd *cobra.Command, files []string) error {
			return withSettings(cmd, proc, f.check, func() error { return f.run(proc, files) })
		},
	}
	f.addCapture(cmd.Flags())
	f.addLive(cmd.Flags())
	exported := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.addExport(exported)
	exported.VisitAll(func(s *pflag.Flag) { s.Hidden = true }) // taken with a run's settings, and checked
	cmd.Flags().AddFlagSet(exported)
	f.Deadline = 2 * time.Second
	cmd.Flags().StringSliceVar(&f.local, "local", nil, "`addresses` or prefixes that are local: they tell server from client spans")
	cmd.Flags().DurationVar(&f.captureFor, "capture-for", 5*time.Second, "how long doctor captures")
	cmd.Flags().StringVar(&f.format, "format", doctorFormats[0], "how doctor reports, by `name`: text or json")
	addSettings(cmd)
	completeWords(cmd)
	cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(doctorFormats, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// checked is one thing that doctor looked at.
type checked struct {
	What  string   `json:"what"`
	OK    bool     `json:"ok"`
	Lines []string `json:"lines"`
}

// check reports settings that cannot be meant.
func (f *doctorFlags) check() error {
	switch {
	case f.captureFor <= 0:
		return usagef("--capture-for must be greater than 0")
	case !slices.Contains(doctorFormats, f.format):
		return usagef("--format: %q is not one of %s", f.format, strings.Join(doctorFormats, ", "))
	}
	return f.runFlags.check()
}

func (f *doctorFlags) run(proc process, files []string) error {
	if err := f.check(); err != nil {
		return err
	}
	f.Record.Dir = "" // a run's settings, but the directory is that run's
	silent := proc
	silent.stderr = &errorOutput{w: io.Discard} // what is said on the way is in the report
	p := &job{flags: &f.observeFlags, process: silent}
	p.Terse, p.Deadline = true, f.Deadline
	var checks []checked
	var err error
	if len(files) > 0 {
		f.exporters, f.jsonPath = []string{"none"}, ""
		err = (&readFlags{observeFlags: f.observeFlags, local: f.local}).observe(p, files)
	} else {
		checks, err = f.live(p)
	}
	if err != nil && p.Report().Seen == "" {
		return err // nothing was looked at
	}
	if writeErr := f.report(proc.stdout, checks, p.Report()); writeErr != nil {
		return failed(fmt.Errorf("standard output: %w", cause(writeErr)), "")
	}
	switch worst := p.Report().Worst; {
	case err != nil:
		return err
	case worst == diagnosis.Error:
		return &exitError{code: exitErrors}
	case worst == diagnosis.Warning:
		return &exitError{code: exitWarning}
	}
	return nil
}

// live looks around, and captures for a moment.
func (f *doctorFlags) live(p *job) ([]checked, error) {
	cfg, _, err := otel.ConfigFromEnv(p.env.get)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	there := f.beside(p)                    // before the capture, which would see the question
	allowed := afpacket.CurrentPermission() // before it is given up
	src, err := f.open(p)
	if err != nil {
		return nil, err
	}
	facts := &p.Desk.Facts
	checks := []checked{permission(allowed, facts.Err)}
	var kernel capture.Kernel
	if err := netns.NewReader(netns.Options{}).Read(&kernel); err != nil {
		checks = append(checks, checked{What: "kernel", Lines: []string{err.Error()}})
	}
	checks = append(checks, interfaces(&kernel, facts), listeners(&kernel))
	if src != nil {
		defer src.Close()
		ring := checked{What: "ring", OK: facts.RingGot >= facts.RingAsked, Lines: []string{fmt.Sprintf("%d bytes", facts.RingGot)}}
		for _, n := range src.Notes() {
			ring.Lines = append(ring.Lines, n.String())
		}
		checks = append(checks, ring)
	}
	checks = append(checks, there, f.collector(p, cfg))
	if src == nil {
		blind := pipeline.NewBlind()
		blind.Stop()
		_, err = p.run(blind)
		return checks, err
	}
	f.duration = f.captureFor
	_, stop := f.stopOn(p, src.Stop)
	defer stop()
	_, err = p.run(src)
	if err != nil {
		err = failed(fmt.Errorf("the capture ended: %w", err), "")
	}
	return checks, err
}

func permission(allowed afpacket.Permission, err error) checked {
	c := checked{What: "permission", OK: err == nil, Lines: []string{allowed.String()}}
	if err != nil {
		c.Lines = append(c.Lines, err.Error())
	} else {
		c.Lines = append(c.Lines, "packet sockets can be opened")
	}
	return c
}

func interfaces(k *capture.Kernel, facts *diagnosis.CaptureFacts) checked {
	c := checked{What: "interfaces", OK: len(facts.Missing) == 0}
	for i := range k.Interfaces {
		d := &k.Interfaces[i]
		line := d.Name + " down"
		if d.Up {
			line = d.Name + " up"
		}
		for _, a := range d.Addrs {
			line += " " + a.String()
		}
		if d.MTU > 0 {
			line += fmt.Sprintf(", mtu %d", d.MTU)
		}
		if on, err := netns.Offloads(d.Name); err == nil && len(on) > 0 && !d.Loopback {
			line += ", offloads " + strings.Join(on, " ") + " (captured frames may be larger than those on the wire)"
		}
		c.Lines = append(c.Lines, line)
	}
	for _, name := range facts.Missing {
		c.Lines = append(c.Lines, name+" does not exist")
	}
	return c
}

// listeners lists the ports that somebody listens on; a mesh's proxy is told by
// a finding.
func listeners(k *capture.Kernel) checked {
	c := checked{What: "listening", OK: true}
	where := map[uint16]string{}
	for i := range k.Listeners {
		l := &k.Listeners[i]
		if port := l.Addr.Port; !l.Loopback() {
			where[port] = ""
		} else if _, known := where[port]; !known {
			where[port] = " (only from within)"
		}
	}
	var ports []uint16
	for port := range where {
		ports = append(ports, port)
	}
	slices.Sort(ports)
	const most = 32
	for _, port := range ports[:min(len(ports), most)] {
		c.Lines = append(c.Lines, strconv.Itoa(int(port))+where[port])
	}
	if more := len(ports) - most; more > 0 {
		c.Lines = append(c.Lines, fmt.Sprintf("and %d more", more))
	}
	if len(ports) == 0 {
		c.Lines = []string{"nobody, over TCP"}
	}
	return c
}

// beside asks whether a run is here already: its port is no application's.
func (f *doctorFlags) beside(p *job) checked {
	c := checked{What: "wiretell run", OK: true, Lines: []string{"none answers here"}}
	if f.listen == listenOff {
		c.Lines[0] = "not asked: --listen is off"
		return c
	}
	code, line, err := askEndpoint(context.Background(), f.listen, "/readyz", probeTimeout)
	if err != nil {
		return c
	}
	c.OK = code == http.StatusOK
	c.Lines[0] = fmt.Sprintf("%s answers %d: %s", reachable(f.listen), code, line)
	if line != "ok" && !strings.HasPrefix(line, "not ready: ") {
		c.Lines[0] += " (is it a wiretell?)"
		return c
	}
	if at, err := net.ResolveTCPAddr("tcp", f.listen); err == nil {
		p.Own.Listen(at.AddrPort())
		p.Desk.Facts.OwnPorts = []uint16{uint16(at.Port)}
	}
	return c
}

// collector asks the receivers of telemetry with an empty request; what comes
// of it is evidence for the tree.
func (f *doctorFlags) collector(p *job, cfg otel.Config) checked {
	c := checked{What: "collector", OK: true}
	if !cfg.Configured && !slices.Contains(f.exporters, "otlp") || f.exporters != nil && !slices.Contains(f.exporters, "otlp") {
		c.Lines = []string{"none: no OTEL_* variable names an exporter or endpoint; a run prints one line per observation"}
		if f.exporters != nil {
			c.Lines[0] = "none: --exporter " + strings.Join(f.exporters, ",")
		}
		return c
	}
	for _, s := range []*otel.SignalConfig{&cfg.Traces, &cfg.Metrics, &cfg.Logs} {
		s.Timeout = min(s.Timeout, probeTimeout)
	}
	cfg.Version, cfg.OwnFlows = version, &p.Own
	health, err := otel.Probe(context.Background(), cfg)
	if err != nil {
		c.OK, c.Lines = false, []string{err.Error()}
		return c
	}
	for i := range health {
		h := &health[i]
		line := fmt.Sprintf("%s by %s to %s: taken", h.Signal, h.Protocol, h.Endpoint)
		if h.Failing {
			c.OK = false
			line = fmt.Sprintf("%s by %s to %s: %s", h.Signal, h.Protocol, h.Endpoint, strings.TrimSpace(h.LastStatus+" "+h.LastError))
		}
		c.Lines = append(c.Lines, line)
	}
	if len(health) == 0 {
		c.Lines = []string{"none: nothing goes by OTLP"}
	}
	p.Desk.Exporters = append(p.Desk.Exporters, probed(health))
	return c
}

// probed is an exporter that exports nothing: it says what a probe found.
type probed []diagnosis.ExportHealth

func (probed) Export(*capture.Batch, []diagnosis.Finding) {}
func (h probed) Health(dst []diagnosis.ExportHealth) []diagnosis.ExportHealth {
	return append(dst, h...)
}
func (probed) Shutdown(context.Context) error { return nil }

// report writes what was found.
func (f *doctorFlags) report(w io.Writer, checks []checked, r diagnosis.Report) error {
	if f.format == "json" {
		if checks == nil {
			checks = []checked{}
		}
		b, err := json.MarshalIndent(struct {
			Version string           `json:"version"`
			Checks  []checked        `json:"checks"`
			Report  diagnosis.Report `json:"report"`
		}{version, checks, r}, "", "  ")
		if err != nil {
			return err
		}
		_, err = w.Write(append(b, '\n'))
		return err
	}
	var b strings.Builder
	for _, c := range checks {
		mark := "ok  "
		if !c.OK {
			mark = "FAIL"
		}
		for i, line := range c.Lines {
			if i > 0 {
				fmt.Fprintf(&b, "%-18s %s\n", "", printable(line))
				continue
			}
			fmt.Fprintf(&b, "%s %-13s %s\n", mark, c.What, printable(line))
		}
	}
	b.WriteString(r.Text)
	if r.Worst == diagnosis.Info {
		b.WriteString("Nothing to mend was found.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
