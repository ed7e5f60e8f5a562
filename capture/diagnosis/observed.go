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
	maxErrors    = 256 // kinds of ICMP errors
	maxStalls    = 256 // peers towards which connections stall
)

// happening is what observations are counted by on a port.
type happening uint8

const (
	cutResponse happening = iota
	cutRequest
	cutByReset    // of the responses cut, those by a reset
	cutByClient   // of both, those that the client itself ended
	stalled       // a response began, and then nothing came any more
	unsolicited   // a response that no request asked for
	leftWaiting   // a client closed, and the server neither answers nor closes
	goodbye       // such a one of status 408: a server ends an idle connection
	badRequest    // a response of status 400
	unavailable   // a response of status 503
	serverReset   // the server reset a connection with an exchange in flight
	clientReset   // the client did
	idleRace      // a request met the server's end of an idle connection
	unfinished    // a handshake that the client did not finish
	tlsAlert      // a fatal alert in the clear
	plainAnswer   // a ClientHello was answered in the clear
	leftTLS       // a side went on in something else than TLS records
	namelessHello // a ClientHello without a name, or with an encrypted one
	numHappenings
)

type happenings [numHappenings]uint64

// observed gathers what only observations tell: names and peers.
type observed struct {
	ports    map[capture.PortKey]*portSeen
	failures table[failureKey, connects]
	errors   table[icmpKey, icmpSeen]
	stalls   table[netip.Addr, uint64]    // by peer: how much is outstanding
	unheard  table[unheardKey, unheardOf] // other connections that stall
	names    resolutions
	// broken counts exchanges that the network or a peer cut, or let time out,
	// after they had begun: since the start, and at the beginning of the window.
	broken, brokenBase uint64
	// Beyond counts observations that found no room here.
	beyond uint64
}

// portSeen is what was observed on one port.
type portSeen struct {
	names, alpn []string // of ClientHellos
	called      []string // where redirected connections were meant to go
	moreNames   uint64   // that found no room in the lists
	version     uint16   // of the last hello
	alert       uint8    // the last fatal one
	alertFrom   capture.Side
	idle        [2]time.Duration // shortest and longest before an idleRace
	ech         uint64
	midstream   uint64     // TLS recognised midway
	total, base happenings // since the start; at the beginning of the window
}

// in returns what happened in the span.
func (p *portSeen) in(v *view) happenings {
	if p == nil {
		return happenings{}
	}
	n := p.total
	if !v.final {
		for i := range n {
			n[i] -= p.base[i]
		}
	}
	return n
}

type failureKey struct {
	peer netip.Addr // the server, not set when it is this namespace
	port uint16
	role capture.Role
	why  capture.Reason
}

// failure counts connects that failed alike.
type failure = counted[failureKey, connects]

// connects is what is known of them.
type connects struct {
	attempts int // most SYNs of one connect
	elapsed  time.Duration
	client   netip.Addr // who tried last
	repeated bool       // somebody tried twice in a row
	icmp     capture.ICMPHeader
	hasICMP  bool
}

func newObserved() *observed {
	return &observed{
		ports: make(map[capture.PortKey]*portSeen), failures: newTable[failureKey, connects](maxFailures),
		errors: newTable[icmpKey, icmpSeen](maxErrors), stalls: newTable[netip.Addr, uint64](maxStalls), unheard: newTable[unheardKey, unheardOf](maxStalls), names: newResolutions(),
	}
}

func (o *observed) observe(ob capture.Observation) {
	switch ob := ob.(type) {
	case *capture.TLSHello:
		o.hello(ob)
	case *capture.TLSAlert:
		o.alert(ob)
	case *capture.ParseError:
		// The other way round, HTTP that TLS answers, is PortStats.ParseErrors'.
		if ob.Protocol == capture.ProtocolTLS && ob.Why == capture.ReasonSwitchedProtocol {
			o.happened(&ob.Conn, leftTLS)
			if ob.From == capture.Server {
				o.happened(&ob.Conn, plainAnswer)
			}
		}
	case *capture.ConnOpened:
		o.opened(ob)
	case *capture.ConnFailed:
		o.failed(ob)
	case *capture.ConnReset:
		o.reset(ob)
	case *capture.ConnStuck:
		o.stuck(ob)
	case *capture.ICMPError:
		o.icmp(ob)
	case *capture.DNSLookup:
		if !o.names.observe(ob) {
			o.beyond++
		}
	case *capture.Exchange:
		o.exchange(ob)
	}
}

func (o *observed) happened(c *capture.Conn, what ...happening) {
	if p := o.port(c); p != nil {
		for _, h := range what {
			p.total[h]++
		}
	}
}

// exchange takes note of a message that the network or a peer cut. A response
// that began (it has a status) and whose connection was then reset, or reported
// unreachable, is cut as one that a close ends early.
func (o *observed) exchange(x *capture.Exchange) {
	cut := func(what ...happening) {
		o.broken++
		if x.Cause == capture.CauseClosedByClient || x.Cause == capture.CauseResetByClient {
			what = append(what, cutByClient)
		}
		o.happened(&x.Conn, what...)
	}
	switch x.Status {
	case 400:
		o.happened(&x.Conn, badRequest)
	case 503:
		o.happened(&x.Conn, unavailable)
	}
	switch x.Error {
	case capture.ReasonRequestTruncated:
		cut(cutRequest)
	case capture.ReasonResponseTruncated:
		cut(cutResponse)
	case capture.ReasonReset, capture.ReasonHostUnreachable, capture.ReasonNetUnreachable, capture.ReasonAdminProhibited:
		switch {
		case x.Status == 0: // nothing of the response came: PortStats.UnansweredBy has it
			return
		case x.Error == capture.ReasonReset:
			cut(cutResponse, cutByReset)
		default:
			cut(cutResponse)
		}
	case capture.ReasonTimedOut:
		if x.Status != 0 {
			o.broken++ // perhaps only a stream of events with nothing to say
			o.happened(&x.Conn, stalled)
		}
	case capture.ReasonUnsolicited:
		if x.Status == 408 {
			o.happened(&x.Conn, goodbye)
		} else {
			o.happened(&x.Conn, unsolicited)
		}
	}
}

