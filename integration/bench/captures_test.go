package bench

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/wiretell/wiretell/capture"
	"github.com/wiretell/wiretell/capture/capturetest"
)

// maker writes a capture of HTTP/1 exchanges.
type maker struct {
	w       *pcapgo.Writer
	buf     []byte
	now     time.Time
	packets int
}

// conn is one connection of a capture in the making.
type conn struct {
	m              *maker
	client, server capture.Endpoint
	seq, ack       uint32
}

func (m *maker) send(from, to capture.Endpoint, seq, ack uint32, flags capture.Flags, payload []byte) {
	m.now = m.now.Add(7 * time.Microsecond)
	p := capture.Packet{Flow: capture.Flow{Src: from, Dst: to}, Network: capture.IPv4, TTL: 64, Payload: payload, PayloadLen: len(payload)}
	p.TCP = capture.TCPHeader{Seq: seq, Ack: ack, Flags: flags, Window: 65000, HasTimestamps: true, TSVal: uint32(m.packets), TSEcr: 1}
	m.buf = append(m.buf[:0], 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0)
	m.buf = capturetest.AppendTCP(m.buf, &p)
	// NOP NOP and the timestamps, as Linux orders them (RFC 7323, appendix A).
	options := m.buf[14+20+20:][:12]
	copy(options[2:], options[:10])
	options[0], options[1] = 1, 1
	err := m.w.WritePacket(gopacket.CaptureInfo{Timestamp: m.now, CaptureLength: len(m.buf), Length: len(m.buf)}, m.buf)
	if err != nil {
		panic(err)
	}
	m.packets++
}

func (m *maker) open(n int) *conn {
	addr := [4]byte{10, 1}
	binary.BigEndian.PutUint16(addr[2:], uint16(n/40000+1))
	c := &conn{m: m, seq: 1000, ack: 5000,
		client: capture.EndpointOf(netip.AddrPortFrom(netip.AddrFrom4(addr), uint16(20000+n%40000))),
		server: capture.EndpointOf(netip.MustParseAddrPort("10.9.9.9:8080"))}
	m.send(c.client, c.server, c.seq-1, 0, capture.SYN, nil)
	m.send(c.server, c.client, c.ack-1, c.seq, capture.SYN|capture.ACK, nil)
	m.send(c.client, c.server, c.seq, c.ack, capture.ACK, nil)
	return c
}

// exchange is a request, a response, and the ACK of each where nothing carries it.
func (c *conn) exchange(n int) {
	request := fmt.Appendf(nil, "GET /items/%d?page=2 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n", n)
	response := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\nContent-Length: 40\r\n\r\n%040d", n)
	c.m.send(c.client, c.server, c.seq, c.ack, capture.PSH|capture.ACK, request)
	c.seq += uint32(len(request))
	c.m.send(c.server, c.client, c.ack, c.seq, capture.ACK, nil)
	c.m.send(c.server, c.client, c.ack, c.seq, capture.PSH|capture.ACK, response)
	c.ack += uint32(len(response))
	c.m.send(c.client, c.server, c.seq, c.ack, capture.ACK, nil)
}

func (c *conn) close() {
	c.m.send(c.client, c.server, c.seq, c.ack, capture.FIN|capture.ACK, nil)
	c.m.send(c.server, c.client, c.ack, c.seq+1, capture.FIN|capture.ACK, nil)
	c.m.send(c.client, c.server, c.seq+1, c.ack+1, capture.ACK, nil)
}

// keepAlive is 64 connections of very many exchanges, in turn.
func keepAlive(m *maker, packets int) (exchanges int) {
	conns := make([]*conn, 64)
	for i := range conns {
		conns[i] = m.open(i)
	}
	for m.packets < packets {
		conns[exchanges%len(conns)].exchange(exchanges)
		exchanges++
	}
	for _, c := range conns {
		c.close()
	}
	return exchanges
}

// shortConnections is a connection for each exchange.
func shortConnections(m *maker, packets int) (exchanges int) {
	for m.packets < packets {
		c := m.open(exchanges)
		c.exchange(exchanges)
		c.close()
		exchanges++
	}
	return exchanges
}

// traffics are the two kinds of traffic that are measured.
var traffics = []struct {
	name string
	fill func(*maker, int) int
}{{"keep-alive", keepAlive}, {"short-connections", shortConnections}}

// write makes a capture file and returns how much is in it.
func write(b *testing.B, name string, packets int, fill func(*maker, int) int) (path string, got, exchanges int) {
	b.Helper()
	path = filepath.Join(b.TempDir(), name+".pcap")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	out := bufio.NewWriterSize(f, 1<<20)
	m := &maker{w: pcapgo.NewWriterNanos(out), now: time.Unix(1_700_000_000, 0)}
	if err := m.w.WriteFileHeader(262144, layers.LinkTypeEthernet); err != nil {
		b.Fatal(err)
	}
	exchanges = fill(m, packets)
	if err := out.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return path, m.packets, exchanges
}
