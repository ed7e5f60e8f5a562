package http1

import (
	"encoding/binary"

	"github.com/wiretell/wiretell/capture"
)

// tokenTable marks the bytes of a token:
//
//	token = 1*tchar
//	tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
//
// RFC 9110, section 5.6.2.
var tokenTable = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

// tokenLen returns how many bytes at the start of b belong to a token.
func tokenLen(b []byte) int {
	for i, c := range b {
		if !tokenTable[c] {
			return i
		}
	}
	return len(b)
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// trimBlank removes SP and HTAB at both ends (OWS, RFC 9110, section 5.6.3).
func trimBlank(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	return trimBlankRight(b)
}

func trimBlankRight(b []byte) []byte {
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// parseRequestLine reads a request-line without its line end (RFC 9112, section
// 3). What it returns points into the line; version is 10 or 11.
//
//	request-line = method SP request-target SP HTTP-version
//
// It follows the leniency of RFC 9112, section 3 ("recipients MAY instead parse
// on whitespace-delimited word boundaries") and takes spaces inside the target
// as part of it, as servers that reach for the last word do.
func parseRequestLine(line []byte) (method, target []byte, version uint8, why capture.Reason) {
	line = trimBlankRight(line)
	m := tokenLen(line)
	if m == 0 || m > maxMethod || m == len(line) || !isBlank(line[m]) {
		return nil, nil, 0, capture.ReasonBadStartLine
	}
	rest := trimBlank(line[m:])
	if len(rest) == 0 {
		return nil, nil, 0, capture.ReasonBadStartLine
	}
	v := len(rest) - len("HTTP/1.1")
	if v < 0 {
		return nil, nil, 0, versionless(rest)
	}
	if version = version1(rest[v:]); version == 0 {
		return nil, nil, 0, versionless(rest)
	}
	if v == 0 || !isBlank(rest[v-1]) {
		return nil, nil, 0, capture.ReasonBadStartLine
	}
	target = trimBlankRight(rest[:v])
	if hasControl(target) {
		return nil, nil, 0, capture.ReasonBadStartLine
	}
	return line[:m], target, version, capture.ReasonNone
}

// hasControl reports whether b holds a control character other than HTAB.
func hasControl(b []byte) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for len(b) >= 8 {
		// Whether one of eight bytes is below 0x20 or 0x7f; HTAB among them.
		w := binary.LittleEndian.Uint64(b)
		del := w ^ 0x7f*ones
		if ((w-' '*ones)&^w|(del-ones)&^del)&high != 0 && controlIn(b[:8]) {
			return true
		}
		if len(b) == 8 {
			return false
		}
		b = b[min(8, len(b)-8):] // the last eight may overlap those before
	}
	return controlIn(b)
}

func controlIn(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// version1 returns 10 or 11 for "HTTP/1." and a digit, and 0 for anything else.
// RFC 9112, section 2.3: "HTTP-version is case-sensitive". RFC 9110, section
// 2.5: a minor version above the highest known is read as the highest known.
func version1(b []byte) uint8 {
	if len(b) != 8 || string(b[:7]) != "HTTP/1." || b[7] < '0' || b[7] > '9' {
		return 0
	}
	if b[7] == '0' {
		return 10
	}
	return 11
}

// versionless tells why what follows a method has no HTTP/1 version at its end.
func versionless(rest []byte) capture.Reason {
	word := rest
	for i := len(rest) - 1; i >= 0; i-- {
		if isBlank(rest[i]) {
			word = rest[i+1:]
			break
		}
	}
	if len(word) == len(rest) {
		// HTTP/0.9: "GET" SP target, if the target is one.
		if word[0] == '/' || hasPrefixFold(word, "http://") {
			return capture.ReasonUnsupportedVersion
		}
		return capture.ReasonBadStartLine
	}
	if hasPrefixFold(word, "http/") {
		return capture.ReasonUnsupportedVersion
	}
	return capture.ReasonBadStartLine
}

// parseStatusLine reads a status-line without its line end.
//
//	status-line = HTTP-version SP status-code SP [ reason-phrase ]
//
// RFC 9112, section 4. "A server MUST send the space that separates the
// status-code from the reason-phrase even when the reason-phrase is absent":
// many do not, so its absence is forgiven, as are further blanks.
func parseStatusLine(line []byte) (status int, version uint8, why capture.Reason) {
	if len(line) < len("HTTP/1.1") {
		return 0, 0, capture.ReasonBadStartLine
	}
	if version = version1(line[:8]); version == 0 {
		if hasPrefixFold(line, "http/") {
			return 0, 0, capture.ReasonUnsupportedVersion
		}
		return 0, 0, capture.ReasonBadStartLine
	}
	rest := line[8:]
	if len(rest) == 0 || !isBlank(rest[0]) {
		return 0, 0, capture.ReasonBadStartLine
	}
	rest = trimBlank(rest)
	if status = statusCode(rest); status == 0 {
		return 0, 0, capture.ReasonBadStartLine
	}
	return status, version, capture.ReasonNone
}

// statusCode reads 3DIGIT at the start of b, followed by a blank, a line end or
// nothing; it returns 0 when there is none. RFC 9110, section 15: valid codes
// are 100 to 599; others up to 999 are seen and read as the wire has them.
func statusCode(b []byte) int {
	if len(b) < 3 {
		return 0
	}
	x, y, z := b[0]-'0', b[1]-'0', b[2]-'0'
	if x > 9 || y > 9 || z > 9 {
		return 0
	}
	n := int(x)*100 + int(y)*10 + int(z)
	if n < 100 || len(b) > 3 && !isBlank(b[3]) && b[3] != '\r' && b[3] != '\n' {
		return 0
	}
	return n
}

// hasPrefixFold reports whether b begins with prefix, which is in lower case,
// ignoring the case of ASCII letters.
func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && equalFold(b[:len(prefix)], prefix)
}

// equalFold reports whether b is s, which is in lower case, ignoring the case
// of ASCII letters in b.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

// authority returns the host and port of an absolute-form target without user
// information, or nil for other forms (RFC 9112, section 3.2.2).
func authority(target []byte) []byte {
	if len(target) == 0 || target[0] == '/' || target[0] == '*' {
		return nil
	}
	i := tokenLen(target)
	if i == 0 || i+3 > len(target) || string(target[i:i+3]) != "://" {
		return nil
	}
	a := target[i+3:]
	for j, c := range a {
		if c == '/' || c == '?' || c == '#' {
			a = a[:j]
			break
		}
	}
	return withoutUserinfo(a)
}

// withoutUserinfo drops what stands before the last "@" of an authority.
func withoutUserinfo(a []byte) []byte {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] == '@' {
			return a[i+1:]
		}
	}
	return a
}

// KnownMethod reports whether m is a method of the IANA registry or one that is
// common on the wire. Where a message must be recognised without a context
// that proves it (after a loss), only these are believed.
func KnownMethod(m []byte) bool {
	switch string(m) {
	case "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY",
		"ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LINK", "LOCK", "MERGE",
		"MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "ORDERPATCH", "PROPFIND",
		"PROPPATCH", "REBIND", "REPORT", "SEARCH", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE",
		"UPDATEREDIRECTREF", "VERSION-CONTROL",
		"PURGE", "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE", "M-SEARCH", "BAN", "RPC_IN_DATA", "RPC_OUT_DATA", "CCM_POST",
		"RPC_CONNECT", "SOURCE", "DEBUG":
		return true
	}
	return false
}
