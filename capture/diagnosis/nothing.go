package diagnosis

import (
	"slices"
	"strings"

	"github.com/wiretell/wiretell/capture"
)

// transportFrames counts the packets of the span that could be somebody's traffic:
// neither our own export nor chatter of the link.
func (v *view) transportFrames() uint64 {
	l := &v.ledger
	return l[capture.FrameTCP] + l[capture.FrameUDP] + l[capture.FrameICMP] + less(l[capture.FrameICMPv6], v.discovery()) + l[capture.FrameOther] + l[capture.FrameFiltered] + l[capture.DatagramsReassembled]
}

// discovery counts the ICMPv6 messages of the span by which a link is kept: of
// multicast listeners (RFC 2710, RFC 3810), routers and neighbours (RFC 4861),
// and of multicast routers (RFC 4286).
func (v *view) discovery() (n uint64) {
	is := func(k *capture.ICMPKey) bool {
		return k.Network == capture.IPv6 && (k.Type >= 130 && k.Type <= 137 || k.Type == 143 || k.Type >= 151 && k.Type <= 153)
	}
	for i := range v.Snapshot.ICMP {
		if c := &v.Snapshot.ICMP[i]; is(&c.ICMPKey) {
			n += c.Count
		}
	}
	for i := range v.base.ICMP {
		if c := &v.base.ICMP[i]; is(&c.ICMPKey) {
			n = less(n, c.Count)
		}
	}
	return n
}

func nothingLeaves() []Leaf {
	return []Leaf{idleLeaf(), blindLeaf(), otherInterfaceLeaf(), chatterLeaf(), selfOnlyLeaf(), probesOnlyLeaf(), noListenerLeaf(), unixSocketLeaf(), noInboundLeaf(), noPayloadLeaf(), tooShortLeaf()}
}

// idle reports whether no packet crossed in the span, as far as is known.
func (v *view) idle() bool {
	dropped, _ := v.drops()
	packets, _ := v.devices()
	return v.frames() == 0 && dropped == 0 && (!v.Capture.Live || packets == 0)
}

// silence counts windows without a packet, and remembers how many in a row are
// usual: traffic that comes now and then is no news each time that it pauses.
type silence struct {
	windows int   // in a row, to now
	ended   []int // how many had gone before each of the last windows with packets
}

// window takes the next window; memory is how many with packets are remembered.
func (s *silence) window(idle bool, memory int) {
	if idle {
		s.windows++
		return
	}
	if len(s.ended) == memory {
		s.ended = slices.Delete(s.ended, 0, 1)
	}
	s.ended = append(s.ended, s.windows)
	s.windows = 0
}

// usualHere reports whether the silence is no longer than those before may lead
// to expect.
func (s *silence) usualHere() bool {
	return slices.ContainsFunc(s.ended, func(n int) bool { return s.windows <= 2*n })
}

func idleLeaf() Leaf {
	return Leaf{
		ID: "NONE-01", Title: "Idle: no packet at all", Class: Nothing, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Can we capture?", "yes"}, {"Did packets arrive?", "no"}, {"Does the kernel say that packets crossed?", "no"}},
		Condition: "no frame was read, and the counters of the captured interfaces did not move; in a file: it holds no packet",
		Meaning:   "There was nothing to capture. The capture itself works: the kernel's own counters agree that no packet crossed.",
		Guard:     "A pod with little traffic looks idle for a while: the sentence says for how long. Silences that were seen to end are usual here: while they are remembered, one must last twice as long. Without the kernel's counters the finding is only likely.",
		Raise:     2, Clear: 1, Live: true, File: true,
		Evidence: []Key{{Name: "seconds", Description: "how long the look was"}, {Name: "device_packets", Description: "packets that the interfaces counted meanwhile"}, {Name: "file", Description: "the capture file"}},
		Body:     "No packet crossed[[ in {{seconds}} s]][[: the capture file {{file}} holds none]][[; the interfaces' own counters agree ({{device_packets}}), so the capture itself works]].",
		Remedy: Remedy{Summary: "Send a test request, and check that the Service has this pod among its endpoints.",
			Command: "kubectl exec POD -- wget -qO- http://localhost:PORT/; kubectl get endpointslices -l kubernetes.io/service-name=SERVICE"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			switch {
			case !v.idle():
				return
			case !v.Capture.Live:
				emit(hit{evidence: []Evidence{text("file", v.Capture.File)}})
				return
			case !v.final && v.silence.usualHere():
				return
			}
			h := hit{evidence: []Evidence{seconds("seconds", v.seconds)}}
			if packets, known := v.devices(); known {
				h.evidence = append(h.evidence, number("device_packets", packets))
			} else {
				h.sharper, h.severity, h.confidence = true, Warning, Likely
			}
			emit(h)
		},
	}
}

