package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/exporter/pipeline"
)

type readFlags struct {
	observeFlags
	local           []string
	verifyChecksums bool
	deadline        time.Duration
}

func newRead(proc process) *cobra.Command {
	var f readFlags
	cmd := &cobra.Command{
		Use:   "read FILE...",
		Short: "Observe capture files (pcap, pcapng, also gzipped; - is standard input)",
		Long: `read observes capture files as run observes a network namespace. Several files
are read in the order given, as one capture. The same files give the same output.

Of a damaged file comes what is readable, then an error and exit code 1.`,
		Args: func(cmd *cobra.Command, files []string) error {
			if show, _ := cmd.Flags().GetBool(flagPrint); len(files) == 0 && !show {
				return &exitError{code: exitUsage, err: errors.New("read: which file?"), hint: "wiretell read FILE...; - is standard input"}
			}
			if i := slices.Index(files, standardInput); i >= 0 && slices.Contains(files[i+1:], standardInput) {
				return usagef("read: standard input (-) can be read once only")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, files []string) error {
			return withSettings(cmd, proc, f.check, func() error { return f.read(proc, files) })
		},
	}
	f.add(cmd.Flags())
	cmd.Flags().StringSliceVar(&f.local, "local", nil, "`addresses` or prefixes that are local: they tell server from client spans")
	cmd.Flags().BoolVar(&f.verifyChecksums, "verify-checksums", false, "leave out segments whose checksum is wrong (captures made on a sender usually hold such)")
	cmd.Flags().DurationVar(&f.deadline, "shutdown-timeout", 9*time.Second, "how long the end may take at most")
	addSettings(cmd)
	completeWords(cmd)
	return cmd
}

// withSettings loads the settings and does the job, or prints them when that was
// asked for: also those that check finds cannot be meant, as where they come from
// helps then.
func withSettings(cmd *cobra.Command, proc process, check, job func() error) error {
	warnings, err := loadSettings(cmd, proc.env)
	if quiet, _ := cmd.Flags().GetBool("quiet"); !quiet {
		for _, w := range warnings {
			fmt.Fprintf(proc.stderr, "wiretell: warning: %s\n", w)
		}
	}
	if err != nil {
		return err
	}
	if show, _ := cmd.Flags().GetBool(flagPrint); show {
		if err := printSettings(proc.stdout, cmd.Flags(), proc.env); err != nil {
			return err
		}
		return check()
	}
	return job()
}

// check reports settings that cannot be meant.
func (f *readFlags) check() error {
	if f.deadline <= 0 {
		return usagef("--shutdown-timeout must be greater than 0")
	}
	if _, err := localPrefixes(f.local); err != nil {
		return err
	}
	return f.observeFlags.check()
}

func (f *readFlags) read(proc process, files []string) error {
	if err := f.check(); err != nil {
		return err
	}
	p := &job{flags: &f.observeFlags, process: proc}
	p.Deadline = f.deadline
	return f.observe(p, files)
}

// observe reads the files into p to their end, and concludes.
func (f *readFlags) observe(p *job, files []string) error {
	local, err := localPrefixes(f.local)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		// Most files are read before the heap has grown much: collecting what
		// little there is costs a twentieth of the time.
		debug.SetGCPercent(400)
	}
	src := newChain(files)
	defer src.Close()
	if !src.begin() {
		return failed(src.damage, fileHint(src.damage))
	}
	cfg, prog, err := f.Observer(src.link())
	if err != nil {
		return err
	}
	cfg.Local = local
	cfg.VerifyChecksums = f.verifyChecksums
	p.Observer = cfg
	facts := diagnosis.CaptureFacts{File: fileNames(files), Selection: f.Select}
	if prog != nil {
		facts.FilterExpr, facts.FilterPorts = prog.Expr(), pipeline.FilterPorts(prog)
	}
	defer stopReading(p, src)()
	if err := p.exporters(); err != nil {
		return err
	}
	if err := p.record(src); err != nil {
		return err
	}
	p.Desk.Tree = diagnosis.New(diagnosis.Config{})
	p.Desk.Facts = facts
	_, err = p.run(src)
	lost := p.shutdown()
	bad := p.conclude()
	switch err = errors.Join(err, src.damage); {
	case err != nil:
		hint := fileHint(err)
		if hint == "" {
			hint = "what was readable was exported"
		}
		return failed(err, hint)
	case src.unread():
		return failed(errors.New("stopped before the end: what was read until then was exported"), "")
	case lost:
		return failed(errors.New("not every record was exported"), "")
	}
	return bad
}

// stopReading ends the reading of src at the first signal, so that what was
// read is still exported; a second signal ends the process at once.
func stopReading(p *job, src *chain) (cancel func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			p.sayAnyhow("%v: stopping", s)
		case <-done:
			return
		}
		// A signal from the terminal also reaches the program that writes to
		// our standard input: it has something left to say.
		if src.onInput() {
			select {
			case <-time.After(500 * time.Millisecond):
			case <-done:
				return
			}
		}
		src.Stop()
		select {
		case <-signals:
			os.Exit(exitFailed)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}

// fileNames names the files of a capture for a person.
func fileNames(files []string) string {
	name := "standard input"
	if files[0] != standardInput {
		name = filepath.Base(files[0])
	}
	if len(files) > 1 {
		name = fmt.Sprintf("%s and %d more", name, len(files)-1)
	}
	return name
}

// fileHint says what helps when a file cannot be opened, "" when nothing does.
func fileHint(err error) string {
	switch text := err.Error(); {
	case errors.Is(err, fs.ErrNotExist):
		return "check the path; in a shell, a pattern as *.pcap names many files"
	case errors.Is(err, fs.ErrPermission):
		return "read it as the user who captured it, or through a pipe: sudo cat FILE | wiretell read -"
	case errors.Is(err, syscall.EISDIR):
		return "name the files: wiretell read DIRECTORY/*.pcap"
	case strings.Contains(text, "empty, not a capture"):
		return "no capture was ever written there: tcpdump -i any -w FILE, as root, writes one"
	case strings.Contains(text, "neither pcap nor pcapng"):
		return "wireshark's editcap turns other formats into one that is read: editcap FILE OUT.pcapng"
	}
	return ""
}
