package diagnosis

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// fixture is a cause that raises exactly one leaf.
type fixture struct {
	id      string
	also    []string // leaves that the same cause rightly raises beside it
	windows int      // that it takes; the leaf's own number when 0
	setup   func(*world)
	cause   func(*world) // in each window
	cure    func(*world) // in each window afterwards; healthy traffic when nil
	undo    func(*world) // once, before the cure
	ends    bool         // raised at the end alone, a quarter of a second after the start
	quiet   bool         // the cure proves nothing: the leaf holds on for a while
	subject Subject
	want    map[string]any // evidence, by key
	file    func(*world)   // what makes the cause in a file, when it is not cause
	// alsoFile are leaves that hold beside it in a file, where windows do not count.
	alsoFile []string
}

func inbound(port uint16) Subject  { return Subject{Port: port, Direction: capture.Receive} }
func outbound(port uint16) Subject { return Subject{Port: port, Direction: capture.Transmit} }

func denied(err error, bounding, effective bool) func(*world) {
	return func(w *world) {
		w.facts.Err = fmt.Errorf("open packet socket: %w", err)
		p := &w.kernel.Process
		p.CapBnd, p.CapEff, p.CapPrm = 0, 0, 0
		if bounding {
			p.CapBnd = 1 << capture.CapNetRaw
		}
		if effective {
			p.CapEff, p.CapPrm = 1<<capture.CapNetRaw, 1<<capture.CapNetRaw
		}
	}
}

func permitted(w *world) {
	w.facts.Err = nil
	w.kernel.Process.CapBnd, w.kernel.Process.CapEff = 1<<capture.CapNetRaw, 1<<capture.CapNetRaw
}

func nothing(*world) {}

func failing(status, message, protocol string) func(*world) {
	return func(w *world) {
		w.exports = []ExportHealth{{Exporter: "otlp", Signal: "traces", Endpoint: "collector:4317", Protocol: protocol, Failing: true, FailingAt: w.now - 60*second, LastError: message, LastStatus: status, Queued: 7}}
	}
}

func exportsAgain(w *world) { w.exports[0].Failing = false }

func (w *world) hello(port uint16, role capture.Role, name string) {
	p := w.unparsed(port, capture.TCP, role, capture.ReasonTLS, 10)
	p.ClientHellos++
	p.ServerHellos++
	w.tree.Observe(&capture.TLSHello{Conn: capture.Conn{Server: capture.Endpoint{Port: port}, Role: role}, From: capture.Client, Version: 0x0303, SNI: []byte(name), ALPN: []byte("h2,http/1.1")})
	w.tree.Observe(&capture.TLSHello{Conn: capture.Conn{Server: capture.Endpoint{Port: port}, Role: role}, From: capture.Server, Version: 0x0304})
}

// fixtures has at least one per leaf, in the table's order.
func fixtures() []fixture {
	return slices.Concat(permissionFixtures(), nothingFixtures(), filterFixtures(), directionFixtures(), unparsedFixtures(), qualityFixtures(), networkFixtures(), exportFixtures(),
		environmentFixtures(), moreFilterFixtures(), pairingFixtures(), tlsFixtures(), protocolFixtures(), captureFixtures(), meshFixtures(), closingFixtures(), icmpFixtures(), moreExportFixtures())
}

