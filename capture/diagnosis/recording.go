package diagnosis

import (
	"fmt"
	"strings"

	"github.com/wiretell/wiretell/capture"
)

// recorded returns how many files had that outcome in the span.
func (v *view) recorded(outcome capture.RecordingOutcome) uint64 {
	if v.Snapshot == nil {
		return 0
	}
	return less(v.Snapshot.Recording.Files[outcome], v.base.Recording.Files[outcome])
}

func recordingFailsLeaf() Leaf {
	return Leaf{
		ID: "REC-01", Title: "Recordings cannot be written", Class: Export, Severity: Warning, Confidence: Certain,
		Path:      []Step{{"Does it get out?", "not the recordings"}, {"Does the directory take files?", "no"}},
		Condition: "a file of --record could not be written",
		Meaning:   "The packets of errors are lost; events name files that do not exist. All else goes on.",
		Guard:     "None: it is the system's own answer. Whether the directory can be written at all is tried at the start.",
		Raise:     1, Clear: 3, Live: true, File: true,
		Evidence: []Key{{Name: "failed", Description: "files that could not be written"}, {Name: "written", Description: "files written in the same time"}, {Name: "error", Description: "the last error", Volatile: true}},
		Body:     "{{failed recording|recordings}} could not be written: {{error}}.",
		Remedy: Remedy{Summary: "Make room on the volume, or keep fewer files.", Command: "wiretell run --record DIR --record-bytes 20971520",
			Manifest: "volumes:\n- name: recordings\n  emptyDir: {sizeLimit: 200Mi}\n"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			if n := v.recorded(capture.RecordingFailed); n > 0 {
				emit(hit{evidence: []Evidence{number("failed", n), number("written", v.recorded(capture.RecordingWritten)), text("error", clean160(v.Snapshot.Recording.LastError))}})
			}
		},
	}
}

func recordingBoundLeaf() Leaf {
	return Leaf{
		ID: "REC-02", Title: "Not every error is recorded", Class: Export, Severity: Info, Confidence: Certain,
		Path:      []Step{{"Does it get out?", "not every recording"}, {"Does the directory take files?", "yes, fewer than there are errors"}},
		Condition: "errors came faster than files are begun or written",
		Meaning:   "Live, wiretell begins ten files a second in the long run, and lets go what the disk is too slow for: a storm of errors must not become one of files.",
		Guard:     "None: wiretell's own count. Events and metrics are complete.",
		Raise:     1, Clear: 3, Live: true, File: true,
		Evidence: []Key{{Name: "left_out", Description: "recordings that were not made"}, {Name: "written", Description: "files written in the same time"}, {Name: "reasons", Description: "why, with the number of each"}},
		Body:     "{{left_out recording|recordings}} {{left_out: was|were}} left out ({{reasons}}), {{written file|files}} written.",
		Remedy:   Remedy{Summary: "Select the errors that are worth a file.", Command: "wiretell run --record DIR --select 'kind == \"tcp\" and server.port == 8080'"},
		check: func(v *view, _ *Leaf, emit func(hit)) {
			var n uint64
			var reasons []string
			for _, outcome := range [...]capture.RecordingOutcome{capture.RecordingLimited, capture.RecordingQueueFull} {
				if m := v.recorded(outcome); m > 0 {
					n += m
					reasons = append(reasons, fmt.Sprintf("%s %d", outcome, m))
				}
			}
			if n > 0 {
				emit(hit{evidence: []Evidence{number("left_out", n), number("written", v.recorded(capture.RecordingWritten)), text("reasons", strings.Join(reasons, ", "))}})
			}
		},
	}
}
