package otel

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/wiretell/wiretell/capture"
)

// way is one way out for batches of one kind: a lane to a receiver, or a file.
type way struct {
	books *books
	lane  *lane     // or
	json  *jsonFile // one of the two
	mu    sync.Mutex
	gzip  *gzipper // nil: no compression
}

// batch is what is to be sent together.
type batch interface {
	proto() ([]byte, error)
	json() ([]byte, error)
}

type (
	spanBatch   []byte // a TracesData
	logBatch    struct{ plog.Logs }
	metricBatch struct{ pmetric.Metrics }
)

func (b spanBatch) proto() ([]byte, error) { return b, nil }

func (b spanBatch) json() ([]byte, error) {
	r := ptraceotlp.NewExportRequest()
	if err := r.UnmarshalProto(b); err != nil {
		return nil, err
	}
	return new(ptrace.JSONMarshaler).MarshalTraces(r.Traces())
}

func (b logBatch) proto() ([]byte, error) {
	return plogotlp.NewExportRequestFromLogs(b.Logs).MarshalProto()
}
func (b logBatch) json() ([]byte, error) { return new(plog.JSONMarshaler).MarshalLogs(b.Logs) }

func (b metricBatch) proto() ([]byte, error) {
	return pmetricotlp.NewExportRequestFromMetrics(b.Metrics).MarshalProto()
}
func (b metricBatch) json() ([]byte, error) {
	return new(pmetric.JSONMarshaler).MarshalMetrics(b.Metrics)
}

// send encodes b, once, and hands it over; its n records are in the books.
func (w *way) send(b batch, n int) {
	if w.json != nil {
		w.write(b, n)
		return
	}
	data, err := b.proto()
	if err == nil && w.gzip != nil {
		w.mu.Lock()
		data, err = w.gzip.compress(data)
		w.mu.Unlock()
	}
	if err != nil {
		// Cannot happen: what is built here can be encoded.
		w.books.drop(n, dropWriteFailed)
		return
	}
	w.lane.put(data, n)
}

func (w *way) write(b batch, n int) {
	line, err := b.json()
	if err == nil {
		err = w.json.line(line)
	}
	if err != nil {
		w.books.fail(capture.TimeOf(time.Now()), "", err.Error())
		w.books.drop(n, dropWriteFailed)
		return
	}
	w.books.deliver(n, 0)
}

// ways are all ways out for one kind of batch.
type ways []*way

// every returns what tells when another d has passed; where there is no way out
// nobody is woken for it.
func (ws ways) every(d time.Duration) <-chan time.Time {
	if len(ws) == 0 {
		return nil
	}
	return time.Tick(d)
}

func (ws ways) create(n int) {
	for _, w := range ws {
		w.books.create(n)
	}
}

func (ws ways) sampledOut(n int) {
	for _, w := range ws {
		w.books.sampledOut(n)
	}
}

func (ws ways) notSelected(n int) {
	for _, w := range ws {
		w.books.notSelected(n)
	}
}

// leaveOut enters n records that were dropped before they were built.
func (ws ways) leaveOut(n int, why string) {
	for _, w := range ws {
		w.books.create(n)
		w.books.drop(n, why)
	}
}

func (ws ways) send(b batch, n int) {
	for _, w := range ws {
		w.send(b, n)
	}
}
