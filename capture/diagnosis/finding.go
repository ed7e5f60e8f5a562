package diagnosis

import (
	"net/netip"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// State says what changed about a finding.
type State uint8

const (
	Raised  State = iota // it holds, and did not before
	Changed              // it holds as before, with other conclusions
	Cleared              // it no longer holds
	Holding              // it still holds: a heartbeat
)

// String returns "raised", "changed", "cleared" or "holding".
func (s State) String() string { return [...]string{"raised", "changed", "cleared", "holding"}[s] }

// Severity is how much a finding matters.
type Severity uint8

const (
	Info Severity = iota
	Warning
	Error
)

// String returns "info", "warning" or "error".
func (s Severity) String() string { return [...]string{"info", "warning", "error"}[s] }

// Confidence is how sure a finding is.
type Confidence uint8

const (
	Possible Confidence = iota
	Likely
	Certain
)

// String returns "possible", "likely" or "certain".
func (c Confidence) String() string { return [...]string{"possible", "likely", "certain"}[c] }

// Subject is what a finding is about. It is comparable; zero fields do not apply.
type Subject struct {
	Interface string
	Port      uint16 // server port
	Direction capture.Direction
	Peer      netip.Addr
}

// Evidence is one number or word that a finding rests on. Value is an int64, a
// float64, a bool or a string.
type Evidence struct {
	Key   string // without the prefix wiretell.diagnosis.evidence.
	Value any
}

// Remedy says what to do. Empty fields do not apply.
type Remedy struct {
	Summary  string
	Command  string // can be pasted into a shell
	Manifest string // can be pasted into YAML
	URL      string
}

// Finding is an inference, published when its state changes.
type Finding struct {
	ID         string // the leaf's id, as "TLS-01"
	Title      string
	State      State
	Severity   Severity
	Confidence Confidence
	Subject    Subject
	Path       []string // the questions answered on the way, as "can we capture? yes"
	Body       string   // one sentence for a person
	Evidence   []Evidence
	Remedy     Remedy
	Caveats    []string // ids of leaves that hold at the same time and say that the capture is not whole
	At, Since  capture.Time

	said bool // see Unsaid
}

// Unsaid returns those of the findings of [Tree.Final] that are worth
// publishing: what [Tree.Tick] returned less than a second before, and has not
// changed since, would only be said twice. The slice is new.
func Unsaid(final []Finding) []Finding {
	var out []Finding
	for i := range final {
		if !final[i].said {
			out = append(out, final[i])
		}
	}
	return out
}

// ExportHealth is what an exporter says of one signal. Counts are cumulative
// records; Created = Exported + Rejected + the sum of Dropped + Queued.
type ExportHealth struct {
	Exporter   string // "otlp", "otlp-json", "text"
	Signal     string // "traces", "metrics", "logs"
	Endpoint   string
	Protocol   string // "grpc", "http/protobuf", ""
	Created    uint64
	Exported   uint64
	SampledOut uint64 // never created, by the sampler's choice
	// NotSelected counts what was never created, by the user's choice (--select).
	NotSelected uint64
	Rejected    uint64 // by partial success or a final status
	Dropped     map[string]uint64
	Queued      uint64
	Duplicates  uint64 // upper bound of records sent twice
	Failing     bool   // the last attempt failed
	FailingAt   capture.Time
	LastError   string // without credentials
	LastStatus  string // gRPC code or HTTP status of the last failure, "" for a dial error
	// ClockSkew is how far the receiver's clock was ahead of this one at its last
	// answer that told the time; 0 when none did.
	ClockSkew time.Duration
	// Overflow counts what went into a folded series as an instrument had reached
	// a limit: each recording of a histogram, and each data point of a counter at
	// each collection. Of metrics only; cumulative. The table of ports folds
	// before that and says so itself (capture.PortStats.Overflow).
	Overflow uint64
	// BesideSDK says whether spans are INTERNAL because an SDK in the pod makes
	// SERVER and CLIENT spans itself: one of the constants. Of traces only.
	BesideSDK string
}

// Values of ExportHealth.BesideSDK. It is empty for other signals than traces,
// and for exporters that make no spans.
const (
	BesideSDKNo     = "no"           // the user said that there is none
	BesideSDKYes    = "yes"          // the user said that there is one
	BesideSDKAuto   = "auto"         // nothing proves one so far: SERVER and CLIENT spans
	BesideSDKProved = "auto: proved" // an outbound request carried a span id that did not come in
)
