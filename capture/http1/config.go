package http1

// Config bounds what a [Pool] and its parsers may keep. A zero field takes the
// default that its comment names.
type Config struct {
	// MaxHead is how many bytes of one head are read for more than its framing,
	// and how long a single line may be: 64 KiB.
	MaxHead int
	// MaxFields is how many field lines of one head are read for more than its
	// framing: 256.
	MaxFields int
	// MaxPending is how many requests of one connection wait for their response: 100.
	MaxPending int
	// MaxTarget is how much of a request target is kept, in bytes: 8 KiB.
	MaxTarget int
	// MaxExchanges is how many exchanges all parsers together keep open: 16384.
	// Beyond it the oldest one ends with ReasonEvicted.
	MaxExchanges int
	// MaxText is how many bytes of text the open exchanges together keep: 8 MiB.
	// Beyond it the oldest one ends with ReasonEvicted.
	MaxText int
	// MaxBuffered is how many bytes of lines that were split between segments
	// all parsers together keep: 4 MiB. Beyond it the message whose line is
	// split is refused with ReasonEvicted.
	MaxBuffered int
	// RequestHeaders and ResponseHeaders name the fields that are kept beyond
	// those an Exchange has a place for, in lower case.
	RequestHeaders, ResponseHeaders []string
}

// Bounds of single values that an Exchange keeps, in bytes.
const (
	maxMethod      = 64
	maxHost        = 256
	maxAgent       = 256
	maxTraceParent = 128
	maxTraceState  = 512
	maxHeaderValue = 1024
	maxHeadersKept = 32
)

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&c.MaxHead, 64 << 10}, {&c.MaxFields, 256}, {&c.MaxPending, 100}, {&c.MaxTarget, 8 << 10},
		{&c.MaxExchanges, 16 << 10}, {&c.MaxText, 8 << 20}, {&c.MaxBuffered, 4 << 20},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return c
}
