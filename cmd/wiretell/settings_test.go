package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"go.opentelemetry.io/collector/confmap"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/exporter/wiretellreceiver"
)

// TestPrintConfigRoundTrip: what --print-config prints is a configuration that
// gives the same settings, whatever characters they hold.
func TestPrintConfigRoundTrip(t *testing.T) {
	dir := t.TempDir()
	for i, args := range [][]string{
		nil,
		{"--port", "80,8000-8100", "--quiet", "--idle-timeout", "90s", "--max-ports", "7"},
		{"--route", `/users/{id}`, "--route", `"GET /a,b"`, "--route", "/#x: y"},
		{"--filter", "tcp port 80 and host ::1 # no comment"},
		{"--filter", `"quoted" 'twice' \ and [listed], {mapped}: yes & *no | > ! % @`},
		{"--filter-bpf", "2\n40 0 0 12\n6 0 0 262144\n"},
		{"--otlp-json", "a b\tc"}, {"--otlp-json", " "}, {"--otlp-json", "true"}, {"--otlp-json", "~"}, {"--otlp-json", "ü\u202e\u0085"},
		{"--request-header", "x-a,x-b", "--local", "10.0.0.0/8,::1"},
		{"--otlp-json", strings.Repeat("long path ", 30)},
	} {
		for _, name := range []string{"read", "run"} {
			if name == "run" && slices.Contains(args, "--local") {
				continue
			}
			first, stderr, code := wiretell(nil, slices.Concat([]string{name, "--print-config"}, args)...)
			if code != 0 && code != exitUsage { // odd characters make odd settings
				t.Fatalf("%q: %s", args, stderr)
			}
			file := filepath.Join(dir, fmt.Sprint(name, i, ".yaml"))
			if err := os.WriteFile(file, []byte(first), 0o644); err != nil {
				t.Fatal(err)
			}
			for from, again := range map[string][]string{"file": {name, "--print-config", "--config", file}, "variable": {name, "--print-config"}} {
				var env []string
				if from == "variable" {
					env = []string{envContents + "=" + first}
				}
				second, stderr, code := wiretell(env, again...)
				if code != 0 && code != exitUsage {
					t.Fatalf("%q, from a %s: %s\n%s", args, from, stderr, first)
				}
				if a, b := withoutOrigins(first), withoutOrigins(second); a != b {
					t.Errorf("%q, from a %s: %s", args, from, difference(a, b))
				}
			}
		}
	}
}

// withoutOrigins leaves out where settings come from.
func withoutOrigins(s string) string {
	return regexp.MustCompile(`(?m) # (default|command line|[^ ]*:\d+)$`).ReplaceAllString(s, "")
}

// TestPrintConfigChecks: settings that cannot be meant are printed, with where they
// come from, and give the same error as without.
func TestPrintConfigChecks(t *testing.T) {
	for _, args := range [][]string{
		{"run", "--port", "http"}, {"run", "--filter", "dst"}, {"run", "--diagnosis-window", "0s"}, {"run", "--exporter", "none,text"}, {"run", "--listen", "here"},
		{"run", "--request-header", "cookie"}, {"read", "--redact", "some", "a.pcap"}, {"read", "--local", "here", "a.pcap"}, {"read", "--shutdown-timeout", "-1s", "a.pcap"}, {"read", "--shutdown-timeout", "0s", "a.pcap"}, {"run", "--shutdown-timeout", "0s"},
		{"doctor", "--format", "xml"}, {"doctor", "--record-files", "0"}, {"healthcheck", "--timeout", "0s"},
	} {
		_, want, code := wiretell(nil, args...)
		if code != exitUsage {
			t.Fatalf("%q: exit code %d: %s", args, code, want)
		}
		stdout, stderr, code := wiretell(nil, append(args, "--print-config")...)
		if code != exitUsage || stderr != want {
			t.Errorf("%q: exit code %d, %q; without --print-config %q", args, code, stderr, want)
		}
		if name := strings.TrimPrefix(args[1], "--"); !strings.Contains(stdout, "\n"+name+": ") && !strings.HasPrefix(stdout, name+": ") || !strings.Contains(stdout, " # command line\n") {
			t.Errorf("%q: %s", args, stdout)
		}
	}
}

