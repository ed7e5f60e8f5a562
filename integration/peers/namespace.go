package peers

import (
	"os/exec"
	"runtime"
)

// inNamespace returns what f returns on a thread of its own in the network
// namespace at path; an empty path is the caller's.
func inNamespace(path string, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: see enterNamespace
		if path != "" {
			if err := enterNamespace(path); err != nil {
				done <- err
				return
			}
		}
		done <- f()
	}()
	return <-done
}

// startIn starts cmd in the network namespace at path and returns a channel
// that is closed when it has ended and was waited for. One thread starts the
// process and stays until its end: were it lent to other goroutines, one that
// ends its thread, as tests with namespaces do, would end the process too.
func startIn(path string, cmd *exec.Cmd) (exited <-chan struct{}, err error) {
	dieWithThread(cmd)
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		err := inNamespace(path, func() error {
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
