package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// The command line is the table of all settings: every flag can also be set by
// the environment variable WIRETELL_ + its name, and by a line of the
// configuration file. A flag beats a variable, a variable beats the file.
const (
	envPrefix   = "WIRETELL_"
	flagConfig  = "config"
	flagPrint   = "print-config"
	envContents = envPrefix + "CONFIG_CONTENTS" // a whole configuration in one variable
	annotation  = "wiretell-source"             // where a flag's value came from
)

// envName returns the variable of a flag.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// addSettings adds the flags that every command with settings has.
func addSettings(cmd *cobra.Command) {
	cmd.Flags().String(flagConfig, "", "read settings from this YAML `file`; "+envContents+" may hold the same text instead")
	cmd.Flags().Bool(flagPrint, false, "print the settings in force and where each comes from, and stop")
}

// loadSettings fills the flags that the command line does not set from the
// environment and the configuration file, and returns what a person should be
// warned of. A setting of another command is passed over: run and read can
// share a file and an environment.
func loadSettings(cmd *cobra.Command, env environment) (warnings []string, err error) {
	flags := cmd.Flags()
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			source(f, "command line")
		}
	})
	known := allSettings(cmd)
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		name := envName(f.Name)
		v := env.get(name)
		if v == "" || f.Changed || !isSetting(f) {
			return
		}
		if serviceLink(name, v) {
			warnings = append(warnings, fmt.Sprintf("%s=%s describes a Kubernetes Service of the name wiretell and is ignored", name, v))
			return
		}
		if err := flags.Set(f.Name, v); err != nil {
			errs = append(errs, fmt.Errorf("%s=%q: %w", name, v, cause(err)))
		}
		source(f, name)
	})
	warnings = append(warnings, unknownVariables(known, env)...)
	path, _ := flags.GetString(flagConfig)
	if path == "" {
		path = env.get(envName(flagConfig))
	}
	text, from, err := configText(path, env.get(envContents))
	if err != nil {
		return warnings, &exitError{code: exitUsage, err: err}
	}
	if err := applyYAML(flags, known, text, from); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return warnings, &exitError{code: exitUsage, err: err}
	}
	return warnings, nil
}

// allSettings returns the settings of every command.
func allSettings(cmd *cobra.Command) *pflag.FlagSet {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, c := range cmd.Root().Commands() {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if isSetting(f) && all.Lookup(f.Name) == nil {
				all.AddFlag(f)
			}
		})
	}
	return all
}

// serviceLink reports whether a variable is one that Kubernetes sets in every
// pod of a namespace that has a Service of the name wiretell: WIRETELL_PORT is
// among them.
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
func serviceLink(name, value string) bool {
	return name == envPrefix+"PORT" && strings.Contains(value, "://") ||
		strings.HasPrefix(name, envPrefix+"PORT_") || strings.HasPrefix(name, envPrefix+"SERVICE_")
}

// unknownVariables warns of variables that look like settings and are none.
func unknownVariables(known *pflag.FlagSet, env environment) []string {
	var out []string
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		switch {
		case !strings.HasPrefix(name, envPrefix), serviceLink(name, value),
			name == envContents, name == envName(flagConfig), name == demoInside:
			continue
		}
		setting := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, envPrefix)), "_", "-")
		if known.Lookup(setting) != nil {
			continue
		}
		like := ""
		if n := nearest(known, setting); n != "" {
			like = fmt.Sprintf(" (did you mean %s?)", envName(n))
		}
		out = append(out, fmt.Sprintf("%s is no setting and is ignored%s", name, like))
	}
	slices.Sort(out)
	return out
}

func configText(path, contents string) (text []byte, from string, err error) {
	switch {
	case path != "" && contents != "":
		return nil, "", fmt.Errorf("both a configuration file (%s) and %s are given: use one", path, envContents)
	case path != "":
		text, err = os.ReadFile(path)
		if err != nil {
			return nil, "", fmt.Errorf("configuration %s: %w", path, cause(err))
		}
		return text, path, nil
	}
	return []byte(contents), envContents, nil
}

