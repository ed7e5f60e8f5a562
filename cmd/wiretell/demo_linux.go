package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// demoInside tells the demo's second process that it is in its own namespaces.
const demoInside = "WIRETELL_DEMO_INSIDE"

// demoIsolated runs the demo again in a user and a network namespace of its own.
func demoIsolated(proc process) error {
	// Pdeathsig is sent when the thread ends that started the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeout(context.Background(), demoTime)
	defer cancel()
	self := exec.CommandContext(ctx, "/proc/self/exe", "demo")
	self.Env = append(slices.Clone(proc.env), demoInside+"=1")
	self.Stdout, self.Stderr = proc.stdout, proc.stderr
	self.Cancel = func() error { return self.Process.Signal(syscall.SIGQUIT) } // it then says where it is
	self.WaitDelay = time.Second
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	self.SysProcAttr = attr
	err := self.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return failed(fmt.Errorf("the demo did not end within %v", demoTime), "try again on a machine that is less busy; if it stays, please report what is printed above")
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return &exitError{code: exit.ExitCode()} // it has said why
	case errors.As(err, &exit):
		return failed(fmt.Errorf("the demo was ended: %v", exit), "")
	}
	return failed(fmt.Errorf("make a network namespace for the demo: %w", err),
		"user namespaces may be switched off here (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns); as root the demo needs none")
}

// loopbackUp sets lo up in this network namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req); err != nil {
		return err
	}
	req.SetUint16(req.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}
