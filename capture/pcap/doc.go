// Package pcap reads capture files, pcap and pcapng, as a capture.Source, and
// writes them.
//
// # Data flow
//
//	file or pipe -> gunzip -> input (one buffer) -> pcapReader or ngReader -> capture.Frame
//	capture.Frame -> Writer (pcapng) or ClassicWriter (pcap)
//
// Frames are slices of the one read buffer: no packet is copied or allocated.
// A damaged file yields every whole packet before the damage, then a
// [DamageError] that tells the byte.
//
// # Concurrency
//
// A source belongs to one goroutine, except that Close may be called from
// another one to end a waiting Next.
//
// # Limitations
//
// A packet may have 16 MiB and a pcapng file 4,096 different interfaces.
// Simple Packet Blocks carry no time: they get the time of the packet before
// them. Name resolution, secrets, statistics and custom blocks are skipped. A
// frame check sequence that the file announces is left at the end of the frame,
// where decoding by header lengths does not see it.
package pcap
