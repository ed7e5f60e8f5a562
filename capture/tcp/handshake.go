package tcp

import (
	"time"

	"github.com/wiretell/wiretell/capture"
)

// first follows a segment of no known connection. Only a SYN or payload makes
// one: an acknowledgement that trails behind a closed connection would bring it
// back to life.
func (t *Table) first(p *capture.Packet, h uint32) {
	f, led := p.TCP.Flags, &t.book.Ledger
	switch {
	case f.Has(capture.RST) || f.Has(capture.SYN|capture.FIN) || p.PayloadLen == 0 && !f.Has(capture.SYN):
		if p.PayloadLen == 0 {
			led[capture.SegmentControl]++
			return
		}
		led[capture.SegmentNoState]++
		led[capture.BytesNoState] += uint64(p.PayloadLen)
	case f.Has(capture.SYN):
		from := capture.Client
		if f.Has(capture.ACK) {
			from = capture.Server
		}
		t.hold(p)
		c := t.newConn(p, h, from)
		t.placing = false
		led[capture.ConnsOpened]++
		t.append(c, listHalfOpen)
		t.firstSYN(c, from, p)
	default:
		t.hold(p)
		from := t.whoSent(p)
		c := t.newConn(p, h, from)
		t.placing = false
		led[capture.ConnsMidstream]++
		t.joinMidway(c, from, p)
	}
}

// newConn makes a connection of which from sent p.
func (t *Table) newConn(p *capture.Packet, h uint32, from capture.Side) *conn {
	c := t.insert(h)
	t.nextID++
	c.id.ID, c.id.Start, c.id.Interface = t.nextID, p.Time, p.Interface
	c.id.Role = capture.RoleOf(p.Direction, from, p.Loopback)
	c.id.OneWay = true
	c.id.Client, c.id.Server = p.Flow.Src, p.Flow.Dst
	if from == capture.Server {
		c.id.Client, c.id.Server = p.Flow.Dst, p.Flow.Src
	}
	c.seen, c.spoke = t.clock, tickOf(t.clock)
	t.cur = c
	t.book.Ledger[capture.ConnsLive]++
	return c
}

// revive goes on with a connection whose end was none, as with one that is
// joined midway.
func (t *Table) revive(c *conn, p *capture.Packet) {
	client, role, h := c.id.Client, c.id.Role, c.hash
	t.remove(c)
	from := capture.Server
	if p.Flow.Src == client {
		from = capture.Client
	}
	c = t.newConn(p, h, from)
	c.id.Role = role
	t.book.Ledger[capture.ConnsMidstream]++
	t.joinMidway(c, from, p)
}

// midstreamScale is what a window scale that was not captured is taken for. It
// only bounds what is plausible.
const midstreamScale = 8

// joinMidway begins with the first payload of a connection older than the
// capture.
func (t *Table) joinMidway(c *conn, from capture.Side, p *capture.Packet) {
	c.id.Midstream = true
	for i := range c.sides {
		c.sides[i].scale = midstreamScale
	}
	t.establish(c)
	t.accept(c, from, p, p.TCP.Seq)
}

// whoSent infers which side sent p, whose connection's SYN was not seen: by
// what it says, by who is known to listen, by the usual ranges of ports.
func (t *Table) whoSent(p *capture.Packet) capture.Side {
	if t.cfg.Sniff != nil && len(p.Payload) > 0 {
		if client, known := t.cfg.Sniff(p.Payload); known {
			return sideIf(client)
		}
	}
	if known := t.cfg.IsServerPort; known != nil {
		if src, dst := known(p.Flow.Src), known(p.Flow.Dst); src != dst {
			return sideIf(dst)
		}
	}
	src, dst := portRank(p.Flow.Src.Port), portRank(p.Flow.Dst.Port)
	if src != dst {
		return sideIf(src > dst)
	}
	return sideIf(p.Flow.Src.Port >= p.Flow.Dst.Port)
}

func sideIf(client bool) capture.Side {
	if client {
		return capture.Client
	}
	return capture.Server
}

// portRank orders ports by how unlikely a server has them: the system ports,
// the user ports, those from which Linux takes clients' (32,768 on; RFC 6335,
// section 6 has 49,152).
func portRank(port uint16) int {
	switch {
	case port < 1024:
		return 0
	case port < 32768:
		return 1
	}
	return 2
}

