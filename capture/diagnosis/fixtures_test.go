package diagnosis

import (
	"errors"
	"net/netip"
	"time"

	"github.com/wiretell/wiretell/capture"
)

func addrs(prefixes ...string) (out []netip.Prefix) {
	for _, p := range prefixes {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func (w *world) addInterfaces(names ...string) {
	for _, n := range names {
		w.kernel.Interfaces = append(w.kernel.Interfaces, capture.KernelInterface{Name: n, Up: true})
	}
}

func environmentFixtures() []fixture {
	return []fixture{
		{id: "ENV-02", setup: func(w *world) {
			w.addInterfaces("net1")
			w.kernel.Interface("net1").Addrs = addrs("10.1.0.5/24")
			w.tick(0)
			w.kernel.Interface("net1").Up = false
		}, cause: (*world).healthy, undo: func(w *world) { w.kernel.Interface("net1").Up = true }, subject: Subject{Interface: "net1"}, want: map[string]any{"state": "down", "up": "eth0"}},
		{id: "ENV-02", setup: func(w *world) {
			w.facts.Interfaces = []string{"eth0", "net1"}
			w.addInterfaces("net1")
			w.tick(0)
			w.kernel.Interfaces = w.kernel.Interfaces[:2]
		}, cause: (*world).healthy, undo: func(w *world) { w.addInterfaces("net1") }, subject: Subject{Interface: "net1"}, want: map[string]any{"state": "gone"}},
		{id: "ENV-04", also: []string{"NONE-05", "NONE-07"}, setup: func(w *world) {
			w.listen("127.0.0.1:9464")
			w.facts.OwnPorts = []uint16{9464}
			w.facts.Own = &capture.OwnFlows{}
			w.facts.Own.Add(capture.OwnFlow{Transport: capture.TCP, LocalPort: 41000, Peer: netip.MustParseAddrPort("10.0.0.7:4317")})
			w.kernel.Established = []capture.SocketPair{{Local: endpoint("10.0.0.1:41000"), Remote: endpoint("10.0.0.7:4317")}}
			w.kernel.Sockets[capture.SocketEstablished] = 1
		}, cause: func(w *world) { w.frames(eth0, capture.FrameOwnExport, 9) }, undo: func(w *world) { w.listen("[::]:8080") }, want: map[string]any{"seconds": float64(120), "own_packets": int64(9)}},
		{id: "ENV-05", setup: func(w *world) { w.addInterfaces("veth1234", "cali99", "docker0") }, cause: (*world).healthy, undo: func(w *world) { w.facts.Interfaces = []string{"eth0"} },
			want: map[string]any{"interfaces": int64(3), "names": "cali99, docker0, veth1234"}},
		{id: "ENV-06", also: []string{"OK-00"}, windows: 1, setup: func(w *world) {
			w.facts.Own = &capture.OwnFlows{}
			w.facts.Own.Add(capture.OwnFlow{Transport: capture.TCP, LocalPort: 41000, Peer: netip.MustParseAddrPort("10.0.0.7:4317")})
			w.kernel.Established = []capture.SocketPair{{Local: endpoint("10.0.0.1:41000"), Remote: endpoint("10.0.0.7:4317")}, {Local: endpoint("10.0.0.1:8080"), Remote: endpoint("10.0.0.2:5000")}}
			w.kernel.Sockets[capture.SocketEstablished] = 2
		}, cause: (*world).healthy, undo: func(w *world) { w.kernel.Established = nil }, want: map[string]any{"connections": int64(1), "remaining": int64(1), "list": "10.0.0.1:8080 - 10.0.0.2:5000"}},
		{id: "ENV-07", windows: 1, setup: func(w *world) {
			w.facts.FilterExpr, w.facts.FilterErr = "tcp", errors.New("attach filter: cannot allocate memory")
		}, cause: (*world).healthy,
			undo: func(w *world) { w.facts.FilterErr = nil }, want: map[string]any{"filter": "tcp", "error": "attach filter: cannot allocate memory"}},
	}
}

func moreFilterFixtures() []fixture {
	leftOut := func(w *world, n uint64) *capture.PortStats {
		w.frames(eth0, capture.FrameFiltered, n)
		p := w.port(8080, capture.TCP, capture.RoleServer)
		p.Filtered.Add(int(n), int(100*n))
		return p
	}
	unfiltered := func(w *world) { w.facts.FilterExpr = "" }
	return []fixture{
		{id: "FILT-03", also: []string{"TLS-02"}, setup: func(w *world) { w.facts.FilterExpr = "port 443" }, cause: func(w *world) {
			w.hello(443, capture.RoleClient, "api.example")
			leftOut(w, 40).FilteredHTTP += 2
		}, undo: unfiltered, subject: inbound(8080), want: map[string]any{"filter": "port 443", "http_packets": int64(2), "left_out": int64(40)}},
		{id: "FILT-04", also: []string{"MESH-01"}, setup: func(w *world) {
			w.listen("[::]:8080", "0.0.0.0:15001", "0.0.0.0:15006")
			w.facts.FilterPorts = []uint16{15006, 8080}
		}, cause: (*world).healthy, undo: func(w *world) { w.facts.FilterPorts = []uint16{8080} }, subject: Subject{Port: 15006}, want: map[string]any{"mesh": "istio", "listening": "8080"}},
		{id: "FILT-05", also: []string{"FILT-01"}, setup: func(w *world) { w.facts.FilterExpr = "tcp port 8080" }, cause: func(w *world) {
			leftOut(w, 20)
			w.snap.FilteredTagged += 20
		}, undo: unfiltered, want: map[string]any{"tagged": int64(20), "kind": "frames with a VLAN tag", "mended": "(tcp port 8080) or (vlan and (tcp port 8080))"}},
		{id: "FILT-05", also: []string{"FILT-01"}, setup: func(w *world) { w.facts.FilterExpr = "ip and tcp port 8080" }, cause: func(w *world) {
			w.snap.Ledger[capture.FramesRead] += 20
			w.snap.Ledger[capture.FrameFiltered] += 20
			w.snap.Interfaces[eth0][capture.Receive][capture.TCP][capture.IPv6].Packets += 10
			w.snap.Interfaces[eth0][capture.Transmit][capture.TCP][capture.IPv6].Packets += 10
			w.port(8080, capture.TCP, capture.RoleServer).Filtered.Add(20, 2000)
			w.kernelSegments(10)
		}, undo: unfiltered, want: map[string]any{"ipv6": int64(20), "kind": "IPv6", "mended": "(ip or ip6) and tcp port 8080"}},
		{id: "FILT-06", setup: func(w *world) {
			w.exports = []ExportHealth{{Exporter: "otlp", Signal: "traces"}, {Exporter: "otlp", Signal: "logs", Created: 4}}
			w.facts.Selection = `path == "/x"`
		}, cause: func(w *world) { w.healthy(); w.exports[0].NotSelected += 50; w.exports[1].Created++ }, cure: func(w *world) { w.healthy(); w.exports[0].Created += 50 },
			want: map[string]any{"left_out": int64(50), "selection": `path == "/x"`}},
		{id: "FILT-07", also: []string{"OK-00"}, setup: func(w *world) {
			w.exports = []ExportHealth{{Exporter: "otlp", Signal: "traces"}}
		}, cause: func(w *world) { w.healthy(); w.exports[0].SampledOut += 45; w.exports[0].Created += 5 }, cure: func(w *world) { w.healthy(); w.exports[0].Created += 50 },
			want: map[string]any{"sampled_out": int64(45), "made": int64(5), "share": float64(10)}},
	}
}

func pairingFixtures() []fixture {
	server := capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}
	return []fixture{
		{id: "DIR-07", cause: func(w *world) {
			w.healthy()
			for range 3 {
				w.tree.Observe(&capture.Exchange{Conn: server, Status: 200, Error: capture.ReasonUnsolicited})
			}
			p := w.port(8080, capture.TCP, capture.RoleServer)
			p.Orphans += 3
			p.Responses[capture.ProtocolHTTP1] += 3
		}, alsoFile: []string{"OK-00"}, subject: inbound(8080), want: map[string]any{"unsolicited": int64(3), "too_many_pending": int64(0)}},
		{id: "DIR-08", setup: func(w *world) {
			w.kernel.Established = []capture.SocketPair{{Local: endpoint("127.0.0.1:9000"), Remote: endpoint("127.0.0.1:5000")}, {Local: endpoint("127.0.0.1:5000"), Remote: endpoint("127.0.0.1:9000")}}
			w.tick(0) // they are older than no capture: the kernel names them from now on
		}, cause: func(w *world) {
			w.healthy()
			w.port(9000, capture.TCP, capture.RoleBoth).Conns += 5
			w.frames(lo, capture.FrameTCP, 30)
		}, undo: func(w *world) { w.kernel.Established = nil }, subject: Subject{Port: 9000, Interface: "lo"}, want: map[string]any{"connections": int64(5), "established": int64(1)}},
	}
}

func (w *world) alert(port uint16, role capture.Role, from capture.Side, description uint8) {
	w.tree.Observe(&capture.TLSAlert{Conn: capture.Conn{Server: capture.Endpoint{Port: port}, Role: role}, From: from, Level: 2, Description: description})
}

// meshHello is what a mesh's proxy sends: protocols of its own.
func (w *world) meshHello(port uint16, n int) {
	w.unparsed(port, capture.TCP, capture.RoleServer, capture.ReasonTLS, 10).ClientHellos += uint64(n)
	w.tree.Observe(&capture.TLSHello{Conn: capture.Conn{Server: capture.Endpoint{Port: port}, Role: capture.RoleServer}, From: capture.Client, Version: 0x0304,
		SNI: []byte("outbound_.80_._.shop.default.svc.cluster.local"), ALPN: []byte("istio-peer-exchange,istio")})
	w.port(port, capture.TCP, capture.RoleServer).ServerHellos += uint64(n)
}

func tlsFixtures() []fixture {
	return []fixture{
		{id: "TLS-04", also: []string{"TLS-02"}, cause: func(w *world) {
			w.healthy()
			w.hello(8443, capture.RoleClient, "db.example")
			for range 3 {
				w.alert(8443, capture.RoleClient, capture.Client, 48)
			}
		}, cure: func(w *world) { w.healthy(); w.hello(8443, capture.RoleClient, "db.example") }, subject: outbound(8443),
			want: map[string]any{"alerts": int64(3), "alert": int64(48), "alert_name": "unknown_ca", "from": "client", "server_names": "db.example"}},
		{id: "TLS-04", also: []string{"TLS-02"}, cause: func(w *world) {
			w.healthy()
			p := w.unparsed(8443, capture.TCP, capture.RoleClient, capture.ReasonTLS, 4)
			p.ClientHellos += 4
			p.HellosUnanswered += 4
		}, cure: func(w *world) { w.healthy(); w.hello(8443, capture.RoleClient, "db.example") }, subject: outbound(8443), want: map[string]any{"alerts": int64(0), "client_hellos": int64(4), "server_hellos": int64(0)}},
		{id: "TLS-05", quiet: true, cause: func(w *world) {
			w.healthy()
			w.requests(8443, capture.RoleServer, 0).ParseErrors[capture.ReasonTLS] += 3
			w.unanswered(8443, capture.ReasonTLS, 3)
		}, subject: inbound(8443), want: map[string]any{"plain_requests": int64(3), "bad_requests": int64(0), "hellos": int64(0)}},
		{id: "TLS-05", also: []string{"TLS-01"}, cause: func(w *world) {
			w.healthy()
			w.hello(8443, capture.RoleServer, "a.example")
			w.requests(8443, capture.RoleServer, 3)
			for range 3 {
				w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8443"), Role: capture.RoleServer}, Status: 400, HasRequest: true})
			}
		}, cure: func(w *world) { w.healthy(); w.hello(8443, capture.RoleServer, "a.example") }, subject: inbound(8443), want: map[string]any{"bad_requests": int64(3)}},
		{id: "TLS-05", cause: func(w *world) {
			w.healthy()
			p := w.unparsed(8081, capture.TCP, capture.RoleServer, capture.ReasonTLS, 4)
			p.ClientHellos += 4
			p.ParseErrors[capture.ReasonSwitchedProtocol] += 4
			for range 4 {
				w.tree.Observe(&capture.ParseError{Conn: capture.Conn{Server: endpoint("10.0.0.1:8081"), Role: capture.RoleServer}, From: capture.Server, Protocol: capture.ProtocolTLS, Why: capture.ReasonSwitchedProtocol})
			}
		}, cure: func(w *world) { w.healthy(); w.requests(8081, capture.RoleServer, 3) }, subject: inbound(8081), want: map[string]any{"hellos": int64(4), "plain_requests": int64(0)}},
		{id: "TLS-06", also: []string{"OK-00"}, quiet: true, cause: func(w *world) { w.requests(8080, capture.RoleBoth, 10); w.meshHello(8080, 2) },
			subject: inbound(8080), want: map[string]any{"alpn": "istio, istio-peer-exchange", "client_hellos": int64(2)}},
		{id: "TLS-07", also: []string{"OK-00", "TLS-02"}, quiet: true, cause: func(w *world) { w.healthy(); w.hello(443, capture.RoleClient, "") },
			subject: outbound(443), want: map[string]any{"hellos": int64(1), "encrypted_hellos": int64(0)}},
	}
}

func protocolFixtures() []fixture {
	return []fixture{
		{id: "PROTO-01", also: []string{"OK-00"}, cause: func(w *world) { w.requests(8080, capture.RoleServer, 20).ProxyHeaders += 20 }, subject: inbound(8080), want: map[string]any{"connections": int64(20)}},
		{id: "PROTO-02", also: []string{"OK-00"}, quiet: true, cause: func(w *world) {
			w.healthy()
			p := w.unparsed(6379, capture.TCP, capture.RoleClient, capture.ReasonUnknownProtocol, 40)
			p.Looks, p.LooksCertain = "redis", true
		}, subject: outbound(6379), want: map[string]any{"protocol": "redis", "packets": int64(40)}},
		{id: "ENCAP-01", cause: func(w *world) {
			w.requests(8080, capture.RoleServer, 5)
			w.unparsed(8472, capture.UDP, capture.RoleServer, capture.ReasonUDP, 60)
		}, subject: inbound(8472), want: map[string]any{"packets": int64(60), "share": float64(75), "protocol": "VXLAN"}},
		{id: "ENCAP-01", cause: func(w *world) {
			w.requests(8080, capture.RoleServer, 5)
			w.unparsed(1701, capture.UDP, capture.RoleServer, capture.ReasonUDP, 60)
		}, file: func(w *world) {
			w.unparsed(1701, capture.UDP, capture.RoleUnknown, capture.ReasonUDP, 1)
		}, alsoFile: []string{"NONE-10"}, subject: inbound(1701), want: map[string]any{"protocol": "L2TP"}},
	}
}

func captureFixtures() []fixture {
	return []fixture{
		{id: "QUAL-11", cause: func(w *world) {
			w.healthy()
			for range 3 {
				w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Status: 200, Error: capture.ReasonTimedOut})
			}
		}, subject: inbound(8080), want: map[string]any{"exchanges": int64(3)}},
		{id: "QUAL-13", also: []string{"OK-00"}, cause: func(w *world) {
			w.requests(8080, capture.RoleServer, 60)
			w.snap.Ledger[capture.SegmentInOrder] += 120
			w.snap.Ledger[capture.SegmentDuplicate] += 120
		}, want: map[string]any{"duplicates": int64(120), "copies": int64(0), "interfaces": int64(1)}},
		{id: "QUAL-13", also: []string{"OK-00"}, cause: func(w *world) {
			w.healthy()
			w.snap.TCP.Ignored[capture.Receive][capture.IgnoredCopy] += 6
			w.snap.TCP.Ignored[capture.Transmit][capture.IgnoredCopy] += 4
		}, want: map[string]any{"duplicates": int64(10), "copies": int64(10)}},
	}
}

