// Package enginetest is for suites that need a Docker engine: without one they
// skip and say so in one line at the end; with CI set in the environment they
// fail.
package enginetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

// Main runs the tests of a package and returns the exit code.
func Main(m *testing.M) int {
	// The image of testcontainers' cleaner may not be there. Tests remove what
	// they start; sidecars end by themselves.
	setDefault("TESTCONTAINERS_RYUK_DISABLED", "true")
	if ask().hostIsHere {
		setDefault("TESTCONTAINERS_HOST_OVERRIDE", "localhost")
	}
	code := m.Run()
	if err := ask().err; err != nil {
		fmt.Printf("The container suites did not run: no Docker engine answers (%v).\n", err)
	}
	return code
}

func setDefault(name, value string) {
	if _, set := os.LookupEnv(name); !set {
		_ = os.Setenv(name, value) // fails for names that cannot be
	}
}

// Require skips the test where no Docker engine answers; in CI it fails.
func Require(t testing.TB) {
	t.Helper()
	err := ask().err
	if err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no Docker engine answers: %v", err)
	}
	t.Skipf("no Docker engine answers: %v", err)
}

type answer struct {
	err error
	// hostIsHere says that the engine's networks are this host's, so that
	// published ports are at localhost. testcontainers believes otherwise on a
	// machine whose root was once an image: there is a /.dockerenv.
	hostIsHere bool
}

var ask = sync.OnceValue(func() (a answer) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := client.New(client.FromEnv)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = c.Close() }()
	n, err := c.NetworkInspect(ctx, "bridge", client.NetworkInspectOptions{})
	if err != nil {
		return answer{err: err}
	}
	if !strings.HasPrefix(c.DaemonHost(), "unix:") {
		return answer{}
	}
	for _, pool := range n.Network.IPAM.Config {
		first := pool.Subnet.Addr().Next() // the gateway, unless it is named
		if pool.Gateway.IsValid() {
			first = pool.Gateway
		}
		if ln, err := net.Listen("tcp", net.JoinHostPort(first.String(), "0")); err == nil {
			_ = ln.Close()
			a.hostIsHere = true
		}
	}
	return a
})
