package otel

import (
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/semconv"
)

// build returns the span of ex as a receiver reads it.
func build(t *testing.T, e *Exporter, ex *capture.Exchange) ptrace.Span {
	t.Helper()
	var p pendingSpans
	var f facts
	e.spans.examine(&f, ex)
	p.add(e.spans, &f)
	data, _ := p.take(e.frame)
	r := ptraceotlp.NewExportRequest()
	if err := r.UnmarshalProto(data); err != nil {
		t.Fatal(err)
	}
	return r.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
}

// checkAttrs compares the named attributes; nil wants none.
func checkAttrs(t *testing.T, what string, got pcommon.Map, want map[string]any) {
	t.Helper()
	for k, w := range want {
		v, ok := got.Get(k)
		switch {
		case w == nil && ok:
			t.Errorf("%s: %s = %v, want none", what, k, v.AsRaw())
		case w != nil && !ok:
			t.Errorf("%s: no %s, want %v", what, k, w)
		case w != nil && v.AsRaw() != w:
			t.Errorf("%s: %s = %#v, want %#v", what, k, v.AsRaw(), w)
		}
	}
}

func TestServerSpan(t *testing.T) {
	s := &sink{}
	where, _ := serveGRPC(t, s, "127.0.0.1:0")
	web := &sink{}
	for _, c := range []struct {
		cfg  Config
		sink *sink
	}{{overGRPC(where), s}, {overHTTP(serveHTTP(t, web).URL), web}} {
		c.cfg.Resource = []KeyValue{{"k8s.pod.name", "shop-1"}}
		e := start(t, c.cfg)
		var b capture.Batch
		ex := exchange(&b, capture.RoleServer)
		ex.TraceParent = b.Text([]byte(parentText))
		ex.TraceState = b.Text([]byte("vendor=x"))
		b.HasSnapshot = true
		b.Snapshot.Source.Interfaces = []capture.Interface{{Name: "eth0"}}
		e.Export(&b, nil)
		b.Reset() // what was exported must not point into the batch
		b.Text(make([]byte, 4096))
		if err := stop(e, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		if len(c.sink.spans) != 1 {
			t.Fatalf("%d spans", len(c.sink.spans))
		}
		g := c.sink.spans[0]
		sp := g.item
		if sp.Name() != "GET" || sp.Kind() != ptrace.SpanKindServer || sp.Status().Code() != ptrace.StatusCodeUnset {
			t.Errorf("span %q, %s, %s", sp.Name(), sp.Kind(), sp.Status().Code())
		}
		if sp.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || sp.ParentSpanID().String() != "b7ad6b7169203331" || sp.SpanID().IsEmpty() {
			t.Errorf("trace %s, parent %s, span %s", sp.TraceID(), sp.ParentSpanID(), sp.SpanID())
		}
		if sp.Flags() != 0x301 || sp.TraceState().AsRaw() != "vendor=x" {
			t.Errorf("flags %x, state %q", sp.Flags(), sp.TraceState().AsRaw())
		}
		if capture.Time(sp.StartTimestamp()) != epoch || capture.Time(sp.EndTimestamp()) != epoch.Add(5*time.Millisecond) {
			t.Errorf("from %d to %d", sp.StartTimestamp(), sp.EndTimestamp())
		}
		want := map[string]any{
			semconv.HTTPRequestMethod: "GET", semconv.HTTPResponseStatusCode: int64(200), semconv.ErrorType: nil,
			semconv.URLScheme: "http", semconv.URLPath: "/users/42", semconv.URLQuery: "color=blue&token=REDACTED", semconv.URLFull: nil,
			semconv.ServerAddress: "shop.example", semconv.ServerPort: int64(8080),
			semconv.ClientAddress: "10.0.0.1", semconv.ClientPort: int64(40000),
			semconv.NetworkPeerAddress: "10.0.0.1", semconv.NetworkPeerPort: int64(40000),
			semconv.NetworkLocalAddress: "10.0.0.2", semconv.NetworkLocalPort: int64(8080),
			semconv.NetworkType: "ipv4", semconv.NetworkInterfaceName: "eth0", semconv.NetworkProtocolVersion: "1.1",
			semconv.UserAgentOriginal: "curl/8.5.0", semconv.HTTPRoute: nil,
			semconv.HTTPRequestBodySize: int64(0), semconv.HTTPResponseBodySize: int64(1234),
			semconv.HTTPRequestWireSize: int64(150), semconv.HTTPResponseWireSize: int64(1400),
			semconv.HTTPRequestLastByte: 0.001, semconv.HTTPResponseFirstByte: 0.004,
			semconv.SpanMetricsSkip: true, semconv.ExchangeIncomplete: nil, semconv.ExchangeLostBytes: nil,
		}
		checkAttrs(t, "server span", sp.Attributes(), want)
		for k := range sp.Attributes().All() {
			if want[k] == nil {
				t.Errorf("unexpected attribute %s", k)
			}
		}
		checkAttrs(t, "resource", g.resource, map[string]any{
			semconv.ServiceName: "shop", "k8s.pod.name": "shop-1", semconv.ServiceInstanceID: nil,
			semconv.TelemetryDistroName: "wiretell", semconv.TelemetryDistroVersion: "v0.0.0-test",
		})
		if g.scope.Name() != "wiretell" || g.scope.Version() != "v0.0.0-test" || g.schema != semconv.SchemaURL {
			t.Errorf("scope %q %q, schema %q", g.scope.Name(), g.scope.Version(), g.schema)
		}
	}
}

func TestSpanTable(t *testing.T) {
	type change = func(*capture.Exchange)
	for _, c := range []struct {
		name   string
		role   capture.Role
		change change
		span   string
		kind   ptrace.SpanKind
		status ptrace.StatusCode
		attrs  map[string]any
	}{
		{"client", capture.RoleClient, nil, "GET", ptrace.SpanKindClient, ptrace.StatusCodeUnset, map[string]any{
			semconv.URLFull: "http://shop.example:8080/users/42?color=blue&token=REDACTED", semconv.URLPath: nil, semconv.ClientAddress: nil,
			semconv.NetworkPeerAddress: "10.0.0.2", semconv.NetworkLocalAddress: "10.0.0.1"}},
		{"loopback", capture.RoleBoth, nil, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, nil},
		{"file", capture.RoleUnknown, nil, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, nil},
		{"server 404", capture.RoleServer, func(x *capture.Exchange) { x.Status = 404 }, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{semconv.ErrorType: nil}},
		{"server 500", capture.RoleServer, func(x *capture.Exchange) { x.Status = 500 }, "GET", ptrace.SpanKindServer, ptrace.StatusCodeError, map[string]any{semconv.ErrorType: "500"}},
		{"client 404", capture.RoleClient, func(x *capture.Exchange) { x.Status = 404 }, "GET", ptrace.SpanKindClient, ptrace.StatusCodeError, map[string]any{semconv.ErrorType: "404"}},
		{"server 599", capture.RoleServer, func(x *capture.Exchange) { x.Status = 599 }, "GET", ptrace.SpanKindServer, ptrace.StatusCodeError, map[string]any{semconv.ErrorType: "599"}},
		{"server 600", capture.RoleServer, func(x *capture.Exchange) { x.Status = 600 }, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{semconv.ErrorType: nil, semconv.HTTPResponseStatusCode: int64(600)}},
		{"client 999", capture.RoleClient, func(x *capture.Exchange) { x.Status = 999 }, "GET", ptrace.SpanKindClient, ptrace.StatusCodeUnset, map[string]any{semconv.ErrorType: nil, semconv.HTTPResponseStatusCode: int64(999)}},
		{"server 413 before the end of the request", capture.RoleServer, func(x *capture.Exchange) { x.Status, x.Error = 413, capture.ReasonRequestTruncated }, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.ErrorType: nil, semconv.HTTPResponseStatusCode: int64(413), semconv.ExchangeIncomplete: nil}},
		{"server 503 before the end of the request", capture.RoleServer, func(x *capture.Exchange) { x.Status, x.Error = 503, capture.ReasonRequestTruncated }, "GET", ptrace.SpanKindServer, ptrace.StatusCodeError, map[string]any{semconv.ErrorType: "503"}},
		{"client 413 before the end of the request", capture.RoleClient, func(x *capture.Exchange) { x.Status, x.Error = 413, capture.ReasonRequestTruncated }, "GET", ptrace.SpanKindClient, ptrace.StatusCodeError, map[string]any{semconv.ErrorType: "413"}},
		{"request cut, no answer", capture.RoleServer, func(x *capture.Exchange) {
			x.Status, x.ResponseStart, x.ResponseEnd, x.ResponseBody, x.Error = 0, 0, 0, -1, capture.ReasonRequestTruncated
		}, "GET", ptrace.SpanKindServer, ptrace.StatusCodeError, map[string]any{semconv.ErrorType: "request_truncated"}},
		{"reset", capture.RoleServer, func(x *capture.Exchange) {
			x.Status, x.ResponseStart, x.ResponseEnd, x.ResponseBody, x.Error = 0, 0, 0, -1, capture.ReasonReset
		}, "GET", ptrace.SpanKindServer, ptrace.StatusCodeError, map[string]any{
			semconv.ErrorType: "reset", semconv.HTTPResponseStatusCode: nil, semconv.HTTPResponseBodySize: nil, semconv.HTTPResponseFirstByte: nil, semconv.HTTPResponseWireSize: nil}},
		{"gap", capture.RoleServer, func(x *capture.Exchange) {
			x.Status, x.ResponseStart, x.ResponseEnd, x.Error, x.LostBytes = 0, 0, 0, capture.ReasonGap, 17
		}, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.ErrorType: nil, semconv.ExchangeIncomplete: "gap", semconv.ExchangeLostBytes: int64(17)}},
		{"a bad path", capture.RoleServer, func(x *capture.Exchange) {
			x.Path = capture.Path{RTT: 40 * time.Millisecond, Connect: time.Second, Retransmits: 2, RetransmitBytes: 2896}
		}, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.TCPRTTAttr: 0.04, semconv.TCPConnectDuration: 1.0, semconv.TCPRetransmitsAttr: int64(2), semconv.TCPLostBytes: int64(2896)}},
		{"a path that was not measured", capture.RoleServer, func(x *capture.Exchange) {}, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.TCPRTTAttr: nil, semconv.TCPConnectDuration: nil, semconv.TCPRetransmitsAttr: nil, semconv.TCPLostBytes: nil}},
		{"odd method", capture.RoleServer, func(x *capture.Exchange) { x.Method = []byte("PURGE") }, "HTTP", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.HTTPRequestMethod: "_OTHER", semconv.HTTPRequestMethodOriginal: "PURGE"}},
		{"lower case method", capture.RoleServer, func(x *capture.Exchange) { x.Method = []byte("get") }, "HTTP", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.HTTPRequestMethod: "_OTHER", semconv.HTTPRequestMethodOriginal: "get"}},
		{"no request", capture.RoleServer, func(x *capture.Exchange) {
			*x = capture.Exchange{Conn: x.Conn, Status: 200, ResponseStart: epoch, ResponseEnd: epoch + 9, Error: capture.ReasonUnsolicited, ResponseBody: -1}
		}, "HTTP", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.HTTPRequestMethod: nil, semconv.HTTPRequestMethodOriginal: nil, semconv.URLPath: nil, semconv.URLScheme: nil, semconv.HTTPRoute: nil,
			semconv.ServerAddress: "10.0.0.2", semconv.ServerPort: int64(8080), semconv.HTTPResponseStatusCode: int64(200),
			semconv.ExchangeIncomplete: "unsolicited", semconv.HTTPRequestWireSize: nil}},
		{"no request, missed", capture.RoleServer, func(x *capture.Exchange) {
			*x = capture.Exchange{Conn: x.Conn, Status: 200, ResponseStart: epoch, ResponseEnd: epoch + 9, Incomplete: capture.ReasonJoinedMidstream, ResponseBody: -1}
		}, "HTTP", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.HTTPRequestMethod: nil, semconv.ExchangeIncomplete: "joined_midstream"}},
		{"Host with a port of its own", capture.RoleServer, func(x *capture.Exchange) {
			x.Host, x.Conn.Server = []byte("shop.example:8443"), endpointOf("10.0.0.2:80")
		}, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.ServerAddress: "shop.example", semconv.ServerPort: int64(8443), semconv.NetworkLocalPort: int64(80)}},
		{"Host without a port", capture.RoleServer, func(x *capture.Exchange) { x.Host = []byte("shop.example") }, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.ServerAddress: "shop.example", semconv.ServerPort: int64(80), semconv.NetworkLocalPort: int64(8080)}},
		{"https in the target", capture.RoleServer, func(x *capture.Exchange) { x.Target = []byte("HTTPS://shop.example/x") }, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.ServerAddress: "shop.example", semconv.ServerPort: int64(443), semconv.URLScheme: "https", semconv.URLPath: "/x"}},
		{"no Host, server", capture.RoleServer, func(x *capture.Exchange) { x.Host = nil }, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.ServerAddress: "10.0.0.2", semconv.ServerPort: int64(8080)}},
		{"absolute form", capture.RoleClient, func(x *capture.Exchange) { x.Target = []byte("http://u:p@api.example/x?a=1#f") }, "GET", ptrace.SpanKindClient, ptrace.StatusCodeUnset, map[string]any{
			semconv.URLFull: "http://REDACTED:REDACTED@api.example/x?a=1", semconv.ServerAddress: "api.example", semconv.ServerPort: int64(80), semconv.NetworkPeerPort: int64(8080)}},
		{"authority form", capture.RoleClient, func(x *capture.Exchange) {
			x.Method, x.Target = []byte("CONNECT"), []byte("api.example:443")
		}, "CONNECT", ptrace.SpanKindClient, ptrace.StatusCodeUnset, map[string]any{
			semconv.URLFull: nil, semconv.ServerAddress: "api.example", semconv.ServerPort: int64(443)}},
		{"asterisk form", capture.RoleServer, func(x *capture.Exchange) {
			x.Method, x.Target = []byte("OPTIONS"), []byte("*")
		}, "OPTIONS", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{semconv.URLPath: "*", semconv.URLQuery: nil}},
		{"IPv6 host", capture.RoleServer, func(x *capture.Exchange) {
			x.Host = []byte("[2001:db8::1]:9000")
			x.Conn.Client, x.Conn.Server = endpointOf("[2001:db8::2]:5"), endpointOf("[2001:db8::1]:9000")
		}, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.ServerAddress: "2001:db8::1", semconv.ServerPort: int64(9000), semconv.NetworkType: "ipv6", semconv.ClientAddress: "2001:db8::2"}},
		{"no Host, client", capture.RoleClient, func(x *capture.Exchange) { x.Host = nil; x.Target = []byte("/") }, "GET", ptrace.SpanKindClient, ptrace.StatusCodeUnset, map[string]any{
			semconv.URLFull: "http://10.0.0.2:8080/"}},
		{"invalid traceparent", capture.RoleServer, func(x *capture.Exchange) { x.TraceParent = []byte("00-0-0-01") }, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{
			semconv.SpanMetricsSkip: nil}},
		{"clock stepped back", capture.RoleServer, func(x *capture.Exchange) {
			x.ResponseStart, x.ResponseEnd = epoch-5e9, epoch-4e9
		}, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{semconv.HTTPResponseFirstByte: nil}},
		{"interim", capture.RoleServer, func(x *capture.Exchange) { x.Interim = 2 }, "GET", ptrace.SpanKindServer, ptrace.StatusCodeUnset, map[string]any{semconv.HTTPInterimResponses: int64(2)}},
	} {
		e := start(t, Config{})
		var b capture.Batch
		ex := exchange(&b, c.role)
		if c.change != nil {
			c.change(ex)
		}
		sp := build(t, e, ex)
		if sp.Name() != c.span || sp.Kind() != c.kind || sp.Status().Code() != c.status {
			t.Errorf("%s: span %q, %s, %s", c.name, sp.Name(), sp.Kind(), sp.Status().Code())
		}
		if len(ex.TraceParent) > 0 || !sp.ParentSpanID().IsEmpty() {
			if !sp.ParentSpanID().IsEmpty() || sp.TraceID().IsEmpty() {
				t.Errorf("%s: no root span", c.name)
			}
		}
		if sp.EndTimestamp() < sp.StartTimestamp() || sp.Flags() != 0x101 {
			t.Errorf("%s: from %d to %d, flags %x", c.name, sp.StartTimestamp(), sp.EndTimestamp(), sp.Flags())
		}
		checkAttrs(t, c.name, sp.Attributes(), c.attrs)
	}
}

