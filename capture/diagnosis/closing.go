package diagnosis

import "github.com/wiretell/wiretell/capture"

// sockets returns how many sockets were in one of states both when the span
// began and now: at least as many are likely to have stayed there.
func (v *view) sockets(states ...capture.SocketState) (n uint64) {
	return v.stayed(func(k *capture.Kernel) (n uint64) {
		for _, s := range states {
			n += uint64(k.Sockets[s])
		}
		return n
	})
}

// stayed returns the smaller figure of both readings, 0 when one is missing.
func (v *view) stayed(get func(*capture.Kernel) uint64) uint64 {
	if !v.Kernel.Has(capture.KnownSockets) || !v.before.Has(capture.KnownSockets) {
		return 0
	}
	return min(get(v.before), get(v.Kernel))
}

func socketThreshold(n float64) []Threshold {
	return []Threshold{{"sockets", "sockets at the beginning and at the end of a window", n, n}}
}

// halfOpenStates are two names for one thing, as the kernel's tables have it.
func halfOpenStates() []capture.SocketState {
	return []capture.SocketState{capture.SocketSynRecv, capture.SocketNewSynRecv}
}

func closingLeaves() []Leaf {
	return []Leaf{halfOpenLeaf(), resetLeaf(), idleRaceLeaf(), closeWaitLeaf(), lastAckLeaf(), portsUsedUpLeaf()}
}

func halfOpenLeaf() Leaf {
	return Leaf{
		ID: "NET-SYN-07", Title: "Handshakes are not finished by the client", Class: Network, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Do connects from outside succeed?", "not all"}, {"Does the client finish the handshake?", "no"}},
		Condition:  "many sockets stay in SYN_RECV, or handshakes on a port ended without the final ACK: SYN and SYN-ACK went, the ACK did not come",
		Meaning:    "The SYN-ACK does not reach the client, or the client does not want to go on: an asymmetric path, a wrong source translation, or a SYN flood.",
		Guard:      "A handshake takes one round trip: only what is there at both ends of two windows counts. Lost packets alone do not keep this many.",
		Thresholds: append(socketThreshold(16), Threshold{"handshakes", "handshakes on a port that ended unfinished", 5, 1}), Raise: 2, Clear: 2, Live: true, File: true, Blind: true,
		Evidence: []Key{{Name: "half_open", Description: "sockets in SYN_RECV now, or handshakes that ended unfinished"}, {Name: "queue_full_drops", Description: "SYNs dropped as the queue was full, in the window"}, {Name: "cookies", Description: "SYN cookies sent in the window"}},
		Body:     "{{half_open handshake is|handshakes are}} not finished by the client[[; {{queue_full_drops SYN|SYNs}} dropped, {{cookies cookie|cookies}} sent]].",
		Remedy:   Remedy{Summary: "See who they are: one network may mean a path that is asymmetric, many mean a flood.", Command: "ss -tn state syn-recv; sysctl net.ipv4.tcp_syncookies"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			for i := range v.ports {
				if p := &v.ports[i]; float64(p.did[unfinished]) >= l.threshold(v, "handshakes") {
					emit(hit{subject: p.subject(), evidence: []Evidence{number("half_open", p.did[unfinished])}})
				}
			}
			if float64(v.sockets(halfOpenStates()...)) < l.threshold(v, "sockets") {
				return
			}
			drops, _ := v.grown(capture.KnownTCPExt, func(k *capture.Kernel) uint64 { return k.TCPExt.ReqQFullDrop })
			cookies, _ := v.grown(capture.KnownTCPExt, func(k *capture.Kernel) uint64 { return k.TCPExt.ReqQFullCookies })
			n := uint64(0)
			for _, s := range halfOpenStates() {
				n += uint64(v.Kernel.Sockets[s])
			}
			emit(hit{evidence: []Evidence{number("half_open", n), number("queue_full_drops", drops), number("cookies", cookies)}})
		},
	}
}

