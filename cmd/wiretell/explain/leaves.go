package explain

import "github.com/wiretell/wiretell/capture"

// The diagnoses that an error leads to, where there are any.
var (
	reasonLeaves = map[capture.Reason][]string{
		capture.ReasonReset: {"NET-RST-01", "NET-RST-02"}, capture.ReasonTimedOut: {"NET-SYN-01", "QUAL-11"},
		capture.ReasonRefused:         {"NET-SYN-02", "NET-SYN-04", "NET-SYN-05"},
		capture.ReasonHostUnreachable: {"NET-SYN-03", "NET-ICMP-01", "NET-ARP-01"}, capture.ReasonNetUnreachable: {"NET-SYN-03", "NET-ICMP-01"},
		capture.ReasonAdminProhibited: {"NET-SYN-03", "NET-ICMP-01"}, capture.ReasonPortUnreachable: {"NET-SYN-03", "NET-ICMP-02"},
		capture.ReasonProtoUnreachable: {"NET-SYN-03", "NET-ICMP-01"}, capture.ReasonTTLExceeded: {"NET-SYN-03", "NET-ICMP-03"},
		capture.ReasonEvicted: {"QUAL-09", "QUAL-10"}, capture.ReasonReused: {"NET-TW-01"},
		capture.ReasonClosedBeforeResponse: {"DIR-02"}, capture.ReasonResponseTruncated: {"DIR-06"}, capture.ReasonRequestTruncated: {"DIR-06"},
		capture.ReasonGap: {"QUAL-07", "QUAL-08", "DIR-04"}, capture.ReasonTruncated: {"QUAL-06"},
		capture.ReasonJoinedMidstream: {"ENV-06", "PROTO-04", "DIR-05"}, capture.ReasonUnsolicited: {"DIR-07"}, capture.ReasonPending: {"DIR-07"},
		capture.ReasonTLS: {"TLS-01", "TLS-02"}, capture.ReasonUnknownProtocol: {"PROTO-03"}, capture.ReasonHTTP2: {"H2-01"},
		capture.ReasonUpgraded: {"UPG-01"}, capture.ReasonDesync: {"HTTP-01"}, capture.ReasonHeaderTooLarge: {"HTTP-01"},
		capture.ReasonBadStartLine: {"HTTP-01"}, capture.ReasonBadHeader: {"HTTP-01"}, capture.ReasonBadChunk: {"HTTP-01"},
		capture.ReasonBadLength: {"HTTP-01"}, capture.ReasonAmbiguousLength: {"HTTP-01"}, capture.ReasonBadTransferCoding: {"HTTP-01"},
		capture.ReasonUnsupportedVersion: {"HTTP-01"}, capture.ReasonSwitchedProtocol: {"TLS-05"}, capture.ReasonBadHello: {"TLS-04"},
		capture.ReasonQUIC: {"QUIC-01"},
	}
	causeLeaves = map[capture.Cause][]string{
		capture.CauseNoAnswer: {"NET-SYN-01"}, capture.CauseRefused: {"NET-SYN-02", "NET-SYN-04", "NET-SYN-05"}, capture.CauseRejected: {"NET-SYN-03"},
		capture.CauseSYNACKUnanswered: {"NET-SYN-07"}, capture.CauseUnfinished: {"NET-SYN-07"}, capture.CauseAbandonedByServer: {"NET-SYN-06"},
		capture.CauseServerSilent: {"DIR-02"}, capture.CauseUnacknowledged: {"DIR-02", "NET-RETX-01"}, capture.CauseKeepAliveRace: {"NET-RST-02"},
		capture.CauseResetByClient: {"NET-RST-01"}, capture.CauseResetByServer: {"NET-RST-01"},
		capture.CauseClosedByClient: {"DIR-06"}, capture.CauseClosedByServer: {"DIR-06"}, capture.CauseGap: {"DIR-04", "QUAL-07", "QUAL-08"},
		capture.CauseNotParsed: {"DIR-03", "HTTP-01"}, capture.CauseJoinedMidstream: {"ENV-06", "DIR-05"}, capture.CauseUnsolicited: {"DIR-07"},
		capture.CauseOneWay: {"DIR-01"}, capture.CauseExpired: {"QUAL-11"}, capture.CauseReused: {"NET-TW-01"}, capture.CauseBound: {"QUAL-09", "QUAL-10"},
		capture.CauseRetransmissionTimeout: {"NET-STALL-01", "NET-RETX-01", "NET-MTU-02"}, capture.CauseZeroWindow: {"NET-ZWIN-01"},
		capture.CauseHole: {"NET-RETX-01"}, capture.CauseNoResponse: {"DIR-02"},
	}
	phaseLeaves = map[capture.Phase][]string{
		capture.PhaseIdle: {"NET-RST-02"}, capture.PhaseRequest: {"NET-RST-01"}, capture.PhaseResponse: {"NET-RST-01"}, capture.PhaseUnacknowledged: {"NET-RETX-01"},
	}
	waitLeaves = map[capture.StuckKind][]string{
		capture.StuckHalfClosed: {"NET-CW-01"}, capture.StuckUnacknowledged: {"NET-LA-01"},
		capture.StuckStalled: {"NET-STALL-01", "NET-ZWIN-01", "NET-MTU-02", "NET-RETX-01"}, capture.StuckStream: {"DIR-02", "NET-RETX-01"},
	}
	stateLeaves = map[capture.TCPState][]string{
		capture.StateSynSent: {"NET-SYN-01"}, capture.StateSynReceived: {"NET-SYN-07"}, capture.StateCloseWait: {"NET-CW-01"},
		capture.StateFinWait1: {"NET-LA-01"}, capture.StateLastAck: {"NET-LA-01"}, capture.StateTimeWait: {"NET-TW-01"},
	}
)

// icmpLeaves returns the diagnoses of an ICMP error.
func icmpLeaves(n capture.Network, typ, code uint8, why capture.Reason) []string {
	v6 := n == capture.IPv6
	switch {
	case why != capture.ReasonNone:
		return reasonLeaves[why]
	case !v6 && typ == 3 && code == 4, v6 && typ == 2:
		return []string{"NET-MTU-01"}
	case !v6 && typ == 11, v6 && typ == 3:
		return []string{"NET-ICMP-03"}
	case !v6 && (typ == 4 || typ == 5):
		return []string{"NET-ICMP-04"}
	}
	return nil
}
