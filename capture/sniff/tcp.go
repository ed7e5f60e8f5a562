package sniff

import (
	"bytes"
	"encoding/binary"

	"github.com/wiretell/wiretell/capture"
)

// protocols are those that [Classify] knows over TCP.
var protocols = [...]struct {
	name   string
	reason capture.Reason
	look   func(client, server []byte) Certainty
}{
	{"proxy", capture.ReasonUnknownProtocol, proxyHeader},
	{"http2", capture.ReasonHTTP2, http2},
	{"ssh", capture.ReasonUnknownProtocol, ssh},
	{"postgresql", capture.ReasonUnknownProtocol, postgresql},
	{"mysql", capture.ReasonUnknownProtocol, mysql},
	{"mongodb", capture.ReasonUnknownProtocol, mongodb},
	{"amqp", capture.ReasonUnknownProtocol, amqp},
	{"mqtt", capture.ReasonUnknownProtocol, mqtt},
	{"nats", capture.ReasonUnknownProtocol, nats},
	{"redis", capture.ReasonUnknownProtocol, redis},
	{"smtp", capture.ReasonUnknownProtocol, smtp},
	{"ftp", capture.ReasonUnknownProtocol, ftp},
	{"imap", capture.ReasonUnknownProtocol, imap},
	{"pop3", capture.ReasonUnknownProtocol, pop3},
	{"memcached", capture.ReasonUnknownProtocol, memcached},
	{"dns", capture.ReasonDNS, dnsTCP},
	{"kafka", capture.ReasonUnknownProtocol, kafka},
}

// certainIf and likelyIf turn a test into a Certainty.
func certainIf(ok bool) Certainty {
	if ok {
		return Certain
	}
	return Unknown
}

func likelyIf(ok bool) Certainty {
	if ok {
		return Likely
	}
	return Unknown
}

// has reports whether b begins with one of words.
func has(b []byte, words ...string) bool {
	for _, w := range words {
		if len(b) >= len(w) && string(b[:len(w)]) == w {
			return true
		}
	}
	return false
}

// hasFold is has without regard to case.
func hasFold(b []byte, words ...string) bool {
	for _, w := range words {
		if len(b) >= len(w) && bytes.EqualFold(b[:len(w)], []byte(w)) {
			return true
		}
	}
	return false
}

func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func proxyHeader(client, _ []byte) Certainty {
	v, _ := Prefix(client)
	return certainIf(v == PROXY)
}

// http2: RFC 9113. Without the preface, a chain of frames on either side.
func http2(client, server []byte) Certainty {
	v, _ := Prefix(client)
	return certainIf(v == HTTP2 || HTTP2Frames(client) || HTTP2Frames(server))
}

// ssh: RFC 4253, section 4.2: both sides "MUST send an identification string",
// "SSH-protoversion-softwareversion". A server may send other lines before it.
func ssh(client, server []byte) Certainty {
	return certainIf(has(client, "SSH-2.0-", "SSH-1.") || has(server, "SSH-2.0-", "SSH-1."))
}

// postgresql: a startup message has its length, a version or a code, and
// parameters of which "user" is required (PostgreSQL documentation, "Message Formats").
func postgresql(client, _ []byte) Certainty {
	if len(client) < 8 {
		return Unknown
	}
	n, code := binary.BigEndian.Uint32(client), binary.BigEndian.Uint32(client[4:])
	switch code {
	case 80877103, 80877104: // SSLRequest, GSSENCRequest
		return certainIf(n == 8)
	case 80877102: // CancelRequest
		return certainIf(n == 16)
	case 3 << 16, 3<<16 | 2: // 3.0, 3.2
		return certainIf(n >= 8 && n <= 10000 && bytes.Contains(client, []byte("user\x00")))
	}
	return Unknown
}

