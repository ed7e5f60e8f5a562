package otel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// grpcSender sends OTLP over gRPC. The batch is encoded already, so it goes out
// through a codec that passes bytes on.
type grpcSender struct {
	signal  signal
	conn    *grpc.ClientConn
	headers metadata.MD
}

var grpcMethods = [numSignals]string{
	traces:  "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
	logs:    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}

func dialGRPC(s *SignalConfig, e endpoint, d *dialer, userAgent string) (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	if e.tls {
		files := newTLSFiles(s, e.hostname)
		if _, err := files.config(); err != nil {
			return nil, err
		}
		creds = reloading{files: files}
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return d.dial(ctx, e.network, e.address)
		}),
		// The default lets the pause grow to 120 s, which goes on failing long
		// after the receiver is back.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           grpcbackoff.Config{BaseDelay: time.Second, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithUserAgent(userAgent),
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy(),
		grpc.WithAuthority(authority(e)),
	}
	if s.Compression != "" {
		// The two options below are deprecated in favour of a registry that is
		// global to the process; they are the ones that let batches pass which
		// were compressed once, before they were queued.
		opts = append(opts,
			//lint:ignore SA1019 see above
			grpc.WithCompressor(compressed{}),
			//lint:ignore SA1019 see above
			grpc.WithDecompressor(grpc.NewGZIPDecompressor()),
		)
	}
	// The dialer resolves names itself, at every attempt, through sockets that
	// are known as wiretell's own.
	return grpc.NewClient("passthrough:///"+e.address, opts...)
}

func authority(e endpoint) string {
	if e.network == "unix" {
		return e.hostname
	}
	return e.address
}

func newGRPCSender(sig signal, conn *grpc.ClientConn, headers map[string]Secret) *grpcSender {
	md := metadata.MD{}
	for k, v := range headers {
		md.Set(k, string(v))
	}
	return &grpcSender{signal: sig, conn: conn, headers: md}
}

// Close does nothing: the connection belongs to the exporter, as signals share it.
func (*grpcSender) Close() error { return nil }

func (g *grpcSender) send(ctx context.Context, data []byte) result {
	ctx = metadata.NewOutgoingContext(ctx, g.headers)
	req := passed{data: data}
	var resp passed
	err := g.conn.Invoke(ctx, grpcMethods[g.signal], &req, &resp, grpc.ForceCodecV2(passThrough{}))
	if err == nil {
		rejected, message := g.signal.partial(resp.data)
		return result{verdict: delivered, rejected: rejected, problem: message}
	}
	return grpcResult(err, req.sent)
}

// grpcResult reads the status by OTLP's table of retryable codes
// (https://opentelemetry.io/docs/specs/otlp/#failures).
func grpcResult(err error, sent bool) result {
	st := status.Convert(err)
	r := result{verdict: refused, status: codeWord(st.Code()), problem: grpcHint(st)}
	switch st.Code() {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss:
		r.verdict = tryAgain
		r.mayHaveArrived = sent
	}
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			if st.Code() == codes.ResourceExhausted {
				// "The client MUST ... RESOURCE_EXHAUSTED ... retryable only if
				// the server signals that recovery is possible" by RetryInfo.
				r.verdict = tryAgain
			}
			r.after = info.GetRetryDelay().AsDuration()
			// The receiver said that it did not take the batch.
			r.mayHaveArrived = false
		}
	}
	return r
}

// codeWord returns the code as the protocol writes it, "UNAVAILABLE".
func codeWord(c codes.Code) string {
	words := [...]string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
		"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
		"OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}
	if int(c) < len(words) {
		return words[c]
	}
	return fmt.Sprintf("CODE_%d", c)
}

// grpcHint returns the status's message, with the cause named where it is known.
func grpcHint(st *status.Status) string {
	m := tidy(st.Message())
	if strings.Contains(m, "HTTP/1.") || strings.Contains(m, "frame too large") || strings.Contains(m, "server preface") {
		return "the endpoint does not speak gRPC; is it OTLP's HTTP port (4318, http/protobuf)? " + m
	}
	return m
}

// passed is a message that is bytes already.
type passed struct {
	data []byte
	sent bool // handed to a connection that stood
}

// passThrough is a codec that passes bytes on.
type passThrough struct{}

func (passThrough) Name() string { return "proto" }

// Marshal is called when a stream stands, so it also notes that what follows
// may reach the receiver.
func (passThrough) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*passed)
	if !ok {
		return nil, fmt.Errorf("message of type %T", v)
	}
	m.sent = true
	return mem.BufferSlice{mem.SliceBuffer(m.data)}, nil
}

func (passThrough) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*passed)
	if !ok {
		return fmt.Errorf("message of type %T", v)
	}
	m.data = data.Materialize()
	return nil
}

// compressed is a compressor for what is compressed already.
type compressed struct{}

func (compressed) Type() string { return "gzip" }

func (compressed) Do(w io.Writer, p []byte) error {
	_, err := w.Write(p)
	return err
}

// reloading are TLS credentials that read their files again when they change.
type reloading struct{ files *tlsFiles }

var errClientOnly = errors.New("credentials are for clients only")

func (r reloading) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	cfg, err := r.files.config()
	if err != nil {
		return nil, nil, err
	}
	return credentials.NewTLS(cfg).ClientHandshake(ctx, authority, conn)
}

func (reloading) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errClientOnly
}

func (reloading) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (r reloading) Clone() credentials.TransportCredentials { return r }

// OverrideServerName is not used: the name comes from the endpoint.
func (reloading) OverrideServerName(string) error { return errClientOnly }
