package exporter

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTarget(t *testing.T) {
	for _, c := range []struct {
		mode     Redaction
		in, want string
	}{
		{RedactSensitive, "/a?b=c", "/a?b=c"},
		{RedactSensitive, "*", "*"},
		{RedactSensitive, "/?color=blue&sig=abc", "/?color=blue&sig=REDACTED"},
		{RedactSensitive, "/?x=1#token=2", "/?x=1#token=REDACTED"},
		{RedactSensitive, "http://user:secret@host/a?b=c", "http://REDACTED:REDACTED@host/a?b=c"},
		{RedactSensitive, "http://user:se@cret@host", "http://REDACTED:REDACTED@host"},
		{RedactSensitive, "http://host/a@b", "http://host/a@b"},
		{RedactSensitive, "/redirect?to=http://a", "/redirect?to=http://a"},
		{RedactOff, "/?token=1", "/?token=1"},
		{RedactOff, "http://u:p@h/", "http://REDACTED:REDACTED@h/"},
		{RedactSensitive, "user:secret@host:443", "REDACTED:REDACTED@host:443"}, // of CONNECT
		{RedactOff, "user:secret@host:443", "REDACTED:REDACTED@host:443"},
		{RedactSensitive, "//user:secret@host/a", "//REDACTED:REDACTED@host/a"},
		{RedactSensitive, "http:/user:secret@host/a", "http:/REDACTED:REDACTED@host/a"},
		{RedactSensitive, "/proxy/http://user:secret@host/a", "/proxy/http://REDACTED:REDACTED@host/a"},
		{RedactSensitive, "/r?to=http://user:secret@host/a&x=1", "/r?to=REDACTED&x=1"},
		{RedactSensitive, "/r?to=http%3A%2F%2Fuser%3Asecret%40host", "/r?to=REDACTED"},
		{RedactSensitive, "/r?http://user:secret@host/", "/r?REDACTED"},
		{RedactSensitive, "/r?to=http://host:80/@a:b&user=bob@host", "/r?to=http://host:80/@a:b&user=bob@host"},
		{RedactSensitive, "/@user:host/bob@host", "/@user:host/bob@host"},
		{RedactSensitive, "/cb#id=1&code=secret", "/cb#id=1&code=REDACTED"},
		{RedactSensitive, "/cb#id=1?code=secret", "/cb#id=1?code=REDACTED"},
		{RedactSensitive, "/a\x1b[31m\r\nb\xff", "/a\ufffd[31m\ufffd\ufffdb\ufffd"},
	} {
		if got := NewRedactor(c.mode, nil).Target([]byte(c.in)); got != c.want {
			t.Errorf("mode %s: Target(%q) = %q, want %q", c.mode, c.in, got, c.want)
		}
	}
}

func TestRedactionCheck(t *testing.T) {
	for _, r := range []Redaction{RedactSensitive, RedactAll, RedactOff} {
		if err := r.Check(); err != nil {
			t.Error(err)
		}
	}
	if Redaction("some").Check() == nil {
		t.Error("no error for an unknown mode")
	}
}

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
		{"sensitive", "a=1#token=x", "a=1#token=REDACTED"},
		{"all", "id=3f2504e0-4f89-11d3-9a0c-0305e82c3301&9f86d081884c7d659a2feaa0c55ad015", "id=REDACTED&REDACTED"},
		// Neither a key that names a secret nor a JSON Web Token.
		{"sensitive", "to=jane.doe%40example.org&id=3f2504e0-4f89-11d3-9a0c-0305e82c3301", "to=jane.doe%40example.org&id=3f2504e0-4f89-11d3-9a0c-0305e82c3301"},
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
		r := NewRedactor(Redaction(c.mode), nil)
		if got := string(r.Query(nil, []byte(c.in))); got != c.want {
			t.Errorf("%s %q:\n got %q\nwant %q", c.mode, c.in, got, c.want)
		}
	}
}

func TestRedactOwnKeys(t *testing.T) {
	r := NewRedactor(RedactSensitive, []string{"Customer-No"})
	if got := string(r.Query(nil, []byte("customer_no=17&token=x"))); got != "customer_no=REDACTED&token=x" {
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
		if got := string(NewRedactor(RedactAll, nil).Path(nil, []byte(in))); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"/u/jane@example.org/3f2504e0-4f89-11d3-9a0c-0305e82c3301": "/u/jane@example.org/3f2504e0-4f89-11d3-9a0c-0305e82c3301",
		"/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln":             "/t/{redacted}",
		"/a;jsessionid=0123456789ABCDEF":                           "/a;jsessionid=REDACTED",
	} {
		if got := string(NewRedactor(RedactSensitive, nil).Path(nil, []byte(in))); got != want {
			t.Errorf("sensitive %q: got %q, want %q", in, got, want)
		}
	}
	if got := string(NewRedactor(RedactOff, nil).Path(nil, []byte("/u/jane@example.org"))); got != "/u/jane@example.org" {
		t.Errorf("off: %q", got)
	}
}

// FuzzTarget looks for a way to smuggle a secret past the redaction.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"", "/?a=1&", "/?a=1;", "/?%", "http://x@y/?", "/?a#", "/#a="} {
		f.Add(s)
	}
	const canary = "c4n4ry-c4n4ry"
	f.Fuzz(func(t *testing.T, prefix string) {
		if strings.Contains(prefix, canary) {
			return
		}
		sep := "?"
		if strings.Contains(prefix, "?") {
			sep = "&"
		}
		got := NewRedactor(RedactSensitive, nil).Target([]byte(prefix + sep + "token=" + canary))
		if strings.Contains(got, canary) {
			t.Errorf("%q lets the secret through: %q", prefix, got)
		}
		if !utf8.ValidString(got) {
			t.Errorf("not valid UTF-8: %q", got)
		}
	})
}
