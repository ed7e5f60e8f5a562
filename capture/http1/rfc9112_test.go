package http1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// exchangeTest is a request and a response in one segment each, and what is
// stated about them.
type exchangeTest struct {
	name              string
	request, response string
	want              []string
}

func runExchanges(t *testing.T, tests []exchangeTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var script []packet
			if tt.request != "" {
				script = append(script, c(tt.request))
			}
			if tt.response != "" {
				script = append(script, s(tt.response))
			}
			expect(t, newRig(t, Config{}, false).run(script...), tt.want...)
		})
	}
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" // 38 bytes

// RFC 9112, section 2.2: "a server that is expecting to receive and parse a
// request-line SHOULD ignore at least one empty line (CRLF) received prior to
// the request-line"; "a recipient MAY recognize a single LF as a line terminator
// and ignore any preceding CR"; "A recipient that receives whitespace between the
// start-line and the first header field MUST either reject the message as
// invalid or consume each whitespace-preceded line without further processing".
func TestMessageParsing(t *testing.T) {
	runExchanges(t, []exchangeTest{
		{"empty lines before", "\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", ok, []string{"GET /a @h 0/28 > 200 0/38"}},
		{"LF alone", "GET /a HTTP/1.1\nHost: h\n\n", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", []string{"GET /a @h 0/25 > 200 1/36"}},
		{"whitespace before the first field", "GET /a HTTP/1.1\r\n X: y\r\nHost: h\r\n\r\n", ok,
			[]string{"error client bad_header", "GET /a @h 0/35 > 200 0/38"}},
		{"binary", "\x16\x03\x01\x02\x00\x01\x00", "", []string{"error client bad_start_line"}},
		{"no response", "GET /a HTTP/1.1\r\n\r\n", "", []string{"GET /a 0/19 > 0 -1/0 !closed_before_response"}},
		{"head never ends", "GET /a HTTP/1.1\r\nHost: h\r\n", "", []string{"error client request_truncated"}},
	})
}

// RFC 9112, section 2.3: "HTTP-version is case-sensitive". RFC 9110, section
// 2.5, on minor versions.
func TestVersion(t *testing.T) {
	runExchanges(t, []exchangeTest{
		{"1.0", "GET /a HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nbody", []string{"GET /a 0/19 > 200 4/23"}},
		{"1.2", "GET /a HTTP/1.2\r\n\r\n", ok, []string{"GET /a 0/19 > 200 0/38"}},
		{"0.9", "GET /a\r\n", "<html>", []string{"error client unsupported_version", "error server bad_start_line"}},
		{"lower case", "GET /a http/1.1\r\nHost: h\r\n\r\n", "", []string{"error client unsupported_version"}},
		{"2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", []string{"error client unsupported_version"}},
		{"two digits", "GET /a HTTP/1.10\r\n\r\n", "", []string{"error client unsupported_version"}},
		{"response lower case", "GET /a HTTP/1.1\r\n\r\n", "http/1.1 200 OK\r\n\r\n",
			[]string{"error server unsupported_version", "GET /a 0/19 > 0 -1/0 !unsupported_version"}},
	})
}

// RFC 9112, section 3: "recipients MAY instead parse on whitespace-delimited word
// boundaries"; section 3.2: the four forms of a request-target.
func TestRequestLine(t *testing.T) {
	runExchanges(t, []exchangeTest{
		{"origin-form", "GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n", ok, []string{"GET /a?b=c @h 0/32 > 200 0/38"}},
		// "When an origin server receives a request with an absolute-form of
		// request-target, the origin server MUST ignore the received Host header
		// field (if any) and instead replace it with the host information of the
		// request-target".
		{"absolute-form", "GET http://u:p@o:81/a HTTP/1.1\r\nHost: h\r\n\r\n", ok, []string{"GET http://u:p@o:81/a @o:81 0/43 > 200 0/38"}},
		{"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", ok, []string{"OPTIONS * @h 0/31 > 200 0/38"}},
		{"spaces inside", "GET /a b c HTTP/1.1\r\n\r\n", ok, []string{"GET /a b c 0/23 > 200 0/38"}},
		{"more blanks", "GET  /a \t HTTP/1.1 \r\n\r\n", ok, []string{"GET /a 0/23 > 200 0/38"}},
		{"any token is a method", "FOO-bar! /a HTTP/1.1\r\n\r\n", ok, []string{"FOO-bar! /a 0/24 > 200 0/38"}},
		{"no target", "GET HTTP/1.1\r\n\r\n", "", []string{"error client bad_start_line"}},
		{"method no token", "G@T /a HTTP/1.1\r\n\r\n", "", []string{"error client bad_start_line"}},
		{"NUL in target", "GET /a\x00 HTTP/1.1\r\n\r\n", "", []string{"error client bad_start_line"}},
		{"CR in target", "GET /a\rb HTTP/1.1\r\n\r\n", "", []string{"error client bad_start_line"}},
		{"long method", strings.Repeat("A", 65) + " / HTTP/1.1\r\n\r\n", "", []string{"error client bad_start_line"}},
		{"memcached", "get key\r\n", "", []string{"error client bad_start_line"}},
		{"user info in Host", "GET / HTTP/1.1\r\nHost: u:p@h\r\n\r\n", ok, []string{"GET / @h 0/31 > 200 0/38"}},
	})
}

// RFC 9112, section 4: "A client MUST ignore the reason-phrase content"; RFC
// 9110, section 15, on codes.
func TestStatusLine(t *testing.T) {
	get := "GET /a HTTP/1.1\r\n\r\n"
	bad := []string{"error server bad_start_line", "GET /a 0/19 > 0 -1/0 !bad_start_line"}
	for line, want := range map[string][]string{
		"HTTP/1.1 200 ":           {"GET /a 0/19 > 200 0/36"},
		"HTTP/1.1 200":            {"GET /a 0/19 > 200 0/35"},
		"HTTP/1.1  200 OK":        {"GET /a 0/19 > 200 0/39"},
		"HTTP/1.1 999 \x80\xff\t": {"GET /a 0/19 > 999 0/39"},
		"HTTP/1.1 20":             bad,
		"HTTP/1.1 2000 OK":        bad,
		"HTTP/1.1 abc OK":         bad,
		"HTTP/1.1 099 OK":         bad,
		"HTTP/1.1200 OK":          bad,
		"HTTP 200 OK":             bad,
		"ICY 200 OK":              bad,
	} {
		t.Run(line, func(t *testing.T) {
			got := newRig(t, Config{}, false).run(c(get), s(line+"\r\nContent-Length: 0\r\n\r\n"))
			expect(t, got, want...)
		})
	}
}

// RFC 9112, section 5.1: "No whitespace is allowed between the field name and
// colon. [...] A server MUST reject, with a response status code of 400 (Bad
// Request), any received request message that contains whitespace between a
// header field name and colon". Section 5.2: obs-fold.
func TestFields(t *testing.T) {
	head := func(fields string) string { return "POST /a HTTP/1.1\r\n" + fields + "\r\n" }
	runExchanges(t, []exchangeTest{
		{"folded", "GET /a HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\tc\r\n\r\n", ok, []string{"GET /a @h 0/42 > 200 0/38"}},
		{"no colon", "GET /a HTTP/1.1\r\nnonsense\r\n\r\n", ok, []string{"error client bad_header", "GET /a 0/29 > 200 0/38"}},
		{"no name", "GET /a HTTP/1.1\r\n: x\r\n\r\n", ok, []string{"error client bad_header", "GET /a 0/24 > 200 0/38"}},
		{"blank before colon in a request", head("Content-Length : 3\r\n") + "abc", ok,
			[]string{"error client bad_header", "POST /a 3/43 > 200 0/38"}},
		{"blank before colon in a response", "GET /a HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc",
			[]string{"GET /a 0/19 > 200 3/42"}},
		{"empty value", "GET /a HTTP/1.1\r\nHost:\r\nUser-Agent: \r\n\r\n", ok, []string{"GET /a 0/40 > 200 0/38"}},
		{"folded coding in a response", "GET /a HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
			[]string{"GET /a 0/19 > 200 0/54"}},
	})
	// A request whose framing is in doubt is not followed into what may be its body.
	got := newRig(t, Config{}, false).run(
		c(head("Content-Length\r\n")+"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"), s(ok),
		c("GET /b HTTP/1.1\r\nHost: h\r\n\r\n"), s(ok))
	expect(t, got, "error client bad_header", "POST /a 0/36 > 200 0/38", "GET /b @h 0/28 > 200 0/38")
}

// RFC 9110, section 10.1.1: who waits for 100 (Continue) before it sends a body
// may not send it at all when a final response comes in its place.
func TestWithheldBody(t *testing.T) {
	refused := "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
	for framing, body := range map[string]string{"Content-Length: 5\r\n": "12345", "Transfer-Encoding: chunked\r\n": "5\r\n12345\r\n0\r\n\r\n"} {
		begun := strings.Count(body[:1], "1") // a chunk-size is no body yet
		ask := func(target string) packet {
			return c("PUT " + target + " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n" + framing + "\r\n")
		}
		head := len(ask("/a").data)
		withheld := fmt.Sprintf("PUT /a @h 0/%d > 401 0/48", head)
		sent := fmt.Sprintf("PUT /b @h 5/%d > 200 0/38", head+len(body))
		got := newRig(t, Config{}, false).run(ask("/a"), s(refused), ask("/b"), s("HTTP/1.1 100 Continue\r\n\r\n"), c(body), s(ok))
		expect(t, got, withheld, sent+" interim=1")
		got = newRig(t, Config{}, false).run(ask("/a"), s(refused), ask("/b"), c(body), s(ok))
		expect(t, got, withheld, sent)
		// A body that comes all the same.
		got = newRig(t, Config{}, false).run(ask("/a"), s(refused), c(body), ask("/b"), c(body), s(ok))
		expect(t, got, fmt.Sprintf("PUT /a @h 5/%d > 401 0/48", head+len(body)), sent)
		// No body, and no further request either.
		got = newRig(t, Config{}, false).run(ask("/a"), s(refused))
		expect(t, got, withheld)
		// A body that was begun, and one that was asked for.
		got = newRig(t, Config{}, false).run(ask("/a"), s(refused), c(body[:1]))
		expect(t, got, fmt.Sprintf("PUT /a @h %d/%d > 401 0/48 !request_truncated", begun, head+1))
		got = newRig(t, Config{}, false).run(ask("/a"), s("HTTP/1.1 100 Continue\r\n\r\n"), s(refused))
		expect(t, got, withheld+" interim=1 !request_truncated")
	}
	// Without the field what looks like a request is the body.
	get := "GET /c HTTP/1.1\r\nHost: h\r\n\r\n"
	got := newRig(t, Config{}, false).run(c("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 28\r\n\r\n"), s(refused), c(get))
	expect(t, got, "PUT /a @h 28/76 > 401 0/48")
}

// RFC 9112, sections 6.1 to 6.3.
func TestRequestBodyLength(t *testing.T) {
	head := func(fields string) string { return "POST /a HTTP/1.1\r\n" + fields + "\r\n" }
	refused := func(why string, n int) []string {
		return []string{"error client " + why, fmt.Sprintf("POST /a -1/%d > 200 0/38", n)}
	}
	tests := []exchangeTest{
		{"none", head(""), ok, []string{"POST /a 0/20 > 200 0/38"}},
		{"length", head("Content-Length: 3\r\n") + "abc", ok, []string{"POST /a 3/42 > 200 0/38"}},
		{"leading zeros", head("Content-Length: 0003\r\n") + "abc", ok, []string{"POST /a 3/45 > 200 0/38"}},
		{"the same twice", head("Content-Length: 3\r\ncontent-length:3\r\n") + "abc", ok, []string{"POST /a 3/60 > 200 0/38"}},
		{"the same in a list", head("Content-Length: 3 , 3\r\n") + "abc", ok, []string{"POST /a 3/46 > 200 0/38"}},
		{"chunked", head("Transfer-Encoding: Chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n", ok, []string{"POST /a 3/61 > 200 0/38"}},
		{"gzip, chunked", head("Transfer-Encoding: gzip,\tchunked\r\n") + "3\r\nabc\r\n0\r\n\r\n", ok, []string{"POST /a 3/67 > 200 0/38"}},
		// "If a Transfer-Encoding header field is present in a message with a
		// Content-Length, the Transfer-Encoding overrides the Content-Length".
		{"both", head("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", ok,
			[]string{"error client ambiguous_length", "POST /a 0/72 > 200 0/38"}},
	}
	// "the recipient MUST treat it as an unrecoverable error".
	for _, v := range []string{"-1", "+3", "3a", "0x3", "3 3", "3,4", "18446744073709551615", "18446744073709551619", "9999999999999999999999", "", ",", "3,"} {
		h := head("Content-Length: " + v + "\r\n")
		tests = append(tests, exchangeTest{"length " + v, h + "abc", ok, refused("bad_length", len(h))})
	}
	h := head("Content-Length: 3\r\nContent-Length: 4\r\n")
	tests = append(tests, exchangeTest{"two that differ", h + "abcd", ok, refused("bad_length", len(h))})
	// "If a Transfer-Encoding header field is present in a request and the chunked
	// transfer coding is not the final encoding, the message body length cannot be
	// determined reliably; the server MUST respond with the 400 (Bad Request)".
	for _, v := range []string{"gzip", "chunked, gzip", "chunked, chunked", "xchunked", "identity", "chunked;q=1", "chunked, identity"} {
		h := head("Transfer-Encoding: " + v + "\r\n")
		tests = append(tests, exchangeTest{"coding " + v, h + "0\r\n\r\n", ok, refused("bad_transfer_coding", len(h))})
	}
	h = "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
	tests = append(tests, exchangeTest{"coding in HTTP/1.0", h + "0\r\n\r\n", ok, refused("bad_transfer_coding", len(h))})
	runExchanges(t, tests)
}

func TestResponseBodyLength(t *testing.T) {
	get := "GET /a HTTP/1.1\r\n\r\n"
	head := func(fields string) string { return "HTTP/1.1 200 OK\r\n" + fields + "\r\n" }
	runExchanges(t, []exchangeTest{
		{"until close", get, head("") + "abc", []string{"GET /a 0/19 > 200 3/22"}},
		{"length", get, head("Content-Length: 3\r\n") + "abc", []string{"GET /a 0/19 > 200 3/41"}},
		{"cut", get, head("Content-Length: 5\r\n") + "abc", []string{"GET /a 0/19 > 200 3/41 !response_truncated"}},
		{"cut chunk", get, head("Transfer-Encoding: chunked\r\n") + "5\r\nabc", []string{"GET /a 0/19 > 200 3/53 !response_truncated"}},
		{"cut head", get, "HTTP/1.1 200 OK\r\nContent-", []string{"GET /a 0/19 > 0 -1/0 !response_truncated"}},
		{"cut status line", get, "HTTP/1.1 2", []string{"GET /a 0/19 > 0 -1/0 !response_truncated"}},
		// "terminated by the first empty line after the header fields".
		{"HEAD", "HEAD /a HTTP/1.1\r\n\r\n", head("Content-Length: 3\r\n"), []string{"HEAD /a 0/20 > 200 0/38"}},
		{"204", get, "HTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\n", []string{"GET /a 0/19 > 204 0/37"}},
		{"304", get, "HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n", []string{"GET /a 0/19 > 304 0/46"}},
		{"both", get, head("Transfer-Encoding: chunked\r\nContent-Length: 9\r\n") + "1\r\na\r\n0\r\n\r\n",
			[]string{"error server ambiguous_length", "GET /a 0/19 > 200 1/77"}},
		// "the message body length is determined by reading the connection until
		// it is closed by the server".
		{"coding but not chunked", get, head("Transfer-Encoding: gzip\r\nContent-Length: 1\r\n") + "abc",
			[]string{"error server ambiguous_length", "GET /a 0/19 > 200 3/66"}},
		{"chunked in HTTP/1.0", get, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []string{"GET /a 0/19 > 200 5/52"}},
		{"identity", get, head("Transfer-Encoding: identity\r\nContent-Length: 3\r\n") + "abc", []string{"GET /a 0/19 > 200 3/70"}},
		{"bad length", get, head("Content-Length: x\r\n") + "abc", []string{"error server bad_length", "GET /a 0/19 > 200 0/38 !bad_length"}},
	})
}

// RFC 9112, section 7.1: "A recipient MUST anticipate potentially large
// hexadecimal numerals and prevent parsing errors due to integer conversion
// overflows"; 7.1.1: "A recipient MUST ignore unrecognized chunk extensions".
func TestChunks(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for body, want := range map[string]string{
		"3\r\nabc\r\n0\r\n\r\n":     "3/60",
		"0\r\n\r\n":                 "0/52",
		"003\r\nabc\r\n000\r\n\r\n": "3/64",
		"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n": "20/82",
		"3;a=b;c=\"d;\"\r\nabc\r\n0;x\r\n\r\n":            "3/73",
		"3 ;a\r\nabc\r\n0\r\n\r\n":                        "3/63",
		"3 \r\nabc\r\n0\r\n\r\n":                          "3/61",
		"3\nabc\n0\n\n":                                   "3/56",
		"3\r\nabc\r\n0\r\nA: b\r\nC: d\r\n\r\n":           "3/72",
		"3\r\nabcX":                                       "3/53 !bad_chunk",
		"x\r\n":                                           "0/47 !bad_chunk",
		"\r\n":                                            "0/47 !bad_chunk",
		"-1\r\n":                                          "0/47 !bad_chunk",
		"0x1\r\n":                                         "0/48 !bad_chunk",
		"3\rX":                                            "0/49 !bad_chunk",
		"FFFFFFFFFFFFFFFFF\r\n":                           "0/62 !bad_chunk",
		"8000000000000000\r\n":                            "0/62 !bad_chunk",
		" 3\r\nabc":                                       "0/47 !bad_chunk",
	} {
		t.Run(fmt.Sprintf("%q", body), func(t *testing.T) {
			got := newRig(t, Config{}, false).run(c("GET /a HTTP/1.1\r\n\r\n"), s(head+body))
			if strings.Contains(want, "!") {
				expect(t, got, "error server bad_chunk", "GET /a 0/19 > 200 "+want)
			} else {
				expect(t, got, "GET /a 0/19 > 200 "+want)
			}
		})
	}
}

// RFC 9110, section 15.2: "A client MUST be able to parse one or more 1xx
// responses received prior to a final response". RFC 9112, section 9.3.2.
func TestOrder(t *testing.T) {
	get := func(n int) string { return fmt.Sprintf("GET /%d HTTP/1.1\r\n\r\n", n) }
	cases := map[string]struct {
		script []packet
		want   []string
	}{
		"interim": {[]packet{c(get(1)), s("HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\nContent-Length: 5\r\n\r\n" + ok)},
			[]string{"GET /1 0/19 > 200 0/38 interim=2"}},
		"pipelined": {[]packet{c(get(1) + get(2) + get(3)), s("HTTP/1.1 201 x\r\nContent-Length: 0\r\n\r\nHTTP/1.1 204 x\r\n\r\n"), s(ok)},
			[]string{"GET /1 0/19 > 201 0/37", "GET /2 0/19 > 204 0/18", "GET /3 0/19 > 200 0/38"}},
		"unsolicited":  {[]packet{s("HTTP/1.1 408 x\r\nContent-Length: 0\r\n\r\n")}, []string{"- > 408 0/37 !unsolicited"}},
		"one too many": {[]packet{c(get(1)), s(ok + ok)}, []string{"GET /1 0/19 > 200 0/38", "- > 200 0/38 !unsolicited"}},
		"early final response": {[]packet{c("POST /1 HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"), s("HTTP/1.1 413 x\r\n\r\n"), fin(capture.Server), fin(capture.Client)},
			[]string{"POST /1 3/42 > 413 0/18 !request_truncated"}},
		"answered in its head": {[]packet{c("GET /1 HTTP/1.1\r\nCookie: aaaa"), s("HTTP/1.1 431 x\r\n\r\n"), fin(capture.Server), fin(capture.Client)},
			[]string{"error client request_truncated", "GET /1 0/29 > 431 0/18 !request_truncated"}},
		"answered in its start line":     {[]packet{c("GET /1"), s("HTTP/1.1 408 x\r\n\r\n")}, []string{"error client request_truncated", "- > 408 0/18 !unsolicited"}},
		"request after the server's end": {[]packet{fin(capture.Server), c(get(1))}, []string{"GET /1 0/19 > 0 -1/0 !closed_before_response"}},
		"junk after a response":          {[]packet{c(get(1)), s(ok + "junk\r\n")}, []string{"GET /1 0/19 > 200 0/38", "error server bad_start_line"}},
		"TLS after a request": {[]packet{c(get(1)), s(ok), c("\x16\x03\x01\x00\x05"), c(get(2)), s(ok)},
			[]string{"GET /1 0/19 > 200 0/38", "error client switched_protocol", "- > 200 0/38 !switched_protocol"}},
		"TLS in answer":       {[]packet{c(get(1)), s("\x15\x03\x01\x00\x02\x02\x46")}, []string{"error server tls", "GET /1 0/19 > 0 -1/0 !tls"}},
		"a control in answer": {[]packet{c(get(1)), s("\x15\x04\x01\x00")}, []string{"error server bad_start_line", "GET /1 0/19 > 0 -1/0 !bad_start_line"}},
		"upgrade": {[]packet{c("GET /1 HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"), s("HTTP/1.1 101 x\r\n\r\n"), c(get(2)), s(ok)},
			[]string{"GET /1 0/33 > 101 0/18"}},
		"connect": {[]packet{c("CONNECT h:1 HTTP/1.1\r\n\r\n"), s("HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n"), c(get(2)), s(ok)},
			[]string{"CONNECT h:1 0/24 > 200 0/37"}},
		"connect refused": {[]packet{c("CONNECT h:1 HTTP/1.1\r\n\r\n"), s("HTTP/1.1 407 x\r\nContent-Length: 2\r\n\r\nno"), c(get(2)), s(ok)},
			[]string{"CONNECT h:1 0/24 > 407 2/39", "GET /2 0/19 > 200 0/38"}},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) { expect(t, newRig(t, Config{}, false).run(tt.script...), tt.want...) })
	}
}

// How a connection ends decides what became of the request that waited.
func TestEnds(t *testing.T) {
	for why, want := range map[capture.Reason]string{
		capture.ReasonFIN:      "closed_before_response",
		capture.ReasonReset:    "reset",
		capture.ReasonTimedOut: "timed_out",
		capture.ReasonShutdown: "shutdown",
		capture.ReasonEvicted:  "evicted ~evicted",
	} {
		r := newRig(t, Config{}, false)
		r.send(c("GET /a HTTP/1.1\r\n\r\n"))
		r.end(capture.Client, why)
		r.end(capture.Server, why)
		expect(t, r.seen(), "GET /a 0/19 > 0 -1/0 !"+want)
		if r.port.Unanswered != 1 || r.port.Answered != 0 {
			t.Errorf("%s: %d unanswered, %d answered", why, r.port.Unanswered, r.port.Answered)
		}

		r = newRig(t, Config{}, false)
		r.send(c("GET /a HTTP/1.1\r\n\r\n"))
		r.send(s("HTTP/1.1 200 OK\r\n\r\nabc")) // until close
		r.end(capture.Server, why)
		r.end(capture.Client, why)
		if why == capture.ReasonFIN {
			expect(t, r.seen(), "GET /a 0/19 > 200 3/22")
		} else {
			expect(t, r.seen(), "GET /a 0/19 > 200 3/22 !"+want)
		}
	}
}
