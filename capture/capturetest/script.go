package capturetest

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// Script is a test case as text: packets, one a line, then a line "---", then
// the lines that observing them must print (see package exporter/text):
//
//	# comment
//	0.003 10.0.0.1:40000 > 10.0.0.2:80 PA seq=101 ack=301 "GET /a HTTP/1.1\r\n\r\n"
//	---
//	exchange conn=1 ...
//
// Times are seconds since the script's epoch. Flags are letters of SFRPAU in
// any order, or "." for none. A payload is a Go string; "text"*100 repeats it;
// cut=N says that the capture kept only its first N bytes.
type Script struct {
	Name     string
	Comment  string // its lines that begin with "#"
	Segments []Segment
	Want     string
}

// Epoch is the time that scripts count from.
var epoch = time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)

// ReadScript reads a script file.
func ReadScript(path string) (*Script, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	packets, want, _ := strings.Cut(string(text), "\n---\n")
	s := &Script{Name: path, Want: want}
	for i, line := range strings.Split(packets, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			s.Comment += line[1:] + "\n"
			continue
		}
		if line == "" {
			continue
		}
		seg, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		s.Segments = append(s.Segments, seg)
	}
	return s, nil
}

// Update writes the script's file again with want as its second part.
func (s *Script) Update(want string) error {
	text, err := os.ReadFile(s.Name)
	if err != nil {
		return err
	}
	packets, _, _ := strings.Cut(string(text), "\n---\n")
	return os.WriteFile(s.Name, []byte(packets+"\n---\n"+want), 0o644)
}

func parseLine(line string) (Segment, error) {
	var s Segment
	p := &s.Packet
	p.Transport, p.TTL, p.TCP.Window = capture.TCP, 64, 65535
	fields := strings.SplitN(line, " ", 6)
	if len(fields) < 5 || fields[2] != ">" {
		return s, fmt.Errorf("want TIME SRC > DST FLAGS ...: %q", line)
	}
	seconds, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return s, err
	}
	p.Time = capture.TimeOf(epoch.Add(time.Duration(seconds*1e6+0.5) * time.Microsecond))
	for i, e := range []*capture.Endpoint{&p.Flow.Src, &p.Flow.Dst} {
		a, err := netip.ParseAddrPort(fields[1+2*i])
		if err != nil {
			return s, err
		}
		*e = capture.EndpointOf(a)
		p.Network = capture.IPv4
		if a.Addr().Is6() {
			p.Network = capture.IPv6
		}
	}
	if err := parseFlags(p, fields[4]); err != nil {
		return s, err
	}
	rest := ""
	if len(fields) == 6 {
		rest = fields[5]
	}
	return s, parseRest(p, rest)
}

func parseFlags(p *capture.Packet, letters string) error {
	for _, c := range letters {
		i := strings.IndexRune("FSRPAU", c)
		if i < 0 && c != '.' {
			return fmt.Errorf("unknown flag %q", c)
		}
		if i >= 0 {
			p.TCP.Flags |= 1 << i
		}
	}
	return nil
}

func parseRest(p *capture.Packet, rest string) error {
	keep := -1
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		if rest[0] == '"' {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return fmt.Errorf("payload: %w", err)
			}
			text, _ := strconv.Unquote(quoted)
			rest = rest[len(quoted):]
			if strings.HasPrefix(rest, "*") {
				digits, more, _ := strings.Cut(rest[1:], " ")
				n, err := strconv.Atoi(digits)
				if err != nil || n < 0 {
					return fmt.Errorf("repetition %q", digits)
				}
				text, rest = strings.Repeat(text, n), more
			}
			p.Payload = append(p.Payload, text...)
			continue
		}
		word, more, _ := strings.Cut(rest, " ")
		rest = more
		key, value, _ := strings.Cut(word, "=")
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return fmt.Errorf("%q: %w", word, err)
		}
		switch key {
		case "seq":
			p.TCP.Seq = uint32(n)
		case "ack":
			p.TCP.Ack = uint32(n)
		case "win":
			p.TCP.Window = uint16(n)
		case "mss":
			p.TCP.HasMSS, p.TCP.MSS = true, uint16(n)
		case "cut":
			keep = int(n)
		default:
			return fmt.Errorf("unknown word %q", word)
		}
	}
	p.PayloadLen = len(p.Payload)
	if keep >= 0 && keep < len(p.Payload) {
		p.Payload = p.Payload[:keep]
	}
	return nil
}
