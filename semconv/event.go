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
		NetworkLocalAddress, NetworkLocalPort, NetworkInterfaceName, ServerPort, ConnectionRole, RecordingFile, Suppressed, SuppressedWindow}
	exchangeAttributes = with(HTTPRequestMethod, HTTPRequestMethodOriginal, HTTPResponseStatusCode, ErrorType, ExchangeIncomplete, ExchangeLostBytes, HTTPRequestWireSize, HTTPResponseWireSize,
		Cause, TCPSide, HTTPBodyAnnounced, HTTPBodyReceived)
	stuckAttributes = with(TCPSide, NetworkConnectionState, TCPPhase, Cause, TCPWaited, TCPOutstanding, TCPHeld, TCPAttempts)
)

func with(more ...string) []string {
	return append(append(make([]string, 0, len(connAttributes)+len(more)), connAttributes...), more...)
}

// Events is the table of events.
var Events = [...]Event{
	{Name: EventTCPConnectFailed, Severity: SeverityWarn, Description: "A connection was never established: no answer (`timed_out`), refused by a reset (`refused`), reset after the SYN-ACK (`reset`), or turned away by ICMP. `wiretell.connection.role` tells inbound from outbound.",
		Attributes: with(ErrorType, Cause, TCPAttempts, TCPAnswers, TCPSYNData, TCPAge, ICMPType, ICMPCode, ICMPFrom)},
	{Name: EventTCPReset, Severity: SeverityWarn, Description: "An established connection was reset. Trace and span id are those of the exchange in flight: one that is not over, or the last one while its response is not acknowledged.", Attributes: with(TCPSide, TCPPhase, TCPAge, Cause, TCPIdle, TCPOutstanding)},
	{Name: EventTCPHalfClosed, Severity: SeverityWarn, Description: "One side has closed, and the other has neither closed nor sent anything since (it is in CLOSE-WAIT: its application has not closed its socket). Once per connection, while it lasts.", Attributes: stuckAttributes},
	{Name: EventTCPCloseUnacknowledged, Severity: SeverityWarn, Description: "The FIN of a side is not acknowledged (LAST-ACK, FIN-WAIT-1 or CLOSING). Once per connection, while it lasts.", Attributes: stuckAttributes},
	{Name: EventTCPStalled, Severity: SeverityWarn, Description: "No progress: what a side sends again and again is not acknowledged (`retransmission_timeout`), or the receiver has no room (`zero_window`).", Attributes: stuckAttributes},
	{Name: EventTCPStreamTimeout, Severity: SeverityWarn, Description: "What was outstanding did not come in time: bytes within a stream that were never acknowledged either (`hole`, `--stream-timeout`), or, when both sides were silent for `--idle-timeout`, a response (`no_response`) or an acknowledgement (`retransmission_timeout`).", Attributes: stuckAttributes},
	{Name: EventICMPError, Severity: SeverityWarn, Description: "An ICMP or ICMPv6 error message.",
		Attributes: with(ICMPType, ICMPCode, ICMPMeaning, ICMPNextHopMTU, ICMPQuotedTransport, ICMPQuotedSrcAddress, ICMPQuotedSrcPort,
			ICMPQuotedDestAddress, ICMPQuotedDestPort, ICMPQuotedSeen, NetworkIODirection, ErrorType)},
	{Name: EventDNSFailed, Severity: SeverityWarn, Description: "A DNS query over UDP failed: no answer (`timed_out`), turned away by ICMP (`port_unreachable`, ...), or answered with a response code other than NOERROR (`NXDOMAIN`, `SERVFAIL`, `REFUSED`, ...).",
		Attributes: with(DNSQuestionName, DNSQuestionType, DNSResponseCode, DNSAttempts, ErrorType, ServerAddress, ICMPType, ICMPCode)},
	{Name: EventHTTPExchangeIncomplete, Severity: SeverityWarn, Description: "Half an exchange: a request without a (whole) response or the reverse, with its cause.", Attributes: exchangeAttributes},
	{Name: EventHTTPParseError, Severity: SeverityWarn, Description: "Bytes that looked like HTTP and broke its rules.", Attributes: with(Reason, ParseOffset, TCPSide, NetworkProtocolName)},
	{Name: EventHTTPUnexpectedEOF, Severity: SeverityWarn, Description: "A message was cut by the end of its connection, at how many bytes of how many, and by whom.", Attributes: exchangeAttributes},
	{Name: EventCaptureDegraded, Severity: SeverityWarn, Origin: Self, Description: "Observations were lost inside wiretell.", Attributes: []string{EventAttribute, Count}},
	{Name: EventDiagnosis, Origin: Self, Description: "A finding of the diagnosis was raised, changed or cleared, or still holds.",
		Attributes: []string{EventAttribute, DiagnosisID, DiagnosisTitle, DiagnosisState, DiagnosisSeverity, DiagnosisConfidence, DiagnosisPath, DiagnosisEvidence, DiagnosisCaveats, DiagnosisSince,
			NetworkInterfaceName, ServerPort, NetworkIODirection, NetworkPeerAddress,
			RemediationSummary, RemediationCommand, RemediationManifest, RemediationURL}},
}
