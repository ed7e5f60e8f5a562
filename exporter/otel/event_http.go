package otel

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/exporter"
	"github.com/wiretell/wiretell/semconv"
)

// exchangeEvent returns which event an exchange calls for, nil for none.
func exchangeEvent(ex *capture.Exchange) *semconv.Event {
	switch {
	case ex.Error == capture.ReasonResponseTruncated || ex.Error == capture.ReasonRequestTruncated,
		ex.Error == capture.ReasonReset && ex.Status != 0:
		return &eventUnexpectedEOF
	case !ex.HasRequest || ex.Status == 0 || exporter.FailedOnWire(ex):
		return &eventIncomplete
	}
	return nil
}

func (b *eventBuilder) exchange(lr plog.LogRecord, event *semconv.Event, f *facts) int {
	why := f.errorType
	if why == "" {
		why = incomplete(f.Exchange)
	}
	if why == "" { // a response came, which is no error to a server
		why = f.Error.String()
	}
	r := b.begin(lr, event, f.end, shortfall(event, f, why))
	b.conn(&r, &f.Conn)
	r.a.str(semconv.HTTPRequestMethod, f.method)
	if f.method == semconv.MethodOther {
		r.a.str(semconv.HTTPRequestMethodOriginal, b.spans.texts.clean(f.Method, limitOther))
	}
	if f.Status != 0 {
		r.a.int(semconv.HTTPResponseStatusCode, int64(f.Status))
	}
	r.a.str(semconv.ErrorType, f.errorType)
	r.a.str(semconv.ExchangeIncomplete, incomplete(f.Exchange))
	r.a.str(semconv.Cause, f.Cause.String())
	if by := f.Conn.EndedBy; by != capture.EndedByNobody {
		r.a.str(semconv.TCPSide, side(&f.Conn, capture.Side(by-capture.EndedByClient)))
	}
	if f.Announced > 0 {
		r.a.int(semconv.HTTPBodyAnnounced, f.Announced)
		r.a.int(semconv.HTTPBodyReceived, received(f.Exchange))
	}
	if f.LostBytes > 0 {
		r.a.int(semconv.ExchangeLostBytes, f.LostBytes)
	}
	if f.HasRequest {
		r.a.int(semconv.HTTPRequestWireSize, f.RequestWire)
	}
	if f.ResponseStart != 0 {
		r.a.int(semconv.HTTPResponseWireSize, f.ResponseWire)
	}
	r.span(f.context())
	return r.a.bytes
}

// requestCut reports whether it is the request that was cut: a response may have come
// all the same, as the 413 (Content Too Large) that ends an upload.
func requestCut(ex *capture.Exchange) bool {
	return ex.ResponseStart == 0 || ex.Error == capture.ReasonRequestTruncated
}

// received is how much came of the body that was cut.
func received(ex *capture.Exchange) int64 {
	if requestCut(ex) {
		return max(ex.RequestBody, 0)
	}
	return max(ex.ResponseBody, 0)
}

// shortfall tells a person what is missing of an exchange, and why.
func shortfall(event *semconv.Event, f *facts, why string) string {
	if f.Cause != capture.CauseNone && f.Cause.String() != why {
		why += " (" + f.Cause.String() + ")"
	}
	switch {
	case event == &eventUnexpectedEOF:
		what, at := "response", "before its end"
		if requestCut(f.Exchange) {
			what = "request"
		}
		if f.Announced > 0 {
			at = fmt.Sprintf("body at %d of %d bytes", received(f.Exchange), f.Announced)
		}
		by := "end of the connection"
		if f.Conn.EndedBy != capture.EndedByNobody {
			by = f.Conn.EndedBy.String()
		}
		return fmt.Sprintf("%s cut by the %s, %s: %s", what, by, at, why)
	case !f.HasRequest:
		return fmt.Sprintf("response %d without a request: %s", f.Status, why)
	case f.Status != 0:
		return fmt.Sprintf("response %d to %s did not end: %s", f.Status, f.method, why)
	}
	return fmt.Sprintf("request %s without a response: %s", f.method, why)
}
