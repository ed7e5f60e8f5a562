package diagnosis

import (
	"slices"

	"github.com/wiretell/wiretell/capture"
)

func networkLeaves() []Leaf {
	return []Leaf{noAnswerLeaf(), refusedLeaf(), rejectedLeaf(), inboundRefusedLeaf(), loopbackBindLeaf(), acceptOverflowLeaf(), unresolvedLeaf()}
}

// outgoing reports whether the connecting side of f is here, or may be.
func (f *failureKey) outgoing() bool { return f.role != capture.RoleServer }

func (f *failureKey) subject() Subject {
	s := Subject{Port: f.port, Peer: f.peer}
	switch f.role {
	case capture.RoleClient:
		s.Direction = capture.Transmit
	case capture.RoleServer:
		s.Direction = capture.Receive
	case capture.RoleBoth:
		s.Interface = "lo"
	}
	return s
}

func failureKeys() []Key {
	return []Key{{Name: "failed", Description: "connects that failed so"}, {Name: "attempts", Description: "most SYNs sent for one of them"}, {Name: "seconds", Description: "longest wait for one of them"}}
}

// failureCheck makes the check for outgoing connects that failed for one of why.
func failureCheck(more func(*failure) []Evidence, why ...capture.Reason) func(*view, *Leaf, func(hit)) {
	return func(v *view, l *Leaf, emit func(hit)) {
		for _, f := range v.seen.failures.order {
			if !f.key.outgoing() || !slices.Contains(why, f.key.why) {
				continue
			}
			n := f.in(v)
			if float64(n) < l.threshold(v, "connects") {
				continue
			}
			ev := []Evidence{number("failed", n), number("attempts", uint64(f.last.attempts)), seconds("seconds", f.last.elapsed.Seconds())}
			if more != nil {
				ev = append(ev, more(f)...)
			}
			emit(hit{subject: f.key.subject(), evidence: ev})
		}
	}
}

func connectThreshold(n float64) []Threshold {
	return []Threshold{{"connects", "failed connects", n, 1}}
}

func noAnswerLeaf() Leaf {
	return Leaf{
		ID: "NET-SYN-01", Title: "No answer to connects", Class: Network, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Do connects succeed?", "no"}, {"Was there an answer?", "none"}},
		Condition:  "SYNs to a peer stayed without any answer, by TCP or ICMP",
		Meaning:    "Packets to that peer vanish: dropped, not refused. A firewall, NetworkPolicy or security group drops them, or the route leads nowhere.",
		Guard:      "A capture that sees one direction only looks alike: there DIR-01 holds as well.",
		Thresholds: connectThreshold(1), Raise: 1, Clear: 3, Live: true, File: true,
		Evidence: failureKeys(),
		Body:     "No answer from {{peer}} port {{port}} to {{failed connect|connects}} (up to {{attempts SYN|SYNs}}, {{seconds}} s): dropped, not refused.",
		Remedy:   Remedy{Summary: "Look for a NetworkPolicy, security group or firewall that drops, and at the route.", Command: "kubectl get networkpolicy -A; ip route get {{peer}}; tracepath {{peer}}"},
		check:    failureCheck(nil, capture.ReasonTimedOut),
	}
}

func refusedLeaf() Leaf {
	return Leaf{
		ID: "NET-SYN-02", Title: "Connects are refused", Class: Network, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Do connects succeed?", "no"}, {"Was there an answer?", "a reset"}},
		Condition:  "SYNs to a peer were answered by RST",
		Meaning:    "The peer is reachable, and nobody listens on that port (or a firewall resets in its name).",
		Guard:      "Load balancers probe ports that are closed: a few refusals in a window are needed. A client of localhost tries ::1 and 127.0.0.1, of which a server may listen on one: where as many connects over loopback succeed on the port it is information.",
		Thresholds: connectThreshold(2), Raise: 1, Clear: 3, Live: true, File: true,
		Evidence: append(failureKeys(), Key{Name: "succeeded", Description: "connects over loopback to the port that succeeded"}),
		Body:     "{{peer}} port {{port}} refused {{failed connect|connects}}: no listener[[; {{succeeded other|others}} over loopback succeeded]].",
		Remedy:   Remedy{Summary: "Check the port and the Service's targetPort, and whether the peer is restarting.", Command: "[[kubectl get pods -o wide | grep -F {{remote}}; kubectl get endpointslices -A | grep -F {{remote}}; ]]ss -ltn 'sport = :{{port}}'[[   # on {{remote}}]]"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			failureCheck(nil, capture.ReasonRefused)(v, l, func(h hit) {
				if n := v.overLoopback(h.subject); n > 0 {
					h.evidence = append(h.evidence, number("succeeded", n))
					if refused, _ := h.evidence[0].Value.(int64); int64(n) >= refused {
						h.sharper, h.severity, h.confidence = true, Info, l.Confidence
					}
				}
				emit(h)
			})
		},
	}
}

