package icmp

import "github.com/wiretell/wiretell/capture"

// Meaning is what the registry knows of an ICMP type and code. All strings are
// constants.
type Meaning struct {
	// Name is the registry's: the type and, where it has codes, the code, as
	// "Destination Unreachable: Port Unreachable".
	Name string
	// Text says in one sentence what the sender of the message states.
	Text string
	// Look says what a person should look at; "" for ordinary messages.
	Look string
	// Error says that it is an error message, which quotes the packet that
	// caused it.
	Error bool
	// Hard says that by the book a connection that it hits should be aborted
	// (RFC 1122, section 4.2.3.9). RFC 5927, section 5, shows why hosts only
	// do so to connections that are not yet established.
	Hard bool
	// Why is what it does to a connection attempt; ReasonNone when it is no
	// such error.
	Why capture.Reason
	// Known is false for a type or code that IANA has not assigned.
	Known bool
	// Deprecated says that the message is not to be sent any more.
	Deprecated bool
}

// row is one line of a table. A code of anyCode stands for every code of the
// type that has no row of its own.
type row struct {
	typ, code int16
	Meaning
}

const anyCode = -1

// Describe returns the meaning of an ICMP (n is IPv4) or ICMPv6 message. For an
// unassigned code of a known type, the type's name is used and Known is false.
func Describe(n capture.Network, typ, code uint8) Meaning {
	rows := tableV4[:]
	if n == capture.IPv6 {
		rows = tableV6[:]
	}
	// Errors come first in the tables, as they are what is mostly asked for.
	m := Meaning{Name: "Unassigned", Text: "a message of a type that is not assigned"}
	for i := range rows {
		r := &rows[i]
		if r.typ != int16(typ) {
			continue
		}
		m = r.Meaning
		if r.code == int16(code) {
			m.Known = true
			return m
		}
		if r.code == anyCode {
			// When the type has codes of its own, this one is not assigned.
			m.Known = i == 0 || rows[i-1].typ != r.typ
			return m
		}
	}
	return m
}

// isError reports whether messages of the type quote the packet that caused them
// (RFC 1122, section 3.2.2; RFC 4443, section 3). Types below 128 of ICMPv6 that
// are not assigned are errors, too, but what they hold is not known.
func isError(n capture.Network, typ uint8) bool {
	if n == capture.IPv6 {
		return 1 <= typ && typ <= 4
	}
	switch typ {
	case 3, 4, 5, 11, 12:
		return true
	}
	return false
}

// Entry is an assigned type and code with its meaning.
type Entry struct {
	Type, Code uint8
	Meaning
}

// Errors returns the error messages of the registry of ICMP (n is IPv4) or
// ICMPv6, those without a code of their own left out, in the registry's order.
func Errors(n capture.Network) []Entry {
	rows := tableV4[:]
	if n == capture.IPv6 {
		rows = tableV6[:]
	}
	var out []Entry
	for i := range rows {
		r := &rows[i]
		if !r.Error || r.code == anyCode {
			continue
		}
		m := r.Meaning
		m.Known = true
		out = append(out, Entry{Type: uint8(r.typ), Code: uint8(r.code), Meaning: m})
	}
	return out
}

// Source returns where the error messages of a type are specified, "" for
// others.
func Source(n capture.Network, typ uint8) string {
	if n == capture.IPv6 {
		if isError(n, typ) {
			return [...]string{1: "RFC 4443, section 3.1", 2: "RFC 4443, section 3.2", 3: "RFC 4443, section 3.3", 4: "RFC 4443, section 3.4"}[typ]
		}
		return ""
	}
	switch typ {
	case 3:
		return "RFC 1122, section 3.2.2.1; RFC 1812, section 5.2.7.1"
	case 4:
		return "RFC 1122, section 3.2.2.3; RFC 6633, section 1"
	case 5:
		return "RFC 1122, section 3.2.2.2"
	case 11:
		return "RFC 1122, section 3.2.2.4"
	case 12:
		return "RFC 1122, section 3.2.2.5"
	}
	return ""
}
