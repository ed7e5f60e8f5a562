package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// askIn returns the body of a URL as seen from within the namespace.
func askIn(t *testing.T, ns *netnstest.NS, url string) string {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(_ context.Context, network, addr string) (c net.Conn, err error) {
		err = ns.Do(func() error {
			c, err = net.DialTimeout(network, addr, 10*time.Second)
			return err
		})
		return c, err
	}}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// awaitIn waits until the body of a URL has text in it.
func awaitIn(t *testing.T, ns *netnstest.NS, url, text string) (body string) {
	t.Helper()
	for range 200 {
		if body = askIn(t, ns, url); strings.Contains(body, text) {
			return body
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s: no %q within 20 s: %s", url, text, body)
	return ""
}

// TestEndpoint: a run answers what it knows while its Collector is away, on
// loopback and on an address of the pod, and what it is asked is no traffic of
// the application's.
func TestEndpoint(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:19464", ":19464"} {
		t.Run(listen, func(t *testing.T) {
			t.Parallel()
			ns, peer := netnstest.New(t), netnstest.New(t)
			link := netnstest.Connect(t, ns, peer)
			cmd, _, _ := command(t, "run", "--listen", listen, "--diagnosis-window", "1s", "--shutdown-timeout", "500ms")
			cmd.Env = append(cmd.Env, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9", "OTEL_SERVICE_NAME=shop") // nobody listens there
			stderr := new(transcript)
			cmd.Stderr = stderr
			startIn(t, ns, cmd)
			stderr.await(t, "wiretell: capturing on all interfaces\n")
			get(t, ns, 3)

			from, url := ns, "http://127.0.0.1:19464"
			if listen[0] == ':' {
				from, url = peer, fmt.Sprintf("http://%s:19464", link.A)
			}
			if got := askIn(t, from, url+"/healthz"); got != "ok\n" {
				t.Errorf("healthz: %s", got)
			}
			awaitIn(t, from, url+"/readyz", "ok\n")
			awaitIn(t, from, url+"/diagnosis", "3 requests, 3 responses")
			awaitIn(t, from, url+"/diagnosis?format=json", `"id": "EXP-01"`) // the Collector is away
			body := awaitIn(t, from, url+"/metrics", `http_server_request_duration_seconds_count{`)
			for _, want := range []string{`target_info{service_name="shop",`, `wiretell_diagnosis_active{wiretell_diagnosis_id="EXP-01",wiretell_diagnosis_severity="error"} 1` + "\n"} {
				if !strings.Contains(body, want) {
					t.Errorf("no %s in\n%s", want, body)
				}
			}
			if strings.Contains(body, `"19464"`) || !strings.Contains(body, `wiretell_requests_total{`) {
				t.Errorf("the endpoint's own port is told as traffic:\n%s", body)
			}
			cmd.Process.Signal(syscall.SIGTERM)
			exitCode(t, cmd.Wait(), exitOK)
			if !strings.Contains(stderr.String(), "3 requests, 3 responses") || !strings.Contains(stderr.String(), " of wiretell's own") {
				t.Errorf("stderr: %s", stderr)
			}
		})
	}
}

// TestEndpointTaken: a port in use is told, and ends nothing.
func TestEndpointTaken(t *testing.T) {
	ns := netnstest.New(t)
	var l net.Listener
	ns.Must(t, func() (err error) {
		l, err = net.Listen("tcp", "127.0.0.1:19464")
		return err
	})
	defer l.Close()
	cmd, stdout, stderr := command(t, "run", "--duration", "1500ms")
	startIn(t, ns, cmd)
	exitCode(t, cmd.Wait(), exitOK)
	for _, want := range []string{"wiretell: warning: --listen 127.0.0.1:19464: bind: address already in use; nobody can ask this wiretell\n", "warning SELF-03: "} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
	if !strings.Contains(stdout.String(), "diagnosis id=SELF-03 state=raised") {
		t.Errorf("stdout: %s", stdout)
	}
}

// TestHealthcheck: the exit code is the answer, and one line says it.
func TestHealthcheck(t *testing.T) {
	ns := netnstest.New(t)
	check := func(code int, want string, args ...string) {
		t.Helper()
		cmd, stdout, stderr := command(t, append([]string{"healthcheck"}, args...)...)
		startIn(t, ns, cmd)
		exitCode(t, cmd.Wait(), code)
		if got := stdout.String() + stderr.String(); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s", args, got)
		}
	}
	check(exitFailed, "wiretell: no answer from 127.0.0.1:19464: connect: connection refused\nhint: ")
	check(exitFailed, "wiretell: the local endpoint is off\nhint: ", "--listen", "off")

	cmd, _, _ := command(t, "run", "--exporter", "none", "--when-denied", "stay", "--listen", ":19464")
	stderr := new(transcript)
	cmd.Stderr = stderr
	startWithoutIn(t, ns, cmd)
	stderr.await(t, "staying to publish the diagnosis\n")
	check(exitOK, "localhost:19464/healthz: ok\n", "--listen", ":19464")
	stderr.await(t, "PERM-01")
	check(exitFailed, "wiretell: localhost:19464/readyz: 503: not ready: nothing is captured: open packet socket: ", "--ready", "--listen", ":19464")
	cmd.Process.Signal(syscall.SIGTERM)
	exitCode(t, cmd.Wait(), exitOK)

	silent := listenSilently(t, ns)
	check(exitFailed, "wiretell: no answer from "+silent+": none within 300ms\n", "--listen", silent, "--timeout", "300ms")
}

// TestReaderLeaves: when nobody reads standard output any more, run ends in
// order, with its conclusion.
func TestReaderLeaves(t *testing.T) {
	ns := netnstest.New(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd, _, _ := command(t, "run")
	cmd.Stdout = w
	stderr := new(transcript)
	cmd.Stderr = stderr
	startIn(t, ns, cmd)
	w.Close()
	stderr.await(t, "wiretell: capturing on all interfaces\n")
	r.Close()
	get(t, ns, 3)
	exitCode(t, cmd.Wait(), exitOK)
	for _, want := range []string{"wiretell: nobody reads standard output any more: stopping\n", " requests, "} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
	for _, never := range []string{"EXP-0", "lost:", "broken pipe"} {
		if strings.Contains(stderr.String(), never) {
			t.Errorf("%q in\n%s", never, stderr)
		}
	}
}

// TestTerminationLog: the conclusion is where it was asked for, whatever ends the run.
func TestTerminationLog(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    []string
		without bool // CAP_NET_RAW
		code    int
		want    []string
	}{
		{"in order", []string{"--duration", "1s", "--quiet", "--exporter", "none"}, false, exitOK, []string{"0 packets read, ", "\nwarning NONE-01: No packet crossed", "\n  Send a test request"}},
		{"denied", []string{"--exporter", "none"}, true, exitNotAllow, []string{"open packet socket: operation not permitted", "\nerror PERM-01: ", "\n      add: [NET_RAW]\n"}},
		{"usage", []string{"--filter", "port nine"}, false, exitUsage, []string{"--filter: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ns := netnstest.New(t)
			file := filepath.Join(t.TempDir(), "termination-log")
			if err := os.WriteFile(file, []byte(strings.Repeat("old ", 4000)), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd, _, _ := command(t, append([]string{"run", "--termination-log", file}, c.args...)...)
			if c.without {
				startWithoutIn(t, ns, cmd)
			} else {
				startIn(t, ns, cmd)
			}
			exitCode(t, cmd.Wait(), c.code)
			b, err := os.ReadFile(file)
			if err != nil || len(b) > maxTerminationLog || strings.Contains(string(b), "old old") {
				t.Fatalf("%v, %d bytes: %s", err, len(b), b)
			}
			for _, want := range c.want {
				if !strings.Contains(string(b), want) {
					t.Errorf("no %q in\n%s", want, b)
				}
			}
		})
	}
}
