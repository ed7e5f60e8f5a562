package peers

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// ProcessOptions says how [StartProcess] runs a program.
type ProcessOptions struct {
	// Binary is the program, Args what it is given.
	Binary string
	Args   []string
	// Env is added to the environment of the test.
	Env []string
	// In is as in [CollectorOptions].
	In func(f func() error) error
	// Ready is a URL that answers with a status below 500 once the program can
	// be used; it is asked from In.
	Ready string
	// Dir is the working folder, which takes the log. The default is a
	// temporary folder of the test.
	Dir string
}

// Process is a running program that is asked over HTTP.
type Process struct {
	// LogFile is what it writes to standard output and error.
	LogFile string

	t      testing.TB
	name   string
	client *http.Client
	cmd    *exec.Cmd
	exited <-chan struct{}
}

// StartProcess starts a program and returns when it is ready. It ends the test
// when that fails, and stops the program when the test ends.
func StartProcess(t testing.TB, o ProcessOptions) *Process {
	t.Helper()
	if o.In == nil {
		o.In = onThread
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	name := filepath.Base(o.Binary)
	p := &Process{LogFile: filepath.Join(o.Dir, name+".log"), t: t, name: name, client: ClientIn(o.In)}
	log, err := os.Create(p.LogFile)
	if err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	defer log.Close()
	p.cmd = exec.Command(o.Binary, o.Args...)
	p.cmd.Env = append(os.Environ(), o.Env...)
	p.cmd.Dir = o.Dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if p.exited, err = startIn(o.In, p.cmd); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(p.Stop)
	if err := p.awaitReady(o.Ready); err != nil {
		t.Fatal(err)
	}
	return p
}

// awaitReady returns when the URL answers well.
func (p *Process) awaitReady(url string) error {
	deadline := time.Now().Add(2 * startTimeout)
	for {
		response, err := p.client.Get(url)
		if err == nil {
			response.Body.Close()
			if response.StatusCode < 500 {
				return nil
			}
			err = fmt.Errorf("%s: %s", url, response.Status)
		}
		select {
		case <-p.exited:
			return fmt.Errorf("start %s: %s:\n%s", p.name, p.cmd.ProcessState, p.lastWords())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("start %s: not ready after %s: %w\n%s", p.name, 2*startTimeout, err, p.lastWords())
		}
	}
}

// lastWords is the end of the log.
func (p *Process) lastWords() string {
	b, err := os.ReadFile(p.LogFile)
	if err != nil {
		return err.Error()
	}
	return tail(string(b), 20)
}

// Stop ends the program with SIGTERM, or SIGKILL if that takes too long. It
// does nothing when the program has ended.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// ClientIn returns an HTTP client whose connections begin in a network
// namespace. URLs must hold addresses, not names.
func ClientIn(in func(f func() error) error) *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
			err = in(func() error {
				conn, err = new(net.Dialer).DialContext(ctx, network, addr)
				return err
			})
			return conn, err
		},
	}}
}
