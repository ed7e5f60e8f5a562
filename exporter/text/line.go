package text

import (
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wiretell/wiretell/capture"
)

// line builds "TIME KIND key=value ..." in memory that is used again. Values
// come from the wire, so that everything but plain printable text is quoted.
type line struct {
	b []byte
}

func (l *line) begin(at capture.Time, kind string) {
	if at == 0 { // of a capture without a packet nobody knows the time
		l.b = append(l.b[:0], '-')
	} else {
		l.b = at.Std().AppendFormat(l.b[:0], "2006-01-02T15:04:05.000000000Z")
	}
	l.b = append(l.b, ' ')
	l.b = append(l.b, kind...)
}

func (l *line) key(k string) {
	l.b = append(l.b, ' ')
	l.b = append(l.b, k...)
	l.b = append(l.b, '=')
}

func (l *line) str(k, v string) {
	if v == "" {
		return
	}
	l.key(k)
	l.b = appendValue(l.b, v)
}

func (l *line) num(k string, v int64) {
	l.key(k)
	l.b = strconv.AppendInt(l.b, v, 10)
}

// some prints a number unless it is 0.
func (l *line) some(k string, v int64) {
	if v != 0 {
		l.num(k, v)
	}
}

func (l *line) dur(k string, d time.Duration) {
	l.key(k)
	l.b = append(l.b, d.String()...)
}

// stalls prints how often and how long a window let nothing through, unless it
// always did.
func (l *line) stalls(k string, s capture.Stalls) {
	if s.Count != 0 {
		l.num(k, int64(s.Count))
		l.dur(k+"_time", s.Time)
	}
}

func (l *line) end(k string, e capture.Endpoint) {
	l.key(k)
	l.b = e.AddrPort().AppendTo(l.b)
}

// conn prints what identifies a connection.
func (l *line) conn(c *capture.Conn) {
	l.num("conn", int64(c.ID))
	l.end("client", c.Client)
	l.end("server", c.Server)
	if c.Role != capture.RoleUnknown {
		l.str("role", c.Role.String())
	}
}

// appendValue appends v, quoted unless it is plain.
func appendValue(b []byte, v string) []byte {
	for _, r := range v {
		if r <= ' ' || r == '"' || r == '\\' || r == '=' || r == utf8.RuneError || !unicode.IsPrint(r) {
			return strconv.AppendQuote(b, v)
		}
	}
	return append(b, v...)
}
