//go:build unix

package pcap

import (
	"os"
	"syscall"
)

// interruptible makes a Close end a waiting Read, which Go does only for files
// that its poller watches. Only pipes and sockets are changed: a terminal's
// mode is shared with the shell.
func interruptible(f *os.File) *os.File {
	st, err := f.Stat()
	if err != nil || st.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return f
	}
	fd := int(f.Fd())
	if syscall.SetNonblock(fd, true) != nil {
		return f
	}
	return os.NewFile(uintptr(fd), f.Name())
}
