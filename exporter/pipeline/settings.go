package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/filter"
	"github.com/wiretell/wiretell/capture/observer"
	"github.com/wiretell/wiretell/exporter"
	"github.com/wiretell/wiretell/exporter/otel"
	"github.com/wiretell/wiretell/exporter/selector"
)

// Settings say what is observed and what of it is exported. Each has the name of
// its flag on the command line, with _ for - in a configuration.
type Settings struct {
	Ports          []string      `mapstructure:"port"`
	Filter         string        `mapstructure:"filter"`
	FilterBPF      string        `mapstructure:"filter_bpf"`
	Select         string        `mapstructure:"select"`
	StreamTimeout  time.Duration `mapstructure:"stream_timeout"`
	IdleTimeout    time.Duration `mapstructure:"idle_timeout"`
	StuckAfter     time.Duration `mapstructure:"stuck_after"`
	MaxConns       int           `mapstructure:"max_connections"`
	Reassembly     int           `mapstructure:"reassembly_memory"`
	MaxPorts       int           `mapstructure:"max_ports"`
	RequestHeader  []string      `mapstructure:"request_header"`
	ResponseHeader []string      `mapstructure:"response_header"`
	UnsafeHeaders  bool          `mapstructure:"unsafe_headers"`
	Redact         string        `mapstructure:"redact"`
	Routes         []string      `mapstructure:"route"`
	BesideSDK      string        `mapstructure:"beside_sdk"`
	MeshDedup      string        `mapstructure:"mesh_dedup"`
	QueueBytes     int           `mapstructure:"queue_bytes"`
	Record         Record        `mapstructure:",squash"`

	// Name says how a setting is written where the user wrote it, from the name
	// of its flag; nil is --name.
	Name func(flag string) string `mapstructure:"-"`
}

// DefaultSettings returns the settings of one who says nothing.
func DefaultSettings() Settings {
	return Settings{
		StreamTimeout: 10 * time.Second, IdleTimeout: 15 * time.Minute, StuckAfter: 10 * time.Second, MaxConns: 65536, Reassembly: 8 << 20, MaxPorts: 256,
		Redact: RedactModes[0], BesideSDK: BesideModes[0], MeshDedup: DedupModes[0], QueueBytes: 16 << 20, Record: defaultRecord(),
	}
}

// The words that some settings take; the first is the default.
var (
	RedactModes = []string{"sensitive", "all", "off"}
	BesideModes = []string{"auto", "yes", "no"}
	DedupModes  = []string{"auto", "off"}
)

// Mistake is a setting that cannot be meant.
type Mistake struct {
	Text string
	Hint string // what to do instead; may be empty
}

// Error returns what is wrong.
func (m *Mistake) Error() string { return m.Text }

// name writes a setting as the user does.
func (s *Settings) name(flag string) string {
	if s.Name == nil {
		return "--" + flag
	}
	return s.Name(flag)
}

// mistake is one in the named setting.
func (s *Settings) mistake(flag, format string, args ...any) *Mistake {
	return &Mistake{Text: s.name(flag) + fmt.Sprintf(format, args...)}
}

// Words checks that each value is one of those that a setting takes, and named once.
func (s *Settings) Words(flag string, of []string, values ...string) error {
	for i, v := range values {
		if !slices.Contains(of, v) {
			return s.mistake(flag, ": %q is not one of %s", v, strings.Join(of, ", "))
		}
		if slices.Contains(values[:i], v) {
			return s.mistake(flag, ": %s is named twice", v)
		}
	}
	return nil
}

// Check reports settings that cannot be meant. All errors of settings are of
// type [*Mistake].
func (s *Settings) Check() error {
	for _, n := range []struct {
		flag string
		v    int64
	}{
		{"max-connections", int64(s.MaxConns)}, {"reassembly-memory", int64(s.Reassembly)}, {"max-ports", int64(s.MaxPorts)},
		{"queue-bytes", int64(s.QueueBytes)}, {"stream-timeout", int64(s.StreamTimeout)}, {"idle-timeout", int64(s.IdleTimeout)},
		{"stuck-after", int64(s.StuckAfter)},
	} {
		if n.v <= 0 {
			return s.mistake(n.flag, " must be greater than 0")
		}
	}
	for _, w := range []struct {
		flag, value string
		of          []string
	}{{"redact", s.Redact, RedactModes}, {"beside-sdk", s.BesideSDK, BesideModes}, {"mesh-dedup", s.MeshDedup, DedupModes}} {
		if err := s.Words(w.flag, w.of, w.value); err != nil {
			return err
		}
	}
	for _, r := range s.Routes {
		if err := otel.CheckRoute(r); err != nil {
			return s.mistake("route", ": %v", err)
		}
	}
	if err := s.checkRecord(); err != nil {
		return err
	}
	_, err := s.Selector()
	return err
}

