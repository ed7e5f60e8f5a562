package otel

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wiretell/wiretell/capture"
)

func TestRedactQuery(t *testing.T) {
	for _, c := range []struct{ mode, in, want string }{
		{"sensitive", "color=blue&sig=abc", "color=blue&sig=REDACTED"},
		// The conventions' list.
		{"sensitive", "AWSAccessKeyId=a&Signature=b&sig=c&X-Goog-Signature=d", "AWSAccessKeyId=REDACTED&Signature=REDACTED&sig=REDACTED&X-Goog-Signature=REDACTED"},
		{"sensitive", "X-Amz-Signature=a&X-Amz-Credential=b&X-Amz-Security-Token=c", "X-Amz-Signature=REDACTED&X-Amz-Credential=REDACTED&X-Amz-Security-Token=REDACTED"},
		// The common ones of signals.md.
		{"sensitive", "token=a&access_token=b&password=c&jwt=d&sid=e&otp=f&api_key=g", "token=REDACTED&access_token=REDACTED&password=REDACTED&jwt=REDACTED&sid=REDACTED&otp=REDACTED&api_key=REDACTED"},
		// Evasion: case, encoding once and twice, separators, repeats, empties.
		{"sensitive", "PassWord=x&ToKeN=y", "PassWord=REDACTED&ToKeN=REDACTED"},
		{"sensitive", "%74oken=x&t%6fken=y&%2574oken=z", "%74oken=REDACTED&t%6fken=REDACTED&%2574oken=REDACTED"},
		{"sensitive", "a=1;token=x;b=2", "a=1;token=REDACTED;b=2"},
		{"sensitive", "token=x&token=y&token=", "token=REDACTED&token=REDACTED&token="},
		{"sensitive", "user[password]=x&filter.token=y", "user[password]=REDACTED&filter.token=REDACTED"},
		{"sensitive", "user%5Bpin%5D=1234", "user%5Bpin%5D=REDACTED"},
		{"sensitive", "+token=x&%20sid=y", "+token=REDACTED&%20sid=REDACTED"},
		{"sensitive", "q=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "q=REDACTED"},
		{"sensitive", "to=jane.doe%40example.org&q=me@example.org", "to=REDACTED&q=REDACTED"},
		{"sensitive", "id=3f2504e0-4f89-11d3-9a0c-0305e82c3301", "id=REDACTED"},
		{"sensitive", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "REDACTED"},
		{"sensitive", "token=a=b=c", "token=REDACTED"},
		// What is no secret stays.
		{"sensitive", "page=2&sort=name&q=blue+shoes", "page=2&sort=name&q=blue+shoes"},
		{"sensitive", "monkey=1&keyboard=2&design=3&zipcode=4", "monkey=1&keyboard=2&design=3&zipcode=4"},
		{"sensitive", "", ""},
		{"sensitive", "&&", "&&"},
		{"all", "color=blue&flag&empty=", "color=REDACTED&flag&empty="},
		{"off", "token=x", "token=x"},
	} {
		r := newRedactor(Redaction(c.mode), nil)
		if got := string(r.query(nil, []byte(c.in))); got != c.want {
			t.Errorf("%s %q:\n got %q\nwant %q", c.mode, c.in, got, c.want)
		}
	}
}

func TestRedactOwnKeys(t *testing.T) {
	r := newRedactor(RedactSensitive, []string{"Customer-No"})
	if got := string(r.query(nil, []byte("customer_no=17&token=x"))); got != "customer_no=REDACTED&token=x" {
		t.Errorf("got %q", got)
	}
}

func TestRedactPath(t *testing.T) {
	for in, want := range map[string]string{
		"/users/42/orders":                    "/users/42/orders",
		"/":                                   "/",
		"*":                                   "*",
		"":                                    "",
		"/a//b/":                              "/a//b/",
		"/top-10-restaurants-in-the-old-town": "/top-10-restaurants-in-the-old-town",
		"/verylongwordsofasluginasciiletters": "/verylongwordsofasluginasciiletters",
		"/2026-11-22/report":                  "/2026-11-22/report",
		"/o/3f2504e0-4f89-11d3-9a0c-0305e82c3301/x":    "/o/{redacted}/x",
		"/reset/9f86d081884c7d659a2feaa0c55ad015":      "/reset/{redacted}",
		"/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln": "/t/{redacted}",
		"/u/jane@example.org":                          "/u/{redacted}",
		"/u/jane%40example.org":                        "/u/{redacted}",
		"/s/AKIAIOSFODNN7EXAMPLEKEY":                   "/s/{redacted}",
		"/s/wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY":    "/s/{redacted}",
		"/s/sk-live-4eC39HqLyjWDarjtT1zdp7dc":          "/s/{redacted}",
		"/a;jsessionid=0123456789ABCDEF":               "/a;jsessionid=REDACTED",
		"/9f86d081884c7d659a2feaa0c55ad015.json":       "/{redacted}",
	} {
		if got := string(newRedactor(RedactSensitive, nil).path(nil, []byte(in))); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := string(newRedactor(RedactOff, nil).path(nil, []byte("/u/jane@example.org"))); got != "/u/jane@example.org" {
		t.Errorf("off: %q", got)
	}
}

// spanBytes exports one exchange and returns its encoded span.
func spanBytes(e *Exporter, ex *capture.Exchange) []byte {
	var f facts
	e.spans.examine(&f, ex)
	return e.spans.build(nil, &f)
}

// No secret of these shapes leaves, wherever a request carries it.
func TestCanaries(t *testing.T) {
	const canary = "cAnArY0123456789secretVALUE"
	e := start(t, Config{})
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
		e := &spanBuilder{texts: newTexts(0), redactor: newRedactor(RedactSensitive, nil)}
		if e.redactor.secretKey([]byte(key)) && !strings.ContainsAny(key, "&;=#?") {
			q := e.redactor.query(nil, []byte(query+"&"+key+"="+canary+"&"+query))
			if bytes.Contains(q, []byte(canary)) {
				t.Errorf("key %q: %q", key, q)
			}
		}
		all := newRedactor(RedactAll, nil).query(nil, []byte("a="+canary+"&"+query))
		if bytes.Contains(all, []byte(canary)) {
			t.Errorf("mode all: %q", all)
		}
		for _, s := range []string{
			e.texts.url(e.redactor.path(nil, []byte(path)), limitPath),
			e.texts.url(e.redactor.query(nil, []byte(query)), limitPath),
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
