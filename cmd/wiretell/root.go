package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/wiretell/wiretell/capture/diagnosis"
	"github.com/wiretell/wiretell/semconv"
)

// newRoot builds the command line.
func newRoot() *cobra.Command {
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
		Args:          cobra.NoArgs,
	}
	root.AddCommand(newRun(), newRead(), newDemo(), newExplain(), newSemconv(), newVersion())
	return root
}

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [ID]",
		Short: "Say what a diagnosis means, what proves it and what to do; without an ID list all",
		Args:  cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var ids []string
			for _, l := range diagnosis.Leaves() {
				ids = append(ids, l.ID+"\t"+l.Title)
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, l := range diagnosis.Leaves() {
					fmt.Fprintf(cmd.OutOrStdout(), "%-10s %s\n", l.ID, l.Title)
				}
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
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return semconv.WriteMarkdown(cmd.OutOrStdout())
		},
	}
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			revision := ""
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						revision = " " + s.Value
					}
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "wiretell %s%s %s %s/%s\n", version, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}

// stdoutIsTerminal reports whether a person reads standard output.
func stdoutIsTerminal() bool {
	info, err := os.Stdout.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