func resetLeaf() Leaf {
	return Leaf{
		ID: "NET-RST-01", Title: "Connections are reset in the middle of exchanges", Class: Network, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Do connections last?", "no, they are reset"}, {"Was anything in flight?", "yes"}},
		Condition:  "connections were reset while a request or response was in flight, a notable share of those that began",
		Meaning:    "One side ends connections by force in the middle of things: a crash, a full queue, a time-out of a proxy, or a server that closes idle connections just as the client uses them again.",
		Guard:      "Many clients and load balancers close idle connections by RST, or after a FIN: only resets with something in flight count. A client that cancels resets, too: where most are by the client and few by the server it is information.",
		Thresholds: []Threshold{{"resets", "resets with something in flight", 5, 3}, {"share", "percent of the connections that began meanwhile", 5, 5}},
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "by_server", Description: "resets by the server with something in flight"}, {Name: "by_client", Description: "resets by the client with something in flight"}, {Name: "connections", Description: "connections that began meanwhile"}},
		Body:     "Connections on port {{port}}[[ ({{direction}})]] are reset with something in flight: {{by_server}} by the server, {{by_client}} by the client ({{connections connection|connections}} began).",
		Remedy:   Remedy{Summary: "Where the server resets, look at its log and whether its idle time-out is shorter than the client's; where the client does, at its time-outs.", Command: "kubectl logs POD -c APP --since=10m; kubectl get pod POD -o jsonpath='{.status.containerStatuses[*].lastState}'"},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			n := p.did[serverReset] + p.did[clientReset]
			if float64(n) < l.threshold(v, "resets") || 100*ratio(n, max(n, p.Conns)) < l.threshold(v, "share") {
				return nil, absent
			}
			says := holds
			if s := p.did[serverReset]; 2*s < n && (float64(s) < l.threshold(v, "resets") || 100*ratio(s, max(s, p.Conns)) < l.threshold(v, "share")) {
				says = mild
			}
			return []Evidence{number("by_server", p.did[serverReset]), number("by_client", p.did[clientReset]), number("connections", p.Conns)}, says
		}),
	}
}

func idleRaceLeaf() Leaf {
	return Leaf{
		ID: "NET-RST-02", Title: "The server closes idle connections that the client uses again", Class: Network, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Do connections last?", "no, they are reset"}, {"Was anything in flight?", "a request on a connection that had been idle"}},
		Condition:  "requests on kept-alive connections were answered by RST, of which the server had acknowledged nothing",
		Meaning:    "The server closes a connection that has been idle for as long as it allows, just as the client, which allows longer, sends the next request on it. Load balancers answer 502 then.",
		Guard:      "Only a request that the server acknowledged nothing of, after it had answered before, counts; a reset in the middle of an exchange is NET-RST-01.",
		Thresholds: []Threshold{{"requests", "requests that met a reset", 2, 1}},
		Raise:      1, Clear: 3, Live: true, File: true,
		Evidence: []Key{{Name: "requests", Description: "requests that met a reset"}, {Name: "idle_seconds", Description: "shortest time that such a connection had been idle"}, {Name: "idle_most", Description: "longest, seconds"}},
		Body:     "The server on port {{port}}[[ ({{direction}})]] closes idle connections while clients use them again: {{requests request|requests}} met a reset after {{idle_seconds}} to {{idle_most}} s of silence.",
		Remedy:   Remedy{Summary: "Let the server keep idle connections for longer than the client, or the load balancer before it, does.", Command: "kubectl describe ingress; kubectl get pod POD -o jsonpath='{.spec.containers[*].env}'"},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			if float64(p.did[idleRace]) < l.threshold(v, "requests") {
				return nil, absent
			}
			return []Evidence{number("requests", p.did[idleRace]), seconds("idle_seconds", p.seen.idle[0].Seconds()), seconds("idle_most", p.seen.idle[1].Seconds())}, holds
		}),
	}
}

