package diagnosis

import "github.com/wiretell/wiretell/capture"

// copySnapshot copies what differences are made of, reusing dst's slices.
func copySnapshot(dst, src *capture.Snapshot) {
	old := *dst
	*dst = *src
	dst.Interfaces = append(old.Interfaces[:0], src.Interfaces...)
	dst.Truncated = append(old.Truncated[:0], src.Truncated...)
	dst.Ports = append(old.Ports[:0], src.Ports...)
	dst.ICMP = append(old.ICMP[:0], src.ICMP...)
	dst.Source.Interfaces = append(old.Source.Interfaces[:0], src.Source.Interfaces...)
	dst.Source.Rings = append(old.Source.Rings[:0], src.Source.Rings...)
}

// spanLedger returns now-then, account by account. Accounts that also fall
// (those named Live) have no meaning in a difference.
func spanLedger(now, then *capture.Ledger) (d capture.Ledger) {
	for i := range now {
		d[i] = less(now[i], then[i])
	}
	return d
}

// spanPorts appends to dst the difference of every port's figures. Entries keep
// their place in the table, so that the same index is the same port.
func spanPorts(dst []portView, now, then []capture.PortStats) []portView {
	for i := range now {
		p := portView{PortStats: now[i], total: &now[i]}
		if i < len(then) && then[i].PortKey == now[i].PortKey && then[i].Overflow == now[i].Overflow {
			p.subtract(&then[i])
		}
		dst = append(dst, p)
	}
	return dst
}

func (p *portView) subtract(o *capture.PortStats) {
	for _, t := range [...]struct{ a, b *capture.Tally }{
		{&p.FromClient, &o.FromClient}, {&p.FromServer, &o.FromServer}, {&p.Filtered, &o.Filtered},
	} {
		subtractTally(t.a, t.b)
	}
	for _, n := range [...]struct {
		a *uint64
		b uint64
	}{
		{&p.Conns, o.Conns}, {&p.Failed, o.Failed}, {&p.Resets, o.Resets},
		{&p.Answered, o.Answered}, {&p.Unanswered, o.Unanswered}, {&p.Orphans, o.Orphans}, {&p.Probes, o.Probes},
		{&p.ClientHellos, o.ClientHellos}, {&p.ServerHellos, o.ServerHellos}, {&p.HellosUnanswered, o.HellosUnanswered}, {&p.OneWay[0], o.OneWay[0]}, {&p.OneWay[1], o.OneWay[1]}, {&p.Gaps, o.Gaps}, {&p.GapBytes, o.GapBytes},
		{&p.FilteredHTTP, o.FilteredHTTP}, {&p.ProxyHeaders, o.ProxyHeaders},
		{&p.FilteredWithin[0], o.FilteredWithin[0]}, {&p.FilteredWithin[1], o.FilteredWithin[1]},
	} {
		*n.a = less(*n.a, n.b)
	}
	for i := range p.Requests {
		p.Requests[i] = less(p.Requests[i], o.Requests[i])
		p.Responses[i] = less(p.Responses[i], o.Responses[i])
	}
	for i := range p.UnansweredBy {
		p.UnansweredBy[i] = less(p.UnansweredBy[i], o.UnansweredBy[i])
		p.ParseErrors[i] = less(p.ParseErrors[i], o.ParseErrors[i])
		subtractTally(&p.Unparsed[i], &o.Unparsed[i])
	}
}

func subtractTally(a, b *capture.Tally) {
	a.Packets, a.Bytes = less(a.Packets, b.Packets), less(a.Bytes, b.Bytes)
}
