package stack

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/wiretell/wiretell/examples/grafana"
	"github.com/wiretell/wiretell/examples/prometheus"
	"github.com/wiretell/wiretell/integration/peers"
	"github.com/wiretell/wiretell/semconv"
)

// patience is how long telemetry may take from the wire to an API, on a
// machine that does much else.
const patience = 120 * time.Second

// stack is where the compose file's services answer at this host.
type stack struct {
	app        string
	jaeger     peers.Jaeger
	prometheus peers.Prometheus
	logs       string // the file of log records
}

// TestStack runs the compose file. What differs from a user's run is the
// programs behind app and client, and how often wiretell tells something.
func TestStack(t *testing.T) {
	t.Parallel()
	all := example(t)
	told := all["wiretell"]["environment"].(map[string]any)
	told["OTEL_METRIC_EXPORT_INTERVAL"] = "1000"
	told["WIRETELL_DIAGNOSIS_WINDOW"], told["WIRETELL_STREAM_TIMEOUT"] = "2s", "2s"
	dir := folderOf(t)
	s := &stack{logs: filepath.Join(dir, "logs", "logs.jsonl")}
	mounted := all["collector"]["volumes"].([]any)
	at := slices.Index(mounted, any("./logs:/var/log/wiretell"))
	if at < 0 {
		t.Fatalf("the Collector does not write to logs, as the quick start says, but has %q", mounted)
	}
	// The engine would make it as root, whose folder none else can clear.
	if err := os.Mkdir(filepath.Dir(s.logs), 0o777); err != nil {
		t.Fatal(err)
	}
	mounted[at] = filepath.Dir(s.logs) + ":/var/log/wiretell"
	p := up(t, fmt.Sprintf("wiretell-stack-%d", os.Getpid()), dir, all)
	s.app, s.jaeger, s.prometheus = p.url("app", 80), peers.Jaeger(p.url("jaeger", 16686)), peers.Prometheus(p.url("prometheus", 9090))

	t.Run("TraceJoin", func(t *testing.T) { joined(t, s) })
	t.Run("Span", func(t *testing.T) {
		response, err := http.Get(s.app + "/from-this-host")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		within(t, patience, func() []string {
			found, err := s.jaeger.Search("app", `{"url.path":"/from-this-host","http.response.status_code":"404"}`)
			return lacking(len(found) != 1, fmt.Sprintf("%d spans in Jaeger of one request to the published port", len(found)), err)
		})
	})
	t.Run("Metric", func(t *testing.T) {
		within(t, patience, func() []string {
			found, err := s.prometheus.Query(`http_server_request_duration_seconds_count{job="app",telemetry_distro_name="wiretell",http_response_status_code="500",server_port="80"} > 0`)
			return lacking(len(found) != 1, fmt.Sprintf("Prometheus has %d series of requests that failed, want 1", len(found)), err)
		})
	})
	t.Run("Diagnosis", func(t *testing.T) {
		within(t, patience, func() []string {
			remedies, err := diagnoses(s.logs)
			return lacking(len(remedies) == 0, "no diagnosis with a remedy in "+s.logs, err)
		})
	})
	t.Run("Dashboards", func(t *testing.T) { dashboards(t, s) })
	t.Run("Rules", func(t *testing.T) { rules(t, s) })
	t.Run("Names", func(t *testing.T) { names(t, s) })
}

// within waits until f has no more to say and fails the test with what it says
// when that takes too long.
func within(t *testing.T, limit time.Duration, f func() []string) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		missing := f()
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("after %s:\n%s", limit, strings.Join(missing, "\n"))
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func lacking(lacks bool, what string, err error) []string {
	switch {
	case err != nil:
		return []string{err.Error()}
	case lacks:
		return []string{what}
	}
	return nil
}

// diagnoses returns the remedies of the findings in a file of log records.
func diagnoses(file string) (remedies []string, err error) {
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "\n") {
			break // not yet whole
		}
		ld, err := new(plog.JSONUnmarshaler).UnmarshalLogs([]byte(line))
		if err != nil {
			return nil, err
		}
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, l := range sl.LogRecords().All() {
					if remedy, ok := l.Attributes().Get(semconv.RemediationSummary); ok && l.EventName() == "wiretell.diagnosis" {
						remedies = append(remedies, remedy.AsString())
					}
				}
			}
		}
	}
	return remedies, nil
}

