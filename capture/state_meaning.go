package capture

var phaseMeanings = [NumPhases]Meaning{
	PhaseHandshake: {"before the handshake was over",
		"no ACK of the SYN-ACK was seen", "RFC 9293, section 3.5",
		"what listens on the port, and its accept queue"},
	PhaseIdle: {"between two exchanges, with nothing outstanding",
		"all that was sent is acknowledged, and each request has its response", "RFC 9112, section 9.5",
		"idle time-outs of both sides and of what lies between; harmless where the client opens a new connection"},
	PhaseRequest: {"while a request was on its way or waited for its response",
		"the client's bytes were the last, or are not acknowledged", "RFC 9293, section 3.4",
		"the exchange in flight (trace and span id): a crash, limit or time-out of the side that reset"},
	PhaseResponse: {"while a response was on its way",
		"the server's bytes were the last, or are not acknowledged", "RFC 9293, section 3.4",
		"the exchange in flight (trace and span id): clients that give up, servers that die"},
	PhaseClosing: {"after one side had closed",
		"a FIN before it", "RFC 9293, section 3.6",
		"mostly harmless: who closes with unread data, or closes fast on purpose (SO_LINGER 0)"},
	PhaseUnacknowledged: {"after payload that was sent again and never acknowledged",
		"retransmissions of the same bytes before it", "RFC 9293, section 3.8.3",
		"the network between: the side that reset had given up"},
}

// Meaning explains p.
func (p Phase) Meaning() Meaning {
	if p < NumPhases {
		return phaseMeanings[p]
	}
	return Meaning{}
}

var stuckMeanings = [NumStuckKinds]Meaning{
	StuckHalfClosed: {"one side has closed, and the other neither sends nor closes",
		"a FIN that is acknowledged, and no FIN or payload of the other side", "RFC 9293, section 3.6.1",
		"the application of the side named (wiretell.tcp.side), which is in CLOSE-WAIT: it does not close its socket"},
	StuckUnacknowledged: {"a side has closed, and its FIN is not acknowledged",
		"a FIN, sent again, and no ACK that covers it", "RFC 9293, section 3.6",
		"NAT and firewalls on the way that forgot an idle connection; a peer host that is gone"},
	StuckStalled: {"what a side sends is not acknowledged, or may not be sent",
		"the same bytes again and again, or a window of 0 with probes", "RFC 9293, section 3.8",
		"wiretell.cause: retransmission_timeout is the network, zero_window the receiving application"},
	StuckStream: {"missing bytes, or a response, did not come in time",
		"a hole for --stream-timeout, or silence of both sides for --idle-timeout while something is outstanding", "RFC 9293, section 3.8.3",
		"wiretell.cause says which: hole, no_response or retransmission_timeout"},
}

// Meaning explains k.
func (k StuckKind) Meaning() Meaning {
	if k < NumStuckKinds {
		return stuckMeanings[k]
	}
	return Meaning{}
}

var ignoredMeanings = [NumIgnored]Meaning{
	IgnoredReset: {"a RST with a wrong number: hosts ignore it, and so does wiretell",
		"its sequence number is not the next one that the receiver can expect", "RFC 5961, section 3.2",
		"when many: somebody forges resets, or a middlebox resets late"},
	IgnoredSYN: {"a SYN within a connection that lives",
		"a SYN with the ends of an established connection, and a sequence number that starts no new one", "RFC 5961, section 4.2",
		"when many: forged SYNs; a client that lost its state"},
	IgnoredFIN: {"a FIN outside of the window, or before what was sent",
		"its sequence number does not fit the connection", "RFC 9293, section 3.10.7.4",
		"when many: forged or very old segments"},
	IgnoredData: {"payload outside of the window",
		"its sequence number does not fit the connection", "RFC 9293, section 3.10.7.4",
		"when many: forged or very old segments"},
	IgnoredACK: {"an empty segment outside of the window",
		"its sequence or acknowledgement number does not fit the connection", "RFC 5961, section 5.2",
		"when many: forged or very old segments; keep-alives of a peer that lost its state"},
	IgnoredICMP: {"an ICMP error that quotes what is not in flight",
		"the quoted sequence number is not among those that are sent and not acknowledged", "RFC 5927, section 4",
		"when many: somebody forges ICMP errors, or they come very late"},
	IgnoredCopy: {"a segment that the capture holds already: it was sent once, and captured at two places",
		"it has the IP identification and timestamps of the one before; of a connection with such, it follows within 3 ms and nobody missed it", "RFC 6864, section 4.3; RFC 7323, section 3.2",
		"nothing: it is no retransmission, and is not counted as one; see QUAL-13"},
}

// Meaning explains i.
func (i Ignored) Meaning() Meaning {
	if i < NumIgnored {
		return ignoredMeanings[i]
	}
	return Meaning{}
}

var stateMeanings = [NumTCPStates]Meaning{
	StateSynSent: {"it sent a SYN, which is not answered", "a SYN, and no SYN-ACK", "RFC 9293, section 3.3.2",
		"the peer: does it get the SYN, and does it answer?"},
	StateSynReceived: {"it answered a SYN, and the handshake is not over", "a SYN-ACK, and no ACK of it", "RFC 9293, section 3.3.2",
		"the way back to the client"},
	StateEstablished: {"it may send and receive", "SYN, SYN-ACK and ACK, or payload both ways", "RFC 9293, section 3.3.2",
		"nothing: this is no error"},
	StateFinWait1: {"it closed, and its FIN is not acknowledged", "a FIN, and no ACK that covers it", "RFC 9293, section 3.3.2",
		"whether the peer is still there"},
	StateFinWait2: {"its FIN is acknowledged, and the other side goes on", "an ACK that covers its FIN, and no FIN of the other side", "RFC 9293, section 3.3.2",
		"the application of the other side, if it stays: it does not close"},
	StateCloseWait: {"the other side has closed, and it has not", "the other side's FIN, acknowledged, and none of its own", "RFC 9293, section 3.3.2",
		"its application, if it stays: it does not close its socket"},
	StateClosing: {"both closed at once, and its FIN is not acknowledged", "two FINs that cross, and no ACK that covers its own", "RFC 9293, section 3.3.2",
		"whether the peer is still there, if it stays"},
	StateLastAck: {"it closed second, and its FIN is not acknowledged", "its FIN after the other side's, and no ACK that covers it", "RFC 9293, section 3.3.2",
		"NAT and firewalls on the way; whether the peer is still there"},
	StateTimeWait: {"both FINs are acknowledged, and it closed first", "two FINs with their ACKs", "RFC 9293, section 3.3.2",
		"nothing; when many, a client that opens a connection for each request"},
	StateClosed: {"the connection is over", "two FINs with their ACKs, or a RST", "RFC 9293, section 3.3.2",
		"nothing: this is no error"},
}

// Meaning explains s; it is zero for StateNone.
func (s TCPState) Meaning() Meaning {
	if s < NumTCPStates {
		return stateMeanings[s]
	}
	return Meaning{}
}
