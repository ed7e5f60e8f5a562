package exporter

import (
	"bytes"
	"hash/maphash"
	"slices"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// Bounds of what waits for its twin, in exchanges and bytes of their text.
const (
	maxHeld      = 4096
	maxHeldBytes = 4 << 20
)

const (
	// holdTime is how long an inner exchange waits, after its end, for the outer
	// one to end.
	holdTime = time.Second
	// skew is how long an outer one waits, after its end, for inner ones: what was
	// captured on loopback and on other interfaces may come out of order by as much
	// as a ring waits until it hands a block over.
	skew = 250 * time.Millisecond
	// scanEvery is the packet time between two looks at what waits.
	scanEvery = 50 * time.Millisecond
)

// Twins recognises exchanges that are seen twice in a pod with the proxy of a
// mesh: between the proxy and other pods, and between the application and its
// proxy. One encloses the other in time:
//
//	inbound   wire [ application ]    the proxy asks the application
//	outbound  application [ wire ]    the application asks the proxy
//
// Both wait here for each other. Where no exchange looks like one of a mesh
// nothing waits, and nothing is copied. The desk's goroutine owns it.
type Twins struct {
	// Count is what it came to so far.
	Count capture.Twins

	seed     maphash.Seed
	inbound  bool // a proxy asks the application
	outbound bool // the application's calls go through a proxy
	fromPod  bool // a proxy is there that asks from the pod's own address

	held    []waiting // in the order they came
	bytes   int       // of their text
	scanned capture.Time
	fits    []*held
	gone    []*held // handed out with the last batch
	free    []*held
	out     []capture.Observation // the batch in the making
	other   bool                  // out is what the batch is to hold
}

// waiting has what tells most of what waits apart.
type waiting struct {
	hash uint64 // of method and target
	*held
}

// held is a copy of an exchange.
type held struct {
	ex         capture.Exchange
	kind       twinKind
	start, end capture.Time
	text       []byte
	recording  string
	taken      bool
}

// twinKind is what an exchange may be to a proxy.
type twinKind uint8

const (
	noTwin        twinKind = iota
	inboundInner           // proxy to application
	inboundOuter           // another pod to proxy
	outboundInner          // proxy to another pod
	outboundOuter          // application to proxy
	eitherTwin             // inboundOuter or outboundInner, in a file that does not tell
)

// outer reports whether what is of kind k may enclose another.
func (k twinKind) outer() bool {
	return k == inboundOuter || k == outboundOuter || k == eitherTwin
}

// NewTwins returns one that knows of no mesh yet.
func NewTwins() *Twins { return &Twins{seed: maphash.MakeSeed()} }

// Know looks for the proxy of a mesh among the listeners, so that the first
// exchanges are recognised, too.
func (t *Twins) Know(k *capture.Kernel) {
	if !k.Has(capture.KnownSockets) {
		return
	}
	for i := range capture.Meshes {
		m, in, out := &capture.Meshes[i], false, false
		for j := range k.Listeners {
			port := k.Listeners[j].Addr.Port
			in, out = in || port == m.Inbound[0], out || port == m.Outbound
		}
		if in && out {
			t.inbound, t.outbound = true, true
			t.fromPod = t.fromPod || m.FromPod
		}
	}
}

// Pair works b over: exchanges of a mesh are taken out and come back, in this
// batch or a later one, inner ones before the outer one; those that have no twin
// come as they were. What it puts into b is valid until the next call.
func (t *Twins) Pair(b *capture.Batch) {
	for _, h := range t.gone {
		*h = held{text: h.text[:0]}
		t.free = append(t.free, h)
	}
	t.gone, t.out, t.other = t.gone[:0], t.out[:0], false
	for i, o := range b.Observations {
		switch o := o.(type) {
		case *capture.ConnOpened:
			t.meet(&o.Conn)
		case *capture.Exchange:
			t.meet(&o.Conn)
			if kind := t.kind(o); kind != noTwin {
				t.change(b, i)
				t.hold(b, o, kind)
				continue
			}
		}
		if t.other {
			t.out = append(t.out, o)
		}
	}
	if b.HasSnapshot && len(t.held) > 0 {
		t.change(b, len(b.Observations))
		t.settle(b, b.Snapshot.Time, b.Snapshot.Final)
	}
	if t.other {
		b.Observations = append(b.Observations[:0], t.out...)
	}
}

// Rest puts what still waits into b.
func (t *Twins) Rest(b *capture.Batch) {
	t.Pair(b)
	t.change(b, len(b.Observations))
	t.settle(b, 0, true)
	b.Observations = append(b.Observations[:0], t.out...)
}

// Waiting returns how many exchanges wait.
func (t *Twins) Waiting() int { return len(t.held) }

// meet learns of a mesh from a connection.
func (t *Twins) meet(c *capture.Conn) {
	switch {
	case c.Client.Passthrough():
		t.inbound = true
	case c.ToProxy():
		t.outbound = true
		for i := range capture.Meshes {
			if m := &capture.Meshes[i]; m.Outbound == c.Server.Port && m.FromPod {
				t.inbound, t.fromPod = true, true
			}
		}
	}
}

// kind tells what ex may be.
func (t *Twins) kind(ex *capture.Exchange) twinKind {
	c := &ex.Conn
	switch {
	case !t.inbound && !t.outbound, !ex.HasRequest:
	case c.ToProxy():
		return outboundOuter
	case c.Client.Passthrough():
		return inboundInner
	case c.Role == capture.RoleBoth:
		if t.fromPod && !c.Client.Loopback() {
			return inboundInner
		}
	case c.Role == capture.RoleClient:
		if t.outbound {
			return outboundInner
		}
	case c.Role == capture.RoleServer:
		if t.inbound {
			return inboundOuter
		}
	default:
		return eitherTwin
	}
	return noTwin
}

// span returns when the first and the last byte of ex was seen, or when it was
// known that no more comes.
func span(ex *capture.Exchange) (start, end capture.Time) {
	end = max(ex.RequestEnd, ex.ResponseEnd, ex.ResponseStart)
	if FailedOnWire(ex) {
		end = max(end, ex.Ended)
	}
	return ex.RequestStart, max(end, ex.RequestStart)
}

// change begins to make the batch anew: its first i observations are as they were.
func (t *Twins) change(b *capture.Batch, i int) {
	if !t.other {
		t.out, t.other = append(t.out[:0], b.Observations[:i]...), true
	}
}

func (t *Twins) hash(ex *capture.Exchange) uint64 {
	h := maphash.Bytes(t.seed, ex.Target)
	return h ^ maphash.Bytes(t.seed, ex.Method)<<1
}

// hold keeps a copy of ex. At a bound the oldest one makes room.
func (t *Twins) hold(b *capture.Batch, ex *capture.Exchange, kind twinKind) {
	h := &held{}
	if n := len(t.free); n > 0 {
		h, t.free = t.free[n-1], t.free[:n-1]
	}
	h.ex, h.kind, h.recording = *ex, kind, b.Recording(ex)
	h.start, h.end = span(ex)
	h.copyText()
	if kind == outboundOuter || ex.Conn.Client.Passthrough() {
		h.ex.Mesh = capture.MeshApplication // whatever becomes of it
	}
	if since := h.end.Sub(t.scanned); since >= scanEvery || since < -holdTime {
		t.settle(b, h.end, false)
	}
	t.held = append(t.held, waiting{t.hash(ex), h})
	t.bytes += len(h.text)
	if len(t.held) > maxHeld || t.bytes > maxHeldBytes {
		t.makeRoom(b)
	}
}

// makeRoom releases the oldest, a sixteenth of what may wait.
func (t *Twins) makeRoom(b *capture.Batch) {
	const most, mostBytes = maxHeld - maxHeld/16, maxHeldBytes - maxHeldBytes/16
	for n, w := range t.held[:len(t.held)-1] {
		if len(t.held)-n <= most && t.bytes <= mostBytes {
			break
		}
		if w.taken || w.kind.outer() && t.pair(b, w) {
			continue
		}
		t.Count.Evicted++
		t.release(b, w.held)
	}
	t.held = slices.DeleteFunc(t.held, taken)
}

// copyText makes the text of h its own.
func (h *held) copyText() {
	ex := &h.ex
	fields := [...]*[]byte{&ex.Method, &ex.Target, &ex.Host, &ex.UserAgent, &ex.TraceParent, &ex.TraceState}
	n := 0
	for _, f := range fields {
		n += len(*f)
	}
	lists := [...]*[]capture.Header{&ex.RequestHeaders, &ex.ResponseHeaders}
	for _, l := range lists {
		for _, f := range *l {
			n += len(f.Name) + len(f.Value)
		}
	}
	if cap(h.text) < n {
		h.text = make([]byte, 0, n)
	}
	own := func(p []byte) []byte {
		if len(p) == 0 {
			return nil
		}
		at := len(h.text)
		h.text = append(h.text, p...)
		return h.text[at:len(h.text):len(h.text)]
	}
	for _, f := range fields {
		*f = own(*f)
	}
	for _, l := range lists {
		if len(*l) == 0 {
			continue
		}
		fs := make([]capture.Header, len(*l))
		for i, f := range *l {
			fs[i] = capture.Header{Name: own(f.Name), Value: own(f.Value)}
		}
		*l = fs
	}
}

// release lets h go on its way.
func (t *Twins) release(b *capture.Batch, h *held) {
	h.taken = true
	t.bytes -= len(h.text)
	t.out = append(t.out, &h.ex)
	if h.recording != "" {
		b.Record(&h.ex, h.recording)
	}
	t.gone = append(t.gone, h)
}

func taken(w waiting) bool { return w.taken }

// settle releases what has waited long enough at now, or all: outer ones with
// those that they enclose.
func (t *Twins) settle(b *capture.Batch, now capture.Time, all bool) {
	t.scanned = now
	due := func(h *held, wait time.Duration) bool {
		// The clock of the capture may step back.
		waited := now.Sub(h.end)
		return all || waited > wait || waited < -holdTime
	}
	for _, w := range t.held {
		if w.taken || !w.kind.outer() || !due(w.held, skew) || t.pair(b, w) {
			continue
		}
		if w.kind == eitherTwin && !all {
			w.kind = outboundInner
			continue
		}
		t.release(b, w.held)
	}
	for _, w := range t.held {
		if !w.taken && due(w.held, holdTime) {
			t.release(b, w.held)
		}
	}
	t.held = slices.DeleteFunc(t.held, taken)
}

// pair releases outer and those that it encloses, and reports whether there
// are any.
func (t *Twins) pair(b *capture.Batch, outer waiting) bool {
	kind, side := inboundInner, capture.MeshApplication
	if outer.kind == outboundOuter {
		kind, side = outboundInner, capture.MeshWire
	}
	best := t.candidates(outer, kind)
	if best == nil {
		return false
	}
	ambiguous := false
	for _, h := range t.fits {
		// Others may be attempts that failed before, or lie farther from the outer
		// one on both sides.
		if h != best && agrees(&h.ex, &outer.ex) && !best.retryOf(h) && !(best.start <= h.start && h.end <= best.end) {
			ambiguous = true
		}
	}
	if outer.kind != outboundOuter {
		outer.ex.Mesh = capture.MeshWire
	}
	for _, h := range t.fits {
		if h != best && (ambiguous || !best.retryOf(h)) {
			continue
		}
		h.ex.Mesh, h.ex.Inner = side, true
		if ambiguous {
			t.Count.Ambiguous++
		} else {
			h.ex.Outer = &outer.ex
			t.Count.Linked++
		}
		t.release(b, h)
	}
	t.release(b, outer.held)
	return true
}

// candidates gathers in t.fits what outer may enclose, and returns the one of
// them that lies closest to it, nil when there is none.
func (t *Twins) candidates(outer waiting, kind twinKind) (best *held) {
	t.fits = t.fits[:0]
	ex, traced := &outer.ex, false
	for _, w := range t.held {
		if w.hash != outer.hash || w.taken || w.held == outer.held || w.kind != kind && (kind != outboundInner || w.kind != eitherTwin) ||
			w.start < outer.start || w.end > outer.end || !bytes.Equal(w.ex.Target, ex.Target) || !bytes.Equal(w.ex.Method, ex.Method) {
			continue
		}
		same, both := sameTrace(&w.ex, ex)
		if both && !same {
			continue
		}
		traced = traced || same
		t.fits = append(t.fits, w.held)
	}
	if traced {
		t.fits = slices.DeleteFunc(t.fits, func(h *held) bool { same, _ := sameTrace(&h.ex, ex); return !same })
	}
	for _, h := range t.fits {
		if agrees(&h.ex, ex) && (best == nil || h.end.Sub(h.start) > best.end.Sub(best.start)) {
			best = h
		}
	}
	return best
}

// traceIDEnd is where the trace id of a traceparent ends (W3C Trace Context,
// section 3.2).
const traceIDEnd = 35

// sameTrace reports whether a and b carry the same trace id, and whether both
// carry any. The parent id is the proxy's to change.
func sameTrace(a, b *capture.Exchange) (same, both bool) {
	if len(a.TraceParent) < traceIDEnd || len(b.TraceParent) < traceIDEnd {
		return false, false
	}
	return bytes.Equal(a.TraceParent[:traceIDEnd], b.TraceParent[:traceIDEnd]), true
}

// agrees reports whether outer may be the answer to inner handed on: a proxy
// answers 5xx in place of one that did not answer, and hands on nothing to who
// has gone away.
func agrees(inner, outer *capture.Exchange) bool {
	return inner.Status == outer.Status || inner.Status == 0 && outer.Status >= 500 || outer.Status == 0
}

// retryOf reports whether h is an attempt after old, which failed.
func (h *held) retryOf(old *held) bool {
	return old != h && old.end <= h.start && (old.ex.Status == 0 || old.ex.Status >= 500 || old.ex.Error != capture.ReasonNone)
}
