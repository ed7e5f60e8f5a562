package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/wiretell/wiretell/capture/diagnosis"
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

// selectTopic is what "wiretell explain" knows beside the diagnoses.
const selectTopic = "select"

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [ID]",
		Short: "Say what a diagnosis means, what proves it and what to do; without an ID list all",
		Long: `Explain says what a diagnosis means, what proves it and what to do; without an ID
it lists all. "wiretell explain select" lists the fields of --select.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("explain takes one id, but %d are given", len(args))
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var ids []string
			for _, l := range diagnosis.Leaves() {
				ids = append(ids, l.ID+"\t"+l.Title)
			}
			ids = append(ids, selectTopic+"\tthe fields of --select")
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, l := range diagnosis.Leaves() {
					fmt.Fprintf(cmd.OutOrStdout(), "%-11s %s\n", l.ID, l.Title)
				}
				return nil
			}
			if args[0] == selectTopic {
				fmt.Fprint(cmd.OutOrStdout(), selector.Explain())
				return nil
			}
			text, ok := diagnosis.Explain(args[0])
			if !ok {
				return &exitError{code: exitUsage, err: fmt.Errorf("no diagnosis has the id %q", args[0]), hint: `"wiretell explain" lists all`}
			}
			fmt.Fprint(cmd.OutOrStdout(), text)
			return nil
		},
	}
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
