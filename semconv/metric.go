package semconv

// Metric names.
const (
	MetricPackets    = "wiretell.packets"
	MetricIO         = "wiretell.io"
	MetricRequests   = "wiretell.requests"
	MetricResponses  = "wiretell.responses"
	MetricUnparsed   = "wiretell.unparsed"
	MetricUnparsedIO = "wiretell.unparsed.io"

	MetricHTTPServerRequestDuration  = "http.server.request.duration"
	MetricHTTPClientRequestDuration  = "http.client.request.duration"
	MetricHTTPServerRequestBodySize  = "http.server.request.body.size"
	MetricHTTPServerResponseBodySize = "http.server.response.body.size"
	MetricHTTPClientRequestBodySize  = "http.client.request.body.size"
	MetricHTTPClientResponseBodySize = "http.client.response.body.size"
	MetricRPCServerCallDuration      = "rpc.server.call.duration"
	MetricRPCClientCallDuration      = "rpc.client.call.duration"

	MetricTCPConnections         = "wiretell.tcp.connections"
	MetricTCPConnectionsOpen     = "wiretell.tcp.connections.open"
	MetricTCPHandshakeDuration   = "wiretell.tcp.handshake.duration"
	MetricTCPRTT                 = "wiretell.tcp.rtt"
	MetricTCPConnectionDuration  = "wiretell.tcp.connection.duration"
	MetricTCPRetransmits         = "wiretell.tcp.retransmits"
	MetricTCPResets              = "wiretell.tcp.resets"
	MetricTCPRetransmitsNeedless = "wiretell.tcp.retransmits.needless"
	MetricTCPStuck               = "wiretell.tcp.stuck"
	MetricTCPIgnored             = "wiretell.tcp.ignored"
	MetricTCPFlowControl         = "wiretell.tcp.flow_control"
	MetricTCPFlowControlTime     = "wiretell.tcp.flow_control.time"
	MetricTCPOutOfOrder          = "wiretell.tcp.out_of_order"
	MetricTCPDuplicateAcks       = "wiretell.tcp.duplicate_acks"
	MetricICMPMessages           = "wiretell.icmp.messages"
	MetricDNSLookups             = "wiretell.dns.lookups"

	MetricCapturePackets      = "wiretell.capture.packets"
	MetricCaptureDrops        = "wiretell.capture.drops"
	MetricCaptureQueueFreezes = "wiretell.capture.queue_freezes"
	MetricCaptureTruncated    = "wiretell.capture.truncated"
	MetricCaptureGaps         = "wiretell.capture.gaps"
	MetricCaptureGapsIO       = "wiretell.capture.gaps.io"
	MetricCaptureLag          = "wiretell.capture.lag"
	MetricCaptureCoverage     = "wiretell.capture.coverage"
	MetricCaptureClockSteps   = "wiretell.capture.clock_steps"

	MetricLedger          = "wiretell.ledger"
	MetricLedgerLive      = "wiretell.ledger.live"
	MetricLedgerExpected  = "wiretell.ledger.expected"
	MetricLedgerImbalance = "wiretell.ledger.imbalance"
	MetricExportRecords   = "wiretell.export.records"
	MetricExportQueue     = "wiretell.export.queue"
	MetricMemoryBudget    = "wiretell.memory.budget"
	MetricEvictions       = "wiretell.evictions"
	MetricMeshTwins       = "wiretell.mesh.twins"
	MetricDiagnosisActive = "wiretell.diagnosis.active"

	MetricRecordingFiles   = "wiretell.recording.files"
	MetricRecordingIO      = "wiretell.recording.io"
	MetricRecordingMissing = "wiretell.recording.missing"

	MetricSDKSpanQueueSize = "otel.sdk.processor.span.queue.size"
	MetricSDKLogQueueSize  = "otel.sdk.processor.log.queue.size"
)

