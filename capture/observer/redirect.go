package observer

import "github.com/wiretell/wiretell/capture"

// maxRedirects bounds the connections whose redirection is remembered.
const maxRedirects = 16384

// redirects puts the two directions of a connection together that netfilter
// redirected in its OUTPUT chain, as a mesh does with the application's calls
// (REDIRECT): on loopback its segments go to 127.0.0.1 and the proxy's port, but
// those that come back are from the address that was called, as the translation
// is undone before they leave.
type redirects struct {
	by   map[capture.Endpoint]redirect // by the client's end
	ring []capture.Endpoint            // in the order they came
	next int
	// forgotten counts those that were let go at the bound before their end.
	forgotten *uint64
}

// redirect is where a client's connection went, and was meant to go.
type redirect struct {
	to, called capture.Endpoint // called has port 0 before the answer
	seq        uint32           // that an answer to the SYN acknowledges
	ended      bool             // whoever was called has sent its last byte
}

// restore makes p, a TCP segment, one between the ends that its SYN named. What
// the source says was on the wire is left alone.
func (r *redirects) restore(f *capture.Frame, p *capture.Packet) {
	switch {
	case p.TCP.Flags&(capture.SYN|capture.ACK) == capture.SYN:
		if p.Flow.Dst.Loopback() && !p.Flow.Src.Loopback() {
			r.add(p.Flow.Src, redirect{to: p.Flow.Dst, seq: p.TCP.Seq + 1})
		}
	case len(r.by) == 0, !p.Loopback && f.Direction != capture.DirectionUnknown:
	default:
		r.back(p)
	}
}

func (r *redirects) add(client capture.Endpoint, to redirect) {
	if r.by == nil {
		r.by = make(map[capture.Endpoint]redirect)
	}
	if old, again := r.by[client]; again {
		if old.seq != to.seq || old.to != to.to { // not sent again: a new connection
			r.by[client] = to
		}
		return
	}
	if len(r.ring) < maxRedirects {
		r.ring = append(r.ring, client)
	} else {
		if old := r.by[r.ring[r.next]]; old.called.Port != 0 && !old.ended {
			*r.forgotten++
		}
		delete(r.by, r.ring[r.next])
		r.ring[r.next] = client
		r.next = (r.next + 1) % maxRedirects
	}
	r.by[client] = to
}

// called returns where c was meant to go, with port 0 when it was not redirected.
func (r *redirects) called(c *capture.Conn) capture.Endpoint {
	if e, ok := r.by[c.Client]; ok && e.to == c.Server {
		return e.called
	}
	return capture.Endpoint{}
}

// back gives a segment that comes back the source that its connection knows.
func (r *redirects) back(p *capture.Packet) {
	e, ok := r.by[p.Flow.Dst]
	if !ok || p.Flow.Src == e.to {
		return
	}
	if e.called.Port == 0 {
		if p.TCP.Flags&(capture.SYN|capture.RST) == 0 || !p.TCP.Flags.Has(capture.ACK) || p.TCP.Ack != e.seq {
			return
		}
		e.called = p.Flow.Src
		r.by[p.Flow.Dst] = e
	}
	if p.Flow.Src != e.called {
		return
	}
	if p.TCP.Flags&(capture.FIN|capture.RST) != 0 && !e.ended {
		e.ended = true
		r.by[p.Flow.Dst] = e
	}
	p.Flow.Src, p.Loopback = e.to, true
}
