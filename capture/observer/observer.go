package observer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"time"
	"unsafe"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/defrag"
	"github.com/wiretell/wiretell/capture/dns"
	"github.com/wiretell/wiretell/capture/http1"
	"github.com/wiretell/wiretell/capture/tcp"
	"github.com/wiretell/wiretell/capture/tls"
	"github.com/wiretell/wiretell/capture/wire"
)

// Config says how to observe. The zero value is right for a capture file that
// nobody listens to.
type Config struct {
	// Match selects frames; nil selects all. What it does not select is counted
	// by its headers and not followed.
	Match func(*capture.Frame) bool
	// Local are the addresses of the observed network namespace, for sources
	// that do not tell a packet's direction.
	Local []netip.Prefix
	// Own are wiretell's own sockets; nil when there are none.
	Own *capture.OwnFlows
	// VerifyChecksums leaves segments with a wrong checksum out. Only for
	// sources where the kernel has not looked already.
	VerifyChecksums bool

	TCP   tcp.Config
	HTTP1 http1.Config
	DNS   dns.Config
	// MaxPorts bounds the server ports that are counted apart.
	MaxPorts int

	// Empty and Offer give an empty batch and hand a full one over; Offer
	// reports whether it was taken. Both nil: nobody listens, and no
	// observation is built.
	Empty func() *capture.Batch
	Offer func(*capture.Batch) bool
	// Last takes the place of Offer for the last batch, which holds the final
	// snapshot and is worth waiting for; nil is Offer.
	Last func(*capture.Batch) bool
	// Terse leaves out all observations of what went well (see capture.Book).
	Terse bool
	// SnapshotEvery is the packet time between two snapshots of the counters;
	// 0 makes one at the end alone.
	SnapshotEvery time.Duration
	// Packet is told of each packet and its account in the ledger, for debugging; it
	// keeps nothing of it. nil costs nothing.
	Packet func(*capture.Packet, capture.Entry)
	// Recorder keeps packets for whoever looks into an error; nil keeps none. It
	// sees what Match selects, and needs Empty.
	Recorder Recorder
	// Panicked is told of each failure of a parser, with the function it
	// happened in and never with packet bytes. nil ignores it.
	Panicked func(where string)
}

// Recorder takes what is to be found in capture files afterwards. The spine calls
// it, between [Observer.Run]'s beginning and end.
type Recorder interface {
	// Packet is given each frame before it is observed; p is f decoded. Both are
	// valid until the next call of Observed.
	Packet(f *capture.Frame, p *capture.Packet)
	// Observed is told which observations are new in b: those from index from
	// on. What Packet was given last has been observed wholly.
	Observed(b *capture.Batch, from int)
	// Tick runs what is due at now.
	Tick(now capture.Time)
	// Finish ends and writes what is open.
	Finish()
	// Stats fills s.
	Stats(s *capture.Recording)
}

const (
	// flushAt is how many observations a batch holds before it is handed over.
	flushAt = 512
	// flushText is the same for bytes of text: as many batches wait as the queue
	// takes, and a single target may have 8 KiB.
	flushText = 128 << 10
	// lookEvery is how many packets that the filter leaves out there are to one
	// that is looked at.
	lookEvery = 16
	// tickEvery is the packet time between two runs of the timers.
	tickEvery = 100 * time.Millisecond
	// maxPanics in panicWindow end the run: something is wrong for good.
	maxPanics   = 10
	panicWindow = time.Minute
	// clockStep is how far a packet's time may lie before the last one's until
	// it counts as a step of the clock.
	clockStep = time.Second
)

// ErrInternal is returned by [Observer.Run] when parsers failed so often that
// going on makes no sense.
var ErrInternal = errors.New("observer: parsers failed too often")

// Observer is the spine.
type Observer struct {
	cfg  Config
	src  capture.Source
	book capture.Book

	frame     capture.Frame
	packet    capture.Packet
	decoder   wire.Decoder
	defrag    *defrag.Table
	conns     *tcp.Table
	redirects redirects
	flows     *recentFlows
	dns       *dns.Table
	http1     *http1.Pool
	tls       *tls.Pool
	free      []*session
	heldBack  int // bytes that the sessions hold back; see maxAllHeld
	scratch   capture.ICMPError

	now          capture.Time // the latest time seen
	nextTick     capture.Time
	nextSnapshot capture.Time
	lost         uint64 // observations lost since the last batch that was taken
	unlooked     uint   // packets with payload that the filter left out
	panics       int
	panicsSince  capture.Time
	recorded     int      // of the batch's observations, those that the recorder knows
	running      *session // whose handler is at work, for the recovery
}

