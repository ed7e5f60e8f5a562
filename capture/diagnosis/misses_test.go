package diagnosis

import (
	"net/netip"
	"time"

	"github.com/wiretell/wiretell/capture"
)

func environmentMisses() []nearMiss {
	alone := func(w *world) { w.listen() }
	return []nearMiss{
		{id: "ENV-02", what: "another pod's end goes away on a node", setup: func(w *world) {
			w.addInterfaces("veth7")
			w.kernel.Interface("veth7").Addrs = addrs("fe80::1/64")
			w.tick(0)
			w.kernel.Interfaces = w.kernel.Interfaces[:2]
		}, each: (*world).healthy},
		{id: "ENV-02", what: "the last interface is lost, which is ENV-03", setup: func(w *world) {
			w.kernel.Interface("eth0").Addrs = addrs("10.0.0.1/24")
			w.tick(0)
			w.kernel.Interface("eth0").Up = false
		}, each: nothing},
		{id: "ENV-02", what: "it was down from the start", setup: func(w *world) { w.addInterfaces("net1"); w.kernel.Interface("net1").Up = false }, each: (*world).healthy},
		{id: "ENV-02", what: "one that is not captured", setup: func(w *world) {
			w.facts.Interfaces = []string{"eth0"}
			w.addInterfaces("net1")
			w.kernel.Interface("net1").Addrs = addrs("10.1.0.1/24")
			w.tick(0)
			w.kernel.Interface("net1").Up = false
		}, each: (*world).healthy},
		{id: "ENV-04", what: "an application over UDP", setup: func(w *world) { alone(w); w.kernel.UDPSockets = 1 }, each: nothing},
		{id: "ENV-04", what: "an application that is connected", setup: func(w *world) {
			alone(w)
			w.kernel.Established = []capture.SocketPair{{Local: endpoint("10.0.0.1:5"), Remote: endpoint("10.0.0.2:6")}}
		}, each: nothing},
		{id: "ENV-04", what: "an application that starts after a minute and a half", setup: alone, each: func(w *world) {
			if w.now > 1_700_000_000*second+80*second {
				w.listen("[::]:8080")
			}
		}},
		{id: "ENV-04", what: "packets of somebody else", setup: alone, each: func(w *world) { w.frames(eth0, capture.FrameUDP, 2) }},
		{id: "ENV-05", what: "it is meant: a filter", setup: func(w *world) {
			w.addInterfaces("veth1", "veth2", "veth3")
			w.facts.FilterExpr = "host 10.0.0.5"
		}, each: (*world).healthy},
		{id: "ENV-05", what: "two interfaces of a pod", setup: func(w *world) { w.addInterfaces("veth1", "net1") }, each: (*world).healthy},
		{id: "ENV-06", what: "wiretell's own export", setup: func(w *world) {
			w.facts.Own = &capture.OwnFlows{}
			w.facts.Own.Add(capture.OwnFlow{Transport: capture.TCP, LocalPort: 41000, Peer: netip.MustParseAddrPort("10.0.0.7:4317")})
			w.kernel.Established = []capture.SocketPair{{Local: endpoint("10.0.0.1:41000"), Remote: endpoint("10.0.0.7:4317")}}
			w.kernel.Sockets[capture.SocketEstablished] = 1
		}, each: (*world).healthy},
		{id: "ENV-06", what: "connections made while the capture began", setup: func(w *world) {
			w.facts.Before = &capture.Kernel{Known: capture.KnownSockets}
			w.kernel.Established = []capture.SocketPair{{Local: endpoint("10.0.0.1:8080"), Remote: endpoint("10.0.0.2:5000")}}
			w.kernel.Sockets[capture.SocketEstablished] = 1
		}, each: (*world).healthy},
		{id: "ENV-07", what: "the kernel takes the filter", setup: func(w *world) { w.facts.FilterExpr = "tcp" }, each: (*world).healthy},
	}
}

