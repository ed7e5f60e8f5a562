package otel

import (
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/semconv"
)

// eventBuilder makes log records of observations. The desk goroutine owns it.
type eventBuilder struct {
	spans *spanBuilder
	limit *rateLimit       // nil: none
	now   func() time.Time // nil: the packet's time
	// recording is the file that holds the packets of the observation at hand.
	recording string
}

// record is a log record in the making.
type record struct {
	plog.LogRecord
	a attrs
}

// begin fills in what every event has. The severity is the table's.
func (b *eventBuilder) begin(lr plog.LogRecord, event *semconv.Event, at capture.Time, body string) record {
	lr.SetEventName(event.Name)
	lr.SetTimestamp(pcommon.Timestamp(at))
	observed := pcommon.Timestamp(at)
	if b.now != nil {
		observed = pcommon.NewTimestampFromTime(b.now())
	}
	lr.SetObservedTimestamp(observed)
	lr.SetSeverityNumber(plog.SeverityNumber(event.Severity))
	lr.SetSeverityText(event.Severity.String())
	lr.Body().SetStr(body)
	r := record{lr, attrs{Map: lr.Attributes(), bytes: 80 + len(body)}}
	r.a.EnsureCapacity(16)
	r.a.str(semconv.EventAttribute, event.Name)
	r.a.str(semconv.RecordingFile, b.recording)
	return r
}

func (r *record) span(sc spanContext) {
	r.SetTraceID(sc.traceID)
	r.SetSpanID(sc.spanID)
	r.SetFlags(plog.LogRecordFlags(sc.flags))
}

// hit ties the event to the span of the exchange that it hits, if there is one.
// That span may be built later, or be sampled out: the record's flag says so.
func (b *eventBuilder) hit(r *record, c *capture.Conn, h *capture.Hit) {
	if h.Number != 0 {
		id := b.spans.identify(c, h.Number, h.TraceParent)
		r.span(id.context())
	}
}

// conn states the attributes of a TCP connection.
func (b *eventBuilder) conn(r *record, c *capture.Conn) { b.ends(r, c, capture.TCP) }

// ends states the attributes of the two ends of a conversation.
func (b *eventBuilder) ends(r *record, c *capture.Conn, transport capture.Transport) {
	here, peer := local(c)
	t := b.spans.texts
	r.a.str(semconv.NetworkTransport, transport.String())
	r.a.str(semconv.NetworkType, networkType(peer))
	r.a.str(semconv.NetworkPeerAddress, t.addr(peer))
	r.a.int(semconv.NetworkPeerPort, int64(peer.Port))
	r.a.str(semconv.NetworkLocalAddress, t.addr(here))
	r.a.int(semconv.NetworkLocalPort, int64(here.Port))
	r.a.str(semconv.NetworkInterfaceName, b.spans.interfaceName(c.Interface))
	r.a.int(semconv.ServerPort, int64(c.Server.Port))
	r.a.str(semconv.ConnectionRole, c.Role.String())
}

// side says who did something: local or peer where that is known.
func side(c *capture.Conn, s capture.Side) string {
	switch c.Role {
	case capture.RoleServer:
		return [...]string{"peer", "local"}[s]
	case capture.RoleClient:
		return [...]string{"local", "peer"}[s]
	}
	return s.String()
}

func (b *eventBuilder) icmp(lr plog.LogRecord, o *capture.ICMPError) int {
	body := fmt.Sprintf("ICMP type %d code %d from %s: %s", o.Header.Type, o.Header.Code, o.From.IP(), o.Meaning)
	r := b.begin(lr, &eventICMP, o.At, body)
	t := b.spans.texts
	r.a.str(semconv.ICMPMeaning, o.Meaning)
	r.a.int(semconv.ICMPType, int64(o.Header.Type))
	r.a.int(semconv.ICMPCode, int64(o.Header.Code))
	r.a.str(semconv.NetworkType, o.Network.String())
	r.a.str(semconv.NetworkIODirection, direction(o.Direction))
	r.a.str(semconv.ErrorType, o.Why.String())
	if o.NextHopMTU > 0 {
		r.a.int(semconv.ICMPNextHopMTU, int64(o.NextHopMTU))
	}
	r.a.str(semconv.ICMPQuotedTransport, o.QuotedTransport.String())
	if o.QuotedTransport != capture.TransportNone {
		r.a.str(semconv.ICMPQuotedSrcAddress, t.addr(o.Quoted.Src))
		r.a.str(semconv.ICMPQuotedDestAddress, t.addr(o.Quoted.Dst))
		if o.QuotedTransport == capture.TCP || o.QuotedTransport == capture.UDP {
			r.a.int(semconv.ICMPQuotedSrcPort, int64(o.Quoted.Src.Port))
			r.a.int(semconv.ICMPQuotedDestPort, int64(o.Quoted.Dst.Port))
		}
	}
	if o.QuotedSeen {
		r.a.bool(semconv.ICMPQuotedSeen, true)
	}
	if o.Conn.ID != 0 || o.QuotedSeen {
		// The peer of the conversation that was hit, not of the message.
		network := o.Network.String()
		b.ends(&r, &o.Conn, o.QuotedTransport)
		r.a.str(semconv.NetworkType, network)
		b.hit(&r, &o.Conn, &o.Hit)
	} else {
		from, to := o.From, o.To
		if o.Direction == capture.Transmit {
			from, to = to, from
		}
		r.a.str(semconv.NetworkPeerAddress, t.addr(from))
		r.a.str(semconv.NetworkLocalAddress, t.addr(to))
		r.a.str(semconv.NetworkInterfaceName, b.spans.interfaceName(o.Interface))
	}
	return r.a.bytes
}

