package live

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wiretell/wiretell/capture/capturetest/netnstest"
)

// How long TestFaults runs (at least each fault once; CI asks for ten minutes),
// and which sequence: an hour by hand is
//
//	WIRETELL_FAULTS=1h go test -run TestFaults -timeout 2h -v ./integration/live
const (
	envFaults     = "WIRETELL_FAULTS"
	envFaultsSeed = "WIRETELL_FAULTS_SEED"
)

// faultWindow is the diagnosis window of TestFaults.
const faultWindow = 2 * time.Second

// place is a pod with wiretell in it, and the rest of the world.
type place struct {
	t          *testing.T
	app, world *netnstest.NS
	inside     netip.Addr // the pod's address
	outside    netip.Addr // the world's
	sink       *sink
	w          *process
	tables     atomic.Int32
}

// fault is something that goes wrong on purpose.
type fault struct {
	name string
	port int      // that the finding must name, 0 for none
	want string   // the leaf it must raise
	also []string // leaves that may well follow from it, on that port
	slow time.Duration
	// begin makes it go wrong; what it returns mends it. again is called ten times
	// a second until the leaf is raised.
	begin func(p *place) (mend func())
	again func(p *place)
}

// dial connects from ns and closes again; that it fails may be the point.
func (p *place) dial(ns *netnstest.NS, addr netip.Addr, port int) {
	_ = ns.Do(func() error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(addr.String(), strconv.Itoa(port)), 500*time.Millisecond)
		if err == nil {
			_ = c.Close()
		}
		return err
	})
}

// say connects from ns, says something, and reads until the end or for a while.
func (p *place) say(ns *netnstest.NS, addr netip.Addr, port int, what string) {
	_ = ns.Do(func() error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(addr.String(), strconv.Itoa(port)), 500*time.Millisecond)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := io.WriteString(c, what); err != nil {
			return err
		}
		_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		_, _ = io.Copy(io.Discard, c)
		return nil
	})
}

// listen serves each connection with serve until the returned function is called.
func (p *place) listen(ns *netnstest.NS, at netip.Addr, port int, serve func(net.Conn)) (stop func()) {
	p.t.Helper()
	var l net.Listener
	ns.Must(p.t, func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(at.String(), strconv.Itoa(port)))
		return err
	})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(2 * time.Second))
				serve(c)
			})
		}
	})
	return func() {
		_ = l.Close()
		all.Wait()
	}
}

// nft loads rules into ns and returns what removes them again.
func (p *place) nft(ns *netnstest.NS, rule string) (remove func()) {
	p.t.Helper()
	table := "inet fault" + itoa(int(p.tables.Add(1)))
	loadNFT(p.t, ns, "table "+table+" {\n chain in {\n type filter hook input priority 0\n"+rule+"\n }\n}\n")
	return func() { loadNFT(p.t, ns, "delete table "+table+"\n") }
}

// serveTLS answers a TLS handshake and one request.
func serveTLS(t *testing.T) func(net.Conn) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"pay.example"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return func(c net.Conn) {
		s := tls.Server(c, config)
		_, _ = s.Read(make([]byte, 100))
		_, _ = io.WriteString(s, "HTTP/1.1 204 No Content\r\n\r\n")
		_ = s.Close()
	}
}

// sayTLS makes a handshake and a request.
func sayTLS(ns *netnstest.NS, addr netip.Addr, port int) {
	_ = ns.Do(func() error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(addr.String(), strconv.Itoa(port)), time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Second))
		s := tls.Client(c, &tls.Config{ServerName: "pay.example", InsecureSkipVerify: true})
		if _, err := io.WriteString(s, "GET / HTTP/1.1\r\nHost: pay.example\r\n\r\n"); err != nil {
			return err
		}
		_, _ = s.Read(make([]byte, 100))
		return s.Close()
	})
}

