package diagnosis

import (
	"net/netip"
	"slices"

	"github.com/wiretell/wiretell/capture"
)

// icmpKind groups ICMP errors by what is to be done about them.
type icmpKind uint8

const (
	icmpOther       icmpKind = iota // a leaf of another kind tells it, or none does
	icmpTooBig                      // fragmentation needed (RFC 792), packet too big (RFC 4443)
	icmpUnreachable                 // no route, no host, no protocol, forbidden
	icmpNeighbour                   // this host itself found no neighbour
	icmpClosedPort                  // a UDP port on which nobody listens
	icmpExpired                     // time to live exceeded, reassembly time exceeded
	icmpAdvice                      // redirect, parameter problem, source quench
)

// icmpKey tells errors apart by what they are about.
type icmpKey struct {
	kind icmpKind
	peer netip.Addr // where the quoted packet was sent
	port uint16     // to which UDP port, for icmpClosedPort
	dir  capture.Direction
}

// icmpSeen is the last error of its kind.
type icmpSeen struct {
	from    netip.Addr
	header  capture.ICMPHeader
	meaning string // a constant
	quoted  capture.Transport
	mtu     int
}

// tracePorts are where traceroute sends its datagrams.
const firstTracePort, lastTracePort = 33434, 33534

// kindOf groups e. What quotes a packet that traceroute sends is its purpose and
// no error.
func kindOf(e *capture.ICMPError) icmpKind {
	udp := e.QuotedTransport == capture.UDP
	if port := e.Quoted.Dst.Port; udp && port >= firstTracePort && port <= lastTracePort {
		return icmpOther
	}
	typ, code := e.Header.Type, e.Header.Code
	if e.Network == capture.IPv6 {
		// The same errors under the numbers of RFC 4443.
		switch typ {
		case 1:
			switch code {
			case 4:
				typ, code = 3, 3
			case 1, 5, 6:
				typ, code = 3, 13
			case 3:
				typ, code = 3, 1
			default:
				typ, code = 3, 0
			}
		case 2:
			typ, code = 3, 4
		case 3:
			typ = 11
		case 4:
			typ = 12
		default:
			return icmpOther
		}
	}
	switch {
	case typ == 3 && code == 4:
		return icmpTooBig
	case typ == 3 && code == 1 && e.From == e.To:
		return icmpNeighbour
	case typ == 3 && code == 3 && udp:
		if e.QuotedSeen {
			return icmpClosedPort
		}
		return icmpOther
	case typ == 3 && code != 3:
		return icmpUnreachable
	case typ == 11:
		return icmpExpired
	case typ == 4 || typ == 5 || typ == 12:
		return icmpAdvice
	}
	return icmpOther
}

func (o *observed) icmp(e *capture.ICMPError) {
	k := icmpKey{kind: kindOf(e), peer: e.Quoted.Dst.IP(), dir: e.Direction}
	switch k.kind {
	case icmpOther:
		return
	case icmpClosedPort:
		k.port = e.Quoted.Dst.Port
	}
	c := o.errors.count(k)
	if c == nil {
		o.beyond++
		return
	}
	c.last = icmpSeen{from: e.From.IP(), header: e.Header, meaning: e.Meaning, quoted: e.QuotedTransport, mtu: e.NextHopMTU}
}

// usualTooBig is how many errors about packets too large for a path are more than
// the discovery of its MTU takes.
const usualTooBig = 3

// icmpCheck makes the check of a leaf about one kind of ICMP error.
func icmpCheck(kind icmpKind) func(*view, *Leaf, func(hit)) {
	return func(v *view, l *Leaf, emit func(hit)) {
		for _, e := range v.seen.errors.order {
			n := e.in(v)
			if e.key.kind != kind || float64(n) < l.threshold(v, "messages") || kind == icmpUnreachable && v.failsTo(e) {
				continue
			}
			ev := []Evidence{number("messages", n), text("from", e.last.from.String()), text("meaning", e.last.meaning),
				number("icmp_type", uint64(e.last.header.Type)), number("icmp_code", uint64(e.last.header.Code)), text("quoted", e.last.quoted.String())}
			if kind == icmpTooBig && e.last.mtu > 0 {
				ev = append(ev, number("mtu", uint64(e.last.mtu)))
				if own := v.mtu(); own > 0 {
					ev = append(ev, number("interface_mtu", own))
				}
			}
			h := hit{subject: Subject{Peer: e.key.peer, Port: e.key.port, Direction: e.key.dir}, evidence: ev}
			if kind == icmpTooBig && n < usualTooBig {
				h.sharper, h.severity, h.confidence = true, Info, l.Confidence
			}
			emit(h)
		}
	}
}

// failsTo reports whether e is what connects to its peer fail by, which
// NET-SYN-03 tells.
func (v *view) failsTo(e *counted[icmpKey, icmpSeen]) bool {
	return e.last.quoted == capture.TCP && slices.ContainsFunc(v.seen.failures.order, func(f *failure) bool {
		return f.key.peer == e.key.peer && f.last.hasICMP && f.in(v) > 0
	})
}

