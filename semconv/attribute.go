package semconv

// Attribute names of the OpenTelemetry conventions.
const (
	ClientAddress             = "client.address"
	ClientPort                = "client.port"
	DNSQuestionName           = "dns.question.name"
	DNSResponseCode           = "dns.response_code"
	ErrorType                 = "error.type"
	HTTPRequestBodySize       = "http.request.body.size"
	HTTPRequestHeader         = "http.request.header"
	HTTPRequestMethod         = "http.request.method"
	HTTPRequestMethodOriginal = "http.request.method_original"
	HTTPResponseBodySize      = "http.response.body.size"
	HTTPResponseHeader        = "http.response.header"
	HTTPResponseStatusCode    = "http.response.status_code"
	HTTPRoute                 = "http.route"
	NetworkConnectionState    = "network.connection.state"
	NetworkInterfaceName      = "network.interface.name"
	NetworkIODirection        = "network.io.direction"
	NetworkLocalAddress       = "network.local.address"
	NetworkLocalPort          = "network.local.port"
	NetworkPeerAddress        = "network.peer.address"
	NetworkPeerPort           = "network.peer.port"
	NetworkProtocolName       = "network.protocol.name"
	NetworkProtocolVersion    = "network.protocol.version"
	NetworkTransport          = "network.transport"
	NetworkType               = "network.type"
	OTelComponentName         = "otel.component.name"
	OTelComponentType         = "otel.component.type"
	OTelMetricOverflow        = "otel.metric.overflow"
	RPCMethod                 = "rpc.method"
	RPCResponseStatusCode     = "rpc.response.status_code"
	RPCSystemName             = "rpc.system.name"
	ServerAddress             = "server.address"
	ServerPort                = "server.port"
	ServiceInstanceID         = "service.instance.id"
	ServiceName               = "service.name"
	ServiceVersion            = "service.version"
	SpanMetricsSkip           = "span.metrics.skip"
	TelemetryDistroName       = "telemetry.distro.name"
	TelemetryDistroVersion    = "telemetry.distro.version"
	URLFull                   = "url.full"
	URLPath                   = "url.path"
	URLQuery                  = "url.query"
	URLScheme                 = "url.scheme"
	URLTemplate               = "url.template"
	UserAgentOriginal         = "user_agent.original"
)

