package live

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// remedied is a cause that makes wiretell raise a leaf, whose remedy is then
// pasted into a shell as wiretell printed it.
type remedied struct {
	leaf  string
	cause string   // the command line that goes wrong
	env   []string // of both
	begin func(t *testing.T, ns *netnstest.NS)
	// part is what the command that is run of the remedy begins with; "" is the
	// whole line. The others ask programs that are not here, or only look.
	part string
	fill []string // words that a person has to fill in, and by what
	// user runs the cause as one who is not root. again says that the remedy does
	// not run wiretell: the cause is tried again after it.
	user, again bool
}

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.IPv6Loopback()
)

func remediedCases() []remedied {
	web := func(t *testing.T, ns *netnstest.NS) { talk(t, ns, loopback4, 8080, answerHTTP) }
	return []remedied{
		{leaf: "ENV-01", cause: "wiretell run --interface nosuch0", begin: web},
		{leaf: "NONE-03", cause: "wiretell run --interface eth0", begin: func(t *testing.T, ns *netnstest.NS) {
			netnstest.Connect(t, ns, netnstest.New(t))
			web(t, ns)
		}},
		{leaf: "PERM-02", cause: "wiretell run", begin: web, user: true, again: true},
		{leaf: "FILT-01", cause: "wiretell run --port 1", begin: web, part: "wiretell run"},
		{leaf: "FILT-02", cause: "wiretell run --port 1", begin: web, part: "wiretell run"},
		{leaf: "FILT-03", cause: "wiretell run --port 1", begin: web, part: "wiretell run"},
		{leaf: "FILT-04", cause: "wiretell run --port 15006", begin: func(t *testing.T, ns *netnstest.NS) {
			listen(t, ns, loopback4, 15001)
			listen(t, ns, loopback4, 15006)
			web(t, ns)
		}},
		{leaf: "FILT-05", cause: "wiretell run --filter 'ip and tcp port 8080'", begin: func(t *testing.T, ns *netnstest.NS) { talk(t, ns, loopback6, 8080, answerHTTP) }},
		{leaf: "DIR-01", part: "wiretell run", cause: "wiretell run --filter 'dst port 8080'", begin: func(t *testing.T, ns *netnstest.NS) {
			peer := netnstest.New(t)
			converse(t, peer, ns, netnstest.Connect(t, ns, peer).A, 8080, request, answerHTTP)
		}},
		{leaf: "PROTO-02", cause: "wiretell run", begin: func(t *testing.T, ns *netnstest.NS) {
			web(t, ns)
			converse(t, ns, ns, loopback4, 2200, "SSH-2.0-client\r\n", saying("SSH-2.0-server\r\n"))
		}},
		{leaf: "PROTO-03", cause: "wiretell run", begin: func(t *testing.T, ns *netnstest.NS) {
			web(t, ns)
			converse(t, ns, ns, loopback4, 4711, "\x01\x99 nobody knows this\x00\x02\xfe", saying("\x01\x99 nor this\x00\x02\xfe"))
		}},
		{leaf: "QUAL-06", cause: "wiretell run --snaplen 192", begin: web},
		{leaf: "QUAL-10", cause: "wiretell run --max-connections 8", begin: func(t *testing.T, ns *netnstest.NS) {
			web(t, ns)
			hold(t, ns, 9000, "", func(net.Conn) {})
		}},
		{leaf: "QUAL-11", cause: "wiretell run --idle-timeout 1s", begin: func(t *testing.T, ns *netnstest.NS) {
			web(t, ns)
			hold(t, ns, 8081, request, saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nthe rest does not come"))
		}},
		{leaf: "CARD-01", cause: "wiretell run --max-ports 1", begin: threePorts, part: "wiretell run --port"},
		{leaf: "CARD-01", cause: "wiretell run --max-ports 1", begin: threePorts, part: "wiretell run --max-ports"},
		{leaf: "SELF-03", cause: "wiretell run", begin: func(t *testing.T, ns *netnstest.NS) {
			listen(t, ns, loopback4, 19464)
			web(t, ns)
		}},
		{leaf: "EXP-02", cause: "wiretell run", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "WIRETELL_EXPORTER=otlp"},
			begin: func(t *testing.T, ns *netnstest.NS) {
				web(t, ns)
				takeOTLP(t, ns, loopback4, "")
			}, fill: []string{"HOST", "127.0.0.1"}},
		{leaf: "EXP-03", cause: "wiretell run", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "WIRETELL_EXPORTER=otlp"},
			begin: func(t *testing.T, ns *netnstest.NS) {
				web(t, ns)
				takeOTLP(t, ns, loopback4, "Bearer TOKEN")
			}},
	}
}

// saying says something and ends.
func saying(what string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, what) }
}

// answerHTTP reads a request and answers it with more than a short frame holds.
func answerHTTP(c net.Conn) {
	if _, err := c.Read(make([]byte, 4096)); err == nil {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 600\r\nConnection: close\r\n\r\n"+strings.Repeat("x", 600))
	}
}

func threePorts(t *testing.T, ns *netnstest.NS) {
	for port := uint16(8080); port < 8083; port++ {
		talk(t, ns, loopback4, port, answerHTTP)
	}
}

// every calls f again and again until the test ends.
func every(t *testing.T, f func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			f()
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}

const request = "GET / HTTP/1.1\r\nHost: app\r\n\r\n"

// talk serves a port with serve, and asks it until the test ends.
func talk(t *testing.T, ns *netnstest.NS, at netip.Addr, port uint16, serve func(net.Conn)) {
	converse(t, ns, ns, at, port, request, serve)
}

