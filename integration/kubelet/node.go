package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/wiretell/wiretell/integration/image"
	"github.com/wiretell/wiretell/integration/peers"
)

const (
	nodeName   = "node"
	pauseImage = "wiretell-pause:1"
	probeImage = "wiretell-probe:1"
	readOnly   = "http://127.0.0.1:20255"
	bridge     = "wiretell0"
	subnet     = "10.253.87.0/24"
)

// node is a kubelet and a containerd that belong to this program.
type node struct {
	dir       string
	processes []*process // in the order of their starts
}

// process is a child that runs until it is stopped.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
}

var containerdConfig = template.Must(template.New("").Parse(`version = 2
root = "{{.Dir}}/containerd"
state = "{{.Dir}}/state"
[grpc]
  address = "{{.Dir}}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{{.Pause}}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{{.Plugins}}"
    conf_dir = "{{.Dir}}/cni"
`))

var network = template.Must(template.New("").Parse(`{"cniVersion": "0.4.0", "name": "wiretell", "plugins": [
  {"type": "bridge", "bridge": "{{.Bridge}}", "isGateway": true, "ipam": {
    "type": "host-local", "ranges": [[{"subnet": "{{.Subnet}}"}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "{{.Dir}}/ipam"}}]}
`))

var kubeletConfig = template.Must(template.New("").Parse(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://{{.Dir}}/containerd.sock
staticPodPath: {{.Dir}}/manifests
podLogsDir: {{.Dir}}/logs
volumePluginDir: {{.Dir}}/plugins
address: 127.0.0.1
port: 20250
readOnlyPort: 20255
healthzPort: 0
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
localStorageCapacityIsolation: false
makeIPTablesUtilChains: false
fileCheckFrequency: 1s
syncFrequency: 5s
evictionHard: {memory.available: 1Mi, nodefs.available: 0%, imagefs.available: 0%}
imageGCHighThresholdPercent: 100
imageMinimumGCAge: 1h
`))

// startNode starts containerd and the kubelet below dir. The node is to be
// stopped even when an error is returned.
func startNode(ctx context.Context, dir, plugins string) (*node, error) {
	n := &node{dir: dir}
	for _, name := range []string{"bridge", "host-local", "loopback"} {
		if _, err := os.Stat(path(plugins, name)); err != nil {
			return n, fmt.Errorf("CNI plugins: %w", err)
		}
	}
	kubelet, err := peers.BuildKubelet(log.Printf)
	if err != nil {
		return n, err
	}
	for _, d := range []string{"manifests", "logs", "plugins", "cni", "kubelet"} {
		if err := os.Mkdir(path(dir, d), 0o755); err != nil {
			return n, err
		}
	}
	values := map[string]string{"Dir": dir, "Plugins": plugins, "Pause": pauseImage, "Bridge": bridge, "Subnet": subnet}
	for name, t := range map[string]*template.Template{"containerd.toml": containerdConfig, "cni/10-wiretell.conflist": network, "kubelet.yaml": kubeletConfig} {
		var b bytes.Buffer
		if err := t.Execute(&b, values); err != nil {
			return n, err
		}
		if err := os.WriteFile(path(dir, name), b.Bytes(), 0o644); err != nil {
			return n, err
		}
	}
	if err := n.start("containerd", "containerd", "--config", path(dir, "containerd.toml")); err != nil {
		return n, err
	}
	err = poll(ctx, 30*time.Second, "containerd answers", func() error {
		_, err := n.ctr(ctx, nil, "version")
		return err
	})
	if err != nil {
		return n, err
	}
	return n, n.start("kubelet", kubelet, "--config", path(dir, "kubelet.yaml"), "--root-dir", path(dir, "kubelet"),
		"--cert-dir", path(dir, "kubelet/pki"), "--hostname-override", nodeName)
}

// start starts a process whose output goes to a file.
func (n *node) start(name, program string, args ...string) error {
	f, err := os.Create(path(n.dir, name+".log"))
	if err != nil {
		return err
	}
	defer f.Close()
	p := &process{name: name, cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = f, f
	if err := p.cmd.Start(); err != nil {
		return err
	}
	n.processes = append(n.processes, p)
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	return nil
}

// stop ends everything and removes what lies outside of the folder.
func (n *node) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i := len(n.processes) - 1; i >= 0; i-- {
		p := n.processes[i]
		if p.name == "containerd" {
			n.killContainers(ctx)
		}
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], n.dir+"/") {
			_ = syscall.Unmount(f[1], syscall.MNT_DETACH)
		}
	}
	_ = exec.CommandContext(ctx, "ip", "link", "delete", bridge).Run()
}

// killContainers ends the containers and networks that a failure left.
func (n *node) killContainers(ctx context.Context) {
	out, _ := n.ctr(ctx, nil, "containers", "list", "-q")
	for _, id := range strings.Fields(out) {
		_, _ = n.ctr(ctx, nil, "tasks", "kill", "-s", "SIGKILL", id)
		_, _ = n.ctr(ctx, nil, "tasks", "delete", "-f", id)
		_, _ = n.ctr(ctx, nil, "containers", "delete", id)
	}
}

// ctr calls containerd's client.
func (n *node) ctr(ctx context.Context, in io.Reader, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "ctr", append([]string{"--address", path(n.dir, "containerd.sock"), "--namespace", "k8s.io"}, args...)...)
	cmd.Stdin = in
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("ctr %s: %w: %s", args[0], err, said.Bytes())
	}
	return out.String(), nil
}

// podOf returns the pod of the first workload in a manifest, as a static pod.
func podOf(manifest string) (*corev1.Pod, error) {
	f, err := os.Open(manifest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := utilyaml.NewYAMLOrJSONDecoder(f, 4096)
	for {
		var w appsv1.Deployment
		if err := d.Decode(&w); err != nil {
			return nil, fmt.Errorf("%s: no Deployment: %w", manifest, err)
		}
		if w.Kind == "Deployment" {
			pod := &corev1.Pod{ObjectMeta: w.Spec.Template.ObjectMeta, Spec: w.Spec.Template.Spec}
			pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
			pod.Name, pod.Namespace = w.Name, w.Namespace
			return pod, adapt(pod)
		}
	}
}

// adapt puts a program of ours in the application's place, and lets wiretell
// print lines, as there is no Collector. The container of wiretell stays as it is
// otherwise.
func adapt(pod *corev1.Pod) error {
	if len(pod.Spec.InitContainers) != 1 || len(pod.Spec.Containers) != 1 {
		return errors.New("the pod is not wiretell and one application")
	}
	app, wiretell := &pod.Spec.Containers[0], &pod.Spec.InitContainers[0]
	app.Image = probeImage
	var env []corev1.EnvVar
	for _, e := range wiretell.Env {
		if e.Name != "OTEL_EXPORTER_OTLP_ENDPOINT" {
			env = append(env, e)
		}
	}
	if len(env) != len(wiretell.Env)-1 {
		return errors.New("wiretell's container does not name an OTLP endpoint once")
	}
	wiretell.Env = env
	return nil
}

// images makes the images that the pod needs and gives them to containerd.
func (n *node) images(ctx context.Context, pod *corev1.Pod) error {
	wiretell, err := image.Wiretell(ctx, runtime.GOARCH, image.Release{})
	if err != nil {
		return err
	}
	made := map[string]*image.Image{pod.Spec.InitContainers[0].Image: wiretell}
	for tag, pkg := range map[string]string{probeImage: "./integration/testdata/probe", pauseImage: "./integration/testdata/pause"} {
		binary, err := image.Compile(ctx, image.Program{Package: pkg, Architecture: runtime.GOARCH})
		if err != nil {
			return err
		}
		made[tag] = &image.Image{
			Architecture: runtime.GOARCH,
			Config:       image.Config{User: "65532:65532", Entrypoint: []string{"/program"}},
			Files:        []image.File{{Path: "/program", Mode: 0o755, Data: binary}},
		}
	}
	for tag, img := range made {
		var b bytes.Buffer
		if err := image.WriteArchive(&b, tag, img); err != nil {
			return err
		}
		size := b.Len()
		if _, err := n.ctr(ctx, &b, "images", "import", "--snapshotter", "native", "-"); err != nil {
			return err
		}
		log.Printf("image %s: %.1f MB", tag, float64(size)/1e6)
	}
	return nil
}

func (n *node) manifest(pod *corev1.Pod) string { return path(n.dir, "manifests", pod.Name+".json") }

// apply gives the pod to the kubelet.
func (n *node) apply(pod *corev1.Pod) error {
	b, err := json.Marshal(pod)
	if err != nil {
		return err
	}
	return os.WriteFile(n.manifest(pod), b, 0o644)
}

func (n *node) remove(pod *corev1.Pod) error { return os.Remove(n.manifest(pod)) }

// pods asks the kubelet.
func (n *node) pods() ([]corev1.Pod, error) {
	client := http.Client{Timeout: 5 * time.Second}
	r, err := client.Get(readOnly + "/pods")
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	var list corev1.PodList
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
		return nil, err
	}
	return list.Items, nil
}

// await waits until the status of the only pod fits.
func (n *node) await(ctx context.Context, limit time.Duration, what string, fits func(*corev1.PodStatus) error) (s *corev1.PodStatus, err error) {
	err = poll(ctx, limit, what, func() error {
		pods, err := n.pods()
		if err != nil {
			return err
		}
		if len(pods) != 1 {
			return fmt.Errorf("%d pods", len(pods))
		}
		s = &pods[0].Status
		return fits(s)
	})
	return s, err
}

// pid returns the process of a container.
func (n *node) pid(ctx context.Context, c corev1.ContainerStatus) (int, error) {
	_, id, _ := strings.Cut(c.ContainerID, "://")
	out, err := n.ctr(ctx, nil, "tasks", "list")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == id {
			return strconv.Atoi(f[1])
		}
	}
	return 0, fmt.Errorf("no process of container %s", c.Name)
}

// unprivileged looks whether all threads of a process are as the example says.
func unprivileged(pid int) error {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no thread of process %d: %w", pid, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, want := range []string{`CapInh:\s0+\n`, `CapPrm:\s0+\n`, `CapEff:\s0+\n`, `CapAmb:\s0+\n`, `NoNewPrivs:\s1\n`, `Seccomp:\s2\n`, `Uid:\s65532\s65532\s65532\s65532\n`} {
			if !regexp.MustCompile(want).Match(b) {
				return fmt.Errorf("%s has no line %q:\n%s", file, want, b)
			}
		}
	}
	return nil
}

// logged waits until a line of a container's log matches.
func (n *node) logged(ctx context.Context, pod *corev1.Pod, container, pattern string) error {
	want := regexp.MustCompile(pattern)
	return poll(ctx, 20*time.Second, "the log has "+pattern, func() error {
		text, err := n.log(pod, container)
		if err != nil {
			return err
		}
		line := want.FindString(text)
		if line == "" {
			return fmt.Errorf("not in:\n%s", text)
		}
		log.Printf("log of %s: %s", container, line)
		return nil
	})
}

// log returns what all runs of a container wrote, as the runtime keeps it.
func (n *node) log(pod *corev1.Pod, container string) (string, error) {
	files, err := filepath.Glob(path(n.dir, "logs", pod.Namespace+"_"+pod.Name+"-"+nodeName+"_*", container, "*.log"))
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		all.Write(b)
	}
	return all.String(), nil
}

// gone waits until the pod has ended, and holds what wiretell said last.
func (n *node) gone(ctx context.Context, pod *corev1.Pod) error {
	var last string
	return poll(ctx, 2*time.Minute, "the pod has ended", func() error {
		// The log goes with the pod.
		if text, err := n.log(pod, "wiretell"); err == nil && text != "" {
			last = text
		}
		pods, err := n.pods()
		if err != nil {
			return err
		}
		if len(pods) > 0 {
			return errors.New("it is still there")
		}
		// It saw the application close the connection that get keeps open.
		end := regexp.MustCompile(`(?s)(closed conn=\S+).*(\d+ packets read, \d+ requests?, \d+ responses?)`).FindStringSubmatch(last)
		if end == nil {
			return fmt.Errorf("wiretell's log has no conclusion after the end of the application's connection:\n%s", last)
		}
		log.Printf("log of wiretell: %s ... %s", end[1], end[2])
		return nil
	})
}

// get wants an answer with the given status.
func get(ctx context.Context, url string, code int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != code {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

// poll calls try until it succeeds.
func poll(ctx context.Context, limit time.Duration, what string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %s: %w", limit, what, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