func permissionFixtures() []fixture {
	return []fixture{
		{id: "PERM-01", setup: denied(syscall.EPERM, false, false), cause: nothing, undo: permitted, want: map[string]any{"cap_bounding": "0000000000000000", "uid": int64(65532)}},
		{id: "PERM-02", setup: denied(syscall.EPERM, true, false), cause: nothing, undo: permitted, want: map[string]any{"cap_bounding": "0000000000002000", "cap_effective": "0000000000000000"}},
		{id: "PERM-03", setup: denied(syscall.EACCES, true, true), cause: nothing, undo: permitted, want: map[string]any{"seccomp": int64(2)}},
		{id: "PERM-04", setup: denied(syscall.EAFNOSUPPORT, true, true), cause: nothing, undo: permitted, want: map[string]any{"error": "open packet socket: address family not supported by protocol"}},
		{id: "PERM-05", setup: func(w *world) { w.facts.RingGot = 1 << 20 }, cause: (*world).healthy, undo: func(w *world) { w.facts.RingGot = 8 << 20 },
			want: map[string]any{"asked_bytes": int64(8 << 20), "got_bytes": int64(1 << 20)}},
		{id: "PERM-06", setup: denied(syscall.ENODEV, true, true), cause: nothing, undo: permitted, want: map[string]any{"error": "open packet socket: no such device"},
			file: func(w *world) { w.facts.Err = fmt.Errorf("read file: record 3 is cut") }},
		{id: "ENV-01", windows: 1, setup: func(w *world) { w.facts.Interfaces, w.facts.Missing = []string{"eth0", "net1"}, []string{"net1"} }, cause: (*world).healthy,
			undo: func(w *world) { w.addInterfaces("net1") }, subject: Subject{Interface: "net1"}, want: map[string]any{"present": "eth0, lo"}},
		{id: "ENV-03", setup: func(w *world) { w.kernel.Interface("eth0").Up = false }, cause: func(w *world) { w.frames(lo, capture.FrameTCP, 4) }, undo: func(w *world) { w.kernel.Interface("eth0").Up = true },
			want: map[string]any{"lost": false, "down": "eth0"}},
		{id: "ENV-03", setup: func(w *world) { w.kernel.Interface("eth0").Up = false }, cause: func(w *world) { w.frames(lo, capture.FrameTCP, 4) },
			cure: func(w *world) { w.requests(8080, capture.RoleBoth, 50) }, want: map[string]any{"lost": false}},
		{id: "ENV-06", also: []string{"OK-00"}, windows: 1, setup: func(w *world) {
			w.kernel.Sockets[capture.SocketEstablished] = 2
			w.kernel.Established = []capture.SocketPair{{Local: endpoint("10.0.0.1:8080"), Remote: endpoint("10.0.0.2:5000")}, {Local: endpoint("10.0.0.1:8080"), Remote: endpoint("10.0.0.2:5001")}}
		}, cause: (*world).healthy, undo: func(w *world) { w.kernel.Established, w.kernel.Sockets = nil, [capture.NumSocketStates]uint32{} },
			want: map[string]any{"connections": int64(2), "remaining": int64(2)}},
		{id: "ENV-06", also: []string{"OK-00"}, windows: 1, setup: func(w *world) {
			w.kernel.Sockets[capture.SocketEstablished] = 2
			w.kernel.Established = []capture.SocketPair{{Local: endpoint("127.0.0.1:8080"), Remote: endpoint("127.0.0.1:5000")}, {Local: endpoint("127.0.0.1:5000"), Remote: endpoint("127.0.0.1:8080")}}
		}, cause: (*world).healthy, undo: func(w *world) { w.kernel.Established, w.kernel.Sockets = nil, [capture.NumSocketStates]uint32{} },
			want: map[string]any{"connections": int64(1), "remaining": int64(1), "list": "127.0.0.1:8080 - 127.0.0.1:5000"}},
	}
}

func nothingFixtures() []fixture {
	return []fixture{
		{id: "NONE-01", cause: nothing, want: map[string]any{"seconds": float64(30), "device_packets": int64(0)}},
		{id: "NONE-02", cause: func(w *world) { w.device("eth0", 40); w.kernel.TCP.InSegs += 20 }, want: map[string]any{"device_packets": int64(40), "tcp_in_segments": int64(20)}},
		{id: "NONE-03", setup: func(w *world) {
			w.facts.Interfaces = []string{"eth0"}
			w.kernel.Interfaces = append(w.kernel.Interfaces, capture.KernelInterface{Name: "net1", Up: true})
		}, cause: func(w *world) { w.requests(8080, capture.RoleServer, 3); w.device("net1", 5000) },
			subject: Subject{Interface: "net1"}, want: map[string]any{"packets": int64(5000), "captured_packets": int64(12), "interfaces": "eth0"}},
		{id: "NONE-04", cause: func(w *world) { w.frames(eth0, capture.FrameARP, 6); w.icmpv6(135, 2) }, want: map[string]any{"frames": int64(8), "arp": int64(6), "icmpv6": int64(2)}},
		{id: "NONE-05", cause: func(w *world) { w.frames(eth0, capture.FrameOwnExport, 30); w.frames(eth0, capture.FrameARP, 2) }, want: map[string]any{"own_packets": int64(30)}},
		{id: "NONE-06", cause: func(w *world) { w.requests(8080, capture.RoleServer, 3).Probes += 3 }, want: map[string]any{"probes": int64(3), "ports": "8080"}, alsoFile: []string{"OK-00"}},
		{id: "NONE-07", also: []string{"NONE-10"}, setup: func(w *world) { w.listen(); w.facts.OwnPorts = []uint16{9464} }, cause: func(w *world) { w.listen("127.0.0.1:9464"); w.frames(eth0, capture.FrameUDP, 5) }, undo: func(w *world) { w.listen("[::]:8080") },
			want: map[string]any{"listeners": int64(0)}},
		{id: "NONE-08", setup: func(w *world) {
			w.listen()
			w.kernel.UnixListeners, w.kernel.UnixListening = []string{"/run/app.sock"}, 1
		}, cause: func(w *world) { w.frames(eth0, capture.FrameUDP, 5) }, undo: func(w *world) { w.listen("[::]:8080") }, want: map[string]any{"paths": "/run/app.sock", "sockets": int64(1)}},
		{id: "NONE-09", setup: func(w *world) { w.listen("[::]:8080", "127.0.0.1:6060", "0.0.0.0:9090") }, cause: func(w *world) { w.requests(443, capture.RoleClient, 5) },
			want: map[string]any{"ports": "8080, 9090", "seconds": float64(120)}},
		{id: "NONE-10", setup: func(w *world) { w.listen(); w.kernel.Known &^= capture.KnownSockets }, cause: func(w *world) { w.frames(eth0, capture.FrameTCP, 6); w.frames(eth0, capture.FrameUDP, 4) }, want: map[string]any{"tcp": int64(6), "udp": int64(4)}},
		{id: "NONE-11", ends: true, setup: func(w *world) { w.listen() }, cause: nothing, want: map[string]any{"seconds": 0.25, "frames": int64(0)}},
		{id: "NONE-11", ends: true, cause: func(w *world) { w.frames(eth0, capture.FrameTCP, 3); w.frames(eth0, capture.FrameARP, 1) }, want: map[string]any{"frames": int64(4)}},
	}
}

