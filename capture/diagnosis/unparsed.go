package diagnosis

import (
	"fmt"

	"github.com/wiretell/wiretell/capture"
)

func unparsedLeaves() []Leaf {
	return []Leaf{tlsInboundLeaf(), tlsOutboundLeaf(), tlsMidstreamLeaf(), quicLeaf(), http2Leaf(), upgradedLeaf(), unknownProtocolLeaf(), joinedMidwayLeaf(), parseErrorLeaf(), unreadableFramesLeaf(), fragmentsLeaf(), noMessageLeaf()}
}

// tlsVersion names a protocol version (RFC 8446, section 4.2.1).
func tlsVersion(v uint16) string {
	switch v {
	case 0x0301, 0x0302, 0x0303, 0x0304:
		return fmt.Sprintf("1.%d", v-0x0301)
	case 0:
		return ""
	}
	return fmt.Sprintf("0x%04x", v)
}

func tlsEvidence(p *portView) []Evidence {
	u := p.Unparsed[capture.ReasonTLS]
	ev := []Evidence{number("client_hellos", p.ClientHellos), number("server_hellos", p.ServerHellos),
		number("encrypted_packets", u.Packets), number("encrypted_bytes", u.Bytes)}
	if s := p.seen; s != nil {
		ev = append(ev, text("server_names", list(s.names, s.moreNames)), text("alpn", list(s.alpn, 0)), text("version", tlsVersion(s.version)), number("encrypted_hellos", s.ech))
	}
	return ev
}

func tlsKeys() []Key {
	return []Key{{Name: "client_hellos", Description: "handshakes begun"}, {Name: "server_hellos", Description: "handshakes answered"},
		{Name: "encrypted_packets", Description: "packets with TLS records"}, {Name: "encrypted_bytes", Description: "bytes in them"},
		{Name: "server_names", Description: "names asked for (SNI), at most 8"}, {Name: "alpn", Description: "protocols offered"},
		{Name: "version", Description: "TLS version chosen, or the highest offered", Volatile: true}, {Name: "encrypted_hellos", Description: "hellos that hide the name (ECH)"}}
}

// tlsCheck makes the check for ports on which handshakes were seen.
func tlsCheck(inbound bool) func(*view, *Leaf, func(hit)) {
	return func(v *view, l *Leaf, emit func(hit)) {
		for i := range v.ports {
			p := &v.ports[i]
			if p.Transport != capture.TCP || p.inbound() != inbound || p.total.ClientHellos == 0 {
				continue
			}
			n := p.ClientHellos + p.Unparsed[capture.ReasonTLS].Packets
			switch {
			case float64(n) >= l.threshold(v, "packets"):
				emit(hit{subject: p.subject(), evidence: tlsEvidence(p)})
			case p.payload() == 0:
				emit(hit{subject: p.subject(), quiet: true})
			}
		}
	}
}

func tlsThresholds() []Threshold {
	return []Threshold{{"packets", "hellos or encrypted packets", 1, 1}}
}

func tlsInboundLeaf() Leaf {
	return Leaf{
		ID: "TLS-01", Title: "A port is encrypted", Class: Unparsed, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: TLS"}, {"Who listens?", "this pod"}},
		Condition:  "a ClientHello was sent to a port of this pod (or, in a file, to any)",
		Meaning:    "The port speaks TLS. What is inside cannot be read from the wire, so its requests cannot become spans; connections, times and bytes are still measured.",
		Guard:      "Evaluated by port: plain health checks on another port do not hide it. One handshake is proof enough.",
		Thresholds: tlsThresholds(),
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: tlsKeys(),
		Body:     "Port {{port}}[[ ({{direction}})]] is TLS[[ {{version}}]][[ for {{server_names}}]][[ ({{alpn}})]]: encrypted, cannot become spans ({{encrypted_packets packet|packets}}).",
		Remedy: Remedy{Summary: "Capture behind the point where TLS ends: end it at the ingress, a sidecar proxy or mesh and watch loopback, or run an eBPF agent beside wiretell.",
			Command: "openssl s_client -connect localhost:{{port}} -brief </dev/null", URL: "https://opentelemetry.io/docs/zero-code/obi/"},
		check: tlsCheck(true),
	}
}

func tlsOutboundLeaf() Leaf {
	return Leaf{
		ID: "TLS-02", Title: "Calls out are encrypted", Class: Unparsed, Severity: Info, Confidence: Certain,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: TLS"}, {"Who listens?", "the peer"}},
		Condition:  "a ClientHello was sent by this pod",
		Meaning:    "The pod calls others over HTTPS. Only connection metrics can be had from the wire.",
		Guard:      "None known.",
		Thresholds: tlsThresholds(),
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: tlsKeys(),
		Body:     "Calls[[ to {{server_names}}]] on port {{port}} are TLS[[ {{version}}]][[ ({{alpn}})]]: only connection metrics ({{encrypted_packets packet|packets}}).",
		Remedy:   Remedy{Summary: "Instrument the client by an SDK, or let it call through an egress proxy that is in plain reach of wiretell.", URL: "https://opentelemetry.io/docs/languages/"},
		check:    tlsCheck(false),
	}
}

