package integration

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/wiretell/wiretell/integration/enginetest"
	"github.com/wiretell/wiretell/integration/image"
)

// ryukChild makes this program a test of testcontainers, with an application of
// this image, that never ends.
const ryukChild = "WIRETELL_TEST_RYUK"

// TestRyuk: with testcontainers' cleaner on Attach works, and a test that is
// killed leaves nothing behind at all.
func TestRyuk(t *testing.T) {
	t.Parallel()
	enginetest.Require(t)
	e, err := connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	app, err := Program(t.Context(), "./testdata/probe")
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"TESTCONTAINERS_RYUK_DISABLED=false", "RYUK_RECONNECTION_TIMEOUT=1s", "TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX="}
	//lint:ignore SA1019 nothing else says which one testcontainers starts
	ryuk := testcontainers.ReaperDefaultImage
	found, err := e.hasImage(t.Context(), ryuk)
	if err != nil {
		t.Fatal(err)
	}
	if !found { // by a prefix, so that other tests of this engine do not meet the stand-in
		env[2] += repositoryName
		standIn(t, e, repositoryName+"/"+ryuk)
		if out, code := docker(t, "tag", app, repositoryName+"/"+app); code != 0 {
			t.Fatal(out)
		}
		t.Cleanup(func() { docker(t, "image", "rm", repositoryName+"/"+app) })
	}
	t.Logf("the cleaner is Ryuk itself: %v", found)

	session := strings.ToLower(rand.Text())
	left := func(what ...string) string {
		t.Helper()
		out, code := docker(t, append(what, "--filter", "label=org.testcontainers.sessionId="+session)...)
		if code != 0 {
			t.Fatal(out)
		}
		return out
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(append(os.Environ(), env...), ryukChild+"="+app, "TESTCONTAINERS_SESSION_ID="+session)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "attached" {
		t.Log(lines.Text())
	}
	if lines.Text() != "attached" {
		t.Fatal("the child has ended")
	}
	if n := strings.Count(left("ps", "--all", "--quiet"), "\n"); n != 3 {
		t.Errorf("%d containers, want the application, wiretell and the cleaner", n)
	}
	if n := strings.Count(left("network", "ls", "--quiet"), "\n"); n != 1 {
		t.Errorf("%d networks, want 1", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return left("ps", "--all", "--quiet")+left("network", "ls", "--quiet") == "" })
}

// standIn gives the engine testdata/reaper under this name.
func standIn(t *testing.T, e *engine, name string) {
	t.Helper()
	binary, err := image.Compile(t.Context(), image.Program{Package: "./testdata/reaper"})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.load(t.Context(), name, &image.Image{
		Architecture: runtime.GOARCH,
		Config:       image.Config{Entrypoint: []string{"/reaper"}}, // as root, whom the engine's socket is for
		Files:        []image.File{{Path: "/reaper", Mode: 0o755, Data: binary}},
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { docker(t, "image", "rm", "--force", name) })
}

func startAndWait(app string) int {
	err := func() error {
		ctx := context.Background()
		nw, err := network.New(ctx)
		if err != nil {
			return err
		}
		c, err := testcontainers.Run(ctx, app, testcontainers.WithExposedPorts("8080/tcp"),
			testcontainers.WithWaitStrategy(wait.ForLog("probe listens")), network.WithNetwork([]string{"app"}, nw))
		if err != nil {
			return err
		}
		s, err := Attach(ctx, c)
		if err != nil {
			return err
		}
		base, err := c.PortEndpoint(ctx, "8080/tcp", "http")
		if err != nil {
			return err
		}
		resp, err := http.Get(base + "/status/204")
		if err != nil {
			return err
		}
		resp.Body.Close()
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		return s.WaitFor(ctx, Served().Times(1).Status(204))
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("attached")
	time.Sleep(5 * time.Minute)
	return 1
}
