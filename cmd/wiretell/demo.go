package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/afpacket"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/capture/netns"
)

// demoParent is the traceparent that one of the demo's calls carries, as an
// instrumented application would send it (the example of W3C Trace Context).
const demoParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// demoTime is how long the demo may take; it takes less than a second.
const demoTime = 20 * time.Second

func newDemo(proc process) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show what wiretell tells, with a small service in a network namespace of its own; needs no root",
		Args:  noArgs,
		Long: `demo makes a network namespace of its own, with a small shop in it, makes five
calls and one connection that is refused, captures all of it live, and prints the
spans, the metrics, the diagnosis and the ledger that came out.`,
		RunE: func(*cobra.Command, []string) error {
			if proc.env.get(demoInside) != "" {
				return demo(proc)
			}
			return demoIsolated(proc)
		},
	}
}

// demo captures the loopback interface of its own network namespace while a
// client calls a service there, and prints what was learnt.
func demo(proc process) error {
	if err := loopbackUp(); err != nil {
		return failed(fmt.Errorf("set lo up: %w", err), "")
	}
	dir, err := os.MkdirTemp("", "wiretell-demo-")
	if err != nil {
		return failed(err, "")
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "telemetry.jsonl")
	flags := &observeFlags{}
	flags.add(pflag.NewFlagSet("demo", pflag.ContinueOnError))
	flags.jsonPath, flags.quiet = file, true
	p := &job{flags: flags, process: process{
		stdout: proc.stdout, stderr: proc.stderr, env: environment{"OTEL_SERVICE_NAME=shop"},
	}}
	p.Live, p.Deadline = true, 10*time.Second
	cfg, _, err := flags.Observer(capture.LinkEthernet)
	if err != nil {
		return err
	}
	cfg.SnapshotEvery = time.Second
	p.Observer = cfg
	p.Desk.Kernel = netns.NewReader(netns.Options{}).Read
	p.Desk.KernelEvery = time.Second
	p.Desk.Look()
	src, err := afpacket.Open(afpacket.Config{})
	if err != nil {
		return failed(err, "the demo needs packet sockets in a user namespace of its own")
	}
	defer src.Close()
	service, err := startDemoService()
	if err != nil {
		return failed(err, "")
	}
	if err := p.exporters(); err != nil {
		return err
	}
	facts := &p.Desk.Facts
	facts.Live, facts.RingAsked, facts.RingGot = true, afpacket.DefaultRingBytes, src.RingBytes()
	p.Desk.Tree = diagnosis.New(diagnosis.Config{})
	done := make(chan error, 1)
	go func() {
		_, err := p.run(src)
		done <- err
	}()
	callErr := service.calls()
	time.Sleep(200 * time.Millisecond) // the last packets
	src.Stop()
	err = errors.Join(<-done, callErr)
	service.close()
	p.shutdown()
	if err != nil {
		return failed(err, "")
	}
	fmt.Fprint(proc.stdout, `A small shop ran in a network namespace of its own. A client made four HTTP calls, of
which one failed, one HTTPS call, and one connection that was refused. wiretell saw
nothing but the packets; this is what it tells:
`)
	if err := printTelemetry(proc.stdout, file); err != nil {
		return failed(err, "")
	}
	printLedger(proc.stdout, &p.Last)
	if bad := p.Last.Ledger.Check(); len(bad) > 0 {
		return failed(bad[0], "please report this")
	}
	return nil
}