// An exchange that failed lasts until that was known; one that wiretell could
// not follow ends with what was seen of it.
func TestFailedSpanLasts(t *testing.T) {
	for why, last := range map[capture.Reason]time.Duration{
		capture.ReasonReset: 5 * time.Second, capture.ReasonTimedOut: 5 * time.Second, capture.ReasonClosedBeforeResponse: 5 * time.Second,
		capture.ReasonShutdown: time.Millisecond, capture.ReasonGap: time.Millisecond,
	} {
		var b capture.Batch
		ex := exchange(&b, capture.RoleServer)
		ex.Status, ex.ResponseStart, ex.ResponseEnd, ex.ResponseBody, ex.Error = 0, 0, 0, -1, why
		ex.Ended = epoch.Add(5 * time.Second)
		sp := build(t, start(t, Config{}), ex)
		if got := capture.Time(sp.EndTimestamp()).Sub(epoch); got != last {
			t.Errorf("%s: %s, want %s", why, got, last)
		}
	}
}

// The sampled bit of a span is the sampler's, the others are the parent's.
func TestSpanFlags(t *testing.T) {
	for _, c := range []struct {
		sampler, parent string
		want            uint32
	}{
		{"always_on", "00", 0x301},
		{"always_on", "01", 0x301},
		{"always_on", "02", 0x303},
		{"parentbased_always_on", "01", 0x301},
		{"parentbased_always_on", "03", 0x303},
		{"parentbased_always_on", "", 0x101},
	} {
		var b capture.Batch
		ex := exchange(&b, capture.RoleServer)
		if c.parent != "" {
			ex.TraceParent = []byte(parentText[:len(parentText)-2] + c.parent)
		}
		sp := build(t, start(t, Config{Sampler: SamplerConfig{Name: c.sampler}}), ex)
		if sp.Flags() != c.want {
			t.Errorf("%s, flags %q on the wire: %#x, want %#x", c.sampler, c.parent, sp.Flags(), c.want)
		}
	}
}

