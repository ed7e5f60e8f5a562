package peers

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestCollectorInNamespace runs the Collector in another network namespace: it
// is reached from there and not from here, and survives the end of the threads
// that had a part in starting it.
func TestCollectorInNamespace(t *testing.T) {
	path := newNamespace(t)
	c := StartCollector(t, CollectorOptions{NetNS: path, GRPCPort: 4317, HTTPPort: 4318})
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
	dial := func() error {
		conn, err := net.DialTimeout("tcp", c.GRPC, time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	}
	if err := inNamespace(path, dial); err != nil {
		t.Errorf("from inside its namespace: %v", err)
	}
	// The kernel's own word on where it runs, as the port here may be taken.
	inside, err := os.Readlink(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", c.cmd.Process.Pid)); got != inside || err != nil {
		t.Errorf("the Collector is in %s, %v, want %s", got, err, inside)
	}
	if own, _ := os.Readlink("/proc/thread-self/ns/net"); own == inside {
		t.Errorf("the test's thread stayed in %s", own)
	}
}

func TestNoSuchNamespace(t *testing.T) {
	if err := inNamespace("/run/netns/no-such-namespace", func() error { return nil }); err == nil {
		t.Error("no error for a namespace that does not exist")
	}
}

// newNamespace makes a network namespace with lo up and returns a path to it.
// It ends with the test.
func newNamespace(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("not root, which this test needs to make and enter a network namespace")
		}
		t.Skip("not root, which this test needs to make and enter a network namespace")
	}
	type result struct {
		fd  int
		err error
	}
	made := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			var lo netlink.Link
			if lo, err = netlink.LinkByName("lo"); err == nil {
				err = netlink.LinkSetUp(lo)
			}
		}
		fd := -1
		if err == nil {
			fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
		made <- result{fd, err}
	}()
	r := <-made
	if r.err != nil {
		t.Fatalf("make a network namespace: %v", r.err)
	}
	t.Cleanup(func() { unix.Close(r.fd) })
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), r.fd)
}