// applyYAML sets flags from a YAML mapping of names of settings to values. A
// line without a value sets nothing.
func applyYAML(flags, known *pflag.FlagSet, text []byte, from string) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	if doc.Kind == 0 {
		return nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: want settings as \"name: value\"", from, root.Line)
	}
	var errs []error
	lines := make(map[string]int)
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		name := strings.ReplaceAll(key.Value, "_", "-")
		where := fmt.Sprintf("%s:%d", from, key.Line)
		if first := lines[name]; first > 0 {
			errs = append(errs, fmt.Errorf("%s: %q is set in line %d already", where, key.Value, first))
			continue
		}
		lines[name] = key.Line
		if known.Lookup(name) == nil {
			like := ""
			if n := nearest(known, name); n != "" {
				like = fmt.Sprintf(" (did you mean %q?)", n)
			}
			errs = append(errs, fmt.Errorf("%s: unknown setting %q%s", where, key.Value, like))
			continue
		}
		f := flags.Lookup(name)
		if f == nil || f.Changed || value.Tag == "!!null" {
			continue
		}
		if err := setYAML(flags, f, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", where, key.Value, cause(err)))
			continue
		}
		source(f, where)
	}
	return errors.Join(errs...)
}

// setYAML sets a flag to a YAML value. The values of a list are taken as they
// are, so that they may hold commas.
func setYAML(flags *pflag.FlagSet, f *pflag.Flag, n *yaml.Node) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	list, isList := f.Value.(pflag.SliceValue)
	switch {
	case n.Kind == yaml.ScalarNode:
		return flags.Set(f.Name, n.Value)
	case n.Kind != yaml.SequenceNode || !isList:
		if isList {
			return errors.New("want a value or a list of values")
		}
		return errors.New("want one value")
	}
	values := make([]string, 0, len(n.Content))
	for _, c := range n.Content {
		if c.Kind != yaml.ScalarNode {
			return errors.New("want a list of plain values")
		}
		values = append(values, c.Value)
	}
	f.Changed = true
	return list.Replace(values)
}

// printSettings writes the settings in force as YAML that can be read back,
// and the OTEL_* variables as comments.
func printSettings(w io.Writer, flags *pflag.FlagSet, env environment) error {
	doc := &yaml.Node{Kind: yaml.MappingNode}
	flags.VisitAll(func(f *pflag.Flag) {
		if !isSetting(f) {
			return
		}
		from := "default"
		if s := f.Annotations[annotation]; len(s) > 0 {
			from = s[0]
		}
		value := &yaml.Node{Kind: yaml.ScalarNode, Value: f.Value.String()}
		switch v := f.Value.(type) {
		case pflag.SliceValue:
			value = &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
			for _, s := range v.GetSlice() {
				value.Content = append(value.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: s, Style: yaml.DoubleQuotedStyle})
			}
		default:
			if v.Type() == "string" {
				value.Style = yaml.DoubleQuotedStyle
			}
		}
		value.LineComment = "# " + printable(from)
		doc.Content = append(doc.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: f.Name}, value)
	})
	text, err := yaml.Marshal(doc)
	if err != nil {
		return err
	}
	var otel []string
	for _, e := range env {
		if name, value, _ := strings.Cut(e, "="); strings.HasPrefix(name, "OTEL_") {
			otel = append(otel, fmt.Sprintf("# %s=%s\n", name, withoutSecrets(name, value)))
		}
	}
	slices.Sort(otel)
	_, err = io.WriteString(w, string(text)+strings.Join(otel, ""))
	return err
}

// withoutSecrets returns the value of an OTEL_* variable as it may be shown, in
// one line.
func withoutSecrets(name, value string) string {
	if strings.HasSuffix(name, "HEADERS") && value != "" {
		return "(set, not shown)"
	}
	if scheme, rest, ok := strings.Cut(value, "://"); ok {
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			value = scheme + "://(not shown)" + rest[at:]
		}
	}
	return printable(value)
}

// printable keeps a text on its line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// isSetting tells settings from flags that only steer the command line.
func isSetting(f *pflag.Flag) bool {
	return f.Name != flagConfig && f.Name != flagPrint && f.Name != "help" && f.Name != "version"
}

func source(f *pflag.Flag, from string) {
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[annotation] = []string{from}
}

// nearest returns the setting whose name is most like name, "" when none is.
func nearest(known *pflag.FlagSet, name string) string {
	best, bestAt := "", 4
	known.VisitAll(func(f *pflag.Flag) {
		if d := distance(name, f.Name); d < bestAt && d < len(name) {
			best, bestAt = f.Name, d
		}
	})
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		prev := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			prev, row[j] = row[j], min(row[j]+1, row[j-1]+1, prev+cost)
		}
	}
	return row[len(b)]
}
