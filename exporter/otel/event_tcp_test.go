package otel

import (
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/semconv"
)

// An event that hits an exchange in flight has the ids of its span, though that
// is built with a later batch, or is sampled out; one that hits none has none.
func TestEventsOfExchangesInFlight(t *testing.T) {
	for _, c := range []struct {
		name, parent, sampler string
		spans                 int
		trace                 string
		flags                 plog.LogRecordFlags
	}{
		{"a root", "", "always_on", 1, "", 1},
		{"with a parent", parentText, "parentbased_always_on", 1, parentText[3:35], 1},
		{"sampled out by the parent", parentText[:53] + "00", "parentbased_always_on", 0, parentText[3:35], 0},
		{"sampled out", "", "always_off", 0, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &sink{}
			where, _ := serveGRPC(t, s, "127.0.0.1:0")
			cfg := overGRPC(where)
			cfg.Sampler = SamplerConfig{Name: c.sampler}
			e := start(t, cfg)
			var b capture.Batch
			hit := capture.Hit{Number: 77, TraceParent: []byte(c.parent)}
			at := conn(9, capture.RoleClient)
			*b.ConnReset() = capture.ConnReset{Conn: at, At: epoch, Hit: hit}
			*b.ConnStuck() = capture.ConnStuck{Conn: at, At: epoch, Kind: capture.StuckStalled, Hit: hit}
			*b.ICMPError() = capture.ICMPError{At: epoch, Conn: at, Hit: hit, QuotedTransport: capture.TCP}
			*b.ParseError() = capture.ParseError{At: epoch, Conn: at, Hit: hit}
			*b.ConnStuck() = capture.ConnStuck{Conn: at, At: epoch, Kind: capture.StuckHalfClosed}
			e.Export(&b, nil)
			b.Reset()
			ex := exchange(&b, capture.RoleClient)
			ex.Conn, ex.Number, ex.TraceParent = at, 77, []byte(c.parent)
			ex.Status, ex.ResponseStart, ex.ResponseEnd, ex.Error = 0, 0, 0, capture.ReasonReset
			e.Export(&b, nil)
			if err := stop(e, 10*time.Second); err != nil {
				t.Fatal(err)
			}
			if len(s.spans) != c.spans {
				t.Fatalf("%d spans, want %d", len(s.spans), c.spans)
			}
			ids := map[string]bool{}
			for _, g := range s.logs {
				if g.item.EventName() == semconv.EventTCPHalfClosed {
					if !g.item.SpanID().IsEmpty() || !g.item.TraceID().IsEmpty() {
						t.Error("an event that hits no exchange has ids")
					}
					continue
				}
				ids[g.item.SpanID().String()+g.item.TraceID().String()] = true
				if g.item.Flags() != c.flags {
					t.Errorf("%s has flags %v", g.item.EventName(), g.item.Flags())
				}
				if trace := g.item.TraceID().String(); c.trace != "" && trace != c.trace {
					t.Errorf("%s in trace %s", g.item.EventName(), trace)
				}
			}
			for _, g := range s.spans {
				ids[g.item.SpanID().String()+g.item.TraceID().String()] = true
			}
			if len(ids) != 1 || ids[""] || len(s.logs) != 6 {
				t.Errorf("%d records with ids %v", len(s.logs), ids)
			}
		})
	}
}

// No two exchanges have an id in common, and both kinds of ids are used up well.
func TestIDs(t *testing.T) {
	for _, deterministic := range []bool{false, true} {
		s := newIDSource(deterministic)
		c := conn(1, capture.RoleServer)
		seen := map[string]bool{}
		for n := range uint64(5000) {
			trace, span := s.ids(&c, n)
			if again, other := s.ids(&c, n); again != trace || other != span {
				t.Fatal("the ids of an exchange change")
			}
			if isZero(trace[:]) || isZero(span[:]) {
				t.Fatal("an id of zeros alone")
			}
			seen[string(trace[:])], seen[string(span[:])] = true, true
		}
		if len(seen) != 10000 {
			t.Errorf("%d ids of 10,000 are distinct", len(seen))
		}
	}
}

