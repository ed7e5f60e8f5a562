package otel

import (
	"bytes"
	"slices"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/exporter"
	"github.com/wiretell/wiretell/semconv"
)

// spanBuilder makes spans of exchanges. The desk goroutine owns it.
type spanBuilder struct {
	ids        *idSource
	sampler    sampler
	beside     *besideSDK
	texts      *texts
	redactor   *exporter.Redactor
	routes     []route
	methods    map[string]string
	unsafe     bool
	interfaces []capture.Interface
	buf        []byte
	span       []byte // the span in the making
}

// facts is what is worked out of an exchange before anything is built: spans,
// log records and metrics draw on it.
type facts struct {
	*capture.Exchange
	spanIdentity
	client     bool   // seen from the connecting side
	method     string // a known one, or _OTHER; "" when no request was seen
	route      *route
	start, end capture.Time
	errorType  string // "" on success
	failed     bool   // the span's status is Error
	recording  string // the capture file that holds its packets
	target     target

	authority  []byte // of the target or the Host field
	hadUser    bool   // it named a user
	server     string // server.address
	serverPort int
	scheme     string // url.scheme; "" when no request was seen
}

// spanIdentity is what is known of a span as soon as its request's head is.
type spanIdentity struct {
	traceID   [16]byte
	spanID    [8]byte
	parent    spanContext
	hasParent bool
	sampled   bool
}

// identify tells the identity of the span of an exchange, of which an event may
// be told before the exchange is.
func (b *spanBuilder) identify(c *capture.Conn, number uint64, traceParent []byte) (s spanIdentity) {
	s.traceID, s.spanID = b.ids.ids(c, number)
	var parent *spanContext
	if len(traceParent) > 0 {
		if s.parent, s.hasParent = parseTraceParent(traceParent); s.hasParent {
			s.traceID, parent = s.parent.traceID, &s.parent
		}
	}
	s.sampled = b.sampler.sample(s.traceID, parent)
	return s
}

// context returns the span context of the exchange's own span. Its flag says
// whether the span is exported; the ids are the same either way.
func (s *spanIdentity) context() spanContext {
	sc := spanContext{traceID: s.traceID, spanID: s.spanID}
	if s.sampled {
		sc.flags = flagSampled
	}
	return sc
}

// local returns the end in the observed namespace, and the peer. Where that is
// not known, and on loopback, the server is held to be local.
func local(c *capture.Conn) (local, peer capture.Endpoint) {
	if c.Calling() {
		return c.Client, c.Server
	}
	return c.Server, c.Client
}

// examine fills in f for ex.
func (b *spanBuilder) examine(f *facts, ex *capture.Exchange) {
	*f = facts{Exchange: ex, client: ex.Conn.Calling()}
	f.spanIdentity = b.identify(&ex.Conn, ex.Number, ex.TraceParent)
	if f.hasParent {
		b.beside.see(ex, &f.parent)
	}

	// Of a response without its request nobody knows the method.
	if ex.HasRequest {
		f.method = semconv.MethodOther
		if m, ok := b.methods[string(ex.Method)]; ok {
			f.method = m
		}
	}
	f.start = firstTime(ex.RequestStart, ex.ResponseStart, ex.RequestEnd, ex.ResponseEnd)
	// The capture's clock may step backwards: no span ends before it starts.
	f.end = max(f.start, ex.RequestEnd, ex.ResponseStart, ex.ResponseEnd)
	if exporter.FailedOnWire(ex) {
		// Whoever waited did so until the reset, the end or the timeout.
		f.end = max(f.end, ex.Ended)
	}
	f.errorType = exporter.ErrorType(ex)
	f.failed = f.errorType != ""
	if ex.HasRequest {
		f.target = splitTarget(ex.Method, ex.Target)
		f.scheme = b.scheme(f.target.scheme)
	}
	b.findServer(f)
	if !f.client && ex.HasRequest {
		for i := range b.routes {
			if b.routes[i].match(f.method, f.target.path) {
				f.route = &b.routes[i]
				break
			}
		}
	}
}

