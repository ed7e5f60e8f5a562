package tcp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

type counts map[capture.Entry]uint64

// scripts are segments, and what the Handler is told of them, what is observed,
// and what chosen accounts of the ledger hold at the end.
var scripts = []struct {
	name     string
	cfg      Config
	script   []seg
	wait     time.Duration // before the end
	flush    bool          // end by Flush
	calls    []string
	observed []string
	ledger   counts
}{
	{
		name: "request, response, close",
		script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"},
			seg{from: cl, flags: "FA", seq: 4, ack: 3}, seg{from: sv, flags: "FA", seq: 3, ack: 5}, seg{from: cl, flags: "A", seq: 5, ack: 4}),
		calls:    []string{`client 0 "get"`, `server 0 "ok"`, "client end fin", "server end fin"},
		observed: []string{"opened 2ms", "closed fin 3/2"},
		ledger:   counts{capture.ConnsOpened: 1, capture.ConnsFIN: 1, capture.SegmentInOrder: 2, capture.SegmentControl: 6},
	},
	{
		name:     "no payload, no handler",
		script:   after3(seg{from: cl, flags: "FA", seq: 1, ack: 1}, seg{from: sv, flags: "FA", seq: 1, ack: 2}, seg{from: cl, flags: "A", seq: 2, ack: 2}),
		observed: []string{"opened 2ms", "closed fin 0/0"},
	},
	{
		name: "half close: the other side goes on",
		script: after3(seg{from: cl, flags: "FPA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "A", seq: 1, ack: 5},
			seg{from: sv, flags: "A", seq: 1, ack: 5, data: "one"},
			seg{from: cl, flags: "A", seq: 5, ack: 4},
			seg{from: sv, flags: "FA", seq: 4, ack: 5, data: "two"},
			seg{from: cl, flags: "A", seq: 5, ack: 8}),
		calls:    []string{`client 0 "get"`, "client end fin", `server 0 "one"`, `server 3 "two"`, "server end fin"},
		observed: []string{"opened 2ms", "closed fin 3/6"},
	},
	{
		name: "half close without a byte, then the other side speaks",
		script: after3(seg{from: cl, flags: "FA", seq: 1, ack: 1},
			seg{from: sv, flags: "PA", seq: 1, ack: 2, data: "x"},
			seg{from: sv, flags: "FA", seq: 2, ack: 2},
			seg{from: cl, flags: "A", seq: 2, ack: 3}),
		calls:    []string{"client end fin", `server 0 "x"`, "server end fin"},
		observed: []string{"opened 2ms", "closed fin 0/1"},
	},
	{
		name: "simultaneous close",
		script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "x"},
			seg{from: cl, flags: "FA", seq: 2, ack: 1},
			seg{from: sv, flags: "FA", seq: 1, ack: 2},
			seg{from: cl, flags: "A", seq: 3, ack: 2}, seg{from: sv, flags: "A", seq: 2, ack: 3}),
		calls:    []string{`client 0 "x"`, "client end fin", "server end fin"},
		observed: []string{"opened 2ms", "closed fin 1/0"},
	},
	{
		name: "simultaneous open (RFC 9293, figure 7)",
		script: []seg{{from: cl, flags: "S"}, {from: sv, flags: "S"}, {from: cl, flags: "SA", ack: 1}, {from: sv, flags: "SA", ack: 1},
			{from: cl, flags: "PA", seq: 1, ack: 1, data: "x"}},
		flush:    true,
		calls:    []string{`client 0 "x"`, "client end shutdown", "server end shutdown"},
		observed: []string{"opened 3ms", "closed shutdown 1/0"},
		ledger:   counts{capture.ConnsOpened: 1},
	},
	{
		name: "split handshake: the server answers with a SYN",
		script: []seg{{from: cl, flags: "S"},
			{from: sv, flags: "A", seq: 4000, ack: 1},
			{from: sv, flags: "S"},
			{from: cl, flags: "SA", ack: 1},
			{from: sv, flags: "A", seq: 1, ack: 1},
			{from: cl, flags: "PA", seq: 1, ack: 1, data: "x"}, {from: sv, flags: "PA", seq: 1, ack: 2, data: "y"}},
		flush:    true,
		calls:    []string{`client 0 "x"`, `server 0 "y"`, "client end shutdown", "server end shutdown"},
		observed: []string{"opened 3ms", "closed shutdown 1/1"},
	},
	{
		name:     "joined at the SYN-ACK: its receiver is the client",
		script:   append(slices.Clone(handshake[1:]), seg{from: sv, flags: "PA", seq: 1, ack: 1, data: "220"}),
		flush:    true,
		calls:    []string{`server 0 "220"`, "client end shutdown", "server end shutdown"},
		observed: []string{"opened 0s", "closed shutdown 0/3"},
		ledger:   counts{capture.ConnsOpened: 1, capture.ConnsMidstream: 0},
	},
	{
		name: "SYN and SYN-ACK captured after what follows them",
		script: []seg{{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"},
			{from: sv, flags: "SA", ack: 1},
			{from: cl, flags: "S"},
			{from: cl, flags: "A", seq: 1, ack: 1},
			{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"}},
		flush:    true,
		calls:    []string{`client 0 "get"`, `server 0 "ok"`, "client end shutdown", "server end shutdown"},
		observed: []string{"closed shutdown 3/2"},
		ledger:   counts{capture.ConnsMidstream: 1},
	},
	{
		name: "SYN with data (RFC 7413), its data not accepted and sent again",
		script: []seg{{from: cl, flags: "S", data: "get"}, {from: sv, flags: "SA", ack: 1}, {from: cl, flags: "PA", seq: 1, ack: 1, data: "get it"},
			{from: sv, flags: "PA", seq: 1, ack: 7, data: "ok"}},
		flush:    true,
		calls:    []string{`client 0 "get"`, `client 3 " it"`, `server 0 "ok"`, "client end shutdown", "server end shutdown"},
		observed: []string{"opened 2ms", "closed shutdown 6/2"},
		ledger:   counts{capture.SegmentOverlap: 1, capture.BytesDuplicate: 3},
	},
	{
		name: "the second of two answers to the SYN is taken",
		script: []seg{{from: cl, flags: "S"},
			{from: sv, flags: "SA", ack: 1},
			{from: sv, flags: "SA", seq: 1 << 20, ack: 1},
			{from: cl, flags: "PA", seq: 1, ack: 1<<20 + 1, data: "get"},
			{from: sv, flags: "PA", seq: 1<<20 + 1, ack: 4, data: "ok"}},
		flush:    true,
		calls:    []string{`client 0 "get"`, `server 0 "ok"`, "client end shutdown", "server end shutdown"},
		observed: []string{"opened 3ms", "closed shutdown 3/2"},
		ledger:   counts{capture.Gaps: 0, capture.SegmentOutOfRange: 1},
	},
	{
		name: "early segments wait",
		script: after3(seg{from: cl, flags: "A", seq: 5, ack: 1, data: "ef"},
			seg{from: cl, flags: "A", seq: 3, ack: 1, data: "cd"},
			seg{from: cl, flags: "A", seq: 1, ack: 1, data: "ab"},
			seg{from: cl, flags: "A", seq: 7, ack: 1, data: "gh"}),
		flush:    true,
		calls:    []string{`client 0 "ab"`, `client 2 "cd"`, `client 4 "ef"`, `client 6 "gh"`, "client end shutdown", "server end shutdown"},
		observed: []string{"opened 2ms", "closed shutdown 8/0"},
		ledger:   counts{capture.SegmentDelayed: 2, capture.SegmentInOrder: 2, capture.GapBytes: 0},
	},
	{
		name: "of two copies the first wins, held or handed on",
		script: after3(seg{from: cl, flags: "A", seq: 2, ack: 1, data: "bcd"},
			seg{from: cl, flags: "A", seq: 7, ack: 1, data: "g"},
			seg{from: cl, flags: "A", seq: 1, ack: 1, data: "aXXXefXh"},
			seg{from: cl, flags: "A", seq: 8, ack: 1, data: "YZ"}),
		flush:    true,
		calls:    []string{`client 0 "a"`, `client 1 "bcd"`, `client 4 "ef"`, `client 6 "g"`, `client 7 "h"`, `client 8 "Z"`, "client end shutdown", "server end shutdown"},
		observed: []string{"opened 2ms", "closed shutdown 9/0"},
		ledger:   counts{capture.SegmentDelayed: 2, capture.SegmentOverlap: 2, capture.BytesDuplicate: 5, capture.BytesDelivered: 9},
	},
	{
		name: "an early segment around held ones is cut into pieces and counted once",
		script: after3(seg{from: cl, flags: "A", seq: 4, ack: 1, data: "d"},
			seg{from: cl, flags: "A", seq: 6, ack: 1, data: "f"},
			seg{from: cl, flags: "A", seq: 3, ack: 1, data: "cXeXg"},
			seg{from: cl, flags: "A", seq: 4, ack: 1, data: "XXX"}, seg{from: cl, flags: "A", seq: 1, ack: 1, data: "ab"}),
		flush: true,
		calls: []string{`client 0 "ab"`, `client 2 "c"`, `client 3 "d"`, `client 4 "e"`, `client 5 "f"`, `client 6 "g"`,
			"client end shutdown", "server end shutdown"},
		observed: []string{"opened 2ms", "closed shutdown 7/0"},
		ledger:   counts{capture.SegmentDelayed: 3, capture.SegmentInOrder: 1, capture.SegmentDuplicate: 1, capture.BytesDuplicate: 5},
	},
	{
		name: "duplicates, keep-alive and window probes are no new bytes",
		script: after3(seg{from: cl, flags: "A", seq: 1, ack: 1, data: "ab"},
			seg{from: cl, flags: "A", seq: 1, ack: 1, data: "ab"},
			seg{from: cl, flags: "A", seq: 2, ack: 1, data: "X"},
			seg{from: cl, flags: "A", seq: 2, ack: 1}, seg{from: sv, flags: "A", seq: 0, ack: 3, data: "X"}),
		flush:    true,
		calls:    []string{`client 0 "ab"`, "client end shutdown", "server end shutdown"},
		observed: []string{"opened 2ms", "closed shutdown 2/0"},
		ledger:   counts{capture.SegmentDuplicate: 3, capture.BytesDuplicate: 4},
	},
	{
		name: "a hole that is acknowledged is a gap after some packets",
		script: append(after3(seg{from: cl, flags: "A", seq: 5, ack: 1, data: "ef"}, seg{from: sv, flags: "A", seq: 1, ack: 7}),
			repeat(8, seg{from: sv, flags: "A", seq: 1, ack: 7})...),
		calls:    []string{"client 0 gap 4 gap", `client 4 "ef"`},
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.GapBytes: 4, capture.Gaps: 1, capture.SegmentDelayed: 1},
	},
	{
		name: "and not before",
		script: append(after3(seg{from: cl, flags: "A", seq: 5, ack: 1, data: "ef"},
			seg{from: sv, flags: "A", seq: 1, ack: 7}), repeat(6, seg{from: sv, flags: "A", seq: 1, ack: 7})...),
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.GapBytes: 0, capture.SegmentsLive: 1, capture.BytesLive: 2},
	},
	{
		name: "half as many packets do when time passed",
		script: append(after3(seg{from: cl, flags: "A", seq: 5, ack: 1, data: "ef"}, seg{from: sv, flags: "A", seq: 1, ack: 7}),
			repeat(4, seg{from: sv, flags: "A", seq: 1, ack: 7, after: 30 * time.Millisecond})...),
		calls:    []string{"client 0 gap 4 gap", `client 4 "ef"`},
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.GapBytes: 4},
	},
	{
		name: "only the acknowledged part of a hole is a gap",
		script: append(after3(seg{from: cl, flags: "A", seq: 1, ack: 1, data: "a"},
			seg{from: cl, flags: "A", seq: 7, ack: 1, data: "g"},
			seg{from: sv, flags: "A", seq: 1, ack: 4}),
			append(repeat(9, seg{from: sv, flags: "A", seq: 1, ack: 4}), seg{from: cl, flags: "A", seq: 4, ack: 1, data: "def"})...),
		calls:    []string{`client 0 "a"`, "client 1 gap 2 gap", `client 3 "def"`, `client 6 "g"`},
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.GapBytes: 2},
	},
	{
		name: "nothing held, acknowledged: a lost tail; what comes after all is late",
		script: append(after3(seg{from: cl, flags: "A", seq: 1, ack: 1, data: "a"}, seg{from: sv, flags: "PA", seq: 1, ack: 5, data: "ok"}),
			append(repeat(9, seg{from: sv, flags: "A", seq: 3, ack: 5}), seg{from: cl, flags: "A", seq: 2, ack: 3, data: "bcd"},
				seg{from: cl, flags: "A", seq: 5, ack: 3, data: "e"})...),
		calls:    []string{`client 0 "a"`, `server 0 "ok"`, "client 1 gap 3 gap", `client 4 "e"`},
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.GapBytes: 3, capture.SegmentLate: 1, capture.BytesLate: 3},
	},
	{
		name:     "a hole that is not acknowledged is a gap after the timeout",
		script:   after3(seg{from: cl, flags: "A", seq: 1, ack: 1, data: "a"}, seg{from: cl, flags: "A", seq: 3, ack: 1, data: "c"}),
		wait:     13 * time.Second,
		calls:    []string{`client 0 "a"`, "client 1 gap 1 gap", `client 2 "c"`},
		observed: []string{"opened 2ms"},
	},
	{
		name:     "and not before the timeout",
		script:   after3(seg{from: cl, flags: "A", seq: 1, ack: 1, data: "a"}, seg{from: cl, flags: "A", seq: 3, ack: 1, data: "c"}),
		wait:     9 * time.Second,
		calls:    []string{`client 0 "a"`},
		observed: []string{"opened 2ms"},
	},
	{
		name: "the timeout of the second hole begins when the first is filled",
		script: after3(seg{from: cl, flags: "A", seq: 2, ack: 1, data: "b"}, seg{from: cl, flags: "A", seq: 4, ack: 1, data: "d"},
			seg{from: cl, flags: "A", seq: 1, ack: 1, data: "a", after: 8 * time.Second}),
		wait:     5 * time.Second,
		calls:    []string{`client 0 "a"`, `client 1 "b"`},
		observed: []string{"opened 2ms"},
	},
	{
		name: "late bytes of two gaps that touch",
		script: append(append(after3(seg{from: cl, flags: "A", seq: 9, ack: 1, data: "i"}, seg{from: sv, flags: "A", seq: 1, ack: 3}),
			append(repeat(9, seg{from: sv, flags: "A", seq: 1, ack: 3}), repeat(10, seg{from: sv, flags: "A", seq: 1, ack: 7})...)...),
			seg{from: cl, flags: "A", seq: 1, ack: 1, data: "ab"},
			seg{from: cl, flags: "A", seq: 3, ack: 1, data: "cde"},
			seg{from: cl, flags: "A", seq: 6, ack: 1, data: "f"}),
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.GapBytes: 6, capture.Gaps: 2, capture.BytesLate: 6},
	},
	{
		name: "at the end what is held is handed on after its gap",
		script: after3(seg{from: cl, flags: "A", seq: 1, ack: 1, data: "a"},
			seg{from: cl, flags: "A", seq: 3, ack: 1, data: "c"},
			seg{from: sv, flags: "A", seq: 1, ack: 9}),
		flush:    true,
		calls:    []string{`client 0 "a"`, "client 1 gap 1 gap", `client 2 "c"`, "client 3 gap 5 gap", "client end shutdown", "server end shutdown"},
		observed: []string{"opened 2ms", "closed shutdown 2/0"},
		ledger:   counts{capture.GapBytes: 6, capture.Gaps: 2},
	},
	{
		name: "the last bytes before a FIN were lost",
		script: after3(seg{from: cl, flags: "A", seq: 1, ack: 1, data: "a"},
			seg{from: cl, flags: "FA", seq: 4, ack: 1},
			seg{from: sv, flags: "FA", seq: 1, ack: 5},
			seg{from: cl, flags: "A", seq: 5, ack: 2}),
		wait:     13 * time.Second,
		calls:    []string{`client 0 "a"`, "server end fin", "client 1 gap 2 gap", "client end fin"},
		observed: []string{"opened 2ms", "closed fin 1/0"},
		ledger:   counts{capture.ConnsFIN: 1, capture.GapBytes: 2},
	},
	{
		name: "one more acknowledged at the end is a FIN that was not captured",
		script: after3(seg{from: cl, flags: "FA", seq: 1, ack: 1, data: "a"},
			seg{from: sv, flags: "A", seq: 1, ack: 3},
			seg{from: cl, flags: "A", seq: 3, ack: 2}),
		flush:    true,
		calls:    []string{`client 0 "a"`, "client end fin", "server end shutdown"},
		observed: []string{"opened 2ms", "closed shutdown 1/0"},
		ledger:   counts{capture.GapBytes: 0},
	},
	{
		name: "a gap before the first captured payload is told first",
		script: append(after3(seg{from: sv, flags: "A", seq: 1, ack: 6}), append(repeat(9, seg{from: sv, flags: "A", seq: 1, ack: 6}),
			seg{from: sv, flags: "PA", seq: 1, ack: 6, data: "ok"})...),
		flush:    true,
		calls:    []string{"client 0 gap 5 gap", `server 0 "ok"`, "client end shutdown", "server end shutdown"},
		observed: []string{"opened 2ms", "closed shutdown 0/2"},
	},
	{
		name: "after a FIN nothing is read",
		script: after3(seg{from: cl, flags: "FA", seq: 1, ack: 1, data: "a"},
			seg{from: cl, flags: "A", seq: 2, ack: 1, data: "bcd"},
			seg{from: cl, flags: "A", seq: 1, ack: 1, data: "aX"},
			seg{from: cl, flags: "FA", seq: 1, ack: 1, data: "a"}),
		calls:    []string{`client 0 "a"`, "client end fin"},
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.SegmentOutOfRange: 1, capture.BytesOutOfRange: 4, capture.SegmentDuplicate: 2},
	},
	{
		name: "the capture cut the frames",
		script: after3(seg{from: cl, flags: "A", seq: 1, ack: 1, data: "abcd", cut: 2},
			seg{from: cl, flags: "A", seq: 8, ack: 1, data: "hij", cut: 1},
			seg{from: cl, flags: "A", seq: 5, ack: 1, data: "efg", cut: 3},
			seg{from: sv, flags: "A", seq: 1, ack: 11, data: "xy", cut: 2}, seg{from: sv, flags: "A", seq: 3, ack: 11, data: "z"}),
		flush: true,
		calls: []string{`client 0 "ab"`, "client 2 gap 2 truncated_frame", "client 4 gap 3 truncated_frame", `client 7 "hi"`, "client 9 gap 1 truncated_frame",
			"server 0 gap 2 truncated_frame", `server 2 "z"`, "client end shutdown", "server end shutdown"},
		observed: []string{"opened 2ms", "closed shutdown 10/3"},
		ledger:   counts{capture.SegmentCut: 2, capture.BytesCut: 8, capture.BytesDelivered: 5, capture.GapBytes: 0},
	},
	{
		name: "segments with a wrong checksum are not used",
		script: after3(seg{from: cl, flags: "A", seq: 1, ack: 1, data: "XX", opt: func(p *capture.Packet) { p.BadChecksum = true }},
			seg{from: sv, flags: "R", seq: 1, opt: func(p *capture.Packet) { p.BadChecksum = true }}, seg{from: cl, flags: "A", seq: 1, ack: 1, data: "ab"}),
		calls:    []string{`client 0 "ab"`},
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.SegmentBadChecksum: 2, capture.BytesBadChecksum: 2},
	},
	{
		name: "urgent data stays in the stream",
		script: after3(seg{from: cl, flags: "PAU", seq: 1, ack: 1, data: "abc", opt: func(p *capture.Packet) { p.TCP.Urgent = 2 }},
			seg{from: cl, flags: "PA", seq: 4, ack: 1, data: "d"}),
		calls:    []string{`client 0 "abc"`, `client 3 "d"`},
		observed: []string{"opened 2ms"},
	},
	{
		name:     "refused",
		script:   []seg{{from: cl, flags: "S"}, {from: sv, flags: "RA", ack: 1}},
		observed: []string{"failed refused after 1 in 1ms"},
		ledger:   counts{capture.ConnsFailed: 1, capture.ConnsOpened: 1, capture.ConnsLive: 0},
	},
	{
		name:     "a RST that does not acknowledge the SYN refuses nothing",
		script:   []seg{{from: cl, flags: "S"}, {from: sv, flags: "RA", ack: 2}, {from: sv, flags: "R"}},
		observed: nil,
		ledger:   counts{capture.SegmentOutOfRange: 2, capture.ConnsLive: 1},
	},
	{
		name:     "no answer",
		script:   []seg{{from: cl, flags: "S"}, {from: cl, flags: "S", after: time.Second}, {from: cl, flags: "S", after: 2 * time.Second}},
		wait:     42 * time.Second,
		observed: []string{"failed timed_out after 3 in 43s"},
		ledger:   counts{capture.ConnsFailed: 1},
	},
	{
		name:     "no answer yet as the capture ends",
		script:   []seg{{from: cl, flags: "S"}, {from: cl, flags: "S", after: 900 * time.Millisecond}},
		flush:    true,
		observed: []string{"closed shutdown 0/0"},
		ledger:   counts{capture.ConnsShutdown: 1},
	},
	{
		name:     "no answer for a second as the capture ends",
		script:   []seg{{from: cl, flags: "S"}, {from: cl, flags: "S", after: time.Second}},
		flush:    true,
		observed: []string{"failed timed_out after 2 in 1s"},
		ledger:   counts{capture.ConnsFailed: 1},
	},
	{
		name:     "half-open scan: SYN, SYN-ACK, RST",
		script:   []seg{{from: cl, flags: "S"}, {from: sv, flags: "SA", ack: 1}, {from: cl, flags: "R", seq: 1}},
		observed: []string{"failed reset after 1 in 2ms"},
		ledger:   counts{capture.ConnsFailed: 1},
	},
	{
		name: "reset while a request is in flight",
		script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"},
			seg{from: sv, flags: "RA", seq: 1, ack: 4},
			seg{from: sv, flags: "RA", seq: 1, ack: 4}),
		calls:    []string{`client 0 "get"`, "client end reset", "server end reset"},
		observed: []string{"opened 2ms", "reset by server in request", "closed reset 3/0"},
		ledger:   counts{capture.ConnsReset: 1},
	},
	{
		name: "reset while a response is in flight",
		script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "part"},
			seg{from: cl, flags: "R", seq: 4}),
		calls:    []string{`client 0 "get"`, `server 0 "part"`, "client end reset", "server end reset"},
		observed: []string{"opened 2ms", "reset by client in response", "closed reset 3/4"},
	},
	{
		name: "reset while idle, and after a FIN",
		script: append(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"},
			seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"},
			seg{from: cl, flags: "A", seq: 4, ack: 3},
			seg{from: sv, flags: "R", seq: 3}), fromPort(1, after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"},
			seg{from: sv, flags: "FA", seq: 1, ack: 4, data: "ok"},
			seg{from: cl, flags: "R", seq: 4}))...),
		calls: []string{`client 0 "get"`, `server 0 "ok"`, "client end reset", "server end reset",
			`client 0 "get"`, `server 0 "ok"`, "server end fin", "client end reset"},
		observed: []string{"opened 2ms", "reset by server in idle", "closed reset 3/2", "opened 2ms", "reset by client in closing", "closed reset 3/2"},
	},
	{
		name: "RSTs outside the window change nothing",
		script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"},
			seg{from: sv, flags: "R", seq: 1 << 20},
			seg{from: sv, flags: "R", seq: 1<<32 - 5},
			seg{from: cl, flags: "R", seq: 3000000},
			seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"}),
		calls:    []string{`client 0 "get"`, `server 0 "ok"`},
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.SegmentOutOfRange: 3, capture.ConnsReset: 0},
	},
	{
		name: "a RST takes the number that was acknowledged last, though more was sent",
		script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"},
			seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "answer"},
			seg{from: cl, flags: "A", seq: 4, ack: 3},
			seg{from: sv, flags: "R", seq: 3}),
		calls:    []string{`client 0 "get"`, `server 0 "answer"`, "client end reset", "server end reset"},
		observed: []string{"opened 2ms", "reset by server in response", "closed reset 3/6"},
	},
	{
		name: "whoever goes on sending did not send the RST",
		script: after3(seg{from: cl, flags: "R", seq: 1}, seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"},
			seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"}),
		flush:    true,
		calls:    []string{`client 0 "get"`, `server 0 "ok"`, "client end shutdown", "server end shutdown"},
		observed: []string{"opened 2ms", "reset by client in idle", "closed reset 0/0", "closed shutdown 3/2"},
		ledger:   counts{capture.ConnsMidstream: 1, capture.ConnsReset: 1},
	},
	{
		name: "what is still sent to the one who reset is of no connection",
		script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"},
			seg{from: cl, flags: "R", seq: 4},
			seg{from: sv, flags: "PA", seq: 1, ack: 4, data: "ok"},
			seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "get"}, seg{from: sv, flags: "A", seq: 1, ack: 4}),
		calls:    []string{`client 0 "get"`, "client end reset", "server end reset"},
		observed: []string{"opened 2ms", "reset by client in request", "closed reset 3/0"},
		ledger:   counts{capture.SegmentNoState: 1, capture.BytesNoState: 2, capture.SegmentDuplicate: 1},
	},
	{
		name: "the ports are used again after the close",
		script: append(after3(seg{from: cl, flags: "FA", seq: 1, ack: 1},
			seg{from: sv, flags: "FA", seq: 1, ack: 2},
			seg{from: cl, flags: "A", seq: 2, ack: 2}),
			moved(1<<22, after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "x"}))...),
		calls:    []string{`client 0 "x"`},
		observed: []string{"opened 2ms", "closed fin 0/0", "opened 2ms"},
		ledger:   counts{capture.ConnsOpened: 2, capture.ConnsFIN: 1},
	},
	{
		name: "and after a FIN of one side",
		script: append(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "x"}, seg{from: cl, flags: "FA", seq: 2, ack: 1}),
			moved(1<<22, after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "y"}))...),
		calls:    []string{`client 0 "x"`, "client end fin", "server end reused", `client 0 "y"`},
		observed: []string{"opened 2ms", "closed reused 1/0", "opened 2ms"},
		ledger:   counts{capture.ConnsReused: 1},
	},
	{
		name: "a SYN alone ends no connection that lives",
		script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "x"},
			seg{from: cl, flags: "S", seq: 1 << 22},
			seg{from: sv, flags: "SA", seq: 1 << 22, ack: 1},
			seg{from: cl, flags: "PA", seq: 2, ack: 1, data: "y"}),
		calls:    []string{`client 0 "x"`, `client 1 "y"`},
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.ConnsReused: 0, capture.SegmentOutOfRange: 2},
	},
	{
		name: "a SYN that is answered does",
		script: append(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "x"}),
			moved(1<<22, after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "y"}))...),
		calls:    []string{`client 0 "x"`, "client end reused", "server end reused", `client 0 "y"`},
		observed: []string{"opened 2ms", "closed reused 1/0", "opened 0s"},
		ledger:   counts{capture.ConnsReused: 1, capture.ConnsOpened: 2},
	},
	{
		name: "and one after long silence",
		script: append(after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "x"}, seg{from: cl, flags: "A", seq: 2, ack: 1}),
			moved(1<<22, []seg{{from: cl, flags: "S", after: 61 * time.Second}})...),
		calls:    []string{`client 0 "x"`, "client end reused", "server end reused"},
		observed: []string{"opened 2ms", "closed reused 1/0"},
	},
	{
		name: "trailing control segments make no connection",
		script: []seg{{from: cl, flags: "A", seq: 1, ack: 1},
			{from: cl, flags: "FA", seq: 1, ack: 1},
			{from: sv, flags: "R", seq: 1},
			{from: sv, flags: "RA", seq: 1, data: "why"},
			{from: cl, flags: "SF"}},
		ledger:   counts{capture.SegmentControl: 4, capture.SegmentNoState: 1, capture.BytesNoState: 3, capture.ConnsOpened: 0, capture.ConnsMidstream: 0},
		observed: nil,
	},
	{
		name: "joined midway, with bytes that were captured after their acknowledgement",
		script: []seg{{from: sv, flags: "PA", seq: 501, ack: 301, data: "ok"},
			{from: cl, flags: "PA", seq: 298, ack: 501, data: "get"},
			{from: cl, flags: "PA", seq: 301, ack: 503, data: "put"},
			{from: cl, flags: "PA", seq: 290, ack: 501, data: "old"}},
		flush:    true,
		calls:    []string{`server 0 "ok"`, `client 0 "get"`, `client 3 "put"`, "client end shutdown", "server end shutdown"},
		observed: []string{"closed shutdown 6/2"},
		ledger:   counts{capture.ConnsMidstream: 1, capture.SegmentLate: 1, capture.BytesLate: 3},
	},
	{
		name: "joined midway, a keep-alive probe first",
		script: []seg{{from: cl, flags: "PA", seq: 301, ack: 501, data: "get"},
			{from: sv, flags: "A", seq: 500, ack: 304, data: "X"},
			{from: sv, flags: "PA", seq: 501, ack: 304, data: "ok"}},
		flush:    true,
		calls:    []string{`client 0 "get"`, `server 0 "ok"`, "client end shutdown", "server end shutdown"},
		observed: []string{"closed shutdown 3/2"},
		ledger:   counts{capture.SegmentDuplicate: 1},
	},
	{
		name: "silence",
		cfg:  Config{IdleTimeout: 20 * time.Second},
		script: after3(seg{from: cl, flags: "PA", seq: 1, ack: 1, data: "x"},
			seg{from: cl, flags: "PA", seq: 2, ack: 1, data: "y", after: 15 * time.Second}),
		wait:     22 * time.Second,
		calls:    []string{`client 0 "x"`, `client 1 "y"`, "client end timed_out", "server end timed_out"},
		observed: []string{"opened 2ms", "closed timed_out 2/0"},
		ledger:   counts{capture.ConnsTimedOut: 1},
	},
	{
		name: "segments far outside are ignored",
		script: after3(seg{from: cl, flags: "A", seq: 1 << 29, ack: 1, data: "XX"},
			seg{from: cl, flags: "A", seq: 1 << 31, ack: 1, data: "XX"},
			seg{from: cl, flags: "A", seq: 1, ack: 1, data: "ab"}),
		calls:    []string{`client 0 "ab"`},
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.SegmentOutOfRange: 2, capture.BytesOutOfRange: 4},
	},
	{
		name: "until they prove that the stream moved there",
		script: after3(seg{from: cl, flags: "A", seq: 1, ack: 1, data: "a"},
			seg{from: cl, flags: "A", seq: 1 << 29, ack: 1, data: "b"},
			seg{from: cl, flags: "A", seq: 1<<29 + 1, ack: 1, data: "c"},
			seg{from: cl, flags: "A", seq: 1<<29 + 2, ack: 1, data: "d"},
			seg{from: cl, flags: "A", seq: 1<<29 + 3, ack: 1, data: "e"}, seg{from: cl, flags: "A", seq: 1<<29 + 4, ack: 1, data: "f"}),
		calls:    []string{`client 0 "a"`, "client 1 gap 536870913 gap", `client 536870914 "e"`, `client 536870915 "f"`},
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.SegmentOutOfRange: 3, capture.GapBytes: 1<<29 + 1},
	},
	{
		name: "a forged acknowledgement makes no gap when its sender goes on below it",
		script: append(after3(seg{from: cl, flags: "A", seq: 1, ack: 1, data: "a"},
			seg{from: sv, flags: "A", seq: 1, ack: 900000},
			seg{from: sv, flags: "A", seq: 1, ack: 2, data: "x"}),
			append(repeat(9, seg{from: sv, flags: "A", seq: 2, ack: 2}), seg{from: cl, flags: "A", seq: 2, ack: 2, data: "b"})...),
		calls:    []string{`client 0 "a"`, `server 0 "x"`, `client 1 "b"`},
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.Gaps: 0},
	},
	{
		name: "the bound of segments: the oldest hole is given up",
		cfg:  Config{MaxSegmentsPerSide: 3},
		script: after3(seg{from: cl, flags: "A", seq: 3, ack: 1, data: "c"},
			seg{from: cl, flags: "A", seq: 5, ack: 1, data: "e"},
			seg{from: cl, flags: "A", seq: 7, ack: 1, data: "g"},
			seg{from: cl, flags: "A", seq: 9, ack: 1, data: "i"}),
		calls:    []string{`client 0 gap 2 gap`, `client 2 "c"`},
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.GapBytes: 2, capture.SegmentsLive: 3},
	},
	{
		name: "the bound of bytes per side",
		cfg:  Config{MaxBufferedPerSide: 4},
		script: after3(seg{from: cl, flags: "A", seq: 3, ack: 1, data: "cde"},
			seg{from: cl, flags: "A", seq: 8, ack: 1, data: "hi"},
			seg{from: cl, flags: "A", seq: 11, ack: 1, data: "klmno"}),
		calls:    []string{`client 0 gap 2 gap`, `client 2 "cde"`, "client 5 gap 2 gap", `client 7 "hi"`, "client 9 gap 1 gap", `client 10 "klmno"`},
		observed: []string{"opened 2ms"},
		ledger:   counts{capture.SegmentsLive: 0, capture.SegmentInOrder: 1},
	},
	{
		name: "the bound of all buffers",
		cfg:  Config{MaxBuffered: 512},
		script: append(after3(seg{from: cl, flags: "A", seq: 3, ack: 1, data: strings.Repeat("c", 300)}),
			fromPort(1, after3(seg{from: cl, flags: "A", seq: 3, ack: 1, data: "c"}))...),
		calls:    []string{`client 0 gap 2 gap`, `client 2 "c"`},
		observed: []string{"opened 2ms", "opened 2ms"},
		ledger:   counts{capture.SegmentsLive: 1, capture.SegmentInOrder: 1},
	},
}

