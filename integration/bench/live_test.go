package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// sniffer is a running wiretell or tcpdump.
type sniffer struct {
	b    *testing.B
	cmd  *exec.Cmd
	said *lockedBuffer
}

// lockedBuffer takes what a process writes while it runs.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startSniffer runs a command in ns and returns when it has said the word that
// means it captures.
func startSniffer(b *testing.B, ns *netnstest.NS, word, name string, args ...string) *sniffer {
	b.Helper()
	s := &sniffer{b: b, cmd: exec.Command(name, args...), said: new(lockedBuffer)}
	s.cmd.Stdout, s.cmd.Stderr = s.said, s.said
	ns.Must(b, s.cmd.Start)
	b.Cleanup(func() { _ = s.cmd.Process.Kill() })
	for range 500 {
		if strings.Contains(s.said.String(), word) {
			time.Sleep(200 * time.Millisecond) // its own start is over
			return s
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.Fatalf("%s does not capture:\n%s", name, s.said)
	return nil
}

// cpu returns the CPU time, user and system, of all threads that live.
func (s *sniffer) cpu() time.Duration {
	s.b.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		s.b.Fatalf("no schedstat of the process: %v", err)
	}
	var sum time.Duration
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			s.b.Fatal(err)
		}
		ran, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			s.b.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

// rssAnon returns the resident memory that is not shared, in bytes.
func (s *sniffer) rssAnon() int64 {
	s.b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.b.Fatal(err)
	}
	m := regexp.MustCompile(`RssAnon:\s*(\d+) kB`).FindSubmatch(status)
	if m == nil {
		s.b.Fatal("no RssAnon")
	}
	kib, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return kib << 10
}

// stop ends the process and returns the number that pattern finds in what it said.
func (s *sniffer) stop(pattern string) float64 {
	s.b.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		s.b.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.b.Fatalf("%v\n%s", err, s.said)
	}
	m := regexp.MustCompile(pattern).FindStringSubmatch(s.said.String())
	if m == nil {
		s.b.Fatalf("nothing like %q in:\n%s", pattern, s.said)
	}
	n, _ := strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
	return n
}

// service is an HTTP server on the loopback of ns, and its client.
type service struct {
	url    string
	client *http.Client
}

func serve(b *testing.B, ns *netnstest.NS, connections, bodySize int) *service {
	b.Helper()
	var l net.Listener
	ns.Must(b, func() (err error) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	})
	body := bytes.Repeat([]byte("x"), bodySize)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(body) })}
	go func() { _ = server.Serve(l) }()
	b.Cleanup(func() { _ = server.Close() })
	transport := &http.Transport{
		MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections, MaxIdleConns: connections,
		DialContext: func(_ context.Context, network, addr string) (c net.Conn, err error) {
			err = ns.Do(func() error {
				c, err = net.Dial(network, addr)
				return err
			})
			return c, err
		},
	}
	b.Cleanup(transport.CloseIdleConnections)
	return &service{url: "http://" + l.Addr().String() + "/items/1?page=2", client: &http.Client{Transport: transport}}
}

// load makes n requests over the given number of connections.
func (s *service) load(b *testing.B, n, connections int) {
	b.Helper()
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() {
			for range n/connections + min(1, max(0, n%connections-i)) {
				r, err := s.client.Get(s.url)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
			}
		})
	}
	all.Wait()
}

// envHold makes the test binary a client that holds connections open: their
// number and the URL.
const envHold = "WIRETELL_BENCH_HOLD"

// hold has another process (one alone has too few file descriptors) open
// connections, make a request on each, and keep them until release is called.
func (s *service) hold(b *testing.B, ns *netnstest.NS, connections int) (release func()) {
	b.Helper()
	client := netnstest.Command(fmt.Sprintf("%s=%d %s", envHold, connections, s.url))
	client.Stdin, client.Stdout = nil, nil
	in, err := client.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := client.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	ns.Must(b, client.Start)
	b.Cleanup(func() { _ = client.Process.Kill() })
	if _, err := io.ReadFull(out, make([]byte, len("open\n"))); err != nil {
		b.Fatalf("the client that holds connections: %v", err)
	}
	return func() {
		_ = in.Close()
		_ = client.Wait()
	}
}