// TestDoctorListsWhatItHeeds: settings of the export are taken with a run's, and
// not listed.
func TestDoctorListsWhatItHeeds(t *testing.T) {
	help, _, _ := wiretell(nil, "doctor", "--help")
	for _, name := range []string{"select", "redact", "route", "record", "record-files", "beside-sdk", "mesh-dedup", "otlp-json", "queue-bytes", "debug", "request-header"} {
		if strings.Contains(help, " --"+name+" ") {
			t.Errorf("--%s is listed", name)
		}
		if _, stderr, _ := wiretell(nil, "doctor", "--print-config", "--"+name+"=1"); strings.Contains(stderr, "unknown flag") {
			t.Errorf("--%s: %s", name, stderr)
		}
	}
	for _, name := range []string{"port", "filter", "interface", "exporter", "idle-timeout", "listen", "capture-for"} {
		if !strings.Contains(help, " --"+name+" ") {
			t.Errorf("--%s is not listed", name)
		}
	}
}

// TestEveryVariable: each flag can be set by its variable and by a line of the
// file, and its value gets through.
func TestEveryVariable(t *testing.T) {
	value := map[string]string{"bool": "true", "int": "4000", "duration": "7s", "string": "some", "stringSlice": "one,two"}
	printed := map[string]string{"bool": "true", "int": "4000", "duration": "7s", "string": `"some"`, "stringSlice": `["one", "two"]`}
	for _, name := range []string{"run", "read", "doctor", "healthcheck"} {
		eachSetting(t, name, func(f *pflag.Flag) {
			v, ok := value[f.Value.Type()]
			if !ok {
				t.Fatalf("--%s is of the type %s, which this test does not know", f.Name, f.Value.Type())
			}
			for from, env := range map[string][]string{
				envName(f.Name):    {envName(f.Name) + "=" + v},
				envContents + ":1": {envContents + "=" + f.Name + ": " + v},
			} {
				stdout, stderr, code := wiretell(env, name, "--print-config")
				want := f.Name + ": " + printed[f.Value.Type()] + " # " + from + "\n"
				if f.Value.Type() == "stringSlice" && strings.Contains(from, ":") {
					want = f.Name + `: ["one", "two"] # ` + from + "\n"
				}
				if code != 0 && code != exitUsage || !strings.Contains(stdout, want) { // some value cannot be meant
					t.Errorf("%s: no %q in\n%s%s", env, want, stdout, stderr)
				}
			}
		})
	}
}

// eachSetting calls f for each setting of a command, in order.
func eachSetting(t *testing.T, name string, f func(*pflag.Flag)) {
	t.Helper()
	cmd, _, err := newRoot(process{}).Find([]string{name})
	if err != nil || cmd.Name() != name {
		t.Fatal(name, err)
	}
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if isSetting(flag) {
			f(flag)
		}
	})
}

// The table in docs/usage.md stands between these lines.
const (
	tableBegin = "<!-- settings: generated by go test ./cmd/wiretell -run UsageTable -update -->\n"
	tableEnd   = "<!-- /settings -->\n"
)

// TestUsageTable holds the table of settings in docs/usage.md to the flags.
func TestUsageTable(t *testing.T) {
	const page = "../../docs/usage.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	_, after, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", page)
	}
	capturetest.Golden(t, page, []byte(before+tableBegin+settingsTable(t)+tableEnd+after))
}

// settingsTable lists every setting of the commands as Markdown.
func settingsTable(t *testing.T) string {
	commands := make(map[string][]string)
	rows := make(map[string]string)
	for _, name := range []string{"run", "read", "doctor", "healthcheck"} {
		eachSetting(t, name, func(f *pflag.Flag) {
			if f.Hidden {
				return
			}
			metavar, usage := pflag.UnquoteUsage(f)
			def := f.DefValue
			if def == "" || def == "[]" {
				def = "–"
			}
			commands[f.Name] = append(commands[f.Name], name)
			row := fmt.Sprintf("| %s | `%s` | %s |", strings.TrimSpace("`--"+f.Name+"` "+metavar), envName(f.Name), def)
			rows[f.Name] = row + " %s | " + strings.NewReplacer("|", `\|`, "*", `\*`).Replace(usage) + " |\n"
		})
	}
	var b strings.Builder
	b.WriteString("| flag | variable | default | of | meaning |\n|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range rows {
			if !yield(n) {
				return
			}
		}
	}) {
		b.WriteString(strings.Replace(rows[name], "%s", strings.Join(commands[name], ", "), 1))
	}
	return b.String()
}

