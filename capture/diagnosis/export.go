package diagnosis

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wiretell/wiretell/capture"
)

func exportLeaves() []Leaf {
	return []Leaf{unreachableLeaf(), wrongProtocolLeaf(), rejectedExportLeaf(), throttledExportLeaf(), droppedExportLeaf(), meshExportLeaf(), ownTrafficLeaf(), endpointLeaf(), besideSDKLeaf(), clockStepLeaf(), clockSkewLeaf(), overflowLeaf(), recordingFailsLeaf(), recordingBoundLeaf(), healthyLeaf()}
}

// trouble is why an exporter fails.
type trouble uint8

const (
	noTrouble trouble = iota
	cannotReach
	wrongProtocol
	refusedBySink
	throttledBySink
	cutByMesh
)

// classify tells why e fails. A status means that somebody answered.
func (v *view) classify(e *ExportHealth) trouble {
	kind := classify(e)
	if kind == cannotReach && accepted(e) && v.mesh().name != "" {
		return cutByMesh
	}
	return kind
}

// accepted reports whether e's connection was accepted and then cut: a collector
// that is away does not accept.
func accepted(e *ExportHealth) bool {
	message := strings.ToLower(e.LastError)
	return slices.ContainsFunc([]string{"connection reset", "eof", "broken pipe", "server closed"}, func(s string) bool { return strings.Contains(message, s) })
}

// classify tells what an error alone says. What a file or standard output did
// not take is no collector's trouble: EXP-05 tells of it.
func classify(e *ExportHealth) trouble {
	if !e.Failing || e.Protocol == "" {
		return noTrouble
	}
	if speaksOther(e) {
		return wrongProtocol
	}
	switch strings.ToLower(e.LastStatus) {
	case "401", "403", "404", "405", "400", "unimplemented", "unauthenticated", "permissiondenied", "permission_denied", "notfound", "not_found", "invalidargument", "invalid_argument", "3", "5", "7", "12", "16":
		return refusedBySink
	case "429", "503", "502", "504", "resourceexhausted", "resource_exhausted", "8":
		return throttledBySink
	}
	return cannotReach
}

// speaksOther reports whether e's error is one that the other OTLP protocol's
// answer brings about: gRPC to an HTTP port or the reverse.
func speaksOther(e *ExportHealth) bool {
	var signs []string
	switch {
	case strings.HasPrefix(e.Protocol, "http"):
		// A gRPC server answers with HTTP/2 frames whatever it is sent.
		signs = []string{"does not speak http/1.1", "malformed http response", "malformed http status code", "http/1.x transport connection broken", "\\x00\\x00\\x06\\x04"}
	case e.Protocol == "grpc":
		// An HTTP/1 server answers the preface of HTTP/2 with text or a close.
		signs = []string{"frame too large", "looked like an http/1.1 header", "error reading server preface", "http/1.1 400", "unexpected http status code", "unexpected content-type"}
	}
	message := strings.ToLower(e.LastError)
	return slices.ContainsFunc(signs, func(s string) bool { return strings.Contains(message, s) })
}

// exportCheck makes the check for exporters in one kind of trouble for at least
// as long as the leaf's threshold says. All of them are one finding.
func exportCheck(kind trouble) func(*view, *Leaf, func(hit)) {
	return func(v *view, l *Leaf, emit func(hit)) {
		var in []*exportView
		for i := range v.exports {
			if e := &v.exports[i]; v.classify(&e.ExportHealth) == kind && e.failing >= l.threshold(v, "failing") {
				in = append(in, e)
			}
		}
		if len(in) > 0 {
			emit(hit{evidence: exportEvidence(in)})
		}
	}
}

func exportEvidence(in []*exportView) []Evidence {
	var signals, endpoints, protocols, statuses []string
	var queued, dropped, rejected uint64
	failing := 0.0
	for _, e := range in {
		signals = append(signals, e.Signal)
		endpoints = append(endpoints, e.Endpoint)
		protocols = append(protocols, e.Protocol)
		statuses = append(statuses, e.LastStatus)
		queued += e.Queued
		dropped += e.dropped
		rejected += e.rejected
		failing = max(failing, e.failing)
	}
	return []Evidence{text("signals", distinct(signals)), text("endpoint", distinct(endpoints)), text("protocol", distinct(protocols)), text("status", distinct(statuses)),
		text("error", clean160(in[0].LastError)), seconds("failing_seconds", failing), number("queued", queued), number("dropped", dropped), number("rejected", rejected)}
}

