package sniff

import "encoding/binary"

// Frame types of HTTP/2 (RFC 9113, section 6).
const (
	frameData = iota
	frameHeaders
	framePriority
	frameReset
	frameSettings
	framePushPromise
	framePing
	frameGoAway
	frameWindowUpdate
	frameContinuation
)

const (
	frameHeader = 9
	// chainFrames is how many frames must follow each other to be believed.
	chainFrames = 4
	// maxFrame is the default of SETTINGS_MAX_FRAME_SIZE (section 6.5.2).
	maxFrame = 1 << 14
)

// HTTP2Frames reports whether b begins with the headers of at least four HTTP/2
// frames that follow each other, for a connection that was joined midway.
func HTTP2Frames(b []byte) bool {
	for range chainFrames {
		if len(b) < frameHeader {
			return false
		}
		n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		if !frameFits(b[3], b[4], n, binary.BigEndian.Uint32(b[5:])) {
			return false
		}
		b = b[min(frameHeader+n, len(b)):]
	}
	return true
}

// Settings tells whether b, the first bytes that a server sent, begin with a
// SETTINGS frame of HTTP/2: HTTP2 when its header is whole. RFC 9113, section
// 3.4: "The server connection preface consists of a potentially empty SETTINGS
// frame that MUST be the first frame the server sends", which it may do before
// the client says anything.
func Settings(b []byte) Verdict {
	// The length is at most 384 and a multiple of 6, then come type, flags and
	// stream 0.
	for i, c := range b[:min(len(b), frameHeader)] {
		switch i {
		case 0:
			if c != 0 {
				return None
			}
		case 1:
			if c > 1 {
				return None
			}
		case 2:
			if n := int(b[1])<<8 | int(c); n%6 != 0 || n > 6*64 {
				return None
			}
		case 3:
			if c != frameSettings {
				return None
			}
		default:
			if c != 0 {
				return None
			}
		}
	}
	if len(b) < frameHeader {
		return More
	}
	return HTTP2
}

// frameFits reports whether a frame header obeys the rules for its type.
func frameFits(typ, flags uint8, n int, stream uint32) bool {
	// Section 4.1: the reserved bit "MUST remain unset (0x00) when sending".
	if stream>>31 != 0 || n > maxFrame {
		return false
	}
	switch typ {
	case frameData:
		return stream != 0 && flags&^0x09 == 0
	case frameHeaders:
		return stream != 0 && n > 0 && flags&^0x2d == 0
	case frameContinuation:
		return stream != 0 && flags&^0x04 == 0
	case framePushPromise:
		return stream != 0 && n >= 4 && flags&^0x0c == 0
	case framePriority:
		return stream != 0 && n == 5 && flags == 0
	case frameReset:
		return stream != 0 && n == 4 && flags == 0
	case frameSettings:
		// Section 6.5: "A SETTINGS frame with a length other than a multiple of
		// 6 octets MUST be treated as a connection error".
		return stream == 0 && n%6 == 0 && n <= 6*64 && flags&^0x01 == 0
	case framePing:
		return stream == 0 && n == 8 && flags&^0x01 == 0
	case frameGoAway:
		return stream == 0 && n >= 8 && flags == 0
	case frameWindowUpdate:
		return n == 4 && flags == 0
	}
	return false
}