func TestRoutes(t *testing.T) {
	e := start(t, Config{Routes: []string{"GET /users/{id}", "/users/{id}/orders", "/files/{path...}", "/exact/"}})
	for _, c := range []struct{ method, target, name string }{
		{"GET", "/users/42", "GET /users/{id}"},
		{"GET", "/users/42?x=/y", "GET /users/{id}"},
		{"POST", "/users/42", "POST"},
		{"GET", "/users/", "GET"},
		{"GET", "/users/42/orders", "GET /users/{id}/orders"},
		{"POST", "/users/42/orders", "POST /users/{id}/orders"},
		{"GET", "/users/42/orders/1", "GET"},
		{"GET", "/files/a/b/c", "GET /files/{path...}"},
		{"GET", "/files/", "GET /files/{path...}"},
		{"GET", "/files", "GET"},
		{"GET", "/exact/", "GET /exact/"},
		{"GET", "/exact", "GET"},
		{"PURGE", "/exact/", "HTTP /exact/"},
	} {
		var b capture.Batch
		ex := exchange(&b, capture.RoleServer)
		ex.Method, ex.Target = []byte(c.method), []byte(c.target)
		if got := build(t, e, ex).Name(); got != c.name {
			t.Errorf("%s %s: span %q, want %q", c.method, c.target, got, c.name)
		}
	}
	for _, bad := range []string{"", "users", "GET users", "/a b c", "/{x...}/y", "/{x", "/a?b"} {
		if _, err := New(Config{Routes: []string{bad}}); err == nil {
			t.Errorf("route %q was taken", bad)
		}
	}
}

