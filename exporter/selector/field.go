package selector

import (
	"strings"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/exporter"
)

// Type is the type of a field's value.
type Type string

// Types of fields. Integers and numbers compare with each other.
const (
	Text    Type = "text"
	Integer Type = "integer"
	Number  Type = "number"
	Boolean Type = "boolean"
)

// comparable reports whether values of the two types can be compared.
func (t Type) comparable(o Type) bool { return t.numeric() && o.numeric() || t == o }

func (t Type) numeric() bool { return t == Integer || t == Number }

// Field is one name that an expression may use.
type Field struct {
	Name        string
	Type        Type
	Description string
	Example     string // a whole expression
}

// Fields returns every field in the order of the documentation. The caller owns
// the slice.
func Fields() []Field {
	all := make([]Field, len(fields))
	for i := range fields {
		all[i] = fields[i].Field
	}
	return all
}

// field is a Field and how its value is made. A value that does not apply is
// "", 0 or false: it is never nil.
type field struct {
	Field
	get func(*subject) any
}

// fields is the one table: what expressions may use, and what is documented.
var fields = []field{
	{Field{"kind", Text, "What it is: `http` (an exchange, or bytes that broke HTTP's rules), `tcp`, `icmp`, `tls` or `dns`.", `kind == "icmp"`},
		func(s *subject) any { return s.kind }},
	{Field{"error", Text, "What failed: the words of `error.type` (`reset`, `timed_out`, `refused`, ..., or the status code where the conventions call it an error), the reason of a parse error, `tls_alert` for a fatal alert; empty when nothing did.", `error != ""`},
		(*subject).errorType},
	{Field{"incomplete", Text, "What wiretell did not see of the exchange: `gap`, `truncated_frame`, `joined_midstream`, `evicted`; empty when it saw all.", `incomplete == ""`},
		func(s *subject) any {
			switch {
			case s.ex == nil:
				return ""
			case s.ex.Incomplete == capture.ReasonNone && !exporter.IsWireError(s.ex.Error):
				return s.word(s.ex.Error)
			}
			return s.word(s.ex.Incomplete)
		}},
	{Field{"role", Text, "Which side of the connection is observed: `server`, `client`, `both` (loopback) or `unknown`; empty without a connection.", `role == "client"`},
		func(s *subject) any {
			if o, ok := s.o.(*capture.DNSLookup); ok {
				return o.Role.String()
			}
			if s.conn == nil {
				return ""
			}
			return s.conn.Role.String()
		}},
	{Field{"client.address", Text, "The address of the side that connected; of an ICMP error, the source of the packet it quotes.", `client.address == "10.0.0.7"`},
		func(s *subject) any { return address(s.client, s.known) }},
	{Field{"client.port", Integer, "Its port.", `client.port < 1024`},
		func(s *subject) any { return s.integer(int64(s.client.Port)) }},
	{Field{"server.address", Text, "The address of the side that listened; of an ICMP error, the destination of the packet it quotes.", `server.address == "10.0.0.9"`},
		func(s *subject) any { return address(s.server, s.known) }},
	{Field{"server.port", Integer, "Its port.", `server.port == 8080`},
		func(s *subject) any { return s.integer(int64(s.server.Port)) }},
	{Field{"trace_id", Text, "The trace id that the request carried in `traceparent`; empty when it carried none.", `trace_id != ""`},
		func(s *subject) any {
			if s.ex == nil {
				return ""
			}
			return exporter.TraceID(s.ex.TraceParent)
		}},
	{Field{"http.method", Text, "The request's method as on the wire.", `http.method == "POST"`},
		func(s *subject) any { return s.http(func(ex *capture.Exchange) []byte { return ex.Method }) }},
	{Field{"http.host", Text, "The Host field as on the wire.", `http.host == "shop.example"`},
		func(s *subject) any { return s.http(func(ex *capture.Exchange) []byte { return ex.Host }) }},
	{Field{"http.path", Text, "The path of the target, before any `?`.", `not IsMatch(http.path, "^/health")`},
		func(s *subject) any { return s.http(func(ex *capture.Exchange) []byte { return path(ex.Target) }) }},
	{Field{"http.user_agent", Text, "The User-Agent field.", `IsMatch(http.user_agent, "^kube-probe/")`},
		func(s *subject) any { return s.http(func(ex *capture.Exchange) []byte { return ex.UserAgent }) }},
	{Field{"http.status", Integer, "The final response's status code; 0 when none was seen.", `http.status >= 400`},
		func(s *subject) any {
			return s.exchangeNumber(func(ex *capture.Exchange) int64 { return int64(ex.Status) })
		}},
	{Field{"http.duration", Number, "Seconds from the first byte of the request to the last byte of the response; 0 unless both were seen.", `http.duration > 0.5`},
		func(s *subject) any {
			if s.ex == nil || s.ex.RequestStart == 0 || s.ex.ResponseEnd == 0 {
				return 0.0
			}
			return max(0, s.ex.ResponseEnd.Sub(s.ex.RequestStart).Seconds())
		}},
	{Field{"http.bytes", Integer, "Bytes of request and response together, with heads and framing.", `http.bytes > 1000000`},
		func(s *subject) any {
			return s.exchangeNumber(func(ex *capture.Exchange) int64 { return ex.RequestWire + ex.ResponseWire })
		}},
	{Field{"http.lost_bytes", Integer, "Bytes of the exchange that were never captured.", `http.lost_bytes > 0`},
		func(s *subject) any {
			return s.exchangeNumber(func(ex *capture.Exchange) int64 { return ex.LostBytes })
		}},
	{Field{"tcp.retransmits", Integer, "Segments sent again while the exchange lasted, or on the connection that closed.", `tcp.retransmits > 0`},
		func(s *subject) any {
			if o, ok := s.o.(*capture.ConnClosed); ok {
				return s.integer(int64(o.Retransmits[capture.Client] + o.Retransmits[capture.Server]))
			}
			return s.exchangeNumber(func(ex *capture.Exchange) int64 { return int64(ex.Path.Retransmits) })
		}},
	{Field{"tcp.rtt", Number, "Mean round-trip time in seconds of the exchange, or of the connection that closed; 0 when not measured.", `tcp.rtt > 0.1`},
		func(s *subject) any {
			switch o := s.o.(type) {
			case *capture.ConnClosed:
				return o.RTTMean.Seconds()
			case *capture.Exchange:
				return o.Path.RTT.Seconds()
			}
			return 0.0
		}},
	{Field{"tcp.reset", Boolean, "Whether the connection was reset.", `tcp.reset == true`},
		func(s *subject) any {
			switch o := s.o.(type) {
			case *capture.ConnReset:
				return true
			case *capture.ConnClosed:
				return o.Why == capture.ReasonReset
			case *capture.Exchange:
				return o.Error == capture.ReasonReset
			}
			return false
		}},
	{Field{"tcp.phase", Text, "What a connection was doing when it was reset or stood still: `handshake`, `idle`, `request`, `response`, `closing` or `unacknowledged`.", `tcp.phase == "request"`},
		func(s *subject) any {
			switch o := s.o.(type) {
			case *capture.ConnReset:
				return o.Phase.String()
			case *capture.ConnStuck:
				return o.Phase.String()
			}
			return ""
		}},
	{Field{"tcp.stuck", Text, "What a connection waits for: `half_closed`, `close_unacknowledged`, `stalled` or `stream_timeout`.", `tcp.stuck == "stalled"`},
		func(s *subject) any {
			if o, ok := s.o.(*capture.ConnStuck); ok {
				return o.Kind.String()
			}
			return ""
		}},
	{Field{"cause", Text, "What the packets prove of how it came to an error: the words of `wiretell.cause`.", `cause == "server_silent"`},
		func(s *subject) any { return s.cause().String() }},
	{Field{"tcp.attempts", Integer, "SYNs of a connection that was never established.", `tcp.attempts > 3`},
		func(s *subject) any {
			if o, ok := s.o.(*capture.ConnFailed); ok {
				return s.integer(int64(o.Attempts))
			}
			return s.integer(0)
		}},
	{Field{"icmp.type", Integer, "The type of an ICMP error, or of the one that made a connect fail; -1 when there is none.", `icmp.type == 3`},
		func(s *subject) any {
			if h := s.icmp(); h != nil {
				return s.integer(int64(h.Type))
			}
			return int64(-1)
		}},
	{Field{"icmp.code", Integer, "Its code; -1 when there is none.", `icmp.type == 3 and icmp.code == 4`},
		func(s *subject) any {
			if h := s.icmp(); h != nil {
				return s.integer(int64(h.Code))
			}
			return int64(-1)
		}},
	{Field{"tls.sni", Text, "The server name of a TLS client hello.", `IsMatch(tls.sni, "[.]example$")`},
		func(s *subject) any {
			if o, ok := s.o.(*capture.TLSHello); ok {
				return string(o.SNI)
			}
			return ""
		}},
	{Field{"dns.name", Text, "The name that a DNS query asked for.", `dns.name == "db.shop.svc.cluster.local"`},
		func(s *subject) any {
			if o, ok := s.o.(*capture.DNSLookup); ok {
				return string(o.Name)
			}
			return ""
		}},
}

