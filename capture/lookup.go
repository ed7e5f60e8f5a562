package capture

import "strconv"

// RCode is the response code of a DNS answer (RFC 6895, section 2.3), extended
// by EDNS where the answer has it (RFC 6891, section 6.1.3).
type RCode uint16

// Response codes that wiretell tells apart.
const (
	RCodeNoError  RCode = 0
	RCodeFormErr  RCode = 1
	RCodeServFail RCode = 2
	RCodeNXDomain RCode = 3
	RCodeNotImp   RCode = 4
	RCodeRefused  RCode = 5
)

// String returns the registry's word in capital letters, as the conventions'
// dns.response_code wants it: "NOERROR", "NXDOMAIN", ..., or "RCODE" and the
// number for one that is not assigned.
func (r RCode) String() string {
	switch r {
	case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11:
		return [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE", "DSOTYPENI"}[r]
	case 16: // 16 is BADSIG as well, in records that are no answer's own code
		return "BADVERS"
	case 23:
		return "BADCOOKIE"
	}
	return "RCODE" + strconv.Itoa(int(r))
}

// DNSType is the type that a DNS question asks for (RFC 6895, section 3.1).
type DNSType uint16

// String returns the registry's mnemonic, or "TYPE" and the number (RFC 3597,
// section 5).
func (t DNSType) String() string {
	switch t {
	case 1:
		return "A"
	case 2:
		return "NS"
	case 5:
		return "CNAME"
	case 6:
		return "SOA"
	case 12:
		return "PTR"
	case 15:
		return "MX"
	case 16:
		return "TXT"
	case 28:
		return "AAAA"
	case 33:
		return "SRV"
	case 35:
		return "NAPTR"
	case 43:
		return "DS"
	case 46:
		return "RRSIG"
	case 48:
		return "DNSKEY"
	case 64:
		return "SVCB"
	case 65:
		return "HTTPS"
	case 255:
		return "ANY"
	case 257:
		return "CAA"
	}
	return "TYPE" + strconv.Itoa(int(t))
}
