package tcp

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// overIPv6 returns the script with its packets over IPv6.
func overIPv6(script []seg) []seg {
	script = slices.Clone(script)
	a, b := capture.EndpointOf(netip.MustParseAddrPort("[2001:db8::1]:40000")), capture.EndpointOf(netip.MustParseAddrPort("[2001:db8::2]:80"))
	for i := range script {
		opt, from := script[i].opt, script[i].from
		script[i].opt = func(p *capture.Packet) {
			if opt != nil {
				opt(p)
			}
			p.Network, p.Flow = capture.IPv6, capture.Flow{Src: a, Dst: b}
			if from == sv {
				p.Flow = p.Flow.Reverse()
			}
		}
	}
	return script
}

// claims are what is stated to have gone wrong, in full.
func (r *rig) claims() []string {
	var out []string
	for _, o := range r.book.Batch.Observations {
		switch o := o.(type) {
		case *capture.ConnOpened:
			if o.Simultaneous || o.SYNData > 0 {
				out = append(out, fmt.Sprintf("opened, simultaneous %v, SYN data %d of %d", o.Simultaneous, o.SYNDataTaken, o.SYNData))
			}
		case *capture.ConnClosed:
		case *capture.ConnFailed:
			out = append(out, fmt.Sprintf("failed: %v, %v, %d SYNs, %d answers", o.Why, o.Cause, o.Attempts, o.Answers))
		case *capture.ConnReset:
			s := fmt.Sprintf("reset by %v in %v, %d/%d unacknowledged", o.By, o.Phase, o.Unacknowledged[0], o.Unacknowledged[1])
			if o.Conn.Race {
				s += fmt.Sprintf(", race after %v", o.Idle.Round(time.Second))
			}
			out = append(out, s)
		case *capture.ConnStuck:
			line := fmt.Sprintf("%v: %v in %v, %v, %d bytes, %v", o.Kind, o.Side, o.State, o.Cause, o.Bytes, o.Waited.Round(time.Second))
			if o.Acked > 0 {
				line += fmt.Sprintf(", %d acknowledged before", o.Acked)
			}
			out = append(out, line)
		default:
			out = append(out, fmt.Sprintf("%T", o))
		}
	}
	for d := range r.book.TCP.Ignored {
		for i, n := range r.book.TCP.Ignored[d] {
			if n > 0 {
				out = append(out, fmt.Sprintf("ignored %d %v", n, capture.Ignored(i)))
			}
		}
	}
	return out
}

