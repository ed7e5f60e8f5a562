package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/cmd/wiretell/explain"
	"github.com/wiretell/wiretell/exporter/selector"
	"github.com/wiretell/wiretell/semconv"
)

// newRoot builds the command line.
func newRoot(proc process) *cobra.Command {
	root := &cobra.Command{
		Use:   "wiretell",
		Short: "Tells, in OpenTelemetry, what happened on the wire, and what could not be seen and why",
		Long: `wiretell captures its pod's network namespace and tells, in OpenTelemetry, what
happened on the wire: metrics, a span for each HTTP exchange, events for TCP and
ICMP errors, and a diagnosis that says what it could not see, why, and what mends it.

Every setting is a flag, an environment variable (WIRETELL_ and the flag's name),
or a line of a YAML file (--config). Where telemetry goes is told by the standard
OTEL_* variables. "wiretell demo" shows all of it in ten seconds.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       versionLine(),
		Args:          knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(proc.stderr)
			cmd.Help()
			return &exitError{code: exitUsage, hint: `"wiretell run" captures, "wiretell read FILE" reads a capture file`}
		},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SuggestionsMinimumDistance = 2
	root.AddCommand(newRun(proc), newRead(proc), newDemo(proc), newDoctor(proc), newHealthcheck(proc), newExplain(), newSemconv(), newVersion())
	return root
}

// Topics of "wiretell explain" beside the diagnoses and the errors.
const (
	selectTopic = "select"
	errorsTopic = "errors"
)

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [ID | ERROR]",
		Short: "Say what a diagnosis or an error means, what proves it and what to do; without an ID list all diagnoses",
		Long: `Explain says what a diagnosis means, what proves it and what to do; without an ID
it lists all. "wiretell explain errors" lists the errors that wiretell tells, and
their words explain them: "wiretell explain reset", "wiretell explain icmp 3/13".
"wiretell explain select" lists the fields of --select.`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var ids []string
			for _, l := range diagnosis.Leaves() {
				ids = append(ids, l.ID+"\t"+l.Title)
			}
			ids = append(ids, errorsTopic+"\tthe errors that wiretell tells", selectTopic+"\tthe fields of --select")
			words, texts := explain.Words()
			for i, w := range words {
				ids = append(ids, w+"\t"+texts[i])
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := explanation(args)
			if err == nil {
				fmt.Fprint(cmd.OutOrStdout(), text)
			}
			return err
		},
	}
}

// explanation returns what "wiretell explain" prints.
func explanation(args []string) (string, error) {
	topic := strings.Join(args, " ")
	switch topic {
	case "":
		var b strings.Builder
		for _, l := range diagnosis.Leaves() {
			fmt.Fprintf(&b, "%-11s %s\n", l.ID, l.Title)
		}
		return b.String(), nil
	case selectTopic:
		return selector.Explain(), nil
	case errorsTopic:
		return explain.List(), nil
	}
	if text, ok := diagnosis.Explain(topic); ok {
		return text, nil
	}
	if text, ok := explain.Error(topic); ok {
		return text, nil
	}
	if len(args) > 1 {
		return "", usagef("explain takes one id or error, but %d are given", len(args))
	}
	return "", &exitError{code: exitUsage, err: fmt.Errorf("no diagnosis has the id %q, and no error that word", topic),
		hint: `"wiretell explain" lists the diagnoses, "wiretell explain errors" the errors`}
}

func newSemconv() *cobra.Command {
	return &cobra.Command{
		Use:   "semconv",
		Short: "Print every metric, event and attribute that wiretell emits, as Markdown",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return semconv.WriteMarkdown(cmd.OutOrStdout())
		},
	}
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintln(cmd.OutOrStdout(), versionLine())
		},
	}
}

// versionLine names the version, the revision it was built from, and the
// compiler.
func versionLine() string {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " " + s.Value
			}
		}
	}
	return fmt.Sprintf("wiretell %s%s %s %s/%s", version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
