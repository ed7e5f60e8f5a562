package otel

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/semconv"
)

// logsOf exports b and findings and returns the records that arrive, by event.
func logsOf(t *testing.T, change func(*Config), b *capture.Batch, findings ...diagnosis.Finding) (map[string][]got[plog.LogRecord], *sink) {
	t.Helper()
	s := &sink{}
	where, _ := serveGRPC(t, s, "127.0.0.1:0")
	cfg := overGRPC(where)
	if change != nil {
		change(&cfg)
	}
	e := start(t, cfg)
	e.Export(b, findings)
	if err := stop(e, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	byName := map[string][]got[plog.LogRecord]{}
	for _, g := range s.logs {
		byName[g.item.EventName()] = append(byName[g.item.EventName()], g)
	}
	if h := health(t, e, logs); h.Exported != uint64(len(s.logs)) {
		t.Errorf("%d records arrived: %+v", len(s.logs), h)
	}
	return byName, s
}

func TestEvents(t *testing.T) {
	var b capture.Batch
	reset := exchange(&b, capture.RoleServer)
	reset.Status, reset.ResponseStart, reset.ResponseEnd, reset.Error = 0, 0, 0, capture.ReasonReset
	reset.TraceParent = []byte(parentText)
	cut := exchange(&b, capture.RoleClient)
	cut.Conn.ID, cut.Error = 2, capture.ReasonResponseTruncated
	orphan := exchange(&b, capture.RoleServer)
	orphan.Conn.ID, orphan.HasRequest, orphan.Error = 3, false, capture.ReasonUnsolicited
	whole := exchange(&b, capture.RoleServer)
	whole.Conn.ID = 4

	*b.ConnReset() = capture.ConnReset{Conn: conn(1, capture.RoleServer), At: epoch + 5, By: capture.Client, Phase: capture.PhaseRequest, Age: time.Second,
		Hit: capture.Hit{Number: reset.Number, TraceParent: reset.TraceParent}}
	*b.ConnFailed() = capture.ConnFailed{Conn: conn(5, capture.RoleClient), At: epoch + 6, Why: capture.ReasonTimedOut, Attempts: 4, Elapsed: 7 * time.Second}
	*b.ConnFailed() = capture.ConnFailed{Conn: conn(6, capture.RoleServer), At: epoch + 7, Why: capture.ReasonAdminProhibited, Attempts: 1, ICMP: capture.ICMPHeader{Type: 3, Code: 13}, HasICMP: true}
	*b.ICMPError() = capture.ICMPError{At: epoch + 8, Network: capture.IPv4, From: endpointOf("10.9.9.9:0"), To: endpointOf("10.0.0.1:0"), Direction: capture.Receive,
		Header: capture.ICMPHeader{Type: 3, Code: 4}, Meaning: "fragmentation needed", Quoted: capture.Flow{Src: endpointOf("10.0.0.1:40000"), Dst: endpointOf("10.0.0.2:8080")},
		QuotedTransport: capture.TCP, NextHopMTU: 1400, Conn: conn(1, capture.RoleServer)}
	*b.ICMPError() = capture.ICMPError{At: epoch + 9, Network: capture.IPv6, From: endpointOf("[fe80::1]:0"), To: endpointOf("[fe80::2]:0"), Header: capture.ICMPHeader{Type: 1}, Meaning: "no route to destination", Why: capture.ReasonNetUnreachable}
	*b.ParseError() = capture.ParseError{Conn: conn(7, capture.RoleUnknown), At: epoch + 10, From: capture.Server, Protocol: capture.ProtocolHTTP1, Why: capture.ReasonBadChunk, Offset: 99}
	*b.Lost() = capture.Lost{At: epoch + 11, Observations: 12}
	query := capture.DNSLookup{
		At: epoch + 12, Client: endpointOf("10.0.0.1:40001"), Server: endpointOf("10.96.0.10:53"), Role: capture.RoleClient,
		Name: []byte("db.example"), Type: 28, Answered: true, RCode: capture.RCodeNXDomain, Duration: time.Millisecond, Attempts: 1,
	}
	*b.DNSLookup() = query
	query.Answered, query.RCode, query.Attempts, query.Name = false, 0, 2, []byte("a\x1b[31m.example")
	query.Why, query.ICMP, query.HasICMP = capture.ReasonPortUnreachable, capture.ICMPHeader{Type: 3, Code: 3}, true
	*b.DNSLookup() = query
	*b.DNSLookup() = capture.DNSLookup{At: epoch + 13, Client: query.Client, Server: query.Server, Answered: true, NoData: true}
	*b.ICMPError() = capture.ICMPError{At: epoch + 14, Network: capture.IPv4, From: endpointOf("10.9.9.9:0"), To: endpointOf("10.0.0.1:0"), Direction: capture.Receive,
		Header: capture.ICMPHeader{Type: 3, Code: 3}, Meaning: "port unreachable", Quoted: capture.Flow{Src: endpointOf("10.0.0.1:40002"), Dst: endpointOf("10.0.0.3:8125")},
		QuotedTransport: capture.UDP, QuotedSeen: true, Conn: capture.Conn{Client: endpointOf("10.0.0.1:40002"), Server: endpointOf("10.0.0.3:8125"), Role: capture.RoleClient}}

	b.Record(reset, "a.pcapng")
	b.Record(b.Observations[4], "a.pcapng") // the reset of that connection

	got, s := logsOf(t, nil, &b, finding())
	hit := got[semconv.EventTCPReset][0].item.SpanID()
	named := func(what string, id pcommon.SpanID, a pcommon.Map) {
		file, ok := a.Get(semconv.RecordingFile)
		if ok != (id == hit) || ok && file.Str() != "a.pcapng" {
			t.Errorf("%s: recording is named: %v", what, ok)
		}
	}
	for name, list := range got {
		for _, g := range list {
			named(name, g.item.SpanID(), g.item.Attributes())
		}
	}
	for _, g := range s.spans {
		named(g.item.Name(), g.item.SpanID(), g.item.Attributes())
	}
	for name, n := range map[string]int{
		semconv.EventHTTPExchangeIncomplete: 2, semconv.EventHTTPUnexpectedEOF: 1, semconv.EventTCPReset: 1, semconv.EventTCPConnectFailed: 2,
		semconv.EventDNSFailed: 2, semconv.EventICMPError: 3, semconv.EventHTTPParseError: 1, semconv.EventCaptureDegraded: 1, semconv.EventDiagnosis: 1,
	} {
		if len(got[name]) != n {
			t.Fatalf("%d records of %s, want %d", len(got[name]), name, n)
		}
	}
	checkRecords(t, s)
	spanOf := map[string]string{}
	for _, g := range s.spans {
		spanOf[g.item.SpanID().String()] = g.item.TraceID().String()
	}
	for _, name := range []string{semconv.EventHTTPExchangeIncomplete, semconv.EventHTTPUnexpectedEOF, semconv.EventTCPReset} {
		lr := got[name][0].item
		if trace, ok := spanOf[lr.SpanID().String()]; !ok || trace != lr.TraceID().String() {
			t.Errorf("%s is tied to no span", name)
		}
	}
	if id := got[semconv.EventTCPReset][0].item.TraceID().String(); id != parentText[3:35] {
		t.Errorf("reset in trace %s", id)
	}
	lr := got[semconv.EventTCPReset][0].item
	if capture.Time(lr.Timestamp()) != epoch+5 || lr.ObservedTimestamp() <= lr.Timestamp() || lr.SeverityNumber() != plog.SeverityNumberWarn || lr.SeverityText() != "WARN" {
		t.Errorf("reset at %d, observed %d, %s", lr.Timestamp(), lr.ObservedTimestamp(), lr.SeverityText())
	}
	for _, c := range []struct {
		event string
		i     int
		attrs map[string]any
	}{
		{semconv.EventTCPReset, 0, map[string]any{semconv.TCPSide: "peer", semconv.TCPPhase: "request", semconv.TCPAge: 1.0, semconv.NetworkPeerAddress: "10.0.0.1", semconv.NetworkTransport: "tcp", semconv.ServerPort: int64(8080), semconv.ConnectionRole: "server"}},
		{semconv.EventTCPConnectFailed, 0, map[string]any{semconv.ErrorType: "timed_out", semconv.TCPAttempts: int64(4), semconv.TCPAge: 7.0, semconv.NetworkPeerAddress: "10.0.0.2", semconv.ICMPType: nil}},
		{semconv.EventTCPConnectFailed, 1, map[string]any{semconv.ErrorType: "admin_prohibited", semconv.ICMPType: int64(3), semconv.ICMPCode: int64(13)}},
		{semconv.EventICMPError, 0, map[string]any{semconv.ICMPNextHopMTU: int64(1400), semconv.ICMPMeaning: "fragmentation needed", semconv.NetworkType: "ipv4", semconv.ICMPQuotedDestPort: int64(8080), semconv.ICMPQuotedSrcAddress: "10.0.0.1", semconv.ErrorType: nil, semconv.NetworkIODirection: "receive"}},
		{semconv.EventICMPError, 1, map[string]any{semconv.ErrorType: "net_unreachable", semconv.NetworkType: "ipv6", semconv.NetworkPeerAddress: "fe80::1", semconv.ICMPNextHopMTU: nil, semconv.ICMPQuotedTransport: "none", semconv.ICMPQuotedSrcAddress: nil}},
		{semconv.EventICMPError, 2, map[string]any{semconv.ICMPQuotedSeen: true, semconv.NetworkTransport: "udp", semconv.NetworkPeerAddress: "10.0.0.3", semconv.ServerPort: int64(8125), semconv.ConnectionRole: "client"}},
		{semconv.EventDNSFailed, 0, map[string]any{
			semconv.DNSQuestionName: "db.example", semconv.DNSQuestionType: "AAAA", semconv.DNSResponseCode: "NXDOMAIN", semconv.ErrorType: "NXDOMAIN", semconv.ServerAddress: "10.96.0.10",
			semconv.DNSAttempts: int64(1), semconv.NetworkTransport: "udp", semconv.NetworkPeerPort: int64(53), semconv.ServerPort: int64(53), semconv.ICMPType: nil}},
		{semconv.EventDNSFailed, 1, map[string]any{
			semconv.DNSQuestionName: `a\x1B[31m.example`, semconv.DNSResponseCode: nil, semconv.ErrorType: "port_unreachable", semconv.DNSAttempts: int64(2),
			semconv.ICMPType: int64(3), semconv.ICMPCode: int64(3)}},
		{semconv.EventHTTPParseError, 0, map[string]any{semconv.Reason: "bad_chunk", semconv.ParseOffset: int64(99), semconv.TCPSide: "server", semconv.NetworkProtocolName: "http"}},
		{semconv.EventHTTPExchangeIncomplete, 0, map[string]any{semconv.ErrorType: "reset", semconv.HTTPRequestMethod: "GET", semconv.HTTPResponseStatusCode: nil}},
		{semconv.EventHTTPExchangeIncomplete, 1, map[string]any{semconv.ErrorType: nil, semconv.ExchangeIncomplete: "unsolicited", semconv.HTTPResponseStatusCode: int64(200)}},
		{semconv.EventHTTPUnexpectedEOF, 0, map[string]any{semconv.ErrorType: "response_truncated"}},
		{semconv.EventCaptureDegraded, 0, map[string]any{semconv.Count: int64(12)}},
		{semconv.EventDiagnosis, 0, map[string]any{
			semconv.DiagnosisID: "TLS-01", semconv.DiagnosisState: "raised", semconv.DiagnosisConfidence: "certain", semconv.DiagnosisSeverity: "warning",
			semconv.DiagnosisEvidence + ".hellos": int64(7), semconv.DiagnosisEvidence + ".share": 0.5, semconv.DiagnosisEvidence + ".ech": true,
			semconv.DiagnosisEvidence + ".sni": `a.example\x1B[2J`, semconv.DiagnosisSince: "2026-03-04T05:06:07.123456789Z",
			semconv.RemediationSummary: "Capture behind the terminator.", semconv.RemediationCommand: "kubectl get svc", semconv.RemediationManifest: "port: 8080", semconv.RemediationURL: "https://example.org",
			semconv.NetworkInterfaceName: "eth0", semconv.ServerPort: int64(8443), semconv.NetworkIODirection: "receive", semconv.NetworkPeerAddress: "10.0.0.9"}},
	} {
		checkAttrs(t, c.event, got[c.event][c.i].item.Attributes(), c.attrs)
	}
	path, _ := got[semconv.EventDiagnosis][0].item.Attributes().Get(semconv.DiagnosisPath)
	if path.AsString() != `["can we capture? yes","is it encrypted? yes"]` {
		t.Errorf("path %s", path.AsString())
	}
}

// checkRecords holds every record to semconv's table: name, resource, attributes.
func checkRecords(t *testing.T, s *sink) {
	t.Helper()
	for _, g := range s.logs {
		event := lookupEvent(g.item.EventName())
		if event.Reserved {
			t.Errorf("%s is emitted but reserved", event.Name)
		}
		service, _ := g.resource.Get(semconv.ServiceName)
		if want := map[semconv.Origin]string{semconv.Traffic: "shop", semconv.Self: "wiretell"}[event.Origin]; service.Str() != want {
			t.Errorf("%s under service %q, want %q", event.Name, service.Str(), want)
		}
		allowed := map[string]bool{}
		for _, a := range event.Attributes {
			allowed[a] = true
		}
		for k := range g.item.Attributes().All() {
			if !allowed[k] && !bytes.HasPrefix([]byte(k), []byte(semconv.DiagnosisEvidence+".")) {
				t.Errorf("%s has attribute %s, which its row does not name", event.Name, k)
			}
		}
		if v, ok := g.item.Attributes().Get(semconv.EventAttribute); !ok || v.Str() != event.Name {
			t.Errorf("%s: %s = %q", event.Name, semconv.EventAttribute, v.Str())
		}
		if g.item.Body().Str() == "" || g.schema != semconv.SchemaURL || g.scope.Name() != semconv.Scope {
			t.Errorf("%s: body %q, schema %q", event.Name, g.item.Body().Str(), g.schema)
		}
	}
}

// A storm of events lets 50 a second and peer through and says how many it was.
// A 413 (Content Too Large) that ends an upload is whole: it is the request that was cut.
func TestRequestCutWithAResponse(t *testing.T) {
	var b capture.Batch
	x := exchange(&b, capture.RoleServer)
	x.Conn.EndedBy = capture.EndedByServer
	x.Status, x.ResponseBody, x.Error, x.Cause = 413, 7, capture.ReasonRequestTruncated, capture.CauseClosedByServer
	x.RequestBody, x.Announced = 20, 50
	got, _ := logsOf(t, nil, &b)
	lr := got[semconv.EventHTTPUnexpectedEOF][0].item
	if s := lr.Body().Str(); s != "request cut by the server, body at 20 of 50 bytes: request_truncated (closed_by_server)" {
		t.Error(s)
	}
	if v, _ := lr.Attributes().Get(semconv.HTTPBodyReceived); v.Int() != 20 {
		t.Error(v.Int())
	}
}

func TestRateLimit(t *testing.T) {
	var b capture.Batch
	const storm = 1000
	for i := range storm {
		*b.ConnReset() = capture.ConnReset{Conn: conn(uint64(i), capture.RoleServer), At: epoch + capture.Time(i), Phase: capture.PhaseIdle}
	}
	other := conn(1, capture.RoleServer)
	other.Client = endpointOf("10.0.0.7:1")
	*b.ConnReset() = capture.ConnReset{Conn: other, At: epoch + storm}
	*b.ConnFailed() = capture.ConnFailed{Conn: conn(2, capture.RoleServer), At: epoch + storm, Why: capture.ReasonRefused}
	*b.ConnReset() = capture.ConnReset{Conn: conn(3, capture.RoleServer), At: epoch.Add(1500 * time.Millisecond)}
	got, _ := logsOf(t, nil, &b)
	resets := got[semconv.EventTCPReset]
	var suppressed int64
	for _, g := range resets {
		if v, ok := g.item.Attributes().Get(semconv.Suppressed); ok {
			suppressed += v.Int()
			if want := fmt.Sprintf("suppressed=%d", v.Int()); !bytes.HasPrefix([]byte(g.item.Body().Str()), []byte(want)) {
				t.Errorf("body %q", g.item.Body().Str())
			}
			checkAttrs(t, "suppressed", g.item.Attributes(), map[string]any{semconv.NetworkPeerAddress: "10.0.0.1"})
		}
	}
	// 50 of the storm, one of another peer, one a second later, one that counts.
	if len(resets) != 53 || suppressed != storm-50 || len(got[semconv.EventTCPConnectFailed]) != 1 {
		t.Errorf("%d resets, %d suppressed, %d failed", len(resets), suppressed, len(got[semconv.EventTCPConnectFailed]))
	}
	// A file is read without a limit.
	got, _ = logsOf(t, func(c *Config) { c.Deterministic = true }, &b)
	if n := len(got[semconv.EventTCPReset]); n != storm+2 {
		t.Errorf("%d resets from a file", n)
	}
}

func TestRateLimitWindows(t *testing.T) {
	l := newRateLimit(2)
	allow := func(at time.Duration) bool { return l.allow(&eventReset, endpointOf("10.0.0.1:1"), epoch.Add(at)) }
	for i, want := range []bool{true, true, false, false} {
		if allow(time.Duration(i)) != want {
			t.Errorf("event %d: %v", i, !want)
		}
	}
	if got := l.sweep(epoch.Add(9*time.Second), false); len(got) != 0 {
		t.Errorf("too early: %v", got)
	}
	got := l.sweep(epoch.Add(11*time.Second), false)
	if len(got) != 1 || got[0].count != 2 || got[0].window < 10*time.Second {
		t.Errorf("%+v", got)
	}
	for i, want := range []bool{true, true, false} {
		if allow(12*time.Second) != want {
			t.Errorf("the next second does not begin anew: call %d", i)
		}
	}
	// Peers beyond the bound share one window.
	for i := range 2 * maxLimited {
		l.allow(&eventReset, capture.Endpoint{Addr: [16]byte{byte(i), byte(i >> 8), 1}}, epoch.Add(12*time.Second))
	}
	if len(l.windows) > maxLimited+1 {
		t.Errorf("%d windows", len(l.windows))
	}
	l.sweep(epoch.Add(60*time.Second), true)
	l.sweep(epoch.Add(120*time.Second), true)
	if len(l.windows) != 0 {
		t.Errorf("%d windows are never given up", len(l.windows))
	}
}
