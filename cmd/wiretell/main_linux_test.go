package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// beWiretell makes the test binary behave as wiretell itself, so that tests can
// start it as a process.
const beWiretell = "BE_WIRETELL"

func TestMain(m *testing.M) {
	if os.Getenv(beWiretell) != "" {
		main()
	}
	os.Exit(netnstest.Main(m))
}

// command returns wiretell as a process with nothing but env in its environment.
func command(t *testing.T, args ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	t.Helper()
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd = exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Env = []string{beWiretell + "=1"}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}
