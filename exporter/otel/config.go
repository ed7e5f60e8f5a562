package otel

import (
	"fmt"
	"io"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/exporter"
)

// Secret is a value that never prints: every formatting verb and encoder gives
// "[redacted]". Convert it to a string to use it.
type Secret string

// String returns "[redacted]".
func (Secret) String() string { return "[redacted]" }

// GoString returns "[redacted]".
func (Secret) GoString() string { return "[redacted]" }

// MarshalText returns "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Protocols of OTLP.
const (
	ProtocolGRPC = "grpc"
	ProtocolHTTP = "http/protobuf"
)

// Exporters by their OTEL_*_EXPORTER names.
const (
	ExporterOTLP    = "otlp"
	ExporterConsole = "console"
	ExporterNone    = "none"
	// ExporterSink is within the process, and has no name in the environment.
	ExporterSink = "sink"
)

// SignalConfig says how one signal leaves the process.
type SignalConfig struct {
	// Exporter is "otlp", "console" (OTLP JSON lines on standard output), "sink" or
	// "none"; empty means none.
	Exporter string
	// Sink takes the batches of the exporter "sink".
	Sink Sink `json:"-"`
	// Protocol is "grpc" or "http/protobuf".
	Protocol string
	// Endpoint is a URL. For http/protobuf it is used as it is, path included.
	// For gRPC it is http://host:port (plaintext), https://host:port,
	// unix:///path, or host:port, which is plaintext only when Insecure is set.
	Endpoint string
	Insecure bool
	// Headers go with every request; keys are lower case.
	Headers map[string]Secret
	// Compression is "" or "gzip".
	Compression string
	// Timeout is for one attempt.
	Timeout time.Duration
	// CAFile, CertFile and KeyFile are PEM files, read again when they change.
	CAFile, CertFile, KeyFile string
}

// KeyValue is one resource attribute.
type KeyValue struct{ Key, Value string }

// Beside says whether the application is instrumented by an SDK itself.
type Beside string

const (
	BesideAuto Beside = "auto" // find out from the traceparent of outbound requests
	BesideYes  Beside = "yes"
	BesideNo   Beside = "no"
)

// SamplerConfig names a sampler as OTEL_TRACES_SAMPLER does.
type SamplerConfig struct {
	Name  string
	Ratio float64
}

// Config is all that an [Exporter] needs. [DefaultConfig] and [ConfigFromEnv]
// fill in the defaults; fields left zero get them in [New].
type Config struct {
	Version string // of wiretell

	Traces, Metrics, Logs SignalConfig

	// JSONPath, when set, is a file that gets every signal as OTLP JSON lines,
	// as the Collector's file exporter writes them; "-" is standard output.
	JSONPath string
	// JSON takes the place of the file, and of standard output for "console".
	JSON io.Writer

	// ServiceName and Resource describe the service whose traffic is observed.
	ServiceName string
	Resource    []KeyValue

	Sampler SamplerConfig

	MetricInterval time.Duration // between two collections
	MetricTimeout  time.Duration // for one collection
	SpanDelay      time.Duration // a span waits at most so long for its batch
	LogDelay       time.Duration
	SpanBatch      int // records per batch
	LogBatch       int

	// KnownMethods replaces the list of known HTTP methods.
	KnownMethods []string
	// Select says which exchanges become spans, and which of them and of the
	// other observations log records; nil selects all. Metrics count everything,
	// and what wiretell says of itself always goes out.
	Select exporter.Selector
	// AttributeLimit, when above 0, bounds every attribute value, in bytes,
	// instead of the defaults.
	AttributeLimit int
	Redaction      exporter.Redaction
	// SensitiveKeys replaces the list of query keys that exporter.RedactSensitive hides.
	SensitiveKeys []string
	// UnsafeHeaders lets credentials pass if the capture was told to keep them.
	UnsafeHeaders bool
	// Routes are patterns as "/users/{id}", "GET /files/{path...}"; the first
	// that matches names the span and becomes http.route.
	Routes []string
	Beside Beside

	// QueueBytes bounds what waits to be sent, in encoded bytes over all lanes.
	QueueBytes int
	// Wait makes Export wait for room in the queue instead of dropping: for
	// files, which have time.
	Wait bool
	// MaxAge is how long a batch is tried before it is dropped.
	MaxAge time.Duration
	// EventsPerSecond bounds event records per kind and peer.
	EventsPerSecond int
	// CardinalityLimit bounds the series of each instrument.
	CardinalityLimit int

	// Deterministic makes the output a function of what is exported: ids, times
	// and order depend on it alone, nothing is rate-limited, and metrics are
	// written once, at the end.
	Deterministic bool

	// OwnFlows learns every socket before it sends.
	OwnFlows *capture.OwnFlows

	// Exposed says that metrics are read by [Exporter.WriteMetrics], so that
	// histograms are recorded though nothing may send them.
	Exposed bool

	// Coverage is called at every collection of metrics and returns the share of
	// what the kernel says arrived that wiretell saw; false when that is not known.
	// It may be called by any goroutine. Nil: never known.
	Coverage func() (share float64, ok bool)
	// ReassemblyBytes is what reassembly may hold, for wiretell.memory.budget; 0
	// when it is not known.
	ReassemblyBytes int

	// Configured says that a variable of the environment named an exporter or
	// an endpoint.
	Configured bool

	backoff backoff
}