func TestHeaderAttributes(t *testing.T) {
	for _, unsafe := range []bool{false, true} {
		e := start(t, Config{UnsafeHeaders: unsafe})
		var b capture.Batch
		ex := exchange(&b, capture.RoleServer)
		h := func(n, v string) capture.Header { return capture.Header{Name: []byte(n), Value: []byte(v)} }
		ex.RequestHeaders = []capture.Header{h("X-Id", "a"), h("Cookie", "s=1"), h("x-id", "b"), h("bad name", "x")}
		ex.ResponseHeaders = []capture.Header{h("Server", "nginx\r\n")}
		a := build(t, e, ex).Attributes()
		if v, ok := a.Get("http.request.header.x-id"); !ok || v.AsString() != `["a","b"]` {
			t.Errorf("x-id: %v", v.AsString())
		}
		if v, ok := a.Get("http.response.header.server"); !ok || v.AsString() != `["nginx\\x0D\\x0A"]` {
			t.Errorf("server: %v", v.AsString())
		}
		if _, ok := a.Get("http.request.header.cookie"); ok != unsafe {
			t.Errorf("unsafe %v: cookie there %v", unsafe, ok)
		}
		if _, ok := a.Get("http.request.header.bad name"); ok {
			t.Error("a name that is no token")
		}
	}
}

