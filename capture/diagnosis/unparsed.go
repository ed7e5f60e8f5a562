package diagnosis

import (
	"strconv"

	"github.com/wiretell/wiretell/capture"
)

func unparsedLeaves() []Leaf {
	return []Leaf{quicLeaf(), http2Leaf(), upgradedLeaf(), proxyHeaderLeaf(), knownProtocolLeaf(), unknownProtocolLeaf(), joinedMidwayLeaf(), parseErrorLeaf(), unreadableFramesLeaf(), fragmentsLeaf(), tunnelLeaf(), noMessageLeaf()}
}

// reasonCheck makes the check for ports with packets that could not be read for
// one reason, and with at least share percent of the port's payload packets.
func reasonCheck(t capture.Transport, why capture.Reason) func(*view, *Leaf, func(hit)) {
	return portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
		u := p.Unparsed[why]
		switch {
		case p.Transport != t:
		case p.Port == 0: // nobody's: reserved (RFC 6335, section 6), or all ports beyond the bound together
		case p.payload() == 0:
			return nil, quiet
		case float64(u.Packets) >= l.threshold(v, "packets") && 100*ratio(u.Packets, p.payload()) >= l.threshold(v, "share"):
			return []Evidence{number("packets", u.Packets), number("bytes", u.Bytes), percent("share", u.Packets, p.payload())}, holds
		}
		return nil, absent
	})
}

func reasonKeys() []Key {
	return []Key{{Name: "packets", Description: "packets that could not be read"}, {Name: "bytes", Description: "bytes in them"}, {Name: "share", Description: "percent of the port's packets with payload"}}
}

func reasonThresholds(packets, share float64) []Threshold {
	return []Threshold{{"packets", "packets", packets, 1}, {"share", "percent of the port's packets with payload", share, share}}
}

func quicLeaf() Leaf {
	return Leaf{
		ID: "QUIC-01", Title: "QUIC: HTTP/3 is not read", Class: Unparsed, Severity: Info, Confidence: Likely,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: QUIC over UDP"}},
		Condition:  "UDP datagrams with QUIC long headers",
		Meaning:    "The peers speak HTTP/3, which is encrypted from the first packet on.",
		Guard:      "DTLS and STUN share bits with QUIC: the version field must be known.",
		Thresholds: reasonThresholds(3, 0), Raise: 1, Clear: 2, Live: true, File: true,
		Evidence: reasonKeys(),
		Body:     "QUIC, as HTTP/3 has it, on UDP port {{port}}[[ ({{direction}})]] is not read ({{packets packet|packets}} with its long header, {{share}} % of the port's).",
		Remedy:   Remedy{Summary: "For debugging let the server not offer HTTP/3 (no Alt-Svc header), so that clients use TCP.", Command: "curl -sI https://HOST | grep -i alt-svc"},
		check:    reasonCheck(capture.UDP, capture.ReasonQUIC),
	}
}

func http2Leaf() Leaf {
	return Leaf{
		ID: "H2-01", Title: "HTTP/2 in clear text is not followed", Class: Unparsed, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: HTTP/2"}},
		Condition:  "connections that begin with the HTTP/2 preface (RFC 9113, section 3.4)",
		Meaning:    "Clients speak HTTP/2 in clear text to the port (as gRPC does), which this build does not follow. Where calls fail, the server may speak HTTP/1.1 alone: it answers 400 then, or closes.",
		Guard:      "None: the preface is unmistakable.",
		Thresholds: reasonThresholds(1, 0), Raise: 1, Clear: 2, Live: true, File: true,
		Evidence: reasonKeys(),
		Body:     "HTTP/2 in clear text is spoken to port {{port}}[[ ({{direction}})]], which this build does not follow ({{packets packet|packets}}).",
		Remedy:   Remedy{Summary: "Use a build with the HTTP/2 parser, or let clients use HTTP/1.1 for debugging.", Command: "curl -v --http2-prior-knowledge http://HOST:{{port}}/ -o /dev/null; curl -v --http1.1 http://HOST:{{port}}/ -o /dev/null"},
		check:    reasonCheck(capture.TCP, capture.ReasonHTTP2),
	}
}