func closeWaitLeaf() Leaf {
	return Leaf{
		ID: "NET-CW-01", Title: "The application does not close what the peer has closed", Class: Network, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Are connections closed by both sides?", "no"}, {"Who has not closed?", "the application here"}},
		Condition:  "sockets stay in CLOSE_WAIT for three windows, and do not become fewer",
		Meaning:    "The peer has closed (its FIN came), and the local application has not called close: it leaks sockets, or hangs. The kernel waits for the application, not for a packet.",
		Guard:      "A protocol that closes one half on purpose goes on to send: its sockets leave the state, and few are there at once.",
		Thresholds: socketThreshold(5), Raise: 3, Clear: 2, Live: true, Blind: true,
		Evidence: []Key{{Name: "sockets", Description: "sockets in CLOSE_WAIT now"}, {Name: "grown", Description: "more than at the beginning of the window"}, {Name: "since_start", Description: "more than when the capture began"}},
		Body:     "The application[[ on port {{port}}]] does not close {{sockets socket|sockets}} that the peer has closed (CLOSE_WAIT, {{since_start}} more than at the start).",
		Remedy:   Remedy{Summary: "Find the code that does not close its connections when the peer does; restarting the application frees them.", Command: "ss -tnp state close-wait"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			if v.Kernel == nil {
				return
			}
			for _, c := range v.Kernel.CloseWait {
				was := closeWaits(v.before, c.Port)
				if n := v.stayed(func(k *capture.Kernel) uint64 { return closeWaits(k, c.Port) }); float64(n) < l.threshold(v, "sockets") || uint64(c.Count) < was {
					continue
				}
				s := Subject{Port: c.Port, Direction: capture.Receive}
				if c.Port == 0 {
					s.Direction = capture.Transmit
				}
				emit(hit{subject: s, evidence: []Evidence{number("sockets", uint64(c.Count)), number("grown", uint64(c.Count)-was), number("since_start", less(uint64(c.Count), closeWaits(v.first, c.Port)))}})
			}
		},
	}
}

// closeWaits returns how many sockets of a listening port, or of clients for 0,
// are in CLOSE_WAIT.
func closeWaits(k *capture.Kernel, port uint16) uint64 {
	if k != nil {
		for _, c := range k.CloseWait {
			if c.Port == port {
				return uint64(c.Count)
			}
		}
	}
	return 0
}

func lastAckLeaf() Leaf {
	return Leaf{
		ID: "NET-LA-01", Title: "The peer vanished when the connection was closed", Class: Network, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Are connections closed by both sides?", "no"}, {"Who has not closed?", "the peer does not acknowledge"}},
		Condition:  "sockets stay in LAST_ACK, FIN_WAIT_1 or CLOSING: the FIN that was sent is not acknowledged",
		Meaning:    "The peer, or something between that keeps state, has forgotten the connection: a NAT or firewall whose time-out is shorter than the connection's life, or a peer that went away.",
		Guard:      "For a few seconds it is normal: only what is there at both ends of two windows counts.",
		Thresholds: socketThreshold(5), Raise: 2, Clear: 2, Live: true, Blind: true,
		Evidence: []Key{{Name: "last_ack", Description: "sockets in LAST_ACK now"}, {Name: "fin_wait_1", Description: "sockets in FIN_WAIT_1 now"}, {Name: "closing", Description: "sockets in CLOSING now"}, {Name: "retransmitted", Description: "segments that the kernel sent again in the window"}},
		Body:     "FINs are not acknowledged: {{last_ack}} in LAST_ACK, {{fin_wait_1}} in FIN_WAIT_1, {{closing}} in CLOSING ({{retransmitted segment was|segments were}} sent again).",
		Remedy:   Remedy{Summary: "Compare the time-outs of NAT and firewalls on the way with how long connections stay idle; keep-alives below that keep them open.", Command: "ss -tno state last-ack; ss -tno state fin-wait-1; sysctl net.ipv4.tcp_keepalive_time"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			if float64(v.sockets(capture.SocketLastAck, capture.SocketFinWait1, capture.SocketClosing)) < l.threshold(v, "sockets") {
				return
			}
			again, _ := v.grown(capture.KnownTCP, func(k *capture.Kernel) uint64 { return k.TCP.RetransSegs })
			s := &v.Kernel.Sockets
			emit(hit{evidence: []Evidence{number("last_ack", uint64(s[capture.SocketLastAck])), number("fin_wait_1", uint64(s[capture.SocketFinWait1])), number("closing", uint64(s[capture.SocketClosing])), number("retransmitted", again)}})
		},
	}
}

