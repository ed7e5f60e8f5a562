package diagnosis

import (
	"slices"
	"strings"

	"github.com/wiretell/wiretell/capture"
)

// mesh is what is known of a mesh's proxy in this network namespace.
type mesh struct {
	name        string // "" when there is none
	ports       []uint16
	byUser      bool // the proxy's user listens on at least one of them
	passthrough bool
}

// mesh looks for a proxy among the listeners. One port may be anybody's: two are
// needed.
func (v *view) mesh() (found mesh) {
	if !v.Kernel.Has(capture.KnownSockets) {
		return mesh{}
	}
	for i := range capture.Meshes {
		m := mesh{name: capture.Meshes[i].Name}
		for j := range v.Kernel.Listeners {
			l := &v.Kernel.Listeners[j]
			if slices.Contains(capture.Meshes[i].Ports, l.Addr.Port) && !slices.Contains(v.Capture.OwnPorts, l.Addr.Port) {
				m.ports = append(m.ports, l.Addr.Port)
				m.byUser = m.byUser || l.UID == capture.Meshes[i].UID
			}
		}
		slices.Sort(m.ports)
		m.ports = slices.Compact(m.ports)
		if len(m.ports) >= 2 && len(m.ports) > len(found.ports) {
			found = m
		}
	}
	for _, p := range v.Kernel.Established {
		found.passthrough = found.passthrough || p.Local.Passthrough() || p.Remote.Passthrough()
	}
	return found
}

// applications is listening without the ports of a mesh's proxy.
func (v *view) applications(reachable bool) []uint16 {
	proxy := v.mesh().ports
	return slices.DeleteFunc(v.listening(reachable), func(p uint16) bool { return slices.Contains(proxy, p) })
}

// redirects reports whether a mesh's proxy gets redirected connections on port,
// which packets never carry.
func redirects(port uint16) bool {
	for i := range capture.Meshes {
		if slices.Contains(capture.Meshes[i].Inbound, port) || capture.Meshes[i].Outbound == port {
			return true
		}
	}
	return false
}

// meshed reports whether what was seen of the port's handshakes is the mutual
// TLS of a mesh: Istio offers protocols of its own, Linkerd names identities.
func (v *view) meshed(p *portView) bool {
	if s := p.seen; s != nil {
		own := func(alpn string) bool {
			return strings.HasPrefix(alpn, "istio") || strings.HasPrefix(alpn, "transport.l5d.io")
		}
		identity := func(name string) bool { return strings.Contains(name, ".identity.linkerd.") }
		if slices.ContainsFunc(s.alpn, own) || slices.ContainsFunc(s.names, identity) {
			return true
		}
	}
	return p.Port == 15008 && v.mesh().name == "istio" // HBONE
}

// plainOnLoopback reports whether requests in clear text were seen on loopback
// since the start.
func (v *view) plainOnLoopback() bool {
	return slices.ContainsFunc(v.ports, func(p portView) bool {
		return p.Role == capture.RoleBoth && sum(p.total.Requests[:])+sum(p.total.Responses[:]) > 0
	})
}

// meshTLSCheck makes the check for ports with mutual TLS of a mesh, whose plain
// text was or was not seen on loopback.
func meshTLSCheck(plain bool) func(*view, *Leaf, func(hit)) {
	return portCheck(func(v *view, l *Leaf, p *portView) ([]Evidence, verdict) {
		n := p.ClientHellos + p.Unparsed[capture.ReasonTLS].Packets
		switch {
		case p.Transport != capture.TCP || !v.meshed(p) || v.plainOnLoopback() != plain:
			return nil, absent
		case float64(n) >= l.threshold(v, "packets"):
			return tlsEvidence(p), holds
		}
		return nil, quiet
	})
}

func meshTLSLeaf() Leaf {
	return Leaf{
		ID: "TLS-06", Title: "Mutual TLS of a mesh", Class: Unparsed, Severity: Info, Confidence: Certain,
		Path:       []Step{{"Did packets arrive?", "yes"}, {"Could they be read?", "no: TLS"}, {"Whose is it?", "the mesh's, and loopback has the plain text"}},
		Condition:  "the protocols or names in ClientHellos are a mesh's own, and requests in clear text were seen on loopback",
		Meaning:    "The proxies of a mesh encrypt between pods. Between proxy and application the same requests pass over loopback in clear text: nothing is lost.",
		Guard:      "Told by ALPN and server names that only meshes use, not by ports.",
		Thresholds: tlsThresholds(), Raise: 1, Clear: 2, Live: true, File: true,
		Evidence: tlsKeys(),
		Body:     "Port {{port}}[[ ({{direction}})]] is mutual TLS of a mesh[[ ({{alpn}})]]; its requests are seen in clear text on loopback, nothing is lost.",
		Remedy:   Remedy{Summary: "Nothing to mend."},
		check:    meshTLSCheck(true),
	}
}

