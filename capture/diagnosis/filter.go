package diagnosis

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wiretell/wiretell/capture"
)

func filterLeaves() []Leaf {
	return []Leaf{excludesAllLeaf(), portNotListeningLeaf(), httpElsewhereLeaf(), redirectedPortLeaf(), wrongKindLeaf(), selectsNothingLeaf(), sampledLeaf()}
}

func excludesAllLeaf() Leaf {
	return Leaf{
		ID: "FILT-01", Title: "The filter leaves out all TCP", Class: Filter, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Did any TCP packet pass the filter?", "no"}, {"Did the filter leave TCP packets out?", "yes"}},
		Condition:  "a filter or --port is set, no TCP packet matched it, and TCP packets were left out by it",
		Meaning:    "Capture works, but what the filter lets through holds no TCP at all, so that no request can be seen. Other traffic that passes (DNS, say) does not change that.",
		Guard:      "Without a filter the leaf is never raised. A filter that is meant for UDP only leaves TCP out on purpose.",
		Thresholds: []Threshold{{"packets", "packets", 5, 1}},
		Raise:      2, Clear: 1, Live: true, File: true,
		Evidence: []Key{{Name: "filter", Description: "the filter"}, {Name: "left_out", Description: "TCP packets that the filter left out"},
			{Name: "matched", Description: "packets of any kind that it let through"}, {Name: "ports", Description: "server ports of what was left out, the busiest first", Volatile: true}, {Name: "first_port", Description: "the busiest of them", Volatile: true}},
		Body:   "The filter ({{filter}}) matches none of {{left_out TCP packet|TCP packets}}[[; most are on port {{ports}}]].",
		Remedy: Remedy{Summary: "Filter for a port that carries traffic, or leave the filter out.", Command: "{{run}} --port {{first_port}}"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			if !v.filtering() {
				return
			}
			var left uint64
			var ports []*portView
			for i := range v.ports {
				if p := &v.ports[i]; p.Transport == capture.TCP && p.Filtered.Packets > 0 {
					left += p.Filtered.Packets
					ports = append(ports, p)
				}
			}
			led := &v.ledger
			tcp := led[capture.FrameTCP] + led[capture.DatagramTCP]
			if tcp > 0 {
				return
			}
			if float64(left) < l.threshold(v, "packets") {
				emit(hit{quiet: true})
				return
			}
			slices.SortStableFunc(ports, func(a, b *portView) int { return cmp.Compare(b.Filtered.Packets, a.Filtered.Packets) })
			var names []uint16
			for _, p := range ports {
				if !p.Overflow && !slices.Contains(names, p.Port) {
					names = append(names, p.Port)
				}
			}
			ev := []Evidence{text("filter", v.filter()), number("left_out", left),
				number("matched", led[capture.FrameUDP]+led[capture.FrameICMP]+led[capture.FrameICMPv6]+led[capture.FrameOther])}
			if len(names) > 0 {
				ev = append(ev, text("ports", joinPorts(names)), number("first_port", uint64(names[0])))
			}
			emit(hit{evidence: ev})
		},
	}
}

// filtering reports whether the user narrowed the capture.
func (v *view) filtering() bool {
	return v.Capture.FilterExpr != "" || len(v.Capture.FilterPorts) > 0
}

// filter returns the user's filter in words.
func (v *view) filter() string {
	if v.Capture.FilterExpr != "" {
		return v.Capture.FilterExpr
	}
	return "port " + joinPorts(v.Capture.FilterPorts)
}