func filterFixtures() []fixture {
	filtered := func(w *world) {
		w.frames(eth0, capture.FrameFiltered, 40)
		w.port(8080, capture.TCP, capture.RoleServer).Filtered.Add(40, 4000)
	}
	return []fixture{
		{id: "FILT-01", setup: func(w *world) { w.facts.FilterExpr = "tcp port 81" }, cause: filtered, undo: func(w *world) { w.facts.FilterExpr = "" },
			want: map[string]any{"filter": "tcp port 81", "left_out": int64(40), "ports": "8080", "first_port": int64(8080)}},
		{id: "FILT-02", setup: func(w *world) {
			w.facts.FilterPorts = []uint16{80, 8080}
			w.listen("[::]:8080", "127.0.0.1:6060", "0.0.0.0:9090")
		}, cause: (*world).healthy, undo: func(w *world) { w.facts.FilterPorts = []uint16{8080} },
			subject: Subject{Port: 80}, want: map[string]any{"listening": "6060, 8080, 9090", "first_port": int64(8080)}},
	}
}

func directionFixtures() []fixture {
	half := func(w *world) {
		p := w.unanswered(8080, capture.ReasonGap, 5)
		p.Gaps += 5
		p.GapBytes += 5000
		w.snap.Ledger[capture.Gaps] += 5
		w.snap.Ledger[capture.GapBytes] += 5000
		w.frames(eth0, capture.FrameFiltered, 15)
		p.Filtered.Add(15, 9000)
		p.FilteredWithin[capture.Server]++
	}
	return []fixture{
		{id: "DIR-01", cause: func(w *world) {
			w.snap.Ledger[capture.FramesRead] += 40
			w.snap.Ledger[capture.FrameTCP] += 40
			w.snap.Ledger[capture.BytesSeen] += 400
			w.snap.Interfaces[eth0][capture.Receive][capture.TCP][capture.IPv4].Packets += 40
			w.kernel.TCP.InSegs += 40
			p := w.port(8080, capture.TCP, capture.RoleServer)
			p.FromClient.Add(40, 400)
		}, subject: Subject{Interface: "eth0"}, want: map[string]any{"seen": int64(40), "way": "received", "where": "eth0"}, file: half},
		{id: "DIR-01", cause: func(w *world) {
			w.unanswered(8080, capture.ReasonShutdown, 9).OneWay[capture.Client] += 9
		}, undo: func(w *world) { w.port(8080, capture.TCP, capture.RoleServer).Conns++ }, subject: inbound(8080), want: map[string]any{"seen": int64(9), "way": "the client's", "where": "port 8080, inbound"}},
		{id: "DIR-01", setup: func(w *world) { w.facts.FilterExpr = "dst port 8080" }, cause: half, undo: func(w *world) { w.facts.FilterExpr = "" }, subject: inbound(8080), want: map[string]any{"seen": int64(5), "way": "the client's", "where": "port 8080, inbound", "filter": "dst port 8080"}},
		{id: "DIR-01", setup: func(w *world) { w.facts.FilterExpr = "src port 8080" }, cause: func(w *world) {
			p := w.port(8080, capture.TCP, capture.RoleServer)
			p.FromServer.Add(9, 9000)
			p.Orphans += 9
			p.Responses[capture.ProtocolHTTP1] += 9
			w.snap.Ledger[capture.ResponsesSeen] += 9
			w.snap.Ledger[capture.BytesSeen] += 9000
			w.frames(eth0, capture.FrameTCP, 18)
			p.FilteredWithin[capture.Client]++
		}, subject: inbound(8080), want: map[string]any{"seen": int64(9), "way": "the server's", "filter": "src port 8080"}},
		{id: "DIR-02", cause: func(w *world) { w.healthy(); w.giveUp(3) }, file: func(w *world) {
			w.unanswered(8080, capture.ReasonShutdown, 3)
			w.giveUp(3)
		}, subject: inbound(8080), want: map[string]any{"unanswered": int64(3), "ended": int64(53), "left": int64(3)}},
		{id: "DIR-02", cause: func(w *world) {
			w.healthy()
			w.unanswered(8080, capture.ReasonClosedBeforeResponse, 4)
			w.unanswered(8080, capture.ReasonReset, 2)
		}, subject: inbound(8080), want: map[string]any{"unanswered": int64(6), "ended": int64(56), "closed": int64(4), "reset": int64(2)}},
		{id: "DIR-03", cause: func(w *world) { w.healthy(); w.unanswered(8080, capture.ReasonBadStartLine, 5) }, subject: inbound(8080), want: map[string]any{"unanswered": int64(5)}},
		{id: "DIR-04", cause: func(w *world) {
			w.healthy()
			w.unanswered(8080, capture.ReasonGap, 5).Gaps += 2
		}, subject: inbound(8080), want: map[string]any{"unanswered": int64(5), "gaps": int64(2)}},
		{id: "DIR-09", ends: true, cause: func(w *world) { w.unanswered(8080, capture.ReasonShutdown, 2).OneWay[capture.Client] += 2 }, subject: inbound(8080),
			want: map[string]any{"requests": int64(2), "one_way": true}},
		{id: "DIR-05", also: []string{"OK-00"}, windows: 2, cause: func(w *world) {
			w.healthy()
			p := w.port(8080, capture.TCP, capture.RoleServer)
			p.Orphans += 5
			p.Responses[capture.ProtocolHTTP1] += 5
		}, subject: inbound(8080), want: map[string]any{"orphans": int64(5), "responses": int64(55)}},
		{id: "DIR-06", cause: func(w *world) {
			w.healthy()
			for range 3 {
				w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Error: capture.ReasonResponseTruncated})
			}
			w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Error: capture.ReasonRequestTruncated})
		}, subject: inbound(8080), want: map[string]any{"responses": int64(3), "requests": int64(1), "resets": int64(0)}},
		{id: "DIR-06", cause: func(w *world) {
			w.healthy()
			for range 3 {
				w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Status: 200, Error: capture.ReasonReset})
			}
		}, subject: inbound(8080), want: map[string]any{"responses": int64(3), "requests": int64(0), "resets": int64(3)}},
	}
}

