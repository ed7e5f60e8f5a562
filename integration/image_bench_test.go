package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	tclog "github.com/testcontainers/testcontainers-go/log"
)

// BenchmarkImage reports what wiretell's image costs beside an application: its
// size, how long a container of it takes from the order to start it until it
// captures and until it tells of the first packet, of which there is one each
// millisecond, and the memory of one that has nothing to do.
func BenchmarkImage(b *testing.B) {
	own := ownImage(b)
	tclog.SetDefault(tclog.NewNoopLogger()) // not between a benchmark's name and its figures
	e, err := connect(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	about, err := e.ImageInspect(b.Context(), own)
	if err != nil {
		b.Fatal(err)
	}
	app := probe(b, nil, "")
	var capturing, packet time.Duration
	var cgroup, anonymous int64
	for range b.N {
		quiet := besides(b, e, own, app.GetContainerID(), "run")
		quiet.await(b, "wiretell: capturing")
		time.Sleep(5 * time.Second)
		cgroup += quiet.cgroup(b)
		anonymous += quiet.anonymous(b)
		quiet.remove()

		stop := traffic(b, e, app.GetContainerID())
		busy := besides(b, e, own, app.GetContainerID(), "run", "--debug", "--exporter=none")
		capturing += busy.await(b, "wiretell: capturing")
		packet += busy.await(b, " udp ")
		busy.remove()
		stop()
	}
	n := float64(b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(about.Size)/1e6, "image-MB")
	b.ReportMetric(capturing.Seconds()*1000/n, "capturing-ms")
	b.ReportMetric(packet.Seconds()*1000/n, "first-packet-ms")
	b.ReportMetric(float64(cgroup)/(1<<20)/n, "idle-cgroup-MiB")
	b.ReportMetric(float64(anonymous)/(1<<20)/n, "idle-anon-MiB")
}

// measured is a container of which each line of standard error is known with
// the time since the order to start it.
type measured struct {
	e     *engine
	id    string
	lines chan told
}

type told struct {
	text  string
	after time.Duration
}

func besides(b *testing.B, e *engine, image, app string, args ...string) *measured {
	b.Helper()
	created, err := e.ContainerCreate(b.Context(), client.ContainerCreateOptions{
		Config: &container.Config{Image: image, Cmd: args, Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}},
		HostConfig: &container.HostConfig{
			NetworkMode: container.NetworkMode("container:" + app), ReadonlyRootfs: true, CapDrop: []string{"ALL"}, CapAdd: []string{"NET_RAW"},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	m := &measured{e: e, id: created.ID, lines: make(chan told, 1<<20)}
	b.Cleanup(m.remove)
	attached, err := e.ContainerAttach(b.Context(), m.id, client.ContainerAttachOptions{Stream: true, Stderr: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(attached.Close)
	r, w := io.Pipe()
	go func() {
		_, err := stdcopy.StdCopy(io.Discard, w, attached.Reader)
		w.CloseWithError(err)
	}()
	start := time.Now()
	go func() {
		defer close(m.lines)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			m.lines <- told{lines.Text(), time.Since(start)}
		}
	}()
	if _, err := e.ContainerStart(b.Context(), m.id, client.ContainerStartOptions{}); err != nil {
		b.Fatal(err)
	}
	return m
}

// await returns when a line with this text came.
func (m *measured) await(b *testing.B, text string) time.Duration {
	b.Helper()
	for {
		select {
		case line, ok := <-m.lines:
			if !ok {
				b.Fatalf("it ended without %q", text)
			}
			if strings.Contains(line.text, text) {
				return line.after
			}
		case <-time.After(30 * time.Second):
			b.Fatalf("nothing with %q", text)
		}
	}
}

// cgroup returns what the container's memory group is charged, without what the
// kernel can drop at once, as `docker stats` tells it.
func (m *measured) cgroup(b *testing.B) int64 {
	b.Helper()
	answer, err := m.e.ContainerStats(b.Context(), m.id, client.ContainerStatsOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	var stats container.StatsResponse
	if err := json.NewDecoder(answer.Body).Decode(&stats); err != nil {
		b.Fatal(err)
	}
	used := stats.MemoryStats
	inactive := used.Stats["inactive_file"]
	if v1, ok := used.Stats["total_inactive_file"]; ok {
		inactive = v1
	}
	return int64(used.Usage - min(used.Usage, inactive))
}

// anonymous returns the process' resident memory that is not shared.
func (m *measured) anonymous(b *testing.B) int64 {
	b.Helper()
	about, err := m.e.ContainerInspect(b.Context(), m.id, client.ContainerInspectOptions{})
	if err != nil {
		b.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", about.Container.State.Pid))
	if err != nil {
		b.Skipf("the engine's processes are not this host's: %v", err)
	}
	found := regexp.MustCompile(`RssAnon:\s*(\d+) kB`).FindSubmatch(status)
	if found == nil {
		b.Fatal("no RssAnon")
	}
	kib, _ := strconv.ParseInt(string(found[1]), 10, 64)
	return kib << 10
}

func (m *measured) remove() {
	_, _ = m.e.ContainerRemove(context.Background(), m.id, client.ContainerRemoveOptions{Force: true})
}

// traffic sends the container a datagram each millisecond.
func traffic(b *testing.B, e *engine, id string) (stop func()) {
	b.Helper()
	about, err := e.ContainerInspect(b.Context(), id, client.ContainerInspectOptions{})
	if err != nil {
		b.Fatal(err)
	}
	conn, err := net.Dial("udp", net.JoinHostPort(about.Container.NetworkSettings.Networks["bridge"].IPAddress.String(), "9"))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	go func() {
		defer conn.Close()
		for ctx.Err() == nil {
			_, _ = conn.Write([]byte("x")) // refused, which is an answer
			time.Sleep(time.Millisecond)
		}
	}()
	return cancel
}
