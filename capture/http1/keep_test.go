package http1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

func only(t *testing.T, r *rig) *capture.Exchange {
	t.Helper()
	var found *capture.Exchange
	for _, o := range r.book.Batch.Observations {
		if e, ok := o.(*capture.Exchange); ok {
			if found != nil {
				t.Fatal("more than one exchange")
			}
			found = e
		}
	}
	if found == nil {
		t.Fatal("no exchange")
	}
	return found
}

func TestKeptTexts(t *testing.T) {
	r := newRig(t, Config{RequestHeaders: []string{"x-request-id", "accept"}, ResponseHeaders: []string{"server"}}, false)
	r.run(
		c("GET /a HTTP/1.1\r\nhOsT: h.example:81\r\nUSER-AGENT: kube-probe/1.30\r\nTraceParent: 00-aa-bb-01\r\ntracestate: a=b\r\n"+
			"X-Request-Id:  42 \r\nAccept: */*\r\nAuthorization: secret\r\nServer: not the response's\r\n\r\n"),
		s("HTTP/1.1 200 OK\r\nserver: s/1\r\nSet-Cookie: secret\r\nX-Request-Id: 43\r\nContent-Length: 0\r\n\r\n"))
	e := only(t, r)
	var headers strings.Builder
	for _, h := range e.RequestHeaders {
		fmt.Fprintf(&headers, "%s=%s ", h.Name, h.Value)
	}
	headers.WriteString("| ")
	for _, h := range e.ResponseHeaders {
		fmt.Fprintf(&headers, "%s=%s ", h.Name, h.Value)
	}
	for what, got := range map[string][2]string{
		"method":      {string(e.Method), "GET"},
		"host":        {string(e.Host), "h.example:81"},
		"user agent":  {string(e.UserAgent), "kube-probe/1.30"},
		"traceparent": {string(e.TraceParent), "00-aa-bb-01"},
		"tracestate":  {string(e.TraceState), "a=b"},
		"headers":     {headers.String(), "x-request-id=42 accept=*/* | server=s/1 "},
	} {
		if got[0] != got[1] {
			t.Errorf("%s %q, want %q", what, got[0], got[1])
		}
	}
	if r.port.Probes != 1 {
		t.Errorf("%d probes, want 1", r.port.Probes)
	}
}

func TestKeptTextsAreBounded(t *testing.T) {
	long := filler(20_000)
	r := newRig(t, Config{RequestHeaders: []string{"x"}}, false)
	r.run(c("GET /"+long+" HTTP/1.1\r\nHost: "+long[:9000]+"\r\nUser-Agent: "+long[:9000]+"\r\ntraceparent: "+long[:5000]+"\r\ntracestate: "+long[:5000]+"\r\nX: "+long[:5000]+"\r\n\r\n"), s(ok))
	e := only(t, r)
	for what, n := range map[string][2]int{
		"target": {len(e.Target), 8 << 10}, "host": {len(e.Host), maxHost}, "user agent": {len(e.UserAgent), maxAgent},
		"traceparent": {len(e.TraceParent), maxTraceParent}, "tracestate": {len(e.TraceState), maxTraceState}, "x": {len(e.RequestHeaders[0].Value), maxHeaderValue},
	} {
		if n[0] != n[1] {
			t.Errorf("%s: %d bytes kept, want %d", what, n[0], n[1])
		}
	}
}

