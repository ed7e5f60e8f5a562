package exporter

import (
	"strconv"

	"github.com/wiretell/wiretell/capture"
)

// Selector says what of the traffic is exported one by one, as spans, log
// records and lines. Metrics count everything. The desk goroutine calls it.
type Selector interface {
	Exchange(*capture.Exchange) bool
	Observation(capture.Observation) bool
}

// ErrorType returns the error.type of an exchange: the reason on the wire, else
// the status code where the conventions call it an error ("5xx" for servers,
// "4xx" and "5xx" for clients), else "". What wiretell did not see is no error
// of the exchange.
func ErrorType(ex *capture.Exchange) string {
	if FailedOnWire(ex) {
		return ex.Error.String()
	}
	first := 500
	if ex.Conn.Role == capture.RoleClient {
		first = 400
	}
	// RFC 9110, section 15: "Values outside the range 100..599 are invalid."
	if ex.Status >= first && ex.Status <= 599 {
		return statusText(ex.Status)
	}
	return ""
}

// FailedOnWire reports whether there is no whole response for a reason on the
// wire. RFC 9112, section 8, lets a server answer a request that was cut: what it
// answered is the outcome then.
func FailedOnWire(ex *capture.Exchange) bool {
	return IsWireError(ex.Error) && !(ex.Error == capture.ReasonRequestTruncated && ex.Status != 0)
}

// IsWireError tells what happened on the wire from what wiretell missed or
// could not read.
func IsWireError(r capture.Reason) bool {
	switch r {
	case capture.ReasonReset, capture.ReasonTimedOut, capture.ReasonRefused,
		capture.ReasonHostUnreachable, capture.ReasonNetUnreachable, capture.ReasonAdminProhibited,
		capture.ReasonPortUnreachable, capture.ReasonProtoUnreachable,
		capture.ReasonClosedBeforeResponse, capture.ReasonResponseTruncated, capture.ReasonRequestTruncated:
		return true
	}
	return false
}

var statusTexts = func() (t [600]string) {
	for i := range t {
		t[i] = strconv.Itoa(i)
	}
	return t
}()

func statusText(status int) string {
	if status >= 0 && status < len(statusTexts) {
		return statusTexts[status]
	}
	return strconv.Itoa(status)
}