// dnsConn is the conversation of a query.
func dnsConn(o *capture.DNSLookup) capture.Conn {
	return capture.Conn{Client: o.Client, Server: o.Server, Role: o.Role, Interface: o.Interface}
}

func (b *eventBuilder) dnsFailed(lr plog.LogRecord, o *capture.DNSLookup) int {
	t := b.spans.texts
	name := t.clean(o.Name, limitName)
	server := t.addr(o.Server)
	var body string
	switch {
	case o.Answered:
		body = fmt.Sprintf("%s answered %s to %s %s", server, o.RCode, o.Type, name)
	case o.Why == capture.ReasonTimedOut:
		body = fmt.Sprintf("no answer from %s to %s %s within %s", server, o.Type, name, o.Duration)
	default:
		body = fmt.Sprintf("no answer from %s to %s %s: %s", server, o.Type, name, o.Why)
	}
	r := b.begin(lr, &eventDNSFailed, o.At, body)
	c := dnsConn(o)
	b.ends(&r, &c, capture.UDP)
	r.a.str(semconv.ServerAddress, server)
	r.a.str(semconv.DNSQuestionName, name)
	r.a.str(semconv.DNSQuestionType, o.Type.String())
	if o.Answered {
		r.a.str(semconv.DNSResponseCode, o.RCode.String())
	}
	r.a.str(semconv.ErrorType, o.Error())
	r.a.int(semconv.DNSAttempts, int64(o.Attempts))
	if o.HasICMP {
		r.a.int(semconv.ICMPType, int64(o.ICMP.Type))
		r.a.int(semconv.ICMPCode, int64(o.ICMP.Code))
	}
	return r.a.bytes
}

// direction returns network.io.direction, "" when it is not known.
func direction(d capture.Direction) string {
	return [...]string{"", "receive", "transmit"}[d]
}

func (b *eventBuilder) parseError(lr plog.LogRecord, o *capture.ParseError) int {
	body := fmt.Sprintf("%s of the %s broke the rules at byte %d: %s", protocolWord(o.Protocol), o.From, o.Offset, o.Why)
	r := b.begin(lr, &eventParseError, o.At, body)
	b.conn(&r, &o.Conn)
	r.a.str(semconv.Reason, o.Why.String())
	r.a.int(semconv.ParseOffset, int64(o.Offset))
	r.a.str(semconv.TCPSide, side(&o.Conn, o.From))
	r.a.str(semconv.NetworkProtocolName, o.Protocol.String())
	b.hit(&r, &o.Conn, &o.Hit)
	return r.a.bytes
}

func protocolWord(p capture.Protocol) string {
	if s := p.String(); s != "" {
		return s
	}
	return "unknown protocol"
}

func (b *eventBuilder) lost(lr plog.LogRecord, o *capture.Lost) int {
	r := b.begin(lr, &eventDegraded, o.At, fmt.Sprintf("%d observations were lost inside wiretell", o.Observations))
	r.a.int(semconv.Count, int64(o.Observations))
	return r.a.bytes
}

// suppressed states how many events the rate limit left out.
func (b *eventBuilder) suppressed(lr plog.LogRecord, s suppression) int {
	body := fmt.Sprintf("suppressed=%d %s records for this peer in %s", s.count, s.event.Name, s.window)
	r := b.begin(lr, s.event, s.at, body)
	r.a.int(semconv.Suppressed, int64(s.count))
	r.a.double(semconv.SuppressedWindow, s.window.Seconds())
	if s.peer != ([16]byte{}) {
		r.a.str(semconv.NetworkPeerAddress, b.spans.texts.addr(capture.Endpoint{Addr: s.peer}))
	}
	return r.a.bytes
}

var (
	eventConnectFailed = lookupEvent(semconv.EventTCPConnectFailed)
	eventReset         = lookupEvent(semconv.EventTCPReset)
	eventsStuck        = [capture.NumStuckKinds]semconv.Event{
		capture.StuckHalfClosed:     lookupEvent(semconv.EventTCPHalfClosed),
		capture.StuckUnacknowledged: lookupEvent(semconv.EventTCPCloseUnacknowledged),
		capture.StuckStalled:        lookupEvent(semconv.EventTCPStalled),
		capture.StuckStream:         lookupEvent(semconv.EventTCPStreamTimeout),
	}
	eventICMP          = lookupEvent(semconv.EventICMPError)
	eventDNSFailed     = lookupEvent(semconv.EventDNSFailed)
	eventParseError    = lookupEvent(semconv.EventHTTPParseError)
	eventUnexpectedEOF = lookupEvent(semconv.EventHTTPUnexpectedEOF)
	eventIncomplete    = lookupEvent(semconv.EventHTTPExchangeIncomplete)
	eventDegraded      = lookupEvent(semconv.EventCaptureDegraded)
	eventDiagnosis     = lookupEvent(semconv.EventDiagnosis)
)

// lookupEvent returns the table's row; the names are constants of the same package.
func lookupEvent(name string) semconv.Event {
	for _, e := range semconv.Events {
		if e.Name == name {
			return e
		}
	}
	panic("otel: no event " + name)
}
