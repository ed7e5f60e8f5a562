package peers

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// program is a main package that is pinned in this repository as text: either
// its own sources, or those of a module around the package of another.
type program struct {
	name    string // of the binary
	version string
	sources fs.FS  // NAME.txt becomes NAME in the build folder
	pkg     string // import path of the package; "" is the sources' own
	tags    string // build tags
	// local, when set, is the folder of wiretell's module, which the program is
	// built with in the place of a published one. It changes, so there is no
	// binary that is good for ever.
	local string
}

// CacheDir returns the folder that keeps what tests build: $WIRETELL_CACHE, or
// "wiretell" in [os.UserCacheDir].
func CacheDir() (string, error) {
	if dir := os.Getenv("WIRETELL_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for built programs (set WIRETELL_CACHE to a folder): %w", err)
	}
	return filepath.Join(dir, "wiretell"), nil
}

//go:embed */*.txt
var pinned embed.FS

// buildPinned is build in [CacheDir], of the sources in that folder.
func (p program) buildPinned(folder string, logf func(format string, args ...any)) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	if p.sources, err = fs.Sub(pinned, folder); err != nil {
		return "", err
	}
	return p.build(cache, logf)
}

// build returns the path of p's binary in the cache folder, where it builds it
// if it is not there yet.
func (p program) build(cache string, logf func(format string, args ...any)) (string, error) {
	id, err := p.id()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "peers", id)
	binary := filepath.Join(dir, p.name)
	if isExecutable(binary) && p.local == "" {
		return binary, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder of %s: %w", p.name, err)
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", fmt.Errorf("lock the build of %s: %w", p.name, err)
	}
	defer unlock()
	if isExecutable(binary) && p.local == "" { // built by another process while this one waited
		return binary, nil
	}
	often := "once"
	if p.local != "" {
		often = "each time"
	}
	logf("building %s %s into %s: %s, up to some minutes of CPU when Go's caches are cold", p.name, p.version, binary, often)
	start := time.Now()
	cpu, err := p.compile(dir, binary)
	if err != nil {
		return "", err
	}
	logf("built %s %s in %.1f s (%.1f CPU s)", p.name, p.version, time.Since(start).Seconds(), cpu.Seconds())
	return binary, nil
}

// id names p's version, target and content.
func (p program) id() (string, error) {
	hash := sha256.New()
	fmt.Fprintln(hash, p.pkg, p.tags)
	if p.local != "" {
		fmt.Fprintln(hash, p.local)
	}
	err := fs.WalkDir(p.sources, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(p.sources, path)
		fmt.Fprintf(hash, "%s %d\n%s", path, len(b), b)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the sources of %s: %w", p.name, err)
	}
	return fmt.Sprintf("%s-%s-%s-%s-%x", p.name, p.version, runtime.GOOS, runtime.GOARCH, hash.Sum(nil)[:6]), nil
}

// compile builds p in a temporary folder and moves the binary to its place,
// which therefore holds either nothing or a whole program.
func (p program) compile(dir, binary string) (cpu time.Duration, err error) {
	src, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return 0, fmt.Errorf("build %s: %w", p.name, err)
	}
	defer os.RemoveAll(src)
	if err := p.writeSources(src); err != nil {
		return 0, fmt.Errorf("build %s: %w", p.name, err)
	}
	mode := "-mod=readonly"
	if p.local != "" { // its requirements change too
		mode = "-mod=mod"
	}
	cmd := exec.Command("go", "build", mode, "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-tags="+p.tags, "-o", p.name, cmp.Or(p.pkg, "."))
	cmd.Dir = src
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=", "GO111MODULE=on", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("build %s: %w\n%s%s", p.name, err, tail(out.String(), 20), offlineHint(out.String()))
	}
	if err := os.Rename(filepath.Join(src, p.name), binary); err != nil {
		return 0, fmt.Errorf("build %s: %w", p.name, err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

func (p program) writeSources(dir string) error {
	names, err := fs.Glob(p.sources, "*.txt")
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return errors.New("no sources")
	}
	for _, name := range names {
		b, err := fs.ReadFile(p.sources, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, strings.TrimSuffix(name, ".txt")), b, 0o644); err != nil {
			return err
		}
	}
	if p.local == "" {
		return nil
	}
	sums, err := os.ReadFile(filepath.Join(p.local, "go.sum"))
	return errors.Join(err, appendTo(filepath.Join(dir, "go.sum"), sums), appendTo(filepath.Join(dir, "go.mod"), fmt.Appendf(nil, "\nreplace %s => %s\n", module, p.local)))
}

// appendTo adds text to a file that exists.
func appendTo(name string, text []byte) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, text...), 0o644)
}

// offlineHint explains a failed build whose output says that modules could not
// be fetched; otherwise it is empty.
func offlineHint(output string) string {
	for _, sign := range []string{"dial tcp", "no such host", "module lookup disabled", "i/o timeout", "connection refused", "network is unreachable", "proxyconnect", "403 Forbidden"} {
		if strings.Contains(output, sign) {
			return "\nThe first build fetches Go modules and could not (" + sign + ").\n" +
				"Run it once where the module proxy of `go env GOPROXY` answers, or set WIRETELL_CACHE to a\n" +
				"folder from a machine where it was built: later runs need no network."
		}
	}
	return ""
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// lock waits for the exclusive lock of path. The kernel gives it back when the
// process ends, however it ends.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// tail returns the last n lines of s.
func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
