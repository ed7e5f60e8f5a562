package peers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestCollectorInNamespace runs the Collector in another network namespace: it
// is reached from there and not from here, and survives the end of threads
// that had a part in starting it.
func TestCollectorInNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("not root, which this test needs to make and enter a network namespace")
		}
		t.Skip("not root, which this test needs to make and enter a network namespace")
	}
	c := StartCollector(t, CollectorOptions{In: newNamespace, GRPCPort: 4317, HTTPPort: 4318})
	if c.GRPC != "127.0.0.1:4317" || c.HTTP != "http://127.0.0.1:4318" {
		t.Errorf("endpoints = %s, %s", c.GRPC, c.HTTP)
	}
	for range 20 { // threads that end
		done := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(done)
		}()
		<-done
	}
	path := fmt.Sprintf("/proc/%d/ns/net", c.cmd.Process.Pid)
	err := Namespace(path)(func() error {
		conn, err := net.DialTimeout("tcp", c.GRPC, time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	})
	if err != nil {
		t.Errorf("from inside its namespace: %v", err)
	}
	// The kernel's own word on where it runs, as the port here may be taken.
	inside, err := os.Readlink(path)
	if err != nil {
		t.Fatal(err)
	}
	if own, _ := os.Readlink("/proc/self/ns/net"); own == inside {
		t.Errorf("the Collector is in the test's own namespace, %s", own)
	}
}

func TestNoSuchNamespace(t *testing.T) {
	err := Namespace("/run/netns/no-such-namespace")(func() error {
		t.Error("the function ran")
		return nil
	})
	if err == nil {
		t.Error("no error for a namespace that does not exist")
	}
}

// newNamespace runs f on a thread in a network namespace made for it, with lo up.
func newNamespace(f func() error) error {
	return onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(lo); err != nil {
			return err
		}
		return f()
	})
}

// TestCollectorWithoutPermission: a Collector whose wiretell may not capture, as
// its user namespace does not own the network, ends and says why and what to do.
func TestCollectorWithoutPermission(t *testing.T) {
	binary := wiretellCollector(t)
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "--config", "yaml:"+`
receivers: {wiretell: {}}
exporters: {file: {path: /dev/null}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {logs: {receivers: [wiretell], exporters: [file]}}
`)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("the Collector ended with %v:\n%s", err, tail(string(out), 20))
	}
	for _, want := range []string{`failed to start "wiretell" receiver: open packet socket: operation not permitted`, "error PERM-", "remedy: "} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, tail(string(out), 20))
		}
	}
}