func portNotListeningLeaf() Leaf {
	return Leaf{
		ID: "FILT-02", Title: "Nothing listens on the filter's port", Class: Filter, Severity: Warning, Confidence: Likely,
		Path:      []Step{{"Is there a filter?", "yes"}, {"Does anybody listen on its port?", "no"}, {"Does anybody here connect to that port?", "no"}},
		Condition: "a port of the filter has no TCP listener, though other ports have, and no connection with it was seen",
		Meaning:   "A Service's port is not the container's port: packets in the pod carry the port that the container listens on (targetPort).",
		Guard:     "A filter for outbound calls names a port of others: a connection to it keeps the leaf silent. An application that binds late: the leaf waits two windows and needs another listener.",
		Raise:     2, Clear: 1, Live: true, Blind: true,
		Evidence: []Key{{Name: "listening", Description: "ports that others than wiretell listen on"}, {Name: "first_port", Description: "the lowest of them that can be reached from outside and is not a mesh's"}},
		Body:     "Nothing listens on {{port}} here; listening: {{listening}}. A Service's port is not the container's port.",
		Remedy:   Remedy{Summary: "Filter for the port that the container listens on.", Command: "[[wiretell run --port {{first_port}}; ]]kubectl get service SERVICE -o jsonpath='{.spec.ports}'"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if !v.Kernel.Has(capture.KnownSockets) {
				return
			}
			listening := v.listening(false)
			if len(listening) == 0 {
				return // NONE-07 says more
			}
			ev := []Evidence{text("listening", joinPorts(listening))}
			if best := slices.Concat(v.applications(true), v.applications(false)); len(best) > 0 {
				ev = append(ev, number("first_port", uint64(best[0])))
			}
			for _, port := range v.Capture.FilterPorts {
				if slices.Contains(listening, port) || v.connected(port) {
					continue
				}
				emit(hit{subject: Subject{Port: port}, evidence: ev})
			}
		},
	}
}

// connected reports whether a connection with a server port was seen at all.
func (v *view) connected(port uint16) bool {
	for i := range v.ports {
		if t := v.ports[i].total; t.Port == port && t.Conns+t.FromServer.Packets > 0 {
			return true
		}
	}
	return false
}

func httpElsewhereLeaf() Leaf {
	return Leaf{
		ID: "FILT-03", Title: "HTTP is outside the filter", Class: Filter, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Is there a filter?", "yes"}, {"Is there HTTP in what it lets through?", "no"}, {"In what it leaves out?", "yes"}},
		Condition:  "packets that the filter left out begin as HTTP does, and no HTTP message was read since the start",
		Meaning:    "The filter follows other ports than those that speak HTTP in clear text.",
		Guard:      "Of what the filter leaves out one packet in 16 is looked at, and only whether it begins as HTTP does. A filter that lets some HTTP through is meant to leave the rest out: it keeps the leaf silent.",
		Thresholds: []Threshold{{"packets", "packets that begin as HTTP, of one in 16", 2, 1}},
		Raise:      1, Clear: 1, Live: true, File: true,
		Evidence: []Key{{Name: "filter", Description: "the filter"}, {Name: "http_packets", Description: "packets left out that begin as HTTP, of one in 16"}, {Name: "left_out", Description: "packets that the filter left out on the port"}},
		Body:     "HTTP is on port {{port}}[[ ({{direction}})]], outside the filter ({{filter}}): {{http_packets packet|packets}} of one in 16 looked at {{http_packets: begins|begin}} so.",
		Remedy:   Remedy{Summary: "Let the filter name that port, too.", Command: "{{run}} --port {{port}}"},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			led := &v.Snapshot.Ledger
			switch {
			case !v.filtering() || led[capture.RequestsSeen]+led[capture.ResponsesSeen] > 0:
				return nil, absent
			case float64(p.FilteredHTTP) >= l.threshold(v, "packets"):
				return []Evidence{text("filter", v.filter()), number("http_packets", p.FilteredHTTP), number("left_out", p.Filtered.Packets)}, holds
			case p.Filtered.Packets < 2*16:
				return nil, quiet
			}
			return nil, absent
		}),
	}
}