func blindLeaf() Leaf {
	return Leaf{
		ID: "NONE-02", Title: "Blind: packets crossed, none was captured", Class: Nothing, Severity: Error, Confidence: Certain,
		Path:       []Step{{"Can we capture?", "yes"}, {"Did packets arrive?", "no"}, {"Does the kernel say that packets crossed?", "yes"}},
		Condition:  "no frame was read and none was dropped, while the captured interfaces or Tcp.InSegs counted packets",
		Meaning:    "The kernel moved packets that never reached the packet socket: a bypass (XDP, AF_XDP, a socket map), or a fault of wiretell. A filter cannot be the cause, as what it leaves out is counted all the same.",
		Guard:      "An XDP program that drops packets counts them on the device: the finding says what was counted where.",
		Thresholds: []Threshold{{"packets", "packets", 10, 1}},
		Raise:      2, Clear: 1, Live: true,
		Evidence: []Key{{Name: "device_packets", Description: "packets that the captured interfaces counted"}, {Name: "tcp_in_segments", Description: "growth of Tcp.InSegs"}, {Name: "seconds", Description: "how long the look was"}},
		Body:     "Packets crossed in {{seconds}} s ({{device_packets}} by the interfaces' counters, {{tcp_in_segments TCP segment|TCP segments}} in), but none reached wiretell.",
		Remedy: Remedy{Summary: "Look for XDP programs and socket maps that bypass packet sockets; if there are none, report a fault of wiretell with this finding.",
			Command: "ip -details link show | grep -B2 xdp; bpftool net; bpftool prog show"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			if dropped, _ := v.drops(); v.frames() > 0 || dropped > 0 {
				return
			}
			packets, _ := v.devices()
			var segments uint64
			if len(v.Capture.Interfaces) == 0 { // Tcp.InSegs knows no interface
				segments, _ = v.grown(capture.KnownTCP, func(k *capture.Kernel) uint64 { return k.TCP.InSegs })
			}
			if float64(max(packets, segments)) >= l.threshold(v, "packets") {
				emit(hit{evidence: []Evidence{number("device_packets", packets), number("tcp_in_segments", segments), seconds("seconds", v.seconds)}})
			}
		},
	}
}

func otherInterfaceLeaf() Leaf {
	return Leaf{
		ID: "NONE-03", Title: "The traffic is on an interface that is not captured", Class: Nothing, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Can we capture?", "yes"}, {"Is the traffic on the captured interfaces?", "no"}},
		Condition:  "an interface that was not asked for counted more packets than all captured ones together",
		Meaning:    "The interfaces that --interface names are not the ones that carry the traffic.",
		Guard:      "A little traffic on lo is usual: only an interface that carries most of the packets counts.",
		Thresholds: []Threshold{{"packets", "packets", 100, 20}},
		Raise:      2, Clear: 2, Live: true,
		Evidence: []Key{{Name: "packets", Description: "packets on that interface"}, {Name: "captured_packets", Description: "packets on the captured interfaces"}, {Name: "interfaces", Description: "what is captured"}},
		Body:     "{{packets packet was|packets were}} on {{interface}}, {{captured_packets}} on {{interfaces}}, which is what is captured.",
		Remedy:   Remedy{Summary: "Capture on that interface too, or on all.", Command: "wiretell run   # without --interface: all of them"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			if len(v.Capture.Interfaces) == 0 || v.Kernel == nil {
				return
			}
			captured, _ := v.devices()
			for i := range v.Kernel.Interfaces {
				name := v.Kernel.Interfaces[i].Name
				if n, ok := v.device(name); ok && !v.captures(name) && n > captured && float64(n) >= l.threshold(v, "packets") {
					emit(hit{subject: Subject{Interface: name}, evidence: []Evidence{number("packets", n), number("captured_packets", captured), text("interfaces", strings.Join(v.Capture.Interfaces, ", "))}})
				}
			}
		},
	}
}

