package capture

// Reason is a stable word for why something ended, is missing, or could not be
// read. It is a small integer so that counters can be indexed by it; String
// gives the word that every output uses.
type Reason uint8

// Reasons. ReasonNone means that nothing was wrong.
const (
	ReasonNone Reason = iota

	// How a connection or an attempt ended.
	ReasonFIN              // closed in order by FIN
	ReasonReset            // RST
	ReasonTimedOut         // no answer, or silent for too long
	ReasonRefused          // RST in answer to a SYN
	ReasonHostUnreachable  // by ICMP
	ReasonNetUnreachable   // by ICMP
	ReasonAdminProhibited  // by ICMP
	ReasonPortUnreachable  // by ICMP
	ReasonProtoUnreachable // by ICMP
	ReasonTTLExceeded      // by ICMP
	ReasonEvicted          // a bound of wiretell's own was reached
	ReasonReused           // a new connection with the same addresses and ports began
	ReasonShutdown         // wiretell stopped
	ReasonClosed           // closed by the protocol above, as HTTP's "Connection: close"

	// Why an exchange is not whole.
	ReasonClosedBeforeResponse // the connection closed and no response had come
	ReasonResponseTruncated    // the connection closed within the response
	ReasonRequestTruncated     // the connection closed within the request
	ReasonGap                  // bytes that were never captured
	ReasonTruncated            // bytes that the capture cut (snapshot length)
	ReasonJoinedMidstream      // the connection was older than the capture
	ReasonUnsolicited          // a response that no request asked for
	ReasonPending              // more pipelined requests than are kept

	// Why bytes could not be read.
	ReasonTLS                // encrypted
	ReasonUnknownProtocol    // no parser knows these bytes
	ReasonHTTP2              // HTTP/2, which no parser of this build follows
	ReasonUpgraded           // after 101 or CONNECT
	ReasonDesync             // after a parse error, until a message head is found
	ReasonHeaderTooLarge     // head beyond the bound
	ReasonBadStartLine       // neither a request line nor a status line
	ReasonBadHeader          // a field line that breaks RFC 9112, section 5
	ReasonBadChunk           // a chunk that breaks RFC 9112, section 7.1
	ReasonBadLength          // Content-Length not a number, or several that differ
	ReasonAmbiguousLength    // Content-Length together with Transfer-Encoding, RFC 9112, section 6.1
	ReasonBadTransferCoding  // a Transfer-Encoding whose end cannot be told
	ReasonUnsupportedVersion // HTTP/0.9 or HTTP/2 and later on an HTTP/1 connection
	ReasonSwitchedProtocol   // the connection turned to another protocol without being asked to
	ReasonBadHello           // a TLS hello that breaks RFC 8446, section 4.1
	ReasonInternal           // wiretell's own fault: a parser failed and was put aside
	ReasonUndetected         // too few bytes to tell the protocol

	// What UDP carries that is not followed.
	ReasonUDP  // datagrams that no parser knows
	ReasonQUIC // QUIC long headers
	ReasonDNS  // looks like DNS, and is none that is followed

	NumReasons
)

var reasonWords = [NumReasons]string{
	ReasonNone:                 "",
	ReasonFIN:                  "fin",
	ReasonReset:                "reset",
	ReasonTimedOut:             "timed_out",
	ReasonRefused:              "refused",
	ReasonHostUnreachable:      "host_unreachable",
	ReasonNetUnreachable:       "net_unreachable",
	ReasonAdminProhibited:      "admin_prohibited",
	ReasonPortUnreachable:      "port_unreachable",
	ReasonProtoUnreachable:     "proto_unreachable",
	ReasonTTLExceeded:          "ttl_exceeded",
	ReasonEvicted:              "evicted",
	ReasonReused:               "reused",
	ReasonShutdown:             "shutdown",
	ReasonClosed:               "closed",
	ReasonClosedBeforeResponse: "closed_before_response",
	ReasonResponseTruncated:    "response_truncated",
	ReasonRequestTruncated:     "request_truncated",
	ReasonGap:                  "gap",
	ReasonTruncated:            "truncated_frame",
	ReasonJoinedMidstream:      "joined_midstream",
	ReasonUnsolicited:          "unsolicited",
	ReasonPending:              "too_many_pending",
	ReasonTLS:                  "tls",
	ReasonUnknownProtocol:      "unknown_protocol",
	ReasonHTTP2:                "http2",
	ReasonUpgraded:             "upgraded",
	ReasonDesync:               "desync",
	ReasonHeaderTooLarge:       "header_too_large",
	ReasonBadStartLine:         "bad_start_line",
	ReasonBadHeader:            "bad_header",
	ReasonBadChunk:             "bad_chunk",
	ReasonBadLength:            "bad_length",
	ReasonAmbiguousLength:      "ambiguous_length",
	ReasonBadTransferCoding:    "bad_transfer_coding",
	ReasonUnsupportedVersion:   "unsupported_version",
	ReasonSwitchedProtocol:     "switched_protocol",
	ReasonBadHello:             "bad_hello",
	ReasonInternal:             "internal_error",
	ReasonUndetected:           "undetected",
	ReasonUDP:                  "udp",
	ReasonQUIC:                 "quic",
	ReasonDNS:                  "dns",
}

// String returns the stable word, "" for ReasonNone.
func (r Reason) String() string {
	if r < NumReasons {
		return reasonWords[r]
	}
	return "invalid"
}

// Protocol is what a connection speaks, as far as its bytes prove.
type Protocol uint8

const (
	ProtocolUnknown Protocol = iota
	ProtocolHTTP1
	ProtocolHTTP2
	ProtocolTLS
	NumProtocols
)

// String returns the conventions' network.protocol.name: "http", "tls", or "" when unknown.
func (p Protocol) String() string { return [...]string{"", "http", "http", "tls"}[p] }
