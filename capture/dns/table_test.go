package dns

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/wiretell/wiretell/capture"
)

const (
	client  = "10.0.0.1:40000"
	server  = "10.0.0.53:53"
	epoch   = capture.Time(1_700_000_000e9)
	second  = capture.Time(time.Second)
	timeout = 5 * second
)

func endpoint(s string) capture.Endpoint { return capture.EndpointOf(netip.MustParseAddrPort(s)) }

// rig is a Table and what it wrote.
type rig struct {
	t     testing.TB
	book  capture.Book
	table *Table
}

func newRig(t testing.TB, cfg Config) *rig {
	r := &rig{t: t}
	r.book.Batch = new(capture.Batch)
	r.table = New(cfg, &r.book)
	return r
}

func (r *rig) send(at capture.Time, src, dst string, b []byte) bool {
	return r.table.Datagram(&capture.Packet{
		Time: epoch + at, Flow: capture.Flow{Src: endpoint(src), Dst: endpoint(dst)}, Transport: capture.UDP,
		Payload: b, PayloadLen: len(b), Direction: capture.Transmit, Interface: 3,
	})
}

func (r *rig) ask(at capture.Time, m dnsmessage.Message) bool {
	return r.send(at, client, server, build(r.t, m))
}

func (r *rig) reply(at capture.Time, m dnsmessage.Message) bool {
	return r.send(at, server, client, build(r.t, m))
}