func chatterLeaf() Leaf {
	return Leaf{
		ID: "NONE-04", Title: "Only link-layer chatter", Class: Nothing, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Did packets arrive?", "yes"}, {"Is any of them IP payload?", "no"}},
		Condition: "frames were read: ARP, ICMPv6 by which a link is kept (neighbours, routers, multicast), or not IP; what else there was could not be decoded",
		Meaning:   "The link is alive, but nobody exchanges data with this pod.",
		Guard:     "Pings and ICMP errors are no chatter, over IPv6 either; nor are fragments that never became whole.",
		Raise:     2, Clear: 1, Live: true, File: true,
		Evidence: []Key{{Name: "frames", Description: "frames read"}, {Name: "arp", Description: "of them ARP"}, {Name: "icmpv6", Description: "of them ICMPv6 by which the link is kept"}, {Name: "non_ip", Description: "of them another protocol over the link"}},
		Body:     "There is only link-layer chatter: {{frames frame|frames}}, of them {{arp}} ARP, {{icmpv6}} ICMPv6, {{non_ip}} not IP.",
		Remedy:   idleLeaf().Remedy,
		check: func(v *view, _ *Leaf, emit func(hit)) {
			l := &v.ledger
			chatter := l[capture.FrameARP] + l[capture.FrameICMPv6] + l[capture.FrameNonIP]
			if chatter > 0 && v.transportFrames()+v.fragments()+l[capture.FrameOwnExport] == 0 {
				emit(hit{evidence: []Evidence{number("frames", v.frames()), number("arp", l[capture.FrameARP]), number("icmpv6", l[capture.FrameICMPv6]), number("non_ip", l[capture.FrameNonIP])}})
			}
		},
	}
}

func selfOnlyLeaf() Leaf {
	return Leaf{
		ID: "NONE-05", Title: "Only wiretell's own traffic", Class: Nothing, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Did packets arrive?", "yes"}, {"Are any of them not our own?", "no"}},
		Condition: "every packet over IP belongs to a socket of wiretell itself: of its export, or of its local endpoint",
		Meaning:   "Capture and export work, and nothing else happens in this network namespace.",
		Guard:     "Own packets are told by socket, not by address, so an application that uses the same collector is not taken for wiretell.",
		Raise:     2, Clear: 1, Live: true,
		Evidence: []Key{{Name: "own_packets", Description: "packets of wiretell's own sockets"}},
		Body:     "Only wiretell's own traffic was seen ({{own_packets packet|packets}}).",
		Remedy:   idleLeaf().Remedy,
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if own := v.ledger[capture.FrameOwnExport]; own > 0 && v.transportFrames() == 0 {
				emit(hit{evidence: []Evidence{number("own_packets", own)}})
			}
		},
	}
}

func probesOnlyLeaf() Leaf {
	return Leaf{
		ID: "NONE-06", Title: "Only health checks", Class: Nothing, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Did requests arrive?", "yes"}, {"Are any of them from users?", "no"}},
		Condition:  "every inbound request comes from a prober (told by User-Agent), and no other inbound port carries payload",
		Meaning:    "Capture works, and the pod is reached by its probes. Users' traffic does not come here.",
		Guard:      "Monitoring may be the only user. Payload on another inbound port (as TLS) keeps this leaf silent.",
		Thresholds: []Threshold{{"requests", "requests", 3, 1}},
		Raise:      4, Clear: 1, Live: true, File: true,
		Evidence: []Key{{Name: "probes", Description: "requests by probers"}, {Name: "ports", Description: "where they arrived"}},
		Body:     "Capture works; only health checks arrive ({{probes}} on port {{ports}}). Users' traffic does not reach this pod.",
		Remedy:   Remedy{Summary: "Check the Service's selector and ports, the pod's readiness, and whether other replicas or the ingress take the traffic.", Command: "kubectl describe service SERVICE; kubectl get pods -o wide; kubectl get ingress"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			var requests, probes uint64
			var ports []uint16
			for i := range v.ports {
				p := &v.ports[i]
				if p.Transport != capture.TCP || !p.inbound() {
					continue
				}
				if p.requests() == 0 && p.payload()+p.Filtered.Packets > 0 {
					return // something else arrives
				}
				if requests += p.requests(); p.Probes > 0 {
					probes += p.Probes
					ports = append(ports, p.Port)
				}
			}
			switch {
			case requests == 0:
				emit(hit{quiet: true})
			case probes == requests && float64(probes) >= l.threshold(v, "requests"):
				slices.Sort(ports)
				emit(hit{evidence: []Evidence{number("probes", probes), text("ports", joinPorts(slices.Compact(ports)))}})
			}
		},
	}
}

