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