// lives are what may become of a connection, and all that is claimed of it.
var lives = []struct {
	name   string
	script []seg
	wait   time.Duration
	claims []string
	open   capture.TCPState // of the server, whose host this is, after the wait
}{
	{name: "closed in order", script: after3(
		seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"},
		seg{from: cl, flags: "FA", seq: 4, ack: 3}, seg{from: sv, flags: "FA", seq: 3, ack: 5}, seg{from: cl, flags: "A", seq: 5, ack: 4}), wait: time.Minute},
	{name: "no answer", script: []seg{{from: cl, flags: "S"}, {from: cl, flags: "S", after: time.Second}, {from: cl, flags: "S", after: 2 * time.Second}}, wait: 41 * time.Second,
		claims: []string{"failed: timed_out, no_answer, 3 SYNs, 0 answers"}},
	{name: "refused", script: []seg{{from: cl, flags: "S"}, {from: sv, flags: "RA", ack: 1}}, claims: []string{"failed: refused, refused, 1 SYNs, 0 answers"}},
	{name: "not finished by the client", script: []seg{{from: cl, flags: "S"}, {from: sv, flags: "SA", ack: 1}}, wait: 41 * time.Second,
		claims: []string{"failed: timed_out, handshake_unfinished, 1 SYNs, 1 answers"}},
	{name: "SYN-ACK never answered", script: []seg{{from: cl, flags: "S"}, {from: sv, flags: "SA", ack: 1}, {from: sv, flags: "SA", ack: 1, after: time.Second}, {from: sv, flags: "SA", ack: 1, after: 2 * time.Second}}, wait: 41 * time.Second,
		claims: []string{"failed: timed_out, syn_ack_unanswered, 1 SYNs, 3 answers"}},
	{name: "reset by the client after the SYN-ACK", script: []seg{{from: cl, flags: "S"}, {from: sv, flags: "SA", ack: 1}, {from: cl, flags: "R", seq: 1}},
		claims: []string{"failed: reset, abandoned_by_client, 1 SYNs, 1 answers"}},
	{name: "reset by the server after its SYN-ACK", script: []seg{{from: cl, flags: "S"}, {from: sv, flags: "SA", ack: 1}, {from: sv, flags: "R", seq: 1}},
		claims: []string{"failed: reset, abandoned_by_server, 1 SYNs, 1 answers"}},
	{name: "simultaneous open", script: []seg{{from: cl, flags: "S"}, {from: sv, flags: "S"}, {from: cl, flags: "SA", ack: 1}, {from: sv, flags: "SA", ack: 1}},
		claims: []string{"opened, simultaneous true, SYN data 0 of 0"}, open: capture.StateEstablished},
	{name: "simultaneous open that ends there", script: []seg{{from: cl, flags: "S"}, {from: sv, flags: "S"}}, wait: 41 * time.Second,
		claims: []string{"failed: timed_out, simultaneous_open_unfinished, 1 SYNs, 0 answers"}},
	{name: "Fast Open, taken", script: []seg{{from: cl, flags: "S", data: "get"}, {from: sv, flags: "SA", ack: 4}, {from: cl, flags: "A", seq: 4, ack: 1}},
		claims: []string{"opened, simultaneous false, SYN data 3 of 3"}, open: capture.StateEstablished},
	{name: "Fast Open, not taken", script: []seg{{from: cl, flags: "S", data: "get"}, {from: sv, flags: "SA", ack: 1}, {from: cl, flags: "A", seq: 1, ack: 1, data: "get"}},
		claims: []string{"opened, simultaneous false, SYN data 0 of 3"}, open: capture.StateEstablished},

	{name: "reset while idle", script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"}, seg{from: cl, flags: "A", seq: 4, ack: 3}, seg{from: sv, flags: "R", seq: 3}),
		claims: []string{"reset by server in idle, 0/0 unacknowledged"}},
	{name: "reset while a request waits", script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "A", seq: 1, ack: 4}, seg{from: sv, flags: "RA", seq: 1, ack: 4}),
		claims: []string{"reset by server in request, 0/0 unacknowledged"}},
	{name: "reset while a request waits whose payload the capture cut", script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get", cut: 3}, seg{from: sv, flags: "A", seq: 1, ack: 4}, seg{from: sv, flags: "RA", seq: 1, ack: 4}),
		claims: []string{"reset by server in request, 0/0 unacknowledged"}},
	{name: "reset within a response, by the client", script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"}, seg{from: cl, flags: "R", seq: 4}),
		claims: []string{"reset by client in response, 0/2 unacknowledged"}},
	{name: "reset by a client that has the response", script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"}, seg{from: cl, flags: "RA", seq: 4, ack: 3}),
		claims: []string{"reset by client in idle, 0/0 unacknowledged"}},
	{name: "reset by a client that has a part of it", script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "okay"}, seg{from: cl, flags: "RA", seq: 4, ack: 3}),
		claims: []string{"reset by client in response, 0/2 unacknowledged"}},
	{name: "reset by a client that claims more than was sent", script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"}, seg{from: cl, flags: "RA", seq: 4, ack: 9}),
		claims: []string{"reset by client in response, 0/2 unacknowledged"}},
	{name: "reset after a FIN", script: after3(seg{from: cl, flags: "FA", seq: 1, ack: 1}, seg{from: sv, flags: "A", seq: 1, ack: 2}, seg{from: sv, flags: "R", seq: 1}),
		claims: []string{"reset by server in closing, 0/0 unacknowledged"}},
	{name: "reset after both FINs says nothing", script: after3(seg{from: cl, flags: "FA", seq: 1, ack: 1}, seg{from: sv, flags: "FA", seq: 1, ack: 2}, seg{from: cl, flags: "R", seq: 2})},
	{name: "given up after payload that nobody acknowledged", script: after3(
		seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get", after: 300 * time.Millisecond},
		seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get", after: 600 * time.Millisecond}, seg{from: cl, flags: "RA", seq: 4, ack: 1, after: time.Second}),
		claims: []string{"reset by client in unacknowledged, 3/0 unacknowledged"}},
	{name: "the keep-alive race: silence, a request, a reset", script: after3(
		seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"}, seg{from: cl, flags: "A", seq: 4, ack: 3},
		seg{from: cl, flags: "PA", seq: 4, ack: 3, data: "again", after: time.Minute}, seg{from: sv, flags: "R", seq: 3}),
		claims: []string{"reset by server in request, 5/0 unacknowledged, race after 1m0s"}},
	{name: "the keep-alive race: the request crosses the FIN", script: after3(
		seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"}, seg{from: cl, flags: "A", seq: 4, ack: 3},
		seg{from: sv, flags: "FA", seq: 3, ack: 4, after: 5 * time.Second}, seg{from: cl, flags: "PA", seq: 4, ack: 3, data: "again"}, seg{from: sv, flags: "R", seq: 4}),
		claims: []string{"reset by server in closing, 5/0 unacknowledged, race after 5s"}},
	{name: "no race: a goodbye crosses the FIN at once", script: after3(
		seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "FPA", seq: 1, ack: 4, data: "ok"},
		seg{from: cl, flags: "PA", seq: 4, ack: 1, data: "bye"}, seg{from: sv, flags: "R", seq: 4}),
		claims: []string{"reset by server in closing, 3/2 unacknowledged"}},
	{name: "no race: the request was acknowledged", script: after3(
		seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"}, seg{from: cl, flags: "A", seq: 4, ack: 3},
		seg{from: cl, flags: "PA", seq: 4, ack: 3, data: "again", after: time.Minute}, seg{from: sv, flags: "RA", seq: 3, ack: 9}),
		claims: []string{"reset by server in request, 5/0 unacknowledged"}},
	{name: "no race: the first request", script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get", after: time.Minute}, seg{from: sv, flags: "R", seq: 1}),
		claims: []string{"reset by server in request, 3/0 unacknowledged"}},

	{name: "the client closed and the server has not", script: after3(seg{from: cl, flags: "FA", seq: 1, ack: 1}, seg{from: sv, flags: "A", seq: 1, ack: 2}), wait: 15 * time.Second,
		claims: []string{"half_closed: server in close_wait, , 0 bytes, 11s"}, open: capture.StateCloseWait},
	{name: "and not before its time", script: after3(seg{from: cl, flags: "FA", seq: 1, ack: 1}, seg{from: sv, flags: "A", seq: 1, ack: 2}), wait: 8 * time.Second, open: capture.StateCloseWait},
	{name: "nor while it still sends", script: after3(seg{from: cl, flags: "FA", seq: 1, ack: 1}, seg{from: sv, flags: "A", seq: 1, ack: 2},
		seg{from: sv, flags: "PA", seq: 1, ack: 2, data: "a", after: 8 * time.Second}, seg{from: cl, flags: "A", seq: 2, ack: 2}), wait: 8 * time.Second, open: capture.StateCloseWait},
	{name: "the server closed and the client has not", script: after3(seg{from: sv, flags: "FA", seq: 1, ack: 1}, seg{from: cl, flags: "A", seq: 1, ack: 2}), wait: 15 * time.Second,
		claims: []string{"half_closed: client in close_wait, , 0 bytes, 11s"}, open: capture.StateFinWait2},
	{name: "a FIN that nobody acknowledges: FIN-WAIT-1", script: after3(seg{from: sv, flags: "FA", seq: 1, ack: 1}, seg{from: sv, flags: "FA", seq: 1, ack: 1, after: time.Second}), wait: 15 * time.Second,
		claims: []string{"close_unacknowledged: server in fin_wait_1, , 0 bytes, 11s"}, open: capture.StateFinWait1},
	{name: "a FIN that nobody acknowledges: LAST-ACK", script: after3(seg{from: cl, flags: "FA", seq: 1, ack: 1}, seg{from: sv, flags: "FA", seq: 1, ack: 2}), wait: 15 * time.Second,
		claims: []string{"close_unacknowledged: server in last_ack, , 0 bytes, 11s"}, open: capture.StateLastAck},
	{name: "a FIN that nobody acknowledges: CLOSING", script: after3(seg{from: cl, flags: "FA", seq: 1, ack: 1}, seg{from: sv, flags: "FA", seq: 1, ack: 1}, seg{from: sv, flags: "A", seq: 2, ack: 2}), wait: 15 * time.Second,
		claims: []string{"close_unacknowledged: server in closing, , 0 bytes, 11s"}, open: capture.StateClosing},

	{name: "stalled: sent again and again", script: after3(append([]seg{{from: sv, flags: "PA", seq: 1, ack: 1, data: "abcd"}},
		seg{from: sv, flags: "PA", seq: 1, ack: 1, data: "abcd", after: time.Second}, seg{from: sv, flags: "PA", seq: 1, ack: 1, data: "abcd", after: 2 * time.Second},
		seg{from: sv, flags: "PA", seq: 1, ack: 1, data: "abcd", after: 4 * time.Second}, seg{from: sv, flags: "PA", seq: 1, ack: 1, data: "abcd", after: 8 * time.Second})...),
		claims: []string{"stalled: server in established, retransmission_timeout, 4 bytes, 6s"}, open: capture.StateEstablished},
	{name: "stalled: after some was acknowledged", script: after3(append([]seg{{from: sv, flags: "PA", seq: 1, ack: 1, data: "abcd"}, {from: sv, flags: "PA", seq: 5, ack: 1, data: "efg"}, {from: cl, flags: "A", seq: 1, ack: 4}},
		slices.Repeat([]seg{{from: sv, flags: "PA", seq: 4, ack: 1, data: "defg", after: 3 * time.Second}}, 3)...)...),
		claims: []string{"stalled: server in established, retransmission_timeout, 4 bytes, 6s, 3 acknowledged before"}, open: capture.StateEstablished},
	{name: "not stalled: each is acknowledged in the end", script: after3(
		seg{from: sv, flags: "PA", seq: 1, ack: 1, data: "ab"}, seg{from: sv, flags: "PA", seq: 1, ack: 1, data: "ab", after: 2 * time.Second}, seg{from: cl, flags: "A", seq: 1, ack: 3},
		seg{from: sv, flags: "PA", seq: 3, ack: 1, data: "cd", after: 2 * time.Second}, seg{from: sv, flags: "PA", seq: 3, ack: 1, data: "cd", after: 2 * time.Second}, seg{from: cl, flags: "A", seq: 1, ack: 5}),
		open: capture.StateEstablished},
	{name: "stalled: the window stays closed", script: after3(
		seg{from: sv, flags: "PA", seq: 1, ack: 1, data: "ab"}, seg{from: cl, flags: "A", seq: 1, ack: 3, win: -1},
		seg{from: sv, flags: "A", seq: 2, ack: 1, after: time.Second}, seg{from: cl, flags: "A", seq: 1, ack: 3, win: -1},
		seg{from: sv, flags: "A", seq: 2, ack: 1, after: 3 * time.Second}, seg{from: cl, flags: "A", seq: 1, ack: 3, win: -1},
		seg{from: sv, flags: "A", seq: 2, ack: 1, after: 3 * time.Second}, seg{from: cl, flags: "A", seq: 1, ack: 3, win: -1}),
		claims: []string{"stalled: server in established, zero_window, 0 bytes, 6s, 2 acknowledged before"}, open: capture.StateEstablished},
	{name: "keep-alive probes of an open window are no stall", script: after3(slices.Repeat([]seg{
		{from: sv, flags: "A", seq: 0, ack: 1, after: 4 * time.Second}, {from: cl, flags: "A", seq: 1, ack: 1}}, 4)...), open: capture.StateEstablished},
	{name: "a hole that is never filled", script: after3(seg{from: cl, flags: "A", seq: 1, ack: 1, data: "a"}, seg{from: cl, flags: "A", seq: 3, ack: 1, data: "c"}), wait: 13 * time.Second,
		claims: []string{"stream_timeout: client in established, hole, 1 bytes, 11s"}, open: capture.StateEstablished},
	{name: "silence without anything outstanding is no error", script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"}, seg{from: cl, flags: "A", seq: 4, ack: 3}), wait: 16 * time.Minute},
	{name: "a side that has not closed is followed on", script: after3(seg{from: cl, flags: "FA", seq: 1, ack: 1}, seg{from: sv, flags: "A", seq: 1, ack: 2}), wait: 5 * time.Minute,
		claims: []string{"half_closed: server in close_wait, , 0 bytes, 11s"}, open: capture.StateCloseWait},
	{name: "silence with something outstanding", script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get", after: time.Second}), wait: 16 * time.Minute,
		claims: []string{"stream_timeout: client in established, retransmission_timeout, 3 bytes, 15m0s"}},

	{name: "one direction alone proves nothing", script: []seg{{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, {from: cl, flags: "PA", seq: 1, ack: 1, data: "get", after: 7 * time.Second},
		{from: cl, flags: "PA", seq: 1, ack: 1, data: "get", after: 7 * time.Second}, {from: cl, flags: "FA", seq: 4, ack: 1}}, wait: 30 * time.Second, open: capture.StateEstablished},

	{name: "forged: a RST far outside", script: after3(seg{from: sv, flags: "R", seq: 1 << 30}), claims: []string{"ignored 1 reset"}, open: capture.StateEstablished},
	{name: "forged: a RST in the window that is not the next, and its victim goes on", script: after3(seg{from: sv, flags: "PA", seq: 1, ack: 1, data: "ok"}, seg{from: sv, flags: "R", seq: 4},
		seg{from: sv, flags: "PA", seq: 3, ack: 1, data: "ok"}), wait: 5 * time.Second, claims: []string{"ignored 1 reset"}, open: capture.StateEstablished},
	{name: "forged: a RST in the window that is not the next, and the other side objects", script: after3(seg{from: sv, flags: "PA", seq: 1, ack: 1, data: "ok"}, seg{from: cl, flags: "A", seq: 1, ack: 3},
		seg{from: sv, flags: "R", seq: 4}, seg{from: cl, flags: "A", seq: 1, ack: 3}), wait: 5 * time.Second, claims: []string{"ignored 1 reset"}, open: capture.StateEstablished},
	{name: "forged: a RST in the window after the FIN", script: after3(seg{from: sv, flags: "FA", seq: 1, ack: 1}, seg{from: cl, flags: "A", seq: 1, ack: 2}, seg{from: sv, flags: "R", seq: 3},
		seg{from: cl, flags: "A", seq: 1, ack: 2}), wait: 5 * time.Second, claims: []string{"ignored 1 reset"}, open: capture.StateFinWait2},
	{name: "a RST in the window that is not the next, and silence", script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "R", seq: 1449, after: time.Second}),
		wait: 5 * time.Second, claims: []string{"reset by server in request, 3/0 unacknowledged"}},
	{name: "a RST behind payload that was not captured but acknowledged later", script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "R", seq: 9},
		seg{from: cl, flags: "A", seq: 4, ack: 9}), wait: 5 * time.Second, claims: []string{"reset by server in request, 3/0 unacknowledged"}},
	{name: "a RST in doubt, then one with the right number", script: after3(seg{from: sv, flags: "R", seq: 9}, seg{from: sv, flags: "R", seq: 1}),
		claims: []string{"reset by server in idle, 0/0 unacknowledged"}},
	{name: "a RST after payload that was not captured", script: after3(seg{from: cl, flags: "A", seq: 1, ack: 9}, seg{from: sv, flags: "R", seq: 9}), claims: []string{"reset by server in idle, 0/0 unacknowledged"}},
	{name: "a RST of a side that was not captured before", script: []seg{{from: cl, flags: "PA", seq: 100, ack: 100, data: "get"}, {from: sv, flags: "R", seq: 200}},
		claims: []string{"reset by server in request, 0/0 unacknowledged"}},
	{name: "forged: a RST to the SYN with another number", script: []seg{{from: cl, flags: "S"}, {from: sv, flags: "RA", ack: 77}}, claims: []string{"ignored 1 reset"}, open: capture.StateSynSent},
	{name: "forged: a FIN far outside", script: after3(seg{from: sv, flags: "FA", seq: 1 << 30, ack: 1}), claims: []string{"ignored 1 fin"}, open: capture.StateEstablished},
	{name: "forged: payload far outside", script: after3(seg{from: sv, flags: "PA", seq: 1 << 30, ack: 1, data: "x"}), claims: []string{"ignored 1 data"}, open: capture.StateEstablished},
	{name: "forged: a SYN within", script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "x"}, seg{from: cl, flags: "S", seq: 999}), claims: []string{"ignored 1 syn"}, open: capture.StateEstablished},
}