func tlsMidstreamLeaf() Leaf {
	return Leaf{
		ID: "TLS-03", Title: "TLS, joined after the handshake", Class: Unparsed, Severity: Info, Confidence: Likely,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: TLS"}, {"Was the handshake seen?", "no"}},
		Condition:  "chains of TLS records on a port on which no hello was seen",
		Meaning:    "The connections are older than the capture, so that the server's name is not known.",
		Guard:      "Random data: a single record is not enough, the recogniser needs a chain.",
		Thresholds: []Threshold{{"packets", "packets with TLS records", 3, 1}},
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: tlsKeys()[2:4],
		Body:     "Port {{port}}[[ ({{direction}})]] is TLS, joined after the handshake, server unknown ({{encrypted_packets packet|packets}}).",
		Remedy:   lateStartLeaf().Remedy,
		check: func(v *view, l *Leaf, emit func(hit)) {
			for i := range v.ports {
				p := &v.ports[i]
				if p.Transport != capture.TCP || p.total.ClientHellos+p.total.ServerHellos > 0 {
					continue
				}
				switch u := p.Unparsed[capture.ReasonTLS]; {
				case float64(u.Packets) >= l.threshold(v, "packets"):
					emit(hit{subject: p.subject(), evidence: tlsEvidence(p)[2:4]})
				case p.payload() == 0:
					emit(hit{subject: p.subject(), quiet: true})
				}
			}
		},
	}
}

// reasonCheck makes the check for ports with packets that could not be read for
// one reason, and with at least share percent of the port's payload packets.
func reasonCheck(t capture.Transport, why capture.Reason) func(*view, *Leaf, func(hit)) {
	return func(v *view, l *Leaf, emit func(hit)) {
		for i := range v.ports {
			p := &v.ports[i]
			if p.Transport != t {
				continue
			}
			u := p.Unparsed[why]
			switch {
			case p.payload() == 0:
				emit(hit{subject: p.subject(), quiet: true})
			case float64(u.Packets) >= l.threshold(v, "packets") && 100*ratio(u.Packets, p.payload()) >= l.threshold(v, "share"):
				emit(hit{subject: p.subject(), evidence: []Evidence{number("packets", u.Packets), number("bytes", u.Bytes), percent("share", u.Packets, p.payload())}})
			}
		}
	}
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
		Body:     "HTTP/3 (QUIC) on UDP port {{port}}[[ ({{direction}})]] is not read ({{packets packet|packets}}).",
		Remedy:   Remedy{Summary: "For debugging let the server not offer HTTP/3 (no Alt-Svc header), so that clients use TCP.", Command: "curl -sI https://HOST | grep -i alt-svc"},
		check:    reasonCheck(capture.UDP, capture.ReasonQUIC),
	}
}

