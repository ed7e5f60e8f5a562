package diagnosis

import (
	"slices"
	"strconv"
	"strings"

	"github.com/wiretell/wiretell/capture"
)

// view is what the checks see of one tick: differences over the window, or over
// the whole run at its end.
type view struct {
	Input
	now     capture.Time
	final   bool
	seconds float64 // that the differences span
	running float64 // seconds since the tree's first tick
	window  float64 // seconds of a window
	ledger  capture.Ledger
	ports   []portView
	before  *capture.Kernel // at the beginning of the span; nil when not known
	first   *capture.Kernel // at the beginning of the run; nil when not known
	base    *capture.Snapshot
	cover   coverage
	seen    *observed
	silence silence
	exports []exportView
	// worst is the greatest severity of what holds, for the leaf that says all
	// is well.
	worst Severity
	// explained says that a leaf holds which tells why payload was not read.
	explained bool
	// unlisted counts what found no room among the subjects of a leaf.
	unlisted uint64
}

// portView is one entry of the port table.
type portView struct {
	capture.PortStats                    // over the span
	total             *capture.PortStats // since the start
	seen              *portSeen          // nil when nothing was observed
	did               happenings         // over the span
}

// coverage compares what the kernel says came in with what was captured.
type coverage struct {
	arrived, captured uint64
	known             bool
}

// share returns captured/arrived, at most 1.
func (c coverage) share() float64 {
	if c.arrived == 0 || c.captured >= c.arrived {
		return 1
	}
	return float64(c.captured) / float64(c.arrived)
}

func (p *portView) requests() uint64  { return sum(p.Requests[:]) }
func (p *portView) responses() uint64 { return sum(p.Responses[:]) }
func (p *portView) payload() uint64   { return p.FromClient.Packets + p.FromServer.Packets }

// ended counts requests that came to an end by themselves: those that were cut
// off by the end of the capture are no evidence.
func (p *portView) ended() uint64 {
	return less(p.Answered+p.Unanswered, p.UnansweredBy[capture.ReasonShutdown])
}

// inbound reports whether the server may be local: capture files do not tell.
func (p *portView) inbound() bool { return p.Role != capture.RoleClient }

func (p *portView) subject() Subject {
	s := Subject{Port: p.Port}
	switch p.Role {
	case capture.RoleServer:
		s.Direction = capture.Receive
	case capture.RoleClient:
		s.Direction = capture.Transmit
	case capture.RoleBoth:
		s.Interface = "lo"
	}
	return s
}

// unanswered adds up the requests that ended without a response for one of why.
func (p *portView) unanswered(why ...capture.Reason) (n uint64) {
	for _, r := range why {
		if r == capture.ReasonReset { // without those that no server took: NET-RST-02
			n += less(p.UnansweredBy[r], p.did[idleRace])
			continue
		}
		n += p.UnansweredBy[r]
	}
	return n
}

// way returns the direction of connections as people say it.
func (s Subject) way() string {
	switch {
	case s.Direction == capture.Receive:
		return "inbound"
	case s.Direction == capture.Transmit:
		return "outbound"
	case s.Interface == "lo":
		return "loopback"
	}
	return ""
}

// frames returns how many frames were read in the span.
func (v *view) frames() uint64 { return v.ledger[capture.FramesRead] }

// drops returns what the kernel dropped in the span, and of how many.
func (v *view) drops() (dropped, offered uint64) {
	for i := range v.Snapshot.Source.Rings {
		d, o := v.ring(i)
		dropped, offered = dropped+d, offered+o
	}
	return dropped, offered
}

func (v *view) ring(i int) (dropped, offered uint64) {
	r := v.Snapshot.Source.Rings[i]
	dropped, offered = r.Drops, r.Packets
	if i < len(v.base.Source.Rings) {
		dropped, offered = less(dropped, v.base.Source.Rings[i].Drops), less(offered, v.base.Source.Rings[i].Packets)
	}
	return dropped, offered
}

