package integration

import (
	"archive/tar"
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/wiretell/wiretell/integration/enginetest"
)

// recordChild makes this program run the tests that fail on purpose.
const recordChild = "WIRETELL_TEST_RECORD"

// TestRecording: the packets of a test that fails are kept, and read by tshark;
// of one that passes nothing is.
func TestRecording(t *testing.T) {
	if os.Getenv(recordChild) != "" {
		recordedTests(t)
		return
	}
	t.Parallel()
	enginetest.Require(t)
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no tshark: ", err)
		}
		t.Skip("no tshark: ", err)
	}
	ownImage(t) // so that the children find it
	gocache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (said, cache string) {
		cache = t.TempDir()
		program, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), program, append(args, "-test.v")...)
		cmd.Env = append(os.Environ(), recordChild+"=yes", "XDG_CACHE_HOME="+cache, "GOCACHE="+strings.TrimSpace(string(gocache)))
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Fatalf("the tests passed:\n%s", out)
		}
		return string(out), cache
	}
	holds := func(file, uri string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), tshark, "-r", file, "-Y", "http.request", "-T", "fields", "-e", "http.request.uri").CombinedOutput()
		if err != nil || !strings.Contains(string(out), uri+"\n") {
			t.Errorf("tshark finds in %s: %v\n%s", file, err, out)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
	files := func(dir string) (found []string) {
		_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, _ error) error {
			if strings.HasSuffix(path, ".pcapng") {
				found = append(found, path)
			}
			return nil
		})
		return found
	}

	said, cache := run("-test.run=^TestRecording$")
	kept := files(cache)
	dir := filepath.Join(cache, "wiretell", "recordings", "integration.TestRecording_")
	for name, uri := range map[string]string{"fails": "/status/201", "fails-2": "/status/202", "crashes": "/status/203"} {
		file := dir + name + ".pcapng"
		if !strings.Contains(said, "the packets are in "+file+"\n") {
			t.Errorf("not told: %s", file)
		}
		holds(file, uri)
	}
	if len(kept) != 3 {
		t.Errorf("kept %q", kept)
	}
	volumes := regexp.MustCompile(`volume ([0-9a-f]{64})`).FindAllStringSubmatch(said, -1)
	if len(volumes) != 4 {
		t.Errorf("%d volumes", len(volumes))
	}
	for _, v := range volumes {
		if out, code := docker(t, "volume", "inspect", v[1]); code == 0 {
			t.Errorf("left behind: %s", out)
		}
	}

	artifacts := t.TempDir()
	said, cache = run("-test.run=^TestRecording$/^fails$", "-test.artifacts", "-test.outputdir="+artifacts)
	if kept := append(files(artifacts), files(cache)...); len(kept) != 2 || !strings.HasPrefix(kept[0], artifacts) {
		t.Errorf("kept %q", kept)
	} else {
		holds(kept[0], "/status/202") // "-2" sorts before "."
	}
	if t.Failed() {
		t.Log(said)
	}
}

func recordedTests(t *testing.T) {
	attached := func(t *testing.T, status string, opts ...Option) (testcontainers.Container, *Sidecar) {
		t.Helper()
		c := probe(t, nil, "")
		s, err := Attach(t.Context(), c, append(opts, For(t))...)
		if err != nil {
			t.Fatal(err)
		}
		about, err := s.engine.ContainerInspect(t.Context(), s.id, client.ContainerInspectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range about.Container.Mounts {
			t.Logf("volume %s", m.Name)
		}
		get(t, c, "/status/"+status)
		return c, s
	}
	t.Run("fails", func(t *testing.T) {
		_, s := attached(t, "201")
		s.Expect(t, Served().Never())
		attached(t, "202") // stopped by the end of the test
	})
	t.Run("crashes", func(t *testing.T) {
		c, s := attached(t, "203")
		if out, code := docker(t, "kill", c.GetContainerID()); code != 0 {
			t.Fatal(out)
		}
		<-s.over
		time.Sleep(2 * time.Second) // a sidecar that ended now would be gone
		t.Error("on purpose")
	})
	t.Run("passes", func(t *testing.T) {
		_, s := attached(t, "204")
		s.Expect(t, Served().Times(1))
	})
	t.Run("keeps nothing", func(t *testing.T) {
		attached(t, "205", RecordTo(""))
		t.Error("on purpose")
	})
}

// What comes out of the container is one file, oldest packets first, and no
// more than was asked for.
func TestJoined(t *testing.T) {
	archive := func(files map[string]int64) *tar.Reader {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: files[name]}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(bytes.Repeat([]byte{name[len("records/")]}, int(files[name]))); err != nil {
				t.Fatal(err)
			}
		}
		return tar.NewReader(&b)
	}
	got, err := joined(archive(map[string]int64{"records/2.pcapng": 2, "records/1.pcapng": 3, "records/0.pcapng.tmp": 1}))
	if err != nil || string(got) != "11122" {
		t.Errorf("joined: %q, %v", got, err)
	}
	if _, err := joined(archive(map[string]int64{"records/1.pcapng": recordedBytes, "records/2.pcapng": recordedBytes + 1})); err == nil {
		t.Error("more than the bound was taken")
	}
}
