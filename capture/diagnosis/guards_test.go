package diagnosis

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// nearMiss is a cause that is one step short of a leaf, or the mistake that its
// guard names: the leaf must stay silent.
type nearMiss struct {
	id    string
	what  string
	setup func(*world)
	each  func(*world) // in each window
	last  func(*world) // once, in the last window
}

func nearMisses() []nearMiss {
	return slices.Concat(captureMisses(), trafficMisses(), qualityMisses(), networkMisses(), exportMisses(),
		environmentMisses(), filterKindMisses(), tlsMisses(), meshMisses(), closingMisses(), icmpMisses())
}

func captureMisses() []nearMiss {
	return []nearMiss{
		{id: "PERM-01", what: "the bounding set has it", setup: denied(syscall.EPERM, true, false), each: nothing},
		{id: "PERM-01", what: "another error", setup: denied(syscall.ENODEV, false, false), each: nothing},
		{id: "PERM-02", what: "it is not granted at all", setup: denied(syscall.EPERM, false, false), each: nothing},
		{id: "PERM-02", what: "it is effective", setup: denied(syscall.EPERM, true, true), each: nothing},
		{id: "PERM-02", what: "it is permitted, as by the image's file capability, and was raised", setup: func(w *world) {
			denied(syscall.EPERM, true, false)(w)
			w.kernel.Process.CapPrm = 1 << capture.CapNetRaw
		}, each: nothing},
		{id: "PERM-03", what: "it is not effective", setup: denied(syscall.EACCES, true, false), each: nothing},
		{id: "PERM-04", what: "the call is there and refused", setup: denied(syscall.EPERM, true, true), each: nothing},
		{id: "PERM-05", what: "a larger ring than asked for", setup: func(w *world) { w.facts.RingGot = 16 << 20 }, each: nothing},
		{id: "PERM-06", what: "a matter of permission", setup: denied(syscall.EACCES, true, true), each: nothing},
		{id: "PERM-06", what: "a matter of support", setup: denied(syscall.ENOSYS, true, true), each: nothing},
		{id: "ENV-01", what: "all that was asked for is there", setup: func(w *world) { w.facts.Interfaces = []string{"eth0"} }, each: nothing},
		{id: "ENV-01", what: "what the kernel says now is not known, and nothing was missing at the start", setup: func(w *world) { w.facts.Interfaces = []string{"net1"}; w.kernel.Known &^= capture.KnownLinks }, each: nothing},
		{id: "ENV-01", what: "it went away, which is ENV-02", setup: func(w *world) {
			w.facts.Interfaces = []string{"eth0", "net1"}
			w.addInterfaces("net1")
			w.tick(0)
			w.kernel.Interfaces = w.kernel.Interfaces[:2]
		}, each: (*world).healthy},
		{id: "ENV-03", what: "the application talks over loopback alone", setup: func(w *world) { w.kernel.Interface("eth0").Up = false }, each: func(w *world) { w.requests(8080, capture.RoleBoth, 1) }},
		{id: "ENV-03", what: "links are not known", setup: func(w *world) { w.kernel.Known &^= capture.KnownLinks; w.kernel.Interfaces = w.kernel.Interfaces[:1] }, each: nothing},
		{id: "ENV-06", what: "connections that came later", each: func(w *world) {
			w.healthy()
			w.kernel.Sockets[capture.SocketEstablished] = 3
			w.kernel.Established = []capture.SocketPair{{Local: endpoint("10.0.0.1:8080"), Remote: endpoint("10.0.0.2:5000")}}
		}},
		{id: "NONE-01", what: "drops are packets too", each: func(w *world) { w.snap.Source.Rings[1].Drops += 5; w.snap.Source.Rings[1].Packets += 5 }},
		{id: "NONE-01", what: "one frame", each: nothing, last: func(w *world) { w.frames(eth0, capture.FrameARP, 1) }},
		{id: "NONE-02", what: "a few packets between two readings", each: func(w *world) { w.device("eth0", 9); w.kernel.TCP.InSegs += 9 }},
		{id: "NONE-02", what: "dropped, not hidden", each: func(w *world) { w.device("eth0", 900); w.snap.Source.Rings[1].Drops += 900 }},
		{id: "NONE-02", what: "on an interface that is not captured", setup: func(w *world) { w.facts.Interfaces = []string{"net9"} }, each: func(w *world) { w.device("eth0", 900); w.kernel.TCP.InSegs += 900 }},
		{id: "NONE-03", what: "less than on the captured one", setup: func(w *world) { w.facts.Interfaces = []string{"eth0"} }, each: func(w *world) { w.healthy(); w.device("lo", 199) }},
		{id: "NONE-03", what: "everything is captured", each: func(w *world) { w.device("lo", 5000) }},
		{id: "NONE-04", what: "pings over IPv6", each: func(w *world) { w.icmpv6(135, 2); w.icmpv6(128, 5); w.icmpv6(129, 5) }},
		{id: "NONE-04", what: "fragments that never became whole", each: func(w *world) { w.icmpv6(135, 2); w.frames(eth0, capture.FragmentsExpired, 5) }},
		{id: "NONE-04", what: "one datagram", each: func(w *world) { w.frames(eth0, capture.FrameARP, 8); w.frames(eth0, capture.FrameUDP, 1) }},
		{id: "NONE-05", what: "one segment of somebody else", each: func(w *world) { w.frames(eth0, capture.FrameOwnExport, 80); w.frames(eth0, capture.FrameTCP, 1) }},
		{id: "NONE-06", what: "one request of a user", each: func(w *world) { w.requests(8080, capture.RoleServer, 30).Probes += 29 }},
		{id: "NONE-06", what: "payload on another inbound port", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 30).Probes += 30
			w.unparsed(9000, capture.TCP, capture.RoleServer, capture.ReasonUnknownProtocol, 2)
		}},
		{id: "NONE-07", what: "a listener on loopback", setup: func(w *world) { w.listen("127.0.0.1:8080") }, each: nothing},
		{id: "NONE-07", what: "a program that only connects out", setup: func(w *world) { w.listen() }, each: func(w *world) { w.requests(443, capture.RoleClient, 1) }},
		{id: "NONE-07", what: "sockets are not known", setup: func(w *world) { w.listen(); w.kernel.Known &^= capture.KnownSockets }, each: nothing},
		{id: "NONE-08", what: "TCP as well", setup: func(w *world) { w.kernel.UnixListening = 3 }, each: nothing},
		{id: "NONE-09", what: "one connection at the beginning", setup: func(w *world) { w.requests(8080, capture.RoleServer, 1) }, each: func(w *world) { w.requests(443, capture.RoleClient, 5) }},
		{id: "NONE-09", what: "loopback only", setup: func(w *world) { w.listen("127.0.0.1:8080", "[::1]:8081") }, each: func(w *world) { w.requests(443, capture.RoleClient, 5) }},
		{id: "NONE-09", what: "a mesh's proxy only", setup: func(w *world) { w.listen("127.0.0.1:8080", "[::]:4140", "[::]:4143") }, each: func(w *world) { w.requests(443, capture.RoleClient, 5) }},
		{id: "NONE-09", what: "no other traffic", each: nothing},
		{id: "NONE-09", what: "connections that the filter leaves out", each: func(w *world) {
			w.frames(eth0, capture.FrameFiltered, 5)
			w.port(8080, capture.TCP, capture.RoleServer).Filtered.Add(5, 500)
		}},
		{id: "NONE-10", what: "payload at the beginning", setup: func(w *world) { w.requests(8080, capture.RoleServer, 1) }, each: func(w *world) { w.frames(eth0, capture.FrameTCP, 6) }},
		{id: "NONE-11", what: "a run that goes on", each: nothing},
	}
}

