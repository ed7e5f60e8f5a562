package diagnosis_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture/capturetest"
	"github.com/wiretell/wiretell/capture/diagnosis"
)

// exchangeScript is a connection on which a request is answered by head and
// then ended by a segment of the server's.
func exchangeScript(head, end string) string {
	const client, server = "10.0.0.1:40000", "10.0.0.2:80"
	next := 301 + len(head)
	return fmt.Sprintf(`0.000 %[1]s > %[2]s S seq=100
0.001 %[2]s > %[1]s SA seq=300 ack=101
0.002 %[1]s > %[2]s A seq=101 ack=301
0.003 %[1]s > %[2]s PA seq=101 ack=301 "GET /a HTTP/1.1\r\nHost: shop\r\n\r\n"
0.004 %[2]s > %[1]s PA seq=301 ack=132 %[3]q
0.005 %[1]s > %[2]s A seq=132 ack=%[4]d
0.006 %[2]s > %[1]s %[5]s seq=%[4]d ack=132
0.007 %[1]s > %[2]s FA seq=132 ack=%[6]d
`, client, server, head, next, end, next+1)
}

// TestCutOnTheWire follows how connections end from the packets to the leaves:
// a message that is cut is told, whatever cut it, and nothing is healthy then.
func TestCutOnTheWire(t *testing.T) {
	const whole = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
	const cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"
	const untilClose = "HTTP/1.1 200 OK\r\n\r\nabc"
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
	for _, tt := range []struct {
		name, head, end string
		want            []string
	}{
		{"whole, closed", whole, "FA", []string{"OK-00"}},
		{"whole, reset", whole, "RA", []string{"OK-00"}},
		{"until close, closed", untilClose, "FA", []string{"OK-00"}},
		{"until close, reset", untilClose, "RA", []string{"DIR-06"}},
		{"cut by a close", cut, "FA", []string{"DIR-06"}},
		{"cut by a reset", cut, "RA", []string{"DIR-06"}},
		{"chunks cut by a close", chunked, "FA", []string{"DIR-06"}},
		{"chunks cut by a reset", chunked, "RA", []string{"DIR-06"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "script.txt")
			if err := os.WriteFile(path, []byte(exchangeScript(tt.head, tt.end)), 0o644); err != nil {
				t.Fatal(err)
			}
			script, err := capturetest.ReadScript(path)
			if err != nil {
				t.Fatal(err)
			}
			in, findings := diagnoseSource("script", capturetest.NewSource(script.Segments))
			var ids []string
			for _, f := range findings {
				ids = append(ids, f.ID)
				if f.ID == "DIR-06" && strings.Contains(tt.end, "R") != strings.Contains(f.Body, "; 1 by a reset)") {
					t.Errorf("who cut it is not told rightly: %s", f.Body)
				}
			}
			if !slices.Equal(ids, tt.want) {
				t.Errorf("%v, want %v\n%s", ids, tt.want, diagnosis.Summarize(in, findings).Text)
			}
		})
	}
}

// talk is one side's turn in a conversation.
type talk struct {
	server bool
	text   string
}

// talkScript is a connection to port 9000 with these turns, closed in order.
func talkScript(turns ...talk) string {
	ends := [2]string{"10.0.0.1:40000", "10.0.0.2:9000"}
	next := [2]int{101, 301}
	var b strings.Builder
	line := func(at int, from int, flags string, text string) {
		fmt.Fprintf(&b, "0.%03d %s > %s %s seq=%d ack=%d", at, ends[from], ends[1-from], flags, next[from], next[1-from])
		if text != "" {
			fmt.Fprintf(&b, " %q", text)
		}
		b.WriteByte('\n')
		next[from] += len(text)
	}
	fmt.Fprintf(&b, "0.000 %s > %s S seq=100\n0.001 %s > %s SA seq=300 ack=101\n", ends[0], ends[1], ends[1], ends[0])
	line(2, 0, "A", "")
	at := 3
	for _, t := range turns {
		from := 0
		if t.server {
			from = 1
		}
		line(at, from, "PA", t.text)
		at++
	}
	line(at, 0, "FA", "")
	next[0]++
	line(at+1, 1, "FA", "")
	next[1]++
	line(at+2, 0, "A", "")
	return b.String()
}

