package integration

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// room is a package and what it may import of this repository. Its tests may
// import more.
type room struct {
	rank    int
	dir     string
	imports []string
}

// plan is the direction of imports: the import graph is the data flow, one hop
// is one import. Each import is of a lower rank, so rooms of one rank do not
// know each other. The table holds what is, not what might be: a line that is
// no longer true fails. docs/architecture.md has the reasons.
//
// integration and examples stand aside and may import everything.
var plan = []room{
	{0, "capture", nil},
	{0, "semconv", nil},

	{1, "capture/afpacket", []string{"capture"}},
	{1, "capture/capturetest", []string{"capture"}},
	{1, "capture/capturetest/netnstest", nil},
	{1, "capture/defrag", []string{"capture"}},
	{1, "capture/diagnosis", []string{"capture"}},
	{1, "capture/dns", []string{"capture"}},
	{1, "capture/filter", []string{"capture"}},
	{1, "capture/http1", []string{"capture"}},
	{1, "capture/icmp", []string{"capture"}},
	{1, "capture/netns", []string{"capture"}},
	{1, "capture/pcap", []string{"capture"}},
	{1, "capture/sniff", []string{"capture"}},
	{1, "capture/tcp", []string{"capture"}},
	{1, "capture/tls", []string{"capture"}},
	{1, "capture/wire", []string{"capture"}},

	{2, "capture/observer", []string{"capture", "capture/defrag", "capture/dns", "capture/http1", "capture/icmp", "capture/sniff", "capture/tcp", "capture/tls", "capture/wire"}},

	{3, "exporter", []string{"capture", "capture/diagnosis"}},

	{4, "exporter/endpoint", []string{"exporter"}},
	{4, "exporter/otel", []string{"capture", "capture/diagnosis", "exporter", "semconv"}},
	{4, "exporter/record", []string{"capture", "capture/pcap", "exporter"}},
	{4, "exporter/selector", []string{"capture", "exporter"}},
	{4, "exporter/text", []string{"capture", "capture/diagnosis", "exporter"}},

	{5, "exporter/pipeline", []string{
		"capture", "capture/afpacket", "capture/diagnosis", "capture/filter", "capture/netns", "capture/observer",
		"exporter", "exporter/otel", "exporter/record", "exporter/selector",
	}},

	{4, "cmd/wiretell/explain", []string{"capture", "capture/diagnosis", "capture/icmp", "semconv"}},

	{6, "exporter/wiretellreceiver", []string{"capture", "capture/afpacket", "capture/diagnosis", "exporter/otel", "exporter/pipeline"}},

	{6, "cmd/wiretell", []string{
		"capture", "capture/afpacket", "capture/diagnosis", "capture/netns", "capture/pcap",
		"cmd/wiretell/explain", "exporter", "exporter/endpoint", "exporter/otel", "exporter/pipeline", "exporter/selector", "exporter/text", "semconv",
	}},
}

// TestLayers compares the plan with the code, both ways.
func TestLayers(t *testing.T) {
	s, err := readSource(os.DirFS(repository(t)))
	if err != nil {
		t.Fatal(err)
	}
	report(t, checkPlan(plan))
	report(t, checkLayers(s, plan))
	report(t, checkForeign(s, plan))
}

// TestLayersFail shows each complaint on a small tree made for it.
func TestLayersFail(t *testing.T) {
	small := []room{{0, "capture", nil}, {1, "capture/wire", []string{"capture"}}, {1, "capture/tcp", []string{"capture"}}, {4, "exporter/otel", []string{"capture"}}}
	good := map[string]string{
		"capture/a.go":       `package capture; import "net/netip"; var _ netip.Addr`,
		"capture/wire/a.go":  `package wire; import "` + module + `/capture"`,
		"capture/tcp/a.go":   `package tcp; import "` + module + `/capture"`,
		"exporter/otel/a.go": `package otel; import ("` + module + `/capture"; "go.opentelemetry.io/otel/trace")`,
	}
	if got := complaints(t, good, small); len(got) != 0 {
		t.Fatalf("the good tree has complaints: %q", got)
	}
	tests := []struct{ name, file, text, want string }{
		{"not planned", "capture/wire/b.go", `package wire; import "` + module + `/capture/tcp"`, "capture/wire imports capture/tcp, which is not in the plan"},
		{"in a file of another platform", "capture/wire/b_windows.go", `package wire; import "` + module + `/capture/tcp"`, "capture/wire imports capture/tcp, which is not in the plan"},
		{"no longer true", "capture/tcp/a.go", `package tcp`, "the plan says that capture/tcp imports capture, which it does not"},
		{"a new package", "capture/quic/a.go", `package quic`, "capture/quic is not in the plan"},
		{"a package that is gone", "capture/tcp/a.go", ``, "the plan has capture/tcp, which does not exist"},
		{"capture is not pure", "capture/b.go", `package capture; import "golang.org/x/sys/unix"`, "capture imports golang.org/x/sys/unix: rank 0 knows the standard library only"},
		{"telemetry in a parser", "capture/wire/b.go", `package wire; import "go.opentelemetry.io/otel/trace"`, "capture/wire imports go.opentelemetry.io/otel/trace: only exporter/otel, exporter/selector, exporter/wiretellreceiver and cmd know OpenTelemetry"},
		{"product imports the suites", "capture/wire/b.go", `package wire; import "` + module + `/integration/peers"`, "capture/wire imports integration/peers, which is not in the plan"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := maps.Clone(good)
			files[tt.file] = tt.text
			if tt.text == "" {
				delete(files, tt.file)
			}
			if got := complaints(t, files, small); !slices.Contains(got, tt.want) {
				t.Errorf("complaints = %q, want %q", got, tt.want)
			}
		})
	}
	want := "the plan has capture/tcp (rank 1) import capture/wire (rank 1)"
	if got := checkPlan([]room{{1, "capture/wire", nil}, {1, "capture/tcp", []string{"capture/wire"}}}); !slices.Contains(got, want) {
		t.Errorf("complaints about a plan = %q, want %q", got, want)
	}
}

