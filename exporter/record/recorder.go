package record

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/pcap"
	"github.com/wiretell/wiretell/exporter"
)

// Config says what to record. Dir and Source must be set.
type Config struct {
	Dir string
	// Source tells the names of the interfaces.
	Source capture.Source
	// Select says which errors are recorded; nil all.
	Select exporter.Selector
	// All records every packet instead of those of errors.
	All bool
	// Payload keeps what stands behind the transport header.
	Payload bool
	// Memory is the most bytes of packets that are remembered, and once more
	// that of files in the making; a file holds a quarter of it at most.
	// From MinMemory to MaxMemory; 0 is DefaultMemory.
	Memory int
	// Follow is how long a connection is recorded after its latest error;
	// negative not at all, 0 is DefaultFollow.
	Follow time.Duration
	// The bounds of the directory: files, their bytes, and the age since they
	// were written. The oldest files that wiretell wrote are deleted; 0 is no bound.
	Files int
	Bytes int64
	Age   time.Duration
	// Wait makes the caller wait for the disk, and records every error: for the
	// reading of capture files.
	Wait bool
}

// Defaults, and bounds that are not configured.
const (
	DefaultMemory = 8 << 20
	MinMemory     = 1 << 20
	MaxMemory     = 1 << 30
	DefaultFollow = 10 * time.Second

	// linger is how long the packets of a connection that has ended are recorded.
	linger = time.Second
	// maxOpen is how many files are in the making at once.
	maxOpen = 512
	// perSecond files are begun in the long run, burst at once.
	perSecond = 10
	burst     = 100
	// rollEvery is the packet time after which the next file of all packets begins.
	rollEvery = time.Minute
	// finishWithin is how long the end of a live capture waits for the disk.
	finishWithin = 3 * time.Second
)

// Recorder records. It implements the observer's Recorder: one goroutine, the
// spine's, calls it.
type Recorder struct {
	cfg   Config
	ring  *ring
	store *store
	open  map[uint64]*file
	begun []*file // in this call of Observed
	spare []*file
	all   *file // with Config.All
	bytes int   // of the files in the making
	stats capture.Recording
	src   capture.SourceStats
	out   capture.Frame

	now    capture.Time
	tokens float64
	paid   capture.Time // the tokens are of

	// The packet at hand, until Observed.
	frame   *capture.Frame
	keep    int
	key     uint64 // 0: it is of no conversation
	icmp    bool   // it is to be told which conversation it is about
	follows *file
}

// file is a capture file in the making.
type file struct {
	name      string
	key       uint64
	fragments uint64 // key of the fragments between the two ends
	start     capture.Time
	until     capture.Time
	ended     bool // the connection has
	about     string
	trace     string
	errors    []string
	buf       *bytes.Buffer
	w         *pcap.Writer
}

// New makes the directory if it has to, takes it for its own and returns a
// Recorder. An error says why the directory cannot be used. The caller ends
// with Finish.
func New(cfg Config) (*Recorder, error) {
	if cfg.Memory == 0 {
		cfg.Memory = DefaultMemory
	}
	if cfg.Follow == 0 {
		cfg.Follow = DefaultFollow
	}
	if cfg.Memory < MinMemory || cfg.Memory > MaxMemory {
		return nil, errors.New("record: too little memory, or too much")
	}
	s, err := openStore(cfg.Dir, bounds{files: cfg.Files, bytes: cfg.Bytes, age: cfg.Age, queue: cfg.Memory})
	if err != nil {
		return nil, err
	}
	r := &Recorder{cfg: cfg, store: s, open: make(map[uint64]*file), tokens: burst}
	r.stats.Memory = 2 * cfg.Memory
	size := 90
	if cfg.Payload {
		size = 600
	}
	memory := cfg.Memory
	if cfg.All { // nothing is looked for
		memory = 1 << 10
		r.stats.Memory = cfg.Memory
	}
	r.ring = newRing(memory, size, !cfg.Wait)
	return r, nil
}

