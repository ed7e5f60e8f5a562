package otel

import (
	"bytes"
	"strings"
)

const redacted = "REDACTED"

// redactor hides secrets in URLs. Which text decides: signals.md names the keys
// and asks that keys be percent-decoded first; keys are matched without regard
// to case, to "-", "_" and ".", which hides more than the conventions' list.
type redactor struct {
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

func newRedactor(mode Redaction, keys []string) *redactor {
	r := &redactor{mode: mode, exact: make(map[string]bool)}
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

// query appends the query q with secret values hidden. Keys stay.
func (r *redactor) query(dst, q []byte) []byte {
	if r.mode == RedactOff {
		return append(dst, q...)
	}
	for len(q) > 0 {
		end := bytes.IndexAny(q, "&;")
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

func (r *redactor) pair(dst, pair []byte) []byte {
	key, value, found := bytes.Cut(pair, []byte("="))
	if !found {
		// A word without "=" may be a key or a value.
		if r.looksSecret(key) {
			return append(dst, redacted...)
		}
		return append(dst, key...)
	}
	if r.looksSecret(key) {
		dst = append(dst, redacted...)
	} else {
		dst = append(dst, key...)
	}
	dst = append(dst, '=')
	if len(value) > 0 && (r.mode == RedactAll || r.secretKey(key) || r.looksSecret(value)) {
		return append(dst, redacted...)
	}
	return append(dst, value...)
}

// secretKey reports whether key, decoded as often as it was encoded, is one
// whose value is a secret.
func (r *redactor) secretKey(key []byte) bool {
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
				hi, lo := hexDigit[b[i+1]|lowerBit(b[i+1])], hexDigit[b[i+2]|lowerBit(b[i+2])]
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

// lowerBit is what makes an upper-case hexadecimal digit a lower-case one.
func lowerBit(c byte) byte {
	if c >= 'A' && c <= 'F' {
		return 0x20
	}
	return 0
}

// path appends the path p with every segment that looks like a token replaced.
func (r *redactor) path(dst, p []byte) []byte {
	if r.mode == RedactOff {
		return append(dst, p...)
	}
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
func (r *redactor) segment(dst, s []byte) []byte {
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

// minToken is how long text must be to be held a token by its looks.
const minToken = 20

// looksSecret reports whether b, decoded, has the shape of a secret or of
// personal data: a JSON Web Token, a UUID, a long string of hexadecimal digits
// or of the base64 alphabets that no person would write, or an e-mail address.
func (r *redactor) looksSecret(b []byte) bool {
	if len(b) < 6 {
		return false
	}
	b = decoded(b)
	if at := bytes.IndexByte(b, '@'); at > 0 && bytes.IndexByte(b[at:], '.') > 1 {
		return true
	}
	if len(b) >= 8 && bytes.HasPrefix(b, []byte("eyJ")) && bytes.IndexByte(b, '.') > 0 {
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
