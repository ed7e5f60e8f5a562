// Package selector decides by an expression which exchanges and events are
// exported one by one, as spans, log records and lines. Metrics count everything.
//
// # Data flow
//
// [Compile] checks an expression of the OpenTelemetry Transformation Language
// against the one table of fields and hands it to pkg/ottl; the exporters ask the
// [Selector] about every exchange and observation before they build anything.
// Only fields that the expression comes to are made.
//
// # Concurrency
//
// A Selector is used by one goroutine at a time: the desk's.
//
// # Limitations
//
// Of OTTL the conditions are taken: comparisons, and, or, not, parentheses and
// IsMatch. Arithmetic, lists, maps and the other functions are refused, and so is
// what the language would accept and never find true, as a status compared with a
// text. An expression has at most 2048 bytes and parentheses at most 16 deep, and
// a pattern at most 500 instructions: what one evaluation costs is bounded.
package selector
