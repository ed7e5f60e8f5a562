package wiretellreceiver

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/confmap"
)

// configure reads YAML as a Collector does.
func configure(t *testing.T, yaml string) (*Config, error) {
	t.Helper()
	r, err := confmap.NewRetrievedFromYAML([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	conf, err := r.AsConf()
	if err != nil {
		t.Fatal(err)
	}
	c := NewFactory().CreateDefaultConfig().(*Config)
	if err := conf.Unmarshal(c); err != nil {
		return nil, err
	}
	return c, c.Validate()
}

// Names may be written with _ or -, and what takes a list takes one value too.
func TestConfig(t *testing.T) {
	c, err := configure(t, `
port: [8080, 9000-9010]
interface: eth0
request-header: x-tenant
idle_timeout: 2m
ring-mib: 16
when_denied: stay
record: /var/recordings
record-files: 7
service_name: shop
resource_attributes: {k8s.pod.name: shop-1}
collection_interval: 5s
`)
	if err != nil {
		t.Fatal(err)
	}
	want := defaultConfig().(*Config)
	want.Ports, want.Interfaces, want.RequestHeader = []string{"8080", "9000-9010"}, []string{"eth0"}, []string{"x-tenant"}
	want.IdleTimeout, want.RingMiB, want.WhenDenied = 2*time.Minute, 16, "stay"
	want.Record.Dir, want.Record.Files = "/var/recordings", 7
	want.ServiceName, want.Resource, want.Interval = "shop", map[string]string{"k8s.pod.name": "shop-1"}, 5*time.Second
	c.Name, want.Name = nil, nil // functions do not compare
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if _, err := configure(t, ""); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

// A text that a variable holds is that text, also one that looks like a number.
func TestConfigVariables(t *testing.T) {
	variables := map[string]string{"SERVICE": "007", "POD": "1e3", "PORT": "8080"}
	in := func(scheme string, get func(string) (*confmap.Retrieved, error)) confmap.ProviderFactory {
		return confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return provider{scheme, get} })
	}
	r, err := confmap.NewResolver(confmap.ResolverSettings{URIs: []string{"yaml:all"}, ProviderFactories: []confmap.ProviderFactory{
		in("yaml", func(string) (*confmap.Retrieved, error) {
			return confmap.NewRetrievedFromYAML([]byte(`{service_name: "${env:SERVICE}", resource_attributes: {k8s.pod.name: "${env:POD}"}, port: ["${env:PORT}"], idle-timeout: 2m}`))
		}),
		in("env", func(uri string) (*confmap.Retrieved, error) {
			return confmap.NewRetrievedFromYAML([]byte(variables[strings.TrimPrefix(uri, "env:")]))
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	conf, err := r.Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := defaultConfig().(*Config)
	if err := conf.Unmarshal(c); err != nil {
		t.Fatal(err)
	}
	if c.ServiceName != "007" || c.Resource["k8s.pod.name"] != "1e3" || !slices.Equal(c.Ports, []string{"8080"}) || c.IdleTimeout != 2*time.Minute {
		t.Errorf("service %q, resource %v, ports %v, idle timeout %v", c.ServiceName, c.Resource, c.Ports, c.IdleTimeout)
	}
}

// provider is a confmap.Provider of one scheme.
type provider struct {
	scheme string
	get    func(uri string) (*confmap.Retrieved, error)
}

func (p provider) Retrieve(_ context.Context, uri string, _ confmap.WatcherFunc) (*confmap.Retrieved, error) {
	return p.get(uri)
}
func (p provider) Scheme() string               { return p.scheme }
func (provider) Shutdown(context.Context) error { return nil }

// A mistake is said in the words of the command line, under the name that it has here.
func TestConfigMistakes(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"port: 70000", `port: "70000" is no port (1 to 65535, or a range as 8000-8100)`},
		{"{port: 80, filter: tcp}", "port, filter and filter_bpf exclude each other"},
		{"filter: prot 80", "filter: "},
		{"redact: most", `redact: "most" is not one of sensitive, all, off`},
		{"select: status >", "select: 1:"},
		{"request_header: authorization", "request_header: authorization carries credentials and is not exported (unsafe_headers allows it)"},
		{"max_ports: 0", "max_ports must be greater than 0"},
		{"route: users", "route: "},
		{"ring_mib: 0", "ring_mib must be from 1 to 4095"},
		{"interface: [a, a]", "interface: a is named twice"},
		{"when_denied: cry", `when_denied: "cry" is not one of exit, stay`},
		{"record_payload: true", "record_all and record_payload need record (record DIRECTORY says where to)"},
		{"record_bytes: 1", "record_bytes must be at least a quarter of record_memory, which a file may reach"},
		{"collection_interval: 0s", "collection_interval must be greater than 0"},
		{"shutdown_timeout: 0s", "shutdown_timeout must be greater than 0"},
		{"{ring_mib: 8, ring-mib: 8}", "ring_mib is set twice, with - and with _"},
		{"listen: off", "invalid keys: listen"},
	} {
		_, err := configure(t, c.yaml)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "--") {
			t.Errorf("%s: %v, want %q", c.yaml, err, c.want)
		}
	}
}
