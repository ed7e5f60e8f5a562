package integration

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/client"

	"github.com/wiretell/wiretell/integration/enginetest"
	"github.com/wiretell/wiretell/integration/image"
)

// ownImage returns the name of wiretell's image of this source.
func ownImage(t testing.TB) string {
	t.Helper()
	enginetest.Require(t)
	name, err := Image(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// docker runs the client and returns what the container or it prints on either
// output, and the exit code.
func docker(t *testing.T, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !asExit(err, &exit) {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	if exit != nil {
		return string(out), exit.ExitCode()
	}
	return string(out), 0
}

func asExit(err error, to **exec.ExitError) (ok bool) {
	*to, ok = err.(*exec.ExitError)
	return ok
}

// seccomp writes a profile that answers calls with EPERM, and returns the
// option that sets it. Each call is its name, or its name and first argument.
func seccomp(t *testing.T, call string, arg ...int) string {
	t.Helper()
	rule := map[string]any{"names": []string{call}, "action": "SCMP_ACT_ERRNO"}
	if len(arg) > 0 {
		rule["args"] = []any{map[string]any{"index": 0, "value": arg[0], "op": "SCMP_CMP_EQ"}}
	}
	profile, err := json.Marshal(map[string]any{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []any{rule}})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "seccomp.json")
	if err := os.WriteFile(name, profile, 0o644); err != nil {
		t.Fatal(err)
	}
	return "--security-opt=seccomp=" + name
}

// TestPrivileges runs the image with every mixture of privileges that people
// give: it captures, or says what is missing, and in no case dies without a
// word.
func TestPrivileges(t *testing.T) {
	own := ownImage(t)
	plain := plainImage(t)
	const afPacket = 17
	granted := []string{"--cap-drop=ALL", "--cap-add=NET_RAW"}
	with := func(more ...string) []string { return append(slices.Clone(granted), more...) }
	for _, c := range []struct {
		name  string
		image string
		flags []string
		code  int
		want  string
	}{
		{"as documented", own, with("--read-only"), 0, "wiretell: capturing on all interfaces"},
		{"Docker's defaults", own, nil, 0, "wiretell: capturing on all interfaces"},
		{"another user", own, with("--user=12345:12345"), 0, "wiretell: capturing on all interfaces"},
		{"root", own, with("--user=0"), 0, "wiretell: capturing on all interfaces"},
		{"root that may gain nothing", own, with("--user=0", "--security-opt=no-new-privileges"), 0, "wiretell: capturing on all interfaces"},
		{"privileged", own, []string{"--privileged"}, 0, "wiretell: capturing on all interfaces"},
		{"nothing granted", own, []string{"--cap-drop=ALL"}, 3, "PERM-01"},
		{"root, nothing granted", own, []string{"--user=0", "--cap-drop=ALL"}, 3, "PERM-01"},
		{"granted, but may gain nothing", own, with("--security-opt=no-new-privileges"), 3, "PERM-02"},
		{"nothing granted, may gain nothing", own, []string{"--cap-drop=ALL", "--security-opt=no-new-privileges"}, 3, "PERM-01"},
		{"a file without the capability", plain, granted, 3, "PERM-02"},
		{"a file without the capability, root", plain, with("--user=0"), 0, "wiretell: capturing on all interfaces"},
		{"seccomp: packet sockets", own, with(seccomp(t, "socket", afPacket)), 3, "PERM-03"},
		// Without no-new-privileges the engine itself fails on these.
		{"seccomp: capset", own, with("--user=0", "--security-opt=no-new-privileges", seccomp(t, "capset")), 1, "wiretell: drop privileges: drop capabilities: operation not permitted"},
		{"seccomp: prctl", own, with("--user=0", "--security-opt=no-new-privileges", seccomp(t, "prctl")), 1, "wiretell: drop privileges: set no_new_privs: operation not permitted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"run", "--rm", "--network=none"}, c.flags...)
			out, code := docker(t, append(args, c.image, "run", "--duration=100ms")...)
			if code != c.code || !strings.Contains(out, c.want) || strings.Contains(out, "goroutine ") || !strings.Contains(out, "wiretell: ") {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, c.code, c.want, out)
			}
		})
	}
}

