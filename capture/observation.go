package capture

import (
	"fmt"
	"time"
)

// Observation is a fact that a room states: one of the types of this file.
// Byte slices in it belong to the [Batch] that holds it.
type Observation interface{ observation() }

// Exchange is a request and its response (RFC 9113, section 8.1), or what was
// seen of them. There is no field for a body, and headers only from an
// allow-list, so that nothing else can leak.
type Exchange struct {
	Conn Conn
	// Number is unique within one run. Observations of what hits the exchange
	// while it is in flight name it (see [Hit]).
	Number   uint64
	Protocol Protocol
	Version  uint8 // 10, 11, 20 for HTTP/1.0, 1.1, 2
	// HasRequest is false for a response whose request was not seen.
	HasRequest bool

	Method, Target, Host    []byte // as on the wire; Host without user information
	UserAgent               []byte
	TraceParent, TraceState []byte
	RequestHeaders          []Header // allow-listed
	ResponseHeaders         []Header // allow-listed

	// Status is the final response's status code, 0 when none was seen.
	Status int
	// Interim counts 1xx responses before the final one.
	Interim int

	// Times of the first and last byte of each message; 0 when not seen. The
	// last byte of a message that was cut is the last one seen of it.
	RequestStart, RequestEnd, ResponseStart, ResponseEnd Time
	// Ended is when the exchange was over: the last byte of its messages or, with
	// an Error, when that was known: the FIN, the reset, the timeout.
	Ended Time
	// Body sizes as on the wire without chunk framing, in bytes; -1 when not known.
	RequestBody, ResponseBody int64
	// Wire sizes: head, body and framing, in bytes.
	RequestWire, ResponseWire int64

	// Error says why there is no whole response: the words of error.type.
	// ReasonNone when request and response are whole.
	Error Reason
	// Cause is what the packets prove of how it came to Error or Incomplete.
	Cause Cause
	// Announced is the size of the body, in bytes, that the message announced
	// which the end of the connection cut; 0 when it announced none, or none
	// was cut. How much of it came is RequestBody or ResponseBody.
	Announced int64
	// Incomplete says what of the exchange wiretell did not see: ReasonGap,
	// ReasonTruncated, ReasonJoinedMidstream, ReasonEvicted, or none.
	Incomplete Reason
	LostBytes  int64
	// Path is what the network did meanwhile.
	Path Path
	// PassedOn says that the traceparent of a call from here is that of a request
	// received here which was not over when the call was.
	PassedOn bool

	// Mesh is set when the exchange was seen on both sides of a mesh's proxy, or
	// on the application's alone. The spine leaves it and what follows to the
	// exporters' stage that sees all exchanges.
	Mesh MeshSide
	// Inner says that another exchange encloses this one, as seen on the other
	// side of the proxy, and stands for both where exchanges are counted once.
	Inner bool
	// Outer is that one, nil where it is not known which it is. It is valid as
	// long as the exchange.
	Outer *Exchange
}

// Hit names the exchange in flight that something happened to, so that both can
// be told together although the exchange ends later: the oldest of several that a
// client pipelined, or the last one, when its response was sent whole and is not
// acknowledged. Number is 0 when there is none.
type Hit struct {
	Number      uint64
	TraceParent []byte // of the exchange, as on the wire
}

// Header is one allow-listed field.
type Header struct{ Name, Value []byte }

// ConnOpened states that a handshake was completed.
type ConnOpened struct {
	Conn Conn
	At   Time
	// Handshake is from the first SYN to the ACK that completed. ServerTime is
	// from the first SYN to the first SYN-ACK as seen here, ClientTime from there
	// to that ACK: on a server's host the first is its kernel and the second the
	// round trip, on a client's host the reverse. All are 0 when not seen.
	Handshake, ServerTime, ClientTime time.Duration
	// Simultaneous says that both sides sent a SYN of their own (RFC 9293,
	// section 3.5).
	Simultaneous bool
	// SYNData is how many bytes the client's SYN carried (TCP Fast Open, RFC
	// 7413), and SYNDataTaken how many of them the SYN-ACK acknowledged.
	SYNData, SYNDataTaken int
	// Called is where a connection was meant to go that was redirected to its
	// server, as a mesh does; its port is 0 of others. One that has it is stated
	// in a terse Book, too.
	Called Endpoint
}

