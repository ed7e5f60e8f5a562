// Package kubernetes checks what examples/kubernetes holds, with Kubernetes' own
// libraries, Kustomize's and Helm's, and no cluster.
//
// # Data flow
//
//	manifest, Kustomize, Helm or an admission policy -> pod
//	pod -> strict decoding, Pod Security, wiretell with its arguments and variables
//
// # Concurrency
//
// None but that of the API server's admission plugin.
//
// # Limitations
//
// Nothing runs: no kubelet starts a container, and no image is pulled. Only tests
// import the libraries; none of them is linked into wiretell.
package kubernetes
