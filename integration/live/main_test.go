package live

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
	"github.com/wiretell/wiretell/integration/peers"
)

// These hand the paths of wiretell, and of a Collector with it, to the tests' own
// process, which is in a network namespace without a way out and could not
// build them.
const (
	envBinary    = "WIRETELL_LIVE_BINARY"
	envCollector = "WIRETELL_LIVE_COLLECTOR"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(envBinary) == "" {
		dir, err := os.MkdirTemp("", "wiretell-live-")
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
		logf := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
		if _, err := peers.BuildCollector(logf); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		collector, err := peers.BuildWiretellCollector(logf)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		os.Setenv(envCollector, collector)
	}
	return netnstest.Main(m)
}
