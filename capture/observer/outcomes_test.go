package observer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
)

// outcomes is what other tools say of how connections ended, and of ICMP.
type outcomes struct {
	ThirdParty []struct {
		Logs map[string]json.RawMessage
	} `json:"third_party"`
	Tshark struct {
		ICMP, ICMP6 map[string]uint64
		Error       *string
	}
}

func outcomesOf(t *testing.T, dir, name string) (e outcomes) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "expected", name+".json"))
	if errors.Is(err, os.ErrNotExist) {
		return e
	}
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return e
}

// TestOutcomesAgreeWithZeek compares how each TCP connection ended with the
// conn_state that Zeek's own tests expect of the capture. Where they differ,
// testdata/zeek-differences.txt holds the difference and why wiretell is right.
func TestOutcomesAgreeWithZeek(t *testing.T) {
	list := openDifferences(t, "testdata/zeek-differences.txt",
		"Where the ends of TCP connections differ from Zeek's conn_state, and why wiretell is right.",
		"\"-\" is what only Zeek has, \"+\" what only wiretell has, both in Zeek's words.")
	dir := capturetest.Shared(t)
	for _, name := range capturetest.Captures(t) {
		var longest []string // of several tests, as some look at a part alone
		for _, third := range outcomesOf(t, dir, name).ThirdParty {
			var rows []map[string]any
			if json.Unmarshal(third.Logs["conn.log"], &rows) != nil {
				continue
			}
			var want []string
			for _, row := range rows {
				if row["proto"] == "tcp" && row["conn_state"] != nil {
					want = append(want, fmt.Sprintf("%s %s > %s %s %s", unmap(fmt.Sprint(row["id.orig_h"])), row["id.orig_p"], unmap(fmt.Sprint(row["id.resp_h"])), row["id.resp_p"], row["conn_state"]))
				}
			}
			if len(want) > len(longest) {
				longest = want
			}
		}
		if len(longest) > 0 {
			r := observe(open(t, filepath.Join(dir, name)), nil)
			list.found(name, compareMultisets(longest, zeekStates(&r)))
		}
	}
	list.close()
}

// zeekStates gives the end of every connection in Zeek's words.
func zeekStates(r *result) []string {
	var out []string
	reset := map[uint64]capture.Side{}
	for _, o := range r.batch.Observations {
		var c *capture.Conn
		var word string
		switch o := o.(type) {
		case *capture.ConnReset:
			reset[o.Conn.ID] = o.By
		case *capture.ConnFailed:
			c = &o.Conn
			switch o.Cause {
			case capture.CauseNoAnswer, capture.CauseRejected:
				word = "S0"
			case capture.CauseRefused:
				word = "REJ"
			case capture.CauseAbandonedByClient:
				if word = "RSTO"; o.Answers == 0 {
					word = "RSTOS0"
				}
			case capture.CauseAbandonedByServer:
				word = "RSTR"
			default:
				word = "S1"
			}
		case *capture.ConnClosed:
			c = &o.Conn
			by, wasReset := reset[c.ID]
			client, server := o.States[capture.Client], o.States[capture.Server]
			switch {
			case c.Midstream:
				word = "OTH"
			case wasReset && by == capture.Client:
				word = "RSTO"
			case wasReset:
				word = "RSTR"
			case o.Why == capture.ReasonFIN || closing(client) && closing(server):
				word = "SF"
			case closing(client) && c.OneWay:
				word = "SH"
			case closing(client):
				word = "S2"
			case closing(server):
				word = "S3"
			case server == capture.StateNone:
				word = "S0"
			default:
				word = "S1"
			}
		}
		if c != nil {
			out = append(out, fmt.Sprintf("%s %d > %s %d %s", c.Client.IP(), c.Client.Port, c.Server.IP(), c.Server.Port, word))
		}
	}
	return out
}

// closing reports whether the side has sent its FIN.
func closing(s capture.TCPState) bool {
	switch s {
	case capture.StateFinWait1, capture.StateFinWait2, capture.StateClosing, capture.StateLastAck, capture.StateTimeWait, capture.StateClosed:
		return true
	}
	return false
}

// icmp6Types are tshark's names of ICMPv6 types.
var icmp6Types = map[string]uint8{
	"Destination Unreachable": 1, "Packet Too Big": 2, "Time Exceeded": 3, "Parameter Problem": 4,
	"Echo (ping) request": 128, "Echo (ping) reply": 129, "Multicast Listener Query": 130, "Multicast Listener Report": 131, "Multicast Listener Done": 132,
	"Router Solicitation": 133, "Router Advertisement": 134, "Neighbor Solicitation": 135, "Neighbor Advertisement": 136,
	"Router Renumbering": 138, "Node Information Query": 139, "Node Information Reply": 140, "Home Agent Address Discovery Request": 144, "Home Agent Address Discovery Reply": 145,
	"Mobile Prefix Advertisement": 147, "Multicast Listener Report Message v2": 143, "Extended Echo request": 160, "Extended Echo reply": 161,
}

// TestICMPAgreesWithTshark compares how many ICMP and ICMPv6 messages of each
// type and code there are.
func TestICMPAgreesWithTshark(t *testing.T) {
	list := openDifferences(t, "testdata/icmp-differences.txt",
		"Where the ICMP and ICMPv6 messages differ from those that tshark counts, and why wiretell is right.",
		"\"-\" is what only tshark counts, \"+\" what only wiretell does: network type/code.")
	dir := capturetest.Shared(t)
	for _, name := range capturetest.Captures(t) {
		want := outcomesOf(t, dir, name).Tshark
		if want.Error != nil || len(want.ICMP)+len(want.ICMP6) == 0 {
			continue
		}
		var wanted, got []string
		for _, family := range []struct {
			name   string
			counts map[string]uint64
		}{{"ipv4", want.ICMP}, {"ipv6", want.ICMP6}} {
			for key, n := range family.counts {
				wanted = append(wanted, repeated(family.name+" "+outermost(key), n)...)
			}
		}
		r := observe(open(t, filepath.Join(dir, name)), nil)
		var s capture.Snapshot
		r.counters.CopyTo(&s)
		for _, c := range s.ICMP {
			got = append(got, repeated(fmt.Sprintf("%v %d/%d", c.Network, c.Type, c.Code), c.Count)...)
		}
		list.found(name, compareMultisets(wanted, got))
	}
	list.close()
}

// outermost gives tshark's "type/code" of the message itself, of which the
// quoted one, when that is ICMP too, follows behind commas.
func outermost(key string) string {
	typ, code, _ := strings.Cut(key, "/")
	typ, _, _ = strings.Cut(typ, ",")
	code, _, _ = strings.Cut(code, ",")
	if n, ok := icmp6Types[typ]; ok {
		typ = strconv.Itoa(int(n))
	}
	return typ + "/" + code
}

func repeated(s string, n uint64) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}
