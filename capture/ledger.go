package capture

import "fmt"

// Entry is one account of the [Ledger].
type Entry uint8

// The accounts. Those named Live go down as well as up: they hold what is not
// yet decided.
const (
	// Frames: what became of each frame that was read.
	FramesRead Entry = iota
	FrameTCP
	FrameUDP
	FrameICMP
	FrameICMPv6
	FrameARP
	FrameOther           // another protocol over IP
	FrameNonIP           // another protocol over the link
	FrameFiltered        // not selected by the user's filter
	FrameOwnExport       // wiretell's own traffic: its export, and what its local endpoint is asked
	FrameDuplicate       // the second sight of a frame (loopback's echo)
	FrameUnsupportedLink // a link type that wiretell does not read
	FrameTruncated       // cut by the capture within the headers
	FrameMalformedLink
	FrameMalformedIP
	FrameMalformedTCP
	FrameMalformedUDP
	FrameMalformedICMP
	FrameNestedTooDeep   // encapsulated beyond the bound
	FragmentsReassembled // fragments of datagrams that became whole
	FragmentsExpired     // fragments of datagrams that never became whole in time
	FragmentsEvicted     // fragments dropped at a bound
	FragmentsInvalid     // fragments that break the rules (overlap, beyond 64 KiB)
	FragmentsLive

	// Datagrams made whole from fragments, by transport.
	DatagramTCP
	DatagramUDP
	DatagramICMP
	DatagramOther
	DatagramsReassembled

	// Segments: what became of each TCP segment.
	SegmentControl    // carried no payload
	SegmentInOrder    // handed on in place
	SegmentDelayed    // stored, then handed on
	SegmentDuplicate  // wholly seen before
	SegmentOverlap    // partly seen before; the rest was handed on
	SegmentLate       // came after its place had been given up as a gap
	SegmentOutOfRange // outside any plausible window
	SegmentNoState    // belongs to no connection that is followed
	SegmentBadChecksum
	SegmentRefused // no memory within the bound, or no connection to be had
	SegmentCut     // carried payload of which the capture kept nothing
	SegmentsLive   // stored, waiting for what is before them

	// Bytes: what became of each byte of TCP payload on the wire.
	BytesSeen
	BytesDelivered
	BytesDuplicate
	BytesLate // came after their place had been given up; they are in GapBytes too
	BytesOutOfRange
	BytesNoState
	BytesBadChecksum
	BytesRefused
	BytesCut // on the wire, but cut by the capture
	BytesLive

	// Gaps: bytes not seen, though the other side acknowledged them or time
	// ran out waiting. They are in no other account, unless they came after all
	// (BytesLate).
	GapBytes
	Gaps

	// Delivered: what the delivered bytes were.
	DeliveredHTTP1Head // start lines, fields, chunk framing, trailers
	DeliveredHTTP1Body
	DeliveredHTTP2
	DeliveredTLS
	DeliveredUpgraded
	DeliveredProxyHeader // PROXY protocol header or SOCKS negotiation in front of another protocol
	DeliveredUnknown
	DeliveredDesync     // between a parse error or a gap and the next message
	DeliveredUndetected // a connection ended before its protocol could be told
	DeliveredInternal   // handed to a parser that failed
	DeliveredLive       // held by protocol detection

	// Connections.
	ConnsOpened
	ConnsMidstream
	ConnsFIN
	ConnsReset
	ConnsFailed   // never established: refused, no answer, unreachable
	ConnsTimedOut // established, then silent for too long
	ConnsEvicted
	ConnsReused
	ConnsShutdown
	ConnsLive

	// Requests and responses.
	RequestsSeen
	RequestsAnswered
	RequestsUnanswered // for a Reason on the observation
	RequestsLive
	ResponsesSeen
	ResponsesPaired
	ResponsesInterim // 1xx
	ResponsesOrphan
	ResponsesLive // begun, not ended

	// DNS: what became of each message over UDP that could be read, and of each
	// look-up.
	DNSMessages
	DNSRetries   // the same query again
	DNSUnmatched // answers to no query that is waited for
	LookupsSeen
	LookupsAnswered    // NOERROR
	LookupsFailed      // another response code
	LookupsUnreachable // an ICMP error told why there is no answer
	LookupsTimedOut
	LookupsEvicted  // more at once than are followed
	LookupsShutdown // wiretell stopped
	LookupsLive

	// Batches of observations offered to the desk.
	ObservationsMade
	ObservationsHandedOver
	ObservationsLost // the queue was full
	ObservationsLive

	NumEntries
)

