package kubernetes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// TestSeededMistakes: each check fails when a mistake is put into what it checks.
func TestSeededMistakes(t *testing.T) {
	for _, c := range []struct {
		name, file, old, changed, want string
	}{
		{"a misspelt field", "sidecar.yaml", "startupProbe:", "startUpProbe:", "unknown field"},
		{"a field twice", "sidecar.yaml", "restartPolicy: Always", "restartPolicy: Always\n        restartPolicy: Always", "already set"},
		{"a field of another place", "sidecar.yaml", "      - name: app\n", "      - name: app\n        automountServiceAccountToken: false\n", "unknown field"},
		{"a kind that is none", "sidecar.yaml", "kind: Deployment", "kind: Deploymnt", "no kind"},
		{"no sidecar", "sidecar.yaml", "        restartPolicy: Always\n", "", "restartPolicy is not Always"},
		{"another level", "sidecar.yaml", "enforce: privileged", "enforce: baseline", "non-default capabilities"},
		{"no level", "sidecar.yaml", "enforce: privileged", "enforce: privileg", "is no Pod Security level"},
		{"a capability more", "sidecar.yaml", "add: [NET_RAW]", "add: [NET_RAW, NET_ADMIN]", "want NET_RAW alone"},
		{"a capability left", "sidecar-baseline.yaml", "KILL, ", "", "want NET_RAW alone"},
		{"another image", "sidecar.yaml", "wiretell/wiretell:", "wiretel/wiretell:", "image wiretel/"},
		{"another version", "sidecar.yaml", "wiretell/wiretell:", "wiretell/wiretell:9", "image wiretell/wiretell:9"},
		{"a misspelt flag", "istio.yaml", "--when-denied=", "--if-denied=", "unknown flag"},
		{"a mode that is none", "sidecar.yaml", "--when-denied=stay", "--when-denied=wait", "wait"},
		{"a command that is none", "sidecar.yaml", "[/wiretell, healthcheck]", "[/wiretell, healtcheck]", "healtcheck"},
		{"a variable set later", "sidecar.yaml", "$(POD_UID)", "$(PODUID)", "$(PODUID) is not set before it"},
		{"a field the pod lacks", "sidecar.yaml", "metadata.labels['app.kubernetes.io/name']", "metadata.labels['app']", "the pod has no"},
		{"broken attributes", "sidecar.yaml", ",k8s.node.name=", ",k8s.node.name:", "whole variable is ignored"},
		{"an endpoint that is none", "sidecar.yaml", "value: http://collector.observability:4318", "value: collector.observability:4318", "OTEL_EXPORTER_OTLP"},
		{"a misspelt setting", "sidecar.yaml", "        - name: GOMEMLIMIT\n", "        - name: WIRETELL_PROT\n          value: \"80\"\n        - name: GOMEMLIMIT\n", "WIRETELL_PROT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := string(readExample(t, c.file))
			if !strings.Contains(text, c.old) {
				t.Fatalf("%s has no %q", c.file, c.old)
			}
			found(t, checkManifests([]byte(strings.Replace(text, c.old, c.changed, 1))), c.want)
		})
	}
}

// TestSeededKustomize: the same for the component.
func TestSeededKustomize(t *testing.T) {
	for _, c := range []struct{ name, old, changed, want string }{
		{"another label", "labelSelector: wiretell.github.io/inject=true", "labelSelector: wiretell.github.io/injected=true", "no init container wiretell"},
		{"a kind left out", "kind: Deployment|StatefulSet", "kind: StatefulSet", "no init container wiretell"},
		{"a misspelt field", "livenessProbe:", "livelinessProbe:", "unknown field"},
		{"a file that is not there", "path: wiretell.yaml", "path: wiretel.yaml", "wiretel.yaml"},
		{"a component that is not there", "- ../component", "- ../components", "components"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := kustomize(t, map[string]string{c.old: c.changed})
			if err != nil {
				found(t, []string{err.Error()}, c.want)
				return
			}
			found(t, checkManifests(text), c.want)
		})
	}
}

