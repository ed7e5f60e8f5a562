package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/filter"
	"github.com/wiretell/wiretell/capture/observer"
	"github.com/wiretell/wiretell/exporter"
	"github.com/wiretell/wiretell/exporter/otel"
	"github.com/wiretell/wiretell/exporter/selector"
)

// observeFlags are the settings that run, read and demo share.
type observeFlags struct {
	ports          []string
	filter         string
	filterBPF      string
	selection      string
	streamTimeout  time.Duration
	idleTimeout    time.Duration
	maxConns       int
	reassembly     int
	maxPorts       int
	requestHeader  []string
	responseHeader []string
	unsafeHeaders  bool
	redact         string
	routes         []string
	besideSDK      string
	meshDedup      string
	exporters      []string
	jsonPath       string
	queueBytes     int
	quiet          bool
	debug          bool
	record         recordFlags
}

func (o *observeFlags) add(f *pflag.FlagSet) {
	f.StringSliceVar(&o.ports, "port", nil, "follow only these `ports` (TCP and UDP, as 8080 or 8000-8100); the rest is counted")
	f.StringVar(&o.filter, "filter", "", "follow only packets that this `expression` in tcpdump's language selects; the rest is counted")
	f.StringVar(&o.filterBPF, "filter-bpf", "", "the same as `bytecode`, the output of \"tcpdump -ddd EXPRESSION\"")
	f.StringVar(&o.selection, "select", "", "export only the exchanges and events that this `expression` selects, as spans, log records and lines; metrics count all (\"wiretell explain select\")")
	f.DurationVar(&o.streamTimeout, "stream-timeout", 10*time.Second, "how long to wait for bytes that are missing in a stream")
	f.DurationVar(&o.idleTimeout, "idle-timeout", 15*time.Minute, "how long a silent connection is followed")
	f.IntVar(&o.maxConns, "max-connections", 65536, "most connections followed at once, a `number`")
	f.IntVar(&o.reassembly, "reassembly-memory", 8<<20, "most `bytes` kept of segments that came early")
	f.IntVar(&o.maxPorts, "max-ports", 256, "most server ports counted apart, a `number`")
	f.StringSliceVar(&o.requestHeader, "request-header", nil, "request header `fields` to export (none by default)")
	f.StringSliceVar(&o.responseHeader, "response-header", nil, "response header `fields` to export (none by default)")
	f.BoolVar(&o.unsafeHeaders, "unsafe-headers", false, "allow fields that carry credentials (Authorization, Cookie, ...) in the two lists above")
	f.StringVar(&o.redact, "redact", "sensitive", "query values to replace, by `mode`: sensitive (those of keys that name secrets), all, or off")
	f.StringSliceVar(&o.routes, "route", nil, "route `patterns` (as /users/{id}) that give http.route to spans and metrics")
	f.StringVar(&o.besideSDK, "beside-sdk", "auto", "whether the application makes spans of its own, by `mode`: auto, yes or no")
	f.StringVar(&o.meshDedup, "mesh-dedup", "auto", "whether http.* metrics count exchanges once that are seen on both sides of a mesh's proxy, by `mode`: auto or off")
	f.StringSliceVar(&o.exporters, "exporter", nil, "where to, by `names`: text, otlp, prometheus (the local endpoint of run alone) or none; by default otlp when an OTEL_* variable names an exporter or endpoint, else text")
	f.StringVar(&o.jsonPath, "otlp-json", "", "write OTLP JSON lines to this `file`, as the Collector's file exporter does (- is standard output)")
	f.IntVar(&o.queueBytes, "queue-bytes", 16<<20, "most encoded `bytes` that wait to be sent")
	f.BoolVar(&o.debug, "debug", false, "print on standard error a line for each packet (at most 100 in a second of capture), and tables of interfaces and ports at the end; SIGUSR1 asks a run for the tables at any time")
	o.record.add(f)
	f.BoolVar(&o.quiet, "quiet", false, "print on standard error only errors, and why nothing was seen")
}

