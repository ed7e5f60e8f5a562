package diagnosis

import (
	"slices"
	"strconv"

	"github.com/wiretell/wiretell/capture"
)

func directionLeaves() []Leaf {
	return []Leaf{oneWayLeaf(), silentServerLeaf(), unreadableResponseLeaf(), lostResponseLeaf(), endedFirstLeaf(), orphanLeaf(), cutMessageLeaf(), pairingLeaf(), localBypassLeaf()}
}

func oneWayLeaf() Leaf {
	return Leaf{
		ID: "DIR-01", Title: "Only one direction is visible", Class: Direction, Severity: Error, Confidence: Likely,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"In both directions?", "no"}},
		Condition:  "an interface carried TCP packets one way and none the other way, and nothing was dropped; or the filter leaves out whatever one side of connections sends of which it selects the other; or no connection of a port has a single packet of one of the sides",
		Meaning:    "TCP always answers, if only with acknowledgements or resets. Where only one direction is seen the other is hidden: by the filter, by asymmetric routing, or by a bypass.",
		Guard:      "Drops hide packets too: without proof that the filter is to blame, any drop keeps the leaf silent. Loopback is left out of that. Packets may come by one interface and leave by another: where all is captured, ports carry data both ways, which keeps the leaf silent. A SYN flood that nothing answers looks alike. Connections of a port count when they have ended, and only from 5 packets with payload on, as the other side may have been about to answer; or with fewer that acknowledge what was not captured.",
		Thresholds: []Threshold{{"packets", "packets", 20, 20}, {"payload", "packets with payload on the port", 3, 1}},
		Raise:      2, Clear: 1, Live: true, File: true, Caveat: true,
		Evidence: []Key{{Name: "seen", Description: "TCP packets of the direction that is seen; with payload, of a port"}, {Name: "way", Description: "the direction that is seen"},
			{Name: "where", Description: "the interface or port"}, {Name: "filter", Description: "the filter, where it is to blame"}},
		Body:   "Only {{way}} packets are visible on {{where}} ({{seen TCP packet|TCP packets}}, none the other way)[[: the filter ({{filter}}) selects one half of each connection]].",
		Remedy: Remedy{Summary: "Look for src or dst in the filter, and for a path that packets take around this interface; else capture on the host.", Command: "ip route get PEER; wiretell run   # without --filter"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			halvedPorts(v, l, emit)
			if v.Capture.Live {
				oneWayInterfaces(v, l, emit)
			}
		},
	}
}

// hides reports whether data of a direction is not seen: a port has some of the
// other direction only, or there is none at all.
func (v *view) hides(d capture.Direction) bool {
	whole := false
	for i := range v.ports {
		n := v.ports[i].dataPackets()
		switch seen := n[capture.Receive] + n[capture.Transmit] - n[d]; {
		case seen > 0 && n[d] == 0:
			return true
		case seen > 0:
			whole = true
		}
	}
	return !whole
}

// halved reports whether nothing that one side sends on the port's connections is
// captured, and which side is seen. With filtered the filter does that, which is
// proved by packets that were left out of connections that are followed; a filter
// is for the whole run: so is the proof. Else all connections have ended without
// an acknowledgement of the other side.
func (v *view) halved(p *portView) (seen capture.Side, filtered, yes bool) {
	t := p.total
	sent := [...]uint64{capture.Client: t.FromClient.Packets, capture.Server: t.FromServer.Packets}
	for seen := capture.Client; seen <= capture.Server; seen++ {
		hidden := seen.Other()
		if sent[hidden] > 0 || sent[seen] == 0 {
			continue
		}
		if t.FilteredWithin[hidden] > 0 && t.FilteredWithin[seen] == 0 {
			return seen, true, true
		}
		dropped, _ := v.drops()
		if t.OneWay[seen] > 0 && t.OneWay[seen] == t.Conns && (sent[seen] >= unheard || t.Gaps > 0) && dropped == 0 {
			return seen, false, true
		}
	}
	return 0, false, false
}

