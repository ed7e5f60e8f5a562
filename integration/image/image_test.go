package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// small is an image with all that images can have.
func small() *Image {
	return &Image{
		Architecture: "amd64",
		Created:      time.Unix(1_700_000_000, 5),
		Config:       Config{User: "65532:65532", Entrypoint: []string{"/bin/a"}, Healthcheck: &Healthcheck{Test: []string{"CMD", "/bin/a"}}},
		Files: []File{
			{Path: "/bin/a", Mode: 0o755, Data: []byte("program"), NetRaw: true},
			{Path: "/records", Mode: fs.ModeDir | 0o700, UID: UID},
			{Path: "/etc/passwd", Mode: 0o644, Data: []byte("root\n")},
		},
	}
}

// blobs reads an archive.
func blobs(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if out[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func decode(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
}

// Whoever follows an archive from its index comes to the files, and each digest
// is right on the way.
func TestArchive(t *testing.T) {
	other := small()
	other.Architecture = "arm64"
	var b bytes.Buffer
	if err := WriteArchive(&b, "wiretell:v1", small(), other); err != nil {
		t.Fatal(err)
	}
	all := blobs(t, b.Bytes())
	get := func(d descriptor) []byte {
		data, ok := all[d.path()]
		if sum := sha256.Sum256(data); !ok || d.Digest != "sha256:"+hex.EncodeToString(sum[:]) || d.Size != len(data) {
			t.Fatalf("%+v is not what the archive holds", d)
		}
		return data
	}
	var top, index manifest
	decode(t, all["index.json"], &top)
	if len(top.Manifests) != 1 || top.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "v1" {
		t.Fatalf("index.json: %+v", top)
	}
	// containerd takes the name as it stands, and finds an image by its whole name only.
	if name := top.Manifests[0].Annotations["io.containerd.image.name"]; !strings.HasSuffix(name, "/library/wiretell:v1") {
		t.Errorf("containerd would name the image %q", name)
	}
	decode(t, get(top.Manifests[0]), &index)
	var load []loadEntry
	decode(t, all["manifest.json"], &load)
	if len(index.Manifests) != 2 || len(load) != 2 || load[0].RepoTags[0] != "wiretell:v1" || load[1].RepoTags[0] != "wiretell:v1-arm64" {
		t.Fatalf("%+v, %+v", index, load)
	}
	for i, architecture := range []string{"amd64", "arm64"} {
		var m manifest
		decode(t, get(index.Manifests[i]), &m)
		var c imageConfig
		decode(t, get(m.Config), &c)
		layer := get(m.Layers[0])
		if c.Architecture != architecture || index.Manifests[i].Platform.Architecture != architecture || c.RootFS.DiffIDs[0] != m.Layers[0].Digest {
			t.Errorf("%s: %+v", architecture, c)
		}
		if load[i].Config != m.Config.path() || load[i].Layers[0] != m.Layers[0].path() {
			t.Errorf("%s: manifest.json has %+v", architecture, load[i])
		}
		r := tar.NewReader(bytes.NewReader(layer))
		var got []string
		for h, err := r.Next(); err != io.EOF; h, err = r.Next() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%s %o %d %d %d %x", h.Name, h.Mode, h.Uid, h.Gid, h.ModTime.UnixNano(), h.PAXRecords["SCHILY.xattr.security.capability"]))
		}
		want := []string{
			"bin/ 755 0 0 1700000000000000000 ",
			"bin/a 755 0 0 1700000000000000000 0000000200200000000000000000000000000000",
			"etc/ 755 0 0 1700000000000000000 ",
			"etc/passwd 644 0 0 1700000000000000000 ",
			"records/ 700 65532 65532 1700000000000000000 ",
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: layer %q, want %q", architecture, got, want)
		}
	}
}

// The kernel takes the attribute for cap_net_raw=p.
func TestFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("not root")
		}
		t.Skip("needs root, for owners and capabilities")
	}
	dir := t.TempDir()
	for range 2 { // over what is there, too
		if err := small().WriteFolder(dir); err != nil {
			t.Fatal(err)
		}
	}
	set, err := cap.GetFile(filepath.Join(dir, "bin/a"))
	if err != nil || set.String() != "cap_net_raw=p" {
		t.Errorf("capability of the file: %v, %v", set, err)
	}
	for name, want := range map[string]string{"bin": "drwxr-xr-x", "bin/a": "-rwxr-xr-x", "etc/passwd": "-rw-r--r--", "records": "drwx------"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().String() != want || info.ModTime().Unix() != 1_700_000_000 {
			t.Errorf("%s: %v, %v", name, info.Mode(), info.ModTime())
		}
	}
}

// What is in the image is static, small and complete, for both platforms.
func TestWiretell(t *testing.T) {
	for architecture, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(architecture, func(t *testing.T) {
			img, err := Wiretell(t.Context(), architecture, Release{Dir: "../..", Version: "v1.2.3"})
			if err != nil {
				t.Fatal(err)
			}
			if size := archived(t, img); len(size) >= 25e6 {
				t.Errorf("%d bytes, and 25 MB is the limit", len(size))
			}
			checkBinary(t, img, machine)
		})
	}
}

