package live

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// errorCase is an error of a connection that is made for real, over IPv4 and
// IPv6, and what a wiretell at either end says of it.
type errorCase struct {
	name string
	// rules are for the router between client and server, a line each, with PORT
	// for the server's port.
	rules string
	// call is what the client does. Nil: its attempt to connect must fail.
	call func(*end)
	// serve is what the server does with the connection. Nil: nobody listens,
	// unless listens says so; then nothing is accepted.
	serve   func(*end)
	listens bool
	full    bool // the listener's backlog is full
	// target is where the client connects to; none is the server.
	target func(*errorPath) [2]netip.Addr
	hops   int // most hops of the client's packets; 0 is the default
	// icmp is "type/code" of the ICMP message by family, ICMP in the lines below.
	// There ROUTER is its address.
	icmp [2]string
	// client and server are all that is told at that end, as [eventLine] has it.
	client, server []string
}

// errorPath is where the cases happen: client, router, server.
type errorPath struct {
	t                      *testing.T
	client, router, server *netnstest.NS
	clients, routers       [2]netip.Addr // by family: IPv4, IPv6
	servers, narrow        [2]netip.Addr // narrow: behind a link with a small MTU
	atEnd                  sync.Mutex
	kept                   []net.Conn
}

// narrowMTU is that of the narrow link: the least that IPv6 allows.
const narrowMTU = 1280

func newErrorPath(t *testing.T) *errorPath {
	needNFT(t)
	p := &errorPath{t: t, client: netnstest.New(t), server: netnstest.New(t)}
	router, left, right := routed(t, p.client, p.server)
	small := netnstest.ConnectAs(t, router, p.server, "eth2", 2)
	p.router = router
	p.clients, p.routers = [2]netip.Addr{left.A, left.A6}, [2]netip.Addr{left.B, left.B6}
	p.servers, p.narrow = [2]netip.Addr{right.B, right.B6}, [2]netip.Addr{small.B, small.B6}
	// The server's end has the usual MTU, so that it announces the usual segments.
	if err := router.Links.LinkSetMTU(router.Link(t, small.Name), narrowMTU); err != nil {
		t.Fatal(err)
	}
	for ns, sysctls := range map[*netnstest.NS]map[string]string{
		router:   {"net/ipv4/icmp_ratemask": "0", "net/ipv6/icmp/ratelimit": "0"}, // an answer to each
		p.server: {"net/ipv4/tcp_synack_retries": "1"},
		p.client: {"net/ipv4/tcp_syn_linear_timeouts": "0"},
	} {
		for name, value := range sysctls {
			ns.Must(t, func() error {
				err := writeSysctl(name, value)
				if errors.Is(err, os.ErrNotExist) { // an older kernel does as is wanted
					return nil
				}
				return err
			})
		}
	}
	return p
}

// end is one end of a case's connection.
type end struct {
	*net.TCPConn
	p    *errorPath
	name string // of the case
	at   netip.AddrPort
	v6   bool
	sync chan struct{} // between the two ends
}

func (e *end) check(err error) {
	if err != nil {
		e.p.t.Errorf("%s at %s: %v", e.name, e.at, err)
	}
}

func (e *end) say(text string) {
	_, err := e.Write([]byte(text))
	e.check(err)
}

// hear reads a message that the other end says.
func (e *end) hear(text string) {
	got := make([]byte, len(text))
	for n := 0; n < len(got); {
		m, err := e.Read(got[n:])
		if n += m; err != nil {
			e.check(fmt.Errorf("after %d of %d bytes: %w", n, len(got), err))
			return
		}
	}
	if string(got) != text {
		e.check(fmt.Errorf("heard %.60q", got))
	}
}

// ended waits until the connection ends, in whatever way.
func (e *end) ended() {
	for b := make([]byte, 1<<16); ; {
		if _, err := e.Read(b); err != nil {
			return
		}
	}
}

// reset ends the connection by a RST.
func (e *end) reset() {
	e.check(e.SetLinger(0))
	e.check(e.Close())
}

// keep leaves the connection open until all is over.
func (e *end) keep() {
	e.p.atEnd.Lock()
	defer e.p.atEnd.Unlock()
	e.p.kept = append(e.p.kept, e.TCPConn)
	e.TCPConn = nil
}

func (e *end) get() string { return "GET /" + e.name + " HTTP/1.1\r\nHost: shop\r\n\r\n" }

// post is a request with a body of n bytes.
func (e *end) post(n int) string {
	return "POST /" + e.name + " HTTP/1.1\r\nHost: shop\r\nContent-Length: " + itoa(n) + "\r\n\r\n" + strings.Repeat("b", n)
}