// Ledger is wiretell's promise of honesty: plain counters that must balance by
// [Lines]. It is owned by the spine; others get copies.
type Ledger [NumEntries]uint64

// Line says that the accounts on its left add up to those on its right.
type Line struct {
	Name        string // stable word
	Left, Right []Entry
}

// Lines are the equations of the ledger. They hold whenever no packet is being
// worked on.
var Lines = [...]Line{
	{"frames", []Entry{FramesRead}, []Entry{
		FrameTCP, FrameUDP, FrameICMP, FrameICMPv6, FrameARP, FrameOther, FrameNonIP,
		FrameFiltered, FrameOwnExport, FrameDuplicate, FrameUnsupportedLink, FrameTruncated,
		FrameMalformedLink, FrameMalformedIP, FrameMalformedTCP, FrameMalformedUDP, FrameMalformedICMP, FrameNestedTooDeep,
		FragmentsReassembled, FragmentsExpired, FragmentsEvicted, FragmentsInvalid, FragmentsLive}},
	{"datagrams", []Entry{DatagramsReassembled}, []Entry{DatagramTCP, DatagramUDP, DatagramICMP, DatagramOther}},
	{"segments", []Entry{FrameTCP, DatagramTCP}, []Entry{
		SegmentControl, SegmentInOrder, SegmentDelayed, SegmentDuplicate, SegmentOverlap, SegmentLate, SegmentOutOfRange,
		SegmentNoState, SegmentBadChecksum, SegmentRefused, SegmentCut, SegmentsLive}},
	{"bytes", []Entry{BytesSeen}, []Entry{
		BytesDelivered, BytesDuplicate, BytesLate, BytesOutOfRange, BytesNoState, BytesBadChecksum, BytesRefused, BytesCut, BytesLive}},
	{"delivered", []Entry{BytesDelivered}, []Entry{
		DeliveredHTTP1Head, DeliveredHTTP1Body, DeliveredHTTP2, DeliveredTLS, DeliveredUpgraded, DeliveredProxyHeader,
		DeliveredUnknown, DeliveredDesync, DeliveredUndetected, DeliveredInternal, DeliveredLive}},
	{"connections", []Entry{ConnsOpened, ConnsMidstream}, []Entry{
		ConnsFIN, ConnsReset, ConnsFailed, ConnsTimedOut, ConnsEvicted, ConnsReused, ConnsShutdown, ConnsLive}},
	{"requests", []Entry{RequestsSeen}, []Entry{RequestsAnswered, RequestsUnanswered, RequestsLive}},
	{"responses", []Entry{ResponsesSeen}, []Entry{ResponsesPaired, ResponsesInterim, ResponsesOrphan, ResponsesLive}},
	{"pairs", []Entry{RequestsAnswered}, []Entry{ResponsesPaired}},
	{"dns", []Entry{DNSMessages}, []Entry{LookupsSeen, DNSRetries, LookupsAnswered, LookupsFailed, DNSUnmatched}},
	{"lookups", []Entry{LookupsSeen}, []Entry{
		LookupsAnswered, LookupsFailed, LookupsUnreachable, LookupsTimedOut, LookupsEvicted, LookupsShutdown, LookupsLive}},
	{"observations", []Entry{ObservationsMade}, []Entry{ObservationsHandedOver, ObservationsLost, ObservationsLive}},
}

