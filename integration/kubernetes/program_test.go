package kubernetes

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/wiretell/wiretell/exporter/otel"
)

// binary is wiretell, built by TestMain.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "wiretell-kubernetes-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "wiretell")
	build := exec.Command("go", "build", "-pgo=off", "-o", binary, "github.com/wiretell/wiretell/cmd/wiretell")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build wiretell: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// fields are what the downward API gives a pod of the tests.
var fields = map[string]string{
	"metadata.name":      "shop-5d5b6c7f9-x2x4z",
	"metadata.namespace": "shop",
	"metadata.uid":       "0d6f0a3c-7a0c-4b0e-9c63-0f5ab4cb5d29",
	"spec.nodeName":      "node-1",
}

var labelField = regexp.MustCompile(`^metadata\.labels\['([^']+)'\]$`)

// variables returns a container's variables as the kubelet sets them.
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
func variables(pod *corev1.PodTemplateSpec, c corev1.Container) (env map[string]string, problems []string) {
	env = map[string]string{}
	for _, v := range c.Env {
		if _, twice := env[v.Name]; twice {
			problems = append(problems, fmt.Sprintf("variable %s is set twice", v.Name))
		}
		if v.ValueFrom == nil {
			env[v.Name] = reference.ReplaceAllStringFunc(v.Value, func(s string) string {
				value, ok := env[s[2:len(s)-1]]
				if !ok {
					problems = append(problems, fmt.Sprintf("variable %s: %s is not set before it", v.Name, s))
				}
				return value
			})
			continue
		}
		switch from := v.ValueFrom; {
		case from.SecretKeyRef != nil:
			env[v.Name] = "name=value"
		case from.FieldRef != nil:
			value, ok := fields[from.FieldRef.FieldPath]
			if m := labelField.FindStringSubmatch(from.FieldRef.FieldPath); m != nil {
				value, ok = pod.Labels[m[1]]
			}
			if !ok {
				problems = append(problems, fmt.Sprintf("variable %s: the pod has no %s", v.Name, from.FieldRef.FieldPath))
			}
			env[v.Name] = value
		default:
			problems = append(problems, fmt.Sprintf("variable %s: from where?", v.Name))
		}
	}
	return env, problems
}

var reference = regexp.MustCompile(`\$\([A-Za-z0-9_]+\)`)

// checkProgram runs wiretell with a container's arguments and variables, and with
// the commands of its probes, and returns what it does not understand.
func checkProgram(pod *corev1.PodTemplateSpec, c corev1.Container) (problems []string) {
	env, problems := variables(pod, c)
	config, warnings, err := otel.ConfigFromEnv(func(name string) string { return env[name] })
	if err != nil {
		problems = append(problems, err.Error())
	}
	for _, w := range warnings {
		problems = append(problems, w.String())
	}
	if config.ServiceName == "" {
		problems = append(problems, "no service.name")
	}
	for _, key := range []string{"k8s.namespace.name", "k8s.pod.name", "k8s.pod.uid", "k8s.node.name", "service.instance.id"} {
		if !slices.ContainsFunc(config.Resource, func(kv otel.KeyValue) bool { return kv.Key == key && kv.Value != "" }) {
			problems = append(problems, "no "+key)
		}
	}
	if len(c.Command) > 0 {
		problems = append(problems, "a command replaces the image's entry point")
	}
	if len(c.Args) == 0 || c.Args[0] != "run" {
		problems = append(problems, fmt.Sprintf("args %q do not begin with run", c.Args))
	}
	// A sidecar that ends where it may not capture holds up the application.
	if !slices.Contains(c.Args, "--when-denied=stay") {
		problems = append(problems, fmt.Sprintf("args %q lack --when-denied=stay", c.Args))
	}
	problems = append(problems, understood(c.Args, env)...)
	for _, p := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe} {
		if p == nil {
			continue
		}
		if p.Exec == nil || len(p.Exec.Command) < 2 || p.Exec.Command[0] != "/wiretell" {
			problems = append(problems, "a probe does not run /wiretell")
			continue
		}
		problems = append(problems, understood(p.Exec.Command[1:], env)...)
	}
	return problems
}

// understood returns what wiretell says against a command line.
func understood(args []string, env map[string]string) []string {
	cmd := exec.Command(binary, append(slices.Clone(args), "--print-config")...)
	cmd.Env = []string{}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	if err == nil && stderr.Len() == 0 {
		return nil
	}
	return []string{fmt.Sprintf("wiretell %s: %v: %s", strings.Join(args, " "), err, stderr.String())}
}

// TestResource: the attributes are those of the pod, word for word.
func TestResource(t *testing.T) {
	pod := podOf(t, readExample(t, "sidecar.yaml"))
	env, problems := variables(pod, pod.Spec.InitContainers[0])
	report(t, problems)
	config, _, err := otel.ConfigFromEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	want := []otel.KeyValue{
		{Key: "k8s.namespace.name", Value: "shop"},
		{Key: "k8s.pod.name", Value: "shop-5d5b6c7f9-x2x4z"},
		{Key: "k8s.pod.uid", Value: "0d6f0a3c-7a0c-4b0e-9c63-0f5ab4cb5d29"},
		{Key: "k8s.node.name", Value: "node-1"},
		{Key: "service.instance.id", Value: "shop.shop-5d5b6c7f9-x2x4z"},
		{Key: "k8s.container.name", Value: "app"},
	}
	if !slices.Equal(config.Resource, want) || config.ServiceName != "shop" {
		t.Errorf("service %q, resource %v, want shop, %v", config.ServiceName, config.Resource, want)
	}
}
