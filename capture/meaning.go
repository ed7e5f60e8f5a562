package capture

// Meaning explains a value that wiretell tells: a [Reason], a [Cause], and so
// on. All strings are constants, sentences without their first capital letter
// and their full stop. Each kind of value has a table of them beside it.
type Meaning struct {
	// Text says what the value states.
	Text string
	// Proof says what on the wire proves it.
	Proof string
	// Source is where the rule stands, as "RFC 9293, section 3.6"; "" for what
	// is about wiretell itself.
	Source string
	// Look says what a person should look at or do.
	Look string
}
