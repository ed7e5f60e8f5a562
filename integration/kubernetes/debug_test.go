package kubernetes

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	psa "k8s.io/pod-security-admission/api"
	"sigs.k8s.io/yaml"
)

// TestDebugProfile: kubectl debug --custom=debug.json attaches a wiretell that may
// capture, to a pod whose own containers may do nothing.
func TestDebugProfile(t *testing.T) {
	report(t, checkDebug(t, readExample(t, "debug.json")))
}

// checkDebug merges a profile into an ephemeral container as kubectl does, after
// its profile general, and returns what is wrong with the outcome.
func checkDebug(t *testing.T, text []byte) (problems []string) {
	t.Helper()
	var partial corev1.Container
	if err := yaml.UnmarshalStrict(text, &partial); err != nil {
		return []string{err.Error()}
	}
	// kubectl refuses a profile that has these, or takes them from its flags.
	if partial.Name != "" || partial.Image != "" || len(partial.Command) > 0 || partial.Lifecycle != nil || len(partial.VolumeDevices) > 0 {
		problems = append(problems, "kubectl sets the name, the image, the command, lifecycle and volume devices itself")
	}
	general := corev1.Container{
		Name: "wiretell", Image: imageName(), Stdin: true, TTY: true,
		SecurityContext: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_PTRACE"}}},
	}
	original, err := json.Marshal(general)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := strategicpatch.StrategicMergePatch(original, text, corev1.Container{})
	if err != nil {
		return append(problems, err.Error())
	}
	var c corev1.Container
	if err := yaml.UnmarshalStrict(merged, &c); err != nil {
		return append(problems, err.Error())
	}
	if got := granted(c); len(got) != 1 || got[0] != "NET_RAW" {
		problems = append(problems, "capabilities are not NET_RAW alone")
	}
	if want := podOf(t, readExample(t, "sidecar.yaml")).Spec.InitContainers[0].SecurityContext; asYAML(t, c.SecurityContext) != asYAML(t, want) {
		problems = append(problems, "the security context is not that of sidecar.yaml")
	}
	pod := podOf(t, readExample(t, "sidecar.yaml"))
	pod.Spec.InitContainers = nil
	pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
		Name: c.Name, Image: c.Image, SecurityContext: c.SecurityContext,
	}}}
	if refused := checkLevel(pod, psa.LevelBaseline); len(refused) != 1 || !strings.Contains(refused[0], "NET_RAW") {
		problems = append(problems, "level baseline, without NET_RAW: "+strings.Join(refused, ", "))
	}
	return append(problems, checkLevel(pod, psa.LevelPrivileged)...)
}
