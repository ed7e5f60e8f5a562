package otel

import (
	"context"
	"fmt"
	"io"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// signal is one of the three kinds of telemetry that OTLP carries.
type signal uint8

const (
	traces signal = iota
	metrics
	logs
	numSignals
)

// String returns "traces", "metrics" or "logs".
func (s signal) String() string { return [...]string{"traces", "metrics", "logs"}[s] }

// sender makes one attempt to hand over a batch. It may be used by several
// goroutines.
type sender interface {
	send(ctx context.Context, data []byte) result
	io.Closer
}

type verdict uint8

const (
	delivered verdict = iota
	tryAgain
	refused // for good
)

// result is what came of an attempt.
type result struct {
	verdict  verdict
	rejected int           // records of a delivered batch that were refused
	after    time.Duration // the receiver asked to wait so long
	status   string        // gRPC code or HTTP status; "" when there was no answer
	problem  string
	// mayHaveArrived says that the receiver may have taken the batch though no
	// answer says so.
	mayHaveArrived bool
	// skew is how far the receiver's clock is ahead, 0 when it does not tell.
	skew time.Duration
}

// partial reads an OTLP response: how many records were refused, and what the
// receiver said.
func (s signal) partial(body []byte) (rejected int, message string) {
	var n int64
	switch s {
	case traces:
		r := ptraceotlp.NewExportResponse()
		if r.UnmarshalProto(body) == nil {
			n, message = r.PartialSuccess().RejectedSpans(), r.PartialSuccess().ErrorMessage()
		}
	case metrics:
		r := pmetricotlp.NewExportResponse()
		if r.UnmarshalProto(body) == nil {
			n, message = r.PartialSuccess().RejectedDataPoints(), r.PartialSuccess().ErrorMessage()
		}
	case logs:
		r := plogotlp.NewExportResponse()
		if r.UnmarshalProto(body) == nil {
			n, message = r.PartialSuccess().RejectedLogRecords(), r.PartialSuccess().ErrorMessage()
		}
	}
	if n > 0 || message != "" {
		message = fmt.Sprintf("partial success: %d rejected: %s", n, tidy(message))
	}
	return int(n), message
}

// tidy makes a receiver's words safe and short.
func tidy(s string) string {
	return string(cut(appendEscaped(nil, []byte(s), `\x`), 300))
}
