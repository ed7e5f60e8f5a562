package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
	"github.com/wiretell/wiretell/integration/enginetest"
)

// quickStart returns the blocks of a section of docs/quickstart.md in a language.
func quickStart(t *testing.T, section, language string) (blocks []string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(repository(t), "docs/quickstart.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n## "+section+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	for _, m := range regexp.MustCompile("(?s)\n```"+language+"\n(.*?)```\n").FindAllStringSubmatch(rest, -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("docs/quickstart.md has no %s under %q", language, section)
	}
	return blocks
}

// TestQuickStartHost runs the commands, in a network namespace and a copy of
// the source.
func TestQuickStartHost(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("not root, for setcap")
		}
		t.Skip("not root, for setcap")
	}
	if !netnstest.IsChild() { // where the modules can be had
		cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/wiretell")
		cmd.Dir = repository(t)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	netnstest.Child(t, netnstest.Isolated(), func(t *testing.T) {
		ns := netnstest.New(t)
		var ln net.Listener
		ns.Must(t, func() (err error) {
			ln, err = net.Listen("tcp", "127.0.0.1:8080")
			return err
		})
		defer ln.Close()
		go func() { _ = http.Serve(ln, http.NotFoundHandler()) }()

		cmd := exec.Command("bash", "-e", "-c", quickStart(t, "On a host", "sh")[0])
		cmd.Dir = checkout(t)
		cmd.Env = append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -pgo=off", "PATH="+withSudo(t))
		stdout, stderr := transcript(t), transcript(t)
		cmd.Stdout, cmd.Stderr = stdout, stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		ns.Must(t, cmd.Start)
		t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		await(t, func() bool { return strings.Contains(text(t, stderr), "wiretell: capturing on all interfaces\n") })
		ns.Must(t, func() error {
			c, err := net.Dial("tcp", "127.0.0.1:8080")
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = fmt.Fprint(c, "GET /hello HTTP/1.0\r\n\r\n")
			if err == nil {
				_, err = io.ReadAll(c)
			}
			return err
		})
		await(t, func() bool { return strings.Contains(text(t, stdout), "status=404") })
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, text(t, stderr))
		}
		// The line that the page shows is one of these, but for its values.
		names := func(line string) string {
			return regexp.MustCompile(`=\S*`).ReplaceAllString(regexp.MustCompile(`^\S+ `).ReplaceAllString(line, ""), "")
		}
		shown := names(strings.TrimSpace(quickStart(t, "On a host", "text")[0]))
		if !slices.ContainsFunc(strings.Split(text(t, stdout), "\n"), func(line string) bool { return names(line) == shown }) {
			t.Errorf("the page shows %q, which is none of\n%s", shown, text(t, stdout))
		}
	})
}

// transcript is a file for the output of a program.
func transcript(t *testing.T) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func text(t *testing.T, f *os.File) string {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// checkout copies what git knows of the source.
func checkout(t *testing.T) string {
	t.Helper()
	root, dir := repository(t), t.TempDir()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	names, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, and not yet told to git
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// withSudo returns the search path, with a sudo for root where there is none.
func withSudo(t *testing.T) string {
	t.Helper()
	path := os.Getenv("PATH") + ":/usr/sbin:/sbin"
	if _, err := exec.LookPath("sudo"); err == nil {
		return path
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sudo"), []byte("#!/bin/sh\nexec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir + ":" + path
}

// TestQuickStartSuite runs the code as a test, as if it were a file of
// examples/shop.
func TestQuickStartSuite(t *testing.T) {
	t.Parallel()
	enginetest.Require(t)
	dir, root := t.TempDir(), repository(t)
	file := filepath.Join(dir, "shop_test.go")
	if err := os.WriteFile(file, []byte(quickStart(t, "In a test suite", "go")[0]), 0o644); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "examples/shop/quickstart_test.go"): file}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := quickStart(t, "In a test suite", "sh")[0]; got != "go test .\n" {
		t.Errorf("the page runs it with %q", got)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-v", "-pgo=off", "-count=1", "-overlay="+filepath.Join(dir, "overlay.json"), "-run=^TestPayment$", "./examples/shop")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: Test") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestQuickStartPod: what the page shows is part of the manifest that its
// commands apply, which integration/kubernetes checks; the commands name what is
// in it.
func TestQuickStartPod(t *testing.T) {
	commands := quickStart(t, "In a pod", "sh")[0]
	m := regexp.MustCompile(`^kubectl apply -f (\S+)\nkubectl -n (\S+) logs deploy/(\S+) -c (\S+)\n$`).FindStringSubmatch(commands)
	if m == nil {
		t.Fatalf("the page has the commands %q", commands)
	}
	manifest, err := os.ReadFile(filepath.Join(repository(t), m[1]))
	if err != nil {
		t.Fatal(err)
	}
	documents := yaml.NewDecoder(bytes.NewReader(manifest))
	var deployment map[string]any
	for deployment["kind"] != "Deployment" {
		deployment = nil
		if err := documents.Decode(&deployment); err != nil {
			t.Fatalf("%s has no Deployment: %v", m[1], err)
		}
	}
	if !inside(decoded(t, fmt.Sprintf("metadata: {namespace: %s, name: %s}\nspec: {template: {spec: {initContainers: [{name: %s}]}}}", m[2], m[3], m[4])), deployment) {
		t.Errorf("%s has not what %q names", m[1], commands)
	}
	shown := decoded(t, quickStart(t, "In a pod", "yaml")[0])
	if !inside(map[string]any{"spec": map[string]any{"template": map[string]any{"spec": shown}}}, deployment) {
		t.Errorf("the page shows %v, which is not in %s", shown, m[1])
	}
}

func decoded(t *testing.T, text string) (out map[string]any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// inside reports whether all that part says whole says too; items of a list may
// have others around them.
func inside(part, whole any) bool {
	switch part := part.(type) {
	case map[string]any:
		w, ok := whole.(map[string]any)
		for k, v := range part {
			ok = ok && inside(v, w[k])
		}
		return ok
	case []any:
		w, ok := whole.([]any)
		for _, v := range part {
			ok = ok && slices.ContainsFunc(w, func(x any) bool { return inside(v, x) })
		}
		return ok
	}
	return reflect.DeepEqual(part, whole)
}

// TestQuickStartCompose: what the page shows is part of the compose file, which
// integration/stack runs.
func TestQuickStartCompose(t *testing.T) {
	if got := quickStart(t, "Beside a container, with compose", "sh")[0]; got != "cd examples/compose\ndocker compose up --build --detach\n" {
		t.Errorf("the page has the commands %q", got)
	}
	file, err := os.ReadFile(filepath.Join(repository(t), "examples/compose/compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if shown := decoded(t, quickStart(t, "Beside a container, with compose", "yaml")[0]); !inside(map[string]any{"services": shown}, decoded(t, string(file))) {
		t.Errorf("the page shows %v, which is not in the file", shown)
	}
}
