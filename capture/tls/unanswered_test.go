package tls

import (
	stdtls "crypto/tls"
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// TestHelloUnanswered: a ClientHello came to nothing when its connection is over
// and all that the server sent was captured, none of which answers it.
func TestHelloUnanswered(t *testing.T) {
	k := converse(t, &config{ServerName: "example.com", InsecureSkipVerify: true}, &config{Certificates: []stdtls.Certificate{certificate()}})
	hello, answer := k.chunks[0].b, k.chunks[1].b
	for _, tt := range []struct {
		name   string
		server func(*listener)
		why    capture.Reason
		after  capture.Time
		want   uint64
	}{
		{"closed", nil, capture.ReasonFIN, 0, 1},
		{"answered by an alert", func(l *listener) { l.data(capture.Server, []byte{21, 3, 3, 0, 2, 2, 40}) }, capture.ReasonFIN, 0, 1},
		{"answered behind a warning", func(l *listener) { l.data(capture.Server, append([]byte{21, 3, 3, 0, 2, 1, 112}, answer...)) }, capture.ReasonFIN, 0, 0},
		{"answered", func(l *listener) { l.data(capture.Server, answer) }, capture.ReasonFIN, 0, 0},
		{"answered in the clear", func(l *listener) { l.data(capture.Server, []byte("HTTP/1.1 400 Bad Request\r\n")) }, capture.ReasonFIN, 0, 0},
		{"the capture ends", nil, capture.ReasonShutdown, capture.Time(patience) / 2, 0},
		{"the capture ends long after", nil, capture.ReasonShutdown, 2 * capture.Time(patience), 1},
		{"the answer was lost", func(l *listener) { l.h.Gap(capture.Mark{}, capture.Server, 100, capture.ReasonGap) }, capture.ReasonFIN, 0, 0},
		{"the server is not captured", func(l *listener) { l.conn.OneWay = true }, capture.ReasonFIN, 0, 0},
	} {
		l := newListener().open()
		l.data(capture.Client, hello)
		if tt.server != nil {
			tt.server(l)
		}
		l.h.End(capture.Mark{Time: tt.after}, capture.Client, tt.why)
		l.h.End(capture.Mark{Time: tt.after}, capture.Server, tt.why)
		if got := l.port.HellosUnanswered; got != tt.want || l.port.ClientHellos != 1 {
			t.Errorf("%s: %d of %d hellos not answered, want %d of 1", tt.name, got, l.port.ClientHellos, tt.want)
		}
	}
}
