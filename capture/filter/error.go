package filter

import "fmt"

// Error says what of an expression or of bytecode was not understood.
type Error struct {
	Pos   int    // of Token's first byte, from 1
	Token string // as written; "" at the end
	Msg   string
}

// Error formats e on one line.
func (e *Error) Error() string {
	if e.Token == "" {
		return fmt.Sprintf("filter: position %d: at the end: %s", e.Pos, e.Msg)
	}
	return fmt.Sprintf("filter: position %d: %q: %s", e.Pos, e.Token, e.Msg)
}

// elsewhere is the way out for what the language has and this package has not.
const elsewhere = `; give the bytecode of "tcpdump -ddd" with --filter-bpf`