// TestLives plays each life over IPv4 and IPv6 and wants exactly what is claimed
// of it, and nothing else.
func TestLives(t *testing.T) {
	for _, tt := range lives {
		for _, family := range []string{"IPv4", "IPv6"} {
			t.Run(tt.name+"/"+family, func(t *testing.T) {
				r := newRig(t, Config{})
				script := tt.script
				if family == "IPv6" {
					script = overIPv6(script)
				}
				r.play(script)
				r.tick(tt.wait)
				if got := r.claims(); !slices.Equal(got, tt.claims) {
					t.Errorf("claims:\n%q\nwant\n%q", got, tt.claims)
				}
				var open [capture.NumTCPStates]uint64
				if tt.open != capture.StateNone {
					open[tt.open] = 1
				}
				if got := r.book.TCP.Open[capture.RoleServer]; got != open {
					t.Errorf("open by state %v, want %v", got, open)
				}
				r.flush()
			})
		}
	}
}

// A RST in doubt is believed at the end of the capture.
func TestResetInDoubtAtTheEnd(t *testing.T) {
	r := newRig(t, Config{})
	r.play(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "R", seq: 1449}))
	r.flush()
	if got, want := r.claims(), []string{"reset by server in request, 3/0 unacknowledged"}; !slices.Equal(got, want) {
		t.Errorf("claims %q, want %q", got, want)
	}
}