func meshLeaves() []Leaf {
	return []Leaf{meshPresentLeaf(), twinsLeaf(), hiddenDestinationLeaf(), proxySideLeaf(), proxyAnswersLeaf()}
}

func meshPresentLeaf() Leaf {
	return Leaf{
		ID: "MESH-01", Title: "A mesh's proxy is in the pod", Class: Mesh, Severity: Info, Confidence: Likely,
		Path:      []Step{{"Is there a proxy of a mesh?", "yes"}},
		Condition: "at least two of the ports of Istio's or Linkerd's proxy listen",
		Meaning:   "Connections of the application go through the proxy: they are seen twice, on the wire and on loopback, and between proxies usually encrypted.",
		Guard:     "Another program may use one of the ports: two are needed. With the proxy's own user (1337, 2102) it is certain.",
		Clear:     2, Live: true, Blind: true, Once: true,
		Evidence: []Key{{Name: "mesh", Description: "istio or linkerd"}, {Name: "ports", Description: "ports of the proxy that listen"}, {Name: "proxy_user", Description: "whether the proxy's user listens on them"}, {Name: "passthrough", Description: "whether the proxy calls the application from 127.0.0.6", Volatile: true}},
		Body:     "The proxy of {{mesh}} is in this pod (listening on {{ports}}).",
		Remedy:   Remedy{Summary: "Nothing to mend."},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			m := v.mesh()
			if m.name == "" {
				return
			}
			h := hit{evidence: []Evidence{text("mesh", m.name), text("ports", joinPorts(m.ports)), truth("proxy_user", m.byUser), truth("passthrough", m.passthrough)}}
			if m.byUser {
				h.sharper, h.severity, h.confidence = true, Info, Certain
			}
			emit(h)
		},
	}
}

func twinsLeaf() Leaf {
	return Leaf{
		ID: "MESH-02", Title: "Exchanges are seen on both sides of the proxy", Class: Mesh, Severity: Info, Confidence: Likely,
		Path:      []Step{{"Is there a proxy of a mesh?", "yes"}, {"Is the same exchange on the wire and on loopback?", "yes"}},
		Condition: "exchanges enclose others with the same method and target, as seen on the other side of a mesh's proxy",
		Meaning:   "The proxy hands each request on: it is seen between the proxy and other pods, and between the application and its proxy. Metrics of HTTP count the outer of the two, once; the span of the inner one links to the outer's.",
		Guard:     "Told by addresses that only redirection and proxies use, the same trace id where both have one, and nesting in time. Of several like requests at once it may not be known which belong together: they are counted once, and not linked.",
		Raise:     1, Clear: 20, Live: true, File: true, Once: true,
		Evidence: []Key{{Name: "linked", Description: "inner exchanges whose outer one is known"}, {Name: "ambiguous", Description: "inner exchanges that may belong to several outer ones"}, {Name: "evicted", Description: "exchanges that could not wait for their outer one, at a bound"}},
		Body:     "{{linked exchange|exchanges}} passed the mesh's proxy in sight of wiretell on both sides, and {{ambiguous}} more of which it is not known which belong together: each is counted once.",
		Remedy:   Remedy{Summary: "Nothing to mend. To have both sides in the metrics, do not pair them.", Command: "wiretell run --mesh-dedup off"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			now, then := v.Snapshot.Twins, v.base.Twins
			linked, ambiguous := less(now.Linked, then.Linked), less(now.Ambiguous, then.Ambiguous)
			if linked+ambiguous > 0 {
				emit(hit{evidence: []Evidence{number("linked", linked), number("ambiguous", ambiguous), number("evicted", less(now.Evicted, then.Evicted))}})
			}
		},
	}
}

