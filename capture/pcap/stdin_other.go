//go:build !unix

package pcap

import "os"

// interruptible returns f: here a Close does not end a waiting Read.
func interruptible(f *os.File) *os.File { return f }
