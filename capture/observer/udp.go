package observer

import (
	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/sniff"
)

// datagram books a UDP datagram. What package dns follows is parsed, and is in
// the ledger's line "dns"; each other one gets one reason in its port's Unparsed,
// also what looks like DNS and could not be read.
func (o *Observer) datagram(p *capture.Packet) {
	port := o.port(p)
	if p.Flow.Dst.Port == port.Port {
		port.FromClient.Add(1, p.PayloadLen)
	} else {
		port.FromServer.Add(1, p.PayloadLen)
	}
	o.flows.note(p)
	if o.dns.Datagram(p) {
		return
	}
	guess := sniff.ClassifyUDP(p.Flow.Src.Port, p.Flow.Dst.Port, p.Payload)
	port.Unparsed[guess.Reason].Add(1, p.PayloadLen)
}

// port returns the counters of the server port of a packet whose connection is
// not followed: the lower of its two ports, as ephemeral ports are high
// (RFC 6335, section 6).
func (o *Observer) port(p *capture.Packet) *capture.PortStats {
	from, number := capture.Client, p.Flow.Dst.Port
	if p.Flow.Src.Port < number {
		from, number = capture.Server, p.Flow.Src.Port
	}
	return o.book.Ports.Get(capture.PortKey{
		Port: number, Transport: p.Transport,
		Role: capture.RoleOf(p.Direction, from, p.Loopback),
	})
}
