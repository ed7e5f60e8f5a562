package tls

import "github.com/wiretell/wiretell/capture"

// Verdict is what [Detect] says of bytes.
type Verdict uint8

const (
	No   Verdict = iota
	More         // the bytes so far allow no answer
	Yes
)

// String returns "no", "more" or "yes".
func (v Verdict) String() string { return [...]string{"no", "more", "yes"}[v] }

// chainRecords is how many records must follow each other to be believed
// without a hello: a header alone could be chance.
const chainRecords = 3

// Detect tells whether b, the bytes that a side sent first or first since the
// capture began, are TLS: a ClientHello or ServerHello, a version 2
// ClientHello, an unencrypted alert, or the headers of three records that
// follow each other. It never answers No to bytes of which a longer prefix
// would be Yes, and 16 KiB records make it ask for many: a caller with less
// patience uses [Chain].
func Detect(b []byte) Verdict {
	if len(b) == 0 {
		return More
	}
	if b[0]&0x80 != 0 {
		return detectV2(b)
	}
	if v := detectHello(b); v != No {
		return v
	}
	if v := detectAlert(b); v != No {
		return v
	}
	for range chainRecords {
		if len(b) < recordHeader {
			if plausible(b) {
				return More
			}
			return No
		}
		_, n, ok := recordOf(b)
		if !ok {
			return No
		}
		b = b[min(recordHeader+n, len(b)):]
	}
	return Yes
}

// HelloFrom tells which side of a TLS connection sends b, when b begins with a
// hello. It is for connections whose handshake was not seen.
func HelloFrom(b []byte) (from capture.Side, known bool) {
	switch {
	case len(b) > recordHeader && detectHello(b) == Yes:
		if b[recordHeader] == msgServerHello {
			return capture.Server, true
		}
		return capture.Client, true
	case detectV2(b) == Yes:
		return capture.Client, true
	}
	return 0, false
}

func detectV2(b []byte) Verdict {
	if len(b) < v2Header {
		if plausibleV2(b) {
			return More
		}
		return No
	}
	if _, _, ok := v2Hello(b); ok {
		return Yes
	}
	return No
}

// detectHello knows a record that begins with a ClientHello or a ServerHello:
// type, version and length of the record, then type and length of the message.
func detectHello(b []byte) Verdict {
	if b[0] != typeHandshake {
		return No
	}
	if len(b) < recordHeader {
		if plausible(b) && (len(b) < 4 || b[3] <= maxPlaintext>>8) {
			return More
		}
		return No
	}
	if _, n, ok := recordOf(b); !ok || n > maxPlaintext {
		return No
	} else if n < messageHeader {
		// The message's header is spread over records, which is lawful:
		// another record must follow, and the type must be a hello's.
		if len(b) > recordHeader && !isHello(b[recordHeader]) {
			return No
		}
		if len(b) < 2*recordHeader+n {
			return More
		}
		if typ, _, ok := recordOf(b[recordHeader+n:]); ok && typ == typeHandshake {
			return Yes
		}
		return No
	}
	m := b[recordHeader:]
	switch {
	case len(m) > 0 && !isHello(m[0]),
		len(m) > 1 && m[1] > maxHello>>16,
		len(m) > 3 && messageLen(m) < minHello:
		return No
	case len(m) < messageHeader:
		return More
	}
	return Yes
}

// detectAlert knows an unencrypted alert, which is what a TLS server answers to
// a client that speaks something else.
func detectAlert(b []byte) Verdict {
	want := [...]byte{0: typeAlert, 1: 3, 3: 0, 4: alertLen}
	for i, c := range want {
		if i == len(b) {
			return More
		}
		if i != 2 && b[i] != c || i == 2 && b[i] > 4 {
			return No
		}
	}
	switch {
	case len(b) == recordHeader:
		return More
	case b[recordHeader] != alertWarning && b[recordHeader] != alertFatal:
		return No
	case len(b) < recordHeader+alertLen:
		return More
	}
	return Yes
}