func complaints(t *testing.T, files map[string]string, plan []room) []string {
	t.Helper()
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	s, err := readSource(root)
	if err != nil {
		t.Fatal(err)
	}
	return append(checkLayers(s, plan), checkForeign(s, plan)...)
}

// checkPlan holds the plan itself to its rule.
func checkPlan(plan []room) (problems []string) {
	rank := map[string]int{}
	for _, r := range plan {
		if _, twice := rank[r.dir]; twice {
			problems = append(problems, fmt.Sprintf("the plan has %s twice", r.dir))
		}
		rank[r.dir] = r.rank
	}
	for _, r := range plan {
		for _, dir := range r.imports {
			if n, ok := rank[dir]; !ok || n >= r.rank {
				problems = append(problems, fmt.Sprintf("the plan has %s (rank %d) import %s (rank %d)", r.dir, r.rank, dir, n))
			}
		}
	}
	return problems
}

// checkLayers compares what packages import of this repository with the plan.
func checkLayers(s *source, plan []room) (problems []string) {
	found := map[string]map[string]bool{}
	for _, f := range s.files {
		if f.test || f.top() == "integration" || f.top() == "examples" {
			continue
		}
		if found[f.dir] == nil {
			found[f.dir] = map[string]bool{}
		}
		for _, p := range f.imports {
			if p == module || within(p, module) {
				found[f.dir][strings.TrimPrefix(strings.TrimPrefix(p, module), "/")] = true
			}
		}
	}
	for _, r := range plan {
		imports, ok := found[r.dir]
		if !ok {
			problems = append(problems, fmt.Sprintf("the plan has %s, which does not exist", r.dir))
			continue
		}
		for _, dir := range slices.Sorted(maps.Keys(imports)) {
			if !slices.Contains(r.imports, dir) {
				problems = append(problems, fmt.Sprintf("%s imports %s, which is not in the plan", r.dir, dir))
			}
		}
		for _, dir := range r.imports {
			if !imports[dir] {
				problems = append(problems, fmt.Sprintf("the plan says that %s imports %s, which it does not", r.dir, dir))
			}
		}
		delete(found, r.dir)
	}
	for _, dir := range slices.Sorted(maps.Keys(found)) {
		problems = append(problems, fmt.Sprintf("%s is not in the plan", dir))
	}
	return problems
}

// checkForeign holds what packages import of other modules to the two rules
// that keep the rooms apart.
func checkForeign(s *source, plan []room) (problems []string) {
	rank := map[string]int{}
	for _, r := range plan {
		rank[r.dir] = r.rank
	}
	for _, f := range s.files {
		if f.test || f.top() == "integration" || f.top() == "examples" {
			continue
		}
		n, planned := rank[f.dir]
		for _, p := range f.imports {
			first, _, _ := strings.Cut(p, "/")
			foreign := strings.Contains(first, ".") && !within(p, module)
			if foreign && planned && n == 0 {
				problems = append(problems, fmt.Sprintf("%s imports %s: rank 0 knows the standard library only", f.dir, p))
			}
			// exporter/selector takes its language from OpenTelemetry.
			if first == "go.opentelemetry.io" && !slices.Contains([]string{"exporter/otel", "exporter/selector", "exporter/wiretellreceiver"}, f.dir) && f.top() != "cmd" {
				problems = append(problems, fmt.Sprintf("%s imports %s: only exporter/otel, exporter/selector, exporter/wiretellreceiver and cmd know OpenTelemetry", f.dir, p))
			}
		}
	}
	return problems
}

// TestBinaryHoldsNoMore: nothing that exists for tests, or for a Collector that
// wiretell is built into, is linked into wiretell.
func TestBinaryHoldsNoMore(t *testing.T) {
	linked := dependencies(t, "./cmd/wiretell")
	if len(linked) < 50 {
		t.Fatalf("only %d dependencies: is this the binary?", len(linked))
	}
	for _, dep := range linked {
		if dep == "testing" || within(dep, "github.com/testcontainers") || within(dep, "k8s.io") || within(dep, "sigs.k8s.io") || within(dep, "helm.sh") ||
			within(dep, module+"/integration") || within(dep, module+"/capture/capturetest") {
			t.Errorf("cmd/wiretell is linked with %s", dep)
		}
	}
	inCollector := dependencies(t, "./exporter/wiretellreceiver")
	for _, dep := range []string{
		module + "/exporter/wiretellreceiver", "go.opentelemetry.io/collector/receiver", "go.opentelemetry.io/collector/consumer",
		"go.opentelemetry.io/collector/confmap", "go.opentelemetry.io/collector/component/componentstatus", "go.opentelemetry.io/collector/receiver/receiverhelper", "github.com/knadh/koanf/v2",
	} {
		if slices.Contains(linked, dep) {
			t.Errorf("cmd/wiretell is linked with %s", dep)
		}
		if !slices.Contains(inCollector, dep) {
			t.Errorf("not even a Collector is linked with %s", dep)
		}
	}
}

// dependencies lists what a package is linked with.
func dependencies(t *testing.T, pkg string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", pkg)
	cmd.Dir = repository(t)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	return strings.Fields(string(out))
}

func report(t *testing.T, problems []string) {
	t.Helper()
	for _, p := range problems {
		t.Error(p)
	}
}
