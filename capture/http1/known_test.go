package http1

import (
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// line is what read tells of a line.
type line struct {
	text, name, value string
	id                fieldID
}

func readLine(k *knownLines, b string) (l line, ok bool) {
	r := k.read([]byte(b))
	if r == nil {
		return line{}, false
	}
	return line{b[:r.size], b[:r.name], b[r.from:r.to], r.id}, true
}

// A line reads the same whatever was read before it, also what has its first
// bytes and so its place in the table.
func TestKnownLineReadsAsNew(t *testing.T) {
	const long = "X-Long: 0123456789abcdef0123456789abcdef0123456789abcdef\r\n"
	want := map[string]line{
		"Host: a.example.com\r\nrest of it":       {"Host: a.example.com\r\n", "Host", "a.example.com", fieldHost},
		"Host: a.example.com\nrest of it here":    {"Host: a.example.com\n", "Host", "a.example.com", fieldHost},
		"Host: a.example.com \t\r\nrest":          {"Host: a.example.com \t\r\n", "Host", "a.example.com", fieldHost},
		"Host: a.example.com:80\r\nrest of it":    {"Host: a.example.com:80\r\n", "Host", "a.example.com:80", fieldHost},
		"Host: a.example.com":                     {},
		"Host: a.example.com\r":                   {},
		"Content-Length: 12\r\n":                  {"Content-Length: 12\r\n", "Content-Length", "12", fieldContentLength},
		"Content-Length: 123\r\n":                 {"Content-Length: 123\r\n", "Content-Length", "123", fieldContentLength},
		"Content-Length: \r\n 12\r\n":             {"Content-Length: \r\n", "Content-Length", "", fieldContentLength},
		"Content-Length : 12\r\n":                 {"Content-Length : 12\r\n", "", "Content-Length : 12", fieldOther},
		"content-LENGTH:12\r\n":                   {"content-LENGTH:12\r\n", "content-LENGTH", "12", fieldContentLength},
		"Content-Length;\r\nx\r\n":                {"Content-Length;\r\n", "", "Content-Length;", fieldOther},
		" Host: a.example.com\r\nrest":            {" Host: a.example.com\r\n", "", " Host: a.example.com", fieldOther},
		": a.example.com\r\nrest of it":           {": a.example.com\r\n", "", ": a.example.com", fieldOther},
		"X: 1\r\nY: 2\r\nZ: 3\r\n":                {"X: 1\r\n", "X", "1", fieldOther},
		"X: 1\r\n":                                {"X: 1\r\n", "X", "1", fieldOther},
		"\r\nbody that follows the head\n":        {"\r\n", "", "", fieldOther},
		"\nbody that follows the head\n":          {"\n", "", "", fieldOther},
		"\rHost: a.example.com\r\nrest":           {"\rHost: a.example.com\r\n", "", "\rHost: a.example.com", fieldOther},
		long + "X":                                {long, "X-Long", strings.TrimSpace(long[7:]), fieldOther},
		long[:40] + "\r\nX":                       {long[:40] + "\r\n", "X-Long", long[8:40], fieldOther},
		strings.Repeat("a", 300) + ": 1\r\nHost:": {strings.Repeat("a", 300) + ": 1\r\n", strings.Repeat("a", 300), "1", fieldOther},
	}
	for first := range want {
		for second, w := range want {
			k := new(knownLines)
			for _, b := range []string{first, second, second, first, second} {
				l, ok := readLine(k, b)
				if b == second && (l != w || ok != (w.text != "")) {
					t.Fatalf("after %q:\n%q reads as %+v, %v\nwant %+v", first, second, l, ok, w)
				}
			}
		}
	}
}

// What is not looked at is not looked at when a head is repeated, and what is
// looked at is.
func TestKnownLinesOfBothModes(t *testing.T) {
	request := []byte("GET / HTTP/1.1\r\nHost: a.example.com\r\nUser-Agent: kube-probe/1.30\r\nContent-Length: 0\r\n\r\n")
	response := []byte("HTTP/1.1 200 OK\r\nServer: nginx/1.25.1\r\nContent-Length: 2\r\n\r\nok")
	for _, batch := range []bool{false, true} {
		l := newLoop(batch)
		for range 3 {
			l.exchange(request, response)
		}
		if l.port.Probes != 3 || l.port.Answered != 3 {
			t.Fatalf("batch %v: %d probes, %d answered, want 3 of each", batch, l.port.Probes, l.port.Answered)
		}
		if !batch {
			continue
		}
		for _, o := range l.book.Batch.Observations {
			if e := o.(*capture.Exchange); string(e.Host) != "a.example.com" || string(e.UserAgent) != "kube-probe/1.30" || e.ResponseBody != 2 {
				t.Fatalf("host %q, agent %q, body %d", e.Host, e.UserAgent, e.ResponseBody)
			}
		}
	}
}