func trafficMisses() []nearMiss {
	filter := func(w *world) { w.facts.FilterExpr = "tcp port 81" }
	out := func(w *world, n uint64) {
		w.frames(eth0, capture.FrameFiltered, n)
		w.port(8080, capture.TCP, capture.RoleServer).Filtered.Add(int(n), int(100*n))
	}
	return []nearMiss{
		{id: "FILT-01", what: "no filter", each: func(w *world) { out(w, 90) }},
		{id: "FILT-01", what: "one packet matches", setup: filter, each: func(w *world) { out(w, 90); w.frames(eth0, capture.FrameTCP, 1) }},
		{id: "FILT-01", what: "only a handful was left out", setup: filter, each: func(w *world) { out(w, 4) }},
		{id: "FILT-01", what: "what was left out is UDP", setup: filter, each: func(w *world) {
			w.frames(eth0, capture.FrameFiltered, 90)
			w.port(53, capture.UDP, capture.RoleClient).Filtered.Add(90, 9000)
		}},
		{id: "FILT-02", what: "a listener on loopback", setup: func(w *world) { w.facts.FilterPorts = []uint16{6060}; w.listen("127.0.0.1:6060") }, each: (*world).healthy},
		{id: "FILT-02", what: "nobody listens at all", setup: func(w *world) { w.facts.FilterPorts = []uint16{80}; w.listen() }, each: (*world).healthy},
		{id: "DIR-01", what: "too few to say", each: func(w *world) { w.snap.Interfaces[eth0][capture.Receive][capture.TCP][capture.IPv4].Packets += 19 }},
		{id: "DIR-01", what: "drops hide the other direction", each: func(w *world) {
			w.snap.Interfaces[eth0][capture.Receive][capture.TCP][capture.IPv4].Packets += 90
			w.snap.Source.Rings[1].Drops++
		}},
		{id: "DIR-01", what: "packets come by one interface and leave by another", each: func(w *world) {
			w.payload(w.port(8080, capture.TCP, capture.RoleServer), 40)
			w.snap.Interfaces[eth0][capture.Transmit] = [capture.NumTransports][capture.NumNetworks]capture.Tally{}
		}},
		{id: "DIR-01", what: "the filter leaves out other connections", setup: func(w *world) { w.facts.FilterExpr = "port 8080 and host 10.0.0.9" }, each: func(w *world) {
			w.unanswered(8080, capture.ReasonTimedOut, 9).Filtered.Add(90, 9000)
		}},
		{id: "DIR-01", what: "the filter leaves out parts of both sides", setup: func(w *world) { w.facts.FilterExpr = "greater 300" }, each: func(w *world) {
			p := w.unanswered(8080, capture.ReasonGap, 9)
			p.FilteredWithin[capture.Client]++
			p.FilteredWithin[capture.Server]++
		}},
		{id: "DIR-01", what: "the server was heard", setup: func(w *world) { w.facts.FilterExpr = "greater 300" }, each: func(w *world) {
			w.requests(8080, capture.RoleServer, 9).FilteredWithin[capture.Server]++
		}},
		{id: "DIR-01", what: "one of the connections has both sides", each: func(w *world) {
			w.unanswered(8080, capture.ReasonTimedOut, 9).OneWay[capture.Client] += 8
		}},
		{id: "DIR-01", what: "the other side may answer yet", each: func(w *world) {
			p := w.port(8080, capture.TCP, capture.RoleServer)
			p.FromClient = capture.Tally{Packets: 4, Bytes: 400}
			p.Conns, p.OneWay[capture.Client] = 4, 4
		}},
		{id: "DIR-01", what: "loopback has one direction", each: func(w *world) { w.snap.Interfaces[lo][capture.Receive][capture.TCP][capture.IPv4].Packets += 90 }},
		{id: "DIR-02", what: "two requests", each: func(w *world) { w.unanswered(8080, capture.ReasonTimedOut, 2) }},
		{id: "DIR-02", what: "lost by the capture", each: func(w *world) { w.unanswered(8080, capture.ReasonGap, 20) }},
		{id: "DIR-02", what: "cut off by the end of the run", each: func(w *world) { w.unanswered(8080, capture.ReasonShutdown, 20) }},
		{id: "DIR-02", what: "two clients gave up", each: func(w *world) { w.healthy(); w.giveUp(2) }},
		{id: "DIR-02", what: "that met the end of an idle connection", each: func(w *world) {
			w.unanswered(8080, capture.ReasonReset, 4)
			for range 4 {
				w.tree.Observe(&capture.ConnReset{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer, Race: true}, By: capture.Server, Phase: capture.PhaseRequest})
			}
		}},
		{id: "DIR-02", what: "upgraded", each: func(w *world) { w.unanswered(8080, capture.ReasonUpgraded, 20) }},
		{id: "DIR-03", what: "silence", each: func(w *world) { w.unanswered(8080, capture.ReasonTimedOut, 20) }},
		{id: "DIR-04", what: "the server was silent", each: func(w *world) { w.unanswered(8080, capture.ReasonReset, 20).Gaps++ }},
		{id: "DIR-09", what: "before the end", each: func(w *world) { w.unanswered(8080, capture.ReasonShutdown, 20) }},
		{id: "DIR-05", what: "two of them", each: func(w *world) { w.healthy(); w.port(8080, capture.TCP, capture.RoleServer).Orphans += 2 }},
		{id: "DIR-06", what: "two of them", each: func(w *world) {
			w.healthy()
			for range 2 {
				w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Error: capture.ReasonResponseTruncated})
			}
		}},
		{id: "DIR-06", what: "reset before the response began is no cut", each: func(w *world) {
			w.healthy()
			for range 9 {
				w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Error: capture.ReasonReset})
			}
		}},
		{id: "TLS-01", what: "outbound", each: func(w *world) { w.hello(443, capture.RoleClient, "a.example") }},
		{id: "TLS-02", what: "inbound", each: func(w *world) { w.hello(8443, capture.RoleServer, "a.example") }},
		{id: "TLS-03", what: "the handshake was seen", each: func(w *world) { w.hello(8443, capture.RoleServer, "a.example") }},
		{id: "TLS-03", what: "the handshake was seen long ago", setup: func(w *world) { w.hello(8443, capture.RoleServer, "a.example") }, each: func(w *world) { w.unparsed(8443, capture.TCP, capture.RoleServer, capture.ReasonTLS, 50) }},
		{id: "TLS-03", what: "a single record", each: func(w *world) { w.unparsed(8443, capture.TCP, capture.RoleServer, capture.ReasonTLS, 2) }},
		{id: "QUIC-01", what: "other datagrams", each: func(w *world) { w.unparsed(443, capture.UDP, capture.RoleClient, capture.ReasonUDP, 90) }},
		{id: "QUIC-01", what: "two datagrams", each: func(w *world) { w.unparsed(443, capture.UDP, capture.RoleClient, capture.ReasonQUIC, 2) }},
		{id: "H2-01", what: "unknown bytes", each: func(w *world) { w.unparsed(50051, capture.TCP, capture.RoleServer, capture.ReasonUnknownProtocol, 90) }},
		{id: "UPG-01", what: "bytes that lost their place", each: func(w *world) { w.unparsed(8080, capture.TCP, capture.RoleServer, capture.ReasonDesync, 90) }},
		{id: "PROTO-03", what: "a minority of the port", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 50)
			w.unparsed(8080, capture.TCP, capture.RoleServer, capture.ReasonUnknownProtocol, 40)
			w.payload(w.port(8080, capture.TCP, capture.RoleServer), 50)
		}},
		{id: "PROTO-03", what: "port 0 is nobody's", each: func(w *world) { w.unparsed(0, capture.TCP, capture.RoleUnknown, capture.ReasonUnknownProtocol, 90) }},
		{id: "H2-01", what: "the ports beyond the bound, counted together", each: func(w *world) {
			w.unparsed(0, capture.TCP, capture.RoleServer, capture.ReasonHTTP2, 90).Overflow = true
		}},
		{id: "PROTO-03", what: "UDP", each: func(w *world) { w.unparsed(9000, capture.UDP, capture.RoleServer, capture.ReasonUnknownProtocol, 90) }},
		{id: "PROTO-04", what: "messages are read again", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 50)
			w.unparsed(8080, capture.TCP, capture.RoleServer, capture.ReasonJoinedMidstream, 30)
		}},
		{id: "LINK-01", what: "a minority", each: func(w *world) { w.healthy(); w.frames(eth0, capture.FrameMalformedIP, 199) }},
		{id: "FRAG-01", what: "fragments that became whole", each: func(w *world) { w.healthy(); w.frames(eth0, capture.FragmentsReassembled, 90) }},
		{id: "FRAG-01", what: "one in twenty, less one", each: func(w *world) { w.requests(8080, capture.RoleServer, 50); w.frames(eth0, capture.FragmentsExpired, 10) }},
		{id: "PROTO-05", what: "another leaf is more exact", each: func(w *world) { w.unparsed(9000, capture.TCP, capture.RoleServer, capture.ReasonUnknownProtocol, 9) }},
		{id: "PROTO-05", what: "one message was read", setup: func(w *world) { w.requests(8080, capture.RoleServer, 1) }, each: func(w *world) { w.payload(w.port(9000, capture.TCP, capture.RoleServer), 3) }},
		{id: "HTTP-01", what: "two errors", each: func(w *world) {
			w.healthy()
			w.port(8080, capture.TCP, capture.RoleServer).ParseErrors[capture.ReasonBadHeader] += 2
		}},
	}
}