// firstSYN follows the first SYN of a side.
func (t *Table) firstSYN(c *conn, from capture.Side, p *capture.Packet) {
	s, o := c.both(from)
	c.seen = t.clock
	t.counted(c, from)
	if from == capture.Client {
		c.attempts = more(c.attempts)
		if p.PayloadLen > 0 {
			t.rareOf(c).synData = p.PayloadLen
		}
	} else {
		if c.state == stateSynSent {
			c.state = stateSynReceived
		}
		if p.TCP.Flags.Has(capture.ACK) {
			c.answers = more(c.answers)
		} else if !s.has(hasAck) && o.has(sawSYN) {
			c.marks |= bothSYN
		}
	}
	s.start(p.TCP.Seq + 1)
	s.flags |= sawSYN | synSeen
	if p.TCP.SACKPermitted {
		s.flags |= sackOK
	}
	s.time(s.nxt, p)
	// RFC 7323, section 2.2: "The Window Scale option ... both sides MUST send
	// Window Scale options in their <SYN> segments to enable window scaling in
	// either direction."
	if p.TCP.HasWindowScale {
		s.scale = min(p.TCP.WindowScale, 14)
		s.flags |= hasScale
	}
	if o.has(sawSYN) && (!s.has(hasScale) || !o.has(hasScale)) {
		s.scale, o.scale = 0, 0
	}
	if p.TCP.Flags.Has(capture.ACK) {
		if !o.has(hasSeq) {
			o.flags |= sawSYN // it was acknowledged just now
		}
		t.acknowledge(c, from, p)
		if r := t.rareIf(c); r != nil && from == capture.Server {
			r.synTaken = int(min(o.acked(s.ack), uint64(r.synData)))
		}
	}
	t.progress(c, from, p)
	t.synPayload(c, from, p)
	t.countOpen(c)
}

// synPayload follows what a SYN carries (RFC 7413), or counts the segment.
func (t *Table) synPayload(c *conn, from capture.Side, p *capture.Packet) {
	if p.PayloadLen == 0 {
		t.book.Ledger[capture.SegmentControl]++
		return
	}
	t.data(c, from, p, p.TCP.Seq+1)
	t.settle(c)
}

// synAgain follows a SYN, with or without ACK, for a known connection.
func (t *Table) synAgain(c *conn, from capture.Side, p *capture.Packet, h uint32) {
	s, o := c.both(from)
	isSYNACK := p.TCP.Flags.Has(capture.ACK)
	seq := p.TCP.Seq + 1
	switch {
	case c.state == stateClosed:
		if s.has(sawSYN) && s.isn() == p.TCP.Seq {
			t.afterEnd(c, from, p)
			return
		}
		t.remove(c)
		t.first(p, h)
	case s.has(hasSeq) && s.nxt-uint32(s.off) == seq:
		t.sameSYN(c, from, p)
	case !s.has(hasSeq):
		if isSYNACK && o.has(sawSYN) && (!after(p.TCP.Ack, o.isn()) || after(p.TCP.Ack, o.end)) {
			t.ignore(p) // it answers another SYN
			return
		}
		t.firstSYN(c, from, p)
	case s.has(softSeq) && s.off == 0 && !s.has(sawSYN):
		t.firstSYN(c, from, p)
	case c.state == stateSynSent && from == capture.Client && !isSYNACK:
		// Another attempt with the same ports: the one before had no answer.
		t.hold(p)
		t.finish(c, capture.ReasonTimedOut, false)
		t.placing = false
		t.first(p, h)
	case t.reused(c, from, p):
		t.reopen(c, p, h)
	default:
		s.farNext, s.farRun = seq, 0
		s.flags |= pendingSYN
		if d := &t.doubted[c.id.ID%uint64(len(t.doubted))]; !isSYNACK && (d.conn != c.id.ID || d.seq != p.TCP.Seq) {
			*d = doubted{conn: c.id.ID, time: p.Time, seq: p.TCP.Seq,
				hasScale: p.TCP.HasWindowScale, scale: p.TCP.WindowScale}
		}
		t.ignore(p)
	}
}

// sameSYN follows a SYN that was seen before, or that was captured after what
// follows it.
func (t *Table) sameSYN(c *conn, from capture.Side, p *capture.Packet) {
	s := &c.sides[from]
	t.counted(c, from)
	t.quiet = t.clock.Sub(c.seen)
	c.seen = t.clock
	if c.list == listHalfOpen {
		t.append(c, listHalfOpen) // keeps the list in order
	}
	if s.has(synSeen) && (s.has(hasAck) || !p.TCP.Flags.Has(capture.ACK)) && p.PayloadLen == 0 && t.copied(c, from, p, p.TCP.Seq+1) {
		t.book.TCP.Ignored[p.Direction][capture.IgnoredCopy]++
		t.book.Ledger[capture.SegmentControl]++
		return
	}
	if from == capture.Server && p.TCP.Flags.Has(capture.ACK) {
		c.answers = more(c.answers)
	}
	if !s.has(sawSYN) || s.has(softSeq) || from == capture.Client && c.attempts == 0 {
		s.flags |= sawSYN
		s.flags &^= softSeq
		c.attempts = more(c.attempts)
		if p.TCP.HasWindowScale {
			s.scale = min(p.TCP.WindowScale, 14)
		}
	} else if !p.TCP.Flags.Has(capture.ACK) || s.has(hasAck) {
		t.countResent(c, from, p, capture.RetransmitSYN)
		s.flags &^= timing // Karn's algorithm
		if from == capture.Client {
			s.retime(p.TCP.Seq+1, p)
			c.attempts = more(c.attempts)
		}
	}
	if p.TCP.Flags.Has(capture.ACK) {
		t.acknowledge(c, from, p)
	}
	t.progress(c, from, p)
	t.synPayload(c, from, p)
	t.countOpen(c)
}

