package observer

import (
	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/http1"
	"github.com/wiretell/wiretell/capture/sniff"
	"github.com/wiretell/wiretell/capture/tls"
)

// verdict is what the first bytes of a side say.
type verdict uint8

const (
	isUnknown verdict = iota
	needMore
	isHTTP1
	isHTTP2
	isTLS
	isProxied     // a PROXY protocol header precedes the protocol
	isNegotiation // the negotiation of a SOCKS proxy may precede it
	isSettings    // a server's HTTP/2, should the client speak that as well
)

// protocolOf tells the protocol that bytes from the beginning of a side's
// stream begin. For isProxied the number is the length of the header.
func (o *Observer) protocolOf(b []byte, from capture.Side) (v verdict, skip int) {
	more := false
	switch http1.Detect(b) {
	case http1.Request:
		if from == capture.Client {
			return isHTTP1, 0
		}
	case http1.Response:
		if from == capture.Server {
			return isHTTP1, 0
		}
	case http1.More:
		more = true
	}
	switch tls.Detect(b) {
	case tls.Yes:
		return isTLS, 0
	case tls.More:
		more = true
	}
	if from == capture.Client {
		switch v, n := sniff.Prefix(b); v {
		case sniff.HTTP2:
			return isHTTP2, 0
		case sniff.PROXY:
			return isProxied, n
		case sniff.More:
			more = true
		}
	}
	if from == capture.Server {
		switch sniff.Settings(b) {
		case sniff.HTTP2:
			return isSettings, 0
		case sniff.More:
			more = true
		}
	}
	if more {
		return needMore, 0
	}
	if from == capture.Client {
		if v, _, _ := sniff.Negotiation(b, nil); v == sniff.More {
			return isNegotiation, 0
		}
	}
	return isUnknown, 0
}

// sniffClient tells, for a connection whose handshake was not seen, whether
// bytes come from its client.
func sniffClient(b []byte) (fromClient, known bool) {
	switch http1.Detect(b) {
	case http1.Request:
		return true, true
	case http1.Response:
		return false, true
	}
	side, known := tls.HelloFrom(b)
	return side == capture.Client, known
}
