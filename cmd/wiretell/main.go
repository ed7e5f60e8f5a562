// Command wiretell captures its pod's network namespace and tells, in
// OpenTelemetry, what happened on the wire, and what it could not see and why.
package main

import (
	"errors"
	"fmt"
	"os"
)

// version is set when the binary is linked.
var version = "devel"

// Exit codes, documented in docs/usage.md.
const (
	exitOK       = 0
	exitFailed   = 1 // the job could not be done, or a file is damaged
	exitUsage    = 2 // the command line or the configuration is wrong
	exitNotAllow = 3 // the capture is not permitted
	exitInternal = 70
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run executes the command line and returns the exit code.
func run(args []string) int {
	root := newRoot()
	root.SetArgs(args)
	cmd, err := root.ExecuteC()
	if err == nil {
		return exitOK
	}
	var e *exitError
	if !errors.As(err, &e) {
		e = &exitError{code: exitUsage, err: err, hint: fmt.Sprintf("%q lists what is understood", cmd.CommandPath()+" --help")}
	}
	if e.err != nil {
		fmt.Fprintf(os.Stderr, "wiretell: %v\n", e.err)
	}
	if e.hint != "" {
		fmt.Fprintf(os.Stderr, "hint: %s\n", e.hint)
	}
	return e.code
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
