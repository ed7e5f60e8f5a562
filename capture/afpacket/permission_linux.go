package afpacket

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// CurrentPermission reads from /proc what the process may do.
func CurrentPermission() Permission {
	p := Permission{UID: os.Geteuid()}
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		status, err = os.ReadFile("/proc/self/status")
	}
	if err != nil {
		p.Unknown = true
		return p
	}
	p.parseStatus(status)
	if ids, err := os.ReadFile("/proc/self/uid_map"); err == nil {
		p.UserNamespace = !initialUserNamespace(ids)
	}
	return p
}

// parseStatus reads the lines of /proc/pid/status, proc_pid_status(5).
func (p *Permission) parseStatus(status []byte) {
	for line := range bytes.Lines(status) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		v := string(bytes.TrimSpace(value))
		set := func(b *bool) {
			bits, _ := strconv.ParseUint(v, 16, 64)
			*b = bits&(1<<unix.CAP_NET_RAW) != 0
		}
		switch string(key) {
		case "CapEff":
			set(&p.Effective)
		case "CapPrm":
			set(&p.Permitted)
		case "CapInh":
			set(&p.Inheritable)
		case "CapBnd":
			set(&p.Bounding)
		case "CapAmb":
			set(&p.Ambient)
		case "NoNewPrivs":
			p.NoNewPrivs = v == "1"
		case "Seccomp":
			p.Seccomp, _ = strconv.Atoi(v)
		}
	}
}

// initialUserNamespace tells by its uid_map, user_namespaces(7): the initial
// namespace maps every ID to itself.
func initialUserNamespace(uidMap []byte) bool {
	f := bytes.Fields(uidMap)
	return len(f) == 3 && string(f[0]) == "0" && string(f[1]) == "0" && string(f[2]) == "4294967295"
}

// withNetRaw runs f with CAP_NET_RAW effective on its thread, if the process is
// permitted to raise it, and lowers it afterwards.
func withNetRaw(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	const bit = 1 << unix.CAP_NET_RAW
	if err := unix.Capget(&hdr, &data[0]); err != nil || data[0].Effective&bit != 0 || data[0].Permitted&bit == 0 {
		return f()
	}
	data[0].Effective |= bit
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return &PermissionError{Permission: CurrentPermission(), Op: "raise CAP_NET_RAW", Err: err}
	}
	err := f()
	data[0].Effective &^= bit
	return errors.Join(err, unix.Capset(&hdr, &data[0]))
}

// DropPrivileges gives up every capability of every thread, for good: the
// bounding set too, where the process may change it (CAP_SETPCAP). It forbids
// that an execve gains any (no_new_privs) and that other processes of the same
// user read this one's memory (dumpable 0). Sockets that are open stay usable.
func DropPrivileges() error {
	if ok, err := cap.GetProc().GetFlag(cap.Effective, cap.SETPCAP); err == nil && ok {
		for v := cap.Value(0); v < cap.MaxBits(); v++ {
			if err := cap.DropBound(v); err != nil {
				return fmt.Errorf("drop %s from the bounding set: %w", v, err)
			}
		}
	}
	// Dropping a permitted or inheritable capability drops the ambient one too.
	if err := cap.NewSet().SetProc(); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("set dumpable to 0: %w", err)
	}
	return nil
}