func http2Leaf() Leaf {
	return Leaf{
		ID: "H2-01", Title: "HTTP/2 in clear text is not followed", Class: Unparsed, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: HTTP/2"}},
		Condition:  "connections that begin with the HTTP/2 preface (RFC 9113, section 3.4)",
		Meaning:    "The port speaks HTTP/2 in clear text (as gRPC does), which this build does not follow.",
		Guard:      "None: the preface is unmistakable.",
		Thresholds: reasonThresholds(1, 0), Raise: 1, Clear: 2, Live: true, File: true,
		Evidence: reasonKeys(),
		Body:     "Port {{port}}[[ ({{direction}})]] speaks HTTP/2 in clear text, which this build does not follow ({{packets packet|packets}}).",
		Remedy:   Remedy{Summary: "Use a build with the HTTP/2 parser, or let clients use HTTP/1.1 for debugging.", Command: "wiretell version; curl --http1.1 http://HOST:{{port}}/"},
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

func unknownProtocolLeaf() Leaf {
	return Leaf{
		ID: "PROTO-03", Title: "An unknown protocol", Class: Unparsed, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: no parser knows the bytes"}},
		Condition:  "most TCP packets with payload on a port belong to no protocol that wiretell knows",
		Meaning:    "The port speaks something else than HTTP or TLS, or wiretell joined in the middle of a message.",
		Guard:      "Compressed or encrypted data joined midway looks unknown as well. UDP is never counted here.",
		Thresholds: reasonThresholds(5, 50), Raise: 1, Clear: 2, Live: true, File: true,
		Evidence: reasonKeys(),
		Body:     "Port {{port}}[[ ({{direction}})]] speaks a protocol that is not known ({{packets packet|packets}}, {{share}} %).",
		Remedy:   Remedy{Summary: "If that port is not HTTP, leave it out; if it is, restart the client so that a connection is seen from its start, and report a sample.", Command: "wiretell run --filter 'not port {{port}}'"},
		check:    reasonCheck(capture.TCP, capture.ReasonUnknownProtocol),
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
		Remedy:   Remedy{Summary: "Start wiretell before the application, or restart the clients.", Command: "kubectl rollout restart deployment CLIENT", Manifest: nativeSidecarManifest},
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
		Evidence: []Key{{Name: "frames", Description: "frames that could not be decoded"}, {Name: "share", Description: "percent of all"}, {Name: "link", Description: "of them with a link type that is not read"}, {Name: "cut", Description: "of them cut within the headers"}, {Name: "malformed", Description: "of them malformed or nested too deep"}},
		Body:     "{{frames frame|frames}} ({{share}} %) cannot be decoded: {{link}} of a link type that is not read, {{cut}} cut within the headers, {{malformed}} malformed.",
		Remedy:   Remedy{Summary: "Capture on an Ethernet, loopback, raw IP or \"any\" interface, with whole frames.", Command: "capinfos -E FILE; tcpdump -i any -s 262144 -w FILE"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			link, cut := v.ledger[capture.FrameUnsupportedLink], v.ledger[capture.FrameTruncated]
			malformed := v.ledger.Sum([]capture.Entry{capture.FrameMalformedLink, capture.FrameMalformedIP, capture.FrameMalformedTCP,
				capture.FrameMalformedUDP, capture.FrameMalformedICMP, capture.FrameNestedTooDeep})
			n := link + cut + malformed
			if float64(n) >= l.threshold(v, "frames") && 100*ratio(n, v.frames()) >= l.threshold(v, "share") {
				emit(hit{evidence: []Evidence{number("frames", n), percent("share", n, v.frames()), number("link", link), number("cut", cut), number("malformed", malformed)}})
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
			n := expired + invalid + evicted
			if float64(n) >= l.threshold(v, "fragments") && 100*ratio(n, v.frames()) >= l.threshold(v, "share") {
				emit(hit{evidence: []Evidence{number("fragments", n), percent("share", n, v.frames()), number("expired", expired), number("invalid", invalid), number("evicted", evicted), number("reassembled", v.ledger[capture.FragmentsReassembled])}})
			}
		},
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
		Evidence: []Key{{Name: "bytes", Description: "bytes of TCP payload"}, {Name: "undetected", Description: "of them, too few to tell the protocol"}, {Name: "unknown", Description: "of them, of no known protocol"},
			{Name: "no_connection", Description: "of them, of no connection that is followed"}, {Name: "out_of_range", Description: "of them, outside any plausible window"}, {Name: "bad_checksum", Description: "of them, in segments with a wrong checksum"}, {Name: "gap_bytes", Description: "bytes never seen beside them"}},
		Body:   "{{bytes byte|bytes}} of TCP payload became no message: {{undetected}} too few to tell the protocol, {{unknown}} of no known protocol, {{no_connection}} of no connection, {{out_of_range}} out of range, {{bad_checksum}} with a wrong checksum ({{gap_bytes more was|more were}} never seen).",
		Remedy: Remedy{Summary: "Capture for longer and from the beginning of a connection.", Command: "wiretell read FILE   # prints the ledger with every byte"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			l := &v.Snapshot.Ledger
			if v.explained || l[capture.BytesSeen] == 0 || l[capture.RequestsSeen]+l[capture.ResponsesSeen] > 0 {
				return
			}
			emit(hit{evidence: []Evidence{number("bytes", l[capture.BytesSeen]), number("undetected", l[capture.DeliveredUndetected]+l[capture.DeliveredDesync]), number("unknown", l[capture.DeliveredUnknown]),
				number("no_connection", l[capture.BytesNoState]), number("out_of_range", l[capture.BytesOutOfRange]), number("bad_checksum", l[capture.BytesBadChecksum]), number("gap_bytes", l[capture.GapBytes])}})
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
		Body:     "Port {{port}}[[ ({{direction}})]] looks like HTTP, but {{errors message breaks|messages break}} its rules, most often {{reason}} ({{reason_errors time|times}}; {{messages was|were}} read).",
		Remedy:   Remedy{Summary: "Look at what the peer sends; where it is right and wiretell wrong, report it with the reason.", Command: "curl -sv --raw http://HOST:{{port}}/ -o /dev/null", URL: "https://www.rfc-editor.org/rfc/rfc9112"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			for i := range v.ports {
				p := &v.ports[i]
				errors, messages := sum(p.ParseErrors[:]), p.requests()+p.responses()
				if errors+messages == 0 {
					emit(hit{subject: p.subject(), quiet: true})
					continue
				}
				if float64(errors) < l.threshold(v, "errors") || 100*ratio(errors, errors+messages) < l.threshold(v, "share") {
					continue
				}
				top := capture.Reason(0)
				for r := range p.ParseErrors {
					if p.ParseErrors[r] > p.ParseErrors[top] {
						top = capture.Reason(r)
					}
				}
				emit(hit{subject: p.subject(), evidence: []Evidence{number("errors", errors), text("reason", top.String()), number("reason_errors", p.ParseErrors[top]), number("messages", messages)}})
			}
		},
	}
}
