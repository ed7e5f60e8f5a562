// Command kubelet runs the pod of examples/kubernetes/sidecar.yaml with a real
// kubelet and containerd, and checks what the example promises. It is run by hand:
//
//	go run ./integration/kubelet
//
// It needs root, a machine of its own (the kubelet sets some of the kernel's
// tunables), containerd, runc and the CNI plugins bridge, host-local and loopback
// (Debian: containerd runc containernetworking-plugins). The kubelet is built
// from the Go module proxy, once, and runs alone, without an API server: it takes
// the pod as a static pod. Everything else lies in a temporary folder; containerd is one of
// its own. Nothing is left behind but the cache of built programs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func main() {
	log.SetFlags(log.Ltime)
	plugins := flag.String("cni", "/usr/lib/cni", "`folder` of the CNI plugins")
	manifest := flag.String("manifest", "examples/kubernetes/sidecar.yaml", "`file` with the workload")
	keep := flag.Bool("keep", false, "leave the logs in the temporary folder")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	if err := run(ctx, *manifest, *plugins, *keep); err != nil {
		log.Fatal(err)
	}
	log.Print("all as it should be")
}

func run(ctx context.Context, manifest, plugins string, keep bool) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("a kubelet needs root")
	}
	pod, err := podOf(manifest)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "wiretell-kubelet-")
	if err != nil {
		return err
	}
	n, err := startNode(ctx, dir, plugins)
	defer func() {
		n.stop()
		if keep {
			log.Printf("logs are in %s", dir)
		} else {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err != nil {
		return err
	}
	if err := n.images(ctx, pod); err != nil {
		return err
	}
	if err := n.apply(pod); err != nil {
		return err
	}
	return check(ctx, n, pod)
}

// check holds the pod to what the example and docs/kubernetes.md say.
func check(ctx context.Context, n *node, pod *corev1.Pod) error {
	// The pod becomes ready, and wiretell was up before the application began.
	status, err := n.await(ctx, 2*time.Minute, "the pod is ready", func(s *corev1.PodStatus) error {
		if len(s.InitContainerStatuses) != 1 || len(s.ContainerStatuses) != 1 {
			return fmt.Errorf("%d init containers, %d containers; %s", len(s.InitContainerStatuses), len(s.ContainerStatuses), s.Message)
		}
		for _, c := range []corev1.ContainerStatus{s.InitContainerStatuses[0], s.ContainerStatuses[0]} {
			if !c.Ready || c.State.Running == nil {
				return fmt.Errorf("%s: ready %t, %+v", c.Name, c.Ready, c.State)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	wiretell, app := status.InitContainerStatuses[0], status.ContainerStatuses[0]
	if wiretell.State.Running.StartedAt.After(app.State.Running.StartedAt.Time) {
		return fmt.Errorf("wiretell started at %s, after the application at %s", wiretell.State.Running.StartedAt, app.State.Running.StartedAt)
	}
	log.Printf("wiretell started at %s, the application at %s", clock(wiretell), clock(app))

	// It has no capability any more, and is nobody.
	pid, err := n.pid(ctx, wiretell)
	if err != nil {
		return err
	}
	if err := unprivileged(pid); err != nil {
		return err
	}
	log.Print("no thread of wiretell has a capability; it runs as 65532 with no_new_privs and a seccomp filter")

	// It sees what comes from the node, from the first request on.
	for _, code := range []int{200, 503} {
		if err := get(ctx, fmt.Sprintf("http://%s:8080/status/%d", status.PodIP, code), code); err != nil {
			return err
		}
		if err := n.logged(ctx, pod, "wiretell", fmt.Sprintf(`exchange .* target=/status/%d status=%d .*`, code, code)); err != nil {
			return err
		}
	}

	// It is restarted when it ends, and the application stays.
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	status, err = n.await(ctx, 2*time.Minute, "wiretell is restarted", func(s *corev1.PodStatus) error {
		if c := s.InitContainerStatuses[0]; c.RestartCount != 1 || !c.Ready {
			return fmt.Errorf("%d restarts, ready %t", c.RestartCount, c.Ready)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c := status.ContainerStatuses[0]; c.RestartCount != 0 || c.ContainerID != app.ContainerID {
		return fmt.Errorf("the application was restarted with it: %+v", c)
	}
	if err := get(ctx, fmt.Sprintf("http://%s:8080/status/404", status.PodIP), 404); err != nil {
		return err
	}
	if err := n.logged(ctx, pod, "wiretell", `exchange .* target=/status/404 status=404 .*`); err != nil {
		return err
	}

	// It ends after the application, with its conclusion.
	if err := n.remove(pod); err != nil {
		return err
	}
	return n.gone(ctx, pod)
}

func clock(c corev1.ContainerStatus) string { return c.State.Running.StartedAt.Format(time.TimeOnly) }

func path(dir string, names ...string) string {
	return filepath.Join(append([]string{dir}, names...)...)
}
