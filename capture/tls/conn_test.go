package tls

import (
	stdtls "crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

type config = stdtls.Config

// conversations are pairs of configurations and what must be heard beyond the
// two hellos, which are compared with what crypto/tls itself says.
var conversations = []struct {
	name           string
	client, server *config
	more           []string
	noServerHello  bool
}{
	{name: "1.3", client: &config{ServerName: "example.com"}},
	{name: "1.2 at most", client: &config{ServerName: "a.example", MaxVersion: stdtls.VersionTLS12}},
	{name: "1.2 server", client: &config{ServerName: "example.com"}, server: &config{MaxVersion: stdtls.VersionTLS12}},
	{name: "1.0 both", client: &config{ServerName: "old.example", MinVersion: stdtls.VersionTLS10, MaxVersion: stdtls.VersionTLS10},
		server: &config{MinVersion: stdtls.VersionTLS10}},
	{name: "1.1 server", client: &config{ServerName: "old.example", MinVersion: stdtls.VersionTLS10},
		server: &config{MinVersion: stdtls.VersionTLS10, MaxVersion: stdtls.VersionTLS11}},
	{name: "no name", client: &config{}},
	{name: "address as name", client: &config{ServerName: "192.0.2.7"}},
	{name: "alpn h2", client: &config{ServerName: "example.com", NextProtos: []string{"h2", "http/1.1"}},
		server: &config{NextProtos: []string{"h2"}}},
	{name: "alpn 1.2, visible", client: &config{ServerName: "example.com", NextProtos: []string{"h2", "http/1.1"}},
		server: &config{NextProtos: []string{"http/1.1"}, MaxVersion: stdtls.VersionTLS12}},
	{name: "long name", client: &config{ServerName: strings.Repeat("a123456789.", 22) + "example"}},
	{name: "many protocols", client: &config{ServerName: "example.com", NextProtos: manyProtocols(20)}},
	{name: "hello over two records", client: &config{ServerName: "example.com", NextProtos: manyProtocols(2000)}},
	{name: "retry", client: &config{ServerName: "example.com", CurvePreferences: []stdtls.CurveID{stdtls.X25519, stdtls.CurveP521}},
		server: &config{CurvePreferences: []stdtls.CurveID{stdtls.CurveP521}}},
	{name: "no common version", client: &config{ServerName: "example.com", MinVersion: stdtls.VersionTLS13},
		server: &config{MaxVersion: stdtls.VersionTLS12}, more: []string{"server alert 2 70"}, noServerHello: true},
	{name: "no common protocol", client: &config{ServerName: "example.com", NextProtos: []string{"h2"}},
		server: &config{NextProtos: []string{"istio"}}, more: []string{"server alert 2 120"}, noServerHello: true},
	{name: "bad certificate, 1.2", client: &config{ServerName: "other.example", MaxVersion: stdtls.VersionTLS12, RootCAs: nil, InsecureSkipVerify: false},
		more: []string{"client alert 2 42"}},
	{name: "bad certificate, 1.3", client: &config{ServerName: "other.example"}}, // that alert is encrypted
}

func manyProtocols(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("proto/%d", i))
	}
	return out
}

func TestAgainstCryptoTLS(t *testing.T) {
	for _, tt := range conversations {
		t.Run(tt.name, func(t *testing.T) {
			client, server := tt.client.Clone(), &config{}
			if tt.server != nil {
				server = tt.server.Clone()
			}
			client.InsecureSkipVerify = !strings.HasPrefix(tt.name, "bad certificate")
			server.Certificates = []stdtls.Certificate{certificate()}
			k := converse(t, client, server)
			want := expected(k, tt.noServerHello, tt.more)
			for _, cut := range []int{0, 1, 2, 3, 5, 7, 64, 536, 1460} {
				l := hear(t, k.chunks, cut)
				if got := l.lines(); !slices.Equal(got, want) {
					t.Errorf("cut %d:\n got %q\nwant %q\nclient %v, server %v", cut, got, want, k.clientErr, k.svErr)
				}
				if l.port.ClientHellos != 1 || (l.port.ServerHellos == 1) == tt.noServerHello {
					t.Errorf("cut %d: counted %d and %d hellos", cut, l.port.ClientHellos, l.port.ServerHellos)
				}
			}
			// The whole stream of a side in one piece, as after a long gap in reading.
			var glued [2][]byte
			for _, c := range k.chunks {
				glued[c.from] = append(glued[c.from], c.b...)
			}
			l := hear(t, []chunk{{capture.Client, glued[0]}, {capture.Server, glued[1]}}, 0)
			got := l.lines()
			slices.Sort(got)
			sorted := slices.Sorted(slices.Values(want))
			if !slices.Equal(got, sorted) {
				t.Errorf("glued:\n got %q\nwant %q", got, sorted)
			}
		})
	}
}

