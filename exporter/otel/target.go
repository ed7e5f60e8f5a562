package otel

import "bytes"

// target is a request target taken apart (RFC 9112, section 3.2).
type target struct {
	scheme    []byte // absolute form only
	authority []byte // absolute and authority form only, user information included
	path      []byte // with its slash; "*" for the asterisk form
	query     []byte // without the question mark
	hasQuery  bool
}

// splitTarget takes t apart. method tells the authority form, which only
// CONNECT uses (RFC 9112, section 3.2.3). What follows a "#" is no part of a
// target and is left out.
func splitTarget(method, t []byte) (out target) {
	if string(method) == "CONNECT" {
		out.authority = t
		return out
	}
	if i := bytes.IndexByte(t, '#'); i >= 0 {
		t = t[:i]
	}
	if len(t) > 0 && t[0] != '/' && t[0] != '?' {
		if i := bytes.Index(t, []byte("://")); i > 0 && isScheme(t[:i]) {
			out.scheme = t[:i]
			t = t[i+3:]
			end := bytes.IndexAny(t, "/?")
			if end < 0 {
				end = len(t)
			}
			out.authority, t = t[:end], t[end:]
		}
	}
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		out.query, out.hasQuery = t[i+1:], true
		t = t[:i]
	}
	out.path = t
	return out
}

// isScheme reports whether b is a scheme (RFC 3986, section 3.1).
func isScheme(b []byte) bool {
	for i, c := range b {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 16
}

// splitHost takes host and port of an authority; port is 0 when it names none.
// hadUser tells that user information was there: it is left out.
func splitHost(a []byte) (host []byte, port int, hadUser bool) {
	if i := bytes.LastIndexByte(a, '@'); i >= 0 {
		a, hadUser = a[i+1:], true
	}
	if len(a) > 0 && a[0] == '[' {
		end := bytes.IndexByte(a, ']')
		if end < 0 {
			return a, 0, hadUser
		}
		host, a = a[1:end], a[end+1:]
		if len(a) > 1 && a[0] == ':' {
			port = portNumber(a[1:])
		}
		return host, port, hadUser
	}
	if i := bytes.LastIndexByte(a, ':'); i >= 0 {
		if p := portNumber(a[i+1:]); p > 0 || i == len(a)-1 {
			return a[:i], p, hadUser
		}
	}
	return a, 0, hadUser
}

// portNumber returns 0 for what is no port.
func portNumber(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || n > 65535 {
			return 0
		}
		n = 10*n + int(c-'0')
	}
	if n > 65535 {
		return 0
	}
	return n
}
