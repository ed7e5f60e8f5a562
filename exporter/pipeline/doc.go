// Package pipeline puts the rooms together: the settings that say what is
// observed and how, checked, and the way from a source over the spine and the
// desk to the exporters. The command line and the Collector's receiver are two
// ways to fill in the same settings.
//
// # Data flow
//
//	Settings, Live -> observer.Config, afpacket.Source, record.Recorder
//	source -> observer -> exporter.Queue -> exporter.Desk -> exporters
//
// # Concurrency
//
// [Pipeline.Run] is the spine's goroutine; the desk gets one of its own, which
// ends before Run returns or, of a live pipeline, is given up at the deadline.
//
// # Limitations
//
// Which exporters there are, and what a person is told, is the caller's.
package pipeline
