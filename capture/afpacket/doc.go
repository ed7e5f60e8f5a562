// Package afpacket captures frames live from the interfaces of one network
// namespace: a [capture.Source] over AF_PACKET sockets with TPACKET_V3 rings
// (packet(7), Documentation/networking/packet_mmap.rst), in pure Go.
//
// # Data flow
//
//	interface -> kernel filter -> ring of blocks -> Source.Next -> capture.Frame
//
// [Open] makes one socket on every interface but the loopback, and one for the
// loopback, whose second copy of each frame the kernel is told to leave out;
// with Config.Interfaces it makes one socket per name. Each socket has a ring:
// blocks of memory that the kernel fills with frames and hands over when they
// are full or [Config.RetireTimeout] old. [Source.Next] walks a block in place
// and gives it back to the kernel after its last frame was used. The kernel
// copies a frame once, into the ring; nothing copies it again.
//
// Names and states of interfaces come from a NETLINK_ROUTE socket that is
// opened together with the rings: [DropPrivileges] may follow at once, and
// interfaces that appear later are still seen and named.
//
// # Concurrency
//
// One goroutine calls Next and Stats. All sockets are in one epoll instance,
// which waits in Go's network poller, so that no thread is blocked. [Source.Close]
// and [Source.Stop] may be called from any goroutine. Nothing here starts one.
//
// # Limitations
//
// Frames come block by block, the block whose first frame is older first: in
// the order of capture on each ring, but across rings only up to RetireTimeout.
// A frame that does not fit into a block is cut by the kernel (Frame.WireLen
// tells); the default block holds frames of nearly 512 KiB.
//
// The kernel takes the time stamp in software (CLOCK_REALTIME). Frames that a
// program sends with PACKET_QDISC_BYPASS are not seen on their way out.
//
// An open socket keeps its rights when the capabilities are gone: it could
// still transmit. Only a seccomp filter stops that.
//
// On other systems than Linux the package builds, and Open returns
// [ErrUnsupported].
package afpacket
