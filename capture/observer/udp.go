package observer

import (
	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/dns"
	"github.com/wiretell/wiretell/capture/sniff"
)

// datagram books a UDP datagram. What package dns follows is parsed, and is in
// the ledger's line "dns"; each other one gets one reason in its port's Unparsed,
// also what looks like DNS and could not be read.
func (o *Observer) datagram(p *capture.Packet) {
	port, from := o.port(p)
	if from == capture.Client {
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
// not followed, and which side sent it: the lower of its two ports, as ephemeral
// ports are high (RFC 6335, section 6), or that of [capture.DockerDNS].
func (o *Observer) port(p *capture.Packet) (_ *capture.PortStats, from capture.Side) {
	from, number := capture.Client, p.Flow.Dst.Port
	switch {
	case p.Flow.Dst.Addr == capture.DockerDNS:
		number = dns.Port
	case p.Flow.Src.Addr == capture.DockerDNS:
		from, number = capture.Server, dns.Port
	case p.Flow.Src.Port < number:
		from, number = capture.Server, p.Flow.Src.Port
	}
	return o.book.Ports.Get(capture.PortKey{
		Port: number, Transport: p.Transport,
		Role: capture.RoleOf(p.Direction, from, p.Loopback),
	}), from
}