// Attribute names of wiretell.
const (
	Cause                 = "wiretell.cause"
	ConnectionRole        = "wiretell.connection.role"
	Count                 = "wiretell.count"
	DiagnosisCaveats      = "wiretell.diagnosis.caveats"
	DiagnosisConfidence   = "wiretell.diagnosis.confidence"
	DiagnosisEvidence     = "wiretell.diagnosis.evidence"
	DiagnosisID           = "wiretell.diagnosis.id"
	DiagnosisPath         = "wiretell.diagnosis.path"
	DiagnosisSeverity     = "wiretell.diagnosis.severity"
	DiagnosisSince        = "wiretell.diagnosis.since"
	DiagnosisState        = "wiretell.diagnosis.state"
	DiagnosisTitle        = "wiretell.diagnosis.title"
	DNSAttempts           = "wiretell.dns.attempts"
	DNSQuestionType       = "wiretell.dns.question.type"
	EventAttribute        = "wiretell.event"
	ExchangeIncomplete    = "wiretell.exchange.incomplete"
	ExchangeLostBytes     = "wiretell.exchange.lost_bytes"
	ExportOutcome         = "wiretell.export.outcome"
	ExportSignal          = "wiretell.export.signal"
	HTTPBodyAnnounced     = "wiretell.http.body.announced"
	HTTPBodyReceived      = "wiretell.http.body.received"
	HTTPInterimResponses  = "wiretell.http.interim_responses"
	HTTPRequestLastByte   = "wiretell.http.request.last_byte"
	HTTPRequestWireSize   = "wiretell.http.request.wire_size"
	HTTPResponseFirstByte = "wiretell.http.response.first_byte"
	HTTPResponseWireSize  = "wiretell.http.response.wire_size"
	ICMPCode              = "wiretell.icmp.code"
	ICMPFrom              = "wiretell.icmp.from"
	ICMPMeaning           = "wiretell.icmp.meaning"
	ICMPNextHopMTU        = "wiretell.icmp.next_hop_mtu"
	ICMPQuotedDestAddress = "wiretell.icmp.quoted.destination.address"
	ICMPQuotedDestPort    = "wiretell.icmp.quoted.destination.port"
	ICMPQuotedSeen        = "wiretell.icmp.quoted.seen"
	ICMPQuotedSrcAddress  = "wiretell.icmp.quoted.source.address"
	ICMPQuotedSrcPort     = "wiretell.icmp.quoted.source.port"
	ICMPQuotedTransport   = "wiretell.icmp.quoted.transport"
	ICMPType              = "wiretell.icmp.type"
	LedgerLine            = "wiretell.ledger.line"
	MemoryUser            = "wiretell.memory.user"
	MeshRole              = "wiretell.mesh.role"
	ObservedServiceName   = "wiretell.observed.service.name"
	ParseOffset           = "wiretell.parse.offset"
	Reason                = "wiretell.reason"
	RecordingFile         = "wiretell.recording.file"
	RemediationCommand    = "wiretell.remediation.command"
	RemediationManifest   = "wiretell.remediation.manifest"
	RemediationSummary    = "wiretell.remediation.summary"
	RemediationURL        = "wiretell.remediation.url"
	Suppressed            = "wiretell.suppressed"
	SuppressedWindow      = "wiretell.suppressed.window"
	TCPAge                = "wiretell.tcp.age"
	TCPAnswers            = "wiretell.tcp.answers"
	TCPAttempts           = "wiretell.tcp.attempts"
	TCPConnectDuration    = "wiretell.tcp.connect_duration"
	TCPFlowControl        = "wiretell.tcp.flow_control.kind"
	TCPHeld               = "wiretell.tcp.held"
	TCPIdle               = "wiretell.tcp.idle"
	TCPIgnoredKind        = "wiretell.tcp.ignored.kind"
	TCPLostBytes          = "wiretell.tcp.lost_bytes"
	TCPOutstanding        = "wiretell.tcp.outstanding"
	TCPPhase              = "wiretell.tcp.phase"
	TCPProof              = "wiretell.tcp.proof"
	TCPRetransmitKind     = "wiretell.tcp.retransmit.kind"
	TCPRetransmitsAttr    = "wiretell.tcp.retransmits"
	TCPRTTAttr            = "wiretell.tcp.rtt"
	TCPSide               = "wiretell.tcp.side"
	TCPStuckKind          = "wiretell.tcp.stuck.kind"
	TCPSYNData            = "wiretell.tcp.syn_data"
	TCPWaited             = "wiretell.tcp.waited"
)

// Values that the conventions or wiretell fix.
const (
	// ServiceNameWiretell is service.name for what wiretell says of itself.
	ServiceNameWiretell = "wiretell"
	// ServiceNameUnknown is service.name when the user named no service
	// (OpenTelemetry resource SDK).
	ServiceNameUnknown = "unknown_service"
	// MethodOther is http.request.method for methods beyond the known list.
	MethodOther = "_OTHER"
	// SpanNameHTTP stands for the method in a span's name when it is not known.
	SpanNameHTTP = "HTTP"
	// ComponentTypeBatching is otel.component.type of wiretell's queues.
	ComponentTypeBatching = "wiretell_batching_queue"
)

