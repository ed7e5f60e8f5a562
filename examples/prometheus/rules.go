package prometheus

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed wiretell.rules.yml
var rules []byte

// Rule is one alert of wiretell.rules.yml.
type Rule struct {
	Alert string `yaml:"alert"`
	// Expr is a value, a comparison and a threshold.
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// Value returns the expression without its comparison: what has a value also
// where there is nothing to alert on.
func (r *Rule) Value() string {
	value, _, _ := cutLast(r.Expr, " > ")
	return value
}

// Rules returns the alerts of wiretell.rules.yml.
func Rules() ([]Rule, error) {
	var file struct {
		Groups []struct {
			Name  string
			Rules []Rule
		}
	}
	d := yaml.NewDecoder(bytes.NewReader(rules))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("wiretell.rules.yml: %w", err)
	}
	var all []Rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
