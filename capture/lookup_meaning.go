package capture

import (
	"maps"
	"slices"
)

const proofRCode = "an answer to the query with that response code"

var rcodeMeanings = map[RCode]Meaning{
	1:  {"the server cannot read the query", proofRCode, "RFC 1035, section 4.1.1", "what the client sends: EDNS options that an old server does not know"},
	2:  {"the server failed to find out", proofRCode, "RFC 1035, section 4.1.1", "the resolver's own upstream servers and log; DNSSEC validation"},
	3:  {"the name does not exist", proofRCode, "RFC 8020, section 2", "the name and its namespace, the search path and ndots in /etc/resolv.conf"},
	4:  {"the server does not do what is asked", proofRCode, "RFC 1035, section 4.1.1", "the kind of query, and whether that server is meant to answer it"},
	5:  {"the server refuses, by its rules", proofRCode, "RFC 1035, section 4.1.1", "access rules of the resolver; whether it is asked for zones that it does not serve"},
	6:  {"a name exists that should not", proofRCode, "RFC 2136, section 2.2", "the update that the client sends"},
	7:  {"records exist that should not", proofRCode, "RFC 2136, section 2.2", "the update that the client sends"},
	8:  {"records do not exist that should", proofRCode, "RFC 2136, section 2.2", "the update that the client sends"},
	9:  {"the server has no authority for the zone, or the client is not authorised", proofRCode, "RFC 6895, section 2.3", "the server that is asked; keys of TSIG"},
	10: {"a name is not within the zone", proofRCode, "RFC 2136, section 2.2", "the update that the client sends"},
	11: {"the type of a stateful operation is not implemented", proofRCode, "RFC 6895, section 2.3", "what the client sends"},
	16: {"the version of EDNS is not supported", proofRCode, "RFC 6891, section 6.1.3", "what the client sends"},
	23: {"the DNS cookie is missing or wrong", proofRCode, "RFC 7873, section 5.2", "clients or servers behind one address that do not share a secret"},
}

// Meaning explains r; it is zero for RCodeNoError and for codes that are not
// assigned.
func (r RCode) Meaning() Meaning { return rcodeMeanings[r] }

// RCodes returns the codes that are errors and have a meaning, in order.
func RCodes() []RCode { return slices.Sorted(maps.Keys(rcodeMeanings)) }
