package stack

import (
	"os"
	"testing"

	"github.com/wiretell/wiretell/integration/enginetest"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }
