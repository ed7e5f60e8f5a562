package http1

import "math"

// head holds what the fields of one head say about its message.
type head struct {
	size    int   // bytes so far, start line included
	fields  int   // field lines so far
	length  int64 // Content-Length, when hasLength
	status  uint16
	version uint8
	last    fieldID // of the line before, for obs-fold

	hasLength   bool // a valid Content-Length
	emptyLength bool // Content-Length without a value (one may follow folded)
	badLength   bool // not a number, or several that differ
	hasCoding   bool // a Transfer-Encoding that names a coding
	chunked     bool // whose last coding is chunked
	badCoding   bool // that breaks its grammar
	badField    bool // a line that is no field: the framing cannot be trusted
	large       bool // beyond the bounds: only framing is read any more
	long        bool // the line at hand is too long and is skipped to its end
	started     bool // the start line has been read
	interim     bool // 1xx other than 101
	expects     bool // the client waits for a word of the server before it sends the body
}

type fieldID uint8

// The fields that are looked at: those from fieldContentLength on always, others
// when an Exchange is to be written; see [Pool.firstLookedAt].
const (
	fieldOther fieldID = iota
	fieldHost
	fieldTraceParent
	fieldTraceState
	fieldContentLength
	fieldTransferEncoding
	fieldUserAgent
	fieldExpect
)

// fieldOf tells which field name is; name is not empty. Most names differ in
// length already, and most peers write names as the RFCs do.
func fieldOf(name []byte) fieldID {
	switch len(name) {
	case 4:
		if string(name) == "Host" || equalFold(name, "host") {
			return fieldHost
		}
	case 6:
		if name[0]|0x20 == 'e' && equalFold(name, "expect") {
			return fieldExpect
		}
	case 10:
		switch name[0] | 0x20 {
		case 'u':
			if string(name) == "User-Agent" || equalFold(name, "user-agent") {
				return fieldUserAgent
			}
		case 't':
			if equalFold(name, "tracestate") {
				return fieldTraceState
			}
		}
	case 11:
		if string(name) == "traceparent" || equalFold(name, "traceparent") {
			return fieldTraceParent
		}
	case 14:
		if string(name) == "Content-Length" || equalFold(name, "content-length") {
			return fieldContentLength
		}
	case 17:
		if string(name) == "Transfer-Encoding" || equalFold(name, "transfer-encoding") {
			return fieldTransferEncoding
		}
	}
	return fieldOther
}

// field reads one line of a head that is not empty:
//
//	field-line = field-name ":" OWS field-value OWS
//
// RFC 9112, section 5.
func (m *message) field(pool *Pool, line []byte, request bool) {
	h := &m.head
	// RFC 9112, section 5.2: "A server that receives an obs-fold in a request
	// message [...] MUST either reject the message [...] or replace each received
	// obs-fold with one or more SP octets".
	if isBlank(line[0]) {
		m.fold(trimBlank(line), request)
		return
	}
	h.fields++
	n := tokenLen(line)
	h.last = fieldOther
	if n == 0 {
		h.badField = true
		return
	}
	name, rest := line[:n], line[n:]
	// RFC 9112, section 5.1: "No whitespace is allowed between the field name
	// and colon. [...] A server MUST reject, with a response status code of 400
	// (Bad Request), any received request message that contains whitespace
	// between a header field name and colon. A proxy MUST remove any such
	// whitespace from a response message".
	if len(rest) > 0 && isBlank(rest[0]) {
		rest = trimBlank(rest)
		h.badField = h.badField || request
	}
	if len(rest) == 0 || rest[0] != ':' {
		h.badField = true
		return
	}
	h.last = fieldOf(name)
	if h.last >= pool.firstLookedAt(request) {
		m.value(pool, h.last, name, trimBlank(rest[1:]), request)
	}
}

// value reads the value of a field that is looked at or perhaps kept.
func (m *message) value(pool *Pool, id fieldID, name, value []byte, request bool) {
	h := &m.head
	switch id {
	case fieldContentLength:
		h.contentLength(value)
	case fieldTransferEncoding:
		h.transferEncoding(value, request)
	case fieldExpect:
		h.expects = request && equalFold(value, "100-continue")
	}
	if m.x != nil && !h.large && !h.interim && pool.book.Full() != nil {
		m.keep(pool, id, name, value, request)
	}
	if id == fieldUserAgent && request && m.x != nil {
		m.probe = m.probe || isProbe(value)
	}
}