func noListenerLeaf() Leaf {
	return Leaf{
		ID: "NONE-07", Title: "Nothing listens on TCP", Class: Nothing, Severity: Warning, Confidence: Likely,
		Path:      []Step{{"Does anybody listen?", "no"}},
		Condition: "no TCP socket but wiretell's own is in LISTEN, no unix socket listens, and nobody here connects out",
		Meaning:   "The application is not up, binds late, or is in another network namespace.",
		Guard:     "An application that starts: the leaf waits four windows. Applications over UDP or unix sockets (see NONE-08), and programs that only connect out: any outbound connection keeps the leaf silent. A sidecar ends after its application: at the end of a run in which connections came in the leaf is silent, too.",
		Raise:     4, Clear: 1, Live: true, Blind: true,
		Evidence: []Key{{Name: "listeners", Description: "TCP sockets in LISTEN that are not wiretell's"}, {Name: "seconds", Description: "how long the look was"}},
		Body:     "No process listens on TCP in this pod.",
		Remedy:   Remedy{Summary: "Check that the application's container is up, in this pod, and what it says.", Command: "kubectl get pod POD -o wide; kubectl logs POD -c APP; ss -ltn"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if !v.Kernel.Has(capture.KnownSockets) || len(v.listening(false)) > 0 || v.Kernel.UnixListening > 0 {
				return
			}
			for i := range v.ports {
				p := &v.ports[i]
				if p.Role == capture.RoleClient && p.total.Conns+p.total.Failed+p.total.FromServer.Packets > 0 ||
					v.final && p.Role == capture.RoleServer && p.total.Conns > 0 {
					return
				}
			}
			emit(hit{evidence: []Evidence{number("listeners", 0), seconds("seconds", v.running)}})
		},
	}
}

func unixSocketLeaf() Leaf {
	return Leaf{
		ID: "NONE-08", Title: "The application listens on a unix socket", Class: Nothing, Severity: Warning, Confidence: Possible,
		Path:      []Step{{"Does anybody listen?", "on a unix socket only"}},
		Condition: "no TCP socket but wiretell's own is in LISTEN, and a unix socket listens",
		Meaning:   "What goes over a unix socket never becomes a packet, so no capture can see it.",
		Guard:     "Agents use unix sockets too: only possible. It needs that nothing at all listens on TCP.",
		Raise:     2, Clear: 1, Live: true, Blind: true,
		Evidence: []Key{{Name: "paths", Description: "listening unix sockets"}, {Name: "sockets", Description: "how many there are"}},
		Body:     "Nothing listens on TCP, but {{sockets unix socket does|unix sockets do}}[[ ({{paths}})]]: packets of those never exist.",
		Remedy:   Remedy{Summary: "Let the application listen on TCP, or observe the proxy in front of it.", Command: "ss -lx"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if !v.Kernel.Has(capture.KnownSockets|capture.KnownUnix) || len(v.listening(false)) > 0 || v.Kernel.UnixListening == 0 {
				return
			}
			paths := slices.Clone(v.Kernel.UnixListeners)
			slices.Sort(paths)
			emit(hit{evidence: []Evidence{text("paths", list(paths, 0)), number("sockets", uint64(v.Kernel.UnixListening))}})
		},
	}
}

func noInboundLeaf() Leaf {
	return Leaf{
		ID: "NONE-09", Title: "Ports listen, nobody connects", Class: Nothing, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Did packets arrive?", "yes"}, {"Does anybody listen?", "yes"}, {"Did anybody connect?", "no"}},
		Condition: "TCP ports can be reached from outside, other traffic is there, and since the start nobody connected to any of them",
		Meaning:   "The application waits, and the network is alive, but no connection reaches the application's ports.",
		Guard:     "A quiet time: the leaf waits four windows, is silent as soon as one connection was seen since the start, and says for how long. The ports of a mesh's proxy are left out: packets carry the application's.",
		Raise:     4, Clear: 1, Live: true,
		Evidence: []Key{{Name: "ports", Description: "ports that listen"}, {Name: "seconds", Description: "since the capture began"}, {Name: "other_packets", Description: "other packets seen meanwhile"}},
		Body:     "Port {{ports}} listens, but nobody connected in {{seconds}} s, though {{other_packets other packet was|other packets were}} seen.",
		Remedy: Remedy{Summary: "Compare the Service's targetPort with the port that listens, and look for a NetworkPolicy that forbids ingress.",
			Command: "kubectl get service SERVICE -o jsonpath='{.spec.ports}'; kubectl get networkpolicy"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if !v.Kernel.Has(capture.KnownSockets) || v.transportFrames() == 0 {
				return
			}
			ports := v.applications(true)
			for i := range v.Snapshot.Ports {
				p := &v.Snapshot.Ports[i]
				seen := p.Conns + p.Failed + p.FromClient.Packets + p.FromServer.Packets + p.Filtered.Packets
				if p.Transport == capture.TCP && seen > 0 && p.Role != capture.RoleClient && (p.Overflow || slices.Contains(ports, p.Port)) {
					return
				}
			}
			if len(ports) > 0 {
				emit(hit{evidence: []Evidence{text("ports", joinPorts(ports)), seconds("seconds", v.running), number("other_packets", v.transportFrames())}})
			}
		},
	}
}

