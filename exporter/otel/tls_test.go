package otel

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// authority is a certificate authority made for one test.
type authorityForTest struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authorityForTest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authorityForTest{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue returns a certificate for 127.0.0.1 and its key in PEM form.
func (a *authorityForTest) issue(t *testing.T, until time.Time, ips ...net.IP) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test"}, IPAddresses: ips,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &k.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	kder, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: kder})
}

func write(t *testing.T, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var loopback = net.IPv4(127, 0, 0, 1)

// serverTLS is a server's side that asks for a certificate of clients.
func (a *authorityForTest) serverTLS(t *testing.T, until time.Time, ip net.IP) *tls.Config {
	t.Helper()
	cert, key := a.issue(t, until, ip)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, NextProtos: []string{"h2", "http/1.1"}}
}

func serveTLS(t *testing.T, protocol string, s *sink, cfg *tls.Config) Config {
	t.Helper()
	if protocol == ProtocolGRPC {
		where, _ := serveGRPC(t, s, "127.0.0.1:0", grpc.Creds(credentials.NewTLS(cfg)))
		c := overGRPC(where)
		c.Traces.Endpoint = "https://" + where
		return c
	}
	srv := httptest.NewUnstartedServer(s.handler())
	srv.TLS = cfg
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return overHTTP(srv.URL)
}

func TestMutualTLS(t *testing.T) {
	for _, protocol := range []string{ProtocolGRPC, ProtocolHTTP} {
		a, stranger := newAuthority(t), newAuthority(t)
		dir := t.TempDir()
		cert, key := a.issue(t, time.Now().Add(time.Hour))
		ca := write(t, filepath.Join(dir, "ca.pem"), stranger.pem)
		s := &sink{}
		cfg := onlyTraces(serveTLS(t, protocol, s, a.serverTLS(t, time.Now().Add(time.Hour), loopback)))
		cfg.Traces.CAFile = ca
		cfg.Traces.CertFile = write(t, filepath.Join(dir, "cert.pem"), cert)
		cfg.Traces.KeyFile = write(t, filepath.Join(dir, "key.pem"), key)
		e := start(t, cfg)
		export(e, 10)
		// A server that our authority does not vouch for gets nothing.
		eventually(t, "a refusal", func() bool { return strings.Contains(health(t, e, traces).LastError, "unknown authority") })
		if spans, _, _ := s.counts(); spans != 0 {
			t.Errorf("%s: %d spans went to a stranger", protocol, spans)
		}
		// The file is replaced, and read again without a restart.
		write(t, ca, a.pem)
		later := time.Now().Add(2 * time.Second)
		if err := os.Chtimes(ca, later, later); err != nil {
			t.Fatal(err)
		}
		eventually(t, protocol+" with the new authority", func() bool { return health(t, e, traces).Exported == 10 })
	}
}

func TestTLSFailsClosed(t *testing.T) {
	for _, protocol := range []string{ProtocolGRPC, ProtocolHTTP} {
		for _, c := range []struct {
			name  string
			until time.Time
			ip    net.IP
			want  string
		}{
			{"expired", time.Now().Add(-time.Hour), loopback, "expired"},
			{"wrong name", time.Now().Add(time.Hour), net.IPv4(127, 0, 0, 9), "127.0.0.9"},
			{"no client certificate", time.Now().Add(time.Hour), loopback, "certificate required"},
		} {
			a := newAuthority(t)
			s := &sink{}
			cfg := onlyTraces(serveTLS(t, protocol, s, a.serverTLS(t, c.until, c.ip)))
			cfg.Traces.CAFile = write(t, filepath.Join(t.TempDir(), "ca.pem"), a.pem)
			e := start(t, cfg)
			export(e, 1)
			eventually(t, protocol+" "+c.name, func() bool { return strings.Contains(health(t, e, traces).LastError, c.want) })
			if spans, _, _ := s.counts(); spans != 0 {
				t.Errorf("%s %s: %d spans arrived", protocol, c.name, spans)
			}
			if err := stop(e, 50*time.Millisecond); err == nil {
				t.Errorf("%s %s: nothing was dropped", protocol, c.name)
			}
		}
	}
}

func TestTLSFilesMissing(t *testing.T) {
	dir := t.TempDir()
	for _, s := range []SignalConfig{
		{CAFile: filepath.Join(dir, "none")},
		{CAFile: write(t, filepath.Join(dir, "empty"), []byte("nothing"))},
		{CertFile: filepath.Join(dir, "none"), KeyFile: filepath.Join(dir, "none")},
	} {
		for _, protocol := range []string{ProtocolGRPC, ProtocolHTTP} {
			s.Exporter, s.Protocol, s.Endpoint = ExporterOTLP, protocol, "https://127.0.0.1:1"
			if e, err := New(Config{Traces: s}); err == nil {
				_ = e.Shutdown(context.Background())
				t.Errorf("%+v was taken", s)
			}
		}
	}
}