func unparsedFixtures() []fixture {
	return []fixture{
		{id: "TLS-01", cause: func(w *world) { w.healthy(); w.hello(8443, capture.RoleServer, "shop.example") }, cure: func(w *world) { w.healthy(); w.requests(8443, capture.RoleServer, 4) },
			subject: inbound(8443), want: map[string]any{"client_hellos": int64(1), "encrypted_packets": int64(10), "server_names": "shop.example", "alpn": "h2, http/1.1", "version": "1.3"}},
		{id: "TLS-02", quiet: true, also: []string{"OK-00"}, cause: func(w *world) {
			w.healthy()
			w.hello(443, capture.RoleClient, "b.example")
			w.hello(443, capture.RoleClient, "a.example")
		}, subject: outbound(443), want: map[string]any{"server_names": "a.example, b.example", "client_hellos": int64(2)}},
		{id: "TLS-03", quiet: true, also: []string{"OK-00"}, cause: func(w *world) { w.healthy(); w.unparsed(5432, capture.TCP, capture.RoleClient, capture.ReasonTLS, 6) }, subject: outbound(5432), want: map[string]any{"encrypted_packets": int64(6)}},
		{id: "QUIC-01", quiet: true, also: []string{"OK-00"}, cause: func(w *world) { w.healthy(); w.unparsed(443, capture.UDP, capture.RoleClient, capture.ReasonQUIC, 6) }, subject: outbound(443), want: map[string]any{"packets": int64(6)}},
		{id: "H2-01", quiet: true, cause: func(w *world) {
			w.healthy()
			w.unparsed(50051, capture.TCP, capture.RoleServer, capture.ReasonHTTP2, 8)
		}, subject: inbound(50051), want: map[string]any{"packets": int64(8)}},
		{id: "UPG-01", also: []string{"OK-00"}, cause: func(w *world) {
			w.healthy()
			w.unparsed(8080, capture.TCP, capture.RoleServer, capture.ReasonUpgraded, 8)
		}, subject: inbound(8080), want: map[string]any{"packets": int64(8)}},
		{id: "PROTO-03", quiet: true, cause: func(w *world) {
			w.healthy()
			w.unparsed(9000, capture.TCP, capture.RoleServer, capture.ReasonUnknownProtocol, 8)
		}, subject: inbound(9000), want: map[string]any{"packets": int64(8), "share": float64(100)}},
		{id: "PROTO-04", quiet: true, cause: func(w *world) {
			w.healthy()
			w.unparsed(5432, capture.TCP, capture.RoleClient, capture.ReasonJoinedMidstream, 30)
		}, subject: outbound(5432), want: map[string]any{"packets": int64(30), "share": float64(100)}},
		{id: "FRAG-01", cause: func(w *world) {
			w.healthy()
			w.frames(eth0, capture.FragmentsExpired, 12)
			w.frames(eth0, capture.FragmentsInvalid, 3)
		}, want: map[string]any{"fragments": int64(15), "share": 6.98, "expired": int64(12), "invalid": int64(3)}},
		{id: "PROTO-05", cause: func(w *world) {
			w.payload(w.port(9000, capture.TCP, capture.RoleServer), 3)
			w.port(8080, capture.TCP, capture.RoleServer).Conns++
			w.snap.Ledger[capture.DeliveredUndetected] += 9
			w.snap.Ledger[capture.BytesDelivered] += 29
		}, want: map[string]any{"bytes": int64(2400), "undetected": int64(36), "unfinished": int64(80)}},
		{id: "LINK-01", setup: func(w *world) { w.snap.Source.Interfaces[eth0].Link = 105 }, cause: func(w *world) {
			w.frames(eth0, capture.FrameUnsupportedLink, 30)
			w.frames(eth0, capture.FrameMalformedIP, 5)
			w.frames(eth0, capture.FrameUDP, 5)
		}, alsoFile: []string{"NONE-10"}, want: map[string]any{"frames": int64(35), "share": 87.5, "link": int64(30), "link_types": "LINKTYPE 105", "malformed": int64(5)}},
		{id: "HTTP-01", cause: func(w *world) {
			p := w.requests(8080, capture.RoleServer, 50)
			p.ParseErrors[capture.ReasonBadHeader] += 3
			p.ParseErrors[capture.ReasonBadChunk]++
		}, subject: inbound(8080), want: map[string]any{"errors": int64(4), "reason": "bad_header", "reason_errors": int64(3), "messages": int64(100)}},
	}
}