func TestBesideSDK(t *testing.T) {
	const other = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
	in := func(tp string) func(*capture.Batch) {
		return func(b *capture.Batch) { exchange(b, capture.RoleServer).TraceParent = []byte(tp) }
	}
	out := func(tp string) func(*capture.Batch) {
		return func(b *capture.Batch) { exchange(b, capture.RoleClient).TraceParent = []byte(tp) }
	}
	meshed := func(role capture.Role, side capture.MeshSide, tp string) func(*capture.Batch) {
		return func(b *capture.Batch) {
			x := exchange(b, role)
			x.TraceParent, x.Mesh = []byte(tp), side
		}
	}
	for _, c := range []struct {
		name   string
		mode   Beside
		seen   []func(*capture.Batch)
		proven bool
		word   string
	}{
		{"nothing seen", BesideAuto, nil, false, diagnosis.BesideSDKAuto},
		{"inbound only", BesideAuto, []func(*capture.Batch){in(parentText)}, false, diagnosis.BesideSDKAuto},
		{"passed on as it came", BesideAuto, []func(*capture.Batch){in(parentText), out(parentText)}, false, diagnosis.BesideSDKAuto},
		{"passed on, and answered before what it came with", BesideAuto, []func(*capture.Batch){func(b *capture.Batch) {
			x := exchange(b, capture.RoleClient)
			x.TraceParent, x.PassedOn = []byte(parentText), true
		}, in(parentText)}, false, diagnosis.BesideSDKAuto},
		{"own span id outbound", BesideAuto, []func(*capture.Batch){in(parentText), out(other)}, true, diagnosis.BesideSDKProved},
		{"a span id of the mesh's proxy", BesideAuto, []func(*capture.Batch){in(parentText), meshed(capture.RoleClient, capture.MeshWire, other)}, false, diagnosis.BesideSDKAuto},
		{"one of the proxy, inbound, passed on", BesideAuto, []func(*capture.Batch){in(parentText), meshed(capture.RoleBoth, capture.MeshApplication, other), meshed(capture.RoleClient, capture.MeshApplication, other)}, false, diagnosis.BesideSDKAuto},
		{"one of the application, to the proxy", BesideAuto, []func(*capture.Batch){in(parentText), meshed(capture.RoleClient, capture.MeshApplication, other)}, true, diagnosis.BesideSDKProved},
		{"one of the application, redirected to the proxy", BesideAuto, []func(*capture.Batch){func(b *capture.Batch) {
			x := exchange(b, capture.RoleBoth)
			x.Conn, x.Mesh, x.TraceParent = toProxy(), capture.MeshApplication, []byte(other)
		}}, true, diagnosis.BesideSDKProved},
		{"outbound invalid", BesideAuto, []func(*capture.Batch){out("junk")}, false, diagnosis.BesideSDKAuto},
		{"said no", BesideNo, []func(*capture.Batch){out(other)}, false, diagnosis.BesideSDKNo},
		{"said yes", BesideYes, nil, true, diagnosis.BesideSDKYes},
	} {
		e := start(t, Config{Beside: c.mode, JSON: io.Discard, JSONPath: "-"})
		var b capture.Batch
		for _, add := range c.seen {
			add(&b)
		}
		e.Export(&b, nil)
		for _, h := range e.Health(nil) {
			want := ""
			if h.Signal == traces.String() {
				want = c.word
			}
			if h.BesideSDK != want {
				t.Errorf("%s: health of %s says %q, want %q", c.name, h.Signal, h.BesideSDK, want)
			}
		}
		var after capture.Batch
		sp := build(t, e, exchange(&after, capture.RoleClient))
		if (sp.Kind() == ptrace.SpanKindInternal) != c.proven {
			t.Errorf("%s: kind %s", c.name, sp.Kind())
		}
		_, skip := sp.Attributes().Get(semconv.SpanMetricsSkip)
		if skip != c.proven {
			t.Errorf("%s: span.metrics.skip %v", c.name, skip)
		}
	}
}

func TestTraceParent(t *testing.T) {
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for in, want := range map[string]struct {
		ok    bool
		flags byte
	}{
		"00-" + id + "-" + span + "-01":                       {true, 1},
		"00-" + id + "-" + span + "-00":                       {true, 0},
		"00-" + id + "-" + span + "-03":                       {true, 3},
		"01-" + id + "-" + span + "-03":                       {true, 1},
		"cc-" + id + "-" + span + "-01-extra":                 {true, 1},
		"cc-" + id + "-" + span + "-01extra":                  {},
		"00-" + id + "-" + span + "-01-extra":                 {},
		"ff-" + id + "-" + span + "-01":                       {},
		"00-" + id + "-" + span + "-0":                        {},
		"00-" + id + "-" + span + "-0G":                       {},
		"0-" + id + "-" + span + "-01":                        {},
		"00-00000000000000000000000000000000-" + span + "-01": {},
		"00-" + id + "-0000000000000000-01":                   {},
		"00-0AF7651916cd43dd8448eb211c80319c-" + span + "-01": {},
		"00_" + id + "-" + span + "-01":                       {},
		"":                                                    {},
	} {
		sc, ok := parseTraceParent([]byte(in))
		if ok != want.ok || ok && sc.flags != want.flags {
			t.Errorf("%q: %v, flags %x", in, ok, sc.flags)
		}
	}
	if traceState([]byte("a=1,b=2")) != "a=1,b=2" || traceState([]byte("not a list")) != "" {
		t.Error("tracestate")
	}
}

