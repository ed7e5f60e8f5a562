package text

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/exporter"
)

var (
	start = capture.TimeOf(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
	conn  = capture.Conn{
		ID: 7, Client: endpoint("10.0.0.1:40000"), Server: endpoint("[2001:db8::2]:80"), Start: start, Role: capture.RoleServer,
	}
)

func endpoint(s string) capture.Endpoint { return capture.EndpointOf(netip.MustParseAddrPort(s)) }

// lines exports what fill states and returns the lines.
func lines(t *testing.T, fill func(b *capture.Batch), findings ...diagnosis.Finding) string {
	t.Helper()
	var out bytes.Buffer
	var b capture.Batch
	if fill != nil {
		fill(&b)
	}
	x := New(&out)
	x.Export(&b, findings)
	if got, want := strings.Count(out.String(), "\n"), len(b.Observations)+len(findings); got != want {
		t.Errorf("%d lines for %d observations and findings:\n%s", got, want, &out)
	}
	return out.String()
}

const (
	at    = "2026-01-02T03:04:05.000000006Z "
	ident = " conn=7 client=10.0.0.1:40000 server=[2001:db8::2]:80 role=server"
)

func TestObservations(t *testing.T) {
	for name, c := range map[string]struct {
		fill func(b *capture.Batch)
		want string
	}{
		"exchange": {func(b *capture.Batch) {
			*b.Exchange() = capture.Exchange{
				Conn: conn, HasRequest: true, Method: []byte("GET"), Target: []byte("/a?x=1&token=t"), Host: []byte("h.example"),
				TraceParent: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), Status: 200, Interim: 1,
				RequestStart: start, RequestEnd: start.Add(time.Millisecond), ResponseStart: start.Add(2 * time.Millisecond),
				ResponseEnd: start.Add(1500 * time.Millisecond), RequestBody: 0, ResponseBody: 12,
			}
		}, at + "exchange" + ident + ` method=GET host=h.example target="/a?x=1&token=REDACTED" status=200 duration=1.5s` +
			" request_body=0 response_body=12 interim=1 traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
		"exchange without a response": {func(b *capture.Batch) {
			*b.Exchange() = capture.Exchange{
				Conn: conn, HasRequest: true, Method: []byte("GET"), Target: []byte("/"), RequestStart: start, RequestBody: -1, Ended: start.Add(3 * time.Second),
				Error: capture.ReasonClosedBeforeResponse, Incomplete: capture.ReasonGap, LostBytes: 1460,
			}
		}, at + "exchange" + ident + " method=GET target=/ waited=3s request_body=-1 error=closed_before_response incomplete=gap lost_bytes=1460"},
		"response alone": {func(b *capture.Batch) {
			*b.Exchange() = capture.Exchange{Conn: conn, Status: 404, ResponseStart: start, ResponseEnd: start.Add(5), ResponseBody: 3, Error: capture.ReasonUnsolicited}
		}, at + "exchange" + ident + " status=404 response_body=3 error=unsolicited"},
		"opened": {func(b *capture.Batch) {
			*b.ConnOpened() = capture.ConnOpened{Conn: conn, At: start, Handshake: 250 * time.Microsecond, ServerTime: 200 * time.Microsecond, ClientTime: 50 * time.Microsecond}
		}, at + "opened" + ident + " handshake=250µs syn_to_synack=200µs synack_to_ack=50µs"},
		"role unknown": {func(b *capture.Batch) {
			o := b.ConnOpened()
			*o = capture.ConnOpened{Conn: conn, At: start}
			o.Conn.Role = capture.RoleUnknown
		}, at + "opened conn=7 client=10.0.0.1:40000 server=[2001:db8::2]:80 handshake=0s"},
		"failed": {func(b *capture.Batch) {
			*b.ConnFailed() = capture.ConnFailed{Conn: conn, At: start, Why: capture.ReasonRefused, Attempts: 2, Elapsed: time.Second}
		}, at + "connect_failed" + ident + " error=refused attempts=2 elapsed=1s"},
		"failed by ICMP": {func(b *capture.Batch) {
			*b.ConnFailed() = capture.ConnFailed{
				Conn: conn, At: start, Why: capture.ReasonHostUnreachable, Attempts: 1, Cause: capture.CauseRejected,
				HasICMP: true, ICMP: capture.ICMPHeader{Type: 3, Code: 1}, From: conn.Server,
			}
		}, at + "connect_failed" + ident + " error=host_unreachable cause=rejected attempts=1 elapsed=0s icmp_type=3 icmp_code=1 icmp_from=2001:db8::2"},
		"reset": {func(b *capture.Batch) {
			*b.ConnReset() = capture.ConnReset{Conn: conn, At: start, By: capture.Server, Phase: capture.PhaseResponse, Age: time.Minute}
		}, at + "reset" + ident + " by=server phase=response age=1m0s"},
		"closed": {func(b *capture.Batch) {
			*b.ConnClosed() = capture.ConnClosed{
				Conn: conn, At: start.Add(time.Second), Why: capture.ReasonFIN, Bytes: [2]uint64{10, 20},
				Retransmits: [2]uint64{0, 3}, GapBytes: [2]uint64{4, 0}, RTTMin: time.Microsecond, RTTMean: time.Millisecond, RTTMax: time.Second,
				RetransmitKinds: [2][capture.NumRetransmitKinds]uint64{1: {0, 2, 1, 0}}, Needless: [2]uint64{0, 1}, OutOfOrder: [2]uint64{5, 0},
				DuplicateAcks: [2]uint64{6, 0}, ZeroWindow: [2]capture.Stalls{{Count: 1, Time: time.Second}}, WindowFull: [2]capture.Stalls{1: {Count: 2}},
			}
		}, "2026-01-02T03:04:06.000000006Z closed" + ident +
			" why=fin age=1s client_bytes=10 client_out_of_order=5 client_duplicate_acks=6 client_zero_window=1 client_zero_window_time=1s client_gap_bytes=4" +
			" server_bytes=20 server_retransmits=3 server_retransmits_fast=2 server_retransmits_timeout=1 server_retransmits_needless=1" +
			" server_window_full=2 server_window_full_time=0s rtt_min=1µs rtt=1ms rtt_max=1s"},
		"icmp": {func(b *capture.Batch) {
			*b.ICMPError() = capture.ICMPError{
				At: start, Network: capture.IPv4, From: endpoint("10.0.0.9:0"), To: endpoint("10.0.0.1:0"),
				Header: capture.ICMPHeader{Type: 3, Code: 4}, Meaning: "fragmentation needed and DF set",
				Quoted: capture.Flow{Src: conn.Client, Dst: conn.Server}, QuotedTransport: capture.TCP, NextHopMTU: 1400, Conn: conn,
			}
		}, at + `icmp_error from=10.0.0.9 to=10.0.0.1 network=ipv4 type=3 code=4 meaning="fragmentation needed and DF set"` +
			" quoted=tcp quoted_src=10.0.0.1:40000 quoted_dst=[2001:db8::2]:80 next_hop_mtu=1400 conn=7"},
		"icmp without a quote": {func(b *capture.Batch) {
			*b.ICMPError() = capture.ICMPError{At: start, Network: capture.IPv6, From: endpoint("[::1]:0"), To: endpoint("[::2]:0"), Header: capture.ICMPHeader{Type: 1}, Meaning: "x"}
		}, at + "icmp_error from=::1 to=::2 network=ipv6 type=1 code=0 meaning=x"},
		"icmp about a datagram that was sent": {func(b *capture.Batch) {
			*b.ICMPError() = capture.ICMPError{
				At: start, Network: capture.IPv4, From: endpoint("10.0.0.9:0"), To: endpoint("10.0.0.1:0"), Header: capture.ICMPHeader{Type: 3, Code: 3}, Meaning: "x",
				Quoted: capture.Flow{Src: conn.Client, Dst: endpoint("10.0.0.9:8125")}, QuotedTransport: capture.UDP, QuotedSeen: true,
			}
		}, at + "icmp_error from=10.0.0.9 to=10.0.0.1 network=ipv4 type=3 code=3 meaning=x quoted=udp quoted_src=10.0.0.1:40000 quoted_dst=10.0.0.9:8125 quoted_seen=true"},
		"look-up": {func(b *capture.Batch) {
			*b.DNSLookup() = capture.DNSLookup{
				At: start, Client: conn.Client, Server: endpoint("127.0.0.11:53"), Role: capture.RoleBoth, Name: []byte(`a\.b.example`), Type: 1,
				Answered: true, RCode: capture.RCodeNXDomain, Duration: time.Millisecond, Attempts: 2,
			}
		}, at + `dns_lookup client=10.0.0.1:40000 server=127.0.0.11:53 role=both name="a\\.b.example" type=A rcode=NXDOMAIN duration=1ms attempts=2`},
		"look-up without data": {func(b *capture.Batch) {
			*b.DNSLookup() = capture.DNSLookup{At: start, Client: conn.Client, Server: conn.Client, Name: []byte("."), Type: 28, Answered: true, NoData: true, Truncated: true, Attempts: 1}
		}, at + "dns_lookup client=10.0.0.1:40000 server=10.0.0.1:40000 name=. type=AAAA rcode=NOERROR no_data=true truncated=true duration=0s attempts=1"},
		"look-up without an answer": {func(b *capture.Batch) {
			*b.DNSLookup() = capture.DNSLookup{
				At: start, Client: conn.Client, Server: endpoint("[::1]:53"), Name: []byte("x"), Type: 999, Why: capture.ReasonPortUnreachable,
				HasICMP: true, ICMP: capture.ICMPHeader{Type: 1, Code: 4}, Attempts: 1,
			}
		}, at + "dns_lookup client=10.0.0.1:40000 server=[::1]:53 name=x type=TYPE999 error=port_unreachable duration=0s attempts=1 icmp_type=1 icmp_code=4"},
		"parse error": {func(b *capture.Batch) {
			*b.ParseError() = capture.ParseError{Conn: conn, At: start, From: capture.Client, Protocol: capture.ProtocolHTTP1, Why: capture.ReasonBadHeader, Offset: 99}
		}, at + "parse_error" + ident + " from=client protocol=http reason=bad_header offset=99"},
		"tls hello": {func(b *capture.Batch) {
			*b.TLSHello() = capture.TLSHello{Conn: conn, At: start, From: capture.Client, Version: 0x0304, SNI: []byte("a.example"), ALPN: []byte("h2,http/1.1"), ECH: true}
		}, at + "tls" + ident + " from=client version=1.3 sni=a.example alpn=h2,http/1.1 ech=true"},
		"tls midway": {func(b *capture.Batch) {
			*b.TLSHello() = capture.TLSHello{Conn: conn, At: start, Midstream: true}
		}, at + "tls" + ident + " from=midstream"},
		"tls of a version without a name": {func(b *capture.Batch) {
			*b.TLSHello() = capture.TLSHello{Conn: conn, At: start, From: capture.Server, Version: 0x7f17}
		}, at + "tls" + ident + " from=server version=0x7f17"},
		"tls alert": {func(b *capture.Batch) {
			*b.TLSAlert() = capture.TLSAlert{Conn: conn, At: start, From: capture.Server, Level: 2, Description: 40}
		}, at + "tls_alert" + ident + " from=server level=2 description=40"},
		"lost": {func(b *capture.Batch) {
			*b.Lost() = capture.Lost{At: start, Observations: 512}
		}, at + "lost observations=512"},
		"without a time": {func(b *capture.Batch) {
			*b.Lost() = capture.Lost{Observations: 1}
		}, "- lost observations=1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lines(t, c.fill); got != c.want+"\n" {
				t.Errorf("\n got %swant %s", got, c.want)
			}
		})
	}
}

