package capture

// TCPState is the state of one side of a connection (RFC 9293, section 3.3.2),
// as far as packets prove it: what an end has received is only known when it
// says so.
type TCPState uint8

// States. StateNone means that nothing is known of the side.
const (
	StateNone TCPState = iota
	StateSynSent
	StateSynReceived
	StateEstablished
	StateFinWait1  // it sent a FIN, which is not acknowledged
	StateFinWait2  // its FIN is acknowledged, and the other side goes on
	StateCloseWait // the other side has closed, and it has not
	StateClosing   // both closed at once, and its FIN is not acknowledged
	StateLastAck   // it closed second, and its FIN is not acknowledged
	StateTimeWait  // both FINs are acknowledged, and it closed first
	StateClosed
	NumTCPStates
)

// String returns the conventions' network.connection.state, "" for StateNone.
func (s TCPState) String() string {
	return [...]string{"", "syn_sent", "syn_received", "established", "fin_wait_1", "fin_wait_2",
		"close_wait", "closing", "last_ack", "time_wait", "closed"}[s]
}

// EndedBy says which side began the end of a connection.
type EndedBy uint8

const (
	EndedByNobody EndedBy = iota // it has not ended, or neither side ended it
	EndedByClient
	EndedByServer
)

// EndedBySide returns the value for a side.
func EndedBySide(s Side) EndedBy { return EndedByClient + EndedBy(s) }

// String returns "client", "server" or "".
func (e EndedBy) String() string { return [...]string{"", "client", "server"}[e] }

// StuckKind is what a connection waits for.
type StuckKind uint8

const (
	StuckHalfClosed     StuckKind = iota // one side has closed, and the other neither sends nor closes
	StuckUnacknowledged                  // a FIN is not acknowledged
	StuckStalled                         // what is sent is not acknowledged, or may not be sent
	StuckStream                          // missing bytes, or a response, did not come in time
	NumStuckKinds
)

// String returns "half_closed", "close_unacknowledged", "stalled" or
// "stream_timeout".
func (k StuckKind) String() string {
	return [...]string{"half_closed", "close_unacknowledged", "stalled", "stream_timeout"}[k]
}

// Ignored is what did not fit its connection, or was captured before, and changed
// nothing but a counter.
type Ignored uint8

const (
	IgnoredReset Ignored = iota // a RST whose number is not the next, and that had no effect
	IgnoredSYN                  // a SYN within a connection that lives
	IgnoredFIN                  // a FIN outside the window, or before what was sent
	IgnoredData                 // payload outside the window
	IgnoredACK                  // an empty segment outside the window
	IgnoredICMP                 // an ICMP error that quotes what is not in flight
	IgnoredCopy                 // a segment that the capture holds already
	NumIgnored
)

// String returns "reset", "syn", "fin", "data", "ack", "icmp" or "copy".
func (i Ignored) String() string {
	return [...]string{"reset", "syn", "fin", "data", "ack", "icmp", "copy"}[i]
}