// Packet implements the observer's Recorder.
func (r *Recorder) Packet(f *capture.Frame, p *capture.Packet) {
	r.now = f.Time
	r.frame, r.keep, r.key, r.icmp, r.follows = f, len(f.Data), 0, false, nil
	if !r.cfg.Payload {
		r.keep = headers(f, p)
	}
	syn := false
	switch {
	case p.IsFragment:
		r.key = r.fragments(&p.Flow)
	case p.Transport == capture.TCP:
		r.key = r.ring.key(capture.TCP, &p.Flow)
		syn = p.TCP.Flags&(capture.SYN|capture.ACK) == capture.SYN
	case p.Transport == capture.UDP:
		r.key = r.ring.key(capture.UDP, &p.Flow)
	case p.Transport == capture.ICMP:
		r.icmp = true
	}
	if r.cfg.All {
		r.roll()
		return
	}
	if r.key == 0 {
		return
	}
	r.ring.add(f, r.keep, r.key, syn)
	if len(r.open) == 0 {
		return
	}
	if !p.IsFragment {
		r.follow(syn)
		return
	}
	for _, o := range r.open {
		if o.fragments == r.key {
			r.write(o, r.current(), "")
		}
	}
}

// fragments names what the fragments between two hosts share: only the first of
// a datagram tells its ports.
func (r *Recorder) fragments(f *capture.Flow) uint64 {
	return r.ring.key(capture.TransportNone, &capture.Flow{Src: capture.Endpoint{Addr: f.Src.Addr}, Dst: capture.Endpoint{Addr: f.Dst.Addr}})
}

// follow looks whether a file of the packet's conversation is in the making.
func (r *Recorder) follow(syn bool) {
	o := r.open[r.key]
	if o != nil && o.ended && syn {
		r.close(o) // the next connection between the same ends
		return
	}
	r.follows = o
}

// roll sees to the file of all packets that the packet at hand goes into.
func (r *Recorder) roll() {
	if o := r.all; o != nil && (r.now >= o.until || r.now < o.start || o.buf.Len() >= r.cfg.Memory/4) {
		r.close(o)
	}
	if r.all == nil {
		r.all = r.take()
		*r.all = file{name: name(r.now, nil, "all"), start: r.now, until: r.now.Add(rollEvery), about: "all packets", buf: r.all.buf, w: r.all.w}
		r.head(r.all, 0)
	}
	r.follows = r.all
}

// Observed implements the observer's Recorder.
func (r *Recorder) Observed(b *capture.Batch, from int) {
	for _, o := range b.Observations[from:] {
		r.observed(b, o)
	}
	for _, f := range r.begun {
		r.begin(f)
	}
	if f := r.follows; f != nil && r.frame != nil {
		r.frameOf(f)
	}
	r.begun = r.begun[:0]
	r.frame, r.follows, r.icmp, r.key = nil, nil, false, 0
	if len(r.open) > 0 && r.bytes > r.cfg.Memory {
		r.relieve()
	}
}

// frameOf writes the packet at hand into f, with a comment when it showed errors.
func (r *Recorder) frameOf(f *file) {
	if slices.Contains(r.begun, f) {
		return // begin took it out of the ring
	}
	comment := ""
	if len(f.errors) > 0 {
		comment = commentOf(f)
		f.errors = f.errors[:0]
	}
	r.write(f, r.current(), comment)
}

// current returns the packet at hand as it is kept. It is valid until the next call.
func (r *Recorder) current() *capture.Frame {
	r.out = *r.frame
	r.out.Data = r.frame.Data[:r.keep]
	r.out.WireLen = max(r.frame.WireLen, len(r.frame.Data))
	return &r.out
}