func qualityFixtures() []fixture {
	drop := func(w *world, n uint64) { w.snap.Source.Rings[1].Drops += n; w.snap.Source.Rings[1].Packets += n }
	return []fixture{
		{id: "QUAL-01", cause: func(w *world) { w.healthy(); drop(w, 8) }, subject: Subject{Interface: "any"}, want: map[string]any{"drops": int64(8), "packets": int64(208), "share": 3.85}},
		{id: "QUAL-02", cause: func(w *world) {
			w.healthy()
			w.kernel.CGroup.Periods += 100
			w.kernel.CGroup.ThrottledPeriods += 30
			w.kernel.CGroup.ThrottledTime += 2e9
			w.snap.LagMax = 3e8
		}, undo: func(w *world) { w.snap.LagMax = 0 }, want: map[string]any{"throttled": int64(30), "periods": int64(100), "throttled_seconds": float64(2), "lag_seconds": 0.3}},
		{id: "QUAL-03", cause: func(w *world) {
			w.healthy()
			w.snap.Ledger[capture.ObservationsMade] += 100
			w.snap.Ledger[capture.ObservationsLost] += 7
		}, want: map[string]any{"lost": int64(7), "made": int64(100), "share": float64(7)}},
		{id: "QUAL-04", cause: func(w *world) { w.healthy(); w.snap.LagMax = 25e8 }, undo: func(w *world) { w.snap.LagMax = 0 }, want: map[string]any{"lag_seconds": 2.5}},
		{id: "QUAL-05", cause: func(w *world) { w.requests(8080, capture.RoleServer, 500); w.kernel.TCP.InSegs += 100 }, cure: func(w *world) { w.requests(8080, capture.RoleServer, 500) }, want: map[string]any{"arrived": int64(1100), "captured": int64(1000), "missing": 9.09}},
		{id: "QUAL-06", cause: func(w *world) { w.healthy(); w.snap.Truncated[eth0] += 5; w.snap.Ledger[capture.BytesCut] += 999 }, subject: Subject{Interface: "eth0"}, want: map[string]any{"frames": int64(5), "bytes": int64(999)}},
		{id: "QUAL-07", cause: func(w *world) { w.healthy(); w.snap.Ledger[capture.Gaps] += 4; w.snap.Ledger[capture.GapBytes] += 4000 }, want: map[string]any{"gaps": int64(4), "bytes": int64(4000), "drops": int64(0)}},
		{id: "QUAL-08", also: []string{"QUAL-01"}, cause: func(w *world) {
			w.healthy()
			drop(w, 6)
			w.snap.Ledger[capture.Gaps] += 4
			w.snap.Ledger[capture.GapBytes] += 4000
		}, want: map[string]any{"gaps": int64(4), "drops": int64(6)}},
		{id: "QUAL-09", cause: func(w *world) {
			w.healthy()
			w.snap.Ledger[capture.SegmentRefused] += 3
			w.snap.Ledger[capture.BytesRefused] += 300
		}, want: map[string]any{"segments": int64(3), "bytes": int64(300)}},
		{id: "QUAL-10", cause: func(w *world) { w.healthy(); w.snap.Ledger[capture.ConnsEvicted] += 3 }, want: map[string]any{"evicted": int64(3)}},
		{id: "QUAL-12", cause: func(w *world) { w.healthy(); w.kernel.CGroup.MemoryCurrent = 127 << 20 }, undo: func(w *world) { w.kernel.CGroup.MemoryCurrent = 20 << 20 }, want: map[string]any{"share": 99.2}},
	}
}

