// Package image makes container images without a container builder: static
// programs on nothing, as archives for `docker load`. It makes wiretell's own
// image, for `make image` and the Dockerfile, and those of programs that tests
// put beside it.
//
// # Data flow
//
//	cmd/wiretell -> go build -> binary \
//	               build info -> SBOM   \
//	        LICENSE, ... of modules      > Image -> archive or folder
//	                 Mozilla's roots   /
//
// The same source, version and compiler give the same bytes: no clock, no host
// name, no owner of this machine gets in.
//
// # Concurrency
//
// All functions may be called from any number of goroutines.
//
// # Limitations
//
// Layers are not compressed: programs that push images do that. There is one
// layer, as there is nothing to share.
package image