// TestTLSVersions holds the names to those of the versions' documents.
// statusOnly selects exchanges that failed.
type statusOnly struct{}

func (statusOnly) Exchange(ex *capture.Exchange) bool { return ex.Status >= 400 }
func (s statusOnly) Observation(o capture.Observation) bool {
	ex, ok := o.(*capture.Exchange)
	return ok && s.Exchange(ex)
}

// What is not selected has no line and is counted; findings are not asked about.
func TestSelect(t *testing.T) {
	var out bytes.Buffer
	x := New(&out)
	x.Select = statusOnly{}
	var b capture.Batch
	for _, status := range []int{200, 404, 200} {
		b.Observations = append(b.Observations, &capture.Exchange{Conn: conn, HasRequest: true, Status: status})
	}
	b.Observations = append(b.Observations, &capture.ConnReset{Conn: conn})
	x.Export(&b, []diagnosis.Finding{{ID: "TLS-01"}})
	if got := out.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "status=404") || !strings.Contains(got, "TLS-01") {
		t.Errorf("lines:\n%s", got)
	}
	if h := x.Health(nil)[0]; h.NotSelected != 3 || h.Created != 2 || h.Exported != 2 {
		t.Errorf("%+v", h)
	}
}

func TestFinding(t *testing.T) {
	got := lines(t, nil, diagnosis.Finding{
		ID: "TLS-01", State: diagnosis.Raised, Severity: diagnosis.Warning, Confidence: diagnosis.Certain, At: start,
		Subject: diagnosis.Subject{Interface: "eth0", Port: 8443, Peer: netip.MustParseAddr("10.0.0.2")},
		Body:    "Port 8443 is TLS.", Remedy: diagnosis.Remedy{Summary: "Capture behind it.", Command: "not printed"}, Caveats: []string{"QUAL-01", "QUAL-06"},
	}, diagnosis.Finding{ID: "OK-00", State: diagnosis.Cleared, At: start, Body: "Healthy."})
	want := at + `diagnosis id=TLS-01 state=raised severity=warning confidence=certain interface=eth0 port=8443 peer=10.0.0.2 ` +
		`body="Port 8443 is TLS." remedy="Capture behind it." caveats=QUAL-01,QUAL-06` + "\n" +
		at + "diagnosis id=OK-00 state=cleared severity=info confidence=possible body=Healthy.\n"
	if got != want {
		t.Errorf("\n got %swant %s", got, want)
	}
}