// secretHeaders are never exported unless --unsafe-headers is set.
var secretHeaders = []string{
	"authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key", "x-auth-token",
	"x-amz-security-token", "x-csrf-token", "www-authenticate", "proxy-authenticate",
}

// observerConfig checks the settings and gives the spine's configuration
// without its source-dependent parts, and the filter, nil when there is none.
func (o *observeFlags) observerConfig(link capture.LinkType) (cfg observer.Config, prog *filter.Program, err error) {
	if err := o.check(); err != nil {
		return cfg, nil, err
	}
	cfg.MaxPorts = o.maxPorts
	cfg.TCP.MaxConns = o.maxConns
	cfg.TCP.MaxBuffered = o.reassembly
	cfg.TCP.GapTimeout = o.streamTimeout
	cfg.TCP.IdleTimeout = o.idleTimeout
	for _, h := range []struct {
		flag  string
		names []string
		dst   *[]string
	}{{"request-header", o.requestHeader, &cfg.HTTP1.RequestHeaders}, {"response-header", o.responseHeader, &cfg.HTTP1.ResponseHeaders}} {
		for _, name := range h.names {
			name = strings.ToLower(strings.TrimSpace(name))
			if !token(name) {
				return cfg, nil, usagef("--%s: %q is no field name", h.flag, name)
			}
			if slices.Contains(secretHeaders, name) && !o.unsafeHeaders {
				return cfg, nil, &exitError{code: exitUsage, err: fmt.Errorf("--%s: %s carries credentials and is not exported", h.flag, name),
					hint: "--unsafe-headers allows it"}
			}
			*h.dst = append(*h.dst, name)
		}
	}
	prog, err = o.program(link)
	if prog != nil {
		cfg.Match = o.matcher(link, prog)
	}
	return cfg, prog, err
}

// check reports settings that cannot be meant.
func (o *observeFlags) check() error {
	for _, n := range []struct {
		flag string
		v    int
	}{{"max-connections", o.maxConns}, {"reassembly-memory", o.reassembly}, {"max-ports", o.maxPorts}, {"queue-bytes", o.queueBytes}} {
		if n.v <= 0 {
			return usagef("--%s must be greater than 0", n.flag)
		}
	}
	for _, n := range []struct {
		flag string
		v    time.Duration
	}{{"stream-timeout", o.streamTimeout}, {"idle-timeout", o.idleTimeout}} {
		if n.v <= 0 {
			return usagef("--%s must be greater than 0", n.flag)
		}
	}
	for _, w := range []struct {
		flag   string
		values []string
		of     []string
	}{{"redact", []string{o.redact}, redactModes}, {"beside-sdk", []string{o.besideSDK}, besideModes}, {"mesh-dedup", []string{o.meshDedup}, dedupModes}, {"exporter", o.exporters, exporterNames}} {
		for i, v := range w.values {
			if !slices.Contains(w.of, v) {
				return usagef("--%s: %q is not one of %s", w.flag, v, strings.Join(w.of, ", "))
			}
			if slices.Contains(w.values[:i], v) {
				return usagef("--%s: %s is named twice", w.flag, v)
			}
		}
	}
	if len(o.exporters) > 1 && slices.Contains(o.exporters, "none") {
		return usagef("--exporter: none excludes the others")
	}
	for _, r := range o.routes {
		if err := otel.CheckRoute(r); err != nil {
			return usagef("--route: %v", err)
		}
	}
	if err := o.record.check(); err != nil {
		return err
	}
	_, err := o.selector()
	return err
}

// The words that some flags take; the first is the default.
var (
	redactModes   = []string{"sensitive", "all", "off"}
	besideModes   = []string{"auto", "yes", "no"}
	dedupModes    = []string{"auto", "off"}
	exporterNames = []string{"text", "otlp", "prometheus", "none"}
	deniedModes   = []string{"exit", "stay"}
)

