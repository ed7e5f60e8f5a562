package tls

import (
	"slices"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// ext makes an extension.
func ext(typ int, body string) string { return u16(typ) + u16(len(body)) + body }

// names makes a ServerNameList of host names.
func names(hosts ...string) string {
	var s string
	for _, h := range hosts {
		s += "\x00" + u16(len(h)) + h
	}
	return u16(len(s)) + s
}

// protocols makes a ProtocolNameList.
func protocols(ps ...string) string {
	var s string
	for _, p := range ps {
		s += string([]byte{byte(len(p))}) + p
	}
	return u16(len(s)) + s
}

func TestExtensions(t *testing.T) {
	long := strings.Repeat("a", 255)
	for _, tt := range []struct {
		name, ext string
		want      string
	}{
		{"none", "", "0303 sni= alpn="},
		{"name", ext(0, names("example.com")), "0303 sni=example.com alpn="},
		{"name of 255 bytes", ext(0, names(long)), "0303 sni=" + long + " alpn="},
		{"name of 256 bytes", ext(0, names(long+"a")), "0303 sni= alpn="},
		{"empty name", ext(0, names("")), "0303 sni= alpn="},
		{"empty extension", ext(0, ""), "0303 sni= alpn="},
		{"empty list", ext(0, "\x00\x00"), "0303 sni= alpn="},
		{"two names: the first", ext(0, names("a.example", "b.example")), "0303 sni=a.example alpn="},
		{"twice: the first", ext(0, names("a.example")) + ext(0, names("b.example")), "0303 sni=a.example alpn="},
		{"other name type", ext(0, "\x00\x06\x01\x00\x03abc"), "0303 sni= alpn="},
		{"name longer than the list", ext(0, "\x00\x06\x00\x00\x04abc"), "0303 sni= alpn="},
		{"list longer than the extension", ext(0, "\x00\x07\x00\x00\x03abc"), "0303 sni= alpn="},
		{"control bytes", ext(0, names("a\nb.example")), "0303 sni= alpn="},
		{"escape sequence", ext(0, names("\x1b[31m.example")), "0303 sni= alpn="},
		{"not ASCII", ext(0, names("b\xc3\xbccher.example")), "0303 sni= alpn="},
		{"space", ext(0, names("a b")), "0303 sni= alpn="},
		{"underscore", ext(0, names("_x.example")), "0303 sni=_x.example alpn="},
		{"punycode", ext(0, names("xn--bcher-kva.example")), "0303 sni=xn--bcher-kva.example alpn="},

		{"alpn", ext(16, protocols("h2", "http/1.1")), "0303 sni= alpn=h2,http/1.1"},
		{"alpn with GREASE", ext(16, protocols("\x8a\x8a", "h2")), "0303 sni= alpn=h2"},
		{"alpn with a comma", ext(16, protocols("a,b", "h2")), "0303 sni= alpn=h2"},
		{"alpn with an empty name", ext(16, protocols("h2", "", "h3")), "0303 sni= alpn="},
		{"alpn cut", ext(16, "\x00\x04\x02h2\x05"), "0303 sni= alpn="},
		{"alpn empty", ext(16, protocols()), "0303 sni= alpn="},
		{"alpn too many", ext(16, protocols(long[:200], long[:100], "h2")), "0303 sni= alpn=" + long[:200] + ",h2"},

		{"versions", ext(43, "\x04\x03\x04\x03\x03"), "0304 sni= alpn="},
		{"versions in another order", ext(43, "\x06\x03\x01\x03\x04\x03\x03"), "0304 sni= alpn="},
		{"versions with GREASE", ext(43, "\x04\xfa\xfa\x03\x03"), "0303 sni= alpn="},
		{"versions GREASE alone", ext(43, "\x02\xfa\xfa"), "0303 sni= alpn="},
		{"versions lower than the field", ext(43, "\x02\x03\x02"), "0302 sni= alpn="},
		{"draft", ext(43, "\x02\x7f\x1c"), "0304 sni= alpn="},
		{"versions odd", ext(43, "\x03\x03\x04\x03"), "0303 sni= alpn="},
		{"versions cut", ext(43, "\x06\x03\x04"), "0303 sni= alpn="},

		{"ech", ext(0xfe0d, "whatever"), "0303 sni= alpn= ech"},
		{"unknown and GREASE", ext(0x0a0a, "") + ext(0xff01, "\x00") + ext(0, names("example.com")) + ext(0xfafa, "\x00"),
			"0303 sni=example.com alpn="},
		{"padding", ext(21, strings.Repeat("\x00", 9000)) + ext(0, names("example.com")), "0303 sni=example.com alpn="},
		{"beyond what is kept", ext(16, protocols(slices.Repeat([]string{long}, 5)...)) + ext(0, names("example.com")),
			"0303 sni=example.com alpn="},
		{"all", ext(0, names("example.com")) + ext(16, protocols("h2")) + ext(43, "\x02\x03\x04") + ext(0xfe0d, ""),
			"0304 sni=example.com alpn=h2 ech"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, cut := range []int{0, 1, 9} {
				l := hear(t, []chunk{{capture.Client, []byte(helloWith(tt.ext))}}, cut)
				if got, want := l.lines(), []string{"client hello " + tt.want}; !slices.Equal(got, want) {
					t.Errorf("cut %d: got %q, want %q", cut, got, want)
				}
			}
		})
	}
}

// TestSplitRecords cuts a hello into two records at every place.
func TestSplitRecords(t *testing.T) {
	hello := helloWith(ext(0, names("example.com")) + ext(16, protocols("h2", "http/1.1")) + ext(43, "\x02\x03\x04"))
	want := []string{"client hello 0304 sni=example.com alpn=h2,http/1.1"}
	for n := 1; n < len(hello)-recordHeader; n++ {
		s := split(hello, n)
		if Detect([]byte(s)) != Yes {
			t.Errorf("split after %d bytes: not detected", n)
		}
		for _, cut := range []int{0, 1} {
			if got := hear(t, []chunk{{capture.Client, []byte(s)}}, cut).lines(); !slices.Equal(got, want) {
				t.Errorf("split after %d bytes, cut %d: %q", n, cut, got)
			}
		}
	}
	// Every byte in a record of its own.
	var s string
	for i := recordHeader; i < len(hello); i++ {
		s += hello[:3] + "\x00\x01" + hello[i:i+1]
	}
	if got := hear(t, []chunk{{capture.Client, []byte(s)}}, 0).lines(); !slices.Equal(got, want) {
		t.Errorf("a record for each byte: %q", got)
	}
}

// TestDamage: a hello that is cut short or of which one length is wrong never
// makes the Handler say a name that was not there.
func TestDamage(t *testing.T) {
	hello := helloWith(ext(0, names("example.com")) + ext(16, protocols("h2", "http/1.1")))
	for at := range len(hello) {
		for _, by := range []byte{1, 0x80, 0xff} {
			for _, line := range hear(t, []chunk{{capture.Client, []byte(damage(hello, at, by))}}, 0).lines() {
				if name, ok := strings.CutPrefix(line, "client hello "); ok {
					i := strings.Index(name, "sni=")
					host, _, _ := strings.Cut(name[i+4:], " ")
					if len(host) != 0 && len(host) > 12 {
						t.Errorf("byte %d by %d: %q", at, by, line)
					}
				}
			}
		}
	}
	for n := range len(hello) {
		if got := hear(t, []chunk{{capture.Client, []byte(hello[:n])}}, 0).lines(); len(got) != 0 {
			t.Errorf("%d bytes of a hello: %q", n, got)
		}
	}
}
