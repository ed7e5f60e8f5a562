package peers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

func hello(word string) program {
	return program{name: "hello", version: "1", sources: fstest.MapFS{
		"go.mod.txt":  {Data: []byte("module hello\n\ngo 1.26.0\n")},
		"main.go.txt": {Data: []byte("package main\n\nfunc main() { print(\"" + word + "\") }\n")},
	}}
}

// TestBuildOnce builds from many goroutines at once, each with its own open
// file and hence its own claim to the lock: one builds, all get the binary.
func TestBuildOnce(t *testing.T) {
	cache := t.TempDir()
	var mu sync.Mutex
	var log []string
	logf := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, fmt.Sprintf(format, args...))
	}
	paths := make([]string, 6)
	var wg sync.WaitGroup
	for i := range paths {
		wg.Go(func() {
			path, err := hello("hi").build(cache, logf)
			if err != nil {
				t.Error(err)
			}
			paths[i] = path
		})
	}
	wg.Wait()
	if len(log) != 2 || !strings.HasPrefix(log[0], "building hello 1") || !strings.HasPrefix(log[1], "built hello 1 in ") {
		t.Errorf("log = %q, want one build", log)
	}
	for _, path := range paths {
		if path != paths[0] {
			t.Errorf("paths differ: %q", paths)
		}
	}
	if out, err := exec.Command(paths[0]).CombinedOutput(); string(out) != "hi" {
		t.Errorf("the program says %q, %v", out, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(paths[0]), "build-*")); len(left) > 0 {
		t.Errorf("build folders left behind: %q", left)
	}
}

// TestBuildContent: other content is another binary, the same is not built twice.
func TestBuildContent(t *testing.T) {
	cache := t.TempDir()
	builds := 0
	logf := func(format string, _ ...any) {
		if strings.HasPrefix(format, "building") {
			builds++
		}
	}
	for _, word := range []string{"one", "two", "one"} {
		path, err := hello(word).build(cache, logf)
		if err != nil {
			t.Fatal(err)
		}
		if out, _ := exec.Command(path).CombinedOutput(); string(out) != word {
			t.Errorf("the program of %q says %q", word, out)
		}
	}
	if builds != 2 {
		t.Errorf("%d builds, want 2", builds)
	}
}

// TestBuildOffline: a module that cannot be fetched is explained, and leaves no binary.
func TestBuildOffline(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	p := hello("x")
	p.sources.(fstest.MapFS)["go.mod.txt"].Data = []byte("module hello\n\ngo 1.26.0\n\nrequire example.com/missing v1.0.0\n")
	p.sources.(fstest.MapFS)["main.go.txt"].Data = []byte("package main\n\nimport _ \"example.com/missing\"\n\nfunc main() {}\n")
	p.sources.(fstest.MapFS)["go.sum.txt"] = &fstest.MapFile{Data: []byte(
		"example.com/missing v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n" +
			"example.com/missing v1.0.0/go.mod h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")}
	cache := t.TempDir()
	_, err := p.build(cache, t.Logf)
	if err == nil || !strings.Contains(err.Error(), "set WIRETELL_CACHE") {
		t.Fatalf("error = %v, want one that explains WIRETELL_CACHE", err)
	}
	if binaries, _ := filepath.Glob(filepath.Join(cache, "peers", "*", "hello")); len(binaries) > 0 {
		t.Errorf("a failed build left %q", binaries)
	}
}

func TestCacheDir(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("WIRETELL_CACHE", dir)
	if got, err := CacheDir(); got != dir || err != nil {
		t.Errorf("with WIRETELL_CACHE: %q, %v", got, err)
	}
	t.Setenv("WIRETELL_CACHE", "")
	t.Setenv("XDG_CACHE_HOME", dir)
	if got, err := CacheDir(); got != filepath.Join(dir, "wiretell") || err != nil {
		t.Errorf("without: %q, %v", got, err)
	}
}

// TestManifestVersion: the version in the binary's name is the manifest's.
func TestManifestVersion(t *testing.T) {
	manifest, err := os.ReadFile("collector/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(manifest), "\n  version: "+collectorVersion+"\n") {
		t.Errorf("collector/manifest.yaml has another version than %s", collectorVersion)
	}
}

// TestManifests: what is built has all that the manifests name, in their versions,
// and nothing else.
func TestManifests(t *testing.T) {
	for manifest, dir := range map[string]string{"collector/manifest.yaml": "collector", "../../examples/collector/builder.yaml": "otelcol-wiretell"} {
		text, err := os.ReadFile(manifest)
		if err != nil {
			t.Fatal(err)
		}
		components, err := os.ReadFile(filepath.Join(dir, "components.go.txt"))
		if err != nil {
			t.Fatal(err)
		}
		named := 0
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if module, ok := strings.CutPrefix(line, "- gomod: "); ok && !strings.Contains(module, "/confmap/") {
				if named++; !strings.Contains(string(components), `"`+module+`"`) {
					t.Errorf("%s/components.go.txt lacks %s: run collector/regenerate.sh", dir, module)
				}
			}
			if path, ok := strings.CutPrefix(line, "import: "); ok && !strings.Contains(string(components), `"`+path+`"`) {
				t.Errorf("%s/components.go.txt does not import %s: run collector/regenerate.sh", dir, path)
			}
		}
		if got := strings.Count(string(components), ".NewFactory().Type():"); got != named || named == 0 {
			t.Errorf("%s/components.go.txt has %d components, %s names %d: run collector/regenerate.sh", dir, got, manifest, named)
		}
	}
}