func filterKindMisses() []nearMiss {
	leftOut := func(w *world) *capture.PortStats {
		w.frames(eth0, capture.FrameFiltered, 40)
		p := w.port(9000, capture.TCP, capture.RoleServer)
		p.Filtered.Add(40, 4000)
		return p
	}
	spans := func(h ExportHealth) func(*world) {
		return func(w *world) {
			h.Exporter, h.Signal = "otlp", "traces"
			w.exports = []ExportHealth{h}
		}
	}
	goodbyes := func(w *world) {
		p := w.requests(8080, capture.RoleServer, 50)
		p.Orphans += 9
		p.Responses[capture.ProtocolHTTP1] += 9
		for range 9 {
			w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Status: 408, Error: capture.ReasonUnsolicited})
		}
	}
	return []nearMiss{
		{id: "FILT-03", what: "some HTTP passes the filter", setup: func(w *world) { w.facts.FilterExpr = "port 8080" }, each: func(w *world) { w.healthy(); leftOut(w).FilteredHTTP += 3 }},
		{id: "FILT-03", what: "other protocols are left out", setup: func(w *world) { w.facts.FilterExpr = "port 53" }, each: func(w *world) { w.dns(9); leftOut(w) }},
		{id: "FILT-04", what: "calls that are redirected on loopback", setup: func(w *world) {
			w.listen("[::]:8080", "0.0.0.0:15001", "0.0.0.0:15006")
			w.facts.FilterPorts = []uint16{15001}
		}, each: func(w *world) { w.requests(15001, capture.RoleBoth, 9) }},
		{id: "FILT-04", what: "another program on that port, and no mesh", setup: func(w *world) { w.listen("[::]:15006"); w.facts.FilterPorts = []uint16{15006} }, each: (*world).healthy},
		{id: "FILT-05", what: "the filter looks behind the tag", setup: func(w *world) { w.facts.FilterExpr = "vlan and tcp port 9000" }, each: func(w *world) { leftOut(w); w.snap.FilteredTagged += 40 }},
		{id: "FILT-05", what: "both kinds", setup: func(w *world) { w.facts.FilterExpr = "ip and tcp port 1" }, each: func(w *world) {
			leftOut(w)
			w.snap.Interfaces[eth0][capture.Receive][capture.TCP][capture.IPv6].Packets += 10
		}},
		{id: "FILT-05", what: "one that matches", setup: func(w *world) { w.facts.FilterExpr = "tcp port 9000" }, each: func(w *world) { leftOut(w); w.snap.FilteredTagged += 40; w.frames(eth0, capture.FrameTCP, 1) }},
		{id: "FILT-06", what: "one is selected", setup: spans(ExportHealth{}), each: func(w *world) { w.healthy(); w.exports[0].NotSelected += 90; w.exports[0].Created++ }},
		{id: "FILT-06", what: "nothing to select", setup: spans(ExportHealth{NotSelected: 500}), each: (*world).healthy},
		{id: "FILT-07", what: "every span is made", setup: spans(ExportHealth{}), each: func(w *world) { w.healthy(); w.exports[0].Created += 50 }},
		{id: "FILT-07", what: "one in a thousand, less one", setup: spans(ExportHealth{}), each: func(w *world) { w.healthy(); w.exports[0].Created += 1000; w.exports[0].SampledOut += 9 }},
		{id: "DIR-07", what: "their requests were lost", each: func(w *world) {
			w.healthy()
			w.port(8080, capture.TCP, capture.RoleServer).Orphans += 9
			for range 9 {
				w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Status: 200, Error: capture.ReasonGap})
			}
		}},
		{id: "DIR-07", what: "goodbyes to idle connections", each: goodbyes},
		{id: "DIR-05", what: "goodbyes to idle connections", each: goodbyes},
		{id: "DIR-05", what: "responses that no request asked for, which is DIR-07", each: func(w *world) {
			p := w.requests(8080, capture.RoleServer, 50)
			p.Orphans += 5
			p.Responses[capture.ProtocolHTTP1] += 5
			for range 5 {
				w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Status: 200, Error: capture.ReasonUnsolicited})
			}
		}},
		{id: "DIR-08", what: "probes that connect and close", each: func(w *world) {
			w.healthy()
			w.port(9000, capture.TCP, capture.RoleBoth).Conns += 30
		}},
		{id: "DIR-08", what: "an idle pool", setup: func(w *world) {
			w.kernel.Established = []capture.SocketPair{{Local: endpoint("127.0.0.1:9000"), Remote: endpoint("127.0.0.1:5000")}}
		}, each: func(w *world) { w.healthy(); w.port(9000, capture.TCP, capture.RoleBoth) }},
		{id: "DIR-08", what: "payload is seen", setup: func(w *world) {
			w.kernel.Established = []capture.SocketPair{{Local: endpoint("127.0.0.1:9000"), Remote: endpoint("127.0.0.1:5000")}}
		}, each: func(w *world) { w.requests(9000, capture.RoleBoth, 9) }},
		{id: "QUAL-11", what: "no answer at all", each: func(w *world) { w.unanswered(8080, capture.ReasonTimedOut, 9) }},
		{id: "QUAL-13", what: "a lossy network", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 500)
			w.snap.Ledger[capture.SegmentInOrder] += 900
			w.snap.Ledger[capture.SegmentDuplicate] += 200
		}},
		{id: "QUAL-13", what: "a few in a window", each: func(w *world) { w.healthy(); w.snap.TCP.Ignored[capture.Receive][capture.IgnoredCopy] += 9 }},
		{id: "QUAL-13", what: "this kernel sent them again", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 500)
			w.snap.Ledger[capture.SegmentInOrder] += 100
			w.snap.Ledger[capture.SegmentDuplicate] += 200
			w.kernel.TCP.RetransSegs += 150
		}},
	}
}