func hiddenDestinationLeaf() Leaf {
	return Leaf{
		ID: "MESH-03", Title: "The mesh hides where calls go", Class: Mesh, Severity: Info, Confidence: Certain,
		Path:      []Step{{"Is there a proxy of a mesh?", "yes"}, {"Do calls of the application go through it?", "yes, redirected on loopback"}},
		Condition: "a mesh's proxy is there, and packets with payload pass over loopback to the port that calls are redirected to",
		Meaning:   "On loopback the destination of every call is the proxy. Where it was meant to go is where its answers come from, as the redirection is undone for them, and stands in the Host header.",
		Guard:     "Needs the proxy's listeners, so that another program on that port is not taken for it.",
		Raise:     1, Clear: 20, Live: true, Once: true,
		Evidence: []Key{{Name: "mesh", Description: "istio or linkerd"}, {Name: "packets", Description: "packets with payload to and from the proxy"}, {Name: "destinations", Description: "where connections were meant to go whose opening was captured, since the start", Volatile: true}},
		Body:     "Calls of the application pass the proxy of {{mesh}} on port {{port}}[[, on their way to {{destinations}}]].",
		Remedy:   Remedy{Summary: "Nothing to mend."},
		check: func(v *view, l *Leaf, emit func(hit)) {
			m := v.mesh()
			for i := range capture.Meshes {
				if m.name != capture.Meshes[i].Name {
					continue
				}
				for j := range v.ports {
					if p := &v.ports[j]; p.Port == capture.Meshes[i].Outbound && p.Role == capture.RoleBoth && p.payload() > 0 {
						ev := []Evidence{text("mesh", m.name), number("packets", p.payload())}
						if s := p.seen; s != nil && len(s.called) > 0 {
							ev = append(ev, text("destinations", list(s.called, s.moreNames)))
						}
						emit(hit{subject: p.subject(), evidence: ev})
					}
				}
			}
		},
	}
}

func proxySideLeaf() Leaf {
	return Leaf{
		ID: "MESH-04", Title: "Only the mesh's side is seen", Class: Mesh, Severity: Warning, Confidence: Possible,
		Path:       []Step{{"Is there a proxy of a mesh?", "yes"}, {"Is the plain text on loopback?", "no"}},
		Condition:  "mutual TLS of a mesh is on the wire, and no request in clear text was seen on loopback since the start",
		Meaning:    "Proxy and application exchange their bytes where no packet is seen: over a socket map of eBPF, or the proxy is not in this pod (ambient mode).",
		Guard:      "Applications that only speak other protocols than HTTP look alike: only possible.",
		Thresholds: tlsThresholds(), Raise: 2, Clear: 2, Live: true, File: true,
		Evidence: tlsKeys(),
		Body:     "Port {{port}}[[ ({{direction}})]] is mutual TLS of a mesh[[ ({{alpn}})]], and its requests are not seen in clear text on loopback.",
		Remedy:   Remedy{Summary: "In ambient mode capture at the waypoint or in the namespace of the node's proxy; where a socket map is used see DIR-08.", Command: "wiretell explain DIR-08; kubectl get pod POD -o jsonpath='{.spec.containers[*].name}'"},
		check:    meshTLSCheck(false),
	}
}

func proxyAnswersLeaf() Leaf {
	return Leaf{
		ID: "MESH-05", Title: "The proxy answers in the application's place", Class: Mesh, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Is there a proxy of a mesh?", "yes"}, {"Do responses of 503 come from the application?", "no"}},
		Condition:  "a mesh's proxy is there, and more inbound requests are answered by 503 on the wire than on loopback",
		Meaning:    "The proxy itself answers 503 when it cannot reach the application or has no route: the application never saw those requests.",
		Guard:      "Each 503 of the application is seen on loopback, too, and is set off against those on the wire. Only where loopback is captured.",
		Thresholds: []Threshold{{"responses", "responses of 503 without their like on loopback", 3, 1}},
		Raise:      1, Clear: 2, Live: true,
		Evidence: []Key{{Name: "wire", Description: "inbound responses of 503 on the wire"}, {Name: "loopback", Description: "responses of 503 on loopback"}, {Name: "mesh", Description: "istio or linkerd"}},
		Body:     "The proxy of {{mesh}}, not the application, answered 503: {{wire response|responses}} on the wire, {{loopback}} on loopback.",
		Remedy:   Remedy{Summary: "See what the proxy knows of the application: its listeners, clusters and endpoints.", Command: "istioctl proxy-config endpoints POD; kubectl logs POD -c istio-proxy --since=10m"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			m := v.mesh()
			if m.name == "" || !v.captures("lo") {
				return
			}
			var wire, loopback uint64
			for i := range v.ports {
				switch p := &v.ports[i]; {
				case p.Role == capture.RoleServer:
					wire += p.did[unavailable]
				case p.Role == capture.RoleBoth && !redirects(p.Port):
					loopback += p.did[unavailable]
				}
			}
			if float64(less(wire, loopback)) >= l.threshold(v, "responses") {
				emit(hit{evidence: []Evidence{number("wire", wire), number("loopback", loopback), text("mesh", m.name)}})
			}
		},
	}
}