// expected says what must be heard of k.
func expected(k *talk, noServerHello bool, more []string) []string {
	var alpn []string
	n := -1
	for _, p := range k.hello.SupportedProtos {
		if n+1+len(p) <= maxALPN {
			n += 1 + len(p)
			alpn = append(alpn, p)
		}
	}
	if size := 2 * len(k.hello.SupportedProtos); size > maxExtension {
		alpn = nil // larger than what is kept: not read
	}
	sni := k.hello.ServerName
	out := []string{fmt.Sprintf("client hello %04x sni=%s alpn=%s", slices.Max(k.hello.SupportedVersions), sni, strings.Join(alpn, ","))}
	if !noServerHello {
		state := k.server
		if state.Version == 0 {
			state = k.client
		}
		version, chosen := state.Version, ""
		switch {
		case version == 0: // the handshake failed after the hellos
			version = min(slices.Max(k.hello.SupportedVersions), stdtls.VersionTLS13)
		case version < stdtls.VersionTLS13: // RFC 8446 encrypts it
			chosen = state.NegotiatedProtocol
		}
		s := fmt.Sprintf("server hello %04x sni= alpn=%s", version, chosen)
		if k.client.HelloRetryRequest {
			s += " retry"
		}
		out = append(out, s)
	}
	return append(out, more...)
}

func TestMidway(t *testing.T) {
	client := &config{ServerName: "example.com", InsecureSkipVerify: true}
	server := &config{Certificates: []stdtls.Certificate{certificate()}}
	k := converse(t, client, server)
	var app []chunk // from the client's own data on: one record each
	for i, c := range k.chunks {
		if i > 0 && len(c.b) > recordHeader && c.b[0] == typeApplicationData && len(c.b) == recordHeader+100+17 {
			app = append(app, c)
		}
	}
	if len(app) < 4 {
		t.Fatalf("only %d chunks of data", len(app))
	}
	var fromClient []chunk
	for _, c := range app {
		if c.from == capture.Client {
			fromClient = append(fromClient, c)
		}
	}
	for _, cut := range []int{0, 1, 4, 50} {
		l := hear(t, fromClient[:3], cut)
		if got := l.lines(); !slices.Equal(got, []string{"client midstream"}) {
			t.Errorf("cut %d: three records: %q", cut, got)
		}
		if l := hear(t, fromClient[:2], cut); len(l.lines()) != 0 {
			t.Errorf("cut %d: two records were believed: %q", cut, l.lines())
		}
	}
	// Once for both sides.
	both := append(slices.Clone(fromClient), app...)
	if got := hear(t, both, 0).lines(); !slices.Equal(got, []string{"client midstream"}) {
		t.Errorf("both sides: %q", got)
	}
	// By OpenMidway: the chain was seen before.
	l := newListener()
	l.h = l.pool.OpenMidway(&l.conn, &l.port)
	l.data(capture.Server, []byte("within a record"))
	l.data(capture.Client, fromClient[0].b)
	l.end()
	l.check(t)
	if got := l.lines(); !slices.Equal(got, []string{"server midstream"}) {
		t.Errorf("OpenMidway: %q", got)
	}
}

