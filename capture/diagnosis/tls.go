package diagnosis

import "github.com/wiretell/wiretell/capture"

func tlsLeaves() []Leaf {
	return []Leaf{tlsInboundLeaf(), tlsOutboundLeaf(), tlsMidstreamLeaf(), handshakeFailsLeaf(), wrongSchemeLeaf(), meshTLSLeaf(), namelessLeaf()}
}

func tlsEvidence(p *portView) []Evidence {
	u := p.Unparsed[capture.ReasonTLS]
	ev := []Evidence{number("client_hellos", p.ClientHellos), number("server_hellos", p.ServerHellos),
		number("encrypted_packets", u.Packets), number("encrypted_bytes", u.Bytes)}
	if s := p.seen; s != nil {
		ev = append(ev, text("server_names", list(s.names, s.moreNames)), text("alpn", list(s.alpn, 0)), text("version", capture.TLSVersion(s.version)), number("encrypted_hellos", s.ech))
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
	return portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
		if p.Transport != capture.TCP || p.inbound() != inbound || p.total.ClientHellos == 0 || v.meshed(p) {
			return nil, absent
		}
		if p.did[plainAnswer] > 0 && p.total.ServerHellos == 0 {
			return nil, absent // the port is in the clear: TLS-05
		}
		switch n := p.ClientHellos + p.Unparsed[capture.ReasonTLS].Packets; {
		case float64(n) >= l.threshold(v, "packets"):
			return tlsEvidence(p), holds
		case p.payload() == 0:
			return nil, quiet
		}
		return nil, absent
	})
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
		Guard:      "Evaluated by port: plain health checks on another port do not hide it. One handshake is proof enough, unless what answers is in the clear, which is TLS-05.",
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
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			if p.Transport != capture.TCP || p.total.ClientHellos+p.total.ServerHellos+p.total.ParseErrors[capture.ReasonTLS] > 0 || v.meshed(p) ||
				p.seen != nil && p.seen.total[tlsAlert] > 0 { // an alert in the clear is of a handshake: TLS-04
				return nil, absent
			}
			switch u := p.Unparsed[capture.ReasonTLS]; {
			case float64(u.Packets) >= l.threshold(v, "packets"):
				return tlsEvidence(p)[2:4], holds
			case p.payload() == 0:
				return nil, quiet
			}
			return nil, absent
		}),
	}
}

func handshakeFailsLeaf() Leaf {
	return Leaf{
		ID: "TLS-04", Title: "TLS handshakes fail", Class: Unparsed, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: TLS"}, {"Do handshakes succeed?", "no"}},
		Condition:  "fatal alerts in the clear, or ClientHellos of which not one was answered by a ServerHello",
		Meaning:    "Client and server cannot agree: an unknown certificate authority, a certificate that has expired or is for another name, no common version, or a server that ends the connection at once.",
		Guard:      "A single alert may be a client that was closed. Alerts of TLS 1.3 are encrypted after the hellos and cannot be read. A hello counts as not answered when its connection has ended or the capture ended 5 s later, and no byte of the server's is missing.",
		Thresholds: []Threshold{{"handshakes", "handshakes that failed", 3, 1}},
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "alerts", Description: "fatal alerts in the clear"}, {Name: "alert", Description: "number of the last one"}, {Name: "alert_name", Description: "its name (RFC 8446, section 6)"}, {Name: "from", Description: "who sent it"},
			{Name: "client_hellos", Description: "handshakes begun"}, {Name: "server_hellos", Description: "handshakes answered"}, {Name: "server_names", Description: "names asked for (SNI), at most 8"}},
		Body:   "TLS handshakes on port {{port}}[[ ({{direction}})]][[ for {{server_names}}]] fail: {{alerts fatal alert|fatal alerts}}[[, the last {{alert}} {{alert_name}} from the {{from}}]][[; {{server_hellos}} of {{client_hellos hello was|hellos were}} answered]].",
		Remedy: Remedy{Summary: "See what the alert says: the certificate and its chain, the names in it, the versions and ciphers of both sides.", Command: "openssl s_client -connect HOST:{{port}} -servername NAME -brief </dev/null", URL: "https://www.rfc-editor.org/rfc/rfc8446#section-6.2"},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			alerts := p.did[tlsAlert]
			failed := alerts
			if p.ServerHellos == 0 && p.did[plainAnswer] == 0 { // an answer in the clear is TLS-05
				failed = max(failed, p.HellosUnanswered)
			}
			if float64(failed) < l.threshold(v, "handshakes") {
				if p.ClientHellos+p.payload() == 0 {
					return nil, quiet
				}
				return nil, absent
			}
			ev := []Evidence{number("alerts", alerts), number("server_hellos", p.ServerHellos)}
			if p.ClientHellos > 0 {
				ev = append(ev, number("client_hellos", p.ClientHellos))
			}
			if s := p.seen; s != nil {
				ev = append(ev, text("server_names", list(s.names, s.moreNames)))
				if alerts > 0 {
					ev = append(ev, number("alert", uint64(s.alert)), text("alert_name", capture.Alert(s.alert).String()), text("from", s.alertFrom.String()))
				}
			}
			return ev, holds
		}),
	}
}

