package sniff

import "bytes"

// Verdict is what [Prefix] and [Negotiation] say of bytes.
type Verdict uint8

const (
	None  Verdict = iota
	More          // the bytes so far allow no answer
	HTTP2         // the HTTP/2 connection preface
	PROXY         // a PROXY protocol header
	SOCKS         // the negotiation of a SOCKS proxy
)

// String returns "none", "more", "http2", "proxy" or "socks".
func (v Verdict) String() string { return [...]string{"none", "more", "http2", "proxy", "socks"}[v] }

const (
	// preface begins a client's side of HTTP/2. RFC 9113, section 3.4: "This
	// sequence MUST be followed by a SETTINGS frame".
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

	// PROXY protocol, https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt.
	proxy1     = "PROXY "
	maxProxy1  = 107 // section 2.1, with the CRLF
	proxy2     = "\r\n\r\n\x00\r\nQUIT\n"
	proxy2Head = 16
)

// Prefix tells whether b, the first bytes that a client sent, begin with the
// HTTP/2 preface or with a PROXY protocol header. n is the length of the header,
// after which the bytes of another protocol follow; it can be more than len(b).
func Prefix(b []byte) (v Verdict, n int) {
	switch {
	case len(b) == 0:
		return More, 0
	case b[0] == '\r':
		return proxyV2(b)
	case b[0] != 'P':
		return None, 0
	case begins(b, preface):
		if len(b) < len(preface) {
			return More, 0
		}
		return HTTP2, 0
	case begins(b, proxy1):
		return proxyV1(b)
	}
	return None, 0
}

// begins reports whether b begins with s, or is the beginning of s.
func begins(b []byte, s string) bool {
	n := min(len(b), len(s))
	return string(b[:n]) == s[:n]
}

// proxyV1 reads the text form (section 2.1).
func proxyV1(b []byte) (Verdict, int) {
	line := b[:min(len(b), maxProxy1)]
	end := bytes.IndexByte(line, '\n')
	text := line
	if end >= 0 {
		text = line[:end]
	}
	for i, c := range text {
		// "an uppercase string", spaces, addresses and ports: visible ASCII.
		if (c < ' ' || c > '~') && (c != '\r' || i != len(text)-1) {
			return None, 0
		}
	}
	if rest := text[min(len(text), len(proxy1)):]; !begins(rest, "TCP4 ") && !begins(rest, "TCP6 ") && !begins(rest, "UNKNOWN") {
		return None, 0
	}
	switch {
	case end >= 1 && line[end-1] == '\r':
		return PROXY, end + 1
	case end >= 0 || len(b) >= maxProxy1:
		// "A receiver may reject [...] if the CRLF is not found in the first
		// 107 characters".
		return None, 0
	}
	return More, 0
}

// proxyV2 reads the binary form (section 2.2).
func proxyV2(b []byte) (Verdict, int) {
	if !begins(b, proxy2) {
		return None, 0
	}
	// "The highest four bits contains the version. As of this specification, it
	// must always be sent as \x2 and the receiver must only accept this value."
	// The command is LOCAL (0) or PROXY (1).
	if len(b) > 12 && b[12] != 0x20 && b[12] != 0x21 {
		return None, 0
	}
	// Address family 0 to 3, transport 0 to 2.
	if len(b) > 13 && (b[13]>>4 > 3 || b[13]&0xf > 2) {
		return None, 0
	}
	if len(b) < proxy2Head {
		return More, 0
	}
	return PROXY, proxy2Head + int(b[14])<<8 + int(b[15])
}
