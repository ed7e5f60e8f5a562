package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/client-go/discovery"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/openapi"
	"k8s.io/client-go/openapi/openapitest"
	"sigs.k8s.io/yaml"
)

// TestPolicy: the pod that the policy makes of a plain one is that of sidecar.yaml.
func TestPolicy(t *testing.T) {
	text := readExample(t, "policy.yaml")
	want := podOf(t, readExample(t, "sidecar.yaml"))
	got, err := admit(t, text, plainPod(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	sameSpec(t, got.Spec, want.Spec)
	report(t, checkPod(&corev1.PodTemplateSpec{ObjectMeta: got.ObjectMeta, Spec: got.Spec}))

	// Admitted once more, as another plugin's change makes it be, it stays.
	again, err := admit(t, text, got, nil)
	if err != nil {
		t.Fatal(err)
	}
	sameSpec(t, again.Spec, got.Spec)
}

// TestPolicyPods: which pods get wiretell, and what it is told of them.
func TestPolicyPods(t *testing.T) {
	text := readExample(t, "policy.yaml")
	for _, c := range []struct {
		name string
		edit func(*corev1.Pod)
		init string // names of the init containers
		want map[string]string
	}{
		{"no label", func(p *corev1.Pod) { delete(p.Labels, "wiretell.github.io/inject") }, "", nil},
		{"no labels at all", func(p *corev1.Pod) { p.Labels = nil }, "", nil},
		{"label says no", func(p *corev1.Pod) { p.Labels["wiretell.github.io/inject"] = "false" }, "", nil},
		{"host network", func(p *corev1.Pod) { p.Spec.HostNetwork = true }, "", nil},
		{"there already, as a container", func(p *corev1.Pod) { p.Spec.Containers[0].Name = "wiretell" }, "", nil},
		{
			"before others", func(p *corev1.Pod) {
				p.Spec.InitContainers = []corev1.Container{{Name: "istio-init", Image: "istio"}, {Name: "istio-proxy", Image: "istio"}}
			},
			"wiretell istio-init istio-proxy", map[string]string{"OTEL_SERVICE_NAME": "shop"},
		},
		{
			"label app", func(p *corev1.Pod) {
				delete(p.Labels, "app.kubernetes.io/name")
				p.Labels["app"] = "kiosk"
			},
			"wiretell", map[string]string{"OTEL_SERVICE_NAME": "kiosk"},
		},
		{
			"no name, two containers", func(p *corev1.Pod) {
				delete(p.Labels, "app.kubernetes.io/name")
				p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "cache", Image: "cache"})
			},
			"wiretell", map[string]string{
				"OTEL_SERVICE_NAME":        "app",
				"OTEL_RESOURCE_ATTRIBUTES": "k8s.namespace.name=shop,k8s.pod.name=shop-5d5b6c7f9-x2x4z,k8s.pod.uid=0d6f0a3c-7a0c-4b0e-9c63-0f5ab4cb5d29,k8s.node.name=node-1,service.instance.id=shop.shop-5d5b6c7f9-x2x4z",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			pod := plainPod(t)
			c.edit(pod)
			got, err := admit(t, text, pod, nil)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, i := range got.Spec.InitContainers {
				names = append(names, i.Name)
			}
			if strings.Join(names, " ") != c.init {
				t.Fatalf("init containers %q, want %q", names, c.init)
			}
			if c.init == "" {
				return
			}
			tmpl := &corev1.PodTemplateSpec{ObjectMeta: got.ObjectMeta, Spec: got.Spec}
			env, problems := variables(tmpl, got.Spec.InitContainers[0])
			report(t, problems)
			report(t, checkPod(tmpl))
			for name, want := range c.want {
				if env[name] != want {
					t.Errorf("%s = %q, want %q", name, env[name], want)
				}
			}
		})
	}
}

// plainPod is what the Deployment of kustomize/app makes, with the label on the pod.
func plainPod(t *testing.T) *corev1.Pod {
	t.Helper()
	tmpl := podOf(t, readExample(t, "kustomize/app/shop.yaml"))
	pod := &corev1.Pod{ObjectMeta: tmpl.ObjectMeta, Spec: tmpl.Spec}
	pod.Name, pod.Namespace = "shop", "shop"
	pod.Labels["wiretell.github.io/inject"] = "true"
	return pod
}

// admit puts a pod through the API server's own plugin, with the policy and the
// binding of a text.
func admit(t *testing.T, text []byte, pod *corev1.Pod, namespaceLabels map[string]string) (*corev1.Pod, error) {
	t.Helper()
	objects, err := decode(text)
	if err != nil {
		return nil, err
	}
	known := []runtime.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: pod.Namespace, Labels: namespaceLabels}}}
	for _, o := range objects {
		switch o := o.(type) {
		case *admissionv1.MutatingAdmissionPolicy:
			// What the API server sets when it is left out.
			equivalent := admissionv1.Equivalent
			o.Spec.MatchConstraints.MatchPolicy = &equivalent
			all := admissionv1.AllScopes
			for i := range o.Spec.MatchConstraints.ResourceRules {
				o.Spec.MatchConstraints.ResourceRules[i].Scope = &all
			}
			known = append(known, o)
		case *admissionv1.MutatingAdmissionPolicyBinding:
			known = append(known, o)
		default:
			return nil, fmt.Errorf("%s: %T is no part of a policy", named(o), o)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := cluster{fake.NewClientset(known...)}
	factory := informers.NewSharedInformerFactory(client, 0)
	plugin, err := mutating.NewPlugin(nil)
	if err != nil {
		t.Fatal(err)
	}
	plugin.SetEnabled(true)
	plugin.SetExternalKubeClientSet(client)
	plugin.SetExternalKubeInformerFactory(factory)
	plugin.SetDynamicClient(dynamicfake.NewSimpleDynamicClient(scheme.Scheme))
	plugin.SetRESTMapper(meta.NewDefaultRESTMapper(nil))
	plugin.SetUnconditionalAuthorizer(authorizerfactory.NewAlwaysAllowAuthorizer())
	plugin.SetDrainedNotification(ctx.Done())
	if err := plugin.ValidateInitialization(); err != nil {
		t.Fatal(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	if !plugin.WaitForReady() {
		return nil, errors.New("the plugin is not ready")
	}
	pod = pod.DeepCopy()
	err = plugin.Admit(ctx, admission.NewAttributesRecord(
		pod, nil, corev1.SchemeGroupVersion.WithKind("Pod"), pod.Namespace, pod.Name, corev1.SchemeGroupVersion.WithResource("pods"), "",
		admission.Create, &metav1.CreateOptions{}, false, nil,
	), admission.NewObjectInterfacesFromScheme(scheme.Scheme))
	return pod, err
}

// cluster is a fake client that also answers the plugin's question for schemas.
type cluster struct{ *fake.Clientset }

func (c cluster) Discovery() discovery.DiscoveryInterfaces { return schemas{c.Clientset.Discovery()} }

type schemas struct{ discovery.DiscoveryInterfaces }

func (schemas) OpenAPIV3() openapi.Client { return openapitest.NewEmbeddedFileClient() }

func asYAML(t *testing.T, v any) string {
	t.Helper()
	b, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
