package otel

import (
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// userTimeout, in milliseconds, ends a connection whose data nobody
// acknowledges, so that a receiver that vanished is dialled anew (RFC 5482).
const userTimeout = 20_000

// prepareSocket binds c to a free local port before it connects and tells the
// port. Linux picks the address when the socket connects.
func prepareSocket(c syscall.RawConn, network string, bound func(port uint16)) error {
	var failed error
	err := c.Control(func(fd uintptr) { failed = bindSocket(int(fd), network, bound) })
	if err != nil {
		return err
	}
	return failed
}

func bindSocket(fd int, network string, bound func(port uint16)) error {
	var any unix.Sockaddr = &unix.SockaddrInet4{}
	if strings.HasSuffix(network, "6") {
		any = &unix.SockaddrInet6{}
	}
	if err := unix.Bind(fd, any); err != nil {
		return os.NewSyscallError("bind", err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		bound(uint16(sa.Port))
	case *unix.SockaddrInet6:
		bound(uint16(sa.Port))
	}
	if strings.HasPrefix(network, "tcp") {
		// Not every kernel has it; the deadline of each attempt holds anyway.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, userTimeout)
	}
	return nil
}
