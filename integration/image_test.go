package integration

import (
	"context"
	"crypto/rand"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStaticBinary: the binary asks for no interpreter and no library, so that
// it starts where there is nothing else.
func TestStaticBinary(t *testing.T) {
	f, err := elf.Open(buildWiretell(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary asks for an interpreter")
		}
	}
	if libraries, err := f.ImportedLibraries(); len(libraries) > 0 {
		t.Errorf("the binary needs %q, %v", libraries, err)
	}
}

// TestScratchImage builds the image of the Dockerfile from a folder that holds
// only the binary, and runs it with no privilege, no network and a root that
// cannot be written to.
func TestScratchImage(t *testing.T) {
	requireEngine(t)
	dir := t.TempDir()
	binary := buildWiretell(t, dir)
	image := "wiretell-test:" + strings.ToLower(rand.Text())
	t.Cleanup(func() { docker(t, "image", "rm", "--force", image) })
	docker(t, "build", "--quiet", "--file", filepath.Join(repository(t), "Dockerfile"), "--tag", image, dir)

	want, err := exec.Command(binary, "version").Output()
	if err != nil {
		t.Fatalf("wiretell version, outside a container: %v", err)
	}
	got := docker(t, "run", "--rm", "--network", "none", "--cap-drop", "ALL", "--read-only", image, "version")
	if got != string(want) || !strings.HasPrefix(got, "wiretell ") {
		t.Errorf("wiretell version in a container = %q, outside %q", got, want)
	}
}

// buildWiretell builds the static binary into dir and returns its path.
func buildWiretell(t *testing.T, dir string) string {
	t.Helper()
	binary := filepath.Join(dir, "wiretell")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", binary, "./cmd/wiretell")
	cmd.Dir = repository(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build wiretell: %v\n%s", err, out)
	}
	return binary
}

// requireEngine skips the test where no Docker engine answers; in CI it fails.
func requireEngine(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").CombinedOutput()
	if err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no Docker engine answers: %v\n%s", err, out)
	}
	t.Skipf("no Docker engine answers: %v", err)
}

// docker runs the client, with the builder that every engine has, and returns
// what it prints.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}
