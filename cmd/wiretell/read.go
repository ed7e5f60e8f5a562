package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/capture/pcap"
)

type readFlags struct {
	observeFlags
	local           []string
	verifyChecksums bool
	deadline        time.Duration
}

func newRead() *cobra.Command {
	var f readFlags
	cmd := &cobra.Command{
		Use:   "read FILE...",
		Short: "Observe capture files (pcap, pcapng, also gzipped; - is standard input)",
		Long: `read observes capture files as run observes a network namespace. Several files
are read in the order given, as one capture. The same files give the same output.

A damaged file gives what was readable, then an error and exit code 1.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if print, _ := cmd.Flags().GetBool(flagPrint); len(args) == 0 && !print {
				return &exitError{code: exitUsage, err: errors.New("read: which file?"), hint: "wiretell read FILE...; - is standard input"}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, files []string) error {
			return withSettings(cmd, func() error { return f.read(cmd, files) })
		},
	}
	f.add(cmd.Flags())
	cmd.Flags().StringSliceVar(&f.local, "local", nil, "`addresses` or prefixes that are local: they tell server from client spans")
	cmd.Flags().BoolVar(&f.verifyChecksums, "verify-checksums", false, "leave out segments whose checksum is wrong (captures made on a sender usually hold such)")
	cmd.Flags().DurationVar(&f.deadline, "shutdown-timeout", 10*time.Second, "how long to wait for exporters at the end")
	addSettings(cmd)
	return cmd
}

// withSettings loads the settings, prints them when that was asked for, and
// else does the job.
func withSettings(cmd *cobra.Command, job func() error) error {
	if err := loadSettings(cmd, environ); err != nil {
		return err
	}
	if print, _ := cmd.Flags().GetBool(flagPrint); print {
		printSettings(cmd.OutOrStdout(), cmd.Flags(), os.Environ())
		return nil
	}
	return job()
}

func (f *readFlags) read(cmd *cobra.Command, files []string) error {
	local, err := localPrefixes(f.local)
	if err != nil {
		return err
	}
	src := &chain{files: files}
	if err := src.begin(); err != nil {
		return failed(err, "")
	}
	defer src.Close()
	p := &pipeline{flags: &f.observeFlags, stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr()}
	cfg, prog, err := f.observerConfig(src.link())
	if err != nil {
		return err
	}
	cfg.Local = local
	cfg.VerifyChecksums = f.verifyChecksums
	p.observer = cfg
	name := filepath.Base(files[0])
	if len(files) > 1 {
		name = fmt.Sprintf("%s and %d more", name, len(files)-1)
	}
	facts := diagnosis.CaptureFacts{File: name}
	if prog != nil {
		facts.FilterExpr, facts.FilterPorts = prog.Expr(), filterPorts(prog)
	}
	if err := p.exporters(environ); err != nil {
		return err
	}
	p.desk.Tree = diagnosis.New(diagnosis.Config{})
	p.desk.Facts = facts
	_, err = p.run(src)
	p.shutdown(f.deadline)
	if p.desk.Tree != nil {
		p.conclude()
	}
	if err = errors.Join(err, src.damage); err != nil {
		return failed(err, "what was readable before the damage was exported")
	}
	return nil
}

// chain reads files one after the other as one source.
type chain struct {
	files   []string
	current capture.Source
	base    int // interfaces of the files before the current one
	all     []capture.Interface
	stats   capture.SourceStats
	damage  error // of the files that were not read to their end
}

// begin opens the first file that can be opened.
func (c *chain) begin() error {
	src, err := pcap.Open(c.files[0])
	if err != nil {
		return err
	}
	c.current, c.files = src, c.files[1:]
	return nil
}

// link returns the link type of the first interface, Ethernet when not known.
func (c *chain) link() capture.LinkType {
	var s capture.SourceStats
	c.current.Stats(&s)
	if len(s.Interfaces) == 0 {
		return capture.LinkEthernet
	}
	return s.Interfaces[0].Link
}

func (c *chain) Next(f *capture.Frame) error {
	for c.current != nil {
		err := c.current.Next(f)
		if err == nil {
			f.Interface += uint16(c.base)
			return nil
		}
		if err != io.EOF {
			c.damage = errors.Join(c.damage, err)
		}
		c.next()
	}
	return io.EOF
}

// next goes on with the file after the current one.
func (c *chain) next() {
	c.current.Stats(&c.stats)
	c.all = append(c.all, c.stats.Interfaces...)
	c.base = len(c.all)
	c.current.Close()
	c.current = nil
	for len(c.files) > 0 && c.current == nil {
		src, err := pcap.Open(c.files[0])
		c.files = c.files[1:]
		if err != nil {
			c.damage = errors.Join(c.damage, err)
			continue
		}
		c.current = src
	}
}

func (c *chain) Stats(s *capture.SourceStats) {
	s.Rings = s.Rings[:0]
	s.Interfaces = append(s.Interfaces[:0], c.all...)
	if c.current != nil {
		c.current.Stats(&c.stats)
		s.Interfaces = append(s.Interfaces, c.stats.Interfaces...)
	}
}

func (c *chain) Close() error {
	if c.current == nil {
		return nil
	}
	return c.current.Close()
}
