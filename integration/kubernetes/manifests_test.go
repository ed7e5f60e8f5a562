package kubernetes

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

const examples = "../../examples/kubernetes"

// defaultCapabilities is what containerd and Docker give a container.
var defaultCapabilities = []corev1.Capability{
	"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
	"SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}

// TestManifests holds each file that users apply as it is.
func TestManifests(t *testing.T) {
	for _, name := range []string{"sidecar.yaml", "sidecar-baseline.yaml", "istio.yaml", "linkerd.yaml"} {
		t.Run(name, func(t *testing.T) { report(t, checkManifests(readExample(t, name))) })
	}
}

// TestLevels: the level that a file's namespace enforces is the strictest that
// admits its pods, as the comments say.
func TestLevels(t *testing.T) {
	for name, refusing := range map[string]psa.Level{"sidecar.yaml": psa.LevelBaseline, "sidecar-baseline.yaml": psa.LevelRestricted} {
		pod := podOf(t, readExample(t, name))
		if problems := checkLevel(pod, refusing); len(problems) == 0 {
			t.Errorf("%s: level %s admits the pod too", name, refusing)
		}
		// It is wiretell alone that needs the level.
		pod.Spec.InitContainers = nil
		if problems := checkLevel(pod, psa.LevelRestricted); len(problems) > 0 {
			t.Errorf("%s: without wiretell: %s", name, problems)
		}
	}
}

// checkManifests returns what is wrong with the objects of a text in YAML, that
// holds one workload with wiretell.
func checkManifests(text []byte) (problems []string) {
	objects, err := decode(text)
	if err != nil {
		return []string{err.Error()}
	}
	level, pods := psa.LevelRestricted, 0
	for _, o := range objects {
		if ns, ok := o.(*corev1.Namespace); ok {
			level = psa.Level(ns.Labels[psa.EnforceLevelLabel])
		}
	}
	for _, o := range objects {
		pod := template(o)
		if pod == nil {
			continue
		}
		pods++
		problems = append(problems, checkPod(pod)...)
		problems = append(problems, checkLevel(pod, level)...)
	}
	if pods != 1 {
		problems = append(problems, fmt.Sprintf("%d workloads, want 1", pods))
	}
	return problems
}

// decode reads objects as the API server does with strict field validation.
func decode(text []byte) (objects []runtime.Object, err error) {
	s := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	r := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		doc, err := r.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		o, _, err := s.Decode(doc, nil, nil)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
}

// template returns the pod that an object makes, nil when it makes none.
func template(o runtime.Object) *corev1.PodTemplateSpec {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template
	case *appsv1.StatefulSet:
		return &o.Spec.Template
	case *appsv1.DaemonSet:
		return &o.Spec.Template
	case *batchv1.Job:
		return &o.Spec.Template
	case *corev1.Pod:
		return &corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
	}
	return nil
}

// podOf returns the pod of a text's one workload.
func podOf(t *testing.T, text []byte) *corev1.PodTemplateSpec {
	t.Helper()
	objects, err := decode(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if pod := template(o); pod != nil {
			return pod
		}
	}
	t.Fatal("no workload")
	return nil
}

// checkPod returns what is wrong with wiretell in a pod.
func checkPod(pod *corev1.PodTemplateSpec) (problems []string) {
	i := slices.IndexFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == "wiretell" })
	if i < 0 {
		return []string{"no init container wiretell"}
	}
	c := pod.Spec.InitContainers[i]
	if i > 0 {
		problems = append(problems, "wiretell is not the first init container")
	}
	if c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		problems = append(problems, "restartPolicy is not Always: the application would never start")
	}
	if c.ReadinessProbe != nil {
		problems = append(problems, "a readinessProbe takes the application out of its Service")
	}
	if want := imageName(); c.Image != want && !strings.HasPrefix(c.Image, strings.Split(want, ":")[0]+"@sha256:") {
		problems = append(problems, fmt.Sprintf("image %s, want %s", c.Image, want))
	}
	if got := granted(c); !slices.Equal(got, []corev1.Capability{"NET_RAW"}) {
		problems = append(problems, fmt.Sprintf("capabilities %v, want NET_RAW alone", got))
	}
	problems = append(problems, checkProgram(pod, c)...)
	for i, c := range pod.Spec.Containers {
		if c.Name == "wiretell" || c.Image == "" {
			problems = append(problems, fmt.Sprintf("container %d: name %q, image %q", i, c.Name, c.Image))
		}
	}
	return problems
}

// granted returns the capabilities that containerd grants a container.
func granted(c corev1.Container) (caps []corev1.Capability) {
	if c.SecurityContext == nil || c.SecurityContext.Capabilities == nil {
		return defaultCapabilities
	}
	set := c.SecurityContext.Capabilities
	for _, name := range defaultCapabilities {
		if !slices.Contains(set.Drop, name) && !slices.Contains(set.Drop, "ALL") {
			caps = append(caps, name)
		}
	}
	return append(caps, set.Add...)
}

// checkLevel returns why a Pod Security level refuses a pod.
func checkLevel(pod *corev1.PodTemplateSpec, level psa.Level) []string {
	if !level.Valid() {
		return []string{fmt.Sprintf("%q is no Pod Security level", level)}
	}
	e, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return []string{err.Error()}
	}
	result := policy.AggregateCheckResults(e.EvaluatePod(psa.LevelVersion{Level: level, Version: psa.LatestVersion()}, &pod.ObjectMeta, &pod.Spec))
	if result.Allowed {
		return nil
	}
	return []string{fmt.Sprintf("Pod Security level %s: %s", level, result.ForbiddenDetail())}
}

func readExample(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func report(t *testing.T, problems []string) {
	t.Helper()
	for _, p := range problems {
		t.Error(p)
	}
}

// named returns an object's name.
func named(o runtime.Object) string {
	if m, ok := o.(metav1.Object); ok {
		return m.GetName()
	}
	return ""
}
