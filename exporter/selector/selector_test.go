package selector

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
)

var conn = capture.Conn{
	ID: 7, Role: capture.RoleServer,
	Client: capture.EndpointOf(netip.MustParseAddrPort("10.0.0.7:40000")),
	Server: capture.EndpointOf(netip.MustParseAddrPort("10.0.0.9:8080")),
}

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func exchange(change func(*capture.Exchange)) *capture.Exchange {
	ex := &capture.Exchange{
		Conn: conn, Protocol: capture.ProtocolHTTP1, Version: 11, HasRequest: true,
		Method: []byte("GET"), Target: []byte("/api/items?id=4"), Host: []byte("shop.example"), UserAgent: []byte("kube-probe/1.30"),
		TraceParent: []byte(traceparent), Status: 200, RequestWire: 100, ResponseWire: 900,
		RequestStart: 1e9, RequestEnd: 1e9, ResponseStart: 1.2e9, ResponseEnd: 1.75e9,
	}
	if change != nil {
		change(ex)
	}
	return ex
}

// the observations that expressions are tried on, by name.
var observations = []struct {
	name string
	o    capture.Observation
}{
	{"ok", exchange(nil)},
	{"404", exchange(func(ex *capture.Exchange) { ex.Status = 404 })},
	{"404client", exchange(func(ex *capture.Exchange) { ex.Status, ex.Conn.Role = 404, capture.RoleClient })},
	{"503", exchange(func(ex *capture.Exchange) { ex.Status, ex.Method, ex.TraceParent = 503, []byte("POST"), nil })},
	{"absolute", exchange(func(ex *capture.Exchange) { ex.Target = []byte("http://u@proxy:80/other?x=/api") })},
	{"cut", exchange(func(ex *capture.Exchange) {
		ex.Status, ex.Error, ex.ResponseStart, ex.ResponseEnd = 0, capture.ReasonReset, 0, 0
	})},
	{"early", exchange(func(ex *capture.Exchange) { ex.Status, ex.Error = 413, capture.ReasonRequestTruncated })},
	{"gap", exchange(func(ex *capture.Exchange) {
		ex.Incomplete, ex.LostBytes, ex.Path = capture.ReasonGap, 1460, capture.Path{RTT: 250 * time.Millisecond, Retransmits: 1}
	})},
	{"opened", &capture.ConnOpened{Conn: conn}},
	{"refused", &capture.ConnFailed{Conn: conn, Why: capture.ReasonRefused, Attempts: 1}},
	{"rejected", &capture.ConnFailed{Conn: conn, Why: capture.ReasonAdminProhibited, Attempts: 5, HasICMP: true, ICMP: capture.ICMPHeader{Type: 3, Code: 13}}},
	{"reset", &capture.ConnReset{Conn: conn, Phase: capture.PhaseRequest}},
	{"closed", &capture.ConnClosed{Conn: conn, Why: capture.ReasonFIN, Retransmits: [2]uint64{1, 2}, RTTMean: 100 * time.Millisecond}},
	{"icmp", &capture.ICMPError{Header: capture.ICMPHeader{Type: 3, Code: 4}, Quoted: capture.Flow{Src: conn.Client, Dst: conn.Server}, QuotedTransport: capture.UDP}},
	{"unquoted", &capture.ICMPError{Header: capture.ICMPHeader{Type: 11}}},
	{"bad", &capture.ParseError{Conn: conn, Protocol: capture.ProtocolHTTP1, Why: capture.ReasonBadChunk}},
	{"hello", &capture.TLSHello{Conn: conn, SNI: []byte("api.shop.example")}},
	{"alert", &capture.TLSAlert{Conn: conn, Level: 2, Description: 40}},
	{"nxdomain", &capture.DNSLookup{Client: conn.Client, Server: conn.Server, Name: []byte("db.shop"), Answered: true, RCode: 3}},
	{"lost", &capture.Lost{Observations: 3}},
}

func selected(t testing.TB, s *Selector) string {
	t.Helper()
	var names []string
	for _, o := range observations {
		got := s.Observation(o.o)
		if ex, ok := o.o.(*capture.Exchange); ok && s.Exchange(ex) != got {
			t.Errorf("%s: Exchange and Observation differ", o.name)
		}
		if got {
			names = append(names, o.name)
		}
	}
	if s.failures != 0 {
		t.Errorf("%d evaluations failed", s.failures)
	}
	return strings.Join(names, " ")
}

