package compose

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// service is what the file may say of a service: any other key is an error.
type service struct {
	Build       string
	Image       string
	Command     []string
	Entrypoint  []string
	User        string
	Environment map[string]string
	Volumes     []string
	Ports       []string
	NetworkMode string    `yaml:"network_mode"`
	CapDrop     []string  `yaml:"cap_drop"`
	CapAdd      []string  `yaml:"cap_add"`
	ReadOnly    bool      `yaml:"read_only"`
	DependsOn   yaml.Node `yaml:"depends_on"`
}

func read(t *testing.T) map[string]service {
	t.Helper()
	text, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Name     string
		Services map[string]service
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	return file.Services
}

// TestWiretell: the sidecar has the capability it needs and no other, and the
// Collector's own address.
func TestWiretell(t *testing.T) {
	all := read(t)
	w := all["wiretell"]
	if w.NetworkMode != "service:app" || len(w.Ports) > 0 {
		t.Errorf("network_mode is %q with ports %q", w.NetworkMode, w.Ports)
	}
	if !slices.Equal(w.CapDrop, []string{"ALL"}) || !slices.Equal(w.CapAdd, []string{"NET_RAW"}) || w.User != "" {
		t.Errorf("cap_drop %q, cap_add %q, user %q", w.CapDrop, w.CapAdd, w.User)
	}
	if w.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] != "http://collector:4317" || w.Environment["OTEL_EXPORTER_OTLP_PROTOCOL"] != "grpc" {
		t.Errorf("environment is %q", w.Environment)
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
	if _, err := os.Stat(w.Build + "/Dockerfile"); err != nil {
		t.Error(err)
	}
}

// TestServices: images have a version and no host, ports are for this machine
// alone, and what is mounted exists.
func TestServices(t *testing.T) {
	image := regexp.MustCompile(`^[a-z-]+(/[a-z-]+)?:v?\d+\.\d+(\.\d+)?(-alpine)?$`)
	for name, s := range read(t) {
		if s.Build == "" && !image.MatchString(s.Image) {
			t.Errorf("%s: the image %q has no version, or a host", name, s.Image)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to the network", name, p)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, err := os.Stat(from); err != nil && from != "./logs" {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, arg := range s.Command {
			_, file, ok := strings.Cut(arg, "=/")
			if ok && !slices.ContainsFunc(s.Volumes, func(v string) bool { return strings.HasSuffix(v, ":/"+file+":ro") }) {
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
		if s, ok := all[m[1]]; !ok || !slices.ContainsFunc(s.Ports, func(p string) bool { return strings.HasSuffix(p, ":"+m[2]) }) {
			t.Errorf("no service %s with port %s", m[1], m[2])
		}
	}
	if text, err = os.ReadFile("../grafana/provisioning/dashboards/wiretell.yaml"); err != nil {
		t.Fatal(err)
	}
	_, folder, _ := strings.Cut(strings.TrimSpace(string(text)), "path: ")
	if !slices.Contains(all["grafana"].Volumes, "../grafana:"+folder+":ro") {
		t.Errorf("dashboards are read from %s, which is not mounted", folder)
	}
}
