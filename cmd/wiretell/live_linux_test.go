package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// startIn starts a process in a network namespace.
func startIn(t *testing.T, ns *netnstest.NS, cmd *exec.Cmd) {
	t.Helper()
	ns.Must(t, cmd.Start)
}

// TestRun: live packets become lines, a signal ends it in order, with code 0.
func TestRun(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			ns := netnstest.New(t)
			cmd, stdout, _ := command(t, "run")
			stderr := new(transcript)
			cmd.Stderr = stderr
			startIn(t, ns, cmd)
			stderr.await(t, "wiretell: capturing on all interfaces\n")
			get(t, ns, 3)
			time.Sleep(300 * time.Millisecond) // the ring's blocks are handed over every 100 ms
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			exitCode(t, cmd.Wait(), exitOK)
			if n := strings.Count(stdout.String(), " exchange "); n != 3 {
				t.Errorf("%d of 3 exchanges:\n%s", n, stdout)
			}
			for _, want := range []string{"method=GET host=127.0.0.1:", "target=/live", "status=204", "role=both"} {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("no %q in\n%s", want, stdout)
				}
			}
			for _, want := range []string{fmt.Sprintf("wiretell: %v: stopping\n", sig), "3 requests, 3 responses"} {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("no %q in\n%s", want, stderr)
				}
			}
		})
	}
}

// startUntilEOF starts a run that captures until stdin is closed.
func startUntilEOF(t *testing.T, ns *netnstest.NS, args ...string) (cmd *exec.Cmd, stdin io.WriteCloser, stdout *bytes.Buffer, stderr *transcript) {
	t.Helper()
	cmd, stdout, _ = command(t, append([]string{"run", "--until-eof"}, args...)...)
	stderr = new(transcript)
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	startIn(t, ns, cmd)
	stderr.await(t, "wiretell: capturing on all interfaces\n")
	return cmd, stdin, stdout, stderr
}

// TestRunUntilEOF: the end of standard input stops it as a signal does, and only
// if that is asked for.
func TestRunUntilEOF(t *testing.T) {
	ns := netnstest.New(t)
	cmd, stdin, stdout, stderr := startUntilEOF(t, ns)
	if _, err := stdin.Write([]byte("what is written is not read as anything\n")); err != nil {
		t.Fatal(err)
	}
	get(t, ns, 1)
	time.Sleep(300 * time.Millisecond) // the ring's blocks are handed over every 100 ms
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	exitCode(t, cmd.Wait(), exitOK)
	if n := strings.Count(stdout.String(), " exchange "); n != 1 || !strings.Contains(stderr.String(), "wiretell: standard input ended: stopping\n") {
		t.Errorf("%d of 1 exchange:\n%s%s", n, stdout, stderr)
	}

	cmd, _, short := command(t, "run", "--until-eof") // its input is empty from the start
	startIn(t, ns, cmd)
	exitCode(t, cmd.Wait(), exitOK)
	if !strings.Contains(short.String(), "warning NONE-11: The capture ended within half a second of its start") || strings.Contains(short.String(), "NONE-01") || strings.Contains(short.String(), "ENV-04") {
		t.Errorf("a run of no length: %s", short)
	}

	cmd, _, _ = command(t, "run", "--duration=1s")
	other := new(transcript)
	cmd.Stderr = other
	startIn(t, ns, cmd)
	exitCode(t, cmd.Wait(), exitOK)
	if strings.Contains(other.String(), "standard input") {
		t.Errorf("without the flag: %s", other)
	}
}

