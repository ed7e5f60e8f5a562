package http1

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// knownLines remembers field lines by their first bytes. Most heads repeat lines
// of the heads before them, and such a line need not be read again: it has the
// same name, and its value where it had it then. Nothing but time depends on what
// is remembered, and it is told to nobody.
type knownLines struct {
	lines [1 << knownBits]knownLine
	other knownLine // the line at hand, when it is not remembered
}

const knownBits = 7

// knownLine is a line that was read.
type knownLine struct {
	size     int32    // with its line end
	name     int32    // length of the field name, 0 when it is no field line of the usual form
	from, to int32    // of the value; without a name of the whole line
	text     [47]byte // of a line that is remembered
	id       fieldID
}

// emptyLine is the end of a head, as nearly all end.
var emptyLine = knownLine{size: 2}

// read returns the line that b begins with, nil when b does not hold all of it.
// It is valid until the next call.
func (k *knownLines) read(b []byte) *knownLine {
	if len(b) >= 2 && b[0] == '\r' && b[1] == '\n' {
		return &emptyLine
	}
	l := &k.other
	if len(b) >= 16 {
		h := binary.LittleEndian.Uint64(b) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(b[8:]), 29)
		l = &k.lines[h*0x9e3779b97f4a7c15>>(64-knownBits)]
		if n := int(l.size); n <= len(b) && n > 0 && string(b[:n]) == string(l.text[:n]) {
			return l
		}
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return nil
	}
	size := end + 1
	if end > 0 && b[end-1] == '\r' {
		end--
	}
	line := b[:end]
	name := tokenLen(line)
	if name == 0 || name == end || line[name] != ':' {
		l = &k.other
		l.size, l.name, l.from, l.to = int32(size), 0, 0, int32(end)
		return l
	}
	if size > len(l.text) {
		l = &k.other
	} else {
		copy(l.text[:], b[:size])
	}
	value := trimBlankRight(line[name+1:])
	to := name + 1 + len(value)
	l.size, l.name, l.from, l.to, l.id = int32(size), int32(name), int32(to-len(trimBlank(value))), int32(to), fieldOf(line[:name])
	return l
}
