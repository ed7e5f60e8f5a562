package filter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/wiretell/wiretell/capture"
)

func compile(t testing.TB, expr string, link capture.LinkType) *Program {
	t.Helper()
	p, err := Compile(expr, link)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct{ expr, want string }{
		{"port 80 or tcp[13] & 2 != 0", `filter: position 12: "tcp[13]": byte access is not supported; give the bytecode of "tcpdump -ddd" with --filter-bpf`},
		{"tcp[tcpflags", `filter: position 1: "tcp[tcpflags": byte access is not supported; give the bytecode of "tcpdump -ddd" with --filter-bpf`},
		{"host example.com", `filter: position 6: "example.com": names are not looked up; give the address`},
		{"net loopback", `filter: position 5: "loopback": names are not looked up; give the address`},
		{"port", `filter: position 5: at the end: a name, number or address must follow`},
		{"port 80 or", `filter: position 11: at the end: a condition must follow`},
		{"and port 80", `filter: position 1: "and": a name, number or address must stand here; a name that is also a keyword is written with a backslash`},
		{"port 65536", `filter: position 6: "65536": a port is at most 65535`},
		{"port nonesuch", `filter: position 6: "nonesuch": no port that is known by name; give its number`},
		{"port 80-90", `filter: position 6: "80-90": no port that is known by name; several ports are written with "portrange"`},
		{"portrange 0x50-90", `filter: position 11: "0x50-90": the ends of a range are decimal numbers or names`},
		{"udp port http", `filter: position 10: "http": this service does not use udp; give the port's number`},
		{"icmp port 80", `filter: position 11: "80": "icmp" has no ports`},
		{"tcp host 10.0.0.1", `filter: position 10: "10.0.0.1": "tcp" has no IPv4 addresses`},
		{"ip host ::1", `filter: position 9: "::1": "ip" has no IPv6 addresses`},
		{"ip6 host 10.0.0.1", `filter: position 10: "10.0.0.1": "ip6" has no IPv4 addresses`},
		{"net 10.0.0.1/8", `filter: position 5: "10.0.0.1": bits are set that are outside the mask`},
		{"net ::1/64", `filter: position 5: "::1": bits are set that are outside the mask`},
		{"net 10/8", `filter: position 7: "/": write the network with dots, as 10.0.0.0/8`},
		{"host 10.0.0.0/8", `filter: position 6: "10.0.0.0": a mask is for networks: write "net"`},
		{"net 10.0.0.0/33", `filter: position 14: "33": a prefix length is a number up to 32`},
		{"net fe80::/129", `filter: position 12: "129": a prefix length is a number up to 128`},
		{"net 10.0 mask 255", `filter: position 15: "255": a mask is written as 255.255.0.0, and the network before it with dots`},
		{"host 10.0.0.256", `filter: position 6: "10.0.0.256": no IPv4 address`},
		{"host 10.0.0.0.1", `filter: position 6: "10.0.0.0.1": no IPv4 address`},
		{"host 4294967296", `filter: position 6: "4294967296": the number does not fit into 32 bits`},
		{"host ::g", `filter: position 6: "::g": no IPv6 address`},
		{"host 02:00:00:00:00:01", `filter: position 6: "02:00:00:00:00:01": link-layer addresses are not supported; give the bytecode of "tcpdump -ddd" with --filter-bpf`},
		{"ether host 02:00:00:00:00:01", `filter: position 1: "ether": link-layer addresses are not supported; give the bytecode of "tcpdump -ddd" with --filter-bpf`},
		{"10.0.0.1", `filter: position 1: "10.0.0.1": no qualifier says what this is: write "host", "net" or "port" before it`},
		{"tcp or 80", `filter: position 8: "80": no qualifier says what this is: write "host", "net" or "port" before it`},
		{"(port 80) or 81", `filter: position 14: "81": no qualifier says what this is: write "host", "net" or "port" before it`},
		{"tcp 80", `filter: position 5: "80": "and" or "or" must stand before it`},
		{"tcp udp", `filter: position 5: "udp": "and" or "or" must stand before it`},
		{"(tcp", `filter: position 5: at the end: a closing parenthesis is missing`},
		{"tcp)", `filter: position 4: ")": "and" or "or" must stand before it`},
		{"port (80", `filter: position 9: at the end: a closing parenthesis is missing`},
		{"port (80 or tcp)", `filter: position 13: "tcp": a name, number or address must stand here`},
		{"ip broadcast", `filter: position 4: "broadcast": not supported; give the bytecode of "tcpdump -ddd" with --filter-bpf`},
		{"gateway 10.0.0.1", `filter: position 1: "gateway": not supported; give the bytecode of "tcpdump -ddd" with --filter-bpf`},
		{"tcp and inbound", `filter: position 9: "inbound": not supported; give the bytecode of "tcpdump -ddd" with --filter-bpf`},
		{"proto tcp", `filter: position 7: "tcp": a name, number or address must stand here; a name that is also a keyword is written with a backslash`},
		{"tcp proto 6", `filter: position 5: "proto": "tcp" does not carry another protocol`},
		{"proto 256", `filter: position 7: "256": a protocol number is at most 255`},
		{"proto nonesuch", `filter: position 7: "nonesuch": no protocol that is known by name; give its number`},
		{"ether proto 100", `filter: position 13: "100": LLC is not supported; give the bytecode of "tcpdump -ddd" with --filter-bpf`},
		{"ether proto 65536", `filter: position 13: "65536": no EtherType`},
		{"len", `filter: position 4: at the end: a relation such as <= must follow; arithmetic is not supported; give the bytecode of "tcpdump -ddd" with --filter-bpf`},
		{"len > x", `filter: position 7: "x": a number must stand here`},
		{"5 < 6", `filter: position 5: "6": only "len" can be compared; give the bytecode of "tcpdump -ddd" with --filter-bpf`},
		{"greater x", `filter: position 9: "x": a number must stand here`},
		{"less 99999999999", `filter: position 6: "99999999999": the number does not fit into 32 bits`},
		{"vlan 4096", `filter: position 6: "4096": a VLAN identifier is at most 4095`},
		{"tcp & udp", `filter: position 5: "&": not understood`},
		{"tcp § udp", `filter: position 5: "§": not understood`},
		{`port \`, "filter: position 6: \"\\\\\": a name must follow"},
		{strings.Repeat("not ", 300) + "tcp", `filter: position 1025: "not": nested too deep`},
	} {
		_, err := Compile(tt.expr, capture.LinkEthernet)
		var e *Error
		if !errors.As(err, &e) || err.Error() != tt.want {
			t.Errorf("%q:\n got %v\nwant %s", tt.expr, err, tt.want)
			continue
		}
		if !strings.HasPrefix(tt.expr[e.Pos-1:], e.Token) {
			t.Errorf("%q: position %d does not begin %q", tt.expr, e.Pos, e.Token)
		}
	}
	if _, err := Compile("tcp", capture.LinkNFLOG); err == nil {
		t.Error("a link type that is not supported was taken")
	}
	if _, err := Compile("vlan", capture.LinkRaw); err == nil {
		t.Error("vlan was taken for raw IP")
	}
	if _, err := Compile(strings.Repeat("a", maxExpression+1), capture.LinkRaw); err == nil {
		t.Error("a very long expression was taken")
	}
}

// anyPort returns the expression that selects the ports.
func anyPort(ports ...uint16) string {
	var terms []string
	for _, p := range ports {
		terms = append(terms, "port "+strconv.Itoa(int(p)))
	}
	return strings.Join(terms, " or ")
}

func TestPorts(t *testing.T) {
	for _, tt := range []struct {
		expr string
		want []PortRange
	}{
		{"tcp port 80 or 443", []PortRange{{80, 80}, {443, 443}}},
		{"tcp and not port 22", nil},
		{"not (port 22 or not port 80)", []PortRange{{80, 80}}},
		{"portrange 9000-8000 and host 10.0.0.1", []PortRange{{8000, 9000}}},
		{"port http or not 53", []PortRange{{80, 80}}},
		{"icmp", nil},
	} {
		p := compile(t, tt.expr, capture.LinkEthernet)
		if got := p.Ports(); !slices.Equal(got, tt.want) {
			t.Errorf("%q names %v, want %v", tt.expr, got, tt.want)
		}
		if p.Expr() != tt.expr {
			t.Errorf("Expr() = %q", p.Expr())
		}
	}
}

// TestFarJumps: with many ports the jumps do not fit into 8 bits.
func TestFarJumps(t *testing.T) {
	frames := corpus(capture.LinkEthernet, 3000)
	for _, n := range []int{10, 20, 40, 80, 120} {
		var ports []uint16
		for i := range n {
			ports = append(ports, uint16(20000+i))
		}
		ports = append(ports, 80)
		var wants []*Program
		for _, q := range ports {
			wants = append(wants, compile(t, fmt.Sprintf("port %d", q), capture.LinkEthernet))
		}
		for _, form := range []string{anyPort(ports...), "not (" + anyPort(ports...) + ")"} {
			p := compile(t, form, capture.LinkEthernet)
			vm := machine(t, p)
			for _, b := range frames {
				got := p.Match(b, len(b))
				if v, _ := vm.Run(b); (v != 0) != got {
					t.Fatalf("%d ports: Match %v, the virtual machine %v", n, got, v)
				}
				want := slices.ContainsFunc(wants, func(w *Program) bool { return w.Match(b, len(b)) })
				if form[0] == 'n' {
					want = !want
				}
				if len(b) >= 120 && got != want { // longer than any header here
					t.Fatalf("%d ports: %v, want %v over %x", n, got, want, b)
				}
			}
		}
	}
	var many []uint16
	for i := range 2000 {
		many = append(many, uint16(i))
	}
	var e *Error
	if _, err := Compile(anyPort(many...), capture.LinkEthernet); !errors.As(err, &e) {
		t.Errorf("2,000 ports: %v", err)
	}
}

// TestJumpLengths puts the two ends at every distance around the greatest.
func TestJumpLengths(t *testing.T) {
	for i := range 1040 {
		n, ends := i/2, [2]int{accept, reject}
		if i%2 == 1 {
			ends = [2]int{reject, accept}
		}
		code := []instruction{{bpf.RawInstruction{Op: classJump | jumpEqual}, ends[0], ends[1], nowhere}}
		for range n {
			code = append(code, instruction{bpf.RawInstruction{Op: classLoad | modeImmediate, K: 1}, nowhere, nowhere, nowhere})
		}
		raw, _ := link(code, nil)
		for end, skip := range map[int]uint8{ends[0]: raw[0].Jt, ends[1]: raw[0].Jf} {
			outcome := verdict(end).K
			at := 1 + int(skip)
			if raw[at].Op == classJump|jumpAlways {
				at += 1 + int(raw[at].K)
			}
			if raw[at] != (bpf.RawInstruction{Op: classReturn, K: outcome}) {
				t.Fatalf("over %d instructions: %v instead of a return of %d", n, raw[at], outcome)
			}
		}
	}
}

func TestWireLength(t *testing.T) {
	b := make([]byte, 60)
	for expr, want := range map[string]bool{"len = 1500": true, "greater 1000": true, "len < 100": false} {
		if got := compile(t, expr, capture.LinkEthernet).Match(b, 1500); got != want {
			t.Errorf("%q over 60 of 1500 bytes: %v", expr, got)
		}
	}
}

func TestAddressFamilies(t *testing.T) {
	ip6 := compile(t, "ip6", capture.LinkNull)
	ip := compile(t, "ip", capture.LinkNull)
	for _, family := range []byte{10, 24, 28, 30} {
		for _, header := range [][]byte{{family, 0, 0, 0}, {0, 0, 0, family}} {
			if !ip6.Match(header, 4) || ip.Match(header, 4) {
				t.Errorf("family %d as %x", family, header)
			}
		}
	}
	if !ip.Match([]byte{2, 0, 0, 0}, 4) || !ip.Match([]byte{0, 0, 0, 2}, 4) || ip.Match([]byte{3, 0, 0, 0}, 4) {
		t.Error("IPv4")
	}
}

// TestRejectsAll: what can select no packet is one instruction.
func TestRejectsAll(t *testing.T) {
	for expr, want := range map[string]bool{"arp": true, "ip": false, "": false, "ip and ip6": true} {
		if raw := compile(t, expr, capture.LinkRaw).raw; (len(raw) == 1 && raw[0].Op == classReturn && raw[0].K == 0) != want {
			t.Errorf("%q: %v", expr, raw)
		}
	}
}

// TestSize keeps programs about as short as those of libpcap's optimizer: each
// instruction is paid for by every packet.
func TestSize(t *testing.T) {
	for expr, most := range map[string]int{ // tcpdump's own lengths in the comments
		"tcp":                       12, // 12
		"port 80":                   24, // 24
		"tcp port 80":               20, // 20
		"host 10.0.0.1":             18, // 14
		"tcp and not port 22":       23, // 23
		"tcp port 80 or tcp port 8": 31, // 23
		"udp and udp and udp":       12, // 12
	} {
		if n := len(compile(t, expr, capture.LinkEthernet).Raw()); n > most {
			t.Errorf("%q: %d instructions\n%s", expr, n, listing(compile(t, expr, capture.LinkEthernet)))
		}
	}
}

func TestBytecode(t *testing.T) {
	p, err := ParseBytecode("4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n")
	if err != nil {
		t.Fatal(err)
	}
	commas, err := ParseBytecode("4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0")
	if err != nil || !slices.Equal(p.Raw(), commas.Raw()) {
		t.Errorf("with commas: %v", err)
	}
	ip := append(make([]byte, 12), 8, 0)
	if !p.Match(ip, 14) || p.Match(make([]byte, 14), 14) || p.Match(ip[:13], 13) {
		t.Error("wrong packets")
	}
	for _, tt := range []struct{ text, want string }{
		{"", `filter: position 1: at the end: a number of instructions must stand first`},
		{"x", `filter: position 1: "x": a number of instructions must stand first`},
		{"2\n6 0 0 0", `filter: position 1: "2": this many instructions were announced, but there are 1`},
		{"0", `filter: position 1: "0": a program has 1 to 4096 instructions`},
		{"5000", `filter: position 1: "5000": a program has 1 to 4096 instructions`},
		{"1\n6 0 0", `filter: position 3: "6 0 0": an instruction has four numbers: code, jt, jf and k`},
		{"1\n6 0 0 x", `filter: position 3: "6 0 0 x": "x" is no number of 32 bits`},
		{"1\n6 256 0 0", `filter: position 3: "6 256 0 0": "256" is no number of 8 bits`},
		{"1\n65535 0 0 0", `filter: position 3: "65535 0 0 0": no instruction of classic BPF`},
		{"1\n40 0 0 12", `filter: position 3: "40 0 0 12": the last instruction must return`},
		{"2\n21 1 0 5\n6 0 0 0", `filter: position 3: "21 1 0 5": the jump leads out of the program`},
		{"2\n5 0 0 1\n6 0 0 0", `filter: position 3: "5 0 0 1": the jump leads out of the program`},
		{"2\n5 0 0 4294967295\n6 0 0 0", `filter: position 3: "5 0 0 4294967295": the jump leads out of the program`},
		{"2\n96 0 0 16\n6 0 0 0", `filter: position 3: "96 0 0 16": no instruction of classic BPF`},
		{"2\n2 0 0 16\n6 0 0 0", `filter: position 3: "2 0 0 16": no instruction of classic BPF`},
		{"2\n52 0 0 0\n6 0 0 0", `filter: position 3: "52 0 0 0": division by zero`},
		{"2\n100 0 0 32\n6 0 0 0", `filter: position 3: "100 0 0 32": a shift by more than 31`},
		{"2\n48 0 0 4294963248\n6 0 0 0", `filter: position 3: "48 0 0 4294963248": extensions of the kernel are not supported; compile with "tcpdump -y EN10MB -ddd"`},
	} {
		if _, err := ParseBytecode(tt.text); err == nil || err.Error() != tt.want {
			t.Errorf("%q:\n got %v\nwant %s", tt.text, err, tt.want)
		}
	}
}

// TestInstructions runs every kind of instruction in Match and in the virtual
// machine of x/net.
func TestInstructions(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	data := make([]byte, 64)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	ran := 0
	for range 20000 {
		text := randomProgram(r)
		p, err := ParseBytecode(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		vm, err := bpf.NewVM(must(bpf.Disassemble(p.Raw())))
		if err != nil {
			continue
		}
		ran++
		want, err := vm.Run(data)
		if err != nil {
			continue // it knows no division by an X of zero
		}
		if got := p.Match(data, len(data)); got != (want != 0) {
			t.Fatalf("%q: %v, the virtual machine %d", text, got, want)
		}
	}
	if ran < 10000 {
		t.Errorf("only %d programs ran", ran)
	}
}

func must(in []bpf.Instruction, _ bool) []bpf.Instruction { return in }

// randomProgram makes one that is valid and returns A.
func randomProgram(r *rand.Rand) string {
	ops := []uint16{
		classLoad | modeImmediate, classLoad | modeAbsolute, classLoad | modeAbsolute | sizeHalf, classLoad | modeAbsolute | sizeByte,
		classLoad | modeIndirect, classLoad | modeIndirect | sizeHalf, classLoad | modeIndirect | sizeByte,
		classLoad | modeLength, classLoad | modeMemory, classLoadX | modeImmediate, classLoadX | modeMemory,
		classLoadX | modeHeader | sizeByte, classStore, classStoreX, classMisc, classMisc | miscTXA,
		classALU | aluAdd, classALU | aluSub, classALU | aluMul, classALU | aluDiv, classALU | aluOr, classALU | aluAnd, classALU | aluLsh,
		classALU | aluRsh, classALU | aluNeg, classALU | aluMod, classALU | aluXor,
		classALU | aluAdd | fromX, classALU | aluSub | fromX, classALU | aluMul | fromX, classALU | aluDiv | fromX, classALU | aluOr | fromX,
		classALU | aluAnd | fromX, classALU | aluMod | fromX, classALU | aluXor | fromX,
		classJump | jumpEqual, classJump | jumpGreater, classJump | jumpGreaterEqual, classJump | jumpSet, classJump | jumpAlways,
		classJump | jumpEqual | fromX, classJump | jumpGreater | fromX, classJump | jumpGreaterEqual | fromX, classJump | jumpSet | fromX,
	}
	n := 2 + r.IntN(10)
	s := fmt.Sprint(n + 1)
	for i := range n {
		op, k, left := pick(r, ops), uint32(1+r.IntN(15)), n-i
		var jt, jf int
		if op&7 == classJump {
			jt, jf = r.IntN(left), r.IntN(left)
			if op&0xf0 == jumpAlways {
				jt, jf, k = 0, 0, uint32(r.IntN(left))
			}
		}
		s += fmt.Sprintf("\n%d %d %d %d", op, jt, jf, k)
	}
	return s + fmt.Sprintf("\n%d 0 0 0", classReturn|returnA)
}

func TestAllocations(t *testing.T) {
	p := compile(t, "tcp port 80 and host 10.0.0.1 or udp port 53", capture.LinkEthernet)
	frames := corpus(capture.LinkEthernet, 50)
	if n := testing.AllocsPerRun(20, func() {
		for _, b := range frames {
			p.Match(b, len(b))
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	p, err := Compile("tcp port 80 or 443", capture.LinkEthernet)
	if err != nil {
		b.Fatal(err)
	}
	frames := corpus(capture.LinkEthernet, 1024)
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			f := frames[i&1023]
			p.Match(f, len(f))
		}
	})
	b.Run("x-net", func(b *testing.B) {
		vm := machine(b, p)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			vm.Run(frames[i&1023])
		}
	})
}

// FuzzCompile: no panic, errors with a place in the expression, and programs
// that the virtual machine of x/net takes and runs to the same end.
func FuzzCompile(f *testing.F) {
	for _, e := range expressions {
		f.Add(e, uint8(0))
	}
	f.Add("tcp[13] & 2", uint8(1))
	links := []capture.LinkType{capture.LinkEthernet, capture.LinkSLL, capture.LinkSLL2, capture.LinkRaw, capture.LinkNull, capture.LinkLoop}
	frames := make([][][]byte, len(links))
	for i, l := range links {
		frames[i] = corpus(l, 30)
	}
	f.Fuzz(func(t *testing.T, expr string, n uint8) {
		link := int(n) % len(links)
		p, err := Compile(expr, links[link])
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Pos < 1 || e.Pos > len(expr)+1 || !strings.HasPrefix(expr[e.Pos-1:], e.Token) {
				t.Fatalf("%q: %v", expr, err)
			}
			return
		}
		vm := machine(t, p)
		for _, b := range frames[link] {
			got := p.Match(b, len(b))
			if v, err := vm.Run(b); err != nil || (v != 0) != got {
				t.Fatalf("%q: Match %v, the virtual machine %v, %v", expr, got, v, err)
			}
		}
	})
}

func FuzzBytecode(f *testing.F) {
	f.Add("4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n", []byte("0123456789ab\x08\x00"))
	f.Fuzz(func(t *testing.T, text string, data []byte) {
		if p, err := ParseBytecode(text); err == nil {
			p.Match(data, len(data))
		}
	})
}