func networkFixtures() []fixture {
	peer := netip.MustParseAddr("10.9.9.9")
	to := Subject{Port: 5432, Direction: capture.Transmit, Peer: peer}
	return []fixture{
		{id: "NET-SYN-01", cause: func(w *world) { w.healthy(); w.fail("10.9.9.9:5432", capture.RoleClient, capture.ReasonTimedOut, 4, 1) }, subject: to, want: map[string]any{"failed": int64(1), "attempts": int64(4), "seconds": float64(4)}},
		{id: "NET-SYN-02", cause: func(w *world) { w.healthy(); w.fail("10.9.9.9:5432", capture.RoleClient, capture.ReasonRefused, 1, 3) }, subject: to, want: map[string]any{"failed": int64(3)}},
		{id: "NET-SYN-03", cause: func(w *world) {
			w.healthy()
			w.tree.Observe(&capture.ConnFailed{Conn: capture.Conn{Server: endpoint("10.9.9.9:5432"), Role: capture.RoleClient}, Why: capture.ReasonAdminProhibited, Attempts: 1, ICMP: capture.ICMPHeader{Type: 3, Code: 13}, HasICMP: true})
		}, subject: to, want: map[string]any{"reason": "admin_prohibited", "icmp_type": int64(3), "icmp_code": int64(13)}},
		{id: "NET-SYN-04", cause: func(w *world) { w.healthy(); w.fail("10.0.0.1:80", capture.RoleServer, capture.ReasonRefused, 1, 3) }, subject: inbound(80), want: map[string]any{"failed": int64(3), "client": "10.0.0.9", "listening": "8080"}},
		{id: "NET-SYN-05", setup: func(w *world) { w.listen("[::]:8080", "127.0.0.1:9000") }, cause: func(w *world) { w.healthy(); w.fail("10.0.0.1:9000", capture.RoleServer, capture.ReasonRefused, 1, 1) }, subject: inbound(9000), want: map[string]any{"failed": int64(1)}},
		{id: "NET-SYN-06", setup: func(w *world) { w.kernel.Listeners[0].Backlog, w.kernel.Listeners[0].Queue = 128, 129 }, cause: func(w *world) { w.healthy(); w.kernel.TCPExt.ListenOverflows += 9 }, want: map[string]any{"overflows": int64(9), "ports": "8080"}},
		{id: "NET-DNS-01", cause: func(w *world) {
			w.healthy()
			for i, search := range []string{".shop.svc.cluster.local", ".svc.cluster.local", ".cluster.local", ""} {
				w.lookup(second/2*capture.Time(i), "10.0.0.9", "db"+search, capture.RCodeNXDomain)
				w.lookup(second/2*capture.Time(i), "10.0.0.9", "cache"+search, capture.RCodeNXDomain)
			}
			w.lookup(3*second, "10.0.0.9", "web.example", noAnswer)
		}, subject: Subject{Peer: netip.MustParseAddr("10.96.0.10")}, want: map[string]any{"failed": int64(3), "names": "cache, db, web.example", "outcomes": "NXDOMAIN, timed_out"}},
	}
}

