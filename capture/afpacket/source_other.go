//go:build !linux

package afpacket

import (
	"fmt"
	"runtime"

	"github.com/wiretell/wiretell/capture"
)

// Source is a capture.Source; only Linux has one.
type Source struct{}

var _ capture.Source = (*Source)(nil)

func errSystem() error {
	return fmt.Errorf("%w: live capture needs Linux, this is %s", ErrUnsupported, runtime.GOOS)
}

// Open returns an error that wraps [ErrUnsupported].
func Open(Config) (*Source, error) { return nil, errSystem() }

// DropPrivileges returns an error that wraps [ErrUnsupported].
func DropPrivileges() error { return errSystem() }

// CurrentPermission knows nothing on this system.
func CurrentPermission() Permission { return Permission{UID: -1, Unknown: true} }

// Next returns an error that wraps [ErrUnsupported].
func (*Source) Next(*capture.Frame) error { return errSystem() }

// Stats sets nothing.
func (*Source) Stats(*capture.SourceStats) {}

// Close does nothing.
func (*Source) Close() error { return nil }

// Stop does nothing.
func (*Source) Stop() {}

// RingBytes returns 0.
func (*Source) RingBytes() int { return 0 }

// Notes returns nothing.
func (*Source) Notes() []Note { return nil }
