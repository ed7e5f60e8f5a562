package diagnosis

import (
	"github.com/wiretell/wiretell/capture"
)

// Input is what a tick looks at. The tree keeps nothing of it.
type Input struct {
	// Snapshot is the latest copy of the spine's counters; nil before the first,
	// or when nothing could be opened.
	Snapshot *capture.Snapshot
	// Kernel is what netns read last; nil for a capture file.
	Kernel  *capture.Kernel
	Exports []ExportHealth
	Capture CaptureFacts
}

// CaptureFacts is what the program knows of its own capture.
type CaptureFacts struct {
	// Live tells a capture in a network namespace from a capture file.
	Live bool
	// File is the capture file's name, "" when live.
	File string
	// Err is why the capture could not be opened or ended; nil while it runs. Its
	// system error (EPERM, EAFNOSUPPORT, ...) is looked for with [errors.Is].
	Err error
	// Interfaces are the names that the user asked for; empty means all.
	Interfaces []string
	// Missing are those of them that do not exist.
	Missing []string
	// FilterExpr is the user's filter, "" when there is none; FilterPorts are the
	// server ports that it or --port names.
	FilterExpr  string
	FilterPorts []uint16
	// RingAsked and RingGot are the bytes of one ring, as wished and as granted.
	RingAsked, RingGot int
	// Snaplen is how many bytes of a frame are kept, 0 for all.
	Snaplen int
	// OwnPorts are ports that wiretell itself listens on.
	OwnPorts []uint16
	// Endpoint is where wiretell's own endpoint was to listen, and EndpointErr why
	// it does not; nil when it does, or when nobody asked for it.
	Endpoint    string
	EndpointErr error
	// Own are the sockets that wiretell exports by; nil when there are none.
	Own *capture.OwnFlows
	// Before is what the kernel said before the capture was opened; nil when not known.
	Before *capture.Kernel
	// FilterErr is why the kernel does not take the filter, so that wiretell
	// filters by itself; nil when it does, or there is none.
	FilterErr error
	// Selection is the expression of --select, "" when there is none.
	Selection string
	// RoutingNotes are sentences about where signals go, for the summary.
	RoutingNotes []string
}

// Useful reports whether at least one HTTP message was read.
func Useful(in Input) bool {
	return in.Snapshot != nil && in.Snapshot.Ledger[capture.RequestsSeen]+in.Snapshot.Ledger[capture.ResponsesSeen] > 0
}
