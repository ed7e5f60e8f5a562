package diagnosis

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/wiretell/wiretell/capture"
)

const nativeSidecarManifest = `initContainers:
- name: wiretell
  restartPolicy: Always
`

func environmentLeaves() []Leaf {
	return []Leaf{interfaceMissingLeaf(), interfaceDownLeaf(), onlyLoopbackLeaf(), wrongNamespaceLeaf(), hostNamespaceLeaf(), lateStartLeaf(), filterRefusedLeaf()}
}

func interfaceMissingLeaf() Leaf {
	return Leaf{
		ID: "ENV-01", Title: "An interface that was asked for does not exist", Class: Permission, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Are the interfaces there?", "no"}},
		Condition: "a configured interface is not in this network namespace, and was not when the capture began",
		Meaning:   "wiretell was told to capture on an interface that is not there. It goes on watching in case it appears.",
		Guard:     "An interface may appear later: wiretell keeps watching, and the finding clears. One that goes away is ENV-02.",
		Clear:     1, Live: true, Blind: true,
		Evidence: []Key{{Name: "present", Description: "interfaces that exist"}},
		Body:     "Interface {{interface}} does not exist here[[; present: {{present}}]].",
		Remedy:   Remedy{Summary: "Leave --interface out to capture on all interfaces, or name one that exists.", Command: "ip -brief link; wiretell run"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			missing := v.Capture.Missing
			var present []string
			if v.Kernel.Has(capture.KnownLinks) { // what was missing at the start may have come since
				missing = v.Capture.Interfaces
				for i := range v.Kernel.Interfaces {
					present = append(present, v.Kernel.Interfaces[i].Name)
				}
			}
			slices.Sort(present)
			for _, name := range missing {
				if slices.Contains(present, name) || v.first.Has(capture.KnownLinks) && v.first.Interface(name) != nil {
					continue
				}
				emit(hit{subject: Subject{Interface: name}, evidence: []Evidence{text("present", strings.Join(present, ", "))}})
			}
		},
	}
}

func onlyLoopbackLeaf() Leaf {
	return Leaf{
		ID: "ENV-03", Title: "Only the loopback interface", Class: Permission, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Are we where the traffic is?", "no: only lo"}},
		Condition: "no interface but loopback is up, and no TCP payload was captured over it; or there was another interface earlier in this run",
		Meaning:   "This network namespace has no way out. Either wiretell is not in the application's namespace, or the namespace is one that its application has left: a container that was restarted gets a new one.",
		Guard:     "At an early start the interface may still be missing, so the leaf waits for a window. An application that talks over loopback alone is where wiretell is: its payload keeps the leaf silent.",
		Raise:     1, Clear: 1, Live: true, Blind: true,
		Evidence: []Key{{Name: "lost", Description: "whether there was another interface earlier in this run"}, {Name: "down", Description: "interfaces that exist and are down"}},
		Body:     "This network namespace has only lo up[[{{lost?}}; the interface that was up earlier in this run is gone]][[; down: {{down}}]].",
		Remedy: Remedy{
			Summary:  "Put wiretell into the application's pod or network namespace; if the application was restarted, restart wiretell so that it joins the new one.",
			Command:  "docker run --network container:APP --cap-drop ALL --cap-add NET_RAW IMAGE run",
			Manifest: "spec:\n  template:\n    spec:\n      containers:\n      - name: APP\n      - name: wiretell   # in the same pod\n",
		},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if !v.Kernel.Has(capture.KnownLinks) {
				return
			}
			if up, _ := outside(v.Kernel); up {
				return
			}
			_, down := outside(v.Kernel)
			lost := false
			if v.first.Has(capture.KnownLinks) {
				lost, _ = outside(v.first)
			}
			if !lost && v.Snapshot != nil && v.Snapshot.Ledger[capture.BytesSeen] > 0 {
				return
			}
			h := hit{evidence: []Evidence{truth("lost", lost), text("down", strings.Join(down, ", "))}}
			if lost {
				h.sharper, h.severity, h.confidence = true, Error, Certain
			}
			emit(h)
		},
	}
}

// outside reports whether an interface beside loopback is up, and names those
// that are down.
func outside(k *capture.Kernel) (up bool, down []string) {
	for i := range k.Interfaces {
		switch d := &k.Interfaces[i]; {
		case d.Loopback:
		case d.Up:
			up = true
		default:
			down = append(down, d.Name)
		}
	}
	slices.Sort(down)
	return up, down
}

