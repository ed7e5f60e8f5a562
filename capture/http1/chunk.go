package http1

import (
	"bytes"

	"github.com/wiretell/wiretell/capture"
)

// readChunk reads what stands between two pieces of chunk-data:
//
//	chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
//
// RFC 9112, section 7.1. A lone LF ends a line, as in a head.
func (p *Parser) readChunk(s *stream, g *segment) {
	m := s.msg
	if m.body == 0 && m.digits == 0 && s.state == stateChunkSize && p.withheld(m, g) {
		p.finish(s, g.from, g.at, g.offset())
		return
	}
	b := g.rest()
	m.last = g.at.Time
	i := 0
	for ; i < len(b); i++ {
		c := b[i]
		switch s.state {
		case stateChunkSize:
			if d := hexDigit(c); d >= 0 {
				if !m.addDigit(d) {
					p.badChunk(s, g, i)
					return
				}
				continue
			}
			if m.digits == 0 {
				p.badChunk(s, g, i)
				return
			}
			s.state, m.digits = stateChunkExt, 0
			switch {
			case c == '\n':
			case c == '\r' || c == ';' || isBlank(c):
				m.extension = c == ';'
				continue
			default:
				p.badChunk(s, g, i)
				return
			}
		case stateChunkExt:
			// Section 7.1.1: "A recipient MUST ignore unrecognized chunk
			// extensions".
			if m.extension && c != '\n' {
				if j := bytes.IndexByte(b[i:], '\n'); j >= 0 {
					i += j
				} else {
					i = len(b) - 1
					continue
				}
			}
			switch {
			case b[i] == '\n':
			case b[i] == '\r' || isBlank(b[i]):
				continue
			case b[i] == ';':
				m.extension = true
				continue
			default:
				p.badChunk(s, g, i)
				return
			}
		case stateChunkEnd:
			if c == '\r' && m.digits == 0 {
				m.digits = 1
				continue
			}
			if c != '\n' {
				p.badChunk(s, g, i)
				return
			}
			s.state, m.digits, m.remain = stateChunkSize, 0, 0
			continue
		}
		// The line end of a chunk-size.
		m.extension = false
		m.wire += int64(i + 1)
		p.took(g, i+1, capture.DeliveredHTTP1Head)
		if m.remain > 0 {
			s.state = stateChunkData
		} else {
			s.state, m.digits = stateTrailer, lineStart
		}
		return
	}
	m.wire += int64(i)
	p.took(g, i, capture.DeliveredHTTP1Head)
}

// addDigit takes a digit of the chunk-size; it reports false when there are too
// many. "A recipient MUST anticipate potentially large hexadecimal numerals and
// prevent parsing errors due to integer conversion overflows".
func (m *message) addDigit(d int) bool {
	if m.remain >= 1<<58 {
		return false
	}
	m.remain = m.remain<<4 | int64(d)
	m.digits = 1
	return true
}

// badChunk refuses the message at the i-th byte of the segment's rest.
func (p *Parser) badChunk(s *stream, g *segment, i int) {
	s.msg.wire += int64(i)
	if i > 0 {
		p.took(g, i, capture.DeliveredHTTP1Head)
	}
	p.refuse(s, g, capture.ReasonBadChunk)
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// Where in a trailer line the next byte is (message.digits).
const (
	lineStart = iota
	lineCR    // behind a CR that begins the line
	lineInside
)

// readTrailer passes over the trailer section up to its empty line:
//
//	trailer-section = *( field-line CRLF )
//
// Section 7.1.2: a recipient "MAY [...] ignore" trailer fields; none is kept.
func (p *Parser) readTrailer(s *stream, g *segment) {
	m := s.msg
	b := g.rest()
	m.last = g.at.Time
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\n':
			if m.digits != lineInside {
				m.wire += int64(i + 1)
				p.took(g, i+1, capture.DeliveredHTTP1Head)
				p.finish(s, g.from, g.at, g.offset())
				return
			}
			m.digits = lineStart
		case b[i] == '\r' && m.digits == lineStart:
			m.digits = lineCR
		default:
			m.digits = lineInside
			if j := bytes.IndexByte(b[i:], '\n'); j >= 0 {
				i += j - 1
			} else {
				i = len(b)
			}
		}
	}
	m.wire += int64(len(b))
	before := m.extra
	m.extra += int64(len(b))
	if limit := int64(p.pool.cfg.MaxHead); before <= limit && m.extra > limit {
		p.parseError(g.from, g.at, capture.ReasonHeaderTooLarge)
	}
	p.took(g, len(b), capture.DeliveredHTTP1Head)
}
