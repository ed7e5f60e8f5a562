package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	admissionv1beta1 "k8s.io/api/admissionregistration/v1beta1"
	corev1 "k8s.io/api/core/v1"
	psa "k8s.io/pod-security-admission/api"
	"sigs.k8s.io/yaml"

	"github.com/wiretell/wiretell/capture/capturetest"
)

const (
	kubernetesVersion = "v1.37.2"
	source            = "---\n# Source: wiretell/templates/policy.yaml\n" // as Helm begins what it renders
)

// imageName is what the chart installs unless told otherwise, and the examples name.
func imageName() string {
	c, err := loader.LoadDir(filepath.Join(examples, "charts/wiretell"))
	if err != nil {
		return err.Error()
	}
	image, _ := c.Values["image"].(map[string]any)
	return fmt.Sprintf("%v:%s", image["repository"], c.Metadata.AppVersion)
}

// TestImage: with -update the chart's image goes into the other examples.
func TestImage(t *testing.T) {
	line := regexp.MustCompile(`(?m)^(\s*image: )wiretell/wiretell:\S+$`)
	for _, name := range []string{"sidecar.yaml", "sidecar-baseline.yaml", "istio.yaml", "linkerd.yaml", "kustomize/component/wiretell.yaml"} {
		text := string(readExample(t, name))
		if !line.MatchString(text) {
			t.Errorf("%s names no image of wiretell", name)
		}
		capturetest.Golden(t, filepath.Join(examples, name), []byte(line.ReplaceAllString(text, "${1}"+imageName())))
	}
}

// TestChartExamples: each folder of examples holds what the chart makes of its
// values, and that injects a pod that is whole.
func TestChartExamples(t *testing.T) {
	for name, level := range map[string]psa.Level{"default": psa.LevelPrivileged, "baseline": psa.LevelBaseline} {
		t.Run(name, func(t *testing.T) {
			dir := "charts/wiretell/examples/" + name
			var values map[string]any
			if err := yaml.UnmarshalStrict(readExample(t, dir+"/values.yaml"), &values); err != nil {
				t.Fatal(err)
			}
			policy, err := policyOf(t, values, kubernetesVersion)
			if err != nil {
				t.Fatal(err)
			}
			capturetest.Golden(t, filepath.Join(examples, dir, "rendered/policy.yaml"), []byte(policy))
			pod := plainPod(t)
			pod.Labels["observe"] = "wiretell"
			got, err := admit(t, []byte(policy), pod, map[string]string{psa.EnforceLevelLabel: string(level)})
			if err != nil {
				t.Fatal(err)
			}
			tmpl := &corev1.PodTemplateSpec{ObjectMeta: got.ObjectMeta, Spec: got.Spec}
			report(t, checkPod(tmpl))
			report(t, checkLevel(tmpl, level))
		})
	}
}

// TestPlainPolicy: policy.yaml is what the chart makes, without Helm's labels.
func TestPlainPolicy(t *testing.T) {
	text := string(readExample(t, "charts/wiretell/examples/default/rendered/policy.yaml"))
	labels := regexp.MustCompile(`(?m)^  labels:\n(    .*\n)+`)
	capturetest.Golden(t, filepath.Join(examples, "policy.yaml"), []byte(`# Puts wiretell into pods that are created with the label wiretell.github.io/inject: "true",
# without a webhook (Kubernetes 1.36 or later; for 1.34 and 1.35, where the feature
# gate MutatingAdmissionPolicy is on, write v1beta1 for v1). The chart in charts/wiretell
# makes the same with your settings. Generated from it.
`+strings.TrimPrefix(labels.ReplaceAllString(text, ""), source)))
}