// unheard is how many packets with payload must have been seen on a port before
// it is believed that those of the other side are hidden, and not yet to come;
// unless it acknowledges what was not captured.
const unheard = 5

func halvedPorts(v *view, l *Leaf, emit func(hit)) {
	portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
		side, filtered, yes := v.halved(p)
		if !yes {
			return nil, absent
		}
		if float64(p.payload()) < l.threshold(v, "payload") {
			return nil, quiet
		}
		where := "port " + strconv.Itoa(int(p.Port))
		if way := p.subject().way(); way != "" {
			where += ", " + way
		}
		ev := []Evidence{number("seen", p.payload()), text("way", "the "+side.String()+"'s"), text("where", where)}
		if filtered {
			ev = append(ev, text("filter", v.filter()))
		}
		return ev, holds
	})(v, l, func(h hit) {
		if slices.ContainsFunc(h.evidence, func(e Evidence) bool { return e.Key == "filter" }) {
			h.sharper, h.severity, h.confidence = true, l.Severity, Certain
		}
		emit(h)
	})
}

func oneWayInterfaces(v *view, l *Leaf, emit func(hit)) {
	if dropped, _ := v.drops(); dropped > 0 {
		return
	}
	s := v.Snapshot
	for i := range s.Interfaces {
		if i >= len(s.Source.Interfaces) || s.Source.Interfaces[i].Loopback {
			continue
		}
		var was capture.InterfaceTraffic
		if i < len(v.base.Interfaces) {
			was = v.base.Interfaces[i]
		}
		in, out := tcpPackets(&s.Interfaces[i], &was, capture.Receive), tcpPackets(&s.Interfaces[i], &was, capture.Transmit)
		name := s.Source.Interfaces[i].Name
		h := hit{subject: Subject{Interface: name}}
		switch need := l.threshold(v, "packets"); {
		case float64(in+out) < need:
			h.quiet = true
		case out == 0 && v.hides(capture.Transmit):
			h.evidence = []Evidence{number("seen", in), text("way", "received"), text("where", name)}
		case in == 0 && v.hides(capture.Receive):
			h.evidence = []Evidence{number("seen", out), text("way", "transmitted"), text("where", name)}
		default:
			continue
		}
		emit(h)
	}
}

func tcpPackets(now, was *capture.InterfaceTraffic, d capture.Direction) (n uint64) {
	for i := range now[d][capture.TCP] {
		n += less(now[d][capture.TCP][i].Packets, was[d][capture.TCP][i].Packets)
	}
	return n
}

// Why a request has no response, by whose doing.
func silentReasons() []capture.Reason {
	return []capture.Reason{capture.ReasonClosedBeforeResponse, capture.ReasonClosed, capture.ReasonFIN, capture.ReasonTimedOut, capture.ReasonReset,
		capture.ReasonHostUnreachable, capture.ReasonNetUnreachable, capture.ReasonAdminProhibited}
}

func unreadableReasons() []capture.Reason {
	return []capture.Reason{capture.ReasonUnknownProtocol, capture.ReasonHTTP2, capture.ReasonDesync, capture.ReasonHeaderTooLarge,
		capture.ReasonBadStartLine, capture.ReasonBadHeader, capture.ReasonBadChunk, capture.ReasonBadLength, capture.ReasonAmbiguousLength,
		capture.ReasonBadTransferCoding, capture.ReasonUnsupportedVersion, capture.ReasonSwitchedProtocol, capture.ReasonInternal}
}

func lostReasons() []capture.Reason {
	return []capture.Reason{capture.ReasonGap, capture.ReasonTruncated, capture.ReasonEvicted, capture.ReasonJoinedMidstream}
}

// left counts requests that clients gave up while the server neither answers nor
// closes. Until it does they have not ended.
func (v *view) left(p *portView) uint64 {
	if v.final {
		return min(p.did[leftWaiting], p.UnansweredBy[capture.ReasonShutdown])
	}
	return p.did[leftWaiting]
}

