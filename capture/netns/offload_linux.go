package netns

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Numbers of linux/ethtool_netlink.h.
const (
	ethtoolMsgFeaturesGet   = 11
	ethtoolFeaturesHeader   = 1
	ethtoolFeaturesActive   = 4
	ethtoolHeaderDeviceName = 2
	ethtoolBitsetBits       = 3
	ethtoolBitsBit          = 1
	ethtoolBitName          = 2
)

// offloads are the features that make a captured frame differ from those on the
// wire, by the kernel's names.
var offloads = map[string]string{
	"rx-gro": "gro", "rx-gro-hw": "gro-hw", "rx-lro": "lro", "tx-generic-segmentation": "gso", "tx-tcp-segmentation": "tso",
}

// Offloads returns which offloads of an interface are active that join or cut
// segments, of "gro", "gro-hw", "lro", "gso" and "tso": where one is, captured
// frames may be larger than those on the wire. It needs no privilege.
func Offloads(name string) ([]string, error) {
	family, err := netlink.GenlFamilyGet("ethtool")
	if err != nil {
		return nil, fmt.Errorf("ethtool netlink: %w", err)
	}
	req := nl.NewNetlinkRequest(int(family.ID), 0)
	req.AddData(&nl.Genlmsg{Command: ethtoolMsgFeaturesGet, Version: 1})
	header := nl.NewRtAttr(ethtoolFeaturesHeader|unix.NLA_F_NESTED, nil)
	header.AddRtAttr(ethtoolHeaderDeviceName, nl.ZeroTerminated(name))
	req.AddData(header)
	msgs, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return nil, fmt.Errorf("features of %s: %w", name, err)
	}
	var active []string
	for _, m := range msgs {
		if len(m) < nl.SizeofGenlmsg {
			continue
		}
		for _, bits := range inner(inner([][]byte{m[nl.SizeofGenlmsg:]}, ethtoolFeaturesActive), ethtoolBitsetBits) {
			for _, word := range inner(inner([][]byte{bits}, ethtoolBitsBit), ethtoolBitName) {
				if offload := offloads[unix.ByteSliceToString(word)]; offload != "" {
					active = append(active, offload)
				}
			}
		}
	}
	return active, nil
}

// inner returns the values of the attributes of a type that are in any of attrs.
func inner(attrs [][]byte, typ uint16) (out [][]byte) {
	for _, b := range attrs {
		parsed, err := nl.ParseRouteAttr(b)
		if err != nil {
			continue
		}
		for _, a := range parsed {
			if a.Attr.Type&nl.NLA_TYPE_MASK == typ {
				out = append(out, a.Value)
			}
		}
	}
	return out
}
