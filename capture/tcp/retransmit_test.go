package tcp

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// suffered returns everything that the counters of the path say, in one word
// each: "client fast 2". The client's segments are received here.
func (r *rig) suffered() []string {
	var out []string
	c := &r.book.TCP
	for i, d := range []capture.Direction{capture.Receive, capture.Transmit, capture.DirectionUnknown} {
		from := []string{"client", "server", "unknown"}[i]
		add := func(what string, n uint64) {
			if n > 0 {
				out = append(out, fmt.Sprintf("%s %s %d", from, what, n))
			}
		}
		for k := range capture.NumRetransmitKinds {
			add(k.String(), c.Retransmits[d][k])
		}
		for p := range capture.NumProofs {
			add("needless by "+p.String(), c.Needless[d][p])
		}
		add("out of order", c.OutOfOrder[d])
		add("duplicate ACK", c.DuplicateAcks[d])
		add("zero window", c.ZeroWindow[d])
		add("window full", c.WindowFull[d])
		for _, t := range []struct {
			what string
			ns   uint64
		}{{"zero window for", c.ZeroWindowTime[d]}, {"window full for", c.WindowFullTime[d]}} {
			if t.ns > 0 {
				out = append(out, fmt.Sprintf("%s %s %v", from, t.what, time.Duration(t.ns)))
			}
		}
	}
	return out
}

// in returns s as sent d after the one before.
func (s seg) in(d time.Duration) seg { s.after = d; return s }

// stamped returns s with the timestamps option (RFC 7323).
func (s seg) stamped(val, ecr uint32) seg {
	return s.with(func(p *capture.Packet) { p.TCP.HasTimestamps, p.TCP.TSVal, p.TCP.TSEcr = true, val, ecr })
}

// sack returns s with selective acknowledgements of the other side's bytes,
// which are numbered as ack is.
func (s seg) sack(blocks ...[2]uint32) seg {
	return s.with(func(p *capture.Packet) {
		for i, b := range blocks {
			isn := bases[s.from.Other()]
			p.TCP.SACK[i] = [2]uint32{isn + b[0], isn + b[1]}
		}
		p.TCP.SACKs = uint8(len(blocks))
	})
}

func (s seg) with(change func(*capture.Packet)) seg {
	opt := s.opt
	s.opt = func(p *capture.Packet) {
		if opt != nil {
			opt(p)
		}
		change(p)
	}
	return s
}

// open is a handshake of 20 ms to the client and 1 ms in the server's host, as
// a server sees it.
func open(opt func(*capture.Packet)) []seg {
	s := []seg{{from: cl, flags: "S"}, {from: sv, flags: "SA", ack: 1}, {from: cl, flags: "A", seq: 1, ack: 1, after: ms(20)}}
	if opt != nil {
		s[0], s[1] = s[0].with(opt), s[1].with(opt)
	}
	return s
}

