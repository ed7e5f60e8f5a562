package kubernetes

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// TestKustomize: the component makes of the application what sidecar.yaml is, and
// with the component baseline what sidecar-baseline.yaml is.
func TestKustomize(t *testing.T) {
	for _, c := range []struct {
		name, want string
		edit       map[string]string
	}{
		{"privileged", "sidecar.yaml", nil},
		{"baseline", "sidecar-baseline.yaml", map[string]string{"# - ../baseline # ": "- ../baseline # ", "enforce: privileged": "enforce: baseline"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := kustomize(t, c.edit)
			if err != nil {
				t.Fatal(err)
			}
			report(t, checkManifests(text))
			got, want := podOf(t, text), podOf(t, readExample(t, c.want))
			sameSpec(t, got.Spec, withoutContainerName(want.Spec))
		})
	}
}

// TestKustomizeOthers: the component knows the other kinds of workload, keeps what
// they have, and passes over those without the label.
func TestKustomizeOthers(t *testing.T) {
	for _, c := range []struct {
		kind, version string
		want          bool
	}{
		{"StatefulSet", "apps/v1", true}, {"DaemonSet", "apps/v1", true}, {"Job", "batch/v1", true}, {"Deployment", "apps/v1", false},
	} {
		label := "wiretell.github.io/inject: \"true\""
		if !c.want {
			label = "other: \"true\""
		}
		app := "apiVersion: " + c.version + "\nkind: " + c.kind + "\nmetadata:\n  name: shop\n  labels:\n    " + label + `
spec:
  template:
    metadata:
      labels:
        app.kubernetes.io/name: shop
    spec:
      initContainers:
      - name: migrate
        image: migrate:1
      containers:
      - name: app
        image: app:1
`
		text, err := kustomizeApp(t, app, nil)
		if err != nil {
			t.Fatal(err)
		}
		pod := podOf(t, text)
		names := ""
		for _, i := range pod.Spec.InitContainers {
			names += i.Name + " "
		}
		want := "migrate "
		if c.want {
			want = "wiretell migrate "
			report(t, checkPod(pod))
		}
		if names != want {
			t.Errorf("%s: init containers %s, want %s", c.kind, names, want)
		}
	}
}

// kustomize builds the overlay app, with edits of its texts.
func kustomize(t *testing.T, edit map[string]string) ([]byte, error) {
	return kustomizeApp(t, string(readExample(t, "kustomize/app/shop.yaml")), edit)
}

func kustomizeApp(t *testing.T, app string, edit map[string]string) ([]byte, error) {
	t.Helper()
	fs := filesys.MakeFsInMemory()
	for _, name := range []string{
		"app/kustomization.yaml", "app/shop.yaml", "component/kustomization.yaml", "component/wiretell.yaml",
		"baseline/kustomization.yaml", "baseline/capabilities.yaml",
	} {
		text := string(readExample(t, "kustomize/"+name))
		if name == "app/shop.yaml" {
			text = app
		}
		for old, changed := range edit {
			text = strings.ReplaceAll(text, old, changed)
		}
		if err := fs.WriteFile("/kustomize/"+name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, "/kustomize/app")
	if err != nil {
		return nil, err
	}
	return m.AsYaml()
}

// withoutContainerName takes from wiretell what only an author can know.
func withoutContainerName(spec corev1.PodSpec) corev1.PodSpec {
	spec = *spec.DeepCopy()
	for i, e := range spec.InitContainers[0].Env {
		spec.InitContainers[0].Env[i].Value = strings.TrimSuffix(e.Value, ",k8s.container.name=app")
	}
	return spec
}

func sameSpec(t *testing.T, got, want corev1.PodSpec) {
	t.Helper()
	if !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("pod:\n%s\nwant:\n%s", asYAML(t, got), asYAML(t, want))
	}
}
