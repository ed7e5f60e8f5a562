package filter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/wiretell/wiretell/capture"
)

var linkNames = map[capture.LinkType]string{
	capture.LinkEthernet: "EN10MB", capture.LinkSLL: "LINUX_SLL", capture.LinkSLL2: "LINUX_SLL2",
	capture.LinkRaw: "RAW", capture.LinkNull: "NULL", capture.LinkLoop: "LOOP",
	capture.LinkIPv4: "IPV4", capture.LinkIPv6: "IPV6",
}

// needTcpdump fails in CI, and skips elsewhere, when tcpdump is not installed.
func needTcpdump(t testing.TB) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("tcpdump is not installed")
	}
}

var errRejectsAll = errors.New("expression rejects all packets")

// tcpdump returns the bytecode that tcpdump makes of an expression.
func tcpdump(link capture.LinkType, expr string, options ...string) (string, error) {
	args := append([]string{"-y", linkNames[link], "-ddd"}, append(options, expr)...)
	out, err := exec.Command("tcpdump", args...).CombinedOutput()
	if err != nil {
		if strings.Contains(string(out), errRejectsAll.Error()) {
			return "", errRejectsAll
		}
		return "", fmt.Errorf("tcpdump: %s", strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// Where a frame is cut within its headers, libpcap's optimizer changes what is
// selected, as it leaves tests out or tries them in another order: the two
// programs that tcpdump makes, with and without it, then disagree with each
// other, and ours may be either. Everywhere else ours must agree.

// agree runs our program and tcpdump's, ours in Match and tcpdump's in the
// virtual machine of x/net, over every frame.
func agree(t testing.TB, link capture.LinkType, expr string, frames [][]byte) {
	t.Helper()
	ours, err := Compile(expr, link)
	if err != nil {
		t.Errorf("%s: %v", linkNames[link], err)
		return
	}
	text, err := tcpdump(link, expr)
	if err != nil {
		if _, missing := os.Stat("/etc/services"); missing != nil && strings.Contains(err.Error(), "unknown port") {
			return
		}
		if !errors.Is(err, errRejectsAll) {
			t.Errorf("%s: %q: compiled, but %v", linkNames[link], expr, err)
			return
		}
		for _, b := range frames {
			if ours.Match(b, len(b)) {
				t.Errorf("%s: %q selects %x, tcpdump says that nothing can be", linkNames[link], expr, b)
				return
			}
		}
		return
	}
	theirs, err := ParseBytecode(text)
	if err != nil {
		t.Errorf("%s: %q: %v", linkNames[link], expr, err)
		return
	}
	vm, own := machine(t, theirs), machine(t, ours)
	var plain *Program // made when it is needed
	unoptimized := func(b []byte) bool {
		if plain == nil {
			text, err := tcpdump(link, expr, "-O")
			if err != nil {
				t.Fatal(err)
			}
			if plain, err = ParseBytecode(text); err != nil {
				t.Fatal(err)
			}
		}
		return plain.Match(b, len(b))
	}
	for _, b := range frames {
		got := ours.Match(b, len(b))
		if v, err := own.Run(b); err != nil || (v != 0) != got {
			t.Fatalf("%s: %q: Match %v, the virtual machine %v, %v over %x", linkNames[link], expr, got, v, err, b)
		}
		want, err := vm.Run(b)
		if err != nil {
			t.Fatal(err)
		}
		if got != (want != 0) && got != unoptimized(b) {
			t.Errorf("%s: %q: %v, tcpdump %v over %x\nours:\n%s", linkNames[link], expr, got, want != 0, b, listing(ours))
			return
		}
		if m := theirs.Match(b, len(b)); m != (want != 0) {
			t.Fatalf("%s: %q: tcpdump's program: Match %v, the virtual machine %v over %x", linkNames[link], expr, m, want, b)
		}
	}
}

func machine(t testing.TB, p *Program) *bpf.VM {
	t.Helper()
	instructions, ok := bpf.Disassemble(p.Raw())
	if !ok {
		t.Fatalf("%q: not all instructions can be disassembled", p.Expr())
	}
	vm, err := bpf.NewVM(instructions)
	if err != nil {
		t.Fatalf("%q: %v", p.Expr(), err)
	}
	return vm
}

func listing(p *Program) string {
	instructions, _ := bpf.Disassemble(p.Raw())
	var s strings.Builder
	for i, in := range instructions {
		fmt.Fprintf(&s, "%3d %v\n", i, in)
	}
	return s.String()
}

func TestAgainstTcpdump(t *testing.T) {
	needTcpdump(t)
	t.Parallel()
	frames := append(corpus(capture.LinkEthernet, 900), sharedFrames(t, capture.LinkEthernet, 5, 300)...)
	for _, expr := range expressions {
		agree(t, capture.LinkEthernet, expr, frames)
	}
}

func TestLinkTypesAgainstTcpdump(t *testing.T) {
	needTcpdump(t)
	t.Parallel()
	for link := range linkNames {
		if link == capture.LinkEthernet {
			continue
		}
		frames := append(corpus(link, 300), sharedFrames(t, link, 50, 100)...)
		if link == capture.LinkNull {
			// Of other systems' address families tcpdump knows nothing; see
			// TestAddressFamilies.
			frames = slices.DeleteFunc(frames, func(b []byte) bool { return len(b) > 0 && b[0] != 2 && b[0] != 10 })
		}
		for i, expr := range expressions {
			if !strings.Contains(expr, "vlan") && (i < 30 || i%8 == int(link)%8) {
				agree(t, link, expr, frames)
			}
		}
	}
}

// TestRandomAgainstTcpdump makes expressions by a grammar.
func TestRandomAgainstTcpdump(t *testing.T) {
	needTcpdump(t)
	t.Parallel()
	frames := corpus(capture.LinkEthernet, 500)
	r := rand.New(rand.NewPCG(11, 12))
	for range 300 {
		agree(t, capture.LinkEthernet, randomExpression(r, 3), frames)
	}
}

func randomExpression(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(4) == 0 {
		return randomPrimitive(r)
	}
	switch r.IntN(8) {
	case 0:
		return "not " + randomPrimitive(r)
	case 1:
		return "not (" + randomExpression(r, depth-1) + ")"
	case 2:
		return "(" + randomExpression(r, depth-1) + ") " + pick(r, []string{"and", "or", "&&", "||"}) + " " + randomExpression(r, depth-1)
	case 3: // identifiers that stand alone
		q := pick(r, []string{"port", "tcp port", "udp dst port", "src port"})
		return fmt.Sprintf("%s %d %s %d %s not %d", q, pick(r, somePorts), pick(r, []string{"or", "and"}), pick(r, somePorts), pick(r, []string{"or", "and"}), pick(r, somePorts))
	default:
		return randomExpression(r, depth-1) + pick(r, []string{" and ", " or "}) + randomExpression(r, depth-1)
	}
}

func randomPrimitive(r *rand.Rand) string {
	dir := pick(r, []string{"", "", "src ", "dst ", "src or dst ", "src and dst "})
	switch r.IntN(12) {
	case 0, 1:
		return pick(r, []string{"", "", "ip ", "arp ", "rarp "}) + dir + "host " + pick(r, addresses4)
	case 2:
		return pick(r, []string{"", "ip6 "}) + dir + "host " + pick(r, addresses6)
	case 3:
		return pick(r, []string{"", "ip "}) + dir + "net " + pick(r, []string{"10", "10.0.0.0/8", "10.1", "10.0.0.0/30", "172.16.0.0 mask 255.240.0.0", "0.0.0.0/0", "192.168.1"})
	case 4:
		return pick(r, []string{"", "ip6 "}) + dir + "net " + pick(r, []string{"fe80::/10", "2001:db8::/32", "2001:db8:1::/48", "::/0", "::1/128", "2001:db8:8000::/33"})
	case 5, 6, 7:
		return pick(r, []string{"", "", "tcp ", "udp ", "sctp "}) + dir + fmt.Sprintf("port %d", pick(r, somePorts))
	case 8:
		return pick(r, []string{"", "tcp ", "udp "}) + dir + fmt.Sprintf("portrange %d-%d", pick(r, somePorts), pick(r, somePorts))
	case 9:
		return pick(r, []string{"", "ip ", "ip6 "}) + fmt.Sprintf("proto %d", pick(r, someProtos))
	case 10:
		return pick(r, []string{"vlan", "vlan 100", "vlan 200", "len > 60", "len <= 54", "len != 64", "greater 70", "less 60", "100 < len"})
	default:
		return pick(r, []string{"tcp", "udp", "icmp", "icmp6", "ip", "ip6", "arp", "rarp", "sctp", "igmp", "esp", "ah"})
	}
}