func exportFixtures() []fixture {
	return []fixture{
		{id: "EXP-01", windows: 1, setup: failing("", "dial tcp 10.0.0.7:4317: connect: connection refused", "grpc"), cause: (*world).healthy, undo: exportsAgain, want: map[string]any{"endpoint": "collector:4317", "signals": "traces", "queued": int64(7)}},
		{id: "EXP-02", windows: 1, setup: failing("Unavailable", `connection error: desc = "error reading server preface: http2: frame too large"`, "grpc"), cause: (*world).healthy, undo: exportsAgain, want: map[string]any{"protocol": "grpc"}},
		{id: "EXP-02", windows: 1, setup: failing("", `Post "http://collector:4317/v1/traces": net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x00\x00\x06\x04"`, "http/protobuf"), cause: (*world).healthy, undo: exportsAgain, want: map[string]any{"protocol": "http/protobuf"}},
		{id: "EXP-03", windows: 1, setup: failing("Unimplemented", "unknown service opentelemetry.proto.collector.logs.v1.LogsService", "grpc"), cause: (*world).healthy, undo: exportsAgain, want: map[string]any{"status": "Unimplemented"}},
		{id: "EXP-04", windows: 1, setup: failing("429", "too many requests", "http/protobuf"), cause: (*world).healthy, undo: exportsAgain, want: map[string]any{"status": "429"}},
		{id: "EXP-05", setup: func(w *world) {
			w.exports = []ExportHealth{{Exporter: "otlp", Signal: "traces", Dropped: map[string]uint64{}}}
		},
			cause: func(w *world) { w.healthy(); w.exports[0].Dropped["queue_full"] += 12; w.exports[0].Exported += 30 }, want: map[string]any{"dropped": int64(12), "exported": int64(30), "reasons": "queue_full 12", "signals": "traces"}},
		{id: "SELF-01", also: []string{"OK-00"}, cause: func(w *world) { w.healthy(); w.frames(eth0, capture.FrameOwnExport, 20) }, want: map[string]any{"own_packets": int64(20), "packets": int64(200)}},
		{id: "SELF-03", setup: func(w *world) {
			w.facts.Endpoint, w.facts.EndpointErr = "127.0.0.1:19464", fmt.Errorf("bind: %w", syscall.EADDRINUSE)
		}, cause: (*world).healthy, undo: func(w *world) { w.facts.EndpointErr = nil }, want: map[string]any{"address": "127.0.0.1:19464", "error": "bind: address already in use"}},
		{id: "CLK-01", cause: func(w *world) { w.healthy(); w.snap.ClockSteps += 2 }, want: map[string]any{"steps": int64(2)}},
		{id: "CARD-01", also: []string{"OK-00"}, setup: func(w *world) { w.port(0, capture.TCP, capture.RoleServer).Overflow = true }, cause: (*world).healthy, undo: func(w *world) { w.port(0, capture.TCP, capture.RoleServer).Overflow = false }, want: map[string]any{"ports": int64(2)}},
		{id: "CARD-01", also: []string{"OK-00"}, setup: func(w *world) {
			w.exports = []ExportHealth{{Exporter: "otlp", Signal: "metrics"}, {Exporter: "otlp", Signal: "traces"}}
		}, cause: func(w *world) {
			if w.exports == nil {
				w.exports = []ExportHealth{{Exporter: "otlp", Signal: "metrics"}}
			}
			w.healthy()
			w.exports[0].Overflow += 7
		}, want: map[string]any{"folded": int64(7)}},
		{id: "SELF-02", also: []string{"OK-00"}, windows: 1, setup: func(w *world) {
			w.exports = []ExportHealth{{Exporter: "otlp", Signal: "metrics"}, {Exporter: "otlp", Signal: "traces", BesideSDK: BesideSDKYes}}
		}, cause: (*world).healthy, file: func(w *world) {
			w.healthy()
			w.exports = []ExportHealth{{Exporter: "otlp", Signal: "traces", BesideSDK: BesideSDKYes}}
		}, undo: func(w *world) { w.exports = nil }, want: map[string]any{"mode": "yes", "kinds": "INTERNAL"}},
		{id: "REC-01", cause: func(w *world) {
			w.healthy()
			w.snap.Recording.Files[capture.RecordingFailed] += 2
			w.snap.Recording.Files[capture.RecordingWritten]++
			w.snap.Recording.LastError = "no space left on device"
		}, want: map[string]any{"failed": int64(2), "written": int64(1), "error": "no space left on device"}},
		{id: "REC-02", also: []string{"OK-00"}, cause: func(w *world) {
			w.healthy()
			w.snap.Recording.Files[capture.RecordingLimited] += 5
			w.snap.Recording.Files[capture.RecordingQueueFull]++
			w.snap.Recording.Files[capture.RecordingWritten] += 10
		}, want: map[string]any{"left_out": int64(6), "written": int64(10), "reasons": "rate_limited 5, queue_full 1"}},
		{id: "OK-00", cause: (*world).healthy, cure: func(w *world) { w.unanswered(8080, capture.ReasonTimedOut, 9) }, want: map[string]any{"requests": int64(50), "responses": int64(50), "ports": "8080", "drops": int64(0), "coverage": float64(100)}},
	}
}

func ids(holding map[string]Finding) []string {
	var out []string
	for f := range maps.Values(holding) {
		if !slices.Contains(out, f.ID) {
			out = append(out, f.ID)
		}
	}
	slices.Sort(out)
	return out
}

