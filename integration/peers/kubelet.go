package peers

// kubeletVersion is the latest that containerd 1.6, Debian's, and version 1 of
// control groups are enough for.
const kubeletVersion = "1.34.4"

// BuildKubelet returns the path of a kubelet's binary, which it builds once (see
// [CacheDir]), telling logf.
func BuildKubelet(logf func(format string, args ...any)) (string, error) {
	return program{name: "kubelet", version: kubeletVersion, pkg: "k8s.io/kubernetes/cmd/kubelet"}.buildPinned("kubelet", logf)
}