// lookup returns the field of that name, nil when there is none.
func lookup(name string) *field {
	for i := range fields {
		if fields[i].Name == name {
			return &fields[i]
		}
	}
	return nil
}

// subject is what an expression is evaluated on. Fields are made of it when the
// expression asks for them. One is used again and again.
type subject struct {
	boxes
	o              capture.Observation
	ex             *capture.Exchange // o, when it is one
	conn           *capture.Conn     // nil when it has none
	client, server capture.Endpoint
	known          bool // client and server are
	kind           any  // a constant
}

// boxes hold values that were put into interfaces once, so that they need no
// memory when they are asked for.
type boxes struct {
	integers [1024]any
	words    [capture.NumReasons]any
	texts    map[string]any // few: words of errors
}

func (b *boxes) fill() {
	b.texts = make(map[string]any)
	for i := range b.integers {
		b.integers[i] = int64(i)
	}
	for r := range b.words {
		b.words[r] = capture.Reason(r).String()
	}
}

func (b *boxes) integer(n int64) any {
	if n >= 0 && n < int64(len(b.integers)) {
		return b.integers[n]
	}
	return n
}

// text takes words of which there are few.
func (b *boxes) text(v string) any {
	a, ok := b.texts[v]
	if !ok {
		a = v
		b.texts[v] = a
	}
	return a
}

