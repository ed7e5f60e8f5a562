package peers

import (
	"os/exec"
	"runtime"
)

// Namespace returns a function that runs f on a thread of its own in the
// network namespace at path (such as /run/netns/NAME or /proc/PID/ns/net) and
// returns f's error. Sockets that f opens and processes that it starts belong
// there. It needs CAP_SYS_ADMIN, and Linux.
func Namespace(path string) func(f func() error) error {
	return func(f func() error) error {
		return onThread(func() error {
			if err := enterNamespace(path); err != nil {
				return err
			}
			return f()
		})
	}
}

// onThread runs f on a thread that ends with f.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		done <- f()
	}()
	return <-done
}

// startIn starts cmd through in, and returns a channel that is closed when the
// process has ended and was waited for. One thread starts the process and
// stays until its end: were it lent to other goroutines, one that ends its
// thread, as tests with namespaces do, would end the process too.
func startIn(in func(f func() error) error, cmd *exec.Cmd) (exited <-chan struct{}, err error) {
	dieWithThread(cmd)
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		err := in(func() error {
			if err := cmd.Start(); err != nil {
				return err
			}
			started <- nil
			_ = cmd.Wait() // cmd.ProcessState says what happened
			return nil
		})
		if err != nil {
			started <- err
		}
		close(ended)
	}()
	return ended, <-started
}
