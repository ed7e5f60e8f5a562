package diagnosis

import (
	"cmp"
	"slices"

	"github.com/wiretell/wiretell/capture"
)

func filterLeaves() []Leaf { return []Leaf{excludesAllLeaf(), portNotListeningLeaf()} }

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
		Remedy: Remedy{Summary: "Filter for a port that carries traffic, or leave the filter out.", Command: "wiretell run --port {{first_port}}"},
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
		Evidence: []Key{{Name: "listening", Description: "ports that others than wiretell listen on"}, {Name: "first_port", Description: "the lowest of them that can be reached from outside"}},
		Body:     "Nothing listens on {{port}} here; listening: {{listening}}. A Service's port is not the container's port.",
		Remedy:   Remedy{Summary: "Filter for the port that the container listens on.", Command: "wiretell run --port {{first_port}}; kubectl get service SERVICE -o jsonpath='{.spec.ports}'"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if !v.Kernel.Has(capture.KnownSockets) {
				return
			}
			listening := v.listening(false)
			if len(listening) == 0 {
				return // NONE-07 says more
			}
			best := listening[0]
			if reachable := v.listening(true); len(reachable) > 0 {
				best = reachable[0]
			}
			for _, port := range v.Capture.FilterPorts {
				if slices.Contains(listening, port) || v.connected(port) {
					continue
				}
				emit(hit{subject: Subject{Port: port}, evidence: []Evidence{text("listening", joinPorts(listening)), number("first_port", uint64(best))}})
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