// lookups ends all and returns one line for each look-up.
func (r *rig) lookups(at capture.Time) (lines []string) {
	r.t.Helper()
	r.table.Tick(epoch + at)
	for _, i := range r.book.Ledger.Check() {
		r.t.Error(i)
	}
	for _, o := range r.book.Batch.Observations {
		l := o.(*capture.DNSLookup)
		line := fmt.Sprintf("%v %s %s", time.Duration(l.At-epoch), l.Type, l.Name)
		if l.Answered {
			line += " " + l.RCode.String()
		} else {
			line += " " + l.Why.String()
		}
		line += fmt.Sprintf(" %v x%d", l.Duration, l.Attempts)
		for word, set := range map[string]bool{" no_data": l.NoData, " truncated": l.Truncated, " icmp": l.HasICMP} {
			if set {
				line += word
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func (r *rig) want(at capture.Time, want ...string) {
	r.t.Helper()
	if got := r.lookups(at); fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("look-ups\n%q, want\n%q", got, want)
	}
}

func (r *rig) counts(want map[capture.Entry]uint64) {
	r.t.Helper()
	for e := capture.DNSMessages; e <= capture.LookupsLive; e++ {
		if r.book.Ledger[e] != want[e] {
			r.t.Errorf("account %s is %d, want %d", e, r.book.Ledger[e], want[e])
		}
	}
}

func TestLookups(t *testing.T) {
	q := ask(7, "App.Example.", dnsmessage.TypeA)
	other := ask(7, "other.example.", dnsmessage.TypeA)
	v6 := ask(8, "app.example.", dnsmessage.TypeAAAA)
	good := reply(q, 0, record("app.example.", a4))
	truncated := reply(q, 0)
	truncated.Truncated = true
	empty := reply(q, dnsmessage.RCodeFormatError)
	empty.Questions = nil
	const ms = second / 1000
	for name, c := range map[string]struct {
		do   func(r *rig)
		want []string
	}{
		"answered":                    {func(r *rig) { r.ask(0, q); r.reply(2*ms, good) }, []string{"2ms A app.example NOERROR 2ms x1"}},
		"NXDOMAIN":                    {func(r *rig) { r.ask(0, q); r.reply(2*ms, reply(q, 3)) }, []string{"2ms A app.example NXDOMAIN 2ms x1"}},
		"no data":                     {func(r *rig) { r.ask(0, v6); r.reply(2*ms, reply(v6, 0)) }, []string{"2ms AAAA app.example NOERROR 2ms x1 no_data"}},
		"truncated":                   {func(r *rig) { r.ask(0, q); r.reply(2*ms, truncated) }, []string{"2ms A app.example NOERROR 2ms x1 truncated"}},
		"an error without a question": {func(r *rig) { r.ask(0, q); r.reply(ms, empty) }, []string{"1ms A app.example FORMERR 1ms x1"}},
		"extended code":               {func(r *rig) { r.ask(0, edns(q, 0)); r.reply(ms, edns(reply(q, 0), 16)) }, []string{"1ms A app.example BADVERS 1ms x1"}},
		"asked again":                 {func(r *rig) { r.ask(0, q); r.ask(second, q); r.reply(second+ms, good) }, []string{"1.001s A app.example NOERROR 1.001s x2"}},
		"silence":                     {func(r *rig) { r.ask(0, q); r.ask(2*second, q) }, []string{"5s A app.example timed_out 5s x2"}},
		"asked again after it was given up": {func(r *rig) { r.ask(0, q); r.ask(timeout, q); r.reply(timeout+ms, good) },
			[]string{"5s A app.example timed_out 5s x1", "5.001s A app.example NOERROR 1ms x1"}},
		"an answer too late": {func(r *rig) { r.ask(0, q); r.reply(timeout, good) }, []string{"5s A app.example timed_out 5s x1"}},
		"just in time":       {func(r *rig) { r.ask(0, q); r.reply(timeout-1, good) }, []string{"4.999999999s A app.example NOERROR 4.999999999s x1"}},
		"two questions at once, one id": {func(r *rig) { r.ask(0, q); r.ask(1, other); r.reply(2*ms, reply(other, 2)); r.reply(3*ms, good) },
			[]string{"2ms A other.example SERVFAIL 1.999999ms x1", "3ms A app.example NOERROR 3ms x1"}},
		"an answer to another question": {func(r *rig) { r.ask(0, q); r.reply(ms, reply(other, 3)) }, []string{"5s A app.example timed_out 5s x1"}},
		"another id":                    {func(r *rig) { r.ask(0, q); r.reply(ms, reply(ask(9, "app.example.", dnsmessage.TypeA), 3)) }, []string{"5s A app.example timed_out 5s x1"}},
		"Docker's resolver": {func(r *rig) {
			r.send(0, "127.0.0.1:5555", "127.0.0.11:41000", build(t, q))
			r.send(ms, "127.0.0.11:53", "127.0.0.1:5555", build(t, good))
		}, []string{"1ms A app.example NOERROR 1ms x1"}},
		"an answer from another address": {func(r *rig) { r.ask(0, q); r.send(ms, "10.96.0.10:53", client, build(t, good)) }, []string{"1ms A app.example NOERROR 1ms x1"}},
		"another client port":            {func(r *rig) { r.ask(0, q); r.send(ms, server, "10.0.0.1:40001", build(t, good)) }, []string{"5s A app.example timed_out 5s x1"}},
		"a packet of another queue, late": {func(r *rig) { r.ask(10*second, q); r.ask(4*second, v6); r.reply(10*second+2*ms, good) },
			[]string{"10.002s A app.example NOERROR 2ms x1", "9s AAAA app.example timed_out 5s x1"}},
		"the clock steps back": {func(r *rig) { r.ask(61*second, q); r.table.Tick(epoch) }, []string{"5s A app.example timed_out 5s x1"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{})
			c.do(r)
			r.want(timeout*2, c.want...)
			if r.book.Ledger[capture.LookupsLive] != 0 || r.table.Len() != 0 {
				t.Errorf("%d live", r.table.Len())
			}
		})
	}
}

// TestObservation has every field of one.
func TestObservation(t *testing.T) {
	r := newRig(t, Config{})
	q := ask(7, "app.example.", dnsmessage.TypeTXT)
	r.ask(0, q)
	r.reply(1000, reply(q, 2))
	l := r.book.Batch.Observations[0].(*capture.DNSLookup)
	want := capture.DNSLookup{
		At: epoch + 1000, Client: endpoint(client), Server: endpoint(server), Role: capture.RoleClient, Interface: 3,
		Type: 16, Answered: true, RCode: capture.RCodeServFail, Duration: 1000, Attempts: 1,
	}
	if string(l.Name) != "app.example" {
		t.Errorf("name %q", l.Name)
	}
	l.Name = nil
	if fmt.Sprint(*l) != fmt.Sprint(want) {
		t.Errorf("%+v\nwant %+v", *l, want)
	}
	if !l.Failed() || l.Error() != "SERVFAIL" {
		t.Errorf("failed %v, error %q", l.Failed(), l.Error())
	}
}

// TestNotFollowed: other datagrams are left alone, and not counted.
func TestNotFollowed(t *testing.T) {
	r := newRig(t, Config{})
	q, a := build(t, ask(1, "a.example.", dnsmessage.TypeA)), build(t, reply(ask(1, "a.example.", dnsmessage.TypeA), 0))
	for name, taken := range map[string]bool{
		"query to another port":        r.send(0, client, "10.0.0.53:5300", q),
		"multicast":                    r.send(0, "10.0.0.1:5353", "224.0.0.251:5353", q),
		"query from port 53":           r.send(0, server, client, q),
		"answer to port 53":            r.send(0, client, server, a),
		"no DNS":                       r.send(0, client, server, []byte("GET / HTTP/1.1\r\n\r\n")),
		"query to Docker that is none": r.send(0, "127.0.0.1:5", "127.0.0.11:40000", []byte("hello, world, this is text")),
	} {
		if taken {
			t.Errorf("%s was taken", name)
		}
	}
	r.counts(nil)
}

func TestLedger(t *testing.T) {
	r := newRig(t, Config{MaxLookups: 3})
	for id := range uint16(5) {
		r.ask(capture.Time(id), ask(id, "a.example.", dnsmessage.TypeA))
	}
	r.ask(9, ask(4, "a.example.", dnsmessage.TypeA))
	for id := range uint16(4) { // 0 and 1 were evicted
		r.reply(10, reply(ask(id, "a.example.", dnsmessage.TypeA), dnsmessage.RCode(id)))
	}
	r.reply(11, reply(ask(3, "a.example.", dnsmessage.TypeA), 3)) // a second time
	r.table.Flush(epoch + second)
	r.counts(map[capture.Entry]uint64{
		capture.DNSMessages: 11, capture.DNSRetries: 1, capture.DNSUnmatched: 3, capture.LookupsSeen: 5,
		capture.LookupsFailed: 2, capture.LookupsEvicted: 2, capture.LookupsShutdown: 1,
	})
	if n := len(r.lookups(second)); n != 2 {
		t.Errorf("%d observations, want 2: what was evicted or cut short says nothing", n)
	}
}

func unreachable(at capture.Time, src, dst string, why capture.Reason, code uint8) *capture.ICMPError {
	return &capture.ICMPError{
		At: epoch + at, Why: why, Header: capture.ICMPHeader{Type: 3, Code: code}, QuotedTransport: capture.UDP,
		Quoted: capture.Flow{Src: endpoint(src), Dst: endpoint(dst)},
	}
}

// TestUnreachable: RFC 5927 warns that anyone may send an ICMP error; it counts
// only when what it quotes was sent.
func TestUnreachable(t *testing.T) {
	q := ask(0x0708, "app.example.", dnsmessage.TypeA)
	good := reply(q, 0, record("app.example.", a4))
	payload := build(t, q)
	for name, c := range map[string]struct {
		src, dst string
		payload  []byte
		why      capture.Reason
		joined   bool
		answer   bool
		want     string
	}{
		"port":                       {client, server, payload, capture.ReasonPortUnreachable, true, false, "1s A app.example port_unreachable 1s x1 icmp"},
		"port, 8 bytes quoted":       {client, server, nil, capture.ReasonPortUnreachable, true, false, "1s A app.example port_unreachable 1s x1 icmp"},
		"port, then an answer":       {client, server, payload[:2], capture.ReasonPortUnreachable, true, true, "1s A app.example port_unreachable 1s x1 icmp"},
		"host":                       {client, server, payload, capture.ReasonHostUnreachable, true, false, "5s A app.example host_unreachable 5s x1 icmp"},
		"host, then an answer":       {client, server, payload, capture.ReasonHostUnreachable, true, true, "2s A app.example NOERROR 2s x1"},
		"time exceeded in transit":   {client, server, payload, capture.ReasonNone, true, false, "5s A app.example timed_out 5s x1"},
		"another id":                 {client, server, []byte{7, 7, 0, 0}, capture.ReasonPortUnreachable, false, true, "2s A app.example NOERROR 2s x1"},
		"another server":             {client, "10.0.0.54:53", payload, capture.ReasonPortUnreachable, false, true, "2s A app.example NOERROR 2s x1"},
		"another server, 8 bytes":    {client, "10.0.0.54:53", nil, capture.ReasonPortUnreachable, false, true, "2s A app.example NOERROR 2s x1"},
		"another client port":        {"10.0.0.1:40001", server, nil, capture.ReasonPortUnreachable, false, true, "2s A app.example NOERROR 2s x1"},
		"the answer's own direction": {server, client, payload, capture.ReasonPortUnreachable, false, true, "2s A app.example NOERROR 2s x1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{})
			r.ask(0, q)
			if got := r.table.Unreachable(c.payload, unreachable(second, c.src, c.dst, c.why, 3)); got != c.joined {
				t.Errorf("joined %v", got)
			}
			if c.answer {
				r.reply(2*second, good)
			}
			r.want(timeout*2, c.want)
		})
	}
}

// TestTerse: what failed, and what was answered within the timeout after it.
func TestTerse(t *testing.T) {
	r := newRig(t, Config{})
	r.book.Terse = true
	for i, step := range []struct {
		at    capture.Time
		rcode dnsmessage.RCode
	}{{0, 0}, {second, 3}, {2 * second, 0}, {7 * second, 0}} {
		q := ask(uint16(i), fmt.Sprintf("n%d.example.", i), dnsmessage.TypeA)
		r.ask(step.at, q)
		r.reply(step.at, reply(q, step.rcode, record("x.", a4)))
	}
	r.want(8*second, "1s A n1.example NXDOMAIN 0s x1", "2s A n2.example NOERROR 0s x1")
	r.book.Batch = nil
	r.ask(9*second, ask(9, "x.", dnsmessage.TypeA))
	r.table.Tick(epoch + 20*second)
	if r.book.Ledger[capture.LookupsTimedOut] != 1 {
		t.Error("without a batch nothing is counted")
	}
}

// traffic returns a function that asks and answers n look-ups.
func traffic(tb testing.TB, r *rig, n int) func() {
	q := build(tb, ask(0, "app.shop.svc.cluster.local.", dnsmessage.TypeA))
	a := build(tb, reply(ask(0, "app.shop.svc.cluster.local.", dnsmessage.TypeA), 3))
	at := epoch
	qp := capture.Packet{Flow: capture.Flow{Src: endpoint(client), Dst: endpoint(server)}, Payload: q}
	ap := capture.Packet{Flow: qp.Flow.Reverse(), Payload: a}
	return func() {
		r.book.Batch.Reset()
		for i := range n {
			at += 1000
			qp.Time = at
			binary.BigEndian.PutUint16(q, uint16(i))
			r.table.Datagram(&qp)
		}
		for i := range n {
			at += 1000
			ap.Time = at
			binary.BigEndian.PutUint16(a, uint16(i))
			r.table.Datagram(&ap)
		}
	}
}

func TestAllocations(t *testing.T) {
	r := newRig(t, Config{})
	step := traffic(t, r, 100)
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations for 100 look-ups", n)
	}
	if r.book.Ledger[capture.LookupsFailed] != 101*100 {
		t.Errorf("%d look-ups ended", r.book.Ledger[capture.LookupsFailed])
	}
}

