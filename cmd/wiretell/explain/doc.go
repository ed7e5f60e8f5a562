// Package explain tells people what the errors mean that wiretell tells: how
// each is proved on the wire, which signal carries it, what to do, and which
// diagnoses it leads to. It writes docs/errors.md and the answers of
// "wiretell explain ERROR".
//
// # Data flow
//
// The meanings stand beside the values: capture.Reason, capture.Cause and so on
// have a method Meaning, package icmp has its registry. This package puts them
// together with the names of package semconv and the leaves of package
// diagnosis.
//
// # Limitations
//
// Whether the signals named here are the ones that exporters emit is only
// checked as far as that the names exist and go together.
package explain