func upgradedLeaf() Leaf {
	return Leaf{
		ID: "UPG-01", Title: "Connections were upgraded", Class: Unparsed, Severity: Info, Confidence: Certain,
		Path:       []Step{{"Did requests arrive?", "yes"}, {"Are they still HTTP?", "no: upgraded"}},
		Condition:  "a 101 response, or a 2xx response to CONNECT, was followed by other bytes",
		Meaning:    "After an upgrade (WebSocket) or through a tunnel (CONNECT) what flows are no requests. The upgrade itself is a span.",
		Guard:      "For information only.",
		Thresholds: reasonThresholds(1, 0), Raise: 1, Clear: 2, Live: true, File: true,
		Evidence: reasonKeys(),
		Body:     "Connections on port {{port}}[[ ({{direction}})]] were upgraded: {{packets packet|packets}} after that {{packets: is|are}} no {{packets: request|requests}}.",
		Remedy:   Remedy{Summary: "Nothing to mend.", URL: "https://www.rfc-editor.org/rfc/rfc9110#section-7.8"},
		check:    reasonCheck(capture.TCP, capture.ReasonUpgraded),
	}
}

func proxyHeaderLeaf() Leaf {
	return Leaf{
		ID: "PROTO-01", Title: "PROXY protocol in front", Class: Unparsed, Severity: Info, Confidence: Certain,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "yes, behind a PROXY protocol header"}},
		Condition:  "connections begin with a PROXY protocol header",
		Meaning:    "A load balancer puts a header with the client's address in front of each connection. wiretell passes it over and reads what follows; client addresses are those of the load balancer.",
		Guard:      "Told by the signature, which no other protocol begins with.",
		Thresholds: []Threshold{{"connections", "connections", 1, 1}},
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "connections", Description: "connections that begin so"}},
		Body:     "{{connections connection|connections}} on port {{port}}[[ ({{direction}})]] {{connections: begins|begin}} with a PROXY protocol header, which is passed over.",
		Remedy:   Remedy{Summary: "Nothing to mend.", URL: "https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt"},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			switch {
			case float64(p.ProxyHeaders) >= l.threshold(v, "connections"):
				return []Evidence{number("connections", p.ProxyHeaders)}, holds
			case p.Conns == 0:
				return nil, quiet
			}
			return nil, absent
		}),
	}
}

func knownProtocolLeaf() Leaf {
	leaf := Leaf{
		ID: "PROTO-02", Title: "Another protocol than HTTP", Class: Unparsed, Severity: Info, Confidence: Likely,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: another protocol, known by its first bytes"}},
		Condition:  "most TCP packets with payload on a port belong to a protocol that is known by sight and not parsed",
		Meaning:    "The port speaks a protocol of a database, a broker or the like. Connections, times and bytes are measured; there are no requests to read.",
		Guard:      "Told by the first bytes of a connection, that other protocols could begin with by chance: likely, unless nothing else begins so.",
		Thresholds: reasonThresholds(5, 50), Raise: 1, Clear: 2, Live: true, File: true,
		Evidence: append(reasonKeys(), Key{Name: "protocol", Description: "what it looks like"}),
		Body:     "Port {{port}}[[ ({{direction}})]] is {{protocol}}, not HTTP ({{packets packet|packets}}, {{share}} %).",
		Remedy:   Remedy{Summary: "Nothing to mend; leave the port out if it is of no interest.", Command: "{{run}} --filter 'not port {{port}}'"},
	}
	unread := reasonCheck(capture.TCP, capture.ReasonUnknownProtocol)
	leaf.check = func(v *view, l *Leaf, emit func(hit)) {
		unread(v, l, func(h hit) {
			p := v.portOf(h.subject)
			if p == nil || p.Looks == "" {
				return // PROTO-03
			}
			h.evidence = append(h.evidence, text("protocol", p.Looks))
			if p.LooksCertain {
				h.sharper, h.severity, h.confidence = true, Info, Certain
			}
			emit(h)
		})
	}
	return leaf
}