// New returns an observer of src.
func New(cfg Config, src capture.Source) *Observer {
	if cfg.MaxPorts == 0 {
		cfg.MaxPorts = 256
	}
	o := &Observer{cfg: cfg, src: src}
	o.decoder.VerifyChecksums = cfg.VerifyChecksums
	o.book.Ports = capture.NewPortTable(cfg.MaxPorts)
	if cfg.Empty != nil {
		o.book.Batch = cfg.Empty()
	}
	o.book.Terse = cfg.Terse
	o.defrag = defrag.New(&o.book)
	if cfg.TCP.Sniff == nil {
		cfg.TCP.Sniff = sniffClient
	}
	cfg.TCP.Called = o.redirects.called
	cfg.TCP.HandlerBytes = int(unsafe.Sizeof(session{})) + http1.ParserBytes
	o.conns = tcp.New(cfg.TCP, &o.book, o.open)
	o.http1 = http1.NewPool(cfg.HTTP1, &o.book)
	o.tls = tls.NewPool(tls.Config{}, &o.book)
	o.redirects.forgotten = &o.book.RedirectsForgotten
	o.flows = newRecentFlows()
	o.dns = dns.New(cfg.DNS, &o.book)
	return o
}

// Run observes until the source ends, then settles every account and hands the
// last batch over. The error is the source's, or [ErrInternal]; the books are
// closed in either case.
func (o *Observer) Run() error {
	var err error
	for err == nil {
		err = o.loop()
	}
	o.settle()
	o.flush(true)
	if err == io.EOF {
		return nil
	}
	return err
}

// Counters returns the spine's counters. They are settled after Run.
func (o *Observer) Counters() *capture.Counters { return &o.book.Counters }

// loop works frame by frame until the source ends or a parser fails; after a
// failure it returns nil and is called again.
func (o *Observer) loop() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = o.recovered(r)
		}
	}()
	for {
		switch err := o.src.Next(&o.frame); err {
		case nil:
			o.one()
		case capture.ErrIdle:
			o.advance(o.frame.Time)
			o.record()
			o.flush(false)
		default:
			return err
		}
	}
}

// one takes one frame through the rooms.
func (o *Observer) one() {
	f, p := &o.frame, &o.packet
	b := &o.book
	o.advance(f.Time)
	b.Ledger[capture.FramesRead]++
	account := o.decoder.Decode(f, p)
	o.count(f, p)
	if o.cfg.Own != nil && (p.Transport == capture.TCP || p.Transport == capture.UDP) && o.cfg.Own.Has(p) {
		b.Ledger[capture.FrameOwnExport]++
		o.told(capture.FrameOwnExport)
		return
	}
	if o.cfg.Match != nil && !o.cfg.Match(f) {
		o.filtered(f, p)
		o.told(capture.FrameFiltered)
		return
	}
	o.told(account)
	if o.cfg.Recorder != nil {
		o.cfg.Recorder.Packet(f, p)
	}
	if account == capture.FragmentsLive {
		o.fragment(p)
	} else {
		b.Ledger[account]++
		o.route(p)
	}
	o.record()
	if b.Batch != nil && (len(b.Batch.Observations) >= flushAt || b.Batch.TextBytes() >= flushText) {
		o.flush(false)
	}
}

// told tells whoever debugs of the packet at hand.
func (o *Observer) told(account capture.Entry) {
	if o.cfg.Packet != nil {
		o.cfg.Packet(&o.packet, account)
	}
}

// record tells the recorder what was observed since it was told last.
func (o *Observer) record() {
	if o.cfg.Recorder == nil {
		return
	}
	o.cfg.Recorder.Observed(o.book.Batch, o.recorded)
	o.recorded = len(o.book.Batch.Observations)
}

// route gives a whole packet to the room of its transport.
func (o *Observer) route(p *capture.Packet) {
	switch p.Transport {
	case capture.TCP:
		o.redirects.restore(&o.frame, p)
		o.conns.Segment(p)
	case capture.UDP:
		o.datagram(p)
	case capture.ICMP:
		o.icmp(p)
	}
}

