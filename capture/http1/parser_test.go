package http1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// packet is one segment of a scripted conversation.
type packet struct {
	from capture.Side
	data string
	end  capture.Reason // ends the side, after data
	lost bool           // never captured: becomes a gap
}

func c(data string) packet { return packet{from: capture.Client, data: data} }
func s(data string) packet { return packet{from: capture.Server, data: data} }
func fin(from capture.Side) packet {
	return packet{from: from, end: capture.ReasonFIN}
}

// rig runs packets through a Parser and checks the ledger after every call.
type rig struct {
	t      testing.TB
	book   *capture.Book
	pool   *Pool
	port   *capture.PortStats
	conn   capture.Conn
	p      *Parser
	next   [2]uint64 // sent by each side
	now    capture.Time
	handed uint64 // bytes given to Data
	ended  [2]bool
	owed   [2]int // bytes lost and not yet told
	// patience is after how many further packets a hole is told; what its side
	// sends meanwhile waits. -1: a hole is told when it is acknowledged or
	// followed by bytes of its side.
	patience int
	handedTo [2]uint64 // offsets up to which data and gaps were told
	waiting  [2][]held
	age      [2]int
	why      capture.Reason
}

// held is a segment behind a hole.
type held struct {
	at   capture.Mark
	data string
}

func newRig(t testing.TB, cfg Config, midstream bool) *rig {
	r := &rig{t: t, book: &capture.Book{Batch: new(capture.Batch)}, port: new(capture.PortStats), now: 1000, why: capture.ReasonGap, patience: -1}
	r.pool = NewPool(cfg, r.book)
	r.conn = capture.Conn{ID: 1, Midstream: midstream}
	r.p = r.pool.Open(&r.conn, nil, r.port)
	return r
}

func (r *rig) balance() {
	r.t.Helper()
	l := &r.book.Ledger
	l[capture.BytesDelivered] = r.handed
	for _, line := range capture.Lines {
		switch line.Name {
		case "delivered", "requests", "responses", "pairs":
			if left, right := l.Sum(line.Left), l.Sum(line.Right); left != right {
				r.t.Fatalf("ledger line %q: %d != %d", line.Name, left, right)
			}
		}
	}
}

// gap tells the hole of a side, and what waited behind it.
func (r *rig) gap(from capture.Side) {
	n := r.owed[from]
	if n == 0 {
		return
	}
	r.owed[from] = 0
	first := r.handedTo[from] + uint64(n)
	r.handedTo[from] = first
	r.p.Gap(capture.Mark{Time: r.now, Offset: first - uint64(n), Acked: r.next[from.Other()]}, from, n, r.why)
	r.balance()
	for _, w := range r.waiting[from] {
		r.data(w.at, from, w.data)
	}
	r.waiting[from] = nil
}

func (r *rig) data(at capture.Mark, from capture.Side, b string) {
	r.handed += uint64(len(b))
	r.handedTo[from] = at.Offset + uint64(len(b))
	r.p.Data(at, from, []byte(b))
	r.balance()
}

func (r *rig) send(p packet) {
	r.now += 1000
	if len(p.data) > 0 {
		for side := range r.owed {
			if r.owed[side] == 0 {
				continue
			}
			r.age[side]++
			// A segment acknowledges all that the other side sent, holes too.
			if r.patience < 0 && (p.from == capture.Side(side).Other() || !p.lost) || r.patience >= 0 && r.age[side] > r.patience {
				r.gap(capture.Side(side))
			}
		}
		at := capture.Mark{Time: r.now, Offset: r.next[p.from], Acked: r.next[p.from.Other()]}
		r.next[p.from] += uint64(len(p.data))
		if p.lost && len(r.waiting[p.from]) > 0 { // one hole at a time
			r.gap(p.from)
		}
		switch {
		case p.lost && r.owed[p.from] == 0:
			r.owed[p.from], r.age[p.from] = len(p.data), 0
		case p.lost:
			r.owed[p.from] += len(p.data)
		case r.owed[p.from] > 0:
			r.waiting[p.from] = append(r.waiting[p.from], held{at, p.data})
		default:
			r.data(at, p.from, p.data)
		}
	}
	if p.end != capture.ReasonNone {
		r.end(p.from, p.end)
	}
}

func (r *rig) end(from capture.Side, why capture.Reason) {
	if r.ended[from] {
		return
	}
	r.gap(from)
	r.ended[from] = true
	r.p.End(capture.Mark{Time: r.now, Offset: r.next[from], Acked: r.next[from.Other()]}, from, why)
	r.balance()
}

// run plays a script, ends both sides and returns what was observed.
func (r *rig) run(script ...packet) []string {
	for _, p := range script {
		r.send(p)
	}
	r.end(capture.Client, capture.ReasonFIN)
	r.end(capture.Server, capture.ReasonFIN)
	l := &r.book.Ledger
	if l[capture.RequestsLive] != 0 || l[capture.ResponsesLive] != 0 {
		r.t.Fatalf("live after the end: %d requests, %d responses", l[capture.RequestsLive], l[capture.ResponsesLive])
	}
	if n, b := r.pool.Held(); n != 0 || b != 0 {
		r.t.Fatalf("held after the end: %d exchanges, %d bytes", n, b)
	}
	return r.seen()
}

func (r *rig) seen() []string {
	var out []string
	for _, o := range r.book.Batch.Observations {
		switch o := o.(type) {
		case *capture.Exchange:
			out = append(out, show(o))
		case *capture.ParseError:
			out = append(out, fmt.Sprintf("error %s %s", o.From, o.Why))
		}
	}
	return out
}

// show prints an exchange without what depends on segmentation.
func show(e *capture.Exchange) string {
	var b strings.Builder
	if e.HasRequest {
		fmt.Fprintf(&b, "%s %s", e.Method, e.Target)
		if len(e.Host) > 0 {
			fmt.Fprintf(&b, " @%s", e.Host)
		}
		fmt.Fprintf(&b, " %d/%d", e.RequestBody, e.RequestWire)
	} else {
		b.WriteString("-")
	}
	fmt.Fprintf(&b, " > %d %d/%d", e.Status, e.ResponseBody, e.ResponseWire)
	if e.Interim > 0 {
		fmt.Fprintf(&b, " interim=%d", e.Interim)
	}
	if e.Error != capture.ReasonNone {
		fmt.Fprintf(&b, " !%s", e.Error)
	}
	if e.Incomplete != capture.ReasonNone {
		fmt.Fprintf(&b, " ~%s", e.Incomplete)
	}
	if e.LostBytes > 0 {
		fmt.Fprintf(&b, " lost=%d", e.LostBytes)
	}
	return b.String()
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got:\n%s\nwant:\n%s", g, w)
	}
}

func TestKeepAlive(t *testing.T) {
	got := newRig(t, Config{}, false).run(
		c("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"),
		s("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
		c("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"),
		s("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
	)
	expect(t, got,
		"GET /a @h 0/28 > 200 2/40",
		"POST /b @h 3/51 > 404 0/45",
	)
}
