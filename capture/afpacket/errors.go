package afpacket

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrNotPermitted is what a [PermissionError] wraps: the kernel refuses
	// packet sockets to this process.
	ErrNotPermitted = errors.New("packet sockets are not permitted")
	// ErrUnsupported: this kernel or sandbox has no packet sockets, or no
	// TPACKET_V3 rings.
	ErrUnsupported = errors.New("packet sockets are not supported here")
	// ErrFilter: the kernel does not take Config.Filter. Without it capturing may
	// still be possible.
	ErrFilter = errors.New("the kernel does not take the filter")
	// ErrLeft: the last interface beside loopback is gone for good, as when the
	// container that the network namespace belonged to was restarted: it has
	// another one now. A namespace that never had one is not left.
	ErrLeft = errors.New("the network namespace was left: its last interface beside lo is gone")
)

// Permission is what the process is allowed, as far as packet sockets depend on
// it; from /proc/self/status and /proc/self/uid_map. See capabilities(7).
type Permission struct {
	UID int // effective user
	// CAP_NET_RAW in the capability sets of the process.
	Effective, Permitted, Inheritable, Bounding, Ambient bool
	NoNewPrivs                                           bool
	// Seccomp is the mode: 0 off, 1 strict, 2 filter.
	Seccomp int
	// UserNamespace says that the process is not in the initial user namespace:
	// its capabilities do not reach a network namespace that an outer one owns.
	UserNamespace bool
	// Unknown says that /proc could not be read, so that only UID holds.
	Unknown bool
}

// PermissionError says that a socket was refused, and what was found when
// it was. It wraps [ErrNotPermitted] and the kernel's error.
type PermissionError struct {
	Permission
	// Op is what was refused: "open packet socket", "raise CAP_NET_RAW" or
	// "open NETLINK_ROUTE socket".
	Op  string
	Err error // EPERM or EACCES
}

// Error returns what was refused, the kernel's error and what is missing.
func (e *PermissionError) Error() string {
	return fmt.Sprintf("%s: %v (%s)", e.Op, e.Err, e.Permission)
}

// Unwrap returns ErrNotPermitted and the kernel's error.
func (e *PermissionError) Unwrap() []error { return []error{ErrNotPermitted, e.Err} }

// String names the user, the sets that hold CAP_NET_RAW, and what else can be
// the cause.
func (p Permission) String() string {
	if p.Unknown {
		return fmt.Sprintf("uid %d, capabilities unknown", p.UID)
	}
	var sets []string
	for _, s := range []struct {
		in   bool
		name string
	}{
		{p.Effective, "effective"}, {p.Permitted, "permitted"}, {p.Inheritable, "inheritable"},
		{p.Bounding, "bounding"}, {p.Ambient, "ambient"},
	} {
		if s.in {
			sets = append(sets, s.name)
		}
	}
	where := "in no capability set"
	if len(sets) > 0 {
		where = "in sets " + strings.Join(sets, ", ")
	}
	s := fmt.Sprintf("uid %d, CAP_NET_RAW %s, no_new_privs %t, seccomp mode %d", p.UID, where, p.NoNewPrivs, p.Seccomp)
	if p.UserNamespace {
		s += ", in a user namespace"
	}
	return s
}