// get makes n requests to a server, both in the namespace.
func get(t *testing.T, ns *netnstest.NS, n int) {
	t.Helper()
	var l net.Listener
	ns.Must(t, func() (err error) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	})
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })}
	go srv.Serve(l)
	defer srv.Close()
	var conn net.Conn
	ns.Must(t, func() (err error) {
		conn, err = net.DialTimeout("tcp", l.Addr().String(), 5*time.Second)
		return err
	})
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for range n {
		fmt.Fprintf(conn, "GET /live HTTP/1.1\r\nHost: %s\r\n\r\n", l.Addr())
		if _, err := conn.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBlockedError: a standard error that takes nothing keeps nobody from working,
// and holds up the end no longer than --shutdown-timeout and a moment.
func TestBlockedError(t *testing.T) {
	for name, args := range map[string][]string{"plain": nil, "debug": {"--debug"}, "fails": {"--record", "/proc/nowhere"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := netnstest.New(t)
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "termination-log")
			cmd, _, _ := command(t, append([]string{"run", "--shutdown-timeout", "2s", "--duration", "4s", "--diagnosis-window", "1s", "--interface", "lo,nosuch0", "--termination-log", file}, args...)...)
			stdout := new(transcript)
			cmd.Stdout, cmd.Stderr = stdout, w
			startIn(t, ns, cmd)
			began, code := time.Now(), exitOK
			if name == "fails" {
				code = exitFailed
			} else {
				stdout.await(t, " diagnosis id=ENV-01 state=raised") // which standard error was told first
				get(t, ns, 1)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended:
				exitCode(t, err, code)
			case <-time.After(20 * time.Second):
				cmd.Process.Kill()
				t.Fatal("it does not end")
			}
			if took := time.Since(began); took > 12*time.Second {
				t.Errorf("took %v", took)
			}
			if n := strings.Count(stdout.String(), " exchange "); code == exitOK && n != 1 {
				t.Errorf("%d of 1 exchange:\n%s", n, stdout)
			}
			if b, err := os.ReadFile(file); err != nil || code == exitOK && !strings.Contains(string(b), "1 request, 1 response") {
				t.Errorf("last words: %v %s", err, b)
			}
		})
	}
}

// TestOneTerminal: findings that are lines of text are not told a second time in
// the same place.
func TestOneTerminal(t *testing.T) {
	ns := netnstest.New(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "terminal"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd, _, _ := command(t, "run", "--duration", "4s", "--diagnosis-window", "1s", "--interface", "nosuch0")
	cmd.Stdout, cmd.Stderr = file, file
	startIn(t, ns, cmd)
	exitCode(t, cmd.Wait(), exitOK)
	b, err := os.ReadFile(file.Name())
	if err != nil || !strings.Contains(string(b), " diagnosis id=ENV-01 state=raised") || strings.Contains(string(b), "[warning] ENV-01") {
		t.Errorf("%v: %s", err, b)
	}
}

// TestRunTwoSignals: who cannot wait for the exporters says so twice.
func TestRunTwoSignals(t *testing.T) {
	ns := netnstest.New(t)
	silent := listenSilently(t, ns)
	cmd, _, _ := command(t, "run", "--shutdown-timeout", "60s")
	cmd.Env = append(cmd.Env, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+silent, "OTEL_EXPORTER_OTLP_TIMEOUT=60000")
	stderr := new(transcript)
	cmd.Stderr = stderr
	startIn(t, ns, cmd)
	stderr.await(t, "wiretell: capturing")
	get(t, ns, 1)
	began := time.Now()
	cmd.Process.Signal(syscall.SIGTERM)
	stderr.await(t, "terminated: stopping\n")
	cmd.Process.Signal(syscall.SIGTERM) // the same once more, as timeout(1) sends it
	again := time.Since(began)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if again < sameSignal {
			t.Fatalf("two signals within %v ended it: %v", again, err)
		}
		exitCode(t, err, exitFailed)
		return
	case <-time.After(2 * sameSignal):
	}
	cmd.Process.Signal(syscall.SIGTERM)
	exitCode(t, <-ended, exitFailed)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

// listenSilently listens in the namespace, takes connections and never answers.
func listenSilently(t *testing.T, ns *netnstest.NS) string {
	t.Helper()
	var l net.Listener
	ns.Must(t, func() (err error) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	})
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, c)
		}
	}()
	return l.Addr().String()
}

// TestShutdownTimeout: a collector that does not answer holds nobody up for
// longer than that, and what was lost is told.
func TestShutdownTimeout(t *testing.T) {
	ns := netnstest.New(t)
	dir := t.TempDir()
	capturesIn(t, dir)
	silent := listenSilently(t, ns)
	cmd, _, stderr := command(t, "read", "--shutdown-timeout", "500ms", filepath.Join(dir, "shop.pcap"))
	cmd.Env = append(cmd.Env, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+silent)
	began := time.Now()
	startIn(t, ns, cmd)
	exitCode(t, cmd.Wait(), exitFailed)
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("took %v", took)
	}
	for _, want := range []string{"otlp traces: 0 of 2 records exported to http://" + silent, "lost: 2 shutdown_deadline", "not every record was exported"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
}