func TestScripts(t *testing.T) {
	hello := clientHello("example.com")
	alert := "\x15\x03\x01\x00\x02\x02\x28"
	answer := "\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + strings.Repeat("r", 32) + "\x00\xc0\x2f\x00"
	data := "\x17\x03\x03\x00\x04abcd"
	retry := "\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + retryRandom + "\x00\x13\x01\x00"
	v2 := "\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + strings.Repeat("s", 21+16)
	for _, tt := range []struct {
		name   string
		script []string // "c" or "s", then bytes; "cgap", "sgap"
		want   []string
	}{
		{"alert to plain text", []string{"s" + alert}, []string{"server alert 2 40"}},
		// RFC 6066, section 3: the server "SHOULD [...] either abort the handshake by sending a
		// fatal-level unrecognized_name(112) alert or continue the handshake".
		{"warning, then hello", []string{"c" + hello, "s\x15\x03\x03\x00\x02\x01\x70" + answer},
			[]string{"client hello 0303 sni=example.com alpn=", "server alert 1 112", "server hello 0303 sni= alpn="}},
		{"warning midway", []string{"s\x15\x03\x03\x00\x02\x01\x70" + data + data + data}, []string{"server alert 1 112", "server midstream"}},
		{"a fifth alert is not told", []string{"s" + strings.Repeat(alert, 9)}, slices.Repeat([]string{"server alert 2 40"}, 4)},
		{"an alert with a level that does not exist", []string{"s\x15\x03\x01\x00\x02\x07\x28"}, nil},
		{"server answers in plain text", []string{"c" + hello, "sHTTP/1.1 400 Bad Request\r\n\r\n"},
			[]string{"client hello 0303 sni=example.com alpn=", "server error switched_protocol"}},
		{"client leaves TLS", []string{"c" + hello, "cGET / HTTP/1.1\r\n"},
			[]string{"client hello 0303 sni=example.com alpn=", "client error switched_protocol"}},
		{"gap within the hello", []string{"c" + hello[:40], "cgap", "c" + hello[60:], "c" + hello}, nil},
		{"gap on the other side", []string{"sgap", "c" + hello}, []string{"client hello 0303 sni=example.com alpn="}},
		{"hello twice is told once", []string{"c" + hello + hello}, []string{"client hello 0303 sni=example.com alpn="}},
		{"alert after the hello", []string{"c" + hello + alert}, []string{"client hello 0303 sni=example.com alpn=", "client alert 2 40"}},
		{"encrypted alert", []string{"c" + hello, "c\x14\x03\x03\x00\x01\x01\x15\x03\x03\x00\x1a" + strings.Repeat("x", 26)},
			[]string{"client hello 0303 sni=example.com alpn="}},
		{"bytes like an alert in encrypted data", []string{"c" + hello + data + alert}, []string{"client hello 0303 sni=example.com alpn="}},
		{"alert within the hello", []string{"c" + hello[:20] + alert}, []string{}},
		{"another record within the hello", []string{"c" + split(hello, 30)[:35+5] + data}, []string{"client error bad_hello"}},
		{"version 2", []string{"c" + v2, "c\x14\x03\x01\x00\x01\x01" + alert}, []string{"client hello 0301 sni= alpn=", "client alert 2 40"}},
		{"version 2 and its answer", []string{"c" + v2[:3] + "\x00\x02" + v2[5:], "s\x80\x20\x04" + strings.Repeat("z", 60), "cabcdefgh"},
			[]string{"client hello 0002 sni= alpn="}},
		{"client hello from the server (active FTP)", []string{"s" + hello}, []string{"server hello 0303 sni=example.com alpn="}},
		{"hello request first", []string{"s\x16\x03\x01\x00\x04\x00\x00\x00\x00"}, nil},
		{"chain of other handshake messages", []string{"s\x16\x03\x03\x00\x05\x0b\x00\x00\x01x" + data + data}, []string{"server midstream"}},
		{"too long", []string{"c\x16\x03\x01\x40\x00\x01\x01\x00\x01" + strings.Repeat("x", 100)}, []string{"client error header_too_large"}},
		{"a last extension longer than the message", []string{"c" + helloWith("\x00\x15\x00\x03ab")}, []string{"client error bad_hello"}},
		{"session identifier of 32 bytes", []string{"c" + helloOf(32, "")}, []string{"client hello 0303 sni= alpn="}},
		{"session identifier of 33 bytes", []string{"c" + helloOf(33, "")}, []string{"client error bad_hello"}},
		{"an alert after a retry", []string{"c" + hello, "s" + retry, "c\x14\x03\x03\x00\x01\x01" + hello + alert},
			[]string{"client hello 0303 sni=example.com alpn=", "client alert 2 40"}},
		{"no alert after renegotiation", []string{"c" + hello, "c\x14\x03\x03\x00\x01\x01" + hello + alert},
			[]string{"client hello 0303 sni=example.com alpn="}},
		{"an alert of another length", []string{"c" + hello, "c\x15\x03\x01\x00\x03\x02\x28\x00"},
			[]string{"client hello 0303 sni=example.com alpn="}},
		{"extensions longer than the message", []string{"c" + damage(hello, 5+4+2+32+1+2+2+2, 1)}, []string{"client error bad_hello"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newListener().open()
			for _, line := range tt.script {
				from := capture.Client
				if line[0] == 's' {
					from = capture.Server
				}
				if line[1:] == "gap" {
					l.h.Gap(capture.Mark{}, from, 20, capture.ReasonGap)
					continue
				}
				l.data(from, []byte(line[1:]))
			}
			l.end()
			l.check(t)
			if got := l.lines(); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			var errors uint64
			for _, n := range l.port.ParseErrors {
				errors += n
			}
			if want := strings.Count(strings.Join(tt.want, "\n"), " error "); int(errors) != want {
				t.Errorf("%d parse errors counted, want %d", errors, want)
			}
		})
	}
}