func meshFixtures() []fixture {
	istio := func(w *world) {
		w.listen("[::]:8080", "0.0.0.0:15001", "0.0.0.0:15006", "0.0.0.0:15090")
		w.kernel.Listeners[1].UID = 1337
	}
	conn := func(role capture.Role) capture.Conn {
		return capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: role}
	}
	return []fixture{
		{id: "MESH-01", also: []string{"OK-00"}, windows: 1, setup: istio, cause: (*world).healthy, undo: func(w *world) { w.listen("[::]:8080") },
			want: map[string]any{"mesh": "istio", "ports": "15001, 15006, 15090", "proxy_user": true, "passthrough": false}},
		{id: "MESH-01", also: []string{"OK-00"}, windows: 1, setup: func(w *world) {
			w.listen("[::]:8080", "0.0.0.0:4143", "127.0.0.1:4140")
			w.kernel.Established = []capture.SocketPair{{Local: endpoint("127.0.0.6:4000"), Remote: endpoint("127.0.0.1:8080")}}
		}, cause: (*world).healthy, undo: func(w *world) { w.listen("[::]:8080") }, want: map[string]any{"mesh": "linkerd", "proxy_user": false, "passthrough": true}},
		{id: "MESH-02", also: []string{"OK-00"}, cause: func(w *world) { w.healthy(); w.snap.Twins.Linked += 9; w.snap.Twins.Ambiguous += 2 }, want: map[string]any{"linked": int64(9), "ambiguous": int64(2), "evicted": int64(0)}},
		{id: "MESH-03", also: []string{"MESH-01", "OK-00"}, setup: istio, cause: func(w *world) {
			w.healthy()
			w.requests(15001, capture.RoleBoth, 10)
			for _, called := range []string{"10.96.0.9:80", "10.96.0.5:8080", "10.96.0.9:80"} {
				w.tree.Observe(&capture.ConnOpened{Conn: capture.Conn{Server: capture.Endpoint{Port: 15001}, Role: capture.RoleBoth}, Called: capture.EndpointOf(netip.MustParseAddrPort(called))})
			}
			w.tree.Observe(&capture.ConnOpened{Conn: capture.Conn{Server: capture.Endpoint{Port: 15001}, Role: capture.RoleBoth}})
		}, subject: Subject{Port: 15001, Interface: "lo"}, want: map[string]any{"mesh": "istio", "packets": int64(20), "destinations": "10.96.0.5:8080, 10.96.0.9:80"}},
		{id: "MESH-04", quiet: true, cause: func(w *world) { w.healthy(); w.meshHello(8443, 2) }, subject: inbound(8443), want: map[string]any{"client_hellos": int64(2)}},
		{id: "MESH-05", also: []string{"MESH-01"}, setup: istio, cause: func(w *world) {
			w.healthy()
			w.requests(8080, capture.RoleBoth, 46)
			for range 4 {
				w.tree.Observe(&capture.Exchange{Conn: conn(capture.RoleServer), Status: 503})
			}
			w.tree.Observe(&capture.Exchange{Conn: conn(capture.RoleBoth), Status: 503})
		}, want: map[string]any{"wire": int64(4), "loopback": int64(1), "mesh": "istio"}},
	}
}

