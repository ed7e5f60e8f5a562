package otel

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
)

// Probe sends an empty request for every signal that goes by OTLP, as the
// exporter would (same endpoint, protocol, certificates, headers, compression),
// and returns what came of each: Failing, with LastError and LastStatus, or not.
// An error names what of the configuration cannot be.
func Probe(ctx context.Context, cfg Config) ([]diagnosis.ExportHealth, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	var (
		senders sync.WaitGroup
		all     []*books
	)
	d := newDialer(cfg.OwnFlows)
	for _, s := range []struct {
		signal signal
		cfg    *SignalConfig
	}{{traces, &cfg.Traces}, {metrics, &cfg.Metrics}, {logs, &cfg.Logs}} {
		if s.cfg.Exporter != ExporterOTLP {
			continue
		}
		// Each has a connection of its own: what hinders one says nothing of the others.
		e := &Exporter{cfg: cfg}
		snd, where, err := e.connect(s.signal, s.cfg, d, make(map[string]*grpc.ClientConn))
		if err != nil {
			return nil, err
		}
		b := newBooks("otlp", s.signal.String(), where.display, s.cfg.Protocol)
		all = append(all, b)
		senders.Go(func() {
			defer e.release()
			try, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
			defer cancel()
			var data []byte // an empty message of protobuf
			if s.cfg.Compression != "" {
				if data, err = new(gzipper).compress(nil); err != nil {
					b.fail(capture.TimeOf(time.Now()), "", err.Error())
					return
				}
			}
			if r := snd.send(try, data); r.verdict != delivered {
				b.fail(capture.TimeOf(time.Now()), r.status, r.problem)
			}
		})
	}
	senders.Wait()
	var out []diagnosis.ExportHealth
	for _, b := range all {
		out = append(out, b.health())
	}
	return out, nil
}