func qualityMisses() []nearMiss {
	return []nearMiss{
		{id: "QUAL-01", what: "less than a thousandth", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 500)
			w.snap.Source.Rings[1].Drops++
			w.snap.Source.Rings[1].Packets++
		}},
		{id: "QUAL-02", what: "throttled without harm", each: func(w *world) { w.healthy(); w.kernel.CGroup.Periods += 100; w.kernel.CGroup.ThrottledPeriods += 90 }},
		{id: "QUAL-02", what: "harm without throttling", each: func(w *world) {
			w.healthy()
			w.kernel.CGroup.Periods += 100
			w.kernel.CGroup.ThrottledPeriods += 9
			w.snap.LagMax = 5e8
		}},
		{id: "QUAL-03", what: "many made, none lost", each: func(w *world) { w.healthy(); w.snap.Ledger[capture.ObservationsMade] += 1 << 20 }},
		{id: "QUAL-04", what: "below a second", each: func(w *world) { w.healthy(); w.snap.LagMax = 999e6 }},
		{id: "QUAL-04", what: "the clock stepped", each: func(w *world) { w.healthy(); w.snap.LagMax = 60e9; w.snap.ClockSteps++ }},
		{id: "QUAL-05", what: "one percent", each: func(w *world) { w.requests(8080, capture.RoleServer, 495); w.kernel.TCP.InSegs += 10 }},
		{id: "QUAL-05", what: "too few to say", each: func(w *world) { w.requests(8080, capture.RoleServer, 100); w.kernel.TCP.InSegs += 100 }},
		{id: "QUAL-05", what: "not all interfaces are captured", setup: func(w *world) { w.facts.Interfaces = []string{"eth0"} }, each: func(w *world) { w.requests(8080, capture.RoleServer, 500); w.kernel.TCP.InSegs += 500 }},
		{id: "QUAL-05", what: "the ring dropped them, and says so", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 500)
			w.kernel.TCP.InSegs += 500
			w.snap.Source.Rings[1].Drops += 500
			w.snap.Source.Rings[1].Packets += 500
		}},
		{id: "QUAL-06", what: "large frames that are whole", each: (*world).healthy},
		{id: "QUAL-07", what: "two gaps", each: func(w *world) { w.healthy(); w.snap.Ledger[capture.Gaps] += 2; w.snap.Ledger[capture.GapBytes] += 1000 }},
		{id: "QUAL-07", what: "the kernel dropped", each: func(w *world) {
			w.healthy()
			w.snap.Ledger[capture.Gaps] += 9
			w.snap.Ledger[capture.GapBytes] += 1000
			w.snap.Source.Rings[1].Drops++
		}},
		{id: "QUAL-07", what: "one byte in ten thousand, less one", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 50000)
			w.snap.Ledger[capture.Gaps] += 9
			w.snap.Ledger[capture.GapBytes] += 999
		}},
		{id: "QUAL-08", what: "the kernel dropped nothing", each: func(w *world) { w.healthy(); w.snap.Ledger[capture.Gaps] += 9; w.snap.Ledger[capture.GapBytes] += 1000 }},
		{id: "QUAL-09", what: "stored and handed on", each: func(w *world) { w.healthy(); w.snap.Ledger[capture.SegmentDelayed] += 900 }},
		{id: "QUAL-10", what: "idle connections", each: func(w *world) { w.healthy(); w.snap.Ledger[capture.ConnsTimedOut] += 900 }},
		{id: "QUAL-12", what: "no limit", setup: func(w *world) { w.kernel.CGroup = capture.CGroupFacts{Version: 2, MemoryCurrent: 1 << 40} }, each: (*world).healthy},
		{id: "QUAL-12", what: "85 percent less one byte", setup: func(w *world) { w.kernel.CGroup.MemoryMax = 2000; w.kernel.CGroup.MemoryCurrent = 1699 }, each: (*world).healthy},
	}
}