// mtu returns the greatest MTU of an interface beside loopback, 0 when not known.
func (v *view) mtu() (most uint64) {
	if v.Kernel == nil {
		return 0
	}
	for i := range v.Kernel.Interfaces {
		if d := &v.Kernel.Interfaces[i]; !d.Loopback {
			most = max(most, uint64(d.MTU))
		}
	}
	return most
}

func icmpKeys(more ...Key) []Key {
	return append([]Key{{Name: "messages", Description: "ICMP errors"}, {Name: "from", Description: "who sent the last one", Volatile: true},
		{Name: "meaning", Description: "what the last one means", Volatile: true}, {Name: "icmp_type", Description: "its ICMP type"}, {Name: "icmp_code", Description: "its ICMP code"},
		{Name: "quoted", Description: "transport of the packet that it is about", Volatile: true}}, more...)
}

func icmpThreshold(n float64) []Threshold {
	return []Threshold{{"messages", "messages about one destination", n, 1}}
}

func icmpLeaves() []Leaf {
	return []Leaf{
		{
			ID: "NET-MTU-01", Title: "Packets are too large for the path", Class: Network, Severity: Warning, Confidence: Certain,
			Path:       []Step{{"Do ICMP errors arrive?", "yes"}, {"What do they say?", "a packet is too large"}},
			Condition:  "ICMP says again and again that packets to one destination are too large for the next link",
			Meaning:    "The path has a smaller MTU than the interface. One such message per path is how path MTU discovery works; many mean that what is learnt is not kept or not heeded.",
			Guard:      "Normal once per path: three in a window about the same destination are needed; fewer in a whole run are information.",
			Thresholds: icmpThreshold(usualTooBig), Raise: 1, Clear: 3, Live: true, File: true,
			Evidence: icmpKeys(Key{Name: "mtu", Description: "MTU of the next link, bytes"}, Key{Name: "interface_mtu", Description: "greatest MTU of an interface here, bytes"}),
			Body:     "What is sent to {{peer}} is too large[[: the path takes {{mtu byte|bytes}}]][[, the interface sends up to {{interface_mtu}}]] ({{messages message|messages}}, the last from {{from}}).",
			Remedy: Remedy{Summary: "Lower the MTU of the pod network, or clamp the segment size to the path.",
				Command: "tracepath {{peer}}; ip link show; iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"},
			check: icmpCheck(icmpTooBig),
		},
		{
			ID: "NET-MTU-02", Title: "Large packets vanish", Class: Network, Severity: Warning, Confidence: Possible,
			Path:       []Step{{"Do bytes flow well?", "no"}, {"What holds them up?", "the first large segments are never acknowledged"}},
			Condition:  "connections to one peer stall as soon as they have a full segment to send, though their handshakes passed, and no ICMP error says why",
			Meaning:    "A link on the path takes only smaller packets, and the ICMP errors that would say so are filtered: a black hole of path MTU discovery.",
			Guard:      "A peer that goes away stalls old connections, too: only those count that stall within seconds of their handshake, before as much as one full segment was acknowledged, and two of them are needed. Offloading hides the size of segments: only possible.",
			Thresholds: []Threshold{{"connections", "connections that stalled", 2, 1}},
			Raise:      1, Clear: 3, Live: true, File: true,
			Evidence: []Key{{Name: "connections", Description: "connections that stalled"}, {Name: "outstanding", Description: "bytes that the last of them waits for"}, {Name: "interface_mtu", Description: "greatest MTU of an interface here, bytes"}},
			Body:     "{{connections connection|connections}} to {{peer}} stalled with the first large segments ({{outstanding byte|bytes}} not acknowledged), and no ICMP error says why: the path may take smaller packets only.",
			Remedy: Remedy{Summary: "Try the path with smaller packets; let ICMP pass, let the kernel probe, or lower the MTU.",
				Command: "tracepath {{peer}}; ping -M do -s 1372 {{peer}}; sysctl -w net.ipv4.tcp_mtu_probing=1"},
			check: func(v *view, l *Leaf, emit func(hit)) {
				for _, e := range v.seen.stalls.order {
					n := e.in(v)
					told := slices.ContainsFunc(v.seen.errors.order, func(i *counted[icmpKey, icmpSeen]) bool {
						return i.key.kind == icmpTooBig && i.key.peer == e.key && i.total > 0
					})
					if told || float64(n) < l.threshold(v, "connections") {
						continue
					}
					ev := []Evidence{number("connections", n), number("outstanding", e.last)}
					if own := v.mtu(); own > 0 {
						ev = append(ev, number("interface_mtu", own))
					}
					emit(hit{subject: Subject{Peer: e.key, Direction: capture.Transmit}, evidence: ev})
				}
			},
		},
		{
			ID: "NET-ICMP-01", Title: "Destinations are unreachable", Class: Network, Severity: Warning, Confidence: Certain,
			Path:       []Step{{"Do ICMP errors arrive?", "yes"}, {"What do they say?", "the destination cannot be reached"}},
			Condition:  "ICMP says of packets to one destination that network, host or protocol cannot be reached, or may not be",
			Meaning:    "A router or firewall on the way tells that it knows no way to the destination, or does not let packets pass.",
			Guard:      "What connects fail by is NET-SYN-03; what this host says to itself is NET-ARP-01.",
			Thresholds: icmpThreshold(2), Raise: 1, Clear: 3, Live: true, File: true,
			Evidence: icmpKeys(),
			Body:     "{{from}} says of packets to {{peer}} ({{quoted}}): {{meaning}} ({{messages message|messages}}).",
			Remedy:   Remedy{Summary: "Look at the route to the destination, and at the firewall or policy of who sent the error.", Command: "ip route get {{peer}}; tracepath {{peer}}; kubectl get networkpolicy -A"},
			check:    icmpCheck(icmpUnreachable),
		},
		{
			ID: "NET-ICMP-02", Title: "A UDP port is closed", Class: Network, Severity: Warning, Confidence: Certain,
			Path:       []Step{{"Do ICMP errors arrive?", "yes"}, {"What do they say?", "the UDP port is closed"}},
			Condition:  "ICMP port unreachable answers datagrams to one UDP port",
			Meaning:    "Nobody listens on that UDP port: a name server, a statsd or a log receiver that is not there.",
			Guard:      "Datagrams to the ports of traceroute are left out; only errors about datagrams that were seen count.",
			Thresholds: icmpThreshold(3), Raise: 1, Clear: 3, Live: true, File: true,
			Evidence: icmpKeys(),
			Body:     "UDP port {{port}} of {{peer}} is closed ({{messages message|messages}}).",
			Remedy:   Remedy{Summary: "Check that the receiver runs and listens on that address and port.", Command: "ss -lun; kubectl get endpointslices -A | grep -F {{peer}}"},
			check:    icmpCheck(icmpClosedPort),
		},
		{
			ID: "NET-ICMP-03", Title: "Packets expire on the way", Class: Network, Severity: Warning, Confidence: Possible,
			Path:       []Step{{"Do ICMP errors arrive?", "yes"}, {"What do they say?", "time exceeded"}},
			Condition:  "ICMP time exceeded about packets to one destination, that are not traceroute's datagrams",
			Meaning:    "Packets are forwarded in a loop, or fragments of them get lost.",
			Guard:      "Traceroute asks for such errors on purpose: its UDP ports are left out, but it can use others, so this is only possible.",
			Thresholds: icmpThreshold(3), Raise: 1, Clear: 3, Live: true, File: true,
			Evidence: icmpKeys(),
			Body:     "{{from}} says of packets to {{peer}} ({{quoted}}): {{meaning}} ({{messages message|messages}}).",
			Remedy:   Remedy{Summary: "Look for a routing loop on the way.", Command: "tracepath {{peer}}; ip route get {{peer}}"},
			check:    icmpCheck(icmpExpired),
		},
		{
			ID: "NET-ICMP-04", Title: "Routers give advice", Class: Network, Severity: Info, Confidence: Certain,
			Path:       []Step{{"Do ICMP errors arrive?", "yes"}, {"What do they say?", "redirect, parameter problem, or source quench"}},
			Condition:  "ICMP redirect, parameter problem or source quench about packets to one destination",
			Meaning:    "A redirect names a nearer router, a parameter problem tells that an IP header is wrong; source quench is obsolete (RFC 6633) and is ignored by hosts.",
			Guard:      "For information only.",
			Thresholds: icmpThreshold(1), Raise: 1, Clear: 3, Live: true, File: true,
			Evidence: icmpKeys(),
			Body:     "{{from}} says of packets to {{peer}} ({{quoted}}): {{meaning}} ({{messages message|messages}}).",
			Remedy:   Remedy{Summary: "For a redirect see the route table of this host; for a parameter problem what builds the packets.", URL: "https://www.rfc-editor.org/rfc/rfc792"},
			check:    icmpCheck(icmpAdvice),
		},
		{
			ID: "NET-ARP-01", Title: "No neighbour answers for an address", Class: Network, Severity: Warning, Confidence: Likely,
			Path:       []Step{{"Do ICMP errors arrive?", "yes"}, {"What do they say?", "host unreachable, said by this host itself"}},
			Condition:  "this host tells itself that an address cannot be reached: ARP or neighbour discovery got no answer",
			Meaning:    "The address is on this link by the route table, and nobody answers for it: the host is down, or the route is wrong.",
			Guard:      "Told by the sender of the error, who is its receiver, too.",
			Thresholds: icmpThreshold(1), Raise: 1, Clear: 3, Live: true, File: true,
			Evidence: icmpKeys(),
			Body:     "No neighbour on this link answers for {{peer}} ({{messages error|errors}} that this host sent to itself).",
			Remedy:   Remedy{Summary: "Look whether the peer is up, at the route, and at the pod network.", Command: "ip neigh show {{peer}}; ip route get {{peer}}"},
			check:    icmpCheck(icmpNeighbour),
		},
	}
}
