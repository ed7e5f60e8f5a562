package http1

import (
	"bytes"

	"github.com/wiretell/wiretell/capture"
)

// Verdict is the answer of [Detect].
type Verdict uint8

const (
	// No: these bytes do not begin an HTTP/1 message.
	No Verdict = iota
	// More: they may, but too few are there to tell.
	More
	// Request and Response: they begin one.
	Request
	Response
)

// String returns "no", "more", "request" or "response".
func (v Verdict) String() string { return [...]string{"no", "more", "request", "response"}[v] }

// enoughTarget is how many bytes of an unfinished request-line with a known
// method and a proper start of a target are enough to call it one.
const enoughTarget = 256

// Detect tells whether b, the first bytes that a side sent, begin an HTTP/1
// message. It looks at the start line alone: HTTP/2's preface, HTTP/0.9 and
// protocols that have words in common with HTTP (Redis, memcached, RTSP, SIP,
// SSH, SMTP) are answered with No.
func Detect(b []byte) Verdict {
	// RFC 9112, section 2.2: "a server that is expecting to receive and parse a
	// request-line SHOULD ignore at least one empty line (CRLF) received prior
	// to the request-line".
	skipped := 0
	for len(b) > 0 && (b[0] == '\r' || b[0] == '\n') {
		if skipped++; skipped > 8 {
			return No
		}
		b = b[1:]
	}
	if len(b) == 0 {
		return More
	}
	if v := detectResponse(b); v != No {
		return v
	}
	return detectRequest(b)
}

func detectResponse(b []byte) Verdict {
	const want = "HTTP/1."
	n := min(len(b), len(want))
	if string(b[:n]) != want[:n] {
		return No
	}
	if len(b) < len("HTTP/1.1 200 ") {
		if i := bytes.IndexByte(b, '\n'); i >= 0 && len(b) < len("HTTP/1.1 200") {
			return No
		}
		if len(b) > 8 && (version1(b[:8]) == 0 || !isBlank(b[8])) {
			return No
		}
		return More
	}
	if _, _, why := parseStatusLine(b[:len("HTTP/1.1 200 ")]); why != capture.ReasonNone {
		return No
	}
	return Response
}

func detectRequest(b []byte) Verdict {
	m := tokenLen(b)
	if m == 0 || m > maxMethod {
		return No
	}
	if m == len(b) {
		return More
	}
	if b[m] != ' ' {
		return No
	}
	end := bytes.IndexByte(b, '\n')
	if end >= 0 {
		line := b[:end]
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		// RFC 9112, section 3.2: "Recipients of an invalid request-line SHOULD respond
		// with either a 400 (Bad Request) error or a 301 (Moved Permanently) redirect":
		// a target of none of the four forms is in a request all the same.
		if method, target, _, why := parseRequestLine(line); why != capture.ReasonNone || !KnownMethod(method) && !plausibleTarget(method, target) {
			return No
		}
		return Request
	}
	rest := b[m+1:]
	for _, c := range rest {
		if c < ' ' && c != '\t' && c != '\r' || c == 0x7f {
			return No
		}
	}
	if len(rest) < enoughTarget || len(b) < 16<<10 && !KnownMethod(b[:m]) {
		return More
	}
	if !KnownMethod(b[:m]) || !plausibleTarget(b[:m], rest) {
		return No
	}
	return Request
}

// plausibleTarget reports whether the target begins as one of the four forms of
// RFC 9112, section 3.2: origin-form, absolute-form, authority-form (CONNECT
// alone) and asterisk-form.
func plausibleTarget(method, target []byte) bool {
	switch {
	case len(target) == 0:
		return false
	case target[0] == '/', len(target) == 1 && target[0] == '*':
		return true
	case string(method) == "CONNECT":
		return bytes.IndexByte(target, ':') > 0
	default:
		return authority(target) != nil
	}
}

// headAt tells whether b, a whole segment, begins a message of the given side so
// plainly that a parser that has lost its place may take it up there: a whole
// start line with no leniency, and a whole valid field line or the end of the
// head within b.
//
// Less is enough when proven says that something else speaks for it: an HTTP/1.1
// request without any field (RFC 9112, section 3.2: "A client MUST send a Host
// header field in all HTTP/1.1 request messages") and a response whose first
// field line is not within b. So is such a request that ends its segment.
//
// open says that b ends before the first field line does. A request is then to
// be given up if that line turns out to be none.
func headAt(b []byte, from capture.Side, proven bool) (ok, open bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 2 || b[i-1] != '\r' {
		return false, false
	}
	line, rest := b[:i-1], b[i+1:]
	if from == capture.Server {
		if _, _, why := parseStatusLine(line); why != capture.ReasonNone {
			return false, false
		}
	} else {
		method, target, version, why := parseRequestLine(line)
		if why != capture.ReasonNone || !KnownMethod(method) || !plausibleTarget(method, target) || bytes.IndexByte(target, ' ') >= 0 {
			return false, false
		}
		proven = proven || version == 10 || len(rest) == 2
	}
	j := bytes.IndexByte(rest, '\n')
	switch {
	case j < 0:
		n := tokenLen(rest)
		begun := n == len(rest) || n > 0 && rest[n] == ':' || len(rest) == 1 && rest[0] == '\r'
		return begun && (proven || from == capture.Client), true
	case j == 0 || rest[j-1] != '\r':
		return false, false
	case j == 1:
		return proven || from == capture.Server, false
	}
	return strictField(rest[:j-1]), false
}

// strictField reports whether line is a field line without any leniency.
func strictField(line []byte) bool {
	n := tokenLen(line)
	return n > 0 && n < len(line) && line[n] == ':'
}
