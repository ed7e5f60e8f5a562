package live

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// routed connects two namespaces through a third one, which forwards both
// families: on eth0 of a and eth1 of b.
func routed(t *testing.T, a, b *netnstest.NS) (router *netnstest.NS, left, right netnstest.Pair) {
	t.Helper()
	router = netnstest.New(t)
	// Forwarding IPv6 needs a link-local address to ask for neighbours with; it is
	// to be usable at once.
	for _, name := range []string{"net/ipv6/conf/all/accept_dad", "net/ipv6/conf/default/accept_dad"} {
		router.Must(t, func() error { return writeSysctl(name, "0") })
	}
	left, right = netnstest.ConnectAs(t, a, router, "eth0", 0), netnstest.ConnectAs(t, router, b, "eth1", 1)
	for _, end := range []struct {
		ns   *netnstest.NS
		link string
		via  [2]netip.Addr
	}{{a, left.Name, [2]netip.Addr{left.B, left.B6}}, {b, right.Name, [2]netip.Addr{right.A, right.A6}}} {
		for _, via := range end.via {
			if err := end.ns.Links.RouteAdd(&netlink.Route{LinkIndex: end.ns.Link(t, end.link).Attrs().Index, Gw: via.AsSlice()}); err != nil {
				t.Fatalf("route by %s: %v", via, err)
			}
		}
	}
	router.Must(t, func() error {
		for _, name := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
			if err := writeSysctl(name, "1"); err != nil {
				return err
			}
		}
		return nil
	})
	return router, left, right
}

// needNFT skips the test where there is no nft, and fails it where there must be.
func needNFT(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("needs nft")
		}
		t.Skip("needs nft")
	}
}

// loadNFT does in ns what the script says.
func loadNFT(t testing.TB, ns *netnstest.NS, script string) {
	t.Helper()
	ns.Must(t, func() error {
		cmd := exec.Command("nft", "-f", "-")
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("nft: %w: %s", err, out)
		}
		return nil
	})
}