func portsUsedUpLeaf() Leaf {
	return Leaf{
		ID: "NET-TW-01", Title: "The ephemeral ports to a peer are nearly used up", Class: Network, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Are there ports to connect from?", "few"}},
		Condition:  "sockets to one remote address and port hold more than 70 % of the ephemeral ports, most of them usually in TIME_WAIT",
		Meaning:    "Every connection to the same address and port needs a local port of its own, which stays taken for a minute after the close. When there is none left connects fail with EADDRNOTAVAIL.",
		Guard:      "Counted by remote end: many ports in use to many peers do no harm. Sockets of listeners hold none.",
		Thresholds: []Threshold{{"share", "percent of the ephemeral ports", 70, 70}},
		Raise:      1, Clear: 2, Live: true, Blind: true,
		Evidence: []Key{{Name: "sockets", Description: "sockets to that end"}, {Name: "ports", Description: "ephemeral ports there are"}, {Name: "share", Description: "percent of them"}, {Name: "time_wait", Description: "sockets in TIME_WAIT in all"}},
		Body:     "{{sockets}} of {{ports ephemeral port|ephemeral ports}} ({{share}} %) are taken by connections to {{peer}} port {{port}} ({{time_wait}} in TIME_WAIT).",
		Remedy:   Remedy{Summary: "Let the client keep connections alive and use them again; else widen the range.", Command: "sysctl -w net.ipv4.ip_local_port_range='1024 65535'; ss -tn state time-wait | head"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			if !v.Kernel.Has(capture.KnownSockets | capture.KnownPortRange) {
				return
			}
			ports := uint64(v.Kernel.LocalPorts[1]) - uint64(v.Kernel.LocalPorts[0]) + 1
			for _, r := range v.Kernel.Remotes {
				if n := uint64(r.Count); 100*ratio(n, ports) >= l.threshold(v, "share") {
					emit(hit{subject: Subject{Port: r.Remote.Port, Direction: capture.Transmit, Peer: r.Remote.IP()}, evidence: []Evidence{number("sockets", n), number("ports", ports), percent("share", n, ports),
						number("time_wait", uint64(v.Kernel.Sockets[capture.SocketTimeWait]))}})
				}
			}
		},
	}
}

// flowLeaves are about how well bytes flow.
func flowLeaves() []Leaf { return []Leaf{retransmitLeaf(), stallLeaf(), zeroWindowLeaf()} }

// way names a direction of packets.
func way(d capture.Direction) string {
	return [...]string{"either way", "in", "out"}[d]
}

// dataPackets counts TCP packets with payload by their direction.
func (v *view) dataPackets() (n [capture.NumDirections]uint64) {
	for i := range v.ports {
		for d, packets := range v.ports[i].dataPackets() {
			n[d] += packets
		}
	}
	return n
}

// dataPackets counts a port's TCP packets with payload by their direction.
// Loopback's are left out: both ends are here, and nothing gets lost between.
func (p *portView) dataPackets() (n [capture.NumDirections]uint64) {
	switch {
	case p.Transport != capture.TCP:
	case p.Role == capture.RoleServer:
		n[capture.Receive], n[capture.Transmit] = p.FromClient.Packets, p.FromServer.Packets
	case p.Role == capture.RoleClient:
		n[capture.Receive], n[capture.Transmit] = p.FromServer.Packets, p.FromClient.Packets
	case p.Role == capture.RoleUnknown:
		n[capture.DirectionUnknown] = p.payload()
	}
	return n
}

