package icmp

import (
	"strings"
	"testing"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/wiretell/wiretell/capture"
)

// What a message does to a connection attempt: RFC 1122, section 4.2.3.9, and
// what Linux's icmp_err_convert and icmpv6_err_convert return.
func TestEffects(t *testing.T) {
	const v4, v6 = capture.IPv4, capture.IPv6
	for _, c := range []struct {
		n         capture.Network
		typ, code uint8
		why       capture.Reason
		hard      bool
	}{
		{v4, 3, 0, capture.ReasonNetUnreachable, false},
		{v4, 3, 1, capture.ReasonHostUnreachable, false},
		{v4, 3, 2, capture.ReasonProtoUnreachable, true},
		{v4, 3, 3, capture.ReasonPortUnreachable, true},
		{v4, 3, 4, capture.ReasonNone, false}, // RFC 1191: not hard any more
		{v4, 3, 5, capture.ReasonHostUnreachable, false},
		{v4, 3, 6, capture.ReasonNetUnreachable, false},
		{v4, 3, 7, capture.ReasonHostUnreachable, false},
		{v4, 3, 8, capture.ReasonHostUnreachable, false},
		{v4, 3, 9, capture.ReasonAdminProhibited, false},
		{v4, 3, 10, capture.ReasonAdminProhibited, false},
		{v4, 3, 11, capture.ReasonNetUnreachable, false},
		{v4, 3, 12, capture.ReasonHostUnreachable, false},
		{v4, 3, 13, capture.ReasonAdminProhibited, false},
		{v4, 3, 14, capture.ReasonAdminProhibited, false},
		{v4, 3, 15, capture.ReasonAdminProhibited, false},
		{v4, 3, 16, capture.ReasonNone, false},
		{v4, 4, 0, capture.ReasonNone, false},
		{v4, 5, 1, capture.ReasonNone, false},
		{v4, 11, 0, capture.ReasonTTLExceeded, false},
		{v4, 11, 1, capture.ReasonNone, false},
		{v4, 12, 0, capture.ReasonNone, false},
		{v6, 1, 0, capture.ReasonNetUnreachable, false},
		{v6, 1, 1, capture.ReasonAdminProhibited, true},
		{v6, 1, 2, capture.ReasonHostUnreachable, false},
		{v6, 1, 3, capture.ReasonHostUnreachable, false},
		{v6, 1, 4, capture.ReasonPortUnreachable, true},
		{v6, 1, 5, capture.ReasonAdminProhibited, false},
		{v6, 1, 6, capture.ReasonAdminProhibited, false},
		{v6, 1, 7, capture.ReasonHostUnreachable, false},
		{v6, 1, 8, capture.ReasonNone, false},
		{v6, 2, 0, capture.ReasonNone, false},
		{v6, 3, 0, capture.ReasonTTLExceeded, false},
		{v6, 3, 1, capture.ReasonNone, false},
		{v6, 4, 0, capture.ReasonNone, false},
		{v6, 4, 1, capture.ReasonProtoUnreachable, true},
		{v6, 4, 2, capture.ReasonNone, false},
	} {
		m := Describe(c.n, c.typ, c.code)
		if m.Why != c.why || m.Hard != c.hard || !m.Error {
			t.Errorf("%v %d/%d (%s): why %q, hard %v, error %v", c.n, c.typ, c.code, m.Name, m.Why, m.Hard, m.Error)
		}
		if m.Look == "" {
			t.Errorf("%v %d/%d (%s): nothing to look at", c.n, c.typ, c.code, m.Name)
		}
	}
}