// TestHostileText: whatever stands on the wire stays within its value and its
// line, and no terminal obeys it.
func TestHostileText(t *testing.T) {
	for _, hostile := range []string{
		"\n" + at + "exchange conn=1", "\x1b]0;owned\x07", "a b", `a"b`, `a\b`, "k=v", "\x00", "\x7f", "\xff\xfe", "\u202egnp.exe", "\u0085", "\u2028", "\u00a0",
	} {
		got := lines(t, func(b *capture.Batch) {
			*b.Exchange() = capture.Exchange{
				Conn: conn, HasRequest: true, RequestStart: start,
				Method: []byte(hostile), Host: []byte(hostile), Target: []byte("/" + hostile), TraceParent: []byte(hostile),
			}
			*b.TLSHello() = capture.TLSHello{Conn: conn, At: start, SNI: []byte(hostile), ALPN: []byte(hostile)}
		}, diagnosis.Finding{ID: "X", At: start, Body: hostile, Remedy: diagnosis.Remedy{Summary: hostile}})
		for _, r := range strings.ReplaceAll(got, "\n", "") {
			if r < ' ' || r == 0x7f || strings.ContainsRune("\u202e\u0085\u2028\u00a0", r) {
				t.Errorf("%q: %q is printed as it is", hostile, r)
			}
		}
		if n := strings.Count(got, `="`); n != 8 {
			t.Errorf("%q: %d of 8 values are quoted:\n%s", hostile, n, got)
		}
	}
}