const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// dial connects to the case's server.
func (p *errorPath) dial(c *errorCase, at netip.AddrPort) (conn *net.TCPConn, err error) {
	d := net.Dialer{Timeout: 20 * time.Second, KeepAlive: -1, Control: c.socketOptions}
	err = p.client.Do(func() error {
		got, err := d.Dial("tcp", at.String())
		if err == nil {
			conn = got.(*net.TCPConn)
		}
		return err
	})
	return conn, err
}

// play makes the case happen in one family.
func (p *errorPath) play(c *errorCase, family, port int) {
	addr := p.servers[family]
	if c.target != nil {
		addr = c.target(p)[family]
	}
	at := netip.AddrPortFrom(addr, uint16(port))
	this := end{p: p, name: c.name, at: at, v6: family == 1, sync: make(chan struct{}, 1)}
	var both sync.WaitGroup
	defer both.Wait()
	if c.serve != nil || c.listens {
		l := p.listen(at)
		p.t.Cleanup(func() { l.Close() })
		if c.full {
			p.fill(c, l, at)
		}
		if c.serve != nil {
			both.Go(func() {
				conn, err := l.Accept()
				if err != nil {
					this.check(err)
					return
				}
				server := this
				server.run(conn.(*net.TCPConn), c.serve)
			})
		}
	}
	conn, err := p.dial(c, at)
	switch {
	case c.call == nil && err == nil:
		this.check(fmt.Errorf("connected"))
		conn.Close()
	case c.call == nil:
	case err != nil:
		this.check(err)
	default:
		client := this
		client.run(conn, c.call)
	}
}

func (e *end) run(conn *net.TCPConn, do func(*end)) {
	e.TCPConn = conn
	_ = conn.SetDeadline(time.Now().Add(errorsWithin))
	do(e)
	if e.TCPConn != nil {
		_ = e.TCPConn.Close()
	}
}

func (p *errorPath) listen(at netip.AddrPort) (l *net.TCPListener) {
	p.server.Must(p.t, func() error {
		got, err := (&net.ListenConfig{KeepAlive: -1}).Listen(p.t.Context(), "tcp", at.String())
		if err == nil {
			l = got.(*net.TCPListener)
		}
		return err
	})
	return l
}

// errorsWithin is how long at most it takes until all is told: above the
// handshake timeout (40 s) and a few attempts to connect.
const errorsWithin = 75 * time.Second

// TestConnectionErrors makes the errors of errorCases, all at once, and wants
// exactly the events of each at either end, tied to the exchange that was hit,
// and no other.
func TestConnectionErrors(t *testing.T) {
	t.Parallel() // it waits most of the time
	p := newErrorPath(t)
	var rules strings.Builder
	for i := range errorCases {
		for line := range strings.Lines(errorCases[i].rules) {
			for _, family := range []string{"ipv4", "ipv6"} {
				rules.WriteString("meta nfproto " + family + " " + strings.ReplaceAll(line, "PORT", itoa(errorPort(i))) + "\n")
			}
		}
	}
	loadNFT(t, p.router, "table inet errors {\n chain forward {\n type filter hook forward priority 0\n"+rules.String()+"}\n}\n")

	sides := []*errorSide{{name: "client", ns: p.client}, {name: "server", ns: p.server}}
	for _, s := range sides {
		s.file = filepath.Join(t.TempDir(), s.name+".jsonl")
		s.w = start(t, s.ns, nil, "run", "--otlp-json", s.file, "--idle-timeout", "20s", "--ring-mib", "32")
		for i := range errorCases {
			for family := range families {
				s.want = append(s.want, errorCases[i].lines(p, s.name, family)...)
			}
		}
		slices.Sort(s.want)
	}
	var all sync.WaitGroup
	for i := range errorCases {
		for family := range families {
			all.Go(func() { p.play(&errorCases[i], family, errorPort(i)) })
		}
	}
	for deadline := time.Now().Add(errorsWithin); time.Now().Before(deadline) && !(sides[0].toldAll(t) && sides[1].toldAll(t)); {
		time.Sleep(time.Second)
	}
	all.Wait()
	time.Sleep(time.Second) // what else might be claimed
	for _, s := range sides {
		s.w.stop()
	}
	for _, c := range p.kept {
		c.Close()
	}
	for _, s := range sides {
		out := readJSON(t, s.file)
		checkBooks(t, out)
		if missing, extra := difference(s.want, eventLines(out)); len(missing)+len(extra) > 0 {
			t.Errorf("at the %s\nnot told:\n%s\ntold too much:\n%s", s.name, strings.Join(missing, "\n"), strings.Join(extra, "\n"))
		}
		// The forged ones.
		for kind, want := range map[string]int64{"icmp": 2, "reset": 4} {
			if n := out.sum("wiretell.tcp.ignored", "wiretell.tcp.ignored.kind", kind); n != want {
				t.Errorf("at the %s %d of kind %s were ignored, want %d", s.name, n, kind, want)
			}
		}
	}
}