// portOf returns the TCP port that a leaf found to hold for s.
func (v *view) portOf(s Subject) *portView {
	for i := range v.ports {
		if p := &v.ports[i]; p.Transport == capture.TCP && p.subject() == s {
			return p
		}
	}
	return nil
}

func unknownProtocolLeaf() Leaf {
	return Leaf{
		ID: "PROTO-03", Title: "An unknown protocol", Class: Unparsed, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: no parser knows the bytes"}},
		Condition:  "most TCP packets with payload on a port belong to no protocol that wiretell knows",
		Meaning:    "The port speaks something else than HTTP or TLS, or wiretell joined in the middle of a message.",
		Guard:      "Compressed or encrypted data joined midway looks unknown as well. One or two packets prove no protocol: what they were is left to PROTO-05. UDP is never counted here. A protocol that is known by sight is PROTO-02.",
		Thresholds: []Threshold{{"packets", "packets", 5, 3}, {"share", "percent of the port's packets with payload", 50, 50}},
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: reasonKeys(),
		Body:     "Port {{port}}[[ ({{direction}})]] speaks a protocol that is not known ({{packets packet|packets}}, {{share}} %).",
		Remedy:   Remedy{Summary: "If that port is not HTTP, leave it out; if it is, restart the client so that a connection is seen from its start, and report a sample.", Command: "{{run}} --filter 'not port {{port}}'"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			reasonCheck(capture.TCP, capture.ReasonUnknownProtocol)(v, l, func(h hit) {
				if p := v.portOf(h.subject); p == nil || p.Looks == "" { // else PROTO-02
					emit(h)
				}
			})
		},
	}
}

func joinedMidwayLeaf() Leaf {
	return Leaf{
		ID: "PROTO-04", Title: "Connections joined midway, not recognised", Class: Unparsed, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: joined midway"}},
		Condition:  "most TCP packets with payload on a port belong to connections that are older than the capture and in which nothing was recognised yet",
		Meaning:    "wiretell began in the middle of these connections. HTTP/1 is picked up at the next message that begins a segment; other protocols only on a new connection.",
		Guard:      "It clears as soon as the port's messages are read. A long download that was under way looks like this until it ends.",
		Thresholds: reasonThresholds(20, 50), Raise: 2, Clear: 2, Live: true, File: true,
		Evidence: reasonKeys(),
		Body:     "Connections on port {{port}}[[ ({{direction}})]] were joined midway and nothing in them is recognised yet ({{packets packet|packets}}, {{share}} %).",
		Remedy:   Remedy{Summary: "Let the capture begin before the application does, or restart the clients.", Command: "kubectl rollout restart deployment CLIENT", Manifest: nativeSidecarManifest},
		check:    reasonCheck(capture.TCP, capture.ReasonJoinedMidstream),
	}
}