// fold reads a line that continues the field before it. Only fields that frame
// the message are followed; of others the first line is kept.
func (m *message) fold(value []byte, request bool) {
	h := &m.head
	switch {
	case h.fields == 0 && !h.large:
		// RFC 9112, section 2.2: "A recipient that receives whitespace between
		// the start-line and the first header field MUST either reject the
		// message as invalid or consume each whitespace-preceded line".
		h.badField = true
	case h.last == fieldContentLength && h.emptyLength:
		h.emptyLength = false
		h.contentLength(value)
	case h.last == fieldContentLength:
		h.badLength = true
	case h.last == fieldTransferEncoding:
		h.transferEncoding(value, request)
	}
	// Peers differ in what they make of a folded framing field.
	if request && (h.last == fieldContentLength || h.last == fieldTransferEncoding) {
		h.badField = true
	}
}

// keep copies the values that an Exchange has a place for.
func (m *message) keep(pool *Pool, id fieldID, name, value []byte, request bool) {
	x, list := m.x, &pool.response
	if request {
		list = &pool.request
		switch id {
		case fieldHost:
			// RFC 9112, section 3.2.2: with an absolute-form target "the origin
			// server MUST ignore the received Host header field".
			if x.host.n == 0 {
				x.host = x.keep(pool, withoutUserinfo(value), maxHost)
			}
		case fieldUserAgent:
			if x.agent.n == 0 {
				x.agent = x.keep(pool, value, maxAgent)
			}
		case fieldTraceParent:
			// W3C Trace Context, section 3.2.2, knows one value of one form. Which of
			// several holds nobody can tell: a new trace begins, as it does for a
			// field that is not valid (section 4.3).
			if x.hasParent {
				x.parent = span{}
			} else {
				x.parent = x.keep(pool, value, maxTraceParent)
			}
			x.hasParent = true
		case fieldTraceState:
			// W3C Trace Context, section 3.3.1: "Multiple tracestate header fields
			// MUST be handled as specified by RFC7230 Section 3.2.2 Field Order",
			// now RFC 9110, section 5.3.
			x.state = x.extend(pool, x.state, value, maxTraceState)
		}
	}
	if len(list.names) == 0 || len(x.headers) >= maxHeadersKept {
		return
	}
	if n := list.find(name); n != nil {
		x.headers = append(x.headers, headerSpan{n, x.keep(pool, value, maxHeaderValue)})
		if request {
			x.requestHeaders = len(x.headers)
		}
	}
}

// contentLength reads one Content-Length value (RFC 9110, section 8.6):
//
//	Content-Length = 1*DIGIT
//
// RFC 9112, section 6.3: a list of the same valid number is read as that
// number; anything else "the recipient MUST treat [...] as an unrecoverable error".
func (h *head) contentLength(value []byte) {
	if len(value) == 0 {
		h.emptyLength = true
		return
	}
	for {
		n, i := int64(0), 0
		for ; i < len(value) && value[i] >= '0' && value[i] <= '9'; i++ {
			if n > (math.MaxInt64-9)/10 {
				h.badLength = true
				return
			}
			n = n*10 + int64(value[i]-'0')
		}
		if i == 0 || h.hasLength && n != h.length {
			h.badLength = true
			return
		}
		h.hasLength, h.length = true, n
		value = trimBlank(value[i:])
		if len(value) == 0 {
			return
		}
		if value[0] != ',' {
			h.badLength = true
			return
		}
		value = trimBlank(value[1:])
	}
}

// transferEncoding reads one Transfer-Encoding value (RFC 9112, section 6.1):
//
//	Transfer-Encoding = #transfer-coding
func (h *head) transferEncoding(value []byte, request bool) {
	for len(value) > 0 {
		n := 0
		for n < len(value) && value[n] != ',' {
			n++
		}
		coding := trimBlank(value[:n])
		value = value[min(n+1, len(value)):]
		switch {
		case len(coding) == 0:
			// RFC 9110, section 5.6.1.2: "A recipient MUST parse and ignore a
			// reasonable number of empty list elements".
		case equalFold(coding, "identity"):
			// RFC 2616 had it, meaning none; servers that read a request refuse it.
			h.badCoding = h.badCoding || request
		default:
			// "A sender MUST NOT apply the chunked transfer coding more than once".
			h.badCoding = h.badCoding || h.chunked
			h.hasCoding = true
			h.chunked = equalFold(coding, "chunked")
		}
	}
}

// isProbe tells a health check by its User-Agent.
func isProbe(agent []byte) bool {
	if len(agent) == 0 {
		return false
	}
	switch agent[0] | 0x20 {
	case 'k':
		return hasPrefixFold(agent, "kube-probe/")
	case 'g':
		return hasPrefixFold(agent, "googlehc/")
	case 'e':
		return hasPrefixFold(agent, "elb-healthchecker/")
	}
	return false
}