func retransmitLeaf() Leaf {
	return Leaf{
		ID: "NET-RETX-01", Title: "Packets get lost on the network", Class: Network, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Do bytes flow well?", "no"}, {"What holds them up?", "segments are sent again"}},
		Condition:  "a notable share of the TCP segments with payload was sent again, over two windows",
		Meaning:    "Segments, or their acknowledgements, get lost: every loss costs at least a round trip, a time-out at least 200 ms.",
		Guard:      "Where the capture sees packets twice (QUAL-13) they look sent again: the leaf is silent then. Loopback is left out; SYNs sent again are NET-SYN-01.",
		Thresholds: []Threshold{{"retransmits", "segments sent again", 10, 10}, {"share", "percent of the segments with payload", 2, 2}},
		Raise:      2, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "retransmits", Description: "segments sent again"}, {Name: "packets", Description: "segments with payload"}, {Name: "share", Description: "percent sent again"}, {Name: "timeouts", Description: "of them, after a time-out"},
			{Name: "way", Description: "in or out, seen from here"}, {Name: "kernel_retransmits", Description: "segments that this kernel sent again meanwhile, on any interface"}},
		Body:   "{{retransmits}} of {{packets segment|segments}} with payload ({{share}} %) {{retransmits: was|were}} sent again ({{way}}; {{timeouts}} after a time-out): loss on the network.",
		Remedy: Remedy{Summary: "Find the peers concerned and the link that drops: full queues, policers, bad links, an overloaded node.", Command: "ss -tni | grep -B1 retrans; ip -statistics link show; tc -statistics qdisc show"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			if seen, _ := v.twice(); seen {
				return
			}
			kernel, known := v.grown(capture.KnownTCP, func(k *capture.Kernel) uint64 { return k.TCP.RetransSegs })
			packets := v.dataPackets()
			for d, all := range packets {
				now, was := &v.Snapshot.TCP.Retransmits[d], &v.base.TCP.Retransmits[d]
				timeouts := less(now[capture.RetransmitTimeout], was[capture.RetransmitTimeout])
				n := timeouts + less(now[capture.RetransmitFast], was[capture.RetransmitFast])
				if float64(n) < l.threshold(v, "retransmits") || 100*ratio(n, all) < l.threshold(v, "share") {
					continue
				}
				h := hit{subject: Subject{Direction: capture.Direction(d)}, evidence: []Evidence{number("retransmits", n), number("packets", all), percent("share", n, all), number("timeouts", timeouts), text("way", way(capture.Direction(d)))}}
				if known {
					h.evidence = append(h.evidence, number("kernel_retransmits", kernel))
				}
				emit(h)
			}
		},
	}
}