// The body of an event tells a person what happened, by whom, and the other way
// for what is inbound.
func TestTCPEvents(t *testing.T) {
	in, out := conn(1, capture.RoleServer), conn(2, capture.RoleClient)
	race := out
	race.Race = true
	icmp := capture.ConnFailed{Conn: out, Why: capture.ReasonHostUnreachable, Cause: capture.CauseRejected, HasICMP: true, ICMP: capture.ICMPHeader{Type: 3, Code: 1}, From: endpointOf("10.0.0.254:0")}
	var b capture.Batch
	for _, f := range []capture.ConnFailed{
		{Conn: out, Why: capture.ReasonTimedOut, Cause: capture.CauseNoAnswer, Attempts: 3, Elapsed: time.Second},
		{Conn: in, Why: capture.ReasonTimedOut, Cause: capture.CauseNoAnswer, Attempts: 3, Elapsed: time.Second},
		{Conn: out, Why: capture.ReasonRefused, Cause: capture.CauseRefused},
		{Conn: in, Why: capture.ReasonRefused, Cause: capture.CauseRefused},
		icmp,
		{Conn: in, Why: capture.ReasonTimedOut, Cause: capture.CauseSYNACKUnanswered, Answers: 5, Elapsed: time.Second},
		{Conn: in, Why: capture.ReasonTimedOut, Cause: capture.CauseUnfinished, Answers: 1},
		{Conn: in, Why: capture.ReasonReset, Cause: capture.CauseAbandonedByClient, Answers: 1},
	} {
		*b.ConnFailed() = f
	}
	*b.ConnReset() = capture.ConnReset{Conn: race, By: capture.Server, Idle: 61 * time.Second, Unacknowledged: [2]uint64{120, 0}}
	*b.ConnStuck() = capture.ConnStuck{Conn: in, Kind: capture.StuckHalfClosed, Side: capture.Server, State: capture.StateCloseWait, Waited: 10 * time.Second}
	*b.ConnStuck() = capture.ConnStuck{Conn: in, Kind: capture.StuckUnacknowledged, Side: capture.Server, State: capture.StateLastAck, Waited: 10 * time.Second}
	*b.ConnStuck() = capture.ConnStuck{Conn: out, Kind: capture.StuckStalled, Side: capture.Client, Cause: capture.CauseZeroWindow, Waited: 5 * time.Second}
	*b.ConnStuck() = capture.ConnStuck{Conn: out, Kind: capture.StuckStream, Side: capture.Server, Cause: capture.CauseHole, Bytes: 7, Held: 9, Waited: 10 * time.Second}
	for i, o := range b.Observations { // in the order of their times
		switch o := o.(type) {
		case *capture.ConnFailed:
			o.At = epoch + capture.Time(i)
		case *capture.ConnReset:
			o.At = epoch + capture.Time(i)
		case *capture.ConnStuck:
			o.At = epoch + capture.Time(i)
		}
	}
	_, s := logsOf(t, nil, &b)
	checkRecords(t, s)
	var got []string
	for _, g := range s.logs {
		got = append(got, g.item.Body().Str())
	}
	want := []string{
		"no answer from 10.0.0.2:8080 after 3 SYNs in 1s",
		"10.0.0.1 called port 8080 and nobody here answered: 3 SYNs in 1s",
		"10.0.0.2:8080 refused the connection: a reset came back",
		"port 8080 refused 10.0.0.1: a reset was sent back",
		"no connection to 10.0.0.2:8080: host_unreachable, ICMP type 3 code 1 from 10.0.0.254",
		"10.0.0.2:8080 sent 5 SYN-ACKs to 10.0.0.1, and none was answered in 1s",
		"10.0.0.1 did not finish its handshake with 10.0.0.2:8080",
		"10.0.0.1 reset its handshake with 10.0.0.2:8080, which had answered",
		"connection to 10.0.0.2:8080, idle for 1m1s, reset by the server in answer to a new request: it had closed before the request came",
		"the server of the connection from 10.0.0.1:40000 to 10.0.0.2:8080 has not closed, 10s after the client did",
		"the server of the connection from 10.0.0.1:40000 to 10.0.0.2:8080 closed 10s ago, and that is not acknowledged",
		"the client of the connection from 10.0.0.1:40000 to 10.0.0.2:8080 may send nothing for 5s: the server has no room (zero window)",
		"the server of the connection from 10.0.0.1:40000 to 10.0.0.2:8080: 7 bytes did not come in 10s, 9 wait behind them",
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("record %d:\n%s", i, fmt.Sprintln(got))
		}
	}
}