// more counts one more, up to 255.
func more(n uint8) uint8 {
	if n < 1<<8-1 {
		n++
	}
	return n
}

// quietBeforeReuse is after what silence a SYN with another number begins a new
// connection though the end of the old one was not seen (the least TIME-WAIT of
// Linux).
const quietBeforeReuse = time.Minute

// reused reports whether a SYN with a number of its own begins a new connection
// between the same ports. A SYN alone proves nothing on a connection that
// lives: RFC 5961, section 4.2: "If the SYN bit is set, irrespective of the
// sequence number, TCP MUST send an ACK" and goes on.
func (t *Table) reused(c *conn, from capture.Side, p *capture.Packet) bool {
	if c.state == stateClosing || t.clock.Sub(c.seen) >= quietBeforeReuse {
		return true
	}
	// That it is answered does.
	o := &c.sides[from.Other()]
	return p.TCP.Flags.Has(capture.ACK) && c.state == stateEstablished && o.has(pendingSYN) && p.TCP.Ack == o.farNext
}

// doubted is a SYN on a connection that lived: nothing, until it is answered.
// The latest few are kept, so that what they begin has its beginning.
type doubted struct {
	conn     uint64 // ID of the connection
	time     capture.Time
	seq      uint32
	hasScale bool
	scale    uint8
}

// reopen ends c, as p, a SYN of its own, begins a new connection between the
// same ports. When p answers a doubted SYN, the new one began with that.
func (t *Table) reopen(c *conn, p *capture.Packet, h uint32) {
	syn := t.doubted[c.id.ID%uint64(len(t.doubted))]
	answers := p.TCP.Flags.Has(capture.ACK) && syn.conn == c.id.ID && p.TCP.Ack == syn.seq+1
	t.hold(p)
	t.finish(c, capture.ReasonReused, false)
	t.placing = false
	if !answers {
		t.first(p, h)
		return
	}
	t.hold(p)
	c = t.newConn(p, h, capture.Server)
	t.placing = false
	t.book.Ledger[capture.ConnsOpened]++
	t.append(c, listHalfOpen)
	c.id.Start, c.attempts = syn.time, 1
	s := &c.sides[capture.Client]
	s.start(syn.seq + 1)
	s.flags |= sawSYN
	s.packets++
	s.rttSeq, s.rttAt = s.nxt, syn.time
	s.flags |= timing
	if syn.hasScale {
		s.scale = min(syn.scale, 14)
		s.flags |= hasScale
	}
	t.firstSYN(c, capture.Server, p)
}

// progress moves the handshake on. It covers the usual three steps, the
// simultaneous open (RFC 9293, section 3.5, figure 7) and the split handshake:
// a connection is established when both SYNs are acknowledged, or when a
// segment with payload shows that its sender holds it to be.
func (t *Table) progress(c *conn, from capture.Side, p *capture.Packet) {
	if c.state >= stateEstablished {
		return
	}
	cl, sv := &c.sides[capture.Client], &c.sides[capture.Server]
	both := cl.has(hasSeq) && sv.has(hasSeq) && cl.has(hasAck) && sv.has(hasAck) &&
		!before(cl.ack, sv.nxt-uint32(sv.off)) && !before(sv.ack, cl.nxt-uint32(cl.off))
	data := p.PayloadLen > 0 && p.TCP.Flags&(capture.SYN|capture.ACK) == capture.ACK
	if !both && !data {
		return
	}
	t.establish(c)
	took := time.Duration(0)
	if c.attempts > 0 {
		took = max(p.Time.Sub(c.id.Start), 0)
		c.quality.Connected(took)
	}
	var called capture.Endpoint
	if t.cfg.Called != nil {
		called = t.cfg.Called(&c.id)
	}
	if b := t.book.Batch; b != nil && (!t.book.Terse || called.Port != 0) {
		e := b.ConnOpened()
		e.Conn, e.At, e.Called = c.id, p.Time, called
		e.Handshake = took
		if c.attempts > 0 && sv.rttAt != 0 {
			e.ServerTime = max(sv.rttAt.Sub(c.id.Start), 0)
			e.ClientTime = max(e.Handshake-e.ServerTime, 0)
		}
		e.Simultaneous = c.marks&bothSYN != 0
		if r := t.rareIf(c); r != nil {
			e.SYNData, e.SYNDataTaken = r.synData, r.synTaken
		}
	}
}

// establish counts c as established and puts it on the wheel.
func (t *Table) establish(c *conn) {
	c.state = stateEstablished
	c.marks |= proved
	if !c.id.Midstream {
		t.book.TCP.Connections[c.id.Role][capture.ReasonNone]++
	}
	t.countPort(c).Conns++
	t.schedule(c)
}