// Lost is always selected: it is wiretell's own.
func TestSelect(t *testing.T) {
	const all = "ok 404 404client 503 absolute cut early gap opened refused rejected reset closed icmp unquoted bad hello alert nxdomain lost"
	for _, tt := range []struct{ expr, want string }{
		{example, "404 404client 503 cut early opened refused rejected reset closed icmp unquoted bad alert nxdomain lost"},
		{`true`, all},
		{`false`, "lost"},
		{`http.status >= 400`, "404 404client 503 early lost"},
		{`400 <= http.status`, "404 404client 503 early lost"},
		{`http.status > 404.5`, "503 early lost"},
		{`error != ""`, "404client 503 cut refused rejected reset bad alert nxdomain lost"},
		{`error == "503"`, "503 lost"},
		{`error == "reset"`, "cut reset lost"},
		{`tcp.reset == true`, "cut reset lost"},
		{`tcp.phase == "request"`, "reset lost"},
		{`tcp.attempts > 3`, "rejected lost"},
		{`kind == "icmp"`, "icmp unquoted lost"},
		{`icmp.type == 3`, "rejected icmp lost"},
		{`icmp.type == 3 and icmp.code == 4`, "icmp lost"},
		{`icmp.code == 0`, "unquoted lost"},
		{`kind == "tls"`, "hello alert lost"},
		{`kind == "dns" and dns.name == "db.shop"`, "nxdomain lost"},
		{`IsMatch(tls.sni, "[.]example$")`, "hello lost"},
		{`kind == "http" and incomplete != ""`, "gap lost"},
		{`http.lost_bytes > 0`, "gap lost"},
		{`tcp.retransmits > 0`, "gap closed lost"},
		{`tcp.retransmits == 3`, "closed lost"},
		{`tcp.rtt > 0.2`, "gap lost"},
		{`tcp.rtt > 0.05`, "gap closed lost"},
		{`http.duration > 0.5 and http.method == "POST"`, "503 lost"},
		{`http.duration > 0.75`, "lost"},
		{`kind == "http" and http.duration == 0`, "cut bad lost"},
		{`IsMatch(http.path, "^/api/items$") and http.status == 200`, "ok gap lost"},
		{`http.path == "/other"`, "absolute lost"},
		{`http.host == "shop.example" and not (http.status < 400 or http.status >= 500)`, "404 404client early lost"},
		{`IsMatch(http.user_agent, "^kube-probe/") and http.status == 503`, "503 lost"},
		{`http.bytes == 1000 and http.status == 404`, "404 404client lost"},
		{`trace_id == "4bf92f3577b34da6a3ce929d0e0e4736" and http.status == 404`, "404 404client lost"},
		{`kind == "http" and trace_id == ""`, "503 bad lost"},
		{`role == "client"`, "404client lost"},
		{`client.address == "10.0.0.7" and client.port == 40000 and kind == "icmp"`, "icmp lost"},
		{`server.address == "10.0.0.9" and server.port == 8080 and kind == "tls"`, "hello alert lost"},
		{`server.address == "" and kind != "dns"`, "unquoted lost"},
		{"kind == \"http\"\n  and http.status == 503", "503 lost"},
	} {
		s, err := Compile(tt.expr)
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		for range 2 { // the second time as the first: nothing is kept of it
			if got := selected(t, s); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.expr, got, tt.want)
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, tt := range []struct{ expr, pos, msg, hint string }{
		{``, "1:1", "empty", "as http.status"},
		{"  \n ", "1:1", "empty", ""},
		{`http.statu >= 400`, "1:1", `unknown field "http.statu"`, "did you mean http.status?"},
		{"kind == \"tcp\"\n  or status > 3", "2:6", `unknown field "status"`, "did you mean http.status?"},
		{`colour == 3`, "1:1", `unknown field "colour"`, "explain select"},
		{`http.status > "400"`, "1:15", `http.status is an integer, "400" is a text`, "without quotes"},
		{`kind == 3`, "1:9", "kind is a text, 3 is an integer", `write "3"`},
		{`tcp.reset == "yes"`, "1:14", "tcp.reset is a boolean", "true or false"},
		{`tcp.reset > true`, "1:11", "no meaning", "=="},
		{`http.status`, "1:1", "not a condition", "compare it"},
		{`not kind`, "1:5", "not a condition", "compare it"},
		{`tcp.reset`, "1:1", "not compared", "tcp.reset == true"},
		{`http.status and true`, "1:1", "not a condition", "compare it"},
		{`"text"`, "1:1", "not a condition", ""},
		{`1 == 1`, "1:1", "no field", ""},
		{`400 < http.status < 500`, "1:19", "do not chain", "and"},
		{`http.status >= 400 || error != ""`, "1:20", "not of this language", `write "or"`},
		{`http.status >= 400 && error != ""`, "1:20", "not of this language", `write "and"`},
		{`!(kind == "tcp")`, "1:1", "not of this language", `write "not"`},
		{`kind = "tcp"`, "1:6", "does not compare", `"=="`},
		{`kind == 'tcp'`, "1:9", "double quotes", ""},
		{`kind == "tcp`, "1:9", "no end", ""},
		{`http.status + 1 > 2`, "1:13", "arithmetic", ""},
		{`icmp.type == -1`, "1:14", "arithmetic", ">= 0"},
		{`kind == ["a"]`, "1:9", "lists", "or"},
		{`error != nil`, "1:10", "ever nil", `""`},
		{`kind == "tcp" # ?`, "1:15", `'#'`, ""},
		{`kind == "tcp" and`, "1:18", "", ""},
		{`(kind == "tcp"`, "1:15", "", ""},
		{`kind == "tcp")`, "1:14", "", ""},
		{`kind == "a" kind == "b"`, "1:13", "", ""},
		{`http.status >=`, "1:13", "sides", ""},
		{`and`, "1:1", "", ""},
		{`http.status >= 99999999999999999999`, "1:16", "too large", ""},
		{strings.Repeat("(", maxDepth+1) + `kind == "tcp"` + strings.Repeat(")", maxDepth+1), "1:17", "16 deep", ""},
		{`IsMatch(http.status, "4..")`, "1:9", "IsMatch takes a text", ""},
		{`IsMatch(http.path)`, "1:1", "a field and a pattern", "as IsMatch"},
		{`IsMatch(http.path, "(")`, "1:20", "missing closing", ""},
		{`IsMatch(http.path, "\d")`, "1:20", "escape", `\\`},
		{`IsMatch(http.path, "(a{30}){30}")`, "1:20", "too large", "fewer"},
		{`Concat(http.path, "x")`, "1:1", "unknown function Concat", "IsMatch"},
		{`kind == "` + strings.Repeat("a", maxBytes) + `"`, "1:2049", "longer", ""},
	} {
		_, err := Compile(tt.expr)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: error %v, want an *Error", tt.expr, err)
			continue
		}
		if e.Pos() != tt.pos || !strings.Contains(e.Msg, tt.msg) || !strings.Contains(e.Hint, tt.hint) {
			t.Errorf("%s\n got %s %q %q\nwant %s %q %q", tt.expr, e.Pos(), e.Msg, e.Hint, tt.pos, tt.msg, tt.hint)
		}
		if !strings.HasPrefix(e.Error(), tt.pos+": ") {
			t.Errorf("%q does not begin with the position", e)
		}
	}
}