func redirectedPortLeaf() Leaf {
	return Leaf{
		ID: "FILT-04", Title: "The filter names a port that packets never carry", Class: Filter, Severity: Warning, Confidence: Likely,
		Path:      []Step{{"Is there a filter?", "yes"}, {"Does anybody listen on its port?", "a mesh's proxy, by redirection"}},
		Condition: "a port of the filter is the one that a mesh's proxy gets redirected connections on, and no connection with it was seen",
		Meaning:   "The kernel redirects connections to the proxy after they were captured: packets on the wire carry the application's port.",
		Guard:     "Calls of the application are redirected on loopback, where packets do carry the proxy's port: a connection that is seen with it keeps the leaf silent.",
		Raise:     2, Clear: 1, Live: true, Blind: true,
		Evidence: []Key{{Name: "mesh", Description: "istio or linkerd"}, {Name: "listening", Description: "ports that others than wiretell and the proxy listen on"}, {Name: "first_port", Description: "the lowest of them"}},
		Body:     "Packets never carry port {{port}}, to which {{mesh}} redirects them only afterwards[[; the application listens on {{listening}}]].",
		Remedy:   Remedy{Summary: "Filter for the application's port.", Command: "ss -ltn[[; wiretell run --port {{first_port}}]]"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			m := v.mesh()
			if m.name == "" {
				return
			}
			for _, port := range v.Capture.FilterPorts {
				if !redirects(port) || !slices.Contains(m.ports, port) || v.connected(port) {
					continue
				}
				ev := []Evidence{text("mesh", m.name)}
				if others := v.applications(false); len(others) > 0 {
					ev = append(ev, text("listening", joinPorts(others)), number("first_port", uint64(others[0])))
				}
				emit(hit{subject: Subject{Port: port}, evidence: ev})
			}
		},
	}
}