// secretHeaders are never exported unless UnsafeHeaders is set.
var secretHeaders = []string{
	"authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key", "x-auth-token",
	"x-amz-security-token", "x-csrf-token", "www-authenticate", "proxy-authenticate",
}

// Observer checks the settings and gives the spine's configuration without its
// source-dependent parts, and the filter, nil when there is none.
func (s *Settings) Observer(link capture.LinkType) (cfg observer.Config, prog *filter.Program, err error) {
	if err := s.Check(); err != nil {
		return cfg, nil, err
	}
	cfg.MaxPorts = s.MaxPorts
	cfg.TCP.MaxConns = s.MaxConns
	cfg.TCP.MaxBuffered = s.Reassembly
	cfg.TCP.GapTimeout = s.StreamTimeout
	cfg.TCP.IdleTimeout = s.IdleTimeout
	cfg.TCP.StuckAfter = s.StuckAfter
	for _, h := range []struct {
		flag  string
		names []string
		dst   *[]string
	}{{"request-header", s.RequestHeader, &cfg.HTTP1.RequestHeaders}, {"response-header", s.ResponseHeader, &cfg.HTTP1.ResponseHeaders}} {
		for _, name := range h.names {
			name = strings.ToLower(strings.TrimSpace(name))
			if !token(name) {
				return cfg, nil, s.mistake(h.flag, ": %q is no field name", name)
			}
			if slices.Contains(secretHeaders, name) && !s.UnsafeHeaders {
				m := s.mistake(h.flag, ": %s carries credentials and is not exported", name)
				m.Hint = s.name("unsafe-headers") + " allows it"
				return cfg, nil, m
			}
			*h.dst = append(*h.dst, name)
		}
	}
	prog, err = s.program(link)
	if prog != nil {
		cfg.Match = s.matcher(link, prog)
	}
	return cfg, prog, err
}

// Selector compiles the selection, nil when none is set. Each has a state of its own.
func (s *Settings) Selector() (exporter.Selector, error) {
	if s.Select == "" {
		return nil, nil
	}
	c, err := selector.Compile(s.Select)
	var e *selector.Error
	switch {
	case errors.As(err, &e):
		m := s.mistake("select", ": %s: %s", e.Pos(), e.Msg)
		if m.Hint = e.Hint; m.Hint == "" {
			m.Hint = `"wiretell explain select" lists what is understood`
		}
		return nil, m
	case err != nil:
		return nil, s.mistake("select", ": %v", err)
	}
	return c, nil
}

// matcher selects frames by prog, which is for one link type. A capture file may
// hold several: the filter is compiled again for each.
func (s *Settings) matcher(link capture.LinkType, prog *filter.Program) func(*capture.Frame) bool {
	programs := map[capture.LinkType]*filter.Program{link: prog}
	return func(f *capture.Frame) bool {
		if f.Link != link {
			p, ok := programs[f.Link]
			if !ok {
				p, _ = s.program(f.Link) // nil for a link type that filters do not know: nothing matches
				programs[f.Link] = p
			}
			link, prog = f.Link, p
		}
		return prog != nil && prog.Match(f.Data, f.WireLen)
	}
}

// program compiles the filter, nil when none is set.
func (s *Settings) program(link capture.LinkType) (*filter.Program, error) {
	set := 0
	for _, v := range []string{s.Filter, s.FilterBPF, strings.Join(s.Ports, "")} {
		if v != "" {
			set++
		}
	}
	if set > 1 {
		return nil, s.mistake("port", ", %s and %s exclude each other", s.name("filter"), s.name("filter-bpf"))
	}
	flag, prog, err := "", (*filter.Program)(nil), error(nil)
	switch {
	case s.FilterBPF != "":
		flag = "filter-bpf"
		prog, err = filter.ParseBytecode(s.FilterBPF)
	case s.Filter != "":
		flag = "filter"
		prog, err = filter.Compile(s.Filter, link)
	case len(s.Ports) > 0:
		flag = "port"
		var expr string
		if expr, err = portExpression(s.Ports); err == nil {
			prog, err = filter.Compile(expr, link)
		}
	}
	if err != nil {
		return nil, s.mistake(flag, ": %s", strings.TrimPrefix(err.Error(), "filter: "))
	}
	return prog, nil
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

// FilterPorts lists the ports that a filter names: of a range its first ones,
// as the diagnosis only asks whether anybody listens there.
func FilterPorts(p *filter.Program) []uint16 {
	const most = 64
	var out []uint16
	for _, r := range p.Ports() {
		for port := int(r.First); port <= int(r.Last) && len(out) < most; port++ {
			out = append(out, uint16(port))
		}
	}
	return out
}
