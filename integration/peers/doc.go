// Package peers gives tests the real programs that wiretell's telemetry goes
// to: the OpenTelemetry Collector, Jaeger and Prometheus, built from their
// published modules.
//
// # Data flow
//
//	collector/*.txt  -> go build -> cache -> process -> *.jsonl -> pdata
//	jaeger/*.txt     -> go build -> cache -> container -> HTTP API
//	prometheus/*.txt -> go build -> cache -> container -> HTTP API
//
// A peer is built once into $WIRETELL_CACHE, or into wiretell's folder in
// [os.UserCacheDir], under a name that holds its version and a hash of what it
// is built from. Its module files are pinned in this repository as text, since
// a go.mod of its own would make wiretell two modules. Jaeger and Prometheus
// are pinned by the lines of go.sum that their own packages need: Jaeger's are
// from its own go.sum, as the checksum database does not know all of them.
//
// # Concurrency
//
// The functions that build may be called from any number of tests, packages
// and processes at once: a file lock lets one build and the others wait. A
// started [Collector] belongs to the test that started it.
//
// # Limitations
//
// The first build needs a module proxy and some CPU minutes. A Collector dies
// with the test process on Linux; elsewhere a killed test leaves it running.
package peers
