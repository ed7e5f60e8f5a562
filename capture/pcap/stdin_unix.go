//go:build unix

package pcap

import (
	"os"
	"syscall"
)

// interruptible makes a Close end a waiting Read, which Go does only for files
// that its poller watches. Only pipes and sockets are changed: a terminal's
// mode is shared with the shell. The file returned has a descriptor of its own,
// so that f stays its owner's.
func interruptible(f *os.File) *os.File {
	st, err := f.Stat()
	if err != nil || st.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return f
	}
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		return f
	}
	syscall.CloseOnExec(fd)
	if syscall.SetNonblock(fd, true) != nil {
		_ = syscall.Close(fd)
		return f
	}
	return os.NewFile(uintptr(fd), f.Name())
}
