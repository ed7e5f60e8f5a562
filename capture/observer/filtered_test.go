package observer

import (
	"testing"

	"github.com/wiretell/wiretell/capture"
)

// TestFilteredIsLookedAt: of what the filter leaves out every sixteenth packet
// with payload is looked at, whether it begins as HTTP does, and frames with a
// VLAN tag are counted.
func TestFilteredIsLookedAt(t *testing.T) {
	o := New(Config{}, nil)
	const request, response, other = "GET / HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n", "\x16\x03\x01"
	leave := func(port uint16, payload string, f *capture.Frame) {
		p := &capture.Packet{Transport: capture.TCP, Direction: capture.Receive, WireLen: 100, Payload: []byte(payload)}
		p.Flow.Src.Port, p.Flow.Dst.Port = 40000, port
		o.filtered(f, p)
	}
	plain := &capture.Frame{}
	for i := range 64 {
		leave(8080, [...]string{request, response}[i/32], plain)
		leave(8080, "", plain) // acknowledgements are not looked at
	}
	for range 64 {
		leave(8443, other, plain)
	}
	inFrame := make([]byte, 64)
	inFrame[12], inFrame[13] = 0x81, 0x00
	leave(9000, other, &capture.Frame{Tagged: true})
	leave(9000, other, &capture.Frame{Link: capture.LinkEthernet, Data: inFrame})
	leave(9000, other, &capture.Frame{Link: capture.LinkRaw, Data: inFrame})
	for port, want := range map[uint16]uint64{8080: 4, 8443: 0, 9000: 0} {
		if got := o.book.Ports.Get(capture.PortKey{Port: port, Transport: capture.TCP, Role: capture.RoleServer}).FilteredHTTP; got != want {
			t.Errorf("port %d: %d packets begin as HTTP, want %d", port, got, want)
		}
	}
	if o.book.FilteredTagged != 2 || o.book.Ledger[capture.FrameFiltered] != 64*3+3 {
		t.Errorf("%d with a tag of %d left out, want 2 of 195", o.book.FilteredTagged, o.book.Ledger[capture.FrameFiltered])
	}
}

// TestGuess: what a connection looks like, told by either side, and kept when
// the next one tells nothing.
func TestGuess(t *testing.T) {
	o := New(Config{}, nil)
	port := o.book.Ports.Get(capture.PortKey{Port: 6379})
	for _, tt := range []struct {
		client, server string
		want           string
		certain        bool
	}{
		{"\x01\x02\x03\x04\x05\x06\x07", "", "", false},
		{"*1\r\n$4\r\nPING\r\n", "+PONG\r\n", "redis", true},
		{"\x01\x02\x03\x04\x05\x06\x07", "\x09\x08\x07\x06\x05\x04", "redis", true},
		{"\x01\x02\x03\x04\x05\x06\x07", "SSH-2.0-x\r\n", "ssh", true},
	} {
		s := o.open(&capture.Conn{ID: 1}, new(capture.Quality), port).(*session)
		s.Data(capture.Mark{}, capture.Client, []byte(tt.client))
		if tt.server != "" {
			s.Data(capture.Mark{}, capture.Server, []byte(tt.server))
		}
		for side := capture.Client; side <= capture.Server; side++ {
			s.End(capture.Mark{}, side, capture.ReasonFIN)
		}
		if port.Looks != tt.want || port.LooksCertain != tt.certain {
			t.Errorf("after %q and %q it looks like %q (certain %v), want %q", tt.client, tt.server, port.Looks, port.LooksCertain, tt.want)
		}
	}
}

// TestProxyHeaders counts connections, not segments.
func TestProxyHeaders(t *testing.T) {
	o := New(Config{}, nil)
	port := o.book.Ports.Get(capture.PortKey{Port: 80})
	const header = "PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\n"
	for _, pieces := range [][]string{{header + "GET / HTTP/1.1\r\n\r\n"}, {header[:9], header[9:], "GET / HTTP/1.1\r\n\r\n"}} {
		s := o.open(&capture.Conn{ID: 1}, new(capture.Quality), port).(*session)
		offset := uint64(0)
		for _, p := range pieces {
			s.Data(capture.Mark{Offset: offset}, capture.Client, []byte(p))
			offset += uint64(len(p))
		}
		for side := capture.Client; side <= capture.Server; side++ {
			s.End(capture.Mark{}, side, capture.ReasonFIN)
		}
	}
	if port.ProxyHeaders != 2 {
		t.Errorf("%d connections begin with a PROXY protocol header, want 2", port.ProxyHeaders)
	}
}