// mysql: the server greets with length, sequence 0, protocol 10 and a version
// that ends with a zero (MySQL documentation, "Protocol::HandshakeV10").
func mysql(_, server []byte) Certainty {
	if len(server) < 8 || server[3] != 0 {
		return Unknown
	}
	n := int(server[0]) | int(server[1])<<8 | int(server[2])<<16
	if server[4] == 0xff { // an error instead, such as too many connections
		return likelyIf(n == len(server)-4 && n > 9 && isText(server[13:]))
	}
	end := bytes.IndexByte(server[5:], 0)
	return certainIf(server[4] == 10 && n >= 30 && n < 512 && end > 2 && end < 64 &&
		server[5] >= '1' && server[5] <= '9' && isText(server[5:5+end]))
}

// mongodb: a message has its length, two identifiers and an opcode, little
// endian (MongoDB documentation, "Wire Protocol").
func mongodb(client, server []byte) Certainty {
	message := func(b []byte) bool {
		if len(b) < 16 {
			return false
		}
		n := binary.LittleEndian.Uint32(b)
		switch binary.LittleEndian.Uint32(b[12:]) {
		case 1, 2004, 2012, 2013: // reply, query, compressed, message
		default:
			return false
		}
		return n > 16 && n <= 48000000
	}
	return certainIf(message(client) && client[8] == 0 && client[9] == 0 || message(server))
}

// amqp: the client sends "AMQP", a protocol identifier and a version (AMQP
// 0-9-1, section 4.2.2; AMQP 1.0, section 2.2).
func amqp(client, _ []byte) Certainty {
	return certainIf(has(client, "AMQP\x00\x00\x09\x01", "AMQP\x00\x01\x00\x00", "AMQP\x02\x01\x00\x00", "AMQP\x03\x01\x00\x00", "AMQP\x01\x01\x00\x0a"))
}

// mqtt: CONNECT has a length of one to four bytes, the protocol's name and its
// level (MQTT 3.1.1 and 5.0, section 3.1).
func mqtt(client, _ []byte) Certainty {
	if len(client) < 2 || client[0] != 0x10 {
		return Unknown
	}
	i := 1
	for i < 5 && i < len(client) && client[i]&0x80 != 0 {
		i++
	}
	name := client[min(i+1, len(client)):]
	return certainIf(has(name, "\x00\x04MQTT\x03", "\x00\x04MQTT\x04", "\x00\x04MQTT\x05", "\x00\x06MQIsdp\x03"))
}

// nats: the server begins with INFO, the client with CONNECT, each with JSON
// (NATS documentation, "Client Protocol").
func nats(client, server []byte) Certainty {
	if has(server, `INFO {"`) {
		return Certain
	}
	return likelyIf(has(client, `CONNECT {"`))
}