// scheme returns url.scheme: that of the absolute form, else http.
func (b *spanBuilder) scheme(absolute []byte) string {
	switch {
	case len(absolute) == 0 || bytes.EqualFold(absolute, []byte("http")):
		return "http"
	case bytes.EqualFold(absolute, []byte("https")):
		return "https"
	}
	return b.texts.clean(lower(absolute), limitOther)
}

// findServer names the server that was asked for: by the authority of the
// target, by the Host field, or by its address. Address and port come from the
// same place, as the conventions say ("Setting server.address and server.port
// attributes"); where TCP went is network.local.port or network.peer.port.
func (b *spanBuilder) findServer(f *facts) {
	f.authority = f.target.authority
	if f.authority == nil {
		f.authority = f.Host
	}
	var host []byte
	host, f.serverPort, f.hadUser = splitHost(f.authority)
	if len(host) > 0 {
		f.server = b.texts.clean(host, limitOther)
	} else {
		f.server = b.texts.addr(f.Conn.Server)
	}
	switch {
	case f.serverPort != 0:
	// RFC 9110, section 4.2.1: "If the port subcomponent is empty or not given,
	// TCP port 80 (the reserved port for WWW services) is the default." Section
	// 4.2.2 says the same of https and 443.
	case len(host) > 0 && f.scheme == "http":
		f.serverPort = 80
	case len(host) > 0 && f.scheme == "https":
		f.serverPort = 443
	default:
		f.serverPort = int(f.Conn.Server.Port)
	}
}

func firstTime(ts ...capture.Time) capture.Time {
	for _, t := range ts {
		if t != 0 {
			return t
		}
	}
	return 0
}

// incomplete returns why wiretell does not know the whole exchange, "" when it does.
func incomplete(ex *capture.Exchange) string {
	if ex.Incomplete != capture.ReasonNone {
		return ex.Incomplete.String()
	}
	if ex.Error != capture.ReasonNone && !exporter.IsWireError(ex.Error) {
		return ex.Error.String()
	}
	return ""
}

// build appends the span of f to dst, as a field of ScopeSpans.
func (b *spanBuilder) build(dst []byte, f *facts) []byte {
	// On the stack, so that appending costs no write barrier.
	e := &encoder{b.span[:0]}
	e.bytes(fieldTraceID, f.traceID[:])
	e.bytes(fieldSpanID, f.spanID[:])
	flags := uint32(flagHasIsRemote)
	if f.sampled {
		// Of this span the sampler decided, not who sent the parent (W3C Trace
		// Context, section 3.2.2.5.1).
		flags |= flagSampled
	}
	if f.hasParent {
		flags |= flagIsRemote | uint32(f.parent.flags)&^flagSampled
		if state := traceState(f.TraceState); state != "" {
			e.text(fieldTraceState, state)
		}
		e.bytes(fieldParentSpanID, f.parent.spanID[:])
	}
	e.text(fieldName, b.name(f))
	e.varint(fieldKind, b.kind(f))
	e.fixed64(fieldStart, uint64(f.start))
	e.fixed64(fieldEnd, uint64(f.end))
	b.putHTTP(e, f)
	b.putURL(e, f)
	b.putNetwork(e, f)
	b.putWiretell(e, f)
	if f.Outer != nil {
		b.putLink(e, f.Outer)
	}
	if f.failed {
		e.length(fieldStatus, 2)
		e.varint(fieldStatusCode, statusError)
	}
	e.fixed32(fieldFlags, flags)

	b.span = e.b
	out := encoder{dst}
	out.bytes(fieldSpans, e.b)
	return out.b
}

// putLink links to the span of another exchange.
func (b *spanBuilder) putLink(e *encoder, to *capture.Exchange) {
	s := b.identify(&to.Conn, to.Number, to.TraceParent)
	sc := s.context()
	e.length(fieldLinks, sized(len(sc.traceID))+sized(len(sc.spanID))+5)
	e.bytes(fieldLinkTraceID, sc.traceID[:])
	e.bytes(fieldLinkSpanID, sc.spanID[:])
	e.fixed32(fieldLinkFlags, flagHasIsRemote|uint32(sc.flags))
}

