// Package integration puts wiretell beside a container that testcontainers
// runs, and checks what was on the wire: [Attach] starts it, [Sidecar.Expect]
// ends it and holds the checks, as [Called] and [NoReset], against all it told.
// docs/testing-with-testcontainers.md shows how. [Program] makes images of the
// services of a test.
//
// Its own tests hold what is true of wiretell as a whole: the rules of its
// source, its image, its privileges. In the folders below are suites that run
// it against real components.
//
// # Data flow
//
//	source -> binary -> image -> sidecar -> OTLP -> receiver -> Telemetry -> Check
//
// # Concurrency
//
// Any number of sidecars may run at once, in parallel tests too. The methods of
// a Sidecar may be called from any goroutine. Suites that measure own the
// machine's cores while they run: make runs one package at a time.
//
// # Limitations
//
// A Docker engine is needed, and the go command, unless [WithImage] names an
// image. Without an engine the container suites of this repository are skipped,
// and in CI they fail.
package integration