// unansweredCheck makes the check of a leaf about requests without response for
// one of why, and those that more counts (nil for none) as if they had ended.
func unansweredCheck(why []capture.Reason, more func(*view, *portView) uint64, parts ...func(*portView) Evidence) func(*view, *Leaf, func(hit)) {
	return portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
		left := uint64(0)
		if more != nil {
			left = more(v, p)
		}
		n, ended := p.unanswered(why...)+left, p.ended()+left
		_, _, half := v.halved(p)
		switch {
		case half: // DIR-01
			return nil, absent
		case ended == 0:
			return nil, quiet
		case float64(n) < l.threshold(v, "requests") || 100*ratio(n, ended) < l.threshold(v, "share"):
			return nil, absent
		}
		ev := []Evidence{number("unanswered", n), number("ended", ended), percent("share", n, ended)}
		for _, part := range parts {
			ev = append(ev, part(p))
		}
		if more != nil {
			ev = append(ev, number("left", left))
		}
		return ev, holds
	})
}

func unansweredKeys(more ...Key) []Key {
	return append([]Key{{Name: "unanswered", Description: "requests that ended so"}, {Name: "ended", Description: "requests that ended at all"}, {Name: "share", Description: "percent of them"}}, more...)
}

func unansweredThresholds() []Threshold {
	return []Threshold{{"requests", "requests", 3, 1}, {"share", "percent of the requests that ended", 1, 1}}
}

func countOf(key string, why ...capture.Reason) func(*portView) Evidence {
	return func(p *portView) Evidence { return number(key, p.unanswered(why...)) }
}

func silentServerLeaf() Leaf {
	return Leaf{
		ID: "DIR-02", Title: "Requests without responses: the server was silent", Class: Direction, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Did requests arrive?", "yes"}, {"Did responses follow?", "no"}, {"Was anything of a response on the wire?", "no"}},
		Condition:  "requests ended without a single byte of a response: the connection was closed or reset, or nothing came in time, or the client closed its half and the server does nothing",
		Meaning:    "The server took the requests and sent nothing: it hangs, died, or gave up.",
		Guard:      "Long polling and server-sent events answer late, not never: only requests that have ended count. Responses that the capture lost are DIR-04; requests that met the end of an idle connection are NET-RST-02.",
		Thresholds: unansweredThresholds(),
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: unansweredKeys(Key{Name: "closed", Description: "of them, by a close"}, Key{Name: "reset", Description: "of them, by a reset"}, Key{Name: "timed_out", Description: "of them, by silence"}, Key{Name: "left", Description: "of them, that the client gave up, and the server neither answers nor closes"}),
		Body:     "The server on port {{port}}[[ ({{direction}})]] sent nothing in answer to {{unanswered}} of {{ended request|requests}} ({{closed}} closed, {{reset}} reset, {{timed_out}} timed out, {{left}} given up by the client).",
		Remedy:   Remedy{Summary: "Look at the application: its log, deadlocks, exhausted worker pools, crashes.", Command: "kubectl logs POD -c APP --since=10m; kubectl logs POD -c APP --previous; kubectl top pod POD --containers"},
		check: unansweredCheck(silentReasons(), (*view).left, countOf("closed", capture.ReasonClosedBeforeResponse, capture.ReasonClosed, capture.ReasonFIN),
			countOf("reset", capture.ReasonReset), countOf("timed_out", capture.ReasonTimedOut)),
	}
}

func unreadableResponseLeaf() Leaf {
	return Leaf{
		ID: "DIR-03", Title: "Requests without responses: what came back was not readable", Class: Direction, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Did requests arrive?", "yes"}, {"Did responses follow?", "no"}, {"Was anything of a response on the wire?", "yes, but not HTTP"}},
		Condition:  "requests ended because the bytes that came back broke the protocol's rules",
		Meaning:    "The server did answer, but not in a way that can be read as a response: another protocol, an upgrade that was not asked for, or a head that breaks the rules.",
		Guard:      "Bytes lost by the capture are DIR-04, not this.",
		Thresholds: unansweredThresholds(),
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: unansweredKeys(),
		Body:     "{{unanswered}} of {{ended request|requests}} on port {{port}}[[ ({{direction}})]] {{unanswered: was|were}} answered by bytes that are no HTTP response.",
		Remedy:   Remedy{Summary: "See which rule the response breaks (HTTP-01 says the reason), and look at what the server sends.", Command: "wiretell explain HTTP-01; curl -sv --raw http://HOST:{{port}}/ -o /dev/null"},
		check:    unansweredCheck(unreadableReasons(), nil),
	}
}