// Metrics is the table of metrics.
var Metrics = [...]Metric{
	{Name: MetricPackets, Kind: Counter, Unit: "{packet}", Description: "Packets read, by interface, direction, transport and network type.",
		Attributes: []string{NetworkInterfaceName, NetworkIODirection, NetworkTransport, NetworkType}},
	{Name: MetricIO, Kind: Counter, Unit: "By", Description: "Bytes of those packets on the wire.",
		Attributes: []string{NetworkInterfaceName, NetworkIODirection, NetworkTransport, NetworkType}},
	{Name: MetricRequests, Kind: Counter, Unit: "{message}", Description: "Requests seen, by server port.",
		Attributes: []string{NetworkProtocolName, NetworkProtocolVersion, ServerPort, NetworkIODirection, ConnectionRole, OTelMetricOverflow}},
	{Name: MetricResponses, Kind: Counter, Unit: "{message}", Description: "Final responses seen, by server port.",
		Attributes: []string{NetworkProtocolName, NetworkProtocolVersion, ServerPort, NetworkIODirection, ConnectionRole, OTelMetricOverflow}},
	{Name: MetricUnparsed, Kind: Counter, Unit: "{packet}", Description: "Packets with payload that became no message, each counted once, by reason.",
		Attributes: []string{Reason, NetworkTransport, ServerPort, NetworkProtocolName, ConnectionRole, OTelMetricOverflow}},
	{Name: MetricUnparsedIO, Kind: Counter, Unit: "By", Description: "Payload bytes that became no message, by reason.",
		Attributes: []string{Reason, NetworkTransport, ServerPort, NetworkProtocolName, ConnectionRole, OTelMetricOverflow}},

	{Name: MetricHTTPServerRequestDuration, Kind: Histogram, Unit: "s", Float: true, Stability: Stable, Buckets: durationBuckets, Attributes: httpServerAttributes,
		Description: "Duration of inbound HTTP exchanges, from the first byte of the request to the last byte of the response, or to the reset, close or timeout that ended the wait; not recorded when wiretell did not see either. `server.port` is the TCP port."},
	{Name: MetricHTTPClientRequestDuration, Kind: Histogram, Unit: "s", Float: true, Stability: Stable, Buckets: durationBuckets, Attributes: httpClientAttributes,
		Description: "Duration of outbound HTTP exchanges, from the first byte of the request to the last byte of the response, or to the reset, close or timeout that ended the wait; not recorded when wiretell did not see either."},
	{Name: MetricHTTPServerRequestBodySize, Kind: Histogram, Unit: "By", Buckets: sizeBuckets, Attributes: httpServerAttributes, Description: "Size of inbound request bodies."},
	{Name: MetricHTTPServerResponseBodySize, Kind: Histogram, Unit: "By", Buckets: sizeBuckets, Attributes: httpServerAttributes, Description: "Size of the bodies of responses to inbound requests."},
	{Name: MetricHTTPClientRequestBodySize, Kind: Histogram, Unit: "By", Buckets: sizeBuckets, Attributes: httpClientAttributes, Description: "Size of outbound request bodies."},
	{Name: MetricHTTPClientResponseBodySize, Kind: Histogram, Unit: "By", Buckets: sizeBuckets, Attributes: httpClientAttributes, Description: "Size of the bodies of responses to outbound requests."},
	{Name: MetricRPCServerCallDuration, Kind: Histogram, Unit: "s", Float: true, Buckets: durationBuckets, Description: "Duration of inbound RPC calls.", Reserved: true,
		Attributes: []string{RPCSystemName, RPCMethod, RPCResponseStatusCode, ErrorType}},
	{Name: MetricRPCClientCallDuration, Kind: Histogram, Unit: "s", Float: true, Buckets: durationBuckets, Description: "Duration of outbound RPC calls.", Reserved: true,
		Attributes: []string{RPCSystemName, RPCMethod, RPCResponseStatusCode, ErrorType, ServerAddress, ServerPort}},

	{Name: MetricTCPConnections, Kind: Counter, Unit: "{connection}", Description: "Attempts to connect, by outcome; `error.type` is absent when the handshake completed.",
		Attributes: []string{ConnectionRole, ErrorType}},
	{Name: MetricTCPConnectionsOpen, Kind: UpDownCounter, Unit: "{connection}", Description: "Connections that are open now, half-open ones included.",
		Attributes: []string{ConnectionRole, NetworkConnectionState}},
	{Name: MetricTCPHandshakeDuration, Kind: Histogram, Unit: "s", Float: true, Buckets: networkBuckets, Description: "Time from the first SYN to the ACK that completed the handshake.",
		Attributes: []string{ConnectionRole, ServerPort, OTelMetricOverflow}},
	{Name: MetricTCPRTT, Kind: Histogram, Unit: "s", Float: true, Buckets: networkBuckets, Description: "Mean round-trip time of each connection, recorded when it ends. Acknowledgements that carry data or may have been delayed are not measured.",
		Attributes: []string{ConnectionRole, ServerPort, OTelMetricOverflow}},
	{Name: MetricTCPConnectionDuration, Kind: Histogram, Unit: "s", Float: true, Buckets: connectionBuckets, Description: "How long established connections lasted, recorded when they end.",
		Attributes: []string{ConnectionRole, ServerPort, ErrorType, OTelMetricOverflow}},
	{Name: MetricTCPRetransmits, Kind: Counter, Unit: "{segment}", Description: "Segments sent again, each once, by why it was sent. A frame that was captured before segmentation offload counts once.", Attributes: []string{NetworkIODirection, TCPRetransmitKind}},
	{Name: MetricTCPRetransmitsNeedless, Kind: Counter, Unit: "{segment}", Description: "Those of `wiretell.tcp.retransmits` that the receiver proved needless afterwards; those of kind `spurious`, known at once, are not in it.", Attributes: []string{NetworkIODirection, TCPProof}},
	{Name: MetricTCPResets, Kind: Counter, Unit: "{reset}", Description: "Resets that were true to their connection.", Attributes: []string{NetworkIODirection, TCPPhase}},
	{Name: MetricTCPStuck, Kind: Counter, Unit: "{connection}", Description: "Connections that waited for what did not come: one for each event of these names.", Attributes: []string{ConnectionRole, TCPStuckKind}},
	{Name: MetricTCPIgnored, Kind: Counter, Unit: "{message}", Description: "Segments, and ICMP errors, that do not fit the connection that they name, forged ones among them, and segments that the capture holds already: they changed nothing.", Attributes: []string{NetworkIODirection, TCPIgnoredKind}},
	{Name: MetricTCPFlowControl, Kind: Counter, Unit: "{event}", Description: "Times a receiver closed its window, and times a sender filled it, which is only known when both SYNs were captured. By the direction of the segment that did.", Attributes: []string{NetworkIODirection, TCPFlowControl}},
	{Name: MetricTCPFlowControlTime, Kind: Counter, Unit: "s", Float: true, Description: "How long windows stayed closed or full, counted when that is over.", Attributes: []string{NetworkIODirection, TCPFlowControl}},
	{Name: MetricTCPOutOfOrder, Kind: Counter, Unit: "{segment}", Description: "Segments that were captured after others sent later, and were not sent again.", Attributes: []string{NetworkIODirection}},
	{Name: MetricTCPDuplicateAcks, Kind: Counter, Unit: "{segment}", Description: "Duplicate acknowledgements, as RFC 5681, section 2 has them.", Attributes: []string{NetworkIODirection}},
	{Name: MetricICMPMessages, Kind: Counter, Unit: "{message}", Description: "ICMP and ICMPv6 messages; 255/255 stands for types and codes beyond the bound.",
		Attributes: []string{ICMPType, ICMPCode, NetworkType, NetworkIODirection, ICMPQuotedTransport}},
	{Name: MetricDNSLookups, Kind: Histogram, Unit: "s", Float: true, Buckets: networkBuckets, Description: "Time from a DNS query over UDP to its answer, or until it was given up; `error.type` says why there is no answer.",
		Attributes: []string{DNSResponseCode, ErrorType, ConnectionRole, OTelMetricOverflow}},

	{Name: MetricCapturePackets, Kind: Counter, Unit: "{packet}", Origin: Self, Description: "Frames that the kernel offered to the capture ring, drops included.", Attributes: []string{NetworkInterfaceName}},
	{Name: MetricCaptureDrops, Kind: Counter, Unit: "{packet}", Origin: Self, Description: "Frames that the kernel dropped because the ring was full.", Attributes: []string{NetworkInterfaceName}},
	{Name: MetricCaptureQueueFreezes, Kind: Counter, Unit: "{freeze}", Origin: Self, Description: "Times the ring stood full.", Attributes: []string{NetworkInterfaceName}},
	{Name: MetricCaptureTruncated, Kind: Counter, Unit: "{packet}", Origin: Self, Description: "Frames cut by the capture.", Attributes: []string{NetworkInterfaceName}},
	{Name: MetricCaptureGaps, Kind: Counter, Unit: "{gap}", Origin: Self, Description: "Holes in TCP streams: bytes that were acknowledged, or waited for too long, and never seen."},
	{Name: MetricCaptureGapsIO, Kind: Counter, Unit: "By", Origin: Self, Description: "Bytes in those holes."},
	{Name: MetricCaptureLag, Kind: Gauge, Unit: "s", Float: true, Origin: Self, Description: "Greatest age of a frame when it was read, since the last snapshot."},
	{Name: MetricCaptureCoverage, Kind: Gauge, Unit: "1", Float: true, Origin: Self, Description: "Share of what the kernel says arrived that wiretell saw; absent while that is not known."},
	{Name: MetricCaptureClockSteps, Kind: Counter, Unit: "{step}", Origin: Self, Description: "Packets whose time lies more than a second before the one before them."},

	{Name: MetricLedger, Kind: Counter, Unit: "{item}", Origin: Self, Description: "Accounts of the ledger: where each frame, segment, byte, connection, request, response and observation went.",
		Attributes: []string{LedgerLine, Reason}},
	{Name: MetricLedgerLive, Kind: UpDownCounter, Unit: "{item}", Origin: Self, Description: "Accounts of the ledger that hold what is not yet decided.",
		Attributes: []string{LedgerLine, Reason}},
	{Name: MetricLedgerExpected, Kind: Counter, Unit: "{item}", Origin: Self, Description: "What the accounts of a line, live ones included, add up to.",
		Attributes: []string{LedgerLine}},
	{Name: MetricLedgerImbalance, Kind: Gauge, Unit: "{item}", Origin: Self, Description: "By how much a line of the ledger does not balance: must be 0.",
		Attributes: []string{LedgerLine}},
	{Name: MetricExportRecords, Kind: Counter, Unit: "{record}", Origin: Self, Description: "What became of spans, log records and metric data points.",
		Attributes: []string{ExportSignal, ExportOutcome, Reason, OTelComponentName}},
	{Name: MetricExportQueue, Kind: UpDownCounter, Unit: "By", Origin: Self, Description: "Encoded bytes that wait to be sent.",
		Attributes: []string{ExportSignal, OTelComponentName}},
	{Name: MetricMemoryBudget, Kind: Gauge, Unit: "By", Origin: Self, Description: "Memory that a part of wiretell may use.", Attributes: []string{MemoryUser}},
	{Name: MetricMeshTwins, Kind: Counter, Unit: "{exchange}", Origin: Self, Description: "Exchanges that another one encloses, as seen on the other side of a mesh's proxy, and that `http.*` metrics do not count again: `linked` to it, or `ambiguous`, where it is not known which of several it is.", Attributes: []string{Reason}},
	{Name: MetricEvictions, Kind: Counter, Unit: "{eviction}", Origin: Self, Description: "State given up because a bound of wiretell's own was reached.", Attributes: []string{Reason}},
	{Name: MetricDiagnosisActive, Kind: Gauge, Unit: "{finding}", Origin: Self, Description: "Findings that hold now.", Attributes: []string{DiagnosisID, DiagnosisSeverity}},

	{Name: MetricRecordingFiles, Kind: Counter, Unit: "{file}", Origin: Self, Description: "What became of the files of `--record`: `written`, of these `deleted` at a bound of the directory, `write_failed`, `rate_limited` (too many errors), `queue_full` (the disk is too slow). And `ended_early`: files that ended at a bound of memory.",
		Attributes: []string{Reason}},
	{Name: MetricRecordingIO, Kind: Counter, Unit: "By", Origin: Self, Description: "Bytes of the files written."},
	{Name: MetricRecordingMissing, Kind: Counter, Unit: "{packet}", Origin: Self, Description: "Packets of recorded connections that had been overwritten in memory before the error came, or were too much for a file."},

	{Name: MetricSDKSpanQueueSize, Kind: UpDownCounter, Unit: "{span}", Origin: Self, Description: "Spans that wait to be sent.", Attributes: []string{OTelComponentName, OTelComponentType}},
	{Name: MetricSDKLogQueueSize, Kind: UpDownCounter, Unit: "{log_record}", Origin: Self, Description: "Log records that wait to be sent.", Attributes: []string{OTelComponentName, OTelComponentType}},
}

var (
	// The conventions' advice for http.*.request.duration.
	durationBuckets   = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	networkBuckets    = []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 10}
	connectionBuckets = []float64{0.01, 0.1, 1, 10, 60, 300, 1800, 3600, 14400, 86400}
	sizeBuckets       = []float64{0, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}

	httpServerAttributes = []string{HTTPRequestMethod, URLScheme, ErrorType, HTTPResponseStatusCode, HTTPRoute, NetworkProtocolVersion, ServerPort, OTelMetricOverflow}
	httpClientAttributes = []string{HTTPRequestMethod, URLScheme, ErrorType, HTTPResponseStatusCode, ServerAddress, ServerPort, NetworkProtocolVersion, OTelMetricOverflow}
)
