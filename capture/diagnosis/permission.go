package diagnosis

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/wiretell/wiretell/capture"
)

const netRawManifest = `securityContext:
  capabilities:
    drop: [ALL]
    add: [NET_RAW]
`

// refused classifies why the packet socket could not be had.
type refused uint8

const (
	notRefused    refused = iota
	notPermitted          // EPERM, EACCES
	notSupported          // no such address family or call
	otherwiseLost         // anything else
)

func refusal(err error) refused {
	switch {
	case err == nil:
		return notRefused
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return notPermitted
	case errors.Is(err, syscall.EAFNOSUPPORT), errors.Is(err, syscall.EPROTONOSUPPORT), errors.Is(err, syscall.ENOSYS):
		return notSupported
	}
	return otherwiseLost
}

// granted says where CAP_NET_RAW stops on its way to this process.
func granted(k *capture.Kernel) (bounding, effective, known bool) {
	const bit = 1 << capture.CapNetRaw
	if !k.Has(capture.KnownProcess) {
		return false, false, false
	}
	return k.Process.CapBnd&bit != 0, (k.Process.CapEff|k.Process.CapPrm)&bit != 0, true
}

func processEvidence(v *view) []Evidence {
	ev := []Evidence{text("error", v.Capture.Err.Error())}
	if p := v.Kernel; p.Has(capture.KnownProcess) {
		ev = append(ev, number("uid", uint64(p.Process.UID)),
			text("cap_bounding", fmt.Sprintf("%016x", p.Process.CapBnd)), text("cap_effective", fmt.Sprintf("%016x", p.Process.CapEff)),
			truth("no_new_privs", p.Process.NoNewPrivs), number("seccomp", uint64(p.Process.Seccomp)), truth("user_namespace", p.Process.UserNamespace))
	}
	return ev
}

func processKeys() []Key {
	return []Key{
		{Name: "error", Description: "what the kernel answered", Volatile: true},
		{Name: "uid", Description: "effective user id of wiretell"},
		{Name: "cap_bounding", Description: "capability bounding set, hexadecimal; CAP_NET_RAW is bit 13 (0x2000)"},
		{Name: "cap_effective", Description: "effective capabilities, hexadecimal"},
		{Name: "no_new_privs", Description: "whether no_new_privs is set, so that file capabilities do not count"},
		{Name: "seccomp", Description: "0 none, 1 strict, 2 filter"},
		{Name: "user_namespace", Description: "whether wiretell is in a user namespace of its own"},
	}
}

func permissionLeaves() []Leaf {
	return []Leaf{notGrantedLeaf(), notEffectiveLeaf(), profileLeaf(), noPacketSocketsLeaf(), smallRingLeaf(), sourceLostLeaf()}
}

func notGrantedLeaf() Leaf {
	return Leaf{
		ID: "PERM-01", Title: "CAP_NET_RAW is not granted", Class: Permission, Severity: Error, Confidence: Certain,
		Path:      []Step{{"Can we capture?", "no, not permitted"}, {"Is CAP_NET_RAW in the bounding set?", "no"}},
		Condition: "opening a packet socket fails with EPERM or EACCES, and bit 13 of CapBnd is 0",
		Meaning:   "The container runtime did not give the container the capability to capture. No process in it can get it back.",
		Guard:     "None known: the bounding set is read from the kernel.",
		Clear:     1, Live: true, Blind: true, Evidence: processKeys(),
		Body: "The container may not capture: CAP_NET_RAW is not granted (uid {{uid}}, bounding set {{cap_bounding}}).",
		Remedy: Remedy{
			Summary:  "Add NET_RAW to the container's capabilities. Where admission refuses that, allow it for the namespace or write a policy exception; on OpenShift use an SCC whose allowedCapabilities hold NET_RAW.",
			Command:  "kubectl label --overwrite namespace NAMESPACE pod-security.kubernetes.io/enforce=privileged; docker run --network container:APP --cap-drop ALL --cap-add NET_RAW IMAGE run",
			Manifest: netRawManifest, URL: "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#set-capabilities-for-a-container",
		},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if bounding, _, known := granted(v.Kernel); refusal(v.Capture.Err) == notPermitted && !bounding {
				h := hit{evidence: processEvidence(v)}
				if !known { // the usual cause, but not proved
					h.sharper, h.severity, h.confidence = true, Error, Likely
				}
				emit(h)
			}
		},
	}
}

func notEffectiveLeaf() Leaf {
	return Leaf{
		ID: "PERM-02", Title: "CAP_NET_RAW is granted but not effective", Class: Permission, Severity: Error, Confidence: Certain,
		Path:      []Step{{"Can we capture?", "no, not permitted"}, {"Is CAP_NET_RAW in the bounding set?", "yes"}, {"Is it effective?", "no"}},
		Condition: "EPERM or EACCES; CapBnd has CAP_NET_RAW, CapPrm and CapEff have not",
		Meaning:   "NET_RAW was granted to the container, but a process that does not run as root only gets it through a file capability on the program, or as an ambient capability, which Docker does not give.",
		Guard:     "None known.",
		Clear:     1, Live: true, Blind: true, Evidence: processKeys(),
		Body: "NET_RAW was granted, but this process (uid {{uid}}) does not have it in effect (no_new_privs {{no_new_privs}}).",
		Remedy: Remedy{
			Summary:  "Give the program the file capability cap_net_raw=p, which the image's has (copying it may have lost it), or run as root with all other capabilities dropped.",
			Command:  "setcap cap_net_raw=p \"$(command -v wiretell)\"; getcap \"$(command -v wiretell)\"   # as root; prints cap_net_raw=p",
			Manifest: "securityContext:\n  runAsUser: 0\n  allowPrivilegeEscalation: false\n  capabilities:\n    drop: [ALL]\n    add: [NET_RAW]\n",
			URL:      "https://man7.org/linux/man-pages/man7/capabilities.7.html",
		},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if bounding, effective, _ := granted(v.Kernel); refusal(v.Capture.Err) == notPermitted && bounding && !effective {
				emit(hit{evidence: processEvidence(v)})
			}
		},
	}
}