func (w *world) closeWait(port uint16, n uint32) {
	w.kernel.CloseWait = []capture.PortCount{{Port: port, Count: n}}
	w.kernel.Sockets[capture.SocketCloseWait] = n
}

// kernelSegments lets the kernel count inbound TCP packets.
func (w *world) kernelSegments(n uint64) {
	if w.kernel != nil {
		w.kernel.TCP.InSegs += n
	}
}

func closingFixtures() []fixture {
	noSockets := func(w *world) {
		w.kernel.Sockets, w.kernel.CloseWait, w.kernel.Remotes = [capture.NumSocketStates]uint32{}, nil, nil
	}
	retransmit := func(d capture.Direction, kind capture.RetransmitKind, n uint64) func(*world) {
		return func(w *world) {
			w.requests(8080, capture.RoleServer, 300)
			w.snap.TCP.Retransmits[d][kind] += n
		}
	}
	scanned := func(w *world) {
		w.healthy()
		for i := range 5 {
			w.tree.Observe(&capture.ConnFailed{Conn: capture.Conn{Client: capture.EndpointOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), 5)), Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Why: capture.ReasonTimedOut, Cause: capture.CauseSYNACKUnanswered, Attempts: 1})
		}
	}
	return []fixture{
		{id: "NET-SYN-07", setup: func(w *world) {
			w.tick(0)
			w.kernel.Sockets[capture.SocketSynRecv] = 20
		}, windows: 3, cause: (*world).healthy, undo: noSockets, want: map[string]any{"half_open": int64(20)}, file: scanned, alsoFile: []string{"OK-00"}},
		{id: "NET-RST-01", cause: func(w *world) {
			w.healthy()
			for i := range 5 {
				w.tree.Observe(&capture.ConnReset{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, By: capture.Side(min(i, 1)), Phase: capture.PhaseRequest})
			}
		}, alsoFile: []string{"OK-00"}, subject: inbound(8080), want: map[string]any{"by_server": int64(4), "by_client": int64(1), "connections": int64(50)}},
		{id: "NET-RST-02", cause: func(w *world) {
			w.healthy()
			for i := range 3 {
				w.tree.Observe(&capture.ConnReset{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer, Race: true}, By: capture.Server, Phase: capture.PhaseRequest, Idle: time.Duration(60+i) * time.Second})
			}
		}, alsoFile: []string{"OK-00"}, subject: inbound(8080), want: map[string]any{"requests": int64(3), "idle_seconds": float64(60), "idle_most": float64(62)}},
		{id: "NET-SYN-07", cause: scanned, alsoFile: []string{"OK-00"}, subject: inbound(8080), want: map[string]any{"half_open": int64(5)}},
		{id: "NET-CW-01", setup: func(w *world) { w.tick(0); w.closeWait(8080, 6) }, windows: 4, cause: func(w *world) { w.healthy(); w.closeWait(8080, w.kernel.CloseWait[0].Count+1) }, undo: noSockets,
			subject: inbound(8080), want: map[string]any{"sockets": int64(10), "grown": int64(1), "since_start": int64(10)}},
		{id: "NET-LA-01", setup: func(w *world) {
			w.tick(0)
			w.kernel.Sockets[capture.SocketLastAck], w.kernel.Sockets[capture.SocketFinWait1] = 4, 2
		}, windows: 3, cause: (*world).healthy, undo: noSockets, want: map[string]any{"last_ack": int64(4), "fin_wait_1": int64(2), "closing": int64(0)}},
		{id: "NET-TW-01", setup: func(w *world) {
			w.kernel.LocalPorts = [2]uint16{32768, 60999}
			w.kernel.Remotes = []capture.RemoteCount{{Remote: endpoint("10.9.9.9:5432"), Count: 21000}, {Remote: endpoint("10.9.9.9:443"), Count: 9000}}
			w.kernel.Sockets[capture.SocketTimeWait] = 29000
		}, cause: (*world).healthy, undo: noSockets, subject: Subject{Port: 5432, Direction: capture.Transmit, Peer: netip.MustParseAddr("10.9.9.9")},
			want: map[string]any{"sockets": int64(21000), "ports": int64(28232), "share": 74.4, "time_wait": int64(29000)}},
		{id: "NET-RETX-01", cause: retransmit(capture.Transmit, capture.RetransmitFast, 12), file: func(w *world) {
			w.requests(8080, capture.RoleUnknown, 300)
			w.snap.TCP.Retransmits[capture.DirectionUnknown][capture.RetransmitTimeout] += 30
		}, subject: Subject{Direction: capture.Transmit}, want: map[string]any{"retransmits": int64(12), "packets": int64(300), "share": float64(4), "timeouts": int64(0), "way": "out"}},
		{id: "NET-RETX-01", cause: retransmit(capture.Receive, capture.RetransmitTimeout, 12), file: func(w *world) {
			w.requests(8080, capture.RoleUnknown, 300)
			w.snap.TCP.Retransmits[capture.DirectionUnknown][capture.RetransmitTimeout] += 30
		}, subject: Subject{Direction: capture.Receive}, want: map[string]any{"way": "in", "timeouts": int64(12), "kernel_retransmits": int64(0)}},
		{id: "NET-STALL-01", cause: func(w *world) {
			w.healthy()
			for range 2 {
				w.stall(400, time.Minute)
			}
		}, alsoFile: []string{"OK-00"}, subject: Subject{Port: 443, Direction: capture.Transmit, Peer: netip.MustParseAddr("10.9.9.9")},
			want: map[string]any{"connections": int64(2), "outstanding": int64(400), "seconds": float64(6), "by": "server"}},
		{id: "NET-ZWIN-01", cause: func(w *world) {
			w.healthy()
			w.snap.TCP.ZeroWindow[capture.Transmit]++
			w.snap.TCP.ZeroWindowTime[capture.Transmit] += 65e8
		}, subject: Subject{Direction: capture.Transmit}, want: map[string]any{"closed": int64(1), "closed_seconds": 6.5, "who": "Applications here"}},
	}
}

