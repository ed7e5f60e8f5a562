package dns

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// build makes a message with dnsmessage.
func build(t testing.TB, m dnsmessage.Message) []byte {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ask(id uint16, name string, typ dnsmessage.Type) dnsmessage.Message {
	return dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}},
	}
}

func reply(q dnsmessage.Message, rcode dnsmessage.RCode, answers ...dnsmessage.Resource) dnsmessage.Message {
	q.Response, q.RCode, q.Answers = true, rcode, answers
	return q
}

func record(name string, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: 5}, Body: body}
}

func edns(m dnsmessage.Message, rcode dnsmessage.RCode) dnsmessage.Message {
	var h dnsmessage.ResourceHeader
	if err := h.SetEDNS0(1232, rcode, false); err != nil {
		panic(err)
	}
	m.Header.RCode = rcode & 0xf
	m.Additionals = append(m.Additionals, dnsmessage.Resource{Header: h, Body: &dnsmessage.OPTResource{}})
	return m
}

var a4 = &dnsmessage.AResource{A: [4]byte{10, 0, 0, 7}}

func TestParse(t *testing.T) {
	q := ask(7, "App.Example.", dnsmessage.TypeA)
	truncated := reply(q, 0)
	truncated.Truncated = true
	empty := reply(q, dnsmessage.RCodeFormatError)
	empty.Questions = nil
	for name, c := range map[string]struct {
		m                                   dnsmessage.Message
		answer, truncated, question, nodata bool
		rcode                               uint16
	}{
		"query":              {m: q, question: true},
		"query with EDNS":    {m: edns(q, 0), question: true},
		"answer":             {m: reply(q, 0, record("app.example.", a4)), answer: true, question: true},
		"answer by CNAME":    {m: reply(q, 0, record("app.example.", &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("x.example.")}), record("x.example.", a4)), answer: true, question: true},
		"CNAME to nothing":   {m: reply(q, 0, record("app.example.", &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("x.example.")})), answer: true, question: true, nodata: true},
		"no data":            {m: reply(q, 0), answer: true, question: true, nodata: true},
		"NXDOMAIN":           {m: reply(q, dnsmessage.RCodeNameError), answer: true, question: true, nodata: true, rcode: 3},
		"extended rcode":     {m: edns(reply(q, 0), 23), answer: true, question: true, nodata: true, rcode: 23},
		"truncated":          {m: truncated, answer: true, truncated: true, question: true, nodata: true},
		"without a question": {m: empty, answer: true, nodata: true, rcode: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var m message
			if !m.parse(build(t, c.m)) {
				t.Fatal("refused")
			}
			if m.id != 7 || m.answer != c.answer || m.truncated != c.truncated || m.hasQuestion != c.question || m.rcode != c.rcode {
				t.Errorf("id %d, answer %v, truncated %v, question %v, rcode %d", m.id, m.answer, m.truncated, m.hasQuestion, m.rcode)
			}
			if c.answer && (m.whole && !m.match) != c.nodata {
				t.Errorf("no data: whole %v, match %v", m.whole, m.match)
			}
			if c.question && (m.typ != 1 || string(appendName(nil, m.name[:m.nameLen])) != "app.example") {
				t.Errorf("type %d, name %q", m.typ, appendName(nil, m.name[:m.nameLen]))
			}
		})
	}
}

// TestRefused changes a good query or answer until it is none.
func TestRefused(t *testing.T) {
	query := build(t, ask(7, "app.example.", dnsmessage.TypeA))
	answer := build(t, reply(ask(7, "app.example.", dnsmessage.TypeA), 0, record("app.example.", a4)))
	set := func(b []byte, at int, v ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], v)
		return b
	}
	long := append(bytes.Clone(query[:12]), bytes.Repeat([]byte("\x3f"+strings.Repeat("a", 63)), 4)...)
	for name, b := range map[string][]byte{
		"empty":                             nil,
		"header cut":                        query[:11],
		"query cut within the name":         query[:15],
		"query cut within the type":         query[:len(query)-1],
		"opcode NOTIFY":                     set(query, 2, 4<<3),
		"Z bit":                             set(query, 3, 0x40),
		"rcode in a query":                  set(query, 3, 3),
		"two questions":                     set(query, 5, 2),
		"no question":                       set(query, 5, 0),
		"answers in a query":                set(query, 7, 1),
		"type 0":                            set(query, len(query)-4, 0, 0),
		"type OPT":                          set(query, len(query)-4, 0, 41),
		"label of 64":                       set(query, 12, 64),
		"pointer to itself in the question": set(query, 12, 0xc0, 12),
		"name of 257":                       append(long, 0, 0, 1, 0, 1),
		"answer with a bad label":           set(answer, 12, 0x80),
	} {
		if new(message).parse(b) {
			t.Errorf("%s: taken", name)
		}
	}
	// What follows the question of an answer may be broken: the code stands.
	for _, b := range [][]byte{set(answer, 29, 0xc0, 0xff), set(answer, 29, 0xc0, 29), answer[:len(answer)-1], answer[:31], answer[:14]} {
		var m message
		if !m.parse(b) || m.whole || !m.answer || m.rcode != 0 {
			t.Errorf("%x: whole %v", b, m.whole)
		}
	}
}