// overLoopback returns how many connections were opened over loopback on the
// port of s, when s is about loopback.
func (v *view) overLoopback(s Subject) uint64 {
	if p := v.portOf(Subject{Interface: s.Interface, Port: s.Port}); p != nil && p.Role == capture.RoleBoth {
		return p.Conns
	}
	return 0
}

func rejectedLeaf() Leaf {
	return Leaf{
		ID: "NET-SYN-03", Title: "Connects are rejected by ICMP", Class: Network, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Do connects succeed?", "no"}, {"Was there an answer?", "an ICMP error"}},
		Condition:  "SYNs to a peer were answered by an ICMP error",
		Meaning:    "A router or firewall on the way says that it does not let the packets through, does not know where to, or that they were forwarded too often.",
		Guard:      "Only errors whose quoted packet fits the connection count.",
		Thresholds: connectThreshold(1), Raise: 1, Clear: 3, Live: true, File: true,
		Evidence: append(failureKeys(), Key{Name: "reason", Description: "what the error means"}, Key{Name: "icmp_type", Description: "ICMP type"}, Key{Name: "icmp_code", Description: "ICMP code"}),
		Body:     "{{failed connect|connects}} to {{peer}} port {{port}} {{failed: was|were}} rejected by ICMP: {{reason}}[[ (type {{icmp_type}}, code {{icmp_code}})]].",
		Remedy:   Remedy{Summary: "Look at the firewall or router that sent the error.", Command: "ip route get {{peer}}; tracepath {{peer}}; kubectl get networkpolicy -A"},
		check: failureCheck(func(f *failure) []Evidence {
			ev := []Evidence{text("reason", f.key.why.String())}
			if f.last.hasICMP {
				ev = append(ev, number("icmp_type", uint64(f.last.icmp.Type)), number("icmp_code", uint64(f.last.icmp.Code)))
			}
			return ev
		}, capture.ReasonHostUnreachable, capture.ReasonNetUnreachable, capture.ReasonAdminProhibited, capture.ReasonPortUnreachable, capture.ReasonProtoUnreachable, capture.ReasonTTLExceeded),
	}
}

// inboundRefusals calls yield for local ports that refused connects from
// outside, as long as no socket that can be reached listens there.
func (v *view) inboundRefusals(yield func(f *failure, n uint64, loopback bool)) {
	if !v.Kernel.Has(capture.KnownSockets) {
		return
	}
	for _, f := range v.seen.failures.order {
		if f.key.role != capture.RoleServer || f.key.why != capture.ReasonRefused || slices.Contains(v.listening(true), f.key.port) {
			continue
		}
		yield(f, f.in(v), slices.Contains(v.listening(false), f.key.port))
	}
}

// served reports whether connections came in on a port since the start.
func (v *view) served(port uint16) bool {
	p := v.portOf(Subject{Port: port, Direction: capture.Receive})
	return p != nil && p.total.Conns > 0
}