// icmp lets n errors arrive about datagrams or segments to a destination.
func (w *world) icmp(n int, network capture.Network, typ, code uint8, from, quoted string, t capture.Transport) *capture.ICMPError {
	e := &capture.ICMPError{
		Network: network, Header: capture.ICMPHeader{Type: typ, Code: code}, From: endpoint(from + ":0"), To: endpoint("10.0.0.1:0"), Direction: capture.Receive,
		Quoted: capture.Flow{Src: endpoint("10.0.0.1:40000"), Dst: endpoint(quoted)}, QuotedTransport: t, QuotedSeen: true, Meaning: "as the registry says",
	}
	if network == capture.IPv6 {
		e.NextHopMTU = 1400
	}
	for range n {
		w.tree.Observe(e)
	}
	w.frames(eth0, capture.FrameICMP, uint64(n))
	return e
}

// stall lets a connection wait with bytes outstanding since it was of an age.
func (w *world) stall(bytes uint64, age time.Duration) {
	w.tree.Observe(&capture.ConnStuck{Conn: capture.Conn{Server: endpoint("10.9.9.9:443"), Role: capture.RoleClient, Start: w.now}, At: w.now.Add(age + 6*time.Second), Waited: 6 * time.Second,
		Kind: capture.StuckStalled, Side: capture.Client, Cause: capture.CauseRetransmissionTimeout, Bytes: bytes})
}

