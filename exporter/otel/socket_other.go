//go:build !linux

package otel

import "syscall"

// prepareSocket does nothing: only Linux captures, so there is no own traffic
// to leave out.
func prepareSocket(syscall.RawConn, string, func(port uint16)) error { return nil }
