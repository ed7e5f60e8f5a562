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
	limit *rateLimit // nil: none
	// hit remembers, within one batch, the exchange that ended with an error on
	// a connection, so that the connection's own event gets its ids.
	hit map[uint64]spanContext
	now func() time.Time // nil: the packet's time
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
	return r
}

func (r *record) span(sc spanContext) {
	r.SetTraceID(sc.traceID)
	r.SetSpanID(sc.spanID)
	r.SetFlags(plog.LogRecordFlags(sc.flags))
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

func (b *eventBuilder) connFailed(lr plog.LogRecord, o *capture.ConnFailed) int {
	var body string
	switch o.Why {
	case capture.ReasonTimedOut:
		body = fmt.Sprintf("no answer from %s after %d SYNs in %s", o.Conn.Server, o.Attempts, o.Elapsed)
	case capture.ReasonRefused:
		body = fmt.Sprintf("%s refused the connection: a reset came back", o.Conn.Server)
	default:
		body = fmt.Sprintf("no connection to %s: %s", o.Conn.Server, o.Why)
	}
	r := b.begin(lr, &eventConnectFailed, o.At, body)
	b.conn(&r, &o.Conn)
	r.a.str(semconv.ErrorType, o.Why.String())
	r.a.int(semconv.TCPAttempts, int64(o.Attempts))
	r.a.double(semconv.TCPAge, o.Elapsed.Seconds())
	if o.HasICMP {
		r.a.int(semconv.ICMPType, int64(o.ICMP.Type))
		r.a.int(semconv.ICMPCode, int64(o.ICMP.Code))
	}
	return r.a.bytes
}

func (b *eventBuilder) connReset(lr plog.LogRecord, o *capture.ConnReset) int {
	r := b.begin(lr, &eventReset, o.At, fmt.Sprintf("connection to %s reset by the %s, phase %s", o.Conn.Server, o.By, o.Phase))
	b.conn(&r, &o.Conn)
	r.a.str(semconv.TCPSide, side(&o.Conn, o.By))
	r.a.str(semconv.TCPPhase, o.Phase.String())
	r.a.double(semconv.TCPAge, o.Age.Seconds())
	if sc, ok := b.hit[o.Conn.ID]; ok {
		r.span(sc)
	}
	return r.a.bytes
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
		if sc, ok := b.hit[o.Conn.ID]; ok {
			r.span(sc)
		}
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
	return r.a.bytes
}

func protocolWord(p capture.Protocol) string {
	if s := p.String(); s != "" {
		return s
	}
	return "unknown protocol"
}

// exchangeEvent returns which event an exchange calls for, nil for none.
func exchangeEvent(ex *capture.Exchange) *semconv.Event {
	switch {
	case ex.Error == capture.ReasonResponseTruncated || ex.Error == capture.ReasonRequestTruncated:
		return &eventUnexpectedEOF
	case !ex.HasRequest || ex.Status == 0:
		return &eventIncomplete
	}
	return nil
}

func (b *eventBuilder) exchange(lr plog.LogRecord, event *semconv.Event, f *facts) int {
	why := f.errorType
	if why == "" {
		why = incomplete(f.Exchange)
	}
	var body string
	switch {
	case event == &eventUnexpectedEOF:
		body = fmt.Sprintf("message cut by the end of the connection: %s", f.Error)
	case !f.HasRequest:
		body = fmt.Sprintf("response %d without a request: %s", f.Status, why)
	default:
		body = fmt.Sprintf("request %s without a response: %s", f.method, why)
	}
	r := b.begin(lr, event, f.end, body)
	b.conn(&r, &f.Conn)
	r.a.str(semconv.HTTPRequestMethod, f.method)
	if f.method == semconv.MethodOther {
		r.a.str(semconv.HTTPRequestMethodOriginal, b.spans.texts.clean(f.Method, limitOther))
	}
	if f.Status != 0 {
		r.a.int(semconv.HTTPResponseStatusCode, int64(f.Status))
	}
	r.a.str(semconv.ErrorType, f.errorType)
	r.a.str(semconv.ExchangeIncomplete, incomplete(f.Exchange))
	if f.LostBytes > 0 {
		r.a.int(semconv.ExchangeLostBytes, f.LostBytes)
	}
	if f.HasRequest {
		r.a.int(semconv.HTTPRequestWireSize, f.RequestWire)
	}
	if f.ResponseStart != 0 {
		r.a.int(semconv.HTTPResponseWireSize, f.ResponseWire)
	}
	r.span(f.context())
	return r.a.bytes
}

// context returns the span context of the exchange's own span.
func (f *facts) context() spanContext {
	sc := spanContext{traceID: f.traceID, spanID: f.spanID}
	if f.sampled {
		sc.flags = flagSampled
	}
	return sc
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