// TestOnTheWire follows what is said on a connection to the leaves.
func TestOnTheWire(t *testing.T) {
	const get, ok = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	hello := clientHello("shop.example")
	serverHello := "\x16\x03\x03" + sized(2, "\x02"+sized(3, "\x03\x03"+strings.Repeat("r", 32)+sized(1, "")+"\x13\x01\x00"))
	for _, tt := range []struct {
		name  string
		turns []talk
		want  []string
		says  string // within a body
	}{
		{"HTTP", []talk{{false, get}, {true, ok}}, []string{"OK-00"}, "1 request and 1 response on port 9000"},
		{"an upgrade to HTTP/2", []talk{{false, "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"}, {true, "HTTP/1.1 101 x\r\n\r\n"}, {false, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, {true, "\x00\x00\x00\x04\x00\x00\x00\x00\x00"}}, []string{"H2-01"}, "HTTP/2 in clear text is spoken to port 9000"},
		{"an upgrade to something else", []talk{{false, "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n"}, {true, "HTTP/1.1 101 x\r\n\r\n"}, {false, "hello"}}, []string{"OK-00", "UPG-01"}, "1 packet after that is no request"},
		{"a TLS alert alone", []talk{{true, "\x15\x03\x03\x00\x02\x02\x28"}}, []string{"TLS-04"}, "1 fatal alert, the last 40 handshake_failure from the server."},
		{"HTTP answered by a TLS alert", []talk{{false, get}, {true, "\x15\x03\x01\x00\x02\x02\x46"}}, []string{"TLS-05"}, "1 plain request was answered by TLS, 0 by 400; 0 TLS hellos"},
		{"TLS answered by HTTP", []talk{{false, hello}, {true, "HTTP/1.0 400 Bad Request\r\n\r\n"}}, []string{"TLS-05"}, "1 TLS hello was answered in the clear"},
		{"a handshake that fails", []talk{{false, hello}, {true, "\x15\x03\x03\x00\x02\x02\x28"}}, []string{"TLS-01", "TLS-04"}, "1 fatal alert, the last 40 handshake_failure from the server; 0 of 1 hello was answered"},
		{"a hello without a name", []talk{{false, clientHello("")}, {true, "\x15\x03\x03\x00\x02\x01\x00"}}, []string{"TLS-01", "TLS-04", "TLS-07"}, "1 TLS hello on port 9000 tells no server's name"},
		{"PROXY protocol", []talk{{false, "PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\n" + get}, {true, ok}}, []string{"OK-00", "PROTO-01"}, "1 connection on port 9000 begins with a PROXY protocol header"},
		{"Redis", []talk{{false, "*1\r\n$4\r\nPING\r\n"}, {true, "+PONG\r\n"}}, []string{"PROTO-02"}, "Port 9000 is redis, not HTTP"},
		{"SSH, whose server speaks first", []talk{{true, "SSH-2.0-OpenSSH_9.6\r\n"}, {false, "SSH-2.0-OpenSSH_9.6\r\n"}}, []string{"PROTO-02"}, "Port 9000 is ssh, not HTTP"},
		{"something else", []talk{{false, "\x01\x02\x03\x04\x05\x06\x07\x08\x09"}, {true, "\x08\x07\x06\x05\x04\x03"}, {false, "\x01\x02"}}, []string{"PROTO-03"}, "a protocol that is not known"},
		{"too little of something else", []talk{{false, "\x01\x02\x03\x04\x05\x06\x07\x08\x09"}, {true, "\x08\x07\x06\x05\x04\x03"}}, []string{"PROTO-05"}, "15 of no known protocol"},
		{"HTTP/0.9 answered by HTTP/1.0", []talk{{false, "GET /\r\n"}, {true, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"}}, []string{"DIR-05"}, "or the requests were lost (0 gaps) or not readable (1 packet, 0 messages that break the rules)"},
		{"TLS that is left again", []talk{{false, hello}, {true, serverHello + "no record"}}, []string{"TLS-01"}, "encrypted"},
		{"a response too many", []talk{{false, get}, {true, ok}, {true, ok}}, []string{"DIR-07"}, "1 response that no request asked for"},
		{"a goodbye", []talk{{false, get}, {true, ok}, {true, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"}}, []string{"OK-00"}, "Healthy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "script.txt")
			if err := os.WriteFile(path, []byte(talkScript(tt.turns...)), 0o644); err != nil {
				t.Fatal(err)
			}
			script, err := capturetest.ReadScript(path)
			if err != nil {
				t.Fatal(err)
			}
			in, findings := diagnoseSource("script", capturetest.NewSource(script.Segments))
			var ids []string
			said := false
			for _, f := range findings {
				ids = append(ids, f.ID)
				said = said || strings.Contains(f.Body, tt.says)
			}
			slices.Sort(ids)
			if text := diagnosis.Summarize(in, findings).Text; !slices.Equal(ids, tt.want) || !said {
				t.Errorf("%v, want %v with %q\n%s", ids, tt.want, tt.says, text)
			}
		})
	}
}

// clientHello returns a record with a ClientHello (RFC 8446, section 4.1.2).
func clientHello(name string) string {
	extensions := ""
	if name != "" {
		extensions = "\x00\x00" + sized(2, sized(2, "\x00"+sized(2, name)))
	}
	body := "\x03\x03" + strings.Repeat("r", 32) + sized(1, "") + sized(2, "\x13\x01") + sized(1, "\x00") + sized(2, extensions)
	return "\x16\x03\x01" + sized(2, "\x01"+sized(3, body))
}

// sized puts the length of s in front of it, in n bytes.
func sized(n int, s string) string {
	var b []byte
	for i := n - 1; i >= 0; i-- {
		b = append(b, byte(len(s)>>(8*i)))
	}
	return string(b) + s
}

// TestGivenUp follows a client that gives up on a server which hangs: it does
// not answer, nor close.
func TestGivenUp(t *testing.T) {
	const cl, sv = "10.0.0.1:40000", "10.0.0.2:9000"
	const opening = `0.000 10.0.0.1:40000 > 10.0.0.2:9000 S seq=100
0.001 10.0.0.2:9000 > 10.0.0.1:40000 SA seq=300 ack=101
0.002 10.0.0.1:40000 > 10.0.0.2:9000 A seq=101 ack=301
0.003 10.0.0.1:40000 > 10.0.0.2:9000 PA seq=101 ack=301 "GET / HTTP/1.1\r\n\r\n"
`
	const later = "15.000 10.0.0.9:5 > 10.0.0.2:9000 S seq=1\n"
	for _, tt := range []struct {
		name, rest string
		want       bool
	}{
		{"given up", "3.000 " + cl + " > " + sv + " FA seq=119 ack=301\n3.001 " + sv + " > " + cl + " A seq=301 ack=120\n" + later, true},
		{"not yet", later, false},
		{"within a response", "1.000 " + sv + " > " + cl + " PA seq=301 ack=119 \"HTTP/1.1 200 OK\\r\\n\\r\\n\"\n3.000 " + cl + " > " + sv + " FA seq=119 ack=320\n3.001 " + sv + " > " + cl + " A seq=320 ack=120\n" + later, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "script.txt")
			if err := os.WriteFile(path, []byte(opening+tt.rest), 0o644); err != nil {
				t.Fatal(err)
			}
			script, err := capturetest.ReadScript(path)
			if err != nil {
				t.Fatal(err)
			}
			in, findings := diagnoseSource("script", capturetest.NewSource(script.Segments))
			got := slices.ContainsFunc(findings, func(f diagnosis.Finding) bool {
				return f.ID == "DIR-02" && strings.Contains(f.Body, "to 1 of 1 request (0 closed, 0 reset, 0 timed out, 1 given up by the client)")
			})
			if got != tt.want {
				t.Errorf("DIR-02 %v, want %v\n%s", got, tt.want, diagnosis.Summarize(in, findings).Text)
			}
		})
	}
}