func (b *spanBuilder) name(f *facts) string {
	method := f.method
	if method == semconv.MethodOther || method == "" {
		method = semconv.SpanNameHTTP
	}
	if f.route != nil {
		return f.route.name(method)
	}
	return method
}

func (b *spanBuilder) kind(f *facts) uint64 {
	switch {
	case b.beside.inForce():
		return kindInternal
	case f.client:
		return kindClient
	}
	return kindServer
}

func (b *spanBuilder) putHTTP(e *encoder, f *facts) {
	e.str(semconv.HTTPRequestMethod, f.method)
	if f.method == semconv.MethodOther {
		e.str(semconv.HTTPRequestMethodOriginal, b.texts.clean(f.Method, limitOther))
	}
	if f.Status != 0 {
		e.int(semconv.HTTPResponseStatusCode, int64(f.Status))
	}
	e.str(semconv.ErrorType, f.errorType)
	if f.route != nil {
		e.str(semconv.HTTPRoute, f.route.pattern)
	}
	e.str(semconv.NetworkProtocolVersion, httpVersion(f.Version))
	if len(f.UserAgent) > 0 {
		e.str(semconv.UserAgentOriginal, b.texts.clean(f.UserAgent, limitPath))
	}
	b.putBodies(e, f)
	b.putHeaders(e, semconv.HTTPRequestHeader, f.RequestHeaders)
	b.putHeaders(e, semconv.HTTPResponseHeader, f.ResponseHeaders)
}

// putBodies states sizes; of a message that was not seen none is known.
func (b *spanBuilder) putBodies(e *encoder, f *facts) {
	if f.HasRequest {
		if f.RequestBody >= 0 {
			e.int(semconv.HTTPRequestBodySize, f.RequestBody)
		}
		e.int(semconv.HTTPRequestWireSize, f.RequestWire)
	}
	if f.ResponseStart != 0 {
		if f.ResponseBody >= 0 {
			e.int(semconv.HTTPResponseBodySize, f.ResponseBody)
		}
		e.int(semconv.HTTPResponseWireSize, f.ResponseWire)
	}
}

func httpVersion(v uint8) string {
	switch v {
	case 10:
		return "1.0"
	case 11:
		return "1.1"
	case 20:
		return "2"
	}
	return ""
}

// refusedHeaders are never exported without the switch that says unsafe.
var refusedHeaders = map[string]bool{
	"authorization": true, "proxy-authorization": true, "cookie": true, "set-cookie": true,
	"x-api-key": true, "x-auth-token": true, "x-amz-security-token": true, "x-csrf-token": true,
	"www-authenticate": true, "proxy-authenticate": true,
}

// putHeaders states allow-listed fields; those that come several times in one
// attribute.
func (b *spanBuilder) putHeaders(e *encoder, prefix string, hs []capture.Header) {
	for i, h := range hs {
		if slices.ContainsFunc(hs[:i], func(o capture.Header) bool { return bytes.EqualFold(o.Name, h.Name) }) {
			continue
		}
		name := string(lower(h.Name))
		if !isToken(name) || refusedHeaders[name] && !b.unsafe {
			continue
		}
		var values []string
		for _, other := range hs[i:] {
			if bytes.EqualFold(h.Name, other.Name) {
				values = append(values, b.texts.clean(other.Value, limitOther))
			}
		}
		e.strs(prefix+"."+name, values)
	}
}

func lower(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return out
}

// putURL states the URL and the server's name: url.full for clients, its parts
// for servers.
func (b *spanBuilder) putURL(e *encoder, f *facts) {
	e.str(semconv.ServerAddress, f.server)
	e.int(semconv.ServerPort, int64(f.serverPort))
	e.str(semconv.URLScheme, f.scheme)
	if !f.HasRequest {
		return
	}
	b.buf = b.redactor.Path(b.buf[:0], f.target.path)
	if f.client {
		if f.method != "CONNECT" {
			e.str(semconv.URLFull, b.fullURL(f))
		}
		return
	}
	e.str(semconv.URLPath, b.texts.url(b.buf, limitPath))
	if len(f.target.query) > 0 {
		b.buf = b.redactor.Query(b.buf[:0], f.target.query)
		e.str(semconv.URLQuery, b.texts.url(b.buf, limitPath))
	}
}

