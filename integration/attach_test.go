package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/wiretell/wiretell/integration/enginetest"
	"github.com/wiretell/wiretell/semconv"
)

// childOf names the container that a child process attaches to, and then waits
// to be killed: see TestMain.
const childOf = "WIRETELL_TEST_ATTACH_TO"

func TestMain(m *testing.M) {
	if id := os.Getenv(childOf); id != "" {
		os.Exit(attachAndWait(id))
	}
	if image := os.Getenv(ryukChild); image != "" {
		os.Exit(startAndWait(image))
	}
	os.Exit(enginetest.Main(m))
}

// probe starts testdata/probe in a container; on a network of its own when one
// is given, under the name alias.
func probe(t testing.TB, nw *testcontainers.DockerNetwork, alias string) testcontainers.Container {
	t.Helper()
	enginetest.Require(t)
	name, err := Program(t.Context(), "./testdata/probe")
	if err != nil {
		t.Fatal(err)
	}
	opts := []testcontainers.ContainerCustomizer{
		testcontainers.WithExposedPorts("8080/tcp"),
		testcontainers.WithWaitStrategy(wait.ForLog("probe listens")),
	}
	if nw != nil {
		opts = append(opts, network.WithNetwork([]string{alias}, nw))
	}
	c, err := testcontainers.Run(t.Context(), name, opts...)
	testcontainers.CleanupContainer(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newNetwork(t *testing.T) *testcontainers.DockerNetwork {
	t.Helper()
	nw, err := network.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	testcontainers.CleanupNetwork(t, nw)
	return nw
}

// get requests path of the probe in c and returns the body.
func get(t *testing.T, c testcontainers.Container, path string) string {
	t.Helper()
	base, err := c.PortEndpoint(t.Context(), "8080/tcp", "http")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// The sidecar sees the first request after Attach, in both directions, by the
// names that the application uses, and nothing of its own export.
func TestAttach(t *testing.T) {
	for _, way := range []struct {
		name string
		opts []Option
	}{
		{"receiver", nil},
		{"output", []Option{ThroughOutput()}},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			enginetest.Require(t)
			nw := newNetwork(t)
			probe(t, nw, "payment")
			shop := probe(t, nw, "shop")
			s, err := Attach(t.Context(), shop, append(way.opts, For(t))...)
			if err != nil {
				t.Fatal(err)
			}
			if got := get(t, shop, "/fetch?times=2&url=http://payment:8080/status/201"); got != "201\n201\n" {
				t.Fatalf("the probe says %q", got)
			}
			if err := s.WaitFor(t.Context(), Called("payment").Times(2)); err != nil {
				t.Fatal(err)
			}
			s.Expect(t,
				Called("payment").Method("GET").Path("/status/*").Times(2).Succeeded(),
				Called("payment:8080").Times(2).Status(201),
				Called("stock").Never(),
				Served().Path("/fetch").Times(1).Status(200),
				NoRetryStorm(),
				NoReset(),
				NoFailedConnect(),
				NothingUnparsed(),
				NoFinding(),
			)
			if n := len(s.Exchanges()); n != 3 {
				t.Errorf("%d exchanges, want 3:\n%s", n, s.Report())
			}
			if ok := strings.Contains(s.Log(), "wiretell: capturing on all interfaces"); !ok {
				t.Errorf("its log: %s", s.Log())
			}
		})
	}
}

// What goes wrong is told as it is.
func TestAttachTroubles(t *testing.T) {
	t.Parallel()
	enginetest.Require(t)
	nw := newNetwork(t)
	probe(t, nw, "payment")
	shop := probe(t, nw, "shop")
	s, err := Attach(t.Context(), shop, For(t))
	if err != nil {
		t.Fatal(err)
	}
	get(t, shop, "/fetch?times=5&url=http://payment:8080/status/503")
	get(t, shop, "/fetch?times=1&url=http://payment:8080/reset")
	get(t, shop, "/fetch?times=1&url=http://payment:9/")
	get(t, shop, "/raw?addr=payment:8080")
	get(t, shop, "/lookup?name=nobody.invalid")
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := s.Telemetry()
	for _, c := range []struct {
		name  string
		check Check
		want  string // "" when it holds
	}{
		{"storm", NoRetryStorm(), "retry storm: GET http://payment:8080/status/503 was sent again after it failed 4 times in a row"},
		{"few retries", NoMoreRetries(4), ""},
		{"reset", NoReset(), "connections were reset"},
		{"connect", NoFailedConnect(), "1 connections failed"},
		{"unparsed", NothingUnparsed(), "packets were left unparsed"},
		{"status", Called("payment").Path("/status/*").Times(5).Succeeded(), "called payment /status/*: 5 of 5 not answered with 2xx"},
		{"count", Called("payment").Path("/status/503").Times(2), "called payment /status/503: 5 times, want twice"},
	} {
		err := c.check.Holds(told)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	// The engine's name server answers at 127.0.0.11, from a port that is not
	// the one it was asked at.
	dns := eventsNamed(told, semconv.EventDNSFailed)
	if len(dns) == 0 || !strings.Contains(dns[0].String(), "nobody.invalid") {
		t.Errorf("look-ups that failed: %v", dns)
	}
	if t.Failed() {
		t.Log(s.Report())
	}
}

func TestAttachParallel(t *testing.T) {
	enginetest.Require(t)
	var all sync.WaitGroup
	for i := range 10 {
		c := probe(t, nil, "")
		all.Go(func() {
			s, err := Attach(t.Context(), c, For(t))
			if err != nil {
				t.Error(err)
				return
			}
			for range i + 1 {
				get(t, c, fmt.Sprintf("/status/%d", 200+i))
			}
			s.Expect(t, Served().Times(i+1).Status(200+i))
		})
	}
	all.Wait()
}

func TestAttachRefused(t *testing.T) {
	t.Parallel()
	c := probe(t, nil, "")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	// The container's loopback is not this host's.
	if _, err := Attach(ctx, c, ReceiveAt("127.0.0.1:0")); err == nil || !strings.Contains(err.Error(), "does not reach this process at 127.0.0.1:") {
		t.Errorf("an address that the container does not reach: %v", err)
	}
	if _, err := Attach(t.Context(), c, WithFlags("--no-such-flag")); err == nil || !strings.Contains(err.Error(), "exit code 2") || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("an unknown flag: %v", err)
	}
	wantSidecars(t, c, 0)
	if err := c.Stop(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Attach(t.Context(), c); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("a container that has ended: %v", err)
	}
}

// The sidecar does not outlive the network that it is in.
func TestAttachRestart(t *testing.T) {
	t.Parallel()
	c := probe(t, nil, "")
	s, err := Attach(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if out, code := docker(t, "restart", c.GetContainerID()); code != 0 {
		t.Fatal(out)
	}
	select {
	case <-s.over:
	case <-time.After(time.Minute):
		t.Fatalf("a minute after the restart it still captures:\n%s", s.Log())
	}
	if err := s.WaitFor(t.Context(), Served()); err == nil || !strings.Contains(err.Error(), "nothing more is captured") {
		t.Errorf("waiting for what cannot come: %v", err)
	}
	if err := s.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "exit code 4") {
		t.Errorf("it ended with %v:\n%s", err, s.Log())
	}
	wantSidecars(t, c, 0)
}

// A test that is killed leaves no sidecar behind.
func TestAttachKilled(t *testing.T) {
	t.Parallel()
	c := probe(t, nil, "")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), childOf+"="+c.GetContainerID())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	buf := make([]byte, 64)
	n, err := out.Read(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "attached") {
		t.Fatalf("the child says %q, %v", buf[:n], err)
	}
	wantSidecars(t, c, 1)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	wantSidecars(t, c, 0)
}

func attachAndWait(id string) int {
	ctx := context.Background()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	list, err := provider.Client().ContainerList(ctx, client.ContainerListOptions{Filters: client.Filters{}.Add("id", id)})
	if err != nil || len(list.Items) != 1 {
		fmt.Fprintln(os.Stderr, len(list.Items), err)
		return 1
	}
	c, err := provider.ContainerFromType(ctx, list.Items[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if _, err := Attach(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("attached")
	time.Sleep(time.Minute)
	return 1
}

// wantSidecars waits until so many containers are beside c.
func wantSidecars(t *testing.T, c testcontainers.Container, want int) {
	t.Helper()
	e, err := connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var found []container.Summary
	for range 200 {
		list, err := e.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", label+"="+c.GetContainerID())})
		if err != nil {
			t.Fatal(err)
		}
		if found = list.Items; len(found) == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%d sidecars after 10 s, want %d: %+v", len(found), want, found)
}
