package bench

import (
	"fmt"
	"os"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

func TestMain(m *testing.M) {
	if order := os.Getenv(envHold); order != "" {
		if err := holdConnections(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(netnstest.Main(m))
}
