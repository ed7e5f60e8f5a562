package sniff

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

const (
	query    = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01"
	answer   = "\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\x5d\xb8\xd8\x22"
	settings = "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"
	ack      = "\x00\x00\x00\x04\x01\x00\x00\x00\x00"
	window   = "\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x40\x00"
	data     = "\x00\x00\x03\x00\x01\x00\x00\x00\x01abc"
)

// mysqlGreeting is what MySQL 8 sends first.
var mysqlGreeting = "\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00" + "abcdefgh\x00" + "\xff\xff\xff\x02\x00\xff\xdf\x15" +
	strings.Repeat("\x00", 10) + "ijklmnopqrst\x00caching_sha2_password\x00"

// examples has one or more for each row of the table.
var examples = []struct {
	name           string
	client, server string
	want           Certainty
}{
	{"proxy", "PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\nGET / HTTP/1.1\r\n", "", Certain},
	{"proxy", proxy2 + "\x21\x11\x00\x0c" + "abcdefghijkl", "", Certain},
	{"http2", preface + settings, settings, Certain},
	{"http2", data + data + window + data, "", Certain},
	{"http2", "", settings + ack + window + data, Certain},
	{"ssh", "SSH-2.0-OpenSSH_9.6\r\n", "", Certain},
	{"ssh", "", "SSH-2.0-dropbear\r\n", Certain},
	{"mysql", "", mysqlGreeting, Certain},
	{"mysql", "", "\x19\x00\x00\x00\xff\x10\x04#08004Too many connect", Likely},
	{"postgresql", "\x00\x00\x00\x08\x04\xd2\x16\x2f", "S", Certain},
	{"postgresql", "\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00\x02", "", Certain},
	{"postgresql", "\x00\x00\x00\x21\x00\x03\x00\x00user\x00app\x00database\x00shop\x00\x00", "", Certain},
	{"mongodb", "\x10\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xd4\x07\x00\x00\x00\x00\x00\x00admin.$cmd\x00", "", Certain},
	{"mongodb", "\x90\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00\x00\x00\x00\x00\x00", "", Certain},
	{"amqp", "AMQP\x00\x00\x09\x01", "", Certain},
	{"amqp", "AMQP\x03\x01\x00\x00", "", Certain},
	{"mqtt", "\x10\x13\x00\x04MQTT\x04\x02\x00\x3c\x00\x07client1", "\x20\x02\x00\x00", Certain},
	{"mqtt", "\x10\x80\x01\x00\x04MQTT\x05", "", Certain},
	{"nats", "", `INFO {"server_id":"NA","version":"2.10.7"}` + "\r\n", Certain},
	{"nats", `CONNECT {"verbose":false}` + "\r\n", "", Likely},
	{"redis", "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "$-1\r\n", Certain},
	{"redis", "PING\r\n", "+PONG\r\n", Likely},
	{"smtp", "EHLO client.example\r\n", "220 mail.example ESMTP Postfix\r\n", Certain},
	{"smtp", "", "220 mail.example ESMTP Postfix\r\n", Certain},
	{"ftp", "USER anonymous\r\n", "220 Welcome\r\n", Certain},
	{"ftp", "", "220 (vsFTPd 3.0.5)\r\n", Likely},
	{"imap", "a1 CAPABILITY\r\n", "* OK ready\r\n", Certain},
	{"imap", "", "* OK ready\r\n", Likely},
	{"pop3", "USER joe\r\n", "+OK ready\r\n", Certain},
	{"pop3", "", "+OK Dovecot ready.\r\n", Likely},
	{"memcached", "get key\r\n", "VALUE key 0 3\r\nabc\r\nEND\r\n", Certain},
	{"memcached", "set key 0 0 3\r\nabc\r\n", "", Likely},
	{"memcached", "\x80\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00Hello",
		"\x81\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00Not found", Certain},
	{"dns", "\x00\x1d" + query, "", Certain},
	{"dns", "", "\x00\x2d" + answer, Certain},
	{"kafka", "\x00\x00\x00\x16\x00\x12\x00\x03\x00\x00\x00\x01\x00\x0cproducer-one", "\x00\x00\x01\x20\x00\x00\x00\x01\x00\x00", Certain},
	{"kafka", "\x00\x00\x00\x16\x00\x12\x00\x03\x00\x00\x00\x01\x00\x0cproducer-one", "", Likely},
}

func TestClassify(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range examples {
		seen[e.name] = true
		g := Classify([]byte(e.client), []byte(e.server))
		if g.Name != e.name || g.Certainty != e.want {
			t.Errorf("%s: %q, %q: %s %s, want %s", e.name, e.client, e.server, g.Name, g.Certainty, e.want)
		}
		// No other row may be as sure.
		for _, p := range protocols {
			if p.name != e.name && p.look([]byte(e.client), []byte(e.server)) >= e.want {
				t.Errorf("%s: %q, %q: also %s", e.name, e.client, e.server, p.name)
			}
		}
		// Beginnings may be less sure, or nothing, but not something else.
		for n := range len(e.client) {
			if g := Classify([]byte(e.client[:n]), nil); g.Certainty == Certain && g.Name != e.name {
				t.Errorf("%s: the first %d bytes are certainly %s", e.name, n, g.Name)
			}
		}
	}
	for _, p := range protocols {
		if !seen[p.name] {
			t.Errorf("%s has no example", p.name)
		}
	}
}

func TestUnknown(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 1024)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for _, tt := range []struct {
		name, client, server         string
		entropyFrom, entropyTo       float64
		printableFrom, printableUpTo float64
	}{
		{"nothing", "", "", 0, 0, 0, 0},
		{"HTTP/1", "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", 4, 5.5, 1, 1},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "", 1, 4, 0, 0.2},
		{"noise", string(noise), "", 7.7, 8, 0.3, 0.5},
		{"zeros", strings.Repeat("\x00", 100), strings.Repeat("\x00", 100), 0, 0, 0, 0},
	} {
		g := Classify([]byte(tt.client), []byte(tt.server))
		if g.Name != "" || g.Certainty != Unknown || g.Reason != capture.ReasonUnknownProtocol {
			t.Errorf("%s: %+v", tt.name, g)
		}
		if g.Entropy < tt.entropyFrom || g.Entropy > tt.entropyTo || g.Printable < tt.printableFrom || g.Printable > tt.printableUpTo {
			t.Errorf("%s: entropy %.2f, printable %.2f", tt.name, g.Entropy, g.Printable)
		}
	}
	// Random bytes of any length are nothing for certain.
	for range 20000 {
		b := noise[r.IntN(900):]
		b = b[:r.IntN(min(len(b), 120))]
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if g := Classify(b, nil); g.Certainty == Certain {
			t.Fatalf("%x is certainly %s", b, g.Name)
		}
		if g := ClassifyUDP(40000, 9999, b); g.Certainty == Certain {
			t.Fatalf("%x is certainly %s", b, g.Name)
		}
	}
}

