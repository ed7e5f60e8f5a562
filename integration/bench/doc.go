// Package bench holds the benchmarks that run whole processes: wiretell beside
// tcpdump, over captures that the benchmark makes itself and live on loopback.
// CPU seconds of the processes are the figures, as wall time says little on a
// shared machine.
package bench