func distinct(words []string) string {
	slices.Sort(words)
	words = slices.DeleteFunc(slices.Compact(words), func(s string) bool { return s == "" })
	return strings.Join(words, ", ")
}

// clean160 shortens an error for a sentence.
func clean160(s string) string {
	if len(s) > 160 {
		s = strings.ToValidUTF8(s[:160], "") + "..."
	}
	return s
}

func exportKeys() []Key {
	return []Key{{Name: "signals", Description: "signals that fail"}, {Name: "endpoint", Description: "where they go"}, {Name: "protocol", Description: "OTLP protocol in use"}, {Name: "status", Description: "status of the last failure"},
		{Name: "error", Description: "the last error", Volatile: true}, {Name: "failing_seconds", Description: "for how long it has failed"}, {Name: "queued", Description: "records that wait"}, {Name: "dropped", Description: "records dropped in the window"}, {Name: "rejected", Description: "records that the receiver rejected in the window"}}
}

func failingThreshold(seconds float64) []Threshold {
	return []Threshold{{"failing", "seconds", seconds, 0}}
}

func unreachableLeaf() Leaf {
	return Leaf{
		ID: "EXP-01", Title: "The collector cannot be reached", Class: Export, Severity: Error, Confidence: Certain,
		Path:       []Step{{"Does it get out?", "no"}, {"Does the collector answer?", "no"}},
		Condition:  "export fails without a status, or with one that none of the other leaves explains",
		Meaning:    "Nothing is lost as long as the queue has room; what is dropped is counted.",
		Guard:      "A collector that is rolled out is away for a moment: the leaf waits ten seconds.",
		Thresholds: failingThreshold(10), Clear: 1, Live: true, File: true, Blind: true,
		Evidence: exportKeys(),
		Body:     "The collector[[ at {{endpoint}}]] has not been reached for {{failing_seconds}} s ({{signals}}; {{queued record waits|records wait}}, {{dropped was|were}} dropped): {{error}}.",
		Remedy: Remedy{Summary: "Check the endpoint, that the collector is up, and that no NetworkPolicy forbids egress.",
			Command: "kubectl get service,pods -n observability; echo \"$OTEL_EXPORTER_OTLP_ENDPOINT\"", Manifest: "env:\n- name: OTEL_EXPORTER_OTLP_PROTOCOL\n  value: grpc\n- name: OTEL_EXPORTER_OTLP_ENDPOINT\n  value: http://collector.observability:4317\n", URL: "https://opentelemetry.io/docs/specs/otel/protocol/exporter/"},
		check: exportCheck(cannotReach),
	}
}

func wrongProtocolLeaf() Leaf {
	return Leaf{
		ID: "EXP-02", Title: "The endpoint speaks the other OTLP protocol", Class: Export, Severity: Error, Confidence: Likely,
		Path:       []Step{{"Does it get out?", "no"}, {"Does the collector answer?", "yes, in another protocol"}},
		Condition:  "export fails with an error that gRPC to an HTTP port, or HTTP to a gRPC port, brings about",
		Meaning:    "OTLP over gRPC usually is on port 4317 and over HTTP on 4318. The protocol and the port do not fit.",
		Guard:      "Told by the error alone, not by the port's number.",
		Thresholds: failingThreshold(0), Clear: 1, Live: true, File: true, Blind: true,
		Evidence: exportKeys(),
		Body:     "The endpoint {{endpoint}} does not speak {{protocol}} ({{signals}}): {{error}}.",
		Remedy: Remedy{Summary: "Use http/protobuf with port 4318, or grpc with port 4317.", Command: "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4318 wiretell run",
			Manifest: "env:\n- name: OTEL_EXPORTER_OTLP_PROTOCOL\n  value: grpc\n- name: OTEL_EXPORTER_OTLP_ENDPOINT\n  value: http://collector.observability:4317\n", URL: "https://opentelemetry.io/docs/specs/otel/protocol/exporter/"},
		check: exportCheck(wrongProtocol),
	}
}