// count adds the frame to its interface's traffic.
func (o *Observer) count(f *capture.Frame, p *capture.Packet) {
	b := &o.book
	if int(f.Interface) >= len(b.Interfaces) {
		o.growInterfaces(int(f.Interface) + 1)
	}
	if p.Direction == capture.DirectionUnknown && len(o.cfg.Local) > 0 {
		p.Direction = o.direction(p)
	}
	b.Interfaces[f.Interface][p.Direction][p.Transport][p.Network].Add(1, f.WireLen)
	if f.WireLen > len(f.Data) {
		b.Truncated[f.Interface]++
	}
}

func (o *Observer) growInterfaces(n int) {
	b := &o.book
	for len(b.Interfaces) < n {
		b.Interfaces = append(b.Interfaces, capture.InterfaceTraffic{})
		b.Truncated = append(b.Truncated, 0)
	}
}

// direction tells a packet's way by the addresses given as local.
func (o *Observer) direction(p *capture.Packet) capture.Direction {
	src, dst := o.local(p.Flow.Src), o.local(p.Flow.Dst)
	switch {
	case src && dst:
		p.Loopback = true
		return capture.Receive
	case src:
		return capture.Transmit
	case dst:
		return capture.Receive
	}
	return capture.DirectionUnknown
}

func (o *Observer) local(e capture.Endpoint) bool {
	ip := e.IP()
	for _, prefix := range o.cfg.Local {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// filtered books a packet that the user's filter leaves out. Of every sixteenth
// with payload it is looked whether it begins as HTTP does, so that a filter for
// the wrong port can be told, and whether it belongs to a connection that is
// followed, so that one for half of it can; nothing of it is kept.
func (o *Observer) filtered(f *capture.Frame, p *capture.Packet) {
	l := &o.book.Ledger
	l[capture.FrameFiltered]++
	if tagged(f) {
		o.book.FilteredTagged++
	}
	if p.Transport != capture.TCP && p.Transport != capture.UDP {
		return
	}
	port, _ := o.port(p)
	port.Filtered.Add(1, p.WireLen)
	if p.Transport == capture.TCP && len(p.Payload) > 0 {
		if o.unlooked++; o.unlooked%lookEvery != 1 {
			return
		}
		if beginsHTTP(p.Payload) {
			port.FilteredHTTP++
		}
		if port, from := o.conns.Followed(&p.Flow); port != nil {
			port.FilteredWithin[from]++
		}
	}
}

// beginsHTTP reports whether b begins an HTTP/1 message.
func beginsHTTP(b []byte) bool {
	v := http1.Detect(b)
	return v == http1.Request || v == http1.Response
}

// tagged reports whether f has a VLAN tag, still in it or taken off by the kernel.
func tagged(f *capture.Frame) bool {
	const ctag, stag = 0x8100, 0x88a8 // IEEE 802.1Q, 802.1ad
	if f.Tagged || f.Link != capture.LinkEthernet || len(f.Data) < 14 {
		return f.Tagged
	}
	typ := binary.BigEndian.Uint16(f.Data[12:])
	return typ == ctag || typ == stag
}

// fragment gathers fragments, and routes the datagram that one completes.
func (o *Observer) fragment(p *capture.Packet) {
	if !o.defrag.Add(p) {
		return
	}
	b := &o.book
	b.Ledger[capture.DatagramsReassembled]++
	o.decoder.DecodeDatagram(p, p.Fragment.Proto, p.Payload, p.PayloadLen)
	switch p.Transport {
	case capture.TCP:
		b.Ledger[capture.DatagramTCP]++
	case capture.UDP:
		b.Ledger[capture.DatagramUDP]++
	case capture.ICMP:
		b.Ledger[capture.DatagramICMP]++
	default:
		b.Ledger[capture.DatagramOther]++
	}
	o.route(p)
}

// advance moves the spine's time to t and runs what is due.
func (o *Observer) advance(t capture.Time) {
	if t < o.now {
		if o.now.Sub(t) > clockStep {
			o.book.ClockSteps++
			o.now = t
			o.nextTick = t.Add(tickEvery)
			o.nextSnapshot = min(o.nextSnapshot, t.Add(o.cfg.SnapshotEvery))
		}
		return
	}
	o.now = t
	if t >= o.nextTick {
		o.nextTick = t.Add(tickEvery)
		o.conns.Tick(t)
		o.defrag.Tick(t)
		o.dns.Tick(t)
		if o.cfg.Recorder != nil {
			o.cfg.Recorder.Tick(t)
		}
	}
	if o.cfg.SnapshotEvery > 0 && t >= o.nextSnapshot {
		o.nextSnapshot = t.Add(o.cfg.SnapshotEvery)
		o.snapshot(false)
		o.flush(false)
	}
}

// settle ends everything that is live, so that no account holds anything.
func (o *Observer) settle() {
	for done := false; !done; {
		done = o.settleOnce()
	}
	if o.cfg.Recorder != nil {
		o.record()
		o.cfg.Recorder.Finish()
	}
	if o.book.Batch != nil {
		o.snapshot(true)
	}
}

func (o *Observer) settleOnce() (done bool) {
	defer func() {
		if r := recover(); r != nil {
			_ = o.recovered(r)
		}
	}()
	o.defrag.Flush()
	o.conns.Flush(o.now)
	o.dns.Flush(o.now)
	return true
}

// snapshot puts a copy of all counters into the batch.
func (o *Observer) snapshot(final bool) {
	b := o.book.Batch
	if b == nil {
		return
	}
	o.src.Stats(&b.Snapshot.Source)
	// The accounts of this batch, as they will stand once it is taken.
	l := &o.book.Ledger
	n := o.held()
	made, handed := l[capture.ObservationsMade], l[capture.ObservationsHandedOver]
	l[capture.ObservationsMade] += n
	l[capture.ObservationsHandedOver] += n
	o.book.CopyTo(&b.Snapshot)
	l[capture.ObservationsMade], l[capture.ObservationsHandedOver] = made, handed
	b.Snapshot.Time = o.now
	b.Snapshot.Final = final
	if o.cfg.Recorder != nil {
		o.cfg.Recorder.Stats(&b.Snapshot.Recording)
	}
	b.HasSnapshot = true
}

// flush hands the batch over when it holds anything.
func (o *Observer) flush(last bool) {
	b := o.book.Batch
	if b == nil || (len(b.Observations) == 0 && !b.HasSnapshot) {
		return
	}
	o.record()
	o.recorded = 0
	l := &o.book.Ledger
	n := o.held()
	l[capture.ObservationsMade] += n
	offer := o.cfg.Offer
	if last && o.cfg.Last != nil {
		offer = o.cfg.Last
	}
	if offer(b) {
		l[capture.ObservationsHandedOver] += n
		o.lost = 0
		o.book.Batch = nil
		if last {
			return
		}
		o.book.Batch = o.cfg.Empty()
		return
	}
	// The queue is full: this batch is used again, and says what is missing.
	l[capture.ObservationsLost] += n
	o.lost += n
	b.Reset()
	e := b.Lost()
	e.At, e.Observations = o.now, o.lost
}

// held returns how many observations the batch holds, beside the one that says
// how many were lost before.
func (o *Observer) held() uint64 {
	n := uint64(len(o.book.Batch.Observations))
	if o.lost > 0 {
		n--
	}
	return n
}

// recovered puts the connection aside whose parser failed with r, and repairs
// the accounts that the failure left open.
func (o *Observer) recovered(r any) error {
	where := "unknown"
	// Frames: 0 this function, 1 the deferred function, 2 the runtime, 3 what panicked.
	for skip := 2; skip < 12; skip++ {
		pc, _, line, ok := runtime.Caller(skip)
		if !ok {
			break
		}
		name := runtime.FuncForPC(pc).Name()
		if len(name) > 8 && name[:8] == "runtime." {
			continue
		}
		where = fmt.Sprintf("%s:%d", name, line)
		break
	}
	if o.cfg.Panicked != nil {
		o.cfg.Panicked(where)
	}
	if s := o.running; s != nil {
		s.quarantine()
		o.running = nil
	}
	o.conns.Abandon(nil) // what the failure interrupted is finished
	l := &o.book.Ledger
	repair(l, "delivered", capture.DeliveredInternal)
	repair(l, "requests", capture.RequestsUnanswered)
	repair(l, "responses", capture.ResponsesOrphan)
	if o.now.Sub(o.panicsSince) > panicWindow {
		o.panics, o.panicsSince = 0, o.now
	}
	if o.panics++; o.panics > maxPanics {
		return fmt.Errorf("%w: the last in %s", ErrInternal, where)
	}
	return nil
}

// repair books what is missing on the right of a line to account.
func repair(l *capture.Ledger, line string, account capture.Entry) {
	for _, i := range l.Check() {
		if i.Line == line && i.Left > i.Right {
			l[account] += i.Left - i.Right
		}
	}
}
