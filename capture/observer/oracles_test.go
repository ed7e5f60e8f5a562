package observer_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
)

// thirdPartyRequest is a request that the tests of another tool expect in the
// capture. What is nil they do not say.
type thirdPartyRequest struct {
	Oracle, Test      string
	Method, Host, URI *string
	Status            any // a number or its digits
}

// full reports whether the tool lists all requests.
func (r *thirdPartyRequest) full() bool { return !strings.HasPrefix(r.Oracle, "suricata") }

func (r *thirdPartyRequest) String() string {
	text := func(s *string) string {
		if s == nil {
			return "?"
		}
		return orNone(*s)
	}
	return fmt.Sprintf("%s: %s %s %s -> %s", r.Oracle, text(r.Method), text(r.Host), text(r.URI), r.status())
}

// status returns the status that is said; "?" when none is, "-" for no response.
func (r *thirdPartyRequest) status() string {
	switch s := fmt.Sprint(r.Status); s {
	case "<nil>":
		return "?"
	case "0":
		return "-"
	default:
		return s
	}
}

// matches reports whether e is what r says.
func (r *thirdPartyRequest) matches(e *capture.Exchange) bool {
	same := func(want *string, got []byte) bool {
		return want == nil || *want == string(got) || *want == "-" && len(got) == 0
	}
	status := orNone(strings.TrimPrefix(fmt.Sprint(e.Status), "0"))
	return same(r.URI, e.Target) && same(r.Host, e.Host) &&
		(r.Method == nil || strings.EqualFold(*r.Method, string(e.Method)) || *r.Method == "-" && !e.HasRequest) &&
		(r.status() == "?" || r.status() == status)
}

// TestHTTP1AgreesWithOthers compares the exchanges of each capture with the
// requests that the tests of zeek, arkime, deepflow and suricata, and the access
// log of the server itself, say there are. Where they differ,
// testdata/oracle-differences.txt holds the difference and why wiretell is right.
func TestHTTP1AgreesWithOthers(t *testing.T) {
	list := openDifferences(t, "testdata/oracle-differences.txt",
		"Where wiretell's exchanges differ from what the tests of other tools expect of the same capture, and why wiretell is right.",
		"\"-\" is what only the other tool has, \"+\" what only wiretell has. \"?\" is not said.")
	dir := capturetest.Shared(t)
	for _, name := range capturetest.Captures(t) {
		want, ok := expectedOf(t, dir, name)
		if !ok || len(want.ThirdPartyRequests) == 0 {
			continue
		}
		r := observe(open(t, filepath.Join(dir, name)), nil)
		byTest := map[string][]thirdPartyRequest{}
		for _, w := range want.ThirdPartyRequests {
			byTest[w.Oracle+" "+w.Test] = append(byTest[w.Oracle+" "+w.Test], w)
		}
		var diff []string
		for _, rows := range byTest {
			diff = append(diff, compareRequests(rows, r.exchanges)...)
		}
		slices.Sort(diff)
		list.found(name, diff)
	}
	list.close()
}

// compareRequests matches each row with an exchange of its own.
func compareRequests(rows []thirdPartyRequest, es []*capture.Exchange) []string {
	var diff []string
	es = slices.Clone(es)
	// The rows that say most are matched first.
	slices.SortStableFunc(rows, func(a, b thirdPartyRequest) int {
		return strings.Count(a.String(), "?") - strings.Count(b.String(), "?")
	})
	for i := range rows {
		if k := slices.IndexFunc(es, rows[i].matches); k >= 0 {
			es = slices.Delete(es, k, k+1)
		} else {
			diff = append(diff, fmt.Sprintf("- %.160s", rows[i].String()))
		}
	}
	if rows[0].full() {
		for _, e := range es {
			diff = append(diff, fmt.Sprintf("+ %.160s", fmt.Sprintf("%s %s %s -> %d", orNone(string(e.Method)), orNone(string(e.Host)), orNone(string(e.Target)), e.Status)))
		}
	}
	return diff
}

// TestDerivedCapturesMeanTheirSeeds compares captures that were made from
// others by fragmenting, segmenting, overlapping, duplicating and reordering
// with what they were made from.
func TestDerivedCapturesMeanTheirSeeds(t *testing.T) {
	list := openDifferences(t, "testdata/seed-differences.txt",
		"Where the exchanges of a capture made by fragroute differ from those of the capture it was made from, and why.",
		"\"-\" is what only the seed has, \"+\" what only the derived one has.")
	dir := capturetest.Shared(t)
	captures := capturetest.Captures(t)
	for _, name := range captures {
		want, ok := expectedOf(t, dir, name)
		if !ok || !strings.HasPrefix(name, "derived/") {
			continue
		}
		seed := seedOf(want.ThirdParty[0].Test)
		if !slices.Contains(captures, seed) {
			t.Errorf("%s: no seed %s", name, seed)
			continue
		}
		base := observe(open(t, filepath.Join(dir, seed)), nil)
		r := observe(open(t, filepath.Join(dir, name)), nil)
		list.found(name, compareMultisets(meanings(base.exchanges), meanings(r.exchanges)))
	}
	list.close()
}

// seedOf gives the name under which the seed of a derived capture is kept.
func seedOf(path string) string {
	for _, r := range []struct{ from, to string }{
		{"gen/out/", "own/"},
		{"src/zeek/testing/btest/Traces/", "zeek/"},
		{"src/suricata-verify/tests/", "suricata-verify/"},
	} {
		if rest, ok := strings.CutPrefix(path, r.from); ok {
			return r.to + rest
		}
	}
	return path
}

// TestTLSAgreesWithTshark compares the server names and application protocols
// of the TLS clients of every capture with those that tshark lists.
func TestTLSAgreesWithTshark(t *testing.T) {
	list := openDifferences(t, "testdata/tls-differences.txt",
		"Where the server names (SNI) and application protocols (ALPN) of wiretell's TLS client hellos differ from those that tshark lists, and why wiretell is right.",
		"\"-\" is what only tshark lists, \"+\" what only wiretell does.")
	dir := capturetest.Shared(t)
	for _, name := range capturetest.Captures(t) {
		want, ok := expectedOf(t, dir, name)
		if !ok || want.Tshark.Error != nil || want.Tshark.SNI == nil {
			continue
		}
		r := observe(open(t, filepath.Join(dir, name)), nil)
		var got, wanted []string
		for _, obs := range r.batch.Observations {
			h, ok := obs.(*capture.TLSHello)
			if !ok {
				continue
			}
			if len(h.SNI) > 0 && h.From == capture.Client {
				got = append(got, "SNI "+string(h.SNI))
			}
			for _, p := range bytes.Split(h.ALPN, []byte(",")) {
				if len(p) > 0 {
					got = append(got, "ALPN "+string(p))
				}
			}
		}
		for _, s := range want.Tshark.SNI {
			wanted = append(wanted, "SNI "+s)
		}
		for _, s := range want.Tshark.ALPN {
			wanted = append(wanted, "ALPN "+s)
		}
		slices.Sort(got)
		slices.Sort(wanted)
		list.found(name, compareMultisets(slices.Compact(wanted), slices.Compact(got)))
	}
	list.close()
}
