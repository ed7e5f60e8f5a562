package sniff

import (
	"strings"
	"testing"
)

// negotiations are whole ones; what follows them is not part of them.
var negotiations = []struct{ name, client, server string }{
	{"4", "\x04\x01\x00\x50\x0a\x00\x00\x01joe\x00", "\x00\x5a\x00\x00\x00\x00\x00\x00"},
	{"4 without a user, bind", "\x04\x02\x00\x50\x0a\x00\x00\x01\x00", "\x00\x5a\x00\x50\x0a\x00\x00\x01"},
	{"4 refused", "\x04\x01\x00\x50\x0a\x00\x00\x01\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00"},
	{"4A", "\x04\x01\x00\x50\x00\x00\x00\x01joe\x00shop.example\x00", "\x00\x5a\x00\x00\x00\x00\x00\x00"},
	{"5 IPv4", "\x05\x01\x00" + "\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50", "\x05\x00" + "\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38"},
	{"5 name", "\x05\x02\x00\x02" + "\x05\x01\x00\x03\x04shop\x00\x50", "\x05\x00" + "\x05\x00\x00\x03\x02me\x04\x38"},
	{"5 IPv6", "\x05\x01\x00" + "\x05\x01\x00\x04" + strings.Repeat("\x20", 16) + "\x00\x50", "\x05\x00" + "\x05\x00\x00\x04" + strings.Repeat("\x20", 16) + "\x04\x38"},
	{"5 password", "\x05\x03\x00\x01\x02" + "\x01\x03joe\x06secret" + "\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50", "\x05\x02" + "\x01\x00" + "\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38"},
	{"5 empty password", "\x05\x01\x02" + "\x01\x00\x00" + "\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50", "\x05\x02" + "\x01\x00" + "\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38"},
	{"5 refused", "\x05\x01\x00" + "\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50", "\x05\x00" + "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"},
}

// TestNegotiation checks that a whole negotiation has its length, with bytes
// behind it as well, and that each part of it asks for more.
func TestNegotiation(t *testing.T) {
	for _, n := range negotiations {
		t.Run(n.name, func(t *testing.T) {
			for _, tail := range []string{"", "G", "GET / HTTP/1.1\r\n", "\x05\x00", "\x00"} {
				v, c, s := Negotiation([]byte(n.client+tail), []byte(n.server+tail))
				if v != SOCKS || c != len(n.client) || s != len(n.server) {
					t.Errorf("with %q behind: %v %d %d", tail, v, c, s)
				}
			}
			for c := range len(n.client) + 1 {
				for s := range len(n.server) + 1 {
					if c == len(n.client) && s == len(n.server) || c == 0 && s > 0 {
						continue
					}
					if v, _, _ := Negotiation([]byte(n.client[:c]), []byte(n.server[:s])); v != More {
						t.Fatalf("%d bytes of the client, %d of the server: %v", c, s, v)
					}
				}
			}
		})
	}
}

func TestNoNegotiation(t *testing.T) {
	for _, n := range []struct{ name, client, server string }{
		{"server first", "", "\x05\x00"},
		{"HTTP", "GET / HTTP/1.1\r\n", ""},
		{"version 6", "\x06\x01\x00", ""},
		{"4 command 3", "\x04\x03", ""},
		{"4 control characters in the user", "\x04\x01\x00\x50\x0a\x00\x00\x01j\x01e\x00", ""},
		{"4 endless user", "\x04\x01\x00\x50\x0a\x00\x00\x01" + strings.Repeat("a", 256), ""},
		{"4A control characters in the name", "\x04\x01\x00\x50\x00\x00\x00\x01joe\x00\x7f", ""},
		{"4 reply version", "\x04\x01", "\x04"},
		{"4 result 94", "\x04\x01", "\x00\x5e"},
		{"4 result 89", "\x04\x01", "\x00\x59"},
		{"5 no methods", "\x05\x00", ""},
		{"5 method 10", "\x05\x02\x00\x0a", ""},
		{"5 method 255", "\x05\x01\xff", ""},
		{"5 command 0", "\x05\x01\x00\x05\x00", ""},
		{"5 command 4", "\x05\x01\x00\x05\x04", ""},
		{"5 reserved", "\x05\x01\x00\x05\x01\x01", ""},
		{"5 address type", "\x05\x01\x00\x05\x01\x00\x02\x01", ""},
		{"5 version of the request", "\x05\x01\x00\x04", ""},
		{"5 none acceptable", "\x05\x01\x00", "\x05\xff"},
		{"5 GSSAPI", "\x05\x01\x01", "\x05\x01"},
		{"5 version of the authentication", "\x05\x01\x02", "\x05\x02\x05"},
		{"5 version of the reply", "\x05\x01\x00", "\x05\x00\x04"},
		{"5 reply 9", "\x05\x01\x00", "\x05\x00\x05\x09"},
		{"Cassandra", "\x04\x00\x00\x00\x05\x00\x00\x00\x00", ""},
		{"Cassandra 5, beta", "\x05\x10\x00\x00\x05\x00\x00\x00\x00", "\x85"},
	} {
		if v, _, _ := Negotiation([]byte(n.client), []byte(n.server)); v != None {
			t.Errorf("%s: %v", n.name, v)
		}
	}
	if v, c, s := Negotiation([]byte("\x05\x01\x02\x01\x01a\x01b\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50"), []byte("\x05\x02\x01\x01")); v != SOCKS || c != 18 || s != 4 {
		t.Errorf("wrong password: %v %d %d", v, c, s)
	}
}

// FuzzNegotiation checks that a verdict stays as more bytes come, and that no
// length goes beyond the bytes.
func FuzzNegotiation(f *testing.F) {
	for _, n := range negotiations {
		f.Add([]byte(n.client), []byte(n.server), 3, 2)
	}
	f.Fuzz(func(t *testing.T, client, server []byte, i, j int) {
		v, c, s := Negotiation(client, server)
		if c > len(client) || s > len(server) || v != SOCKS && c+s != 0 || v == SOCKS && (c < 9 || s < 4) {
			t.Fatalf("%v %d %d", v, c, s)
		}
		if i < 1 || i > len(client) || j < 0 || j > len(server) {
			return
		}
		switch early, c0, s0 := Negotiation(client[:i], server[:j]); {
		case early == None && v != None:
			t.Fatal("none, and with more bytes", v)
		case early == SOCKS && (v != SOCKS || c0 != c || s0 != s):
			t.Fatalf("SOCKS %d %d, and with more bytes %v %d %d", c0, s0, v, c, s)
		}
	})
}