// converse serves a port of ns with serve, and says something to it from another
// namespace until the test ends.
func converse(t *testing.T, from, ns *netnstest.NS, at netip.Addr, port uint16, what string, serve func(net.Conn)) {
	l := listen(t, ns, at, port)
	go accept(l, func(c net.Conn) {
		serve(c)
		// What came and was not read would make a reset of the end.
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
	every(t, func() {
		if c := call(from, l.Addr().String(), what); c != nil {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	})
}

// hold opens connections that stay open until the test ends, and says something
// on each.
func hold(t *testing.T, ns *netnstest.NS, port uint16, what string, serve func(net.Conn)) {
	l := listen(t, ns, loopback4, port)
	go accept(l, func(c net.Conn) {
		serve(c)
		_, _ = io.Copy(io.Discard, c)
	})
	every(t, func() {
		for range 3 {
			if c := call(ns, l.Addr().String(), what); c != nil {
				t.Cleanup(func() { _ = c.Close() })
			}
		}
	})
}

// accept serves connections until l is closed.
func accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			serve(c)
		}()
	}
}

// call connects and says something; nil when that fails.
func call(from *netnstest.NS, to, what string) (c net.Conn) {
	err := from.Do(func() (err error) {
		c, err = net.DialTimeout("tcp", to, time.Second)
		return err
	})
	if err != nil {
		return nil
	}
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(c, what)
	return c
}

// takeOTLP takes OTLP over HTTP from who has the authorization.
func takeOTLP(t *testing.T, ns *netnstest.NS, at netip.Addr, authorization string) {
	l := listen(t, ns, at, 4318)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if authorization != "" && r.Header.Get("Authorization") != authorization {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf") // an empty answer is success
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

// shell is where commands are pasted: a folder with wiretell in the PATH.
type shell struct {
	t   *testing.T
	ns  *netnstest.NS
	dir string
	env []string
}

// newShell copies wiretell into a folder that everybody can read.
func newShell(t *testing.T, ns *netnstest.NS, env []string) *shell {
	t.Helper()
	dir, err := os.MkdirTemp("", "wiretell-remedy-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, err := os.ReadFile(os.Getenv(envBinary))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "wiretell"), program, 0o755)); err != nil {
		t.Fatal(err)
	}
	// Settings that the commands leave alone.
	env = append([]string{"WIRETELL_DURATION=3s", "WIRETELL_DIAGNOSIS_WINDOW=1s", "WIRETELL_EXPORTER=none", "WIRETELL_SHUTDOWN_TIMEOUT=2s", "PATH=" + dir + ":" + os.Getenv("PATH")}, env...)
	own := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "WIRETELL_") })
	return &shell{t, ns, dir, append(own, env...)}
}

// paste runs a line and returns what it said to the person.
func (s *shell) paste(line string, user bool) string {
	s.t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Env, cmd.Dir = s.env, s.dir
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	if user {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	}
	s.ns.Must(s.t, cmd.Start)
	stop := time.AfterFunc(60*time.Second, func() { cmd.Process.Kill() })
	defer stop.Stop()
	if err := cmd.Wait(); err != nil {
		fmt.Fprintf(&said, "%s: %v\n", line, err)
	}
	return said.String()
}

var (
	findingHead = regexp.MustCompile(`^(?:\[\w+\]|  (?:error|warning|info)) ([A-Z0-9-]+): `)
	commandLine = regexp.MustCompile(`^ +\$ (.*)`)
	didRead     = regexp.MustCompile(`[1-9]\d* (?:packets? read|requests?,)`)
)

// remedies returns the ids of the findings that said tells, with their commands.
func remedies(said string) map[string]string {
	found := map[string]string{}
	id := ""
	for line := range strings.Lines(said) {
		if m := findingHead.FindStringSubmatch(line); m != nil {
			id = m[1]
			if _, twice := found[id]; !twice {
				found[id] = ""
			}
		} else if m := commandLine.FindStringSubmatch(line); m != nil && id != "" {
			found[id] = m[1]
		}
	}
	return found
}

// TestRemedies: what wiretell tells a person to paste mends what it found. The
// cases mostly wait, so that many run at once.
func TestRemedies(t *testing.T) {
	var all sync.WaitGroup
	room := make(chan struct{}, 7)
	for _, tt := range remediedCases() {
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			t.Run(strings.TrimSpace(tt.leaf+" "+tt.part), func(t *testing.T) { tt.check(t) })
		})
	}
	all.Wait()
}

func (tt *remedied) check(t *testing.T) {
	if uids, _ := os.ReadFile("/proc/self/uid_map"); tt.user && strings.Fields(string(uids))[2] == "1" {
		if os.Getenv("CI") != "" {
			t.Fatal("other users need root")
		}
		t.Skip("other users need root")
	}
	ns := netnstest.New(t)
	sh := newShell(t, ns, tt.env)
	tt.begin(t, ns)
	before := sh.paste(tt.cause, tt.user)
	command, raised := remedies(before)[tt.leaf]
	if !raised || command == "" {
		t.Fatalf("%s is not raised, or without a command:\n%s", tt.leaf, before)
	}
	line := command
	if tt.part != "" {
		parts := strings.Split(command, "; ")
		i := slices.IndexFunc(parts, func(part string) bool { return strings.HasPrefix(part, tt.part) })
		if i < 0 {
			t.Fatalf("%q has no %q", command, tt.part)
		}
		line = parts[i]
	}
	line = strings.NewReplacer(tt.fill...).Replace(line)
	after := sh.paste(line, false)
	if tt.again {
		after = sh.paste(tt.cause, tt.user)
	}
	if _, still := remedies(after)[tt.leaf]; still {
		t.Errorf("%s: after %q it still holds:\n%s", tt.leaf, line, after)
	}
	if !didRead.MatchString(after) || strings.Contains(after, "exit status") {
		t.Errorf("%s: %q did not capture:\n%s", tt.leaf, line, after)
	}
}