func rejectedExportLeaf() Leaf {
	return Leaf{
		ID: "EXP-03", Title: "The collector rejects a signal", Class: Export, Severity: Error, Confidence: Certain,
		Path:       []Step{{"Does it get out?", "no"}, {"Does the collector answer?", "yes, it refuses"}},
		Condition:  "export fails with 400, 401, 403, 404, 405, Unimplemented, Unauthenticated, PermissionDenied, NotFound or InvalidArgument",
		Meaning:    "The collector is there, and has no pipeline for the signal, or wants other credentials.",
		Guard:      "None: it is the collector's own answer.",
		Thresholds: failingThreshold(0), Clear: 1, Live: true, File: true, Blind: true,
		Evidence: exportKeys(),
		Body:     "The collector[[ at {{endpoint}}]] rejects {{signals}} ({{status}}): {{error}}.",
		Remedy: Remedy{Summary: "Give the collector a pipeline for the signal, or set the headers it wants.", Command: "OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20TOKEN' wiretell run",
			Manifest: "service:\n  pipelines:\n    logs:\n      receivers: [otlp]\n      exporters: [debug]\n"},
		check: exportCheck(refusedBySink),
	}
}

func throttledExportLeaf() Leaf {
	return Leaf{
		ID: "EXP-04", Title: "The collector throttles, or takes only a part", Class: Export, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Does it get out?", "not all"}, {"Does the collector answer?", "yes, it cannot keep up"}},
		Condition:  "export fails with 429, 502, 503, 504 or ResourceExhausted, or records were rejected by partial success",
		Meaning:    "The collector is overloaded or a limit of its is reached.",
		Guard:      "None: it is the collector's own answer.",
		Thresholds: failingThreshold(10), Clear: 1, Live: true, File: true, Blind: true,
		Evidence: exportKeys(),
		Body:     "The collector[[ at {{endpoint}}]] throttles or takes only a part of {{signals}} ({{rejected}} rejected, {{dropped}} dropped)[[: {{error}}]].",
		Remedy:   Remedy{Summary: "See the collector's memory_limiter and its own exporters; give it more replicas.", Command: "kubectl logs -n observability deploy/collector --since=10m | grep -i -e refus -e limit"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			var in []*exportView
			for i := range v.exports {
				e := &v.exports[i]
				kind := v.classify(&e.ExportHealth)
				if kind == throttledBySink && e.failing >= l.threshold(v, "failing") || kind == noTrouble && e.rejected > 0 {
					in = append(in, e)
				}
			}
			if len(in) > 0 {
				emit(hit{evidence: exportEvidence(in)})
			}
		},
	}
}

func droppedExportLeaf() Leaf {
	return Leaf{
		ID: "EXP-05", Title: "Records were dropped at export", Class: Export, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Does it get out?", "not all"}, {"Where was it lost?", "in the export queue"}},
		Condition: "an exporter dropped records in the window",
		Meaning:   "The capture is whole; records were lost on the way out, as the queue was full or records too old.",
		Guard:     "None: wiretell's own count.",
		Raise:     1, Clear: 2, Live: true, File: true, Blind: true,
		Evidence: []Key{{Name: "dropped", Description: "records dropped in the window"}, {Name: "exported", Description: "records exported in the window"}, {Name: "reasons", Description: "why, with how many since the start", Volatile: true}, {Name: "signals", Description: "which signals"}},
		Body:     "{{dropped record|records}} ({{signals}}) {{dropped: was|were}} lost at export, not at capture ({{reasons}}; {{exported was|were}} exported).",
		Remedy:   Remedy{Summary: "Mend the export first if it fails (EXP-01 to EXP-04); else enlarge the queue or sample spans.", Command: "OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0.1 {{run}}"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			var dropped, exported uint64
			var signals []string
			reasons := map[string]uint64{}
			for i := range v.exports {
				e := &v.exports[i]
				exported += e.exported
				if e.dropped == 0 {
					continue
				}
				dropped += e.dropped
				signals = append(signals, e.Signal)
				for why, n := range e.Dropped {
					reasons[why] += n
				}
			}
			if dropped > 0 {
				emit(hit{evidence: []Evidence{number("dropped", dropped), number("exported", exported), text("reasons", withCounts(reasons)), text("signals", distinct(signals))}})
			}
		},
	}
}

