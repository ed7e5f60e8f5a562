package exporter

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Redacted stands in for a value that must not leave the process.
const Redacted = "REDACTED"

// Redaction says how much of URLs is hidden. User information is hidden in every
// mode.
type Redaction string

const (
	// RedactSensitive hides the values of query keys that are known for secrets
	// (the conventions' list for url.query, and common ones), and JSON Web Tokens
	// wherever they stand. It is the default.
	RedactSensitive Redaction = "sensitive"
	// RedactAll hides every query value, and whatever in the path looks like a
	// token or like personal data.
	RedactAll Redaction = "all"
	// RedactOff hides nothing else.
	RedactOff Redaction = "off"
)

// Check returns an error for a mode that is none.
func (r Redaction) Check() error {
	switch r {
	case RedactSensitive, RedactAll, RedactOff:
		return nil
	}
	return fmt.Errorf("redaction %q: want sensitive, all or off", string(r))
}

// Redactor hides secrets in request targets. Keys are percent-decoded as often
// as they are encoded and compared without regard to case, "-", "_" and ".",
// which hides more than the conventions ask for. It belongs to one goroutine.
type Redactor struct {
	mode  Redaction
	exact map[string]bool // normalised keys
	parts []string        // a normalised key that holds one of these is secret
	own   bool            // the user's list: exact matches only
	key   []byte
}

// The keys that the conventions name (url.query), in lower case without "-".
var conventionKeys = []string{"awsaccesskeyid", "signature", "sig", "xgoogsignature", "xamzsignature", "xamzcredential", "xamzsecuritytoken"}

// Keys that are secrets by themselves but too short or too usual to be looked
// for within other keys.
var secretKeys = []string{"sid", "otp", "pin", "pwd", "pass", "auth", "key", "code", "jwt", "bearer", "state", "nonce", "totp", "mfa", "cvv", "ssn", "sessid", "phpsessid", "jsessionid", "csrf", "xsrf", "samlresponse", "samlrequest", "assertion", "ticket", "hmac", "salt"}

// Words that make any key a secret one that holds them.
var secretParts = []string{"token", "secret", "password", "passwd", "passphrase", "apikey", "accesskey", "privatekey", "credential", "signature", "authorization", "session", "jwt", "cookie"}

// NewRedactor returns a Redactor; keys, when not nil, replace the list of query
// keys whose values are secrets.
func NewRedactor(mode Redaction, keys []string) *Redactor {
	r := &Redactor{mode: mode, exact: make(map[string]bool)}
	if keys != nil {
		r.own = true
		for _, k := range keys {
			r.exact[string(normalKey(nil, []byte(k)))] = true
		}
		return r
	}
	for _, k := range conventionKeys {
		r.exact[k] = true
	}
	for _, k := range secretKeys {
		r.exact[k] = true
	}
	r.parts = secretParts
	return r
}

// Query appends the query q with secret values hidden. Keys stay.
func (r *Redactor) Query(dst, q []byte) []byte {
	if r.mode == RedactOff {
		return append(dst, q...)
	}
	for len(q) > 0 {
		end := bytes.IndexAny(q, "&;#?")
		pair := q
		if end >= 0 {
			pair = q[:end]
		}
		dst = r.pair(dst, pair)
		if end < 0 {
			break
		}
		dst = append(dst, q[end])
		q = q[end+1:]
	}
	return dst
}

func (r *Redactor) pair(dst, pair []byte) []byte {
	key, value, found := bytes.Cut(pair, []byte("="))
	if !found {
		// A word without "=" may be a key or a value.
		if r.looksSecret(key) {
			return append(dst, Redacted...)
		}
		return append(dst, key...)
	}
	if r.looksSecret(key) {
		dst = append(dst, Redacted...)
	} else {
		dst = append(dst, key...)
	}
	dst = append(dst, '=')
	if len(value) > 0 && (r.mode == RedactAll || r.secretKey(key) || r.looksSecret(value)) {
		return append(dst, Redacted...)
	}
	return append(dst, value...)
}

// secretKey reports whether key, decoded as often as it was encoded, is one
// whose value is a secret.
func (r *Redactor) secretKey(key []byte) bool {
	r.key = normalKey(r.key[:0], decoded(key))
	if r.exact[string(r.key)] {
		return true
	}
	for _, p := range r.parts {
		if bytes.Contains(r.key, []byte(p)) {
			return true
		}
	}
	// user[password], filter.token: the last word is what counts.
	if i := bytes.LastIndexByte(r.key, '['); i >= 0 && !r.own {
		return r.exact[strings.TrimSuffix(string(r.key[i+1:]), "]")]
	}
	return false
}

