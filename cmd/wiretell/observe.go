package main

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/exporter/pipeline"
)

// observeFlags are the settings that run, read and demo share.
type observeFlags struct {
	pipeline.Settings
	exporters []string
	jsonPath  string
	quiet     bool
	debug     bool
}

// add adds all of them.
func (o *observeFlags) add(f *pflag.FlagSet) {
	o.addCapture(f)
	o.addExport(f)
}

// addCapture adds the settings of what is seen.
func (o *observeFlags) addCapture(f *pflag.FlagSet) {
	o.Settings = pipeline.DefaultSettings()
	f.StringSliceVar(&o.Ports, "port", nil, "follow only these `ports` (TCP and UDP, as 8080 or 8000-8100); the rest is counted")
	f.StringVar(&o.Filter, "filter", "", "follow only packets that this `expression` in tcpdump's language selects; the rest is counted")
	f.StringVar(&o.FilterBPF, "filter-bpf", "", "the same as `bytecode`, the output of \"tcpdump -ddd EXPRESSION\"")
	f.DurationVar(&o.StreamTimeout, "stream-timeout", o.StreamTimeout, "how long to wait for bytes that are missing in a stream")
	f.DurationVar(&o.IdleTimeout, "idle-timeout", o.IdleTimeout, "how long a silent connection is followed")
	f.DurationVar(&o.StuckAfter, "stuck-after", o.StuckAfter, "how long a connection may wait for what does not come (a FIN, an acknowledgement) before that is told")
	f.IntVar(&o.MaxConns, "max-connections", o.MaxConns, "most connections followed at once, a `number`; all together take 384 bytes for each, and fewer fit where they carry HTTP")
	f.IntVar(&o.Reassembly, "reassembly-memory", o.Reassembly, "most `bytes` kept of segments that came early")
	f.IntVar(&o.MaxPorts, "max-ports", o.MaxPorts, "most server ports counted apart, a `number`")
	f.StringSliceVar(&o.exporters, "exporter", nil, "where to, by `names`: text, otlp, prometheus (the local endpoint of run alone) or none; by default otlp when an OTEL_* variable names an exporter or endpoint, else text")
	f.BoolVar(&o.quiet, "quiet", false, "print on standard error only errors, and why nothing was seen")
}

// addExport adds the settings of what becomes of it.
func (o *observeFlags) addExport(f *pflag.FlagSet) {
	f.StringVar(&o.Select, "select", "", "export only the exchanges and events that this `expression` selects, as spans, log records and lines; metrics count all (\"wiretell explain select\")")
	f.StringSliceVar(&o.RequestHeader, "request-header", nil, "request header `fields` to export (none by default)")
	f.StringSliceVar(&o.ResponseHeader, "response-header", nil, "response header `fields` to export (none by default)")
	f.BoolVar(&o.UnsafeHeaders, "unsafe-headers", false, "allow fields that carry credentials (Authorization, Cookie, ...) in the two lists above")
	f.StringVar(&o.Redact, "redact", o.Redact, "query values to replace, by `mode`: sensitive (those of keys that name secrets), all, or off")
	f.StringSliceVar(&o.Routes, "route", nil, "route `patterns` (as /users/{id}) that give http.route to spans and metrics")
	f.StringVar(&o.BesideSDK, "beside-sdk", o.BesideSDK, "whether the application makes spans of its own, by `mode`: yes, no, or auto, which takes a traceparent that did not come in for proof (a tracing mesh may give such: say no)")
	f.StringVar(&o.MeshDedup, "mesh-dedup", o.MeshDedup, "whether http.* metrics count exchanges once that are seen on both sides of a mesh's proxy, by `mode`: auto or off")
	f.StringVar(&o.jsonPath, "otlp-json", "", "write OTLP JSON lines to this `file`, as the Collector's file exporter does (- is standard output)")
	f.IntVar(&o.QueueBytes, "queue-bytes", o.QueueBytes, "most encoded `bytes` that wait to be sent")
	f.BoolVar(&o.debug, "debug", false, "print on standard error a line for each packet (at most 100 in a second of capture), and tables of interfaces and ports at the end; SIGUSR1 asks a run for the tables at any time")
	addRecord(f, &o.Record)
}

// check reports settings that cannot be meant.
func (o *observeFlags) check() error {
	if err := o.Words("exporter", exporterNames, o.exporters...); err != nil {
		return err
	}
	if len(o.exporters) > 1 && slices.Contains(o.exporters, "none") {
		return usagef("--exporter: none excludes the others")
	}
	_, _, err := o.Observer(capture.LinkEthernet)
	return err
}

var exporterNames = []string{"text", "otlp", "prometheus", "none"}

// completeWords registers the words that flags take with the shell's completion.
func completeWords(cmd *cobra.Command) {
	for flag, words := range map[string][]string{
		"redact": pipeline.RedactModes, "beside-sdk": pipeline.BesideModes, "mesh-dedup": pipeline.DedupModes, "exporter": exporterNames, "when-denied": pipeline.DeniedModes,
	} {
		if cmd.Flags().Lookup(flag) != nil {
			cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
		}
	}
}

// localPrefixes reads addresses and prefixes.
func localPrefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	var errs []error
	for _, s := range list {
		if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			errs = append(errs, usagef("--local: %q is neither an address nor a prefix", s))
			continue
		}
		out = append(out, p)
	}
	return out, errors.Join(errs...)
}