func (b *boxes) word(r capture.Reason) any {
	if int(r) < len(b.words) {
		return b.words[r]
	}
	return r.String()
}

// set makes o the one that fields are of. It reports false for what no
// expression can speak of.
func (s *subject) set(o capture.Observation) bool {
	s.o, s.ex, s.conn, s.kind, s.known = o, nil, nil, "tcp", true
	s.client, s.server = capture.Endpoint{}, capture.Endpoint{}
	s.conn = exporter.ConnOf(o)
	switch o := o.(type) {
	case *capture.Exchange:
		s.ex, s.kind = o, "http"
	case *capture.ConnOpened, *capture.ConnFailed, *capture.ConnReset, *capture.ConnStuck, *capture.ConnClosed:
	case *capture.ParseError:
		switch o.Protocol {
		case capture.ProtocolHTTP1, capture.ProtocolHTTP2:
			s.kind = "http"
		case capture.ProtocolTLS:
			s.kind = "tls"
		}
	case *capture.TLSHello, *capture.TLSAlert:
		s.kind = "tls"
	case *capture.ICMPError:
		s.kind = "icmp"
		s.client, s.server, s.known = o.Quoted.Src, o.Quoted.Dst, o.QuotedTransport != capture.TransportNone
	case *capture.DNSLookup:
		s.kind, s.client, s.server = "dns", o.Client, o.Server
	default:
		return false
	}
	if s.conn != nil {
		s.client, s.server, s.known = s.conn.Client, s.conn.Server, true
	}
	return true
}

func (s *subject) errorType() any { return s.text(exporter.Failure(s.o)) }

func (s *subject) cause() capture.Cause {
	switch o := s.o.(type) {
	case *capture.Exchange:
		return o.Cause
	case *capture.ConnFailed:
		return o.Cause
	case *capture.ConnStuck:
		return o.Cause
	case *capture.ConnReset:
		if o.Conn.Race {
			return capture.CauseKeepAliveRace
		}
	}
	return capture.CauseNone
}

func (s *subject) icmp() *capture.ICMPHeader {
	switch o := s.o.(type) {
	case *capture.ICMPError:
		return &o.Header
	case *capture.ConnFailed:
		if o.HasICMP {
			return &o.ICMP
		}
	}
	return nil
}

func (s *subject) http(part func(*capture.Exchange) []byte) any {
	if s.ex == nil {
		return ""
	}
	return string(part(s.ex))
}

func (s *subject) exchangeNumber(n func(*capture.Exchange) int64) any {
	if s.ex == nil {
		return s.integer(0)
	}
	return s.integer(n(s.ex))
}

func address(e capture.Endpoint, known bool) any {
	if !known {
		return ""
	}
	return e.IP().String()
}

// path returns the path of a request target: of the origin form, or of the
// absolute form (RFC 9112, section 3.2).
func path(target []byte) []byte {
	t := string(target)
	if i := strings.IndexByte(t, '?'); i >= 0 {
		t = t[:i]
	}
	if strings.HasPrefix(t, "/") {
		return target[:len(t)]
	}
	if i := strings.Index(t, "://"); i >= 0 {
		if j := strings.IndexByte(t[i+3:], '/'); j >= 0 {
			return target[i+3+j : len(t)]
		}
		return nil
	}
	return target[:len(t)]
}
