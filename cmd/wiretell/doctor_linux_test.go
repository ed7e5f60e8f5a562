package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// The functions below start a process from a thread that they take something from.
func asNobody(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd.Start()
}

func withNothing(cmd *exec.Cmd) error {
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_NET_RAW, 0, 0, 0); err != nil {
		return err
	}
	return asNobody(cmd)
}

// underSeccomp starts it where a profile refuses packet sockets.
func underSeccomp(cmd *exec.Cmd) error {
	prog, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 4}, // seccomp_data.nr
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SYS_SOCKET, SkipFalse: 3},
		bpf.LoadAbsolute{Off: 16, Size: 4}, // the low half of args[0]
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_PACKET, SkipFalse: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW},
	})
	if err != nil {
		return err
	}
	raw := make([]unix.SockFilter, len(prog))
	for i, in := range prog {
		raw[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(raw)), Filter: &raw[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&fprog))); e != 0 {
		return e
	}
	return cmd.Start()
}

// TestDoctor: each cause is named, with the line to paste, and the exit code is the
// worst severity.
func TestDoctor(t *testing.T) {
	const manifest = "      | securityContext:\n      |   capabilities:\n      |     drop: [ALL]\n      |     add: [NET_RAW]\n"
	for _, c := range []struct {
		name  string
		wired bool // there is an interface beside lo
		start func(*exec.Cmd) error
		env   []string
		proxy []int // ports of all addresses that a mesh's proxy listens on
		serve bool  // an HTTP server is at 127.0.0.1:8080, and is asked meanwhile
		code  int
		want  []string
		never []string
	}{
		{"root", true, (*exec.Cmd).Start, nil, nil, true, exitOK,
			[]string{"ok   permission    uid 0, CAP_NET_RAW in sets effective, ", "packet sockets can be opened\n", "eth0 up 10.71.0.1/24", "offloads gso tso", "ok   listening     8080 (only from within)\n", "ok   ring          8388608 bytes\n",
				"ok   wiretell run  none answers here\n", "ok   collector     none: no OTEL_* variable", " requests, ", "Nothing to mend was found.\n"}, []string{"warning", "FAIL"}},
		{"a user with nothing", true, withNothing, nil, nil, false, exitErrors,
			[]string{"FAIL permission    uid 65534, CAP_NET_RAW in no capability set", "  error PERM-01: ", manifest}, nil},
		{"bounding set only", true, asNobody, nil, nil, false, exitErrors,
			[]string{"FAIL permission    uid 65534, CAP_NET_RAW in sets bounding,", "  error PERM-02: ", "getcap", "      |   runAsUser: 0\n"}, []string{"PERM-01: "}},
		{"seccomp", true, underSeccomp, nil, nil, false, exitErrors,
			[]string{"FAIL permission    uid 0, CAP_NET_RAW in sets effective, ", "seccomp mode 2", "  error PERM-03: ", "      |   seccompProfile:\n      |     type: RuntimeDefault\n"}, []string{"PERM-01: ", "PERM-02: "}},
		{"only lo", false, (*exec.Cmd).Start, nil, nil, false, exitWarning,
			[]string{"ok   permission", "  warning ENV-03: This network namespace has only lo up.", "$ docker run --network container:APP "}, []string{"FAIL"}},
		{"an application on lo alone", false, (*exec.Cmd).Start, nil, nil, true, exitOK, []string{"ok   permission", "Nothing to mend was found.\n"}, []string{"ENV-03", "FAIL"}},
		{"dead collector", true, (*exec.Cmd).Start, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"}, nil, true, exitErrors,
			[]string{"FAIL collector     traces by http/protobuf to http://127.0.0.1:4318/v1/traces: dial tcp 127.0.0.1:4318: connect: connection refused\n", "  error EXP-01: ",
				"      | env:\n      | - name: OTEL_EXPORTER_OTLP_PROTOCOL\n      |   value: grpc\n      | - name: OTEL_EXPORTER_OTLP_ENDPOINT\n      |   value: http://collector.observability:4317\n"}, []string{"EXP-02", "NET-SYN"}},
		{"gRPC to an HTTP port", true, (*exec.Cmd).Start, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:8080", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, nil, true, exitErrors,
			[]string{"FAIL collector     traces by grpc to 127.0.0.1:8080: UNAVAILABLE ", "  error EXP-02: ",
				"      $ OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4318 wiretell run\n"}, []string{"EXP-01"}},
		{"beside Istio's proxy", true, (*exec.Cmd).Start, nil, []int{15001, 15006, 15090}, true, exitOK,
			[]string{"ok   listening     8080 (only from within)\n                   15001\n                   15006\n                   15090\n", "  info MESH-01: The proxy of istio is in this pod (listening on 15001, 15006, 15090). (likely)\n", "Nothing to mend was found.\n"}, []string{"linkerd"}},
		{"beside Linkerd's proxy", true, (*exec.Cmd).Start, nil, []int{4140, 4143}, true, exitOK,
			[]string{"  info MESH-01: The proxy of linkerd is in this pod (listening on 4140, 4143). (likely)\n", "Nothing to mend was found.\n"}, []string{"istio"}},
		{"a filter for the proxy's port", true, (*exec.Cmd).Start, []string{"WIRETELL_PORT=4143"}, []int{4140, 4143}, true, exitWarning,
			[]string{"  warning FILT-04: Packets never carry port 4143, to which linkerd redirects them only afterwards; the application listens on 8080.", "wiretell run --port 8080\n"}, []string{"FILT-02"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ns := netnstest.New(t)
			if c.wired {
				netnstest.Connect(t, ns, netnstest.New(t))
			}
			listen := func(addr string) (l net.Listener) {
				ns.Must(t, func() (err error) {
					l, err = net.Listen("tcp", addr)
					return err
				})
				t.Cleanup(func() { l.Close() })
				return l
			}
			for _, port := range c.proxy {
				listen(fmt.Sprintf(":%d", port))
			}
			if c.serve {
				l := listen("127.0.0.1:8080")
				srv := &http.Server{Handler: http.NotFoundHandler()}
				go srv.Serve(l)
				t.Cleanup(func() { srv.Close() })
			}
			cmd, stdout, stderr := command(t, "doctor", "--capture-for", "2s")
			cmd.Env = append(cmd.Env, c.env...)
			ns.Must(t, func() error { return c.start(cmd) })
			done := make(chan error, 1)
			go func() { done <- cmd.Wait() }()
			var err error
			for running := true; running; {
				select {
				case err = <-done:
					running = false
				default:
					if c.serve {
						askIn(t, ns, "http://127.0.0.1:8080/")
					}
				}
			}
			exitCode(t, err, c.code)
			for _, want := range c.want {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("no %q", want)
				}
			}
			for _, never := range c.never {
				if strings.Contains(stdout.String(), never) {
					t.Errorf("%q is there", never)
				}
			}
			if t.Failed() || stderr.Len() > 0 {
				t.Errorf("%s%s", stdout, stderr)
			}
		})
	}
}

// TestDoctorBeside: beside a run the doctor says that it is there, and takes its
// port for nobody's.
func TestDoctorBeside(t *testing.T) {
	ns := netnstest.New(t)
	run, _, _ := command(t, "run", "--exporter", "none")
	said := new(transcript)
	run.Stderr = said
	startIn(t, ns, run)
	said.await(t, "capturing on all interfaces\n")
	awaitIn(t, ns, "http://"+defaultListen+"/readyz", "ok\n")
	cmd, stdout, _ := command(t, "doctor", "--capture-for", "1s", "--format", "json")
	startIn(t, ns, cmd)
	exitCode(t, cmd.Wait(), exitWarning)
	var got struct {
		Checks []checked
		Report struct {
			Severity string
			Findings []struct{ ID string }
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	ids := map[string]bool{}
	for _, f := range got.Report.Findings {
		ids[f.ID] = true
	}
	if !strings.Contains(stdout.String(), `"127.0.0.1:19464 answers 200: ok"`) || got.Report.Severity != "warning" || !ids["ENV-03"] || ids["SELF-03"] {
		t.Errorf("%s", stdout)
	}
	run.Process.Signal(syscall.SIGTERM)
	exitCode(t, run.Wait(), exitOK)
}