// dashboards runs every query of every panel, as Grafana does: each has data.
func dashboards(t *testing.T, s *stack) {
	fill := strings.NewReplacer("$service", "app", "$__rate_interval", "1m", "$__range", "15m")
	all := grafana.Dashboards()
	within(t, patience, func() (missing []string) {
		for _, d := range all {
			for _, p := range d.Panels {
				for _, q := range p.Targets {
					var n int
					var err error
					switch {
					case q.QueryType == "search":
						var found []peers.JaegerTrace
						key, value, _ := strings.Cut(q.Tags, "=")
						found, err = s.jaeger.Search(fill.Replace(q.Service), `{"`+key+`":"`+value+`"}`)
						n = len(found)
					case q.Instant:
						n, err = samples(s.prometheus.Query(fill.Replace(q.Expr)))
					default:
						n, err = samples(s.prometheus.QueryRange(fill.Replace(q.Expr), 15*time.Minute, 5*time.Second))
					}
					if err != nil {
						t.Fatalf("%s: %s: %v", d.Title, p.Title, err)
					}
					if n == 0 {
						missing = append(missing, fmt.Sprintf("%s: %s: no data for %s%s", d.Title, p.Title, q.Expr, q.Tags))
					}
				}
			}
		}
		return missing
	})
}

// samples counts the samples that are numbers.
func samples(series []peers.Series, err error) (n int, _ error) {
	for _, one := range series {
		for _, v := range one.Values {
			if v == v {
				n++
			}
		}
	}
	return n, err
}

// rules runs the value of every alert, and asks Prometheus how it fares with
// the alerts themselves.
func rules(t *testing.T, s *stack) {
	all, err := prometheus.Rules()
	if err != nil {
		t.Fatal(err)
	}
	// Nothing is dropped in this run, and no finding is an error: such say that
	// there is nothing to see, or nowhere to send it. promtool tests these rules.
	without := []string{"WiretellNotExported", "WiretellFinding"}
	within(t, patience, func() (missing []string) {
		for _, r := range all {
			n, err := samples(s.prometheus.Query(r.Value()))
			if err != nil {
				t.Fatalf("%s: %v", r.Alert, err)
			}
			if n == 0 && !slices.Contains(without, r.Alert) {
				missing = append(missing, fmt.Sprintf("%s: no data for %s", r.Alert, r.Value()))
			}
		}
		states, err := s.prometheus.Alerts()
		if err != nil {
			return append(missing, err.Error())
		}
		for _, r := range all {
			if states[r.Alert].Health != "ok" {
				missing = append(missing, fmt.Sprintf("%s: Prometheus says: %+v", r.Alert, states[r.Alert]))
			}
		}
		if state := states["WiretellServerErrors"].State; state != "pending" && state != "firing" {
			missing = append(missing, "WiretellServerErrors is "+state+" though requests fail")
		}
		return missing
	})
}

// names holds the metrics in Prometheus to the table of signals.
func names(t *testing.T, s *stack) {
	all, err := s.prometheus.Names()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, name := range all {
		if strings.HasPrefix(name, "wiretell_") || strings.HasPrefix(name, "http_") {
			checked++
			for _, problem := range prometheus.Check(name + "{}") {
				t.Error(problem)
			}
		}
	}
	if checked < 30 {
		t.Errorf("Prometheus has only %d metrics of wiretell: %q", checked, all)
	}
}

// TestPromtool runs the rules' own tests, and shows that both checks can fail.
func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool, err := peers.BuildPromtool(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = "../../examples/prometheus"
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, args := range [][]string{
		{"check", "config", "prometheus.yml"}, {"check", "rules", "--lint=all", "--lint-fatal", "wiretell.rules.yml"}, {"test", "rules", "wiretell.rules.test.yml"},
	} {
		if out, err := run(args...); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"wiretell.rules.yml", "wiretell.rules.test.yml"} {
		text, err := os.ReadFile("../../examples/prometheus/" + name)
		if err != nil {
			t.Fatal(err)
		}
		broken := strings.Replace(string(text), "> 0.05", "> 0.5", 1)
		if err := os.WriteFile(dir+"/"+name, []byte(broken), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := run("test", "rules", dir+"/wiretell.rules.test.yml"); err == nil {
		t.Errorf("promtool finds nothing wrong with another threshold:\n%s", out)
	}
}