// DefaultConfig returns the configuration for an empty environment.
func DefaultConfig() Config {
	var c Config
	c.setDefaults()
	return c
}

const (
	defaultQueueBytes = 16 << 20
	defaultMaxAge     = 10 * time.Minute
	maxBatchBytes     = 1 << 20
	// maxMessageBytes is what gRPC receivers take by default.
	maxMessageBytes = 4 << 20
)

func or[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) setDefaults() {
	or(&c.Version, "devel")
	or(&c.MaxAge, defaultMaxAge)
	for _, s := range []*SignalConfig{&c.Traces, &c.Metrics, &c.Logs} {
		or(&s.Exporter, ExporterNone)
		or(&s.Protocol, ProtocolHTTP)
		if s.Exporter == ExporterSink { // to hold up is how it says that it is full
			or(&s.Timeout, c.MaxAge)
		}
		or(&s.Timeout, 10*time.Second)
	}
	or(&c.Sampler.Name, "parentbased_always_on")
	or(&c.MetricInterval, 60*time.Second)
	or(&c.MetricTimeout, 30*time.Second)
	or(&c.SpanDelay, time.Second)
	or(&c.LogDelay, time.Second)
	or(&c.SpanBatch, 512)
	or(&c.LogBatch, 512)
	if len(c.KnownMethods) == 0 {
		// RFC 9110, section 9; PATCH: RFC 5789; QUERY: named by the conventions.
		c.KnownMethods = []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
	}
	or(&c.Redaction, exporter.RedactSensitive)
	or(&c.Beside, BesideAuto)
	or(&c.QueueBytes, defaultQueueBytes)
	or(&c.backoff, backoff{first: 500 * time.Millisecond, most: 5 * time.Second})
	or(&c.EventsPerSecond, 50)
	or(&c.CardinalityLimit, 2000)
}

func (c *Config) validate() error {
	if err := c.Redaction.Check(); err != nil {
		return err
	}
	switch c.Beside {
	case BesideAuto, BesideYes, BesideNo:
	default:
		return fmt.Errorf("beside-sdk %q: want auto, yes or no", c.Beside)
	}
	for _, s := range []struct {
		name string
		cfg  *SignalConfig
	}{{"traces", &c.Traces}, {"metrics", &c.Metrics}, {"logs", &c.Logs}} {
		if err := s.cfg.validate(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}
