package integration

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/wiretell/wiretell/semconv"
)

// Telemetry is what wiretell told until now. The slices are the caller's.
type Telemetry struct {
	Spans    []Span
	Metrics  []Metric
	Events   []Event
	Findings []Finding
}

// Attributes are those of docs/signals.md: strings, int64, float64, bool, or
// slices and maps of them.
type Attributes map[string]any

// String returns the text of an attribute, "" when it is not there.
func (a Attributes) String(key string) string {
	if v, ok := a[key]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

// Int returns an attribute that is an integer, 0 when it is not there.
func (a Attributes) Int(key string) int {
	n, _ := a[key].(int64)
	return int(n)
}

// Span is a span as it was received.
type Span struct {
	Name                          string
	Kind                          ptrace.SpanKind
	TraceID, SpanID, ParentSpanID string // in hex; "" when there is none
	Start, End                    time.Time
	Failed                        bool // its status is Error
	Attributes                    Attributes
}

// Exchange is an HTTP request and its response as they were on the wire.
type Exchange struct {
	Span
	// Outbound says that the container under test sent the request. A request
	// that it sent to itself is inbound.
	Outbound bool
	Method   string
	Host     string // of the Host field or target, without the port; else the server's address
	Port     int
	Path     string // without the query
	Status   int    // 0 when there was no response
	// Error says why there was no response, or is the status of one that failed.
	Error string
	// Incomplete says why wiretell did not see all of it; "" when it did.
	Incomplete string
	// Peer is the address and TCP port of the other side.
	Peer string
}

// Duration is from the first byte of the request to the last of the response.
func (e Exchange) Duration() time.Duration { return e.End.Sub(e.Start) }

// String is one line for people.
func (e Exchange) String() string {
	way, status := "in ", "no response"
	if e.Outbound {
		way = "out"
	}
	if e.Status != 0 {
		status = strconv.Itoa(e.Status)
	}
	s := fmt.Sprintf("%s %s http://%s%s %s in %v", way, e.Method, net.JoinHostPort(e.Host, strconv.Itoa(e.Port)), e.Path, status, e.Duration().Round(time.Microsecond))
	if e.Error != "" && e.Error != status {
		s += " (" + e.Error + ")"
	}
	if e.Incomplete != "" {
		s += " (incomplete: " + e.Incomplete + ")"
	}
	return s
}

// Metric is the latest value of one series.
type Metric struct {
	Name, Unit string
	Attributes Attributes
	// Value is that of a counter or gauge, and the sum of a histogram.
	Value float64
	// Count is the number of values in a histogram.
	Count uint64
}

// Event is a log record with an event name: docs/signals.md lists them.
type Event struct {
	Name            string
	Time            time.Time
	Body            string
	TraceID, SpanID string // of the exchange that it hit; "" when there is none
	Attributes      Attributes
}

// String is one line for people.
func (e Event) String() string {
	var b strings.Builder
	b.WriteString(e.Name)
	for _, k := range slices.Sorted(maps.Keys(e.Attributes)) {
		if k != semconv.EventAttribute {
			fmt.Fprintf(&b, " %s=%v", k, e.Attributes[k])
		}
	}
	return b.String()
}

// Finding is a diagnosis in its latest state. docs/diagnosis.md lists all.
type Finding struct {
	ID         string // as "TLS-01"
	State      string // raised, changed, holding or cleared
	Severity   string // info, warning or error
	Body       string // one sentence with the numbers
	Remedy     string
	Attributes Attributes
}

// String is one line for people.
func (f Finding) String() string {
	s := fmt.Sprintf("[%s] %s: %s", f.Severity, f.ID, f.Body)
	if f.State == "cleared" {
		s += " (cleared)"
	}
	return s
}

// Exchanges returns the HTTP exchanges among the spans, in order of their
// beginning.
func (t *Telemetry) Exchanges() []Exchange {
	var out []Exchange
	for _, s := range t.Spans {
		a := s.Attributes
		e := Exchange{
			Span: s, Outbound: s.Kind == ptrace.SpanKindClient, Method: a.String(semconv.HTTPRequestMethod),
			Host: a.String(semconv.ServerAddress), Port: a.Int(semconv.ServerPort), Path: a.String(semconv.URLPath),
			Status: a.Int(semconv.HTTPResponseStatusCode), Error: a.String(semconv.ErrorType), Incomplete: a.String(semconv.ExchangeIncomplete),
		}
		if peer := a.String(semconv.NetworkPeerAddress); peer != "" {
			e.Peer = net.JoinHostPort(peer, strconv.Itoa(a.Int(semconv.NetworkPeerPort)))
		}
		if m := a.String(semconv.HTTPRequestMethodOriginal); m != "" {
			e.Method = m
		}
		if e.Path == "" { // a CLIENT span has the whole URL instead
			e.Path = pathOf(a.String(semconv.URLFull))
		}
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b Exchange) int { return a.Start.Compare(b.Start) })
	return out
}

