package prometheus

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/wiretell/wiretell/semconv"
)

// TestRulesNameWhatWiretellEmits holds the alerts to the table of signals, and
// to one form. What they do is tested by promtool in integration/stack.
func TestRulesNameWhatWiretellEmits(t *testing.T) {
	all, err := Rules()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Errorf("only %d rules were found", len(all))
	}
	tests, err := os.ReadFile("wiretell.rules.test.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		for _, problem := range Check(r.Expr) {
			t.Errorf("%s: %s", r.Alert, problem)
		}
		_, threshold, found := cutLast(r.Expr, " > ")
		if _, err := strconv.ParseFloat(threshold, 64); !found || err != nil {
			t.Errorf("%s: the expression does not end with a threshold: %q", r.Alert, threshold)
		}
		if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: no severity, summary or description", r.Alert)
		}
		if !strings.Contains(string(tests), "alertname: "+r.Alert+"\n") {
			t.Errorf("%s: no test in which it fires", r.Alert)
		}
	}
}

// TestPromoted: the configuration promotes what expressions need.
func TestPromoted(t *testing.T) {
	text, err := os.ReadFile("prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		OTLP struct {
			Promoted []string `yaml:"promote_resource_attributes"`
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(file.OTLP.Promoted, Promoted) {
		t.Errorf("prometheus.yml promotes %q, want %q", file.OTLP.Promoted, Promoted)
	}
	for _, name := range []string{semconv.TelemetryDistroName, semconv.ObservedServiceName} {
		if !slices.Contains(Promoted, name) {
			t.Errorf("%s is not promoted", name)
		}
	}
}
