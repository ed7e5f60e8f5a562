package diagnosis

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/wiretell/wiretell/capture"
)

const (
	// maxResolutions bounds the names remembered at once that did not resolve.
	maxResolutions = 512
	// settled is how long after a failure another candidate may still succeed:
	// resolvers wait up to 5 s for each.
	settled = 6 * time.Second
)

// resolutionKey tells what a resolver works on: it appends each suffix of its
// search path to one name, so that all candidates begin with the same label. It
// may ask several servers.
type resolutionKey struct {
	client netip.Addr
	label  string
}

// resolution counts the attempts to resolve a name that came to nothing.
type resolution struct {
	resolutionKey
	name    string // the last candidate
	server  netip.Addr
	why     string
	at      capture.Time // of the first failure that is pending
	pending bool         // another candidate may still succeed
	// Failing is set when the name has come to nothing and no candidate has succeeded
	// since: another attempt begins with the candidate that the first began with.
	failing     bool
	first       string
	firstType   capture.DNSType
	total, base uint64 // since the start; at the beginning of the window
	idle        int    // windows without one
}

// resolutions are the names that did not resolve.
type resolutions struct {
	byKey map[resolutionKey]*resolution
	order []*resolution // of first sight
}

func newResolutions() resolutions {
	return resolutions{byKey: make(map[resolutionKey]*resolution)}
}

// observe takes one look-up. It returns false when it found no room.
func (r *resolutions) observe(l *capture.DNSLookup) bool {
	// That others ask this namespace for names that do not exist is their fault.
	if l.Role == capture.RoleServer {
		return true
	}
	label, _, _ := bytes.Cut(l.Name, []byte{'.'})
	label = label[:min(len(label), maxNameBytes)]
	k := resolutionKey{client: l.Client.IP(), label: string(label)}
	e := r.byKey[k]
	if !l.Failed() {
		if e != nil && !l.NoData {
			e.settle(l.At)
			e.pending, e.failing = false, false
		}
		return true
	}
	if e == nil {
		if len(r.order) >= maxResolutions {
			return false
		}
		e = &resolution{resolutionKey: k}
		r.byKey[k] = e
		r.order = append(r.order, e)
	}
	e.settle(l.At)
	name := clean(l.Name[:min(len(l.Name), maxNameBytes)])
	e.name, e.why, e.server, e.idle = name, l.Error(), l.Server.IP(), 0
	switch {
	case e.failing && name == e.first && l.Type == e.firstType:
		e.total++
	case !e.failing && !e.pending:
		e.at, e.pending = l.At, true
		e.first, e.firstType = name, l.Type
	}
	return true
}

// settle counts a failure that no other candidate has made good.
func (e *resolution) settle(now capture.Time) {
	if d := now.Sub(e.at); e.pending && (d > settled || d < 0) {
		e.total++
		e.pending, e.failing = false, true
	}
}

// count returns how often e came to nothing in the span. At the end nothing can
// make good any more what is pending.
func (e *resolution) count(v *view) uint64 {
	if v.final {
		n := e.total
		if e.pending {
			n++
		}
		return n
	}
	e.settle(v.now)
	return e.total - e.base
}

// endWindow makes what was counted the base of the next window, and forgets
// names that have not failed for quiet windows.
func (r *resolutions) endWindow(quiet int) {
	r.order = slices.DeleteFunc(r.order, func(e *resolution) bool {
		e.base = e.total
		if e.idle++; e.idle <= quiet {
			return false
		}
		delete(r.byKey, e.resolutionKey)
		return true
	})
}

func unresolvedLeaf() Leaf {
	return Leaf{
		ID: "NET-DNS-01", Title: "Names do not resolve", Class: Network, Severity: Warning, Confidence: Likely,
		Path:       []Step{{"Do look-ups succeed?", "no"}, {"Does another candidate of the name?", "none"}},
		Condition:  "DNS queries over UDP were answered with NXDOMAIN, SERVFAIL or another error, or not at all, and no other candidate of the name was answered soon after",
		Meaning:    "The application asks for a name that does not exist, or its resolver does not work. There are no calls to what cannot be resolved.",
		Guard:      "A resolver tries a name with each suffix of its search path, and NXDOMAIN is the usual answer to most of them: only when the last candidate fails the name counts. A name that is asked for once by chance is not enough.",
		Thresholds: []Threshold{{"names", "failed resolutions", 2, 1}}, Raise: 1, Clear: 3, Live: true, File: true,
		Evidence: []Key{
			{Name: "failed", Description: "resolutions that came to nothing"},
			{Name: "names", Description: "the last candidates", Volatile: true},
			{Name: "outcomes", Description: "response codes, or why there is no answer"},
		},
		Body:   "{{failed look-up|look-ups}} at {{peer}} came to nothing ({{outcomes}}): {{names}}.",
		Remedy: Remedy{Summary: "Check the name and its namespace, then the resolver: CoreDNS, ndots and the search path, and policies that drop port 53.", Command: "cat /etc/resolv.conf; kubectl get service -A | grep -F NAME; kubectl -n kube-system logs -l k8s-app=kube-dns"},
		check:  checkUnresolved,
	}
}

// checkUnresolved gathers the failures of each server.
func checkUnresolved(v *view, l *Leaf, emit func(hit)) {
	type failures struct {
		n               uint64
		names, outcomes []string
	}
	byServer := make(map[netip.Addr]*failures)
	var servers []netip.Addr
	for _, e := range v.seen.names.order {
		n := e.count(v)
		if n == 0 {
			continue
		}
		f := byServer[e.server]
		if f == nil {
			f = new(failures)
			byServer[e.server] = f
			servers = append(servers, e.server)
		}
		f.n += n
		f.names, f.outcomes = append(f.names, e.name), append(f.outcomes, e.why)
	}
	slices.SortFunc(servers, netip.Addr.Compare)
	for _, s := range servers {
		f := byServer[s]
		if float64(f.n) < l.threshold(v, "names") {
			continue
		}
		emit(hit{
			subject:  Subject{Peer: s},
			evidence: []Evidence{number("failed", f.n), text("names", sortedList(f.names)), text("outcomes", sortedList(f.outcomes))},
		})
	}
}

// sortedList joins words for a sentence, each once.
func sortedList(words []string) string {
	slices.Sort(words)
	return list(slices.Compact(words), 0)
}
