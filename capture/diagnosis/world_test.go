package diagnosis

import (
	"net/netip"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

const second = capture.Time(time.Second)

// world is what a test lets happen, counted as the spine and the kernel would.
type world struct {
	t        testing.TB
	tree     *Tree
	now      capture.Time
	snap     *capture.Snapshot
	kernel   *capture.Kernel
	exports  []ExportHealth
	facts    CaptureFacts
	ports    map[capture.PortKey]int
	findings []Finding // all that was published
	holding  map[string]Finding
}

const lo, eth0 = 0, 1 // interfaces of a world

// newWorld returns a pod with eth0 and lo up and one listener on 8080, in which
// wiretell may capture.
func newWorld(t testing.TB) *world {
	k := &capture.Kernel{
		Known: 1<<11 - 1,
		Interfaces: []capture.KernelInterface{
			{Name: "lo", Index: 1, Up: true, Loopback: true},
			{Name: "eth0", Index: 2, Up: true},
		},
		Process: capture.ProcessFacts{UID: 65532, CapEff: 1 << capture.CapNetRaw, CapPrm: 1 << capture.CapNetRaw, CapBnd: 1 << capture.CapNetRaw, Seccomp: 2},
		CGroup:  capture.CGroupFacts{Version: 2, MemoryCurrent: 20 << 20, MemoryMax: 128 << 20},
	}
	w := &world{
		t: t, tree: New(Config{}), now: 1_700_000_000 * second, kernel: k,
		snap: &capture.Snapshot{
			Interfaces: make([]capture.InterfaceTraffic, 2), Truncated: make([]uint64, 2),
			Source: capture.SourceStats{
				Interfaces: []capture.Interface{{Name: "lo", Loopback: true, Up: true}, {Name: "eth0", Up: true}},
				Rings:      []capture.Ring{{Name: "lo", Bytes: 1 << 20}, {Name: "any", Bytes: 8 << 20}},
			},
		},
		facts: CaptureFacts{Live: true, RingAsked: 8 << 20, RingGot: 8 << 20},
		ports: map[capture.PortKey]int{}, holding: map[string]Finding{},
	}
	w.listen("[::]:8080")
	return w
}

func endpoint(s string) capture.Endpoint { return capture.EndpointOf(netip.MustParseAddrPort(s)) }

func (w *world) listen(addrs ...string) {
	w.kernel.Listeners = nil
	for _, a := range addrs {
		w.kernel.Listeners = append(w.kernel.Listeners, capture.Listener{Addr: endpoint(a)})
	}
}

// file turns the world into a capture file's: no kernel, no rings, no roles.
func (w *world) file(name string) {
	w.facts = CaptureFacts{File: name, FilterExpr: w.facts.FilterExpr, FilterPorts: w.facts.FilterPorts, Err: w.facts.Err}
	w.kernel = nil
	w.snap.Source.Rings = nil
}

func (w *world) port(p uint16, t capture.Transport, r capture.Role) *capture.PortStats {
	k := capture.PortKey{Port: p, Transport: t, Role: r}
	i, ok := w.ports[k]
	if !ok {
		i = len(w.snap.Ports)
		w.ports[k] = i
		w.snap.Ports = append(w.snap.Ports, capture.PortStats{PortKey: k})
	}
	return &w.snap.Ports[i]
}

// device lets the kernel count packets that no capture sees.
func (w *world) device(name string, packets uint64) {
	if w.kernel != nil {
		w.kernel.Interface(name).RxPackets += packets
	}
}

// frames lets n frames arrive and be captured, half of them in each direction.
func (w *world) frames(iface int, e capture.Entry, n uint64) {
	w.snap.Ledger[capture.FramesRead] += n
	w.snap.Ledger[e] += n
	if w.facts.Live {
		w.snap.Source.Rings[1].Packets += n
	}
	w.device(w.snap.Source.Interfaces[iface].Name, n)
	if e == capture.FrameTCP || e == capture.FrameFiltered {
		in := (n + 1) / 2
		w.snap.Interfaces[iface][capture.Receive][capture.TCP][capture.IPv4].Packets += in
		w.snap.Interfaces[iface][capture.Transmit][capture.TCP][capture.IPv4].Packets += n - in
		if w.kernel != nil {
			w.kernel.TCP.InSegs += in
		}
	}
}

// icmpv6 lets n messages of a type come in.
func (w *world) icmpv6(typ uint8, n uint64) {
	w.frames(eth0, capture.FrameICMPv6, n)
	k := capture.ICMPKey{Network: capture.IPv6, Type: typ, Direction: capture.Receive}
	for i := range w.snap.ICMP {
		if w.snap.ICMP[i].ICMPKey == k {
			w.snap.ICMP[i].Count += n
			return
		}
	}
	w.snap.ICMP = append(w.snap.ICMP, capture.ICMPCount{ICMPKey: k, Count: n})
}

// giveUp lets n clients close while the server does nothing.
func (w *world) giveUp(n int) {
	for range n {
		w.tree.Observe(&capture.ConnStuck{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Kind: capture.StuckHalfClosed, Side: capture.Server, Unanswered: true})
	}
}

// payload lets n packets with payload pass on a port, n in each direction, and
// as many acknowledgements.
func (w *world) payload(p *capture.PortStats, n uint64) {
	w.frames(eth0, capture.FrameTCP, 4*n)
	w.snap.Ledger[capture.BytesSeen] += 200 * n
	p.FromClient.Add(int(n), int(100*n))
	p.FromServer.Add(int(n), int(100*n))
}

// requests lets n requests be answered, on as many connections.
func (w *world) requests(port uint16, role capture.Role, n uint64) *capture.PortStats {
	p := w.port(port, capture.TCP, role)
	w.payload(p, n)
	p.Conns += n
	p.Requests[capture.ProtocolHTTP1] += n
	p.Responses[capture.ProtocolHTTP1] += n
	p.Answered += n
	w.snap.Ledger[capture.RequestsSeen] += n
	w.snap.Ledger[capture.RequestsAnswered] += n
	w.snap.Ledger[capture.ResponsesSeen] += n
	w.snap.Ledger[capture.ResponsesPaired] += n
	return p
}

// unanswered lets n requests end without a response.
func (w *world) unanswered(port uint16, why capture.Reason, n uint64) *capture.PortStats {
	p := w.port(port, capture.TCP, capture.RoleServer)
	w.frames(eth0, capture.FrameTCP, 3*n)
	w.snap.Ledger[capture.BytesSeen] += 100 * n
	p.FromClient.Add(int(n), int(100*n))
	p.Conns += n
	p.Requests[capture.ProtocolHTTP1] += n
	p.Unanswered += n
	p.UnansweredBy[why] += n
	w.snap.Ledger[capture.RequestsSeen] += n
	w.snap.Ledger[capture.RequestsUnanswered] += n
	return p
}

// unparsed lets n packets pass that no parser reads.
func (w *world) unparsed(port uint16, t capture.Transport, role capture.Role, why capture.Reason, n uint64) *capture.PortStats {
	p := w.port(port, t, role)
	if t == capture.TCP {
		w.payload(p, (n+1)/2)
	} else {
		w.frames(eth0, capture.FrameUDP, n)
		p.FromClient.Add(int(n), int(100*n))
	}
	p.Unparsed[why].Add(int(n), int(100*n))
	return p
}

func (w *world) healthy() { w.requests(8080, capture.RoleServer, 50) }

func (w *world) fail(server string, role capture.Role, why capture.Reason, attempts, n int) {
	at := endpoint(server)
	for i := range n {
		w.tree.Observe(&capture.ConnFailed{
			Conn: capture.Conn{Client: capture.EndpointOf(netip.MustParseAddrPort("10.0.0.9:40000")), Server: at, Role: role, ID: uint64(i)},
			Why:  why, Attempts: attempts, Elapsed: time.Duration(attempts) * time.Second,
		})
	}
	p := w.port(at.Port, capture.TCP, role)
	p.Failed += uint64(n)
	w.frames(eth0, capture.FrameTCP, uint64(n*attempts+n))
	w.snap.Ledger[capture.ConnsFailed] += uint64(n)
}

// noAnswer is the response code of a look-up that got no answer.
const noAnswer = capture.RCode(1<<16 - 1)

// lookup lets a look-up end, the given time from now.
func (w *world) lookup(after capture.Time, client, name string, rcode capture.RCode) *capture.DNSLookup {
	l := &capture.DNSLookup{
		At: w.now + after, Client: endpoint(client + ":40000"), Server: endpoint("10.96.0.10:53"), Role: capture.RoleClient,
		Name: []byte(name), Type: 1, Answered: true, RCode: rcode, Attempts: 1,
	}
	if rcode == noAnswer {
		l.Answered, l.RCode, l.Why = false, 0, capture.ReasonTimedOut
	}
	w.tree.Observe(l)
	w.frames(eth0, capture.FrameUDP, 2)
	return l
}

func (w *world) input() Input {
	in := Input{Kernel: w.kernel, Exports: w.exports, Capture: w.facts}
	if w.facts.Err == nil {
		in.Snapshot = w.snap
	}
	return in
}

// tick lets d pass, and keeps account of what holds by what is published.
func (w *world) tick(d time.Duration) []Finding {
	w.t.Helper()
	w.now = w.now.Add(d)
	if !w.tree.begun && w.kernel != nil && w.facts.Before == nil {
		w.facts.Before = new(capture.Kernel)
		w.kernel.CopyTo(w.facts.Before)
	}
	out := w.tree.Tick(w.now, w.input())
	for _, f := range out {
		key := f.ID + " " + subjectKey(f.Subject)
		_, held := w.holding[key]
		switch f.State {
		case Raised:
			if held {
				w.t.Errorf("%s was raised twice", key)
			}
			w.holding[key] = f
		case Cleared:
			if !held {
				w.t.Errorf("%s was cleared without having been raised", key)
			}
			delete(w.holding, key)
		default:
			if !held {
				w.t.Errorf("%s is %s without having been raised", key, f.State)
			}
			w.holding[key] = f
		}
	}
	w.findings = append(w.findings, out...)
	return out
}

// run lets what happens once in each of n windows.
func (w *world) run(n int, what func(*world)) {
	w.t.Helper()
	if w.tree.started == 0 {
		w.tick(0)
	}
	for range n {
		what(w)
		w.tick(30 * time.Second)
	}
}

func (w *world) held(id string) (Finding, bool) {
	for _, f := range w.holding {
		if f.ID == id {
			return f, true
		}
	}
	return Finding{}, false
}

func subjectKey(s Subject) string {
	out := s.Interface + "/" + s.way()
	if s.Peer.IsValid() {
		out += "/" + s.Peer.String()
	}
	return out + "/" + word(int64(s.Port))
}
