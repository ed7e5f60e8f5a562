package image

import (
	"archive/tar"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/distribution/reference"
)

// WriteArchive writes images, one for each architecture, as one archive: an
// OCI image layout, with the manifest.json besides that older engines load.
// `docker load` names the image of the first architecture tag and each other
// tag-architecture; programs that read OCI layouts find all under one index
// with the tag as their reference.
func WriteArchive(w io.Writer, tag string, images ...*Image) error {
	// containerd looks for the whole name, which begins with a registry.
	whole, err := reference.ParseDockerRef(tag)
	if err != nil {
		return fmt.Errorf("image archive: name %q: %w", tag, err)
	}
	a := archive{w: tar.NewWriter(w), seen: map[string]bool{}}
	var index []descriptor
	var load []loadEntry
	for i, img := range images {
		layer, err := img.layer()
		if err != nil {
			return err
		}
		a.time = img.created()
		layerAt := a.blob("application/vnd.oci.image.layer.v1.tar", layer)
		configAt := a.blobJSON("application/vnd.oci.image.config.v1+json", img.config(layerAt.Digest))
		manifestAt := a.blobJSON(typeManifest, manifest{SchemaVersion: 2, MediaType: typeManifest, Config: configAt, Layers: []descriptor{layerAt}})
		manifestAt.Platform = &platform{OS: "linux", Architecture: img.Architecture}
		index = append(index, manifestAt)
		name := tag
		if i > 0 {
			name += "-" + img.Architecture
		}
		load = append(load, loadEntry{Config: configAt.path(), RepoTags: []string{name}, Layers: []string{layerAt.path()}})
	}
	top := a.blobJSON(typeIndex, manifest{SchemaVersion: 2, MediaType: typeIndex, Manifests: index})
	_, version, _ := strings.Cut(path.Base(tag), ":")
	top.Annotations = map[string]string{
		"io.containerd.image.name":          whole.String(),
		"org.opencontainers.image.ref.name": cmp.Or(version, "latest"),
	}
	a.json("index.json", manifest{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{top}})
	a.json("manifest.json", load)
	a.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	if a.err != nil {
		return fmt.Errorf("image archive: %w", a.err)
	}
	return a.w.Close()
}

const (
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeIndex    = "application/vnd.oci.image.index.v1+json"
)

// The documents of the OCI image specification, section "Image Layout" and
// those it refers to, as far as they are used.
type (
	descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int               `json:"size"`
		Platform    *platform         `json:"platform,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	platform struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
	}
	// manifest is an image manifest or, with Manifests, an index.
	manifest struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config,omitzero"`
		Layers        []descriptor `json:"layers,omitempty"`
		Manifests     []descriptor `json:"manifests,omitempty"`
	}
	imageConfig struct {
		Created      time.Time `json:"created"`
		Architecture string    `json:"architecture"`
		OS           string    `json:"os"`
		Config       Config    `json:"config"`
		RootFS       rootFS    `json:"rootfs"`
		History      []history `json:"history"`
	}
	rootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
	history struct {
		Created   time.Time `json:"created"`
		CreatedBy string    `json:"created_by"`
	}
	// loadEntry is a line of `docker save`'s manifest.json.
	loadEntry struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
)

func (d descriptor) path() string { return "blobs/" + strings.Replace(d.Digest, ":", "/", 1) }

func (img *Image) config(diffID string) imageConfig {
	return imageConfig{
		Created: img.created(), Architecture: img.Architecture, OS: "linux", Config: img.Config,
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{diffID}},
		History: []history{{Created: img.created(), CreatedBy: "integration/image"}},
	}
}

// layer returns the file system as a tar archive.
func (img *Image) layer() ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range img.tree() {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.Path, Mode: int64(f.Mode.Perm()), Size: int64(len(f.Data)),
			Uid: f.UID, Gid: f.UID, ModTime: img.created(), Format: tar.FormatPAX,
		}
		if f.Mode.IsDir() {
			h.Typeflag, h.Name = tar.TypeDir, f.Path+"/"
		}
		if f.NetRaw {
			h.PAXRecords = map[string]string{"SCHILY.xattr." + capabilityAttribute: string(netRaw)}
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("image layer: %s: %w", f.Path, err)
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, fmt.Errorf("image layer: %s: %w", f.Path, err)
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// archive keeps the first error.
type archive struct {
	w    *tar.Writer
	time time.Time
	seen map[string]bool
	err  error
}

func (a *archive) file(name string, data []byte) {
	if a.err != nil || a.seen[name] {
		return
	}
	a.seen[name] = true
	a.err = a.w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: a.time, Format: tar.FormatPAX})
	if a.err == nil {
		_, a.err = a.w.Write(data)
	}
}

func (a *archive) json(name string, v any) { a.file(name, a.marshal(v)) }

func (a *archive) marshal(v any) []byte {
	data, err := json.Marshal(v)
	if a.err == nil {
		a.err = err
	}
	return data
}

func (a *archive) blob(mediaType string, data []byte) descriptor {
	sum := sha256.Sum256(data)
	d := descriptor{MediaType: mediaType, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: len(data)}
	a.file(d.path(), data)
	return d
}

func (a *archive) blobJSON(mediaType string, v any) descriptor {
	return a.blob(mediaType, a.marshal(v))
}
