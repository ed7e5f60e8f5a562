package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// fuzzScript makes packets of data: a control byte (side, loss, end, length) and
// as many bytes as it says.
func fuzzScript(data []byte) (script []packet, lossy bool) {
	for len(data) > 0 && len(script) < 200 {
		op := data[0]
		data = data[1:]
		p := packet{from: capture.Side(op & 1)}
		n := min(int(op>>3)*8+1, len(data))
		p.data, data = string(data[:n]), data[n:]
		switch op >> 1 & 3 {
		case 1:
			p.lost, lossy = true, true
		case 2:
			if len(p.data) > 200 {
				p.end = capture.ReasonReset
			}
		}
		script = append(script, p)
	}
	return script, lossy
}

// encode is the reverse of fuzzScript, for seeds.
func encode(script []packet) []byte {
	var out []byte
	for _, p := range script {
		for b := p.data; len(b) > 0; {
			n := 1
			for n+8 <= len(b) && n+8 <= 249 {
				n += 8
			}
			out = append(out, byte((n-1)/8)<<3|byte(p.from))
			out = append(out, b[:n]...)
			b = b[n:]
		}
	}
	return out
}

func FuzzStream(f *testing.F) {
	for _, script := range conversations() {
		b := encode(script)
		f.Add(b, false, int8(-1))
		f.Add(b, true, int8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, midstream bool, patience int8) {
		script, lossy := fuzzScript(data)
		var ended [2]bool
		for i := range script { // nothing after an end
			if ended[script[i].from] {
				script = script[:i]
				break
			}
			ended[script[i].from] = script[i].end != capture.ReasonNone
		}
		cfg := Config{MaxHead: 512, MaxFields: 8, MaxPending: 4, MaxExchanges: 6, MaxText: 2048, MaxBuffered: 2048, MaxTarget: 64}
		play := func(cfg Config, script []packet) []string {
			r := newRig(t, cfg, midstream)
			if patience >= 0 {
				r.patience = int(patience)
			}
			for _, p := range script {
				r.send(p)
				if open, n := r.pool.Held(); open > r.pool.cfg.MaxExchanges || n > r.pool.cfg.MaxBuffered+r.pool.cfg.MaxText+open*exchangeSize+64<<10 {
					t.Fatalf("%d exchanges, %d bytes held", open, n)
				}
			}
			return r.run()
		}
		play(cfg, script)
		got := strings.Join(play(Config{}, script), "\n")
		// Where nothing was lost or refused, segmentation changes nothing.
		if lossy || midstream || strings.Contains(got, "error") {
			return
		}
		bytewise := cut(script, func(packet, int) bool { return true })
		if split := strings.Join(play(Config{}, bytewise), "\n"); split != got {
			t.Errorf("by single bytes:\n%s\nin segments:\n%s", split, got)
		}
	})
}

// first returns the first exchange of a conversation, nil when there is none.
func first(t *testing.T, script ...packet) *capture.Exchange {
	r := newRig(t, Config{}, false)
	r.run(script...)
	for _, o := range r.book.Batch.Observations {
		if e, ok := o.(*capture.Exchange); ok && e.HasRequest {
			return e
		}
	}
	return nil
}

// FuzzRequestVersusNetHTTP compares with net/http: what it accepts, we accept
// and read alike. We are stricter where a method is longer than maxMethod, where
// HTTP/1.0 has a Transfer-Encoding (RFC 9112, section 6.1; net/http ignores it),
// without a target (CONNECT), and in a version other than 1.x. We are more lenient in much, as a passive
// reader sees what some server may have accepted; that is not compared.
func FuzzRequestVersusNetHTTP(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
		"PUT http://u@h:1/x HTTP/1.1\r\nHost: other\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nA: b\r\n\r\n",
		"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", "OPTIONS * HTTP/1.0\r\nX: a\r\n b\r\n\r\n", "GET /\x80 HTTP/1.1\nHost:h\n\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
		if err != nil || req.ProtoMajor != 1 || len(req.Method) > maxMethod || req.ProtoMinor > 9 || req.RequestURI == "" {
			return
		}
		if req.ProtoMinor == 0 && bytes.Contains(bytes.ToLower(data), []byte("transfer-encoding")) {
			return
		}
		n, err := io.Copy(io.Discard, req.Body)
		if err != nil {
			return
		}
		e := first(t, c(string(data)))
		if e == nil {
			t.Fatalf("net/http reads %s %s", req.Method, req.RequestURI)
		}
		if string(e.Method) != req.Method || !strings.HasPrefix(req.RequestURI, string(e.Target)) || e.RequestBody != n {
			t.Errorf("%s %s body %d, net/http %s %s body %d", e.Method, e.Target, e.RequestBody, req.Method, req.RequestURI, n)
		}
		// Of a folded field (RFC 9112, section 5.2) we keep the first line, of several
		// Host fields the first that has a value, and we know a name before a blank
		// and the colon (section 5.1), as some servers do.
		lower := strings.ToLower(string(data))
		if strings.Contains(lower, "\n ") || strings.Contains(lower, "\n\t") || strings.Count(lower, "\nhost") > 1 {
			return
		}
		for name := range req.Header {
			if strings.ContainsAny(name, " \t") {
				return
			}
		}
		if host := withoutUserinfo([]byte(req.Host)); len(e.Host) < maxHost && req.URL.Host == "" && string(e.Host) != string(host) {
			t.Errorf("host %q, net/http %q", e.Host, req.Host)
		}
	})
}

// FuzzResponseVersusNetHTTP compares with net/http likewise. We are stricter
// below status 100, and read HTTP/1.0 with a Transfer-Encoding until close.
func FuzzResponseVersusNetHTTP(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.0 404 \r\n\r\nuntil close",
		"HTTP/1.1 206 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 304 x\r\nContent-Length: 7\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
		if err != nil || resp.ProtoMajor != 1 || resp.ProtoMinor > 9 || resp.StatusCode < 200 {
			return
		}
		if resp.ProtoMinor == 0 && bytes.Contains(bytes.ToLower(data), []byte("transfer-encoding")) {
			return
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if err != nil {
			return
		}
		e := first(t, c("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), s(string(data)))
		if e == nil || e.Status != resp.StatusCode || e.ResponseBody != n {
			t.Errorf("%+v, net/http status %d body %d", e, resp.StatusCode, n)
		}
	})
}
