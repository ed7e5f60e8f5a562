// Package dnstest is a name server that answers as the name says, and a query
// to ask it with, for tests of what wiretell tells of look-ups.
package dnstest

import (
	"errors"
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Serve answers the queries that come to c, until c is closed, by the first
// label of the name: "good" with an address, "nx" with NXDOMAIN, "fail" with
// SERVFAIL, any other not at all.
func Serve(c net.PacketConn) error {
	b := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(b)
		if err == nil {
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			packed := answer(&m)
			if packed == nil {
				continue
			}
			_, err = c.WriteTo(packed, from)
		}
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func answer(m *dnsmessage.Message) []byte {
	q := m.Questions[0]
	out := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true}, Questions: m.Questions}
	switch label, _, _ := strings.Cut(strings.ToLower(q.Name.String()), "."); label {
	case "good":
		out.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.AResource{A: [4]byte{10, 0, 0, 7}},
		}}
	case "nx":
		out.RCode = dnsmessage.RCodeNameError
	case "fail":
		out.RCode = dnsmessage.RCodeServerFailure
	default:
		return nil
	}
	packed, err := out.Pack()
	if err != nil { // of a name that was just unpacked
		panic(err)
	}
	return packed
}

// Query returns a query for the address of a name, which ends with a dot.
func Query(id uint16, name string) []byte {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	packed, err := m.Pack()
	if err != nil { // of a name that is none
		panic(err)
	}
	return packed
}
