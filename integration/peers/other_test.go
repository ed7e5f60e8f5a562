package peers

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestOtherBinaries builds what is not built yet, for `make peers`, and asks
// each who it is.
func TestOtherBinaries(t *testing.T) {
	for _, tt := range []struct {
		build func(func(string, ...any)) (string, error)
		ask   string
		want  string
	}{
		{BuildPrometheus, "--version", "prometheus, version"},
		{BuildPromtool, "--version", "promtool, version"},
		{BuildJaeger, "help", "Jaeger"},
	} {
		binary, err := tt.build(t.Logf)
		if err != nil {
			t.Error(err)
			continue
		}
		out, err := exec.Command(binary, tt.ask).CombinedOutput()
		if err != nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s %s: %v\n%s", binary, tt.ask, err, out)
		}
	}
}

// TestPinnedVersions: the versions in the binaries' names are those of the modules.
func TestPinnedVersions(t *testing.T) {
	for file, want := range map[string]string{
		"prometheus/go.mod.txt": "require github.com/prometheus/prometheus v" + prometheusVersion + "\n",
		"jaeger/go.mod.txt":     "require github.com/jaegertracing/jaeger v" + jaegerVersion + "\n",
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s does not have %q", file, want)
		}
	}
}