func networkMisses() []nearMiss {
	retry := func(server string, role capture.Role, why capture.Reason, clients ...string) func(*world) {
		return func(w *world) {
			w.healthy()
			for _, c := range clients {
				w.tree.Observe(&capture.ConnFailed{Conn: capture.Conn{Client: endpoint(c), Server: endpoint(server), Role: role}, Why: why, Attempts: 1})
			}
		}
	}
	return []nearMiss{
		{id: "NET-SYN-01", what: "refused is an answer", each: retry("10.9.9.9:1", capture.RoleClient, capture.ReasonRefused, "10.0.0.1:5")},
		{id: "NET-SYN-01", what: "the client does not finish the handshake", each: func(w *world) {
			w.healthy()
			for _, cause := range []capture.Cause{capture.CauseUnfinished, capture.CauseSYNACKUnanswered} {
				w.tree.Observe(&capture.ConnFailed{Conn: capture.Conn{Client: endpoint("10.0.0.1:5"), Server: endpoint("10.9.9.9:1"), Role: capture.RoleClient}, Why: capture.ReasonTimedOut, Cause: cause, Attempts: 1})
			}
		}},
		{id: "NET-SYN-01", what: "inbound", each: retry("10.0.0.1:81", capture.RoleServer, capture.ReasonTimedOut, "10.0.0.9:5")},
		{id: "NET-SYN-02", what: "once in a window", each: retry("10.9.9.9:1", capture.RoleClient, capture.ReasonRefused, "10.0.0.1:5")},
		{id: "NET-SYN-03", what: "no answer", each: retry("10.9.9.9:1", capture.RoleClient, capture.ReasonTimedOut, "10.0.0.1:5")},
		{id: "NET-SYN-04", what: "probes while the application starts", each: nothing, last: func(w *world) {
			starting := func(w *world) { w.healthy(); w.fail("10.0.0.1:81", capture.RoleServer, capture.ReasonRefused, 1, 9) }
			w.run(2, starting)
			w.listen("[::]:8080", "[::]:81")
			w.run(1, starting)
			w.listen("[::]:8080")
			w.run(2, starting)
		}},
		{id: "NET-SYN-04", what: "each of them once", each: nothing, last: func(w *world) {
			retry("10.0.0.1:81", capture.RoleServer, capture.ReasonRefused, "10.0.0.7:5", "10.0.0.8:5", "10.0.0.9:5", "10.0.0.10:5")(w)
		}},
		{id: "NET-SYN-04", what: "somebody listens by now", each: func(w *world) { w.healthy(); w.fail("10.0.0.1:8080", capture.RoleServer, capture.ReasonRefused, 1, 9) }},
		{id: "NET-SYN-05", what: "another socket listens on all addresses", setup: func(w *world) { w.listen("127.0.0.1:9000", "10.0.0.1:9000") }, each: func(w *world) { w.healthy(); w.fail("10.0.0.1:9000", capture.RoleServer, capture.ReasonRefused, 1, 9) }},
		{id: "NET-SYN-05", what: "nobody listens", each: func(w *world) { w.healthy(); w.fail("10.0.0.1:9000", capture.RoleServer, capture.ReasonRefused, 1, 9) }},
		{id: "NET-DNS-01", what: "the search path", each: func(w *world) {
			w.healthy()
			for i, name := range []string{"db.shop.svc.cluster.local", "db.svc.cluster.local", "web.shop.svc.cluster.local", "web.svc.cluster.local", "a.b"} {
				w.lookup(second*capture.Time(i), "10.0.0.9", name, capture.RCodeNXDomain)
			}
			w.lookup(5*second, "10.0.0.9", "db", capture.RCodeNoError)
			w.lookup(5*second, "10.0.0.9", "web", capture.RCodeNoError)
		}},
		{id: "NET-DNS-01", what: "the next server answers", each: func(w *world) {
			w.healthy()
			for i, name := range []string{"a.example", "b.example", "c.example"} {
				w.lookup(second*capture.Time(i), "10.0.0.9", name, noAnswer)
				w.lookup(second*capture.Time(i)+second/8, "10.0.0.9", name, capture.RCodeNoError).Server = endpoint("10.96.0.11:53")
			}
		}},
		{id: "NET-DNS-01", what: "another server's wrong questions", each: func(w *world) {
			w.healthy()
			for i := range capture.Time(9) {
				w.tree.Observe(&capture.DNSLookup{At: w.now + i*7*second/2, Client: endpoint("10.0.0.3:5"), Server: endpoint("10.0.0.1:53"), Role: capture.RoleServer, Name: []byte("x"), Answered: true, RCode: 3})
			}
		}},
		{id: "NET-DNS-01", what: "no record of one type", each: func(w *world) {
			w.healthy()
			for i := range capture.Time(9) {
				w.lookup(i*second, "10.0.0.9", "v4only.example", capture.RCodeNoError).NoData = true
			}
		}},
		{id: "NET-SYN-06", what: "overflows of the past", setup: func(w *world) { w.kernel.TCPExt.ListenOverflows = 1 << 30 }, each: (*world).healthy},
	}
}

func exportMisses() []nearMiss {
	other := func(id, what string, set func(*world)) nearMiss {
		return nearMiss{id: id, what: what, setup: set, each: (*world).healthy}
	}
	return []nearMiss{
		other("EXP-01", "it answers, and refuses", failing("403", "forbidden", "http/protobuf")),
		other("EXP-01", "it answers, and throttles", failing("503", "overloaded", "http/protobuf")),
		other("EXP-01", "it works", func(w *world) { failing("", "old error", "grpc")(w); w.exports[0].Failing = false }),
		other("EXP-02", "unreachable on the usual port of the other protocol", failing("", "dial tcp 10.0.0.7:4318: connect: connection refused", "grpc")),
		other("EXP-02", "an HTTP port that refuses HTTP", failing("404", "HTTP/1.1 404 Not Found", "http/protobuf")),
		other("EXP-03", "unavailable", failing("Unavailable", "no children to pick from", "grpc")),
		other("EXP-04", "unreachable", failing("", "connection refused", "grpc")),
		other("EXP-04", "rejected in the past only", func(w *world) {
			w.exports = []ExportHealth{{Exporter: "otlp", Signal: "logs", Rejected: 5}}
			w.tick(0)
			w.tick(30e9)
		}),
		other("EXP-05", "dropped in the past only", func(w *world) {
			w.exports = []ExportHealth{{Exporter: "otlp", Signal: "logs", Dropped: map[string]uint64{"age": 5}}}
			w.tick(0)
			w.tick(30e9)
		}),
		other("SELF-01", "the application's export to the same collector", func(w *world) { w.requests(4318, capture.RoleClient, 50) }),
		other("CLK-01", "times in order", nothing),
		other("REC-01", "files are deleted at a bound", func(w *world) {
			w.snap.Recording.Files[capture.RecordingWritten] += 7
			w.snap.Recording.Files[capture.RecordingDeleted] += 7
		}),
		other("REC-02", "files end early", func(w *world) {
			w.snap.Recording.Files[capture.RecordingWritten] += 7
			w.snap.Recording.Ended += 7
		}),
		other("CARD-01", "many ports, all told apart", func(w *world) {
			for p := range uint16(200) {
				w.port(10000+p, capture.TCP, capture.RoleServer)
			}
		}),
		{id: "CARD-01", what: "series folded before the window, and none since", setup: func(w *world) {
			w.exports = []ExportHealth{{Exporter: "otlp", Signal: "metrics", Overflow: 900}}
		}, each: (*world).healthy},
		{id: "SELF-02", what: "no exporter makes spans", setup: func(w *world) {
			w.exports = []ExportHealth{{Exporter: "text", Signal: "traces"}}
		}, each: (*world).healthy},
		{id: "SELF-03", what: "the endpoint listens", setup: func(w *world) {
			w.facts.Endpoint, w.facts.OwnPorts = "127.0.0.1:19464", []uint16{19464}
		}, each: (*world).healthy},
		{id: "OK-00", what: "nothing but connections", each: func(w *world) { w.frames(eth0, capture.FrameTCP, 50); w.snap.Ledger[capture.BytesSeen]++ }},
		{id: "OK-00", what: "two in a hundred are not answered", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 98)
			w.unanswered(8080, capture.ReasonTimedOut, 2)
		}},
		{id: "OK-00", what: "one in a thousand is not answered", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 999)
			w.unanswered(8080, capture.ReasonClosed, 1)
		}},
		{id: "OK-00", what: "one in a thousand meets the end of an idle connection", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 999)
			w.unanswered(8080, capture.ReasonReset, 1)
			w.tree.Observe(&capture.ConnReset{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer, Race: true}, By: capture.Server, Phase: capture.PhaseRequest})
		}},
		{id: "OK-00", what: "one response on another port is cut by a reset", each: func(w *world) {
			w.healthy()
			w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.7:5000"), Role: capture.RoleClient}, Status: 200, Error: capture.ReasonReset})
		}},
		{id: "OK-00", what: "one response stalls", each: func(w *world) {
			w.healthy()
			w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Status: 200, Error: capture.ReasonTimedOut})
		}},
		{id: "OK-00", what: "connects from outside get no answer", each: func(w *world) {
			w.healthy()
			w.fail("10.0.0.1:8080", capture.RoleServer, capture.ReasonTimedOut, 3, 3)
		}},
		{id: "OK-00", what: "requests are answered while packets are dropped", each: func(w *world) {
			w.healthy()
			w.snap.Source.Rings[1].Drops += 50
			w.snap.Source.Rings[1].Packets += 50
		}},
	}
}

