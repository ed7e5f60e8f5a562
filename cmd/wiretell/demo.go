package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/afpacket"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/capture/netns"
)

// demoParent is the traceparent that one of the demo's calls carries, as an
// instrumented application would send it (the example of W3C Trace Context).
const demoParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func newDemo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show what wiretell tells, with a small service in a network namespace of its own; needs no root",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if os.Getenv(demoInside) != "" {
				return demo(cmd)
			}
			return demoIsolated(cmd)
		},
	}
}

// demo captures the loopback interface of its own network namespace while a
// client calls a service there, and prints what was learnt.
func demo(cmd *cobra.Command) error {
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
	flags.add(cmd.Flags())
	flags.jsonPath, flags.quiet = file, true
	p := &pipeline{flags: flags, stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), live: true}
	cfg, _, err := flags.observerConfig(capture.LinkEthernet)
	if err != nil {
		return err
	}
	cfg.SnapshotEvery = time.Second
	p.observer = cfg
	src, err := afpacket.Open(afpacket.Config{})
	if err != nil {
		return failed(err, "the demo needs packet sockets in a user namespace of its own")
	}
	defer src.Close()
	service, err := startDemoService()
	if err != nil {
		return failed(err, "")
	}
	if err := p.exporters(func(name string) string {
		if name == "OTEL_SERVICE_NAME" {
			return "shop"
		}
		return ""
	}); err != nil {
		return err
	}
	p.desk.Facts = diagnosis.CaptureFacts{Live: true, RingAsked: afpacket.DefaultRingBytes, RingGot: src.RingBytes()}
	p.desk.Tree = diagnosis.New(diagnosis.Config{})
	p.desk.Kernel = netns.NewReader(netns.Options{}).Read
	p.desk.KernelEvery = time.Second
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
	p.shutdown(10 * time.Second)
	if err != nil {
		return failed(err, "")
	}
	if err := printTelemetry(cmd.OutOrStdout(), file); err != nil {
		return failed(err, "")
	}
	printLedger(cmd.OutOrStdout(), &p.last)
	if bad := p.last.Ledger.Check(); len(bad) > 0 {
		return failed(bad[0], "please report this")
	}
	return nil
}