// selector compiles the selection, nil when none is set.
func (o *observeFlags) selector() (exporter.Selector, error) {
	if o.selection == "" {
		return nil, nil
	}
	s, err := selector.Compile(o.selection)
	var m *selector.Error
	switch {
	case errors.As(err, &m):
		hint := m.Hint
		if hint == "" {
			hint = `"wiretell explain select" lists what is understood`
		}
		return nil, &exitError{code: exitUsage, err: fmt.Errorf("--select: %s: %s", m.Pos(), m.Msg), hint: hint}
	case err != nil:
		return nil, usagef("--select: %v", err)
	}
	return s, nil
}

// completeWords registers the words that flags take with the shell's completion.
func completeWords(cmd *cobra.Command) {
	for flag, words := range map[string][]string{
		"redact": redactModes, "beside-sdk": besideModes, "mesh-dedup": dedupModes, "exporter": exporterNames, "when-denied": deniedModes,
	} {
		if cmd.Flags().Lookup(flag) != nil {
			cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
		}
	}
}

// matcher selects frames by prog, which is for one link type. A capture file may
// hold several: the filter is compiled again for each.
func (o *observeFlags) matcher(link capture.LinkType, prog *filter.Program) func(*capture.Frame) bool {
	programs := map[capture.LinkType]*filter.Program{link: prog}
	return func(f *capture.Frame) bool {
		if f.Link != link {
			p, ok := programs[f.Link]
			if !ok {
				p, _ = o.program(f.Link) // nil for a link type that filters do not know: nothing matches
				programs[f.Link] = p
			}
			link, prog = f.Link, p
		}
		return prog != nil && prog.Match(f.Data, f.WireLen)
	}
}

// program compiles the filter, nil when none is set.
func (o *observeFlags) program(link capture.LinkType) (*filter.Program, error) {
	set := 0
	for _, s := range []string{o.filter, o.filterBPF, strings.Join(o.ports, "")} {
		if s != "" {
			set++
		}
	}
	if set > 1 {
		return nil, usagef("--port, --filter and --filter-bpf exclude each other")
	}
	switch {
	case o.filterBPF != "":
		p, err := filter.ParseBytecode(o.filterBPF)
		if err != nil {
			return nil, usagef("--filter-bpf: %s", strings.TrimPrefix(err.Error(), "filter: "))
		}
		return p, nil
	case o.filter != "":
		p, err := filter.Compile(o.filter, link)
		if err != nil {
			return nil, usagef("--filter: %s", strings.TrimPrefix(err.Error(), "filter: "))
		}
		return p, nil
	case len(o.ports) > 0:
		expr, err := portExpression(o.ports)
		if err != nil {
			return nil, usagef("--port: %v", err)
		}
		prog, err := filter.Compile(expr, link)
		if err != nil {
			return nil, usagef("--port: %s", strings.TrimPrefix(err.Error(), "filter: "))
		}
		return prog, nil
	}
	return nil, nil
}

// portExpression makes a filter expression of ports and port ranges.
func portExpression(ports []string) (string, error) {
	var terms []string
	for _, p := range ports {
		from, to, isRange := strings.Cut(strings.TrimSpace(p), "-")
		if !isRange {
			to = from
		}
		for _, s := range []string{from, to} {
			if n, err := strconv.ParseUint(s, 10, 16); err != nil || n == 0 {
				return "", fmt.Errorf("%q is no port (1 to 65535, or a range as 8000-8100)", p)
			}
		}
		if isRange {
			terms = append(terms, "portrange "+from+"-"+to)
		} else {
			terms = append(terms, "port "+from)
		}
	}
	return strings.Join(terms, " or "), nil
}

// token reports whether s is one (RFC 9110, section 5.6.2), as field names are.
func token(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	}) < 0
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

// filterPorts lists the ports that a filter names: of a range its first ones,
// as the diagnosis only asks whether anybody listens there.
func filterPorts(p *filter.Program) []uint16 {
	const most = 64
	var out []uint16
	for _, r := range p.Ports() {
		for port := int(r.First); port <= int(r.Last) && len(out) < most; port++ {
			out = append(out, uint16(port))
		}
	}
	return out
}