// holdConnections is the other process of hold.
func holdConnections(order string) error {
	number, url, _ := strings.Cut(order, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	var bodies []io.ReadCloser // each keeps its connection from being used again
	client := &http.Client{Transport: &http.Transport{}}
	for range n {
		r, err := client.Get(url)
		if err != nil {
			return err
		}
		bodies = append(bodies, r.Body)
	}
	fmt.Println("open")
	_, err = io.Copy(io.Discard, os.Stdin)
	for _, body := range bodies {
		_ = body.Close()
	}
	return err
}

// BenchmarkLive puts an HTTP load of 200,000 requests over 32 keep-alive
// connections on the loopback of a namespace, captured by wiretell without an
// exporter and by tcpdump in turn, and reports the CPU time of each per request,
// their start left out, and what each lost: requests that wiretell does not tell
// of, packets that tcpdump says the kernel dropped. Responses have bodies of the
// size that the benchmark's name says, in bytes. The load lasts long enough for
// what happens once in ten seconds to have its share.
func BenchmarkLive(b *testing.B) {
	for _, size := range []int{40, 1 << 10, 16 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) { benchmarkLive(b, size) })
	}
}

func benchmarkLive(b *testing.B, bodySize int) {
	const requests, connections = 200_000, 32
	wiretell := wiretellBinary(b)
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		b.Skip("tcpdump is not installed: nothing to compare with")
	}
	ns := netnstest.New(b)
	s := serve(b, ns, connections, bodySize)
	s.load(b, 1000, connections)
	var ours, theirs time.Duration
	var missed, dropped float64
	run := func(x *sniffer, cpu *time.Duration) {
		before := x.cpu()
		s.load(b, requests, connections)
		time.Sleep(500 * time.Millisecond) // what the kernel still holds back
		*cpu += x.cpu() - before
	}
	b.ResetTimer()
	for range b.N {
		x := startSniffer(b, ns, "capturing", wiretell, "run", "--exporter", "none")
		run(x, &ours)
		missed += requests - x.stop(`(\d+) requests,`)
		x = startSniffer(b, ns, "listening", tcpdump, "-i", "lo", "-w", "/dev/null")
		run(x, &theirs)
		dropped += x.stop(`(\d+) packets? dropped by kernel`)
	}
	b.StopTimer()
	all := float64(b.N) * requests
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(ours.Nanoseconds())/1000/all, "wiretell-cpu-µs/request")
	b.ReportMetric(float64(theirs.Nanoseconds())/1000/all, "tcpdump-cpu-µs/request")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
	b.ReportMetric(missed, "wiretell-missed-requests")
	b.ReportMetric(dropped, "tcpdump-dropped-packets")
}

// BenchmarkMemory reports the anonymous memory of wiretell on an idle namespace
// and while it follows 10,000 open connections, each with an exchange made.
func BenchmarkMemory(b *testing.B) {
	const connections = 10_000
	wiretell := wiretellBinary(b)
	ns := netnstest.New(b)
	var idle, full int64
	for range b.N {
		x := startSniffer(b, ns, "capturing", wiretell, "run", "--exporter", "none")
		time.Sleep(2 * time.Second)
		idle += x.rssAnon()
		s := serve(b, ns, connections, 40)
		release := s.hold(b, ns, connections)
		time.Sleep(2 * time.Second)
		full += x.rssAnon()
		release()
		if n := x.stop(`(\d+) requests,`); n != connections {
			b.Fatalf("wiretell tells of %g requests, not %d", n, connections)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(idle)/float64(b.N)/(1<<20), "idle-MiB")
	b.ReportMetric(float64(full)/float64(b.N)/(1<<20), "10k-connections-MiB")
}