func unreadableFramesLeaf() Leaf {
	return Leaf{
		ID: "LINK-01", Title: "Most frames cannot be decoded", Class: Unparsed, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: not even the headers"}},
		Condition:  "most frames have a link type that is not read, or headers that are cut or malformed",
		Meaning:    "The frames are of a kind that wiretell does not know (another link type, a tunnel too deep), or the capture kept too little of them.",
		Guard:      "A few malformed frames are usual on open networks: only a majority counts.",
		Thresholds: []Threshold{{"frames", "frames", 20, 1}, {"share", "percent of the frames", 50, 50}},
		Raise:      2, Clear: 1, Live: true, File: true,
		Evidence: []Key{{Name: "frames", Description: "frames that could not be decoded"}, {Name: "share", Description: "percent of all"}, {Name: "link", Description: "of them with a link type that is not read"}, {Name: "link_types", Description: "which, by number"}, {Name: "cut", Description: "of them cut within the headers"}, {Name: "malformed", Description: "of them malformed or nested too deep"}},
		Body:     "{{frames frame|frames}} ({{share}} %) cannot be decoded: {{link}} of a link type that is not read[[ ({{link_types}})]], {{cut}} cut within the headers, {{malformed}} malformed.",
		Remedy:   Remedy{Summary: "Capture on an Ethernet, loopback, raw IP or \"any\" interface, with whole frames.", Command: "capinfos -E FILE; tcpdump -i any -s 262144 -w FILE", URL: "https://www.tcpdump.org/linktypes.html"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			link, cut := v.ledger[capture.FrameUnsupportedLink], v.ledger[capture.FrameTruncated]
			malformed := v.ledger.Sum([]capture.Entry{capture.FrameMalformedLink, capture.FrameMalformedIP, capture.FrameMalformedTCP,
				capture.FrameMalformedUDP, capture.FrameMalformedICMP, capture.FrameNestedTooDeep})
			n := link + cut + malformed
			if float64(n) >= l.threshold(v, "frames") && 100*ratio(n, v.frames()) >= l.threshold(v, "share") {
				ev := []Evidence{number("frames", n), percent("share", n, v.frames()), number("link", link), number("cut", cut), number("malformed", malformed)}
				if link > 0 {
					ev = append(ev, text("link_types", v.unreadLinks()))
				}
				emit(hit{evidence: ev})
			}
		},
	}
}

func fragmentsLeaf() Leaf {
	return Leaf{
		ID: "FRAG-01", Title: "IP fragments that never became whole", Class: Unparsed, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: in fragments"}},
		Condition:  "a notable share of the frames are fragments whose datagram was never complete, or that break the rules",
		Meaning:    "Only the first fragment holds the ports, and without all of them there is no payload to read. A path with a smaller MTU fragments what is sent over it, and some fragments are lost; fragments that overlap are an attack or a fault.",
		Guard:      "Fragments that are put together again are not counted.",
		Thresholds: []Threshold{{"fragments", "fragments", 10, 1}, {"share", "percent of the frames", 5, 5}},
		Raise:      2, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "fragments", Description: "fragments that were of no use"}, {Name: "share", Description: "percent of all frames"}, {Name: "expired", Description: "of them, whose datagram was not complete in time"}, {Name: "invalid", Description: "of them, that overlap or reach too far"}, {Name: "evicted", Description: "of them, for which there was no room"}, {Name: "reassembled", Description: "fragments that did become whole"}},
		Body:     "{{fragments IP fragment|IP fragments}} ({{share}} % of the frames) never became whole: {{expired}} incomplete, {{invalid}} against the rules, {{evicted}} without room ({{reassembled other|others}} did).",
		Remedy:   Remedy{Summary: "Find the path with the smaller MTU, and let TCP keep below it.", Command: "tracepath PEER; ip link show; iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			expired, invalid, evicted := v.ledger[capture.FragmentsExpired], v.ledger[capture.FragmentsInvalid], v.ledger[capture.FragmentsEvicted]
			n := v.fragments()
			if float64(n) >= l.threshold(v, "fragments") && 100*ratio(n, v.frames()) >= l.threshold(v, "share") {
				emit(hit{evidence: []Evidence{number("fragments", n), percent("share", n, v.frames()), number("expired", expired), number("invalid", invalid), number("evicted", evicted), number("reassembled", v.ledger[capture.FragmentsReassembled])}})
			}
		},
	}
}