// Metric returns the sum of the series of a metric that have all these
// attributes, and whether there is any.
func (t *Telemetry) Metric(name string, with Attributes) (sum float64, ok bool) {
	for _, m := range t.Metrics {
		if m.Name == name && !slices.ContainsFunc(slices.Collect(maps.Keys(with)), func(k string) bool {
			return m.Attributes.String(k) != with.String(k)
		}) {
			sum, ok = sum+m.Value, true
		}
	}
	return sum, ok
}

// pathOf returns the path of an absolute URL.
func pathOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 && rest[i] == '/' {
		path, _, _ := strings.Cut(rest[i:], "?")
		return path
	}
	return "/"
}

// telemetry is what has been received, kept by what it is about.
type telemetry struct {
	spans    []Span
	events   []Event
	metrics  map[string]Metric  // by name, resource and attributes
	findings map[string]Finding // by id and subject
}

func (t *telemetry) addTraces(td ptrace.Traces) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				t.spans = append(t.spans, Span{
					Name: s.Name(), Kind: s.Kind(), Failed: s.Status().Code() == ptrace.StatusCodeError,
					TraceID: s.TraceID().String(), SpanID: s.SpanID().String(), ParentSpanID: s.ParentSpanID().String(),
					Start: s.StartTimestamp().AsTime(), End: s.EndTimestamp().AsTime(), Attributes: s.Attributes().AsRaw(),
				})
			}
		}
	}
}

func (t *telemetry) addLogs(ld plog.Logs) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, r := range sl.LogRecords().All() {
				if r.EventName() == semconv.EventDiagnosis {
					t.addFinding(r)
					continue
				}
				e := Event{Name: r.EventName(), Time: r.Timestamp().AsTime(), Body: r.Body().AsString(), Attributes: r.Attributes().AsRaw()}
				if id := r.TraceID(); !id.IsEmpty() {
					e.TraceID = hex.EncodeToString(id[:])
				}
				if id := r.SpanID(); !id.IsEmpty() {
					e.SpanID = hex.EncodeToString(id[:])
				}
				t.events = append(t.events, e)
			}
		}
	}
}

func (t *telemetry) addFinding(r plog.LogRecord) {
	a := Attributes(r.Attributes().AsRaw())
	f := Finding{
		ID: a.String(semconv.DiagnosisID), State: a.String(semconv.DiagnosisState), Severity: a.String(semconv.DiagnosisSeverity),
		Body: r.Body().AsString(), Remedy: a.String(semconv.RemediationSummary), Attributes: a,
	}
	if t.findings == nil {
		t.findings = map[string]Finding{}
	}
	key := f.ID
	for _, k := range []string{semconv.NetworkInterfaceName, semconv.ServerPort, semconv.ServerAddress, semconv.NetworkPeerAddress} {
		key += "\x00" + a.String(k)
	}
	t.findings[key] = f
}

func (t *telemetry) addMetrics(md pmetric.Metrics) {
	if t.metrics == nil {
		t.metrics = map[string]Metric{}
	}
	for _, rm := range md.ResourceMetrics().All() {
		service := Attributes(rm.Resource().Attributes().AsRaw()).String(semconv.ServiceName)
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				put := func(attributes pcommon.Map, value float64, count uint64) {
					a := Attributes(attributes.AsRaw())
					key := m.Name() + "\x00" + service
					for _, k := range slices.Sorted(maps.Keys(a)) {
						key += "\x00" + k + "\x00" + a.String(k)
					}
					t.metrics[key] = Metric{Name: m.Name(), Unit: m.Unit(), Attributes: a, Value: value, Count: count}
				}
				switch m.Type() {
				case pmetric.MetricTypeSum:
					putNumbers(m.Sum().DataPoints(), put)
				case pmetric.MetricTypeGauge:
					putNumbers(m.Gauge().DataPoints(), put)
				case pmetric.MetricTypeHistogram:
					for _, p := range m.Histogram().DataPoints().All() {
						put(p.Attributes(), p.Sum(), p.Count())
					}
				}
			}
		}
	}
}

func putNumbers(points pmetric.NumberDataPointSlice, put func(pcommon.Map, float64, uint64)) {
	for _, p := range points.All() {
		value := p.DoubleValue()
		if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
			value = float64(p.IntValue())
		}
		put(p.Attributes(), value, 0)
	}
}

// snapshot returns a copy in an order that does not depend on chance.
func (t *telemetry) snapshot() *Telemetry {
	out := &Telemetry{Spans: slices.Clone(t.spans), Events: slices.Clone(t.events)}
	for _, k := range slices.Sorted(maps.Keys(t.metrics)) {
		out.Metrics = append(out.Metrics, t.metrics[k])
	}
	for _, k := range slices.Sorted(maps.Keys(t.findings)) {
		out.Findings = append(out.Findings, t.findings[k])
	}
	slices.SortStableFunc(out.Events, func(a, b Event) int { return a.Time.Compare(b.Time) })
	slices.SortStableFunc(out.Spans, func(a, b Span) int { return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.SpanID, b.SpanID)) })
	return out
}