func TestRedaction(t *testing.T) {
	var out bytes.Buffer
	var b capture.Batch
	*b.Exchange() = capture.Exchange{Conn: conn, HasRequest: true, Target: []byte("/?a=1&token=t"), RequestStart: start}
	for mode, want := range map[exporter.Redaction]string{
		exporter.RedactSensitive: "/?a=1&token=REDACTED", exporter.RedactAll: "/?a=REDACTED&token=REDACTED", exporter.RedactOff: "/?a=1&token=t",
	} {
		out.Reset()
		x := New(&out)
		x.Redactor = exporter.NewRedactor(mode, nil)
		x.Export(&b, nil)
		if !strings.Contains(out.String(), `target="`+want+`"`) {
			t.Errorf("%s: %s", mode, &out)
		}
	}
}

// failing fails after room bytes.
type failing struct{ room int }

func (f *failing) Write(p []byte) (int, error) {
	if f.room < len(p) {
		return 0, errors.New("no room")
	}
	f.room -= len(p)
	return len(p), nil
}

func TestWriteFails(t *testing.T) {
	var b capture.Batch
	for range 3 {
		*b.Lost() = capture.Lost{At: start, Observations: 1}
	}
	x := New(&failing{room: 200})
	x.Export(&b, nil)
	if h := x.Health(nil)[0]; h.Exported != 3 || h.Created != 3 || h.Failing || len(h.Dropped) > 0 {
		t.Fatalf("before the failure: %+v", h)
	}
	x.Export(&b, nil)
	h := x.Health(nil)[0]
	if h.Exporter != "text" || h.Signal != "logs" || h.Created != 6 || h.Exported != 3 || h.Dropped["write_failed"] != 3 || !h.Failing || h.LastError != "no room" {
		t.Errorf("after the failure: %+v", h)
	}
	if err := x.Shutdown(context.Background()); err == nil || err.Error() != "no room" {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestAllocations: printing an exchange allocates for its text values alone.
func TestAllocations(t *testing.T) {
	var out bytes.Buffer
	var b capture.Batch
	*b.ConnOpened() = capture.ConnOpened{Conn: conn, At: start}
	*b.ConnReset() = capture.ConnReset{Conn: conn, At: start}
	x := New(&out)
	if n := testing.AllocsPerRun(100, func() { out.Reset(); x.Export(&b, nil) }); n > 2 {
		t.Errorf("%v allocations for two lines", n)
	}
}
