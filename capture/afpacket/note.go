package afpacket

import "fmt"

// NoteKind tells [Note]s apart.
type NoteKind uint8

const (
	// NoteRingReduced: the kernel refused a ring of Asked bytes, Got were had.
	NoteRingReduced NoteKind = iota
	// NoteInterfaceMissing: an interface of Config.Interfaces does not exist. It
	// is captured as soon as it appears.
	NoteInterfaceMissing
	// NoteOutgoingFiltered: the kernel is older than 4.20 and does not know
	// PACKET_IGNORE_OUTGOING; the socket's filter does the same at more cost.
	NoteOutgoingFiltered
)

// Note is something about an opened [Source] that differs from what was asked
// for and that people should be told.
type Note struct {
	Kind NoteKind
	// Interface is the name of the interface, or "any".
	Interface  string
	Asked, Got int   // bytes, for NoteRingReduced
	Err        error // what the kernel said, may be nil
}

// String says it in one sentence.
func (n Note) String() string {
	switch n.Kind {
	case NoteRingReduced:
		return fmt.Sprintf("ring on %s: %d bytes were refused (%v), %d are used", n.Interface, n.Asked, n.Err, n.Got)
	case NoteInterfaceMissing:
		return fmt.Sprintf("interface %s does not exist; it is captured as soon as it appears", n.Interface)
	case NoteOutgoingFiltered:
		return fmt.Sprintf("interface %s: PACKET_IGNORE_OUTGOING was refused (%v), the filter drops outgoing frames", n.Interface, n.Err)
	}
	return "invalid note"
}