func lateStartLeaf() Leaf {
	return Leaf{
		ID: "ENV-06", Title: "Connections are older than the capture", Class: Permission, Severity: Info, Confidence: Certain,
		Path:      []Step{{"Were we there from the start?", "no"}},
		Condition: "the kernel listed established connections when the capture began, and at least one of them is still there",
		Meaning:   "wiretell started after the application. HTTP/1 is picked up at the next message; HTTP/2 header tables and TLS handshakes of those connections were missed and cannot be had later.",
		Guard:     "For information only. It clears when the last of those connections has ended.",
		Clear:     1, Live: true, Blind: true,
		Evidence: []Key{{Name: "connections", Description: "established when the capture began"}, {Name: "remaining", Description: "of those, still there (of the first 256)"},
			{Name: "list", Description: "those that are still there, local and remote end, at most 8", Volatile: true}},
		Body: "{{connections connection|connections}} existed before the capture, {{remaining of them still does|of them still do}}; HTTP/2 and TLS on them cannot be followed: {{list}}.",
		Remedy: Remedy{Summary: "Start wiretell before the application: as a native sidecar (Kubernetes 1.29 and later), or restart the clients.",
			Manifest: nativeSidecarManifest, URL: "https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			was := v.Capture.Before
			if !was.Has(capture.KnownSockets) || !v.Kernel.Has(capture.KnownSockets) {
				return
			}
			n := int(was.Sockets[capture.SocketEstablished])
			var remaining []capture.SocketPair
			for i, p := range was.Established {
				// A connection within the namespace has both its sockets here.
				if v.own(p) || slices.Contains(was.Established[:i], capture.SocketPair{Local: p.Remote, Remote: p.Local}) {
					n--
				} else if slices.Contains(v.Kernel.Established, p) {
					remaining = append(remaining, p)
				}
			}
			if n <= 0 || len(remaining) == 0 {
				return
			}
			pairs := make([]string, len(remaining))
			for i, p := range remaining {
				pairs[i] = p.Local.String() + " - " + p.Remote.String()
			}
			slices.Sort(pairs)
			emit(hit{evidence: []Evidence{number("connections", uint64(n)), number("remaining", uint64(len(remaining))), text("list", list(pairs, 0))}})
		},
	}
}

// own reports whether p is one of wiretell's own sockets.
func (v *view) own(p capture.SocketPair) bool {
	return v.Capture.Own != nil && v.Capture.Own.Has(&capture.Packet{Transport: capture.TCP, Direction: capture.Transmit, Flow: capture.Flow{Src: p.Local, Dst: p.Remote}})
}

func interfaceDownLeaf() Leaf {
	return Leaf{
		ID: "ENV-02", Title: "An interface went down", Class: Permission, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Are the interfaces there?", "not any more"}},
		Condition: "a captured interface that was up when the capture began is down or gone, while another is still up",
		Meaning:   "Nothing comes in over that interface any more. wiretell goes on with the others, and with this one when it comes back.",
		Guard:     "A pod network that rebuilds its interfaces takes them down for a moment: the leaf waits for a window. Ends of other pods come and go on a node: without --interface only interfaces with an address of their own count.",
		Raise:     1, Clear: 1, Live: true, Blind: true,
		Evidence: []Key{{Name: "state", Description: "down, or gone"}, {Name: "up", Description: "interfaces beside loopback that are up"}},
		Body:     "Interface {{interface}}, which was up when the capture began, is {{state}}; still up: {{up}}.",
		Remedy:   Remedy{Summary: "Look at what took it down; the pod network may be rebuilding it.", Command: "ip -brief link show; ip -brief address show"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if !v.first.Has(capture.KnownLinks) || !v.Kernel.Has(capture.KnownLinks) {
				return
			}
			var up []string
			for i := range v.Kernel.Interfaces {
				if d := &v.Kernel.Interfaces[i]; d.Up && !d.Loopback {
					up = append(up, d.Name)
				}
			}
			if len(up) == 0 {
				return // ENV-03 says more
			}
			for i := range v.first.Interfaces {
				was := &v.first.Interfaces[i]
				if !was.Up || was.Loopback || !v.captures(was.Name) || len(v.Capture.Interfaces) == 0 && !addressed(was) {
					continue
				}
				state := "gone"
				if now := v.Kernel.Interface(was.Name); now != nil {
					if now.Up {
						continue
					}
					state = "down"
				}
				emit(hit{subject: Subject{Interface: was.Name}, evidence: []Evidence{text("state", state), text("up", sortedList(slices.Clone(up)))}})
			}
		},
	}
}

// addressed reports whether d has an address beyond the link.
func addressed(d *capture.KernelInterface) bool {
	return slices.ContainsFunc(d.Addrs, func(p netip.Prefix) bool { return !p.Addr().IsLinkLocalUnicast() })
}

