//go:build !linux

package wiretellreceiver

import "github.com/wiretell/wiretell/capture"

// ownSockets does nothing: only Linux captures.
type ownSockets struct{ flows *capture.OwnFlows }

func (*ownSockets) look() {}
