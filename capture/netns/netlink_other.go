//go:build !linux

package netns

import "github.com/wiretell/wiretell/capture"

func (r *Reader) links(*capture.Kernel) error { return errNotAsked }

func backlogs(*capture.Kernel) {}

// Offloads cannot be asked on this system.
func Offloads(string) ([]string, error) { return nil, errNotAsked }