// TestSuffered tells what happens to segments apart, and claims nothing else.
func TestSuffered(t *testing.T) {
	data := func(n uint32) seg { return seg{from: sv, flags: "A", seq: 1 + 2*n, ack: 1, data: "ab"} }
	ack := func(n uint32) seg { return seg{from: cl, flags: "A", seq: 1, ack: 1 + 2*n} }
	request := func(n uint32) seg { return seg{from: cl, flags: "PA", seq: 1 + 2*n, ack: 1, data: "ab"} }
	for _, tt := range []struct {
		name   string
		script []seg
		want   []string
	}{
		{"nothing", []seg{data(0), ack(1), data(1), data(2), ack(3)}, nil},

		{"timeout", []seg{data(0), data(0).in(ms(300))}, []string{"server timeout 1"}},
		{"timeout, again and again", []seg{data(0), data(0).in(ms(300)), data(0).in(ms(600)), data(0).in(ms(1200))}, []string{"server timeout 3"}},
		{"timeout of one byte", []seg{{from: sv, flags: "PA", seq: 1, ack: 1, data: "x"},
			{from: sv, flags: "PA", seq: 1, ack: 1, data: "x", after: ms(300)}}, []string{"server timeout 1"}},
		{"timeout though some came through", []seg{data(0), data(1), data(2), ack(0).sack([2]uint32{5, 7}), data(0).in(ms(300))},
			[]string{"server timeout 1", "client duplicate ACK 1"}},
		{"slow start after a timeout", []seg{data(0), data(1), data(2), data(3), data(0).in(ms(300)), ack(1).sack([2]uint32{7, 9}).in(ms(20)), data(1), data(2)},
			[]string{"server timeout 3"}},
		{"loss probe, then fast", []seg{data(0), data(1), data(2), data(2).in(ms(45)), ack(0).sack([2]uint32{5, 7}).in(ms(20)), data(0), data(1)},
			[]string{"server fast 2", "server timeout 1", "client duplicate ACK 1"}},
		{"loss probe of all that is outstanding, then fast", []seg{data(0), ack(1), data(1), data(1).in(ms(300)), data(2), ack(1).sack([2]uint32{5, 7}).in(ms(20)), data(1)},
			[]string{"server fast 1", "server timeout 1", "client duplicate ACK 1"}},
		{"one in the middle again, then fast", []seg{data(0), data(1), data(2), data(1).in(ms(300)), ack(0).sack([2]uint32{5, 7}).in(ms(20)), data(0)},
			[]string{"server fast 1", "server timeout 1", "client duplicate ACK 1"}},
		{"not seen the first time, found missing late", []seg{data(1), data(0).in(ms(300))}, []string{"server timeout 1"}},

		{"fast: three duplicate acknowledgements", []seg{data(0), data(1), data(2), data(3), ack(0), ack(0), ack(0), data(0)},
			[]string{"server fast 1", "client duplicate ACK 3"}},
		{"two are not enough", []seg{data(0), data(1), data(2), ack(0), ack(0), data(0).in(ms(300))}, []string{"server timeout 1", "client duplicate ACK 2"}},
		{"fast: selective acknowledgement", []seg{data(0), data(1), ack(0).sack([2]uint32{3, 5}).in(ms(20)), data(0)},
			[]string{"server fast 1", "client duplicate ACK 1"}},
		{"fast: the next hole after a partial acknowledgement", []seg{data(0), data(1), data(2), data(3), data(4), ack(0), ack(0), ack(0), data(0), ack(2), data(2)},
			[]string{"server fast 2", "client duplicate ACK 3"}},
		{"fast recovery is over", []seg{data(0), data(1), data(2), data(3), ack(0), ack(0), ack(0), data(0), ack(4), data(4), data(4).in(ms(45))},
			[]string{"server fast 1", "server timeout 1", "client duplicate ACK 3"}},
		{"fast: sent before what was sent again and arrived", []seg{data(0), data(1), data(2), ack(0).sack([2]uint32{3, 5}).in(ms(20)), data(0), ack(2).in(ms(20)), data(3), data(4), data(2), ack(3).in(ms(20)), data(3)},
			[]string{"server fast 3", "client duplicate ACK 1"}},
		{"sent after what was sent again and arrived", []seg{data(0), data(1), data(2), ack(0).sack([2]uint32{3, 5}).in(ms(20)), data(0), ack(2).in(ms(20)), data(2), data(3), data(4), ack(3).in(ms(20)), data(3).in(ms(45))},
			[]string{"server fast 2", "server timeout 1", "client duplicate ACK 1"}},
		{"a selective acknowledgement of what goes before is no evidence", []seg{data(0), data(1), data(2), ack(0).sack([2]uint32{3, 5}).in(ms(20)), data(2).in(ms(45))},
			[]string{"server timeout 1", "client duplicate ACK 1"}},
		{"fast: an acknowledgement of the client's, far away", []seg{request(0), request(1), request(2),
			{from: sv, flags: "A", seq: 1, ack: 3}, seg{from: sv, flags: "A", seq: 1, ack: 3}.sack([2]uint32{5, 7}), request(1).in(ms(25))},
			[]string{"client fast 1", "server duplicate ACK 1"}},

		{"spurious: acknowledged before", []seg{data(0), ack(1), data(0).in(ms(300))}, []string{"server spurious 1"}},
		{"needless: DSACK", []seg{data(0), data(1), data(0).in(ms(300)), ack(2), ack(2).sack([2]uint32{1, 3})},
			[]string{"server timeout 1", "server needless by dsack 1"}},
		{"needless: DSACK within what is not acknowledged", []seg{data(0), data(1), data(2), ack(0).sack([2]uint32{3, 7}), data(0), data(1), ack(0).sack([2]uint32{3, 5}, [2]uint32{3, 7})},
			[]string{"server fast 2", "server needless by dsack 1", "client duplicate ACK 2"}},
		{"DSACK of what the network doubled", []seg{data(0), ack(1), ack(1).sack([2]uint32{1, 3})}, nil},
		{"DSACK of what is spurious already", []seg{data(0), ack(1), data(0).in(ms(300)), ack(1).sack([2]uint32{1, 3})}, []string{"server spurious 1"}},
		{"needless: timestamps", []seg{data(0).stamped(100, 7), data(0).stamped(400, 7).in(ms(300)), ack(1).stamped(8, 100)},
			[]string{"server timeout 1", "server needless by timestamps 1"}},
		{"needless: timestamps, acknowledged with data", []seg{data(0).stamped(100, 7), data(0).stamped(400, 7).in(ms(300)),
			seg{from: cl, flags: "PA", seq: 1, ack: 3, data: "ab"}.stamped(8, 100)}, []string{"server timeout 1", "server needless by timestamps 1"}},
		{"timestamps of the second copy, acknowledged with data", []seg{data(0).stamped(100, 7), data(0).stamped(400, 7).in(ms(300)),
			seg{from: cl, flags: "PA", seq: 1, ack: 3, data: "ab"}.stamped(8, 400)}, []string{"server timeout 1"}},
		{"timestamps of what follows the second copy", []seg{data(0).stamped(100, 7), data(0).stamped(400, 7).in(ms(300)), data(1).stamped(410, 7),
			ack(2).stamped(8, 410)}, []string{"server timeout 1"}},
		{"timestamps of the second copy", []seg{data(0).stamped(100, 7), data(0).stamped(400, 7).in(ms(300)), ack(1).stamped(8, 400)},
			[]string{"server timeout 1"}},

		{"out of order: at once", []seg{data(1), data(0)}, []string{"server out of order 1"}},
		{"out of order: no time for more though three acknowledgements ask for it", []seg{request(1),
			{from: sv, flags: "A", seq: 1, ack: 1}, {from: sv, flags: "A", seq: 1, ack: 1}, {from: sv, flags: "A", seq: 1, ack: 1}, request(0).in(time.Microsecond)},
			[]string{"client out of order 1", "server duplicate ACK 3"}},
		{"out of order: older timestamp", []seg{data(1).stamped(200, 7), data(0).stamped(100, 7).in(ms(30))}, []string{"server out of order 1"}},
		{"out of order: only one has a timestamp", []seg{data(1), data(0).stamped(220, 7)}, []string{"server out of order 1"}},
		{"not out of order: only the other has a timestamp", []seg{data(1).stamped(200, 7), data(0).in(ms(300))}, []string{"server timeout 1"}},
		{"not out of order: newer timestamp", []seg{data(1).stamped(200, 7), data(0).stamped(220, 7)}, []string{"server timeout 1"}},
		{"one of two missing is sent twice", []seg{data(2), data(0).in(ms(1) / 2), data(0).in(ms(1) / 2), data(1)}, []string{"server timeout 1", "server out of order 2"}},
		{"a held segment again", []seg{data(1), data(1).in(ms(300)), data(0).in(ms(300))}, []string{"server timeout 2"}},

		{"FIN", []seg{{from: sv, flags: "FA", seq: 1, ack: 1}, {from: sv, flags: "FA", seq: 1, ack: 1, after: ms(300)}}, []string{"server timeout 1"}},
		{"FIN that was acknowledged", []seg{{from: sv, flags: "FA", seq: 1, ack: 1}, {from: cl, flags: "A", seq: 1, ack: 2}, {from: sv, flags: "FA", seq: 1, ack: 1, after: ms(300)}},
			[]string{"server spurious 1"}},
		{"not seen before its FIN", []seg{{from: sv, flags: "FA", seq: 3, ack: 1}, data(0).in(ms(300))}, []string{"server timeout 1"}},
		{"not seen before its FIN, which has data too", []seg{{from: sv, flags: "FA", seq: 3, ack: 1, data: "cd"}, data(0).in(ms(300))}, []string{"server timeout 1"}},
		{"its FIN came first", []seg{{from: sv, flags: "FA", seq: 3, ack: 1}, data(0).in(ms(1))}, []string{"server out of order 1"}},
		{"FIN with data", []seg{{from: sv, flags: "FA", seq: 1, ack: 1, data: "ab"}, {from: sv, flags: "FA", seq: 1, ack: 1, data: "ab", after: ms(300)}}, []string{"server timeout 1"}},
		{"FIN after its data again", []seg{data(0), {from: sv, flags: "FA", seq: 3, ack: 1}, {from: sv, flags: "FA", seq: 3, ack: 1, after: ms(300)}, {from: sv, flags: "FA", seq: 1, ack: 1, data: "ab"}},
			[]string{"server timeout 2"}},

		{"keep-alive probe", []seg{data(0), ack(1), {from: sv, flags: "A", seq: 2, ack: 1, data: "x", after: time.Minute}, ack(1)}, nil},
		{"keep-alive probe without a byte", []seg{data(0), ack(1), {from: sv, flags: "A", seq: 2, ack: 1, after: time.Minute}, ack(1)}, nil},
		{"window update", []seg{data(0), data(1), ack(0), seg{from: cl, flags: "A", seq: 1, ack: 1, win: 1000}, seg{from: cl, flags: "A", seq: 1, ack: 1, win: 2000}},
			[]string{"client duplicate ACK 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{})
			r.play(open(nil))
			r.play(tt.script)
			got := r.suffered()
			slices.Sort(got)
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q\nwant\n%q", got, tt.want)
			}
			r.flush()
			if n := len(r.table.strains.all) - len(r.table.strains.free); n != 0 {
				t.Errorf("%d strains left", n)
			}
			// The connection's own account says the same.
			c, tcp := r.closed(), &r.book.TCP
			for side, d := range []capture.Direction{capture.Receive, capture.Transmit} {
				if c.RetransmitKinds[side] != tcp.Retransmits[d] || c.OutOfOrder[side] != tcp.OutOfOrder[d] ||
					c.DuplicateAcks[side] != tcp.DuplicateAcks[d] || c.Needless[side] != tcp.Needless[d][0]+tcp.Needless[d][1] {
					t.Errorf("the connection says otherwise: %+v", *c)
				}
			}
		})
	}
}