func icmpFixtures() []fixture {
	to := func(port uint16) Subject {
		return Subject{Peer: netip.MustParseAddr("10.9.9.9"), Port: port, Direction: capture.Receive}
	}
	about := func(n int, typ, code uint8, from string, t capture.Transport) func(*world) {
		return func(w *world) {
			w.healthy()
			w.icmp(n, capture.IPv4, typ, code, from, "10.9.9.9:5000", t)
		}
	}
	return []fixture{
		{id: "NET-MTU-01", alsoFile: []string{"OK-00"}, cause: about(3, 3, 4, "10.0.0.254", capture.TCP), subject: to(0), want: map[string]any{"messages": int64(3), "from": "10.0.0.254", "icmp_type": int64(3), "icmp_code": int64(4), "quoted": "tcp"}},
		{id: "NET-MTU-01", alsoFile: []string{"OK-00"}, setup: func(w *world) { w.kernel.Interface("eth0").MTU = 1500 }, cause: func(w *world) {
			w.healthy()
			w.icmp(3, capture.IPv6, 2, 0, "10.0.0.254", "[2001:db8::9]:443", capture.TCP)
		}, subject: Subject{Peer: netip.MustParseAddr("2001:db8::9"), Direction: capture.Receive}, want: map[string]any{"mtu": int64(1400), "interface_mtu": int64(1500)}},
		{id: "NET-MTU-02", setup: func(w *world) { w.kernel.Interface("eth0").MTU = 1500 }, cause: func(w *world) {
			w.healthy()
			for range 2 {
				w.stall(2800, time.Second)
			}
		}, alsoFile: []string{"OK-00"}, subject: Subject{Peer: netip.MustParseAddr("10.9.9.9"), Direction: capture.Transmit}, want: map[string]any{"connections": int64(2), "outstanding": int64(2800), "interface_mtu": int64(1500)}},
		{id: "NET-ICMP-01", alsoFile: []string{"OK-00"}, cause: about(2, 3, 0, "10.0.0.254", capture.UDP), subject: to(0), want: map[string]any{"messages": int64(2), "quoted": "udp", "meaning": "as the registry says"}},
		{id: "NET-ICMP-02", alsoFile: []string{"OK-00"}, cause: about(3, 3, 3, "10.9.9.9", capture.UDP), subject: to(5000), want: map[string]any{"messages": int64(3)}},
		{id: "NET-ICMP-03", alsoFile: []string{"OK-00"}, cause: about(3, 11, 0, "10.0.0.254", capture.TCP), subject: to(0), want: map[string]any{"icmp_type": int64(11)}},
		{id: "NET-ICMP-04", also: []string{"OK-00"}, cause: about(1, 5, 1, "10.0.0.254", capture.TCP), subject: to(0), want: map[string]any{"icmp_type": int64(5)}},
		{id: "NET-ARP-01", alsoFile: []string{"OK-00"}, cause: about(1, 3, 1, "10.0.0.1", capture.UDP), subject: to(0), want: map[string]any{"messages": int64(1), "from": "10.0.0.1"}},
	}
}

func moreExportFixtures() []fixture {
	return []fixture{
		{id: "EXP-06", also: []string{"MESH-01"}, windows: 1, setup: func(w *world) {
			w.listen("[::]:8080", "0.0.0.0:15001", "0.0.0.0:15006")
			failing("UNAVAILABLE", "read tcp 10.0.0.1:41000->10.0.0.7:4317: read: connection reset by peer", "grpc")(w)
		}, cause: (*world).healthy, undo: exportsAgain, want: map[string]any{"endpoint": "collector:4317", "status": "UNAVAILABLE"}},
		{id: "CLK-02", setup: func(w *world) {
			w.exports = []ExportHealth{{Exporter: "otlp", Signal: "traces", Endpoint: "http://collector:4318/v1/traces", ClockSkew: -90 * time.Second}}
		}, cause: (*world).healthy, undo: func(w *world) { w.exports[0].ClockSkew = time.Second }, want: map[string]any{"skew_seconds": float64(90), "side": "behind", "endpoint": "http://collector:4318/v1/traces"}},
	}
}
