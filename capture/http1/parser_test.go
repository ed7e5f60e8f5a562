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
	late   bool // gaps are told only before the next bytes of their side, not when acknowledged
	owed   [2]int
	why    capture.Reason
}

func newRig(t testing.TB, cfg Config, midstream bool) *rig {
	r := &rig{t: t, book: &capture.Book{Batch: new(capture.Batch)}, port: new(capture.PortStats), now: 1000, why: capture.ReasonGap}
	r.pool = NewPool(cfg, r.book)
	r.conn = capture.Conn{ID: 1, Midstream: midstream}
	r.p = r.pool.Open(&r.conn, r.port)
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

func (r *rig) gap(from capture.Side) {
	if n := r.owed[from]; n > 0 {
		r.owed[from] = 0
		at := capture.Mark{Time: r.now, Offset: r.next[from] - uint64(n), Acked: r.next[from.Other()]}
		r.p.Gap(at, from, n, r.why)
		r.balance()
	}
}

func (r *rig) send(p packet) {
	r.now += 1000
	if len(p.data) > 0 {
		// The segment acknowledges all that the other side sent, holes too.
		if !r.late {
			r.gap(p.from.Other())
		}
		if p.lost {
			r.owed[p.from] += len(p.data)
			r.next[p.from] += uint64(len(p.data))
		} else {
			r.gap(p.from)
			at := capture.Mark{Time: r.now, Offset: r.next[p.from], Acked: r.next[p.from.Other()]}
			r.next[p.from] += uint64(len(p.data))
			r.handed += uint64(len(p.data))
			r.p.Data(at, p.from, []byte(p.data))
			r.balance()
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
