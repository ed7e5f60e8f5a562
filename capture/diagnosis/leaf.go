package diagnosis

import "strings"

// Class groups leaves by the kind of question; the order is the order of
// evaluation.
type Class uint8

const (
	Permission Class = iota // can we capture at all?
	Nothing                 // is there anything, or are we blind?
	Filter                  // did the user's filter leave it out?
	Direction               // are both halves there?
	Unparsed                // seen, but not parsed: why?
	Quality                 // how good is the capture?
	Mesh                    // what does a mesh's proxy do to what is seen?
	Network                 // what do packets and kernel prove of the network?
	Export                  // does it get out, and what of wiretell itself?
	NumClasses
)

// String returns the class's heading.
func (c Class) String() string {
	return [...]string{"Permission and environment", "Nothing seen", "Filter and port", "Direction and halves",
		"Seen but not parsed", "Quality of the capture", "Mesh and proxies", "Network errors", "Export, clock, self"}[c]
}

// Step is one question of the tree and the answer that leads on to a leaf.
type Step struct{ Question, Answer string }

// Threshold is a number that a leaf compares with: Value over one window, AtEnd
// over a whole run (a capture file may last a tenth of a second). A live run that
// lasted for a window and longer must reach both.
type Threshold struct {
	Name         string
	Unit         string
	Value, AtEnd float64
}

// Key describes one piece of evidence.
type Key struct {
	Name        string
	Description string
	// Volatile says that another value alone is no news: numbers are always
	// volatile, words only when this is set.
	Volatile bool
}

// Leaf is one conclusion of the tree, with all that is to be said about it.
// Texts are templates: {{name}} stands for evidence or a part of the subject
// (port, direction, interface, peer), and what is between [[ and ]] is left out
// when a name in it has no value.
type Leaf struct {
	ID, Title  string
	Class      Class
	Severity   Severity
	Confidence Confidence
	Path       []Step
	Condition  string // what must hold, in words
	Meaning    string
	Guard      string // what it must not be mistaken for, and how that is avoided
	Thresholds []Threshold
	// Raise and Clear count windows. Raise 0 is for facts that are true at once:
	// they are evaluated at every tick, not only when a window ends.
	Raise, Clear int
	Live, File   bool // which kinds of run it applies to
	// Blind says that the leaf needs no captured packet, so that it is evaluated
	// even where wiretell may not capture.
	Blind bool
	// Caveat says that the capture is not whole where the leaf holds, as all of
	// class Quality say: others are to be read with that in mind.
	Caveat bool
	// Once says that the leaf is about a setting: it is published when it is
	// raised and when it changes, without heartbeats.
	Once     bool
	Evidence []Key
	Body     string
	Remedy   Remedy

	check func(v *view, l *Leaf, emit func(hit))
}

// hit is what a leaf's check says of one subject: that the leaf holds, or, with
// quiet set, that nothing was there to judge by. A subject that is not emitted
// does not hold.
type hit struct {
	subject  Subject
	quiet    bool
	evidence []Evidence
	// What differs from the leaf, when sharper is set.
	sharper    bool
	severity   Severity
	confidence Confidence
}

// verdict is what a check says of one port.
type verdict uint8

const (
	absent verdict = iota // the leaf does not hold
	quiet                 // nothing was there to judge by
	holds
	mild // it holds, but is no more than information
)

// portCheck makes the check of a leaf that looks at each server port by itself.
// Evidence is only looked at when the leaf holds.
func portCheck(judge func(v *view, l *Leaf, p *portView) ([]Evidence, verdict)) func(*view, *Leaf, func(hit)) {
	return func(v *view, l *Leaf, emit func(hit)) {
		for i := range v.ports {
			p := &v.ports[i]
			switch ev, says := judge(v, l, p); says {
			case quiet:
				emit(hit{subject: p.subject(), quiet: true})
			case holds:
				emit(hit{subject: p.subject(), evidence: ev})
			case mild:
				emit(hit{subject: p.subject(), evidence: ev, sharper: true, severity: Info, confidence: l.Confidence})
			}
		}
	}
}

// threshold returns the number of that name for this view. A name that the leaf
// does not have is a mistake in the table, which a test finds.
func (l *Leaf) threshold(v *view, name string) float64 {
	for _, t := range l.Thresholds {
		if t.Name == name {
			switch {
			case !v.final:
				return t.Value
			case v.Capture.Live && v.running >= v.window:
				// What would be little in a window is less in a long run.
				return max(t.Value, t.AtEnd)
			}
			return t.AtEnd
		}
	}
	panic("diagnosis: leaf " + l.ID + " has no threshold " + name)
}

// Leaves returns the whole tree's leaves in order of evaluation.
func Leaves() []Leaf {
	var all []Leaf
	for _, group := range [...]func() []Leaf{
		permissionLeaves, environmentLeaves, nothingLeaves, filterLeaves, directionLeaves, tlsLeaves, unparsedLeaves, qualityLeaves,
		meshLeaves, networkLeaves, closingLeaves, flowLeaves, icmpLeaves, exportLeaves,
	} {
		all = append(all, group()...)
	}
	return all
}

// LeafByID returns the leaf of that id, in any case of letters.
func LeafByID(id string) (Leaf, bool) {
	for _, l := range Leaves() {
		if strings.EqualFold(l.ID, id) {
			return l, true
		}
	}
	return Leaf{}, false
}