// Attributes is the table of attribute names, sorted by name.
var Attributes = [...]Attribute{
	{Name: ClientAddress, Type: String, Stability: Stable, Description: "Address of the client: the peer that connected. Forwarded and X-Forwarded-For are not read, so behind a proxy it is the proxy's."},
	{Name: ClientPort, Type: Int, Stability: Stable, Description: "Port of the client."},
	{Name: DNSQuestionName, Type: String, Description: "Name that was asked for, in lower case, without the dot at its end, escaped as in RFC 1035, section 5.1."},
	{Name: DNSResponseCode, Type: String, Description: "Response code of a DNS answer, in capital letters; absent when no answer came."},
	{Name: ErrorType, Type: String, Stability: Stable, Description: "Why it failed: `refused`, `timed_out`, `reset`, `host_unreachable`, `net_unreachable`, `admin_prohibited`, `ttl_exceeded`, `closed_before_response`, `response_truncated`, `request_truncated` (when no response came), ..., or the status code up to 599 as the HTTP conventions ask."},
	{Name: HTTPRequestBodySize, Type: Int, Description: "Size in bytes of the request body as on the wire, without chunk framing."},
	{Name: HTTPRequestHeader, Type: Strings, Stability: Stable, Prefix: true, Description: "Request header fields that the user allowed, key in lower case."},
	{Name: HTTPRequestMethod, Type: String, Stability: Stable, Description: "Request method, `_OTHER` beyond the known list; absent when the request was not seen."},
	{Name: HTTPRequestMethodOriginal, Type: String, Stability: Stable, Description: "Method as on the wire when `http.request.method` is `_OTHER`."},
	{Name: HTTPResponseBodySize, Type: Int, Description: "Size in bytes of the response body as on the wire, without chunk framing."},
	{Name: HTTPResponseHeader, Type: Strings, Stability: Stable, Prefix: true, Description: "Response header fields that the user allowed, key in lower case."},
	{Name: HTTPResponseStatusCode, Type: Int, Stability: Stable, Description: "Status code of the final response; absent when none was seen."},
	{Name: HTTPRoute, Type: String, Stability: Stable, Description: "The user's route pattern that the path matches; never the path itself."},
	{Name: NetworkConnectionState, Type: String, Description: "State of a side of a connection, as far as packets prove it (RFC 9293, section 3.3.2): `syn_sent`, `syn_received`, `established`, `fin_wait_1`, `fin_wait_2`, `close_wait`, `closing`, `last_ack`, `time_wait`. In metrics that of the local side; of the server's where that is not known or both are local; of the other one's before the side was heard."},
	{Name: NetworkInterfaceName, Type: String, Description: "Interface on which the packets were captured."},
	{Name: NetworkIODirection, Type: String, Description: "`receive` or `transmit`, as seen from the observed network namespace; absent when a capture file does not tell."},
	{Name: NetworkLocalAddress, Type: String, Stability: Stable, Description: "Address of the end in the observed network namespace (from a file without local addresses: the server's for SERVER spans)."},
	{Name: NetworkLocalPort, Type: Int, Stability: Stable, Description: "Port of the local end."},
	{Name: NetworkPeerAddress, Type: String, Stability: Stable, Description: "Address of the other end."},
	{Name: NetworkPeerPort, Type: Int, Stability: Stable, Description: "Port of the other end."},
	{Name: NetworkProtocolName, Type: String, Stability: Stable, Description: "Application protocol, as far as its bytes prove."},
	{Name: NetworkProtocolVersion, Type: String, Stability: Stable, Description: "Version of the application protocol. The per-port message counters say `1` for HTTP/1.0 and HTTP/1.1 together."},
	{Name: NetworkTransport, Type: String, Stability: Stable, Description: "`tcp`, `udp`, and in wiretell's own metrics also `icmp`, `other`, `none`."},
	{Name: NetworkType, Type: String, Stability: Stable, Description: "`ipv4` or `ipv6`."},
	{Name: OTelComponentName, Type: String, Description: "Which exporter or queue of wiretell the figure is about."},
	{Name: OTelComponentType, Type: String, Description: "What kind of component it is."},
	{Name: OTelMetricOverflow, Type: Bool, Stability: Stable, Description: "The series stands for all beyond a cardinality limit: with other attributes for all server addresses and ports with these, alone for everything."},
	{Name: RPCMethod, Type: String, Description: "Fully qualified method.", Reserved: true},
	{Name: RPCResponseStatusCode, Type: String, Description: "Status code of the call.", Reserved: true},
	{Name: RPCSystemName, Type: String, Description: "`grpc`.", Reserved: true},
	{Name: ServerAddress, Type: String, Stability: Stable, Description: "Host of the absolute-form target or of the Host field, else the server's address. Forwarded and X-Forwarded-Host are not read."},
	{Name: ServerPort, Type: Int, Stability: Stable, Description: "Port that goes with `server.address`: the one that the absolute-form target or the Host field names, else the scheme's default (80 for `http`); where neither names a host, the TCP port, which `network.local.port` and `network.peer.port` always are. In metrics of servers, of connections and in events it is the TCP port, of which there are few."},
	{Name: ServiceInstanceID, Type: String, Description: "Only for what wiretell says of itself; never invented for traffic."},
	{Name: ServiceName, Type: String, Stability: Stable, Description: "The user's service for traffic, `wiretell` for what wiretell says of itself."},
	{Name: ServiceVersion, Type: String, Stability: Stable, Description: "Version of wiretell under its own resource."},
	{Name: SpanMetricsSkip, Type: Bool, Description: "An SDK is at work too, or the exchange was seen on the other side of a mesh's proxy as well: metrics derived from spans must not count this one."},
	{Name: TelemetryDistroName, Type: String, Description: "`wiretell`."},
	{Name: TelemetryDistroVersion, Type: String, Description: "Version of wiretell."},
	{Name: URLFull, Type: String, Stability: Stable, Description: "Redacted absolute URL, on CLIENT spans."},
	{Name: URLPath, Type: String, Stability: Stable, Description: "Redacted path; a segment that looks like a token is `{redacted}`."},
	{Name: URLQuery, Type: String, Stability: Stable, Description: "Redacted query: keys are kept, secret values are `REDACTED`."},
	{Name: URLScheme, Type: String, Stability: Stable, Description: "The scheme of the absolute-form target, else `http`: what can be read is not encrypted. X-Forwarded-Proto is not read."},
	{Name: URLTemplate, Type: String, Description: "Heuristic template of the path.", Reserved: true},
	{Name: UserAgentOriginal, Type: String, Stability: Stable, Description: "The User-Agent field."},

	{Name: Cause, Type: String, Description: "What the packets prove of how it came to an error. Of an attempt to connect: `no_answer`, `refused`, `rejected` (by ICMP), `syn_ack_unanswered` (it was sent several times), `handshake_unfinished`, `abandoned_by_client|server` (a reset after the SYN-ACK), `simultaneous_open_unfinished`. Of an exchange: `server_silent` (it acknowledged the request and sent nothing), `request_unacknowledged`, `keep_alive_race` (the request met the server's end of an idle connection), `reset_by_client|server`, `closed_by_client|server`, `gap`, `not_parsed`, `joined_midstream`, `unsolicited`, `one_way_capture`, `silent_too_long`, `ports_reused`, `wiretell_bound`, `capture_ended`. Of a wait: `retransmission_timeout`, `zero_window`, `hole`, `no_response`."},
	{Name: ConnectionRole, Type: String, Description: "`server` (inbound), `client` (outbound), `both` (loopback), or `unknown`."},
	{Name: Count, Type: Int, Description: "How many the record stands for."},
	{Name: DiagnosisCaveats, Type: Strings, Description: "Ids of the quality findings that hold at the same time."},
	{Name: DiagnosisConfidence, Type: String, Description: "`possible`, `likely` or `certain`."},
	{Name: DiagnosisEvidence, Type: String, Prefix: true, Description: "The numbers and words that a finding rests on, each under its own key and with its own type."},
	{Name: DiagnosisID, Type: String, Description: "Id of the leaf of the diagnostic tree."},
	{Name: DiagnosisPath, Type: Strings, Description: "The questions answered on the way to the leaf."},
	{Name: DiagnosisSeverity, Type: String, Description: "`info`, `warning` or `error`."},
	{Name: DiagnosisSince, Type: String, Description: "When the finding was raised, RFC 3339 in UTC."},
	{Name: DiagnosisState, Type: String, Description: "`raised`, `changed`, `cleared` or `holding`."},
	{Name: DiagnosisTitle, Type: String, Description: "Title of the leaf."},
	{Name: DNSAttempts, Type: Int, Description: "How often the query was sent."},
	{Name: DNSQuestionType, Type: String, Description: "Type that was asked for: `A`, `AAAA`, ..., or `TYPE` and its number."},
	{Name: EventAttribute, Type: String, Description: "The event's name once more, for stores that do not give the record's own field back."},
	{Name: ExchangeIncomplete, Type: String, Description: "What wiretell did not see of the exchange: `gap`, `joined_midstream`, `truncated_frame`, `evicted`."},
	{Name: ExchangeLostBytes, Type: Int, Description: "Bytes of the exchange that were never captured."},
	{Name: ExportOutcome, Type: String, Description: "`exported`, `sampled_out`, `not_selected` (by `--select`) or `dropped`."},
	{Name: ExportSignal, Type: String, Description: "`traces`, `metrics` or `logs`."},
	{Name: HTTPBodyAnnounced, Type: Int, Description: "Bytes that the body was to have which the end of the connection cut."},
	{Name: HTTPBodyReceived, Type: Int, Description: "Bytes that came of it."},
	{Name: HTTPInterimResponses, Type: Int, Description: "1xx responses before the final one, when there were any."},
	{Name: HTTPRequestLastByte, Type: Double, Description: "Seconds from the span's start to the last byte of the request."},
	{Name: HTTPRequestWireSize, Type: Int, Description: "Bytes of the request on the wire: head, body and framing."},
	{Name: HTTPResponseFirstByte, Type: Double, Description: "Seconds from the span's start to the first byte of the response."},
	{Name: HTTPResponseWireSize, Type: Int, Description: "Bytes of the response on the wire: head, body and framing."},
	{Name: ICMPCode, Type: Int, Description: "Code, as in the registry."},
	{Name: ICMPFrom, Type: String, Description: "Address of who sent the ICMP error that ended an attempt to connect."},
	{Name: ICMPMeaning, Type: String, Description: "The registry's name of type and code."},
	{Name: ICMPNextHopMTU, Type: Int, Description: "MTU in bytes that the message names."},
	{Name: ICMPQuotedDestAddress, Type: String, Description: "Destination address of the quoted packet."},
	{Name: ICMPQuotedDestPort, Type: Int, Description: "Destination port of the quoted packet."},
	{Name: ICMPQuotedSeen, Type: Bool, Description: "A datagram of the quoted UDP flow was seen on its way not long before."},
	{Name: ICMPQuotedSrcAddress, Type: String, Description: "Source address of the quoted packet."},
	{Name: ICMPQuotedSrcPort, Type: Int, Description: "Source port of the quoted packet."},
	{Name: ICMPQuotedTransport, Type: String, Description: "Transport of the quoted packet, `none` when nothing readable is quoted."},
	{Name: ICMPType, Type: Int, Description: "Type, as in the registry; ICMPv6 is told apart by `network.type`."},
	{Name: LedgerLine, Type: String, Description: "Name of the ledger's line."},
	{Name: MemoryUser, Type: String, Description: "What the memory is for: `ring` (all capture rings), `reassembly` (bytes that wait for earlier ones), `export_queue` (encoded records that wait to be sent), `recording` (packets for `--record` and files in the making)."},
	{Name: MeshRole, Type: String, Description: "Which side of a mesh's proxy the exchange was seen on: `application` (between it and the proxy) or `wire` (between the proxy and other pods); absent where that is not known."},
	{Name: ObservedServiceName, Type: String, Description: "Under wiretell's own resource: the service whose traffic it observes."},
	{Name: ParseOffset, Type: Int, Description: "Offset in bytes in the side's stream at which the rules were broken."},
	{Name: Reason, Type: String, Description: "Stable word for why; in the ledger the word of the account."},
	{Name: RecordingFile, Type: String, Description: "Name of the capture file that holds, or will hold when it is whole, the packets of the error (`--record`)."},
	{Name: RemediationCommand, Type: String, Description: "A line to paste into a shell."},
	{Name: RemediationManifest, Type: String, Description: "Lines to paste into YAML."},
	{Name: RemediationSummary, Type: String, Description: "What to do, in a sentence."},
	{Name: RemediationURL, Type: String, Description: "Where to read on."},
	{Name: Suppressed, Type: Int, Description: "How many records of this event and peer the rate limit left out."},
	{Name: SuppressedWindow, Type: Double, Description: "Seconds that the count of suppressed records is for."},
	{Name: TCPAge, Type: Double, Description: "Seconds since the connection's first packet."},
	{Name: TCPAnswers, Type: Int, Description: "SYN-ACKs seen."},
	{Name: TCPAttempts, Type: Int, Description: "SYNs seen; of a connection that is stalled, how often the same was sent again."},
	{Name: TCPConnectDuration, Type: Double, Description: "Seconds from the first SYN to the end of the handshake, on the first exchange of the connection. They lie before the span."},
	{Name: TCPFlowControl, Type: String, Description: "`zero_window` or `window_full`."},
	{Name: TCPHeld, Type: Int, Description: "Bytes that came and wait behind missing ones."},
	{Name: TCPIdle, Type: Double, Description: "Seconds that nobody had sent anything before the request that was answered by a reset."},
	{Name: TCPIgnoredKind, Type: String, Description: "`reset`, `syn`, `fin`, `data`, `ack`, `icmp` (an error that quotes what is not in flight), or `copy` (a segment that the capture holds already)."},
	{Name: TCPLostBytes, Type: Int, Description: "Payload bytes of the segments in `wiretell.tcp.retransmits`: what the sender took for lost. What wiretell did not see is `wiretell.exchange.lost_bytes`."},
	{Name: TCPOutstanding, Type: Int, Description: "Bytes of payload that were sent and not acknowledged, or that are missing."},
	{Name: TCPPhase, Type: String, Description: "What the connection was doing: `handshake`, `idle`, `request`, `response`, `closing` (after a FIN) or `unacknowledged` (payload was sent again and never acknowledged)."},
	{Name: TCPProof, Type: String, Description: "`dsack` (RFC 2883) or `timestamps` (RFC 3522)."},
	{Name: TCPRetransmitKind, Type: String, Description: "Why the segment was sent again: `syn`; `fast`, as acknowledgements told of its loss; `timeout`, as none came; `spurious`, though it had been acknowledged."},
	{Name: TCPRetransmitsAttr, Type: Int, Description: "Segments of both sides that were sent again while the exchange lasted, when there were any."},
	{Name: TCPRTTAttr, Type: Double, Description: "Mean round-trip time in seconds between the observed end and its peer while the exchange lasted; when nothing could be measured in it, of the connection so far."},
	{Name: TCPSide, Type: String, Description: "Who did it: `local` or `peer`; from a file without local addresses, and on loopback, `client` or `server`. Of an exchange that was cut: who reset the connection or closed it first."},
	{Name: TCPStuckKind, Type: String, Description: "`half_closed`, `close_unacknowledged`, `stalled` or `stream_timeout`."},
	{Name: TCPSYNData, Type: Int, Description: "Bytes that the client's SYN carried (TCP Fast Open)."},
	{Name: TCPWaited, Type: Double, Description: "Seconds since the last thing that moved the connection on."},
}