// deaf listens without ever accepting, with room for one.
func (p *place) deaf(port int) (stop func()) {
	p.t.Helper()
	fd := -1
	p.app.Must(p.t, func() (err error) {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: p.inside.As4()}); err != nil {
			return err
		}
		return unix.Listen(fd, 0)
	})
	return func() { _ = unix.Close(fd) }
}

const (
	aRequest = "GET /x HTTP/1.1\r\nHost: shop.example\r\n\r\n"
	preface  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
)

// readSome reads what there is at first.
func readSome(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }

// faults are the faults that TestFaults makes. Each has a port of its own, so that
// several can go on at once.
func faults(t *testing.T) []fault {
	withTLS := serveTLS(t)
	return []fault{
		{
			name: "a firewall drops connects", port: 9101, want: "NET-SYN-01", slow: 45 * time.Second, // the client may still try again
			begin: func(p *place) func() { return p.nft(p.world, "tcp dport 9101 drop") },
			again: func(p *place) { go p.dial(p.app, p.outside, 9101) },
		}, {
			name: "nobody listens at the peer", port: 9102, want: "NET-SYN-02",
			again: func(p *place) { p.dial(p.app, p.outside, 9102) },
		}, {
			name: "a firewall rejects connects", port: 9103, want: "NET-SYN-03", also: []string{"NET-SYN-01"}, // its errors are rate-limited
			begin: func(p *place) func() {
				return p.nft(p.world, "tcp dport 9103 reject with icmpx type admin-prohibited")
			},
			again: func(p *place) { p.dial(p.app, p.outside, 9103) },
		}, {
			name: "clients call a port on which nobody listens", port: 9104, want: "NET-SYN-04",
			again: func(p *place) { p.dial(p.world, p.inside, 9104) },
		}, {
			name: "the application listens on localhost", port: 9105, want: "NET-SYN-05",
			begin: func(p *place) func() {
				return p.listen(p.app, netip.MustParseAddr("127.0.0.1"), 9105, readSome)
			},
			again: func(p *place) { p.dial(p.world, p.inside, 9105) },
		}, {
			name: "the application accepts nobody", want: "NET-SYN-06", also: []string{"NET-SYN-01"},
			begin: func(p *place) func() { return p.deaf(9106) },
			again: func(p *place) { go p.dial(p.world, p.inside, 9106) },
		}, {
			name: "names do not resolve", want: "NET-DNS-01", slow: 6 * time.Second, // another candidate may still succeed
			again: func(p *place) { lookUp(p.t, p.app, p.outside, uint16(mathrand.Uint32()), "nx.example.") },
		}, {
			name: "the collector goes away", want: "EXP-01", slow: 10 * time.Second, // a pause for a restart is none
			begin: func(p *place) func() {
				p.sink.close()
				return p.sink.open
			},
		}, {
			name: "a server that never answers", port: 9109, want: "DIR-02",
			begin: func(p *place) func() {
				return p.listen(p.world, p.outside, 9109, readSome)
			},
			again: func(p *place) { p.say(p.app, p.outside, 9109, aRequest) },
		}, {
			name: "responses cut in the middle", port: 9110, want: "DIR-06",
			begin: func(p *place) func() {
				return p.listen(p.world, p.outside, 9110, func(c net.Conn) {
					readSome(c)
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
				})
			},
			again: func(p *place) { p.say(p.app, p.outside, 9110, aRequest) },
		}, {
			name: "a port of the pod is encrypted", port: 9111, want: "TLS-01",
			begin: func(p *place) func() { return p.listen(p.app, p.inside, 9111, withTLS) },
			again: func(p *place) { sayTLS(p.world, p.inside, 9111) },
		}, {
			name: "calls out are encrypted", port: 9112, want: "TLS-02",
			begin: func(p *place) func() { return p.listen(p.world, p.outside, 9112, withTLS) },
			again: func(p *place) { sayTLS(p.app, p.outside, 9112) },
		}, {
			name: "HTTP/2 in clear text", port: 9113, want: "H2-01",
			begin: func(p *place) func() { return p.listen(p.app, p.inside, 9113, readSome) },
			again: func(p *place) { p.say(p.world, p.inside, 9113, preface) },
		}, {
			name: "an unknown protocol", port: 9114, want: "PROTO-03",
			begin: func(p *place) func() { return p.listen(p.app, p.inside, 9114, readSome) },
			again: func(p *place) { p.say(p.world, p.inside, 9114, "\x01\x02\x03\x04 something of our own\x00") },
		}, {
			name: "HTTP that breaks the rules", port: 9115, want: "DIR-03", also: []string{"HTTP-01"},
			begin: func(p *place) func() {
				return p.listen(p.world, p.outside, 9115, func(c net.Conn) {
					readSome(c)
					_, _ = io.WriteString(c, "HTTP/1.1 abc Nonsense\r\n\r\n")
				})
			},
			again: func(p *place) { p.say(p.app, p.outside, 9115, aRequest) },
		},
	}
}

