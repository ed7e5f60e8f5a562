package diagnosis

import (
	"encoding/json"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// Report is what the tree says at one time, for programs; Summary.Text is the
// same for people.
type Report struct {
	Time time.Time
	Summary
	// Seen says in one line what was read.
	Seen string
	// Findings hold at that time, the worst first.
	Findings []Finding
}

// NewReport makes a report of the findings that hold; it keeps nothing of in.
func NewReport(at capture.Time, in Input, findings []Finding) Report {
	return Report{Time: at.Std(), Summary: Summarize(in, findings), Seen: seenLine(in), Findings: worstFirst(findings)}
}

// MarshalJSON gives {"time", "severity", "useful", "seen", "findings"}.
func (r Report) MarshalJSON() ([]byte, error) {
	findings := r.Findings
	if findings == nil {
		findings = []Finding{}
	}
	return json.Marshal(struct {
		Time     time.Time `json:"time"`
		Severity string    `json:"severity"` // of the worst finding
		Useful   bool      `json:"useful"`   // at least one HTTP message was read
		Seen     string    `json:"seen"`
		Findings []Finding `json:"findings"`
	}{r.Time, r.Worst.String(), r.Useful, r.Seen, findings})
}

// MarshalJSON gives the finding under the words of its log record, without
// their prefix.
func (f Finding) MarshalJSON() ([]byte, error) {
	type subject struct {
		Interface string `json:"interface,omitempty"`
		Port      uint16 `json:"port,omitempty"`
		Direction string `json:"direction,omitempty"`
		Peer      string `json:"peer,omitempty"`
	}
	type remedy struct {
		Summary  string `json:"summary,omitempty"`
		Command  string `json:"command,omitempty"`
		Manifest string `json:"manifest,omitempty"`
		URL      string `json:"url,omitempty"`
	}
	s := subject{Interface: f.Subject.Interface, Port: f.Subject.Port}
	switch f.Subject.Direction {
	case capture.Receive:
		s.Direction = "receive"
	case capture.Transmit:
		s.Direction = "transmit"
	}
	if f.Subject.Peer.IsValid() {
		s.Peer = f.Subject.Peer.String()
	}
	evidence := make(map[string]any, len(f.Evidence))
	for _, e := range f.Evidence {
		evidence[e.Key] = e.Value
	}
	return json.Marshal(struct {
		ID         string         `json:"id"`
		Title      string         `json:"title"`
		Severity   string         `json:"severity"`
		Confidence string         `json:"confidence"`
		Since      time.Time      `json:"since,omitzero"`
		Subject    subject        `json:"subject"`
		Body       string         `json:"body"`
		Path       []string       `json:"path"`
		Evidence   map[string]any `json:"evidence"`
		Caveats    []string       `json:"caveats,omitempty"`
		Remedy     remedy         `json:"remedy"`
	}{f.ID, f.Title, f.Severity.String(), f.Confidence.String(), f.since(), s, f.Body, f.Path, evidence, f.Caveats,
		remedy{f.Remedy.Summary, f.Remedy.Command, f.Remedy.Manifest, f.Remedy.URL}})
}

func (f *Finding) since() time.Time {
	if f.Since == 0 {
		return time.Time{}
	}
	return f.Since.Std()
}