// TestChartValues: what values change.
func TestChartValues(t *testing.T) {
	for _, c := range []struct {
		name, values, version, want string
	}{
		{"lines without an endpoint", "{}", "", `!OTEL_EXPORTER_OTLP_ENDPOINT`},
		{"a tag", "image: {repository: example/wiretell, tag: edge}", "", `image: "example/wiretell:edge"`},
		{"a digest beats a tag", "image: {tag: edge, digest: 'sha256:" + strings.Repeat("a", 64) + "'}", "", `image: "wiretell/wiretell@sha256:aaaa`},
		{"gRPC", "otlp: {endpoint: 'https://c:4317', protocol: grpc}", "", `name: "OTEL_EXPORTER_OTLP_PROTOCOL",`},
		{"three quarters of the limit", "resources: {limits: {memory: 1Gi}}", "", `value: "768MiB"`},
		{"no GOMEMLIMIT", "useGOMEMLIMIT: false", "", `!GOMEMLIMIT`},
		{"no limit", "resources: {limits: null}", "", `!GOMEMLIMIT`},
		{"settings", "config: {port: [8080]}", "", `value: "port:\n- 8080"`},
		{"arguments", "command: {extraArgs: ['--quiet']}", "", `"--quiet"`},
		{"ignore", "injection: {failurePolicy: Ignore}", "", "failurePolicy: Ignore"},
		{"baseline", "podSecurity: baseline", "", `!"ALL"`},
		{"no probe", "startupProbe: null", "", "!startupProbe"},
		{"quotes cannot leave a string", `extraEnvs: [{name: A, value: 'a"}] + [\'}]`, "", `value: "a\"}] + [\\",`},
		{"an older cluster", "{}", "v1.35.0", "apiVersion: admissionregistration.k8s.io/v1beta1\n"},
		{"a newer cluster", "{}", "v1.36.0", "apiVersion: admissionregistration.k8s.io/v1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var values map[string]any
			if err := yaml.UnmarshalStrict([]byte(c.values), &values); err != nil {
				t.Fatal(err)
			}
			version := c.version
			if version == "" {
				version = kubernetesVersion
			}
			policy, err := policyOf(t, values, version)
			if err != nil {
				t.Fatal(err)
			}
			word, absent := strings.CutPrefix(c.want, "!")
			if strings.Contains(policy, word) == absent {
				t.Errorf("policy, want %s:\n%s", c.want, policy)
			}
			objects, err := decode([]byte(policy))
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range objects {
				switch o.(type) {
				case *admissionv1beta1.MutatingAdmissionPolicy, *admissionv1beta1.MutatingAdmissionPolicyBinding:
				case *admissionv1.MutatingAdmissionPolicy, *admissionv1.MutatingAdmissionPolicyBinding:
				default:
					t.Errorf("%T", o)
				}
			}
			if c.version != "" {
				return
			}
			pod, err := admit(t, []byte(policy), plainPod(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(pod.Spec.InitContainers) != 1 {
				t.Error("wiretell was not injected")
			}
		})
	}
}

// TestChartRefuses: what the schema and the templates do not let pass.
func TestChartRefuses(t *testing.T) {
	for name, c := range map[string]struct{ values, want string }{
		"a misspelt value":  {"otpl: {endpoint: 'http://c:4318'}", "otpl"},
		"a misspelt policy": {"injection: {failurePolicy: fail}", "failurePolicy"},
		"no URL":            {"otlp: {endpoint: 'collector:4318'}", "endpoint"},
		"a port as a flag":  {"command: {extraArgs: [8080]}", "extraArgs"},
		"restricted":        {"podSecurity: restricted", "podSecurity"},
		"a short digest":    {"image: {digest: 'sha256:abc'}", "digest"},
		"an odd limit":      {"resources: {limits: {memory: 64M}}", "want a whole number of Mi or Gi"},
		"a nameless env":    {"extraEnvs: [{value: a}]", "name"},
		"an older cluster":  {"{}", "v1.33.0"},
	} {
		t.Run(name, func(t *testing.T) {
			var values map[string]any
			if err := yaml.UnmarshalStrict([]byte(c.values), &values); err != nil {
				t.Fatal(err)
			}
			version := kubernetesVersion
			if name == "an older cluster" {
				version = "v1.33.0"
			}
			if _, err := policyOf(t, values, version); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestChartDocumented: each value that the schema knows has a default to read.
func TestChartDocumented(t *testing.T) {
	c, err := loader.LoadDir(filepath.Join(examples, "charts/wiretell"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct{ Properties map[string]any }
	if err := yaml.Unmarshal(c.Schema, &schema); err != nil {
		t.Fatal(err)
	}
	delete(schema.Properties, "global")
	if got, want := slices.Sorted(maps.Keys(c.Values)), slices.Sorted(maps.Keys(schema.Properties)); !slices.Equal(got, want) {
		t.Errorf("values.yaml has %v, the schema %v", got, want)
	}
}

// TestChartAsDependency: the chart shop, that takes the container from this chart,
// makes the pod of sidecar.yaml and installs no policy.
func TestChartAsDependency(t *testing.T) {
	shop, err := loader.LoadDir(filepath.Join(examples, "charts/shop"))
	if err != nil {
		t.Fatal(err)
	}
	// As "helm dependency update" does with the repository's path.
	dep := shop.Metadata.Dependencies[0]
	own, err := loader.LoadDir(filepath.Join(examples, "charts/shop", strings.TrimPrefix(dep.Repository, "file://")))
	if err != nil {
		t.Fatal(err)
	}
	if own.Metadata.Version != dep.Version {
		t.Errorf("the chart is %s, shop wants %s", own.Metadata.Version, dep.Version)
	}
	shop.AddDependency(own)
	files, err := render(shop, nil, kubernetesVersion)
	if err != nil {
		t.Fatal(err)
	}
	text := []byte("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels:\n    pod-security.kubernetes.io/enforce: privileged\n")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if doc := strings.TrimSpace(files[name]); doc != "" && !strings.HasSuffix(name, "NOTES.txt") {
			text = append(text, "---\n"+doc+"\n"...)
		}
	}
	report(t, checkManifests(text))
	sameSpec(t, podOf(t, text).Spec, podOf(t, readExample(t, "sidecar.yaml")).Spec)
	if strings.Contains(string(text), "MutatingAdmissionPolicy") {
		t.Error("a policy is installed")
	}
}

// TestChartNotes: they say what to do next, as values are.
func TestChartNotes(t *testing.T) {
	c, err := loader.LoadDir(filepath.Join(examples, "charts/wiretell"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := render(c, nil, kubernetesVersion)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"wiretell.github.io/inject=true", `{"labels":{"wiretell.github.io/inject":"true"}}`, "podSecurity=baseline", "kubectl logs POD -c wiretell"} {
		if !strings.Contains(files["wiretell/templates/NOTES.txt"], want) {
			t.Errorf("the notes lack %q:\n%s", want, files["wiretell/templates/NOTES.txt"])
		}
	}
}

// policyOf renders the chart and returns its policy.
func policyOf(t *testing.T, values map[string]any, version string) (string, error) {
	t.Helper()
	c, err := loader.LoadDir(filepath.Join(examples, "charts/wiretell"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := render(c, values, version)
	return source + strings.TrimSpace(files["wiretell/templates/policy.yaml"]) + "\n", err
}

// render does what "helm template wiretell CHART" does.
func render(c *chart.Chart, values map[string]any, version string) (map[string]string, error) {
	kube, err := common.ParseKubeVersion(version)
	if err != nil {
		return nil, err
	}
	if want := c.Metadata.KubeVersion; want != "" && !chartutil.IsCompatibleRange(want, kube.String()) {
		return nil, fmt.Errorf("the chart wants Kubernetes %s, the cluster is %s", want, kube)
	}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, err
	}
	caps := common.DefaultCapabilities.Copy()
	caps.KubeVersion = *kube
	caps.APIVersions = common.VersionSet{"v1"}
	all, err := util.ToRenderValues(c, values, common.ReleaseOptions{Name: "wiretell", Namespace: "observability", Revision: 1, IsInstall: true}, caps)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.RenderWithContext(context.Background(), c, all)
}

// TestChartFiles: nothing lies beside the chart's files that a package would take.
func TestChartFiles(t *testing.T) {
	c, err := loader.LoadDir(filepath.Join(examples, "charts/wiretell"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Raw {
		if strings.HasPrefix(f.Name, "examples/") {
			t.Errorf("%s would be packed", f.Name)
		}
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(examples, "charts/wiretell/values.schema.json")); err != nil || len(c.Schema) == 0 {
		t.Errorf("no schema: %v", err)
	}
}