// TestNotFromTheStart: of a connection that was joined midway, bytes that are
// no TLS prove nothing.
func TestNotFromTheStart(t *testing.T) {
	l := newListener()
	l.conn.Midstream = true
	l.open()
	l.data(capture.Server, []byte("within a record"))
	l.data(capture.Client, []byte(clientHello("example.com")))
	l.end()
	l.check(t)
	if got, want := l.lines(), []string{"client hello 0303 sni=example.com alpn="}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBound(t *testing.T) {
	var book capture.Book
	p := NewPool(Config{MaxHellos: 2}, &book)
	var port capture.PortStats
	begin := []byte(clientHello("example.com")[:20])
	var open []capture.Handler
	for range 5 {
		h := p.Open(&capture.Conn{}, &port)
		h.Data(capture.Mark{}, capture.Client, begin)
		open = append(open, h)
	}
	if got := port.ParseErrors[capture.ReasonEvicted]; got != 3 {
		t.Errorf("%d hellos refused, want 3", got)
	}
	for _, h := range open {
		h.End(capture.Mark{}, capture.Client, capture.ReasonReset)
		h.End(capture.Mark{}, capture.Server, capture.ReasonReset)
	}
	if p.inUse != 0 || len(p.hellos) != 2 || len(p.conns) != 5 {
		t.Errorf("%d in use, %d and %d kept", p.inUse, len(p.hellos), len(p.conns))
	}
}

// clientHello returns a record with a TLS 1.2 ClientHello that names host.
func clientHello(host string) string {
	n := len(host)
	ext := string([]byte{0, 0, 0, byte(n + 5), 0, byte(n + 3), 0, 0, byte(n)}) + host
	return helloWith(ext)
}

// helloWith returns a record with a TLS 1.2 ClientHello and these extensions.
func helloWith(ext string) string { return helloOf(0, ext) }

// helloOf has a session identifier of so many bytes too.
func helloOf(session int, ext string) string {
	body := "\x03\x03" + strings.Repeat("R", 32) + string([]byte{byte(session)}) + strings.Repeat("s", session) + "\x00\x02\xc0\x2f" + "\x01\x00" + u16(len(ext)) + ext
	message := "\x01\x00" + u16(len(body)) + body
	return "\x16\x03\x01" + u16(len(message)) + message
}

func u16(n int) string { return string([]byte{byte(n >> 8), byte(n)}) }

// split cuts the content of a record after n bytes, into two records.
func split(record string, n int) string {
	content := record[recordHeader:]
	return record[:3] + u16(n) + content[:n] + record[:3] + u16(len(content)-n) + content[n:]
}

func damage(s string, at int, by byte) string {
	b := []byte(s)
	b[at] += by
	return string(b)
}
