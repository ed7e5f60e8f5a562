package otel

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/semconv"
)

// spanBuilder makes spans of exchanges. The desk goroutine owns it.
type spanBuilder struct {
	ids        *idSource
	sampler    sampler
	beside     *besideSDK
	texts      *texts
	redactor   *redactor
	routes     []route
	methods    map[string]string
	unsafe     bool
	interfaces []capture.Interface
	buf        []byte
}

// facts is what is worked out of an exchange before anything is built: spans,
// log records and metrics draw on it.
type facts struct {
	*capture.Exchange
	traceID    [16]byte
	spanID     [8]byte
	parent     spanContext
	hasParent  bool
	sampled    bool
	client     bool   // seen from the connecting side
	method     string // a known one, or _OTHER
	route      *route
	start, end capture.Time
	errorType  string // "" on success
	failed     bool   // the span's status is Error
	target     target

	authority  []byte // of the target or the Host field
	hadUser    bool   // it named a user
	server     string // server.address
	serverPort int
}

// local returns the end in the observed namespace, and the peer. Where that is
// not known, and on loopback, the server is held to be local.
func local(c *capture.Conn) (local, peer capture.Endpoint) {
	if c.Role == capture.RoleClient {
		return c.Client, c.Server
	}
	return c.Server, c.Client
}

// examine fills in f for ex.
func (b *spanBuilder) examine(f *facts, ex *capture.Exchange) {
	*f = facts{Exchange: ex, client: ex.Conn.Role == capture.RoleClient}
	f.traceID, f.spanID = b.ids.next(ex)
	if len(ex.TraceParent) > 0 {
		if f.parent, f.hasParent = parseTraceParent(ex.TraceParent); f.hasParent {
			f.traceID = f.parent.traceID
			b.beside.see(ex, &f.parent)
		}
	}
	parent := &f.parent
	if !f.hasParent {
		parent = nil
	}
	f.sampled = b.sampler.sample(f.traceID, parent)

	f.method = semconv.MethodOther
	if m, ok := b.methods[string(ex.Method)]; ok {
		f.method = m
	}
	f.start = firstTime(ex.RequestStart, ex.ResponseStart, ex.RequestEnd, ex.ResponseEnd)
	// The capture's clock may step backwards: no span ends before it starts.
	f.end = max(f.start, ex.RequestEnd, ex.ResponseStart, ex.ResponseEnd)
	f.errorType = exchangeError(ex, f.client)
	f.failed = f.errorType != ""
	if ex.HasRequest {
		f.target = splitTarget(ex.Method, ex.Target)
	}
	b.findServer(f)
	if !f.client {
		for i := range b.routes {
			if b.routes[i].match(f.method, f.target.path) {
				f.route = &b.routes[i]
				break
			}
		}
	}
}