func tlsMisses() []nearMiss {
	return []nearMiss{
		{id: "TLS-04", what: "goodbyes", each: func(w *world) {
			w.hello(443, capture.RoleClient, "a.example")
			for range 9 {
				w.alert(443, capture.RoleClient, capture.Client, alertCloseNotify)
				w.alert(443, capture.RoleClient, capture.Client, alertUserCanceled)
			}
		}},
		{id: "TLS-04", what: "one alert in a window", each: func(w *world) {
			w.hello(443, capture.RoleClient, "a.example")
			w.alert(443, capture.RoleClient, capture.Server, 40)
		}},
		{id: "TLS-04", what: "some hellos are answered", each: func(w *world) {
			w.hello(443, capture.RoleClient, "a.example")
			p := w.port(443, capture.TCP, capture.RoleClient)
			p.ClientHellos += 9
			p.HellosUnanswered += 9
		}},
		{id: "TLS-04", what: "hellos that may be answered yet", each: func(w *world) {
			w.unparsed(443, capture.TCP, capture.RoleClient, capture.ReasonTLS, 9).ClientHellos += 9
		}},
		{id: "TLS-05", what: "bad requests on a port in clear text", each: func(w *world) {
			w.healthy()
			for range 9 {
				w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Status: 400, HasRequest: true})
			}
		}},
		{id: "TLS-01", what: "a mesh's", each: func(w *world) { w.healthy(); w.meshHello(8443, 2) }},
		{id: "TLS-06", what: "no plain text on loopback", each: func(w *world) { w.healthy(); w.meshHello(8443, 2) }},
		{id: "TLS-06", what: "TLS of the application", each: func(w *world) {
			w.requests(8080, capture.RoleBoth, 9)
			w.hello(8443, capture.RoleServer, "shop.example")
		}},
		{id: "TLS-07", what: "a name", each: func(w *world) { w.healthy(); w.hello(443, capture.RoleClient, "api.example") }},
		{id: "HTTP-01", what: "sides that leave TLS", each: func(w *world) {
			w.hello(8443, capture.RoleServer, "shop.example")
			p := w.port(8443, capture.TCP, capture.RoleServer)
			p.ParseErrors[capture.ReasonSwitchedProtocol] += 9
			for i := range 9 {
				w.tree.Observe(&capture.ParseError{Conn: capture.Conn{Server: endpoint("10.0.0.1:8443"), Role: capture.RoleServer}, From: capture.Side(i & 1), Protocol: capture.ProtocolTLS, Why: capture.ReasonSwitchedProtocol})
			}
		}},
		{id: "HTTP-01", what: "errors of TLS", each: func(w *world) {
			p := w.requests(8443, capture.RoleServer, 5)
			p.ParseErrors[capture.ReasonBadHello] += 9
			p.ParseErrors[capture.ReasonTLS] += 9
		}},
		{id: "PROTO-01", what: "none", each: (*world).healthy},
		{id: "PROTO-02", what: "not known by sight", each: func(w *world) {
			w.unparsed(9000, capture.TCP, capture.RoleServer, capture.ReasonUnknownProtocol, 90)
		}},
		{id: "PROTO-03", what: "known by sight", each: func(w *world) {
			w.unparsed(6379, capture.TCP, capture.RoleServer, capture.ReasonUnknownProtocol, 90).Looks = "redis"
		}},
		{id: "PROTO-02", what: "most of the port is HTTP", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 200)
			w.unparsed(8080, capture.TCP, capture.RoleServer, capture.ReasonUnknownProtocol, 40).Looks = "ssh"
		}},
		{id: "ENCAP-01", what: "one in a hundred", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 2500)
			w.unparsed(4789, capture.UDP, capture.RoleServer, capture.ReasonUDP, 60)
		}},
		{id: "ENCAP-01", what: "another datagram service", each: func(w *world) {
			w.unparsed(5060, capture.UDP, capture.RoleServer, capture.ReasonUDP, 600)
		}},
	}
}

