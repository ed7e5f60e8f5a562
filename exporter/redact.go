package exporter

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Redacted stands in for a value that must not leave the process.
const Redacted = "REDACTED"

// Redaction says which values of a URL's query are replaced by [Redacted].
// User information is replaced in every mode.
type Redaction uint8

const (
	// RedactSensitive replaces the values of keys that are known to carry
	// secrets (see sensitiveKeys). It is the default.
	RedactSensitive Redaction = iota
	// RedactAll replaces every value and keeps the keys.
	RedactAll
	// RedactOff replaces nothing in the query.
	RedactOff
)

// ParseRedaction reads "sensitive", "all" or "off".
func ParseRedaction(s string) (Redaction, error) {
	switch s {
	case "", "sensitive":
		return RedactSensitive, nil
	case "all":
		return RedactAll, nil
	case "off":
		return RedactOff, nil
	}
	return 0, fmt.Errorf("redaction %q: want sensitive, all or off", s)
}

// sensitiveKeys are query keys, in lower case, whose values are secrets: those
// that the OpenTelemetry conventions name for url.query, and common ones.
var sensitiveKeys = map[string]bool{
	"awsaccesskeyid": true, "signature": true, "sig": true, "x-goog-signature": true,
	"x-amz-signature": true, "x-amz-credential": true, "x-amz-security-token": true,

	"access_token": true, "accesstoken": true, "api_key": true, "api-key": true, "apikey": true, "api_token": true, "apitoken": true,
	"auth": true, "auth_token": true, "authorization": true, "bearer": true, "client_secret": true, "clientsecret": true,
	"code": true, "code_verifier": true, "credential": true, "credentials": true, "csrf": true, "csrf_token": true,
	"id_token": true, "jwt": true, "key": true, "otp": true, "pass": true, "passcode": true, "passphrase": true,
	"passwd": true, "password": true, "pin": true, "private_key": true, "privatekey": true, "pwd": true,
	"refresh_token": true, "refreshtoken": true, "secret": true, "secret_key": true, "session": true, "session_id": true,
	"sessionid": true, "session_token": true, "sid": true, "ssn": true, "token": true, "x-api-key": true, "x-auth-token": true,
	"x-goog-credential": true, "xsrf_token": true, "phpsessid": true, "jsessionid": true,
}

// Target returns a request target (RFC 9112, section 3.2) with its query values
// and user information redacted, as valid printable text.
func (r Redaction) Target(target []byte) string {
	t := string(target)
	if i := strings.Index(t, "://"); i >= 0 && !strings.ContainsAny(t[:i], "/?#") { // absolute-form
		t = t[:i+3] + redactUser(t[i+3:])
	}
	if i := strings.IndexByte(t, '?'); i >= 0 {
		t = t[:i+1] + r.Query(t[i+1:])
	}
	return Clean([]byte(t))
}

// RedactTarget is the Target of the default mode.
func RedactTarget(target []byte) string { return RedactSensitive.Target(target) }

// redactUser replaces the user information of an authority and what follows it.
func redactUser(s string) string {
	end := strings.IndexAny(s, "/?#")
	if end < 0 {
		end = len(s)
	}
	at := strings.LastIndexByte(s[:end], '@')
	if at < 0 {
		return s
	}
	return Redacted + ":" + Redacted + s[at:]
}

// Query returns a query (without its question mark) with values redacted. Pairs
// are separated by "&" or ";"; keys are percent-decoded, as often as they are
// encoded, before they are compared.
func (r Redaction) Query(q string) string {
	if r == RedactOff || q == "" {
		return q
	}
	var b strings.Builder
	b.Grow(len(q))
	for q != "" {
		pair, sep := q, ""
		if i := strings.IndexAny(q, "&;#"); i >= 0 {
			pair, sep, q = q[:i], q[i:i+1], q[i+1:]
		} else {
			q = ""
		}
		key, value, hasValue := strings.Cut(pair, "=")
		b.WriteString(key)
		if hasValue {
			b.WriteByte('=')
			if value != "" && (r == RedactAll || sensitive(key)) {
				value = Redacted
			}
			b.WriteString(value)
		}
		b.WriteString(sep)
	}
	return b.String()
}

// sensitive reports whether a query key names a secret.
func sensitive(key string) bool {
	for range 4 {
		next := percentDecode(key)
		if next == key {
			break
		}
		key = next
	}
	key = strings.ToLower(strings.TrimSpace(strings.ReplaceAll(key, "+", " ")))
	if i := strings.IndexByte(key, '['); i > 0 { // user[password]
		inner := strings.TrimRight(key[i+1:], "]")
		if sensitiveKeys[key[:i]] || sensitiveKeys[inner] {
			return true
		}
	}
	if i := strings.LastIndexByte(key, '.'); i >= 0 && sensitiveKeys[key[i+1:]] { // user.password
		return true
	}
	return sensitiveKeys[key]
}

// percentDecode decodes %XX once and leaves what is not well-formed.
func percentDecode(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi < 16 && lo < 16 {
				b = append(b, hi<<4|lo)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// Clean returns b as valid UTF-8 without control and format characters (so that
// no terminal, log or page can be led astray), each replaced by U+FFFD.
func Clean(b []byte) string {
	clean := true
	for _, c := range b {
		if c < ' ' || c >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return string(b)
	}
	var s strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			r = utf8.RuneError
		}
		s.WriteRune(r)
		b = b[n:]
	}
	return s.String()
}