// unreadLinks names the link types of interfaces that package wire does not read.
func (v *view) unreadLinks() string {
	var names []string
	for i := range v.Snapshot.Source.Interfaces {
		switch l := v.Snapshot.Source.Interfaces[i].Link; l {
		case capture.LinkNull, capture.LinkEthernet, capture.LinkPPP, capture.LinkRaw, capture.LinkLoop, capture.LinkSLL, capture.LinkIPv4, capture.LinkIPv6, capture.LinkNFLOG, capture.LinkSLL2, 12, 14: // the last two are raw IP, as some systems number it
		default:
			names = append(names, "LINKTYPE "+strconv.Itoa(int(l)))
		}
	}
	return sortedList(names)
}

// fragments counts those of the span whose datagram never became whole.
func (v *view) fragments() uint64 {
	return v.ledger.Sum([]capture.Entry{capture.FragmentsExpired, capture.FragmentsInvalid, capture.FragmentsEvicted})
}

// tunnelPorts are UDP ports of tunnels: L2TP (RFC 2661), GTP (3GPP TS 29.281),
// GRE (RFC 8086), VXLAN (RFC 7348) and Linux's old one, CAPWAP (RFC 5415), GENEVE
// (RFC 8926), WireGuard.
var tunnelPorts = map[uint16]string{1701: "L2TP", 2152: "GTP", 4754: "GRE", 4789: "VXLAN", 8472: "VXLAN", 5247: "CAPWAP", 6081: "GENEVE", 51820: "WireGuard"}

func tunnelLeaf() Leaf {
	return Leaf{
		ID: "ENCAP-01", Title: "Tunnel packets", Class: Unparsed, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: in a tunnel"}},
		Condition:  "a notable share of the frames are datagrams to or from the port of a tunnel protocol",
		Meaning:    "This is the underlay that carries the pods' packets, not the network namespace of a pod. What is inside is not unpacked.",
		Guard:      "Applications that build tunnels themselves look alike: likely. A few datagrams do not count.",
		Thresholds: []Threshold{{"packets", "datagrams", 50, 1}, {"share", "percent of the frames", 20, 20}},
		Raise:      2, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "packets", Description: "datagrams of the tunnel"}, {Name: "share", Description: "percent of the frames"}, {Name: "protocol", Description: "what the port is registered or used for"}},
		Body:     "{{packets datagram|datagrams}} ({{share}} %) on UDP port {{port}} {{packets: is|are}} of a tunnel ({{protocol}}), and what is inside is not read: the underlay is captured, not the pod.",
		Remedy: Remedy{Summary: "Capture inside the pod's network namespace.", Command: "docker run --network container:APP --cap-drop ALL --cap-add NET_RAW IMAGE run",
			Manifest: "spec:\n  template:\n    spec:\n      hostNetwork: false\n"},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			name, n := tunnelPorts[p.Port], p.payload()
			if p.Transport != capture.UDP || name == "" || float64(n) < l.threshold(v, "packets") || 100*ratio(n, v.frames()) < l.threshold(v, "share") {
				return nil, absent
			}
			return []Evidence{number("packets", n), percent("share", n, v.frames()), text("protocol", name)}, holds
		}),
	}
}

