package stack

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"go.yaml.in/yaml/v3"

	"github.com/wiretell/wiretell/integration"
	"github.com/wiretell/wiretell/integration/enginetest"
	"github.com/wiretell/wiretell/integration/image"
	"github.com/wiretell/wiretell/integration/peers"
)

// folder is where the compose file lies.
const folder = "../../examples/compose"

// services are what the compose file runs.
type services map[string]map[string]any

// example returns the services of the compose file, with images made here of
// the programs that it names, and whichever ports of this host are free.
func example(t *testing.T) services {
	t.Helper()
	enginetest.Require(t)
	text, err := os.ReadFile(folder + "/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`"127\.0\.0\.1:\d+:(\d+)"`).ReplaceAll(text, []byte(`"127.0.0.1::$1"`))
	var file struct{ Services services }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	all := file.Services
	delete(all, "grafana")
	delete(all["wiretell"], "build")
	delete(all["client"], "entrypoint")
	all["app"]["command"], all["client"]["command"] = []string{"app"}, []string{"client"}
	all["client"]["user"] = "0" // to send ICMP
	traffic := func() (string, error) { return integration.Program(t.Context(), "./testdata/traffic") }
	images := map[string]func() (string, error){
		"nginx:1.28-alpine":                            traffic,
		"curlimages/curl:8.15.0":                       traffic,
		image.Name + ":0.1.0":                          func() (string, error) { return integration.Image(t.Context()) },
		"otel/opentelemetry-collector-contrib:0.162.0": alone(t, peers.BuildCollector, image.Config{User: "10001:10001"}),
		"jaegertracing/jaeger:2.13.0":                  alone(t, peers.BuildJaeger, image.Config{User: "10001:10001"}),
		"prom/prometheus:v3.16.0":                      alone(t, peers.BuildPrometheus, image.Config{User: "65534:65534", WorkingDir: "/data"}),
	}
	for name, s := range all {
		local, ok := images[s["image"].(string)]
		if !ok {
			t.Fatalf("%s: no image is made here in the place of %s", name, s["image"])
		}
		if s["image"], err = local(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// alone makes an image that holds a program and a folder for its data.
func alone(t *testing.T, build func(func(string, ...any)) (string, error), c image.Config) func() (string, error) {
	return func() (string, error) {
		binary, err := build(t.Logf)
		if err != nil {
			return "", err
		}
		data, err := os.ReadFile(binary)
		if err != nil {
			return "", err
		}
		name := filepath.Base(binary)
		c.Entrypoint = []string{"/" + name}
		return integration.Load(t.Context(), name, &image.Image{Architecture: runtime.GOARCH, Config: c, Files: []image.File{
			{Path: "/" + name, Mode: 0o755, Data: data},
			{Path: "/data", Mode: fs.ModeDir | 0o777},
		}})
	}
}

// project is services that run.
type project struct {
	t       *testing.T
	command []string // that all commands to compose begin with
	name    string
}

// folderOf returns a folder for what a project writes.
func folderOf(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wiretell-stack-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// up starts services. When the test ends, or its process in whatever way,
// nothing is left of them, nor of dir, where they are written down.
func up(t *testing.T, name, dir string, all services) *project {
	t.Helper()
	command := []string{"docker", "compose"}
	if exec.Command("docker", "compose", "version").Run() != nil {
		// The first compose, which does not know all of today's specification;
		// examples/compose decodes the file by that.
		command = []string{"docker-compose"}
		if _, err := exec.LookPath(command[0]); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal("no docker compose, and no docker-compose")
			}
			t.Skip("no docker compose, and no docker-compose")
		}
		if w := all["wiretell"]; w != nil {
			delete(w["depends_on"].(map[string]any)["app"].(map[string]any), "restart")
		}
	}
	text, err := yaml.Marshal(map[string]any{"services": all})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "compose.yaml")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	p := &project{t: t, name: name, command: append(command, "-p", name, "-f", file, "--project-directory", folder)}

	// The shell outlives this process: it learns of its end by the pipe.
	said := filepath.Join(dir, "down")
	down := exec.Command("sh", append([]string{"-c", `dir=$1; shift; cat; "$@" >"$dir/down" 2>&1 && rm -rf "$dir"`, "sh", dir}, append(p.command, "down", "--volumes", "--timeout=2")...)...)
	down.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that Ctrl-C is not its end
	alive, err := down.StdinPipe()
	if err == nil {
		err = down.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.run("logs", "--tail=50"))
		}
		alive.Close()
		if err := down.Wait(); err != nil {
			text, _ := os.ReadFile(said)
			t.Errorf("compose down: %v\n%s", err, text)
		}
	})
	if p.run("up", "--detach"); t.Failed() {
		t.FailNow()
	}
	return p
}

// run runs a command of compose and returns what it says.
func (p *project) run(args ...string) string {
	p.t.Helper()
	cmd := exec.Command(p.command[0], append(slices.Clone(p.command[1:]), args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Errorf("%s: %v\n%s%s", cmd, err, out, &stderr)
	}
	return string(out)
}

// url returns where a port of a service is at this host.
func (p *project) url(service string, port uint16) string {
	p.t.Helper()
	for _, c := range containers(p.t, p.name) {
		for _, published := range c.Ports {
			if c.Labels["com.docker.compose.service"] == service && published.PrivatePort == port && published.PublicPort != 0 {
				return fmt.Sprintf("http://127.0.0.1:%d", published.PublicPort)
			}
		}
	}
	p.t.Fatalf("port %d of %s is not published; services run so:\n%s", port, service, p.run("ps"))
	return ""
}

// containers returns those of a project, whether they run or not.
func containers(t *testing.T, project string) []container.Summary {
	t.Helper()
	c, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	list, err := c.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: labelled(project)})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// labelled are the things of a project, as compose marks them.
func labelled(project string) client.Filters {
	return client.Filters{}.Add("label", "com.docker.compose.project="+project)
}

// killed makes this program a test of the project of that name, that never ends.
const killed = "WIRETELL_TEST_KILLED"

// TestKilled: a test that is killed leaves nothing behind.
func TestKilled(t *testing.T) {
	if name := os.Getenv(killed); name != "" {
		app, err := integration.Program(t.Context(), "./testdata/traffic")
		if err != nil {
			t.Fatal(err)
		}
		dir := folderOf(t)
		up(t, name, dir, services{"app": {"image": app, "command": []string{"app"}}})
		fmt.Println("up", dir)
		time.Sleep(5 * time.Minute)
	}
	t.Parallel()
	enginetest.Require(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("wiretell-killed-%d", os.Getpid())
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), killed+"="+name)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var dir string
	for lines := bufio.NewScanner(out); dir == "" && lines.Scan(); {
		if after, ok := strings.CutPrefix(lines.Text(), "up "); ok {
			dir = after
		} else {
			t.Log(lines.Text())
		}
	}
	if n := len(containers(t, name)); n != 1 {
		t.Errorf("%d containers run, want 1", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	c, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	within(t, patience, func() (left []string) {
		for _, one := range containers(t, name) {
			left = append(left, "container "+one.ID)
		}
		networks, err := c.NetworkList(t.Context(), client.NetworkListOptions{Filters: labelled(name)})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range networks.Items {
			left = append(left, "network "+one.Name)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			left = append(left, dir)
		}
		return left
	})
}