// withCounts lists words with their counts, the greatest first.
func withCounts(m map[string]uint64) string {
	keys := make([]string, 0, len(m))
	for k, n := range m {
		if n > 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), strings.Compare(a, b)) })
	var b strings.Builder
	for i, k := range keys[:min(len(keys), maxListed)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(k + " " + word(number("", m[k]).Value))
	}
	return b.String()
}

func meshExportLeaf() Leaf {
	return Leaf{
		ID: "EXP-06", Title: "The mesh's proxy cuts the export", Class: Export, Severity: Error, Confidence: Likely,
		Path:       []Step{{"Does it get out?", "no"}, {"Does the collector answer?", "no"}, {"Does a mesh's proxy take the connection?", "yes, and cuts it"}},
		Condition:  "a mesh's proxy is in the pod, and export fails as connections are accepted and then cut",
		Meaning:    "The proxy redirects wiretell's own connections to itself, accepts them whatever becomes of them, and cuts them when it cannot or may not reach the collector.",
		Guard:      "A connection that is refused or gets no answer never reached a proxy: that is EXP-01.",
		Thresholds: failingThreshold(10), Clear: 1, Live: true, Blind: true,
		Evidence: exportKeys(),
		Body:     "The mesh's proxy takes the connections to the collector[[ at {{endpoint}}]] and cuts them, for {{failing_seconds}} s ({{signals}}): {{error}}.",
		Remedy: Remedy{Summary: "Leave the collector's port out of the redirection.", Command: "kubectl annotate pod POD traffic.sidecar.istio.io/excludeOutboundPorts=4317,4318",
			Manifest: "metadata:\n  annotations:\n    traffic.sidecar.istio.io/excludeOutboundPorts: \"4317,4318\"\n    config.linkerd.io/skip-outbound-ports: \"4317,4318\"\n"},
		check: exportCheck(cutByMesh),
	}
}

func ownTrafficLeaf() Leaf {
	return Leaf{
		ID: "SELF-01", Title: "wiretell's own traffic is left out", Class: Export, Severity: Info, Confidence: Certain,
		Path:      []Step{{"Is any of it our own?", "yes, and left out"}},
		Condition: "packets of wiretell's own sockets (export, local endpoint) were seen beside other traffic",
		Meaning:   "Own traffic, the export and what the local endpoint is asked, is told by socket and left out, so that wiretell does not observe itself. It is counted.",
		Guard:     "Told by socket: an application that uses the same collector is still observed. Where nothing else is seen NONE-05 says so.",
		Raise:     1, Clear: 20, Live: true,
		Evidence: []Key{{Name: "own_packets", Description: "packets left out"}, {Name: "packets", Description: "other packets"}},
		Body:     "wiretell's own traffic was left out ({{own_packets packet|packets}} beside {{packets other|others}}).",
		Remedy:   Remedy{Summary: "Nothing to mend."},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if own, others := v.ledger[capture.FrameOwnExport], v.transportFrames(); own > 0 && others > 0 {
				emit(hit{evidence: []Evidence{number("own_packets", own), number("packets", others)}})
			}
		},
	}
}

