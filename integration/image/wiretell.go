package image

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/pem"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Name is what wiretell's image is called, in the examples and in a registry of
// one's own before the tag, which is the version.
const Name = "wiretell/wiretell"

// UID is the user and group that wiretell runs as in its image.
const UID = 65532

// Release is what a wiretell image says of itself.
type Release struct {
	// Dir holds the source; empty is the working directory.
	Dir string
	// Version is told by `wiretell version` and a label; empty is "devel".
	Version string
	// Revision of the source, for a label; may be empty.
	Revision string
	// Created is the time of all files; zero is 1970.
	Created time.Time
}

// Wiretell compiles wiretell and returns its image.
func Wiretell(ctx context.Context, architecture string, r Release) (*Image, error) {
	if r.Version == "" {
		r.Version = "devel"
	}
	binary, err := Compile(ctx, Program{Dir: r.Dir, Package: "./cmd/wiretell", Architecture: architecture, Version: r.Version})
	if err != nil {
		return nil, err
	}
	certificates := roots()
	sbom, err := bom(binary, certificates, r.Version)
	if err != nil {
		return nil, err
	}
	licences, err := notices(ctx, r.Dir, architecture)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return nil, err
	}
	for _, s := range info.Settings {
		if s.Key == "GOARCH" {
			architecture = s.Value
		}
	}
	return &Image{
		Architecture: architecture,
		Created:      r.Created,
		Config:       config(r),
		Files: []File{
			{Path: "/wiretell", Mode: 0o755, Data: binary, NetRaw: true},
			{Path: "/etc/passwd", Mode: 0o644, Data: fmt.Appendf(nil, "root:x:0:0:root:/:/nologin\nwiretell:x:%d:%[1]d:wiretell:/:/nologin\n", UID)},
			{Path: "/etc/group", Mode: 0o644, Data: fmt.Appendf(nil, "root:x:0:\nwiretell:x:%d:\n", UID)},
			{Path: rootsPath, Mode: 0o644, Data: certificates},
			{Path: SBOMPath, Mode: 0o644, Data: sbom},
			{Path: NoticesPath, Mode: 0o644, Data: licences},
			{Path: "/records", Mode: fs.ModeDir | 0o700, UID: UID},
		},
	}, nil
}

const (
	// SBOMPath is where the image says what it is made of.
	SBOMPath = "/usr/share/sbom/wiretell.cdx.json"
	// NoticesPath is where the image has the licences and notices of all that is in it.
	NoticesPath = "/usr/share/licenses/wiretell.txt"
	// rootsPath is where Go looks for root certificates first.
	rootsPath = "/etc/ssl/certs/ca-certificates.crt"
)

// config is also what the Dockerfile says; a test compares them.
func config(r Release) Config {
	labels := map[string]string{
		"org.opencontainers.image.title":         "wiretell",
		"org.opencontainers.image.description":   "OpenTelemetry-native sidecar that tells what happened on the wire",
		"org.opencontainers.image.licenses":      "Apache-2.0",
		"org.opencontainers.image.source":        "https://" + Module,
		"org.opencontainers.image.documentation": "https://" + Module + "/tree/main/docs",
		"org.opencontainers.image.version":       r.Version,
		"org.opencontainers.image.revision":      r.Revision,
	}
	return Config{
		User:        fmt.Sprintf("%d:%[1]d", UID),
		Env:         []string{"PATH=/"},
		WorkingDir:  "/",
		Entrypoint:  []string{"/wiretell"},
		Cmd:         []string{"run"},
		Healthcheck: &Healthcheck{Test: []string{"CMD", "/wiretell", "healthcheck"}},
		Labels:      labels,
	}
}

// roots returns Mozilla's root certificates as a PEM file. Those that are
// trusted for older certificates only are left out, as a file cannot say that.
func roots() []byte {
	var out []byte
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})...)
		}
	}
	return out
}
