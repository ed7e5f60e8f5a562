package otel

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
)

// httpSender sends OTLP over HTTP as binary protobuf.
type httpSender struct {
	signal      signal
	client      *http.Client
	url         string
	headers     map[string]Secret
	compression string
	userAgent   string
}

// maxResponse bounds what is read of a response.
const maxResponse = 64 << 10

func newHTTPSender(sig signal, s *SignalConfig, e endpoint, d *dialer, userAgent string) (*httpSender, error) {
	transport := &http.Transport{
		// No proxy from the environment: the endpoint is where telemetry goes.
		Proxy: nil,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := d.dial(ctx, e.network, e.address)
			if err != nil {
				return nil, err
			}
			return &plainConn{Conn: conn}, nil
		},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 2,
		IdleConnTimeout:     90 * time.Second,
		// Compression is ours to choose, and responses are small.
		DisableCompression: true,
	}
	if e.tls {
		files := newTLSFiles(s, e.hostname)
		if _, err := files.config(); err != nil {
			return nil, err
		}
		transport.DialTLSContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialTLS(ctx, d, e, files)
		}
	}
	return &httpSender{
		signal: sig, url: e.url, headers: s.Headers, compression: s.Compression, userAgent: userAgent,
		client: &http.Client{
			Transport: transport,
			// A redirect would take telemetry, and its credentials, elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// errNotHTTP1 is what a plain connection ends with whose receiver sends what
// begins no response.
type errNotHTTP1 string

func (e errNotHTTP1) Error() string {
	ask := "is it OTLP's gRPC port (4317, grpc)?"
	if e[0] == 0x15 { // an alert (RFC 8446, section 5.1)
		ask = "was https:// meant?"
	}
	return fmt.Sprintf("the endpoint does not speak HTTP/1.1; %s It sent %q", ask, string(e))
}

// plainConn is a connection without TLS. A gRPC server sends its SETTINGS when
// it accepts (RFC 9113, section 3.4), which may be before the request is
// written: the transport has no error for that.
type plainConn struct {
	net.Conn
	begun bool
}

func (c *plainConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.begun {
		c.begun = true
		if p[0] != 'H' { // of "HTTP/" (RFC 9112, section 4)
			return 0, errNotHTTP1(p[:min(n, 16)])
		}
	}
	return n, err
}

func dialTLS(ctx context.Context, d *dialer, e endpoint, files *tlsFiles) (net.Conn, error) {
	cfg, err := files.config()
	if err != nil {
		return nil, err
	}
	cfg.NextProtos = []string{"h2", "http/1.1"}
	raw, err := d.dial(ctx, e.network, e.address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// Close closes idle connections; none is in use when it is called.
func (h *httpSender) Close() error {
	h.client.CloseIdleConnections()
	return nil
}

// observedBody tells whether any of it was read, which is when it may arrive.
type observedBody struct {
	*bytes.Reader
	read atomic.Bool
}

func (b *observedBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.Reader.Read(p)
}

func (b *observedBody) WriteTo(w io.Writer) (int64, error) {
	b.read.Store(true)
	return b.Reader.WriteTo(w)
}

func (h *httpSender) send(ctx context.Context, data []byte) result {
	body := &observedBody{Reader: bytes.NewReader(data)}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, body)
	if err != nil {
		return result{verdict: refused, problem: "request cannot be made"}
	}
	req.ContentLength = int64(len(data))
	req.GetBody = func() (io.ReadCloser, error) {
		return io.NopCloser(&observedBody{Reader: bytes.NewReader(data)}), nil
	}
	for k, v := range h.headers {
		req.Header.Set(k, string(v))
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", h.userAgent)
	if h.compression != "" {
		req.Header.Set("Content-Encoding", h.compression)
	}
	sent := time.Now()
	resp, err := h.client.Do(req)
	if err != nil {
		return result{verdict: tryAgain, problem: httpHint(err), mayHaveArrived: body.read.Load()}
	}
	defer resp.Body.Close()
	skew := skewOf(resp.Header, sent, time.Now())
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if resp.StatusCode/100 == 2 {
		// The status line says that the batch was taken, whatever became of
		// the rest of the response.
		rejected, message := h.signal.partial(answer)
		return result{verdict: delivered, rejected: rejected, problem: message, skew: skew}
	}
	if err != nil {
		answer = nil
	}
	r := h.failure(resp, answer)
	r.skew = skew
	return r
}

// skewOf tells from the Date field (RFC 9110, section 6.6.1) how far the
// receiver's clock was ahead between two times of this one. Date tells whole
// seconds, so the middle of one is taken; what a cache kept tells nothing.
func skewOf(h http.Header, sent, got time.Time) time.Duration {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || h.Get("Age") != "" {
		return 0
	}
	date = date.Add(time.Second / 2)
	switch {
	case date.Before(sent):
		return date.Sub(sent)
	case date.After(got):
		return date.Sub(got)
	}
	return 0
}

// failure reads a status by OTLP's table of retryable ones
// (https://opentelemetry.io/docs/specs/otlp/#failures-1).
func (h *httpSender) failure(resp *http.Response, answer []byte) result {
	r := result{verdict: refused, status: strconv.Itoa(resp.StatusCode), problem: resp.Status}
	if m := statusMessage(resp, answer); m != "" {
		r.problem += ": " + m
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		r.verdict = tryAgain
		r.after = retryAfter(resp.Header.Get("Retry-After"), time.Now())
		// A gateway that gave up does not know whether the batch arrived.
		r.mayHaveArrived = resp.StatusCode == http.StatusBadGateway || resp.StatusCode == http.StatusGatewayTimeout
	}
	return r
}

// statusMessage returns the message of the google.rpc.Status that OTLP asks
// servers to answer with; other bodies are not repeated.
func statusMessage(resp *http.Response, answer []byte) string {
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/x-protobuf") {
		return ""
	}
	var st status.Status
	if proto.Unmarshal(answer, &st) != nil {
		return ""
	}
	return tidy(st.GetMessage())
}

// retryAfter reads a Retry-After field: seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(v string, now time.Time) time.Duration {
	if v == "" {
		return 0
	}
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(max(n, 0)) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// httpHint returns err without the URL, with the cause named where it is known.
func httpHint(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return tidy(op.Error())
	}
	// The client wraps every error with the URL.
	if cause := errors.Unwrap(err); cause != nil {
		err = cause
	}
	var other errNotHTTP1
	if errors.As(err, &other) {
		return other.Error()
	}
	m := tidy(err.Error())
	switch {
	case strings.Contains(m, "malformed HTTP response"):
		return fmt.Sprintf("the endpoint does not speak HTTP/1.1; is it OTLP's gRPC port (4317, grpc)? %s", m)
	case strings.Contains(m, "first record does not look like a TLS handshake"):
		return fmt.Sprintf("the endpoint does not speak TLS; was http:// meant? %s", m)
	}
	return m
}
