// Package prometheus goes with the configuration and the alert rules that lie
// beside it: it holds expressions to the names that wiretell emits.
package prometheus
