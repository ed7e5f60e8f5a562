// Package peers gives tests the real programs that wiretell talks to: today
// the OpenTelemetry Collector, built from its published modules.
//
// # Data flow
//
//	collector/*.txt -> go build -> cache -> process -> *.jsonl -> pdata
//
// A peer is built once into $WIRETELL_CACHE, or into wiretell's folder in
// [os.UserCacheDir], under a name that holds its version and a hash of what it
// is built from. Its module files are pinned in this repository as text, since
// a go.mod of its own would make wiretell two modules.
//
// # Concurrency
//
// The functions that build may be called from any number of tests, packages
// and processes at once: a file lock lets one build and the others wait. A
// started [Collector] belongs to the test that started it.
//
// # Limitations
//
// The first build needs a module proxy and a few CPU minutes. A peer dies with
// the test process on Linux; elsewhere a killed test leaves it running.
package peers
