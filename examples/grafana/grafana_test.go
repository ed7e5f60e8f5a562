package grafana

import (
	"bytes"
	"encoding/json"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/examples/prometheus"
)

// TestDashboardsAreGenerated: the files hold what the source says.
func TestDashboardsAreGenerated(t *testing.T) {
	var names []string
	for _, d := range Dashboards() {
		name := strings.TrimPrefix(d.UID, "wiretell-") + ".json"
		names = append(names, name)
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(d); err != nil {
			t.Fatal(err)
		}
		capturetest.Golden(t, name, want.Bytes())
	}
	files, err := filepath.Glob("*.json")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	if !slices.Equal(files, names) {
		t.Errorf("files are %q, the source has %q", files, names)
	}
}

// TestPanelsAreWhole: every panel says what it shows, in what unit, and names
// its series; none lies on another.
func TestPanelsAreWhole(t *testing.T) {
	for _, d := range Dashboards() {
		var taken [200][24]int
		for _, p := range d.Panels {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
					if taken[y][x] != 0 {
						t.Fatalf("%s: panels %d and %d lie on each other", d.Title, taken[y][x], p.ID)
					}
					taken[y][x] = p.ID
				}
			}
			if p.Title == "" {
				t.Errorf("%s: panel %d has no title", d.Title, p.ID)
			}
			if p.Type == "row" {
				continue
			}
			if p.Description == "" || len(p.Targets) == 0 {
				t.Errorf("%s: %s: no description, or no query", d.Title, p.Title)
			}
			for _, q := range p.Targets {
				if q.Datasource == metrics && (q.Expr == "" || q.LegendFormat == "" || p.FieldConfig.Defaults.Unit == "") {
					t.Errorf("%s: %s: a query without an expression, a legend or a unit", d.Title, p.Title)
				}
				if q.Instant == q.Range && q.Datasource == metrics {
					t.Errorf("%s: %s: a query is for one instant or for a range", d.Title, p.Title)
				}
			}
			for _, l := range p.FieldConfig.Defaults.Links {
				checkExplore(t, l.URL)
			}
		}
	}
}

// checkExplore holds a link to what Grafana reads, once it has filled it in.
func checkExplore(t *testing.T, link string) {
	t.Helper()
	filled := regexp.MustCompile(`\$\{[^}]*\}`).ReplaceAllString(link, "x")
	u, err := url.Parse(filled)
	if err != nil {
		t.Fatal(err)
	}
	var panes map[string]struct {
		Datasource string
		Queries    []struct{ QueryType, Service, Tags string }
		Range      TimeRange
	}
	if err := json.Unmarshal([]byte(u.Query().Get("panes")), &panes); err != nil {
		t.Fatalf("%s: %v", filled, err)
	}
	if p := panes["t"]; len(p.Queries) != 1 || p.Queries[0].QueryType != "search" || p.Queries[0].Service != "x" || p.Range.From != "x" {
		t.Errorf("%s: not a search", filled)
	}
}

// TestExpressionsNameWhatWiretellEmits holds expressions, legends, columns and
// links to the table of signals.
func TestExpressionsNameWhatWiretellEmits(t *testing.T) {
	checked := 0
	for _, d := range Dashboards() {
		for _, p := range d.Panels {
			if p.Type == "row" {
				continue
			}
			for _, q := range p.Targets {
				checked++
				for _, problem := range prometheus.Check(q.Expr) {
					t.Errorf("%s: %s: %s", d.Title, p.Title, problem)
				}
				for _, m := range regexp.MustCompile(`\{\{([^}]*)\}\}`).FindAllStringSubmatch(q.LegendFormat, -1) {
					if !strings.Contains(q.Expr, m[1]) {
						t.Errorf("%s: %s: the legend has %s, the expression does not", d.Title, p.Title, m[1])
					}
				}
			}
			for _, l := range p.FieldConfig.Defaults.Links {
				for _, m := range regexp.MustCompile(`\$\{__field\.labels\.([^}]*)\}`).FindAllStringSubmatch(l.URL, -1) {
					if !strings.Contains(p.Targets[0].Expr, m[1]) {
						t.Errorf("%s: %s: a link has %s, the expression does not", d.Title, p.Title, m[1])
					}
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d expressions were found", checked)
	}
}
