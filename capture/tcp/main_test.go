package tcp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// rig is a Table with a Handler that writes down what it is told.
type rig struct {
	t     testing.TB
	book  *capture.Book
	table *Table
	now   capture.Time
	calls []string // "client data 0 \"...\"", "server gap 10 5 gap", "client end fin"
	bytes [2][]byte
	opens int
}

type follower struct {
	r      *rig
	offset [2]uint64
	ended  [2]bool
}

var (
	clientAddr = netip.MustParseAddrPort("10.0.0.1:40000")
	serverAddr = netip.MustParseAddrPort("10.0.0.2:80")
)

func newRig(t testing.TB, cfg Config) *rig {
	r := &rig{t: t, now: 1_700_000_000e9, book: &capture.Book{Batch: new(capture.Batch)}}
	r.book.Ports = capture.NewPortTable(100)
	r.table = New(cfg, r.book, func(c *capture.Conn, _ *capture.Quality, port *capture.PortStats) capture.Handler {
		r.opens++
		if port == nil || port.Port != c.Server.Port {
			t.Errorf("opened %v with port %v", c, port)
		}
		return &follower{r: r}
	})
	return r
}

func (f *follower) Data(at capture.Mark, from capture.Side, b []byte) {
	if at.Offset != f.offset[from] {
		f.r.t.Errorf("%v data at offset %d, want %d", from, at.Offset, f.offset[from])
	}
	if len(b) == 0 {
		f.r.t.Error("empty data")
	}
	if f.ended[from] {
		f.r.t.Errorf("%v data after its end", from)
	}
	f.offset[from] += uint64(len(b))
	f.r.bytes[from] = append(f.r.bytes[from], b...)
	f.r.calls = append(f.r.calls, fmt.Sprintf("%v %d %q", from, at.Offset, b))
}

func (f *follower) Gap(at capture.Mark, from capture.Side, n int, why capture.Reason) {
	if at.Offset != f.offset[from] {
		f.r.t.Errorf("%v gap at offset %d, want %d", from, at.Offset, f.offset[from])
	}
	if n <= 0 || f.ended[from] {
		f.r.t.Errorf("%v gap of %d, ended %v", from, n, f.ended[from])
	}
	f.offset[from] += uint64(n)
	f.r.calls = append(f.r.calls, fmt.Sprintf("%v %d gap %d %v", from, at.Offset, n, why))
}

func (f *follower) End(at capture.Mark, from capture.Side, why capture.Reason) {
	if f.ended[from] {
		f.r.t.Errorf("%v ended twice", from)
	}
	f.ended[from] = true
	f.r.calls = append(f.r.calls, fmt.Sprintf("%v end %v", from, why))
}

// seg is one segment of a script. Sequence numbers are relative to the
// script's initial ones, so that 1 is the first byte of payload.
type seg struct {
	from     capture.Side
	flags    string // of "SAFRPU"
	seq, ack uint32
	data     string
	cut      int           // bytes that the capture cut off the payload
	after    time.Duration // since the one before; 1 ms when 0
	win      int           // window, 65535 when 0, 0 when negative
	opt      func(*capture.Packet)
}

const (
	cl = capture.Client
	sv = capture.Server
)

// bases are the initial sequence numbers of client and server.
var bases = [2]uint32{1000, 77000}

func (r *rig) packet(s seg, isn [2]uint32) *capture.Packet {
	p := &capture.Packet{Network: capture.IPv4, Transport: capture.TCP, Interface: 3}
	p.Flow = capture.Flow{Src: capture.EndpointOf(clientAddr), Dst: capture.EndpointOf(serverAddr)}
	p.Direction = capture.Receive
	if s.from == sv {
		p.Flow, p.Direction = p.Flow.Reverse(), capture.Transmit
	}
	for i, f := range "FSRPAU" {
		if strings.ContainsRune(s.flags, f) {
			p.TCP.Flags |= 1 << i
		}
	}
	p.TCP.Seq = isn[s.from] + s.seq
	if p.TCP.Flags.Has(capture.ACK) {
		p.TCP.Ack = isn[s.from.Other()] + s.ack
	}
	p.TCP.Window = 65535
	if s.win != 0 {
		p.TCP.Window = uint16(max(s.win, 0))
	}
	p.Payload = []byte(s.data)[:len(s.data)-s.cut]
	p.PayloadLen = len(s.data)
	if s.after == 0 {
		s.after = time.Millisecond
	}
	r.now = r.now.Add(s.after)
	p.Time = r.now
	if s.opt != nil {
		s.opt(p)
	}
	return p
}