// normalKey appends k in lower case without "-", "_", "." and white space.
func normalKey(dst, k []byte) []byte {
	for _, c := range k {
		switch {
		case c >= 'A' && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		case c == '-' || c == '_' || c == '.' || c <= ' ' || c == '+' || c == 0x7f:
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// decoded removes percent-encoding, also where it was applied several times.
func decoded(b []byte) []byte {
	for range 4 {
		if bytes.IndexByte(b, '%') < 0 {
			return b
		}
		next := make([]byte, 0, len(b))
		for i := 0; i < len(b); i++ {
			if b[i] == '%' && i+2 < len(b) {
				hi, lo := unhex(b[i+1]), unhex(b[i+2])
				if hi|lo <= 15 {
					next = append(next, hi<<4|lo)
					i += 2
					continue
				}
			}
			next = append(next, b[i])
		}
		if len(next) == len(b) {
			return b
		}
		b = next
	}
	return b
}

// unhex returns the value of a hexadecimal digit, more than 15 for what is none.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// Path appends the path p with every segment that looks like a secret replaced.
func (r *Redactor) Path(dst, p []byte) []byte {
	for {
		end := bytes.IndexByte(p, '/')
		segment := p
		if end >= 0 {
			segment = p[:end]
		}
		dst = r.segment(dst, segment)
		if end < 0 {
			return dst
		}
		dst = append(dst, '/')
		p = p[end+1:]
	}
}

// segment also looks at path parameters: ";jsessionid=..." (RFC 3986, section 3.3).
// So it does at user information, which a target that is no URL has there
// ("CONNECT user:password@host:443").
func (r *Redactor) segment(dst, s []byte) []byte {
	if at := bytes.LastIndexByte(s, '@'); at > 0 && bytes.IndexByte(s[:at], ':') >= 0 {
		dst, s = append(dst, Redacted+":"+Redacted...), s[at:]
	}
	if r.mode == RedactOff {
		return append(dst, s...)
	}
	for i := 0; ; i++ {
		end := bytes.IndexByte(s, ';')
		part := s
		if end >= 0 {
			part = s[:end]
		}
		switch {
		case bytes.IndexByte(part, '=') > 0:
			dst = r.pair(dst, part)
		case r.looksSecret(part):
			dst = append(dst, "{redacted}"...)
		default:
			dst = append(dst, part...)
		}
		if end < 0 {
			return dst
		}
		dst = append(dst, ';')
		s = s[end+1:]
	}
}

// namesUser reports whether b is or holds a URL with a user and a password.
func namesUser(b []byte) bool {
	if bytes.IndexByte(b, '@') < 0 {
		return false
	}
	_, authority, _ := bytes.Cut(b, []byte("//"))
	if end := bytes.IndexAny(authority, "/?#"); end >= 0 {
		authority = authority[:end]
	}
	at := bytes.LastIndexByte(authority, '@')
	return at > 0 && bytes.IndexByte(authority[:at], ':') >= 0
}

// minToken is how long text must be to be held a token by its looks.
const minToken = 20

// looksSecret reports whether b, decoded, has the shape of a secret: a JSON Web
// Token, a URL with a password or, in the mode that hides all, of personal data: a UUID, a long string of hexadecimal digits
// or of the base64 alphabets that no person would write, or an e-mail address.
func (r *Redactor) looksSecret(b []byte) bool {
	if len(b) < 6 {
		return false
	}
	b = decoded(b)
	if len(b) >= 8 && bytes.HasPrefix(b, []byte("eyJ")) && bytes.IndexByte(b, '.') > 0 || namesUser(b) {
		return true
	}
	if r.mode != RedactAll {
		return false
	}
	if at := bytes.IndexByte(b, '@'); at > 0 && bytes.IndexByte(b[at:], '.') > 1 {
		return true
	}
	if len(b) < minToken {
		return false
	}
	// Every run of token characters counts, so that a prefix or suffix
	// ("key:", ".json") does not hide one.
	start := 0
	for i := 0; i <= len(b); i++ {
		if i < len(b) && isTokenByte(b[i]) {
			continue
		}
		if i-start >= minToken && isRandomLooking(b[start:i]) {
			return true
		}
		start = i + 1
	}
	return false
}

func isTokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '+' || c == '=' || c == '~'
}

// isRandomLooking tells a token from words joined by hyphens: it holds digits
// and letters, and either letters of both cases or no separators, or only
// hexadecimal digits between them.
func isRandomLooking(b []byte) bool {
	var lower, upper, digit, separator, notHex int
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			digit++
		case c >= 'a' && c <= 'z':
			lower++
			if c > 'f' {
				notHex++
			}
		case c >= 'A' && c <= 'Z':
			upper++
			if c > 'F' {
				notHex++
			}
		default:
			separator++
		}
	}
	letters := lower + upper
	switch {
	case letters == 0 || digit == 0:
		// Only digits: a number. Only letters: random text changes case often.
		return letters >= minToken && separator == 0 && lower > 3 && upper > 3
	case notHex == 0:
		return true
	case separator == 0:
		return true
	}
	return lower > 0 && upper > 0
}

// Target returns a request target (RFC 9112, section 3.2) with its secrets
// hidden, as valid printable text.
func (r *Redactor) Target(t []byte) string {
	var out []byte
	if i := bytes.Index(t, []byte("://")); i > 0 && !bytes.ContainsAny(t[:i], "/?#") { // absolute-form
		out = append(out, t[:i+3]...)
		t = t[i+3:]
		end := bytes.IndexAny(t, "/?#")
		if end < 0 {
			end = len(t)
		}
		if at := bytes.LastIndexByte(t[:end], '@'); at >= 0 {
			out = append(out, Redacted+":"+Redacted...)
			out = append(out, t[at:end]...)
		} else {
			out = append(out, t[:end]...)
		}
		t = t[end:]
	}
	end := bytes.IndexAny(t, "?#") // no client is to send a fragment; one that does tells as much in it
	if end < 0 {
		return Clean(r.Path(out, t))
	}
	out = append(r.Path(out, t[:end]), t[end])
	out = r.Query(out, t[end+1:])
	return Clean(out)
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
