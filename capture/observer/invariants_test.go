package observer_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/wire"
)

// meaning is what an exchange says apart from times and connection numbers.
func meaning(e *capture.Exchange) string {
	return fmt.Sprintf("%s %s %s %s %s -> %d %d/%d %s", e.Conn.Client, e.Conn.Server, e.Method, e.Host, e.Target, e.Status, e.RequestBody, e.ResponseBody, e.Error)
}

func meanings(es []*capture.Exchange) []string {
	var out []string
	for _, e := range es {
		out = append(out, meaning(e))
	}
	slices.Sort(out)
	return out
}

// changes are those after which the same exchanges must come out.
var changes = []struct {
	name   string
	change func([]capturetest.Segment) []capturetest.Segment
}{
	{"shift", capturetest.Shift},
	{"cut1", func(s []capturetest.Segment) []capturetest.Segment { return capturetest.Cut(s, 1) }},
	{"cut7", func(s []capturetest.Segment) []capturetest.Segment { return capturetest.Cut(s, 7) }},
	{"glue", capturetest.Glue},
	{"swap", capturetest.Swap},
	{"duplicate", capturetest.Duplicate},
	{"ipv6", capturetest.ToIPv6},
}

// sameMeaning checks that segments mean the same after every change, and
// returns what they mean.
func sameMeaning(t *testing.T, segments []capturetest.Segment) *result {
	base := observe(capturetest.NewSource(segments), nil)
	payload := 0
	for i := range segments {
		payload += len(segments[i].Packet.Payload)
	}
	for _, c := range changes {
		want := meanings(base.exchanges)
		whole := false
		switch c.name {
		case "shift", "ipv6":
			if base.ledger[capture.FragmentsReassembled] > 0 {
				continue // fragments stay as they are, and no longer fit
			}
		case "cut1", "cut7":
			// Where the order of packets is disturbed, cutting disturbs it more:
			// what was one packet late is then many. And the first bytes of a
			// connection that was joined midway are looked for where segments
			// begin.
			if payload > 1<<18 || base.ledger[capture.SegmentDelayed] > 0 || base.ledger[capture.Gaps] > 0 {
				continue
			}
			whole = true
			want = meanings(followed(base.exchanges))
		case "swap":
			if base.ledger[capture.SegmentDelayed] > 0 || base.ledger[capture.Gaps] > 0 {
				continue
			}
		}
		r := observe(capturetest.NewSource(c.change(segments)), nil)
		r.check(t)
		got := meanings(r.exchanges)
		if whole {
			got = meanings(followed(r.exchanges))
		}
		if c.name == "ipv6" {
			for i := range got {
				got[i] = unmapped(got[i])
			}
			slices.Sort(got)
			for i := range want {
				want[i] = unmapped(want[i])
			}
			slices.Sort(want)
			diffLists(t, c.name, want, got)
			continue
		}
		diffLists(t, c.name, want, got)
	}
	return &base
}

// followed leaves out the exchanges of connections that were joined midway.
func followed(es []*capture.Exchange) []*capture.Exchange {
	return slices.DeleteFunc(slices.Clone(es), func(e *capture.Exchange) bool { return e.Conn.Midstream })
}

// unmapped takes the addresses out of a meaning.
func unmapped(m string) string {
	_, rest, _ := strings.Cut(m, " ")
	_, rest, _ = strings.Cut(rest, " ")
	return rest
}

func diffLists(t *testing.T, name string, want, got []string) {
	t.Helper()
	count := map[string]int{}
	for _, g := range got {
		count[g]++
	}
	lost, invented := 0, 0
	for _, w := range want {
		if count[w]--; count[w] < 0 {
			if lost++; lost <= 5 {
				t.Errorf("%s: lost     %.200s", name, w)
			}
		}
	}
	for _, g := range got {
		if count[g] > 0 {
			count[g]--
			if invented++; invented <= 5 {
				t.Errorf("%s: invented %.200s", name, g)
			}
		}
	}
}

// midway starts the capture at later and later packets: facts may be lost, none
// may be invented. Of connections that base itself joined midway, with packets
// out of order, missing or contradicting each other where it did, a later start
// can know more.
func midway(t *testing.T, segments []capturetest.Segment, base *result) {
	unsure := base.ledger[capture.BytesLate]+base.ledger[capture.Gaps]+base.ledger[capture.DeliveredDesync] > 0
	requests, responses := map[string]bool{}, map[string]bool{}
	both, partial := map[string]bool{}, map[capture.Endpoint]bool{}
	for _, e := range base.exchanges {
		req := fmt.Sprintf("%s %s %s %s", e.Conn.Client, e.Method, e.Host, e.Target)
		resp := fmt.Sprintf("%s %d", e.Conn.Client, e.Status)
		if e.HasRequest {
			requests[req] = true
		}
		if e.Status != 0 {
			responses[resp] = true
		}
		both[req+resp] = true
		partial[e.Conn.Client] = e.Conn.Midstream && unsure
	}
	step := max(1, len(segments)/12)
	for k := 1; k < len(segments); k += step {
		r := observe(capturetest.NewSource(segments[k:]), nil)
		r.check(t)
		for _, e := range r.exchanges {
			req := fmt.Sprintf("%s %s %s %s", e.Conn.Client, e.Method, e.Host, e.Target)
			resp := fmt.Sprintf("%s %d", e.Conn.Client, e.Status)
			switch {
			case partial[e.Conn.Client]:
			case e.HasRequest && !requests[req]:
				t.Errorf("started at packet %d: invented request %.200s", k, req)
			case e.Status != 0 && !responses[resp]:
				t.Errorf("started at packet %d: invented response %.200s", k, resp)
			case e.HasRequest && e.Status != 0 && !both[req+resp]:
				t.Errorf("started at packet %d: mispaired %.200s", k, req+resp)
			}
		}
	}
}

func TestCapturesKeepTheirMeaning(t *testing.T) {
	dir := capturetest.Shared(t)
	for i, name := range capturetest.Captures(t) {
		if i%keepEvery != 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d wire.Decoder
			segments, _ := capturetest.Load(open(t, filepath.Join(dir, name)), d.Decode)
			base := sameMeaning(t, segments)
			midway(t, segments, base)
		})
	}
}

// loss leaves out each packet in turn: exchanges may be missing or incomplete,
// but no request and no pair may come out that is not there without the loss.
func loss(t *testing.T, segments []capturetest.Segment) {
	base := observe(capturetest.NewSource(segments), nil)
	pairs, requests := map[string]bool{}, map[string]bool{}
	key := func(e *capture.Exchange) (request, pair string) {
		request = fmt.Sprintf("%s %s %s %s", e.Conn.Client, e.Method, e.Host, e.Target)
		return request, fmt.Sprintf("%s -> %d", request, e.Status)
	}
	for _, e := range base.exchanges {
		request, pair := key(e)
		requests[request], pairs[pair] = true, true
	}
	for i := range segments {
		r := observe(capturetest.NewSource(slices.Delete(capturetest.Clone(segments), i, i+1)), nil)
		r.check(t)
		for _, e := range r.exchanges {
			request, pair := key(e)
			switch {
			case e.Incomplete == capture.ReasonGap: // what is missing of it may be the Host
			case e.HasRequest && !requests[request]:
				t.Errorf("without packet %d: invented request %s", i, request)
			case e.HasRequest && e.Status != 0 && !pairs[pair]:
				t.Errorf("without packet %d: mispaired %s", i, pair)
			}
		}
	}
}
