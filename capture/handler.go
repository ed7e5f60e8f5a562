package capture

// Mark says when and where in a connection bytes were seen.
type Mark struct {
	Time Time
	// Offset is the position of the first byte in its side's stream: 0 is the
	// first byte after the SYN, or the first byte seen when joined midway.
	Offset uint64
	// Acked is how much of the other side's stream the segment that carried
	// the bytes acknowledged, as an offset there. It lets a parser tell which
	// request a response can answer when something was lost between.
	Acked uint64
}

// Handler follows the bytes of one connection. Package tcp calls it, parsers
// implement it, and neither knows the other. All calls come from one goroutine.
// After End was called for both sides the Handler is never called again and may
// be used for another connection.
type Handler interface {
	// Data hands over the next bytes of a side in order. b is valid only
	// during the call. Each call is one captured segment (or what is new of it).
	Data(at Mark, from Side, b []byte)
	// Gap says that the next n bytes of a side will never come, and why:
	// ReasonGap (never captured) or ReasonTruncated (cut by the capture).
	Gap(at Mark, from Side, n int, why Reason)
	// End says that no more will come from a side, and why. It is called
	// exactly once per side.
	// Acked of its Mark is what the side had acknowledged by then.
	End(at Mark, from Side, why Reason)
}

// Carrier is a Handler that knows which exchanges its connection carries.
type Carrier interface {
	// InFlight returns the oldest exchange that was begun and is not over; or else
	// the last one, when its response ends behind acked, up to which offset the
	// client has acknowledged the server's stream. It returns its Number, 0 when
	// there is none, and its traceparent, valid until the next call of any method.
	InFlight(acked uint64) (number uint64, traceParent []byte)
}