func wrongKindLeaf() Leaf {
	return Leaf{
		ID: "FILT-05", Title: "The filter looks for another kind of frame", Class: Filter, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Did any TCP packet pass the filter?", "no"}, {"Are they of the kind that the filter looks for?", "no"}},
		Condition:  "no TCP packet matched the filter, and what it left out has VLAN tags that the filter does not look behind, or is all IPv6 while the filter says ip",
		Meaning:    "As in tcpdump, ip means IPv4 only, and ports are looked for behind a VLAN tag only after the word vlan.",
		Guard:      "One TCP packet that matches keeps it silent, and so does traffic of both kinds.",
		Thresholds: []Threshold{{"packets", "packets", 5, 1}},
		Raise:      2, Clear: 1, Live: true, File: true,
		Evidence: []Key{{Name: "filter", Description: "the filter"}, {Name: "tagged", Description: "frames with a VLAN tag that were left out"}, {Name: "ipv6", Description: "TCP packets over IPv6"}, {Name: "kind", Description: "what the packets are, and the filter does not see"}, {Name: "mended", Description: "the filter, let see them too"}},
		Body:     "The filter ({{filter}}) does not see {{kind}} ({{tagged}} with a VLAN tag, {{ipv6}} over IPv6).",
		Remedy:   Remedy{Summary: "Let the filter see both kinds.", Command: "{{run}} --filter '{{mended}}'"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			if v.Capture.FilterExpr == "" || v.ledger[capture.FrameTCP]+v.ledger[capture.DatagramTCP] > 0 {
				return
			}
			need := l.threshold(v, "packets")
			words := strings.FieldsFunc(v.Capture.FilterExpr, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9') })
			tagged, left := less(v.Snapshot.FilteredTagged, v.base.FilteredTagged), v.ledger[capture.FrameFiltered]
			v4, v6 := v.tcpBy(capture.IPv4), v.tcpBy(capture.IPv6)
			kind, mended := "", ""
			switch {
			case float64(tagged) >= need && tagged*10 >= left*9 && !slices.Contains(words, "vlan"):
				kind, mended = "frames with a VLAN tag", "("+v.Capture.FilterExpr+") or (vlan and ("+v.Capture.FilterExpr+"))"
			case float64(v6) >= need && v4 == 0 && slices.Contains(words, "ip") && !slices.Contains(words, "ip6"):
				kind, mended = "IPv6", v.overIPv6()
			case left == 0:
				emit(hit{quiet: true})
				return
			default:
				return
			}
			emit(hit{evidence: []Evidence{text("filter", v.filter()), number("tagged", tagged), number("ipv6", v6), text("kind", kind), text("mended", mended)}})
		},
	}
}

// bareIP is ip as a whole primitive, not as the qualifier of an address.
var bareIP = regexp.MustCompile(`(^|\(|&&|\|\||\band\b|\bor\b)(\s*)ip(\s*)($|\)|&&|\|\||\band\b|\bor\b)`)

// overIPv6 returns the user's expression for IPv4 with the same over IPv6.
func (v *view) overIPv6() string {
	expr := v.Capture.FilterExpr
	if both := bareIP.ReplaceAllString(expr, "$1$2(ip or ip6)$3$4"); both != expr {
		return both
	}
	var ports []string // an address of IPv4 has no other
	for _, p := range v.Capture.FilterPorts {
		ports = append(ports, "port "+strconv.Itoa(int(p)))
	}
	if len(ports) == 0 {
		return "(" + expr + ") or (ip6 and tcp)"
	}
	return "(" + expr + ") or (ip6 and tcp and (" + strings.Join(ports, " or ") + "))"
}

// tcpBy counts TCP packets of the span over one network protocol.
func (v *view) tcpBy(n capture.Network) (packets uint64) {
	for i := range v.Snapshot.Interfaces {
		for d := range v.Snapshot.Interfaces[i] {
			now, was := v.Snapshot.Interfaces[i][d][capture.TCP][n].Packets, uint64(0)
			if i < len(v.base.Interfaces) {
				was = v.base.Interfaces[i][d][capture.TCP][n].Packets
			}
			packets += less(now, was)
		}
	}
	return packets
}

func selectsNothingLeaf() Leaf {
	return Leaf{
		ID: "FILT-06", Title: "The selection leaves everything out", Class: Filter, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Did requests arrive?", "yes"}, {"Does --select let any of them through?", "no"}},
		Condition:  "an exporter of spans or lines made none in the window, and left out all there were by --select",
		Meaning:    "Requests were seen and read, and the expression of --select selects none of them. Metrics count them all the same.",
		Guard:      "One that is selected keeps the leaf silent, and so does --select where there is nothing to select.",
		Thresholds: []Threshold{{"left_out", "exchanges and events left out", 10, 1}},
		Raise:      2, Clear: 1, Live: true, File: true,
		Evidence: []Key{{Name: "left_out", Description: "exchanges and events left out"}, {Name: "selection", Description: "the expression of --select"}},
		Body:     "{{left_out exchange or event was|exchanges and events were}} seen, and all of them are left out by --select[[ ({{selection}})]].",
		Remedy:   Remedy{Summary: "Widen the expression, or leave it out.", Command: "wiretell explain select"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			var out uint64
			for i := range v.exports {
				e := &v.exports[i]
				if e.Signal != "traces" && e.Exporter != "text" {
					continue // findings are records, too, and not selected
				}
				if e.created > 0 {
					return
				}
				out = max(out, e.notSelected)
			}
			switch {
			case float64(out) >= l.threshold(v, "left_out"):
				emit(hit{evidence: []Evidence{number("left_out", out), text("selection", clean160(v.Capture.Selection))}})
			case out == 0:
				emit(hit{quiet: true})
			}
		},
	}
}

func sampledLeaf() Leaf {
	return Leaf{
		ID: "FILT-07", Title: "Spans are a sample", Class: Filter, Severity: Info, Confidence: Certain,
		Path:       []Step{{"Did requests arrive?", "yes"}, {"Does each become a span?", "no, by configuration"}},
		Condition:  "the sampler left spans out",
		Meaning:    "By configuration only a part of the exchanges becomes spans. Counters and metrics are complete: nothing is sampled before it is counted.",
		Guard:      "For information; said once.",
		Thresholds: []Threshold{{"share", "percent of the spans", 1, 1}},
		Raise:      1, Clear: 20, Live: true, File: true, Once: true,
		Evidence: []Key{{Name: "sampled_out", Description: "spans that were not made"}, {Name: "made", Description: "spans that were made"}, {Name: "share", Description: "percent that was made"}},
		Body:     "Spans are a sample of {{share}} % by configuration ({{sampled_out}} left out); counters and metrics are complete.",
		Remedy:   Remedy{Summary: "Nothing to mend; OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG set the share."},
		check: func(v *view, l *Leaf, emit func(hit)) {
			var out, made uint64
			for i := range v.exports {
				out, made = out+v.exports[i].sampledOut, made+v.exports[i].spans()
			}
			switch {
			case out+made == 0:
				emit(hit{quiet: true})
			case 100*ratio(out, out+made) >= l.threshold(v, "share"):
				emit(hit{evidence: []Evidence{number("sampled_out", out), number("made", made), percent("share", made, out+made)}})
			}
		},
	}
}