func (r *Recorder) observed(b *capture.Batch, o capture.Observation) {
	icmp, isICMP := o.(*capture.ICMPError)
	if isICMP && r.icmp {
		r.icmp = false
		r.hit(icmp)
	}
	key := r.keyOf(o)
	if over(o) {
		if f := r.open[key]; f != nil {
			defer f.end(r.now)
		}
	}
	word := exporter.Failure(o)
	ex, isExchange := o.(*capture.Exchange)
	switch {
	case word != "":
	case isICMP: // it harms nothing, and is an error all the same
		word = "icmp"
	case isExchange && ex.Status >= 400 && r.cfg.Select != nil:
		word = strconv.Itoa(ex.Status)
	default:
		return
	}
	if r.cfg.Select != nil && !r.cfg.Select.Observation(o) {
		return
	}
	f := r.all
	if !r.cfg.All {
		f = r.file(o, key, word)
	}
	if f == nil {
		return
	}
	b.Record(o, f.name)
	if f != r.all || key == r.key {
		f.errors = append(f.errors, describe(o, word))
	}
	if isExchange && f.trace == "" {
		f.trace = exporter.TraceID(ex.TraceParent)
	}
	switch {
	case f == r.all || f.ended:
	case over(o):
		f.end(r.now)
	default:
		f.until = max(f.until, r.now.Add(max(r.cfg.Follow, 0)))
	}
}

// hit adds the ICMP message at hand to the conversation that it quotes.
func (r *Recorder) hit(e *capture.ICMPError) {
	r.key = r.keyOf(e)
	if r.cfg.All {
		return
	}
	r.ring.add(r.frame, r.keep, r.key, false)
	r.follows = r.open[r.key]
}

// over reports whether o is the last that is said of its conversation.
func over(o capture.Observation) bool {
	switch o.(type) {
	case *capture.ConnClosed, *capture.ConnFailed, *capture.ConnReset, *capture.DNSLookup:
		return true
	}
	return false
}

// end keeps f for what is still under way.
func (f *file) end(now capture.Time) {
	if !f.ended {
		f.ended, f.until = true, now.Add(linger)
	}
}

// keyOf names the conversation that o is about, 0 for none.
func (r *Recorder) keyOf(o capture.Observation) uint64 {
	switch o := o.(type) {
	case *capture.ICMPError:
		if o.QuotedTransport == capture.TransportNone {
			return r.ring.key(capture.ICMP, &capture.Flow{Src: o.From, Dst: o.To})
		}
		return r.ring.key(o.QuotedTransport, &o.Quoted)
	case *capture.DNSLookup:
		return r.ring.key(capture.UDP, &capture.Flow{Src: o.Client, Dst: o.Server})
	}
	if c := exporter.ConnOf(o); c != nil {
		return r.ring.key(capture.TCP, &capture.Flow{Src: c.Client, Dst: c.Server})
	}
	return 0
}

// file returns the file that o's packets go to, nil when there is to be none.
func (r *Recorder) file(o capture.Observation, key uint64, word string) *file {
	if f := r.open[key]; f != nil {
		return f
	}
	if !r.allowed() {
		r.stats.Files[capture.RecordingLimited]++
		return nil
	}
	if len(r.open) >= maxOpen {
		r.relieve()
	}
	f := r.take()
	flow, start, about := subject(o)
	*f = file{
		name: name(r.now, &flow, word), key: key, fragments: r.fragments(&flow), start: start, until: r.now.Add(max(r.cfg.Follow, 0)),
		about: about, errors: f.errors[:0], buf: f.buf, w: f.w,
	}
	r.open[key] = f
	r.begun = append(r.begun, f)
	return f
}

// allowed takes a token, if there is one.
func (r *Recorder) allowed() bool {
	if r.cfg.Wait {
		return true
	}
	if r.now > r.paid {
		r.tokens = min(burst, r.tokens+r.now.Sub(r.paid).Seconds()*perSecond)
	}
	r.paid = r.now
	if r.tokens < 1 {
		return false
	}
	r.tokens--
	return true
}

func (r *Recorder) take() *file {
	if n := len(r.spare); n > 0 {
		f := r.spare[n-1]
		r.spare = r.spare[:n-1]
		f.buf = r.store.buffer()
		return f
	}
	return &file{buf: r.store.buffer(), w: pcap.NewWriter(new(bytes.Buffer))}
}