func TestSampler(t *testing.T) {
	low, high := [16]byte{15: 1}, [16]byte{8: 0xff, 9: 0xff}
	yes, no := &spanContext{flags: 1}, &spanContext{}
	for _, c := range []struct {
		name   string
		ratio  float64
		id     [16]byte
		parent *spanContext
		want   bool
	}{
		{"always_on", 1, low, no, true},
		{"always_off", 1, low, yes, false},
		{"traceidratio", 0.5, low, no, true},
		{"traceidratio", 0.5, high, yes, false},
		{"traceidratio", 0, low, nil, false},
		{"traceidratio", 1, high, nil, true},
		{"parentbased_always_on", 1, low, nil, true},
		{"parentbased_always_on", 1, low, yes, true},
		{"parentbased_always_on", 1, low, no, false},
		{"parentbased_always_off", 1, low, nil, false},
		{"parentbased_always_off", 1, low, yes, true},
		{"parentbased_traceidratio", 0.5, high, nil, false},
		{"parentbased_traceidratio", 0.5, high, yes, true},
		{"parentbased_traceidratio", 0.5, low, no, false},
	} {
		s, ok := newSampler(SamplerConfig{Name: c.name, Ratio: c.ratio})
		if got := s.sample(c.id, c.parent); !ok || got != c.want {
			t.Errorf("%s %v of %x, parent %v: %v", c.name, c.ratio, c.id, c.parent, got)
		}
	}
	if _, err := New(Config{Sampler: SamplerConfig{Name: "jaeger_remote"}}); err == nil {
		t.Error("an unknown sampler was taken")
	}
}

// The ratio decides as the SDK's own sampler does, so that all parts of a trace
// agree.
func TestSamplerEqualsSDK(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	for _, ratio := range []float64{0, 0.001, 0.25, 0.5, 0.9, 1} {
		ours, _ := newSampler(SamplerConfig{Name: "traceidratio", Ratio: ratio})
		theirs := sdktrace.TraceIDRatioBased(ratio)
		for range 2000 {
			var id [16]byte
			if _, err := random.Read(id[:]); err != nil {
				t.Fatal(err)
			}
			want := theirs.ShouldSample(sdktrace.SamplingParameters{TraceID: id}).Decision == sdktrace.RecordAndSample
			if got := ours.sample(id, nil); got != want {
				t.Fatalf("ratio %v, id %x: %v, the SDK says %v", ratio, id, got, want)
			}
		}
	}
}

// What the sampler leaves out is counted, and still feeds the metrics.
func TestSampledOut(t *testing.T) {
	s := &sink{}
	where, _ := serveGRPC(t, s, "127.0.0.1:0")
	e := start(t, overGRPC(where))
	var b capture.Batch
	for range 5 {
		exchange(&b, capture.RoleServer).TraceParent = []byte(parentText[:len(parentText)-1] + "0")
	}
	exchange(&b, capture.RoleServer)
	e.Export(&b, nil)
	if err := stop(e, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	h := health(t, e, traces)
	if h.SampledOut != 5 || h.Created != 1 || h.Exported != 1 || len(s.spans) != 1 {
		t.Errorf("%+v, %d spans", h, len(s.spans))
	}
	m, ok := s.metric(semconv.MetricHTTPServerRequestDuration)
	if !ok || m.item.Histogram().DataPoints().At(0).Count() != 6 {
		t.Error("the metrics do not count all exchanges")
	}
}