// sink is a collector of the simplest kind: it takes everything.
type sink struct {
	t    *testing.T
	ns   *netnstest.NS
	addr string
	s    *http.Server
}

func newSink(t *testing.T, ns *netnstest.NS) *sink {
	s := &sink{t: t, ns: ns, addr: "127.0.0.1:0"}
	s.open()
	t.Cleanup(s.close)
	return s
}

func (s *sink) open() {
	var l net.Listener
	s.ns.Must(s.t, func() (err error) {
		l, err = net.Listen("tcp", s.addr)
		return err
	})
	s.addr = l.Addr().String()
	s.s = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-protobuf")
	})}
	go func() {
		if err := s.s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.t.Errorf("the sink: %v", err)
		}
	}()
}

func (s *sink) close() { _ = s.s.Close() }

// finding is a line that tells of a finding.
type finding struct{ id, state, body string }

var findingLine = regexp.MustCompile(`(?m)^\[(?:info|warning|error|critical)\] ([A-Z0-9]+(?:-[A-Z0-9]+)+)( changed| cleared)?: (.*)`)

// concluded is a line of the conclusion.
var concluded = regexp.MustCompile(`(?m)^  (?:info|warning|error|critical) ([A-Z0-9]+(?:-[A-Z0-9]+)+): (.*)`)

// findings returns what wiretell said so far.
func (p *place) findings() []finding {
	var all []finding
	for _, m := range findingLine.FindAllStringSubmatch(p.w.said(), -1) {
		state := strings.TrimSpace(m[2])
		if state == "" {
			state = "raised"
		}
		all = append(all, finding{m[1], state, m[3]})
	}
	return all
}

// about reports whether the sentence of a finding names the port; any will do
// for 0.
func about(body string, port int) bool {
	return port == 0 || strings.Contains(strings.ToLower(body)+" ", "port "+itoa(port)+" ")
}

// holds reports whether the last word of a leaf about a port is that it holds.
func (p *place) holds(id string, port int) bool {
	held := false
	for _, f := range p.findings() {
		if f.id == id && about(f.body, port) {
			held = f.state != "cleared"
		}
	}
	return held
}

// caused reports whether one of the faults may bring a finding about.
func caused(faults []fault, id, body string) bool {
	return slices.Contains([]string{"OK-00", "SELF-01", "SELF-02"}, id) || slices.ContainsFunc(faults, func(f fault) bool {
		return (f.want == id || slices.Contains(f.also, id)) && about(body, f.port)
	})
}