// grown returns by how much a counter of the kernel grew in the span.
func (v *view) grown(part capture.KernelPart, get func(*capture.Kernel) uint64) (n uint64, known bool) {
	if !v.Kernel.Has(part) || !v.before.Has(part) {
		return 0, false
	}
	return less(get(v.Kernel), get(v.before)), true
}

// device returns by how many packets an interface's counters grew in the span.
func (v *view) device(name string) (packets uint64, known bool) {
	if !v.Kernel.Has(capture.KnownDevices) || !v.before.Has(capture.KnownDevices) {
		return 0, false
	}
	now, then := v.Kernel.Interface(name), v.before.Interface(name)
	if now == nil {
		return 0, false
	}
	n := now.RxPackets + now.TxPackets
	if then != nil {
		n = less(n, then.RxPackets+then.TxPackets)
	}
	return n, true
}

// devices adds up the growth of the interfaces that are captured.
func (v *view) devices() (packets uint64, known bool) {
	if v.Kernel == nil {
		return 0, false
	}
	for i := range v.Kernel.Interfaces {
		if v.captures(v.Kernel.Interfaces[i].Name) {
			n, ok := v.device(v.Kernel.Interfaces[i].Name)
			packets, known = packets+n, known || ok
		}
	}
	return packets, known
}

// captures reports whether the interface of that name is among those asked for.
func (v *view) captures(name string) bool {
	return len(v.Capture.Interfaces) == 0 || slices.Contains(v.Capture.Interfaces, name)
}

// listening returns the ports that others than wiretell listen on, sorted; only
// those that can be reached from outside when reachable is set.
func (v *view) listening(reachable bool) []uint16 {
	var ports []uint16
	for i := range v.Kernel.Listeners {
		l := &v.Kernel.Listeners[i]
		if slices.Contains(v.Capture.OwnPorts, l.Addr.Port) || reachable && l.Loopback() {
			continue
		}
		ports = append(ports, l.Addr.Port)
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// captured counts inbound TCP packets of s: what Tcp.InSegs counts. On loopback
// each packet comes in here, whatever its direction is called.
func captured(s *capture.Snapshot) (n uint64) {
	for i := range s.Interfaces {
		loopback := i < len(s.Source.Interfaces) && s.Source.Interfaces[i].Loopback
		for d := range s.Interfaces[i] {
			if loopback || capture.Direction(d) == capture.Receive {
				for _, t := range s.Interfaces[i][d][capture.TCP] {
					n += t.Packets
				}
			}
		}
	}
	return n
}

// The helpers below build evidence.

func number(key string, n uint64) Evidence   { return Evidence{key, int64(min(n, 1<<63-1))} }
func text(key, s string) Evidence            { return Evidence{key, s} }
func truth(key string, b bool) Evidence      { return Evidence{key, b} }
func seconds(key string, s float64) Evidence { return Evidence{key, round(s)} }
func percent(key string, part, whole uint64) Evidence {
	return Evidence{key, round(100 * ratio(part, whole))}
}

// round keeps three digits after the point above one, and three significant ones below.
func round(f float64) float64 {
	format := byte('g')
	if f >= 100 || f <= -100 {
		format = 'f'
	}
	digits := 3
	if format == 'f' {
		digits = 0
	}
	f, _ = strconv.ParseFloat(strconv.FormatFloat(f, format, digits, 64), 64)
	return f
}

func ratio(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// less returns a-b, 0 when a counter has begun anew.
func less(a, b uint64) uint64 {
	if a < b {
		return 0
	}
	return a - b
}

func sum(ns []uint64) (n uint64) {
	for _, m := range ns {
		n += m
	}
	return n
}

func joinPorts(ports []uint16) string {
	var b strings.Builder
	for i, p := range ports {
		if i == maxListed {
			b.WriteString(", ...")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(int(p)))
	}
	return b.String()
}

// maxListed bounds lists in sentences.
const maxListed = 8
