package explain

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/icmp"
	"github.com/wiretell/wiretell/semconv"
)

// entry explains one error.
type entry struct {
	// words are what it is called: the first is the one that outputs use.
	words []string
	capture.Meaning
	signals []signal
	leaves  []string // ids of diagnoses
}

// signal is where an error is told. Empty fields do not apply.
type signal struct {
	event     string
	attribute string // of the event, and of the span of an exchange
	metric    string
	line      string // of the text exporter, where there is no event
}

// section is a group of errors.
type section struct {
	title, intro string
	entries      []entry
	word         string // that all its names begin with, if so
}

// sections returns every error, grouped.
func sections() []section {
	return []section{
		{"How connections fail and end", "The outcome of a connection, or of an attempt to open one.", reasons(capture.ReasonFIN, capture.ReasonClosed), ""},
		{"Exchanges that are not whole", "Half an exchange, or less: by what happened on the wire (`error.type`), or by what wiretell did not see (`wiretell.exchange.incomplete`), which is no error of the exchange.", reasons(capture.ReasonClosedBeforeResponse, capture.ReasonPending), ""},
		{"Bytes that could not be read", "Why payload became no message.", reasons(capture.ReasonTLS, capture.NumReasons-1), ""},
		{"Causes", "What the packets prove of how it came to an error: `wiretell.cause`.", causes(), ""},
		{"Phases of a reset", "What the connection was doing when it was reset, or began to wait: `wiretell.tcp.phase`.", phases(), ""},
		{"Connections that wait", "A connection that waits for what does not come: one event for each such wait.", waits(), ""},
		{"States", "The state of a side, as far as packets prove it: `network.connection.state`.", states(), ""},
		{"What does not fit its connection", "Segments and ICMP errors that hosts ignore, forged ones among them: `wiretell.tcp.ignored.kind`. They change nothing but a counter.", ignored(), ""},
		{"ICMP errors", "Each is an event, tied to the connection and the exchange in flight that it hits when the quoted sequence number fits: one that is not over, or the last one while its response is not acknowledged.", icmps(capture.IPv4, "icmp"), "icmp"},
		{"ICMPv6 errors", "As for ICMP.", icmps(capture.IPv6, "icmpv6"), "icmpv6"},
		{"DNS", "Look-ups over UDP that failed: `error.type` is the response code, or why no answer came (`timed_out`, `port_unreachable`, ...).", rcodes(), "dns"},
		{"TLS alerts", "Alerts in the clear. A fatal one counts as an error of its connection.", alerts(), "alert"},
		{"HTTP status codes", "A whole response whose status the conventions call an error.", statuses(), ""},
	}
}

// exchangeMetric has the durations of exchanges by error.type.
const exchangeMetric = semconv.MetricHTTPServerRequestDuration

var (
	failedConnect = signal{event: semconv.EventTCPConnectFailed, attribute: semconv.ErrorType, metric: semconv.MetricTCPConnections}
	failedLookup  = signal{event: semconv.EventDNSFailed, attribute: semconv.ErrorType, metric: semconv.MetricDNSLookups}
	halfExchange  = signal{event: semconv.EventHTTPExchangeIncomplete, attribute: semconv.ErrorType, metric: exchangeMetric}
	unseen        = signal{event: semconv.EventHTTPExchangeIncomplete, attribute: semconv.ExchangeIncomplete}
	cutMessage    = signal{event: semconv.EventHTTPUnexpectedEOF, attribute: semconv.ErrorType, metric: exchangeMetric}
	inLedger      = signal{attribute: semconv.Reason, metric: semconv.MetricLedger}
	notRead       = signal{attribute: semconv.Reason, metric: semconv.MetricUnparsed}
	icmpError     = signal{event: semconv.EventICMPError, attribute: semconv.ErrorType, metric: semconv.MetricICMPMessages}
)