// fullURL puts url.full together; the redacted path stands in b.buf.
func (b *spanBuilder) fullURL(f *facts) string {
	path, authority := b.buf, f.authority
	n := len(path)
	b.buf = append(b.buf, f.scheme...)
	b.buf = append(b.buf, "://"...)
	if f.hadUser {
		// "url.full MUST NOT contain credentials": url.full of the conventions.
		b.buf = append(b.buf, "REDACTED:REDACTED@"...)
		for i := len(authority) - 1; i >= 0; i-- {
			if authority[i] == '@' {
				authority = authority[i+1:]
				break
			}
		}
	}
	if len(authority) > 0 {
		b.buf = append(b.buf, authority...)
	} else {
		b.buf = append(b.buf, f.Conn.Server.String()...)
	}
	if string(path[:n]) != "*" {
		b.buf = append(b.buf, b.buf[:n]...)
	}
	if f.target.hasQuery {
		b.buf = append(b.buf, '?')
		b.buf = b.redactor.Query(b.buf, f.target.query)
	}
	return b.texts.url(b.buf[n:], limitURL)
}

func (b *spanBuilder) putNetwork(e *encoder, f *facts) {
	here, peer := local(&f.Conn)
	peerAddress := b.texts.addr(peer)
	if !f.client {
		e.str(semconv.ClientAddress, peerAddress)
		e.int(semconv.ClientPort, int64(peer.Port))
	}
	e.str(semconv.NetworkPeerAddress, peerAddress)
	e.int(semconv.NetworkPeerPort, int64(peer.Port))
	e.str(semconv.NetworkLocalAddress, b.texts.addr(here))
	e.int(semconv.NetworkLocalPort, int64(here.Port))
	e.str(semconv.NetworkType, networkType(peer))
	e.str(semconv.NetworkInterfaceName, b.interfaceName(f.Conn.Interface))
}

func networkType(e capture.Endpoint) string {
	if e.IP().Is4() {
		return capture.IPv4.String()
	}
	return capture.IPv6.String()
}

func (b *spanBuilder) interfaceName(i uint16) string {
	if int(i) < len(b.interfaces) {
		return b.interfaces[i].Name
	}
	return ""
}

func (b *spanBuilder) putWiretell(e *encoder, f *facts) {
	if f.HasRequest && f.RequestEnd >= f.start && f.RequestEnd != 0 {
		e.double(semconv.HTTPRequestLastByte, f.RequestEnd.Sub(f.start).Seconds())
	}
	if f.ResponseStart >= f.start && f.ResponseStart != 0 {
		e.double(semconv.HTTPResponseFirstByte, f.ResponseStart.Sub(f.start).Seconds())
	}
	if f.Interim > 0 {
		e.int(semconv.HTTPInterimResponses, int64(f.Interim))
	}
	if why := incomplete(f.Exchange); why != "" {
		e.str(semconv.ExchangeIncomplete, why)
	}
	e.str(semconv.Cause, f.Cause.String())
	if f.LostBytes > 0 {
		e.int(semconv.ExchangeLostBytes, f.LostBytes)
	}
	b.putPath(e, &f.Path)
	e.str(semconv.RecordingFile, f.recording)
	e.str(semconv.MeshRole, f.Mesh.String())
	if f.hasParent || f.Inner || b.beside.inForce() {
		e.bool(semconv.SpanMetricsSkip, true)
	}
}

// putPath states what the network did during the exchange.
func (b *spanBuilder) putPath(e *encoder, p *capture.Path) {
	if p.Connect > 0 {
		e.double(semconv.TCPConnectDuration, p.Connect.Seconds())
	}
	if p.RTT > 0 {
		e.double(semconv.TCPRTTAttr, p.RTT.Seconds())
	}
	if p.Retransmits > 0 {
		e.int(semconv.TCPRetransmitsAttr, int64(p.Retransmits))
		e.int(semconv.TCPLostBytes, p.RetransmitBytes)
	}
}