// ConnFailed states that a connection was never established.
type ConnFailed struct {
	Conn     Conn
	At       Time
	Why      Reason // ReasonRefused, ReasonTimedOut, ReasonHostUnreachable, ...
	Cause    Cause  // CauseNoAnswer, CauseRefused, CauseSYNACKUnanswered, ...
	Attempts int    // SYNs seen
	Answers  int    // SYN-ACKs seen
	SYNData  int    // bytes that the SYN carried (RFC 7413)
	Elapsed  time.Duration
	// ICMP and From, who sent it, are set when an ICMP error told why.
	ICMP    ICMPHeader
	HasICMP bool
	From    Endpoint
}

// ConnReset states that a connection was reset.
type ConnReset struct {
	Conn  Conn
	At    Time
	By    Side
	Phase Phase
	Age   time.Duration
	// Idle is how long nobody had sent anything before the request that was
	// answered by the RST, when Conn.Race says so.
	Idle time.Duration
	// Unacknowledged is how many bytes were sent and never acknowledged, by
	// sender.
	Unacknowledged [2]uint64
	Hit            Hit
}

// ConnStuck states that a connection waits for what does not come. It is stated
// once for each such wait, while it lasts.
type ConnStuck struct {
	Conn Conn
	At   Time
	Kind StuckKind
	// Side is the one that is waited for to close (StuckHalfClosed), or whose FIN
	// or bytes are not acknowledged or did not come; State is its state.
	Side  Side
	State TCPState
	Cause Cause // of StuckStalled and StuckStream
	// Waited is since the last thing that moved the connection on.
	Waited time.Duration
	// Bytes are those that are outstanding or missing, Held those that wait
	// behind them; Attempts counts what was sent again.
	Bytes, Held uint64
	// Unanswered says that the client closed its half after it had sent something,
	// and the server has sent nothing since (StuckHalfClosed).
	Unanswered bool
	// Acked are the payload bytes of Side that were acknowledged before
	// (StuckStalled).
	Acked    uint64
	Attempts int
	Phase    Phase
	Hit      Hit
}

// ConnClosed states that a connection is no longer followed, whatever ended it.
type ConnClosed struct {
	Conn Conn
	At   Time
	Why  Reason // ReasonFIN, ReasonReset, ReasonTimedOut, ReasonEvicted, ReasonReused, ReasonShutdown
	// By sender: payload bytes seen on the wire without what was sent again,
	// packets, retransmitted segments, bytes in gaps.
	Bytes, Packets, Retransmits, GapBytes [2]uint64
	// RetransmitKinds are Retransmits by kind. Needless are those of them that
	// proved so afterwards, by [Proof].
	RetransmitKinds [2][NumRetransmitKinds]uint64
	Needless        [2]uint64
	// OutOfOrder counts segments that were captured after others that were sent
	// later, DuplicateAcks those of RFC 5681, section 2; both by sender.
	OutOfOrder, DuplicateAcks [2]uint64
	// ZeroWindow and WindowFull are by the side that offers the window.
	ZeroWindow, WindowFull  [2]Stalls
	RTTMin, RTTMean, RTTMax time.Duration // 0 when none was measured
	Established             bool
	// States are those of the two sides, by Side, when the connection ended.
	States [2]TCPState
}

// Stalls counts how often a window let nothing through, and for how long.
type Stalls struct {
	Count uint64
	Time  time.Duration
}

// ICMPError states an ICMP error message. One for each on the wire.
type ICMPError struct {
	At        Time
	Network   Network
	From, To  Endpoint // of the message itself; ports are 0
	Header    ICMPHeader
	Direction Direction
	Interface uint16
	// Meaning is the registry's name of type and code; it is a constant.
	Meaning string
	// Why is what the error does to a connection that it hits, ReasonNone when
	// it is no such error.
	Why Reason
	// Quoted is the flow of the packet that the message quotes.
	Quoted          Flow
	QuotedTransport Transport // TransportNone when nothing readable is quoted
	NextHopMTU      int       // 0 when the message names none
	// Conn is the live connection that is quoted, when the quoted sequence
	// number fits it; ID 0 otherwise. For a quoted UDP datagram whose flow was
	// seen it has the two ends of that flow, and no ID.
	Conn Conn
	// QuotedSeen says that a datagram of the quoted UDP flow was seen on its way
	// not long before: the message is no invention (RFC 5927, section 4).
	QuotedSeen bool
	// Hit is the exchange in flight on Conn.
	Hit Hit
}

