package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

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
// environment and the configuration file.
func loadSettings(cmd *cobra.Command, getenv func(string) string) error {
	flags := cmd.Flags()
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			source(f, "command line")
		}
	})
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		if v := getenv(envName(f.Name)); v != "" && !f.Changed && isSetting(f) {
			if err := flags.Set(f.Name, v); err != nil {
				errs = append(errs, fmt.Errorf("%s=%q: %w", envName(f.Name), v, cause(err)))
			}
			source(f, envName(f.Name))
		}
	})
	path, _ := flags.GetString(flagConfig)
	if path == "" {
		path = getenv(envName(flagConfig))
	}
	text, from, err := configText(path, getenv(envContents))
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	if err := applyYAML(flags, text, from); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return &exitError{code: exitUsage, err: err, hint: fmt.Sprintf("%q shows what is in force", cmd.CommandPath()+" --"+flagPrint)}
	}
	return nil
}

func configText(path, contents string) (text []byte, from string, err error) {
	switch {
	case path != "" && contents != "":
		return nil, "", fmt.Errorf("both a configuration file (%s) and %s are given: use one", path, envContents)
	case path != "":
		text, err = os.ReadFile(path)
		if err != nil {
			return nil, "", fmt.Errorf("read configuration: %w", err)
		}
		return text, path, nil
	}
	return []byte(contents), envContents, nil
}

// applyYAML sets flags from a YAML mapping of flag names to values.
func applyYAML(flags *pflag.FlagSet, text []byte, from string) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	if doc.Kind == 0 {
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s: line %d: want settings as \"name: value\"", from, root.Line)
	}
	var errs []error
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		where := fmt.Sprintf("%s:%d", from, key.Line)
		f := flags.Lookup(strings.ReplaceAll(key.Value, "_", "-"))
		if f == nil || !isSetting(f) {
			errs = append(errs, fmt.Errorf("%s: unknown setting %q%s", where, key.Value, nearest(flags, key.Value)))
			continue
		}
		if f.Changed {
			continue
		}
		v, err := scalar(value)
		if err == nil {
			err = flags.Set(f.Name, v)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", where, key.Value, cause(err)))
			continue
		}
		source(f, where)
	}
	return errors.Join(errs...)
}

// scalar returns a YAML value as a flag takes it: lists joined by commas.
func scalar(n *yaml.Node) (string, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value, nil
	case yaml.SequenceNode:
		parts := make([]string, 0, len(n.Content))
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode {
				return "", errors.New("want a list of plain values")
			}
			parts = append(parts, c.Value)
		}
		return strings.Join(parts, ","), nil
	}
	return "", errors.New("want a value or a list of values")
}

// printSettings writes the settings in force as YAML that can be read back.
func printSettings(w io.Writer, flags *pflag.FlagSet, environ []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if !isSetting(f) {
			return
		}
		from := "default"
		if s := f.Annotations[annotation]; len(s) > 0 {
			from = s[0]
		}
		value := f.Value.String()
		if s, ok := f.Value.(pflag.SliceValue); ok {
			value = "[" + strings.Join(s.GetSlice(), ", ") + "]"
		} else if f.Value.Type() == "string" {
			value = fmt.Sprintf("%q", value)
		}
		fmt.Fprintf(w, "%s: %s # %s\n", f.Name, value, from)
	})
	var otel []string
	for _, e := range environ {
		if name, value, _ := strings.Cut(e, "="); strings.HasPrefix(name, "OTEL_") {
			if strings.HasSuffix(name, "HEADERS") && value != "" {
				value = "(set, not shown)"
			}
			otel = append(otel, fmt.Sprintf("# %s=%s\n", name, value))
		}
	}
	slices.Sort(otel)
	for _, line := range otel {
		fmt.Fprint(w, line)
	}
}

// isSetting tells settings from flags that only steer the command line.
func isSetting(f *pflag.Flag) bool {
	return f.Name != flagConfig && f.Name != flagPrint && f.Name != "help"
}

func source(f *pflag.Flag, from string) {
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[annotation] = []string{from}
}

// cause strips pflag's "invalid argument ... for flag" wording, as the value
// did not come from a flag.
func cause(err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return invalid.Unwrap()
	}
	return err
}

// nearest proposes a setting whose name is like name.
func nearest(flags *pflag.FlagSet, name string) string {
	best, bestAt := "", 4
	flags.VisitAll(func(f *pflag.Flag) {
		if d := distance(strings.ReplaceAll(name, "_", "-"), f.Name); d < bestAt && isSetting(f) {
			best, bestAt = f.Name, d
		}
	})
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
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