// repeat returns n times the same segment.
func repeat(n int, s seg) []seg { return slices.Repeat([]seg{s}, n) }

// moved returns the script with all numbers moved on by n.
func moved(n uint32, script []seg) []seg {
	script = slices.Clone(script)
	for i := range script {
		script[i].seq += n
		script[i].ack += n
	}
	return script
}

// fromPort returns the script with the client's port moved on by n.
func fromPort(n int, script []seg) []seg {
	script = slices.Clone(script)
	for i := range script {
		opt := script[i].opt
		script[i].opt = func(p *capture.Packet) {
			if opt != nil {
				opt(p)
			}
			if p.Flow.Dst.Port == serverAddr.Port() {
				p.Flow.Src.Port += uint16(n)
			} else {
				p.Flow.Dst.Port += uint16(n)
			}
		}
	}
	return script
}

func TestScripts(t *testing.T) {
	for _, tt := range scripts {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.cfg)
			r.play(tt.script)
			r.tick(tt.wait)
			if tt.flush {
				r.flush()
			}
			if !slices.Equal(r.calls, tt.calls) {
				t.Errorf("calls:\n%q\nwant\n%q", r.calls, tt.calls)
			}
			if got := r.observed(); !slices.Equal(got, tt.observed) {
				t.Errorf("observed:\n%q\nwant\n%q", got, tt.observed)
			}
			for e, want := range tt.ledger {
				if got := r.book.Ledger[e]; got != want {
					t.Errorf("account %v (%d) is %d, want %d", e, e, got, want)
				}
			}
			r.flush()
		})
	}
}
