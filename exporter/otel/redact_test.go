package otel

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/exporter"
)

// spanBytes exports one exchange and returns its encoded span.
func spanBytes(e *Exporter, ex *capture.Exchange) []byte {
	var f facts
	e.spans.examine(&f, ex)
	return e.spans.build(nil, &f)
}

// No secret of these shapes leaves, wherever a request carries it.
func TestCanaries(t *testing.T) {
	const canary = "cAnArY0123456789secretVALUE"
	e := start(t, Config{Redaction: exporter.RedactAll})
	for _, target := range []string{
		"/a?token=%s", "/a?%%74oken=%s", "/a?x=1;password=%s", "/a?q=%s", "/%s", "/a/%s/b", "/a/%s.json?x", "/a?%s", "/a?%s=1",
		"http://user:%s@h/", "http://%s@h/a?b", "/a#%s", "/a?x=1#token=%s", "/a;sid=%s", "/a?user[password]=%s", "/a?a=b?token=%s",
		"/a?next=/login?token=%s", "/a?next=https%%3A%%2F%%2Fh%%2F%%3Ftoken%%3D%s",
	} {
		for _, role := range []capture.Role{capture.RoleServer, capture.RoleClient} {
			var b capture.Batch
			ex := exchange(&b, role)
			text := strings.ReplaceAll(strings.Replace(target, "%s", canary, 1), "%%", "%")
			ex.Target = []byte(text)
			if got := spanBytes(e, ex); bytes.Contains(got, []byte(canary)) {
				t.Errorf("%s leaks: %q", text, got)
			}
		}
	}
	for _, name := range []string{"Authorization", "COOKIE", "set-cookie", "Proxy-Authorization", "X-Api-Key"} {
		var b capture.Batch
		ex := exchange(&b, capture.RoleServer)
		ex.RequestHeaders = []capture.Header{{Name: []byte(name), Value: []byte(canary)}}
		ex.ResponseHeaders = ex.RequestHeaders
		if got := spanBytes(e, ex); bytes.Contains(got, []byte(canary)) {
			t.Errorf("header %s leaks", name)
		}
	}
	ex := exchange(new(capture.Batch), capture.RoleClient)
	ex.Target, ex.Host = []byte("/"), []byte("joe:"+canary+"@host")
	if got := spanBytes(e, ex); bytes.Contains(got, []byte(canary)) || !bytes.Contains(got, []byte("http://REDACTED:REDACTED@host/")) {
		t.Errorf("user information in Host: %q", got)
	}
}

// Whatever stands around it, the value of a secret key does not come through,
// and what does is valid text without control characters.
func FuzzRedact(f *testing.F) {
	f.Add("/a", "x=1", "token")
	f.Add("/a/b;c", "%25", "PASSWORD")
	f.Add("", ";&==&", "api_key")
	const canary = "zQ7canaryVALUE93xk"
	f.Fuzz(func(t *testing.T, path, query, key string) {
		e := &spanBuilder{texts: newTexts(0), redactor: exporter.NewRedactor(exporter.RedactSensitive, nil)}
		if strings.EqualFold(key, "token") {
			q := e.redactor.Query(nil, []byte(query+"&"+key+"="+canary+"&"+query))
			if bytes.Contains(q, []byte(canary)) {
				t.Errorf("key %q: %q", key, q)
			}
		}
		all := exporter.NewRedactor(exporter.RedactAll, nil).Query(nil, []byte("a="+canary+"&"+query))
		if bytes.Contains(all, []byte(canary)) {
			t.Errorf("mode all: %q", all)
		}
		for _, s := range []string{
			e.texts.url(e.redactor.Path(nil, []byte(path)), limitPath),
			e.texts.url(e.redactor.Query(nil, []byte(query)), limitPath),
			e.texts.clean([]byte(key), limitOther),
		} {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, isUnsafe) || len(s) > limitPath {
				t.Errorf("text %q", s)
			}
		}
	})
}

func TestTextIsMadeSafe(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                  "plain",
		"a\r\nX: y":              `a\x0D\x0AX: y`,
		"\x1b[2J":                `\x1B[2J`,
		"nul\x00":                `nul\x00`,
		"\xff\xfe":               `\xFF\xFE`,
		"grün":                   "grün",
		"\u202egnp.exe":          `\xE2\x80\xAEgnp.exe`,
		"\u2028":                 `\xE2\x80\xA8`,
		"\u0085":                 `\xC2\x85`,
		"%n%s":                   "%n%s",
		strings.Repeat("ü", 100): strings.Repeat("ü", 64),
	} {
		if got := newTexts(0).clean([]byte(in), limitOther); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := safe("a:\n  b\x1b\xff\n", true); got != "a:\n  b\\x1B\\xFF\n" {
		t.Errorf("lines: %q", got)
	}
	if got := safe("a\nb", false); got != `a\x0Ab` {
		t.Errorf("one line: %q", got)
	}
	if got := newTexts(0).url([]byte("/a\r\n\u202eb"), limitPath); got != "/a%0D%0A%E2%80%AEb" {
		t.Errorf("url: %q", got)
	}
	if got := newTexts(5).url([]byte("/abcdefgh"), limitPath); got != "/abcd" {
		t.Errorf("limit: %q", got)
	}
	// Caches are bounded.
	x := newTexts(0)
	for i := range 3 * maxInterned {
		x.clean([]byte{byte('a' + i%26), byte('a' + i/26%26), byte('a' + i/676%26)}, limitOther)
		x.addr(capture.Endpoint{Addr: [16]byte{byte(i), byte(i >> 8)}})
	}
	if len(x.known) > maxInterned || len(x.addrs) > maxInterned {
		t.Errorf("caches hold %d and %d", len(x.known), len(x.addrs))
	}
}