// head begins f's file. gone is how many packets are missing at its beginning.
func (r *Recorder) head(f *file, gone uint64) {
	f.w.Reset(f.buf)
	r.cfg.Source.Stats(&r.src)
	f.w.Interfaces(r.src.Interfaces)
	f.w.Comment(commentOfFile(f, gone, r.cfg.Payload))
	_ = f.w.Flush() // to memory
	r.bytes += f.buf.Len()
}

// begin takes what the ring has of f's conversation.
func (r *Recorder) begin(f *file) {
	room := r.cfg.Memory / 4
	list, gone := r.ring.find(f.key, f.start, room)
	r.stats.Missing += gone
	if len(list) > 0 {
		list = slices.Clone(list)
		pieces, _ := r.ring.find(f.fragments, f.start, room)
		pieces = slices.DeleteFunc(slices.Clone(pieces), func(i uint64) bool { return i < list[0] })
		list = slices.Concat(list, pieces)
		slices.Sort(list)
	}
	r.head(f, gone)
	comment := commentOf(f)
	f.errors = f.errors[:0]
	for i, at := range list {
		text := ""
		if i == len(list)-1 && r.frame != nil && r.key == f.key { // the packet at hand
			text = comment
		}
		r.ring.frame(at, &r.out)
		r.write(f, &r.out, text)
	}
}

// write adds a packet to f, and ends f when it is large enough.
func (r *Recorder) write(f *file, p *capture.Frame, comment string) {
	if f.buf == nil {
		return // ended meanwhile
	}
	n := f.buf.Len()
	_ = f.w.Write(p, comment) // to memory
	r.bytes += f.buf.Len() - n
	if f != r.all && f.buf.Len() >= r.cfg.Memory/4 {
		r.stats.Ended++
		r.close(f)
	}
}

// relieve ends the file whose time comes first.
func (r *Recorder) relieve() {
	var first *file
	for _, f := range r.open {
		if !slices.Contains(r.begun, f) && (first == nil || f.until < first.until || f.until == first.until && f.name < first.name) {
			first = f
		}
	}
	if first != nil {
		r.stats.Ended++
		r.close(first)
	}
}

// close hands f over.
func (r *Recorder) close(f *file) {
	if f == r.all {
		r.all = nil
	} else {
		delete(r.open, f.key)
	}
	r.bytes -= f.buf.Len()
	if !r.store.put(f.name, f.buf, r.cfg.Wait) {
		r.stats.Files[capture.RecordingQueueFull]++
	}
	f.buf = nil
	r.spare = append(r.spare, f)
}

// Tick implements the observer's Recorder.
func (r *Recorder) Tick(now capture.Time) {
	r.now = now
	if f := r.all; f != nil && (now >= f.until || now < f.start) {
		r.close(f)
	}
	if len(r.open) == 0 {
		return
	}
	var due []*file
	for _, f := range r.open {
		if now >= f.until || now.Add(r.cfg.Follow+linger+time.Minute) < f.until { // or the clock was set back
			due = append(due, f)
		}
	}
	r.closeAll(due)
}

// closeAll closes files in the order of their names, which is that of their errors.
func (r *Recorder) closeAll(list []*file) {
	slices.SortFunc(list, func(a, b *file) int { return cmp.Compare(a.name, b.name) })
	for _, f := range list {
		r.close(f)
	}
}

// Finish implements the observer's Recorder.
func (r *Recorder) Finish() {
	var list []*file
	for _, f := range r.open {
		list = append(list, f)
	}
	if r.all != nil {
		list = append(list, r.all)
	}
	r.closeAll(list)
	within := finishWithin
	if r.cfg.Wait {
		within = 0
	}
	r.store.close(within)
}

// Stats implements the observer's Recorder.
func (r *Recorder) Stats(s *capture.Recording) {
	*s = r.stats
	r.store.stats(s)
}
