package otel

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Warning is a variable of the environment that was ignored, or not wholly
// followed, and why. It holds no value of a secret.
type Warning struct{ Variable, Problem string }

// String formats w as "VARIABLE: problem".
func (w Warning) String() string { return w.Variable + ": " + w.Problem }

// env reads variables by the rules of the OpenTelemetry specification: an empty
// value is as good as none, and one that cannot be read is ignored with a warning.
type env struct {
	get      func(string) string
	warnings []Warning
}

func (e *env) warn(name, format string, args ...any) {
	e.warnings = append(e.warnings, Warning{name, fmt.Sprintf(format, args...)})
}

// text returns the value of the first of names that is set, and its name.
func (e *env) text(names ...string) (value, name string) {
	for _, n := range names {
		if v := strings.TrimSpace(e.get(n)); v != "" {
			return v, n
		}
	}
	return "", ""
}

func (e *env) choice(to *string, choices map[string]string, names ...string) {
	v, name := e.text(names...)
	if name == "" {
		return
	}
	if c, ok := choices[strings.ToLower(v)]; ok {
		*to = c
		return
	}
	e.warn(name, "%q is not known and is ignored", v)
}

func (e *env) number(to *int, least int, names ...string) {
	v, name := e.text(names...)
	if name == "" {
		return
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least {
		e.warn(name, "%q is no number of at least %d and is ignored", v, least)
		return
	}
	*to = n
}

func (e *env) milliseconds(to *time.Duration, names ...string) {
	n := -1
	if e.number(&n, 1, names...); n > 0 {
		*to = time.Duration(n) * time.Millisecond
	}
}

// boolean follows the specification: only "true", in any case, is true.
func (e *env) boolean(names ...string) bool {
	v, name := e.text(names...)
	if name == "" || strings.EqualFold(v, "false") {
		return false
	}
	if strings.EqualFold(v, "true") {
		return true
	}
	e.warn(name, "%q is neither true nor false: taken as false", v)
	return false
}

// ConfigFromEnv builds a Config from the standard OTEL_* variables. What cannot
// be read is ignored and named in the warnings, but for endpoints and client
// certificates, where guessing would send telemetry astray: those are errors.
func ConfigFromEnv(getenv func(string) string) (Config, []Warning, error) {
	e := &env{get: getenv}
	var c Config
	err := e.signals(&c)
	e.resource(&c)
	e.sampler(&c)
	e.milliseconds(&c.MetricInterval, "OTEL_METRIC_EXPORT_INTERVAL")
	e.milliseconds(&c.MetricTimeout, "OTEL_METRIC_EXPORT_TIMEOUT")
	e.milliseconds(&c.SpanDelay, "OTEL_BSP_SCHEDULE_DELAY")
	e.number(&c.SpanBatch, 1, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE")
	e.milliseconds(&c.LogDelay, "OTEL_BLRP_SCHEDULE_DELAY")
	e.number(&c.LogBatch, 1, "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE")
	for _, name := range []string{"OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BLRP_MAX_QUEUE_SIZE"} {
		if _, set := e.text(name); set != "" {
			e.warn(name, "is not used: the queue is bounded in bytes")
		}
	}
	if v, name := e.text("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"); name != "" && !strings.EqualFold(v, "cumulative") {
		e.warn(name, "%q is not offered: metrics are cumulative, so that nothing is lost with a batch", v)
	}
	e.number(&c.AttributeLimit, 1, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")
	if v, name := e.text("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"); name != "" {
		for m := range strings.SplitSeq(v, ",") {
			if m = strings.TrimSpace(m); m != "" {
				c.KnownMethods = append(c.KnownMethods, m)
			}
		}
	}
	c.setDefaults()
	return c, e.warnings, err
}

const otlp = "OTEL_EXPORTER_OTLP_"

func (e *env) signals(c *Config) error {
	disabled := e.boolean("OTEL_SDK_DISABLED")
	for _, s := range []struct {
		name, path string
		cfg        *SignalConfig
	}{
		{"TRACES", "v1/traces", &c.Traces},
		{"METRICS", "v1/metrics", &c.Metrics},
		{"LOGS", "v1/logs", &c.Logs},
	} {
		s.cfg.Exporter = ExporterOTLP
		which := "OTEL_" + s.name + "_EXPORTER"
		words := map[string]string{"otlp": ExporterOTLP, "none": ExporterNone, "console": ExporterConsole}
		if s.cfg == &c.Metrics { // the local endpoint has them, whatever else is chosen
			words["prometheus"] = ExporterNone
		}
		e.choice(&s.cfg.Exporter, words, which)
		if _, name := e.text(which, otlp+"ENDPOINT", otlp+s.name+"_ENDPOINT"); name != "" {
			c.Configured = true
		}
		if disabled {
			s.cfg.Exporter = ExporterNone
		}
		if err := e.signal(s.cfg, s.name+"_", s.path); err != nil {
			return err
		}
	}
	return nil
}

func (e *env) signal(s *SignalConfig, own, path string) error {
	s.Protocol = ProtocolHTTP
	e.choice(&s.Protocol, map[string]string{"grpc": ProtocolGRPC, "http/protobuf": ProtocolHTTP}, otlp+own+"PROTOCOL", otlp+"PROTOCOL")
	s.Insecure = e.boolean(otlp+own+"INSECURE", otlp+"INSECURE")
	e.choice(&s.Compression, map[string]string{"gzip": "gzip", "none": ""}, otlp+own+"COMPRESSION", otlp+"COMPRESSION")
	s.Timeout = 10 * time.Second
	e.milliseconds(&s.Timeout, otlp+own+"TIMEOUT", otlp+"TIMEOUT")
	s.CAFile, _ = e.text(otlp+own+"CERTIFICATE", otlp+"CERTIFICATE")
	s.CertFile, _ = e.text(otlp+own+"CLIENT_CERTIFICATE", otlp+"CLIENT_CERTIFICATE")
	s.KeyFile, _ = e.text(otlp+own+"CLIENT_KEY", otlp+"CLIENT_KEY")
	e.headers(s, otlp+own+"HEADERS", otlp+"HEADERS")

	v, name := e.text(otlp+own+"ENDPOINT", otlp+"ENDPOINT")
	switch {
	case name == "" && s.Protocol == ProtocolGRPC:
		s.Endpoint = "http://localhost:4317"
	case name == "":
		s.Endpoint = "http://localhost:4318/" + path
	case s.Protocol == ProtocolGRPC || name == otlp+own+"ENDPOINT":
		// The per-signal endpoint is used as it is.
		s.Endpoint = v
	default:
		// The generic one is a base: the signal's path is appended.
		s.Endpoint = strings.TrimRight(v, "/") + "/" + path
	}
	if s.Exporter != ExporterOTLP {
		return nil
	}
	if err := s.validate(); err != nil {
		if name == "" {
			name = otlp + own + "*"
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// headers reads a list encoded as W3C baggage without properties: keys and
// values are percent-decoded. Nothing of a value is ever part of a warning.
func (e *env) headers(s *SignalConfig, names ...string) {
	v, name := e.text(names...)
	if name == "" {
		return
	}
	s.Headers = make(map[string]Secret)
	i := 0
	for pair := range strings.SplitSeq(v, ",") {
		i++
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		k, val, ok := strings.Cut(pair, "=")
		k = strings.TrimSpace(k)
		key, err1 := url.PathUnescape(k)
		value, err2 := url.PathUnescape(strings.TrimSpace(val))
		if !ok || err1 != nil || err2 != nil || !isToken(key) || !isFieldValue(value) {
			e.warn(name, "entry %d is not key=value as W3C baggage writes it and is ignored", i)
			continue
		}
		s.Headers[strings.ToLower(key)] = Secret(value)
	}
}

// resource reads OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME, which wins.
func (e *env) resource(c *Config) {
	if v, name := e.text("OTEL_RESOURCE_ATTRIBUTES"); name != "" {
		var kvs []KeyValue
		for pair := range strings.SplitSeq(v, ",") {
			if strings.TrimSpace(pair) == "" {
				continue
			}
			k, val, ok := strings.Cut(pair, "=")
			key, err1 := url.PathUnescape(strings.TrimSpace(k))
			value, err2 := url.PathUnescape(strings.TrimSpace(val))
			if !ok || err1 != nil || err2 != nil || key == "" || !utf8.ValidString(key+value) {
				// Resource SDK: "in case of any error, e.g. failure during the
				// decoding process, the entire environment variable value
				// SHOULD be discarded".
				e.warn(name, "%q is not key=value: the whole variable is ignored", strings.TrimSpace(k))
				kvs = nil
				break
			}
			kvs = append(kvs, KeyValue{key, value})
		}
		c.Resource = kvs
	}
	c.ServiceName, _ = e.text("OTEL_SERVICE_NAME")
}

func (e *env) sampler(c *Config) {
	v, name := e.text("OTEL_TRACES_SAMPLER")
	if name == "" {
		return
	}
	if v = strings.ToLower(v); !isSampler(v) {
		e.warn(name, "%q is not known and is ignored", v)
		return
	}
	c.Sampler = SamplerConfig{Name: v, Ratio: 1}
	if !strings.HasSuffix(v, "traceidratio") {
		return
	}
	if arg, name := e.text("OTEL_TRACES_SAMPLER_ARG"); name != "" {
		ratio, err := strconv.ParseFloat(arg, 64)
		if err != nil || !(ratio >= 0 && ratio <= 1) {
			e.warn(name, "%q is no number from 0 to 1: everything is sampled", arg)
			return
		}
		c.Sampler.Ratio = ratio
	}
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			continue
		}
		return false
	}
	return true
}

// isFieldValue reports whether s can be a field's value (RFC 9110, section 5.5).
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
