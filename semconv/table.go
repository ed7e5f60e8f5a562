package semconv

// SchemaURL names the version of the OpenTelemetry semantic conventions whose
// names are used here.
const SchemaURL = "https://opentelemetry.io/schemas/1.43.0"

// Scope is the name of the instrumentation scope of everything wiretell emits.
const Scope = "wiretell"

// Kind is what sort of instrument carries a metric.
type Kind uint8

// The kinds of instrument.
const (
	Counter       Kind = iota // monotonic sum
	UpDownCounter             // sum that also goes down
	Gauge                     // last value
	Histogram                 // distribution with explicit bounds
)

// String returns "counter", "updowncounter", "gauge" or "histogram".
func (k Kind) String() string {
	return [...]string{"counter", "updowncounter", "gauge", "histogram"}[k]
}

// Stability is how firm a name is.
type Stability uint8

// The levels of stability, as the conventions use them.
const (
	Development Stability = iota
	Stable
)

// String returns "development" or "stable".
func (s Stability) String() string { return [...]string{"development", "stable"}[s] }

// Origin says under which resource a signal goes.
type Origin uint8

const (
	// Traffic is what was observed: under the resource of the service whose
	// traffic it is.
	Traffic Origin = iota
	// Self is what wiretell says about itself: under service.name=wiretell.
	Self
)

// String returns "traffic" or "self".
func (o Origin) String() string { return [...]string{"traffic", "self"}[o] }

// Metric is one row of [Metrics].
type Metric struct {
	Name        string
	Kind        Kind
	Unit        string // UCUM
	Float       bool   // values are float64, not int64
	Stability   Stability
	Origin      Origin
	Description string
	Attributes  []string
	// Buckets are the explicit bounds of a histogram.
	Buckets []float64
	// Reserved says that nothing emits it yet.
	Reserved bool
}

// Type is the type of an attribute's value.
type Type uint8

// The types of attribute values.
const (
	String Type = iota
	Int
	Double
	Bool
	Strings
)

// String returns the conventions' word for the type.
func (t Type) String() string {
	return [...]string{"string", "int", "double", "boolean", "string[]"}[t]
}

// Attribute is one row of [Attributes].
type Attribute struct {
	Name        string
	Type        Type
	Stability   Stability
	Description string
	// Prefix says that Name, followed by a dot and a key, is a family of names.
	Prefix   bool
	Reserved bool
}

// Severity is the severity number of a log record (OpenTelemetry logs data model).
type Severity uint8

// The severities that wiretell uses.
const (
	SeverityInfo  Severity = 9
	SeverityWarn  Severity = 13
	SeverityError Severity = 17
)

// String returns "INFO", "WARN" or "ERROR".
func (s Severity) String() string {
	switch s {
	case SeverityWarn:
		return "WARN"
	case SeverityError:
		return "ERROR"
	}
	return "INFO"
}

// Event is one row of [Events].
type Event struct {
	Name        string
	Severity    Severity // 0: each record has its own
	Stability   Stability
	Origin      Origin
	Description string
	Attributes  []string
	Reserved    bool
}
