package peers

import (
	"embed"
	"io/fs"
)

//go:embed kubelet/*.txt
var kubeletFiles embed.FS

// kubeletVersion is the latest that containerd 1.6, Debian's, and version 1 of
// control groups are enough for.
const kubeletVersion = "1.34.4"

// BuildKubelet returns the path of a kubelet's binary, which it builds once (see
// [CacheDir]), telling logf.
func BuildKubelet(logf func(format string, args ...any)) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	sources, err := fs.Sub(kubeletFiles, "kubelet")
	if err != nil {
		return "", err
	}
	return program{name: "kubelet", version: kubeletVersion, sources: sources, pkg: "k8s.io/kubernetes/cmd/kubelet"}.build(cache, logf)
}
