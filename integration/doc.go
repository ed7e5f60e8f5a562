// Package integration holds what is tested about wiretell as a whole: the
// rules of its source, its image, and, in the folders below, suites that run
// it against real components.
//
// # Data flow
//
//	source -> rules; cmd/wiretell -> binary -> image -> container
//
// # Concurrency
//
// Suites here own the machine's cores while they run: make runs one package at
// a time.
//
// # Limitations
//
// Container suites need a Docker engine. Without one they are skipped, and in
// CI they fail.
package integration
