package tls

// Content types of a record (RFC 8446, appendix B.1).
const (
	typeChangeCipherSpec = 20
	typeAlert            = 21
	typeHandshake        = 22
	typeApplicationData  = 23
)

const (
	recordHeader = 5 // type, version, length
	// RFC 8446, section 5.1: "The length MUST NOT exceed 2^14 bytes."
	maxPlaintext = 1 << 14
	// RFC 5246, section 6.2.3: "The length MUST NOT exceed 2^14 + 2048."
	maxCiphertext = 1<<14 + 2048
)

// recordOf reads the header of a record; ok is false when it cannot be one. It
// needs recordHeader bytes.
func recordOf(b []byte) (typ uint8, n int, ok bool) {
	_ = b[recordHeader-1]
	typ, n = b[0], int(b[3])<<8|int(b[4])
	// RFC 8446, section 5.1, of legacy_record_version: it "MUST be ignored for
	// all purposes"; but all that were ever sent lie in 0x0300 to 0x0304.
	//
	// Same section: "Implementations MUST NOT send zero-length fragments of
	// Handshake types", nor of alerts; an encrypted record is never empty.
	ok = typ >= typeChangeCipherSpec && typ <= typeApplicationData &&
		b[1] == 3 && b[2] <= 4 && n >= 1 && n <= maxCiphertext
	return typ, n, ok
}

// plausible reports whether b, shorter than a header, may begin one.
func plausible(b []byte) bool {
	return (len(b) < 1 || b[0] >= typeChangeCipherSpec && b[0] <= typeApplicationData) &&
		(len(b) < 2 || b[1] == 3) &&
		(len(b) < 3 || b[2] <= 4) &&
		(len(b) < 4 || b[3] <= maxCiphertext>>8)
}

// v2Header is how much of a version 2 hello is needed to know it.
const v2Header = 11

// v2Hello reads a version 2 ClientHello (RFC 5246, appendix E.2) and returns
// the version it offers and its whole length. It needs v2Header bytes.
func v2Hello(b []byte) (version uint16, n int, ok bool) {
	_ = b[v2Header-1]
	// "The highest bit MUST be 1; the remaining bits contain the length of the
	// following data in bytes."
	n = int(b[0]&0x7f)<<8 | int(b[1])
	version = uint16(b[3])<<8 | uint16(b[4])
	specs, session, challenge := int(b[5])<<8|int(b[6]), int(b[7])<<8|int(b[8]), int(b[9])<<8|int(b[10])
	ok = b[0]&0x80 != 0 && b[2] == msgClientHello &&
		(version == 0x0002 || version >= 0x0300 && version <= 0x0304) &&
		// "This field [...] MUST be a multiple of the V2CipherSpec length (3)."
		specs > 0 && specs%3 == 0 &&
		// "This field MUST have a value of zero for a client that claims to
		// support TLS 1.2"; before that 16 was valid too.
		(session == 0 || session == 16) &&
		challenge >= 16 && challenge <= 32 &&
		n == v2Header-2+specs+session+challenge
	return version, n + 2, ok
}

// plausibleV2 reports whether b, shorter than v2Header, may begin a version 2 hello.
func plausibleV2(b []byte) bool {
	return (len(b) < 1 || b[0]&0x80 != 0) &&
		(len(b) < 3 || b[2] == msgClientHello) &&
		(len(b) < 4 || b[3] == 3 || b[3] == 0) &&
		(len(b) < 5 || b[3] == 3 && b[4] <= 4 || b[3] == 0 && b[4] == 2) &&
		(len(b) < 8 || b[7] == 0) &&
		(len(b) < 9 || b[8] == 0 || b[8] == 16) &&
		(len(b) < 10 || b[9] == 0)
}