func lostResponseLeaf() Leaf {
	return Leaf{
		ID: "DIR-04", Title: "Requests without responses: lost by the capture", Class: Direction, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Did requests arrive?", "yes"}, {"Did responses follow?", "no"}, {"Did we see every byte of the server?", "no"}},
		Condition:  "requests ended without a response in whose place the capture has a gap, a cut frame, or had to give up for lack of room",
		Meaning:    "The server answered; the response was lost on the way into wiretell. The server is not to blame.",
		Guard:      "Counted only where the gap overlaps the response.",
		Thresholds: unansweredThresholds(),
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: unansweredKeys(Key{Name: "gaps", Description: "gaps on the port"}, Key{Name: "gap_bytes", Description: "bytes in them"}),
		Body:     "{{unanswered}} of {{ended response|responses}} on port {{port}}[[ ({{direction}})]] {{unanswered: was|were}} lost by the capture, not by the server ({{gaps gap|gaps}}).",
		Remedy:   Remedy{Summary: "See the quality findings: where kernel drops are the cause, a larger ring or more CPU helps.", Command: "wiretell explain QUAL-01; wiretell explain QUAL-07"},
		check: unansweredCheck(lostReasons(), nil, func(p *portView) Evidence { return number("gaps", p.Gaps) },
			func(p *portView) Evidence { return number("gap_bytes", p.GapBytes) }),
	}
}

func endedFirstLeaf() Leaf {
	return Leaf{
		ID: "DIR-09", Title: "The capture ended before any response", Class: Direction, Severity: Info, Confidence: Certain,
		Path:       []Step{{"Did requests arrive?", "yes"}, {"Did responses follow?", "no"}, {"Had they the time to?", "no: the capture ended first"}},
		Condition:  "requests were seen on a port and not one response, and each of them still waited when the capture ended",
		Meaning:    "Whether the server would have answered is not known: the capture is too short, or holds one side of the connections only.",
		Guard:      "Only at the end. One response on the port, or one request that came to an end without, keeps the leaf silent: those say more. That one side is hidden for sure is DIR-01.",
		Thresholds: []Threshold{{"requests", "requests", 1, 1}},
		Raise:      1, Clear: 1, Live: true, File: true,
		Evidence: []Key{{Name: "requests", Description: "requests that waited"}, {Name: "server_packets", Description: "packets with payload by the server"}, {Name: "one_way", Description: "whether not one packet of the server's was captured"}},
		Body:     "{{requests request|requests}} on port {{port}}[[ ({{direction}})]] still waited for a response when the capture ended[[{{one_way?}}; not one packet of the server's was captured]].",
		Remedy:   Remedy{Summary: "Capture for longer, and both directions.", Command: "tcpdump -i any -s 262144 -w FILE 'tcp port {{port}}'"},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			waiting := p.UnansweredBy[capture.ReasonShutdown]
			_, _, half := v.halved(p)
			if !v.final || half || v.left(p) > 0 || p.responses() > 0 || float64(waiting) < l.threshold(v, "requests") || waiting < p.requests() {
				return nil, absent
			}
			return []Evidence{number("requests", waiting), number("server_packets", p.FromServer.Packets), truth("one_way", p.OneWay[capture.Client] == p.Conns)}, holds
		}),
	}
}

// joinSeconds is how long after the start responses without request are usual.
const joinSeconds = 60