// The Go project generates its names from the registry.
func TestNamesAgreeWithXNet(t *testing.T) {
	words := func(s string) string {
		s = strings.ToLower(strings.ReplaceAll(s, "-", " "))
		s, _, _ = strings.Cut(s, ":")
		return s
	}
	n := 0
	for typ := range 256 {
		for _, c := range []struct {
			network capture.Network
			name    string
		}{
			{capture.IPv4, ipv4.ICMPType(typ).String()},
			{capture.IPv6, ipv6.ICMPType(typ).String()},
		} {
			if c.name == "<nil>" {
				continue
			}
			n++
			m := Describe(c.network, uint8(typ), 0)
			if words(m.Name) != words(c.name) || !m.Known || m.Deprecated {
				t.Errorf("%v type %d: %+v, x/net has %q", c.network, typ, m, c.name)
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d names compared", n)
	}
}

// RFC 6633 and RFC 6918 deprecate these, and no others.
func TestDeprecated(t *testing.T) {
	want := map[int]bool{4: true, 6: true, 15: true, 16: true, 17: true, 18: true}
	for typ := 30; typ <= 39; typ++ {
		want[typ] = true
	}
	for typ := range 256 {
		for _, code := range []uint8{0, 200} {
			if got := Describe(capture.IPv4, uint8(typ), code).Deprecated; got != want[typ] {
				t.Errorf("ICMP type %d, code %d: deprecated %v", typ, code, got)
			}
			if Describe(capture.IPv6, uint8(typ), code).Deprecated {
				t.Errorf("ICMPv6 type %d is deprecated", typ)
			}
		}
	}
}

// How many codes of each type the registries assign; all others are unknown.
func TestAssignedCodes(t *testing.T) {
	all := -1 // a type without a registry of codes
	for _, r := range []struct {
		n     capture.Network
		codes map[int]int
	}{
		{capture.IPv4, map[int]int{0: 1, 3: 16, 4: 1, 5: 4, 6: 1, 8: 1, 9: 2, 10: 1, 11: 2, 12: 3, 13: 1, 14: 1, 15: 1, 16: 1,
			17: 1, 18: 1, 19: all, 20: all, 21: all, 22: all, 23: all, 24: all, 25: all, 26: all, 27: all, 28: all, 29: all,
			30: 2, 31: all, 32: all, 33: all, 34: all, 35: all, 36: all, 37: all, 38: all, 39: all, 40: 6, 41: all, 42: 1, 43: 5,
			253: all, 254: all, 255: all}},
		{capture.IPv6, map[int]int{0: all, 1: 9, 2: 1, 3: 2, 4: 11, 100: all, 101: all, 127: all, 128: 1, 129: 1, 130: 1, 131: 1,
			132: 1, 133: 1, 134: 1, 135: 1, 136: 1, 137: 1, 138: 3, 139: 3, 140: 3, 141: 1, 142: 1, 143: all, 144: 1, 145: 1,
			146: 1, 147: 1, 148: all, 149: all, 150: all, 151: all, 152: all, 153: all, 154: all, 155: all, 156: all, 157: all,
			158: all, 159: all, 160: 1, 161: 5, 200: all, 201: all, 255: all}},
	} {
		for typ := range 256 {
			known := 0
			for code := range 256 {
				m := Describe(r.n, uint8(typ), uint8(code))
				if m.Known {
					known++
				}
				if m.Name == "" || m.Text == "" || m.Error != isError(r.n, uint8(typ)) {
					t.Fatalf("%v %d/%d: %+v", r.n, typ, code, m)
				}
				if m.Why != capture.ReasonNone && !m.Error || m.Hard && m.Why == capture.ReasonNone || m.Error && m.Look == "" {
					t.Errorf("%v %d/%d contradicts itself: %+v", r.n, typ, code, m)
				}
				if _, ok := r.codes[typ]; ok == (m.Name == "Unassigned") {
					t.Errorf("%v %d/%d: %q", r.n, typ, code, m.Name)
				}
			}
			want := r.codes[typ]
			if want == all {
				want = 256
			}
			if known != want {
				t.Errorf("%v type %d: %d codes are known, want %d", r.n, typ, known, want)
			}
		}
	}
}

func TestTablesHaveNoDoubles(t *testing.T) {
	for _, rows := range [][]row{tableV4[:], tableV6[:]} {
		seen := make(map[[2]int16]bool)
		done := make(map[int16]bool)
		last := int16(-1)
		for _, r := range rows {
			k := [2]int16{r.typ, r.code}
			if seen[k] {
				t.Errorf("two rows for %v", k)
			}
			seen[k] = true
			if r.typ != last && done[r.typ] {
				t.Errorf("the rows of type %d are apart", r.typ)
			}
			if r.typ == last && seen[[2]int16{r.typ, anyCode}] && r.code != anyCode {
				t.Errorf("row %v is hidden", k)
			}
			done[r.typ], last = true, r.typ
		}
	}
}

func TestDescribeAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Describe(capture.IPv6, 255, 3) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDescribe(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Describe(capture.IPv4, 3, 3)
	}
}