// TestReceiverSettings: what run can be told a Collector's receiver can be told
// too, with the same defaults, except what is the Collector's there.
func TestReceiverSettings(t *testing.T) {
	collectors := []string{"debug", "duration", "exporter", "listen", "otlp-json", "quiet", "termination-log", "until-eof"}
	conf := confmap.New()
	if err := conf.Marshal(wiretellreceiver.NewFactory().CreateDefaultConfig()); err != nil {
		t.Fatal(err)
	}
	settings := conf.ToStringMap()
	for _, own := range []string{"service_name", "resource_attributes", "collection_interval"} {
		if _, ok := settings[own]; !ok {
			t.Errorf("the receiver has no %s", own)
		}
		delete(settings, own)
	}
	eachSetting(t, "run", func(f *pflag.Flag) {
		if i := slices.Index(collectors, f.Name); i >= 0 {
			collectors = slices.Delete(collectors, i, i+1)
			return
		}
		key := strings.ReplaceAll(f.Name, "-", "_")
		value, ok := settings[key]
		if !ok {
			t.Errorf("the receiver has no %s", key)
		}
		delete(settings, key)
		if list, ok := value.([]any); ok && len(list) == 0 || value == nil {
			value = "[]"
		}
		if got := fmt.Sprint(value); got != f.DefValue {
			t.Errorf("%s is %q in a Collector, the flag's default is %q", key, got, f.DefValue)
		}
	})
	for key := range settings {
		t.Errorf("the receiver's %s is no setting of run", key)
	}
	if len(collectors) > 0 {
		t.Errorf("%q are no settings of run", collectors)
	}
}

// TestCompletion: a shell is offered commands, words and ids.
func TestCompletion(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"re", "read\tObserve capture files"}, {"read --redact ", "sensitive\nall\noff\n"}, {"run --when-denied ", "exit\nstay\n"},
		{"explain TLS-0", "TLS-01\tA port is encrypted"}, {"read --max-", "--max-ports\t"}, {"run --exporter ", "text\notlp\nprometheus\nnone\n"},
	} {
		stdout, _, code := wiretell(nil, append([]string{"__complete"}, strings.Split(c.args, " ")...)...)
		if code != 0 || !strings.Contains(stdout, c.want) {
			t.Errorf("%q offers\n%s", c.args, stdout)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		stdout, _, code := wiretell(nil, "completion", shell)
		if code != 0 || !strings.Contains(stdout, "wiretell") {
			t.Errorf("completion %s: %d", shell, code)
		}
	}
}

// TestExplain: each diagnosis that is listed can be explained, in any case.
func TestExplain(t *testing.T) {
	list, _, code := wiretell(nil, "explain")
	if code != 0 || strings.Count(list, "\n") < 20 {
		t.Fatalf("%d\n%s", code, list)
	}
	for line := range strings.Lines(list) {
		id, title, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, word := range []string{id, strings.ToLower(id)} {
			text, _, code := wiretell(nil, "explain", word)
			if code != 0 || !strings.HasPrefix(text, id+"  "+strings.TrimSpace(title)+"\n") || !strings.Contains(text, "Remedy") && id != "OK-00" {
				t.Errorf("explain %s: %d\n%s", word, code, text)
			}
		}
	}
}

// TestStuckAfter: the setting reaches those who follow connections.
func TestStuckAfter(t *testing.T) {
	for arg, want := range map[string]time.Duration{"": 10 * time.Second, "--stuck-after=3s": 3 * time.Second} {
		var o observeFlags
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		o.add(flags)
		if err := flags.Parse(strings.Fields(arg)); err != nil {
			t.Fatal(err)
		}
		if cfg, _, err := o.Observer(capture.LinkRaw); err != nil || cfg.TCP.StuckAfter != want {
			t.Errorf("%q: %v, %v; want %v", arg, cfg.TCP.StuckAfter, err, want)
		}
	}
	if _, stderr, code := wiretell(nil, "read", "--stuck-after", "0s", "a.pcap"); code != exitUsage || !strings.Contains(stderr, "--stuck-after must be greater than 0") {
		t.Errorf("%d: %s", code, stderr)
	}
}
