package sniff

// SOCKS: version 4 by https://www.openssh.com/txt/socks4.protocol, 4A by
// https://www.openssh.com/txt/socks4a.protocol, version 5 by RFC 1928, its
// user name and password by RFC 1929.
const (
	socks4     = 4
	socks5     = 5
	maxUserID4 = 255 // no document bounds it

	authNone     = 0x00 // RFC 1928, section 3
	authPassword = 0x02

	addrIPv4   = 1 // RFC 1928, section 4
	addrDomain = 3
	addrIPv6   = 4
)

// Negotiation tells whether client and server, the first bytes that either side
// sent, begin with the negotiation of a SOCKS proxy. When both have sent all of
// theirs, the verdict is SOCKS, and c and s are the lengths, after which the
// bytes of another protocol follow. A refusal is a negotiation too. What
// demands an authentication other than by password is None: its length is not
// known.
func Negotiation(client, server []byte) (v Verdict, c, s int) {
	if len(client) == 0 {
		if len(server) > 0 {
			return None, 0, 0 // "the client connects [...] and sends"
		}
		return More, 0, 0
	}
	switch client[0] {
	case socks4:
		c, s = request4(client), reply4(server)
	case socks5:
		c, s = client5(client), server5(server)
	default:
		return None, 0, 0
	}
	switch {
	case c == isNone || s == isNone:
		return None, 0, 0
	case c == isShort || s == isShort:
		return More, 0, 0
	}
	return SOCKS, c, s
}

// What the readers of messages return instead of a length.
const (
	isShort = -1
	isNone  = -2
)

// request4 returns the length of a request: version, command, port, address,
// user ID up to a NUL, and in 4A a host name up to another.
func request4(b []byte) int {
	// Command: CONNECT (1) or BIND (2).
	if len(b) > 1 && b[1] != 1 && b[1] != 2 {
		return isNone
	}
	if len(b) <= 8 {
		return isShort
	}
	n := textEnd(b, 8)
	// "set the first three bytes of DSTIP to NULL and the last byte to a
	// non-zero value. [...] Following the NULL byte terminating USERID, the
	// client must sends the destination domain name and termiantes it with
	// another NULL byte."
	if n > 0 && b[4] == 0 && b[5] == 0 && b[6] == 0 && b[7] != 0 {
		n = textEnd(b, n)
	}
	return n
}

// textEnd returns the place after the NUL that ends the text at b[from:].
func textEnd(b []byte, from int) int {
	for i := from; i < len(b); i++ {
		switch {
		case b[i] == 0:
			return i + 1
		case b[i] < ' ' || b[i] == 0x7f || i-from >= maxUserID4:
			return isNone
		}
	}
	return isShort
}

// reply4 returns the length of a reply: "VN is the version of the reply code
// and should be 0. CD is the result code", 90 to 93.
func reply4(b []byte) int {
	switch {
	case len(b) > 0 && b[0] != 0, len(b) > 1 && (b[1] < 90 || b[1] > 93):
		return isNone
	case len(b) < 8:
		return isShort
	}
	return 8
}

// client5 returns the length of what a client sends: the methods it can, user
// name and password if asked, the request.
func client5(b []byte) int {
	if len(b) < 2 {
		return isShort
	}
	// RFC 1928, section 3: "The NMETHODS field contains the number of method
	// identifier octets".
	n := 2 + int(b[1])
	if b[1] == 0 {
		return isNone
	}
	for _, m := range b[2:min(n, len(b))] {
		// 3 to 0x7f are assigned by IANA (up to 9 are), 0x80 to 0xfe are private.
		if m > 9 && m < 0x80 || m == 0xff {
			return isNone
		}
	}
	if len(b) <= n {
		return isShort
	}
	if b[n] == 1 { // RFC 1929, section 2
		for range 2 { // user name, password: a length and that many bytes
			if len(b) <= n+1 {
				return isShort
			}
			n += 1 + int(b[n+1])
		}
		if n++; len(b) <= n {
			return isShort
		}
	}
	// RFC 1928, section 4: CONNECT (1), BIND (2), UDP ASSOCIATE (3).
	if len(b) > n+1 && (b[n+1] < 1 || b[n+1] > 3) {
		return isNone
	}
	return address5(b, n)
}

// server5 returns the length of what a server sends: the method it chose, the
// result of the authentication, the reply.
func server5(b []byte) int {
	if len(b) > 0 && b[0] != socks5 {
		return isNone
	}
	if len(b) < 2 {
		return isShort
	}
	n := 2
	switch b[1] {
	case authNone:
	case authPassword:
		if len(b) > 2 && b[2] != 1 {
			return isNone
		}
		if len(b) < 4 {
			return isShort
		}
		// RFC 1929, section 2: "a STATUS field value of other than X'00' [...]
		// MUST close the connection."
		if n = 4; b[3] != 0 {
			return n
		}
	default:
		return isNone
	}
	// RFC 1928, section 6: replies 0 to 8.
	if len(b) > n+1 && b[n+1] > 8 {
		return isNone
	}
	return address5(b, n)
}

// address5 returns the place after the request or the reply at b[n:]: version,
// command or reply, a reserved zero, address, port.
func address5(b []byte, n int) int {
	if len(b) > n && b[n] != socks5 || len(b) > n+2 && b[n+2] != 0 {
		return isNone
	}
	if len(b) <= n+4 {
		return isShort
	}
	end := n + 4 + 2
	switch b[n+3] {
	case addrIPv4:
		end += 4
	case addrDomain:
		end += 1 + int(b[n+4])
	case addrIPv6:
		end += 16
	default:
		return isNone
	}
	if len(b) < end {
		return isShort
	}
	return end
}