// reset takes note of a connection that was reset with an exchange in flight.
// Idle connections are closed so by many clients, and after a FIN it is too
// late to do harm.
func (o *observed) reset(r *capture.ConnReset) {
	switch {
	case r.Conn.Race:
		o.happened(&r.Conn, idleRace)
		if p := o.port(&r.Conn); p != nil {
			if p.total[idleRace] == 1 {
				p.idle[0] = r.Idle
			}
			p.idle = [2]time.Duration{min(p.idle[0], r.Idle), max(p.idle[1], r.Idle)}
		}
	case r.Phase != capture.PhaseRequest && r.Phase != capture.PhaseResponse && r.Phase != capture.PhaseUnacknowledged:
	case r.By == capture.Server:
		o.happened(&r.Conn, serverReset)
	default:
		o.happened(&r.Conn, clientReset)
	}
}

// Of a connection that stalls when the first large segments are sent.
const (
	largeBytes = 1200 // outstanding: as much as a full segment over Ethernet, less any tunnel
	youngAge   = 5 * time.Second
)

// unheardKey tells apart connections on which a side is not heard any more.
type unheardKey struct {
	peer netip.Addr // who does not acknowledge
	port uint16
	role capture.Role
	by   capture.Side // whose that is
}

// unheardOf is the worst that is known of them.
type unheardOf struct {
	outstanding uint64
	attempts    int
	waited      time.Duration
}

// stuck takes note of a connection that stalled. One that did as soon as it had
// more to send than a small segment is kept apart: its handshake had passed.
func (o *observed) stuck(s *capture.ConnStuck) {
	if s.Unanswered {
		o.happened(&s.Conn, leftWaiting)
	}
	if s.Kind != capture.StuckStalled || s.Cause != capture.CauseRetransmissionTimeout {
		return
	}
	to := s.Conn.Server
	if s.Side == capture.Server {
		to = s.Conn.Client
	}
	if s.Bytes >= largeBytes && s.Acked < largeBytes && !s.Conn.Midstream && s.At.Sub(s.Conn.Start)-s.Waited <= youngAge {
		e := o.stalls.count(to.IP())
		if e == nil {
			o.beyond++
			return
		}
		e.last = s.Bytes
		return
	}
	e := o.unheard.count(unheardKey{peer: to.IP(), port: s.Conn.Server.Port, role: s.Conn.Role, by: s.Side.Other()})
	if e == nil {
		o.beyond++
		return
	}
	e.last = unheardOf{max(e.last.outstanding, s.Bytes), max(e.last.attempts, s.Attempts), max(e.last.waited, s.Waited)}
}

// Alerts that say goodbye (RFC 8446, section 6.1).
const (
	alertCloseNotify  = 0
	alertUserCanceled = 90
	alertFatal        = 2
)

func (o *observed) alert(a *capture.TLSAlert) {
	if a.Level != alertFatal || a.Description == alertCloseNotify || a.Description == alertUserCanceled {
		return
	}
	if p := o.port(&a.Conn); p != nil {
		p.total[tlsAlert]++
		p.alert, p.alertFrom = a.Description, a.From
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

// opened takes note of where a redirected connection was meant to go.
func (o *observed) opened(c *capture.ConnOpened) {
	if c.Called.Port == 0 {
		return
	}
	if p := o.port(&c.Conn); p != nil {
		p.called = p.remember(p.called, []byte(c.Called.String()))
	}
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
	if h.ECH || len(h.SNI) == 0 {
		p.total[namelessHello]++
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
	if f.Cause == capture.CauseUnfinished || f.Cause == capture.CauseSYNACKUnanswered {
		if f.Conn.Role != capture.RoleClient && f.Attempts > 0 {
			o.happened(&f.Conn, unfinished)
		}
		if f.Why == capture.ReasonTimedOut {
			return // the server did answer
		}
	}
	k := failureKey{port: f.Conn.Server.Port, role: f.Conn.Role, why: f.Why}
	if k.role != capture.RoleServer {
		k.peer = f.Conn.Server.IP()
	}
	e := o.failures.count(k)
	if e == nil {
		o.beyond++
		return
	}
	client, c := f.Conn.Client.IP(), &e.last
	c.repeated = c.repeated || c.client == client
	c.client = client
	c.attempts = max(c.attempts, f.Attempts)
	c.elapsed = max(c.elapsed, f.Elapsed)
	if f.HasICMP {
		c.icmp, c.hasICMP = f.ICMP, true
	}
}

// endWindow makes what was counted the base of the next window, and forgets
// kinds of failure that have not been seen for quiet windows.
func (o *observed) endWindow(quiet int) {
	for _, p := range o.ports {
		p.base = p.total
	}
	o.brokenBase = o.broken
	o.names.endWindow(quiet)
	o.failures.endWindow(quiet)
	o.errors.endWindow(quiet)
	o.stalls.endWindow(quiet)
	o.unheard.endWindow(quiet)
}

// list joins names for a sentence.
func list(names []string, more uint64) string {
	s := strings.Join(names[:min(len(names), maxListed)], ", ")
	if len(names) > maxListed || more > 0 {
		s += ", ..."
	}
	return s
}