func wrongSchemeLeaf() Leaf {
	return Leaf{
		ID: "TLS-05", Title: "HTTP is spoken to a TLS port, or TLS to an HTTP port", Class: Unparsed, Severity: Warning, Confidence: Certain,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Do both sides speak the same?", "no: one HTTP, the other TLS"}},
		Condition:  "plain requests were answered by TLS, or by 400 on a port that speaks TLS; or ClientHellos were answered in the clear",
		Meaning:    "The client uses the wrong scheme for the port: a probe or a Service without scheme HTTPS, or https:// for a port in clear text.",
		Guard:      "A 400 alone proves nothing: it only counts on a port on which TLS handshakes were answered.",
		Thresholds: []Threshold{{"messages", "messages in the wrong scheme", 2, 1}},
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "plain_requests", Description: "plain requests answered by TLS"}, {Name: "bad_requests", Description: "plain requests answered by 400 on a port that speaks TLS"}, {Name: "hellos", Description: "ClientHellos answered in the clear"}},
		Body:     "Clients speak the wrong scheme to port {{port}}[[ ({{direction}})]]: {{plain_requests plain request was|plain requests were}} answered by TLS, {{bad_requests}} by 400; {{hellos TLS hello was|TLS hellos were}} answered in the clear.",
		Remedy: Remedy{Summary: "Let the client use the scheme that the port speaks; for a probe say so in the pod.", Command: "curl -vk https://HOST:{{port}}/ -o /dev/null; curl -v http://HOST:{{port}}/ -o /dev/null",
			Manifest: "readinessProbe:\n  httpGet:\n    port: {{port}}\n    scheme: HTTPS\n"},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			// A side may also leave TLS behind its hello.
			plain, hellos, bad := p.ParseErrors[capture.ReasonTLS], min(p.did[plainAnswer], less(p.ClientHellos, p.ServerHellos)), uint64(0)
			if p.total.ServerHellos > 0 {
				bad = p.did[badRequest]
			}
			switch {
			case float64(plain+hellos+bad) >= l.threshold(v, "messages"):
				return []Evidence{number("plain_requests", plain), number("bad_requests", bad), number("hellos", hellos)}, holds
			case p.payload() == 0:
				return nil, quiet
			}
			return nil, absent
		}),
	}
}

func namelessLeaf() Leaf {
	return Leaf{
		ID: "TLS-07", Title: "TLS without a server's name", Class: Unparsed, Severity: Info, Confidence: Likely,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: TLS"}, {"Does the hello name the server?", "no, or encrypted"}},
		Condition:  "ClientHellos without a server name, or with an encrypted ClientHello (ECH)",
		Meaning:    "Which server is meant cannot be read: peers are known by their addresses only, or by the name of the front that hides it.",
		Guard:      "For information. Browsers offer a meaningless ECH at times, so that servers do not learn to refuse it; it cannot be told from a real one.",
		Thresholds: []Threshold{{"hellos", "hellos", 1, 1}},
		Raise:      1, Clear: 2, Live: true, File: true,
		Evidence: []Key{{Name: "hellos", Description: "ClientHellos without a name, or with ECH"}, {Name: "encrypted_hellos", Description: "with ECH, since the start"}},
		Body:     "{{hellos TLS hello|TLS hellos}} on port {{port}}[[ ({{direction}})]] {{hellos: tells|tell}} no server's name ({{encrypted_hellos}} encrypted): peers are known by address only.",
		Remedy:   Remedy{Summary: "Nothing to mend; clients that call by address send no name."},
		check: portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
			switch n := p.did[namelessHello]; {
			case float64(n) >= l.threshold(v, "hellos"):
				return []Evidence{number("hellos", n), number("encrypted_hellos", p.seen.ech)}, holds
			case p.ClientHellos == 0 && p.total.ClientHellos > 0:
				return nil, quiet // connections that go on
			}
			return nil, absent
		}),
	}
}