// TestNearMisses lets each go on for eight windows.
func TestNearMisses(t *testing.T) {
	have := map[string]bool{}
	for _, m := range nearMisses() {
		have[m.id] = true
		t.Run(m.id+"/"+m.what, func(t *testing.T) {
			w := newWorld(t)
			if m.setup != nil {
				m.setup(w)
			}
			w.run(7, m.each)
			if m.last != nil {
				if m.id == "NONE-01" {
					w = newWorld(t) // one frame in every other window
					w.run(1, m.each)
					w.run(1, m.last)
					w.run(1, m.each)
				} else {
					w.run(1, m.last)
				}
			} else {
				w.run(1, m.each)
			}
			w.never(m.id)
		})
	}
	for _, l := range Leaves() {
		if !have[l.ID] {
			t.Errorf("leaf %s has no near miss", l.ID)
		}
	}
}

// TestThresholdsAreExact raises a leaf at its threshold and not below.
func TestThresholdsAreExact(t *testing.T) {
	for _, c := range []struct {
		id string
		at uint64
		do func(*world, uint64)
	}{
		{"DIR-02", 3, func(w *world, n uint64) { w.unanswered(8080, capture.ReasonTimedOut, n) }},
		{"DIR-03", 3, func(w *world, n uint64) { w.unanswered(8080, capture.ReasonBadStartLine, n) }},
		{"DIR-04", 3, func(w *world, n uint64) { w.unanswered(8080, capture.ReasonTruncated, n) }},
		{"HTTP-01", 3, func(w *world, n uint64) {
			w.healthy()
			w.port(8080, capture.TCP, capture.RoleServer).ParseErrors[capture.ReasonBadChunk] += n
		}},
		{"PROTO-03", 5, func(w *world, n uint64) {
			w.unparsed(9000, capture.TCP, capture.RoleServer, capture.ReasonUnknownProtocol, n)
		}},
		{"TLS-03", 3, func(w *world, n uint64) { w.unparsed(9000, capture.TCP, capture.RoleServer, capture.ReasonTLS, n) }},
		{"QUAL-07", 3, func(w *world, n uint64) {
			w.healthy()
			w.snap.Ledger[capture.Gaps] += n
			w.snap.Ledger[capture.GapBytes] += 1000
		}},
		{"NET-SYN-02", 2, func(w *world, n uint64) {
			w.healthy()
			w.fail("10.9.9.9:1", capture.RoleClient, capture.ReasonRefused, 1, int(n))
		}},
		{"NET-SYN-04", 3, func(w *world, n uint64) {
			w.healthy()
			w.fail("10.0.0.1:81", capture.RoleServer, capture.ReasonRefused, 1, int(n))
		}},
		{"NET-DNS-01", 2, func(w *world, n uint64) {
			w.healthy()
			for i := range n {
				w.lookup(0, "10.0.0.9", string(rune('a'+i))+".example", capture.RCodeServFail)
			}
		}},
		{"NONE-02", 10, func(w *world, n uint64) { w.device("eth0", n) }},
		{"NONE-06", 3, func(w *world, n uint64) { w.requests(8080, capture.RoleServer, n).Probes += n }},
		{"FILT-01", 5, func(w *world, n uint64) {
			w.facts.FilterExpr = "port 1"
			w.frames(eth0, capture.FrameFiltered, n)
			w.port(8080, capture.TCP, capture.RoleServer).Filtered.Add(int(n), 0)
		}},
	} {
		for _, n := range []uint64{c.at - 1, c.at} {
			t.Run(fmt.Sprintf("%s/%d", c.id, n), func(t *testing.T) {
				w := newWorld(t)
				w.run(4, func(w *world) { c.do(w, n) })
				if _, held := w.held(c.id); held != (n == c.at) {
					t.Errorf("held %v", held)
				}
			})
		}
	}
}

