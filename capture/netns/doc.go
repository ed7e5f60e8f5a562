// Package netns reads what the kernel itself says of the network namespace that
// the program runs in: sockets, counters, interfaces, the process's own
// permissions, and how its control group is held back. Nothing here needs a
// privilege.
//
// # Data flow
//
//	/proc/PID/{net/*,status,uid_map,cgroup}, /sys/fs/cgroup, rtnetlink -> capture.Kernel
//
// A part that cannot be read (an old kernel, a masked file) leaves its bit of
// Kernel.Known unset and nothing else: the diagnosis then does without.
//
// # Concurrency
//
// A [Reader] belongs to one goroutine. /proc/self/net is the namespace of the
// process's first thread and /proc/thread-self/net that of the calling thread;
// they differ only in tests that lock a goroutine to a thread and unshare there.
// rtnetlink and sock_diag always answer for the calling thread.
//
// # Limitations
//
// Linux only; elsewhere every part stays unknown. Lists are bounded by the
// constants of package capture. The tables are not one consistent instant: the
// kernel walks them while connections come and go. prometheus/procfs reads the
// same files and is what the tests compare with; it is not used here because
// it makes eleven values on the heap for each line of /proc/net/tcp,
// which at 50,000 sockets is tens of megabytes for every reading.
package netns