// DNSLookup states how a DNS query over UDP ended (RFC 1035). In a terse Book
// it is only stated when it failed, or answered soon after one that failed.
type DNSLookup struct {
	At Time // of the answer or the ICMP error; else when it was given up
	// Server is where the query was sent; the answer may come from elsewhere.
	Client, Server Endpoint
	Role           Role
	Interface      uint16
	// Name is the name asked for in lower case, at most 253 bytes, without the
	// dot at its end ("." is the root). Bytes that are not printable, and dots
	// within labels, are escaped (RFC 1035, section 5.1).
	Name []byte
	Type DNSType
	// Answered says that an answer came; RCode, Truncated and NoData are its.
	Answered  bool
	RCode     RCode
	Truncated bool // the TC bit: the client has to ask again over TCP
	NoData    bool // NOERROR without a record of the type (RFC 2308, section 2.2)
	// Duration is from the first query to At; Attempts counts the times that
	// the query was sent.
	Duration time.Duration
	Attempts int
	// Why is set when no answer came: ReasonTimedOut, or what an ICMP error said.
	Why     Reason
	ICMP    ICMPHeader
	HasICMP bool
}

// Failed reports whether no answer came, or one that says no.
func (d *DNSLookup) Failed() bool { return !d.Answered || d.RCode != RCodeNoError }

// Error returns the word of error.type: the response code, or why there is no
// answer; "" when the look-up did not fail.
func (d *DNSLookup) Error() string {
	switch {
	case !d.Failed():
		return ""
	case d.Answered:
		return d.RCode.String()
	}
	return d.Why.String()
}

// ParseError states that bytes looked like a protocol and broke its rules.
type ParseError struct {
	Conn     Conn
	At       Time
	From     Side
	Protocol Protocol
	Why      Reason
	Offset   uint64 // in the side's stream
	Hit      Hit
}

// TLSHello states that a TLS handshake message was read.
type TLSHello struct {
	Conn Conn
	At   Time
	From Side
	// Version is the highest version offered (client) or the one chosen
	// (server), as in the protocol: 0x0303 is TLS 1.2, 0x0304 TLS 1.3.
	Version uint16
	SNI     []byte // empty when there is none
	ALPN    []byte // comma-separated; the chosen one for the server when visible
	ECH     bool   // encrypted client hello offered
	Retry   bool   // a HelloRetryRequest came before (RFC 8446, section 4.1.4)
	// Midstream says that no hello was seen: records were recognised midway.
	Midstream bool
}

// TLSVersion names a version number of the protocol, as 1.2 for 0x0303 (RFC 8446,
// section 4.2.1; 0x0300 is SSL 3.0, RFC 6101); "" for 0.
func TLSVersion(v uint16) string {
	switch v {
	case 0:
		return ""
	case 0x0300:
		return "SSL3.0"
	case 0x0301, 0x0302, 0x0303, 0x0304:
		return fmt.Sprintf("1.%d", v-0x0301)
	}
	return fmt.Sprintf("0x%04x", v)
}

// TLSAlert states an unencrypted alert (RFC 8446, section 6).
type TLSAlert struct {
	Conn               Conn
	At                 Time
	From               Side
	Level, Description uint8
}

// Lost states that observations before this one could not be handed over.
type Lost struct {
	At           Time
	Observations uint64
}

func (*Exchange) observation()   {}
func (*ConnOpened) observation() {}
func (*ConnFailed) observation() {}
func (*ConnReset) observation()  {}
func (*ConnStuck) observation()  {}
func (*ConnClosed) observation() {}
func (*ICMPError) observation()  {}
func (*DNSLookup) observation()  {}
func (*ParseError) observation() {}
func (*TLSHello) observation()   {}
func (*TLSAlert) observation()   {}
func (*Lost) observation()       {}