func TestPrefix(t *testing.T) {
	v1 := "PROXY TCP6 2001:db8::1 2001:db8::2 65535 443\r\n"
	for _, tt := range []struct {
		in   string
		want Verdict
		n    int
	}{
		{"", More, 0},
		{"P", More, 0},
		{"PR", More, 0},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", More, 0},
		{preface, HTTP2, 0},
		{preface + settings, HTTP2, 0},
		{"PRI * HTTP/2.1", None, 0},
		{"POST / HTTP/1.1", None, 0},
		{"PUT ", None, 0},
		{"PROXY", More, 0},
		{"PROXY TC", More, 0},
		{"PROXY UDP4 ", None, 0},
		{v1, PROXY, len(v1)},
		{v1 + "GET / HTTP/1.1\r\n", PROXY, len(v1)},
		{v1[:len(v1)-1], More, 0},
		{"PROXY UNKNOWN\r\n", PROXY, 15},
		{"PROXY UNKNOWN whatever it is\r\n", PROXY, 30},
		{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", None, 0},
		{"PROXY TCP4 1.2.3.4 \x01", None, 0},
		{"PROXY UNKNOWN " + strings.Repeat("x", 93), None, 0}, // 107 bytes without an end
		{"PROXY UNKNOWN " + strings.Repeat("x", 92), More, 0},
		{"PROXY UNKNOWN " + strings.Repeat("x", 91) + "\r\n", PROXY, 107},
		{"\r", More, 0},
		{"\r\nGET", None, 0},
		{proxy2, More, 0},
		{proxy2 + "\x21\x11\x00", More, 0},
		{proxy2 + "\x21\x11\x00\x0c", PROXY, 28},
		{proxy2 + "\x20\x00\x00\x00", PROXY, 16},
		{proxy2 + "\x21\x11\xff\xff", PROXY, 16 + 65535},
		{proxy2 + "\x11", None, 0},
		{proxy2 + "\x22", None, 0},
		{proxy2 + "\x21\x51", None, 0},
		{proxy2 + "\x21\x13", None, 0},
		{"GET / HTTP/1.1\r\n", None, 0},
	} {
		if v, n := Prefix([]byte(tt.in)); v != tt.want || n != tt.n {
			t.Errorf("%q: %s %d, want %s %d", tt.in, v, n, tt.want, tt.n)
		}
	}
}

func TestHTTP2Frames(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     bool
	}{
		{"four", data + data + data + data, true},
		{"four, of which the last is cut after its header", data + window + ack + data[:9], true},
		{"four, cut in the header", data + window + ack + data[:8], false},
		{"three", data + window + ack, false},
		{"settings on a stream", "\x00\x00\x00\x04\x00\x00\x00\x00\x01" + data + data + data, false},
		{"data on stream 0", "\x00\x00\x03\x00\x00\x00\x00\x00\x00abc" + data + data + data, false},
		{"reserved bit", "\x00\x00\x03\x00\x00\x80\x00\x00\x01abc" + data + data + data, false},
		{"ping of 7", "\x00\x00\x07\x06\x00\x00\x00\x00\x00abcdefg" + data + data + data, false},
		{"too large", "\x00\x40\x01\x00\x00\x00\x00\x00\x01" + data, false},
		{"type 10", "\x00\x00\x00\x0a\x00\x00\x00\x00\x01" + data + data + data, false},
		{"zeros", strings.Repeat("\x00", 99), false},
	} {
		if got := HTTP2Frames([]byte(tt.in)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func FuzzClassify(f *testing.F) {
	for _, e := range examples {
		f.Add([]byte(e.client), []byte(e.server))
	}
	for _, e := range datagramExamples {
		f.Add([]byte(e.in), []byte(nil))
	}
	f.Fuzz(func(t *testing.T, client, server []byte) {
		g := Classify(client, server)
		if (g.Name == "") != (g.Certainty == Unknown) || g.Entropy < 0 || g.Entropy > 8 || g.Printable < 0 || g.Printable > 1 {
			t.Fatalf("%+v", g)
		}
		for _, port := range []uint16{53, 123, 443, 514, 546, 5353} {
			ClassifyUDP(port, 547, client)
		}
		// What is said of a prefix is not taken back.
		before := More
		for n := range min(len(client), 120) + 1 {
			v, length := Prefix(client[:n])
			if before != More && v != before {
				t.Fatalf("%s of %d bytes became %s", before, n-1, v)
			}
			if v == PROXY && length < 15 {
				t.Fatalf("a header of %d bytes", length)
			}
			before = v
		}
	})
}

func TestSettings(t *testing.T) {
	for _, test := range []struct {
		in   string
		want Verdict
	}{
		{"", More},
		{"\x00\x00\x06\x04\x00\x00\x00\x00", More},
		{"\x00\x00\x06\x04\x00\x00\x00\x00\x00", HTTP2},
		{"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00", HTTP2},
		{"\x00\x01\x80\x04\x00\x00\x00\x00\x00", HTTP2},
		{"\x00\x01\x86\x04", None}, // 390 bytes
		{"\x00\x00\x05", None},
		{"\x01", None},
		{"\x00\x02", None},
		{"\x00\x00\x06\x00", None},
		{"\x00\x00\x06\x04\x01", None}, // an acknowledgement
		{"\x00\x00\x06\x04\x00\x00\x00\x00\x01", None},
		{"\x4a\x00\x00\x00\x0a8.0.32", None}, // MySQL
		{"HTTP/1.1 200 OK", None},
	} {
		if got := Settings([]byte(test.in)); got != test.want {
			t.Errorf("%q: %v, want %v", test.in, got, test.want)
		}
	}
}
