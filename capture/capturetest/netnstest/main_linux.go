package netnstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// The environment of processes that Main and Child start.
const (
	envInside = "WIRETELL_NETNSTEST_INSIDE" // "yes", or why there is no namespace
	envChild  = "WIRETELL_NETNSTEST_CHILD"  // the test to run
)

// Main runs the tests of the binary in a child process with a network namespace
// of its own, and returns the exit code. Call it from TestMain. Where no
// namespace can be made the tests run without, and those that call New are
// skipped, or fail when the environment has CI set.
func Main(m *testing.M) int {
	if os.Getenv(envInside) != "" {
		return m.Run()
	}
	// Pdeathsig is sent when the thread ends that started the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := self(os.Args[1:]...)
	cmd.Env = append(os.Environ(), envInside+"=yes")
	cmd.SysProcAttr = Isolated()
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if code := exit.ExitCode(); code > 0 {
			return code
		}
		fmt.Fprintln(os.Stderr, "netnstest: tests ended by", err)
		return 1
	}
	if err := os.Setenv(envInside, err.Error()); err != nil {
		fmt.Fprintln(os.Stderr, "netnstest:", err)
		return 1
	}
	return m.Run()
}

// Isolated returns the attributes of a child process that is root in a network
// namespace of its own, and in a user namespace if this process is not root.
func Isolated() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return a
}

// require ends the test where there are no namespaces.
func require(t testing.TB) {
	t.Helper()
	why := os.Getenv(envInside)
	switch {
	case why == "yes":
		return
	case why == "":
		t.Fatal("netnstest: TestMain does not call netnstest.Main")
	case os.Getenv("CI") != "":
		t.Fatalf("no network namespace: %s", why)
	}
	t.Skipf("no network namespace: %s", why)
}

// Child runs f in a child process: the test binary again, with only the calling
// test, which reaches this same call. In the parent it waits for the child, and
// fails the test with the child's output when it failed. attr may be nil; the
// child begins in the parent thread's namespaces unless attr says otherwise.
func Child(t *testing.T, attr *syscall.SysProcAttr, f func(t *testing.T)) {
	t.Helper()
	if os.Getenv(envChild) == t.Name() {
		f(t)
		return
	}
	run := "^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$"
	cmd := self("-test.run="+run, "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), envInside+"=yes", envChild+"="+t.Name())
	cmd.SysProcAttr = attr
	cmd.Stdout, cmd.Stderr = nil, nil
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
	t.Logf("child:\n%s", out)
}

// IsChild reports whether this process was started by Child.
func IsChild() bool { return os.Getenv(envChild) != "" }

// Command returns the test binary as a command, for tests that want a second
// process and tell it by a variable of their own what to do. It is inside, as
// after Main, which runs no test in it.
func Command(env ...string) *exec.Cmd {
	cmd := self("-test.run=^$")
	cmd.Env = append(append(os.Environ(), envInside+"=yes"), env...)
	return cmd
}

func self(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}