// feed gives one packet to the table and checks the books.
func (r *rig) feed(p *capture.Packet) {
	r.t.Helper()
	r.book.Ledger[capture.FrameTCP]++
	r.table.Segment(p)
	r.check()
}

// check checks the ledger's lines that are this room's.
func (r *rig) check() {
	r.t.Helper()
	l := &r.book.Ledger
	for _, line := range capture.Lines {
		if !slices.Contains([]string{"segments", "bytes", "connections"}, line.Name) {
			continue
		}
		if left, right := l.Sum(line.Left), l.Sum(line.Right); left != right {
			r.t.Fatalf("ledger line %s: %d on the left, %d on the right", line.Name, left, right)
		}
	}
	if r.table.pool.allocated > r.table.cfg.MaxBuffered {
		r.t.Fatalf("%d bytes of buffers, bound %d", r.table.pool.allocated, r.table.cfg.MaxBuffered)
	}
}

func (r *rig) play(script []seg) {
	r.t.Helper()
	for _, s := range script {
		r.feed(r.packet(s, bases))
	}
}

func (r *rig) tick(d time.Duration) {
	r.t.Helper()
	for end := r.now.Add(d); r.now < end; {
		r.now = min(end, r.now.Add(500*time.Millisecond))
		r.table.Tick(r.now)
		r.check()
	}
}

func (r *rig) flush() {
	r.t.Helper()
	r.table.Flush(r.now)
	r.check()
	for _, e := range []capture.Entry{capture.SegmentsLive, capture.BytesLive, capture.ConnsLive} {
		if n := r.book.Ledger[e]; n != 0 {
			r.t.Errorf("%v: %d live after Flush", e, n)
		}
	}
	if r.table.used != 0 || r.table.pool.inUse != 0 || len(r.table.holes.free) != len(r.table.holes.all) || len(r.table.pieces.free) != len(r.table.pieces.all) {
		r.t.Errorf("after Flush: %d connections, %d bytes, %d of %d holes, %d of %d pieces", r.table.used, r.table.pool.inUse,
			len(r.table.holes.free), len(r.table.holes.all), len(r.table.pieces.free), len(r.table.pieces.all))
	}
	for _, open := range r.book.TCP.Open {
		if open != [capture.NumTCPStates]uint64{} {
			r.t.Errorf("open connections after Flush: %v", r.book.TCP.Open)
		}
	}
}

// observed renders the observations in one word each.
func (r *rig) observed() []string {
	var out []string
	for _, o := range r.book.Batch.Observations {
		switch o := o.(type) {
		case *capture.ConnOpened:
			out = append(out, fmt.Sprintf("opened %v", o.Handshake))
		case *capture.ConnFailed:
			out = append(out, fmt.Sprintf("failed %v after %d in %v", o.Why, o.Attempts, o.Elapsed))
		case *capture.ConnReset:
			out = append(out, fmt.Sprintf("reset by %v in %v", o.By, o.Phase))
		case *capture.ConnStuck:
			s := fmt.Sprintf("stuck %v: %v in %v", o.Kind, o.Side, o.State)
			if o.Cause != capture.CauseNone {
				s += fmt.Sprintf(", %v, %d bytes, %d held", o.Cause, o.Bytes, o.Held)
			}
			out = append(out, s)
		case *capture.ConnClosed:
			out = append(out, fmt.Sprintf("closed %v %d/%d", o.Why, o.Bytes[0], o.Bytes[1]))
		default:
			out = append(out, fmt.Sprintf("%T", o))
		}
	}
	return out
}

var handshake = []seg{{from: cl, flags: "S"}, {from: sv, flags: "SA", ack: 1}, {from: cl, flags: "A", seq: 1, ack: 1}}

// after3 is the usual handshake and then more.
func after3(more ...seg) []seg { return append(slices.Clone(handshake), more...) }