// TestSeededPolicy: the same for the policy, which is compiled and evaluated.
func TestSeededPolicy(t *testing.T) {
	for _, c := range []struct{ name, old, changed, want string }{
		{"a misspelt field of the policy", "reinvocationPolicy:", "reinvokationPolicy:", "unknown field"},
		{"no CEL", "JSONPatch{op:", "JSONPatch{op", "Syntax error"},
		{"a variable that is none", "variables.serviceLabel", "variables.servicelabel", "servicelabel"},
		{"a type of another field", "Object.spec.initContainers.securityContext{", "Object.spec.initContainers.security{", "security"},
		{"a misspelt field of the pod", "runAsNonRoot:", "runAsNonroot:", "runAsNonroot"},
		{"a path that is not there", "/spec/initContainers/0", "/spec/initContainer/0", "initContainer"},
		{"another binding", "policyName: wiretell", "policyName: wiretel", "no init container wiretell"},
		{"another label", "        wiretell.github.io/inject:", "        wiretell.github.io/injected:", "no init container wiretell"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := string(readExample(t, "policy.yaml"))
			if !strings.Contains(text, c.old) {
				t.Fatalf("the policy has no %q", c.old)
			}
			pod, err := admit(t, []byte(strings.ReplaceAll(text, c.old, c.changed)), plainPod(t), nil)
			if err != nil {
				found(t, []string{err.Error()}, c.want)
				return
			}
			if len(pod.Spec.InitContainers) == 0 {
				found(t, []string{"no init container wiretell"}, c.want)
				return
			}
			t.Error("wiretell was injected all the same")
		})
	}
}

// TestSeededDebug: the same for the profile of kubectl debug.
func TestSeededDebug(t *testing.T) {
	for _, c := range []struct{ name, old, changed, want string }{
		{"a misspelt field", "runAsUser", "runAsUsr", "unknown field"},
		{"no NET_RAW", "NET_RAW", "NET_ADMIN", "not NET_RAW alone"},
		{"what kubectl sets", `{
  "securityContext"`, `{"image": "wiretell",
  "securityContext"`, "kubectl sets"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := string(readExample(t, "debug.json"))
			if !strings.Contains(text, c.old) {
				t.Fatalf("the profile has no %q", c.old)
			}
			found(t, checkDebug(t, []byte(strings.Replace(text, c.old, c.changed, 1))), c.want)
		})
	}
}

// TestSeededChart: the same for the chart's templates.
func TestSeededChart(t *testing.T) {
	for _, c := range []struct{ name, file, old, changed, want string }{
		{"a value that is none", "templates/_container.tpl", "$values.podSecurity", "$values.podsecurity", "podsecurity"},
		{"a template that is none", "templates/policy.yaml", `include "wiretell.fullname"`, `include "wiretell.fulname"`, "wiretell.fulname"},
		{"a misspelt field", "templates/policy.yaml", "failurePolicy:", "failPolicy:", "unknown field"},
		{"no YAML", "templates/_container.tpl", "restartPolicy: Always", "restartPolicy Always", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Join(examples, "charts/wiretell"))); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, c.file)
			text, err := os.ReadFile(file)
			if err != nil || !strings.Contains(string(text), c.old) {
				t.Fatalf("%s has no %q, %v", c.file, c.old, err)
			}
			if err := os.WriteFile(file, []byte(strings.Replace(string(text), c.old, c.changed, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			broken, err := loader.LoadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			files, err := render(broken, nil, kubernetesVersion)
			if err == nil {
				_, err = admit(t, []byte(files["wiretell/templates/policy.yaml"]), plainPod(t), nil)
			}
			if err == nil {
				t.Fatal("nothing is wrong with it")
			}
			found(t, []string{err.Error()}, c.want)
		})
	}
}

// found fails when no problem holds the word.
func found(t *testing.T, problems []string, want string) {
	t.Helper()
	for _, p := range problems {
		if strings.Contains(p, want) {
			return
		}
	}
	t.Errorf("problems %q, want one with %q", problems, want)
}
