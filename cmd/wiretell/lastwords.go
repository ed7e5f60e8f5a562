package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/wiretell/wiretell/capture/diagnosis"
)

// defaultTerminationLog is where Kubernetes looks for a container's last words.
// https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
const (
	defaultTerminationLog = "/dev/termination-log"
	maxTerminationLog     = 4096 // what it keeps of them, in bytes
)

// lastWords writes the conclusion of a run that ended with err to the
// termination log. The default is written only where somebody made it.
func (f *runFlags) lastWords(p *job, err error) {
	if f.termLog == "" {
		return
	}
	flags := os.O_WRONLY | os.O_TRUNC
	if f.termLog != defaultTerminationLog {
		flags |= os.O_CREATE
	}
	file, openErr := os.OpenFile(f.termLog, flags, 0o644)
	if openErr == nil {
		_, openErr = file.WriteString(conclusion(p.Report(), err))
		openErr = errors.Join(openErr, file.Close())
	}
	if openErr != nil && f.termLog != defaultTerminationLog {
		p.say("warning: --termination-log %s: %v", f.termLog, cause(openErr))
	}
}

// conclusion says in maxTerminationLog bytes at most how a run ended: the
// error, what was seen, and each finding with its remedy, the worst first.
func conclusion(r diagnosis.Report, err error) string {
	var lines []string
	var exit *exitError
	if err != nil && (!errors.As(err, &exit) || exit.err != nil) {
		lines = append(lines, err.Error())
	}
	if r.Seen != "" {
		lines = append(lines, r.Seen)
	}
	for i := range r.Findings {
		fd := &r.Findings[i]
		block := fmt.Sprintf("%s %s: %s", fd.Severity, fd.ID, fd.Body)
		if fd.Severity > diagnosis.Info {
			for _, part := range []string{fd.Remedy.Summary, fd.Remedy.Command, fd.Remedy.Manifest} {
				if part != "" {
					block += "\n  " + strings.ReplaceAll(strings.TrimRight(part, "\n"), "\n", "\n  ")
				}
			}
		}
		lines = append(lines, block)
	}
	const more = "...\n"
	var b strings.Builder
	for _, l := range lines {
		if b.Len()+len(l)+1+len(more) > maxTerminationLog {
			if b.Len() == 0 {
				b.WriteString(strings.ToValidUTF8(l[:maxTerminationLog-len(more)-1], "") + "\n")
			}
			b.WriteString(more)
			break
		}
		b.WriteString(l + "\n")
	}
	return b.String()
}