func TestNames(t *testing.T) {
	label := func(parts ...string) []byte {
		var b []byte
		for _, p := range parts {
			b = append(append(b, byte(len(p))), p...)
		}
		return append(b, 0)
	}
	l63 := strings.Repeat("a", 63)
	for _, c := range []struct {
		wire []byte
		want string
	}{
		{label(), "."},
		{label("db"), "db"},
		{label("_grpc", "_tcp", "a"), "_grpc._tcp.a"},
		{label("a.b", `c\`, `"`), `a\.b.c\\.\"`},
		{label("\x00 \xff", "x"), `\000\032\255.x`},
		{label(l63, l63, l63, l63[:61]), l63 + "." + l63 + "." + l63 + "." + l63[:61]}, // 253 bytes
		{label(strings.Repeat("\x01", 63), "abc"), strings.Repeat(`\001`, 63)},         // 252 bytes, and no room for more than a dot
	} {
		got := string(appendName(nil, c.wire))
		if got != c.want && got != c.want+"." || len(got) > maxText {
			t.Errorf("%q (%d bytes), want %q", got, len(got), c.want)
		}
	}
}

// FuzzParse compares with dnsmessage: what both take means the same, and what
// is a whole query to it is one to us.
func FuzzParse(f *testing.F) {
	q := ask(7, "App.Example.", dnsmessage.TypeA)
	for _, m := range []dnsmessage.Message{
		q, edns(q, 0), reply(q, 0, record("app.example.", a4)), edns(reply(q, 3), 3), reply(q, 2),
		reply(q, 0, record("app.example.", &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("x.example.")}), record("x.example.", a4)),
	} {
		f.Add(build(f, m))
	}
	f.Add([]byte("\x00\x07\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m message
		ok := m.parse(b)
		text := appendName(nil, m.name[:m.nameLen])
		if len(text) > maxText {
			t.Fatalf("a name of %d bytes", len(text))
		}
		compare(t, b, &m, ok)
	})
}

func compare(t *testing.T, b []byte, m *message, ok bool) {
	t.Helper()
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil {
		if ok {
			t.Fatalf("dnsmessage says %v", err)
		}
		return
	}
	qs, err := p.AllQuestions()
	plain := len(qs) == 1 && h.OpCode == 0 && !bytes.Contains(b[headerLen:], []byte{0xc0}) && b[5] == 1 && b[4] == 0
	if !ok {
		query := !h.Response && h.RCode == 0 && b[3]&0x40 == 0 && b[6]|b[7] == 0
		if err == nil && plain && (h.Response || query) && qs[0].Type != 0 && qs[0].Type != typeOPT {
			if b[headerLen] < 0xc0 {
				t.Fatalf("refused, though it is a message: %v %v", h, qs)
			}
		}
		return
	}
	if h.ID != m.id || h.Response != m.answer || h.Truncated != m.truncated || uint16(h.RCode) != m.rcode&0xf {
		t.Fatalf("header %v, ours %+v", h, m)
	}
	if !m.hasQuestion {
		return
	}
	// dnsmessage writes labels with dots between them, and refuses dots within.
	var name []byte
	for at := 0; m.name[at] != 0; at += 1 + int(m.name[at]) {
		label := m.name[at+1 : at+1+int(m.name[at])]
		if err != nil && bytes.IndexByte(label, '.') >= 0 {
			return
		}
		name = append(append(name, label...), '.')
	}
	if err != nil || len(qs) != 1 || uint16(qs[0].Type) != m.typ {
		t.Fatalf("questions %v, %v, ours %d %q", qs, err, m.typ, name)
	}
	if want := lower(qs[0].Name.Data[:qs[0].Name.Length]); string(name) != want && want != "." {
		t.Fatalf("name %q, ours %q", want, name)
	}
	if m.answer && m.whole {
		compareRecords(t, &p, m)
	}
}

func lower(b []byte) string {
	b = bytes.Clone(b)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// compareRecords compares the types of the answers, where dnsmessage reads them.
func compareRecords(t *testing.T, p *dnsmessage.Parser, m *message) {
	t.Helper()
	match := false
	for {
		h, err := p.AnswerHeader()
		if err == dnsmessage.ErrSectionDone {
			break
		}
		if err != nil || p.SkipAnswer() != nil {
			return // stricter: it follows names
		}
		match = match || uint16(h.Type) == m.typ || m.typ == typeANY
	}
	if match != m.match {
		t.Fatalf("an answer of the type: %v, ours %v", match, m.match)
	}
}
