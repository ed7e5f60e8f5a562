package integration

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// RecordTo keeps the packets of a test that failed in this directory, or
// nowhere if it is empty. It needs [For]. By default they go to the test's
// artifacts, where `go test -artifacts` asks for those, and else to
// wiretell/recordings in the user's cache directory.
//
// The file is pcapng, for Wireshark, tshark and `wiretell read`, and is named by
// the test. It has the latest 16 MiB with payload: WithFlags("--record-payload=false")
// leaves that out.
func RecordTo(dir string) Option { return func(o *options) { o.recordTo = &dir } }

// recordings is where a sidecar writes packets: a volume of its own.
const recordings = "/records"

// recordedBytes bounds what is there, and so what this process takes.
const recordedBytes = 16 << 20

func (o *options) records() bool {
	return o.test != nil && (o.recordTo == nil || *o.recordTo != "")
}

// recordFlags go before those of the user, who may say otherwise.
func (o *options) recordFlags() []string {
	if !o.records() {
		return nil
	}
	return []string{"--record=" + recordings, "--record-all", "--record-payload", fmt.Sprintf("--record-bytes=%d", recordedBytes)}
}

// hold makes a container that is never started and shares the sidecar's volume,
// which else goes with the sidecar when it ends. It returns what fetches the
// recordings, oldest first in one file, once they are whole, and lets go.
func (s *Sidecar) hold(ctx context.Context) (fetch func(context.Context) ([]byte, error), err error) {
	holder, err := s.engine.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config:     &container.Config{Image: s.image, Labels: s.labels},
		HostConfig: &container.HostConfig{NetworkMode: "none", VolumesFrom: []string{s.id}},
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) ([]byte, error) {
		defer func() {
			_, _ = s.engine.ContainerRemove(context.Background(), holder.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		}()
		copied, err := s.engine.CopyFromContainer(ctx, holder.ID, client.CopyFromContainerOptions{SourcePath: recordings})
		if err != nil {
			return nil, err
		}
		defer copied.Content.Close()
		return joined(tar.NewReader(copied.Content))
	}, nil
}

// joined returns the capture files of an archive one after the other, by their
// names, which begin with the time. A pcapng file may have many sections.
func joined(r *tar.Reader) ([]byte, error) {
	files, left := map[string][]byte{}, int64(2*recordedBytes) // the last files come before the first are deleted
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg || path.Ext(h.Name) != ".pcapng" {
			continue
		}
		if left -= h.Size; left < 0 {
			return nil, errors.New("they are larger than was asked for")
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		files[h.Name] = b
	}
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		out.Write(files[name])
	}
	return out.Bytes(), nil
}

// keep writes what was recorded into a file and logs where it is.
func (s *Sidecar) keep(o *options) {
	file, err := o.recordingFile()
	if s.recordErr != nil {
		err = s.recordErr
	}
	if err == nil && len(s.recorded) == 0 {
		err = errors.New("there are none")
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err == nil { // with whatever secrets there are: for its owner alone
		err = os.WriteFile(file, s.recorded, 0o600)
	}
	if err != nil {
		o.test.Logf("wiretell: no packets are kept: %v", err)
		return
	}
	o.test.Logf("wiretell: the packets are in %s", file)
}

// recordingFile names the file of the nth sidecar of a test: the same in each
// run of the suite, so that there are no more of them than sidecars.
func (o *options) recordingFile() (string, error) {
	dir, err := o.recordingDir()
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".test") + "." + o.test.Name()
	name = regexp.MustCompile(`[^-.\w]+`).ReplaceAllString(name, "_")
	name = name[:min(len(name), 200)]
	if o.nth > 1 {
		name += fmt.Sprintf("-%d", o.nth)
	}
	return filepath.Join(dir, name+".pcapng"), err
}

func (o *options) recordingDir() (string, error) {
	if o.recordTo != nil {
		return filepath.Abs(*o.recordTo)
	}
	if f := flag.Lookup("test.artifacts"); f != nil && f.Value.String() == "true" {
		return o.test.ArtifactDir(), nil
	}
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "wiretell", "recordings"), err
}

// sidecars counts those of each test that runs.
var sidecars struct {
	sync.Mutex
	of map[testing.TB]int
}

// nthOf counts one more sidecar of a test, whose cleanups call forget.
func nthOf(t testing.TB) (n int, forget func()) {
	sidecars.Lock()
	defer sidecars.Unlock()
	if sidecars.of == nil {
		sidecars.of = map[testing.TB]int{}
	}
	sidecars.of[t]++
	return sidecars.of[t], func() {
		sidecars.Lock()
		defer sidecars.Unlock()
		delete(sidecars.of, t)
	}
}