// TestFields holds the table to its own types: every field is of its type on
// every observation, and every example compiles.
func TestFields(t *testing.T) {
	seen := map[string]bool{}
	var s subject
	s.fill()
	for i := range fields {
		f := &fields[i]
		if seen[f.Name] {
			t.Errorf("%s is there twice", f.Name)
		}
		seen[f.Name] = true
		sel, err := Compile(f.Example)
		if err != nil || !strings.Contains(f.Example, f.Name) {
			t.Errorf("%s: example %q: %v", f.Name, f.Example, err)
			continue
		}
		differ := map[bool]bool{}
		for _, o := range observations {
			if !s.set(o.o) {
				continue
			}
			differ[sel.Observation(o.o)] = true
			var ok bool
			switch v := f.get(&s); f.Type {
			case Text:
				_, ok = v.(string)
			case Integer:
				_, ok = v.(int64)
			case Number:
				_, ok = v.(float64)
			case Boolean:
				_, ok = v.(bool)
			}
			if !ok {
				t.Errorf("%s of %s is %T, want %s", f.Name, o.name, f.get(&s), f.Type)
			}
		}
	}
	if len(Fields()) != len(fields) || Fields()[0].Name != fields[0].Name {
		t.Error("Fields is not the table")
	}
}

// TestAllocations: what the library takes is what there is. Codes and reasons
// need no memory.
func TestAllocations(t *testing.T) {
	for _, tt := range []struct {
		expr string
		most float64
	}{
		{`http.status >= 400`, 0},
		{`kind == "icmp" or icmp.type == 3`, 0},
		{`error == "reset"`, 0},
		{example, 0},
		{`server.port == 8080`, 1}, // a number that is not kept
		{`http.host == "x"`, 2},    // the text, and it as a value
	} {
		s, err := Compile(tt.expr)
		if err != nil {
			t.Fatal(err)
		}
		ex := exchange(nil)
		if n := testing.AllocsPerRun(200, func() { s.Exchange(ex) }); n > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", tt.expr, n, tt.most)
		}
	}
}