// reasonSignals returns where a reason is told.
func reasonSignals(r capture.Reason) []signal {
	switch r {
	case capture.ReasonReset:
		return []signal{{event: semconv.EventTCPReset, metric: semconv.MetricTCPResets}, failedConnect, halfExchange, cutMessage}
	case capture.ReasonTimedOut:
		return []signal{failedConnect, halfExchange, failedLookup}
	case capture.ReasonRefused:
		return []signal{failedConnect}
	case capture.ReasonHostUnreachable, capture.ReasonNetUnreachable, capture.ReasonAdminProhibited, capture.ReasonPortUnreachable, capture.ReasonProtoUnreachable,
		capture.ReasonTTLExceeded:
		return []signal{failedConnect, icmpError, failedLookup}
	case capture.ReasonEvicted:
		return []signal{unseen, inLedger, {metric: semconv.MetricEvictions}}
	case capture.ReasonFIN, capture.ReasonReused, capture.ReasonShutdown:
		return []signal{inLedger}
	case capture.ReasonClosed:
		return []signal{notRead}
	case capture.ReasonClosedBeforeResponse:
		return []signal{halfExchange}
	case capture.ReasonResponseTruncated, capture.ReasonRequestTruncated:
		return []signal{cutMessage}
	case capture.ReasonGap:
		return []signal{unseen, notRead, {metric: semconv.MetricCaptureGaps}}
	case capture.ReasonTruncated:
		return []signal{unseen, notRead, {metric: semconv.MetricCaptureTruncated}}
	case capture.ReasonJoinedMidstream:
		return []signal{unseen, notRead}
	case capture.ReasonUnsolicited, capture.ReasonPending:
		return []signal{unseen}
	case capture.ReasonUnknownProtocol, capture.ReasonHTTP2, capture.ReasonUpgraded, capture.ReasonDesync, capture.ReasonUndetected,
		capture.ReasonUDP, capture.ReasonQUIC, capture.ReasonDNS, capture.ReasonInternal:
		return []signal{notRead}
	}
	return []signal{{event: semconv.EventHTTPParseError, attribute: semconv.Reason}, notRead}
}

func reasons(first, last capture.Reason) (out []entry) {
	for r := first; r <= last; r++ {
		out = append(out, entry{[]string{r.String()}, r.Meaning(), reasonSignals(r), reasonLeaves[r]})
	}
	return out
}

func causes() (out []entry) {
	for c := capture.CauseNone + 1; c < capture.NumCauses; c++ {
		var told []signal
		switch {
		case c <= capture.CauseSimultaneousFailed:
			told = []signal{{event: semconv.EventTCPConnectFailed, attribute: semconv.Cause}}
		case c <= capture.CauseShutdown:
			told = []signal{{event: semconv.EventHTTPExchangeIncomplete, attribute: semconv.Cause}, {event: semconv.EventHTTPUnexpectedEOF, attribute: semconv.Cause}}
			if c == capture.CauseKeepAliveRace {
				told = append(told, signal{event: semconv.EventTCPReset, attribute: semconv.Cause})
			}
		default:
			told = []signal{{event: semconv.EventTCPStreamTimeout, attribute: semconv.Cause}}
			if c == capture.CauseRetransmissionTimeout || c == capture.CauseZeroWindow {
				told = append(told, signal{event: semconv.EventTCPStalled, attribute: semconv.Cause})
			}
		}
		out = append(out, entry{[]string{c.String()}, c.Meaning(), told, causeLeaves[c]})
	}
	return out
}

func phases() (out []entry) {
	for p := range capture.NumPhases {
		told := []signal{{event: semconv.EventTCPReset, attribute: semconv.TCPPhase, metric: semconv.MetricTCPResets}}
		if p == capture.PhaseHandshake {
			told = []signal{{attribute: semconv.TCPPhase, metric: semconv.MetricTCPResets}, failedConnect}
		}
		out = append(out, entry{[]string{p.String()}, p.Meaning(), told, phaseLeaves[p]})
	}
	return out
}

func waits() (out []entry) {
	events := [capture.NumStuckKinds]string{
		capture.StuckHalfClosed: semconv.EventTCPHalfClosed, capture.StuckUnacknowledged: semconv.EventTCPCloseUnacknowledged,
		capture.StuckStalled: semconv.EventTCPStalled, capture.StuckStream: semconv.EventTCPStreamTimeout,
	}
	for k := range capture.NumStuckKinds {
		out = append(out, entry{[]string{k.String()}, k.Meaning(), []signal{{event: events[k], metric: semconv.MetricTCPStuck}}, waitLeaves[k]})
	}
	return out
}

func states() (out []entry) {
	for s := capture.StateNone + 1; s < capture.NumTCPStates; s++ {
		told := []signal{{attribute: semconv.NetworkConnectionState, metric: semconv.MetricTCPConnectionsOpen}}
		switch s {
		case capture.StateCloseWait:
			told = append(told, signal{event: semconv.EventTCPHalfClosed, attribute: semconv.NetworkConnectionState})
		case capture.StateFinWait1, capture.StateClosing, capture.StateLastAck:
			told = append(told, signal{event: semconv.EventTCPCloseUnacknowledged, attribute: semconv.NetworkConnectionState})
		}
		out = append(out, entry{[]string{s.String()}, s.Meaning(), told, stateLeaves[s]})
	}
	return out
}

func ignored() (out []entry) {
	for i := range capture.NumIgnored {
		out = append(out, entry{[]string{i.String()}, i.Meaning(), []signal{{attribute: semconv.TCPIgnoredKind, metric: semconv.MetricTCPIgnored}}, nil})
	}
	return out
}