// redis: a command is an array of bulk strings (Redis serialization protocol).
func redis(client, server []byte) Certainty {
	if len(client) > 3 && client[0] == '*' {
		line, rest, found := bytes.Cut(client[1:min(len(client), 12)], []byte("\r\n"))
		if found && digits(line) && (len(rest) == 0 || rest[0] == '$') {
			return Certain
		}
	}
	return likelyIf(hasFold(client, "PING\r\n", "INFO\r\n") && has(server, "+", "$", "-"))
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// smtp: RFC 5321: the server greets with 220, the client says EHLO or HELO.
func smtp(client, server []byte) Certainty {
	hello := hasFold(client, "EHLO ", "HELO ", "LHLO ")
	greeting := has(server, "220 ", "220-")
	line, _, _ := bytes.Cut(server, []byte("\n"))
	switch {
	case hello && (greeting || len(server) == 0), greeting && bytes.Contains(line, []byte("SMTP")):
		return Certain
	}
	return Unknown
}

// ftp: RFC 959: the same greeting, but the client logs in by USER.
func ftp(client, server []byte) Certainty {
	if !has(server, "220 ", "220-") {
		return Unknown
	}
	if hasFold(client, "USER ", "AUTH TLS\r\n", "AUTH SSL\r\n", "FEAT\r\n") {
		return Certain
	}
	line, _, _ := bytes.Cut(server, []byte("\n"))
	return likelyIf(bytes.Contains(line, []byte("FTP")))
}

// imap: RFC 9051, section 7.1: the greeting is an untagged OK, PREAUTH or BYE.
func imap(client, server []byte) Certainty {
	if !has(server, "* OK", "* PREAUTH", "* BYE") {
		return Unknown
	}
	line, _, _ := bytes.Cut(server, []byte("\n"))
	tagged := bytes.Contains(client, []byte(" CAPABILITY")) || bytes.Contains(client, []byte(" LOGIN ")) ||
		bytes.Contains(client, []byte(" ID ")) || bytes.Contains(client, []byte(" AUTHENTICATE "))
	if tagged || bytes.Contains(line, []byte("IMAP")) {
		return Certain
	}
	return Likely
}

// pop3: RFC 1939, section 4: the greeting begins with "+OK".
func pop3(client, server []byte) Certainty {
	if !has(server, "+OK") {
		return Unknown
	}
	if hasFold(client, "USER ", "CAPA\r\n", "APOP ", "STLS\r\n", "QUIT\r\n", "AUTH") {
		return Certain
	}
	return likelyIf(len(client) == 0)
}

// memcached: a command line, and answers that nobody else gives; or the binary
// form, whose header of 24 bytes has lengths that must fit (memcached
// documentation, protocol.txt and "BinaryProtocolRevamped").
func memcached(client, server []byte) Certainty {
	answer := has(server, "VALUE ", "STAT ", "STORED\r\n", "NOT_STORED\r\n", "END\r\n", "VERSION ", "DELETED\r\n", "NOT_FOUND\r\n")
	if has(client, "get ", "gets ", "set ", "add ", "mg ", "ms ", "stats\r\n", "version\r\n", "delete ") && bytes.Contains(client, []byte("\r\n")) {
		if answer {
			return Certain
		}
		return likelyIf(len(server) == 0)
	}
	binaryHeader := func(b []byte, magic byte) bool {
		return len(b) >= 24 && b[0] == magic && b[1] <= 0x22 && b[5] == 0 &&
			binary.BigEndian.Uint32(b[8:]) >= uint32(b[4])+uint32(binary.BigEndian.Uint16(b[2:])) &&
			binary.BigEndian.Uint32(b[8:]) <= 1<<20+512
	}
	switch request, response := binaryHeader(client, 0x80), binaryHeader(server, 0x81); {
	case request && response:
		return Certain
	case request:
		return likelyIf(len(server) == 0)
	}
	return Unknown
}

// dnsTCP: RFC 1035, section 4.2.2: "The message is prefixed with a two byte
// length field".
func dnsTCP(client, server []byte) Certainty {
	message := func(b []byte) Certainty {
		if len(b) < 2+dnsHeader {
			return Unknown
		}
		n := int(binary.BigEndian.Uint16(b))
		if n < dnsHeader || n < len(b)-2 && !has(b[2+n:], "\x00") {
			return Unknown
		}
		return dns(b[2:min(len(b), 2+n)])
	}
	return max(message(client), message(server))
}

// kafka: a request has its length, an API key and version, a correlation
// identifier and a client identifier; the response repeats the third (Kafka
// documentation, "Kafka protocol guide").
func kafka(client, server []byte) Certainty {
	if len(client) < 14 {
		return Unknown
	}
	n := binary.BigEndian.Uint32(client)
	key, version := binary.BigEndian.Uint16(client[4:]), binary.BigEndian.Uint16(client[6:])
	id := int(int16(binary.BigEndian.Uint16(client[12:])))
	if n < 10 || n > 100<<20 || key > 92 || version > 20 || id < -1 || id > 255 || id+10 > int(n) ||
		id > 0 && !isText(client[14:min(len(client), 14+id)]) {
		return Unknown
	}
	if len(server) >= 8 && bytes.Equal(server[4:8], client[8:12]) && binary.BigEndian.Uint32(server) >= 4 {
		return Certain
	}
	return likelyIf(len(server) == 0 && id > 0 && len(client) >= 14+id)
}