func noMessageLeaf() Leaf {
	return Leaf{
		ID: "PROTO-05", Title: "Payload, but no message", Class: Unparsed, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Did packets arrive?", "yes"}, {"Do any of them carry TCP payload?", "yes"}, {"Did it become messages?", "no, and no other leaf says why"}},
		Condition: "TCP payload was seen and no message was read since the start, and no other leaf about filter, halves or parsing holds",
		Meaning:   "The payload was too little to tell its protocol, or did not fit any connection: what became of every byte stands in the evidence.",
		Guard:     "Only said where nothing more exact can be said.",
		Raise:     4, Clear: 1, Live: true, File: true,
		Evidence: []Key{{Name: "bytes", Description: "bytes of TCP payload"}, {Name: "unfinished", Description: "of them, of a known protocol, in what did not become whole"}, {Name: "undetected", Description: "of them, too few to tell the protocol"}, {Name: "unknown", Description: "of them, of no known protocol"},
			{Name: "no_connection", Description: "of them, of no connection that is followed"}, {Name: "out_of_range", Description: "of them, outside any plausible window"}, {Name: "bad_checksum", Description: "of them, in segments with a wrong checksum"}, {Name: "gap_bytes", Description: "bytes never seen beside them"}},
		Body:   "{{bytes byte|bytes}} of TCP payload became no message: {{unfinished}} in what did not become whole, {{undetected}} too few to tell the protocol, {{unknown}} of no known protocol, {{no_connection}} of no connection, {{out_of_range}} out of range, {{bad_checksum}} with a wrong checksum ({{gap_bytes more was|more were}} never seen).",
		Remedy: Remedy{Summary: "Capture for longer and from the beginning of a connection.", Command: "wiretell read FILE   # prints the ledger with every byte"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			l := &v.Snapshot.Ledger
			if v.explained || l[capture.BytesSeen] == 0 || l[capture.RequestsSeen]+l[capture.ResponsesSeen] > 0 {
				return
			}
			undetected, unknown := l[capture.DeliveredUndetected]+l[capture.DeliveredDesync], l[capture.DeliveredUnknown]
			noState, outOfRange, badChecksum := l[capture.BytesNoState], l[capture.BytesOutOfRange], l[capture.BytesBadChecksum]
			unfinished := less(l[capture.BytesDelivered]+l[capture.BytesLive], undetected+unknown)
			emit(hit{evidence: []Evidence{number("bytes", l[capture.BytesSeen]), number("unfinished", unfinished), number("undetected", undetected), number("unknown", unknown),
				number("no_connection", noState), number("out_of_range", outOfRange), number("bad_checksum", badChecksum), number("gap_bytes", l[capture.GapBytes])}})
		},
	}
}

func parseErrorLeaf() Leaf {
	return Leaf{
		ID: "HTTP-01", Title: "Looks like HTTP, but breaks its rules", Class: Unparsed, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "they look like HTTP"}, {"Do they keep its rules?", "no"}},
		Condition:  "messages were refused by the parser",
		Meaning:    "A message began as HTTP and then broke RFC 9112, or passed one of wiretell's bounds. The reason says which.",
		Guard:      "Errors after a gap are desynchronisation and are not counted here; a message is only begun at a message boundary.",
		Thresholds: []Threshold{{"errors", "errors", 3, 1}, {"share", "percent of messages and errors", 0.1, 0.1}},
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "errors", Description: "messages refused"}, {Name: "reason", Description: "the most frequent reason", Volatile: true}, {Name: "reason_errors", Description: "how often that one"}, {Name: "messages", Description: "messages that were read"}},
		Body:     "Port {{port}}[[ ({{direction}})]] looks like HTTP, but {{errors message breaks|messages break}} its rules: {{reason}} {{reason_errors time|times}} ({{messages message was|messages were}} read).",
		Remedy:   Remedy{Summary: "Look at what the peer sends; where it is right and wiretell wrong, report it with the reason.", Command: "curl -sv --raw http://HOST:{{port}}/ -o /dev/null", URL: "https://www.rfc-editor.org/rfc/rfc9112"},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			errors := p.ParseErrors
			errors[capture.ReasonBadHello] = 0 // of TLS
			errors[capture.ReasonTLS] = 0      // TLS-05
			errors[capture.ReasonSwitchedProtocol] = less(errors[capture.ReasonSwitchedProtocol], p.did[leftTLS])
			n, messages := sum(errors[:]), p.requests()+p.responses()
			switch {
			case n+messages == 0:
				return nil, quiet
			case float64(n) < l.threshold(v, "errors") || 100*ratio(n, n+messages) < l.threshold(v, "share"):
				return nil, absent
			}
			top := capture.Reason(0)
			for r := range errors {
				if errors[r] > errors[top] {
					top = capture.Reason(r)
				}
			}
			return []Evidence{number("errors", n), text("reason", top.String()), number("reason_errors", errors[top]), number("messages", messages)}, holds
		}),
	}
}