func wrongNamespaceLeaf() Leaf {
	return Leaf{
		ID: "ENV-04", Title: "wiretell is alone in its network namespace", Class: Permission, Severity: Warning, Confidence: Likely,
		Path:      []Step{{"Are we where the application is?", "no: nobody else has a socket here"}},
		Condition: "for two minutes no socket but wiretell's own listens, is connected or receives datagrams, no unix socket listens, and no packet of anybody else was seen",
		Meaning:   "No other process of the pod shares this network namespace: wiretell runs in a pod or container network of its own, and can never see the application.",
		Guard:     "An application that is not started yet looks alike: the leaf waits four windows.",
		Raise:     4, Clear: 1, Live: true,
		Evidence: []Key{{Name: "seconds", Description: "since the capture began"}, {Name: "own_packets", Description: "packets of wiretell's own export in the window"}},
		Body:     "No other process has a socket in this network namespace after {{seconds}} s: wiretell is not where the application is.",
		Remedy: Remedy{
			Summary:  "Put wiretell into the application's pod, or its container network; in Kubernetes hostNetwork must be the same for both, as it is for a whole pod.",
			Command:  "docker run --network container:APP --cap-drop ALL --cap-add NET_RAW IMAGE run",
			Manifest: "spec:\n  template:\n    spec:\n      containers:\n      - name: APP\n      - name: wiretell   # in the same pod\n",
		},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if !v.Kernel.Has(capture.KnownSockets|capture.KnownUnix|capture.KnownSocketStat) || !v.before.Has(capture.KnownSocketStat) ||
				len(v.listening(false)) > 0 || v.Kernel.UnixListening > 0 || min(v.Kernel.UDPSockets, v.before.UDPSockets) > 0 || v.transportFrames() > 0 ||
				slices.ContainsFunc(v.Kernel.Established, func(p capture.SocketPair) bool { return !v.own(p) }) {
				return
			}
			emit(hit{evidence: []Evidence{seconds("seconds", v.running), number("own_packets", v.ledger[capture.FrameOwnExport])}})
		},
	}
}

// hostSide are how interfaces begin that pod networks make on the node.
var hostSide = [...]string{"veth", "cali", "cni", "lxc", "cilium_", "flannel.", "docker", "br-", "azv", "eni", "gke", "kube-"}

func hostNamespaceLeaf() Leaf {
	return Leaf{
		ID: "ENV-05", Title: "The whole node is captured", Class: Permission, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Are we where the application is?", "we are on the node, with all pods"}},
		Condition:  "several interfaces are the node's ends of pod networks, and neither --interface nor a filter narrows the capture",
		Meaning:    "This is the network namespace of the node: traffic of all its pods is captured, much of it more than once as it passes several interfaces.",
		Guard:      "Where it is meant, a filter or --interface says so, and the leaf is silent. Told by the names of interfaces: only likely.",
		Thresholds: []Threshold{{"interfaces", "interfaces of pod networks", 3, 3}},
		Raise:      1, Clear: 1, Live: true, Blind: true,
		Evidence: []Key{{Name: "interfaces", Description: "interfaces that are a pod network's"}, {Name: "names", Description: "their names, at most 8", Volatile: true}},
		Body:     "wiretell captures the whole node, not one pod: {{interfaces interface is|interfaces are}} a pod network's ({{names}}).",
		Remedy: Remedy{Summary: "Remove hostNetwork from the pod, or narrow the capture to the address of one pod.", Command: "wiretell run --filter 'host POD_IP'",
			Manifest: "spec:\n  template:\n    spec:\n      hostNetwork: false\n"},
		check: func(v *view, l *Leaf, emit func(hit)) {
			if v.Kernel == nil || v.filtering() || len(v.Capture.Interfaces) > 0 {
				return
			}
			var names []string
			for i := range v.Kernel.Interfaces {
				name := v.Kernel.Interfaces[i].Name
				if slices.ContainsFunc(hostSide[:], func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
					names = append(names, name)
				}
			}
			if float64(len(names)) >= l.threshold(v, "interfaces") {
				emit(hit{evidence: []Evidence{number("interfaces", uint64(len(names))), text("names", sortedList(names))}})
			}
		},
	}
}

func filterRefusedLeaf() Leaf {
	return Leaf{
		ID: "ENV-07", Title: "The kernel does not take the filter", Class: Permission, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Can we capture?", "yes"}, {"Did the kernel take the filter?", "no"}},
		Condition: "the kernel refused the filter's program (too long, or not allowed); wiretell filters by itself",
		Meaning:   "Every packet is copied into the ring and filtered afterwards: what is followed stays the same, at the cost of more CPU and a ring that fills sooner. A filter that cannot be read at all ends wiretell at the start, with the position.",
		Guard:     "None known.",
		Clear:     1, Live: true, Blind: true,
		Evidence: []Key{{Name: "filter", Description: "the filter"}, {Name: "error", Description: "what the kernel answered", Volatile: true}},
		Body:     "The kernel does not take the filter ({{filter}}): {{error}}. wiretell filters by itself, at more cost.",
		Remedy:   Remedy{Summary: "Make the filter shorter, for example by ranges of ports.", Command: "wiretell run --port 8000-8100"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if err := v.Capture.FilterErr; err != nil {
				emit(hit{evidence: []Evidence{text("filter", v.filter()), text("error", err.Error())}})
			}
		},
	}
}