func noPayloadLeaf() Leaf {
	return Leaf{
		ID: "NONE-10", Title: "No TCP payload", Class: Nothing, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Did packets arrive?", "yes"}, {"Do any of them carry TCP payload?", "no"}},
		Condition: "packets over IP were read and none was filtered, but not one byte of TCP payload was on the wire",
		Meaning:   "There is traffic, but none that could hold requests: UDP, ICMP, or TCP connections that never got to send anything.",
		Guard:     "A quiet time on long-lived connections: the leaf is silent as soon as any payload was seen since the start.",
		Raise:     4, Clear: 1, Live: true, File: true,
		Evidence: []Key{{Name: "tcp", Description: "TCP segments, all without payload"}, {Name: "udp", Description: "UDP datagrams"}, {Name: "icmp", Description: "ICMP and ICMPv6 messages"}, {Name: "other", Description: "packets of other protocols"}},
		Body:     "No TCP payload was seen: {{tcp TCP segment|TCP segments}} without any, {{udp UDP datagram|UDP datagrams}}, {{icmp ICMP message|ICMP messages}}, {{other other packet|other packets}}.",
		Remedy:   Remedy{Summary: "If TCP connections are refused or stay without an answer, follow that finding first; otherwise send a request and look again.", Command: "wiretell explain NET-SYN-01; wiretell explain NET-SYN-02"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			l, all := &v.ledger, &v.Snapshot.Ledger
			if v.transportFrames() == 0 || all[capture.BytesSeen] > 0 || all[capture.FrameFiltered] > 0 {
				return
			}
			emit(hit{evidence: []Evidence{
				number("tcp", l[capture.FrameTCP]+l[capture.DatagramTCP]), number("udp", l[capture.FrameUDP]+l[capture.DatagramUDP]),
				number("icmp", l[capture.FrameICMP]+l[capture.FrameICMPv6]+l[capture.DatagramICMP]), number("other", l[capture.FrameOther]+l[capture.DatagramOther])}})
		},
	}
}

// leastSeconds is how long a live capture must last before what did not come
// means anything.
const leastSeconds = 0.5

// brief reports whether the run is over before absence could prove anything.
func (v *view) brief() bool { return v.final && v.Capture.Live && v.running < leastSeconds }

// patient reports whether the leaf concludes from what did not come: of the
// first two classes it is those that wait for several windows.
func (l *Leaf) patient() bool { return l.Class <= Nothing && l.Raise > 1 }

func tooShortLeaf() Leaf {
	return Leaf{
		ID: "NONE-11", Title: "The capture was too short", Class: Nothing, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Can we capture?", "yes"}, {"Did the capture last long enough to tell?", "no"}},
		Condition: "a live capture ended within half a second of its start, and no HTTP message was read",
		Meaning:   "Nothing can be concluded from what did not come in so short a time: wiretell was told to stop as soon as it had begun. No leaf of this part of the tree is weighed then.",
		Guard:     "Only at the end of a live run. What did come is judged all the same, and capture files may be as short as they like.",
		Raise:     1, Clear: 1, Live: true,
		Evidence: []Key{{Name: "seconds", Description: "how long the capture lasted"}, {Name: "frames", Description: "packets read meanwhile"}},
		Body:     "The capture ended within half a second of its start, with {{frames packet|packets}} read: too short to conclude from what did not come.",
		Remedy:   Remedy{Summary: "Let it run for longer. With --until-eof it ends as soon as standard input does: keep that open.", Command: "wiretell run --duration 30s"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if v.brief() && !Useful(v.Input) {
				emit(hit{evidence: []Evidence{seconds("seconds", v.running), number("frames", v.frames())}})
			}
		},
	}
}
