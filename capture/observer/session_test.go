package observer

import (
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// failing is a Handler that panics at its nth Data call.
type failing struct {
	o *Observer
	n int
}

func (f *failing) Data(_ capture.Mark, _ capture.Side, b []byte) {
	if f.n--; f.n < 0 {
		panic("failing")
	}
	f.o.book.Ledger[capture.DeliveredHTTP1Head] += uint64(len(b))
}
func (f *failing) Gap(capture.Mark, capture.Side, int, capture.Reason) {}
func (f *failing) End(capture.Mark, capture.Side, capture.Reason)      {}

// TestFailureWithinReplay lets the Handler fail at each of the pieces that were
// held back for it: each byte is in one account afterwards.
func TestFailureWithinReplay(t *testing.T) {
	pieces := []string{"GE", "T /", " HTTP/1.1", "\r\n"}
	for n := range len(pieces) + 1 {
		var failed int
		o := New(Config{Panicked: func(string) { failed++ }}, nil)
		conn := capture.Conn{ID: 1}
		s := o.open(&conn, new(capture.Quality), o.book.Ports.Get(capture.PortKey{Port: 80})).(*session)
		total := 0
		for _, p := range pieces {
			o.book.Ledger[capture.BytesSeen] += uint64(len(p))
			o.book.Ledger[capture.BytesDelivered] += uint64(len(p))
			s.hold(capture.Mark{Offset: uint64(total)}, capture.Client, []byte(p))
			total += len(p)
		}
		s.handler = &failing{o: o, n: n}
		func() {
			defer func() {
				if r := recover(); r != nil {
					o.running = s
					if err := o.recovered(r); err != nil {
						t.Error(err)
					}
				}
			}()
			s.replay()
		}()
		for side := capture.Client; side <= capture.Server; side++ {
			s.End(capture.Mark{}, side, capture.ReasonFIN)
		}
		l := &o.book.Ledger
		for _, i := range l.Check() {
			t.Errorf("failing at piece %d: %v", n, i.Error())
		}
		if l[capture.DeliveredLive] != 0 {
			t.Errorf("failing at piece %d: %d bytes are still held", n, l[capture.DeliveredLive])
		}
		good := 0
		for _, p := range pieces[:n] {
			good += len(p)
		}
		if got := l[capture.DeliveredHTTP1Head]; got != uint64(good) {
			t.Errorf("failing at piece %d: %d bytes read, want %d", n, got, good)
		}
		if want := min(1, len(pieces)-n); failed != want {
			t.Errorf("failing at piece %d: %d failures, want %d", n, failed, want)
		}
	}
}

// TestEndsAreToldToTheHandlerThatComesLater lets a side end before the protocol
// is known.
func TestEndsAreToldToTheHandlerThatComesLater(t *testing.T) {
	o := New(Config{}, nil)
	conn := capture.Conn{ID: 1, Midstream: true}
	s := o.open(&conn, new(capture.Quality), o.book.Ports.Get(capture.PortKey{Port: 80})).(*session)
	send := func(from capture.Side, text string) {
		o.book.Ledger[capture.BytesSeen] += uint64(len(text))
		o.book.Ledger[capture.BytesDelivered] += uint64(len(text))
		s.Data(capture.Mark{Acked: 14}, from, []byte(text))
	}
	send(capture.Client, "rest of a body")
	s.End(capture.Mark{Offset: 14}, capture.Client, capture.ReasonFIN)
	send(capture.Server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
	s.End(capture.Mark{Offset: 41}, capture.Server, capture.ReasonFIN)
	l := &o.book.Ledger
	for _, i := range l.Check() {
		t.Error(i.Error())
	}
	if l[capture.ResponsesLive] != 0 || l[capture.ResponsesOrphan] != 1 {
		t.Errorf("%d responses live, %d orphans, want 0 and 1", l[capture.ResponsesLive], l[capture.ResponsesOrphan])
	}
	if len(o.free) != 1 {
		t.Errorf("%d sessions free, want 1", len(o.free))
	}
}

// TestServerBeginsHTTP2 lets the server send its SETTINGS before the client has
// said anything, as gRPC's do.
func TestServerBeginsHTTP2(t *testing.T) {
	const settings = "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00d"
	for _, test := range []struct {
		name, client string
		account      capture.Entry // of all that the client sends
		server       capture.Entry // of the SETTINGS
	}{
		{"answered", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", capture.DeliveredHTTP2, capture.DeliveredHTTP2},
		{"a port that is only probed", "", capture.DeliveredHTTP2, capture.DeliveredHTTP2},
		{"a client of HTTP/1", "GET / HTTP/1.1\r\nHost: shop\r\n\r\n", capture.DeliveredHTTP1Head, capture.DeliveredDesync},
		{"another protocol", "\x01\x02\x03", capture.DeliveredUnknown, capture.DeliveredUnknown},
	} {
		for size := 1; size <= 16; size++ {
			o := New(Config{}, nil)
			conn := capture.Conn{ID: 1}
			s := o.open(&conn, new(capture.Quality), o.book.Ports.Get(capture.PortKey{Port: 80})).(*session)
			send := func(from capture.Side, text string) {
				for at := 0; at < len(text); at += size {
					b := text[at:min(at+size, len(text))]
					o.book.Ledger[capture.BytesSeen] += uint64(len(b))
					o.book.Ledger[capture.BytesDelivered] += uint64(len(b))
					s.Data(capture.Mark{Offset: uint64(at)}, from, []byte(b))
				}
			}
			send(capture.Server, settings)
			send(capture.Client, test.client)
			s.End(capture.Mark{}, capture.Client, capture.ReasonFIN)
			s.End(capture.Mark{}, capture.Server, capture.ReasonFIN)
			l := &o.book.Ledger
			for _, i := range l.Check() {
				t.Errorf("%s, cut into %d bytes: %v", test.name, size, i.Error())
			}
			want := map[capture.Entry]uint64{}
			want[test.account] += uint64(len(test.client))
			want[test.server] += uint64(len(settings))
			for e, n := range want {
				if l[e] != n {
					t.Errorf("%s, cut into %d bytes: %d bytes %s, want %d", test.name, size, l[e], e, n)
				}
			}
		}
	}
}

// TestHeldIsBounded has thousands of connections begin with what cannot be told
// yet, in one kind of piece each: what is held back stays within its bound, what
// found no room is accounted for, and what begins plainly is read all the same.
func TestHeldIsBounded(t *testing.T) {
	for _, test := range []struct {
		name  string
		first string
		piece string
		n     int // of them, for each connection
	}{
		{"a long line", "FOO /", filler(1000), 15},
		{"single bytes", "FOO /", "a", 60},
		{"records of TLS", "\x17\x03\x03\x40\x00", filler(1000), 15},
	} {
		const conns = 3000
		o := New(Config{}, nil)
		port := o.book.Ports.Get(capture.PortKey{Port: 80})
		l := &o.book.Ledger
		send := func(s *session, text string) {
			l[capture.BytesSeen] += uint64(len(text))
			l[capture.BytesDelivered] += uint64(len(text))
			s.Data(capture.Mark{}, capture.Client, []byte(text))
		}
		var sessions []*session
		for i := range conns {
			s := o.open(&capture.Conn{ID: uint64(i + 1)}, new(capture.Quality), port).(*session)
			sessions = append(sessions, s)
			send(s, test.first)
		}
		most := 0
		for range test.n {
			for _, s := range sessions {
				send(s, test.piece)
				taken := 0
				if s == sessions[conns-1] {
					for _, s := range sessions {
						taken += s.memory()
					}
					if taken != o.heldBack {
						t.Fatalf("%s: %d bytes are taken, and %d counted", test.name, taken, o.heldBack)
					}
				}
				most = max(most, o.heldBack)
			}
		}
		if most > maxAllHeld {
			t.Errorf("%s: %d bytes were held back", test.name, most)
		}
		if got := port.Unparsed[capture.ReasonEvicted]; got.Packets == 0 || uint64(got.Bytes) != l[capture.DeliveredUndetected] {
			t.Errorf("%s: %+v unparsed for want of room, %d bytes in the ledger", test.name, got, l[capture.DeliveredUndetected])
		}
		s := o.open(&capture.Conn{ID: conns + 1}, new(capture.Quality), port).(*session)
		send(s, "GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
		if l[capture.RequestsSeen] != 1 {
			t.Errorf("%s: %d requests seen beside it, want 1", test.name, l[capture.RequestsSeen])
		}
		for _, s := range append(sessions, s) {
			s.End(capture.Mark{}, capture.Client, capture.ReasonFIN)
			s.End(capture.Mark{}, capture.Server, capture.ReasonFIN)
		}
		for _, i := range l.Check() {
			t.Errorf("%s: %v", test.name, i.Error())
		}
		if o.heldBack != 0 {
			t.Errorf("%s: %d bytes are held back by nobody", test.name, o.heldBack)
		}
	}
}

func filler(n int) string { return strings.Repeat("a", n) }