func icmps(n capture.Network, word string) (out []entry) {
	for _, e := range icmp.Errors(n) {
		out = append(out, icmpEntry(n, word, e.Type, e.Code, e.Meaning))
	}
	return out
}

// icmpEntry explains one ICMP message, which may be no error.
func icmpEntry(n capture.Network, word string, typ, code uint8, m icmp.Meaning) entry {
	e := entry{words: []string{fmt.Sprintf("%s %d/%d", word, typ, code), m.Name}}
	e.Text, e.Look, e.Source = m.Text, m.Look, icmp.Source(n, typ)
	if e.Look == "" {
		e.Look = "nothing: this is no error"
	}
	e.Proof = fmt.Sprintf("a message of type %d, code %d", typ, code)
	count := signal{attribute: semconv.ICMPType, metric: semconv.MetricICMPMessages}
	if !m.Error {
		e.signals = []signal{count}
		return e
	}
	e.Proof += ", which quotes the packet that caused it"
	if m.Deprecated {
		e.Text += " (deprecated)"
	}
	e.signals = []signal{{event: semconv.EventICMPError, attribute: semconv.ICMPMeaning, metric: semconv.MetricICMPMessages}}
	if m.Why != capture.ReasonNone {
		e.Text += ": " + m.Why.String() + " for a connect that it hits"
		e.signals = append(e.signals, failedConnect)
	}
	e.leaves = icmpLeaves(n, typ, code, m.Why)
	return e
}

func rcodes() (out []entry) {
	told := []signal{{event: semconv.EventDNSFailed, attribute: semconv.DNSResponseCode, metric: semconv.MetricDNSLookups}}
	for _, r := range capture.RCodes() {
		out = append(out, entry{[]string{r.String(), fmt.Sprintf("dns %d", r)}, r.Meaning(), told, []string{"NET-DNS-01"}})
	}
	return out
}

func alerts() (out []entry) {
	for _, a := range capture.Alerts() {
		e := entry{[]string{a.String(), fmt.Sprintf("alert %d", a)}, a.Meaning(), []signal{{line: "tls_alert"}}, []string{"TLS-04"}}
		if a.Benign() {
			e.leaves = nil
		}
		out = append(out, e)
	}
	return out
}

func statuses() []entry {
	told := []signal{{attribute: semconv.ErrorType, metric: semconv.MetricHTTPServerRequestDuration}, {attribute: semconv.ErrorType, metric: semconv.MetricHTTPClientRequestDuration}}
	return []entry{
		{[]string{"4xx"}, capture.Meaning{Text: "the server says that the request is wrong; an error of exchanges that this pod began", Proof: "the status line of the final response",
			Source: "RFC 9110, section 15.5", Look: "the request: address, credentials, body; 429 and 408 are about load and time"}, told[1:], nil},
		{[]string{"5xx"}, capture.Meaning{Text: "the server could not do what the request asks", Proof: "the status line of the final response",
			Source: "RFC 9110, section 15.6", Look: "the server's log; of 502, 503 and 504 from a proxy, what is behind it"}, told, nil},
	}
}

// find returns the entries of that name with the sections they are of.
func find(name string) (out []found) {
	name = strings.ToLower(strings.Join(strings.Fields(name), " "))
	if len(name) == 3 && (name[0] == '4' || name[0] == '5') && strings.Trim(name, "0123456789") == "" {
		name = name[:1] + "xx"
	}
	for _, s := range sections() {
		for _, e := range s.entries {
			for _, w := range e.words {
				if strings.ToLower(w) == name {
					out = append(out, found{&s, e})
				}
			}
		}
	}
	if len(out) > 0 {
		return out
	}
	word, numbers, _ := strings.Cut(name, " ")
	network := capture.IPv4
	switch word {
	case "icmp":
	case "icmpv6", "icmp6":
		network, word = capture.IPv6, "icmpv6"
	default:
		return nil
	}
	// A message that is no error, or not assigned.
	typ, code, _ := strings.Cut(numbers, "/")
	if !strings.Contains(numbers, "/") {
		code = "0"
	}
	n, bad := strconv.ParseUint(typ, 10, 8)
	c, worse := strconv.ParseUint(code, 10, 8)
	if bad != nil || worse != nil {
		return nil
	}
	title := map[string]string{"icmp": "ICMP", "icmpv6": "ICMPv6"}[word]
	return []found{{&section{title: title}, icmpEntry(network, word, uint8(n), uint8(c), icmp.Describe(network, uint8(n), uint8(c)))}}
}

// found is an entry and the section that it is of.
type found struct {
	*section
	entry
}