// TestSubjectsOfRoles: the same on loopback, inbound, outbound and in a file.
func TestSubjectsOfRoles(t *testing.T) {
	for role, want := range map[capture.Role]Subject{
		capture.RoleServer:  {Port: 9000, Direction: capture.Receive},
		capture.RoleClient:  {Port: 9000, Direction: capture.Transmit},
		capture.RoleBoth:    {Port: 9000, Interface: "lo"},
		capture.RoleUnknown: {Port: 9000},
	} {
		w := newWorld(t)
		w.run(1, func(w *world) { w.unparsed(9000, capture.TCP, role, capture.ReasonUnknownProtocol, 20) })
		f, held := w.held("PROTO-03")
		if !held || f.Subject != want {
			t.Errorf("%s: held %v, subject %+v, want %+v", role, held, f.Subject, want)
		}
		failed := newWorld(t)
		failed.run(1, func(w *world) { w.fail("10.9.9.9:9000", role, capture.ReasonTimedOut, 3, 1) })
		f, held = failed.held("NET-SYN-01")
		if held == (role == capture.RoleServer) {
			t.Errorf("%s: NET-SYN-01 held %v", role, held)
		}
		if want.Peer = netip.MustParseAddr("10.9.9.9"); held && f.Subject != want {
			t.Errorf("%s: subject %+v, want %+v", role, f.Subject, want)
		}
	}
}
