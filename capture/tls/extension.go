package tls

// Extension types (RFC 8446, section 4.2; RFC 9849, section 5).
const (
	extServerName        = 0
	extALPN              = 16
	extSupportedVersions = 43
	extECH               = 0xfe0d
)

// Bounds of what is kept of extensions.
const (
	maxName      = 255 // a host name (RFC 1035, section 2.3.4)
	maxALPN      = 255 // the list of application protocols, joined by commas
	maxExtension = 1024
)

// Bits of hello.seen. RFC 8446, section 4.2: "There MUST NOT be more than one
// extension of the same type in a given extension block." Of more, the first
// is read.
const (
	seenServerName = 1 << iota
	seenALPN
	seenVersions
)

// extension decides what to do with an extension of n bytes. Types that are not
// known are passed over, and GREASE (RFC 8701) with them.
func (h *hello) extension(n int) progress {
	var bit uint8
	switch h.ext {
	case extServerName:
		bit = seenServerName
	case extALPN:
		bit = seenALPN
	case extSupportedVersions:
		bit = seenVersions
	case extECH:
		h.ech = h.ech || h.typ == msgClientHello
	}
	if bit == 0 || h.seen&bit != 0 || n == 0 || n > maxExtension {
		return h.pass(stepIgnored, n)
	}
	h.seen |= bit
	return h.want(stepBody, n)
}

// read reads the body of an extension. One that breaks its rules says nothing.
func (h *hello) read(b []byte) {
	switch {
	case h.ext == extServerName && h.typ == msgClientHello:
		h.sniLen = uint8(copy(h.sni[:], hostName(b)))
	case h.ext == extALPN:
		h.readALPN(b)
	case h.ext == extSupportedVersions:
		h.readVersions(b)
	}
}

// hostName returns the name in a server_name extension, nil when there is none
// that could be one (RFC 6066, section 3).
func hostName(b []byte) []byte {
	list, ok := vector16(b)
	if !ok || len(list) < 3 {
		return nil
	}
	// "The ServerNameList MUST NOT contain more than one name of the same
	// name_type", and host_name(0) is the only type there ever was.
	if list[0] != 0 {
		return nil
	}
	n := int(list[1])<<8 | int(list[2])
	if n > len(list)-3 || n > maxName {
		return nil
	}
	name := list[3 : 3+n]
	// ""HostName" contains the fully qualified DNS hostname of the server [...]
	// represented as a byte string using ASCII encoding". Addresses "are not
	// permitted", but are what some clients send, and harmless.
	for _, c := range name {
		if !hostByte(c) {
			return nil
		}
	}
	return name
}

func hostByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
}

// readALPN joins the names of an application_layer_protocol_negotiation
// extension by commas (RFC 7301, section 3.1). Names that are not printable,
// such as GREASE, are left out, and so are those beyond the bound.
func (h *hello) readALPN(b []byte) {
	list, ok := vector16(b)
	if !ok {
		return
	}
	n := 0
	for len(list) > 0 {
		// "Empty strings MUST NOT be included and byte strings MUST NOT be
		// truncated."
		size := int(list[0])
		if size == 0 || size >= len(list) {
			return
		}
		name := list[1 : 1+size]
		list = list[1+size:]
		comma := min(n, 1)
		if !printable(name) || n+comma+size > maxALPN {
			continue
		}
		h.alpn[n] = ','
		n += comma
		n += copy(h.alpn[n:], name)
	}
	// Only a list that is whole counts.
	h.alpnLen = uint16(n)
}

// printable reports whether b is visible ASCII without a comma.
func printable(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' || c == ',' {
			return false
		}
	}
	return true
}

// readVersions reads a supported_versions extension (RFC 8446, section 4.2.1).
func (h *hello) readVersions(b []byte) {
	if h.typ == msgServerHello {
		// "ProtocolVersion selected_version;"
		if len(b) == 2 {
			h.version = known(uint16(b[0])<<8 | uint16(b[1]))
		}
		return
	}
	// "ProtocolVersion versions<2..254>;"
	if n := int(b[0]); n != len(b)-1 || n < 2 || n%2 != 0 {
		return
	}
	// "If this extension is present in the ClientHello, servers MUST NOT use
	// the ClientHello.legacy_version value for version negotiation and MUST use
	// only the "supported_versions" extension".
	var highest uint16
	for b = b[1:]; len(b) >= 2; b = b[2:] {
		// "Servers MUST only select a version of TLS present in that extension
		// and MUST ignore any unknown versions" (GREASE is 0x0a0a to 0xfafa).
		if v := known(uint16(b[0])<<8 | uint16(b[1])); v>>8 == 3 {
			highest = max(highest, v)
		}
	}
	if highest != 0 {
		h.version = highest
	}
}

// known returns v, and TLS 1.3 for its drafts, which had numbers of their own
// (0x7f00 and the draft's number).
func known(v uint16) uint16 {
	if v>>8 == 0x7f {
		return 0x0304
	}
	return v
}

// vector16 returns what a vector with a length of two bytes holds, when it fills b.
func vector16(b []byte) ([]byte, bool) {
	if len(b) < 2 || int(b[0])<<8|int(b[1]) != len(b)-2 {
		return nil, false
	}
	return b[2:], true
}
