package tcp

import (
	"slices"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// wary is a Handler whose last exchange ends with the byte before the offset.
type wary struct {
	follower
	end uint64
}

func (w *wary) InFlight(acked uint64) (uint64, []byte) {
	if w.end > acked {
		return 7, nil
	}
	return 0, nil
}

// TestHitsTheLastExchange: an ICMP error about a response that was sent whole hits
// its exchange until it is acknowledged, as does a response that is sent again and
// again.
func TestHitsTheLastExchange(t *testing.T) {
	answered := after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "half"})
	for _, tt := range []struct {
		name string
		end  uint64
		want uint64
	}{{"all is in flight", 4, 7}, {"the rest is", 3, 7}, {"the rest is another's", 2, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{})
			r.table.open = func(*capture.Conn, *capture.Quality, *capture.PortStats) capture.Handler {
				return &wary{follower{r: r}, tt.end}
			}
			r.play(append(slices.Clone(answered), seg{from: cl, flags: "A", seq: 4, ack: 3}))
			r.now += 1e6
			e := &capture.ICMPError{At: r.now, Why: capture.ReasonHostUnreachable}
			r.table.ICMPError(capture.Flow{Src: capture.EndpointOf(serverAddr), Dst: capture.EndpointOf(clientAddr)}, bases[sv]+3, true, e)
			if e.Hit.Number != tt.want {
				t.Errorf("the ICMP error hits exchange %d, want %d", e.Hit.Number, tt.want)
			}
			for range 20 {
				r.play([]seg{{from: sv, flags: "PA", seq: 3, ack: 4, data: "lf", after: time.Second}})
			}
			stuck := 0
			for _, o := range r.book.Batch.Observations {
				if o, ok := o.(*capture.ConnStuck); ok {
					if stuck++; o.Hit.Number != tt.want {
						t.Errorf("%s hits exchange %d, want %d", o.Kind, o.Hit.Number, tt.want)
					}
				}
			}
			if stuck != 1 {
				t.Errorf("%d stalls", stuck)
			}
			r.flush()
		})
	}
}

// TestICMPError: RFC 5927, section 4.1: only a quoted sequence number within
// what is in flight ties an error to a connection, and only an attempt to
// connect fails by it.
func TestICMPError(t *testing.T) {
	syn := []seg{{from: cl, flags: "S"}}
	busy := after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "abcd"}, seg{from: sv, flags: "A", seq: 1, ack: 3})
	for _, tt := range []struct {
		name     string
		script   []seg
		from     capture.Side
		seq      uint32
		noSeq    bool
		why      capture.Reason
		joined   bool
		observed []string
	}{
		{"SYN unreachable", syn, cl, 0, false, capture.ReasonHostUnreachable, true, []string{"failed host_unreachable after 1 in 1ms"}},
		{"SYN, but no such error", syn, cl, 0, false, capture.ReasonNone, true, nil},
		{"SYN with another number", syn, cl, 1, false, capture.ReasonHostUnreachable, false, nil},
		{"SYN before it", syn, cl, 1<<32 - 1, false, capture.ReasonHostUnreachable, false, nil},
		{"no number quoted", syn, cl, 0, true, capture.ReasonHostUnreachable, false, nil},
		{"the other direction", syn, sv, 0, false, capture.ReasonHostUnreachable, false, nil},
		{"in flight", busy, cl, 3, false, capture.ReasonHostUnreachable, true, []string{"opened 2ms"}},
		{"the last byte in flight", busy, cl, 4, false, capture.ReasonNetUnreachable, true, []string{"opened 2ms"}},
		{"acknowledged", busy, cl, 2, false, capture.ReasonHostUnreachable, false, []string{"opened 2ms"}},
		{"never sent", busy, cl, 5, false, capture.ReasonHostUnreachable, false, []string{"opened 2ms"}},
		{"nothing of the server is in flight", busy, sv, 1, false, capture.ReasonHostUnreachable, false, []string{"opened 2ms"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Config{})
			r.play(tt.script)
			r.now += 1e6
			quoted := capture.Flow{Src: capture.EndpointOf(clientAddr), Dst: capture.EndpointOf(serverAddr)}
			if tt.from == sv {
				quoted = quoted.Reverse()
			}
			e := &capture.ICMPError{At: r.now, Why: tt.why, Header: capture.ICMPHeader{Type: 3, Code: 1}}
			r.table.ICMPError(quoted, bases[tt.from]+tt.seq, !tt.noSeq, e)
			r.check()
			if joined := e.Conn.ID == 1; joined != tt.joined {
				t.Errorf("joined %v, want %v", joined, tt.joined)
			}
			if got := r.observed(); !slices.Equal(got, tt.observed) {
				t.Errorf("observed %q, want %q", got, tt.observed)
			}
			for _, o := range r.book.Batch.Observations {
				if o, ok := o.(*capture.ConnFailed); ok && (!o.HasICMP || o.ICMP != e.Header) {
					t.Errorf("the failure does not tell its cause: %+v", o)
				}
			}
			// An error about no connection changes nothing.
			quoted.Src.Port++
			e = &capture.ICMPError{At: r.now, Why: capture.ReasonHostUnreachable}
			r.table.ICMPError(quoted, bases[cl], true, e)
			if e.Conn.ID != 0 {
				t.Error("joined to a connection that is not quoted")
			}
			r.flush()
		})
	}
}

// A client may try again after an ICMP error, and be turned away again: that is
// the same failure, and both errors are its.
func TestICMPErrorOnceMore(t *testing.T) {
	r := newRig(t, Config{})
	quoted := capture.Flow{Src: capture.EndpointOf(clientAddr), Dst: capture.EndpointOf(serverAddr)}
	for range 2 {
		r.play([]seg{{from: cl, flags: "S", after: time.Second}})
		r.now += 1e6
		e := &capture.ICMPError{At: r.now, Why: capture.ReasonHostUnreachable}
		r.table.ICMPError(quoted, bases[cl], true, e)
		if e.Conn.ID != 1 {
			t.Errorf("joined to connection %d", e.Conn.ID)
		}
	}
	if got, want := r.observed(), []string{"failed host_unreachable after 1 in 1ms"}; !slices.Equal(got, want) {
		t.Errorf("observed %q, want %q", got, want)
	}
	r.flush()
}

// An ICMP error about a connection that was refused, and is no more, is not its.
func TestICMPErrorAfterTheEnd(t *testing.T) {
	r := newRig(t, Config{})
	r.play([]seg{{from: cl, flags: "S"}, {from: sv, flags: "RA", ack: 1}})
	e := &capture.ICMPError{At: r.now, Why: capture.ReasonHostUnreachable}
	r.table.ICMPError(capture.Flow{Src: capture.EndpointOf(clientAddr), Dst: capture.EndpointOf(serverAddr)}, bases[cl], true, e)
	if e.Conn.ID != 0 {
		t.Error("joined to a connection that is no more")
	}
	r.flush()
}