// carrier is a Handler that says it carries an exchange.
type carrier struct{ follower }

func (c *carrier) InFlight(uint64) (uint64, []byte) { return 42, []byte("00-parent") }

// Within a response the server has the last word, and all is acknowledged, as
// it is between two exchanges: the protocol knows.
func TestPhaseWithinAResponse(t *testing.T) {
	for _, c := range []struct {
		name    string
		carries bool
		pause   time.Duration
		acked   bool
		want    capture.Phase
	}{
		{"in flight", true, 0, true, capture.PhaseResponse},
		{"in flight, silent for long", true, time.Minute, true, capture.PhaseResponse},
		{"in flight, the acknowledgement not captured", true, time.Minute, false, capture.PhaseResponse},
		{"over", false, 0, true, capture.PhaseIdle},
		{"over, the acknowledgement not captured", false, time.Minute, false, capture.PhaseIdle},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Config{})
			r.table.open = func(*capture.Conn, *capture.Quality, *capture.PortStats) capture.Handler {
				if c.carries {
					return &carrier{follower{r: r}}
				}
				return &follower{r: r}
			}
			r.play(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "half"}))
			if c.acked {
				r.play([]seg{{from: cl, flags: "A", seq: 4, ack: 5}})
			}
			r.play([]seg{{from: sv, flags: "R", seq: 5, after: c.pause}})
			for _, o := range r.book.Batch.Observations {
				if reset, ok := o.(*capture.ConnReset); ok {
					if reset.Phase != c.want {
						t.Errorf("phase %s, want %s", reset.Phase, c.want)
					}
					r.flush()
					return
				}
			}
			t.Error("no ConnReset")
		})
	}
}