// evidenceIs fails unless f rests on what is wanted, and on exactly the keys
// that its leaf declares (or fewer).
func evidenceIs(t *testing.T, f *Finding, want map[string]any) {
	t.Helper()
	leaf, _ := LeafByID(f.ID)
	got := map[string]any{}
	for _, e := range f.Evidence {
		got[e.Key] = e.Value
		if !slices.ContainsFunc(leaf.Evidence, func(k Key) bool { return k.Name == e.Key }) {
			t.Errorf("%s has evidence %q that its leaf does not declare", f.ID, e.Key)
		}
		switch e.Value.(type) {
		case int64, float64, bool, string:
		default:
			t.Errorf("%s: evidence %q is a %T", f.ID, e.Key, e.Value)
		}
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: evidence %s is %v, want %v", f.ID, k, got[k], v)
		}
	}
	for _, text := range []string{f.Body, f.Remedy.Summary, f.Remedy.Command, f.Remedy.Manifest} {
		if strings.Contains(text, "{{") || strings.Contains(text, "(not known)") || strings.Contains(text, "[[") {
			t.Errorf("%s: a template was not filled: %q", f.ID, text)
		}
	}
}

// TestLeaves raises every leaf by its cause alone, and clears it by its cure.
func TestLeaves(t *testing.T) {
	for i, fx := range fixtures() {
		t.Run(fmt.Sprintf("%s/%d", fx.id, i), func(t *testing.T) {
			leaf, ok := LeafByID(fx.id)
			if !ok {
				t.Fatal("no such leaf")
			}
			w := newWorld(t)
			if fx.setup != nil {
				fx.setup(w)
			}
			if fx.ends {
				w.tick(0)
				fx.cause(w)
				final := w.tree.Final(w.now+second/4, w.input())
				if len(final) != 1 || final[0].ID != fx.id {
					t.Fatalf("at the end hold %v", final)
				}
				evidenceIs(t, &final[0], fx.want)
				return
			}
			windows := fx.windows
			if windows == 0 {
				windows = leaf.Raise
			}
			if windows > 1 && leaf.Raise > 1 {
				w.run(windows-1, fx.cause)
				if _, held := w.held(fx.id); held {
					t.Errorf("raised before %d windows", windows)
				}
				w.run(1, fx.cause)
			} else {
				w.run(windows, fx.cause)
			}
			f, held := w.held(fx.id)
			if !held {
				t.Fatalf("not raised after %d windows; holding %v", windows, ids(w.holding))
			}
			want := append([]string{fx.id}, fx.also...)
			slices.Sort(want)
			if got := ids(w.holding); !slices.Equal(got, want) {
				t.Errorf("holding %v, want %v", got, want)
			}
			if f.Subject != fx.subject {
				t.Errorf("subject %+v, want %+v", f.Subject, fx.subject)
			}
			evidenceIs(t, &f, fx.want)
			if fx.undo != nil {
				fx.undo(w)
			}
			cure := fx.cure
			if cure == nil {
				cure = (*world).healthy
			}
			w.run(leaf.Clear, cure)
			if fx.quiet {
				// The cause's port has gone quiet, which proves nothing for a while.
				if _, held := w.held(fx.id); !held {
					t.Error("cleared by a window that proves nothing")
				}
				w.run(w.tree.cfg.Quiet, cure)
			}
			if f, held := w.held(fx.id); held {
				t.Errorf("not cleared after %d windows: %s", leaf.Clear, f.Body)
			}
		})
	}
}

// TestLeavesAtEnd reaches every leaf that applies to files by one look at the end.
func TestLeavesAtEnd(t *testing.T) {
	for i, fx := range fixtures() {
		leaf, _ := LeafByID(fx.id)
		if !leaf.File {
			continue
		}
		t.Run(fmt.Sprintf("%s/%d", fx.id, i), func(t *testing.T) {
			w := newWorld(t)
			if fx.file == nil && fx.setup != nil {
				fx.setup(w)
			}
			w.file("trace.pcap")
			if fx.file != nil {
				fx.file(w)
			} else {
				fx.cause(w)
			}
			findings := w.tree.Final(w.now+second/10, w.input())
			allowed := slices.Concat([]string{fx.id, "OK-00"}, fx.also, fx.alsoFile)
			found := false
			for _, f := range findings {
				if f.ID == fx.id {
					found = true
					evidenceIs(t, &f, nil)
				}
				if f.State != Raised {
					t.Errorf("%s is %s, want raised", f.ID, f.State)
				}
				if !slices.Contains(allowed, f.ID) {
					t.Errorf("%s holds as well: %s", f.ID, f.Body)
				}
			}
			if !found {
				t.Errorf("not found at the end")
			}
		})
	}
}

// TestEveryLeafHasAFixture fails when a leaf is added without one.
func TestEveryLeafHasAFixture(t *testing.T) {
	have := map[string]bool{}
	for _, fx := range fixtures() {
		have[fx.id] = true
	}
	for _, l := range Leaves() {
		if !have[l.ID] {
			t.Errorf("leaf %s has no fixture", l.ID)
		}
	}
}
