package exporter

import (
	"strings"

	"github.com/wiretell/wiretell/capture"
)

// Failure returns what failed by o: a word of error.type, the reason of a parse
// error, "tls_alert" for a fatal alert; "" when nothing did.
func Failure(o capture.Observation) string {
	switch o := o.(type) {
	case *capture.Exchange:
		return ErrorType(o)
	case *capture.ConnFailed:
		return o.Why.String()
	case *capture.ConnReset:
		return capture.ReasonReset.String()
	case *capture.ConnStuck:
		return o.Kind.String()
	case *capture.ConnClosed:
		if IsWireError(o.Why) {
			return o.Why.String()
		}
	case *capture.ICMPError:
		return o.Why.String()
	case *capture.ParseError:
		return o.Why.String()
	case *capture.TLSAlert:
		// RFC 8446, section 6: "fatal(2)".
		if o.Level == 2 {
			return "tls_alert"
		}
	case *capture.DNSLookup:
		return o.Error()
	}
	return ""
}

// ConnOf returns the connection that o is about, nil when it is about none that
// was followed. It belongs to o.
func ConnOf(o capture.Observation) *capture.Conn {
	switch o := o.(type) {
	case *capture.Exchange:
		return &o.Conn
	case *capture.ConnOpened:
		return &o.Conn
	case *capture.ConnFailed:
		return &o.Conn
	case *capture.ConnReset:
		return &o.Conn
	case *capture.ConnStuck:
		return &o.Conn
	case *capture.ConnClosed:
		return &o.Conn
	case *capture.ParseError:
		return &o.Conn
	case *capture.TLSHello:
		return &o.Conn
	case *capture.TLSAlert:
		return &o.Conn
	case *capture.ICMPError:
		if o.Conn.ID != 0 {
			return &o.Conn
		}
	}
	return nil
}

// TraceID returns the trace-id of a traceparent (W3C Trace Context, section
// 3.2.2: version "-" trace-id "-" parent-id "-" trace-flags), "" when it is none.
func TraceID(traceparent []byte) string {
	if len(traceparent) < 55 || traceparent[2] != '-' || traceparent[35] != '-' {
		return ""
	}
	id := string(traceparent[3:35])
	if strings.Trim(id, "0123456789abcdef") != "" || strings.Trim(id, "0") == "" {
		return ""
	}
	return id
}
