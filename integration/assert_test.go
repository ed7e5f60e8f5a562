package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/wiretell/wiretell/semconv"
)

// call makes the span of an exchange, n ms after the beginning.
func call(n int, kind ptrace.SpanKind, path string, status int64) Span {
	at := time.Unix(1_700_000_000, 0).Add(time.Duration(n) * time.Millisecond)
	a := Attributes{
		semconv.HTTPRequestMethod: "GET", semconv.ServerAddress: "payment", semconv.ServerPort: int64(8080),
		semconv.NetworkPeerAddress: "192.0.2.7", semconv.NetworkPeerPort: int64(8080),
	}
	if status != 0 {
		a[semconv.HTTPResponseStatusCode] = status
	}
	if kind == ptrace.SpanKindClient {
		a[semconv.URLFull] = "http://payment:8080" + path + "?a=b"
	} else {
		a[semconv.URLPath] = path
	}
	return Span{Kind: kind, Start: at, End: at.Add(time.Millisecond), Attributes: a}
}

func calls(statuses ...int64) *Telemetry {
	t := &Telemetry{Metrics: []Metric{{Name: semconv.MetricUnparsed}}}
	for i, s := range statuses {
		t.Spans = append(t.Spans, call(i, ptrace.SpanKindClient, "/charge", s))
	}
	return t
}