// A Handler that was told the ends of both sides may serve another connection:
// what it has in flight then is not hit by what this one waits for.
func TestNothingIsHitAfterBothEnds(t *testing.T) {
	r := newRig(t, Config{})
	r.table.open = func(*capture.Conn, *capture.Quality, *capture.PortStats) capture.Handler {
		return &carrier{follower{r: r}}
	}
	r.play(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "FPA", seq: 1, ack: 4, data: "ok"},
		seg{from: cl, flags: "A", seq: 4, ack: 4}, seg{from: cl, flags: "FA", seq: 4, ack: 4}))
	for range 15 {
		r.now = r.now.Add(time.Second)
		r.table.Tick(r.now)
	}
	stuck := 0
	for _, o := range r.book.Batch.Observations {
		if o, ok := o.(*capture.ConnStuck); ok {
			stuck++
			if o.Hit.Number != 0 {
				t.Errorf("%s hits exchange %d", o.Kind, o.Hit.Number)
			}
		}
	}
	if stuck != 1 {
		t.Errorf("%d events, want that the client's FIN is not acknowledged", stuck)
	}
	r.flush()
}

// A request that crosses the server's FIN at once, or comes when the FIN of an idle
// connection was acknowledged, is told from a goodbye by the protocol above.
func TestRequestMeetsFIN(t *testing.T) {
	get, ok := seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"}
	known := []seg{{from: cl, flags: "A", seq: 4, ack: 4}, {from: cl, flags: "PA", seq: 4, ack: 4, data: "again"}, {from: sv, flags: "R", seq: 4}}
	for _, test := range []struct {
		name    string
		script  []seg
		request bool
		want    bool
	}{
		{"crosses", []seg{get, {from: sv, flags: "FPA", seq: 1, ack: 4, data: "ok"}, {from: cl, flags: "PA", seq: 4, ack: 1, data: "again"}, {from: sv, flags: "R", seq: 4}}, true, true},
		{"idle, and known", append([]seg{get, ok, {from: sv, flags: "FA", seq: 3, ack: 4, after: 5 * time.Second}}, known...), true, true},
		{"idle, and known, a goodbye", append([]seg{get, ok, {from: sv, flags: "FA", seq: 3, ack: 4, after: 5 * time.Second}}, known...), false, false},
		{"not idle, and known", append([]seg{get, ok, {from: sv, flags: "FA", seq: 3, ack: 4}}, known...), true, false},
	} {
		r := newRig(t, Config{})
		if test.request {
			r.table.open = func(*capture.Conn, *capture.Quality, *capture.PortStats) capture.Handler {
				return &carrier{follower{r: r}}
			}
		}
		r.play(after3(test.script...))
		resets, race := 0, false
		for _, o := range r.book.Batch.Observations {
			if o, ok := o.(*capture.ConnReset); ok {
				resets++
				race = o.Conn.Race
			}
		}
		if resets != 1 || race != test.want {
			t.Errorf("%s: %d resets, race %t, want %t", test.name, resets, race, test.want)
		}
		r.flush()
	}
}