func meshMisses() []nearMiss {
	istio := func(w *world) { w.listen("[::]:8080", "0.0.0.0:15001", "0.0.0.0:15006") }
	answers := func(role capture.Role, n int) func(*world) {
		return func(w *world) {
			w.healthy()
			w.requests(8080, capture.RoleBoth, 50)
			for range n {
				w.tree.Observe(&capture.Exchange{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: role}, Status: 503})
			}
		}
	}
	return []nearMiss{
		{id: "MESH-01", what: "one port of a mesh", setup: func(w *world) { w.listen("[::]:8080", "0.0.0.0:15021") }, each: (*world).healthy},
		{id: "MESH-01", what: "one port of each mesh", setup: func(w *world) { w.listen("[::]:8080", "0.0.0.0:15021", "0.0.0.0:4191") }, each: (*world).healthy},
		{id: "MESH-02", what: "nothing was paired", setup: istio, each: func(w *world) { w.healthy(); w.requests(8080, capture.RoleBoth, 50); w.snap.Twins.Evicted += 5 }},
		{id: "MESH-03", what: "calls that are not redirected", setup: istio, each: func(w *world) { w.requests(9000, capture.RoleBoth, 9) }},
		{id: "MESH-03", what: "another program on that port", setup: func(w *world) { w.listen("[::]:15001") }, each: func(w *world) { w.requests(15001, capture.RoleBoth, 9) }},
		{id: "MESH-04", what: "plain text on loopback", each: func(w *world) { w.requests(8080, capture.RoleBoth, 9); w.meshHello(8443, 2) }},
		{id: "MESH-04", what: "TLS of the application", each: func(w *world) { w.hello(8443, capture.RoleServer, "shop.example") }},
		{id: "MESH-05", what: "the application's own", setup: istio, each: func(w *world) { answers(capture.RoleServer, 9)(w); answers(capture.RoleBoth, 9)(w) }},
		{id: "MESH-05", what: "no mesh", each: answers(capture.RoleServer, 9)},
		{id: "MESH-05", what: "loopback is not captured", setup: func(w *world) { istio(w); w.facts.Interfaces = []string{"eth0"} }, each: answers(capture.RoleServer, 9)},
		{id: "EXP-06", what: "no mesh", setup: failing("", "read: connection reset by peer", "grpc"), each: (*world).healthy},
		{id: "EXP-06", what: "refused, behind a mesh", setup: func(w *world) { istio(w); failing("", "connect: connection refused", "grpc")(w) }, each: (*world).healthy},
		{id: "EXP-01", what: "cut by a mesh", setup: func(w *world) { istio(w); failing("", "read: connection reset by peer", "grpc")(w) }, each: (*world).healthy},
		{id: "CLK-02", what: "two seconds", setup: func(w *world) {
			w.exports = []ExportHealth{{Exporter: "otlp", Signal: "traces", ClockSkew: 2 * time.Second}}
		}, each: (*world).healthy},
	}
}

