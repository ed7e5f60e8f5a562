package capture

// Cause is what the packets prove about an attempt to connect that failed, or
// about an exchange that is not whole: who did, or did not do, what. Where a
// [Reason] gives the outcome, the Cause says how it came to it. String gives
// the word that every output uses.
type Cause uint8

// Causes. CauseNone means that nothing more is proved.
const (
	CauseNone Cause = iota

	// Why a connection was never established.
	CauseNoAnswer           // nothing came back to the SYN
	CauseRefused            // a RST answered the SYN
	CauseRejected           // an ICMP error answered the SYN
	CauseSYNACKUnanswered   // the server sent its SYN-ACK again, in vain
	CauseUnfinished         // a SYN-ACK was sent, and the client did not finish
	CauseAbandonedByClient  // the client reset what had been answered
	CauseAbandonedByServer  // the server reset what it had answered
	CauseSimultaneousFailed // both sides sent a SYN, and neither an acknowledgement

	// Why an exchange is not whole.
	CauseServerSilent    // the server acknowledged the request and sent nothing
	CauseUnacknowledged  // the server did not acknowledge the request
	CauseKeepAliveRace   // the request met the server's end of an idle connection
	CauseResetByClient   // the client reset the connection
	CauseResetByServer   // the server did
	CauseClosedByClient  // the client closed first
	CauseClosedByServer  // the server did
	CauseGap             // bytes were never captured, or were cut by the capture
	CauseNotParsed       // bytes came that could not be read as a message
	CauseJoinedMidstream // the connection was older than the capture
	CauseUnsolicited     // all was seen, and no request asked for the response
	CauseOneWay          // only one direction of the connection was captured
	CauseExpired         // both sides said nothing for too long
	CauseReused          // a new connection took the place of this one
	CauseBound           // a bound of wiretell's own was reached
	CauseShutdown        // the capture ended

	// Why a connection makes no progress.
	CauseRetransmissionTimeout // what is sent again and again is not acknowledged
	CauseZeroWindow            // the receiver has no room
	CauseHole                  // bytes are missing that were never acknowledged
	CauseNoResponse            // a request was acknowledged, and no response came

	NumCauses
)

var causeWords = [NumCauses]string{
	CauseNone:                  "",
	CauseNoAnswer:              "no_answer",
	CauseRefused:               "refused",
	CauseRejected:              "rejected",
	CauseSYNACKUnanswered:      "syn_ack_unanswered",
	CauseUnfinished:            "handshake_unfinished",
	CauseAbandonedByClient:     "abandoned_by_client",
	CauseAbandonedByServer:     "abandoned_by_server",
	CauseSimultaneousFailed:    "simultaneous_open_unfinished",
	CauseServerSilent:          "server_silent",
	CauseUnacknowledged:        "request_unacknowledged",
	CauseKeepAliveRace:         "keep_alive_race",
	CauseResetByClient:         "reset_by_client",
	CauseResetByServer:         "reset_by_server",
	CauseClosedByClient:        "closed_by_client",
	CauseClosedByServer:        "closed_by_server",
	CauseGap:                   "gap",
	CauseNotParsed:             "not_parsed",
	CauseJoinedMidstream:       "joined_midstream",
	CauseUnsolicited:           "unsolicited",
	CauseOneWay:                "one_way_capture",
	CauseExpired:               "silent_too_long",
	CauseReused:                "ports_reused",
	CauseBound:                 "wiretell_bound",
	CauseShutdown:              "capture_ended",
	CauseRetransmissionTimeout: "retransmission_timeout",
	CauseZeroWindow:            "zero_window",
	CauseHole:                  "hole",
	CauseNoResponse:            "no_response",
}

// String returns the stable word, "" for CauseNone.
func (c Cause) String() string {
	if c < NumCauses {
		return causeWords[c]
	}
	return "invalid"
}