// TestResent: an exchange is told how much was sent again while it went on.
func TestResent(t *testing.T) {
	r := newRig(t, Config{})
	r.play(open(nil))
	r.play([]seg{{from: sv, flags: "PA", seq: 1, ack: 1, data: "abc"}, {from: sv, flags: "PA", seq: 1, ack: 1, data: "abc", after: ms(300)},
		{from: sv, flags: "PA", seq: 1, ack: 1, data: "abc", after: ms(600)}})
	if q := &r.table.lone().quality; q.Resent != 2 || q.ResentBytes != 6 {
		t.Errorf("%d segments with %d bytes, want 2 with 6", q.Resent, q.ResentBytes)
	}
	r.flush()
}

// TestSYNAgain: a SYN or SYN-ACK that is sent again is of a kind of its own,
// also one that carries data (RFC 7413).
func TestSYNAgain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script []seg
		want   []string
	}{
		{"SYN", []seg{{from: cl, flags: "S"}, {from: cl, flags: "S", after: time.Second}, {from: cl, flags: "S", after: 2 * time.Second}}, []string{"client syn 2"}},
		{"SYN-ACK", []seg{{from: cl, flags: "S"}, {from: sv, flags: "SA", ack: 1}, {from: sv, flags: "SA", ack: 1, after: time.Second}}, []string{"server syn 1"}},
		{"SYN with data", []seg{{from: cl, flags: "S", data: "get"}, {from: cl, flags: "S", data: "get", after: time.Second}}, []string{"client syn 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{})
			r.play(tt.script)
			if got := r.suffered(); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			r.flush()
		})
	}
}

