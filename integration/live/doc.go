// Package live holds the suites that run the wiretell binary in network
// namespaces of their own: real traffic over real interfaces, into files and
// into a real Collector.
package live