func profileLeaf() Leaf {
	return Leaf{
		ID: "PERM-03", Title: "A security profile blocks packet sockets", Class: Permission, Severity: Error, Confidence: Likely,
		Path:      []Step{{"Can we capture?", "no, not permitted"}, {"Is CAP_NET_RAW in the bounding set?", "yes"}, {"Is it effective?", "yes"}},
		Condition: "EPERM or EACCES although CapEff or CapPrm has CAP_NET_RAW",
		Meaning:   "The capability is there and the kernel still refuses: a seccomp filter, SELinux, AppArmor or the sandbox forbids packet sockets, or the capability belongs to a user namespace that does not own this network namespace.",
		Guard:     "A user namespace looks alike; the evidence says whether wiretell is in one.",
		Clear:     1, Live: true, Blind: true, Evidence: processKeys(),
		Body: "CAP_NET_RAW is effective, and yet packet sockets are refused (seccomp {{seccomp}}, user namespace {{user_namespace}}): a seccomp, SELinux or AppArmor profile or the sandbox blocks them.",
		Remedy: Remedy{
			Summary:  "Use the runtime's default seccomp profile, and look for a denial by SELinux or AppArmor on the node.",
			Command:  "ausearch -m avc -ts recent; dmesg | grep -i -e apparmor -e seccomp",
			Manifest: "securityContext:\n  seccompProfile:\n    type: RuntimeDefault\n", URL: "https://kubernetes.io/docs/tutorials/security/seccomp/",
		},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if _, effective, _ := granted(v.Kernel); refusal(v.Capture.Err) == notPermitted && effective {
				emit(hit{evidence: processEvidence(v)})
			}
		},
	}
}

func noPacketSocketsLeaf() Leaf {
	return Leaf{
		ID: "PERM-04", Title: "No packet sockets here", Class: Permission, Severity: Error, Confidence: Certain,
		Path:      []Step{{"Can we capture?", "no, not supported"}},
		Condition: "opening a packet socket fails with EAFNOSUPPORT, EPROTONOSUPPORT or ENOSYS",
		Meaning:   "The kernel that answers has no packet sockets: gVisor without raw networking, a managed runtime, or emulation of another CPU.",
		Guard:     "None known.",
		Clear:     1, Live: true, Blind: true, Evidence: processKeys()[:1],
		Body: "This runtime has no packet sockets (gVisor, a managed runtime, or CPU emulation): {{error}}.",
		Remedy: Remedy{
			Summary: "With gVisor start runsc with --net-raw; make sure that the image is for this machine's architecture; otherwise capture elsewhere, for example at the node or the peer.",
			Command: "docker pull --platform linux/$(uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/') IMAGE", URL: "https://gvisor.dev/docs/user_guide/networking/",
		},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if refusal(v.Capture.Err) == notSupported {
				emit(hit{evidence: processEvidence(v)[:1]})
			}
		},
	}
}

func smallRingLeaf() Leaf {
	return Leaf{
		ID: "PERM-05", Title: "The capture ring is smaller than asked for", Class: Permission, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Can we capture?", "yes"}, {"Is the ring as large as asked for?", "no"}},
		Condition: "the ring that was granted is smaller than the one asked for",
		Meaning:   "The kernel could not or would not give the memory for the ring, so wiretell runs with a smaller one and may drop packets sooner.",
		Guard:     "None known.",
		Clear:     1, Live: true, Blind: true,
		Evidence: []Key{{Name: "asked_bytes", Description: "size of the ring asked for"}, {Name: "got_bytes", Description: "size of the ring granted"}},
		Body:     "A capture ring of {{asked_bytes}} bytes was refused; using {{got_bytes}}.",
		Remedy:   Remedy{Summary: "Give the node or the container more memory, or ask for a smaller ring.", Command: "wiretell run --ring-mib 4", Manifest: "resources:\n  limits:\n    memory: 128Mi\n"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if c := v.Capture; c.RingGot > 0 && c.RingGot < c.RingAsked {
				emit(hit{evidence: []Evidence{number("asked_bytes", uint64(c.RingAsked)), number("got_bytes", uint64(c.RingGot))}})
			}
		},
	}
}

func sourceLostLeaf() Leaf {
	return Leaf{
		ID: "PERM-06", Title: "The capture could not be opened, or ended", Class: Permission, Severity: Error, Confidence: Certain,
		Path:      []Step{{"Can we capture?", "no, for another reason"}},
		Condition: "opening or reading the source failed otherwise than by permission or support",
		Meaning:   "The capture did not start, or stopped by an error of the kernel's or, with a file, because it is damaged.",
		Guard:     "None known.",
		Clear:     1, Live: true, File: true, Blind: true, Evidence: processKeys()[:1],
		Body: "The capture could not be opened, or ended early: {{error}}.",
		Remedy: Remedy{Summary: "Read the error: it names the interface or the file. A damaged file can be mended as far as it is readable.",
			Command: "ip link; tcpdump -r FILE -w MENDED.pcap"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if refusal(v.Capture.Err) == otherwiseLost {
				emit(hit{evidence: []Evidence{text("error", v.Capture.Err.Error())}})
			}
		},
	}
}