func orphanLeaf() Leaf {
	return Leaf{
		ID: "DIR-05", Title: "Responses without requests", Class: Direction, Severity: Info, Confidence: Likely,
		Path:       []Step{{"Did responses arrive?", "yes"}, {"Had their requests been seen?", "no"}},
		Condition:  "responses came whose request was not seen",
		Meaning:    "wiretell joined the connection between request and response, the requests were lost or cut by the capture, or they are no HTTP/1 requests that could be read, as those of HTTP/0.9.",
		Guard:      "Usual in the first minute after the start, in which the leaf is silent (at the end of a run it is not).",
		Thresholds: []Threshold{{"responses", "responses", 3, 1}, {"share", "percent of the responses", 1, 1}},
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "orphans", Description: "responses without a request"}, {Name: "responses", Description: "responses in all"}, {Name: "midstream_connections", Description: "connections on any port joined midway since the start"}, {Name: "gaps", Description: "gaps on the port"}, {Name: "unread", Description: "packets on the port that are of no protocol that is read, or were cut"}, {Name: "refused", Description: "messages on the port that break the rules"}},
		Body:     "{{orphans}} of {{responses response|responses}} on port {{port}}[[ ({{direction}})]] {{orphans: has|have}} no request: joined mid-connection ({{midstream_connections connection was|connections were}}), or the requests were lost ({{gaps gap|gaps}}) or not readable ({{unread packet|packets}}, {{refused message that breaks|messages that break}} the rules).",
		Remedy:   Remedy{Summary: "Let the capture begin before the application does, as a native sidecar's; where there are gaps see the quality findings.", Manifest: nativeSidecarManifest},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			responses := p.responses()
			orphans := less(p.Orphans, p.did[unsolicited]+p.did[goodbye]) // the first are DIR-07's
			_, _, half := v.halved(p)
			switch {
			case half: // DIR-01
			case v.Capture.Live && !v.final && v.running < joinSeconds:
			case responses == 0:
				return nil, quiet
			case float64(orphans) >= l.threshold(v, "responses") && 100*ratio(orphans, responses) >= l.threshold(v, "share"):
				return []Evidence{number("orphans", orphans), number("responses", responses),
					number("midstream_connections", v.Snapshot.Ledger[capture.ConnsMidstream]), number("gaps", p.Gaps), number("unread", p.unread()), number("refused", sum(p.ParseErrors[:]))}, holds
			}
			return nil, absent
		}),
	}
}

// unread counts packets of which nothing could be made, though they were there.
func (p *portView) unread() (n uint64) {
	for _, why := range append(unreadableReasons(), capture.ReasonUndetected, capture.ReasonTruncated) {
		n += p.Unparsed[why].Packets
	}
	return n
}

func cutMessageLeaf() Leaf {
	return Leaf{
		ID: "DIR-06", Title: "Messages cut before their end", Class: Direction, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Did responses arrive?", "yes"}, {"Whole?", "no, the connection ended first"}},
		Condition:  "a connection was closed before the Content-Length or the last chunk of a message, or reset within a response of any kind",
		Meaning:    "One side gave up in the middle of a message: a client that cancelled, a server that crashed, a proxy that ran out of patience.",
		Guard:      "Responses without a body (HEAD, 204, 304) are not cut, nor are bodies that end with the connection when it is closed; a reset is no such end. Clients cancel downloads, and leave streams of events, as they like: what they end themselves is information, and so are a few among many.",
		Thresholds: []Threshold{{"messages", "messages", 3, 1}, {"share", "percent of the messages, cut by others than the client", 1, 1}},
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "responses", Description: "responses cut"}, {Name: "requests", Description: "requests cut"}, {Name: "by_client", Description: "of both, those that the client ended by itself"}, {Name: "resets", Description: "of the responses, those cut by a reset"}},
		Body:     "{{responses response|responses}} and {{requests request|requests}} on port {{port}}[[ ({{direction}})]] were cut before their end ({{by_client}} by the client itself; {{resets}} by a reset).",
		Remedy:   Remedy{Summary: "See who closed: look for cancelled clients, crashes of the server, and time-outs of a proxy between.", Command: "kubectl get pod POD -o jsonpath='{.status.containerStatuses[*].lastState}'; kubectl logs POD -c APP --previous"},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			responses, requests, byClient := p.did[cutResponse], p.did[cutRequest], p.did[cutByClient]
			least, others := l.threshold(v, "messages"), less(responses+requests, byClient)
			if float64(responses+requests) < least {
				return nil, absent
			}
			says := holds
			if float64(others) < least || 100*ratio(others, max(others, p.requests()+p.responses())) < l.threshold(v, "share") {
				says = mild
			}
			return []Evidence{number("responses", responses), number("requests", requests), number("by_client", byClient), number("resets", p.did[cutByReset])}, says
		}),
	}
}

