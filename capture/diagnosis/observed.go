package diagnosis

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// Bounds of what is remembered of observations.
const (
	maxSeenPorts = 256
	maxNames     = 16  // server names of one port
	maxNameBytes = 128 // of one name
	maxFailures  = 256 // kinds of failed connects
)

// observed gathers what only observations tell: names and peers.
type observed struct {
	ports    map[capture.PortKey]*portSeen
	failures map[failureKey]*failure
	order    []*failure // of first sight
	names    resolutions
	// broken counts exchanges that the network or a peer cut, or let time out,
	// after they had begun: since the start, and at the beginning of the window.
	broken, brokenBase uint64
	// Beyond counts observations that found no room here.
	beyond uint64
}

// portSeen is what was observed on one port.
type portSeen struct {
	names, alpn  []string // of ClientHellos
	moreNames    uint64
	version      uint16 // of the last hello
	ech          uint64
	midstream    uint64      // TLS recognised midway
	cut, cutBase cutMessages // since the start; at the beginning of the window
}

// cutMessages counts messages that ended early.
type cutMessages struct {
	responses, requests uint64
	resets              uint64 // of the responses, by a reset
}

type failureKey struct {
	peer netip.Addr // the server, not set when it is this namespace
	port uint16
	role capture.Role
	why  capture.Reason
}

// failure counts connects that failed alike.
type failure struct {
	failureKey
	total, base uint64 // since the start; at the beginning of the window
	attempts    int    // most SYNs of one connect
	elapsed     time.Duration
	client      netip.Addr // who tried last
	repeated    bool       // somebody tried twice in a row
	idle        int        // windows without one
	icmp        capture.ICMPHeader
	hasICMP     bool
}

func newObserved() *observed {
	return &observed{ports: make(map[capture.PortKey]*portSeen), failures: make(map[failureKey]*failure), names: newResolutions()}
}

func (o *observed) observe(ob capture.Observation) {
	switch ob := ob.(type) {
	case *capture.TLSHello:
		o.hello(ob)
	case *capture.ConnFailed:
		o.failed(ob)
	case *capture.DNSLookup:
		if !o.names.observe(ob) {
			o.beyond++
		}
	case *capture.Exchange:
		o.exchange(ob)
	}
}

// exchange takes note of a message that the network or a peer cut. A response
// that began (it has a status) and whose connection was then reset, or reported
// unreachable, is cut as one that a close ends early.
func (o *observed) exchange(x *capture.Exchange) {
	var request, reset bool
	switch x.Error {
	case capture.ReasonRequestTruncated:
		request = true
	case capture.ReasonResponseTruncated:
	case capture.ReasonReset, capture.ReasonHostUnreachable, capture.ReasonNetUnreachable, capture.ReasonAdminProhibited:
		if x.Status == 0 {
			return // nothing of the response came: PortStats.UnansweredBy has it
		}
		reset = x.Error == capture.ReasonReset
	case capture.ReasonTimedOut:
		if x.Status != 0 {
			o.broken++ // perhaps only a stream of events with nothing to say
		}
		return
	default:
		return
	}
	o.broken++
	p := o.port(&x.Conn)
	if p == nil {
		return
	}
	if request {
		p.cut.requests++
	} else {
		p.cut.responses++
	}
	if reset {
		p.cut.resets++
	}
}

func (o *observed) port(c *capture.Conn) *portSeen {
	k := capture.PortKey{Port: c.Server.Port, Transport: capture.TCP, Role: c.Role}
	p := o.ports[k]
	if p == nil {
		if len(o.ports) >= maxSeenPorts {
			o.beyond++
			return nil
		}
		p = new(portSeen)
		o.ports[k] = p
	}
	return p
}

func (o *observed) hello(h *capture.TLSHello) {
	p := o.port(&h.Conn)
	if p == nil {
		return
	}
	switch {
	case h.Midstream:
		p.midstream++
		return
	case h.From == capture.Server:
		p.version = h.Version
		return
	case p.version == 0:
		p.version = h.Version
	}
	if h.ECH {
		p.ech++
	}
	p.names = p.remember(p.names, h.SNI)
	for a := range strings.SplitSeq(string(h.ALPN), ",") {
		p.alpn = p.remember(p.alpn, []byte(a))
	}
}

// remember adds a name that is new, sorted, within the bound.
func (p *portSeen) remember(names []string, name []byte) []string {
	if len(name) == 0 {
		return names
	}
	s := clean(name[:min(len(name), maxNameBytes)])
	i, found := slices.BinarySearch(names, s)
	switch {
	case found:
	case len(names) >= maxNames:
		p.moreNames++
	default:
		names = slices.Insert(names, i, s)
	}
	return names
}

// clean makes bytes from the wire fit for a line of text.
func clean(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r < 0x21 || r > 0x7e {
			return '?'
		}
		return r
	}, string(b))
}

func (o *observed) failed(f *capture.ConnFailed) {
	k := failureKey{port: f.Conn.Server.Port, role: f.Conn.Role, why: f.Why}
	if k.role != capture.RoleServer {
		k.peer = f.Conn.Server.IP()
	}
	e := o.failures[k]
	if e == nil {
		if len(o.order) >= maxFailures {
			o.beyond++
			return
		}
		e = &failure{failureKey: k}
		o.failures[k] = e
		o.order = append(o.order, e)
	}
	client := f.Conn.Client.IP()
	e.repeated = e.repeated || e.client == client
	e.client = client
	e.total++
	e.idle = 0
	e.attempts = max(e.attempts, f.Attempts)
	e.elapsed = max(e.elapsed, f.Elapsed)
	if f.HasICMP {
		e.icmp, e.hasICMP = f.ICMP, true
	}
}

// endWindow makes what was counted the base of the next window, and forgets
// kinds of failure that have not been seen for quiet windows.
func (o *observed) endWindow(quiet int) {
	for _, p := range o.ports {
		p.cutBase = p.cut
	}
	o.brokenBase = o.broken
	o.names.endWindow(quiet)
	o.order = slices.DeleteFunc(o.order, func(f *failure) bool {
		f.base = f.total
		if f.idle++; f.idle <= quiet {
			return false
		}
		delete(o.failures, f.failureKey)
		return true
	})
}

// count returns how often f happened in the span.
func (f *failure) count(v *view) uint64 {
	if v.final {
		return f.total
	}
	return f.total - f.base
}

// list joins names for a sentence.
func list(names []string, more uint64) string {
	s := strings.Join(names[:min(len(names), maxListed)], ", ")
	if len(names) > maxListed || more > 0 {
		s += ", ..."
	}
	return s
}
