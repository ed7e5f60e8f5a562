package semconv

// Event names: the EventName of a log record.
const (
	EventTCPConnectFailed       = "wiretell.tcp.connect_failed"
	EventTCPReset               = "wiretell.tcp.reset"
	EventTCPHalfClosed          = "wiretell.tcp.half_closed"
	EventTCPCloseUnacknowledged = "wiretell.tcp.close_unacknowledged"
	EventTCPStalled             = "wiretell.tcp.stalled"
	EventTCPStreamTimeout       = "wiretell.tcp.stream_timeout"
	EventICMPError              = "wiretell.icmp.error"
	EventDNSFailed              = "wiretell.dns.failed"
	EventHTTPExchangeIncomplete = "wiretell.http.exchange_incomplete"
	EventHTTPParseError         = "wiretell.http.parse_error"
	EventHTTPUnexpectedEOF      = "wiretell.http.unexpected_eof"
	EventCaptureDegraded        = "wiretell.capture.degraded"
	EventDiagnosis              = "wiretell.diagnosis"
)

var (
	connAttributes = []string{EventAttribute, NetworkTransport, NetworkType, NetworkPeerAddress, NetworkPeerPort,
		NetworkLocalAddress, NetworkLocalPort, NetworkInterfaceName, ServerPort, ConnectionRole, Suppressed, SuppressedWindow}
	exchangeAttributes = with(HTTPRequestMethod, HTTPRequestMethodOriginal, HTTPResponseStatusCode, ErrorType, ExchangeIncomplete, ExchangeLostBytes, HTTPRequestWireSize, HTTPResponseWireSize)
)

func with(more ...string) []string {
	return append(append(make([]string, 0, len(connAttributes)+len(more)), connAttributes...), more...)
}

// Events is the table of events.
var Events = [...]Event{
	{Name: EventTCPConnectFailed, Severity: SeverityWarn, Description: "A connection was never established: no answer (`timed_out`), refused by a reset (`refused`), or turned away by ICMP.",
		Attributes: with(ErrorType, TCPAttempts, TCPAge, ICMPType, ICMPCode)},
	{Name: EventTCPReset, Severity: SeverityWarn, Description: "An established connection was reset.", Attributes: with(TCPSide, TCPPhase, TCPAge)},
	{Name: EventTCPHalfClosed, Severity: SeverityWarn, Description: "The peer has closed and the local application has not (CLOSE-WAIT).", Attributes: with(TCPSide, TCPAge), Reserved: true},
	{Name: EventTCPCloseUnacknowledged, Severity: SeverityWarn, Description: "A FIN was never acknowledged (LAST-ACK, FIN-WAIT, CLOSING).", Attributes: with(TCPSide, TCPAge), Reserved: true},
	{Name: EventTCPStalled, Severity: SeverityWarn, Description: "No progress: zero window or retransmission timeout.", Attributes: with(TCPSide, TCPFlowControl), Reserved: true},
	{Name: EventTCPStreamTimeout, Severity: SeverityWarn, Description: "A hole in a stream was not filled in time.", Attributes: with(TCPSide), Reserved: true},
	{Name: EventICMPError, Severity: SeverityWarn, Description: "An ICMP or ICMPv6 error message.",
		Attributes: with(ICMPType, ICMPCode, ICMPMeaning, ICMPNextHopMTU, ICMPQuotedTransport, ICMPQuotedSrcAddress, ICMPQuotedSrcPort,
			ICMPQuotedDestAddress, ICMPQuotedDestPort, ICMPQuotedSeen, NetworkIODirection, ErrorType)},
	{Name: EventDNSFailed, Severity: SeverityWarn, Description: "A DNS query over UDP failed: no answer (`timed_out`), turned away by ICMP (`port_unreachable`, ...), or answered with a response code other than NOERROR (`NXDOMAIN`, `SERVFAIL`, `REFUSED`, ...).",
		Attributes: with(DNSQuestionName, DNSQuestionType, DNSResponseCode, DNSAttempts, ErrorType, ServerAddress, ICMPType, ICMPCode)},
	{Name: EventHTTPExchangeIncomplete, Severity: SeverityWarn, Description: "Half an exchange: a request without a response or the reverse, with its cause.", Attributes: exchangeAttributes},
	{Name: EventHTTPParseError, Severity: SeverityWarn, Description: "Bytes that looked like HTTP and broke its rules.", Attributes: with(Reason, ParseOffset, TCPSide, NetworkProtocolName)},
	{Name: EventHTTPUnexpectedEOF, Severity: SeverityWarn, Description: "A message was cut by the end of its connection.", Attributes: exchangeAttributes},
	{Name: EventCaptureDegraded, Severity: SeverityWarn, Origin: Self, Description: "Observations were lost inside wiretell.", Attributes: []string{EventAttribute, Count}},
	{Name: EventDiagnosis, Origin: Self, Description: "A finding of the diagnosis was raised, changed or cleared, or still holds.",
		Attributes: []string{EventAttribute, DiagnosisID, DiagnosisTitle, DiagnosisState, DiagnosisSeverity, DiagnosisConfidence, DiagnosisPath, DiagnosisEvidence, DiagnosisCaveats, DiagnosisSince,
			NetworkInterfaceName, ServerPort, NetworkIODirection, NetworkPeerAddress,
			RemediationSummary, RemediationCommand, RemediationManifest, RemediationURL}},
}