// TestFaults lets healthy traffic flow and makes one fault after the other, in an
// order that the seed decides: each must be found within two windows, and be let
// go when it is mended, and nothing else may be found.
func TestFaults(t *testing.T) {
	t.Parallel()               // it waits most of the time
	length := time.Duration(0) // each once
	if s := os.Getenv(envFaults); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().Unix())
	if s := os.Getenv(envFaultsSeed); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d", envFaultsSeed, seed)
	random := mathrand.New(mathrand.NewPCG(seed, 0))

	p := &place{t: t, app: netnstest.New(t), world: netnstest.New(t)}
	link := netnstest.Connect(t, p.world, p.app)
	p.outside, p.inside = link.A, link.B
	resolver(t, p.world, p.outside)
	p.sink = newSink(t, p.app)
	served, called := serve(t, p.app, p.world, p.inside), serve(t, p.world, p.app, p.outside)
	p.w = start(t, p.app, []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + p.sink.addr, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_SERVICE_NAME=shop", "OTEL_METRIC_EXPORT_INTERVAL=1000",
	}, "run", "--diagnosis-window", faultWindow.String(), "--ring-mib", "32") // for a machine that has other things to do

	stop := make(chan struct{})
	var healthy sync.WaitGroup
	healthy.Go(func() {
		for id := 0; ; id += 20 {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			served.exchanges(id, 10, 2, id%40 == 0)
			called.exchanges(id+10, 10, 2, id%40 == 0)
			lookUp(t, p.app, p.outside, uint16(id), "good.example.")
		}
	})
	for range 200 { // until the healthy traffic has said what it says
		if p.holds("OK-00", 0) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	var made []fault
	var pending []func()
	begun := time.Now()
	for round := 0; round == 0 || time.Since(begun) < length; round++ {
		all := faults(t)
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, f := range all {
			p.awaitCleared(f) // of the round before
			end := p.inject(f)
			if f.slow > 0 { // others go on meanwhile
				pending = append(pending, end)
			} else {
				end()
			}
			if round == 0 {
				made = append(made, f)
			}
		}
		for _, end := range pending {
			end()
		}
		pending = nil
	}
	for _, f := range made {
		p.awaitCleared(f)
	}
	close(stop)
	healthy.Wait()
	p.w.stop()
	for _, f := range p.findings() {
		if !caused(made, f.id, f.body) {
			t.Errorf("%s was %s, and nothing caused it: %s", f.id, f.state, f.body)
		}
	}
	for _, m := range concluded.FindAllStringSubmatch(p.w.said(), -1) {
		if !caused(made, m[1], m[2]) {
			t.Errorf("%s holds over the whole run, and nothing caused it: %s", m[1], m[2])
		}
	}
	if t.Failed() {
		t.Logf("wiretell said:\n%s", p.w.said())
	}
}

// inject makes a fault, and mends it once it is found. The function that it
// returns waits for that.
func (p *place) inject(f fault) (end func()) {
	p.t.Helper()
	mend := func() {}
	if f.begin != nil {
		mend = f.begin(p)
	}
	begun := time.Now()
	// The window at hand ends, and the next one is whole; the rest is for a machine
	// that has other things to do.
	limit := 2*faultWindow + 5*time.Second + f.slow
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer mend()
		for !p.holds(f.want, f.port) {
			if time.Since(begun) > limit {
				p.t.Errorf("%s: %s is not raised within %v", f.name, f.want, limit)
				return
			}
			if f.again != nil {
				f.again(p)
			}
			time.Sleep(100 * time.Millisecond)
		}
		p.t.Logf("%s: %s after %v", f.name, f.want, time.Since(begun).Round(100*time.Millisecond))
	}()
	return func() { <-done }
}

// awaitCleared waits until what a fault raised does not hold any more.
func (p *place) awaitCleared(f fault) {
	p.t.Helper()
	limit := time.Minute + f.slow
	for begun := time.Now(); p.holds(f.want, f.port); time.Sleep(100 * time.Millisecond) {
		if time.Since(begun) > limit {
			p.t.Errorf("%s: %s is not cleared within %v of its mending", f.name, f.want, limit)
			return
		}
	}
}
