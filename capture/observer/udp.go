package observer

import (
	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/sniff"
)

// datagram books a UDP datagram: none is parsed, each gets one reason.
func (o *Observer) datagram(p *capture.Packet) {
	port := o.port(p)
	if p.Flow.Dst.Port == port.Port {
		port.FromClient.Add(1, p.PayloadLen)
	} else {
		port.FromServer.Add(1, p.PayloadLen)
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
