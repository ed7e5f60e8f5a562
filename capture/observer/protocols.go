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
	isProxied // a PROXY protocol header precedes the protocol
)

// protocolOf tells the protocol that bytes from the beginning of a side's
// stream begin. For isProxied the number is the length of the header.
func (o *Observer) protocolOf(b []byte, from capture.Side) (verdict, int) {
	return isUnknown, 0
}

// sniffClient tells, for a connection whose handshake was not seen, whether
// bytes come from its client.
func sniffClient(b []byte) (fromClient, known bool) {
	return false, false
}

var (
	_ = http1.Detect
	_ = tls.Detect
	_ = sniff.Classify
)
