package otel

import (
	"context"
	"errors"
)

// Sink takes a batch within the process, where a Collector's pipeline goes on: a
// TracesData, MetricsData or LogsData of OTLP, encoded. It may take its time, for
// which the lane waits; calls for the batches of one lane follow each other.
// After an error that wraps [ErrRefused] the batch is given up, after another it
// is tried again, as one that a receiver did not take.
type Sink func(ctx context.Context, data []byte) error

// ErrRefused says that a batch will never be taken.
var ErrRefused = errors.New("refused for good")

// sinkProtocol stands where others name the protocol of OTLP.
const sinkProtocol = "in process"

// sinkSender calls a sink for one lane. A sink that does not heed its context
// holds up neither the end nor more than one goroutine.
type sinkSender struct {
	sink Sink
	free chan struct{} // holds one when no call is under way
}

func newSinkSender(s Sink) sinkSender {
	free := make(chan struct{}, 1)
	free <- struct{}{}
	return sinkSender{s, free}
}

// send implements sender. The words of the status are those that a Collector
// gives over gRPC, so that the diagnosis tells pressure from refusal.
func (s sinkSender) send(ctx context.Context, data []byte) result {
	late := result{verdict: tryAgain, status: "ResourceExhausted", problem: "the next consumer does not return", mayHaveArrived: true}
	select {
	case <-s.free:
	case <-ctx.Done():
		return late
	}
	came := make(chan error, 1)
	go func() {
		came <- s.sink(ctx, data)
		s.free <- struct{}{}
	}()
	select {
	case <-ctx.Done():
		return late
	case err := <-came:
		switch {
		case err == nil:
			return result{verdict: delivered}
		case errors.Is(err, ErrRefused):
			return result{verdict: refused, status: "InvalidArgument", problem: tidy(err.Error())}
		}
		return result{verdict: tryAgain, status: "ResourceExhausted", problem: tidy(err.Error())}
	}
}

// Close implements sender.
func (sinkSender) Close() error { return nil }