func archived(t *testing.T, img *Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteArchive(&b, "wiretell:v1.2.3", img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The same source in another folder gives the same archive, byte for byte.
func TestReproducible(t *testing.T) {
	elsewhere := t.TempDir()
	for _, name := range []string{"LICENSE", "go.mod", "go.sum", "capture", "cmd", "exporter", "semconv"} {
		if err := copyTree(filepath.Join(elsewhere, name), filepath.Join("../..", name)); err != nil {
			t.Fatal(err)
		}
	}
	var archives [][]byte
	for _, dir := range []string{"../..", elsewhere} {
		img, err := Wiretell(t.Context(), runtime.GOARCH, Release{Dir: dir, Version: "v1.2.3"})
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, archived(t, img))
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("built in another folder the archive is another")
	}
}

type component struct {
	Name, Version, PURL string
	Hashes              []struct{ Content string }
}

func checkBinary(t *testing.T, img *Image, machine elf.Machine) {
	files := map[string][]byte{}
	for _, f := range img.Files {
		files[f.Path] = f.Data
	}
	binary := files["/wiretell"]
	f, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	if f.Machine != machine || slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Errorf("machine %v, programs %v: not static for %v", f.Machine, f.Progs, machine)
	}
	if libraries, err := f.ImportedLibraries(); len(libraries) > 0 {
		t.Errorf("the binary needs %q, %v", libraries, err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(files[rootsPath]) || bytes.Count(files[rootsPath], []byte("BEGIN CERT")) < 100 {
		t.Error("the image has no root certificates, or few")
	}
	// The SBOM names each module that is linked in, and the binary holds
	// nothing that is for tests.
	var sbom struct {
		SpecVersion string
		Metadata    struct{ Component struct{ Version string } }
		Components  []component
	}
	decode(t, files[SBOMPath], &sbom)
	named := map[string]string{}
	for _, c := range sbom.Components {
		named[c.Name] = c.Version
	}
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	notices := string(files[NoticesPath])
	for _, m := range info.Deps {
		if !strings.Contains(notices, "\n"+m.Path+" "+m.Version+", ") {
			t.Errorf("the licence of %s is not in the image", m.Path)
		}
		if named[m.Path] != m.Version {
			t.Errorf("the SBOM has %s %q, the binary %q", m.Path, named[m.Path], m.Version)
		}
		for _, heavy := range []string{"testcontainers", "moby", "docker", "stretchr"} {
			if strings.Contains(m.Path, heavy) {
				t.Errorf("the binary holds %s", m.Path)
			}
		}
	}
	for _, want := range []string{"\n" + Module + ", LICENSE\n", "\nGo's library, LICENSE\n", "\ngolang.org/x/crypto/x509roots/fallback ", "Mozilla Public License"} {
		if !strings.Contains(notices, want) {
			t.Errorf("%q is not in the licences", want)
		}
	}
	if len(info.Deps) < 10 || sbom.SpecVersion != "1.5" || sbom.Metadata.Component.Version != "v1.2.3" || named["stdlib"] == "" || !slices.ContainsFunc(sbom.Components, func(c component) bool { return c.Name == rootsPath && len(c.Hashes) == 1 }) {
		t.Errorf("%d modules; SBOM %.300s", len(info.Deps), files[SBOMPath])
	}
}

// copyTree is os.CopyFS without what the go command does not read.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case strings.HasSuffix(name, "_test.go"):
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
}

// The Dockerfile says the same as config, and the Makefile builds with the
// flags of Compile.
func TestSameEverywhere(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, _ := strings.Cut(string(text), "FROM scratch\n")
	last = strings.ReplaceAll(last, "\\\n", " ")
	want := config(Release{Version: "${VERSION}", Revision: "${REVISION}"})
	got := Config{Labels: map[string]string{}}
	for line := range strings.Lines(last) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "", "COPY", "ARG":
		case "USER":
			got.User = rest
		case "WORKDIR":
			got.WorkingDir = rest
		case "ENV":
			got.Env = append(got.Env, rest)
		case "ENTRYPOINT":
			decode(t, []byte(rest), &got.Entrypoint)
		case "CMD":
			decode(t, []byte(rest), &got.Cmd)
		case "HEALTHCHECK":
			_, command, _ := strings.Cut(rest, "CMD ")
			got.Healthcheck = &Healthcheck{Test: []string{"CMD"}}
			var args []string
			decode(t, []byte(command), &args)
			got.Healthcheck.Test = append(got.Healthcheck.Test, args...)
		case "LABEL":
			for _, m := range regexp.MustCompile(`([a-z.]+)="([^"]*)"`).FindAllStringSubmatch(rest, -1) {
				got.Labels[m[1]] = m[2]
			}
		default:
			t.Errorf("the test does not know %s", word)
		}
	}
	if !maps.Equal(got.Labels, want.Labels) {
		t.Errorf("labels of the Dockerfile: %q, want %q", got.Labels, want.Labels)
	}
	got.Labels, want.Labels = nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the Dockerfile has %+v, config %+v", got, want)
	}
	for _, banned := range []string{"syntax=", ".io/", "ghcr", "quay"} {
		if strings.Contains(string(text), banned) {
			t.Errorf("the Dockerfile holds %q", banned)
		}
	}

	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"CGO_ENABLED=0", "-trimpath", "-s -w -buildid= -X main.version="} {
		if !strings.Contains(string(makefile), flag) {
			t.Errorf("the Makefile does not build with %s", flag)
		}
	}
}