func pairingLeaf() Leaf {
	return Leaf{
		ID: "DIR-07", Title: "Requests and responses do not pair", Class: Direction, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Did responses arrive?", "yes"}, {"Does each answer a request?", "no, though both sides were seen"}},
		Condition:  "responses came that no request asked for, or more pipelined requests than are kept, though nothing is missing of either side",
		Meaning:    "The order of requests and responses cannot be told for sure: a server that answers unasked, pipelining beyond the bound, or responses that are out of order. Durations on that port may be wrong.",
		Guard:      "Responses whose requests were lost, or came before the capture, are DIR-05. A server may end an idle connection by 408 (RFC 9110, section 15.5.9): that answers nothing on purpose.",
		Thresholds: []Threshold{{"messages", "messages without a partner", 3, 1}},
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "unsolicited", Description: "responses that no request asked for"}, {Name: "too_many_pending", Description: "requests beyond those that are kept waiting"}},
		Body:     "Pairing on port {{port}}[[ ({{direction}})]] is uncertain: {{unsolicited response|responses}} that no request asked for, {{too_many_pending pipelined request|pipelined requests}} too many.",
		Remedy:   Remedy{Summary: "Look at what the server sends unasked; let the client pipeline less.", Command: "curl -sv --raw http://HOST:{{port}}/ -o /dev/null"},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			pending := p.UnansweredBy[capture.ReasonPending]
			if float64(p.did[unsolicited]+pending) < l.threshold(v, "messages") {
				return nil, absent
			}
			return []Evidence{number("unsolicited", p.did[unsolicited]), number("too_many_pending", pending)}, holds
		}),
	}
}

func localBypassLeaf() Leaf {
	return Leaf{
		ID: "DIR-08", Title: "Loopback is short-cut", Class: Direction, Severity: Warning, Confidence: Possible,
		Path:       []Step{{"Do both sides talk over loopback?", "they are connected"}, {"Does payload pass?", "none that can be seen"}},
		Condition:  "connections over loopback are opened again and again, the kernel's table has established pairs on the port all the time, and no payload is seen on it",
		Meaning:    "A socket map of eBPF (as meshes and pod networks use to be faster) moves bytes from socket to socket: handshakes still pass over lo, payload never becomes a packet.",
		Guard:      "Probes that only connect and close leave no established pair behind; idle pools open no connections. Only possible.",
		Thresholds: []Threshold{{"connections", "connections opened", 5, 5}},
		Raise:      2, Clear: 2, Live: true,
		Evidence: []Key{{Name: "connections", Description: "connections opened over loopback"}, {Name: "established", Description: "established sockets on the port now"}},
		Body:     "{{connections connection was|connections were}} opened over loopback on port {{port}} ({{established}} established), and not a byte is seen: the traffic is short-cut.",
		Remedy:   Remedy{Summary: "Switch off the socket-level acceleration of mesh or pod network for this pod.", Command: "bpftool prog show | grep -i -e sk_msg -e sockops; bpftool map show | grep -i sock"},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			if p.Transport != capture.TCP || p.Role != capture.RoleBoth || p.payload() > 0 || float64(p.Conns) < l.threshold(v, "connections") {
				return nil, absent
			}
			established := func(k *capture.Kernel) (n uint64) {
				for _, s := range k.Established {
					if s.Local.Port == p.Port {
						n++
					}
				}
				return n
			}
			if v.stayed(established) == 0 {
				return nil, absent
			}
			return []Evidence{number("connections", p.Conns), number("established", established(v.Kernel))}, holds
		}),
	}
}