func closingMisses() []nearMiss {
	sockets := func(s capture.SocketState, n uint32) func(*world) {
		return func(w *world) { w.kernel.Sockets[s] = n }
	}
	reset := func(by capture.Side, phase capture.Phase, n int) func(*world) {
		return func(w *world) {
			w.healthy()
			for range n {
				w.tree.Observe(&capture.ConnReset{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, By: by, Phase: phase})
			}
		}
	}
	return []nearMiss{
		{id: "NET-SYN-07", what: "a few", setup: sockets(capture.SocketSynRecv, 15), each: (*world).healthy},
		{id: "NET-SYN-07", what: "a burst between two readings", each: func(w *world) {
			w.healthy()
			w.kernel.Sockets[capture.SocketSynRecv] = 90 - w.kernel.Sockets[capture.SocketSynRecv]
		}},
		{id: "NET-RST-01", what: "a client that closes idle connections by RST", each: reset(capture.Client, capture.PhaseIdle, 50)},
		{id: "NET-RST-02", what: "once in a window", each: func(w *world) {
			w.healthy()
			w.tree.Observe(&capture.ConnReset{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer, Race: true}, By: capture.Server, Phase: capture.PhaseRequest})
		}},
		{id: "NET-RST-02", what: "in the middle of exchanges", each: reset(capture.Server, capture.PhaseRequest, 50)},
		{id: "NET-RST-01", what: "idle connections that the server closes", each: func(w *world) {
			w.healthy()
			for range 50 {
				w.tree.Observe(&capture.ConnReset{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer, Race: true}, By: capture.Server, Phase: capture.PhaseRequest})
			}
		}},
		{id: "NET-SYN-07", what: "answers to SYNs that were not captured", each: func(w *world) {
			w.healthy()
			for range 50 {
				w.tree.Observe(&capture.ConnFailed{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Why: capture.ReasonTimedOut, Cause: capture.CauseUnfinished})
			}
		}},
		{id: "NET-SYN-07", what: "a scanner that resets what is answered", each: func(w *world) {
			w.healthy()
			for range 50 {
				w.tree.Observe(&capture.ConnFailed{Conn: capture.Conn{Server: endpoint("10.0.0.1:8080"), Role: capture.RoleServer}, Why: capture.ReasonReset, Cause: capture.CauseAbandonedByClient, Attempts: 1})
			}
		}},
		{id: "NET-RST-01", what: "after a FIN", each: reset(capture.Server, capture.PhaseClosing, 50)},
		{id: "NET-RST-01", what: "rare", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 1000)
			reset(capture.Server, capture.PhaseResponse, 20)(w)
		}},
		{id: "NET-CW-01", what: "a few", setup: func(w *world) { w.closeWait(8080, 4) }, each: (*world).healthy},
		{id: "NET-CW-01", what: "they become fewer", setup: func(w *world) { w.closeWait(8080, 100) }, each: func(w *world) { w.healthy(); w.closeWait(8080, w.kernel.CloseWait[0].Count-10) }},
		{id: "NET-CW-01", what: "half-closed for a moment", each: func(w *world) {
			w.healthy()
			if w.closeWaits() == 0 {
				w.closeWait(8080, 50)
			} else {
				w.closeWait(8080, 0)
			}
		}},
		{id: "NET-LA-01", what: "a few", setup: sockets(capture.SocketLastAck, 4), each: (*world).healthy},
		{id: "NET-LA-01", what: "for a moment", each: func(w *world) {
			w.healthy()
			w.kernel.Sockets[capture.SocketLastAck] = 50 - w.kernel.Sockets[capture.SocketLastAck]
		}},
		{id: "NET-LA-01", what: "the peer only does not close", setup: sockets(capture.SocketFinWait2, 90), each: (*world).healthy},
		{id: "NET-TW-01", what: "many peers", setup: func(w *world) {
			w.kernel.LocalPorts = [2]uint16{32768, 60999}
			w.kernel.Sockets[capture.SocketTimeWait] = 28000
			for i := range uint16(40) {
				w.kernel.Remotes = append(w.kernel.Remotes, capture.RemoteCount{Remote: capture.EndpointOf(netip.AddrPortFrom(netip.MustParseAddr("10.9.9.9"), 1000+i)), Count: 700})
			}
		}, each: (*world).healthy},
		{id: "NET-RETX-01", what: "one in a hundred", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 1200)
			w.snap.TCP.Retransmits[capture.Transmit][capture.RetransmitFast] += 12
		}},
		{id: "NET-RETX-01", what: "few", each: func(w *world) { w.healthy(); w.snap.TCP.Retransmits[capture.Transmit][capture.RetransmitTimeout] += 9 }},
		{id: "NET-RETX-01", what: "packets that are seen twice", each: func(w *world) {
			w.requests(8080, capture.RoleServer, 60)
			w.snap.Ledger[capture.SegmentInOrder] += 120
			w.snap.Ledger[capture.SegmentDuplicate] += 120
			w.snap.TCP.Retransmits[capture.Transmit][capture.RetransmitTimeout] += 120
		}},
		{id: "NET-RETX-01", what: "SYNs, and what was acknowledged before", each: func(w *world) {
			w.healthy()
			w.snap.TCP.Retransmits[capture.Transmit][capture.RetransmitSYN] += 50
			w.snap.TCP.Retransmits[capture.Transmit][capture.RetransmitSpurious] += 50
		}},
		{id: "NET-STALL-01", what: "one connection in a window", each: func(w *world) { w.healthy(); w.stall(400, time.Minute) }},
		{id: "NET-STALL-01", what: "the first large segments, which is NET-MTU-02", each: func(w *world) { w.healthy(); w.stall(9000, time.Second); w.stall(9000, time.Second) }},
		{id: "NET-STALL-01", what: "a window that is closed", each: func(w *world) {
			w.healthy()
			for range 5 {
				w.tree.Observe(&capture.ConnStuck{Conn: capture.Conn{Server: endpoint("10.9.9.9:443"), Role: capture.RoleClient}, Kind: capture.StuckStalled, Cause: capture.CauseZeroWindow, Bytes: 400})
			}
		}},
		{id: "NET-ZWIN-01", what: "a burst", each: func(w *world) {
			w.healthy()
			w.snap.TCP.ZeroWindow[capture.Receive] += 40
			w.snap.TCP.ZeroWindowTime[capture.Receive] += uint64(400 * time.Millisecond)
		}},
	}
}

