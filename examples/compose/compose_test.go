package compose

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/wiretell/wiretell/integration/image"
)

// read decodes the file as compose does: what its specification does not know
// is an error.
func read(t *testing.T) types.Services {
	t.Helper()
	p, err := load(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p.Services
}

// load decodes text, or the file if it is nil.
func load(ctx context.Context, text []byte) (*types.Project, error) {
	return loader.LoadWithContext(ctx, types.ConfigDetails{
		WorkingDir: ".", ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: text}},
	}, func(o *loader.Options) { o.SetProjectName("wiretell-example", true) })
}

// TestSeeded: a mistake in the file is found.
func TestSeeded(t *testing.T) {
	text, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"cap_add:", "capadd:"},
		{"condition: service_started, restart: true", "condition: service_started, restarts: true"},
		{"depends_on: [app]", "depends_on: [application]"},
		{"read_only: true", "read_only: perhaps"},
	} {
		seeded := strings.Replace(string(text), c[0], c[1], 1)
		if seeded == string(text) {
			t.Errorf("the file has no %q", c[0])
		}
		if _, err := load(t.Context(), []byte(seeded)); err == nil {
			t.Errorf("%q is not found", c[1])
		}
	}
}

// TestWiretell: the sidecar has the capability it needs and no other, and the
// Collector's own address.
func TestWiretell(t *testing.T) {
	all := read(t)
	w := all["wiretell"]
	if w.NetworkMode != "service:app" || len(w.Ports) > 0 {
		t.Errorf("network_mode is %q with %d ports", w.NetworkMode, len(w.Ports))
	}
	if !slices.Equal(w.CapDrop, []string{"ALL"}) || !slices.Equal(w.CapAdd, []string{"NET_RAW"}) || w.User != "" {
		t.Errorf("cap_drop %q, cap_add %q, user %q", w.CapDrop, w.CapAdd, w.User)
	}
	for name, want := range map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"} {
		if got := w.Environment[name]; got == nil || *got != want {
			t.Errorf("%s is not %s", name, want)
		}
	}
	if !strings.HasPrefix(w.Image, image.Name+":") {
		t.Errorf("the image is %s", w.Image)
	}
	usage, err := os.ReadFile("../../docs/usage.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range w.Environment {
		if !strings.Contains(string(usage), "`"+name+"`") {
			t.Errorf("docs/usage.md does not know %s", name)
		}
	}
	if _, ok := all["app"]; !ok {
		t.Error("there is no service app")
	}
	if _, err := os.Stat(w.Build.Context + "/Dockerfile"); err != nil {
		t.Error(err)
	}
}

// TestServices: images have a version and no host, ports are for this machine
// alone, and what is mounted exists.
func TestServices(t *testing.T) {
	named := regexp.MustCompile(`^[a-z-]+(/[a-z-]+)?:v?\d+\.\d+(\.\d+)?(-alpine)?$`)
	for name, s := range read(t) {
		if !named.MatchString(s.Image) {
			t.Errorf("%s: the image %q has no version, or a host", name, s.Image)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %d is open to the network", name, p.Target)
			}
		}
		for _, v := range s.Volumes {
			if _, err := os.Stat(v.Source); err != nil && filepath.Base(v.Source) != "logs" {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, arg := range s.Command {
			_, file, ok := strings.Cut(arg, "=/")
			if ok && !slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == "/"+file && v.ReadOnly }) {
				t.Errorf("%s: %s is not mounted", name, arg)
			}
		}
	}
}

// TestProvisioning: Grafana's files name services of the compose file, and the
// folder that the dashboards are mounted at.
func TestProvisioning(t *testing.T) {
	text, err := os.ReadFile("../grafana/provisioning/datasources/wiretell.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := read(t)
	found := regexp.MustCompile(`url: http://([a-z]+):(\d+)`).FindAllStringSubmatch(string(text), -1)
	if len(found) != 2 {
		t.Errorf("%d data sources, want 2", len(found))
	}
	for _, m := range found {
		if s, ok := all[m[1]]; !ok || !slices.ContainsFunc(s.Ports, func(p types.ServicePortConfig) bool { return strconv.Itoa(int(p.Target)) == m[2] }) {
			t.Errorf("no service %s with port %s", m[1], m[2])
		}
	}
	// Else a rate has too few samples.
	interval := all["wiretell"].Environment["OTEL_METRIC_EXPORT_INTERVAL"]
	if m := regexp.MustCompile(`timeInterval: (\d+)s`).FindSubmatch(text); interval == nil || m == nil || string(m[1])+"000" != *interval {
		t.Error("the data source has not the interval that metrics are sent in")
	}
	if text, err = os.ReadFile("../grafana/provisioning/dashboards/wiretell.yaml"); err != nil {
		t.Fatal(err)
	}
	_, folder, _ := strings.Cut(strings.TrimSpace(string(text)), "path: ")
	if !slices.ContainsFunc(all["grafana"].Volumes, func(v types.ServiceVolumeConfig) bool {
		return filepath.Base(v.Source) == "grafana" && v.Target == folder && v.ReadOnly
	}) {
		t.Errorf("dashboards are read from %s, which is not mounted", folder)
	}
}