// TestRunIdle: no success over an empty capture: why nothing was seen, and what
// to do, is said whatever the exporter and also with --quiet.
func TestRunIdle(t *testing.T) {
	for name, args := range map[string][]string{
		"none": {"--exporter", "none"}, "quiet": {"--exporter", "none", "--quiet"}, "text": nil,
		"file": {"--otlp-json", "telemetry.jsonl"}, "interface": {"--interface", "nosuch0", "--exporter", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := netnstest.New(t)
			cmd, _, stderr := command(t, append([]string{"run", "--duration", "2s"}, args...)...)
			cmd.Dir = t.TempDir()
			startIn(t, ns, cmd)
			exitCode(t, cmd.Wait(), exitOK)
			for _, want := range []string{"wiretell: no HTTP request or response was seen. 0 packets read", "NONE-01: No packet crossed", "remedy: "} {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("no %q in\n%s", want, stderr)
				}
			}
			if missing := strings.Contains(stderr.String(), "ENV-01: Interface nosuch0 does not exist here"); missing != (name == "interface") {
				t.Errorf("stderr: %s", stderr)
			}
		})
	}
}

// TestInterfaceComes: what is said of a missing interface ends when it comes.
func TestInterfaceComes(t *testing.T) {
	ns := netnstest.New(t)
	cmd, _, _ := command(t, "run", "--interface", "net1", "--exporter", "none", "--diagnosis-window", "1s")
	stderr := new(transcript)
	cmd.Stderr = stderr
	startIn(t, ns, cmd)
	stderr.await(t, "[warning] ENV-01: Interface net1 does not exist here; present: lo.\n")
	netnstest.ConnectAs(t, ns, netnstest.New(t), "net1", 72)
	stderr.await(t, "[warning] ENV-01 cleared: ")
	cmd.Process.Signal(syscall.SIGTERM)
	exitCode(t, cmd.Wait(), exitOK)
	if _, end, _ := strings.Cut(stderr.String(), "stopping\n"); strings.Contains(end, "ENV-01") {
		t.Errorf("it is told at the end:\n%s", end)
	}
}

// startWithout starts a process without CAP_NET_RAW: a thread that gave it up for
// ever makes it.
func startWithout(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocks: the thread ends
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_NET_RAW, 0, 0, 0); err != nil {
			done <- err
			return
		}
		done <- cmd.Start()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// startWithoutIn is startWithout in a network namespace.
func startWithoutIn(t *testing.T, ns *netnstest.NS, cmd *exec.Cmd) {
	t.Helper()
	ns.Must(t, func() error { // on a thread that ends
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_NET_RAW, 0, 0, 0); err != nil {
			return err
		}
		return cmd.Start()
	})
}

// TestDenied: without CAP_NET_RAW the exit code is 3, and the YAML that mends it
// is named, whatever the exporter and also with --quiet.
func TestDenied(t *testing.T) {
	netnstest.New(t) // fails where there is none
	for _, args := range [][]string{{"--exporter", "none"}, {"--quiet", "--exporter", "none"}, {}} {
		cmd, stdout, stderr := command(t, append([]string{"run"}, args...)...)
		startWithout(t, cmd)
		exitCode(t, cmd.Wait(), exitNotAllow)
		for _, want := range []string{
			"[error] PERM-01: ", "    securityContext:\n      capabilities:\n        drop: [ALL]\n        add: [NET_RAW]\n",
			"wiretell: open packet socket: operation not permitted (uid 0, CAP_NET_RAW in no capability set",
		} {
			if strings.Count(stderr.String(), want) != 1 {
				t.Errorf("%q: %q is not told once:\n%s", args, want, stderr)
			}
		}
		if told := strings.Contains(stdout.String(), "diagnosis id=PERM-01 state=raised"); told != (len(args) == 0) {
			t.Errorf("%q: stdout: %s", args, stdout)
		}
	}
}

// TestDeniedStays: with --when-denied stay the diagnosis is published until it is
// told to stop, which is then no failure.
func TestDeniedStays(t *testing.T) {
	netnstest.New(t)
	file := filepath.Join(t.TempDir(), "telemetry.jsonl")
	cmd, _, _ := command(t, "run", "--when-denied", "stay", "--otlp-json", file)
	stderr := new(transcript)
	cmd.Stderr = stderr
	startWithout(t, cmd)
	stderr.await(t, "staying to publish the diagnosis\n")
	stderr.await(t, "[error] PERM-01: ")
	cmd.Process.Signal(syscall.SIGTERM)
	exitCode(t, cmd.Wait(), exitOK)
	b, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(b), `"PERM-01"`) {
		t.Errorf("published: %v %s", err, b)
	}
}

