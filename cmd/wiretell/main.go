// Command wiretell captures its pod's network namespace and tells, in
// OpenTelemetry, what happened on the wire, and what it could not see and why.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/wiretell/wiretell/exporter/pipeline"
)

// version is set when the binary is linked.
var version = "devel"

// Exit codes, documented in docs/usage.md.
const (
	exitOK       = 0
	exitFailed   = 1  // the job could not be done, or not wholly: a damaged file, records that were not exported
	exitUsage    = 2  // the command line, a variable or the configuration file is wrong
	exitNotAllow = 3  // the capture is not permitted
	exitLost     = 4  // the network namespace was left by its application: restart wiretell
	exitWarning  = 10 // doctor: the worst finding is a warning
	exitErrors   = 11 // doctor: the worst finding is an error
	exitInternal = 70 // a fault of wiretell itself
)

func main() {
	stderr := &errorOutput{w: os.Stderr}
	// The standard library logs, too: net/http what comes unasked.
	log.SetFlags(0)
	log.SetPrefix("wiretell: ")
	log.SetOutput(stderr)
	os.Exit(run(os.Args[1:], process{stdout: &output{w: os.Stdout}, stderr: stderr, env: os.Environ()}))
}

// process is what a command is given by the system.
type process struct {
	stdout *output
	stderr *errorOutput
	env    environment
}

// environment holds variables as "NAME=value".
type environment []string

// get returns the value of a variable, "" when it is not set; of two that have
// one name the last counts.
func (e environment) get(name string) string {
	value := ""
	for _, s := range e {
		if k, v, _ := strings.Cut(s, "="); k == name {
			value = v
		}
	}
	return value
}

// run executes the command line and returns the exit code.
func run(args []string, proc process) int {
	defer proc.stderr.close()
	root := newRoot(proc)
	root.SetArgs(args)
	root.SetOut(proc.stdout)
	root.SetErr(proc.stderr)
	cmd, err := root.ExecuteC()
	var e *exitError
	if bad := proc.stdout.failure(); bad != nil && !errors.As(err, &e) {
		err = bad
	}
	if err == nil {
		return exitOK
	}
	if !errors.As(err, &e) {
		e = &exitError{code: exitUsage, err: plain(err)}
		var m *pipeline.Mistake
		if errors.As(err, &m) {
			e.hint = m.Hint
		}
	}
	if e.code == exitUsage && e.hint == "" {
		e.hint = fmt.Sprintf("%q lists what is understood", cmd.CommandPath()+" --help")
	}
	if e.err != nil {
		for line := range strings.Lines(e.err.Error()) {
			fmt.Fprintf(proc.stderr, "wiretell: %s\n", strings.TrimRight(line, "\n"))
		}
	}
	if e.hint != "" {
		fmt.Fprintf(proc.stderr, "hint: %s\n", e.hint)
	}
	return e.code
}

// output is standard output; it keeps the first error, as most commands write
// without looking back. One goroutine at a time uses it.
type output struct {
	w   io.Writer
	err error
	// unread is called once when nobody reads any more (see catchPipe): what comes
	// then is let go of, as nobody wants it, and that is no failure.
	unread func()
	closed bool
}

func (o *output) Write(p []byte) (int, error) {
	if o.closed {
		return len(p), nil
	}
	n, err := o.w.Write(p)
	if err == nil {
		return n, nil
	}
	if o.unread != nil && errors.Is(err, syscall.EPIPE) {
		o.closed = true
		o.unread()
		return len(p), nil
	}
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// catchPipe makes a pipe whose reader goes away call unread instead of ending the
// process by SIGPIPE.
func (o *output) catchPipe(unread func()) {
	signal.Ignore(syscall.SIGPIPE)
	o.unread = unread
}

// failure returns the first error as an exit error.
func (o *output) failure() error {
	if o.err == nil {
		return nil
	}
	return failed(fmt.Errorf("standard output: %w", cause(o.err)), "")
}

// isFile reports whether w is the same open file, pipe or terminal as o.
func (o *output) isFile(w io.Writer) bool {
	a, okA := o.w.(*os.File)
	b, okB := w.(*os.File)
	if !okA || !okB {
		return false
	}
	sa, errA := a.Stat()
	sb, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(sa, sb)
}

// exitError carries an exit code and what a person should do.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// failed wraps err for exit code 1, with a hint that may be empty.
func failed(err error, hint string) error { return &exitError{code: exitFailed, err: err, hint: hint} }

// usagef is a mistake in the command line or the configuration.
func usagef(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}