// TestBounded: a flood of queries takes the memory of 4,096 at most.
func TestBounded(t *testing.T) {
	r := newRig(t, Config{})
	b := build(t, ask(0, "a.example.", dnsmessage.TypeA))
	for i := range 20000 {
		binary.BigEndian.PutUint16(b, uint16(i))
		r.send(capture.Time(i), client, server, b)
	}
	if r.table.Len() != 4096 || len(r.table.lookups) != 4096 || r.book.Ledger[capture.LookupsEvicted] != 20000-4096 {
		t.Errorf("%d live, room for %d, %d evicted", r.table.Len(), len(r.table.lookups), r.book.Ledger[capture.LookupsEvicted])
	}
	r.want(0)
}

func BenchmarkLookup(b *testing.B) {
	r := newRig(b, Config{})
	step := traffic(b, r, 100)
	b.ReportAllocs()
	for range b.N/100 + 1 {
		step()
	}
}

// FuzzTable lets any datagrams and errors come: the books balance at any time.
// TestOneIDForAll: who asks for many names with one ID from one socket does not
// make each further query search them all.
func TestOneIDForAll(t *testing.T) {
	r := newRig(t, Config{})
	const n = 3000
	for i := range n {
		r.ask(0, ask(7, fmt.Sprintf("n%d.example.", i), dnsmessage.TypeA))
		if live := r.table.Len(); live > maxAlike {
			t.Fatalf("%d look-ups of one socket and ID are followed", live)
		}
	}
	q := ask(7, fmt.Sprintf("n%d.example.", n-1), dnsmessage.TypeA)
	r.reply(second, reply(q, 0, record(fmt.Sprintf("n%d.example.", n-1), a4)))
	r.counts(map[capture.Entry]uint64{capture.DNSMessages: n + 1, capture.LookupsSeen: n, capture.LookupsAnswered: 1,
		capture.LookupsEvicted: n - maxAlike, capture.LookupsLive: maxAlike - 1})
}