func stallLeaf() Leaf {
	return Leaf{
		ID: "NET-STALL-01", Title: "A peer is not heard any more", Class: Network, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Do bytes flow well?", "no"}, {"What holds them up?", "what is sent again and again is not acknowledged"}},
		Condition:  "on established connections with one peer, what was sent again for 5 s and more is not acknowledged",
		Meaning:    "The peer went away without a word (a node that died, a pod that was removed), or something between drops its packets: a firewall, NAT or load balancer that has forgotten the connection, a new policy. Applications wait until their own time-outs.",
		Guard:      "Clients of a server here vanish at any time, as phones do: those are information. What stalls with its first large segments is NET-MTU-02, a window that is closed NET-ZWIN-01, a connect that gets no answer NET-SYN-01.",
		Thresholds: []Threshold{{"connections", "connections that stalled", 2, 1}},
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "connections", Description: "connections that stalled"}, {Name: "outstanding", Description: "most bytes that one of them waits for"}, {Name: "attempts", Description: "most times that something was sent again until that was told"}, {Name: "seconds", Description: "for how long, until that was told"}, {Name: "by", Description: "which side of the connections the peer is"}},
		Body:     "{{connections connection|connections}} on port {{port}}[[ ({{direction}})]] stalled: the {{by}} {{peer}} did not acknowledge {{outstanding byte that was|bytes that were}} sent again {{attempts time|times}} in {{seconds}} s.",
		Remedy:   Remedy{Summary: "Look whether the peer is still there, and for what between may have forgotten the connections or drops their packets.", Command: "ss -tno dst {{peer}}; ip route get {{peer}}; tracepath {{peer}}"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			for _, e := range v.seen.unheard.order {
				n := e.in(v)
				if float64(n) < l.threshold(v, "connections") {
					continue
				}
				p := portView{PortStats: capture.PortStats{PortKey: capture.PortKey{Port: e.key.port, Role: e.key.role}}}
				h := hit{subject: p.subject(), evidence: []Evidence{number("connections", n), number("outstanding", e.last.outstanding),
					number("attempts", uint64(e.last.attempts)), seconds("seconds", e.last.waited.Seconds()), text("by", e.key.by.String())}}
				h.subject.Peer = e.key.peer
				if e.key.role == capture.RoleServer && e.key.by == capture.Client {
					h.sharper, h.severity, h.confidence = true, Info, l.Confidence
				}
				emit(h)
			}
		},
	}
}

// responds reports whether most bytes that are sent from here go to clients.
func (v *view) responds() bool {
	var responses, requests uint64
	for i := range v.ports {
		switch p := &v.ports[i]; p.Role {
		case capture.RoleServer:
			responses += p.FromServer.Bytes
		case capture.RoleClient:
			requests += p.FromClient.Bytes
		}
	}
	return responses > requests
}

func zeroWindowLeaf() Leaf {
	return Leaf{
		ID: "NET-ZWIN-01", Title: "A receiver stopped reading", Class: Network, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Do bytes flow well?", "no"}, {"What holds them up?", "the receiver's window is closed"}},
		Condition:  "receivers closed their window, and senders waited for a second or longer, all together, until it opened again",
		Meaning:    "The receiving application does not read as fast as the sender sends: the sender has to wait, whatever the network could do.",
		Guard:      "A window that closes for a moment while a burst is read is usual, and costs nobody much: the time counts, not how often. Clients may read as slowly as they like: where what is sent from here is mostly responses it is information. A window that stays closed is told by the event wiretell.tcp.stalled.",
		Thresholds: []Threshold{{"time", "seconds that receive windows were closed", 1, 5}},
		Raise:      2, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "closed", Description: "times that a receive window went to zero"}, {Name: "closed_seconds", Description: "for how long in all, of those that are over"}, {Name: "who", Description: "who did not read"}},
		Body:     "{{who}} stopped reading {{closed time|times}} (zero window, {{closed_seconds}} s in all): the sender had to wait.",
		Remedy:   Remedy{Summary: "Look at why the receiving application is slow: CPU, a blocked thread, a slow disk or downstream.", Command: "ss -tnm; kubectl top pod POD --containers"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			for d := range v.Snapshot.TCP.ZeroWindow {
				n := less(v.Snapshot.TCP.ZeroWindow[d], v.base.TCP.ZeroWindow[d])
				shut := float64(less(v.Snapshot.TCP.ZeroWindowTime[d], v.base.TCP.ZeroWindowTime[d])) / 1e9
				if shut < l.threshold(v, "time") {
					continue
				}
				who := [...]string{"Receivers", "The peers", "Applications here"}[d]
				h := hit{subject: Subject{Direction: capture.Direction(d)}, evidence: []Evidence{number("closed", n), seconds("closed_seconds", shut), text("who", who)}}
				if capture.Direction(d) == capture.Receive && v.responds() {
					h.sharper, h.severity, h.confidence = true, Info, l.Confidence
				}
				emit(h)
			}
		},
	}
}
