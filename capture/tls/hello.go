package tls

// Handshake message types that matter here (RFC 8446, section 4).
const (
	msgHelloRequest = 0 // TLS 1.2 and earlier
	msgClientHello  = 1
	msgServerHello  = 2
)

const (
	messageHeader = 4 // type and length
	// minHello is the length of the shortest ServerHello; a ClientHello's is 41.
	minHello = 2 + 32 + 1 + 2 + 1
	// maxHello bounds the length of a hello that is read.
	maxHello = 1 << 16
)

func isHello(typ uint8) bool { return typ == msgClientHello || typ == msgServerHello }

// messageLen reads the length of a handshake message.
func messageLen(b []byte) int { return int(b[1])<<16 | int(b[2])<<8 | int(b[3]) }

// retryRandom is the Random of a ServerHello that is a HelloRetryRequest: the
// SHA-256 of "HelloRetryRequest" (RFC 8446, section 4.1.3).
const retryRandom = "\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91" +
	"\xC2\xA2\x11\x16\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2\xC8\xA8\x33\x9C"

// progress is what a hello says of the bytes it was fed.
type progress uint8

const (
	hungry   progress = iota // needs more
	complete                 // a whole hello was read
	foreign                  // the message is no hello
	broken                   // a hello that breaks the rules
	tooLong                  // a hello beyond maxHello
)

// step names the part of a message that a hello waits for.
type step uint8

const (
	stepHeader       step = iota // of the message
	stepFixed                    // version, random, length of the session id
	stepSession                  // passed over
	stepCiphersLen               // ClientHello
	stepCiphers                  // ClientHello; passed over
	stepCompressions             // ClientHello: their length
	stepChoice                   // ServerHello: cipher suite and compression method
	stepMethods                  // ClientHello: compression methods; passed over
	stepExtensions               // the length of all extensions
	stepExtension                // type and length of one
	stepBody                     // of an extension that is read
	stepIgnored                  // body of one that is not; passed over
)

// hello reads one ClientHello or ServerHello from its bytes as they come. It
// keeps an extension at most.
type hello struct {
	step step
	skip bool   // the part is passed over, not gathered
	need int    // length of the part
	have int    // bytes of it that are there
	left int    // bytes of the message after this part
	ext  uint16 // type of the extension
	seen uint8  // extensions that were read, as bits
	size int    // of the message
	part [maxExtension]byte

	typ     uint8
	retry   bool // a HelloRetryRequest
	version uint16
	ech     bool
	sniLen  uint8
	alpnLen uint16
	sni     [maxName]byte
	alpn    [maxALPN]byte
}

// begin makes h ready for the next message.
func (h *hello) begin() {
	h.step, h.skip, h.need, h.have, h.left = stepHeader, false, messageHeader, 0, 0
	h.seen, h.typ, h.retry, h.version, h.ech, h.sniLen, h.alpnLen = 0, 0, false, 0, false, 0, 0
}

// started reports whether h is within a message.
func (h *hello) started() bool { return h.step != stepHeader || h.have > 0 }

// feed takes the next bytes of the handshake and returns how many it used; all
// of them as long as it is hungry.
func (h *hello) feed(b []byte) (used int, p progress) {
	for {
		take := min(h.need-h.have, len(b)-used)
		if h.have == 0 && take == h.need && !h.skip { // in place
			part := b[used : used+take]
			used += take
			if p := h.take(part); p != hungry {
				return used, p
			}
			continue
		}
		if !h.skip {
			copy(h.part[h.have:], b[used:used+take])
		}
		h.have, used = h.have+take, used+take
		if h.have < h.need {
			return used, hungry
		}
		part := h.part[:0]
		if !h.skip {
			part = h.part[:h.need]
		}
		if p := h.take(part); p != hungry {
			return used, p
		}
	}
}

// want asks for the next n bytes, to be gathered as s.
func (h *hello) want(s step, n int) progress {
	if n > h.left {
		return broken
	}
	h.step, h.skip, h.need, h.have, h.left = s, false, n, 0, h.left-n
	return hungry
}

// pass asks for the next n bytes, to be passed over as s.
func (h *hello) pass(s step, n int) progress {
	p := h.want(s, n)
	h.skip = true
	return p
}

// take reads a part that is whole and asks for the next one.
func (h *hello) take(b []byte) progress {
	switch h.step {
	case stepHeader:
		return h.message(b)
	case stepFixed:
		// RFC 8446, section 4.1.2: "ProtocolVersion legacy_version; Random
		// random; opaque legacy_session_id<0..32>;"
		h.version = uint16(b[0])<<8 | uint16(b[1])
		if h.typ == msgServerHello && h.version>>8 == 0x7f {
			// Drafts of TLS 1.3 up to 21, whose ServerHello was laid out
			// otherwise: nothing else in it matters.
			h.version = known(h.version)
			return complete
		}
		h.retry = h.typ == msgServerHello && string(b[2:34]) == retryRandom
		if b[34] > 32 {
			return broken
		}
		return h.pass(stepSession, int(b[34]))
	case stepSession:
		if h.typ == msgServerHello {
			return h.want(stepChoice, 3)
		}
		return h.want(stepCiphersLen, 2)
	case stepCiphersLen:
		// "CipherSuite cipher_suites<2..2^16-2>;" of two bytes each.
		n := int(b[0])<<8 | int(b[1])
		if n < 2 || n%2 != 0 {
			return broken
		}
		return h.pass(stepCiphers, n)
	case stepCiphers:
		return h.want(stepCompressions, 1)
	case stepCompressions:
		// "opaque legacy_compression_methods<1..2^8-1>;"
		if b[0] == 0 {
			return broken
		}
		return h.pass(stepMethods, int(b[0]))
	case stepChoice, stepMethods:
		// RFC 5246, section 7.4.1.2: "The presence of extensions can be
		// detected by determining whether there are bytes following the
		// compression_methods at the end of the ClientHello."
		if h.left == 0 {
			return complete
		}
		return h.want(stepExtensions, 2)
	case stepExtensions:
		// Same section: "the server [...] MUST check that the amount of data
		// in the message precisely matches one of these formats; if not, then
		// it MUST send a fatal "decode_error" alert."
		if n := int(b[0])<<8 | int(b[1]); n != h.left {
			return broken
		}
		return h.nextExtension()
	case stepExtension:
		h.ext = uint16(b[0])<<8 | uint16(b[1])
		return h.extension(int(b[2])<<8 | int(b[3]))
	case stepBody:
		h.read(b)
	}
	return h.nextExtension()
}

// message reads the header of a handshake message.
func (h *hello) message(b []byte) progress {
	n := messageLen(b)
	h.typ, h.size = b[0], n
	switch {
	case !isHello(h.typ):
		return foreign
	case n > maxHello:
		return tooLong
	}
	h.left = n
	return h.want(stepFixed, 2+32+1)
}

func (h *hello) nextExtension() progress {
	if h.left == 0 {
		return complete
	}
	return h.want(stepExtension, 4)
}
