package observer

import (
	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/icmp"
	"github.com/wiretell/wiretell/capture/wire"
)

// icmp counts a message; of an error it also states what it says, and tells the
// connection that it quotes.
func (o *Observer) icmp(p *capture.Packet) {
	key := capture.ICMPKey{Network: p.Network, Type: p.ICMP.Type, Code: p.ICMP.Code, Direction: p.Direction}
	quote, isError := icmp.Parse(p)
	var quoted wire.Quoted
	if isError {
		quoted, _ = wire.DecodeQuoted(p.Network, quote.Packet)
		key.Quoted = quoted.Transport
	}
	o.book.ICMP(key)
	if !isError {
		return
	}
	e := &o.scratch
	if b := o.book.Batch; b != nil {
		e = b.ICMPError()
	}
	meaning := icmp.Describe(p.Network, p.ICMP.Type, p.ICMP.Code)
	*e = capture.ICMPError{
		At: p.Time, Network: p.Network, From: p.Flow.Src, To: p.Flow.Dst,
		Header: p.ICMP, Direction: p.Direction, Interface: p.Interface,
		Meaning: meaning.Name, Why: meaning.Why,
		Quoted: quoted.Flow, QuotedTransport: quoted.Transport, NextHopMTU: quote.NextHopMTU,
	}
	switch {
	case !quoted.HasPorts:
	case quoted.Transport == capture.TCP:
		o.conns.ICMPError(quoted.Flow, quoted.Seq, quoted.HasSeq, e)
	case quoted.Transport == capture.UDP:
		if o.flows.find(&quoted.Flow, p.Time, &e.Conn) {
			e.QuotedSeen = true
			o.dns.Unreachable(quoted.Data, e)
		}
	}
}