// errorSide is a wiretell at one end.
type errorSide struct {
	name, file string
	ns         *netnstest.NS
	w          *process
	want       []string
}

// toldAll reports whether all that is wanted has been written so far.
func (s *errorSide) toldAll(t *testing.T) bool {
	text, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	out := parseJSON(t, text[:bytes.LastIndexByte(text, '\n')+1])
	missing, _ := difference(s.want, eventLines(out))
	return len(missing) == 0
}

// difference returns what is in want and not in got, and the reverse.
func difference(want, got []string) (missing, extra []string) {
	extra = slices.Clone(got)
	for _, w := range want {
		if i := slices.Index(extra, w); i >= 0 {
			extra = slices.Delete(extra, i, i+1)
		} else {
			missing = append(missing, w)
		}
	}
	return missing, extra
}

func errorPort(i int) int { return 9001 + i }

var families = [2]string{"ipv4", "ipv6"}

// lines are what an end must tell of the case in one family.
func (c *errorCase) lines(p *errorPath, at string, family int) (lines []string) {
	told := c.client
	if at == "server" {
		told = c.server
	}
	for _, l := range told {
		l = strings.NewReplacer("ICMP", c.icmp[family], "ROUTER", p.routers[family].String(), "CLIENT", p.clients[family].String()).Replace(l)
		lines = append(lines, fmt.Sprintf("%s %s %s", c.name, families[family], l))
	}
	return lines
}

// eventLines has a line for each event about an error, sorted.
func eventLines(out *output) (lines []string) {
	paths := map[string]string{}
	for _, s := range out.spans {
		path := attr(s, "url.path")
		if path == "" { // a CLIENT span has the URL instead
			if _, path, _ = strings.Cut(attr(s, "url.full"), "://"); strings.Contains(path, "/") {
				path = path[strings.Index(path, "/"):]
			}
		}
		paths[s.TraceID().String()+s.SpanID().String()] = attr(s, "http.request.method") + path
	}
	for _, l := range out.logs {
		switch name, _, _ := strings.Cut(strings.TrimPrefix(l.EventName(), "wiretell."), "."); name {
		case "tcp", "icmp", "http", "dns", "tls":
			lines = append(lines, eventLine(l, paths))
		}
	}
	slices.Sort(lines)
	// Where the first error comes while connect(2) is at work, Linux sends its SYN
	// once more, and a second error comes.
	return slices.CompactFunc(lines, func(a, b string) bool { return a == b && strings.Contains(a, " icmp.error error=") })
}

// eventLine is what the test looks at of an event: the case by its port, the
// family, the name, what is stated, and the request that it is tied to.
func eventLine(l plog.LogRecord, paths map[string]string) string {
	port := text(l, "wiretell.icmp.quoted.destination.port")
	if port == "" {
		port = text(l, "server.port")
	}
	name := "port " + port
	if n, _ := strconv.Atoi(port); n >= errorPort(0) && n < errorPort(len(errorCases)) {
		name = errorCases[n-errorPort(0)].name
	}
	line := []string{name, text(l, "network.type"), strings.TrimPrefix(l.EventName(), "wiretell.")}
	for _, a := range []struct{ key, as string }{
		{"wiretell.tcp.side", ""}, {"wiretell.tcp.phase", "phase"}, {"network.connection.state", ""}, {"error.type", "error"},
		{"wiretell.cause", "cause"}, {"network.io.direction", ""}, {"wiretell.icmp.from", "from"}, {"wiretell.icmp.next_hop_mtu", "mtu"},
	} {
		if v := text(l, a.key); v != "" && a.as != "" {
			line = append(line, a.as+"="+v)
		} else if v != "" {
			line = append(line, v)
		}
	}
	if v := text(l, "wiretell.tcp.attempts"); v != "" {
		if l.EventName() == "wiretell.tcp.stalled" && atoi(v) > 2 { // how often is the kernel's affair
			v = "some"
		}
		line = append(line, "attempts="+v)
	}
	if v := text(l, "wiretell.icmp.type"); v != "" {
		line = append(line, "icmp="+v+"/"+text(l, "wiretell.icmp.code"))
	}
	if v := text(l, "wiretell.http.body.announced"); v != "" {
		line = append(line, "body="+text(l, "wiretell.http.body.received")+"/"+v)
	}
	if !l.TraceID().IsEmpty() || !l.SpanID().IsEmpty() {
		path, ok := paths[l.TraceID().String()+l.SpanID().String()]
		if !ok {
			path = "no span"
		}
		line = append(line, "in="+path)
	}
	if role := text(l, "wiretell.connection.role"); role != "" {
		line = append(line, role)
	}
	return strings.Join(line, " ")
}
