package live

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// TestRecordedErrorReadsTheSame has a connect refused and a request answered by a
// reset while only resets are selected: one file is written, headers only or
// whole, and read again it tells the reset as it was told live.
func TestRecordedErrorReadsTheSame(t *testing.T) {
	for _, payload := range []bool{false, true} {
		t.Run(map[bool]string{false: "headers", true: "payload"}[payload], func(t *testing.T) {
			p := &errorPath{t: t, client: netnstest.New(t), server: netnstest.New(t)}
			link := netnstest.Connect(t, p.client, p.server)
			p.servers = [2]netip.Addr{link.B, link.B6}
			live, dir := filepath.Join(t.TempDir(), "live.jsonl"), t.TempDir()
			w := start(t, p.client, nil, "run", "--otlp-json", live, "--select", "tcp.reset == true",
				"--record", dir, "--record-payload="+map[bool]string{false: "false", true: "true"}[payload])
			p.play(&errorCase{name: "refused"}, 0, errorPort(1))
			p.play(&errorCase{name: "reset", call: func(e *end) { e.say(e.get()); e.ended() },
				serve: func(e *end) { e.hear(e.get()); e.reset() }}, 0, errorPort(0))
			var files []string
			for deadline := time.Now().Add(20 * time.Second); len(files) == 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
				files, _ = filepath.Glob(filepath.Join(dir, "*.pcapng"))
			}
			w.stop()
			if files, _ = filepath.Glob(filepath.Join(dir, "*.pcapng")); len(files) != 1 {
				t.Fatalf("files: %q, want one", files)
			}
			said := readJSON(t, live)
			for _, l := range said.logs {
				if file := text(l, "wiretell.recording.file"); l.EventName() == "wiretell.tcp.reset" && file != filepath.Base(files[0]) {
					t.Errorf("the reset names the file %q, it is %s", file, files[0])
				}
			}
			want := slices.DeleteFunc(eventLines(said), func(line string) bool { return !payload && !strings.Contains(line, " tcp.") })
			for i := range want { // the exchange stands in the payload
				if !payload {
					want[i] = strings.Replace(want[i], " in=GET/reset", "", 1)
				}
			}
			again := filepath.Join(t.TempDir(), "again.jsonl")
			runRead(t, "read", "--otlp-json", again, "--local", link.A.String(), "--select", "tcp.reset == true", files[0])
			if got := eventLines(readJSON(t, again)); len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("read again:\n%s\nlive:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// runRead runs a wiretell that ends by itself.
func runRead(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(os.Getenv(envBinary), args...).CombinedOutput(); err != nil {
		t.Fatalf("wiretell %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
