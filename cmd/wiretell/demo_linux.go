package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// demoInside tells the demo's second process that it is in its own namespaces.
const demoInside = "WIRETELL_DEMO_INSIDE"

// demoIsolated runs the demo again in a user and a network namespace of its own.
func demoIsolated(cmd *cobra.Command) error {
	self := exec.Command("/proc/self/exe", "demo")
	self.Env = append(os.Environ(), demoInside+"=1")
	self.Stdout, self.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
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
	case errors.As(err, &exit):
		return &exitError{code: exit.ExitCode()} // it has said why
	}
	return failed(fmt.Errorf("make a network namespace for the demo: %w", err),
		"user namespaces may be switched off here (sysctl kernel.unprivileged_userns_clone or user.max_user_namespaces); as root the demo needs none")
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