func overflowLeaf() Leaf {
	return Leaf{
		ID: "CARD-01", Title: "Too many to tell apart", Class: Export, Severity: Info, Confidence: Certain,
		Path:      []Step{{"Is everything told apart?", "no, beyond a bound"}},
		Condition: "the table of ports or a bound of the diagnosis is full, or an exporter folded measurements into the series of what is beyond its limit",
		Meaning:   "What is beyond a bound is counted together and not told apart: ports of the capture under port 0, peers and names of the diagnosis, and series of the metrics, which carry otel.metric.overflow.",
		Guard:     "Scanners touch every port. What is folded is still counted: sums are right.",
		Raise:     1, Clear: 3, Live: true, File: true,
		Evidence: []Key{{Name: "ports", Description: "ports told apart"}, {Name: "overflow_packets", Description: "packets with payload counted as overflow, since the start"}, {Name: "beyond", Description: "observations that the diagnosis had no room for"}, {Name: "unlisted", Description: "subjects of findings beyond those that one finding may have"},
			{Name: "folded", Description: "recordings and data points of metrics that went into a folded series"}},
		Body:   "There is too much to tell apart[[: {{overflow_packets packet|packets}} beyond {{ports port|ports}} are counted together]][[; the diagnosis had no room for {{beyond observation|observations}}]][[; {{unlisted more subject|more subjects}} of the findings here {{unlisted: is|are}} not listed]][[; {{folded measurement|measurements}} went into folded series of metrics (otel.metric.overflow)]].",
		Remedy: Remedy{Summary: "Narrow the capture to the ports that matter, or let more ports be counted apart; name the routes of paths that vary.", Command: "{{run}} --port 8080; {{run}} --max-ports 1024"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			over, packets, folded := false, uint64(0), uint64(0)
			for i := range v.ports {
				if p := &v.ports[i]; p.Overflow {
					over = true
					packets += p.total.FromClient.Packets + p.total.FromServer.Packets
				}
			}
			for i := range v.exports {
				folded += v.exports[i].folded
			}
			var ev []Evidence
			if over {
				ev = append(ev, number("ports", uint64(len(v.ports))), number("overflow_packets", packets))
			}
			if v.seen.beyond > 0 {
				ev = append(ev, number("beyond", v.seen.beyond))
			}
			if v.unlisted > 0 {
				ev = append(ev, number("unlisted", v.unlisted))
			}
			if folded > 0 {
				ev = append(ev, number("folded", folded))
			}
			if len(ev) > 0 {
				emit(hit{evidence: ev})
			}
		},
	}
}

func endpointLeaf() Leaf {
	return Leaf{
		ID: "SELF-03", Title: "The local endpoint cannot be asked", Class: Export, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Can wiretell be asked?", "no"}},
		Condition: "the address of --listen could not be listened on, or connections to it can be taken no more",
		Meaning:   "Probes, scrapes and \"wiretell healthcheck\" get no answer from this wiretell, or one from whoever has the port. The capture and the export go on.",
		Guard:     "None: it is the kernel's own answer. It is opened once, at the start.",
		Clear:     1, Live: true, Blind: true, Once: true,
		Evidence: []Key{{Name: "address", Description: "where it was to listen"}, {Name: "error", Description: "what the kernel answered"}},
		Body:     "The local endpoint at {{address}} cannot be asked: {{error}}.",
		Remedy: Remedy{Summary: "Give wiretell a port that nobody else in the pod has, or switch the endpoint off. Another wiretell in the same network namespace has the same default.",
			Command: "ss -ltnp; wiretell run --listen 127.0.0.1:19465", Manifest: "env:\n- name: WIRETELL_LISTEN\n  value: \"127.0.0.1:19465\"\n"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if err := v.Capture.EndpointErr; err != nil {
				emit(hit{evidence: []Evidence{text("address", v.Capture.Endpoint), text("error", clean160(err.Error()))}})
			}
		},
	}
}

// besideSDKLeaf says how wire spans get along with those of an SDK in the
// application. It is true all the time, so it is said when it begins and when
// the mode changes, and not again.
func besideSDKLeaf() Leaf {
	return Leaf{
		ID: "SELF-02", Title: "How spans go beside those of an SDK", Class: Export, Severity: Info, Confidence: Certain,
		Path:      []Step{{"Are spans exported?", "yes"}, {"Does the application make spans of its own?", "as the mode says"}},
		Condition: "an exporter makes spans",
		Meaning:   "Where the application makes SERVER and CLIENT spans itself, those of the wire would double each edge of a service graph: then they are INTERNAL, still children of the span id on the wire. Otherwise they are SERVER and CLIENT.",
		Guard:     "In the mode auto an SDK is proved by an outbound request whose traceparent carries a span id that did not come in; until then none is assumed. Without outbound calls there is no such proof: set the mode. A mesh's proxy that traces gives requests span ids, too: what is seen on both of its sides is judged by the application's, but where one side is not seen say no.",
		Clear:     1, Live: true, File: true, Blind: true, Once: true,
		Evidence: []Key{{Name: "mode", Description: "no and yes (the user said so), auto (nothing proves an SDK so far), auto: proved"}, {Name: "kinds", Description: "kinds of the spans of exchanges"}, {Name: "why", Description: "what the mode rests on"}},
		Body:     "Spans of the wire are {{kinds}}: {{why}}. --beside-sdk yes|no changes it.",
		Remedy:   Remedy{Summary: "Nothing to mend. If the application makes spans of its own, or does not, and wiretell thinks otherwise, say so.", Command: "wiretell run --beside-sdk yes"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			for i := range v.exports {
				mode := v.exports[i].BesideSDK
				kinds, why := "SERVER and CLIENT", ""
				switch mode {
				case BesideSDKNo:
					why = "the setting says that the application makes none itself"
				case BesideSDKAuto:
					why = "nothing proves so far that the application makes spans itself"
				case BesideSDKYes:
					kinds, why = "INTERNAL", "the setting says that the application makes SERVER and CLIENT spans itself"
				case BesideSDKProved:
					kinds, why = "INTERNAL", "the application makes spans itself, as an outbound request carried one that did not come in"
				default:
					continue
				}
				emit(hit{evidence: []Evidence{text("mode", mode), text("kinds", kinds), text("why", why)}})
				return // all exporters share the setting
			}
		},
	}
}