var entryWords = [NumEntries]string{
	FramesRead: "read", FrameTCP: "tcp", FrameUDP: "udp", FrameICMP: "icmp", FrameICMPv6: "icmpv6", FrameARP: "arp",
	FrameOther: "other", FrameNonIP: "non_ip", FrameFiltered: "filtered", FrameOwnExport: "own_export",
	FrameDuplicate: "duplicate", FrameUnsupportedLink: "unsupported_link", FrameTruncated: "truncated",
	FrameMalformedLink: "malformed_link", FrameMalformedIP: "malformed_ip", FrameMalformedTCP: "malformed_tcp",
	FrameMalformedUDP: "malformed_udp", FrameMalformedICMP: "malformed_icmp", FrameNestedTooDeep: "nested_too_deep",
	FragmentsReassembled: "fragment_reassembled", FragmentsExpired: "fragment_expired", FragmentsEvicted: "fragment_evicted",
	FragmentsInvalid: "fragment_invalid", FragmentsLive: "fragment_live",
	DatagramTCP: "tcp", DatagramUDP: "udp", DatagramICMP: "icmp", DatagramOther: "other", DatagramsReassembled: "reassembled",
	SegmentControl: "control", SegmentInOrder: "in_order", SegmentDelayed: "delayed", SegmentDuplicate: "duplicate",
	SegmentOverlap: "overlap", SegmentLate: "late", SegmentOutOfRange: "out_of_range", SegmentNoState: "no_state",
	SegmentBadChecksum: "bad_checksum", SegmentRefused: "refused", SegmentCut: "cut", SegmentsLive: "live",
	BytesSeen: "seen", BytesDelivered: "delivered", BytesDuplicate: "duplicate", BytesLate: "late", BytesOutOfRange: "out_of_range",
	BytesNoState: "no_state", BytesBadChecksum: "bad_checksum", BytesRefused: "refused", BytesCut: "cut", BytesLive: "live",
	GapBytes: "gap_bytes", Gaps: "gaps",
	DeliveredHTTP1Head: "http1_head", DeliveredHTTP1Body: "http1_body", DeliveredHTTP2: "http2", DeliveredTLS: "tls",
	DeliveredUpgraded: "upgraded", DeliveredProxyHeader: "proxy_header", DeliveredUnknown: "unknown", DeliveredDesync: "desync",
	DeliveredUndetected: "undetected", DeliveredInternal: "internal_error", DeliveredLive: "live",
	ConnsOpened: "opened", ConnsMidstream: "midstream", ConnsFIN: "fin", ConnsReset: "reset", ConnsFailed: "failed",
	ConnsTimedOut: "timed_out", ConnsEvicted: "evicted", ConnsReused: "reused", ConnsShutdown: "shutdown", ConnsLive: "live",
	RequestsSeen: "seen", RequestsAnswered: "answered", RequestsUnanswered: "unanswered", RequestsLive: "live",
	ResponsesSeen: "seen", ResponsesPaired: "paired", ResponsesInterim: "interim", ResponsesOrphan: "orphan", ResponsesLive: "live",
	DNSMessages: "seen", DNSRetries: "retry", DNSUnmatched: "unmatched", LookupsSeen: "lookup", LookupsAnswered: "answered",
	LookupsFailed: "failed", LookupsUnreachable: "unreachable", LookupsTimedOut: "timed_out", LookupsEvicted: "evicted",
	LookupsShutdown: "shutdown", LookupsLive: "live",
	ObservationsMade: "made", ObservationsHandedOver: "handed_over", ObservationsLost: "lost", ObservationsLive: "live",
}

// String returns the account's word, which is unique within its line.
func (e Entry) String() string { return entryWords[e] }

// Imbalance is a line that does not add up.
type Imbalance struct {
	Line        string
	Left, Right uint64
}

// Error describes the imbalance.
func (i Imbalance) Error() string {
	return fmt.Sprintf("ledger line %q does not balance: %d on the left, %d on the right", i.Line, i.Left, i.Right)
}

// Check returns every line that does not balance; nil when all do.
func (l *Ledger) Check() []Imbalance {
	var bad []Imbalance
	for _, line := range Lines {
		if left, right := l.Sum(line.Left), l.Sum(line.Right); left != right {
			bad = append(bad, Imbalance{line.Name, left, right})
		}
	}
	return bad
}

// Sum adds up the given accounts.
func (l *Ledger) Sum(entries []Entry) uint64 {
	var n uint64
	for _, e := range entries {
		n += l[e]
	}
	return n
}