// findServer names the server: by the authority of the target, by the Host
// field, or by its address. The port of a server is the one it listens on; that
// of a client's request may be another one, when a proxy is in between.
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
	if !f.client || f.serverPort == 0 {
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

// exchangeError returns error.type: the reason on the wire, else the status
// code where the conventions call it an error ("5xx" for servers, "4xx" and
// "5xx" for clients). What wiretell did not see is no error of the exchange.
func exchangeError(ex *capture.Exchange, client bool) string {
	if isWireError(ex.Error) {
		return ex.Error.String()
	}
	if ex.Status >= 500 || client && ex.Status >= 400 {
		return statusText(ex.Status)
	}
	return ""
}

// isWireError tells what happened on the wire from what wiretell missed or
// could not read.
func isWireError(r capture.Reason) bool {
	switch r {
	case capture.ReasonReset, capture.ReasonTimedOut, capture.ReasonRefused,
		capture.ReasonHostUnreachable, capture.ReasonNetUnreachable, capture.ReasonAdminProhibited,
		capture.ReasonPortUnreachable, capture.ReasonProtoUnreachable,
		capture.ReasonClosedBeforeResponse, capture.ReasonResponseTruncated, capture.ReasonRequestTruncated:
		return true
	}
	return false
}

// incomplete returns why wiretell does not know the whole exchange, "" when it does.
func incomplete(ex *capture.Exchange) string {
	if ex.Incomplete != capture.ReasonNone {
		return ex.Incomplete.String()
	}
	if ex.Error != capture.ReasonNone && !isWireError(ex.Error) {
		return ex.Error.String()
	}
	return ""
}

var statusTexts = func() (t [600]string) {
	for i := range t {
		t[i] = strconv.Itoa(i)
	}
	return t
}()

func statusText(status int) string {
	if status >= 0 && status < len(statusTexts) {
		return statusTexts[status]
	}
	return strconv.Itoa(status)
}

// attrs puts attributes and keeps an estimate of their encoded size.
type attrs struct {
	pcommon.Map
	bytes int
}

func (a *attrs) str(k, v string) {
	if v != "" {
		a.PutStr(k, v)
		a.bytes += len(k) + len(v) + 10
	}
}

func (a *attrs) int(k string, v int64) {
	a.PutInt(k, v)
	a.bytes += len(k) + 12
}

func (a *attrs) double(k string, v float64) {
	a.PutDouble(k, v)
	a.bytes += len(k) + 16
}

func (a *attrs) strs(k string, vs []string) {
	if len(vs) == 0 {
		return
	}
	s := a.PutEmptySlice(k)
	s.EnsureCapacity(len(vs))
	for _, v := range vs {
		s.AppendEmpty().SetStr(v)
		a.bytes += len(v) + 8
	}
	a.bytes += len(k) + 10
}

// build fills in span and returns an estimate of its encoded size.
func (b *spanBuilder) build(span ptrace.Span, f *facts) int {
	span.SetTraceID(f.traceID)
	span.SetSpanID(f.spanID)
	flags := uint32(flagHasIsRemote)
	if f.hasParent {
		span.SetParentSpanID(f.parent.spanID)
		flags |= flagIsRemote | uint32(f.parent.flags)
		if state := traceState(f.TraceState); state != "" {
			span.TraceState().FromRaw(state)
		}
	} else {
		flags |= flagSampled
	}
	span.SetFlags(flags)
	span.SetName(b.name(f))
	span.SetKind(b.kind(f))
	span.SetStartTimestamp(pcommon.Timestamp(f.start))
	span.SetEndTimestamp(pcommon.Timestamp(f.end))
	if f.failed {
		span.Status().SetCode(ptrace.StatusCodeError)
	}

	a := attrs{Map: span.Attributes(), bytes: 120}
	a.EnsureCapacity(28)
	b.putHTTP(&a, f)
	b.putURL(&a, f)
	b.putNetwork(&a, f)
	b.putWiretell(&a, f)
	return a.bytes
}

func (b *spanBuilder) name(f *facts) string {
	method := f.method
	if method == semconv.MethodOther {
		method = semconv.SpanNameHTTP
	}
	if f.route != nil {
		return f.route.name(method)
	}
	return method
}

func (b *spanBuilder) kind(f *facts) ptrace.SpanKind {
	switch {
	case b.beside.inForce():
		return ptrace.SpanKindInternal
	case f.client:
		return ptrace.SpanKindClient
	}
	return ptrace.SpanKindServer
}

func (b *spanBuilder) putHTTP(a *attrs, f *facts) {
	a.str(semconv.HTTPRequestMethod, f.method)
	if f.method == semconv.MethodOther && f.HasRequest {
		a.str(semconv.HTTPRequestMethodOriginal, b.texts.clean(f.Method, limitOther))
	}
	if f.Status != 0 {
		a.int(semconv.HTTPResponseStatusCode, int64(f.Status))
	}
	a.str(semconv.ErrorType, f.errorType)
	if f.route != nil {
		a.str(semconv.HTTPRoute, f.route.pattern)
	}
	a.str(semconv.NetworkProtocolVersion, httpVersion(f.Version))
	if len(f.UserAgent) > 0 {
		a.str(semconv.UserAgentOriginal, b.texts.clean(f.UserAgent, limitPath))
	}
	b.putBodies(a, f)
	b.putHeaders(a, semconv.HTTPRequestHeader, f.RequestHeaders)
	b.putHeaders(a, semconv.HTTPResponseHeader, f.ResponseHeaders)
}

// putBodies states sizes; of a message that was not seen none is known.
func (b *spanBuilder) putBodies(a *attrs, f *facts) {
	if f.HasRequest {
		if f.RequestBody >= 0 {
			a.int(semconv.HTTPRequestBodySize, f.RequestBody)
		}
		a.int(semconv.HTTPRequestWireSize, f.RequestWire)
	}
	if f.ResponseStart != 0 {
		if f.ResponseBody >= 0 {
			a.int(semconv.HTTPResponseBodySize, f.ResponseBody)
		}
		a.int(semconv.HTTPResponseWireSize, f.ResponseWire)
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

func (b *spanBuilder) putHeaders(a *attrs, prefix string, hs []capture.Header) {
	for _, h := range hs {
		name := string(lower(h.Name))
		if !isToken(name) || refusedHeaders[name] && !b.unsafe {
			continue
		}
		key := prefix + "." + name
		v, seen := a.Get(key)
		if !seen {
			v = a.PutEmpty(key)
			v.SetEmptySlice()
			a.bytes += len(key) + 10
		}
		value := b.texts.clean(h.Value, limitOther)
		v.Slice().AppendEmpty().SetStr(value)
		a.bytes += len(value) + 8
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
func (b *spanBuilder) putURL(a *attrs, f *facts) {
	scheme := "http"
	if len(f.target.scheme) > 0 {
		scheme = b.texts.clean(lower(f.target.scheme), limitOther)
	}
	a.str(semconv.ServerAddress, f.server)
	a.int(semconv.ServerPort, int64(f.serverPort))
	a.str(semconv.URLScheme, scheme)
	if !f.HasRequest {
		return
	}
	b.buf = b.redactor.path(b.buf[:0], f.target.path)
	if f.client {
		if f.method != "CONNECT" {
			a.str(semconv.URLFull, b.fullURL(f, scheme))
		}
		return
	}
	a.str(semconv.URLPath, b.texts.url(b.buf, limitPath))
	if len(f.target.query) > 0 {
		b.buf = b.redactor.query(b.buf[:0], f.target.query)
		a.str(semconv.URLQuery, b.texts.url(b.buf, limitPath))
	}
}

// fullURL puts url.full together; the redacted path stands in b.buf.
func (b *spanBuilder) fullURL(f *facts, scheme string) string {
	path, authority := b.buf, f.authority
	n := len(path)
	b.buf = append(b.buf, scheme...)
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
		b.buf = b.redactor.query(b.buf, f.target.query)
	}
	return b.texts.url(b.buf[n:], limitURL)
}

func (b *spanBuilder) putNetwork(a *attrs, f *facts) {
	here, peer := local(&f.Conn)
	peerAddress := b.texts.addr(peer)
	if !f.client {
		a.str(semconv.ClientAddress, peerAddress)
		a.int(semconv.ClientPort, int64(peer.Port))
	}
	a.str(semconv.NetworkPeerAddress, peerAddress)
	a.int(semconv.NetworkPeerPort, int64(peer.Port))
	a.str(semconv.NetworkLocalAddress, b.texts.addr(here))
	a.int(semconv.NetworkLocalPort, int64(here.Port))
	a.str(semconv.NetworkType, networkType(peer))
	a.str(semconv.NetworkInterfaceName, b.interfaceName(f.Conn.Interface))
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

func (b *spanBuilder) putWiretell(a *attrs, f *facts) {
	if f.HasRequest && f.RequestEnd >= f.start && f.RequestEnd != 0 {
		a.double(semconv.HTTPRequestLastByte, f.RequestEnd.Sub(f.start).Seconds())
	}
	if f.ResponseStart >= f.start && f.ResponseStart != 0 {
		a.double(semconv.HTTPResponseFirstByte, f.ResponseStart.Sub(f.start).Seconds())
	}
	if f.Interim > 0 {
		a.int(semconv.HTTPInterimResponses, int64(f.Interim))
	}
	if why := incomplete(f.Exchange); why != "" {
		a.str(semconv.ExchangeIncomplete, why)
	}
	if f.LostBytes > 0 {
		a.int(semconv.ExchangeLostBytes, f.LostBytes)
	}
	if f.hasParent || b.beside.inForce() {
		a.PutBool(semconv.SpanMetricsSkip, true)
		a.bytes += len(semconv.SpanMetricsSkip) + 4
	}
}
