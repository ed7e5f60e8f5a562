package tls

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/wiretell/wiretell/capture"
)

// chunk is what one Write of a side put on the wire.
type chunk struct {
	from capture.Side
	b    []byte
}

// talk is a conversation between a crypto/tls client and server, and what they
// knew of each other.
type talk struct {
	chunks           []chunk
	hello            *stdtls.ClientHelloInfo // the first, as the server read it
	client, server   stdtls.ConnectionState
	clientErr, svErr error
}

// recorder is a net.Conn that keeps what is written through it.
type recorder struct {
	net.Conn
	mu   *sync.Mutex
	out  *[]chunk
	from capture.Side
}

func (r recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	*r.out = append(*r.out, chunk{r.from, append([]byte(nil), b...)})
	r.mu.Unlock()
	return r.Conn.Write(b)
}

// converse shakes hands and sends a few bytes both ways.
func converse(t testing.TB, client, server *stdtls.Config) *talk {
	t.Helper()
	k := new(talk)
	var mu sync.Mutex
	a, b := bufferedPipe(t)
	server = server.Clone()
	server.GetConfigForClient = func(h *stdtls.ClientHelloInfo) (*stdtls.Config, error) {
		if k.hello == nil {
			k.hello = h
		}
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var wait sync.WaitGroup
	wait.Go(func() {
		s := stdtls.Server(recorder{b, &mu, &k.chunks, capture.Server}, server)
		if k.svErr = s.HandshakeContext(ctx); k.svErr == nil {
			k.server = s.ConnectionState()
			_, k.svErr = io.Copy(s, io.LimitReader(s, 300))
		}
		s.Close()
	})
	c := stdtls.Client(recorder{a, &mu, &k.chunks, capture.Client}, client)
	if k.clientErr = c.HandshakeContext(ctx); k.clientErr == nil {
		k.client = c.ConnectionState()
		for range 3 {
			c.Write(make([]byte, 100))
		}
		io.ReadFull(c, make([]byte, 300))
	}
	c.Close()
	wait.Wait()
	return k
}

// bufferedPipe returns the ends of a loopback connection: unlike those of
// net.Pipe they do not make a writer wait for the reader, so alerts get out.
func bufferedPipe(t testing.TB) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

var certificate = sync.OnceValue(func() stdtls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "wiretell test"},
		DNSNames:     []string{"example.com"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return stdtls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// listener runs a Pool and describes what it said.
type listener struct {
	book  capture.Book
	batch capture.Batch
	port  capture.PortStats
	pool  *Pool
	conn  capture.Conn
	h     capture.Handler
	sent  [2]uint64
	calls uint64
}

func newListener() *listener {
	l := &listener{conn: capture.Conn{ID: 1}}
	l.book.Batch = &l.batch
	l.pool = NewPool(Config{}, &l.book)
	return l
}

func (l *listener) open() *listener {
	l.h = l.pool.Open(&l.conn, &l.port)
	return l
}

func (l *listener) data(from capture.Side, b []byte) {
	l.calls++
	l.h.Data(capture.Mark{Time: capture.Time(l.calls), Offset: l.sent[from]}, from, b)
	l.sent[from] += uint64(len(b))
}

func (l *listener) end() {
	l.h.End(capture.Mark{}, capture.Client, capture.ReasonFIN)
	l.h.End(capture.Mark{}, capture.Server, capture.ReasonFIN)
}

// check compares the books with what was sent.
func (l *listener) check(t testing.TB) {
	t.Helper()
	total := l.sent[0] + l.sent[1]
	if got := l.book.Ledger[capture.DeliveredTLS]; got != total {
		t.Errorf("DeliveredTLS = %d, sent %d", got, total)
	}
	if got, want := l.port.Unparsed[capture.ReasonTLS], (capture.Tally{Packets: l.calls, Bytes: total}); got != want {
		t.Errorf("Unparsed[tls] = %+v, want %+v", got, want)
	}
	if l.pool.inUse != 0 {
		t.Errorf("%d hello parsers were not given back", l.pool.inUse)
	}
}

// lines describes the observations without their times.
func (l *listener) lines() []string {
	var out []string
	for _, o := range l.batch.Observations {
		switch o := o.(type) {
		case *capture.TLSHello:
			if o.Midstream {
				out = append(out, fmt.Sprintf("%s midstream", o.From))
				continue
			}
			s := fmt.Sprintf("%s hello %04x sni=%s alpn=%s", o.From, o.Version, o.SNI, o.ALPN)
			if o.ECH {
				s += " ech"
			}
			if o.Retry {
				s += " retry"
			}
			out = append(out, s)
		case *capture.TLSAlert:
			out = append(out, fmt.Sprintf("%s alert %d %d", o.From, o.Level, o.Description))
		case *capture.ParseError:
			out = append(out, fmt.Sprintf("%s error %s", o.From, o.Why))
		default:
			out = append(out, fmt.Sprintf("%T", o))
		}
	}
	return out
}

// hear runs chunks, each cut into pieces of at most cut bytes, through a new
// Pool; 0 leaves them whole.
func hear(t testing.TB, chunks []chunk, cut int) *listener {
	t.Helper()
	l := newListener().open()
	for _, c := range chunks {
		for b := c.b; len(b) > 0; {
			n := len(b)
			if cut > 0 {
				n = min(n, cut)
			}
			// The segment's memory is gone after the call.
			piece := append([]byte(nil), b[:n]...)
			l.data(c.from, piece)
			clear(piece)
			b = b[n:]
		}
	}
	l.end()
	l.check(t)
	return l
}
