//go:build !linux

package main

import "errors"

const demoInside = "WIRETELL_DEMO_INSIDE"

func demoIsolated(process) error {
	return failed(errors.New("the demo needs Linux"), "wiretell read works everywhere")
}

func loopbackUp() error { return errors.New("not on this system") }