// What happens to a connection names the exchange in flight.
func TestHits(t *testing.T) {
	r := newRig(t, Config{})
	r.table.open = func(*capture.Conn, *capture.Quality, *capture.PortStats) capture.Handler {
		return &carrier{follower{r: r}}
	}
	r.play(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}))
	e := &capture.ICMPError{At: r.now, Why: capture.ReasonHostUnreachable}
	quoted := capture.Flow{Src: capture.EndpointOf(clientAddr), Dst: capture.EndpointOf(serverAddr)}
	r.table.ICMPError(quoted, bases[cl]+1, true, e)
	if e.Hit.Number != 42 || string(e.Hit.TraceParent) != "00-parent" {
		t.Errorf("the ICMP error hits %+v", e.Hit)
	}
	forged := &capture.ICMPError{At: r.now, Why: capture.ReasonHostUnreachable}
	r.table.ICMPError(quoted, bases[cl]+1000, true, forged)
	if forged.Conn.ID != 0 || forged.Hit.Number != 0 || r.book.TCP.Ignored[0][capture.IgnoredICMP] != 1 {
		t.Errorf("a forged ICMP error hits %+v", forged)
	}
	for i := range 4 {
		r.play([]seg{{from: cl, flags: "PA", seq: 1, ack: 1, data: "get", after: time.Duration(i+1) * time.Second}})
	}
	r.play([]seg{{from: sv, flags: "R", seq: 1}})
	stuck, reset := false, false
	for _, o := range r.book.Batch.Observations {
		switch o := o.(type) {
		case *capture.ConnStuck:
			stuck = o.Hit.Number == 42 && string(o.Hit.TraceParent) == "00-parent"
		case *capture.ConnReset:
			reset = o.Hit.Number == 42 && string(o.Hit.TraceParent) == "00-parent"
		}
	}
	if !stuck || !reset {
		t.Errorf("the stall names it: %v, the reset: %v", stuck, reset)
	}
	r.flush()
}