func FuzzTable(f *testing.F) {
	q, a := build(f, ask(1, "a.", dnsmessage.TypeA)), build(f, reply(ask(1, "a.", dnsmessage.TypeA), 3))
	f.Add(q, a, []byte("\x00\x01\x02\x03\x04\x05"))
	f.Add(a, q, []byte("\x01\x00\x00\x05\x02\x13"))
	f.Fuzz(func(t *testing.T, x, y, steps []byte) {
		r := newRig(t, Config{MaxLookups: 3})
		at := capture.Time(0)
		for _, s := range steps {
			at += capture.Time(s>>4) * second / 3
			msg := x
			if s&1 != 0 {
				msg = y
			}
			switch s >> 1 & 3 {
			case 0:
				r.send(at, client, server, msg)
			case 1:
				r.send(at, server, client, msg)
			case 2:
				r.table.Unreachable(msg, unreachable(at, client, server, capture.Reason(s>>4)%capture.NumReasons, 3))
			case 3:
				at -= 10 * second
				r.table.Tick(epoch + at)
			}
			r.lookups(at)
			if r.table.Len() > 3 || uint64(r.table.Len()) != r.book.Ledger[capture.LookupsLive] {
				t.Fatalf("%d live, the ledger says %d", r.table.Len(), r.book.Ledger[capture.LookupsLive])
			}
		}
		r.table.Flush(epoch + at)
		if r.table.Len() != 0 || r.table.oldest != -1 || r.table.newest != -1 {
			t.Fatal("not empty after Flush")
		}
		for _, i := range r.book.Ledger.Check() {
			t.Error(i)
		}
	})
}