// TestCopies tells what was captured twice from what was sent again.
func TestCopies(t *testing.T) {
	named := func(s seg, id uint16) seg { return s.with(func(p *capture.Packet) { p.ID = id }) }
	soon := 500 * time.Microsecond
	request := seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "abc"}
	response := seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "defg"}
	more := func(n uint32) seg { return seg{from: sv, flags: "A", seq: 5 + 2*n, ack: 4, data: "hi"} }
	acked := func(n uint32) seg { return seg{from: cl, flags: "A", seq: 4, ack: n} }
	talk := func(each func(i int, s seg) []seg) []seg {
		whole := append(open(nil), request, response, more(0), more(1), acked(9),
			seg{from: cl, flags: "FA", seq: 4, ack: 9}, seg{from: sv, flags: "FA", seq: 9, ack: 5}, seg{from: cl, flags: "A", seq: 5, ack: 10})
		var out []seg
		for i, s := range whole {
			out = append(out, each(i, s)...)
		}
		return out
	}
	twice := func(id func(i int) uint16, stamps bool, after time.Duration) []seg {
		return talk(func(i int, s seg) []seg {
			if s = named(s, id(i)); stamps {
				s = s.stamped(7, 9)
			}
			return []seg{s, s.in(after)}
		})
	}
	count := func(i int) uint16 { return uint16(100 + i) }
	none := func(int) uint16 { return 0 }
	answer := named(response, 5)
	for _, tt := range []struct {
		name   string
		script []seg
		copies uint64
		want   []string
	}{
		{"every segment twice", twice(count, false, soon), 8, nil},
		{"every segment twice, with timestamps", twice(count, true, soon), 8, nil},
		{"every segment twice, without identification", twice(none, false, soon), 8, nil},
		{"every segment twice, with timestamps alone", twice(none, true, soon), 8, nil},
		{"a copy that comes late", append(open(nil), request, answer, answer.in(ms(60))), 1, nil},
		{"the same identification after a time-out", append(open(nil), request, answer, answer.in(ms(220))), 0, []string{"server timeout 1"}},
		{"another identification", append(open(nil), request, answer, named(response, 6)), 0, []string{"server timeout 1"}},
		{"another timestamp", append(open(nil), request, answer.stamped(7, 9), answer.stamped(8, 9)), 0, []string{"server timeout 1"}},
		{"neither, and not at once", append(open(nil), request, response, response.in(ms(4))), 0, []string{"server timeout 1"}},
		{"sent again, and that twice", append(open(nil), request, answer, named(response, 6).in(ms(220)), named(response, 6)), 1, []string{"server timeout 1"}},
		{"out of order on a connection that is captured twice", append(open(nil), request, request.in(soon), named(more(1), 8), named(more(0), 7), named(more(1), 8).in(soon), named(more(0), 7)), 3,
			[]string{"server out of order 1"}},
		{"sent again among copies", append(open(nil), named(request, 1), named(request, 1).in(soon), named(response, 5), named(response, 5).in(soon), named(more(0), 6), named(more(0), 6).in(soon),
			named(more(1), 7), named(more(1), 7).in(soon), acked(5).in(ms(300)), acked(5).in(soon), named(more(0), 8).in(soon), named(more(0), 8).in(soon)), 5, []string{"server timeout 1"}},
		{"sent again among copies, told by the timestamp", append(open(nil), request.stamped(7, 9), request.stamped(7, 9).in(soon), response.stamped(1, 7), response.stamped(1, 7).in(soon), more(0).stamped(2, 7), more(0).stamped(2, 7).in(soon),
			more(1).stamped(2, 7), more(1).stamped(2, 7).in(soon), acked(5).stamped(8, 1).in(ms(300)), acked(5).stamped(8, 1).in(soon), more(0).stamped(302, 8).in(soon), more(0).stamped(302, 8).in(soon)), 5, []string{"server timeout 1"}},
		{"a loss on a connection that is captured twice", append(open(nil), request, request.in(soon), response, more(0), more(1), more(2), more(3), acked(5).in(ms(20)),
			acked(5).sack([2]uint32{7, 13}), acked(5).sack([2]uint32{7, 13}), more(0)), 1, []string{"server fast 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{})
			r.play(tt.script)
			if got := r.suffered(); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			copies := uint64(0)
			for d := range r.book.TCP.Ignored {
				copies += r.book.TCP.Ignored[d][capture.IgnoredCopy]
			}
			if copies != tt.copies {
				t.Errorf("%d copies, want %d", copies, tt.copies)
			}
			if c := r.book.Ledger[capture.ConnsFailed]; c > 0 {
				t.Errorf("%d failed", c)
			}
			r.flush()
		})
	}
}