// TestDemo: what a newcomer sees has one of everything. It runs as root and, in
// a user namespace, as a user who is not.
func TestDemo(t *testing.T) {
	netnstest.New(t)
	cmd, stdout, stderr := command(t, "demo")
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	for _, want := range []string{
		"trace 4bf92f3577b34da6a3ce929d0e0e4736, child of 00f067aa0ba902b7\n", "error.type=500 http.response.status_code=500",
		"127.0.0.1:5432 refused the connection", "wiretell.diagnosis.id: TLS-01\n      wiretell.remediation.summary: ",
		"http.server.request.duration{", "wiretell.packets{", "wiretell.tcp.connections{error.type=refused", "token=REDACTED",
		"\n  requests     4 = 4 answered\n", "  the ledger balances\n",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	for _, never := range []string{"DOES NOT EQUAL", "token=secret", "panic", "ENV-06"} {
		if strings.Contains(stdout.String(), never) {
			t.Errorf("%q in\n%s", never, stdout)
		}
	}
}

// TestLeft: when the application's container is gone and its interface with it,
// run says so and ends with a code of its own, so that it is restarted.
func TestLeft(t *testing.T) {
	ns, peer := netnstest.New(t), netnstest.New(t)
	netnstest.Connect(t, ns, peer)
	file := filepath.Join(t.TempDir(), "termination-log")
	cmd, _, _ := command(t, "run", "--exporter", "none", "--termination-log", file)
	stderr := new(transcript)
	cmd.Stderr = stderr
	startIn(t, ns, cmd)
	stderr.await(t, "wiretell: capturing on all interfaces\n")
	awaitIn(t, ns, "http://"+defaultListen+"/readyz", "ok\n") // it has looked once
	get(t, ns, 1)
	peer.Delete(t, "eth0") // as the runtime does
	exitCode(t, cmd.Wait(), exitLost)
	for _, want := range []string{"1 request, 1 response", "error ENV-03: This network namespace has only lo up; the interface that was up earlier in this run is gone.", "wiretell: the network namespace was left: ", "hint: restart wiretell"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(b), "the network namespace was left: ") {
		t.Errorf("%v: %s", err, b)
	}
}

// TestLeftUntilEOF: whoever holds standard input finds what was recorded before
// the process, and perhaps its container, is gone.
func TestLeftUntilEOF(t *testing.T) {
	ns, peer := netnstest.New(t), netnstest.New(t)
	netnstest.Connect(t, ns, peer)
	dir := t.TempDir()
	cmd, stdin, _, stderr := startUntilEOF(t, ns, "--exporter", "none", "--record", dir, "--record-all")
	get(t, ns, 1)
	peer.Delete(t, "eth0")
	stderr.await(t, "wiretell: the network namespace was left: its last interface beside lo is gone: waiting for the end of standard input\n")
	if files, err := filepath.Glob(filepath.Join(dir, "*.pcapng")); len(files) != 1 {
		t.Errorf("recorded %q, %v", files, err)
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Fatalf("it did not wait: %v", err)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	exitCode(t, cmd.Wait(), exitLost)
}

// TestTablesOnSignal: SIGUSR1 prints what was counted so far, without --debug too.
func TestTablesOnSignal(t *testing.T) {
	ns := netnstest.New(t)
	cmd, _, _ := command(t, "run", "--exporter", "none", "--port", "1-60000")
	stderr := new(transcript)
	cmd.Stderr = stderr
	startIn(t, ns, cmd)
	stderr.await(t, "wiretell: capturing on all interfaces\n")
	get(t, ns, 3)
	for i := 0; i < 100 && !strings.Contains(stderr.String(), "/tcp "); i++ {
		cmd.Process.Signal(syscall.SIGUSR1)
		time.Sleep(100 * time.Millisecond)
	}
	for _, want := range []string{"interface  direction  packets  bytes", "\nring ", "\nport ", "/tcp  both"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("no %q in\n%s", want, stderr)
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	exitCode(t, cmd.Wait(), exitOK)
}