func inboundRefusedLeaf() Leaf {
	return Leaf{
		ID: "NET-SYN-04", Title: "Clients connect to a port on which nobody listens", Class: Network, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Do connects from outside succeed?", "no, refused"}, {"Does anybody listen there?", "no"}},
		Condition:  "inbound connects to a port were refused several times, somebody tried again, and no socket listens there",
		Meaning:    "Clients are sent to a port that this pod does not serve: the Service's targetPort or a client's configuration is wrong, or the application is not up yet.",
		Guard:      "Scanners try each port once: the same client must have come back. Probes are refused while an application starts: the leaf waits three windows. At the end of a run an application that has ended is not blamed on a port that it served.",
		Thresholds: connectThreshold(3), Raise: 3, Clear: 3, Live: true,
		Evidence: []Key{{Name: "failed", Description: "connects refused"}, {Name: "client", Description: "who tried last", Volatile: true}, {Name: "listening", Description: "ports that listen"}},
		Body:     "Clients (last {{client}}) called port {{port}} {{failed time|times}}, nobody listens there[[; listening: {{listening}}]].",
		Remedy:   Remedy{Summary: "Let the Service's targetPort name a port that listens.", Command: "kubectl get service SERVICE -o jsonpath='{.spec.ports}'; kubectl logs POD -c APP"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			v.inboundRefusals(func(f *failure, n uint64, loopback bool) {
				if !loopback && f.last.repeated && float64(n) >= l.threshold(v, "connects") && !(v.final && v.served(f.key.port)) {
					emit(hit{subject: f.key.subject(), evidence: []Evidence{number("failed", n), text("client", f.last.client.String()), text("listening", joinPorts(v.listening(true)))}})
				}
			})
		},
	}
}

func loopbackBindLeaf() Leaf {
	return Leaf{
		ID: "NET-SYN-05", Title: "The application listens on localhost only", Class: Network, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Do connects from outside succeed?", "no, refused"}, {"Does anybody listen there?", "yes, on loopback only"}},
		Condition:  "inbound connects to a port were refused, and the only listener on it is bound to 127.0.0.0/8 or ::1",
		Meaning:    "The application is up, but bound to localhost, where nobody outside the pod can reach it.",
		Guard:      "A mesh redirects to loopback on purpose; connects are then not refused.",
		Thresholds: connectThreshold(1), Raise: 1, Clear: 3, Live: true,
		Evidence: []Key{{Name: "failed", Description: "connects refused"}, {Name: "client", Description: "who tried last", Volatile: true}},
		Body:     "The application listens on port {{port}} on localhost only; {{failed connect|connects}} from outside (last {{client}}) {{failed: was|were}} refused.",
		Remedy:   Remedy{Summary: "Let the application listen on all addresses (0.0.0.0 or [::]).", Command: "ss -ltnp 'sport = :{{port}}'"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			v.inboundRefusals(func(f *failure, n uint64, loopback bool) {
				if loopback && float64(n) >= l.threshold(v, "connects") {
					emit(hit{subject: f.key.subject(), evidence: []Evidence{number("failed", n), text("client", f.last.client.String())}})
				}
			})
		},
	}
}

func acceptOverflowLeaf() Leaf {
	return Leaf{
		ID: "NET-SYN-06", Title: "An accept queue overflows", Class: Network, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Do connects from outside succeed?", "not all"}, {"Does the application accept them?", "not fast enough"}},
		Condition: "TcpExt ListenOverflows grew",
		Meaning:   "Connections wait to be accepted, more than the backlog allows, and the kernel drops the rest. Clients see slow or failing connects.",
		Guard:     "The counter is the namespace's, not a port's: the ports whose queue stands full at the moment are named, if any.",
		Raise:     1, Clear: 3, Live: true, Blind: true,
		Evidence: []Key{{Name: "overflows", Description: "connections dropped as an accept queue was full"}, {Name: "ports", Description: "ports whose queue stands full now", Volatile: true}},
		Body:     "Accept queues overflowed {{overflows time|times}}[[ (port {{ports}} is full now)]]: the application does not accept fast enough.",
		Remedy:   Remedy{Summary: "Look at why the application does not accept; raise its backlog and net.core.somaxconn; add replicas.", Command: "ss -ltn; sysctl net.core.somaxconn"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			n, _ := v.grown(capture.KnownTCPExt, func(k *capture.Kernel) uint64 { return k.TCPExt.ListenOverflows })
			if n == 0 {
				return
			}
			var full []uint16
			for i := range v.Kernel.Listeners {
				if l := &v.Kernel.Listeners[i]; l.Backlog > 0 && l.Queue >= l.Backlog {
					full = append(full, l.Addr.Port)
				}
			}
			slices.Sort(full)
			emit(hit{evidence: []Evidence{number("overflows", n), text("ports", joinPorts(slices.Compact(full)))}})
		},
	}
}
