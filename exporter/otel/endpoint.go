package otel

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// endpoint is where a signal goes.
type endpoint struct {
	network  string // "tcp" or "unix"
	address  string // host:port, or the path of a socket
	tls      bool
	url      string // http/protobuf: the whole URL
	hostname string // to be found in the server's certificate
	display  string // without credentials
}

func (s *SignalConfig) validate() error {
	switch s.Exporter {
	case ExporterNone, ExporterConsole:
		return nil
	case ExporterSink:
		if s.Sink == nil {
			return errors.New("exporter sink: none is given")
		}
		return nil
	case ExporterOTLP:
	default:
		return fmt.Errorf("exporter %q: want otlp, console or none", s.Exporter)
	}
	if s.Protocol != ProtocolGRPC && s.Protocol != ProtocolHTTP {
		return fmt.Errorf("protocol %q: want grpc or http/protobuf", s.Protocol)
	}
	if s.Compression != "" && s.Compression != "gzip" {
		return fmt.Errorf("compression %q: want gzip or none", s.Compression)
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		return errors.New("a client certificate and its key go together: one of the two is missing")
	}
	_, err := s.resolve()
	return err
}

// resolve reads s.Endpoint. Plaintext is used only where it was written: the
// scheme is http or unix, or Insecure is set for an endpoint without a scheme.
func (s *SignalConfig) resolve() (endpoint, error) {
	if s.Protocol == ProtocolGRPC {
		return s.resolveGRPC()
	}
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return endpoint{}, fmt.Errorf("endpoint %q: want a URL that begins with http:// or https://, as http://host:4318/v1/traces", stripUser(s.Endpoint))
	}
	e := endpoint{network: "tcp", tls: u.Scheme == "https", hostname: u.Hostname()}
	port := u.Port()
	if port == "" {
		port = map[bool]string{false: "80", true: "443"}[e.tls]
	}
	e.address = net.JoinHostPort(u.Hostname(), port)
	e.url = u.String()
	e.display = u.Redacted()
	return e, nil
}

func (s *SignalConfig) resolveGRPC() (endpoint, error) {
	bad := fmt.Errorf("endpoint %q: want http://host:4317, https://host:4317, unix:///path or host:4317", stripUser(s.Endpoint))
	scheme, rest, found := strings.Cut(s.Endpoint, "://")
	if !found {
		scheme, rest = "", s.Endpoint
		if path, ok := strings.CutPrefix(rest, "unix:"); ok {
			scheme, rest = "unix", path
		}
	}
	e := endpoint{network: "tcp"}
	switch scheme {
	case "http":
		// A scheme that says plaintext beats Insecure, whatever that says.
	case "https":
		e.tls = true
	case "":
		e.tls = !s.Insecure
	case "unix":
		if rest == "" {
			return e, bad
		}
		return endpoint{network: "unix", address: rest, hostname: "localhost", display: s.Endpoint}, nil
	default:
		return e, bad
	}
	u, err := url.Parse("//" + rest)
	if err != nil || u.Hostname() == "" {
		return e, bad
	}
	port := u.Port()
	if port == "" {
		port = "4317"
	}
	e.hostname = u.Hostname()
	e.address = net.JoinHostPort(u.Hostname(), port)
	e.display = e.address
	return e, nil
}

// stripUser takes user information out of text that may be no URL.
func stripUser(s string) string {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		if _, _, ok := strings.Cut(s, "://"); ok {
			scheme, _, _ := strings.Cut(s, "://")
			return scheme + "://REDACTED@" + s[at+1:]
		}
		return "REDACTED@" + s[at+1:]
	}
	return s
}