// Of several traceparents none holds; several tracestates are one list.
func TestRepeatedTraceContext(t *testing.T) {
	const parent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
	for _, c1 := range []struct{ fields, parent, state string }{
		{parent + "tracestate: a=1\r\n", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1"},
		{parent + parent, "", ""},
		{parent + "TraceParent: 00-aa-bb-01\r\n" + parent, "", ""},
		{"traceparent:\r\n" + parent, "", ""},
		{parent + "tracestate: a=1\r\nTracestate: b=2 \r\n", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1,b=2"},
		{"tracestate: a=1\r\n" + parent + "tracestate: b=2,c=3\r\nUser-Agent: x\r\ntracestate: d=4\r\n", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1,b=2,c=3,d=4"},
		{"tracestate:\r\ntracestate: b=2\r\ntracestate:\r\n", "", "b=2"},
		{"tracestate: a=" + filler(500) + "\r\ntracestate: b=" + filler(20) + "\r\ntracestate: c=3\r\n", "", "a=" + filler(500) + ",c=3"},
	} {
		r := newRig(t, Config{}, false)
		r.run(c("GET /a HTTP/1.1\r\nHost: h\r\n"+c1.fields+"\r\n"), s(ok))
		e := only(t, r)
		if string(e.TraceParent) != c1.parent || string(e.TraceState) != c1.state || string(e.Host) != "h" {
			t.Errorf("%q: traceparent %q, tracestate %q, host %q", c1.fields, e.TraceParent, e.TraceState, e.Host)
		}
	}
	// However often they come, what is kept is bounded.
	r := newRig(t, Config{}, false)
	script := []packet{c("GET /a HTTP/1.1\r\n"), c(strings.Repeat("tracestate: a="+filler(60)+"\r\ntraceparent: x\r\nUser-Agent: y\r\n", 80) + "\r\n")}
	if n := most(r, script); n > 64<<10 {
		t.Errorf("%d bytes held", n)
	}
	r.run(s(ok))
	if e := only(t, r); len(e.TraceState) > maxTraceState || len(e.TraceState) < maxTraceState-64 {
		t.Errorf("%d bytes of tracestate", len(e.TraceState))
	}
}

// Times are those of the segments with the first and last byte of each message.
func TestTimes(t *testing.T) {
	r := newRig(t, Config{}, false)
	r.run(
		c("POST /a HTTP/1.1\r\nCont"), c("ent-Length: 6\r\n\r\nabc"), c("def"), // 2000, 3000, 4000
		s("HTTP/1.1 100 x\r\n\r\n"),                                       // 5000
		s("HTTP/1.1 20"), s("0 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), // 6000, 7000
		s("1\r\na\r\n0\r\n"), s("\r\n")) // 8000, 9000
	e := only(t, r)
	got := [4]capture.Time{e.RequestStart, e.RequestEnd, e.ResponseStart, e.ResponseEnd}
	if want := [4]capture.Time{2000, 4000, 6000, 9000}; got != want {
		t.Errorf("times %v, want %v", got, want)
	}
	// The last byte of a message that was cut is the last one seen of it.
	r = newRig(t, Config{}, false)
	r.send(c("GET /a HTTP/1.1\r\n\r\n"))
	r.send(s("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"))
	r.now = 1_000_000
	r.run()
	if e := only(t, r); e.ResponseStart != 3000 || e.ResponseEnd != 3000 {
		t.Errorf("response from %d to %d, want 3000 to 3000", e.ResponseStart, e.ResponseEnd)
	}
}

// An exchange that failed lasted until that was known, however long ago its last
// byte was.
func TestEnded(t *testing.T) {
	for _, e := range []struct {
		name   string
		script []packet
		end    capture.Reason // of both sides at 5 s
		err    capture.Reason
		ended  capture.Time
	}{
		{"whole", []packet{c("GET /a HTTP/1.1\r\n\r\n"), s(ok)}, capture.ReasonReset, capture.ReasonNone, 3000},
		{"reset", []packet{c("GET /a HTTP/1.1\r\n\r\n")}, capture.ReasonReset, capture.ReasonReset, 5e9},
		{"closed", []packet{c("GET /a HTTP/1.1\r\n\r\n")}, capture.ReasonFIN, capture.ReasonClosedBeforeResponse, 5e9},
		{"timed out", []packet{c("GET /a HTTP/1.1\r\n\r\n")}, capture.ReasonTimedOut, capture.ReasonTimedOut, 5e9},
		{"cut response", []packet{c("GET /a HTTP/1.1\r\n\r\n"), s("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")}, capture.ReasonFIN, capture.ReasonResponseTruncated, 5e9},
		{"body until close", []packet{c("GET /a HTTP/1.1\r\n\r\n"), s("HTTP/1.1 200 OK\r\n\r\nab")}, capture.ReasonFIN, capture.ReasonNone, 3000},
		{"cut request, answered", []packet{c("POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nab"), s(ok)}, capture.ReasonFIN, capture.ReasonRequestTruncated, 5e9},
	} {
		r := newRig(t, Config{}, false)
		for _, p := range e.script {
			r.send(p)
		}
		// The server's end decides; that of the client comes later.
		r.now = 5e9
		r.end(capture.Server, e.end)
		if e.name != "cut request, answered" {
			r.now = 9e9
		}
		r.end(capture.Client, e.end)
		if x := only(t, r); x.Ended != e.ended || x.Error != e.err {
			t.Errorf("%s: ended at %d with %q, want %d with %q", e.name, x.Ended, x.Error, e.ended, e.err)
		}
	}
}

func TestPortCounters(t *testing.T) {
	r := newRig(t, Config{}, false)
	r.run(
		s("HTTP/1.1 408 x\r\nContent-Length: 0\r\n\r\n"),
		c("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"), s("HTTP/1.1 100 x\r\n\r\n"), s(ok))
	want := capture.PortStats{Answered: 1, Unanswered: 1, Orphans: 1}
	want.Requests[capture.ProtocolHTTP1], want.Responses[capture.ProtocolHTTP1] = 2, 2
	want.UnansweredBy[capture.ReasonClosedBeforeResponse] = 1
	if *r.port != want {
		t.Errorf("counters %+v\nwant %+v", *r.port, want)
	}
	if got := r.book.Ledger[capture.ResponsesInterim]; got != 1 {
		t.Errorf("%d interim responses, want 1", got)
	}
}

func TestDetect(t *testing.T) {
	for text, want := range map[string]Verdict{
		"":                                      More,
		"\r\n":                                  More,
		"G":                                     More,
		"GET ":                                  More,
		"GET /a HTTP/1.1\r\n":                   Request,
		"\r\nGET /a HTTP/1.0\n":                 Request,
		"FOO /a HTTP/1.1\r\n":                   Request,
		"CONNECT h:443 HTTP/1.1\r\n":            Request,
		"OPTIONS * HTTP/1.1\r\n":                Request,
		"GET http://h/ HTTP/1.1\r\n":            Request,
		"GET . HTTP/1.0\r\n":                    Request,
		"GET a/b?c HTTP/1.1\r\n":                Request,
		"FOO a/b?c HTTP/1.1\r\n":                No,
		"GET /" + filler(300):                   Request,
		"FOO /" + filler(300):                   More,
		"FOO /" + filler(20_000):                No,
		"GET x" + filler(300):                   No,
		"GET key\r\n":                           No,
		"get key\r\n":                           No,
		"GET /a\r\n":                            No,
		"GET /a HTTP/2.0\r\n":                   No,
		"GET /a http/1.1\r\n":                   No,
		"GET\t/a HTTP/1.1\r\n":                  No,
		"GET /a\x00":                            No,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":      No,
		"OPTIONS rtsp://h/ RTSP/1.0\r\n":        No,
		"INVITE sip:a@b SIP/2.0\r\n":            No,
		"SSH-2.0-OpenSSH_9.6\r\n":               No,
		"220 mail ESMTP\r\n":                    No,
		"EHLO a\r\n":                            No,
		"*3\r\n$3\r\nSET\r\n":                   No,
		"\x16\x03\x01\x02\x00\x01":              No,
		"H":                                     More,
		"HTTP/1.1 20":                           More,
		"HTTP/1.1 200":                          More,
		"HTTP/1.1 200 ":                         Response,
		"HTTP/1.1 200\r":                        Response,
		"HTTP/1.0 404 Not Found\r\n":            Response,
		"HTTP/1.1 2000":                         No,
		"HTTP/1.1 20x ":                         No,
		"HTTP/1.\r\n":                           No,
		"HTTP/2.0 200 OK\r\n":                   No,
		"ICY 200 OK\r\n":                        No,
		strings.Repeat("\r\n", 5):               No,
		strings.Repeat("A", 65) + " / HTTP/1.1": No,
	} {
		if got := Detect([]byte(text)); got != want {
			t.Errorf("Detect(%.40q) = %s, want %s", text, got, want)
		}
	}
}

// Detect must not change its mind: once it says yes or no, more bytes do not
// turn the one into the other.
func TestDetectIsStable(t *testing.T) {
	for name, script := range conversations() {
		for _, p := range script[:1] {
			var before Verdict = More
			for i := range len(p.data) + 1 {
				got := Detect([]byte(p.data[:i]))
				if before != More && got != before {
					t.Errorf("%s: %s after %s at %d", name, got, before, i)
				}
				before = got
			}
			if before != Request {
				t.Errorf("%s: %s at the end", name, before)
			}
		}
	}
}

func TestTerseKeepsWhatWentWrong(t *testing.T) {
	r := newRig(t, Config{}, false)
	r.book.Terse = true
	got := r.run(c("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), s(ok), c("GET /b HTTP/1.1\r\n\r\n"))
	expect(t, got, "  0/19 > 0 -1/0 !closed_before_response")
}
