package peers

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	prometheusVersion = "0.316.0" // of the module: 3.16.0 of the program
	prometheusModule  = "github.com/prometheus/prometheus"
)

// BuildPrometheus returns the path of Prometheus' binary, which it builds once
// (see [CacheDir]), telling logf. It has no service discovery but files and
// static targets, and no pages for a browser.
func BuildPrometheus(logf func(format string, args ...any)) (string, error) {
	return prometheusProgram("prometheus", logf)
}

// BuildPromtool is [BuildPrometheus] for promtool.
func BuildPromtool(logf func(format string, args ...any)) (string, error) {
	return prometheusProgram("promtool", logf)
}

func prometheusProgram(name string, logf func(format string, args ...any)) (string, error) {
	p := program{name: name, version: prometheusVersion, pkg: prometheusModule + "/cmd/" + name, tags: "remove_all_sd"}
	return p.buildPinned("prometheus", logf)
}

// Prometheus is the base URL of a Prometheus' API.
type Prometheus string

// Series is one series of a query's answer.
type Series struct {
	Labels map[string]string
	// Values are its samples in order; one of an instant query.
	Values []float64
}

// Query evaluates an expression now.
func (p Prometheus) Query(expr string) ([]Series, error) {
	return p.query("/api/v1/query", url.Values{"query": {expr}})
}

// QueryRange evaluates an expression every step over the time before now.
func (p Prometheus) QueryRange(expr string, before, step time.Duration) ([]Series, error) {
	now := time.Now()
	seconds := func(f float64) string { return strconv.FormatFloat(f, 'f', 3, 64) }
	return p.query("/api/v1/query_range", url.Values{
		"query": {expr}, "start": {seconds(float64(now.Add(-before).UnixMilli()) / 1e3)},
		"end": {seconds(float64(now.UnixMilli()) / 1e3)}, "step": {seconds(step.Seconds())},
	})
}

func (p Prometheus) query(path string, form url.Values) ([]Series, error) {
	type sample [2]any // time, value as text
	var data struct {
		Result []struct {
			Metric map[string]string
			Value  sample
			Values []sample
		}
	}
	if err := get(string(p)+path+"?"+form.Encode(), &data); err != nil {
		return nil, err
	}
	var all []Series
	for _, r := range data.Result {
		s := Series{Labels: r.Metric}
		if r.Values == nil {
			r.Values = []sample{r.Value}
		}
		for _, v := range r.Values {
			text, _ := v[1].(string)
			f, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: value %v: %w", form.Get("query"), v[1], err)
			}
			s.Values = append(s.Values, f)
		}
		all = append(all, s)
	}
	return all, nil
}

// Names returns the names of all metrics that it has.
func (p Prometheus) Names() (names []string, err error) {
	return names, get(string(p)+"/api/v1/label/__name__/values", &names)
}

var client = &http.Client{Timeout: 30 * time.Second}

// get decodes the field "data" of an answer of Prometheus' or Jaeger's API.
func get(address string, data any) error {
	response, err := client.Get(address)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	answer := struct {
		Data  any
		Error string
	}{Data: data}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("%s: %s: %w: %.300s", address, response.Status, err, body)
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s: %s: %s", address, response.Status, answer.Error)
	}
	return nil
}

// Alert is what Prometheus says of an alerting rule.
type Alert struct {
	Name, State, Health, LastError string
}

// Alerts returns all alerting rules by name.
func (p Prometheus) Alerts() (map[string]Alert, error) {
	var data struct {
		Groups []struct{ Rules []Alert }
	}
	if err := get(string(p)+"/api/v1/rules?type=alert", &data); err != nil {
		return nil, err
	}
	all := map[string]Alert{}
	for _, g := range data.Groups {
		for _, r := range g.Rules {
			all[r.Name] = r
		}
	}
	return all, nil
}
