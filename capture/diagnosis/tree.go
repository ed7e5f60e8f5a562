package diagnosis

import (
	"cmp"
	"slices"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// Config sets the tree's pace and bounds; zero fields take the default.
type Config struct {
	Window    time.Duration // what one evaluation looks at; 30 s
	Heartbeat time.Duration // how often a finding that holds is said again; 10 min
	// Quiet is after how many windows that prove nothing a finding is let go; 20.
	Quiet int
	// Subjects bounds how many findings of one leaf may hold at once; 64.
	Subjects int
}

func (c *Config) defaults() {
	if c.Window <= 0 {
		c.Window = 30 * time.Second
	}
	if c.Heartbeat <= 0 {
		c.Heartbeat = 10 * time.Minute
	}
	if c.Quiet <= 0 {
		c.Quiet = 20
	}
	if c.Subjects <= 0 {
		c.Subjects = 64
	}
}

// Tree evaluates the leaves over time. Call Tick once when the capture begins
// (its Input is what later growth is measured from), then every few seconds.
type Tree struct {
	cfg     Config
	leaves  []Leaf
	entries [][]entry // by leaf, sorted by subject

	begun       bool
	started     capture.Time
	windowStart capture.Time

	base                  capture.Snapshot // at the beginning of the window
	baseKernel, firstKern capture.Kernel
	haveBase, haveFirst   bool
	exports               exportBook

	// The coverage identity needs both figures from one instant.
	coverFirst, coverBase coverage

	seen    *observed
	silence silence
	run     string     // how wiretell is called for what is looked at
	ports   []portView // memory for views
	hits    []hit
}

// entry is what is remembered of a leaf and a subject.
type entry struct {
	hit
	active            bool
	held, missed      int // windows in a row
	idle              int // windows in a row that proved nothing
	since, published  capture.Time
	caveats           []string
	marked, fresh     bool // met in this evaluation; not yet published
	changed, released bool
}

// New returns a tree.
func New(cfg Config) *Tree {
	cfg.defaults()
	leaves := Leaves()
	return &Tree{cfg: cfg, leaves: leaves, entries: make([][]entry, len(leaves)), seen: newObserved()}
}

// Observe takes note of what only observations tell: names, peers, causes. It
// keeps nothing of o's memory.
func (t *Tree) Observe(o capture.Observation) { t.seen.observe(o) }

// Tick evaluates what can be: leaves that are true at once every time, all
// others when a window has ended. It returns what is to be published, in the
// order of the table; the slice is the caller's.
func (t *Tree) Tick(now capture.Time, in Input) []Finding {
	if !t.begun {
		t.begin(now, in)
	}
	closed := now.Sub(t.windowStart) >= t.cfg.Window
	v := t.view(now, &in, closed, false)
	if closed && in.Snapshot != nil {
		t.silence.window(v.idle(), t.cfg.Quiet)
		v.silence = t.silence
	}
	t.evaluate(v, closed)
	out := t.publish(v)
	if closed {
		t.endWindow(now, &in)
	}
	return out
}

// Final evaluates the whole run, without waiting for windows, and returns every
// finding that holds at its end; see [Unsaid]. The tree is not to be used
// afterwards.
func (t *Tree) Final(now capture.Time, in Input) []Finding {
	if !t.begun {
		t.begin(now, in)
	}
	v := t.view(now, &in, true, true)
	t.evaluate(v, true)
	caveats := t.caveats()
	var out []Finding
	for i := range t.leaves {
		for j := range t.entries[i] {
			if e := &t.entries[i][j]; e.active {
				state := Holding
				if e.fresh {
					state = Raised
				}
				said := state == Holding && !e.changed && now.Sub(e.published) < time.Second
				e.caveats = caveatsFor(&t.leaves[i], caveats)
				f := t.finding(i, e, state, now)
				f.said = said
				out = append(out, f)
			}
		}
	}
	return out
}

// Holding returns every finding that holds as of the last Tick, with the
// evidence of its last evaluation. It publishes nothing.
func (t *Tree) Holding(now capture.Time) []Finding {
	caveats := t.caveats()
	var out []Finding
	for i := range t.leaves {
		for j := range t.entries[i] {
			if e := &t.entries[i][j]; e.active {
				f := t.finding(i, e, Holding, now)
				f.Caveats = caveatsFor(&t.leaves[i], caveats)
				out = append(out, f)
			}
		}
	}
	return out
}

// Coverage returns the share of the TCP packets that the kernel says came in
// which were captured, since the start; ok is false when that cannot be told.
func (t *Tree) Coverage(in Input) (share float64, ok bool) {
	c := t.coverSince(t.coverFirst, &in)
	return c.share(), c.known && c.arrived > 0
}

func (t *Tree) begin(now capture.Time, in Input) {
	t.begun, t.started, t.windowStart = true, now, now
	t.exports = exportBook{since: make(map[exportKey]capture.Time)}
	t.exports.endWindow(in.Exports)
	if in.Kernel != nil {
		in.Kernel.CopyTo(&t.firstKern)
		in.Kernel.CopyTo(&t.baseKernel)
		t.haveFirst = true
	}
	t.coverFirst = t.coverSince(coverage{known: true}, &in)
	t.coverBase = t.coverFirst
}

func (t *Tree) endWindow(now capture.Time, in *Input) {
	t.windowStart = now
	if in.Snapshot != nil {
		copySnapshot(&t.base, in.Snapshot)
		t.haveBase = true
	}
	if in.Kernel != nil {
		in.Kernel.CopyTo(&t.baseKernel)
		if !t.haveFirst {
			in.Kernel.CopyTo(&t.firstKern)
			t.haveFirst = true
		}
	}
	now0 := t.coverSince(coverage{known: true}, in)
	if !t.coverFirst.known {
		t.coverFirst = now0
	}
	t.coverBase = now0
	t.exports.endWindow(in.Exports)
	t.seen.endWindow(t.cfg.Quiet)
}

// coverSince returns the growth since from. Before the first snapshot nothing
// was captured.
func (t *Tree) coverSince(from coverage, in *Input) coverage {
	if !from.known || !in.Kernel.Has(capture.KnownTCP) {
		return coverage{}
	}
	c := coverage{arrived: less(in.Kernel.TCP.InSegs, from.arrived), known: true}
	if in.Snapshot != nil {
		dropped := uint64(0)
		for _, r := range in.Snapshot.Source.Rings {
			dropped += r.Drops
		}
		c.captured = less(captured(in.Snapshot)+dropped, from.captured)
	}
	return c
}

// view prepares what the checks see. The ports are only looked at when a window
// has ended: what is true at once does not rest on them.
func (t *Tree) view(now capture.Time, in *Input, closed, final bool) *view {
	if t.run = runLive; !in.Capture.Live {
		t.run = "wiretell read FILE"
	}
	v := &view{Input: *in, now: now, final: final, seen: t.seen, base: &capture.Snapshot{}}
	from := t.windowStart
	if final {
		from = t.started
	} else if t.haveBase {
		v.base = &t.base
	}
	v.seconds = now.Sub(from).Seconds()
	v.running, v.window = now.Sub(t.started).Seconds(), t.cfg.Window.Seconds()
	if in.Snapshot != nil && closed {
		v.ledger = spanLedger(&in.Snapshot.Ledger, &v.base.Ledger)
		t.ports = spanPorts(t.ports[:0], in.Snapshot.Ports, v.base.Ports)
		v.ports = t.ports
		for i := range v.ports {
			p := &v.ports[i]
			p.seen = t.seen.ports[p.PortKey]
			p.did = p.seen.in(v)
		}
	}
	cover := t.coverBase
	if t.haveFirst {
		v.first, v.before = &t.firstKern, &t.baseKernel
		if final {
			v.before, cover = v.first, t.coverFirst
		}
	}
	v.cover = t.coverSince(cover, in)
	v.exports = t.exports.view(now, in.Exports, final)
	return v
}

// evaluate runs the checks. Between the ends of windows only leaves that are
// true at once are looked at.
func (t *Tree) evaluate(v *view, closed bool) {
	denied := false
	for i := range t.leaves {
		l := &t.leaves[i]
		applies := v.Capture.Live && l.Live || !v.Capture.Live && l.File
		if !applies || !closed && l.Raise > 0 || l.patient() && v.brief() {
			t.rate(v, i)
			continue
		}
		t.hits = t.hits[:0]
		switch {
		case l.Blind && !(denied && l.Class == Permission && forbidden(v.Capture.Err)):
			l.check(v, l, t.take)
		case denied: // nothing below can be known: let go of it at once
			t.entries[i] = slices.DeleteFunc(t.entries[i], func(e entry) bool { return !e.active })
			for j := range t.entries[i] {
				t.entries[i][j].missed = l.Clear
			}
		case v.Snapshot != nil:
			l.check(v, l, t.take)
		default:
			continue
		}
		t.apply(v, i, closed)
		if l.Class == Permission && l.Severity == Error && v.Capture.Err != nil && len(t.entries[i]) > 0 {
			denied = true
		}
		t.rate(v, i)
	}
}

// forbidden reports whether the capture is not allowed or not possible here at
// all: the state of the environment then explains nothing. Of a capture that
// ended for another reason (an interface went away) it may.
func forbidden(err error) bool {
	why := refusal(err)
	return why == notPermitted || why == notSupported
}

func (t *Tree) take(h hit) { t.hits = append(t.hits, h) }

// rate notes how bad it is, for the leaves that follow.
func (t *Tree) rate(v *view, leaf int) {
	for j := range t.entries[leaf] {
		e := &t.entries[leaf][j]
		if e.active || v.final && e.marked || e.held > 0 {
			l := &t.leaves[leaf]
			v.worst = max(v.worst, severityOf(l, &e.hit))
			v.explained = v.explained || l.Class == Unparsed || l.Class == Direction || l.Class == Filter
		}
	}
}

// apply moves the entries of one leaf by the hits of this evaluation.
func (t *Tree) apply(v *view, leaf int, closed bool) {
	l, entries := &t.leaves[leaf], t.entries[leaf]
	for j := range entries {
		entries[j].marked = false
	}
	for _, h := range t.hits {
		j, found := slices.BinarySearchFunc(entries, h.subject, func(e entry, s Subject) int { return compareSubjects(e.subject, s) })
		if !found {
			if h.quiet {
				continue
			}
			if len(entries) >= t.cfg.Subjects {
				v.unlisted++
				continue
			}
			entries = slices.Insert(entries, j, entry{hit: h})
		}
		entries[j].marked = true
		entries[j].meet(h, l, v, closed)
	}
	for j := range entries {
		e := &entries[j]
		if e.marked {
			continue
		}
		if v.final && e.active && l.Class != Nothing && l.ID != healthyID {
			continue // it holds now, though not over the whole run
		}
		e.held, e.idle = 0, 0
		e.missed++
		e.released = e.active && (e.missed >= l.Clear || v.final)
	}
	t.entries[leaf] = slices.DeleteFunc(entries, func(e entry) bool { return !e.active && e.held == 0 && !e.fresh })
	if v.final {
		t.entries[leaf] = slices.DeleteFunc(t.entries[leaf], func(e entry) bool { return e.released })
	}
}

// meet takes one hit.
func (e *entry) meet(h hit, l *Leaf, v *view, closed bool) {
	if h.quiet {
		if closed {
			e.idle++
		}
		return
	}
	e.changed = e.changed || e.active && l.differs(&e.hit, &h)
	e.hit = h
	e.missed, e.idle = 0, 0
	e.held++
	if !e.active && (e.held >= l.Raise || v.final) {
		e.active, e.fresh, e.since = true, true, v.now
	}
}

// differs reports whether b concludes something else than a: numbers grow at
// every tick and are no news.
func (l *Leaf) differs(a, b *hit) bool {
	if severityOf(l, a) != severityOf(l, b) || confidenceOf(l, a) != confidenceOf(l, b) {
		return true
	}
	for _, k := range l.Evidence {
		if !k.Volatile && wordOf(a, k.Name) != wordOf(b, k.Name) {
			return true
		}
	}
	return false
}

// wordOf returns the evidence of that name when it is a word or a truth.
func wordOf(h *hit, name string) any {
	for _, e := range h.evidence {
		if e.Key != name {
			continue
		}
		switch e.Value.(type) {
		case string, bool:
			return e.Value
		}
	}
	return nil
}

// publish returns what changed since the last tick, and heartbeats.
func (t *Tree) publish(v *view) []Finding {
	var out []Finding
	caveats := t.caveats()
	for i := range t.leaves {
		own := caveatsFor(&t.leaves[i], caveats)
		for j := range t.entries[i] {
			e := &t.entries[i][j]
			var state State
			switch {
			case !e.active:
				continue
			case e.released || e.idle > t.cfg.Quiet:
				state, e.active = Cleared, false
			case e.fresh:
				state = Raised
			case e.changed || !slices.Equal(e.caveats, own):
				state = Changed
			case v.now.Sub(e.published) >= t.cfg.Heartbeat && !t.leaves[i].Once:
				state = Holding
			default:
				continue
			}
			e.fresh, e.changed, e.released = false, false, false
			e.published, e.caveats = v.now, own
			out = append(out, t.finding(i, e, state, v.now))
		}
		t.entries[i] = slices.DeleteFunc(t.entries[i], func(e entry) bool { return !e.active && e.held == 0 || e.idle > t.cfg.Quiet })
	}
	return out
}

// caveats returns the ids of the leaves that hold and say that the capture is not
// whole.
func (t *Tree) caveats() []string {
	var ids []string
	for i := range t.leaves {
		if l := &t.leaves[i]; l.Class != Quality && !l.Caveat {
			continue
		}
		for j := range t.entries[i] {
			// What is information leaves the capture whole, as packets seen twice do.
			if e := &t.entries[i][j]; e.active && !e.released && severityOf(&t.leaves[i], &e.hit) > Info {
				ids = append(ids, t.leaves[i].ID)
				break
			}
		}
	}
	return ids
}

// caveatsFor returns the caveats that apply to a leaf: those that rest on
// counted packets.
func caveatsFor(l *Leaf, all []string) []string {
	if l.Blind || l.Caveat || l.Class == Quality || l.Class == Permission || l.Class == Export {
		return nil
	}
	return all
}

func (t *Tree) finding(leaf int, e *entry, state State, now capture.Time) Finding {
	l := &t.leaves[leaf]
	evidence := words(&e.hit)
	lookup := func(name string) (string, bool) {
		if name == "run" {
			return t.run, true
		}
		return evidence(name)
	}
	f := Finding{
		ID: l.ID, Title: l.Title, State: state, Severity: severityOf(l, &e.hit), Confidence: confidenceOf(l, &e.hit),
		Subject: e.subject, Body: expand(l.Body, lookup), Evidence: slices.Clone(e.evidence),
		Remedy: Remedy{
			Summary: expand(l.Remedy.Summary, lookup), Command: expand(l.Remedy.Command, lookup),
			Manifest: expand(l.Remedy.Manifest, lookup), URL: l.Remedy.URL,
		},
		Caveats: e.caveats, At: now, Since: e.since,
	}
	for _, s := range l.Path {
		f.Path = append(f.Path, s.Question+" "+s.Answer)
	}
	return f
}

func severityOf(l *Leaf, h *hit) Severity {
	if h.sharper {
		return h.severity
	}
	return l.Severity
}

func confidenceOf(l *Leaf, h *hit) Confidence {
	if h.sharper {
		return h.confidence
	}
	return l.Confidence
}

func compareSubjects(a, b Subject) int {
	return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Interface, b.Interface), a.Peer.Compare(b.Peer))
}