const healthyID = "OK-00"

// wireErrors reports whether the network or a peer failed an exchange in the
// span, or inbound connects failed again and again. Outbound ones have leaves.
func (v *view) wireErrors() bool {
	broken := v.seen.broken
	if !v.final {
		broken -= v.seen.brokenBase
	}
	if broken > 0 {
		return true
	}
	for i := range v.ports {
		if p := &v.ports[i]; p.unanswered(silentReasons()...)+p.UnansweredBy[capture.ReasonReset] > 0 {
			return true
		}
	}
	// A scanner tries each port once, and a client that has gone away is nobody's
	// fault.
	return slices.ContainsFunc(v.seen.failures.order, func(f *failure) bool {
		return !f.key.outgoing() && f.last.repeated && f.in(v) >= maxInboundFailures
	})
}

// maxInboundFailures is as many as NET-SYN-04 takes for somebody who means it.
const maxInboundFailures = 3

func healthyLeaf() Leaf {
	return Leaf{
		ID: healthyID, Title: "Healthy", Class: Export, Severity: Info, Confidence: Certain,
		Path:       []Step{{"Can we capture?", "yes"}, {"Do requests and responses arrive?", "yes"}, {"Does anything else hold?", "nothing worse than information"}},
		Condition:  "requests were seen, at least 99 % of those that ended were answered, no request was left without an answer and no message cut by the network or a peer, and no leaf of severity warning or error holds or is about to",
		Meaning:    "wiretell sees what there is to see, and it gets out.",
		Guard:      "Said only when nothing worse than information holds; one error on the wire, on any port, is enough to be silent, even where it is too rare for a leaf of its own. Resets of idle connections are no errors. A window without requests changes nothing.",
		Thresholds: []Threshold{{"answered", "percent of the requests that ended", 99, 99}},
		Raise:      1, Clear: 1, Live: true, File: true,
		Evidence: []Key{{Name: "requests", Description: "requests"}, {Name: "responses", Description: "responses"}, {Name: "ports", Description: "server ports with requests"}, {Name: "drops", Description: "packets that the kernel dropped"}, {Name: "coverage", Description: "percent of the inbound TCP packets that were captured"}},
		Body:     "Healthy: {{requests request|requests}} and {{responses response|responses}} on port {{ports}}, {{drops drop|drops}}[[, coverage {{coverage}} %]].",
		Remedy:   Remedy{Summary: "Nothing to mend."},
		check: func(v *view, l *Leaf, emit func(hit)) {
			if v.worst > Info || v.wireErrors() {
				return
			}
			var requests, responses, answered, ended uint64
			var ports []uint16
			for i := range v.ports {
				p := &v.ports[i]
				requests, responses = requests+p.requests(), responses+p.responses()
				answered, ended = answered+p.Answered, ended+p.ended()
				if p.requests() > 0 {
					ports = append(ports, p.Port)
				}
			}
			if requests == 0 || ended == 0 {
				emit(hit{quiet: true})
				return
			}
			if 100*ratio(answered, ended) < l.threshold(v, "answered") {
				return
			}
			slices.Sort(ports)
			drops, _ := v.drops()
			ev := []Evidence{number("requests", requests), number("responses", responses), text("ports", joinPorts(slices.Compact(ports))), number("drops", drops)}
			if v.cover.known && v.cover.arrived > 0 {
				ev = append(ev, seconds("coverage", 100*v.cover.share()))
			}
			emit(hit{evidence: ev})
		},
	}
}
