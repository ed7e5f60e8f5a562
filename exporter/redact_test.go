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
		{RedactSensitive, "/a", "/a"},
		{RedactSensitive, "*", "*"},
		{RedactSensitive, "/?color=blue&sig=abc", "/?color=blue&sig=REDACTED"},
		{RedactSensitive, "/?X-Amz-Signature=1&x-amz-signature=2", "/?X-Amz-Signature=REDACTED&x-amz-signature=REDACTED"},
		{RedactSensitive, "/?%74oken=1", "/?%74oken=REDACTED"},
		{RedactSensitive, "/?%2574oken=1", "/?%2574oken=REDACTED"},
		{RedactSensitive, "/?a=1;PassWord=2;b=3", "/?a=1;PassWord=REDACTED;b=3"},
		{RedactSensitive, "/?token=a=b&x", "/?token=REDACTED&x"},
		{RedactSensitive, "/?token=&x=1", "/?token=&x=1"},
		{RedactSensitive, "/?user[password]=1&a.token=2", "/?user[password]=REDACTED&a.token=REDACTED"},
		{RedactSensitive, "/?x=1#token=2", "/?x=1#token=REDACTED"},
		{RedactSensitive, "http://user:secret@host/a?b=c", "http://REDACTED:REDACTED@host/a?b=c"},
		{RedactSensitive, "http://user:se@cret@host", "http://REDACTED:REDACTED@host"},
		{RedactSensitive, "http://host/a@b", "http://host/a@b"},
		{RedactSensitive, "/redirect?to=http://a", "/redirect?to=http://a"},
		{RedactAll, "/?a=1&b=&c", "/?a=REDACTED&b=&c"},
		{RedactOff, "/?token=1", "/?token=1"},
		{RedactOff, "http://u:p@h/", "http://REDACTED:REDACTED@h/"},
		{RedactSensitive, "/a\x1b[31m\r\nb\xff", "/a\ufffd[31m\ufffd\ufffdb\ufffd"},
	} {
		if got := c.mode.Target([]byte(c.in)); got != c.want {
			t.Errorf("mode %d: Target(%q) = %q, want %q", c.mode, c.in, got, c.want)
		}
	}
}

func TestParseRedaction(t *testing.T) {
	for s, want := range map[string]Redaction{"": RedactSensitive, "sensitive": RedactSensitive, "all": RedactAll, "off": RedactOff} {
		if got, err := ParseRedaction(s); err != nil || got != want {
			t.Errorf("ParseRedaction(%q) = %v, %v", s, got, err)
		}
	}
	if _, err := ParseRedaction("some"); err == nil {
		t.Error("no error for an unknown mode")
	}
}

// FuzzTarget looks for a way to smuggle a secret past the redaction.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"", "/?a=1&", "/?a=1;", "/?%", "http://x@y/?", "/?a#"} {
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
		got := RedactTarget([]byte(prefix + sep + "token=" + canary))
		if strings.Contains(got, canary) {
			t.Errorf("%q lets the secret through: %q", prefix, got)
		}
		if !utf8.ValidString(got) {
			t.Errorf("not valid UTF-8: %q", got)
		}
	})
}