// TestCompileTime: the longest and deepest that is taken compiles soon, though
// the language's parser looks ahead without a bound.
func TestCompileTime(t *testing.T) {
	deep := strings.Repeat("(", maxDepth) + `kind == "tcp"` + strings.Repeat(")", maxDepth)
	long := deep
	for len(long)+len(deep)+4 <= maxBytes {
		long += " or " + deep
	}
	start := time.Now()
	if _, err := Compile(long); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("compiled in %s", d)
	} else {
		t.Logf("%d bytes, %d deep: %s", len(long), maxDepth, d)
	}
}

const (
	tableBegin = "<!-- fields: generated by go test ./exporter/selector -run Documentation -update -->\n"
	tableEnd   = "<!-- end of fields -->\n"
)

func TestDocumentation(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "selecting.md")
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no table", file)
	}
	var want bytes.Buffer
	if err := WriteMarkdown(&want); err != nil {
		t.Fatal(err)
	}
	capturetest.Golden(t, file, []byte(before+tableBegin+want.String()+tableEnd+after))
	if !strings.Contains(before+after, example) {
		t.Errorf("%s does not show %s", file, example)
	}
	explained := Explain()
	for _, f := range Fields() {
		if !strings.Contains(explained, f.Name) || !strings.Contains(explained, f.Example) {
			t.Errorf("Explain leaves %s out", f.Name)
		}
	}
	// What stands in code fences of the document compiles.
	for _, part := range strings.Split(string(doc), "--select '")[1:] {
		expr, _, _ := strings.Cut(part, "'")
		if _, err := Compile(expr); err != nil {
			t.Errorf("documented: %s: %v", expr, err)
		}
	}
}

// FuzzCompile: any text is taken or refused at a place inside it, and what is
// taken evaluates everywhere without an error.
func FuzzCompile(f *testing.F) {
	f.Add(example)
	for _, field := range Fields() {
		f.Add(field.Example)
	}
	f.Add(`not (1 < http.status or "a" == kind) and IsMatch(error, "^r(es|x)et\\b")`)
	f.Add(`((http.duration >= 0x1 and true`)
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := Compile(expr)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Msg == "" {
				t.Fatalf("%q: %#v", expr, err)
			}
			if lines := strings.Split(expr, "\n"); e.Line > len(lines) || e.Column > len(lines[e.Line-1])+1 {
				t.Fatalf("%q: position %s is outside", expr, e.Pos())
			}
			return
		}
		first := selected(t, s)
		if again := selected(t, s); first != again {
			t.Fatalf("%q selects %s, then %s", expr, first, again)
		}
	})
}

func BenchmarkSelect(b *testing.B) {
	for _, name := range []string{"ok", "503", "refused", "icmp"} {
		for _, o := range observations {
			if o.name != name {
				continue
			}
			b.Run(name, func(b *testing.B) {
				s, err := Compile(example)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					s.Observation(o.o)
				}
			})
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(example); err != nil {
			b.Fatal(err)
		}
	}
}