// plainImage is wiretell's image without the file capability, as a builder
// makes it that loses attributes.
func plainImage(t *testing.T) string {
	t.Helper()
	img, err := image.Wiretell(t.Context(), runtime.GOARCH, image.Release{Dir: repository(t)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range img.Files {
		img.Files[i].NetRaw = false
	}
	name, err := Load(t.Context(), "plain", img)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// TestNoCapabilityLeft: while it captures, no thread of wiretell holds a
// capability, whoever it runs as.
func TestNoCapabilityLeft(t *testing.T) {
	own := ownImage(t)
	for name, flags := range map[string][]string{
		"nobody": {"--cap-drop=ALL", "--cap-add=NET_RAW"},
		"root":   {"--user=0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"run", "--rm", "--detach", "--network=none"}, flags...)
			out, code := docker(t, append(args, own, "run")...)
			if code != 0 {
				t.Fatalf("docker run: %s", out)
			}
			id := strings.TrimSpace(out)
			t.Cleanup(func() { docker(t, "rm", "--force", id) })
			await(t, func() bool { out, _ := docker(t, "logs", id); return strings.Contains(out, "capturing") })
			out, _ = docker(t, "inspect", "--format={{.State.Pid}}", id)
			files, err := filepath.Glob("/proc/" + strings.TrimSpace(out) + "/task/*/status")
			if err != nil || len(files) < 2 {
				t.Fatalf("threads: %v, %v", files, err)
			}
			for _, file := range files {
				status, err := os.ReadFile(file)
				if os.IsNotExist(err) {
					continue // a thread that has ended
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, line := range []string{"CapInh:\t", "CapPrm:\t", "CapEff:\t", "CapAmb:\t"} {
					if !strings.Contains(string(status), line+"0000000000000000\n") {
						t.Errorf("%s: %s is not empty:\n%s", file, line, status)
					}
				}
				if !strings.Contains(string(status), "NoNewPrivs:\t1\n") {
					t.Errorf("%s: may gain privileges", file)
				}
			}
		})
	}
}

// await waits until f holds, for a minute at most.
func await(t *testing.T, f func() bool) {
	t.Helper()
	for range 600 {
		if f() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("it did not come to pass within a minute")
}

// TestDockerfile builds the Dockerfile with the engine's BuildKit, and runs it.
// In place of the Go image stands one whose go command does nothing and that
// holds the folder already: what is compiled is compared elsewhere, here it is
// what the builder makes of it.
func TestDockerfile(t *testing.T) {
	own := ownImage(t)
	e, err := connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	img, err := image.Wiretell(t.Context(), runtime.GOARCH, image.Release{Dir: repository(t)})
	if err != nil {
		t.Fatal(err)
	}
	nothing, err := image.Compile(t.Context(), image.Program{Package: "./testdata/nothing"})
	if err != nil {
		t.Fatal(err)
	}
	builder := &image.Image{Architecture: img.Architecture, Config: image.Config{Env: []string{"PATH=/bin"}}}
	for _, f := range img.Files {
		f.Path = "/image" + f.Path
		builder.Files = append(builder.Files, f)
	}
	builder.Files = append(builder.Files, image.File{Path: "/bin/go", Mode: 0o755, Data: nothing})
	stage, err := e.devel(t.Context(), "builder", builder)
	if err != nil {
		t.Fatal(err)
	}

	name := repositoryName + ":dockerfile"
	version := "v1.2.3"
	answer, err := e.ImageBuild(t.Context(), buildContext(t), client.ImageBuildOptions{
		Version: build.BuilderBuildKit, Tags: []string{name},
		BuildArgs: map[string]*string{"GO_IMAGE": &stage, "VERSION": &version},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || bytes.Contains(said, []byte(`"error"`)) {
		t.Fatalf("build: %v\n%s", err, said)
	}
	t.Cleanup(func() { docker(t, "image", "rm", "--force", name) })

	want, _ := docker(t, "image", "inspect", "--format={{json .Config.User}} {{json .Config.Entrypoint}} {{json .Config.Cmd}} {{json .Config.Env}} {{json .Config.Healthcheck}}", own)
	got, _ := docker(t, "image", "inspect", "--format={{json .Config.User}} {{json .Config.Entrypoint}} {{json .Config.Cmd}} {{json .Config.Env}} {{json .Config.Healthcheck}}", name)
	if got != want {
		t.Errorf("the Dockerfile's image has %s, the other %s", got, want)
	}
	if got, _ := docker(t, "image", "inspect", `--format={{index .Config.Labels "org.opencontainers.image.version"}}`, name); got != "v1.2.3\n" {
		t.Errorf("version label %q", got)
	}
	out, code := docker(t, "run", "--rm", "--network=none", "--cap-drop=ALL", "--cap-add=NET_RAW", name, "run", "--duration=100ms")
	if code != 0 || !strings.Contains(out, "wiretell: capturing") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if got, _ := docker(t, "run", "--rm", "--network=none", "--cap-drop=ALL", "--read-only", name, "version"); !strings.HasPrefix(got, "wiretell devel ") {
		t.Errorf("wiretell version = %q", got)
	}
}

// buildContext is a build context of the Dockerfile alone.
func buildContext(t *testing.T) io.Reader {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository(t), "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "Dockerfile", Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}
