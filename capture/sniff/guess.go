package sniff

import (
	"math"

	"github.com/wiretell/wiretell/capture"
)

// Certainty is how sure a [Guess] is.
type Certainty uint8

const (
	Unknown Certainty = iota
	Likely
	Certain
)

// String returns "unknown", "likely" or "certain".
func (c Certainty) String() string { return [...]string{"unknown", "likely", "certain"}[c] }

// Guess is what bytes look like.
type Guess struct {
	// Name is the protocol's name in lower case, a constant; "" when unknown.
	Name      string
	Certainty Certainty
	// Reason is what packets of the protocol are counted under when they are
	// not parsed.
	Reason capture.Reason
	// Entropy, in bits per byte (0 to 8), and Printable, the share of visible
	// ASCII and white space (0 to 1), describe the first bytes of a TCP
	// connection that is unknown: 8 and 0.4 for encrypted or compressed ones.
	Entropy, Printable float64
}

// sample is how many bytes Entropy and Printable are taken from.
const sample = 1024

// Classify tells what a TCP connection speaks from the first bytes of each
// side; either may be empty. A few hundred bytes are enough.
func Classify(client, server []byte) Guess {
	best := Guess{Reason: capture.ReasonUnknownProtocol}
	for i := range protocols {
		p := &protocols[i]
		if c := p.look(client, server); c > best.Certainty {
			best.Name, best.Certainty, best.Reason = p.name, c, p.reason
			if c == Certain {
				return best
			}
		}
	}
	if best.Certainty == Unknown {
		best.Entropy, best.Printable = measure(client, server)
	}
	return best
}

// measure returns the entropy of the first bytes and the share of them that is text.
func measure(client, server []byte) (entropy, printable float64) {
	var counts [256]int
	total, text := 0, 0
	for _, b := range [2][]byte{client, server} {
		for _, c := range b[:min(len(b), sample)] {
			counts[c]++
			total++
			if c >= ' ' && c <= '~' || c >= '\t' && c <= '\r' {
				text++
			}
		}
	}
	if total == 0 {
		return 0, 0
	}
	for _, n := range counts {
		if n > 0 {
			share := float64(n) / float64(total)
			entropy -= share * math.Log2(share)
		}
	}
	return entropy, float64(text) / float64(total)
}
