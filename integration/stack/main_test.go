package stack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
	"github.com/wiretell/wiretell/integration/peers"
)

// envBinary hands the binary's path to the tests' own process, which is in a
// network namespace without a way out and could not build it.
const envBinary = "WIRETELL_STACK_BINARY"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(envBinary) != "" {
		return netnstest.Main(m)
	}
	dir, err := os.MkdirTemp("", "wiretell-stack-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "wiretell")
	build := exec.Command("go", "build", "-pgo=off", "-o", binary, "github.com/wiretell/wiretell/cmd/wiretell")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build wiretell: %v\n%s", err, out)
		return 1
	}
	os.Setenv(envBinary, binary)
	for _, build := range []func(func(string, ...any)) (string, error){
		peers.BuildCollector, peers.BuildPrometheus, peers.BuildPromtool, peers.BuildJaeger,
	} {
		if _, err := build(func(format string, args ...any) { fmt.Printf(format+"\n", args...) }); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return netnstest.Main(m)
}
