package http1

import "github.com/wiretell/wiretell/capture"

// InFlight implements [capture.Carrier].
func (p *Parser) InFlight(acked uint64) (number uint64, traceParent []byte) {
	x := p.first
	if m := p.sides[capture.Server].msg; m != nil && m.x != nil && (m.x.hasRequest || m.x.status != 0) {
		x = m.x
	} else if m := p.sides[capture.Client].msg; x == nil && m != nil && m.x != nil && m.x.counted {
		x = m.x
	}
	switch {
	case x == nil && p.answered > acked:
		return p.lastNumber, p.lastParent
	case x == nil:
		return 0, nil
	}
	return x.number, x.bytes(x.parent)
}

// causeUnseen is the cause where the fault lies with what wiretell could see.
func causeUnseen(why capture.Reason) capture.Cause {
	switch why {
	case capture.ReasonJoinedMidstream:
		return capture.CauseJoinedMidstream
	case capture.ReasonEvicted, capture.ReasonPending:
		return capture.CauseBound
	}
	return capture.CauseGap
}

// cause tells what is proved of how x came to its end without a whole response.
func (p *Parser) cause(x *exchange, why capture.Reason) capture.Cause {
	switch why {
	case capture.ReasonNone:
		return capture.CauseNone
	case capture.ReasonGap, capture.ReasonTruncated, capture.ReasonJoinedMidstream, capture.ReasonEvicted, capture.ReasonPending:
		return causeUnseen(why)
	case capture.ReasonUnsolicited:
		return capture.CauseUnsolicited
	case capture.ReasonShutdown:
		return capture.CauseShutdown
	case capture.ReasonReused:
		return capture.CauseReused
	case capture.ReasonReset, capture.ReasonTimedOut, capture.ReasonClosedBeforeResponse, capture.ReasonResponseTruncated, capture.ReasonRequestTruncated:
		return p.endCause(x, why)
	}
	return capture.CauseNotParsed // bytes came, and broke the rules
}

// endCause tells how the end of the connection came about, for an exchange that
// it cut.
func (p *Parser) endCause(x *exchange, why capture.Reason) capture.Cause {
	waiting := x.hasRequest && x.status == 0 && !x.cut
	switch by := p.conn.EndedBy; {
	case p.conn.OneWay:
		return capture.CauseOneWay
	case why == capture.ReasonReset && p.conn.Race && waiting:
		return capture.CauseKeepAliveRace
	case why == capture.ReasonReset && by == capture.EndedByClient:
		return capture.CauseResetByClient
	case why == capture.ReasonReset:
		return capture.CauseResetByServer
	case waiting && p.unreadSince(x):
		return capture.CauseNotParsed
	case why != capture.ReasonTimedOut && by == capture.EndedByServer:
		return capture.CauseClosedByServer
	case waiting && p.acknowledged(x):
		return capture.CauseServerSilent
	case waiting:
		return capture.CauseUnacknowledged
	case why == capture.ReasonTimedOut:
		return capture.CauseExpired
	}
	return capture.CauseClosedByClient
}

// unreadSince reports whether the server sent something after x's request that
// could not be read.
func (p *Parser) unreadSince(x *exchange) bool {
	s := &p.sides[capture.Server]
	return (s.state == stateDesync || s.state == stateSwitched) && s.next > x.acked
}

// acknowledged reports whether the server acknowledged all of x's request that
// was sent.
func (p *Parser) acknowledged(x *exchange) bool {
	sent := uint64(x.requestWire)
	if m := p.sides[capture.Client].msg; m != nil && m.x == x {
		sent = uint64(m.wire)
	}
	return p.sides[capture.Server].acked >= x.start+sent
}
