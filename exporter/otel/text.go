package otel

import (
	"strings"
	"unicode/utf8"

	"github.com/wiretell/wiretell/capture"
)

// Bounds of attribute values in bytes, when the user gives none.
const (
	limitPath  = 256
	limitURL   = 512
	limitName  = 253 // of the DNS (RFC 1035, section 2.3.4, without the last dot)
	limitOther = 128
)

// maxInterned bounds each cache of strings; a full one starts anew.
const maxInterned = 4096

// texts turns bytes of the wire into strings that may be exported, and keeps
// those that come again and again.
type texts struct {
	limit int // bound of every value, 0: the defaults
	known map[string]string
	addrs map[[16]byte]string
	buf   []byte
}

func newTexts(limit int) *texts {
	return &texts{limit: limit, known: make(map[string]string), addrs: make(map[[16]byte]string)}
}

func (t *texts) bound(usual int) int {
	if t.limit > 0 {
		return t.limit
	}
	return usual
}

// clean returns b as valid text of at most the usual bound, remembering it: for
// values of which few differ.
func (t *texts) clean(b []byte, usual int) string {
	limit := t.bound(usual)
	b = cut(b, limit)
	if s, ok := t.known[string(b)]; ok {
		return s
	}
	if len(t.known) >= maxInterned {
		clear(t.known)
	}
	key := string(b)
	s := key
	if !isPlain(b) {
		t.buf = appendEscaped(t.buf[:0], b, `\x`)
		s = string(cut(t.buf, limit))
	}
	t.known[key] = s
	return s
}

// url returns b, a piece of a URL that was redacted already, as valid text.
func (t *texts) url(b []byte, usual int) string {
	limit := t.bound(usual)
	if isPlain(b) {
		return string(cut(b, limit))
	}
	return string(cut(appendEscaped(nil, b, "%"), limit))
}

// safe returns s as valid text: for names and sentences that may hold words of
// the wire. Line feeds are kept where lines are wanted.
func safe(s string, lines bool) string {
	if isPlain([]byte(s)) {
		return s
	}
	var out []byte
	for line := range strings.SplitAfterSeq(s, "\n") {
		body, feed := line, ""
		if lines && strings.HasSuffix(line, "\n") {
			body, feed = line[:len(line)-1], "\n"
		}
		out = append(appendEscaped(out, []byte(body), `\x`), feed...)
	}
	return string(out)
}

// safeInterfaces makes the names of interfaces valid text in place: a capture
// file may hold anything there.
func safeInterfaces(is []capture.Interface) {
	for i := range is {
		is[i].Name = safe(is[i].Name, false)
	}
}

// addr returns the text of e's address.
func (t *texts) addr(e capture.Endpoint) string {
	if s, ok := t.addrs[e.Addr]; ok {
		return s
	}
	if len(t.addrs) >= maxInterned {
		clear(t.addrs)
	}
	s := e.IP().String()
	t.addrs[e.Addr] = s
	return s
}

// cut shortens b to at most n bytes without splitting a character.
func cut(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return b[:n]
}

// isPlain reports whether b is printable ASCII, which needs no look at its characters.
func isPlain(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// appendEscaped appends b to dst with every byte that is no valid UTF-8, and
// every control or direction-changing character, written as mark and two
// hexadecimal digits.
func appendEscaped(dst, b []byte, mark string) []byte {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 || isUnsafe(r) {
			for _, c := range b[i : i+n] {
				dst = append(append(dst, mark...), digits[c>>4], digits[c&15])
			}
		} else {
			dst = append(dst, b[i:i+n]...)
		}
		i += n
	}
	return dst
}

// isUnsafe reports characters that change how a terminal or a page shows the
// text around them: C0 and C1 controls, line and paragraph separators, and the
// bidirectional controls of Unicode Annex 9.
func isUnsafe(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f:
		return true
	case r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
		return true
	}
	return false
}