func (w *world) closeWaits() uint64 { return closeWaits(w.kernel, 8080) }

func icmpMisses() []nearMiss {
	about := func(n int, typ, code uint8, from, quoted string, t capture.Transport) func(*world) {
		return func(w *world) { w.healthy(); w.icmp(n, capture.IPv4, typ, code, from, quoted, t) }
	}
	return []nearMiss{
		{id: "NET-MTU-01", what: "once per path", each: func(w *world) {
			w.healthy()
			for _, peer := range []string{"10.9.9.1:1", "10.9.9.2:1", "10.9.9.3:1"} {
				w.icmp(2, capture.IPv4, 3, 4, "10.0.0.254", peer, capture.TCP)
			}
		}},
		{id: "NET-MTU-02", what: "little is outstanding", each: func(w *world) { w.healthy(); w.stall(400, time.Second); w.stall(400, time.Second) }},
		{id: "NET-MTU-02", what: "large segments were acknowledged before", each: func(w *world) {
			w.healthy()
			for range 2 {
				w.tree.Observe(&capture.ConnStuck{Conn: capture.Conn{Server: endpoint("10.9.9.9:443"), Role: capture.RoleClient, Start: w.now}, At: w.now.Add(6 * time.Second), Waited: 5 * time.Second,
					Kind: capture.StuckStalled, Cause: capture.CauseRetransmissionTimeout, Bytes: 9000, Acked: 20000})
			}
		}},
		{id: "NET-MTU-02", what: "a peer that went away", each: func(w *world) { w.healthy(); w.stall(9000, time.Minute); w.stall(9000, time.Minute) }},
		{id: "NET-MTU-02", what: "one connection in a window", each: func(w *world) { w.healthy(); w.stall(9000, time.Second) }},
		{id: "NET-MTU-02", what: "ICMP says why", each: func(w *world) {
			w.healthy()
			w.icmp(1, capture.IPv4, 3, 4, "10.0.0.254", "10.9.9.9:443", capture.TCP)
			w.stall(9000, time.Second)
			w.stall(9000, time.Second)
		}},
		{id: "NET-ICMP-01", what: "connects fail by it", each: func(w *world) {
			w.healthy()
			w.tree.Observe(&capture.ConnFailed{Conn: capture.Conn{Server: endpoint("10.9.9.9:5432"), Role: capture.RoleClient}, Why: capture.ReasonHostUnreachable, Attempts: 1, HasICMP: true})
			w.icmp(3, capture.IPv4, 3, 1, "10.0.0.254", "10.9.9.9:5432", capture.TCP)
		}},
		{id: "NET-ICMP-01", what: "traceroute", each: about(9, 3, 3, "10.9.9.9", "10.9.9.9:33440", capture.UDP)},
		{id: "NET-ICMP-01", what: "this host says so itself", each: about(9, 3, 1, "10.0.0.1", "10.9.9.9:5", capture.UDP)},
		{id: "NET-ICMP-02", what: "traceroute", each: about(9, 3, 3, "10.9.9.9", "10.9.9.9:33434", capture.UDP)},
		{id: "NET-ICMP-02", what: "an invention", each: func(w *world) {
			w.healthy()
			for range 9 {
				w.tree.Observe(&capture.ICMPError{Network: capture.IPv4, Header: capture.ICMPHeader{Type: 3, Code: 3}, QuotedTransport: capture.UDP, Quoted: capture.Flow{Dst: endpoint("10.9.9.9:5")}})
			}
		}},
		{id: "NET-ICMP-02", what: "two", each: about(2, 3, 3, "10.9.9.9", "10.9.9.9:5", capture.UDP)},
		{id: "NET-ICMP-03", what: "traceroute", each: about(9, 11, 0, "10.9.9.9", "10.9.9.9:33500", capture.UDP)},
		{id: "NET-ICMP-04", what: "a port that is closed", each: about(9, 3, 3, "10.9.9.9", "10.9.9.9:5", capture.UDP)},
		{id: "NET-ARP-01", what: "a router says so", each: about(9, 3, 1, "10.0.0.254", "10.9.9.9:5", capture.UDP)},
	}
}
