package dns

import "encoding/binary"

const (
	headerLen = 12
	// RFC 1035, section 2.3.4: "names 255 octets or less", "labels 63 octets or
	// less".
	maxName  = 255
	maxLabel = 63
	typeOPT  = 41
	typeANY  = 255
	maxText  = 253 // of a name in text
)

// message is what is read of a DNS message.
type message struct {
	id          uint16
	answer      bool // the QR bit
	truncated   bool // the TC bit
	rcode       uint16
	hasQuestion bool
	typ         uint16
	// records counts the answer section by its header; match says that one of
	// them has the type asked for, and whole that all records could be read.
	records int
	match   bool
	whole   bool

	nameLen int
	name    [maxName]byte // on the wire's form, in lower case
}

// parse reads the message b, of which the capture may have cut the end. It
// returns false for what is no query and no answer to one.
func (m *message) parse(b []byte) bool {
	if len(b) < headerLen {
		return false
	}
	m.id = binary.BigEndian.Uint16(b)
	m.answer, m.truncated, m.rcode = b[2]&0x80 != 0, b[2]&2 != 0, uint16(b[3]&0xf)
	m.hasQuestion, m.match, m.whole, m.nameLen = false, false, false, 0
	questions := binary.BigEndian.Uint16(b[4:])
	m.records = int(binary.BigEndian.Uint16(b[6:]))
	// RFC 9619, section 4: "A DNS message with OPCODE = 0 MUST NOT include a
	// QDCOUNT parameter whose value is greater than 1."
	if opcode := b[2] >> 3 & 0xf; opcode != 0 || questions > 1 {
		return false
	}
	// RFC 6895, section 2.1: the Z bit "must be zero in all queries".
	if !m.answer && (questions != 1 || m.records != 0 || m.rcode != 0 || b[3]&0x40 != 0) {
		return false
	}
	at := headerLen
	if questions == 1 {
		var end int
		if end = m.question(b); end < 0 {
			return false
		}
		if end > 0 {
			m.hasQuestion = true
			at = end
		} else if !m.answer {
			return false // cut within the question
		}
	}
	if m.answer && m.hasQuestion == (questions == 1) {
		m.sections(b, at)
	}
	return true
}

// question reads the question behind the header and returns where it ends: 0
// when b ends within it, -1 when it breaks the rules.
func (m *message) question(b []byte) int {
	at, n := headerLen, 0
	for {
		if at >= len(b) {
			return 0
		}
		l := int(b[at])
		// RFC 1035, section 4.1.4: a pointer leads to "a prior occurance of the
		// same name", of which the first name of a message has none.
		if l > maxLabel || n+1+l > maxName || l > 0 && n+2+l > maxName {
			return -1
		}
		if at+1+l > len(b) {
			return 0
		}
		m.name[n] = byte(l)
		for i, c := range b[at+1 : at+1+l] {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			m.name[n+1+i] = c
		}
		n, at = n+1+l, at+1+l
		if l == 0 {
			break
		}
	}
	if at+4 > len(b) {
		return 0
	}
	m.nameLen = n
	m.typ = binary.BigEndian.Uint16(b[at:])
	if m.typ == 0 || m.typ == typeOPT {
		return -1
	}
	return at + 4
}

// sections walks over the records behind the question: the answer's types, and
// the OPT record, which holds the upper bits of the response code. The walk ends
// with b: each record takes 11 bytes and more.
func (m *message) sections(b []byte, at int) {
	counts := [3]int{m.records, int(binary.BigEndian.Uint16(b[8:])), int(binary.BigEndian.Uint16(b[10:]))}
	for section, n := range counts {
		for range n {
			if at = skipName(b, at); at < 0 || at+10 > len(b) {
				return
			}
			typ := binary.BigEndian.Uint16(b[at:])
			switch {
			case section == 0:
				m.match = m.match || typ == m.typ || m.typ == typeANY
			case section == 2 && typ == typeOPT:
				// RFC 6891, section 6.1.3: EXTENDED-RCODE "Forms the upper 8
				// bits of extended 12-bit RCODE".
				m.rcode = m.rcode&0xf | uint16(b[at+4])<<4
			}
			if at += 10 + int(binary.BigEndian.Uint16(b[at+8:])); at > len(b) {
				return
			}
		}
	}
	m.whole = true
}

// skipName returns where the name at the given place ends, -1 when it has no
// end in b or breaks the rules. A pointer ends a name: it is not followed, so
// that no loop of pointers can cost anything.
func skipName(b []byte, at int) int {
	for n := 0; at < len(b); {
		l := int(b[at])
		switch {
		case l == 0:
			return at + 1
		case l >= 0xc0:
			// It must lead back (section 4.1.4), and not into the header.
			if at+2 > len(b) {
				return -1
			}
			if to := l&0x3f<<8 | int(b[at+1]); to < headerLen || to >= at {
				return -1
			}
			return at + 2
		case l > maxLabel:
			return -1
		}
		if n += 1 + l; n >= maxName {
			return -1
		}
		at += 1 + l
	}
	return -1
}

// appendName appends a name on the wire's form as text (RFC 1035, section 5.1),
// at most maxText bytes of it, whole characters and escapes only.
func appendName(dst, name []byte) []byte {
	if len(name) <= 1 {
		return append(dst, '.')
	}
	end := len(dst) + maxText
	for at := 0; at < len(name) && name[at] != 0; {
		l := int(name[at])
		if at > 0 {
			if len(dst) == end {
				return dst
			}
			dst = append(dst, '.')
		}
		for _, c := range name[at+1 : at+1+l] {
			switch {
			case c == '.' || c == '\\' || c == '"':
				if len(dst)+2 > end {
					return dst
				}
				dst = append(dst, '\\', c)
			case c <= ' ' || c > '~':
				// "\DDD where each D is a digit".
				if len(dst)+4 > end {
					return dst
				}
				dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
			default:
				if len(dst) == end {
					return dst
				}
				dst = append(dst, c)
			}
		}
		at += 1 + l
	}
	return dst
}