func TestChecks(t *testing.T) {
	served := &Telemetry{Spans: []Span{call(0, ptrace.SpanKindServer, "/orders/7", 200)}}
	reset := &Telemetry{Events: []Event{{Name: semconv.EventTCPReset}}}
	silent := &Telemetry{Metrics: []Metric{{Name: semconv.MetricTCPResets, Value: 2}}}
	refused := &Telemetry{}
	for range 5 {
		refused.Events = append(refused.Events, Event{Name: semconv.EventTCPConnectFailed, Attributes: Attributes{
			semconv.ServerAddress: "192.0.2.7", semconv.ServerPort: int64(5432), semconv.ConnectionRole: "client",
		}})
	}
	unparsed := &Telemetry{Metrics: []Metric{{Name: semconv.MetricUnparsed, Value: 3, Attributes: Attributes{semconv.Reason: "tls"}}}}
	drops := &Telemetry{Metrics: []Metric{{Name: semconv.MetricCaptureDrops, Value: 3}}}
	incomplete := calls(200)
	incomplete.Spans[0].Attributes[semconv.ExchangeIncomplete] = "gap"
	finding := &Telemetry{Findings: []Finding{{ID: "TLS-01", Severity: "warning", State: "holding"}, {ID: "SELF-02", Severity: "info"}, {ID: "NONE-07", Severity: "error", State: "cleared"}}}
	for _, c := range []struct {
		name  string
		check Check
		told  *Telemetry
		want  string // "" when it holds
	}{
		{"twice", Called("payment").Times(2).Succeeded(), calls(200, 201), ""},
		{"by name and port", Called("payment:8080").Path("/charge").Method("GET").Times(2), calls(200, 201), ""},
		{"by address", Called("192.0.2.7:8080").Times(1), calls(200), ""},
		{"another name", Called("stock"), calls(200), "called stock: never, want at least once\n  out GET http://payment:8080/charge 200"},
		{"another port", Called("payment:80"), calls(200), "called payment:80: never"},
		{"another method", Called("payment").Method("POST"), calls(200), "called payment POST: never"},
		{"another path", Called("payment").Path("/char"), calls(200), "called payment /char: never"},
		{"too many", Called("payment").Times(1), calls(200, 200), "called payment: twice, want once"},
		{"too few", Called("payment").AtLeast(3), calls(200, 200), "called payment: twice, want at least 3 times"},
		{"too many again", Called("payment").AtMost(1), calls(200, 200), "called payment: twice, want at most once"},
		{"at most, and none", Called("stock").AtMost(1), calls(200), ""},
		{"never", Called("stock").Never(), calls(200), ""},
		{"never, but once", Called("payment").Never(), calls(200), "called payment: once, want never"},
		{"between", Called("payment").AtLeast(1).AtMost(2), &Telemetry{}, "called payment: never, want at least once, at most twice"},
		{"one failed", Called("payment").Times(2).Succeeded(), calls(200, 503), "called payment: 1 of 2 not answered with 2xx\n  out GET http://payment:8080/charge 503"},
		{"one was not answered", Called("payment").Times(2).Succeeded(), calls(200, 0), "1 of 2 not answered with 2xx"},
		{"status", Called("payment").Status(200), calls(201), "not answered with 200"},
		{"served", Served().Path("/orders/*").Times(1).Status(200), served, ""},
		{"served is not called", Called("payment"), served, "never"},
		{"called is not served", Served(), calls(200), "served: never"},
		{"three retries", NoRetryStorm(), calls(503, 503, 503, 503), ""},
		{"four retries", NoRetryStorm(), calls(503, 503, 503, 0, 503), "retry storm: GET http://payment:8080/charge was sent again after it failed 4 times in a row"},
		{"success in between", NoRetryStorm(), calls(503, 503, 503, 200, 503, 503, 503), ""},
		{"errors of the client are final", NoRetryStorm(), calls(404, 404, 404, 404, 404, 404), ""},
		{"connects", NoRetryStorm(), refused, "retry storm: 192.0.2.7:5432 was tried to connect to 5 times"},
		{"connects, allowed", NoMoreRetries(4), refused, ""},
		{"failed connects", NoFailedConnect(), refused, "5 connections failed"},
		{"no reset", NoReset(), calls(200), ""},
		{"reset", NoReset(), reset, "1 connections were reset"},
		{"reset, its event held back", NoReset(), silent, "2 connections were reset"},
		{"parsed", NothingUnparsed(), calls(200), ""},
		{"unparsed", NothingUnparsed(), unparsed, "3 packets were left unparsed: tls"},
		{"unparsed, allowed", NothingUnparsed("tls"), unparsed, ""},
		{"dropped", NothingUnparsed(), drops, "3 packets were not captured"},
		{"incomplete", NothingUnparsed(), incomplete, "not all of an exchange was seen: out GET"},
		{"not known", NothingUnparsed(), &Telemetry{}, "it is not known"},
		{"finding", NoFinding(), finding, "the diagnosis found something\n  [warning] TLS-01"},
		{"finding, allowed", NoFinding("TLS-01"), finding, ""},
	} {
		err := c.check.Holds(c.told)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestReceiverLines(t *testing.T) {
	r := newReceiver()
	var bad []error
	l := &lines{f: func(b []byte) {
		if err := r.line(b); err != nil {
			bad = append(bad, err)
		}
	}}
	const text = `{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[{"name":"GET","kind":3,"attributes":[{"key":"http.response.status_code","value":{"intValue":"200"}}]}]}]}]}
{"resourceMetrics":[{"resource":{},"scopeMetrics":[{"scope":{},"metrics":[{"name":"m","sum":{"dataPoints":[{"asInt":"3"}]}}]}]}]}
{"resourceMetrics":[{"resource":{},"scopeMetrics":[{"scope":{},"metrics":[{"name":"m","sum":{"dataPoints":[{"asInt":"4"}]}}]}]}]}
{"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":{},"logRecords":[{"eventName":"e","body":{"stringValue":"b"}}]}]}]}

no json at all
{"resourceSpans":[{]}
`
	for i := range text { // in the smallest pieces
		if n, err := l.Write([]byte(text[i : i+1])); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	told, _ := r.snapshot()
	m, ok := told.Metric("m", nil)
	if len(told.Exchanges()) != 1 || told.Exchanges()[0].Status != 200 || !told.Exchanges()[0].Outbound || len(told.Events) != 1 || m != 4 || !ok {
		t.Errorf("received %+v", told)
	}
	if len(bad) != 2 || !strings.Contains(fmt.Sprint(bad), `no OTLP: "no json at all"`) || !strings.Contains(fmt.Sprint(bad), "a line with spans") {
		t.Errorf("complaints: %v", bad)
	}
}
